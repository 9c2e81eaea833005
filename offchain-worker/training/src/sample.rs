//! Completions for judging a model by eye. The engine's own generation is what the network runs;
//! this one keeps no cache and is as short as the question "does it read as language?" allows.

use burn::tensor::{Device, Int, Tensor, TensorData};
use chasqui_engine::model::Llama;

use crate::error::{Result, TrainingError};
use crate::rng::CounterRng;
use crate::tokenizer::EOS_ID;

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    /// The most likely token; the lowest id among equals.
    Greedy,
    /// A token drawn from the softmax of the logits over `temperature`.
    Temperature {
        /// Above 0.
        temperature: f64,
        /// Seed of the draws.
        seed: u64,
    },
}

/// Up to `max_tokens` ids that follow `prompt`, ending before the end-of-text token or at the end
/// of the model's context.
///
/// # Errors
/// An empty prompt, an id outside the vocabulary, or a temperature that is not above 0.
pub fn complete(
    model: &Llama,
    device: &Device,
    prompt: &[u32],
    max_tokens: usize,
    choice: Choice,
) -> Result<Vec<u32>> {
    let vocab = model.config().vocab_size;
    if prompt.is_empty() {
        return Err(TrainingError::setting("prompt", "is empty"));
    }
    if let Some(id) = prompt.iter().find(|&&id| id as usize >= vocab) {
        return Err(TrainingError::setting(
            "prompt",
            format!("has id {id} of {vocab}"),
        ));
    }
    let mut rng = match choice {
        Choice::Temperature { temperature, .. } if temperature.is_nan() || temperature <= 0.0 => {
            return Err(TrainingError::setting(
                "temperature",
                format!("is {temperature}, must be above 0"),
            ));
        }
        Choice::Temperature { seed, .. } => CounterRng::new(seed, 0x5341_4d50, 0),
        Choice::Greedy => CounterRng::new(0, 0, 0),
    };
    let mut ids = prompt.to_vec();
    let room = model
        .config()
        .max_position_embeddings
        .saturating_sub(prompt.len());
    for _ in 0..max_tokens.min(room) {
        let input: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
        let input = Tensor::<2, Int>::from_data(TensorData::new(input, [1, ids.len()]), device);
        let hidden = model.forward_hidden(input);
        let [_, length, _] = hidden.dims();
        let logits = model
            .logits(hidden.narrow(1, length - 1, 1))
            .into_data()
            .try_to_vec::<f32>()
            .map_err(|error| TrainingError::Layout(format!("logits: {error:?}")))?;
        let next = match choice {
            Choice::Greedy => most_likely(&logits),
            Choice::Temperature { temperature, .. } => draw(&logits, temperature, &mut rng),
        };
        if next == EOS_ID {
            break;
        }
        ids.push(next);
    }
    Ok(ids.split_off(prompt.len()))
}

fn most_likely(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (id, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = id;
        }
    }
    best as u32
}

fn draw(logits: &[f32], temperature: f64, rng: &mut CounterRng) -> u32 {
    let top = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let weights: Vec<f64> = logits
        .iter()
        .map(|&logit| ((f64::from(logit) - top) / temperature).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    let mut left = rng.unit() * total;
    for (id, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return id as u32;
        }
    }
    most_likely(logits)
}
