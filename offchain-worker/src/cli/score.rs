//! `score`: what a model says at every position of a sequence.

use std::path::PathBuf;

use anyhow::{Context, Result};
use chasqui_engine::{Engine, Scores};
use clap::Args;
use safetensors::{tensor::TensorView, Dtype};
use serde_json::json;

use super::{
    generate::{ids_option, IdList},
    options::JsonOption,
};
use crate::evaluation::log_probability;

/// Options of `score`.
#[derive(Debug, Args)]
pub struct Score {
    /// Model folder in the Hugging Face layout.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Token ids, as the model reads them.
    #[arg(long, value_name = "ID,…", value_parser = ids_option)]
    pub ids: IdList,
    /// Write the tensors `logits [T, vocab]` and `hidden [T, hidden]` (after the final norm), f32, to FILE.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where to compute: cpu, or cuda:N, an NVIDIA GPU.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    #[command(flatten)]
    pub json: JsonOption,
}

impl Score {
    /// Runs the command.
    ///
    /// # Errors
    /// The model does not load, the ids are not its own, or the file cannot be written.
    pub fn run(self) -> Result<()> {
        let ids = &self.ids.0;
        let engine = Engine::load(&self.model, &self.device)?;
        let scores = engine.score(ids)?;
        if let Some(path) = &self.out {
            write(&scores, path).with_context(|| format!("--out: writing {}", path.display()))?;
        }
        let log_probabilities = next_log_probabilities(&scores, ids);
        let best: Vec<usize> = scores
            .logits
            .chunks_exact(scores.vocab_size)
            .map(argmax)
            .collect();
        let value = json!({
            "ids": ids,
            "positions": scores.positions,
            "vocab_size": scores.vocab_size,
            "hidden_size": scores.hidden_size,
            // Of ids[t + 1] after ids[..=t], natural logarithm.
            "next_log_probabilities": log_probabilities,
            "argmax": best,
            "out": self.out,
        });
        self.json.print(&value, || {
            println!("position  id        log p(id)  likeliest next");
            for (position, (id, best)) in ids.iter().zip(&best).enumerate() {
                let own = position
                    .checked_sub(1)
                    .and_then(|before| log_probabilities.get(before))
                    .map_or("-".into(), |value| format!("{value:.4}"));
                println!("{position:<9} {id:<9} {own:<10} {best}");
            }
        });
        Ok(())
    }
}

/// Both tensors as a safetensors file, which appears whole or not at all.
fn write(scores: &Scores, path: &std::path::Path) -> Result<()> {
    let bytes = |values: &[f32]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let (logits, hidden) = (bytes(&scores.logits), bytes(&scores.hidden));
    let tensors = [
        (
            "logits",
            TensorView::new(
                Dtype::F32,
                vec![scores.positions, scores.vocab_size],
                &logits,
            )?,
        ),
        (
            "hidden",
            TensorView::new(
                Dtype::F32,
                vec![scores.positions, scores.hidden_size],
                &hidden,
            )?,
        ),
    ];
    let data = safetensors::serialize(tensors, None)?;
    let draft = path.with_extension("safetensors.part");
    std::fs::write(&draft, data)?;
    std::fs::rename(&draft, path)?;
    Ok(())
}

/// Natural logarithm of the probability of each id after those before it, from the second on.
fn next_log_probabilities(scores: &Scores, ids: &[u32]) -> Vec<f64> {
    scores
        .logits
        .chunks_exact(scores.vocab_size)
        .zip(ids.iter().skip(1))
        .filter_map(|(row, id)| log_probability(row, *id))
        .collect()
}

fn argmax(row: &[f32]) -> usize {
    row.iter()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (index, logit)| {
            if *logit > best.1 {
                (index, *logit)
            } else {
                best
            }
        })
        .0
}
