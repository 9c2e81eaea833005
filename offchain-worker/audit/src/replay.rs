//! The full replay: every output position, in one pass.

use chasqui_engine::{fingerprint::Fingerprinter, sampling::expected_and_margin};
use chasqui_primitives::{
    audit::{judge, AuditStatistics, AuditThresholds, Evidence, HardReason, Verdict},
    trace::fingerprint_distance,
};
use rayon::prelude::*;
use serde::Serialize;
use sp_core::H256;

use crate::{
    claim::{fingerprint_seed, Commitment, Opening},
    error::Result,
    evidence::EvidenceBuilder,
    scorer::Scorer,
};

/// What a replay found on one output token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TokenCheck {
    /// Output tokens before it.
    pub index: u32,
    /// The claimed id.
    pub token: u32,
    /// The id that the auditor's own logits give.
    pub expected: u32,
    /// By how much the claim misses, millionths of a logit, unclipped; `u64::MAX` for an id that cannot come out.
    pub margin_micro: u64,
    /// L1 distance of the claimed fingerprint from the auditor's.
    pub fingerprint_distance: u32,
}

/// The outcome of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// What to reveal.
    pub verdict: Verdict,
    /// What the verdict is judged by; all zero when a check that needs no model failed.
    pub statistics: AuditStatistics,
    /// Proof of having replayed; empty when the model was not run.
    pub evidence: Evidence,
    /// Per output token.
    pub tokens: Vec<TokenCheck>,
}

/// Replays the whole output of `opening` and judges it by `thresholds`; `panel` is the seed of the panel's
/// evidence.
///
/// First everything that needs no model (see [`Commitment::check`]), each failure `Hard`; then one
/// teacher-forced pass over prompt and output, which scores **every** output position, so a cheat cannot hide in
/// a suffix.
///
/// # Errors
/// The auditor's own trouble only: the engine failed. Nothing that an executor claims is an error.
pub fn replay<S: Scorer + ?Sized>(
    scorer: &S,
    commitment: &Commitment,
    opening: &Opening<'_>,
    thresholds: &AuditThresholds,
    panel: &H256,
) -> Result<Replay> {
    if let Err(reason) = check_without_model(scorer, commitment, opening) {
        return Ok(Replay {
            verdict: Verdict::Hard(reason),
            statistics: AuditStatistics::default(),
            evidence: Evidence::default(),
            tokens: Vec::new(),
        });
    }
    let outputs = opening.output_ids.len();
    let indices: Vec<usize> = (0..outputs).collect();
    let mut evidence = EvidenceBuilder::new(panel, outputs, scorer.hidden_size());
    let tokens = measure(
        scorer,
        commitment,
        opening,
        thresholds.boundary_micro,
        &indices,
        |index, hidden| evidence.add(index, hidden),
    )?;
    let statistics = summarise(&tokens, thresholds.clip_micro);
    Ok(Replay {
        verdict: judge(&statistics, thresholds),
        statistics,
        evidence: evidence.finish(),
        tokens,
    })
}

/// Replays several claims as one case: the worst verdict of all, and one evidence over all their output positions, so
/// that whoever skips a claim has nothing to show for the positions in it.
///
/// # Errors
/// As [`replay`].
pub fn replay_all<S: Scorer + ?Sized>(
    scorer: &S,
    claims: &[(Commitment, Opening<'_>)],
    thresholds: &AuditThresholds,
    panel: &H256,
) -> Result<(Verdict, Evidence)> {
    let outputs = claims
        .iter()
        .map(|(_, opening)| opening.output_ids.len())
        .sum();
    let mut evidence = EvidenceBuilder::new(panel, outputs, scorer.hidden_size());
    let (mut verdict, mut before) = (Verdict::Valid, 0usize);
    for (commitment, opening) in claims {
        if let Err(reason) = check_without_model(scorer, commitment, opening) {
            return Ok((Verdict::Hard(reason), Evidence::default()));
        }
        let indices: Vec<usize> = (0..opening.output_ids.len()).collect();
        let tokens = measure(
            scorer,
            commitment,
            opening,
            thresholds.boundary_micro,
            &indices,
            |index, hidden| evidence.add(before.saturating_add(index), hidden),
        )?;
        match judge(&summarise(&tokens, thresholds.clip_micro), thresholds) {
            Verdict::Valid => {}
            Verdict::Soft => verdict = Verdict::Soft,
            other => return Ok((other, Evidence::default())),
        }
        before = before.saturating_add(opening.output_ids.len());
    }
    Ok((verdict, evidence.finish()))
}

/// All checks that need no model: what was committed, how it ends, and whether an honest executor could have
/// taken the request at all (it refuses an empty prompt, ids outside the vocabulary, more than the context).
pub(crate) fn check_without_model<S: Scorer + ?Sized>(
    scorer: &S,
    commitment: &Commitment,
    opening: &Opening<'_>,
) -> Result<(), HardReason> {
    commitment.check(opening)?;
    commitment.check_finish(opening.output_ids, scorer.end_ids())?;
    let exists = |id: &u32| (*id as usize) < scorer.vocab_size();
    let sequence = opening
        .prompt_ids
        .len()
        .saturating_add(commitment.sampling.max_tokens as usize);
    if opening.prompt_ids.is_empty() || sequence > scorer.context_len() {
        return Err(HardReason::PromptCount);
    }
    if commitment.sampling.validate().is_err() {
        return Err(HardReason::Mismatch);
    }
    if !opening.prompt_ids.iter().all(exists) || !opening.output_ids.iter().all(exists) {
        return Err(HardReason::Mismatch);
    }
    Ok(())
}

/// Logits that wait to be checked together, in elements: bounds their memory.
const WAITING: usize = 1 << 21;

/// A position that waits to be checked.
struct Row {
    index: usize,
    logits: Vec<f32>,
    hidden: Vec<f32>,
}

/// Checks the output tokens at `indices` (ascending) in one pass up to the last of them. `see` is shown each
/// hidden state. The claim has passed [`check_without_model`].
pub(crate) fn measure<S: Scorer + ?Sized>(
    scorer: &S,
    commitment: &Commitment,
    opening: &Opening<'_>,
    boundary_micro: u32,
    indices: &[usize],
    mut see: impl FnMut(usize, &[f32]) -> Result<()>,
) -> Result<Vec<TokenCheck>> {
    let sampling = &commitment.sampling;
    let delta = f64::from(boundary_micro) / 1e6;
    let fingerprinter = Fingerprinter::new(
        &fingerprint_seed(&commitment.prompt_hash),
        scorer.hidden_size(),
    );
    let prompt = opening.prompt_ids.len();
    // Position p of the sequence chooses the token at p + 1.
    let wanted: Vec<usize> = indices
        .iter()
        .map(|index| prompt.saturating_add(*index).saturating_sub(1))
        .collect();
    let ids = [opening.prompt_ids, opening.output_ids].concat();
    let check = |row: &Row| -> Result<Option<TokenCheck>> {
        let index = row.index;
        let Some((&token, leaf)) = opening.output_ids.get(index).zip(opening.trace.get(index))
        else {
            return Ok(None);
        };
        let position = prompt.saturating_add(index) as u64;
        let (expected, margin) =
            expected_and_margin(&row.logits, sampling, position, token, delta)?;
        let fingerprint = fingerprinter.fingerprint(&row.hidden)?;
        Ok(Some(TokenCheck {
            index: index as u32,
            token,
            expected,
            margin_micro: micro(margin),
            fingerprint_distance: fingerprint_distance(&leaf.fingerprint, &fingerprint),
        }))
    };
    let mut checks = Vec::with_capacity(indices.len());
    let mut check_all = |rows: &mut Vec<Row>| -> Result<()> {
        // Noise of a whole vocabulary for each: spread over the cores.
        let done = rows.par_iter().map(check).collect::<Result<Vec<_>>>()?;
        checks.extend(done.into_iter().flatten());
        rows.clear();
        Ok(())
    };
    let most = (WAITING / scorer.vocab_size().max(1)).max(1);
    let mut rows = Vec::new();
    scorer.score_at(&ids, &wanted, &mut |at| {
        let index = (at.index + 1).saturating_sub(prompt);
        see(index, at.hidden)?;
        rows.push(Row {
            index,
            logits: at.logits.to_vec(),
            hidden: at.hidden.to_vec(),
        });
        if rows.len() >= most {
            check_all(&mut rows)?;
        }
        Ok(())
    })?;
    check_all(&mut rows)?;
    Ok(checks)
}

/// Statistics over checked tokens, margins clipped at `clip_micro` in the sum.
pub fn summarise(tokens: &[TokenCheck], clip_micro: u32) -> AuditStatistics {
    tokens
        .iter()
        .fold(AuditStatistics::default(), |sum, token| AuditStatistics {
            tokens: sum.tokens.saturating_add(1),
            mismatches: sum
                .mismatches
                .saturating_add(u32::from(token.token != token.expected)),
            margin_sum_micro: sum
                .margin_sum_micro
                .saturating_add(token.margin_micro.min(u64::from(clip_micro))),
            max_margin_micro: sum.max_margin_micro.max(token.margin_micro),
            fingerprint_sum: sum
                .fingerprint_sum
                .saturating_add(u64::from(token.fingerprint_distance)),
            max_fingerprint: sum.max_fingerprint.max(token.fingerprint_distance),
        })
}

/// Logit units to millionths; infinite is `u64::MAX`.
pub(crate) fn micro(logits: f64) -> u64 {
    // A float-to-integer cast saturates, and NaN cannot come from finite logits.
    (logits * 1e6).round() as u64
}
