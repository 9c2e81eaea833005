//! Computing a job: acknowledge, generate, publish the trace, commit.

use super::{on_device, Worker};
use crate::{fault::Fault, prompt, registry, view};
use anyhow::{Context, Result};
use chasqui_audit::fingerprint_seed;
use chasqui_chain::{api, Static};
use chasqui_engine::{
    batch::{Batcher, Limits},
    Engine, GenerateRequest, Generation,
};
use chasqui_primitives::{
    hash, money,
    receipt::Receipt,
    sampling::Sampling,
    trace::{encode_trace, trace_root, TraceLeaf, TRACE_LEAF_BYTES},
    FinishReason, JobId, Output, OutputIds,
};
use parity_scale_codec::Encode;
use std::{ops::ControlFlow, sync::Arc, time::Instant};
use tokio::sync::oneshot;

type RefusalReason = api::runtime_types::pallet_jobs::types::RefusalReason;
type Commitment = api::runtime_types::pallet_jobs::types::Commitment;

/// Does whatever is still owed for a job: nothing, when another answer of ours is already in.
pub async fn compute(worker: &Arc<Worker>, id: JobId) -> Result<()> {
    let head = worker.chain.head().await?;
    let Some(job) = view::job(&head, id).await? else {
        return Ok(());
    };
    if job.executor.as_ref() != Some(&worker.operator) || !job.stage.awaits_commitment() {
        return Ok(());
    }
    let folder_of_model = match &worker.fault {
        Some(Fault::OtherModel(folder)) => Some(folder.clone()),
        _ => None,
    };
    let profile = registry::profile(&head, &job.checkpoint).await?;
    let batcher = {
        let worker = worker.clone();
        let root = job.checkpoint;
        on_device(move || match folder_of_model {
            Some(folder) => {
                let engine = Arc::new(Engine::load(&folder, "cpu")?);
                Ok(Arc::new(Batcher::new(engine, Limits::default())?))
            }
            None => worker.models.batcher(&root, profile),
        })
        .await
    };
    let batcher = match batcher {
        Ok(batcher) => batcher,
        Err(error) => {
            tracing::error!(
                job = id,
                error = format!("{error:#}"),
                "no model for this job"
            );
            let refusal = api::tx().jobs().refuse(id, RefusalReason::ModelUnavailable);
            worker.submit(&refusal).await?;
            return Ok(());
        }
    };
    let engine = batcher.engine();
    let genesis = worker.chain.genesis();
    let read = prompt::ids(&job.prompt, engine, &worker.blobs).and_then(|ids| {
        let prompt_hash = hash::prompt_hash(&genesis, &job.salt, &ids);
        prompt::check_hash(&job.prompt, &prompt_hash)?;
        Ok((ids, prompt_hash))
    });
    let (ids, prompt_hash) = match read {
        Ok(read) => read,
        Err(error) => {
            tracing::warn!(job = id, error = format!("{error:#}"), "no prompt");
            // A prompt on chain is never missing: it is this worker that cannot read it.
            let reason = match job.prompt.is_inline() {
                true => RefusalReason::ModelUnavailable,
                false => RefusalReason::PromptMissing,
            };
            worker.submit(&api::tx().jobs().refuse(id, reason)).await?;
            return Ok(());
        }
    };
    if job.stage.awaits_acknowledgement() {
        let acknowledge = api::tx()
            .jobs()
            .acknowledge(id, prompt_hash, ids.len() as u32);
        worker.submit(&acknowledge).await.context("acknowledging")?;
    }
    let started = Instant::now();
    let request = GenerateRequest {
        prompt_ids: ids.clone(),
        sampling: job.sampling.clone(),
        fingerprint_seed: fingerprint_seed(&prompt_hash),
    };
    let made = generate(&batcher, request).await?;
    worker
        .metrics
        .compute_seconds
        .observe(started.elapsed().as_secs_f64());
    worker
        .metrics
        .tokens
        .with_label_values(&["prompt"])
        .inc_by(ids.len() as u64);
    worker
        .metrics
        .tokens
        .with_label_values(&["output"])
        .inc_by(made.output_ids.len() as u64);
    let finish = made.finish_reason;
    let made = Answer {
        trace: made.trace(),
        finish,
    };
    let answer = match &worker.fault {
        Some(fault) => cheat(fault, made, &job.sampling, engine.eos_ids()),
        None => made,
    };
    if worker.fault == Some(Fault::CrashBeforeCommit) {
        worker.crash_once("commit")?;
    }
    let output: Vec<u32> = answer.trace.iter().map(|leaf| leaf.token).collect();
    if worker.fault != Some(Fault::Withhold) {
        worker
            .blobs
            .put_bytes(&encode_trace(&answer.trace), TRACE_LEAF_BYTES as u32)?;
    }
    let price = money::job_price(
        job.unit_price,
        job.units_per_prompt_token,
        job.units_per_output_token,
        ids.len() as u32,
        output.len() as u32,
    )
    .context("the price exceeds a balance")?;
    let receipt = Receipt {
        job: id,
        operator: worker.operator,
        checkpoint: job.checkpoint,
        prompt_hash,
        prompt_tokens: ids.len() as u32,
        sampling: job.sampling.clone(),
        output_hash: hash::output_hash(&genesis, &output),
        trace_root: trace_root(&answer.trace),
        output_tokens: output.len() as u32,
        finish: answer.finish,
        price,
    };
    let signature = worker.signer.sign_hash(&receipt.signing_hash(&genesis).0);
    let commitment = Commitment {
        prompt_hash,
        prompt_tokens: receipt.prompt_tokens,
        output: Static(publish(worker, &output)?),
        output_hash: receipt.output_hash,
        output_tokens: receipt.output_tokens,
        trace_root: receipt.trace_root,
        finish: Static(receipt.finish),
        price,
        signature: view::signature(signature),
    };
    worker
        .submit(&api::tx().jobs().commit(id, commitment))
        .await
        .context("committing")?;
    tracing::info!(
        job = id,
        prompt = ids.len(),
        output = output.len(),
        seconds = started.elapsed().as_secs_f64(),
        "job committed"
    );
    Ok(())
}

/// What goes into the commitment.
struct Answer {
    trace: Vec<TraceLeaf>,
    finish: FinishReason,
}

/// The model's answer, out of passes that other jobs of the same model share.
async fn generate(batcher: &Batcher, request: GenerateRequest) -> Result<Generation> {
    let (sender, outcome) = oneshot::channel();
    let done = move |outcome| {
        // The duty was given up: nobody waits.
        let _ = sender.send(outcome);
    };
    batcher.submit(request, |_| ControlFlow::Continue(()), done)?;
    Ok(outcome.await.context("the model's thread ended")??)
}

/// The output inline where it fits, else as a blob.
fn publish(worker: &Worker, output: &[u32]) -> Result<Output> {
    match OutputIds::try_from(output.to_vec()) {
        Ok(ids) => Ok(Output::Ids(ids)),
        Err(_) => {
            let blob = worker
                .blobs
                .put_bytes(&output.encode(), chasqui_primitives::blob::CHUNK_BYTES)?;
            Ok(Output::Blob(blob.root()))
        }
    }
}

/// What a cheating executor commits to instead.
fn cheat(fault: &Fault, mut answer: Answer, sampling: &Sampling, end_ids: &[u32]) -> Answer {
    match fault {
        Fault::EditToken => {
            // Not the last one: that would show in the finish reason alone.
            let middle = answer.trace.len() / 2;
            if let Some(leaf) = answer.trace.get_mut(middle) {
                leaf.token = if leaf.token > 300 {
                    leaf.token - 1
                } else {
                    leaf.token + 1
                };
            }
        }
        Fault::Truncate => {
            let end = sampling.stop_ids.first().or(end_ids.first()).copied();
            let keep = (answer.trace.len() / 3).max(1);
            if let Some(end) = end.filter(|_| !sampling.ignore_eos && keep < answer.trace.len()) {
                answer.trace.truncate(keep);
                if let Some(last) = answer.trace.last_mut() {
                    last.token = end;
                }
                answer.finish = FinishReason::Stop;
            }
        }
        _ => {}
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(tokens: &[u32]) -> Answer {
        let leaf = |token: &u32| TraceLeaf {
            token: *token,
            fingerprint: [0; 14],
        };
        Answer {
            trace: tokens.iter().map(leaf).collect(),
            finish: FinishReason::Length,
        }
    }

    fn tokens(answer: &Answer) -> Vec<u32> {
        answer.trace.iter().map(|leaf| leaf.token).collect()
    }

    #[test]
    fn an_edit_changes_one_token_and_nothing_else() {
        let edited = cheat(
            &Fault::EditToken,
            answer(&[5, 6, 7, 8]),
            &Sampling::greedy(4),
            &[1],
        );
        assert_eq!(tokens(&edited), [5, 6, 8, 8]);
        assert_eq!(edited.finish, FinishReason::Length);
    }

    #[test]
    fn a_truncation_ends_in_a_forged_end_token() {
        let cut = cheat(
            &Fault::Truncate,
            answer(&[5, 6, 7, 8, 9, 10]),
            &Sampling::greedy(6),
            &[1],
        );
        assert_eq!(tokens(&cut), [5, 1]);
        assert_eq!(cut.finish, FinishReason::Stop);
    }
}
