//! Honest pairs: one machine generates, another one replays, both the same model.

use std::sync::Arc;

use anyhow::Result;
use chasqui_engine::{
    cpu::{Precision, SimdLevel},
    Llama,
};

use super::{machine::Machine, models};

/// Who generates and who replays.
pub struct Pair {
    /// What differs.
    pub name: String,
    /// Generates.
    pub executor: Arc<Machine>,
    /// Runs of one ragged pass.
    pub batch: usize,
    /// Replays.
    pub auditor: Arc<Machine>,
    /// Tokens that a replay takes at a time.
    pub chunk: usize,
}

/// Tokens a pass of the network's replay.
pub const CHUNK: usize = 256;

/// Pairs of the profile "f32": products and sums in f32, in any order.
///
/// # Errors
/// The machine gives no threads.
pub fn f32_pairs(model: &Llama) -> Result<Vec<Pair>> {
    let alone = Arc::new(models::cpu(model, 1, None, None)?);
    let two = Arc::new(models::cpu(model, 2, None, None)?);
    let burn = Arc::new(models::burn(model));
    let pair = |name: &str, executor: &Arc<Machine>, batch, auditor: &Arc<Machine>, chunk| Pair {
        name: name.into(),
        executor: executor.clone(),
        batch,
        auditor: auditor.clone(),
        chunk,
    };
    let mut pairs = vec![
        pair("decode / prefill", &alone, 1, &alone, CHUNK),
        pair("2 threads / 1", &two, 1, &alone, CHUNK),
        pair("batch of 16 / alone", &alone, 16, &alone, CHUNK),
        pair("replay one token at a time", &alone, 16, &alone, 1),
        pair("replay 7 tokens at a time", &alone, 16, &alone, 7),
        pair("burn's sums / ours", &burn, 1, &alone, CHUNK),
        pair("our sums / burn's", &alone, 16, &burn, CHUNK),
        pair("burn: decode / prefill", &burn, 1, &burn, CHUNK),
    ];
    let best = SimdLevel::from_env()?;
    for level in SimdLevel::supported().filter(|level| *level < best) {
        let forced = Arc::new(models::cpu(model, 1, Some(level), None)?);
        pairs.push(pair(
            &format!("{best} / {level}"),
            &alone,
            16,
            &forced,
            CHUNK,
        ));
        pairs.push(pair(
            &format!("{level} / {best}"),
            &forced,
            16,
            &alone,
            CHUNK,
        ));
    }
    Ok(pairs)
}

/// Pairs of a profile whose weights are rounded and whose arithmetic is f32; `stored` is how our kernels hold them, `None`
/// for widened to f32. (Kernels over bf16 give the bits of kernels over the widened weights: `tests/stored_weights.rs` of the
/// engine.)
///
/// # Errors
/// As [`f32_pairs`].
pub fn rounded_pairs(model: &Llama, stored: Option<Precision>) -> Result<Vec<Pair>> {
    let ours = Arc::new(models::cpu(model, 1, None, stored)?);
    let burn = Arc::new(models::burn(model));
    let portable = Arc::new(models::cpu(model, 1, Some(SimdLevel::Portable), stored)?);
    let pair = |name: &str, executor: &Arc<Machine>, batch, auditor: &Arc<Machine>| Pair {
        name: name.into(),
        executor: executor.clone(),
        batch,
        auditor: auditor.clone(),
        chunk: CHUNK,
    };
    let best = SimdLevel::from_env()?;
    let mut pairs = vec![
        pair("decode / prefill", &ours, 1, &ours),
        pair("burn's sums / ours", &burn, 1, &ours),
        pair("our sums / burn's", &ours, 16, &burn),
        pair(&format!("{best} / portable"), &ours, 16, &portable),
    ];
    if let Some(stored) = stored {
        let widened = Arc::new(models::cpu(model, 1, None, None)?);
        pairs.push(pair(
            &format!("{stored} / widened to f32"),
            &ours,
            16,
            &widened,
        ));
        pairs.push(pair(
            &format!("widened to f32 / {stored}"),
            &widened,
            16,
            &ours,
        ));
    }
    Ok(pairs)
}

/// Pairs of bf16 weights in f32 or bf16 arithmetic, as the machine likes.
///
/// # Errors
/// As [`f32_pairs`].
pub fn mixed_pairs(model: &Llama) -> Result<Vec<Pair>> {
    let f32 = Arc::new(models::cpu(model, 1, None, None)?);
    let burn = Arc::new(models::burn(model));
    let bf16 = Arc::new(models::bf16(model, 1)?);
    let split = Arc::new(models::bf16(model, 2)?);
    let pair = |name: &str, executor: &Arc<Machine>, auditor: &Arc<Machine>| Pair {
        name: name.into(),
        executor: executor.clone(),
        batch: 16,
        auditor: auditor.clone(),
        chunk: CHUNK,
    };
    Ok(vec![
        pair("bf16 / f32", &bf16, &f32),
        pair("f32 / bf16", &f32, &bf16),
        pair("bf16 / bf16, other sums", &bf16, &split),
        pair("bf16, other sums / f32", &split, &f32),
        pair("our f32 / burn's", &f32, &burn),
    ])
}
