//! A model's parameters as the CPU computes with them: matrices in the precision they are stored
//! in, vectors in f32.

use std::collections::HashMap;

use crate::config::LlamaConfig;
use crate::cpu::matrix::{Matrix, Precision};
use crate::error::{EngineError, Result};
use crate::model::Llama;
use crate::weights::WeightFiles;

/// Where parameters come from, by their Hugging Face names.
pub(crate) trait MatrixSource {
    /// The matrix `name` of shape `[out, in]`.
    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix>;

    /// The vector `name` of `len` elements.
    fn vector(&mut self, name: &str, len: usize) -> Result<Vec<f32>>;
}

impl MatrixSource for &WeightFiles {
    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix> {
        WeightFiles::matrix(self, name, shape)
    }

    fn vector(&mut self, name: &str, len: usize) -> Result<Vec<f32>> {
        WeightFiles::vector(self, name, len)
    }
}

/// Parameters of a model that is in memory as modules.
pub(crate) struct ModuleSource(HashMap<String, Vec<f32>>);

impl ModuleSource {
    /// Copies them off the model's device.
    pub(crate) fn new(model: &Llama) -> Result<Self> {
        let named = model.named_parameters()?.into_iter();
        Ok(Self(
            named.map(|(name, _, values)| (name, values)).collect(),
        ))
    }

    fn take(&mut self, name: &str) -> Result<Vec<f32>> {
        self.0
            .remove(name)
            .ok_or_else(|| EngineError::Compute(format!("the model has no parameter `{name}`")))
    }
}

impl MatrixSource for ModuleSource {
    fn matrix(&mut self, name: &str, [rows, cols]: [usize; 2]) -> Result<Matrix> {
        Ok(Matrix::from_f32(self.take(name)?, rows, cols))
    }

    fn vector(&mut self, name: &str, _len: usize) -> Result<Vec<f32>> {
        self.take(name)
    }
}

/// `y = x Wᵀ + b`.
#[derive(Debug)]
pub(crate) struct Projection {
    pub(crate) weight: Matrix,
    pub(crate) bias: Option<Vec<f32>>,
}

/// One decoder layer.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) input_norm: Vec<f32>,
    pub(crate) q: Projection,
    pub(crate) k: Projection,
    pub(crate) v: Projection,
    pub(crate) o: Projection,
    /// Norms of each query head and each key head (Qwen3).
    pub(crate) q_norm: Option<Vec<f32>>,
    pub(crate) k_norm: Option<Vec<f32>>,
    pub(crate) post_norm: Vec<f32>,
    pub(crate) gate: Projection,
    pub(crate) up: Projection,
    pub(crate) down: Projection,
}

/// All parameters of a model.
#[derive(Debug)]
pub(crate) struct Weights {
    /// `[vocab, hidden]`.
    pub(crate) embedding: Matrix,
    pub(crate) layers: Vec<Layer>,
    pub(crate) norm: Vec<f32>,
    /// `[vocab, hidden]`; `None` when it is the embedding.
    head: Option<Matrix>,
}

impl Weights {
    /// Reads every parameter; matrices become `precision`, if given.
    pub(crate) fn read<S: MatrixSource>(
        config: &LlamaConfig,
        source: &mut S,
        precision: Option<Precision>,
    ) -> Result<Self> {
        let mut reader = Reader { source, precision };
        let table = [config.vocab_size, config.hidden_size];
        // Rows of an embedding that is not the head are looked up, never multiplied: they stay as
        // they are stored.
        let embedding = match config.tie_word_embeddings {
            true => reader.matrix("model.embed_tokens.weight", table)?,
            false => reader.source.matrix("model.embed_tokens.weight", table)?,
        };
        let layers = (0..config.num_hidden_layers)
            .map(|index| reader.layer(config, &format!("model.layers.{index}")))
            .collect::<Result<Vec<_>>>()?;
        let norm = reader
            .source
            .vector("model.norm.weight", config.hidden_size)?;
        let head = match config.tie_word_embeddings {
            true => None,
            false => Some(reader.matrix("lm_head.weight", table)?),
        };
        Ok(Self {
            embedding,
            layers,
            norm,
            head,
        })
    }

    /// The output head.
    pub(crate) fn head(&self) -> &Matrix {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// Precision of the layers' matrices; they are stored alike in all but odd checkpoints.
    pub(crate) fn precision(&self) -> Precision {
        self.layers
            .first()
            .map_or(self.embedding.precision(), |layer| {
                layer.gate.weight.precision()
            })
    }
}

struct Reader<'a, S> {
    source: &'a mut S,
    precision: Option<Precision>,
}

impl<S: MatrixSource> Reader<'_, S> {
    fn layer(&mut self, config: &LlamaConfig, path: &str) -> Result<Layer> {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let query = config.num_attention_heads * config.head_dim;
        let kv = config.num_key_value_heads * config.head_dim;
        let (attention, mlp) = (format!("{path}.self_attn"), format!("{path}.mlp"));
        let after = format!("{path}.post_attention_layernorm.weight");
        let mut head_norm = |name: &str| match config.qk_norm {
            true => {
                let name = format!("{attention}.{name}.weight");
                self.source.vector(&name, config.head_dim).map(Some)
            }
            false => Ok(None),
        };
        let (q_norm, k_norm) = (head_norm("q_norm")?, head_norm("k_norm")?);
        let qkv = config.qkv_bias;
        Ok(Layer {
            input_norm: self
                .source
                .vector(&format!("{path}.input_layernorm.weight"), hidden)?,
            q: self.projection(&format!("{attention}.q_proj"), [query, hidden], qkv)?,
            k: self.projection(&format!("{attention}.k_proj"), [kv, hidden], qkv)?,
            v: self.projection(&format!("{attention}.v_proj"), [kv, hidden], qkv)?,
            o: self.projection(
                &format!("{attention}.o_proj"),
                [hidden, query],
                config.attention_output_bias,
            )?,
            q_norm,
            k_norm,
            post_norm: self.source.vector(&after, hidden)?,
            gate: self.projection(&format!("{mlp}.gate_proj"), [wide, hidden], config.mlp_bias)?,
            up: self.projection(&format!("{mlp}.up_proj"), [wide, hidden], config.mlp_bias)?,
            down: self.projection(&format!("{mlp}.down_proj"), [hidden, wide], config.mlp_bias)?,
        })
    }

    fn projection(&mut self, path: &str, shape: [usize; 2], bias: bool) -> Result<Projection> {
        let weight = self.matrix(&format!("{path}.weight"), shape)?;
        let bias = match bias {
            true => Some(self.source.vector(&format!("{path}.bias"), shape[0])?),
            false => None,
        };
        Ok(Projection { weight, bias })
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix> {
        let matrix = self.source.matrix(name, shape)?;
        let Some(wanted) = self.precision else {
            return Ok(matrix);
        };
        match (matrix.precision(), wanted) {
            (stored, wanted) if stored == wanted => Ok(matrix),
            (_, Precision::Int8) => Ok(matrix.quantise()),
            (Precision::F16 | Precision::Bf16, Precision::F32) => {
                let [rows, cols] = shape;
                let mut values = vec![0.0; rows * cols];
                for (row, out) in values.chunks_exact_mut(cols).enumerate() {
                    matrix.row_to_f32(row, out);
                }
                Ok(Matrix::from_f32(values, rows, cols))
            }
            (stored, wanted) => Err(EngineError::request(
                "precision",
                format!(
                    "is {wanted:?}, but `{name}` is stored as {stored:?}; matrices can be kept as \
                     stored, widened to f32, or quantised to int8"
                ),
            )),
        }
    }
}
