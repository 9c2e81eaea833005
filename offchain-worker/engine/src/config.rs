//! `config.json` of the Hugging Face layout, in the older style (`rope_theta`, `rope_scaling`,
//! `torch_dtype`) and the newer one (`rope_parameters`, `dtype`).

use std::path::Path;

use half::{bf16, f16};
use serde::Deserialize;
use serde_json::{json, Map, Value};

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

/// How rotary frequencies are stretched beyond the context of pre-training.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// Plain rotary embedding.
    None,
    /// Every frequency divided by `factor`.
    Linear {
        /// Divisor, above 0.
        factor: f64,
    },
    /// Llama 3: low frequencies divided by `factor`, high ones kept, a linear blend between.
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Wavelengths above `original_context / low_freq_factor` are scaled fully.
        low_freq_factor: f64,
        /// Wavelengths below `original_context / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Context length of pre-training in tokens.
        original_context: usize,
    },
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

/// One id or several: `eos_token_id` comes in both forms.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

impl OneOrMany {
    pub(crate) fn into_vec(self) -> Vec<u32> {
        match self {
            Self::One(id) => vec![id],
            Self::Many(ids) => ids,
        }
    }
}

#[derive(Deserialize)]
struct RawConfig {
    architectures: Option<Vec<String>>,
    model_type: Option<String>,
    vocab_size: Option<usize>,
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: Option<usize>,
    rms_norm_eps: Option<f64>,
    rope_theta: Option<f64>,
    rope_scaling: Option<Value>,
    rope_parameters: Option<Value>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    hidden_act: Option<String>,
    tie_word_embeddings: Option<bool>,
    initializer_range: Option<f64>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
    bos_token_id: Option<OneOrMany>,
    eos_token_id: Option<OneOrMany>,
    torch_dtype: Option<String>,
    dtype: Option<String>,
    rope_frequency_dtype: Option<String>,
    transformers_version: Option<String>,
}

impl LlamaConfig {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// The file is unreadable, not JSON, of an unknown architecture, or a field is missing, out of
    /// range or asks for arithmetic that the engine does not have.
    pub fn from_file(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|e| EngineError::read(path, e))?;
        let raw: RawConfig =
            serde_json::from_slice(&text).map_err(|e| EngineError::json(path, e))?;
        Self::from_raw(raw, path)
    }

    fn from_raw(raw: RawConfig, path: &Path) -> Result<Self> {
        let architecture = architecture(&raw, path)?;
        let need = |value: Option<usize>, field| {
            value.ok_or_else(|| EngineError::config(path, field, "is missing"))
        };
        if let Some(activation) = raw.hidden_act.as_deref() {
            if activation != "silu" && activation != "swish" {
                return Err(EngineError::config(
                    path,
                    "hidden_act",
                    format!("`{activation}` is not supported; supported: silu"),
                ));
            }
        }
        let hidden_size = need(raw.hidden_size, "hidden_size")?;
        let num_attention_heads = need(raw.num_attention_heads, "num_attention_heads")?;
        let head_dim = match (raw.head_dim, architecture) {
            (Some(head_dim), _) => head_dim,
            (None, Architecture::Qwen3) => 128,
            (None, _) => hidden_size.checked_div(num_attention_heads).unwrap_or(0),
        };
        let stated_context = need(raw.max_position_embeddings, "max_position_embeddings")?;
        let slides = match architecture {
            Architecture::Llama => false,
            Architecture::Mistral => true,
            Architecture::Qwen2 | Architecture::Qwen3 => raw.use_sliding_window.unwrap_or(false),
        };
        // Within one window, sliding and full attention are the same function.
        let max_position_embeddings = match raw.sliding_window {
            Some(window) if slides => stated_context.min(window),
            _ => stated_context,
        };
        let (rope_theta, rope_scaling) = rope(&raw, path)?;
        let attention_bias = raw.attention_bias.unwrap_or(false);
        let declared = raw.dtype.as_deref().or(raw.torch_dtype.as_deref());
        let declared = dtype(declared, "dtype", path)?;
        let rope_frequency_dtype = match raw.rope_frequency_dtype.as_deref() {
            None if counts_as_cast(&raw, stated_context) => declared,
            None => WeightDtype::F32,
            name => dtype(name, "rope_frequency_dtype", path)?,
        };
        let config = Self {
            architecture,
            vocab_size: need(raw.vocab_size, "vocab_size")?,
            hidden_size,
            intermediate_size: need(raw.intermediate_size, "intermediate_size")?,
            num_hidden_layers: need(raw.num_hidden_layers, "num_hidden_layers")?,
            num_attention_heads,
            num_key_value_heads: raw.num_key_value_heads.unwrap_or(num_attention_heads),
            head_dim,
            max_position_embeddings,
            rms_norm_eps: raw.rms_norm_eps.unwrap_or(1e-6),
            rope_theta,
            rope_scaling,
            qkv_bias: attention_bias || architecture == Architecture::Qwen2,
            attention_output_bias: attention_bias && architecture != Architecture::Qwen2,
            mlp_bias: raw.mlp_bias.unwrap_or(false),
            qk_norm: architecture == Architecture::Qwen3,
            tie_word_embeddings: raw.tie_word_embeddings.unwrap_or(false),
            initializer_range: raw.initializer_range.unwrap_or(0.02),
            bos_token_id: raw
                .bos_token_id
                .and_then(|ids| ids.into_vec().first().copied()),
            eos_token_ids: raw
                .eos_token_id
                .map(OneOrMany::into_vec)
                .unwrap_or_default(),
            dtype: declared,
            rope_frequency_dtype,
        };
        config.validate(path)?;
        Ok(config)
    }

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
        for &id in self.eos_token_ids.iter().chain(self.bos_token_id.iter()) {
            if id as usize >= self.vocab_size {
                return Err(EngineError::config(
                    path,
                    "eos_token_id",
                    format!(
                        "or bos_token_id {id} lies outside the vocabulary of {}",
                        self.vocab_size
                    ),
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

    /// Inverse rotary frequencies, one for each of the `head_dim / 2` planes, in radians a token.
    ///
    /// Rounded to f32 where the reference implementation rounds, and at the end to
    /// `rope_frequency_dtype`: at position 10,000 the last bit of a frequency shows in the logits.
    pub fn inverse_frequencies(&self) -> Vec<f32> {
        let frequencies = self.unrounded_frequencies();
        frequencies
            .map(|frequency| self.rope_frequency_dtype.round(frequency))
            .collect()
    }

    fn unrounded_frequencies(&self) -> impl Iterator<Item = f32> + '_ {
        (0..self.head_dim / 2).map(|plane| {
            let exponent = (2 * plane) as f32 / self.head_dim as f32;
            // The nearest f32 to the power, whatever the platform's f32 power function gives.
            let power = f64::from(self.rope_theta as f32).powf(f64::from(exponent));
            let frequency = 1.0 / power as f32;
            match &self.rope_scaling {
                RopeScaling::None => frequency,
                RopeScaling::Linear { factor } => frequency / *factor as f32,
                RopeScaling::Llama3 {
                    factor,
                    low_freq_factor,
                    high_freq_factor,
                    original_context,
                } => {
                    let context = *original_context as f64;
                    // The reference divides a number by a tensor as number times reciprocal.
                    let wavelength = (1.0 / frequency) * std::f32::consts::TAU;
                    if wavelength > (context / low_freq_factor) as f32 {
                        frequency / *factor as f32
                    } else if wavelength < (context / high_freq_factor) as f32 {
                        frequency
                    } else {
                        let turns = (1.0 / wavelength) * context as f32;
                        let smooth = (turns - *low_freq_factor as f32)
                            / (high_freq_factor - low_freq_factor) as f32;
                        (1.0 - smooth) * frequency / *factor as f32 + smooth * frequency
                    }
                }
            }
        })
    }

    /// The newer style of `config.json` for these values.
    pub fn to_json(&self) -> Value {
        let mut rope = Map::new();
        rope.insert("rope_theta".into(), json!(self.rope_theta));
        let kind = match &self.rope_scaling {
            RopeScaling::None => "default",
            RopeScaling::Linear { factor } => {
                rope.insert("factor".into(), json!(factor));
                "linear"
            }
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_context,
            } => {
                rope.insert("factor".into(), json!(factor));
                rope.insert("low_freq_factor".into(), json!(low_freq_factor));
                rope.insert("high_freq_factor".into(), json!(high_freq_factor));
                rope.insert(
                    "original_max_position_embeddings".into(),
                    json!(original_context),
                );
                "llama3"
            }
        };
        rope.insert("rope_type".into(), json!(kind));
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
            "rope_parameters": Value::Object(rope),
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

fn architecture(raw: &RawConfig, path: &Path) -> Result<Architecture> {
    let class = raw.architectures.as_ref().and_then(|names| names.first());
    let found = Architecture::ALL
        .into_iter()
        .find(|candidate| match (class, &raw.model_type) {
            (Some(class), _) => class == candidate.class_name(),
            (None, Some(kind)) => kind == candidate.model_type(),
            (None, None) => false,
        });
    found.ok_or_else(|| EngineError::UnknownArchitecture {
        path: path.to_path_buf(),
        found: class
            .or(raw.model_type.as_ref())
            .cloned()
            .unwrap_or_else(|| "(none)".into()),
        supported: Architecture::ALL.map(Architecture::class_name).join(", "),
    })
}

fn dtype(name: Option<&str>, field: &'static str, path: &Path) -> Result<WeightDtype> {
    match name {
        None | Some("float32") => Ok(WeightDtype::F32),
        Some("float16") => Ok(WeightDtype::F16),
        Some("bfloat16") => Ok(WeightDtype::Bf16),
        Some(other) => Err(EngineError::config(
            path,
            field,
            format!("`{other}` is not supported; supported: float32, float16, bfloat16"),
        )),
    }
}

/// Whether the rotary frequencies count as rounded when the file does not tell; the rule stands
/// at [`LlamaConfig::rope_frequency_dtype`].
fn counts_as_cast(raw: &RawConfig, stated_context: usize) -> bool {
    const LONGEST_TOY: usize = 512;
    let major = raw
        .transformers_version
        .as_deref()
        .and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    stated_context <= LONGEST_TOY && major.is_some_and(|major| major >= 5)
}

/// Base and scaling, from `rope_scaling` if it says anything, else from `rope_parameters`: the
/// reference implementation's order for a file that holds both.
fn rope(raw: &RawConfig, path: &Path) -> Result<(f64, RopeScaling)> {
    const DEFAULT_THETA: f64 = 10_000.0;
    let fields = [
        ("rope_scaling", &raw.rope_scaling),
        ("rope_parameters", &raw.rope_parameters),
    ];
    let said = fields.into_iter().find_map(|(field, value)| {
        let value = value.as_ref().filter(|value| !value.is_null())?;
        let empty = value.as_object().is_some_and(Map::is_empty);
        (!empty).then_some((field, value))
    });
    let Some((field, value)) = said else {
        return Ok((raw.rope_theta.unwrap_or(DEFAULT_THETA), RopeScaling::None));
    };
    let table = value
        .as_object()
        .ok_or_else(|| EngineError::config(path, field, "is not an object"))?;
    if let Some((key, _)) = table.iter().find(|(_, value)| value.is_object()) {
        return Err(EngineError::config(
            path,
            field,
            format!("`{key}`: parameters by kind of layer are not supported; state them once"),
        ));
    }
    let number = |name: &str| {
        table
            .get(name)
            .and_then(Value::as_f64)
            .filter(|value| value.is_finite() && *value > 0.0)
            .ok_or_else(|| {
                EngineError::config(path, field, format!("`{name}` is missing or not above 0"))
            })
    };
    let theta = match table.get("rope_theta") {
        Some(_) => number("rope_theta")?,
        None => raw.rope_theta.unwrap_or(DEFAULT_THETA),
    };
    let kind = table
        .get("rope_type")
        .or_else(|| table.get("type"))
        .and_then(Value::as_str);
    let scaling = match kind {
        None | Some("default") => RopeScaling::None,
        Some("linear") => RopeScaling::Linear {
            factor: number("factor")?,
        },
        Some("llama3") => {
            let (low_freq_factor, high_freq_factor) =
                (number("low_freq_factor")?, number("high_freq_factor")?);
            if high_freq_factor <= low_freq_factor {
                return Err(EngineError::config(
                    path,
                    field,
                    "`high_freq_factor` must be above `low_freq_factor`",
                ));
            }
            RopeScaling::Llama3 {
                factor: number("factor")?,
                low_freq_factor,
                high_freq_factor,
                original_context: number("original_max_position_embeddings")? as usize,
            }
        }
        Some(other) => {
            return Err(EngineError::config(
                path,
                field,
                format!("rope type `{other}` is not supported; supported: default, linear, llama3"),
            ))
        }
    };
    Ok((theta, scaling))
}
