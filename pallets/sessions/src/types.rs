//! Sessions, channels, takings, reports and the parameters that govern them.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

#[cfg(feature = "runtime-benchmarks")]
use alloc::vec::Vec;
use chasqui_primitives::{
    session::{
        rules::{Channel, Deposit},
        sample::{Place, MOST_PLANCKS},
        tree::Claim,
        Seq, SessionId, SignedReceipt, SignedRequest,
    },
    trace::TRACE_LEAF_BYTES,
    Balance, CaseId, CheckpointRoot, EpochIndex, RelayBlockNumber, MAX_OPENING_BYTES,
};
use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::H256;
use sp_runtime::{AccountId32, MultiSignature};

/// A session of this runtime.
pub type SessionOf<T> = Session<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;
/// A channel of this runtime.
pub type ChannelOf<T> = ChannelRecord<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;
/// Takings of this runtime.
pub type TakingsOf<T> = Takings<<T as frame_system::Config>::AccountId>;
/// A settlement of this runtime.
pub type SettlementOf<T> = SettlementRecord<<T as frame_system::Config>::AccountId>;
/// What was shown of takings in this runtime.
pub type ShownOf<T> = BoundedVec<ShownPlancks<BlockNumberFor<T>>, ConstU32<MOST_PLANCKS>>;
/// A report of this runtime.
pub type ReportOf<T> = Report<<T as frame_system::Config>::AccountId>;
/// What `settle` takes.
pub type EntriesOf<T> =
    BoundedVec<Entry<<T as frame_system::Config>::AccountId>, ConstU32<MAX_ENTRIES>>;
/// The parameters of this runtime.
pub type ParamsOf<T> = Params<BlockNumberFor<T>>;

/// Most members of a committee: the primary and its backups.
pub const MAX_COMMITTEE: u32 = 4;
/// Most operators that a session ever has a channel with. A channel is kept for as long as its session lives: else its
/// old requests could be settled again. When all are used up, committees are drawn among them.
pub const MAX_CHANNELS: u32 = 16;
/// Most settlements in one call.
pub const MAX_ENTRIES: u32 = 64;
/// Most answers of one channel that a client may report.
pub const MAX_REPORTS: u32 = 8;
/// Longest output that may be reported: the trace of a longer one would not fit into an opening on chain, and whoever
/// is said to withhold it could not clear itself. Executors do not serve requests for more.
pub const MAX_OUTPUT_TOKENS: u32 = MAX_OPENING_BYTES / (TRACE_LEAF_BYTES as u32);

/// A place in a queue.
pub type Ticket = u64;
/// Number of an operator's takings.
pub type TakingsId = u64;
/// Number of a report.
pub type ReportId = u64;

/// Where a session stands.
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
pub enum Stage<BlockNumber> {
    #[codec(index = 0)]
    Open,
    /// Everything served is settleable until block `until`; then the rest of the deposit returns.
    #[codec(index = 1)]
    Closing { until: BlockNumber },
}

/// A session.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Session<AccountId, BlockNumber> {
    /// Whose money it is.
    pub client: AccountId,
    /// Who signs requests.
    pub key: AccountId,
    pub checkpoint: CheckpointRoot,
    /// Planck a unit of compute when it was opened: what turns settled money into units. A request's price is its own.
    pub unit_price: Balance,
    /// Largest distance between honest auditors' evidence, frozen when it was opened.
    pub evidence_tau: u32,
    pub deposit: Deposit,
    /// On hold for the bytes of this session.
    pub storage_deposit: Balance,
    /// The newest committee: the primary and its backups, in the order drawn.
    pub committee: BoundedVec<AccountId, ConstU32<MAX_COMMITTEE>>,
    /// The epoch of the newest draw.
    pub drawn_in: Option<EpochIndex>,
    /// A draw that waits for its seed.
    pub draw: Option<Ticket>,
    pub stage: Stage<BlockNumber>,
    /// How many operators it has a channel with.
    pub channels: u32,
    /// An operator was proven false: the client need not spend what it would otherwise have to.
    pub excused: bool,
    /// When the client, or a settlement, last touched it.
    pub touched: BlockNumber,
    /// Who found it abandoned.
    pub finder: Option<AccountId>,
}

/// A channel, with what the rules do not know.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct ChannelRecord<AccountId, BlockNumber> {
    pub rules: Channel<BlockNumber>,
    /// The hot key of the operator when it was last drawn: it signs receipts and settlements.
    pub signer: AccountId,
    /// The one before it. Its receipts are still evidence: a key that is changed does not take back what it signed.
    pub former: Option<AccountId>,
    /// The epoch of the last settlement.
    pub settled_in: EpochIndex,
    /// Settlements in that epoch.
    pub settlements: u32,
    /// What the client has reported.
    pub reported: BoundedVec<Seq, ConstU32<MAX_REPORTS>>,
}

impl<BlockNumber> ChannelRecord<AccountId32, BlockNumber> {
    /// Whether the operator has signed a receipt, by its key or the one before.
    pub fn has_signed(&self, genesis: &H256, receipt: &SignedReceipt<AccountId32>) -> bool {
        let mut keys = core::iter::once(&self.signer).chain(&self.former);
        keys.any(|key| receipt.verify(genesis, key))
    }
}

/// One settlement as it is submitted. Session and operator are those of the request.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Entry<AccountId> {
    /// The last request of the run.
    pub request: SignedRequest<AccountId>,
    pub claim: Claim,
    /// The operator's, over a [`Settlement`](chasqui_primitives::session::Settlement); may be left out by whoever signs
    /// for the operator.
    pub signature: Option<MultiSignature>,
}

/// Where an operator's takings stand.
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
pub enum TakingsStage {
    /// Their epoch runs, or their draw is not announced yet.
    #[codec(index = 0)]
    Collecting,
    /// A draw waits for its seed. `failed_openings` counts the cases that could not be opened.
    #[codec(index = 1)]
    Drawing {
        ticket: Ticket,
        failed_openings: u32,
    },
    /// A case is open: so many plancks follow from this seed.
    #[codec(index = 2)]
    InAudit {
        case: CaseId,
        subseed: H256,
        plancks: u32,
    },
    /// Decided. Settlements are given back (`refund`) or forgotten one by one; `next` is the next one.
    #[codec(index = 3)]
    Closed { refund: bool, next: u32 },
}

/// All that one operator settled for one checkpoint in one epoch, pending until its case closes.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Takings<AccountId> {
    pub operator: AccountId,
    pub checkpoint: CheckpointRoot,
    pub epoch: EpochIndex,
    /// Sum of the settlements, in planck.
    pub total: Balance,
    /// What reports have given back of it, in planck.
    pub returned: Balance,
    /// Units of compute.
    pub units: u64,
    /// How many settlements.
    pub settlements: u32,
    pub evidence_tau: u32,
    pub stage: TakingsStage,
}

impl<AccountId> Takings<AccountId> {
    /// What is neither paid nor given back.
    pub fn pending(&self) -> Balance {
        self.total.saturating_sub(self.returned)
    }
}

/// A settlement as it is kept until its money has gone where it belongs.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SettlementRecord<AccountId> {
    pub session: SessionId,
    pub client: AccountId,
    pub claim: Claim,
    /// The plancks of earlier settlements of the same takings.
    pub before: Balance,
    /// What reports have given back of it, in planck.
    pub returned: Balance,
}

impl<AccountId> SettlementRecord<AccountId> {
    /// What is neither paid nor given back.
    pub fn pending(&self) -> Balance {
        self.claim.sum.saturating_sub(self.returned)
    }

    /// Where it lies among the takings.
    pub fn place(&self, operator: AccountId, checkpoint: CheckpointRoot) -> Place<AccountId> {
        Place {
            session: self.session,
            operator,
            checkpoint,
            claim: self.claim,
            before: self.before,
        }
    }
}

/// An answer of takings that was shown on chain.
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
pub struct ShownPlancks<BlockNumber> {
    /// The first planck of the takings that lies under it.
    pub start: Balance,
    /// The first one behind it.
    pub end: Balance,
    /// The block whose extrinsics hold the answer.
    pub at: BlockNumber,
}

/// Where a report stands.
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
pub enum ReportStage {
    /// A draw waits for its seed.
    #[codec(index = 0)]
    Drawing {
        ticket: Ticket,
        failed_openings: u32,
    },
    #[codec(index = 1)]
    InAudit { case: CaseId },
}

/// A client's report of one answer: all that auditors need of it besides prompt and trace.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Report<AccountId> {
    pub client: AccountId,
    pub request: SignedRequest<AccountId>,
    pub receipt: SignedReceipt<AccountId>,
    /// The settlement that the answer was claimed in, if the client knows it.
    pub settlement: Option<(TakingsId, u32)>,
    /// On hold on the client's account.
    pub deposit: Balance,
    pub evidence_tau: u32,
    /// When it was reported.
    pub epoch: EpochIndex,
    pub stage: ReportStage,
}

/// What a draw decides.
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
pub enum Drawn {
    #[codec(index = 0)]
    Committee(SessionId),
    #[codec(index = 1)]
    Takings(TakingsId),
    #[codec(index = 2)]
    Report(ReportId),
}

/// A draw that waits for its seed.
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
pub struct PendingDraw {
    pub subject: Drawn,
    /// The relay block whose seed decides.
    pub due: RelayBlockNumber,
}

/// What governs sessions; see [`Params::validate`] for the ranges.
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
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Params<BlockNumber> {
    /// Members of a committee.
    pub committee: u32,
    /// The close window: how long what was served stays settleable after an announcement. At least an epoch.
    pub close_blocks: BlockNumber,
    /// Untouched for so long, a session counts as abandoned.
    pub expiry_blocks: BlockNumber,
    /// Least deposit of a session, in planck: a fifth of it is the price of looking at a committee.
    pub min_deposit: Balance,
    /// On hold for a session's bytes, in planck.
    pub storage_deposit: Balance,
    /// On hold for a report, and lost to the auditors if it is wrong; in planck.
    pub report_deposit: Balance,
    /// What whoever finds an abandoned session gets of its deposit, in planck.
    pub expiry_bounty: Balance,
    /// Settlements of one channel in one epoch.
    pub max_settlements: u32,
    /// Least sum of a settlement, in planck, unless its channel is about to end.
    pub min_settlement: Balance,
    /// Takings of so much get a case for certain, smaller ones with the probability of their share of it; in planck.
    pub audit_from: Balance,
}

impl<BlockNumber: From<u32>> Default for Params<BlockNumber> {
    /// At one block every six seconds and ten decimals.
    fn default() -> Self {
        Self {
            committee: MAX_COMMITTEE,
            close_blocks: 14_400.into(),
            expiry_blocks: 432_000.into(),
            min_deposit: 1_000_000_000,
            storage_deposit: 2_500_000_000,
            report_deposit: 1_000_000_000,
            expiry_bounty: 50_000_000,
            max_settlements: 16,
            min_settlement: 10_000_000,
            audit_from: 1_000_000_000,
        }
    }
}

impl<BlockNumber> Params<BlockNumber>
where
    BlockNumber: From<u32> + PartialOrd + Copy,
{
    /// Longest window, in blocks.
    pub const MAX_BLOCKS: u32 = 10_000_000;

    /// Whether a chain can live with these values.
    pub fn validate(&self) -> bool {
        let blocks = |value: BlockNumber| {
            value >= BlockNumber::from(1) && value <= BlockNumber::from(Self::MAX_BLOCKS)
        };
        (1..=MAX_COMMITTEE).contains(&self.committee)
            && blocks(self.close_blocks)
            && blocks(self.expiry_blocks)
            && self.min_deposit > 0
            && self.report_deposit > 0
            && self.max_settlements > 0
    }
}

/// What a runtime lends the pallet's benchmarks.
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkHelper<AccountId> {
    /// Registers a checkpoint that takes payment, with a price above zero, besides whoever an audit panel needs, and
    /// has so many well bonded compute operators serve it, the first of them signed for by `hot_key`; freezes their
    /// weights, and names them.
    fn served_checkpoint(count: u32, hot_key: &AccountId) -> (CheckpointRoot, Vec<AccountId>);
    /// Registers so many validators, and names them.
    fn auditors(count: u32) -> Vec<AccountId>;
    /// Leaves `operator` with unclaimed pay in as many epochs as there can be.
    fn burden(operator: &AccountId);
    /// Begins another epoch.
    fn next_epoch();
    /// Has the opening of a case demanded.
    fn demand_opening(case: CaseId);
}
