//! A validator's side of a training run: from what the chain says and what members serve to a verdict.
//!
//! The two functions here take everything as arguments, so that a verdict depends on nothing else and a validator that
//! begins anew comes to the same one, with the same evidence. Where blobs come from is [`remote`]'s; what earlier audits
//! found of a member whose bits are others' is [`ledger`]'s.

pub mod ledger;
pub mod remote;

use anyhow::{Context, Result};
use chasqui_primitives::{
    audit::{Evidence, HardReason, Verdict},
    blob::BlobInfo,
    training::{
        members::Carried, picked_segments, ModelState, ReplayClass, Round, RoundReport, RunTerms,
        StateLeaf,
    },
};
use chasqui_training::{
    diloco::{
        agreement::{check_model, outer_result, store_model},
        evidence::EvidenceBuilder,
        judge::{Drift, Fault},
        kept::LEAF_BYTES,
        segment::{audit, Claim, Rules},
        state::vector_root,
        Blobs, Dataset, RoundPlan,
    },
    TrainingError,
};
use parity_scale_codec::DecodeAll;
use sp_core::H256;

use super::setup::{self, Trainer};

/// A member's round, as the chain tells it.
#[derive(Clone, Debug)]
pub struct MemberRound {
    /// The run's root.
    pub run: H256,
    /// What it was agreed on.
    pub terms: RunTerms,
    /// The round's number.
    pub number: u32,
    /// The round.
    pub round: Round,
    /// The member's rank in it.
    pub rank: u32,
    /// What it revealed.
    pub report: RoundReport,
    /// Whose bits it says it computes.
    pub class: ReplayClass,
    /// What it carries on from, of a round before this one; `None` in its first.
    pub carried: Option<Carried>,
}

/// A round's outer step that was challenged, as the chain tells it.
#[derive(Clone, Debug)]
pub struct OuterRound {
    /// What the run was agreed on.
    pub terms: RunTerms,
    /// The agreed model before; `None`: the run's start.
    pub before: Option<ModelState>,
    /// The accepted pseudo-gradients, in rank order.
    pub included: Vec<H256>,
    /// What members agreed on.
    pub agreed: ModelState,
}

/// A verdict and what it follows from.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What to reveal.
    pub verdict: Verdict,
    /// Proof of having computed it.
    pub evidence: Evidence,
    /// The first thing that is plainly false.
    pub fault: Option<Fault>,
    /// How far apart claim and replay are, over the segments replayed.
    pub drift: Drift,
    /// Inner steps that were replayed.
    pub replayed: u64,
    /// Inner steps that the member took in the round.
    pub trained: u64,
}

impl Judgement {
    fn plain(verdict: Verdict) -> Self {
        Self {
            verdict,
            evidence: Evidence::default(),
            fault: None,
            drift: Drift::default(),
            replayed: 0,
            trained: 0,
        }
    }

    /// Of a validator that lacks the base model or the data.
    pub fn no_model() -> Self {
        Self::plain(Verdict::NoModel)
    }
}

/// The name of the list of kept states that a report, or what is carried on, commits to.
pub fn kept_list(kept: H256, leaves: u32) -> H256 {
    BlobInfo {
        len: u64::from(leaves).saturating_mul(u64::from(LEAF_BYTES)),
        chunk: LEAF_BYTES,
        tree: kept,
    }
    .root()
}

/// Judges a member's round. `before` is what earlier audits of the run found of the member, `seed` the panel's.
///
/// # Errors
/// The validator's own trouble: its data or its store fail. Nothing that the member claims or withholds is an error.
pub fn judge_member<B: Blobs + ?Sized>(
    trainer: &mut Trainer,
    dataset: &Dataset,
    about: &MemberRound,
    before: Drift,
    seed: &H256,
    blobs: &B,
) -> Result<Judgement> {
    let round = &about.round;
    let drawn = round.seed.context("the round has no seed yet")?;
    let audit_seed = round.audit_seed.context("its audits have no seed yet")?;
    let recipe = &about.terms.recipe;
    let previous = match &about.carried {
        None => None,
        Some(carried) => match last_leaf(carried, blobs)? {
            Some(leaf) => Some(leaf),
            // What it carries on from must be served as long as it goes on.
            None => return Ok(Judgement::plain(Verdict::Withheld)),
        },
    };
    let agreed = match &round.base {
        Some(model) => model.params,
        None => vector_root(&setup::start(&trainer.inner, &about.terms).params),
    };
    let kept = recipe.kept_steps(&drawn);
    let claim = Claim {
        plan: RoundPlan {
            run: about.run,
            round: about.number,
            seed: drawn,
            members: round.members,
            rank: about.rank,
            first_sequence: round.first_sequence,
        },
        report: about.report,
        agreed,
        previous,
    };
    let rules = Rules {
        picked: picked_segments(&audit_seed, about.rank, &kept, about.terms.audit.segments),
        same_class: trainer.class == Some(about.class),
        terms: about.terms.audit,
        before,
        seed: *seed,
    };
    let found = audit(&mut trainer.inner, dataset, &claim, &rules, blobs)?;
    let steps = |segment: u32| match kept.get(segment as usize..) {
        Some([from, to, ..]) => u64::from(to.saturating_sub(*from)),
        _ => 0,
    };
    let replayed = found.findings.segments.iter();
    Ok(Judgement {
        verdict: found.verdict,
        evidence: found.evidence,
        fault: found.findings.fault,
        drift: found.findings.drift(),
        replayed: replayed.map(|finding| steps(finding.segment)).sum(),
        trained: u64::from(recipe.inner_steps),
    })
}

/// The state that a member's next round carries on from; `None` when the list of that round's states is not to be had.
fn last_leaf<B: Blobs + ?Sized>(carried: &Carried, blobs: &B) -> Result<Option<StateLeaf>> {
    let root = kept_list(carried.kept, carried.leaves);
    let len = u64::from(carried.leaves).saturating_mul(u64::from(LEAF_BYTES));
    let Some(bytes) = blobs.get(&root, len)? else {
        return Ok(None);
    };
    let (leaves, _) = bytes.as_chunks::<{ LEAF_BYTES as usize }>();
    let last = leaves.last().context("what is carried on has no leaf")?;
    // The round was accepted, and an audit of it had to read them.
    let leaf = StateLeaf::decode_all(&mut &last[..]).context("what is carried on is no state")?;
    Ok(Some(leaf))
}

/// Judges an agreed outer step: every bit follows from the model before and the accepted pseudo-gradients. `Valid`: what
/// was agreed on is right.
///
/// # Errors
/// The validator's own trouble: its store fails.
pub fn judge_outer<B: Blobs + ?Sized>(
    trainer: &mut Trainer,
    about: &OuterRound,
    seed: &H256,
    blobs: &B,
) -> Result<Judgement> {
    let inner = &trainer.inner;
    let before = match about.before {
        Some(before) => before,
        None => store_model(&setup::start(inner, &about.terms), inner, blobs)?,
    };
    let start = match check_model(&before, inner, blobs) {
        Ok(model) => model.params,
        Err(TrainingError::MissingBlob { .. }) => return Ok(Judgement::plain(Verdict::Withheld)),
        // What nobody can start from leads nowhere.
        Err(TrainingError::BadBlob { .. }) => {
            return Ok(Judgement::plain(Verdict::Hard(HardReason::Mismatch)))
        }
        Err(error) => return Err(error.into()),
    };
    let result = match outer_result(&before, &about.included, inner, blobs) {
        Ok((model, _)) => model,
        Err(TrainingError::MissingBlob { .. }) => return Ok(Judgement::plain(Verdict::Withheld)),
        // Accepted without being a pseudo-gradient: no model follows from it.
        Err(TrainingError::BadBlob { .. } | TrainingError::Gradient(_)) => {
            return Ok(Judgement::plain(Verdict::Hard(HardReason::Mismatch)))
        }
        Err(error) => return Err(error.into()),
    };
    let agrees = result.hash(inner.layout()) == about.agreed.hash
        && vector_root(&result.params) == about.agreed.params
        && vector_root(&result.momentum) == about.agreed.momentum;
    let moved: Vec<f32> = result
        .params
        .iter()
        .zip(&start)
        .map(|(after, before)| after - before)
        .collect();
    let mut evidence = EvidenceBuilder::new(seed, 1);
    evidence.add(0, &moved);
    Ok(Judgement {
        evidence: evidence.finish(),
        ..Judgement::plain(match agrees {
            true => Verdict::Valid,
            false => Verdict::Hard(HardReason::Mismatch),
        })
    })
}
