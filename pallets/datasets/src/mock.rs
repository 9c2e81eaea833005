//! A runtime of this pallet, in a world of cases and points that tests look at and decide.

use crate::{self as pallet_datasets, *};
use chasqui_primitives::{
    audit::{Decision, Subject},
    traits::{AuditRecord, CaseRequest, CaseSubjects, Electorate, Offence, Opened, SeedExpired},
    CheckpointRoot, EpochIndex, RelayBlockNumber, Role, DOT,
};
use frame_support::{derive_impl, parameter_types, traits::Hooks};
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
    pub type Datasets = pallet_datasets;
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

parameter_types! {
    pub const ExistentialDeposit: Balance = DOT / 100;
    pub const Reserve: AccountId = 1_000;
    pub static MaxUndecided: u32 = 8;
    pub static MaxOpenings: u32 = 2;
}

impl Config for Test {
    type RuntimeHoldReason = RuntimeHoldReason;
    type NativeBalance = Balances;
    type Operators = World;
    type Ledger = World;
    type Cases = World;
    type Randomness = World;
    type Reserve = Reserve;
    type AdminOrigin = frame_system::EnsureRoot<AccountId>;
    type MaxUndecided = MaxUndecided;
    type MaxOpenings = MaxOpenings;
    type WeightInfo = ();
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = World;
}

#[derive(Clone, Debug, Default)]
pub struct State {
    /// Open cases, by number.
    pub cases: BTreeMap<CaseId, CaseRequest<AccountId>>,
    pub next_case: CaseId,
    /// Whether anybody may judge.
    pub judges: bool,
    pub seeds_come: bool,
    /// Seeds up to here have left the ring.
    pub forgotten: RelayBlockNumber,
    pub points: BTreeMap<AccountId, u64>,
}

thread_local! {
    static WORLD: RefCell<State> = RefCell::default();
}

/// Everything around the pallet. The hot key of an account below 100 is that plus 100.
pub struct World;

impl World {
    pub fn with<R>(f: impl FnOnce(&mut State) -> R) -> R {
        WORLD.with(|world| f(&mut world.borrow_mut()))
    }

    pub fn points(who: AccountId) -> u64 {
        Self::with(|world| world.points.get(&who).copied().unwrap_or(0))
    }
}

impl Cases<AccountId> for World {
    fn seats() -> u32 {
        3
    }
    fn open(request: CaseRequest<AccountId>) -> Result<Opened, DispatchError> {
        Self::with(|world| {
            if !world.judges {
                return Err(DispatchError::Other("nobody may judge"));
            }
            let case = world.next_case;
            world.next_case += 1;
            world.cases.insert(case, request);
            Ok(Opened {
                case,
                passed_over: Weight::zero(),
            })
        })
    }
    fn most_passed_over() -> Weight {
        Weight::zero()
    }
}

impl Ledger<AccountId> for World {
    fn pot() -> AccountId {
        0
    }
    fn record_fee(_: Subject, _: &AccountId, _: &[AccountId], _: Balance, _: u64) {
        unreachable!("a dataset is nobody's fee")
    }
    fn record_poc_points(operator: &AccountId, points: u64) {
        Self::with(|world| *world.points.entry(*operator).or_default() += points);
    }
    fn unclaimed(_: &AccountId) -> Balance {
        0
    }
    fn forfeit(_: &AccountId) -> Balance {
        unreachable!("a dataset forfeits no pay")
    }
    fn case_opened(_: &AccountId, _: EpochIndex) {
        unreachable!("a dataset holds no pay back")
    }
    fn case_closed(_: &AccountId, _: EpochIndex) {
        unreachable!("a dataset holds no pay back")
    }
}

impl Randomness for World {
    fn relay_now() -> RelayBlockNumber {
        System::block_number() as u32
    }
    fn next_due() -> RelayBlockNumber {
        Self::relay_now() + 2
    }
    fn seed(due: RelayBlockNumber) -> Result<Option<H256>, SeedExpired> {
        let (come, forgotten) = Self::with(|world| (world.seeds_come, world.forgotten));
        if due <= forgotten {
            return Err(SeedExpired);
        }
        let exists = come && Self::relay_now() >= due;
        Ok(exists.then(|| H256::from_low_u64_be(u64::from(due))))
    }
}

impl Operators<AccountId> for World {
    fn by_signer(signer: &AccountId) -> Option<AccountId> {
        (100..200).contains(signer).then(|| signer - 100)
    }
    fn hot_key(operator: &AccountId) -> Option<AccountId> {
        Some(operator + 100)
    }
    fn owner(_: &AccountId) -> Option<AccountId> {
        None
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
        Vec::new()
    }
    fn electorate(_: &CheckpointRoot, _: &[AccountId]) -> Electorate {
        Electorate::default()
    }
    fn vote_weight(_: EpochIndex, _: &CheckpointRoot, _: &[AccountId], _: &AccountId) -> u64 {
        0
    }
    fn voters(_: EpochIndex, _: &CheckpointRoot, _: &[AccountId]) -> Vec<(AccountId, u64)> {
        Vec::new()
    }
    fn can_take_payment(_: &CheckpointRoot) -> bool {
        true
    }
    fn record_duty(_: &AccountId, _: bool) {
        unreachable!("a dataset is nobody's duty")
    }
    fn record_audit(_: &AccountId, _: AuditRecord) -> bool {
        unreachable!("a dataset is in nobody's record")
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
        unreachable!("a dataset never slashes")
    }
    fn forfeit_lien(_: &AccountId, _: Balance, _: &[AccountId]) -> Balance {
        unreachable!("the registry takes no liens")
    }
    fn add_liability(_: &AccountId) -> DispatchResult {
        Ok(())
    }
    fn remove_liability(_: &AccountId) {}
}

#[cfg(feature = "runtime-benchmarks")]
impl BenchmarkHelper for World {
    fn validators() {
        Self::with(|world| world.judges = true);
    }
}

/// Somebody with money who submits.
pub const ALICE: AccountId = 1;
/// Somebody else.
pub const BOB: AccountId = 2;
/// What each has.
pub const FUNDS: Balance = 1_000 * DOT;

pub fn params() -> Params {
    Params {
        deposit: 10 * DOT,
        deposit_per_gib: 2 * DOT,
        fee: DOT,
        rejected_percent: 50,
        max_tries: 3,
        pause_blocks: 10,
        units_per_point: 1_000,
        planck_per_point: 100,
        max_points_per_run: 5,
    }
}

pub fn new_test_ext() -> sp_io::TestExternalities {
    MaxUndecided::set(8);
    MaxOpenings::set(2);
    World::with(|world| {
        *world = State {
            judges: true,
            seeds_come: true,
            ..Default::default()
        }
    });
    let storage = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: vec![
                (ALICE, FUNDS),
                (BOB, FUNDS),
                (Reserve::get(), ExistentialDeposit::get()),
            ],
            ..Default::default()
        },
        datasets: pallet_datasets::GenesisConfig {
            params: params(),
            ..Default::default()
        },
        ..Default::default()
    }
    .build_storage()
    .expect("genesis is valid");
    let mut ext = sp_io::TestExternalities::from(storage);
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
    Datasets::do_try_state().expect("the state is consistent");
}

/// Goes on for `blocks` blocks, checking each.
pub fn run_for(blocks: u64) {
    for _ in 0..blocks {
        let now = System::block_number() + 1;
        System::set_block_number(now);
        Datasets::on_initialize(now);
        check();
    }
}

pub fn root(of: u8) -> H256 {
    H256::repeat_byte(of)
}

/// Terms of a dataset of so many tokens.
pub fn terms(tokens: u64) -> DatasetTerms {
    DatasetTerms {
        bytes: 72 + 2 * tokens,
        tokens,
        held_out: tokens / 10,
        vocabulary: 300,
        tokenizer: H256::repeat_byte(4),
    }
}

pub fn text<S: Get<u32>>(text: &str) -> BoundedVec<u8, S> {
    text.as_bytes().to_vec().try_into().expect("it fits")
}

pub fn submit_as(who: AccountId, of: u8) -> DispatchResult {
    Datasets::submit(
        RuntimeOrigin::signed(who),
        root(of),
        terms(1_000),
        text("CC-BY-4.0"),
        text("Letters of a quipu keeper"),
    )
}

/// Submits by [`ALICE`].
pub fn submit(of: u8) -> DispatchResult {
    submit_as(ALICE, of)
}

/// The case that a dataset waits for.
pub fn case_of(id: DatasetId) -> CaseId {
    let list = Datasets::undecided();
    match list.iter().find(|entry| entry.dataset == id) {
        Some(Undecided {
            wait: Wait::Case(case),
            ..
        }) => *case,
        other => panic!("dataset {id} is in no case: {other:?}"),
    }
}

/// Closes the case that a dataset waits for.
pub fn close(id: DatasetId, decision: Decision) {
    let case = case_of(id);
    let request = World::with(|world| world.cases.remove(&case)).expect("the case is open");
    Datasets::on_closed(&request.subject, case, decision, &[7, 8]);
    check();
}

/// Submits by [`ALICE`] and has it found usable; its number.
pub fn usable(of: u8) -> DatasetId {
    let id = NextDataset::<Test>::get();
    submit(of).expect("it may be submitted");
    run_for(3);
    close(id, Decision::Valid);
    id
}

pub fn held(who: AccountId) -> Balance {
    use frame_support::traits::fungible::InspectHold;
    Balances::balance_on_hold(&HoldReason::Submission.into(), &who)
}

pub fn free(who: AccountId) -> Balance {
    Balances::free_balance(who)
}

/// What the reserve got.
pub fn reserve() -> Balance {
    free(Reserve::get()) - ExistentialDeposit::get()
}

/// Whether `event` was deposited.
pub fn happened(event: Event<Test>) -> bool {
    let event = RuntimeEvent::Datasets(event);
    System::events().iter().any(|record| record.event == event)
}
