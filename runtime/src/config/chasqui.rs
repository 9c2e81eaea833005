//! Chasqui's own pallets, tied together through the traits of `chasqui_primitives`.

use super::system::RuntimeBlockWeights;
use crate::governance::origins::{RootOrCheckpoints, RootOrEconomics, RootOrFund, Spender};
use crate::{
    constants::{money::DOT, time::DAYS},
    Audits, Balance, Balances, Checkpoints, Datasets, Economy, Jobs, Operators, Randomness,
    Rewards, Runtime, RuntimeHoldReason, Sessions, Training, TrainingFund,
};
use chasqui_primitives::{
    audit::{Decision, Subject},
    traits::{CaseSubjects, CheckpointTerms, Checkpoints as CheckpointsApi, OnOperatorLeft},
    CaseId, CheckpointRoot,
};
use frame_support::{parameter_types, traits::ConstU32, weights::Weight, PalletId};
use parachains_common::{AccountId, BlockNumber};
use sp_runtime::{traits::AccountIdConversion, Perbill};

/// Where settled fees wait to be claimed.
pub const REWARDS_POT: PalletId = PalletId(*b"ch/rewrd");
/// Where settled money of sessions waits for its case.
pub const SESSIONS_POT: PalletId = PalletId(*b"ch/sessn");
/// The training fund's money.
pub const TRAINING_FUND: PalletId = PalletId(*b"ch/trfnd");
/// What adds to operators' pay.
pub const SUBSIDY_POT: PalletId = PalletId(*b"ch/subsd");
/// The reserve's money.
pub const RESERVE: PalletId = PalletId(*b"ch/resrv");

parameter_types! {
    pub const RewardsPot: PalletId = REWARDS_POT;
    pub const SessionsPot: PalletId = SESSIONS_POT;
    pub const TrainingFundId: PalletId = TRAINING_FUND;
    pub const SubsidyPot: PalletId = SUBSIDY_POT;
    pub TrainingFundAccount: AccountId = TRAINING_FUND.into_account_truncating();
    pub ReserveAccount: AccountId = RESERVE.into_account_truncating();
    /// Five years: until then nobody changes the training fund's share.
    pub const FundShareLock: BlockNumber = 5 * 365 * DAYS + DAYS;
    pub const ClaimDelay: u32 = 2;
    pub const ClaimPeriod: u32 = 84;
    pub const ProposalDeposit: Balance = 10 * DOT;
    /// A fifth of a block is for draws and deadlines of jobs.
    pub JobServiceWeight: Weight = Perbill::from_percent(20) * RuntimeBlockWeights::get().max_block;
    /// Less is for the live training runs: what a block has no room for waits for the next one.
    pub TrainingServiceWeight: Weight =
        Perbill::from_percent(15) * RuntimeBlockWeights::get().max_block;
    /// More is for windows, draws and refunds of sessions: a quarter of it must suffice to draw a panel of which everybody is
    /// asked whether it is interested.
    pub SessionServiceWeight: Weight =
        Perbill::from_percent(25) * RuntimeBlockWeights::get().max_block;
}

/// What operators may declare to serve: checkpoints, and training runs that live.
pub struct Served;

impl CheckpointsApi for Served {
    fn terms(root: &CheckpointRoot) -> Option<CheckpointTerms> {
        Checkpoints::terms(root)
    }

    fn exists(root: &CheckpointRoot) -> bool {
        Checkpoints::exists(root) || Training::is_live_root(root)
    }
}

/// Who is told when an operator leaves.
pub struct Left;

impl OnOperatorLeft<AccountId> for Left {
    fn on_operator_left(operator: &AccountId) {
        Jobs::on_operator_left(operator);
        Economy::on_operator_left(operator);
    }
}

impl pallet_operators::Config for Runtime {
    type RuntimeHoldReason = RuntimeHoldReason;
    type NativeBalance = Balances;
    type Checkpoints = Served;
    type OnOperatorLeft = Left;
    type AdminOrigin = RootOrEconomics;
    type ReserveAccount = ReserveAccount;
    // A draw reads a whole index.
    type MaxOperators = ConstU32<1_024>;
    type IndexStep = ConstU32<32>;
    type WeightInfo = pallet_operators::weights::SubstrateWeight<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::Helper;
}

impl pallet_checkpoints::Config for Runtime {
    type UnitPrice = Economy;
    type RuntimeHoldReason = RuntimeHoldReason;
    type NativeBalance = Balances;
    type Operators = Operators;
    type Randomness = Randomness;
    type AdminOrigin = RootOrCheckpoints;
    type ProposalDeposit = ProposalDeposit;
    type MaxCalibrators = ConstU32<16>;
    type MaxAgenda = ConstU32<16>;
    type WeightInfo = pallet_checkpoints::weights::SubstrateWeight<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::Helper;
}

impl pallet_jobs::Config for Runtime {
    type RuntimeHoldReason = RuntimeHoldReason;
    type NativeBalance = Balances;
    type Operators = Operators;
    type Checkpoints = Checkpoints;
    type Ledger = Rewards;
    type Cases = Audits;
    type Randomness = Randomness;
    type Epochs = Operators;
    type Reserve = ReserveAccount;
    type AdminOrigin = RootOrEconomics;
    type ServiceWeight = JobServiceWeight;
    type OutcomesKept = ConstU32<4_096>;
    type WeightInfo = pallet_jobs::weights::SubstrateWeight<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::Helper;
}

impl pallet_sessions::Config for Runtime {
    type RuntimeHoldReason = RuntimeHoldReason;
    type NativeBalance = Balances;
    type Operators = Operators;
    type Checkpoints = Checkpoints;
    type Ledger = Rewards;
    type Cases = Audits;
    type Randomness = Randomness;
    type Epochs = Operators;
    type Reserve = ReserveAccount;
    type AdminOrigin = RootOrEconomics;
    type PalletId = SessionsPot;
    type ServiceWeight = SessionServiceWeight;
    type WeightInfo = pallet_sessions::weights::SubstrateWeight<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::Helper;
}

impl pallet_training_fund::Config for Runtime {
    type NativeBalance = Balances;
    type SpendOrigin = Spender;
    type PalletId = TrainingFundId;
    type MaxDeadlines = ConstU32<64>;
    type WeightInfo = pallet_training_fund::weights::SubstrateWeight<Runtime>;
}

impl pallet_datasets::Config for Runtime {
    type RuntimeHoldReason = RuntimeHoldReason;
    type NativeBalance = Balances;
    type Operators = Operators;
    type Ledger = Rewards;
    type Cases = Audits;
    type Randomness = Randomness;
    type Reserve = ReserveAccount;
    type AdminOrigin = RootOrEconomics;
    type MaxUndecided = ConstU32<128>;
    type MaxOpenings = ConstU32<2>;
    type WeightInfo = pallet_datasets::weights::SubstrateWeight<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::Helper;
}

impl pallet_training::Config for Runtime {
    type RuntimeHoldReason = RuntimeHoldReason;
    type NativeBalance = Balances;
    type Operators = Operators;
    type Checkpoints = Checkpoints;
    type Fund = TrainingFund;
    type Datasets = Datasets;
    type Cases = Audits;
    type Randomness = Randomness;
    type Reserve = ReserveAccount;
    type AdminOrigin = RootOrFund;
    type MaxRuns = ConstU32<16>;
    type MaxMembers = ConstU32<512>;
    type MaxEvaluations = ConstU32<64>;
    type ServiceWeight = TrainingServiceWeight;
    type WeightInfo = pallet_training::weights::SubstrateWeight<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::Helper;
}

/// Who is told how a case ended: whoever its subject belongs to.
pub struct Judged;

impl CaseSubjects<AccountId> for Judged {
    fn on_closed(subject: &Subject, case: CaseId, decision: Decision, majority: &[AccountId]) {
        match subject {
            Subject::Job(_) => Jobs::on_closed(subject, case, decision, majority),
            Subject::SessionTakings(_) | Subject::SessionReceipt(_) => {
                Sessions::on_closed(subject, case, decision, majority)
            }
            Subject::Dataset(_) => Datasets::on_closed(subject, case, decision, majority),
            Subject::Training { .. } | Subject::TrainingOuter { .. } => {
                Training::on_closed(subject, case, decision, majority)
            }
        }
    }

    fn close_weight(decision: &Decision, majority: u32) -> Weight {
        Jobs::close_weight(decision, majority)
            .max(Sessions::close_weight(decision, majority))
            .max(Datasets::close_weight(decision, majority))
            .max(Training::close_weight(decision, majority))
    }

    fn opening_matches(subject: &Subject, opening: &[u8]) -> bool {
        match subject {
            Subject::Job(_) => Jobs::opening_matches(subject, opening),
            Subject::SessionTakings(_) | Subject::SessionReceipt(_) => {
                Sessions::opening_matches(subject, opening)
            }
            Subject::Dataset(_) => Datasets::opening_matches(subject, opening),
            Subject::Training { .. } | Subject::TrainingOuter { .. } => {
                Training::opening_matches(subject, opening)
            }
        }
    }

    fn opening_weight(bytes: u32) -> Weight {
        Jobs::opening_weight(bytes).max(Sessions::opening_weight(bytes))
    }

    fn is_interested(subject: &Subject, judge: &AccountId) -> bool {
        match subject {
            Subject::SessionTakings(_) => Sessions::is_interested(subject, judge),
            Subject::Training { .. } | Subject::TrainingOuter { .. } => {
                Training::is_interested(subject, judge)
            }
            // The one client of anything else is named when its case is opened.
            _ => false,
        }
    }

    fn interest_weight() -> Weight {
        Sessions::interest_weight().max(Training::interest_weight())
    }
}

impl pallet_audits::Config for Runtime {
    type Operators = Operators;
    type Ledger = Rewards;
    type Randomness = Randomness;
    type Subjects = Judged;
    type AdminOrigin = RootOrEconomics;
    type MaxSeats = ConstU32<8>;
    type MaxElectorate = ConstU32<512>;
    type MaxAgenda = ConstU32<64>;
    type MaxBallotsPerBlock = ConstU32<512>;
    type WeightInfo = pallet_audits::weights::SubstrateWeight<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::Helper;
}

impl pallet_rewards::Config for Runtime {
    type NativeBalance = Balances;
    type Operators = Operators;
    type Epochs = Operators;
    type AdminOrigin = RootOrEconomics;
    type PalletId = RewardsPot;
    type FundAccount = TrainingFundAccount;
    type ReserveAccount = ReserveAccount;
    type FundShareLock = FundShareLock;
    type ClaimDelay = ClaimDelay;
    type ClaimPeriod = ClaimPeriod;
    type SweepStep = ConstU32<64>;
    type WeightInfo = pallet_rewards::weights::SubstrateWeight<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::Helper;
}

impl pallet_economy::Config for Runtime {
    type NativeBalance = Balances;
    type Operators = Operators;
    type Roll = Operators;
    type Contributions = Rewards;
    type Ledger = Rewards;
    type Epochs = Operators;
    type AdminOrigin = RootOrEconomics;
    type PalletId = SubsidyPot;
    // A visit reads the contributions of 28 epochs.
    type Step = ConstU32<8>;
    type HistoryKept = ConstU32<112>;
    type WeightInfo = pallet_economy::weights::SubstrateWeight<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::Helper;
}
