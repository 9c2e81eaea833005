//! `config.json` to [`LlamaConfig`]: both styles of the file, and what each family means by a
//! field that is absent.

use std::path::Path;

use super::fields::Fields;
use super::{Architecture, LlamaConfig, RopeScaling, WeightDtype};
use crate::error::{EngineError, Result};
use crate::files::MAX_CONFIG_BYTES;

impl LlamaConfig {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// The file is unreadable, not JSON, of an unknown architecture, or a field is missing, out of
    /// range or asks for arithmetic that the engine does not have.
    pub fn from_file(path: &Path) -> Result<Self> {
        let fields = Fields::from_file(path, MAX_CONFIG_BYTES)?;
        let architecture = architecture(&fields)?;
        refuse_other_arithmetic(&fields)?;
        let hidden_size = fields.need("hidden_size")?;
        let num_attention_heads = fields.need("num_attention_heads")?;
        let (qkv_bias, attention_output_bias, mlp_bias) = biases(&fields, architecture)?;
        let (rope_theta, rope_scaling) = RopeScaling::read(&fields)?;
        let declared = match fields.value("dtype") {
            Some(_) => "dtype",
            None => "torch_dtype",
        };
        let dtype = dtype(&fields, declared)?.unwrap_or(WeightDtype::F32);
        let rope_frequency_dtype = match self::dtype(&fields, "rope_frequency_dtype")? {
            Some(stated) => stated,
            None if counts_as_cast(&fields)? => dtype,
            None => WeightDtype::F32,
        };
        let config = Self {
            architecture,
            vocab_size: fields.need("vocab_size")?,
            hidden_size,
            intermediate_size: fields.need("intermediate_size")?,
            num_hidden_layers: fields.need("num_hidden_layers")?,
            num_attention_heads,
            num_key_value_heads: fields
                .get("num_key_value_heads")?
                .unwrap_or(num_attention_heads),
            head_dim: head_dim(&fields, architecture, hidden_size, num_attention_heads)?,
            max_position_embeddings: context(&fields, architecture)?,
            rms_norm_eps: fields.get("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta,
            rope_scaling,
            qkv_bias,
            attention_output_bias,
            mlp_bias,
            qk_norm: architecture == Architecture::Qwen3,
            tie_word_embeddings: fields.get("tie_word_embeddings")?.unwrap_or(false),
            initializer_range: fields.get("initializer_range")?.unwrap_or(0.02),
            bos_token_id: fields
                .ids("bos_token_id")?
                .and_then(|ids| ids.first().copied()),
            eos_token_ids: fields.ids("eos_token_id")?.unwrap_or_default(),
            dtype,
            rope_frequency_dtype,
        };
        config.validate(path)?;
        Ok(config)
    }
}

fn architecture(fields: &Fields) -> Result<Architecture> {
    let classes: Option<Vec<String>> = fields.get("architectures")?;
    let class = classes.and_then(|names| names.into_iter().next());
    let kind: Option<String> = fields.get("model_type")?;
    let found = Architecture::ALL
        .into_iter()
        .find(|candidate| match (&class, &kind) {
            (Some(class), _) => class == candidate.class_name(),
            (None, Some(kind)) => kind == candidate.model_type(),
            (None, None) => false,
        });
    found.ok_or_else(|| EngineError::UnknownArchitecture {
        path: fields.path.to_path_buf(),
        found: class.or(kind).unwrap_or_else(|| "(none)".into()),
        supported: Architecture::ALL.map(Architecture::class_name).join(", "),
    })
}

/// Fields that change what is computed, or how weights are stored, in ways that the engine does
/// not know.
fn refuse_other_arithmetic(fields: &Fields) -> Result<()> {
    if let Some(activation) = fields.get::<String>("hidden_act")? {
        if activation != "silu" && activation != "swish" {
            let reason = format!("`{activation}` is not supported; supported: silu");
            return Err(fields.fail("hidden_act", reason));
        }
    }
    if let Some(quantization) = fields.value("quantization_config") {
        let method = quantization["quant_method"].as_str().unwrap_or("unnamed");
        let reason = format!(
            "weights quantised by `{method}` are not read; use the checkpoint in F32, F16 or BF16"
        );
        return Err(fields.fail("quantization_config", reason));
    }
    Ok(())
}

/// The number of elements of a head: explicit, the family's own, or an even share of the width.
fn head_dim(
    fields: &Fields,
    architecture: Architecture,
    hidden_size: usize,
    heads: usize,
) -> Result<usize> {
    if let Some(explicit) = fields.get("head_dim")? {
        return Ok(explicit);
    }
    if architecture == Architecture::Qwen3 {
        return Ok(128);
    }
    match hidden_size.checked_rem(heads) {
        Some(0) => Ok(hidden_size / heads),
        // Zero heads are refused with the other ranges.
        None => Ok(0),
        Some(_) => Err(fields.fail(
            "head_dim",
            format!("is missing, and hidden_size {hidden_size} is not a multiple of num_attention_heads {heads}"),
        )),
    }
}

/// Biases on query, key and value; on the attention's output; on the feed-forward network.
fn biases(fields: &Fields, architecture: Architecture) -> Result<(bool, bool, bool)> {
    let attention: bool = fields.get("attention_bias")?.unwrap_or(false);
    let feed_forward: bool = fields.get("mlp_bias")?.unwrap_or(false);
    let none = |field| {
        let reason = format!(
            "is true, but {} has no such biases",
            architecture.class_name()
        );
        Err(fields.fail(field, reason))
    };
    match architecture {
        Architecture::Llama => Ok((attention, attention, feed_forward)),
        _ if feed_forward => none("mlp_bias"),
        Architecture::Mistral if attention => none("attention_bias"),
        Architecture::Mistral => Ok((false, false, false)),
        // Always these three, whatever the field says.
        Architecture::Qwen2 => Ok((true, false, false)),
        Architecture::Qwen3 => Ok((attention, attention, false)),
    }
}

/// Longest context: that of pre-training, or one window where some layer's attention slides.
/// Within one window, sliding and full attention are the same function.
fn context(fields: &Fields, architecture: Architecture) -> Result<usize> {
    const DEFAULT_WINDOW: usize = 4_096;
    let trained: usize = fields.need("max_position_embeddings")?;
    let slides = match architecture {
        Architecture::Llama => false,
        Architecture::Mistral => true,
        Architecture::Qwen2 | Architecture::Qwen3 => {
            fields.get("use_sliding_window")?.unwrap_or(false)
        }
    };
    // Null says that there is no window; silence says that it is the family's.
    let window: Option<usize> = match fields.names("sliding_window") {
        true => fields.get("sliding_window")?,
        false => Some(DEFAULT_WINDOW),
    };
    Ok(match (slides, window) {
        (true, Some(window)) => trained.min(window),
        _ => trained,
    })
}

fn dtype(fields: &Fields, field: &'static str) -> Result<Option<WeightDtype>> {
    let name: Option<String> = fields.get(field)?;
    match name.as_deref() {
        None => Ok(None),
        Some("float32") => Ok(Some(WeightDtype::F32)),
        Some("float16") => Ok(Some(WeightDtype::F16)),
        Some("bfloat16") => Ok(Some(WeightDtype::Bf16)),
        Some(other) => {
            let reason =
                format!("`{other}` is not supported; supported: float32, float16, bfloat16");
            Err(fields.fail(field, reason))
        }
    }
}

/// Whether the rotary frequencies count as rounded when the file does not tell; the rule stands
/// at [`LlamaConfig::rope_frequency_dtype`].
fn counts_as_cast(fields: &Fields) -> Result<bool> {
    const LONGEST_TOY: usize = 512;
    let context: usize = fields.need("max_position_embeddings")?;
    let version: Option<String> = fields.get("transformers_version")?;
    let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    Ok(context <= LONGEST_TOY && major.is_some_and(|major| major >= 5))
}
