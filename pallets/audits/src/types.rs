//! What the pallet stores.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::Config;
use alloc::vec::Vec;
use chasqui_primitives::{
    audit::{Evidence, Stage, Subject, Tally, Verdict},
    traits::Electorate,
    Balance, CheckpointRoot, RelayBlockNumber, DOT, MAX_OPENING_BYTES,
};
use frame_support::{
    traits::ConstU32, BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound,
};
use frame_system::pallet_prelude::BlockNumberFor;
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// What an executor posts when it is accused of withholding: its encoded trace.
pub type Opening = BoundedVec<u8, ConstU32<MAX_OPENING_BYTES>>;

/// Parameters of audits. Windows are in blocks of this chain.
#[derive(
    Clone,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub struct Params {
    /// Seats of a stage-one panel (k).
    pub seats: u32,
    /// Commit window of stage one.
    pub commit_blocks: u32,
    /// Reveal window of stage one.
    pub reveal_blocks: u32,
    /// Commit window of stage two.
    pub vote_commit_blocks: u32,
    /// Reveal window of stage two.
    pub vote_reveal_blocks: u32,
    /// How long an accused executor has to post its opening (R).
    pub opening_blocks: u32,
    /// How long missing seats wait for the randomness of their redraw before stage two begins
    /// without it.
    pub redraw_blocks: u32,
    /// Least lien of a flag, in planck.
    pub lien: Balance,
    /// Lien of a flag in percent of what the subject pays; the larger of both holds.
    pub lien_percent: u32,
    /// Contribution points of an auditor in the majority of a case.
    pub points_per_case: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            seats: 3,
            commit_blocks: 50,
            reveal_blocks: 25,
            vote_commit_blocks: 100,
            vote_reveal_blocks: 50,
            opening_blocks: 50,
            redraw_blocks: 50,
            lien: DOT / 10,
            lien_percent: 300,
            points_per_case: 1,
        }
    }
}

impl Params {
    /// Longest window that is accepted: a week of six-second blocks.
    pub const MAX_WINDOW: u32 = 100_800;

    /// Whether every seat fits and every window is open for at least a block.
    pub fn is_valid(&self, max_seats: u32) -> bool {
        let windows = [
            self.commit_blocks,
            self.reveal_blocks,
            self.vote_commit_blocks,
            self.vote_reveal_blocks,
            self.opening_blocks,
            self.redraw_blocks,
        ];
        (1..=max_seats).contains(&self.seats)
            && windows
                .iter()
                .all(|blocks| (1..=Self::MAX_WINDOW).contains(blocks))
    }

    /// The lien of a flag on a subject that pays `price`: the expected cost of stage two.
    pub fn lien_for(&self, price: Balance) -> Balance {
        let scaled = price.saturating_mul(Balance::from(self.lien_percent)) / 100;
        scaled.max(self.lien)
    }

    /// Blocks within which every case ends, whatever anybody does, as long as the agenda has room:
    /// three panels (first, redrawn, after an opening), three votes (first, after an opening,
    /// extended), one opening and one wait for randomness, with a block to spare for each step.
    pub fn longest_case(&self) -> u32 {
        let panel = self.commit_blocks.saturating_add(self.reveal_blocks);
        let vote = self
            .vote_commit_blocks
            .saturating_add(self.vote_reveal_blocks);
        panel
            .saturating_add(vote)
            .saturating_mul(3)
            .saturating_add(self.opening_blocks)
            .saturating_add(self.redraw_blocks)
            .saturating_add(16)
    }
}

/// An auditor's place on a panel.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Seat<AccountId> {
    /// The bonded account.
    pub auditor: AccountId,
    /// The commitment of the running round.
    pub commitment: Option<H256>,
    /// What was revealed in the running round.
    pub reveal: Option<(Verdict, Evidence)>,
}

impl<AccountId> Seat<AccountId> {
    /// A seat that has done nothing yet.
    pub fn new(auditor: AccountId) -> Self {
        Self {
            auditor,
            commitment: None,
            reveal: None,
        }
    }
}

/// A voter's part in stage two.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Ballot {
    /// The voter's weight, frozen when the case opened.
    pub weight: u64,
    /// The commitment of the running round (or of the round of the vote).
    pub commitment: Option<H256>,
    pub vote: Option<Vote>,
}

/// What a voter revealed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Vote {
    /// The case's round in which it was revealed: evidence compares within one round only.
    pub round: u32,
    pub verdict: Verdict,
    pub evidence: Evidence,
}

/// A verdict other than valid in stage one, with what its author answers for.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Flag<AccountId> {
    pub auditor: AccountId,
    /// Part of the bond that pays when the flag is overturned, in planck.
    pub lien: Balance,
    /// Whether it says [`Verdict::Withheld`].
    pub withheld: bool,
}

/// What a case waits for. `until` is the block at whose beginning the window closes, unless more
/// cases close there than a block may handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Phase<BlockNumber> {
    /// Commitments.
    #[codec(index = 0)]
    Commit { until: BlockNumber },
    /// Reveals of what was committed.
    #[codec(index = 1)]
    Reveal { until: BlockNumber },
    /// The executor's opening.
    #[codec(index = 2)]
    Opening { until: BlockNumber },
    /// Randomness to redraw missing seats with.
    #[codec(index = 3)]
    AwaitSeed {
        due: RelayBlockNumber,
        until: BlockNumber,
    },
}

/// What can happen to a case only once.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct History {
    /// Missing seats were drawn anew.
    pub redrawn: bool,
    /// The opening was demanded on chain; also where the subject has none to demand.
    pub opening_demanded: bool,
    /// The windows of stage two were extended.
    pub extended: bool,
}

/// An open case.
#[derive(
    CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound())]
pub struct Case<T: Config> {
    pub subject: Subject,
    /// Whose work is judged.
    pub operator: T::AccountId,
    /// Whom it was done for.
    pub client: Option<T::AccountId>,
    pub checkpoint: CheckpointRoot,
    /// Largest evidence distance between honest auditors.
    pub evidence_tau: u32,
    /// What the subject pays, in planck.
    pub price: Balance,
    /// Who may vote, frozen at opening.
    pub electorate: Electorate,
    pub opened_at: BlockNumberFor<T>,
    pub stage: Stage,
    pub phase: Phase<BlockNumberFor<T>>,
    /// Counts the commit windows so far. Each has a projection seed of its own.
    pub round: u32,
    /// Seed of the evidence projections of the running round. It changes whenever reveals have
    /// become public, so that evidence is never worth copying.
    pub projection_seed: H256,
    /// Seats that the panel is meant to have.
    pub wanted: u32,
    pub seats: BoundedVec<Seat<T::AccountId>, T::MaxSeats>,
    /// Earlier seats that were drawn anew.
    pub dismissed: BoundedVec<T::AccountId, T::MaxSeats>,
    pub flags: BoundedVec<Flag<T::AccountId>, T::MaxSeats>,
    pub history: History,
    /// Weights revealed in stage two.
    pub tally: Tally,
    /// Weight that says [`Verdict::Withheld`] in the running round of stage two.
    pub withheld: u64,
    /// Auditors who may act in the running round.
    pub expected: u32,
    /// How many of them have committed.
    pub commits: u32,
    /// How many of them have revealed.
    pub reveals: u32,
    /// The block whose agenda names this case.
    pub wake: BlockNumberFor<T>,
}

impl<T: Config> Case<T> {
    /// Those who win or lose by the decision: the operator, then the client. Nobody related to them judges.
    pub fn parties(&self) -> Vec<T::AccountId> {
        [&self.operator]
            .into_iter()
            .chain(&self.client)
            .cloned()
            .collect()
    }
}

/// What became of all cases so far.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Counters {
    /// Cases opened.
    pub cases: u64,
    /// Closed as valid.
    pub valid: u64,
    /// Closed as soft.
    pub soft: u64,
    /// Closed as hard: cheats caught.
    pub caught: u64,
    /// Closed without a decision.
    pub undecided: u64,
    /// Cases that went to stage two.
    pub stage_two: u64,
    /// Panels with seats drawn anew.
    pub redrawn: u64,
    /// Openings demanded on chain.
    pub openings_demanded: u64,
    /// Openings posted.
    pub openings_posted: u64,
    /// Flags raised in stage one.
    pub flags: u64,
    /// Flags that the vote overturned.
    pub overturned: u64,
    /// Duties kept.
    pub kept: u64,
    /// Duties missed by silence or for want of the model.
    pub abstained: u64,
    /// Duties missed because the vote contradicted the verdict or its evidence.
    pub contradicted: u64,
}
