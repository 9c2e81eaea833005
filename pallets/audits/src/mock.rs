//! A runtime with the pallet, and a small world of operators around it.

use crate as pallet_audits;
use crate::Params;
use chasqui_primitives::{
    audit::{
        verdict_commitment, Decision, Evidence, HardReason, Stage, Subject, Verdict, EVIDENCE_DIMS,
    },
    draw::{cumulative_index, pick_distinct},
    traits::{
        AuditRecord, CaseRequest, CaseSubjects, Cases as _, Electorate, Ledger, Offence, Operators,
        Randomness, SeedExpired,
    },
    Balance, CaseId, CheckpointRoot, EpochIndex, RelayBlockNumber, Role,
};
use frame_support::{derive_impl, parameter_types, traits::Hooks, weights::Weight};
use frame_system::EnsureRoot;
use sp_core::{ConstU32, H256};
use sp_runtime::{
    traits::BlakeTwo256, BuildStorage, DispatchError, DispatchResult, DispatchResultWithInfo,
    Perbill,
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

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
        RuntimeViewFunction
    )]
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Audits = pallet_audits;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type Hash = H256;
    type Hashing = BlakeTwo256;
}

parameter_types! {
    pub static MaxAgenda: u32 = 16;
    pub static MaxBallotsPerBlock: u32 = 64;
}

impl crate::Config for Test {
    type Operators = World;
    type Ledger = World;
    type Randomness = World;
    type Subjects = World;
    type AdminOrigin = EnsureRoot<AccountId>;
    type MaxSeats = ConstU32<8>;
    type MaxElectorate = ConstU32<32>;
    type MaxAgenda = MaxAgenda;
    type MaxBallotsPerBlock = MaxBallotsPerBlock;
    type WeightInfo = ();
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = World;
}

/// An operator of the world. Its hot key is its account plus [`HOT`].
#[derive(Clone, Debug, Default)]
pub struct Operator {
    pub owner: AccountId,
    pub weight: u64,
    /// Not drawn while set, but still in the electorate.
    pub jailed: bool,
    pub liabilities: u32,
    pub kept: u32,
    pub missed: u32,
    pub points: u64,
    pub forfeited: Balance,
    pub received: Balance,
}

/// How a case ended, as the subject's owner was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub case: CaseId,
    pub decision: Decision,
    pub majority: Vec<AccountId>,
}

#[derive(Clone, Debug, Default)]
pub struct State {
    pub operators: BTreeMap<AccountId, Operator>,
    pub ended: Vec<Ended>,
    /// Seeds come this many blocks after they are asked for; `None`: never.
    pub seed_delay: Option<u32>,
    /// Seeds up to this relay block are forgotten.
    pub forgotten: RelayBlockNumber,
    /// For whom the judged work was done, beside the client that a case names.
    pub interested: BTreeSet<AccountId>,
}

thread_local! {
    static WORLD: RefCell<State> = RefCell::default();
}

/// The operators, the ledger, the randomness and the judged work.
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

    pub fn ended() -> Vec<Ended> {
        Self::with(|world| world.ended.clone())
    }
}

/// Distance from an operator's account to its hot key.
pub const HOT: AccountId = 1_000;
/// The operator whose work is judged in most tests.
pub const EXECUTOR: AccountId = 99;
/// The checkpoint of all tests.
pub const CHECKPOINT: CheckpointRoot = H256([1; 32]);
/// What the judged work pays.
pub const PRICE: Balance = 1_000;
/// The opening that the executor committed to.
pub const OPENING: &[u8] = b"the trace";
/// What the subject's owner says that closing a case costs, beside something for each in the majority.
pub const CLOSE_WEIGHT: Weight = Weight::from_parts(1_000_003, 1_009);
/// What it says that asking one auditor whether the work was done for it costs.
pub const INTEREST_WEIGHT: Weight = Weight::from_parts(1_000_033, 11);
/// Evidence that honest auditors agree on, up to this.
pub const TAU: u32 = 10;

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
        Self::with(|world| world.operators.get(operator).map(|known| known.owner))
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
        let free = |id: &AccountId| !operators[id].jailed && eligible(id);
        pick_distinct(&index, subseed, count, free)
            .into_iter()
            .map(|position| index[position].0)
            .collect()
    }
    fn electorate(checkpoint: &CheckpointRoot, parties: &[AccountId]) -> Electorate {
        let voters = Self::voters(7, checkpoint, parties);
        Electorate {
            epoch: 7,
            weight: voters.iter().map(|(_, weight)| weight).sum(),
            voters: voters.len() as u32,
        }
    }
    fn vote_weight(
        epoch: EpochIndex,
        checkpoint: &CheckpointRoot,
        parties: &[AccountId],
        voter: &AccountId,
    ) -> u64 {
        Self::voters(epoch, checkpoint, parties)
            .into_iter()
            .find(|(id, _)| id == voter)
            .map_or(0, |(_, weight)| weight)
    }
    fn voters(
        epoch: EpochIndex,
        _: &CheckpointRoot,
        parties: &[AccountId],
    ) -> Vec<(AccountId, u64)> {
        assert_eq!(epoch, 7);
        let operators = Self::with(|world| world.operators.clone());
        operators
            .into_iter()
            .filter(|(_, operator)| operator.weight > 0)
            .filter(|(id, _)| !parties.iter().any(|party| Self::are_related(party, id)))
            .map(|(id, operator)| (id, operator.weight))
            .collect()
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
        unreachable!("audits never slash")
    }
    fn forfeit_lien(operator: &AccountId, amount: Balance, to: &[AccountId]) -> Balance {
        assert!(!to.is_empty());
        assert!(!to.contains(operator));
        assert!(
            Self::operator(*operator).liabilities > 0,
            "the bond may be gone"
        );
        Self::change(*operator, |o| o.forfeited += amount);
        for receiver in to {
            Self::change(*receiver, |o| o.received += amount / to.len() as Balance);
        }
        amount
    }
    fn add_liability(operator: &AccountId) -> DispatchResult {
        if !Self::with(|world| world.operators.contains_key(operator)) {
            return Err(DispatchError::CannotLookup);
        }
        Self::change(*operator, |o| o.liabilities += 1);
        Ok(())
    }
    fn remove_liability(operator: &AccountId) {
        Self::change(*operator, |o| {
            o.liabilities = o.liabilities.checked_sub(1).expect("a liability too few");
        });
    }
}

impl Ledger<AccountId> for World {
    fn pot() -> AccountId {
        0
    }
    fn record_fee(_: Subject, _: &AccountId, _: &[AccountId], _: Balance, _: u64) {}
    fn record_poc_points(operator: &AccountId, points: u64) {
        Self::change(*operator, |o| o.points += points);
    }
    fn unclaimed(_: &AccountId) -> Balance {
        0
    }
    fn forfeit(_: &AccountId) -> Balance {
        0
    }
    fn case_opened(_: &AccountId, _: EpochIndex) {}
    fn case_closed(_: &AccountId, _: EpochIndex) {}
}

impl Randomness for World {
    fn relay_now() -> RelayBlockNumber {
        System::block_number() as u32
    }
    fn next_due() -> RelayBlockNumber {
        Self::relay_now() + 2
    }
    fn seed(due: RelayBlockNumber) -> Result<Option<H256>, SeedExpired> {
        let (delay, forgotten) = Self::with(|world| (world.seed_delay, world.forgotten));
        if due <= forgotten {
            return Err(SeedExpired);
        }
        Ok(delay
            .filter(|delay| Self::relay_now() >= due + delay)
            .map(|_| H256::from_low_u64_be(u64::from(due))))
    }
}

impl CaseSubjects<AccountId> for World {
    fn on_closed(_: &Subject, case: CaseId, decision: Decision, majority: &[AccountId]) {
        let majority = majority.to_vec();
        Self::with(|world| {
            assert!(
                world.ended.iter().all(|ended| ended.case != case),
                "closed twice"
            );
            world.ended.push(Ended {
                case,
                decision,
                majority,
            });
        });
    }
    fn close_weight(decision: &Decision, majority: u32) -> Weight {
        let each = if *decision == Decision::Valid { 3 } else { 5 };
        CLOSE_WEIGHT.saturating_add(Weight::from_parts(each, each).saturating_mul(majority.into()))
    }
    fn opening_matches(_: &Subject, opening: &[u8]) -> bool {
        opening == OPENING || opening.iter().all(|byte| *byte == 5)
    }
    fn is_interested(_: &Subject, judge: &AccountId) -> bool {
        Self::with(|world| world.interested.contains(judge))
    }
    fn interest_weight() -> Weight {
        INTEREST_WEIGHT
    }
}

#[cfg(feature = "runtime-benchmarks")]
impl crate::BenchmarkHelper<AccountId> for World {
    fn validator(index: u32) -> AccountId {
        let id = 10_000 + u64::from(index);
        // A benchmark runs many times over the same world, each time from case 0.
        Self::with(|world| world.ended.clear());
        Self::change(id, |o| {
            o.owner = id;
            o.weight = 1;
        });
        id
    }
    fn electorate(validators: u32) -> CheckpointRoot {
        for index in 0..validators {
            Self::validator(index);
        }
        CHECKPOINT
    }
    fn opening(bytes: u32) -> Option<(AccountId, Subject, Vec<u8>)> {
        Self::change(EXECUTOR, |o| o.owner = EXECUTOR);
        Some((EXECUTOR, Subject::Job(1), vec![5; bytes as usize]))
    }
}

pub fn params() -> Params {
    Params {
        seats: 3,
        commit_blocks: 10,
        reveal_blocks: 5,
        vote_commit_blocks: 20,
        vote_reveal_blocks: 10,
        opening_blocks: 8,
        redraw_blocks: 6,
        lien: 500,
        lien_percent: 200,
        points_per_case: 4,
    }
}

/// What a flag on work of [`PRICE`] costs.
pub const LIEN: Balance = 2_000;

/// Validators 1 to 7 of weights 10 to 70, each its own owner, and the executor.
pub fn ext() -> sp_io::TestExternalities {
    let operators = (1..=7u64)
        .map(|id| (id, id * 10))
        .chain([(EXECUTOR, 0)])
        .map(|(id, weight)| {
            let operator = Operator {
                owner: id,
                weight,
                ..Default::default()
            };
            (id, operator)
        })
        .collect();
    World::with(|world| {
        *world = State {
            operators,
            seed_delay: Some(0),
            ..Default::default()
        }
    });
    MaxAgenda::set(16);
    MaxBallotsPerBlock::set(64);
    let storage = RuntimeGenesisConfig {
        audits: pallet_audits::GenesisConfig {
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

/// The pallet's own checks, and that liabilities are those of the seats.
pub fn check() {
    Audits::do_try_state().expect("the state is consistent");
    let mut seated: BTreeMap<AccountId, u32> = BTreeMap::new();
    for case in crate::Cases::<Test>::iter_values() {
        for seat in &case.seats {
            *seated.entry(seat.auditor).or_default() += 1;
        }
    }
    for (id, operator) in World::with(|world| world.operators.clone()) {
        assert_eq!(
            operator.liabilities,
            seated.get(&id).copied().unwrap_or_default(),
            "liabilities of {id}"
        );
    }
}

/// One block on.
pub fn next_block() {
    let next = System::block_number() + 1;
    System::set_block_number(next);
    System::reset_events();
    Audits::on_initialize(next);
    check();
}

/// Goes on until block `n`.
pub fn run_to(n: u64) {
    while System::block_number() < n {
        next_block();
    }
}

/// Goes on for `blocks` blocks.
pub fn run_for(blocks: u32) {
    run_to(System::block_number() + u64::from(blocks));
}

pub fn request() -> CaseRequest<AccountId> {
    CaseRequest {
        subject: Subject::Job(1),
        operator: EXECUTOR,
        client: None,
        checkpoint: CHECKPOINT,
        seed: H256::repeat_byte(42),
        evidence_tau: TAU,
        price: PRICE,
    }
}

/// Opens a case; its number and panel.
pub fn open() -> (CaseId, Vec<AccountId>) {
    let id = Audits::open(request())
        .expect("the electorate is not empty")
        .case;
    (id, panel(id))
}

pub fn case(id: CaseId) -> crate::Case<Test> {
    crate::Cases::<Test>::get(id).expect("the case is open")
}

pub fn panel(id: CaseId) -> Vec<AccountId> {
    case(id).seats.iter().map(|seat| seat.auditor).collect()
}

/// Evidence whose entries are all `value`.
pub fn evidence(value: i32) -> Evidence {
    vec![value; EVIDENCE_DIMS as usize]
        .try_into()
        .expect("it fits")
}

pub fn salt(auditor: AccountId) -> [u8; 32] {
    [auditor as u8; 32]
}

pub fn commitment(id: CaseId, auditor: AccountId, verdict: Verdict, evidence: &Evidence) -> H256 {
    let stage = crate::Cases::<Test>::get(id).map_or(Stage::One, |case| case.stage);
    let genesis = System::block_hash(0);
    verdict_commitment(
        &genesis,
        id,
        stage,
        &auditor,
        &verdict,
        evidence,
        &salt(auditor),
    )
}

type CallResult = DispatchResultWithInfo<frame_support::dispatch::PostDispatchInfo>;

/// Commits to a verdict with the evidence of a full replay.
pub fn commit(id: CaseId, auditor: AccountId, verdict: Verdict) -> CallResult {
    let hash = commitment(id, auditor, verdict, &evidence(0));
    Audits::commit(RuntimeOrigin::signed(auditor), id, hash)
}

/// Reveals it.
pub fn reveal(id: CaseId, auditor: AccountId, verdict: Verdict) -> CallResult {
    reveal_with(id, auditor, verdict, evidence(0))
}

pub fn reveal_with(
    id: CaseId,
    auditor: AccountId,
    verdict: Verdict,
    evidence: Evidence,
) -> CallResult {
    let origin = RuntimeOrigin::signed(auditor);
    Audits::reveal(origin, id, verdict, evidence, salt(auditor))
}

/// All of these auditors commit and reveal, as fast as they can; the step after it is done.
pub fn judge(id: CaseId, verdicts: &[(AccountId, Verdict)]) {
    let with_evidence: Vec<_> = verdicts
        .iter()
        .map(|(who, verdict)| (*who, *verdict, 0))
        .collect();
    judge_with(id, &with_evidence);
}

/// Like [`judge`], with the value of each one's evidence.
pub fn judge_with(id: CaseId, verdicts: &[(AccountId, Verdict, i32)]) {
    for (auditor, verdict, value) in verdicts {
        let hash = commitment(id, *auditor, *verdict, &evidence(*value));
        Audits::commit(RuntimeOrigin::signed(*auditor), id, hash).expect("may commit");
    }
    to_reveals(id);
    for (auditor, verdict, value) in verdicts {
        reveal_with(id, *auditor, *verdict, evidence(*value)).expect("may reveal");
    }
    next_block();
}

/// Goes on until reveals are open.
pub fn to_reveals(id: CaseId) {
    while matches!(case(id).phase, crate::Phase::Commit { .. }) {
        next_block();
    }
}

/// Goes on until the case is closed, at most as long as a case may take.
pub fn to_end(id: CaseId) -> Ended {
    let latest = System::block_number() + u64::from(params().longest_case());
    while crate::Cases::<Test>::contains_key(id) {
        assert!(System::block_number() <= latest, "the case does not end");
        next_block();
    }
    ended(id)
}

pub fn ended(id: CaseId) -> Ended {
    World::ended()
        .into_iter()
        .find(|ended| ended.case == id)
        .expect("the case has ended")
}

/// Brings a case to stage two by a flag of its first seat; who flagged.
pub fn to_stage_two(id: CaseId) -> AccountId {
    let panel = panel(id);
    judge(
        id,
        &[
            (panel[0], Verdict::Hard(HardReason::Margin)),
            (panel[1], Verdict::Valid),
            (panel[2], Verdict::Valid),
        ],
    );
    assert_eq!(case(id).stage, Stage::Two);
    panel[0]
}
