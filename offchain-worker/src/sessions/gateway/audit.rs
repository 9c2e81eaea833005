//! Replays a share of the answers with the model itself: the cheap mode, at a few positions.
//!
//! The client has no trace, so hidden states are not compared: only whether the tokens follow from the logits, by the
//! thresholds that the chain has for the checkpoint. Answers wait in a bounded queue and never for an audit; where there
//! is no time, one is left out.

use super::Shared;
use crate::{duties::on_device, models::ModelCache};
use anyhow::{Context, Result};
use async_trait::async_trait;
use chasqui_audit::{
    rastic::{rastic, DEFAULT_K},
    replay::summarise,
    Commitment, Opening,
};
use chasqui_engine::Engine;
use chasqui_gateway::live::{ChainUpdate, Happening};
use chasqui_primitives::{
    audit::{judge, AuditThresholds, Verdict},
    session::{Seq, SessionId},
    trace::TraceLeaf,
    CheckpointRoot, NumericProfile,
};
use chasqui_session::{
    journal::{Begun, Done},
    AccountId, SignedReceipt, SignedRequest,
};
use sp_core::H256;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Most answers that wait to be audited.
const WAITING: usize = 64;
/// A share of 1, in millionths.
pub const WHOLE: u32 = 1_000_000;

/// An answer in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The session.
    pub session: SessionId,
    /// Who answered.
    pub operator: AccountId,
    /// Its place.
    pub seq: Seq,
}

/// What is asked of the chain about false answers.
#[async_trait]
pub trait Court: Send + Sync {
    /// How a checkpoint's answers are judged.
    ///
    /// # Errors
    /// The chain cannot be read, or has no thresholds for it.
    async fn thresholds(&self, checkpoint: &CheckpointRoot) -> Result<AuditThresholds>;

    /// Reports a false answer.
    ///
    /// # Errors
    /// The chain refuses the report, in its words.
    async fn report(&self, request: &SignedRequest, receipt: &SignedReceipt) -> Result<()>;

    /// Proves by two receipts for one request that their operator is false.
    ///
    /// # Errors
    /// The chain refuses the proof, in its words.
    async fn prove_fraud(&self, first: &SignedReceipt, second: &SignedReceipt) -> Result<()>;
}

/// Where an audit finds what to replay with.
pub trait Weights: Send + Sync {
    /// Whether a checkpoint's weights are there.
    fn has(&self, checkpoint: &CheckpointRoot) -> bool;

    /// A checkpoint as it is computed. Blocks while it loads.
    ///
    /// # Errors
    /// It cannot be loaded.
    fn engine(&self, checkpoint: &CheckpointRoot, profile: NumericProfile) -> Result<Arc<Engine>>;
}

impl Weights for ModelCache {
    fn has(&self, checkpoint: &CheckpointRoot) -> bool {
        self.is_available(checkpoint)
    }

    fn engine(&self, checkpoint: &CheckpointRoot, profile: NumericProfile) -> Result<Arc<Engine>> {
        ModelCache::engine(self, checkpoint, profile)
    }
}

/// Draws answers and keeps them until they are audited.
pub struct Auditor {
    share: u32,
    queue: mpsc::Sender<Answered>,
    waiting: Mutex<Option<mpsc::Receiver<Answered>>>,
    weights: Arc<dyn Weights>,
    court: Arc<dyn Court>,
    reports: bool,
}

impl Auditor {
    /// Audits `share` millionths of the answers with `weights`, and `reports` what is false to `court`.
    pub fn new(
        share: u32,
        weights: Arc<dyn Weights>,
        court: Arc<dyn Court>,
        reports: bool,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        Self {
            share,
            queue,
            waiting: Mutex::new(Some(waiting)),
            weights,
            court,
            reports,
        }
    }

    /// Whether this answer is one of the share. Nobody can know before.
    pub(super) fn draws(&self) -> bool {
        let mut bytes = [0; 4];
        let drawn = getrandom::getrandom(&mut bytes).map(|()| u32::from_le_bytes(bytes));
        drawn.is_ok_and(|drawn| drawn % WHOLE < self.share)
    }

    /// Keeps one for later; false where too many wait.
    pub(super) fn take(&self, answered: Answered) -> bool {
        self.queue.try_send(answered).is_ok()
    }
}

/// Audits what was drawn, one after the other, until the gateway stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let Some(auditor) = &shared.auditor else {
        return;
    };
    let waiting = auditor.waiting.lock();
    let Some(mut waiting) = waiting.unwrap_or_else(PoisonError::into_inner).take() else {
        return;
    };
    loop {
        let answered = tokio::select! {
            answered = waiting.recv() => answered,
            () = shared.stop.cancelled() => return,
        };
        let Some(answered) = answered else {
            return;
        };
        let ended = match audit(&shared, auditor, &answered).await {
            Ok(Some(verdict)) => name(&verdict),
            Ok(None) => "no_model",
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "an answer could not be audited"
                );
                "failed"
            }
        };
        let counter = shared.metrics.audits.with_label_values(&[ended]);
        counter.inc();
    }
}

fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::Soft => "soft",
        _ => "hard",
    }
}

async fn audit(
    shared: &Arc<Shared>,
    auditor: &Auditor,
    answered: &Answered,
) -> Result<Option<Verdict>> {
    let journal = shared.client.journal().clone();
    let Answered {
        session,
        operator,
        seq,
    } = answered.clone();
    let found = tokio::task::spawn_blocking(move || journal.find(&session, &operator, seq));
    let (begun, done) = found.await??.context("it is not in the journal any more")?;
    let done = done.context("it has no receipt")?;
    let root = begun.ask.signed.request.checkpoint;
    let terms = {
        let terms = shared.terms.read().unwrap_or_else(PoisonError::into_inner);
        terms.get(&root).cloned().flatten()
    };
    let profile = terms
        .context("the checkpoint takes no payment any more")?
        .profile;
    if !auditor.weights.has(&root) {
        return Ok(None);
    }
    let thresholds = auditor.court.thresholds(&root).await?;
    let (weights, genesis) = (auditor.weights.clone(), journal_genesis(shared));
    let (verdict, begun, done) = on_device(move || {
        let engine = weights.engine(&root, profile)?;
        let verdict = replayed(&engine, genesis, &begun, &done, &thresholds)?;
        Ok((verdict, begun, done))
    })
    .await?;
    match verdict {
        Verdict::Valid => {}
        Verdict::Soft => {
            tracing::warn!(operator = %answered.operator, session = ?answered.session, seq,
            "an answer deviates; one may by chance")
        }
        _ => accuse(shared, auditor, answered, &begun, &done).await,
    }
    Ok(Some(verdict))
}

fn journal_genesis(shared: &Shared) -> H256 {
    shared.client.journal().genesis()
}

/// Checks the answer at its first token, at random ones, and at its end.
fn replayed(
    engine: &Engine,
    genesis: H256,
    begun: &Begun,
    done: &Done,
    thresholds: &AuditThresholds,
) -> Result<Verdict> {
    // There is no trace to compare: only the tokens count.
    let trace: Vec<TraceLeaf> = done
        .output
        .iter()
        .map(|token| TraceLeaf {
            token: *token,
            fingerprint: Default::default(),
        })
        .collect();
    let opening = Opening {
        salt: &begun.ask.salt,
        prompt_ids: &begun.ask.prompt,
        output_ids: &done.output,
        trace: &trace,
    };
    let sampling = begun.ask.signed.request.sampling.clone();
    let finish = done.receipt.receipt.finish;
    let commitment = Commitment::of(genesis, sampling, finish, &opening);
    let mut seed = [0; 32];
    getrandom::getrandom(&mut seed).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let found = rastic(
        engine,
        &commitment,
        &opening,
        thresholds,
        &H256(seed),
        DEFAULT_K,
    )?;
    if found.tokens.is_empty() {
        // It failed without the model.
        return Ok(found.verdict);
    }
    let tokens: Vec<_> = found
        .tokens
        .into_iter()
        .map(|(_, mut token)| {
            token.fingerprint_distance = 0;
            token
        })
        .collect();
    Ok(judge(
        &summarise(&tokens, thresholds.clip_micro),
        thresholds,
    ))
}

/// An operator was found out.
async fn accuse(
    shared: &Shared,
    auditor: &Auditor,
    answered: &Answered,
    begun: &Begun,
    done: &Done,
) {
    let Answered {
        session,
        operator,
        seq,
    } = answered;
    tracing::error!(%operator, ?session, seq, "an answer is false; its operator is not asked again");
    shared.shun(operator);
    if let Some(live) = &shared.live {
        live.publish(ChainUpdate::Audit(Happening {
            block: u64::from(shared.pool().block()),
            operator: operator.to_string(),
            what: "false answer, found by this gateway".into(),
            amount: Some(done.receipt.receipt.price.to_string()),
        }));
    }
    if !auditor.reports {
        return;
    }
    match auditor.court.report(&begun.ask.signed, &done.receipt).await {
        Ok(()) => tracing::warn!(%operator, ?session, seq, "reported; auditors decide"),
        Err(error) => {
            let error = format!("{error:#}");
            tracing::error!(%operator, ?session, seq, error, "the report was refused");
        }
    }
}
