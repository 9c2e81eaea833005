//! A runtime of this pallet and balances, in a world whose operators and work are set by the tests.

use crate::{self as pallet_economy, *};
use chasqui_primitives::{
    audit::Subject,
    traits::{AuditRecord, Contributed, Electorate, Enrolled, Offence},
    CheckpointRoot, Role, DOT,
};
use frame_support::{
    derive_impl, parameter_types,
    traits::{ConstU128, ConstU32, Hooks},
};
use sp_core::H256;
use sp_runtime::{BuildStorage, Perbill};
use std::{cell::RefCell, collections::BTreeMap};

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
    pub type Economy = pallet_economy;
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
    type ExistentialDeposit = ConstU128<10>;
    type AccountStore = System;
}

parameter_types! {
    pub const PotId: PalletId = PalletId(*b"test/sub");
    pub static Step: u32 = 4;
}

impl Config for Test {
    type NativeBalance = Balances;
    type Operators = World;
    type Roll = World;
    type Contributions = World;
    type Ledger = World;
    type Epochs = World;
    type AdminOrigin = frame_system::EnsureRoot<AccountId>;
    type PalletId = PotId;
    type Step = Step;
    type HistoryKept = ConstU32<4>;
    type WeightInfo = ();
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = World;
}

#[derive(Clone, Debug, Default)]
pub struct State {
    pub epoch: EpochIndex,
    /// Weights; bonds are ten times as much. The owner of each is it plus 1,000, its hot key it plus 2,000.
    pub weights: BTreeMap<AccountId, u64>,
    /// Weights of draws, where they are others.
    pub drawn: BTreeMap<AccountId, u64>,
    pub work: BTreeMap<(EpochIndex, AccountId), Contributed>,
    /// Subsidy booked, by epoch and operator.
    pub booked: BTreeMap<(EpochIndex, AccountId), Balance>,
}

thread_local! {
    static WORLD: RefCell<State> = RefCell::default();
}

/// Everything around the pallet.
pub struct World;

impl World {
    pub fn with<R>(f: impl FnOnce(&mut State) -> R) -> R {
        WORLD.with(|world| f(&mut world.borrow_mut()))
    }

    /// An operator of such a weight.
    pub fn register(who: AccountId, weight: u64) {
        Self::with(|world| world.weights.insert(who, weight));
    }

    /// Work of the running epoch, with a planck of fees for each unit.
    pub fn work(who: AccountId, units: u128) {
        Self::with(|world| {
            let done = world.work.entry((world.epoch, who)).or_default();
            done.units += units;
            done.fees += units;
        });
    }

    pub fn booked(epoch: EpochIndex, who: AccountId) -> Balance {
        Self::with(|world| world.booked.get(&(epoch, who)).copied().unwrap_or(0))
    }
}

impl Epochs for World {
    fn current() -> EpochIndex {
        Self::with(|world| world.epoch)
    }
    fn blocks() -> u32 {
        10
    }
}

impl Roll<AccountId> for World {
    fn after(last: Option<&AccountId>, count: u32) -> Vec<Enrolled<AccountId>> {
        let from = last.map_or(0, |last| last + 1);
        Self::with(|world| {
            world
                .weights
                .range(from..)
                .take(count as usize)
                .map(|(operator, weight)| Enrolled {
                    operator: *operator,
                    weight: *weight,
                    drawn: world.drawn.get(operator).copied().unwrap_or(*weight),
                    bond: u128::from(*weight) * 10,
                })
                .collect()
        })
    }
}

impl Contributions<AccountId> for World {
    fn contributed(epoch: EpochIndex, operator: &AccountId) -> Contributed {
        Self::with(|world| {
            let key = (epoch, *operator);
            world.work.get(&key).copied().unwrap_or_default()
        })
    }
}

/// Where the ledger's money is.
pub const LEDGER: AccountId = 5_000;

impl Ledger<AccountId> for World {
    fn pot() -> AccountId {
        LEDGER
    }
    fn record_fee(_: Subject, _: &AccountId, _: &[AccountId], _: Balance, _: u64) {
        unreachable!("a census records no fees")
    }
    fn record_poc_points(_: &AccountId, _: u64) {
        unreachable!("a census gives no points")
    }
    fn record_subsidy(operator: &AccountId, epoch: EpochIndex, amount: Balance) {
        Self::with(|world| {
            let booked = world.booked.entry((epoch, *operator)).or_default();
            *booked = booked.saturating_add(amount);
        });
    }
    fn unclaimed(_: &AccountId) -> Balance {
        0
    }
    fn forfeit(_: &AccountId) -> Balance {
        unreachable!("a census forfeits nothing")
    }
    fn case_opened(_: &AccountId, _: EpochIndex) {}
    fn case_closed(_: &AccountId, _: EpochIndex) {}
}

impl Operators<AccountId> for World {
    fn by_signer(signer: &AccountId) -> Option<AccountId> {
        (2_000..3_000).contains(signer).then(|| signer - 2_000)
    }
    fn hot_key(operator: &AccountId) -> Option<AccountId> {
        Some(operator + 2_000)
    }
    fn owner(operator: &AccountId) -> Option<AccountId> {
        Self::with(|world| world.weights.contains_key(operator)).then(|| operator + 1_000)
    }
    fn reputation(_: &AccountId) -> Perbill {
        Perbill::zero()
    }
    fn draw(
        _: Role,
        _: &CheckpointRoot,
        _: &H256,
        _: u32,
        _: &dyn Fn(&AccountId) -> bool,
    ) -> Vec<AccountId> {
        unreachable!("nobody is drawn")
    }
    fn electorate(_: &CheckpointRoot, _: &[AccountId]) -> Electorate {
        unreachable!("there are no cases")
    }
    fn vote_weight(_: EpochIndex, _: &CheckpointRoot, _: &[AccountId], _: &AccountId) -> u64 {
        unreachable!("there are no cases")
    }
    fn voters(_: EpochIndex, _: &CheckpointRoot, _: &[AccountId]) -> Vec<(AccountId, u64)> {
        unreachable!("there are no cases")
    }
    fn can_take_payment(_: &CheckpointRoot) -> bool {
        true
    }
    fn record_duty(_: &AccountId, _: bool) {
        unreachable!("there are no duties")
    }
    fn record_audit(_: &AccountId, _: AuditRecord) -> bool {
        unreachable!("there are no audits")
    }
    fn slashable(_: &AccountId, _: Offence) -> Balance {
        0
    }
    fn slash(
        _: &AccountId,
        _: Offence,
        _: Option<(&AccountId, Balance)>,
        _: Option<&AccountId>,
        _: &[AccountId],
    ) -> Balance {
        unreachable!("nobody is slashed")
    }
    fn forfeit_lien(_: &AccountId, _: Balance, _: &[AccountId]) -> Balance {
        unreachable!("there are no liens")
    }
    fn add_liability(_: &AccountId) -> DispatchResult {
        unreachable!("nothing is locked")
    }
    fn remove_liability(_: &AccountId) {
        unreachable!("nothing is locked")
    }
}

#[cfg(feature = "runtime-benchmarks")]
impl BenchmarkHelper<AccountId> for World {
    fn operator(index: u32) -> AccountId {
        Self::register(index.into(), 10);
        index.into()
    }
    fn set_epoch(epoch: EpochIndex) {
        Self::with(|world| world.epoch = epoch);
    }
    fn work(operator: &AccountId) {
        Self::work(*operator, 1_000);
    }
}

/// The price at the start.
pub const PRICE: Balance = 1_000;
/// What is in the pot at the start.
pub const POT: Balance = 1_000 * DOT;

pub fn params() -> Params {
    Params {
        lowest_price: 1,
        highest_price: 1_000_000,
        units_per_point: 100,
        programme: 100 * DOT,
        epoch_budget: Balance::MAX,
        first_block: 0,
        year_blocks: 10_000,
        retention: 28,
    }
}

pub fn new_test_ext() -> sp_io::TestExternalities {
    Step::set(4);
    World::with(|world| *world = State::default());
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    pallet_balances::GenesisConfig::<Test> {
        balances: vec![(Economy::pot_account(), POT), (LEDGER, 10)],
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    pallet_economy::GenesisConfig::<Test> {
        params: params(),
        price: PRICE,
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

/// The pallet's own checks, and that everything that left the pot was booked.
pub fn check() {
    Economy::do_try_state().expect("the state is consistent");
    let booked: Balance = World::with(|world| world.booked.values().sum());
    assert_eq!(
        Balances::free_balance(LEDGER),
        10 + booked,
        "booked and moved"
    );
    assert_eq!(Paid::<Test>::get(), booked, "booked and counted");
}

/// One block.
pub fn block() {
    let now = System::block_number().saturating_add(1);
    System::set_block_number(now);
    Economy::on_initialize(now);
    check();
}

/// Ends the running epoch and runs until its census is complete.
pub fn close_epoch() -> EpochIndex {
    let closed = World::with(|world| {
        world.epoch += 1;
        world.epoch - 1
    });
    for _ in 0..1_000 {
        block();
        if Newest::<Test>::get() == Some(closed) {
            return closed;
        }
    }
    panic!("the census of epoch {closed} does not come to an end");
}

/// The newest census.
pub fn census() -> Census {
    Economy::census().expect("one is complete").1
}

pub fn vote(who: AccountId, price: Balance) -> DispatchResult {
    Economy::vote_price(RuntimeOrigin::signed(who), who, price)
}

/// Whether an event of this pallet happened.
pub fn happened(event: &Event<Test>) -> bool {
    let event = RuntimeEvent::Economy(event.clone());
    System::events().iter().any(|record| record.event == event)
}
