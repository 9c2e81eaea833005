//! `config.json` of the Hugging Face layout, in the older style (`rope_theta`, `rope_scaling`,
//! `torch_dtype`) and the newer one (`rope_parameters`, `dtype`).

mod fields;
mod read;
mod rope;

use std::path::Path;

use half::{bf16, f16};
use serde_json::{json, Value};

pub(crate) use fields::Fields;
pub use rope::RopeScaling;

use crate::cpu::matrix::Precision;
use crate::error::{EngineError, Result};

/// Decoder families that differ only in biases, norms and defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// `LlamaForCausalLM`.
    Llama,
    /// `MistralForCausalLM` (contexts up to its sliding window).
    Mistral,
    /// `Qwen2ForCausalLM`: biases on query, key and value.
    Qwen2,
    /// `Qwen3ForCausalLM`: RMS norms on queries and keys.
    Qwen3,
}

impl Architecture {
    const ALL: [Self; 4] = [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3];

    /// The name in `config.json`'s `architectures`.
    pub fn class_name(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Mistral => "MistralForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
        }
    }

    /// The name in `config.json`'s `model_type`.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }
}

/// Element type that a checkpoint declares for its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightDtype {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// bfloat16.
    Bf16,
}

impl WeightDtype {
    /// The name that `config.json` uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }

    /// The precision in memory that holds it exactly.
    pub fn precision(self) -> Precision {
        match self {
            Self::F32 => Precision::F32,
            Self::F16 => Precision::F16,
            Self::Bf16 => Precision::Bf16,
        }
    }

    /// The nearest value that this type can hold.
    pub fn round(self, value: f32) -> f32 {
        match self {
            Self::F32 => value,
            Self::F16 => f16::from_f32(value).to_f32(),
            Self::Bf16 => bf16::from_f32(value).to_f32(),
        }
    }
}

/// Everything that fixes a decoder's shape and arithmetic.
#[derive(Debug, Clone, PartialEq)]
pub struct LlamaConfig {
    /// Family.
    pub architecture: Architecture,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward network.
    pub intermediate_size: usize,
    /// Decoder layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides the query heads.
    pub num_key_value_heads: usize,
    /// Width of one head, even; not always `hidden_size / num_attention_heads`.
    pub head_dim: usize,
    /// Longest context in tokens, prompt and output together.
    pub max_position_embeddings: usize,
    /// Added to the mean square before the root.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Stretching of the rotary frequencies.
    pub rope_scaling: RopeScaling,
    /// Biases on the query, key and value projections.
    pub qkv_bias: bool,
    /// Bias on the attention's output projection.
    pub attention_output_bias: bool,
    /// Biases on the three feed-forward projections.
    pub mlp_bias: bool,
    /// RMS norm over each query and key head before the rotation.
    pub qk_norm: bool,
    /// The output head is the embedding.
    pub tie_word_embeddings: bool,
    /// Standard deviation of freshly initialised matrices.
    pub initializer_range: f64,
    /// Beginning-of-sequence token.
    pub bos_token_id: Option<u32>,
    /// Tokens that end a generation.
    pub eos_token_ids: Vec<u32>,
    /// Element type in which the checkpoint declares its weights.
    pub dtype: WeightDtype,
    /// Precision to which the inverse rotary frequencies are rounded.
    ///
    /// The reference implementation keeps them in f32 however a checkpoint is loaded, and rounds
    /// them only when a program casts a whole model to a 16-bit type. Which of both made the
    /// outputs that a checkpoint is compared with stands nowhere in the format;
    /// `rope_frequency_dtype` (our own field) in `config.json` tells. Without it they stay in f32,
    /// with one exception: a 16-bit model with a context of at most 512 tokens whose file was
    /// written by version 5 or later of the reference counts as cast to `dtype`. Only toy models,
    /// made and evaluated by one program, are so short; published checkpoints are not touched.
    pub rope_frequency_dtype: WeightDtype,
}

impl LlamaConfig {
    /// Checks ranges and the relations between the fields; `path` is named in errors.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self, path: &Path) -> Result<()> {
        // Generous limits: they only keep a hostile file from overflowing a product of sizes.
        let sizes: [(&'static str, usize, usize); 8] = [
            ("vocab_size", self.vocab_size, 1 << 24),
            ("hidden_size", self.hidden_size, 1 << 20),
            ("intermediate_size", self.intermediate_size, 1 << 22),
            ("num_hidden_layers", self.num_hidden_layers, 1 << 12),
            ("num_attention_heads", self.num_attention_heads, 1 << 12),
            ("num_key_value_heads", self.num_key_value_heads, 1 << 12),
            ("head_dim", self.head_dim, 1 << 14),
            (
                "max_position_embeddings",
                self.max_position_embeddings,
                1 << 28,
            ),
        ];
        for (field, value, limit) in sizes {
            if value == 0 || value > limit {
                return Err(EngineError::config(
                    path,
                    field,
                    format!("is {value}, must be between 1 and {limit}"),
                ));
            }
        }
        if !self
            .num_attention_heads
            .is_multiple_of(self.num_key_value_heads)
        {
            return Err(EngineError::config(
                path,
                "num_key_value_heads",
                format!(
                    "{} does not divide num_attention_heads {}",
                    self.num_key_value_heads, self.num_attention_heads
                ),
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(EngineError::config(
                path,
                "head_dim",
                format!(
                    "{} is odd; rotary embedding needs an even width",
                    self.head_dim
                ),
            ));
        }
        let positive = [
            ("rms_norm_eps", self.rms_norm_eps),
            ("rope_theta", self.rope_theta),
            ("initializer_range", self.initializer_range),
        ];
        for (field, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err(EngineError::config(
                    path,
                    field,
                    format!("is {value}, must be above 0"),
                ));
            }
        }
        let ids = self.eos_token_ids.iter().map(|id| ("eos_token_id", *id));
        let ids = ids.chain(self.bos_token_id.map(|id| ("bos_token_id", id)));
        for (field, id) in ids {
            if id as usize >= self.vocab_size {
                return Err(EngineError::config(
                    path,
                    field,
                    format!("{id} lies outside the vocabulary of {}", self.vocab_size),
                ));
            }
        }
        Ok(())
    }

    /// Number of scalar parameters.
    pub fn num_parameters(&self) -> u64 {
        let [vocab, hidden, wide, layers] = [
            self.vocab_size,
            self.hidden_size,
            self.intermediate_size,
            self.num_hidden_layers,
        ]
        .map(|size| size as u64);
        let query = (self.num_attention_heads * self.head_dim) as u64;
        let kv = (self.num_key_value_heads * self.head_dim) as u64;
        let mut layer = hidden * (2 * query + 2 * kv) + 3 * hidden * wide + 2 * hidden;
        layer += if self.qkv_bias { query + 2 * kv } else { 0 };
        layer += if self.attention_output_bias {
            hidden
        } else {
            0
        };
        layer += if self.mlp_bias { 2 * wide + hidden } else { 0 };
        layer += if self.qk_norm {
            2 * self.head_dim as u64
        } else {
            0
        };
        let tables = if self.tie_word_embeddings { 1 } else { 2 };
        tables * vocab * hidden + layers * layer + hidden
    }

    /// Bytes of keys and values, in f32, that one token of one sequence takes.
    pub fn cache_bytes_per_token(&self) -> u64 {
        let kv = (self.num_key_value_heads * self.head_dim) as u64;
        2 * 4 * kv * self.num_hidden_layers as u64
    }

    /// Every tensor of the checkpoint by its Hugging Face name, with its shape.
    pub fn tensor_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (hidden, wide) = (self.hidden_size, self.intermediate_size);
        let query = self.num_attention_heads * self.head_dim;
        let kv = self.num_key_value_heads * self.head_dim;
        let table = vec![self.vocab_size, hidden];
        let mut shapes = vec![("model.embed_tokens.weight".to_string(), table.clone())];
        for layer in 0..self.num_hidden_layers {
            let projections = [
                ("self_attn.q_proj", [query, hidden], self.qkv_bias),
                ("self_attn.k_proj", [kv, hidden], self.qkv_bias),
                ("self_attn.v_proj", [kv, hidden], self.qkv_bias),
                (
                    "self_attn.o_proj",
                    [hidden, query],
                    self.attention_output_bias,
                ),
                ("mlp.gate_proj", [wide, hidden], self.mlp_bias),
                ("mlp.up_proj", [wide, hidden], self.mlp_bias),
                ("mlp.down_proj", [hidden, wide], self.mlp_bias),
            ];
            for (name, shape, bias) in projections {
                let path = format!("model.layers.{layer}.{name}");
                shapes.push((format!("{path}.weight"), shape.to_vec()));
                if bias {
                    shapes.push((format!("{path}.bias"), vec![shape[0]]));
                }
            }
            let head_norms = ["self_attn.q_norm", "self_attn.k_norm"];
            let norms = ["input_layernorm", "post_attention_layernorm"]
                .map(|name| (name, hidden))
                .into_iter()
                .chain(head_norms.map(|name| (name, self.head_dim)))
                .take(if self.qk_norm { 4 } else { 2 });
            for (name, width) in norms {
                shapes.push((format!("model.layers.{layer}.{name}.weight"), vec![width]));
            }
        }
        shapes.push(("model.norm.weight".into(), vec![hidden]));
        if !self.tie_word_embeddings {
            shapes.push(("lm_head.weight".into(), table));
        }
        shapes
    }

    /// The newer style of `config.json` for these values.
    pub fn to_json(&self) -> Value {
        let eos = match self.eos_token_ids.as_slice() {
            [] => Value::Null,
            [id] => json!(id),
            ids => json!(ids),
        };
        let mut value = json!({
            "architectures": [self.architecture.class_name()],
            "attention_bias": self.qkv_bias && self.attention_output_bias,
            "attention_dropout": 0.0,
            "bos_token_id": self.bos_token_id,
            "dtype": self.dtype.name(),
            "eos_token_id": eos,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden_size,
            "initializer_range": self.initializer_range,
            "intermediate_size": self.intermediate_size,
            "max_position_embeddings": self.max_position_embeddings,
            "mlp_bias": self.mlp_bias,
            "model_type": self.architecture.model_type(),
            "num_attention_heads": self.num_attention_heads,
            "num_hidden_layers": self.num_hidden_layers,
            "num_key_value_heads": self.num_key_value_heads,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_parameters": self.rope_scaling.to_json(self.rope_theta),
            "sliding_window": null,
            "tie_word_embeddings": self.tie_word_embeddings,
            "use_cache": true,
            "vocab_size": self.vocab_size,
        });
        // Without `transformers_version` in the file the default is f32.
        if self.rope_frequency_dtype != WeightDtype::F32 {
            value["rope_frequency_dtype"] = json!(self.rope_frequency_dtype.name());
        }
        value
    }
}
