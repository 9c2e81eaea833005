//! The Llama-family decoder as burn modules.
//!
//! Field names follow the Hugging Face layout, so a parameter's path in the module tree
//! (`model.layers.0.self_attn.q_proj.weight`) is its name in `model.safetensors`, and matrices
//! keep that layout's `[out, in]` shape. The same modules serve training (on a device with
//! autodiff, [`Llama::forward`]) and inference ([`Llama::forward_cached`]).

use burn::module::{Module, Param};
use burn::tensor::activation::{silu, softmax};
use burn::tensor::module::embedding;
use burn::tensor::{s, Device, Int, Tensor, TensorData};

use crate::cache::KvCache;
use crate::config::LlamaConfig;

/// Where a model's parameters come from: a seed, a file, a peer.
pub trait ParameterSource {
    /// Why a parameter could not be had.
    type Error;

    /// The matrix `name` of shape `[out, in]`.
    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Tensor<2>, Self::Error>;

    /// The vector `name` of `len` elements.
    fn vector(&mut self, name: &str, len: usize) -> Result<Tensor<1>, Self::Error>;
}

/// `y = x Wᵀ + b` with `W: [out, in]`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    fn new<S: ParameterSource>(
        source: &mut S,
        path: &str,
        shape: [usize; 2],
        bias: bool,
    ) -> Result<Self, S::Error> {
        let weight = source.matrix(&format!("{path}.weight"), shape)?;
        let bias = match bias {
            true => Some(source.vector(&format!("{path}.bias"), shape[0])?),
            false => None,
        };
        Ok(Self {
            weight: Param::from_tensor(weight),
            bias: bias.map(Param::from_tensor),
        })
    }

    /// `[n, in]` to `[n, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let y = x.matmul(self.weight.val().transpose());
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}

/// Root-mean-square norm over the last axis.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[width]`.
    pub weight: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl RmsNorm {
    fn new<S: ParameterSource>(
        source: &mut S,
        path: &str,
        width: usize,
        epsilon: f64,
    ) -> Result<Self, S::Error> {
        let weight = source.vector(&format!("{path}.weight"), width)?;
        Ok(Self {
            weight: Param::from_tensor(weight),
            epsilon,
        })
    }

    /// `[.., width]` to the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let root = (x.clone().square().mean_dim(D - 1) + self.epsilon).sqrt();
        x / root * self.weight.val().unsqueeze()
    }
}

/// What all layers of one forward pass share.
struct PassContext {
    batch: usize,
    new: usize,
    /// `[1, new, 1, head_dim]`.
    cos: Tensor<4>,
    /// `[1, new, 1, head_dim]`, the first half negated: with it a rotation is
    /// `x * cos + swap_halves(x) * sin`.
    sin: Tensor<4>,
    /// `[1, 1, new, past + new]`, 0 where a query may look and -inf where not; `None` when it
    /// may look everywhere.
    mask: Option<Tensor<4>>,
}

impl PassContext {
    fn new(frequencies: &[f32], batch: usize, past: usize, new: usize, device: &Device) -> Self {
        let width = 2 * frequencies.len();
        let (mut cos, mut sin) = (vec![0f32; new * width], vec![0f32; new * width]);
        for t in 0..new {
            let (first, second) = (t * width, t * width + frequencies.len());
            for (plane, &frequency) in frequencies.iter().enumerate() {
                // The product is rounded to f32 as in the reference implementation.
                let angle = f64::from((past + t) as f32 * frequency);
                let (sine, cosine) = (angle.sin() as f32, angle.cos() as f32);
                cos[first + plane] = cosine;
                cos[second + plane] = cosine;
                sin[first + plane] = -sine;
                sin[second + plane] = sine;
            }
        }
        let table = |values| Tensor::from_data(TensorData::new(values, [1, new, 1, width]), device);
        let mask = (new > 1).then(|| {
            let total = past + new;
            let mut values = vec![0f32; new * total];
            for (t, row) in values.chunks_exact_mut(total).enumerate() {
                row[past + t + 1..].fill(f32::NEG_INFINITY);
            }
            Tensor::from_data(TensorData::new(values, [1, 1, new, total]), device)
        });
        Self {
            batch,
            new,
            cos: table(cos),
            sin: table(sin),
            mask,
        }
    }

    /// Rotary embedding, rotate-half form, of `[batch, new, heads, head_dim]`.
    fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let width = x.dims()[3];
        let half = width / 2;
        let swapped = Tensor::cat(
            vec![
                x.clone().slice(s![.., .., .., half..width]),
                x.clone().slice(s![.., .., .., 0..half]),
            ],
            3,
        );
        x * self.cos.clone() + swapped * self.sin.clone()
    }
}

/// Grouped-query causal self-attention.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[heads * head_dim, hidden]`.
    pub q_proj: Linear,
    /// `[kv_heads * head_dim, hidden]`.
    pub k_proj: Linear,
    /// `[kv_heads * head_dim, hidden]`.
    pub v_proj: Linear,
    /// `[hidden, heads * head_dim]`.
    pub o_proj: Linear,
    /// Norm of each query head (Qwen3).
    pub q_norm: Option<RmsNorm>,
    /// Norm of each key head (Qwen3).
    pub k_norm: Option<RmsNorm>,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    kv_heads: usize,
    #[module(skip)]
    head_dim: usize,
}

impl Attention {
    fn new<S: ParameterSource>(
        config: &LlamaConfig,
        source: &mut S,
        path: &str,
    ) -> Result<Self, S::Error> {
        let (hidden, head_dim) = (config.hidden_size, config.head_dim);
        let query = config.num_attention_heads * head_dim;
        let kv = config.num_key_value_heads * head_dim;
        let mut linear =
            |name: &str, shape, bias| Linear::new(source, &format!("{path}.{name}"), shape, bias);
        let q_proj = linear("q_proj", [query, hidden], config.qkv_bias)?;
        let k_proj = linear("k_proj", [kv, hidden], config.qkv_bias)?;
        let v_proj = linear("v_proj", [kv, hidden], config.qkv_bias)?;
        let o_proj = linear("o_proj", [hidden, query], config.attention_output_bias)?;
        let mut norm = |name: &str| match config.qk_norm {
            true => RmsNorm::new(
                source,
                &format!("{path}.{name}"),
                head_dim,
                config.rms_norm_eps,
            )
            .map(Some),
            false => Ok(None),
        };
        Ok(Self {
            q_proj,
            k_proj,
            v_proj,
            o_proj,
            q_norm: norm("q_norm")?,
            k_norm: norm("k_norm")?,
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads,
            head_dim,
        })
    }

    /// `[batch * new, hidden]` to the same shape; `cache` is the cache and this layer's index.
    fn forward(
        &self,
        x: Tensor<2>,
        pass: &PassContext,
        cache: Option<(&mut KvCache, usize)>,
    ) -> Tensor<2> {
        let (batch, new, width) = (pass.batch, pass.new, self.head_dim);
        let (kv, group) = (self.kv_heads, self.heads / self.kv_heads);
        let split = |y: Tensor<2>, heads: usize| y.reshape([batch, new, heads, width]);
        let norm = |norm: &Option<RmsNorm>, y| match norm {
            Some(norm) => norm.forward(y),
            None => y,
        };

        let q = norm(
            &self.q_norm,
            split(self.q_proj.forward(x.clone()), self.heads),
        );
        let k = norm(&self.k_norm, split(self.k_proj.forward(x.clone()), kv));
        let v = split(self.v_proj.forward(x), kv).swap_dims(1, 2);
        let q = pass.rotate(q).swap_dims(1, 2) * (width as f64).powf(-0.5);
        let k = pass.rotate(k).swap_dims(1, 2);
        let (k, v) = match cache {
            Some((cache, layer)) => cache.append(layer, k, v),
            None => (k, v),
        };
        let total = k.dims()[2];

        // Query heads of one group share a key head: stack them as rows of one product.
        let q = q.reshape([batch, kv, group * new, width]);
        let scores = q
            .matmul(k.swap_dims(2, 3))
            .reshape([batch * kv, group, new, total]);
        let scores = match &pass.mask {
            Some(mask) => scores + mask.clone(),
            None => scores,
        };
        let weights = softmax(scores, 3).reshape([batch, kv, group * new, total]);
        let mixed = weights
            .matmul(v)
            .reshape([batch, self.heads, new, width])
            .swap_dims(1, 2);
        self.o_proj
            .forward(mixed.reshape([batch * new, self.heads * width]))
    }
}

/// SwiGLU feed-forward network.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `[intermediate, hidden]`.
    pub gate_proj: Linear,
    /// `[intermediate, hidden]`.
    pub up_proj: Linear,
    /// `[hidden, intermediate]`.
    pub down_proj: Linear,
}

impl FeedForward {
    fn new<S: ParameterSource>(
        config: &LlamaConfig,
        source: &mut S,
        path: &str,
    ) -> Result<Self, S::Error> {
        let (hidden, wide, bias) = (
            config.hidden_size,
            config.intermediate_size,
            config.mlp_bias,
        );
        let mut linear =
            |name: &str, shape| Linear::new(source, &format!("{path}.{name}"), shape, bias);
        Ok(Self {
            gate_proj: linear("gate_proj", [wide, hidden])?,
            up_proj: linear("up_proj", [wide, hidden])?,
            down_proj: linear("down_proj", [hidden, wide])?,
        })
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let gate = silu(self.gate_proj.forward(x.clone()));
        self.down_proj.forward(gate * self.up_proj.forward(x))
    }
}

/// Attention and feed-forward network, each behind a norm and around a residual.
#[derive(Module, Debug)]
pub struct DecoderLayer {
    /// Attention.
    pub self_attn: Attention,
    /// Feed-forward network.
    pub mlp: FeedForward,
    /// Norm before attention.
    pub input_layernorm: RmsNorm,
    /// Norm before the feed-forward network.
    pub post_attention_layernorm: RmsNorm,
}

impl DecoderLayer {
    fn new<S: ParameterSource>(
        config: &LlamaConfig,
        source: &mut S,
        path: &str,
    ) -> Result<Self, S::Error> {
        let (hidden, eps) = (config.hidden_size, config.rms_norm_eps);
        let after = format!("{path}.post_attention_layernorm");
        Ok(Self {
            input_layernorm: RmsNorm::new(source, &format!("{path}.input_layernorm"), hidden, eps)?,
            self_attn: Attention::new(config, source, &format!("{path}.self_attn"))?,
            post_attention_layernorm: RmsNorm::new(source, &after, hidden, eps)?,
            mlp: FeedForward::new(config, source, &format!("{path}.mlp"))?,
        })
    }

    fn forward(
        &self,
        x: Tensor<2>,
        pass: &PassContext,
        cache: Option<(&mut KvCache, usize)>,
    ) -> Tensor<2> {
        let attended = self
            .self_attn
            .forward(self.input_layernorm.forward(x.clone()), pass, cache);
        let x = x + attended;
        let fed = self
            .mlp
            .forward(self.post_attention_layernorm.forward(x.clone()));
        x + fed
    }
}

/// Token embedding.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[vocab, hidden]`.
    pub weight: Param<Tensor<2>>,
}

/// Everything below the output head.
#[derive(Module, Debug)]
pub struct Decoder {
    /// Token embedding.
    pub embed_tokens: Embedding,
    /// Layers, first to last.
    pub layers: Vec<DecoderLayer>,
    /// Final norm.
    pub norm: RmsNorm,
}

/// A causal language model of the Llama family.
#[derive(Module, Debug)]
pub struct Llama {
    /// Everything below the output head.
    pub model: Decoder,
    /// Output head, `[vocab, hidden]`; `None` when it is the embedding.
    pub lm_head: Option<Linear>,
    #[module(skip)]
    config: LlamaConfig,
    #[module(skip)]
    inverse_frequencies: Vec<f32>,
}

impl Llama {
    /// Builds the modules out of a source's parameters, asked for by their Hugging Face names.
    ///
    /// # Errors
    /// The source's first error.
    pub fn from_source<S: ParameterSource>(
        config: &LlamaConfig,
        source: &mut S,
    ) -> Result<Self, S::Error> {
        let table = [config.vocab_size, config.hidden_size];
        let weight = Param::from_tensor(source.matrix("model.embed_tokens.weight", table)?);
        let layers = (0..config.num_hidden_layers)
            .map(|index| DecoderLayer::new(config, source, &format!("model.layers.{index}")))
            .collect::<Result<Vec<_>, _>>()?;
        let norm = RmsNorm::new(
            source,
            "model.norm",
            config.hidden_size,
            config.rms_norm_eps,
        )?;
        let lm_head = match config.tie_word_embeddings {
            true => None,
            false => Some(Linear::new(source, "lm_head", table, false)?),
        };
        Ok(Self {
            model: Decoder {
                embed_tokens: Embedding { weight },
                layers,
                norm,
            },
            lm_head,
            inverse_frequencies: config.inverse_frequencies(),
            config: config.clone(),
        })
    }

    /// The configuration it was built from.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// The device that holds the parameters.
    pub fn device(&self) -> Device {
        self.model.norm.weight.val().device()
    }

    /// Logits `[batch, t, vocab]` of every position of `tokens` `[batch, t]`, without a cache:
    /// the pass that training differentiates.
    ///
    /// # Panics
    /// A token id outside the vocabulary; callers check ids first.
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        self.logits(self.forward_hidden(tokens))
    }

    /// Hidden states `[batch, t, hidden]` after the final norm, without a cache.
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn forward_hidden(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        self.decode(tokens, None)
    }

    /// Hidden states `[batch, new, hidden]` after the final norm of `tokens` `[batch, new]`, which
    /// follow those in `cache`; they are added to it.
    ///
    /// # Panics
    /// As [`Self::forward`], and when the cache is too small or for another batch size.
    pub fn forward_cached(&self, tokens: Tensor<2, Int>, cache: &mut KvCache) -> Tensor<3> {
        self.decode(tokens, Some(cache))
    }

    /// Logits `[batch, t, vocab]` of hidden states `[batch, t, hidden]` after the final norm.
    pub fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        let [batch, t, width] = hidden.dims();
        let hidden = hidden.reshape([batch * t, width]);
        let logits = match &self.lm_head {
            Some(head) => head.forward(hidden),
            None => hidden.matmul(self.model.embed_tokens.weight.val().transpose()),
        };
        logits.reshape([batch, t, self.config.vocab_size])
    }

    fn decode(&self, tokens: Tensor<2, Int>, mut cache: Option<&mut KvCache>) -> Tensor<3> {
        let [batch, new] = tokens.dims();
        let past = cache.as_ref().map_or(0, |cache| cache.len());
        let table = self.model.embed_tokens.weight.val();
        let device = table.device();
        let pass = PassContext::new(&self.inverse_frequencies, batch, past, new, &device);
        let width = self.config.hidden_size;
        let mut x = embedding(table, tokens).reshape([batch * new, width]);
        for (index, layer) in self.model.layers.iter().enumerate() {
            x = layer.forward(x, &pass, cache.as_deref_mut().map(|cache| (cache, index)));
        }
        if let Some(cache) = cache {
            cache.advance(new);
        }
        self.model.norm.forward(x).reshape([batch, new, width])
    }
}
