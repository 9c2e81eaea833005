//! Judging another's work: replay, commit, reveal; and opening one's own when it is demanded.

use super::{datasets, on_device, training, verdicts::StoredVerdict, DutyStage, Worker};
use crate::{
    fault::Fault,
    prompt, registry, sessions,
    view::{self, fetch, CommitmentView, JobView},
};
use anyhow::{bail, Context, Result};
use chasqui_audit::{replay, Commitment, Opening, Replay};
use chasqui_chain::{
    api::{self, runtime_types::pallet_audits::types::Phase},
    Head, Static, H256,
};
use chasqui_primitives::{
    audit::{verdict_commitment, Evidence, HardReason, Subject, Verdict, EVIDENCE_DIMS},
    trace::{decode_trace, TraceLeaf},
    CaseId, JobId, Output, MAX_OPENING_BYTES,
};
use parity_scale_codec::Decode;
use std::{sync::Arc, time::Instant};

/// Longest blob of output ids that is read, in bytes.
const MAX_OUTPUT_BLOB_BYTES: u64 = 16 << 20;

/// Replays the case's subject and commits to a verdict. Nothing is owed for a round that is over.
pub async fn commit(worker: &Arc<Worker>, id: CaseId, stage: DutyStage, round: u32) -> Result<()> {
    let head = worker.chain.head().await?;
    let case = fetch!(head, api::storage().audits().cases(), (id,));
    let Some(case) = case.filter(|case| case.round == round) else {
        return Ok(());
    };
    let panel = case.projection_seed;
    let subject = case.subject.0;
    let started = Instant::now();
    let genesis = worker.chain.genesis();
    let number = stage_number(stage);
    // A verdict of this round on disk may have been committed to already, in a transaction on its way: another one
    // could not be revealed.
    let stored = match worker.verdicts.get(id, stage, round, &panel) {
        Some(stored) => stored,
        None => {
            let posted = fetch!(head, api::storage().audits().openings(), (id,));
            let posted = posted.map(|opening| opening.0);
            let (verdict, evidence) = match subject {
                Subject::Job(job) => judge_job(worker, id, job, &head, posted, panel).await?,
                Subject::SessionTakings(_) | Subject::SessionReceipt(_) => {
                    sessions::audit::judge(worker, id, &subject, posted, panel).await?
                }
                Subject::Training { .. } | Subject::TrainingOuter { .. } => {
                    training::judge(worker, id, &subject, panel).await?
                }
                Subject::Dataset(dataset) => {
                    let until = match case.phase {
                        Phase::Commit { until } => until,
                        _ => head.number,
                    };
                    datasets::judge(worker, id, dataset, panel, until).await?
                }
            };
            let verdict = match worker.fault {
                Some(Fault::FalseAlarm) => Verdict::Hard(HardReason::Margin),
                _ => verdict,
            };
            let stored = StoredVerdict {
                panel: panel.0,
                verdict,
                evidence,
                salt: worker.signer.verdict_salt(&genesis, id, number, round),
            };
            worker.verdicts.put(id, stage, round, &stored)?;
            let metrics = &worker.metrics;
            metrics
                .audit_seconds
                .observe(started.elapsed().as_secs_f64());
            metrics.verdicts.with_label_values(&[name(&verdict)]).inc();
            stored
        }
    };
    let hash = verdict_commitment(
        &genesis,
        id,
        stage.into(),
        &worker.operator,
        &stored.verdict,
        &stored.evidence,
        &stored.salt,
    );
    worker
        .submit(&api::tx().audits().commit(id, hash))
        .await
        .context("committing to a verdict")?;
    tracing::info!(
        case = id,
        ?subject,
        stage = number,
        verdict = ?stored.verdict,
        seconds = started.elapsed().as_secs_f64(),
        "verdict committed"
    );
    if worker.fault == Some(Fault::CrashBeforeReveal) {
        worker.crash_once("reveal")?;
    }
    Ok(())
}

/// Reveals what was committed to.
pub async fn reveal(
    worker: &Arc<Worker>,
    id: CaseId,
    stage: DutyStage,
    round: u32,
    head: &Head,
) -> Result<()> {
    let Some(case) = fetch!(head, api::storage().audits().cases(), (id,)) else {
        return Ok(());
    };
    let stored = worker
        .verdicts
        .get(id, stage, round, &case.projection_seed)
        .with_context(|| {
            format!("the verdict on case {id} is not in the state folder: was it deleted?")
        })?;
    let call = api::tx().audits().reveal(
        id,
        Static(stored.verdict),
        view::bounded("the evidence", &stored.evidence, EVIDENCE_DIMS as usize)?,
        stored.salt,
    );
    worker.submit(&call).await.context("revealing")?;
    worker.verdicts.remove(id, stage, round);
    tracing::info!(case = id, verdict = ?stored.verdict, "verdict revealed");
    Ok(())
}

/// Posts on chain what a case about work of ours is about.
pub async fn post_opening(worker: &Arc<Worker>, id: CaseId, head: &Head) -> Result<()> {
    if worker.fault == Some(Fault::Withhold) {
        return Ok(());
    }
    let Some(case) = fetch!(head, api::storage().audits().cases(), (id,)) else {
        return Ok(());
    };
    let subject = case.subject.0;
    let Subject::Job(job) = subject else {
        let journal = worker.sessions();
        let journal = journal.context(
            "an answer of a session is to be opened, but this worker serves none: set `listen` as before",
        )?;
        return sessions::audit::post_opening(worker, journal, head, id, &subject).await;
    };
    let Some(commitment) = view::commitment(head, job).await? else {
        return Ok(());
    };
    let trace = worker
        .blobs
        .read_all(&commitment.trace_root, u64::from(MAX_OPENING_BYTES))?;
    let opening = view::bounded("the trace", &trace, MAX_OPENING_BYTES as usize)?;
    worker
        .submit(&api::tx().audits().post_opening(id, opening))
        .await
        .context("opening")?;
    tracing::info!(case = id, job, "trace opened on chain");
    Ok(())
}

/// The verdict on the job that case `id` is about.
async fn judge_job(
    worker: &Arc<Worker>,
    id: CaseId,
    job: JobId,
    head: &Head,
    posted: Option<Vec<u8>>,
    panel: H256,
) -> Result<(Verdict, Evidence)> {
    let found = (
        view::job(head, job).await?,
        view::commitment(head, job).await?,
    );
    match found {
        (Some(job), Some(commitment)) => judge(worker, job, commitment, posted, panel).await,
        _ => bail!("case {id} is about job {job}, which is gone"),
    }
}

/// The verdict on one job. Only the auditor's own trouble is an error; it then tries again. The receipt's signature needs
/// no look: the chain takes no commitment without a good one.
async fn judge(
    worker: &Arc<Worker>,
    job: JobView,
    committed: CommitmentView,
    posted: Option<Vec<u8>>,
    panel: H256,
) -> Result<(Verdict, Evidence)> {
    let none = Evidence::default;
    let engine = {
        let (worker, root) = (worker.clone(), job.checkpoint);
        let profile = registry::profile(&worker.chain.head().await?, &root).await?;
        on_device(move || worker.models.engine(&root, profile)).await
    };
    let engine = match engine {
        Ok(engine) => engine,
        Err(error) => {
            tracing::error!(
                job = job.id,
                error = format!("{error:#}"),
                "no model to judge with"
            );
            return Ok((Verdict::NoModel, none()));
        }
    };
    let Some(trace) = trace_of(worker, &committed, posted) else {
        return Ok((Verdict::Withheld, none()));
    };
    let output_ids = match &committed.output {
        Output::Ids(ids) => ids.to_vec(),
        // The trace holds the ids as well: an output blob that is missing hides nothing.
        Output::Blob(root) => worker
            .blobs
            .read_all(root, MAX_OUTPUT_BLOB_BYTES)
            .ok()
            .and_then(|bytes| Vec::<u32>::decode(&mut bytes.as_slice()).ok())
            .unwrap_or_else(|| trace.iter().map(|leaf| leaf.token).collect()),
    };
    let prompt_ids = match prompt::ids(&job.prompt, &engine, &worker.blobs) {
        Ok(ids) => ids,
        // The executor vouched for a prompt that nobody else can read.
        Err(_) if !job.prompt.is_inline() => return Ok((Verdict::Withheld, none())),
        Err(error) => return Err(error),
    };
    let genesis = worker.chain.genesis();
    let _turn = worker.turn().await?;
    let found: Replay = on_device(move || {
        let commitment = Commitment {
            genesis,
            prompt_hash: committed.prompt_hash,
            prompt_tokens: committed.prompt_tokens,
            sampling: job.sampling.clone(),
            output_hash: committed.output_hash,
            output_tokens: committed.output_tokens,
            trace_root: committed.trace_root,
            finish: committed.finish,
        };
        let opening = Opening {
            salt: &job.salt,
            prompt_ids: &prompt_ids,
            output_ids: &output_ids,
            trace: &trace,
        };
        Ok(replay(
            engine.as_ref(),
            &commitment,
            &opening,
            &job.thresholds,
            &panel,
        )?)
    })
    .await?;
    tracing::debug!(statistics = ?found.statistics, "replayed");
    Ok((found.verdict, found.evidence))
}

/// The trace, from the blob store or from the chain.
fn trace_of(
    worker: &Worker,
    committed: &CommitmentView,
    posted: Option<Vec<u8>>,
) -> Option<Vec<TraceLeaf>> {
    let stored = worker
        .blobs
        .read_all(&committed.trace_root, u64::from(MAX_OPENING_BYTES));
    stored
        .ok()
        .or(posted)
        .and_then(|bytes| decode_trace(&bytes).ok())
}

fn stage_number(stage: DutyStage) -> u8 {
    match stage {
        DutyStage::One => 1,
        DutyStage::Two => 2,
    }
}

fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::Soft => "soft",
        Verdict::Hard(_) => "hard",
        Verdict::NoModel => "no_model",
        Verdict::Withheld => "withheld",
    }
}
