//! A runtime of this pallet and balances.

use crate::{self as pallet_training_fund, *};
use chasqui_primitives::DOT;
use frame_support::{
    derive_impl, ord_parameter_types, parameter_types,
    traits::{tokens::Preservation, ConstU128, EitherOf, Hooks},
};
use frame_system::{EnsureRootWithSuccess, EnsureSignedBy, EnsureWithSuccess};
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
    pub type Fund = pallet_training_fund;
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
}

parameter_types! {
    pub const ExistentialDeposit: Balance = DOT / 100;
    pub const FundId: PalletId = PalletId(*b"test/fnd");
    pub static MaxDeadlines: u32 = 64;
}

ord_parameter_types! {
    /// Makes grants of up to 5 DOT.
    pub const Thrifty: AccountId = 77;
}

impl Config for Test {
    type NativeBalance = Balances;
    type SpendOrigin = EitherOf<
        EnsureRootWithSuccess<AccountId, ConstU128<{ Balance::MAX }>>,
        EnsureWithSuccess<EnsureSignedBy<Thrifty, AccountId>, AccountId, ConstU128<{ 5 * DOT }>>,
    >;
    type PalletId = FundId;
    type MaxDeadlines = MaxDeadlines;
    type WeightInfo = ();
}

/// Somebody with money who gives.
pub const DONOR: AccountId = 900;
/// What it has.
pub const ENDOWMENT: Balance = 1_000_000 * DOT;
/// Somebody whose grants are made, with an account.
pub const BUILDER: AccountId = 1;
/// Somebody without an account.
pub const NEWCOMER: AccountId = 2;

pub fn new_test_ext() -> sp_io::TestExternalities {
    MaxDeadlines::set(64);
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    pallet_balances::GenesisConfig::<Test> {
        balances: vec![(DONOR, ENDOWMENT), (BUILDER, ExistentialDeposit::get())],
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
        check();
    });
}

/// The pallet's own checks.
pub fn check() {
    Fund::do_try_state().expect("the state is consistent");
}

/// Runs to the beginning of block `block`, checking each.
pub fn run_to(block: u64) {
    while System::block_number() < block {
        let now = System::block_number() + 1;
        System::set_block_number(now);
        Fund::on_initialize(now);
        check();
    }
}

/// A transfer to the fund's account, as anybody can make it.
pub fn donate(amount: Balance) {
    let to = Fund::account_id();
    let _ =
        <Balances as Mutate<AccountId>>::transfer(&DONOR, &to, amount, Preservation::Expendable)
            .expect("the donor is rich");
}

pub fn balance(who: AccountId) -> Balance {
    Balances::free_balance(who)
}

/// Milestones of these amounts, due in these blocks.
pub fn milestones(of: &[(Balance, u64)]) -> MilestoneList<u64> {
    of.iter()
        .map(|(amount, deadline)| MilestoneTerms {
            amount: *amount,
            description: H256::repeat_byte(1),
            deadline: *deadline,
        })
        .collect::<Vec<_>>()
        .try_into()
        .expect("few milestones")
}

/// Makes a grant to [`BUILDER`].
pub fn grant(of: &[(Balance, u64)]) -> DispatchResult {
    Fund::create_grant(RuntimeOrigin::root(), BUILDER, milestones(of))
}

pub fn prove(grant: GrantId, milestone: u32) -> DispatchResult {
    let evidence = H256::repeat_byte(9);
    Fund::prove(RuntimeOrigin::signed(BUILDER), grant, milestone, evidence)
}

pub fn approve(grant: GrantId, milestone: u32) -> DispatchResult {
    Fund::approve(RuntimeOrigin::root(), grant, milestone)
}

pub fn decline(grant: GrantId, milestone: u32) -> DispatchResult {
    Fund::decline(RuntimeOrigin::root(), grant, milestone)
}

/// Whether `event` was deposited.
pub fn happened(event: Event<Test>) -> bool {
    let event = RuntimeEvent::Fund(event);
    System::events().iter().any(|record| record.event == event)
}
