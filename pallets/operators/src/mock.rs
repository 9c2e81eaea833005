//! A runtime of this pallet alone.

use crate::{self as pallet_operators, *};
use chasqui_primitives::{
    draw,
    traits::{CheckpointTerms, Checkpoints},
    DOT,
};
use frame_support::{
    assert_ok, derive_impl, parameter_types,
    traits::{fungible::InspectHold, tokens::imbalance::ResolveTo, Hooks},
};
use sp_core::H256;
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
    pub type OperatorsPallet = pallet_operators;
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
    type DustRemoval = ResolveTo<ReserveAccount, Balances>;
}

parameter_types! {
    pub const ExistentialDeposit: Balance = DOT / 100;
    pub const ReserveAccount: AccountId = 1_000;
    pub static IndexStep: u32 = 16;
    /// Operators of whose leave the others were told.
    pub static Left: Vec<AccountId> = Vec::new();
}

/// Remembers who left.
pub struct Gone;

impl OnOperatorLeft<AccountId> for Gone {
    fn on_operator_left(operator: &AccountId) {
        Left::mutate(|left| left.push(*operator));
    }
}

/// Accounts with money.
pub const PEOPLE: core::ops::RangeInclusive<AccountId> = 1..=40;
/// What each of them has.
pub const ENDOWMENT: Balance = 100_000 * DOT;
/// Registered checkpoints.
pub const MODEL: CheckpointRoot = H256::repeat_byte(1);
pub const OTHER_MODEL: CheckpointRoot = H256::repeat_byte(2);

/// Every root but those ending in 0xee is registered.
pub struct AllCheckpoints;

impl Checkpoints for AllCheckpoints {
    fn terms(_root: &CheckpointRoot) -> Option<CheckpointTerms> {
        None
    }
    fn exists(root: &CheckpointRoot) -> bool {
        root.as_bytes().last() != Some(&0xee)
    }
}

#[cfg(feature = "runtime-benchmarks")]
impl BenchmarkHelper for AllCheckpoints {
    fn registered_checkpoint() -> CheckpointRoot {
        MODEL
    }
}

impl Config for Test {
    type RuntimeHoldReason = RuntimeHoldReason;
    type NativeBalance = Balances;
    type Checkpoints = AllCheckpoints;
    type OnOperatorLeft = Gone;
    type AdminOrigin = frame_system::EnsureRoot<AccountId>;
    type ReserveAccount = ReserveAccount;
    type MaxOperators = ConstU32<300>;
    type IndexStep = IndexStep;
    type WeightInfo = ();
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = AllCheckpoints;
}

/// Parameters of the tests: small epochs, round numbers.
pub fn params() -> Params {
    Params {
        minimum_owners: 2,
        reputation_cap: 4,
        units_per_step: 100,
        index_retention: 3,
        unbonding_blocks: 30,
        missed_duties: Penalty {
            slash: Perbill::from_percent(1),
            jail_epochs: 2,
        },
        ..Params::development()
    }
}

pub fn new_test_ext() -> sp_io::TestExternalities {
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    let mut balances: Vec<_> = PEOPLE.map(|who| (who, ENDOWMENT)).collect();
    balances.push((ReserveAccount::get(), ExistentialDeposit::get()));
    pallet_balances::GenesisConfig::<Test> {
        balances,
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    pallet_operators::GenesisConfig::<Test> {
        params: params(),
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    let mut ext = sp_io::TestExternalities::new(storage);
    ext.execute_with(|| System::set_block_number(1));
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
        OperatorsPallet::do_try_state().unwrap();
    });
}

/// Runs the hooks of the next `count` blocks.
pub fn run_blocks(count: u64) {
    for _ in 0..count {
        let now = System::block_number() + 1;
        System::set_block_number(now);
        OperatorsPallet::on_initialize(now);
    }
}

/// Runs to the block after which the weights of the next epoch are frozen.
pub fn next_epoch() {
    let target = CurrentEpoch::<Test>::get().index + 1;
    while BuiltEpoch::<Test>::get().is_none_or(|built| built < target) {
        run_blocks(1);
    }
}

pub const COMPUTE: Roles = Roles {
    compute: true,
    validate: false,
};
pub const VALIDATE: Roles = Roles {
    compute: false,
    validate: true,
};
pub const BOTH: Roles = Roles {
    compute: true,
    validate: true,
};

pub fn endpoint() -> Endpoint {
    Endpoint {
        url: b"https://operator.example:8443"
            .to_vec()
            .try_into()
            .unwrap(),
        tls_key: [1; 32],
    }
}

/// The hot key of an operator in tests.
pub fn hot(operator: AccountId) -> AccountId {
    operator + 10_000
}

/// Registers `who` with `bond` and `capacity`, owned by itself.
pub fn register(who: AccountId, bond: Balance, roles: Roles, capacity: u32) {
    assert_ok!(OperatorsPallet::register(
        RuntimeOrigin::signed(who),
        bond,
        hot(who),
        roles,
        capacity,
        endpoint(),
        None
    ));
}

/// Registers `who` for `owner`.
pub fn register_owned(who: AccountId, owner: AccountId, roles: Roles, capacity: u32) {
    assert_ok!(OperatorsPallet::approve_operator(
        RuntimeOrigin::signed(owner),
        Some(who)
    ));
    assert_ok!(OperatorsPallet::register(
        RuntimeOrigin::signed(who),
        1_000 * DOT,
        hot(who),
        roles,
        capacity,
        endpoint(),
        Some(owner)
    ));
}

/// Registers `who` with plenty of bond, serving [`MODEL`].
pub fn server(who: AccountId, roles: Roles, capacity: u32) {
    register(who, 1_000 * DOT, roles, capacity);
    assert_ok!(OperatorsPallet::serve(RuntimeOrigin::signed(who), MODEL));
}

pub fn bond(who: AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Bond.into(), &who)
}

pub fn status(who: AccountId) -> Status<u64> {
    Operators::<Test>::get(who).unwrap().status
}

/// A seed of the n-th draw.
pub fn seed(n: u32) -> H256 {
    draw::draw_subseed(b"test", &H256::zero(), &H256::repeat_byte(9), b"subject", n)
}

/// Whether `event` was deposited.
pub fn happened(event: Event<Test>) -> bool {
    let event = RuntimeEvent::OperatorsPallet(event);
    System::events().iter().any(|record| record.event == event)
}

use sp_runtime::Perbill;
