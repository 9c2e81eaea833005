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
        members::Carried, picked_segments, Member, ModelState, ReplayClass, Round, RoundReport,
        RunTerms, StateLeaf,
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
    /// What it carries on from.
    pub carried: CarriedFrom,
}

/// Whose moments and residual a member's round begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarriedFrom {
    /// It is the member's first round: zeros.
    Nothing,
    /// Its last accepted round before.
    Round(Carried),
    /// The chain knows no more: the member has left, or two rounds were agreed on since. What it begins with is then taken
    /// as stated, because nobody must be convicted for what cannot be known.
    Unknown,
}

impl CarriedFrom {
    /// What the chain says of a member's round `number`; `member` is `None` for one that has left.
    pub fn of(member: Option<&Member>, number: u32) -> Self {
        let Some(member) = member else {
            return Self::Unknown;
        };
        let is_earlier = |carried: &Carried| carried.round < number;
        match (member.carried, member.before) {
            (None, _) => Self::Nothing,
            (Some(last), _) if is_earlier(&last) => Self::Round(last),
            (_, Some(before)) if is_earlier(&before) => Self::Round(before),
            // What was agreed on since was its first.
            (Some(_), None) => Self::Nothing,
            (Some(_), Some(_)) => Self::Unknown,
        }
    }
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
    let (list, leaves) = match &about.carried {
        CarriedFrom::Nothing => (None, 0),
        CarriedFrom::Round(carried) => (Some(carried.kept), carried.leaves),
        CarriedFrom::Unknown => (Some(about.report.kept), about.report.leaves),
    };
    let previous = match list {
        None => None,
        Some(kept) => match (kept_leaves(kept, leaves, blobs)?, &about.carried) {
            // What it carries on from must be served as long as it goes on.
            (None, _) => return Ok(Judgement::plain(Verdict::Withheld)),
            (Some(leaves), CarriedFrom::Unknown) => leaves.first().copied(),
            (Some(leaves), _) => leaves.last().copied(),
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

/// The list of a round's kept states, as far as they are states; `None` when it is not to be had.
fn kept_leaves<B: Blobs + ?Sized>(
    kept: H256,
    leaves: u32,
    blobs: &B,
) -> Result<Option<Vec<StateLeaf>>> {
    let len = u64::from(leaves).saturating_mul(u64::from(LEAF_BYTES));
    let bytes = match blobs.get(&kept_list(kept, leaves), len) {
        Ok(bytes) => bytes,
        // No bytes are those leaves: the audit itself says so.
        Err(TrainingError::BadBlob { .. }) => Some(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let decoded = bytes.map(|bytes| {
        let (leaves, _) = bytes.as_chunks::<{ LEAF_BYTES as usize }>();
        leaves
            .iter()
            .map_while(|leaf| StateLeaf::decode_all(&mut &leaf[..]).ok())
            .collect()
    });
    Ok(decoded)
}

/// Fetches what the audit of a member's round will ask for, so that nobody waits for a network while it holds a device.
/// What does not come is not missed here.
///
/// # Errors
/// The validator's own trouble: its store fails.
pub fn fetch_member<B: Blobs + ?Sized>(
    trainer: &Trainer,
    about: &MemberRound,
    blobs: &B,
) -> Result<()> {
    let (Some(drawn), Some(audit_seed)) = (about.round.seed, about.round.audit_seed) else {
        return Ok(());
    };
    if let CarriedFrom::Round(carried) = &about.carried {
        kept_leaves(carried.kept, carried.leaves, blobs)?;
    }
    let leaves = kept_leaves(about.report.kept, about.report.leaves, blobs)?.unwrap_or_default();
    let kept = about.terms.recipe.kept_steps(&drawn);
    let picked = picked_segments(&audit_seed, about.rank, &kept, about.terms.audit.segments);
    let shape = trainer.inner.shape();
    let vector = |len: usize| 4 * len as u64;
    let (params, residual) = (vector(shape.params), vector(shape.residual));
    let mut wanted = vec![(about.report.gradient, trainer.inner.coder().encoded_len())];
    if let (Some(first), Some(last)) = (leaves.first(), leaves.last()) {
        wanted.push((first.params, params));
        wanted.push((first.residual, residual));
        wanted.push((last.params, params));
    }
    for leaf in picked.iter().filter_map(|at| leaves.get(*at as usize)) {
        let moments = [leaf.params, leaf.first, leaf.second];
        wanted.extend(moments.map(|root| (root, params)));
        wanted.push((leaf.residual, residual));
    }
    for (root, limit) in wanted {
        match blobs.get(&root, limit) {
            Ok(_) | Err(TrainingError::BadBlob { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
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
