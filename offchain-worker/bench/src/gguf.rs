//! Writes a model folder as a GGUF file with weights in Q8_0, the form in which candle runs
//! quantised models.

use std::collections::HashMap;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use chasqui_engine::LlamaConfig;

/// Quantises the f32 weights in `folder` into `file`, which appears whole or not at all.
///
/// # Errors
/// The folder is damaged, or the file cannot be written.
pub fn quantise(folder: &Path, file: &Path) -> Result<()> {
    let config = LlamaConfig::from_file(&folder.join("config.json"))?;
    let mut weights = Weights {
        stored: candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu)?,
        quantised: Vec::new(),
    };
    weights.matrix("model.embed_tokens", "token_embd")?;
    weights.vector("model.norm", "output_norm")?;
    if !config.tie_word_embeddings {
        weights.matrix("lm_head", "output")?;
    }
    for layer in 0..config.num_hidden_layers {
        let (from, to) = (format!("model.layers.{layer}"), format!("blk.{layer}"));
        weights.vector(
            &format!("{from}.input_layernorm"),
            &format!("{to}.attn_norm"),
        )?;
        weights.vector(
            &format!("{from}.post_attention_layernorm"),
            &format!("{to}.ffn_norm"),
        )?;
        for (part, heads) in [
            ("q", config.num_attention_heads),
            ("k", config.num_key_value_heads),
        ] {
            let from = format!("{from}.self_attn.{part}_proj");
            weights.interleaved(&from, &format!("{to}.attn_{part}"), heads)?;
        }
        for (part, name) in [
            ("self_attn.v_proj", "attn_v"),
            ("self_attn.o_proj", "attn_output"),
            ("mlp.gate_proj", "ffn_gate"),
            ("mlp.up_proj", "ffn_up"),
            ("mlp.down_proj", "ffn_down"),
        ] {
            weights.matrix(&format!("{from}.{part}"), &format!("{to}.{name}"))?;
        }
    }
    let metadata = metadata(&config);
    let metadata: Vec<(&str, &Value)> = metadata
        .iter()
        .map(|(name, value)| (*name, value))
        .collect();
    let tensors: Vec<(&str, &QTensor)> = weights
        .quantised
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .collect();
    let partial = file.with_extension("partial");
    let mut writer = BufWriter::new(std::fs::File::create(&partial)?);
    gguf_file::write(&mut writer, &metadata, &tensors)?;
    writer
        .into_inner()
        .context("cannot write the last block")?
        .sync_all()?;
    std::fs::rename(&partial, file)?;
    Ok(())
}

fn metadata(config: &LlamaConfig) -> Vec<(&'static str, Value)> {
    let number = |n: usize| Value::U32(n as u32);
    vec![
        ("general.architecture", Value::String("llama".into())),
        (
            "llama.context_length",
            number(config.max_position_embeddings),
        ),
        ("llama.embedding_length", number(config.hidden_size)),
        (
            "llama.feed_forward_length",
            number(config.intermediate_size),
        ),
        ("llama.block_count", number(config.num_hidden_layers)),
        (
            "llama.attention.head_count",
            number(config.num_attention_heads),
        ),
        (
            "llama.attention.head_count_kv",
            number(config.num_key_value_heads),
        ),
        (
            "llama.attention.layer_norm_rms_epsilon",
            Value::F32(config.rms_norm_eps as f32),
        ),
        ("llama.rope.dimension_count", number(config.head_dim)),
        ("llama.rope.freq_base", Value::F32(config.rope_theta as f32)),
    ]
}

struct Weights {
    stored: HashMap<String, Tensor>,
    quantised: Vec<(String, QTensor)>,
}

impl Weights {
    fn take(&mut self, name: &str) -> Result<Tensor> {
        let name = format!("{name}.weight");
        self.stored
            .remove(&name)
            .with_context(|| format!("no tensor {name}"))
    }

    fn put(&mut self, name: &str, tensor: &Tensor, dtype: GgmlDType) -> Result<()> {
        let tensor = QTensor::quantize(tensor, dtype)?;
        self.quantised.push((format!("{name}.weight"), tensor));
        Ok(())
    }

    fn matrix(&mut self, from: &str, to: &str) -> Result<()> {
        let tensor = self.take(from)?;
        self.put(to, &tensor, GgmlDType::Q8_0)
    }

    fn vector(&mut self, from: &str, to: &str) -> Result<()> {
        let tensor = self.take(from)?;
        self.put(to, &tensor, GgmlDType::F32)
    }

    /// GGUF's Llama rotates neighbours (2i, 2i + 1) of a head where the Hugging Face layout rotates
    /// (i, i + half): the same function once the rows are reordered.
    fn interleaved(&mut self, from: &str, to: &str, heads: usize) -> Result<()> {
        let tensor = self.take(from)?;
        let (rows, cols) = tensor.dims2()?;
        let tensor = tensor
            .reshape((heads, 2, rows / heads / 2, cols))?
            .transpose(1, 2)?
            .contiguous()?
            .reshape((rows, cols))?;
        self.put(to, &tensor, GgmlDType::Q8_0)
    }
}
