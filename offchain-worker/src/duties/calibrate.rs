//! Calibrating a proposed checkpoint: honest pairs on this machine, thresholds for the chain.

use super::{on_device, Worker};
use crate::{registry, view::fetch};
use anyhow::{bail, ensure, Context, Result};
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
        let profile = registry::profile(&worker.chain.head().await?, &root).await?;
        on_device(move || worker.models.engine(&root, profile))
            .await
            .context("loading the checkpoint")?
    };
    check_declaration(worker, root, &engine).await?;
    let _turn = worker.turn().await?;
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

/// A proposer may declare what it likes: a checkpoint whose files say otherwise gets no calibration, and so is never
/// accepted.
async fn check_declaration(worker: &Worker, root: CheckpointRoot, engine: &Engine) -> Result<()> {
    let head = worker.chain.head().await?;
    let info = fetch!(head, api::storage().checkpoints().registry(), (root,))
        .context("the checkpoint is not registered any more")?
        .info;
    let config = engine.config();
    let declared = (
        info.vocabulary as usize,
        info.context_tokens as usize,
        info.end_tokens.0,
        info.has_tokenizer,
    );
    let found = (
        config.vocab_size,
        config.max_position_embeddings,
        engine.eos_ids().to_vec(),
        engine.tokenizer().is_ok(),
    );
    ensure!(
        declared.0 == found.0
            && declared.1 <= found.1
            && declared.2 == found.2
            && declared.3 == found.3,
        "checkpoint {root:?} declares vocabulary {}, context {}, end tokens {:?} and tokenizer {}; its files say {}, \
         {}, {:?} and {}: not calibrated",
        declared.0, declared.1, declared.2, declared.3, found.0, found.1, found.2, found.3
    );
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
