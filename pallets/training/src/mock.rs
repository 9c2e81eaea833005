//! A runtime of balances and training, with small stand-ins for the pallets that training meets in traits.

#[cfg(feature = "runtime-benchmarks")]
mod helper;
mod play;
mod stand_ins;

pub use play::*;
pub use stand_ins::*;

use crate::{self as pallet_training, *};
use chasqui_primitives::{
    training::{AuditTerms, Codec, InnerOptimizer, Outer, Recipe, Schedule, Start, Timing, Trains},
    DOT,
};
use frame_support::{derive_impl, parameter_types, traits::Hooks};
use sp_runtime::BuildStorage;

pub type AccountId = u64;
type Block = frame_system::mocking::MockBlock<Test>;

#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(2)]
    pub type Training = pallet_training;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountId = AccountId;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = Balance;
    type ExistentialDeposit = ExistentialDeposit;
    type AccountStore = System;
    type RuntimeHoldReason = RuntimeHoldReason;
}

/// Far more than any block of a test needs.
pub const PLENTY: Weight = Weight::from_parts(1 << 42, 1 << 32);

parameter_types! {
    pub const ExistentialDeposit: Balance = DOT / 100;
    pub const Reserve: AccountId = 901;
    pub static MaxRuns: u32 = 3;
    pub static MaxMembers: u32 = 12;
    pub static MaxEvaluations: u32 = 2;
    pub static ServiceWeight: Weight = PLENTY;
    /// What the draw of a panel costs for those it looks at.
    pub static PassedOver: Weight = Weight::zero();
}

impl Config for Test {
    type RuntimeHoldReason = RuntimeHoldReason;
    type NativeBalance = Balances;
    type Operators = FakeOperators;
    type Checkpoints = FakeCheckpoints;
    type Fund = FakeFund;
    type Datasets = FakeDatasets;
    type Cases = FakeCases;
    type Randomness = FakeRandomness;
    type Reserve = Reserve;
    type AdminOrigin = frame_system::EnsureRoot<AccountId>;
    type MaxRuns = MaxRuns;
    type MaxMembers = MaxMembers;
    type MaxEvaluations = MaxEvaluations;
    type ServiceWeight = ServiceWeight;
    type WeightInfo = ();
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = helper::Helper;
}

/// Compute operators are 0 to 11, validators 20 to 29; a hot key is its operator's account plus 100, its owner plus 200.
pub const COMPUTE: core::ops::Range<AccountId> = 0..12;
pub const VALIDATORS: core::ops::Range<AccountId> = 20..30;
/// Somebody without a bond.
pub const STRANGER: AccountId = 77;
/// What every operator has beside its bond.
pub const FUNDS: Balance = 1_000 * DOT;
/// What the fund has.
pub const GIFT: Balance = 100_000 * DOT;

pub const MEMBER_DEPOSIT: Balance = 2 * DOT;
pub const CHALLENGE_DEPOSIT: Balance = 5 * DOT;
pub const EVALUATION_DEPOSIT: Balance = DOT / 2;
/// What a round pays in all.
pub const ROUND_PAY: Balance = 12 * DOT;

pub fn params() -> Params {
    Params {
        member_deposit: MEMBER_DEPOSIT,
        challenge_deposit: CHALLENGE_DEPOSIT,
        evaluation_deposit: EVALUATION_DEPOSIT,
    }
}

/// A run on the dataset and from the checkpoint that there are.
pub fn terms(rounds: u32, min_members: u32, max_members: u32) -> RunTerms {
    RunTerms {
        start: Start::Checkpoint(BASE),
        dataset: DATASET,
        sequences: SEQUENCES,
        recipe: Recipe {
            inner_steps: 20,
            batch: 4,
            micro_batch: 2,
            sequence: 64,
            optimizer: InnerOptimizer::default(),
            schedule: Schedule {
                peak_nano: 1_000_000,
                warmup_steps: 10,
                total_steps: 100,
                floor_ppm: 100_000,
            },
            clip_milli: 1_000,
            outer: Outer::default(),
            codec: Codec::F32,
            norm_clip_ppm: 4_000_000,
            segments: 4,
            trains: Trains::Full,
        },
        rounds,
        round_pay: ROUND_PAY,
        min_members,
        max_members,
        timing: Timing {
            forming_blocks: 2,
            warmup_blocks: 5,
            train_blocks: 12,
            grace_blocks: 2,
            spread_percent: 300,
            exchange_blocks: 4,
            attest_blocks: 4,
            audit_blocks: 8,
            agree_blocks: 4,
            challenge_blocks: 6,
            idle_blocks: 40,
            max_missed: 2,
            max_void: 3,
        },
        audit: AuditTerms {
            segments: 1,
            soft_ppm: 1,
            hard_ppm: 2,
            evidence_tau: 3,
        },
    }
}

pub fn new_test_ext() -> sp_io::TestExternalities {
    MaxRuns::set(3);
    MaxMembers::set(12);
    MaxEvaluations::set(2);
    ServiceWeight::set(PLENTY);
    PassedOver::set(Weight::zero());
    let minimum = ExistentialDeposit::get();
    let operators = COMPUTE.chain(VALIDATORS).map(|who| (who, FUNDS));
    let others = [(Reserve::get(), minimum), (FUND, GIFT), (STRANGER, FUNDS)];
    let owners = COMPUTE.map(|who| (who + 200, minimum));
    let storage = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: operators.chain(others).chain(owners).collect(),
            ..Default::default()
        },
        training: pallet_training::GenesisConfig {
            params: params(),
            ..Default::default()
        },
        ..Default::default()
    }
    .build_storage()
    .expect("genesis is valid");
    let mut ext = sp_io::TestExternalities::from(storage);
    ext.execute_with(|| {
        System::set_block_number(1);
        stand_ins::begin();
    });
    ext
}

/// Runs a test and checks every invariant, and that no money appeared or vanished, at its end.
pub fn build_and_execute(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        let before = Balances::total_issuance();
        test();
        assert_eq!(
            Balances::total_issuance(),
            before,
            "money appeared or vanished"
        );
        check();
    });
}

/// The pallet's own checks, and what its stand-ins know.
pub fn check() {
    Training::do_try_state().expect("the state is consistent");
    stand_ins::check();
}

/// Goes on for `blocks` blocks, checking each.
pub fn run_for(blocks: u64) {
    for _ in 0..blocks {
        let now = System::block_number() + 1;
        System::set_block_number(now);
        let spent = Training::on_initialize(now);
        assert!(
            spent.all_lte(ServiceWeight::get()),
            "a block spends more than it may: {spent:?}"
        );
        check();
    }
}

pub fn held(reason: HoldReason, who: AccountId) -> Balance {
    use frame_support::traits::fungible::InspectHold;
    Balances::balance_on_hold(&reason.into(), &who)
}

pub fn free(who: AccountId) -> Balance {
    Balances::free_balance(who)
}

/// Whether `event` was deposited.
pub fn happened(event: Event<Test>) -> bool {
    let event = RuntimeEvent::Training(event);
    System::events().iter().any(|record| record.event == event)
}
