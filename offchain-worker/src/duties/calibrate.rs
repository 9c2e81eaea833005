//! Calibrating a proposed checkpoint: honest pairs on this machine, thresholds for the chain.

use super::{on_device, Worker};
use anyhow::{bail, Context, Result};
use chasqui_audit::{
    calibrate::{calibrate as measure, CalibrationPlan},
    Calibration,
};
use chasqui_chain::{api, Static};
use chasqui_engine::generate::Engine;
use chasqui_primitives::CheckpointRoot;
use std::{sync::Arc, time::Instant};

/// What honest runs are started with where the checkpoint has a tokenizer.
const PROMPTS: [&str; 4] = [
    "Once upon a time",
    "The runner carried the knot over the mountain and",
    "What is the capital of the empire?",
    "It was a cold morning. The wind came down from the pass, and nobody in the village had slept.",
];

/// Measures, and submits the thresholds that follow.
pub async fn calibrate(worker: &Arc<Worker>, root: CheckpointRoot) -> Result<()> {
    let started = Instant::now();
    let engine = {
        let worker = worker.clone();
        on_device(move || worker.models.engine(&root))
            .await
            .context("loading the checkpoint")?
    };
    let calibration: Calibration = on_device(move || {
        Ok(measure(
            &engine,
            &prompts(&engine)?,
            &CalibrationPlan::default(),
        )?)
    })
    .await?;
    let call = api::tx()
        .checkpoints()
        .calibrate(root, Static(calibration.thresholds));
    worker
        .submit(&call)
        .await
        .context("submitting the calibration")?;
    tracing::info!(checkpoint = ?root, measured = ?calibration.measured,
        seconds = started.elapsed().as_secs_f64(), "checkpoint calibrated");
    Ok(())
}

fn prompts(engine: &Engine) -> Result<Vec<Vec<u32>>> {
    if let Ok(tokenizer) = engine.tokenizer() {
        return PROMPTS
            .iter()
            .map(|text| Ok(tokenizer.encode(text, true)?))
            .collect();
    }
    // Without a tokenizer any ids will do: what is measured is arithmetic.
    let vocabulary = engine.config().vocab_size as u32;
    if vocabulary == 0 {
        bail!("the checkpoint has no vocabulary");
    }
    Ok((0..4u32)
        .map(|row| {
            (0..16u32)
                .map(|i| (row * 7_919 + i * 104_729) % vocabulary)
                .collect()
        })
        .collect())
}
