//! What the pallet stores beside the machine's records.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use alloc::vec::Vec;
use chasqui_primitives::{
    training::{Contribution, Draw, Member, Owed, Phase, Run, RunTerms},
    Balance, CheckpointRoot, RelayBlockNumber, RunId, DOT,
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// A seed that a run waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct AwaitedSeed {
    pub draw: Draw,
    /// The relay block whose seed decides.
    pub due: RelayBlockNumber,
}

/// A challenge that is not decided.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Challenge<AccountId> {
    /// The operator that challenges.
    pub by: AccountId,
    /// On hold on its bonded account, in planck.
    pub deposit: Balance,
}

/// A checkpoint that a final round made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Made {
    pub round: u32,
    pub root: CheckpointRoot,
}

/// What a chain adds to a run's head.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Surroundings<AccountId> {
    /// What members and validators declare to serve.
    pub root: H256,
    /// Block of its creation.
    pub created_at: u32,
    /// Block of its end.
    pub ended_at: Option<u32>,
    /// The seed that the running round waits for.
    pub seed: Option<AwaitedSeed>,
    /// The seed that a challenge waits for.
    pub panel: Option<AwaitedSeed>,
    pub challenge: Option<Challenge<AccountId>>,
    /// The newest final model of which a checkpoint was made.
    pub made: Option<Made>,
    /// Whether that is registered.
    pub registered: bool,
}

impl<AccountId> Surroundings<AccountId> {
    pub fn new(root: H256, now: u32) -> Self {
        Self {
            root,
            created_at: now,
            ended_at: None,
            seed: None,
            panel: None,
            challenge: None,
            made: None,
            registered: false,
        }
    }
}

/// A run. It stays when it is over: what it trained, and how it ended, is a part of its checkpoint's lineage.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct RunRecord<AccountId> {
    /// Where its machine stands.
    pub head: Run<AccountId>,
    pub around: Surroundings<AccountId>,
}

/// What ties an operator to a run: as long as something does, a deposit of it is on hold, and nobody related to it judges
/// that run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Seat<AccountId> {
    /// Its owner, as it was when it joined.
    pub owner: AccountId,
    /// On hold on its bonded account, in planck.
    pub deposit: Balance,
    /// Whether it is a member, or was banned as one.
    pub member: bool,
    /// Rounds that still hold a contribution of it.
    pub contributions: u32,
}

/// What a validator found that a checkpoint loses on the held-out tokens of a dataset.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Evaluation<AccountId> {
    pub by: AccountId,
    /// The dataset's blob root.
    pub dataset: H256,
    pub result: EvaluationResult,
    /// Block in which it said so.
    pub at: u32,
    /// On hold on its bonded account, in planck.
    pub deposit: Balance,
}

/// A mean over held-out tokens.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct EvaluationResult {
    /// Tokens predicted, from the first held-out one on.
    pub tokens: u64,
    /// Mean loss, millionths of a nat a token.
    pub loss_micro: u64,
}

/// The most that an honest mean loss can be: a thousand nats a token, in millionths.
pub const MAX_LOSS_MICRO: u64 = 1_000_000_000;

/// Parameters of training.
#[derive(
    Clone,
    Copy,
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
    /// On hold while something ties an operator to a run, in planck.
    pub member_deposit: Balance,
    /// On hold for a challenge, and lost where the agreed model is right, in planck.
    pub challenge_deposit: Balance,
    /// On hold for an evaluation, in planck.
    pub evaluation_deposit: Balance,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            member_deposit: DOT,
            challenge_deposit: 10 * DOT,
            evaluation_deposit: DOT / 10,
        }
    }
}

impl Params {
    /// Whether nothing is free that should not be.
    pub fn is_valid(&self) -> bool {
        self.member_deposit > 0 && self.challenge_deposit > 0 && self.evaluation_deposit > 0
    }
}

/// What a live run is to one of its members.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct MemberTask {
    pub run: RunId,
    /// The round that runs, or the next one.
    pub round: u32,
    pub phase: Phase,
    pub member: Member,
    /// Its rank in the running round, once that is drawn.
    pub rank: Option<u32>,
    /// What the run waits for of it.
    pub owed: Option<Owed>,
}

/// Runs with their numbers and terms.
pub type RunList<AccountId> = Vec<(RunId, RunTerms, RunRecord<AccountId>)>;
/// Members of a run.
pub type MemberList<AccountId> = Vec<(AccountId, Member)>;
/// A round's contributions by rank.
pub type ContributionList<AccountId> = Vec<(u32, Contribution<AccountId>)>;

/// What the benchmarks need of the runtime around the pallet.
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkHelper<AccountId> {
    /// A usable dataset, and how many of its tokens are held out.
    fn dataset() -> (H256, u64);
    /// Leaves the fund with so much that is free.
    fn fund(amount: Balance);
    /// Registers well bonded compute operators that serve `root`, and whoever a panel needs; freezes their weights.
    fn members(root: &H256, count: u32) -> Vec<AccountId>;
    /// Registers so many validators, and names them.
    fn auditors(count: u32) -> Vec<AccountId>;
    /// A registered checkpoint, and a validator that serves it.
    fn evaluator() -> (CheckpointRoot, AccountId);
    /// Leaves `operator` with as many missed duties as it may have.
    fn burden(operator: &AccountId);
}
