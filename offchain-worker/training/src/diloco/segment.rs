//! A validator's view of one member's round: what is replayed and what that shows.

use std::ops::ControlFlow;

use chasqui_primitives::audit::{Evidence, Verdict};
use chasqui_primitives::blob::{blob_root, CHUNK_BYTES};
use chasqui_primitives::training::{AuditTerms, RoundReport, StateLeaf};
use sp_core::H256;

use super::blobs::{need, Blobs};
use super::dataset::Dataset;
use super::evidence::EvidenceBuilder;
use super::inner::Inner;
use super::judge::{judge, Drift, Fault, Findings, Part, SegmentFinding};
use super::kept::KeptStates;
use super::outer::{norm, pseudo_gradient};
use super::plan::RoundPlan;
use super::state::{load_vector, vector_root, TrainState};
use crate::error::{Result, TrainingError};

/// What a member claims of a round, and what was known before.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The member's part of the round.
    pub plan: RoundPlan,
    /// What it revealed.
    pub report: RoundReport,
    /// Root of the agreed weights that the round starts from.
    pub agreed: H256,
    /// The last leaf of the member's last accepted round; `None` for its first.
    pub previous: Option<StateLeaf>,
}

/// How a claim is judged.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Segments to replay, drawn after the report was public.
    pub picked: Vec<u32>,
    /// Whether the member's replay class is this machine's: then every bit must agree.
    pub same_class: bool,
    /// The run's limits where the classes differ.
    pub terms: AuditTerms,
    /// What earlier audits of this run found of the member, where the classes differ.
    pub before: Drift,
    /// Seed of the panel's evidence.
    pub seed: H256,
}

/// The outcome of an audit.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// What to reveal.
    pub verdict: Verdict,
    /// What it follows from.
    pub findings: Findings,
    /// Proof of having replayed; zeros where nothing was.
    pub evidence: Evidence,
}

/// Checks a member's round: that it began at the agreed model with its own moments and residual, that the segments drawn
/// are what training gives, that what it sent is the encoding of where it ended, and that its report says so. (Its loss
/// is taken as stated: nothing is paid or decided by it.)
///
/// `blobs` gives what the member serves. What the auditor itself needs (base and dataset) is in `inner` and `dataset`; one
/// that lacks them says `NoModel` without asking here.
///
/// # Errors
/// The auditor's own trouble only: its dataset cannot be read, its store fails. Nothing that a member claims is an error.
pub fn audit<B: Blobs + ?Sized>(
    inner: &mut Inner,
    dataset: &Dataset,
    claim: &Claim,
    rules: &Rules,
    blobs: &B,
) -> Result<Audit> {
    let mut findings = Findings::default();
    let mut evidence = EvidenceBuilder::new(&rules.seed, rules.picked.len());
    if let Some(kept) = opened(inner, claim, blobs, &mut findings)? {
        first_leaf(inner, claim, &kept, &mut findings);
        encoding(inner, claim, &kept, blobs, &mut findings)?;
        for (position, &segment) in rules.picked.iter().enumerate() {
            // One fault decides.
            if findings.fault.is_some() {
                break;
            }
            let found = replay(inner, dataset, claim, &kept, segment, blobs)?;
            match found {
                Replayed::Withheld => findings.withheld = true,
                Replayed::Fault(fault) => findings.fault = Some(fault),
                Replayed::Done { finding, delta } => {
                    evidence.add(position, &delta);
                    findings.segments.push(finding);
                }
            }
        }
    }
    Ok(Audit {
        verdict: judge(&findings, rules.same_class, &rules.before, &rules.terms),
        evidence: evidence.finish(),
        findings,
    })
}

/// Sorts a member's blob trouble from the auditor's own.
fn sort<T>(result: Result<T>, fault: Fault, findings: &mut Findings) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(TrainingError::MissingBlob { .. }) => {
            findings.withheld = true;
            Ok(None)
        }
        Err(TrainingError::BadBlob { .. } | TrainingError::Gradient(_)) => {
            findings.fault.get_or_insert(fault);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The kept leaves, if they are those of the report and at the steps that the seed names.
fn opened<B: Blobs + ?Sized>(
    inner: &Inner,
    claim: &Claim,
    blobs: &B,
    findings: &mut Findings,
) -> Result<Option<KeptStates>> {
    let steps = claim.plan.kept_steps(inner.recipe());
    if claim.report.leaves as usize != steps.len() {
        findings.fault = Some(Fault::Opening);
        return Ok(None);
    }
    let loaded = KeptStates::load(&claim.report, blobs);
    let Some(kept) = sort(loaded, Fault::Opening, findings)? else {
        return Ok(None);
    };
    let start = claim.previous.map_or(0, |leaf| leaf.step);
    let fits = kept.leaves().iter().zip(&steps).all(|(leaf, &step)| {
        leaf.step == start.saturating_add(u64::from(step))
            && leaf.next_sequence == claim.plan.cursor(inner.recipe(), step)
    });
    if !fits {
        findings.fault = Some(Fault::Opening);
        return Ok(None);
    }
    Ok(Some(kept))
}

/// The first leaf is the agreed model with what the member's last accepted round left, zeros in its first. Within the
/// round the residual stays as it was, up to the encoding at its end.
fn first_leaf(inner: &Inner, claim: &Claim, kept: &KeptStates, findings: &mut Findings) {
    let Some((first, rest)) = kept.leaves().split_first() else {
        return;
    };
    let inherited = match &claim.previous {
        Some(previous) => [previous.first, previous.second, previous.residual],
        None => {
            let zeros = |len| vector_root(&vec![0.0; len]);
            let moments = zeros(inner.shape().params);
            [moments, moments, zeros(inner.shape().residual)]
        }
    };
    let between = rest.split_last().map_or(&[][..], |(_, between)| between);
    let carried = between.iter().all(|leaf| leaf.residual == first.residual);
    let fits = first.params == claim.agreed
        && [first.first, first.second, first.residual] == inherited
        && carried;
    if !fits {
        findings.fault.get_or_insert(Fault::FirstLeaf);
    }
}

/// The pseudo-gradient is what the codec makes of the agreed weights, the last state and the residual, and so is the new
/// residual.
fn encoding<B: Blobs + ?Sized>(
    inner: &Inner,
    claim: &Claim,
    kept: &KeptStates,
    blobs: &B,
    findings: &mut Findings,
) -> Result<()> {
    let (Some(first), Some(last)) = (kept.leaves().first(), kept.leaves().last()) else {
        return Ok(());
    };
    let shape = inner.shape();
    let vector = |what, root, len| load_vector(blobs, what, root, len);
    let loaded = vector("weights", &first.params, shape.params).and_then(|start| {
        let end = vector("weights", &last.params, shape.params)?;
        let residual = vector("residual", &first.residual, shape.residual)?;
        Ok((start, end, residual))
    });
    let Some((start, end, mut residual)) = sort(loaded, Fault::State, findings)? else {
        return Ok(());
    };
    let encoded =
        pseudo_gradient(&start, &end).and_then(|delta| inner.coder().encode(&delta, &mut residual));
    let Some(bytes) = sort(encoded, Fault::Encoding, findings)? else {
        return Ok(());
    };
    if blob_root(&bytes, CHUNK_BYTES) != claim.report.gradient
        || vector_root(&residual) != last.residual
    {
        findings.fault.get_or_insert(Fault::Encoding);
        return Ok(());
    }
    let norm = norm_milli(inner, &bytes)?;
    let most = inner.recipe().tokens_per_round();
    let report = &claim.report;
    if report.norm_milli != norm || report.tokens != most || report.units > most {
        findings.fault.get_or_insert(Fault::Report);
        return Ok(());
    }
    // Right, but is it to be had?
    let limit = inner.coder().encoded_len();
    let served = need(blobs, "pseudo-gradient", &claim.report.gradient, limit);
    sort(served, Fault::Encoding, findings)?;
    Ok(())
}

enum Replayed {
    Withheld,
    Fault(Fault),
    Done {
        finding: SegmentFinding,
        /// What the replay moved the weights by.
        delta: Vec<f32>,
    },
}

/// Replays one segment from the state that the member says it began with.
fn replay<B: Blobs + ?Sized>(
    inner: &mut Inner,
    dataset: &Dataset,
    claim: &Claim,
    kept: &KeptStates,
    segment: u32,
    blobs: &B,
) -> Result<Replayed> {
    let steps = claim.plan.kept_steps(inner.recipe());
    let at = segment as usize;
    let (Some(&[from, to]), Some(&[start, end])) = (
        steps.get(at..at + 2).and_then(|pair| pair.first_chunk()),
        kept.leaves()
            .get(at..at + 2)
            .and_then(|pair| pair.first_chunk()),
    ) else {
        return Err(TrainingError::setting(
            "picked",
            format!("segment {segment} of {}", steps.len().saturating_sub(1)),
        ));
    };
    let mut local = Findings::default();
    let loaded = inner.shape().load(&start, blobs);
    let begun = sort(loaded, Fault::State, &mut local)?;
    let Some(begun) = begun else {
        return Ok(local.fault.map_or(Replayed::Withheld, Replayed::Fault));
    };
    let before = begun.params.clone();
    let first_moments = begun.optimizer.moments().0.to_vec();
    let second_moments = begun.optimizer.moments().1.to_vec();
    let run = inner.run(begun, &claim.plan, dataset, from, to, |_| {
        ControlFlow::Continue(())
    });
    let own = match run {
        Ok(state) => state,
        // An honest member cannot get past it either.
        Err(TrainingError::Diverged { .. }) => return Ok(Replayed::Fault(Fault::Diverged)),
        Err(error) => return Err(error),
    };
    let delta: Vec<f32> = own.params.iter().zip(&before).map(|(a, b)| a - b).collect();
    let (own_first, own_second) = own.optimizer.moments();
    let exact = vector_root(&own.params) == end.params
        && vector_root(own_first) == end.first
        && vector_root(own_second) == end.second;
    if exact {
        let moved = Part::exact(&own.params, &before);
        return Ok(Replayed::Done {
            finding: SegmentFinding {
                segment,
                exact,
                drift: Drift {
                    params: moved,
                    first: Part::exact(own_first, &first_moments),
                    second: Part::exact(own_second, &second_moments),
                },
            },
            delta,
        });
    }
    let claimed = inner.shape().load(&end, blobs);
    let Some(claimed) = sort(claimed, Fault::State, &mut local)? else {
        return Ok(local.fault.map_or(Replayed::Withheld, Replayed::Fault));
    };
    let (claimed_first, claimed_second) = claimed.optimizer.moments();
    Ok(Replayed::Done {
        finding: SegmentFinding {
            segment,
            exact,
            drift: Drift {
                params: Part::measure(&claimed.params, &own.params, &before),
                first: Part::measure(claimed_first, own_first, &first_moments),
                second: Part::measure(claimed_second, own_second, &second_moments),
            },
        },
        delta,
    })
}

/// Norm of an encoded pseudo-gradient as reports state it: thousandths, rounded.
///
/// # Errors
/// The bytes do not decode.
pub fn norm_milli(inner: &Inner, bytes: &[u8]) -> Result<u64> {
    // A float-to-integer cast saturates.
    Ok((norm(&inner.coder().decode(bytes)?) * 1e3).round() as u64)
}

/// Encodes the end of a round: the pseudo-gradient's blob, and the state with the residual that is left.
///
/// # Errors
/// The run has diverged, or the store fails.
pub fn encode_end<B: Blobs + ?Sized>(
    inner: &Inner,
    agreed: &[f32],
    mut end: TrainState,
    blobs: &B,
) -> Result<(H256, StateLeaf, Vec<u8>)> {
    let delta = pseudo_gradient(agreed, &end.params)?;
    let bytes = inner.coder().encode(&delta, &mut end.residual)?;
    let gradient = blobs.put(&bytes)?;
    Ok((gradient, end.store(blobs)?, bytes))
}
