//! A runtime with the pallet, and a small world of operators around it.

use crate as pallet_checkpoints;
use crate::{Calibration, CheckpointInfo, Params};
use chasqui_primitives::{
    audit::{AuditLimits, AuditThresholds},
    draw::{cumulative_index, pick_distinct},
    traits::{
        AuditRecord, Electorate, Offence, Operators, Randomness, SeedExpired, TrainedCheckpoint,
        TrainedCheckpoints,
    },
    Balance, CheckpointRoot, EpochIndex, NumericProfile, RelayBlockNumber, Role,
};
use frame_support::{derive_impl, traits::Hooks};
use frame_system::EnsureRoot;
use sp_core::{ConstU128, ConstU32, H256};
use sp_runtime::{traits::BlakeTwo256, BuildStorage, DispatchResult, Perbill};
use std::{cell::RefCell, collections::BTreeMap};

pub type AccountId = u64;
pub type Block = frame_system::mocking::MockBlock<Test>;

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
        RuntimeFreezeReason,
        RuntimeViewFunction
    )]
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(2)]
    pub type Checkpoints = pallet_checkpoints;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type Hash = H256;
    type Hashing = BlakeTwo256;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = Balance;
    type AccountStore = System;
    type ExistentialDeposit = ConstU128<1>;
}

/// On hold for a proposal.
pub const DEPOSIT: Balance = 300;
/// What the proposer has.
pub const FUNDS: Balance = 1_000;
/// Who proposes.
pub const PROPOSER: AccountId = 50;
/// Who registers what runs made. It is validator 6.
pub const REGISTRAR: AccountId = 6;
/// The checkpoint that is proposed.
pub const ROOT: CheckpointRoot = H256([9; 32]);
/// Distance from an operator's account to its hot key.
pub const HOT: AccountId = 1_000;

frame_support::parameter_types! {
    pub static UnitPrice: Balance = 7;
}

impl crate::Config for Test {
    type UnitPrice = UnitPrice;
    type RuntimeHoldReason = RuntimeHoldReason;
    type NativeBalance = Balances;
    type Operators = World;
    type Randomness = World;
    type AdminOrigin = EnsureRoot<AccountId>;
    type ProposalDeposit = ConstU128<DEPOSIT>;
    type MaxCalibrators = ConstU32<8>;
    type MaxAgenda = ConstU32<2>;
    type WeightInfo = ();
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = World;
}

/// An operator of the world. Its hot key is its account plus [`HOT`].
#[derive(Clone, Debug, Default)]
pub struct Operator {
    pub owner: AccountId,
    pub weight: u64,
    pub serves: bool,
    pub kept: u32,
    pub missed: u32,
}

#[derive(Clone, Debug, Default)]
pub struct State {
    pub operators: BTreeMap<AccountId, Operator>,
    pub seeds_come: bool,
    pub forgotten: RelayBlockNumber,
}

thread_local! {
    static WORLD: RefCell<State> = RefCell::default();
}

/// The operators and the randomness.
pub struct World;

impl World {
    pub fn with<R>(f: impl FnOnce(&mut State) -> R) -> R {
        WORLD.with(|world| f(&mut world.borrow_mut()))
    }

    pub fn operator(id: AccountId) -> Operator {
        Self::with(|world| world.operators.get(&id).cloned().unwrap_or_default())
    }

    pub fn change(id: AccountId, f: impl FnOnce(&mut Operator)) {
        Self::with(|world| f(world.operators.entry(id).or_default()))
    }
}

impl Operators<AccountId> for World {
    fn by_signer(signer: &AccountId) -> Option<AccountId> {
        let known = |id| Self::with(|world| world.operators.contains_key(&id));
        let bonded = signer.checked_sub(HOT);
        [Some(*signer), bonded]
            .into_iter()
            .flatten()
            .find(|id| known(*id))
    }
    fn hot_key(operator: &AccountId) -> Option<AccountId> {
        Some(operator + HOT)
    }
    fn owner(operator: &AccountId) -> Option<AccountId> {
        Some(Self::operator(*operator).owner)
    }
    fn reputation(_: &AccountId) -> Perbill {
        Perbill::zero()
    }
    fn draw(
        role: Role,
        _: &CheckpointRoot,
        subseed: &H256,
        count: u32,
        eligible: &dyn Fn(&AccountId) -> bool,
    ) -> Vec<AccountId> {
        assert_eq!(role, Role::Validate);
        let operators = Self::with(|world| world.operators.clone());
        let index = cumulative_index(operators.iter().map(|(id, o)| (*id, o.weight)));
        let free = |id: &AccountId| operators[id].serves && eligible(id);
        pick_distinct(&index, subseed, count, free)
            .into_iter()
            .map(|position| index[position].0)
            .collect()
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
    fn record_duty(operator: &AccountId, kept: bool) {
        Self::change(
            *operator,
            |o| {
                if kept {
                    o.kept += 1
                } else {
                    o.missed += 1
                }
            },
        );
    }
    fn record_audit(_: &AccountId, _: AuditRecord) -> bool {
        false
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
        unreachable!("the registry never slashes")
    }
    fn forfeit_lien(_: &AccountId, _: Balance, _: &[AccountId]) -> Balance {
        unreachable!("the registry takes no liens")
    }
    fn add_liability(_: &AccountId) -> DispatchResult {
        Ok(())
    }
    fn remove_liability(_: &AccountId) {}
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

#[cfg(feature = "runtime-benchmarks")]
impl crate::BenchmarkHelper<AccountId> for World {
    fn validator(index: u32) -> AccountId {
        let id = 10_000 + u64::from(index);
        Self::change(id, |o| {
            o.owner = id;
            o.weight = 1;
            o.serves = true;
        });
        id
    }
    fn unfit_validators(_: &CheckpointRoot, count: u32) {
        for index in 0..count {
            let id = Self::validator(index);
            Self::change(id, |o| o.serves = false);
        }
    }
}

pub fn params() -> Params {
    Params {
        calibrators: 3,
        margin_percent: 50,
        calibrate_blocks: 10,
        max_rounds: 4,
        ..Default::default()
    }
}

pub fn info() -> CheckpointInfo {
    CheckpointInfo {
        name: b"quipu-1m".to_vec().try_into().expect("it fits"),
        parent: None,
        base: None,
        profile: NumericProfile::F32,
        vocabulary: 512,
        context_tokens: 256,
        end_tokens: vec![2].try_into().expect("it fits"),
        has_tokenizer: true,
        units_per_prompt_token: 1,
        units_per_output_token: 3,
        size_bytes: 4_000_000,
        licence: b"Apache-2.0".to_vec().try_into().expect("it fits"),
    }
}

/// Thresholds whose limits are all `value`, the hard ones ten times that.
pub fn thresholds(value: u32) -> AuditThresholds {
    let limits = |value| AuditLimits {
        mean_margin_micro: value,
        max_margin_micro: value,
        mismatch_ppm: value,
        fingerprint_milli: value,
    };
    AuditThresholds {
        boundary_micro: value,
        clip_micro: 1_000_000,
        soft: limits(value),
        hard: limits(value * 10),
        evidence_tau: value,
    }
}

/// Validators 1 to 6 that serve the checkpoint, and a proposer with funds.
pub fn ext() -> sp_io::TestExternalities {
    let operators = (1..=6u64)
        .map(|id| {
            let operator = Operator {
                owner: id,
                weight: id * 10,
                serves: true,
                ..Default::default()
            };
            (id, operator)
        })
        .collect();
    World::with(|world| {
        *world = State {
            operators,
            seeds_come: true,
            forgotten: 0,
        }
    });
    let storage = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: vec![(PROPOSER, FUNDS), (1, FUNDS)],
            ..Default::default()
        },
        checkpoints: pallet_checkpoints::GenesisConfig {
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

/// Runs a test, then checks the state.
pub fn build_and_execute(test: impl FnOnce()) {
    ext().execute_with(|| {
        test();
        check();
    });
}

/// The pallet's own checks.
pub fn check() {
    Checkpoints::do_try_state().expect("the state is consistent");
}

/// One block on.
pub fn next_block() {
    let next = System::block_number() + 1;
    System::set_block_number(next);
    System::reset_events();
    Checkpoints::on_initialize(next);
    check();
}

/// Goes on for `blocks` blocks.
pub fn run_for(blocks: u32) {
    for _ in 0..blocks {
        next_block();
    }
}

pub fn propose() -> DispatchResult {
    Checkpoints::propose(RuntimeOrigin::signed(PROPOSER), ROOT, info())
}

/// What a run made of `parent`.
pub fn trained(root: CheckpointRoot, parent: Option<CheckpointRoot>) -> TrainedCheckpoint<u64> {
    TrainedCheckpoint {
        root,
        parent,
        base: None,
        run: 4,
        round: 17,
        dataset: H256::repeat_byte(0xDA),
        by: REGISTRAR,
    }
}

/// Has the pallet of runs register it.
pub fn register(trained: TrainedCheckpoint<u64>) -> DispatchResult {
    <Checkpoints as TrainedCheckpoints<u64>>::register_trained(trained)
}

pub fn calibration() -> Calibration<Test> {
    crate::Calibrations::<Test>::get(ROOT).expect("the calibration goes on")
}

/// Validators that have yet to answer.
pub fn asked() -> Vec<AccountId> {
    let seats = calibration().seats;
    seats
        .iter()
        .filter(|seat| seat.thresholds.is_none())
        .map(|seat| seat.validator)
        .collect()
}

/// Proposes, and goes on until validators are drawn; those.
pub fn propose_and_draw() -> Vec<AccountId> {
    propose().expect("may propose");
    run_for(2);
    asked()
}

pub fn calibrate(
    who: AccountId,
    thresholds: AuditThresholds,
) -> frame_support::dispatch::DispatchResultWithPostInfo {
    Checkpoints::calibrate(RuntimeOrigin::signed(who), ROOT, thresholds)
}

/// A checkpoint that is calibrated and accepted; a unit costs 7.
pub fn accepted() {
    for validator in propose_and_draw() {
        calibrate(validator, thresholds(100)).expect("is drawn");
    }
    Checkpoints::accept(RuntimeOrigin::root(), ROOT).expect("is calibrated");
}

pub fn held() -> Balance {
    use frame_support::traits::fungible::InspectHold;
    Balances::balance_on_hold(&crate::HoldReason::Proposal.into(), &PROPOSER)
}
