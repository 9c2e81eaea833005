//! A runtime of balances and sessions, with small stand-ins for the pallets that sessions meet in traits.

#[cfg(feature = "runtime-benchmarks")]
mod helper;
mod stand_ins;

pub use stand_ins::*;

use crate as pallet_sessions;
use chasqui_primitives::{
    audit::{AuditLimits, AuditThresholds, Subject},
    traits::{CheckpointTerms, Epochs, Ledger},
    Balance, CaseId, CheckpointRoot, EpochIndex, NumericProfile,
};
use frame_support::{derive_impl, parameter_types, traits::ConstU128, weights::Weight, PalletId};
use sp_core::{sr25519, Pair, H256};
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage};

type Block = frame_system::mocking::MockBlock<Test>;
pub type AccountId = AccountId32;

#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeTask,
        RuntimeHoldReason,
        RuntimeFreezeReason
    )]
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(2)]
    pub type Sessions = pallet_sessions;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountId = AccountId;
    type Lookup = IdentityLookup<AccountId>;
    type AccountData = pallet_balances::AccountData<Balance>;
}

pub const EXISTENTIAL_DEPOSIT: Balance = 100;

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = Balance;
    type AccountStore = System;
    type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
}

parameter_types! {
    /// Most weight of what happens by itself in a block.
    pub static ServiceWeight: Weight = Weight::from_parts(1 << 40, 1 << 30);
    /// What the draw of a panel costs for those it looks at.
    pub static PassedOver: Weight = Weight::zero();
    pub ReserveAccount: AccountId = account(901);
    pub const PotId: PalletId = PalletId(*b"ch/sessn");
}

impl pallet_sessions::Config for Test {
    type RuntimeHoldReason = RuntimeHoldReason;
    type NativeBalance = Balances;
    type Operators = FakeOperators;
    type Checkpoints = FakeCheckpoints;
    type Ledger = FakeLedger;
    type Cases = FakeCases;
    type Randomness = FakeRandomness;
    type Epochs = FakeEpochs;
    type Reserve = ReserveAccount;
    type AdminOrigin = frame_system::EnsureRoot<AccountId>;
    type PalletId = PotId;
    type ServiceWeight = ServiceWeight;
    type WeightInfo = ();
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = helper::Helper;
}

/// An account out of a number.
pub fn account(n: u64) -> AccountId {
    let mut bytes = [0u8; 32];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    AccountId::new(bytes)
}

/// Bonded account of the `n`-th operator.
pub fn operator(n: u64) -> AccountId {
    account(100 + n)
}

/// Key pair that signs for the `n`-th operator.
pub fn hot_pair(n: u64) -> sr25519::Pair {
    sr25519::Pair::from_seed(&sp_io::hashing::blake2_256(&n.to_le_bytes()))
}

/// Account of [`hot_pair`].
pub fn hot(n: u64) -> AccountId {
    hot_pair(n).public().into()
}

/// Which operator a bonded account is.
pub fn number_of(who: &AccountId) -> u64 {
    (0..OPERATORS)
        .find(|n| operator(*n) == *who)
        .expect("an operator")
}

pub const OPERATORS: u64 = 6;
pub const ALICE: u64 = 1;
pub const BOB: u64 = 2;
/// Holds exactly the existential deposit.
pub const PAUPER: u64 = 3;
/// Auditors that close cases.
pub const AUDITORS: [u64; 3] = [301, 302, 303];
pub const RICH: Balance = 1_000_000_000_000;

pub const CHECKPOINT: CheckpointRoot = H256([1; 32]);
/// Its electorate is too small.
pub const UNPAYABLE: CheckpointRoot = H256([2; 32]);
/// Nobody computes with it.
pub const UNSERVED: CheckpointRoot = H256([3; 32]);

pub const UNIT_PRICE: Balance = 10;
pub const PROMPT_UNITS: u32 = 1;
pub const OUTPUT_UNITS: u32 = 4;
pub const CONTEXT: u32 = 20_000;
pub const VOCABULARY: u32 = 5_000;
pub const END_TOKEN: u32 = 2;

pub fn terms() -> CheckpointTerms {
    let limits = AuditLimits {
        mean_margin_micro: 1,
        max_margin_micro: 1,
        mismatch_ppm: 1,
        fingerprint_milli: 1,
    };
    CheckpointTerms {
        unit_price: UNIT_PRICE,
        units_per_prompt_token: PROMPT_UNITS,
        units_per_output_token: OUTPUT_UNITS,
        context_tokens: CONTEXT,
        vocabulary: VOCABULARY,
        profile: NumericProfile::F32,
        thresholds: AuditThresholds {
            boundary_micro: 1,
            clip_micro: 1,
            soft: limits,
            hard: limits,
            evidence_tau: 77,
        },
        end_tokens: vec![END_TOKEN].try_into().expect("short"),
        has_tokenizer: true,
    }
}

/// Blocks of an epoch.
pub const EPOCH_BLOCKS: u64 = 20;
/// Blocks of a close window.
pub const WINDOW: u64 = 25;

/// Short windows, so that tests need few blocks.
pub fn params() -> pallet_sessions::ParamsOf<Test> {
    pallet_sessions::Params {
        committee: 3,
        close_blocks: WINDOW,
        expiry_blocks: 60,
        min_deposit: 1_000,
        storage_deposit: 500,
        report_deposit: 300,
        expiry_bounty: 200,
        max_settlements: 3,
        min_settlement: 5,
        audit_from: 0,
    }
}

pub fn new_test_ext() -> sp_io::TestExternalities {
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    let mut balances = vec![
        (account(ALICE), RICH),
        (account(BOB), RICH),
        (account(PAUPER), EXISTENTIAL_DEPOSIT),
        (FakeLedger::pot(), EXISTENTIAL_DEPOSIT),
        (ReserveAccount::get(), EXISTENTIAL_DEPOSIT),
    ];
    balances.extend((0..OPERATORS).map(|n| (operator(n), RICH)));
    pallet_balances::GenesisConfig::<Test> {
        balances,
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    pallet_sessions::GenesisConfig::<Test> { params: params() }
        .assimilate_storage(&mut storage)
        .unwrap();
    let mut ext = sp_io::TestExternalities::from(storage);
    ext.register_extension(sp_keystore::KeystoreExt::new(
        sp_keystore::testing::MemoryKeystore::new(),
    ));
    ext.execute_with(|| {
        ServiceWeight::set(Weight::from_parts(1 << 40, 1 << 30));
        PassedOver::set(Weight::zero());
        for root in [CHECKPOINT, UNPAYABLE, UNSERVED] {
            Terms::insert(root, terms());
        }
        for n in 0..OPERATORS {
            Registry::insert(operator(n), registered(hot(n), 10 + n));
        }
        System::set_block_number(1);
        FakeRandomness::observe(1);
    });
    ext
}

/// Runs `test` and then checks every invariant.
pub fn build_and_execute(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        check_invariants();
    });
}

/// Everything that must hold between two calls, the stand-ins included.
pub fn check_invariants() {
    use pallet_sessions::{AllTakings, ReportStage, Reports, TakingsStage};
    use std::collections::BTreeMap;
    Sessions::do_try_state().expect("the pallet's invariants hold");
    let owed = PaidIn::get() + EXISTENTIAL_DEPOSIT;
    assert_eq!(
        Balances::free_balance(FakeLedger::pot()),
        owed,
        "the pot has what was recorded"
    );
    let mut liabilities = BTreeMap::<AccountId, u32>::new();
    let mut locks = BTreeMap::<(AccountId, EpochIndex), u32>::new();
    let mut cases = 0;
    let mut judged = |case: CaseId, subject: Subject, operator: &AccountId, epoch: EpochIndex| {
        let (of, whose, ..) = OpenCases::get(case).expect("the case is open");
        assert_eq!((of, &whose), (subject, operator));
        *locks.entry((operator.clone(), epoch)).or_default() += 1;
        cases += 1;
    };
    for (id, takings) in AllTakings::<Test>::iter() {
        match takings.stage {
            TakingsStage::Closed { .. } => continue,
            TakingsStage::InAudit { case, .. } => judged(
                case,
                Subject::SessionTakings(id),
                &takings.operator,
                takings.epoch,
            ),
            _ => {}
        }
        *liabilities.entry(takings.operator).or_default() += 1;
    }
    for (id, report) in Reports::<Test>::iter() {
        let operator = report.receipt.receipt.operator;
        if let ReportStage::InAudit { case } = report.stage {
            judged(case, Subject::SessionReceipt(id), &operator, report.epoch);
        }
        *liabilities.entry(operator).or_default() += 1;
    }
    for (who, operator) in Registry::iter() {
        let expected = liabilities.get(&who).copied().unwrap_or_default();
        assert_eq!(
            operator.liabilities, expected,
            "one liability for each thing that is not decided"
        );
    }
    assert_eq!(OpenCases::iter().count(), cases, "no other case is open");
    let open: BTreeMap<_, _> = Locks::iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(open, locks, "one lock on revenue for each case");
}

/// Ends the block and begins the next.
pub fn next_block() {
    use frame_support::traits::Hooks;
    let now = System::block_number() + 1;
    System::set_block_number(now);
    let consumed = Sessions::on_initialize(now);
    assert!(
        consumed.all_lte(ServiceWeight::get()),
        "more weight than allowed"
    );
    // The inherent comes after `on_initialize`.
    FakeRandomness::observe(now as u32);
}

pub fn run_blocks(count: u64) {
    (0..count).for_each(|_| next_block());
}

/// Into the first block of the next epoch.
pub fn next_epoch() {
    let epoch = FakeEpochs::current();
    while FakeEpochs::current() == epoch {
        next_block();
    }
}
