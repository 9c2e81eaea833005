//! A run as one member sees it at one block: plain values, wherever they were read.

use std::collections::{BTreeMap, BTreeSet};

use chasqui_chain::AccountId32;
use chasqui_primitives::{
    training::{
        machine::Settling, rank_of, Contribution, Judged, List, Member, ModelState, Phase, Round,
        Run, RunTerms,
    },
    RunId,
};
use chasqui_training::diloco::RoundPlan;
use sp_core::H256;

/// A round with what its members contributed, by rank.
#[derive(Clone, Debug)]
pub struct RoundFacts {
    /// Its number.
    pub number: u32,
    /// Seeds, members, counts.
    pub record: Round,
    /// What members contributed so far.
    pub contributions: BTreeMap<u32, Contribution<AccountId32>>,
}

impl RoundFacts {
    /// What `who` contributed, with its rank.
    pub fn of(&self, who: &AccountId32) -> Option<(u32, &Contribution<AccountId32>)> {
        self.contributions
            .iter()
            .find(|(_, contribution)| contribution.who == *who)
            .map(|(rank, contribution)| (*rank, contribution))
    }

    /// The accepted pseudo-gradients in rank order: what the outer step is taken over.
    pub fn accepted(&self) -> Vec<H256> {
        self.contributions
            .values()
            .filter(|contribution| contribution.judged == Judged::Accepted)
            .filter_map(|contribution| contribution.report)
            .map(|report| report.gradient)
            .collect()
    }

    /// Who revealed which pseudo-gradient, by rank.
    pub fn gradients(&self) -> impl Iterator<Item = (u32, AccountId32, H256)> + '_ {
        self.contributions
            .iter()
            .filter_map(|(rank, contribution)| {
                let report = contribution.report?;
                Some((*rank, contribution.who, report.gradient))
            })
    }
}

/// A run as one member sees it at one block.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The block.
    pub block: u32,
    /// What commitments bind.
    pub genesis: H256,
    /// The run's number.
    pub id: RunId,
    /// Its root.
    pub root: H256,
    /// What it was agreed on.
    pub terms: RunTerms,
    /// Where it stands.
    pub run: Run<AccountId32>,
    /// The operator.
    pub who: AccountId32,
    /// What the run says of it.
    pub member: Option<Member>,
    /// All members.
    pub members: Vec<AccountId32>,
    /// The round that runs.
    pub round: Option<RoundFacts>,
    /// The agreed round that is not final yet.
    pub pending: Option<RoundFacts>,
    /// Rounds that are not done with, with their first and last models.
    pub live: BTreeMap<u32, Round>,
}

impl Facts {
    /// Whether the operator takes part in rounds.
    pub fn is_active(&self) -> bool {
        self.member
            .is_some_and(|member| member.list == List::Active)
    }

    /// The operator's rank in the running round, once that is drawn.
    pub fn rank(&self) -> Option<u32> {
        let member = self.member.filter(|member| member.list == List::Active)?;
        let record = &self.round.as_ref()?.record;
        rank_of(&record.seed?, member.slot, record.members)
    }

    /// The operator's part of the running round, once ranks are drawn.
    pub fn plan(&self) -> Option<RoundPlan> {
        let round = self.round.as_ref()?;
        Some(RoundPlan {
            run: self.root,
            round: round.number,
            seed: round.record.seed?,
            members: round.record.members,
            rank: self.rank()?,
            first_sequence: round.record.first_sequence,
        })
    }

    /// What the operator contributed to the running round.
    pub fn own(&self) -> Option<&Contribution<AccountId32>> {
        let contribution = self.round.as_ref()?.contributions.get(&self.rank()?)?;
        Some(contribution).filter(|contribution| contribution.who == self.who)
    }

    /// The first block at which the agreed round cannot be challenged any more; `None` when it cannot now.
    pub fn challengeable_until(&self) -> Option<u32> {
        match self.run.pending.as_ref()?.settling {
            Settling::Window { until } => Some(until),
            _ => None,
        }
    }

    /// Models that somebody may need: the newest, the newest final one, and those that rounds under way lead to and from.
    pub fn models(&self) -> BTreeSet<H256> {
        let rounds = self.live.values();
        let named = rounds.flat_map(|round| [round.base, round.agreed]);
        named
            .chain([self.run.model, self.run.settled.map(|last| last.model)])
            .flatten()
            .flat_map(|model: ModelState| [model.params, model.momentum])
            .collect()
    }

    /// Whether blobs of round `round` may still be asked for: by its cases, or by what the member carries on from.
    pub fn needs_round(&self, round: u32) -> bool {
        let carried = self.member.and_then(|member| member.carried);
        let before = self.member.and_then(|member| member.before);
        let carries = |of: Option<chasqui_primitives::training::members::Carried>| {
            of.is_some_and(|carried| carried.round == round)
        };
        self.live.contains_key(&round)
            || (round >= self.run.round && !self.run.phase.is_over())
            || carries(carried)
            || carries(before)
    }
}

/// A phase in one word, for people and metrics.
pub fn phase_name(phase: &Phase) -> &'static str {
    match phase {
        Phase::Forming => "forming",
        Phase::Warmup { .. } => "warmup",
        Phase::Leavers { .. } | Phase::Joiners { .. } => "edge",
        Phase::Seed => "seed",
        Phase::Train { .. } => "train",
        Phase::Exchange { .. } => "exchange",
        Phase::Attest { .. } => "attest",
        Phase::Tally { .. } | Phase::Include { .. } => "tally",
        Phase::Draw | Phase::Open { .. } => "draw",
        Phase::Audit { .. } => "audit",
        Phase::Agree { .. } => "agree",
        Phase::Close { .. } => "close",
        Phase::Cooldown { .. } => "cooldown",
        Phase::Disband { .. } => "disband",
        Phase::Finished => "finished",
        Phase::Failed(_) => "failed",
    }
}

/// The first block that is too late for what a phase asks of members.
pub fn deadline(phase: &Phase) -> Option<u32> {
    match phase {
        Phase::Warmup { until }
        | Phase::Train { until }
        | Phase::Exchange { until }
        | Phase::Attest { until }
        | Phase::Audit { until }
        | Phase::Agree { until } => Some(*until),
        _ => None,
    }
}
