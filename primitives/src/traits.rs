//! What a pallet may ask of another. Pallets never name each other's crates: the runtime ties these together.

use crate::{
    audit::{AuditThresholds, Decision, Subject},
    Balance, CaseId, CheckpointRoot, EpochIndex, NumericProfile, RelayBlockNumber, Role, RunId,
};
use alloc::vec::Vec;
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, H256};
use sp_runtime::{BoundedVec, DispatchError, DispatchResult, Perbill, Weight};

/// Public randomness that nobody supplies or times (protocol R).
pub trait Randomness {
    /// Number of the latest relay parent.
    fn relay_now() -> RelayBlockNumber;
    /// Names the seed of a draw that is announced now: nothing before this relay block decides it, and nothing that is
    /// known in the block that announces it, be it in a call or in a hook.
    fn next_due() -> RelayBlockNumber;
    /// The seed of a draw due at `due` once it exists. `Err` when it has left the ring: the draw must be announced again.
    fn seed(due: RelayBlockNumber) -> Result<Option<H256>, SeedExpired>;
}

/// The ring no longer holds the seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeedExpired;

/// The clock of weights and pay.
pub trait Epochs {
    fn current() -> EpochIndex;
    /// Length of an epoch, in blocks.
    fn blocks() -> u32 {
        1
    }
}

/// Why a bond is slashed; the registry maps it to a share of the bond.
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
pub enum Offence {
    /// A false result, proven.
    #[codec(index = 0)]
    FalseResult,
    /// Soft verdicts that chance no longer explains.
    #[codec(index = 1)]
    RepeatedSoft,
    /// Missed duties that chance no longer explains.
    #[codec(index = 2)]
    MissedDuties,
}

/// What an audit says of an operator's record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditRecord {
    /// Found valid; `units` of compute.
    Valid {
        units: u64,
    },
    Soft,
    Hard,
}

/// Those who may decide a case, frozen when it opens.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Electorate {
    /// The epoch whose frozen weights count.
    pub epoch: EpochIndex,
    /// Sum of their weights.
    pub weight: u64,
    /// How many they are.
    pub voters: u32,
}

/// The operators' registry, as jobs, audits, rewards and checkpoints need it. `AccountId` arguments are the bonded
/// accounts unless they say hot key.
pub trait Operators<AccountId> {
    /// The operator that a hot key (or the bonded account itself) signs for.
    fn by_signer(signer: &AccountId) -> Option<AccountId>;
    /// The account that signs receipts.
    fn hot_key(operator: &AccountId) -> Option<AccountId>;
    /// Whoever owns it: operators of one owner never judge each other.
    fn owner(operator: &AccountId) -> Option<AccountId>;
    fn reputation(operator: &AccountId) -> Perbill;
    /// Whether an operator takes part in this role: it is active (not jailed, not unbonding, bond enough) and serves
    /// `checkpoint` now.
    fn serves(_operator: &AccountId, _role: Role, _checkpoint: &CheckpointRoot) -> bool {
        false
    }
    /// Draws up to `count` different operators by weight frozen for the epoch (times the draw factor for
    /// [`Role::Compute`]) among those serving `checkpoint` now, not jailed, not unbonding, and `eligible`. Every
    /// candidate that is looked at is asked `eligible` once, at most [`MAX_CANDIDATES`](crate::draw::MAX_CANDIDATES).
    fn draw(
        role: Role,
        checkpoint: &CheckpointRoot,
        subseed: &H256,
        count: u32,
        eligible: &dyn Fn(&AccountId) -> bool,
    ) -> Vec<AccountId>;
    /// Whether one stands behind both accounts: they are the same operator (or sign for it), have one owner, or one is
    /// the other's owner. Strangers stand for themselves.
    fn are_related(a: &AccountId, b: &AccountId) -> bool
    where
        AccountId: Clone + PartialEq,
    {
        let identity = |account: &AccountId| {
            let operator = Self::by_signer(account).unwrap_or_else(|| account.clone());
            let owner = Self::owner(&operator).unwrap_or_else(|| operator.clone());
            (operator, owner)
        };
        let ((a, owner_a), (b, owner_b)) = (identity(a), identity(b));
        a == b || owner_a == owner_b || owner_a == b || owner_b == a
    }
    /// The electorate of a case on `checkpoint`, by the newest frozen weights: everybody but those related to one of the
    /// `parties`, who are the operator whose work is judged, and the client if there is one.
    fn electorate(checkpoint: &CheckpointRoot, parties: &[AccountId]) -> Electorate;
    /// A voter's weight in the electorate frozen at `epoch`; 0 for a stranger and for whoever is related to a party.
    fn vote_weight(
        epoch: EpochIndex,
        checkpoint: &CheckpointRoot,
        parties: &[AccountId],
        voter: &AccountId,
    ) -> u64;
    /// Everybody with a weight in that electorate.
    fn voters(
        epoch: EpochIndex,
        checkpoint: &CheckpointRoot,
        parties: &[AccountId],
    ) -> Vec<(AccountId, u64)>;
    /// Whether the checkpoint's electorate is large enough for it to take payment (protocol A).
    fn can_take_payment(checkpoint: &CheckpointRoot) -> bool;
    /// Counts a duty kept or missed, and penalises what chance no longer explains.
    fn record_duty(operator: &AccountId, kept: bool);
    /// Counts an audit of the operator's work. `true`: the soft verdicts are significant, slash for
    /// [`Offence::RepeatedSoft`].
    fn record_audit(operator: &AccountId, record: AuditRecord) -> bool;
    /// What [`Operators::slash`] would take for `offence` now.
    fn slashable(operator: &AccountId, offence: Offence) -> Balance;
    /// Takes the offence's share of the bond: the victim's loss first, then auditors (with the reporter at most 20%
    /// together), the rest to the reserve. Returns what was taken.
    fn slash(
        operator: &AccountId,
        offence: Offence,
        victim: Option<(&AccountId, Balance)>,
        reporter: Option<&AccountId>,
        auditors: &[AccountId],
    ) -> Balance;
    /// Takes up to `amount` of the bond and gives it in equal parts to `to` (what an overturned flag costs).
    fn forfeit_lien(operator: &AccountId, amount: Balance, to: &[AccountId]) -> Balance;
    /// One more (one less) open matter that can still slash: the bond cannot be withdrawn meanwhile.
    fn add_liability(operator: &AccountId) -> DispatchResult;
    fn remove_liability(operator: &AccountId);
}

/// Terms of a checkpoint.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct CheckpointTerms {
    /// Planck a unit of compute.
    pub unit_price: Balance,
    pub units_per_prompt_token: u32,
    pub units_per_output_token: u32,
    /// Longest prompt plus output, in tokens.
    pub context_tokens: u32,
    pub vocabulary: u32,
    pub profile: NumericProfile,
    pub thresholds: AuditThresholds,
    /// Token ids that end an output.
    pub end_tokens: BoundedVec<u32, ConstU32<8>>,
    /// Whether text can be tokenized: without it a prompt must come as token ids.
    pub has_tokenizer: bool,
}

/// The checkpoint registry.
pub trait Checkpoints {
    /// Terms of a checkpoint that is accepted; `None` for an unknown, proposed or retired one.
    fn terms(root: &CheckpointRoot) -> Option<CheckpointTerms>;
    /// Whether anything of that name is registered, accepted or not: what an operator may declare to serve.
    fn exists(root: &CheckpointRoot) -> bool;
}

/// Where settled fees go (pallet rewards).
pub trait Ledger<AccountId> {
    /// The pot that fees are paid into before [`Ledger::record_fee`].
    fn pot() -> AccountId;
    /// Splits `price`, already in the pot and paid for `subject`, over the current epoch: executor, `auditors` (empty:
    /// unaudited), PoC pool, fund, reserve. `units` are the executor's.
    fn record_fee(
        subject: Subject,
        executor: &AccountId,
        auditors: &[AccountId],
        price: Balance,
        units: u64,
    );
    /// Contribution points for audits kept.
    fn record_poc_points(operator: &AccountId, points: u64);
    /// Subsidy of a closed epoch, already in the pot: owed like compute pay of that epoch, or of the running one where
    /// that is swept already.
    fn record_subsidy(_operator: &AccountId, _epoch: EpochIndex, _amount: Balance) {}
    /// All revenue that is not claimed yet: what a proven lie forfeits.
    fn unclaimed(operator: &AccountId) -> Balance;
    /// Takes all unclaimed revenue away, to the reserve. Returns how much.
    fn forfeit(operator: &AccountId) -> Balance;
    /// A case opens (closes) on work of this epoch: what it earned up to then is not claimable meanwhile.
    fn case_opened(operator: &AccountId, epoch: EpochIndex);
    fn case_closed(operator: &AccountId, epoch: EpochIndex);
}

/// What a new case needs to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseRequest<AccountId> {
    pub subject: Subject,
    /// Whose work it is.
    pub operator: AccountId,
    /// Whom it was done for: it wins by one verdict and loses by another, so it never judges.
    pub client: Option<AccountId>,
    pub checkpoint: CheckpointRoot,
    /// The seed drawn after the commitment: panel and projections come from it.
    pub seed: H256,
    /// Largest evidence distance between honest auditors.
    pub evidence_tau: u32,
    /// What the subject pays: scales the lien of a flag.
    pub price: Balance,
}

/// The audits pallet, as those see it whose work is judged.
pub trait Cases<AccountId> {
    /// Seats of a panel.
    fn seats() -> u32;
    /// Opens a case and draws its panel. Fails when the electorate is empty.
    fn open(request: CaseRequest<AccountId>) -> Result<Opened, DispatchError>;
    /// The most that [`Opened::passed_over`] can be.
    fn most_passed_over() -> Weight;
    /// Whether the operator has to open what this case is about now.
    fn opening_demanded(_case: CaseId) -> bool {
        false
    }
}

/// A case that was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opened {
    pub case: CaseId,
    /// What the draw of its panel cost for those who were looked at, beside what opening any case costs.
    pub passed_over: Weight,
}

/// Told when an operator leaves the registry for good, so that nothing about it stays behind elsewhere.
pub trait OnOperatorLeft<AccountId> {
    fn on_operator_left(operator: &AccountId);
}

impl<AccountId> OnOperatorLeft<AccountId> for () {
    fn on_operator_left(_: &AccountId) {}
}

/// The owner of a case's subject, told how it ended.
pub trait CaseSubjects<AccountId> {
    /// `majority` are the auditors who revealed with the decision, each once.
    fn on_closed(subject: &Subject, case: CaseId, decision: Decision, majority: &[AccountId]);
    /// The most that [`CaseSubjects::on_closed`] costs with such a decision and so many in the majority: the audits
    /// pallet closes cases in a hook, and accounts for it.
    fn close_weight(decision: &Decision, majority: u32) -> Weight;
    /// Whether `opening` is what the operator committed to for this subject (its encoded trace, or the leaves of its
    /// settlements).
    fn opening_matches(subject: &Subject, opening: &[u8]) -> bool;
    /// What checking an opening of so many bytes costs beside what a trace of that length does.
    fn opening_weight(_bytes: u32) -> Weight {
        Weight::zero()
    }
    /// Whether the subject's work was done for `judge`, or for somebody related to it, although the case names no such
    /// client because there are many. It neither sits on a panel nor votes.
    fn is_interested(_subject: &Subject, _judge: &AccountId) -> bool {
        false
    }
    /// What one [`CaseSubjects::is_interested`] costs.
    fn interest_weight() -> Weight {
        Weight::zero()
    }
}

/// Where the network's training is paid from (pallet training-fund). Amounts are in planck.
pub trait TrainingFund<AccountId> {
    /// The account that holds the fund's money.
    fn account() -> AccountId;
    /// What is there beyond all earmarks and the account's existential deposit.
    fn free() -> Balance;
    /// Earmarks `amount` of the free money for a run, beside what is earmarked for it already. Fails when there is less.
    fn reserve(run: RunId, amount: Balance) -> DispatchResult;
    /// Pays `to` out of the run's earmark. Fails, and moves nothing, beyond it, and where `to` cannot hold so little.
    fn pay(run: RunId, to: &AccountId, amount: Balance) -> DispatchResult;
    /// Ends a run's earmark: what it did not spend is free again. Returns how much that is.
    fn release(run: RunId) -> Balance;
    /// What is left of a run's earmark.
    fn reserved(run: RunId) -> Balance;
}

/// What is known of a dataset that validators found usable.
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
pub struct DatasetTerms {
    /// Length of the blob.
    pub bytes: u64,
    /// Tokens in all.
    pub tokens: u64,
    /// Of these, held out at the end: never trained on.
    pub held_out: u64,
    /// Every token is below it.
    pub vocabulary: u32,
    /// BLAKE2b-256 of the `tokenizer.json` that made the tokens.
    pub tokenizer: H256,
}

/// The registry of datasets (pallet datasets).
pub trait Datasets<AccountId> {
    /// Terms of a dataset that validators found usable; `None` for any other.
    fn usable(root: &H256) -> Option<DatasetTerms>;
    /// A run begins to use a dataset: it cannot be withdrawn until [`Datasets::end_use`]. Fails when it is not usable, or
    /// the run uses it already.
    fn begin_use(root: &H256, run: RunId) -> DispatchResult;
    /// The run has ended, well or not.
    fn end_use(root: &H256, run: RunId);
    /// The fund paid `paid` planck for `units` of compute on this dataset in a run that uses it: its contributor earns
    /// points, up to a cap per run. Does nothing for a run that does not use it.
    fn credit(root: &H256, run: RunId, paid: Balance, units: u64);
}

/// A checkpoint that a run made.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct TrainedCheckpoint<AccountId> {
    pub root: CheckpointRoot,
    /// What the run began from; `None`: from fresh weights.
    pub parent: Option<CheckpointRoot>,
    /// For an adapter, the checkpoint whose files it needs beside its own; `None`: it holds all of its files.
    pub base: Option<CheckpointRoot>,
    pub run: RunId,
    /// The last round that is in it.
    pub round: u32,
    /// The dataset's blob root.
    pub dataset: H256,
    /// Who registers it. It may describe it where its parent cannot, and calibrates nothing of it.
    pub by: AccountId,
}

/// The checkpoint registry, as training sees it (pallet checkpoints).
pub trait TrainedCheckpoints<AccountId> {
    /// Registers a checkpoint with its lineage, without a deposit: it is described as its parent is, and then waits for
    /// calibration by drawn validators and for acceptance like any other. A checkpoint without a registered parent waits
    /// for a description by whoever registered it. Fails when the root is registered.
    fn register_trained(trained: TrainedCheckpoint<AccountId>) -> DispatchResult;
}

/// What an operator's vote weighs.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Voice {
    /// Weight in the poll, see [`vote_weight`](crate::credit::vote_weight).
    pub weight: u64,
    /// Bond behind it, in planck.
    pub bond: Balance,
}

/// What operators weighed in closed epochs (pallet economy).
pub trait Standing<AccountId> {
    /// What a poll that is submitted now is measured by: the newest complete census. All zero where there is none.
    fn electorate() -> crate::governance::Electorate;
    /// An operator in the census of an epoch; all zero for a stranger, and where the census is forgotten.
    fn voice(epoch: EpochIndex, operator: &AccountId) -> Voice;
}

/// One operator of the registry, as a census finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enrolled<AccountId> {
    pub operator: AccountId,
    /// Its weight as frozen indices know it; 0 for one that is not drawn now.
    pub weight: u64,
    /// The weight with which it is drawn to compute; 0 for one that does not.
    pub drawn: u64,
    /// Its bond, in planck.
    pub bond: Balance,
}

/// All operators, in an order of the registry's own (pallet operators).
pub trait Roll<AccountId> {
    /// Up to `count` operators after `last`, who may have left meanwhile. Fewer than `count`: nobody comes after them.
    fn after(last: Option<&AccountId>, count: u32) -> Vec<Enrolled<AccountId>>;
}

/// What an operator did in an epoch.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Contributed {
    /// Units of compute that were paid for.
    pub units: u128,
    /// What it earned by them out of clients' fees, in planck.
    pub fees: Balance,
    /// Points for audits and data.
    pub points: u64,
}

/// What operators did (pallet rewards).
pub trait Contributions<AccountId> {
    /// An operator's contributions in an epoch, without what was forfeited.
    fn contributed(epoch: EpochIndex, operator: &AccountId) -> Contributed;
}
