//! The chain governs itself: referenda on seven tracks, weighed by contribution (`pallet-voting`). [`origins`] says what
//! each track may do, [`tracks`] how long it takes and what it needs.
//!
//! Root is behind two referenda with two electorates: one whitelists the call, another dispatches it, and that one needs
//! more than half of all bond. On development chains an account holds root beside that, through sudo.

pub mod origins;
pub mod tracks;

use crate::{
    config::RuntimeBlockWeights,
    constants::money::{deposit, DOT},
    Balance, Balances, BlockNumber, Economy, Operators, OriginCaller, Preimage, Referenda, Runtime,
    RuntimeCall, RuntimeEvent, RuntimeHoldReason, RuntimeOrigin, Scheduler, System,
};
use frame_support::{
    parameter_types,
    traits::{
        fungible::HoldConsideration, AsEnsureOriginWithArg, ConstU32, Contains, Currency,
        EqualPrivilegeOnly, Get, Imbalance, LinearStoragePrice, OnUnbalanced,
    },
    weights::Weight,
};
use frame_system::{EnsureRoot, EnsureSigned};
use origins::{WhitelistedRoot, Whitelister};
use parachains_common::AccountId;
use sp_runtime::{traits::AccountIdConversion, Perbill};

impl pallet_sudo::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type WeightInfo = pallet_sudo::weights::SubstrateWeight<Runtime>;
}

impl origins::pallet_origins::Config for Runtime {}

parameter_types! {
    pub MaximumSchedulerWeight: Weight =
        Perbill::from_percent(30) * RuntimeBlockWeights::get().max_block;
    pub const PreimageBaseDeposit: Balance = deposit(1, 64);
    pub const PreimageByteDeposit: Balance = deposit(0, 1);
    pub const PreimageHoldReason: RuntimeHoldReason =
        RuntimeHoldReason::Preimage(pallet_preimage::HoldReason::Preimage);
    pub const SubmissionDeposit: Balance = DOT;
}

/// A time in blocks that is shorter on development chains.
pub struct Paced<const BLOCKS: BlockNumber>;

impl<const BLOCKS: BlockNumber> Get<BlockNumber> for Paced<BLOCKS> {
    fn get() -> BlockNumber {
        tracks::paced(BLOCKS)
    }
}

impl pallet_preimage::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_preimage::weights::SubstrateWeight<Runtime>;
    type Currency = Balances;
    type ManagerOrigin = EnsureRoot<AccountId>;
    type Consideration = HoldConsideration<
        AccountId,
        Balances,
        PreimageHoldReason,
        LinearStoragePrice<PreimageBaseDeposit, PreimageByteDeposit, Balance>,
    >;
}

impl pallet_scheduler::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type PalletsOrigin = OriginCaller;
    type RuntimeCall = RuntimeCall;
    type MaximumWeight = MaximumSchedulerWeight;
    type ScheduleOrigin = EnsureRoot<AccountId>;
    type OriginPrivilegeCmp = EqualPrivilegeOnly;
    #[cfg(feature = "runtime-benchmarks")]
    type MaxScheduledPerBlock = ConstU32<512>;
    #[cfg(not(feature = "runtime-benchmarks"))]
    type MaxScheduledPerBlock = ConstU32<64>;
    type WeightInfo = pallet_scheduler::weights::SubstrateWeight<Runtime>;
    type Preimages = Preimage;
    type BlockNumberProvider = System;
}

/// What is lost of a deposit goes to the reserve.
pub struct ToReserve;

impl OnUnbalanced<pallet_referenda::NegativeImbalanceOf<Runtime, ()>> for ToReserve {
    fn on_nonzero_unbalanced(amount: pallet_referenda::NegativeImbalanceOf<Runtime, ()>) {
        let reserve: AccountId = crate::config::RESERVE.into_account_truncating();
        if amount.peek() > 0 {
            Balances::resolve_creating(&reserve, amount);
        }
    }
}

impl pallet_referenda::Config for Runtime {
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_referenda::weights::SubstrateWeight<Runtime>;
    type Scheduler = Scheduler;
    type Currency = Balances;
    type SubmitOrigin = AsEnsureOriginWithArg<EnsureSigned<AccountId>>;
    type CancelOrigin = EnsureRoot<AccountId>;
    type KillOrigin = EnsureRoot<AccountId>;
    type Slash = ToReserve;
    type Votes = u64;
    type Tally = pallet_voting::TallyOf<Runtime>;
    type SubmissionDeposit = SubmissionDeposit;
    type MaxQueued = ConstU32<100>;
    type UndecidingTimeout = Paced<{ tracks::UNDECIDING_TIMEOUT }>;
    type AlarmInterval = frame_support::traits::ConstU32<1>;
    type Tracks = tracks::Tracks;
    type Preimages = Preimage;
    type BlockNumberProvider = System;
}

impl pallet_whitelist::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type WhitelistOrigin = frame_support::traits::EitherOf<EnsureRoot<AccountId>, Whitelister>;
    type DispatchWhitelistedOrigin =
        frame_support::traits::EitherOf<EnsureRoot<AccountId>, WhitelistedRoot>;
    type Preimages = Preimage;
    type DeferredDispatchExpiration = Paced<{ 28 * crate::constants::time::DAYS }>;
    type BlockNumberProvider = System;
    type WeightInfo = pallet_whitelist::weights::SubstrateWeight<Runtime>;
}

/// Root needs more than half of all bond.
pub struct NeedBond;

impl Contains<u16> for NeedBond {
    fn contains(track: &u16) -> bool {
        *track == tracks::id::ROOT
    }
}

impl pallet_voting::Config for Runtime {
    type Polls = Referenda;
    type Operators = Operators;
    type Standing = Economy;
    type BondClasses = NeedBond;
    type MaxDelegators = ConstU32<32>;
    type PollLife = Paced<{ tracks::POLL_LIFE }>;
    type BondLock = Paced<{ tracks::BOND_LOCK }>;
    type WeightInfo = pallet_voting::weights::SubstrateWeight<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::Helper;
}
