//! A runtime of this pallet over real referenda, scheduler and preimages; census and registry are set by the tests.

use crate::{self as pallet_voting, *};
use chasqui_primitives::{
    governance::Electorate,
    traits::{AuditRecord, Electorate as CaseElectorate, Offence},
    CheckpointRoot, EpochIndex, Role, DOT,
};
use frame_support::{
    derive_impl, parameter_types,
    traits::{
        ConstU128, ConstU32, ConstU64, EqualPrivilegeOnly, Hooks, OriginTrait, StorePreimage,
    },
    weights::Weight,
};
use frame_system::{EnsureRoot, EnsureSigned};
use pallet_referenda::{Curve, Track, TrackInfo, TracksInfo};
use sp_core::H256;
use sp_runtime::{str_array, BuildStorage, Perbill};
use std::{borrow::Cow, cell::RefCell, collections::BTreeMap};

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
    pub type Preimage = pallet_preimage;
    #[runtime::pallet_index(3)]
    pub type Scheduler = pallet_scheduler;
    #[runtime::pallet_index(4)]
    pub type Referenda = pallet_referenda;
    #[runtime::pallet_index(5)]
    pub type Voting = pallet_voting;
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
    type ExistentialDeposit = ConstU128<1>;
    type AccountStore = System;
}

impl pallet_preimage::Config for Test {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type Currency = Balances;
    type ManagerOrigin = EnsureRoot<AccountId>;
    type Consideration = ();
}

parameter_types! {
    pub MaximumWeight: Weight = Weight::from_parts(2_000_000_000_000, u64::MAX);
    pub static MaxDelegators: u32 = 4;
}

impl pallet_scheduler::Config for Test {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type PalletsOrigin = OriginCaller;
    type RuntimeCall = RuntimeCall;
    type MaximumWeight = MaximumWeight;
    type ScheduleOrigin = EnsureRoot<AccountId>;
    type MaxScheduledPerBlock = ConstU32<100>;
    type WeightInfo = ();
    type OriginPrivilegeCmp = EqualPrivilegeOnly;
    type Preimages = Preimage;
    type BlockNumberProvider = System;
}

/// Root, which needs bond, and an ordinary class: what account 1 signs.
pub const ROOT: u16 = 0;
pub const ORDINARY: u16 = 1;

pub struct Tracks;

impl TracksInfo<Balance, u64> for Tracks {
    type Id = u16;
    type RuntimeOrigin = <RuntimeOrigin as OriginTrait>::PalletsOrigin;

    fn tracks() -> impl Iterator<Item = Cow<'static, Track<u16, Balance, u64>>> {
        let half = Curve::LinearDecreasing {
            length: Perbill::one(),
            floor: Perbill::from_percent(50),
            ceil: Perbill::from_percent(100),
        };
        let fifth = Curve::LinearDecreasing {
            length: Perbill::one(),
            floor: Perbill::from_percent(20),
            ceil: Perbill::from_percent(50),
        };
        let track = move |id, name| {
            Cow::Owned(Track {
                id,
                info: TrackInfo {
                    name,
                    max_deciding: 5,
                    decision_deposit: DOT,
                    prepare_period: 2,
                    decision_period: 10,
                    confirm_period: 2,
                    min_enactment_period: 3,
                    min_approval: half.clone(),
                    min_support: fifth.clone(),
                },
            })
        };
        [
            track(ROOT, str_array("root")),
            track(ORDINARY, str_array("ordinary")),
        ]
        .into_iter()
    }

    fn track_for(origin: &Self::RuntimeOrigin) -> Result<u16, ()> {
        match origin {
            OriginCaller::system(frame_system::RawOrigin::Root) => Ok(ROOT),
            OriginCaller::system(frame_system::RawOrigin::Signed(1)) => Ok(ORDINARY),
            _ => Err(()),
        }
    }
}

impl pallet_referenda::Config for Test {
    type WeightInfo = ();
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type Scheduler = Scheduler;
    type Currency = Balances;
    type SubmitOrigin = EnsureSigned<AccountId>;
    type CancelOrigin = EnsureRoot<AccountId>;
    type KillOrigin = EnsureRoot<AccountId>;
    type Slash = ();
    type Votes = u64;
    type Tally = TallyOf<Test>;
    type SubmissionDeposit = ConstU128<DOT>;
    type MaxQueued = ConstU32<8>;
    type UndecidingTimeout = ConstU64<20>;
    type AlarmInterval = ConstU64<1>;
    type Tracks = Tracks;
    type Preimages = Preimage;
    type BlockNumberProvider = System;
}

pub struct NeedBond;

impl Contains<u16> for NeedBond {
    fn contains(class: &u16) -> bool {
        *class == ROOT
    }
}

impl Config for Test {
    type Polls = Referenda;
    type Operators = World;
    type Standing = World;
    type BondClasses = NeedBond;
    type MaxDelegators = MaxDelegators;
    type PollLife = ConstU64<40>;
    type BondLock = ConstU64<5>;
    type WeightInfo = ();
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = World;
}

#[derive(Clone, Debug, Default)]
pub struct State {
    /// Voices by epoch and operator.
    pub census: BTreeMap<EpochIndex, BTreeMap<AccountId, Voice>>,
    /// Registered operators; the owner of each is it plus 100, its hot key it plus 200.
    pub registered: Vec<AccountId>,
    pub liabilities: BTreeMap<AccountId, u32>,
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

    /// Closes an epoch in which operators weigh so much; each has ten times as much bond.
    pub fn census(voices: &[(AccountId, u64)]) -> EpochIndex {
        Self::with(|world| {
            let epoch = world.census.keys().last().map_or(1, |last| last + 1);
            let voices = voices
                .iter()
                .map(|(who, weight)| {
                    let bond = u128::from(*weight) * 10;
                    (
                        *who,
                        Voice {
                            weight: *weight,
                            bond,
                        },
                    )
                })
                .collect();
            world.census.insert(epoch, voices);
            epoch
        })
    }

    pub fn liabilities(who: AccountId) -> u32 {
        Self::with(|world| world.liabilities.get(&who).copied().unwrap_or(0))
    }
}

impl Standing<AccountId> for World {
    fn electorate() -> Electorate {
        Self::with(|world| {
            let Some((epoch, voices)) = world.census.iter().last() else {
                return Electorate::default();
            };
            Electorate {
                epoch: *epoch,
                weight: voices.values().map(|voice| voice.weight).sum(),
                bond: voices.values().map(|voice| voice.bond).sum(),
            }
        })
    }

    fn voice(epoch: EpochIndex, operator: &AccountId) -> Voice {
        Self::with(|world| {
            let voices = world.census.get(&epoch);
            voices
                .and_then(|voices| voices.get(operator))
                .copied()
                .unwrap_or_default()
        })
    }
}

impl Operators<AccountId> for World {
    fn by_signer(signer: &AccountId) -> Option<AccountId> {
        (201..300).contains(signer).then(|| signer - 200)
    }
    fn hot_key(operator: &AccountId) -> Option<AccountId> {
        Some(operator + 200)
    }
    fn owner(operator: &AccountId) -> Option<AccountId> {
        Self::with(|world| world.registered.contains(operator)).then(|| operator + 100)
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
        unreachable!("nobody is drawn to vote")
    }
    fn electorate(_: &CheckpointRoot, _: &[AccountId]) -> CaseElectorate {
        unreachable!("polls are no cases")
    }
    fn vote_weight(_: EpochIndex, _: &CheckpointRoot, _: &[AccountId], _: &AccountId) -> u64 {
        unreachable!("polls are no cases")
    }
    fn voters(_: EpochIndex, _: &CheckpointRoot, _: &[AccountId]) -> Vec<(AccountId, u64)> {
        unreachable!("polls are no cases")
    }
    fn can_take_payment(_: &CheckpointRoot) -> bool {
        true
    }
    fn record_duty(_: &AccountId, _: bool) {
        unreachable!("a vote is no duty")
    }
    fn record_audit(_: &AccountId, _: AuditRecord) -> bool {
        unreachable!("a vote is no audit")
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
        unreachable!("no vote is punished")
    }
    fn forfeit_lien(_: &AccountId, _: Balance, _: &[AccountId]) -> Balance {
        unreachable!("votes take no liens")
    }
    fn add_liability(operator: &AccountId) -> DispatchResult {
        Self::with(|world| *world.liabilities.entry(*operator).or_default() += 1);
        Ok(())
    }
    fn remove_liability(operator: &AccountId) {
        Self::with(|world| {
            let open = world.liabilities.get_mut(operator).expect("it has some");
            *open = open.checked_sub(1).expect("it has some");
        });
    }
}

#[cfg(feature = "runtime-benchmarks")]
impl BenchmarkHelper<AccountId> for World {
    fn operator(who: &AccountId) {
        Self::with(|world| {
            world.registered.push(*who);
            let epoch = world.census.keys().last().copied().unwrap_or(1);
            let voice = Voice { weight: 1, bond: 1 };
            world.census.entry(epoch).or_default().insert(*who, voice);
        });
    }
}

/// Operators that are registered from the start.
pub const OPERATORS: [AccountId; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

pub fn new_test_ext() -> sp_io::TestExternalities {
    MaxDelegators::set(4);
    World::with(|world| *world = State::default());
    World::with(|world| world.registered = OPERATORS.to_vec());
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    pallet_balances::GenesisConfig::<Test> {
        balances: (1..300).map(|who| (who, 1_000 * DOT)).collect(),
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    let mut ext = sp_io::TestExternalities::new(storage);
    ext.execute_with(|| System::set_block_number(1));
    ext
}

/// Runs a test and checks every invariant at its end.
pub fn build_and_execute(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        check();
    });
}

/// The pallet's own checks.
pub fn check() {
    Voting::do_try_state().expect("the state is consistent");
}

/// Runs to the beginning of block `block`, checking each.
pub fn run_to(block: u64) {
    while System::block_number() < block {
        let now = System::block_number() + 1;
        System::set_block_number(now);
        Scheduler::on_initialize(now);
        check();
    }
}

/// What a poll on root writes.
const WRITTEN: &[u8] = b"written by root";

/// Submits a poll that writes something by root or remarks by account 1, and puts its decision deposit down.
pub fn submit(class: u16) -> u32 {
    let (origin, call) = match class {
        ROOT => (
            frame_system::RawOrigin::Root,
            frame_system::Call::set_storage {
                items: vec![(WRITTEN.to_vec(), vec![1])],
            },
        ),
        _ => (
            frame_system::RawOrigin::Signed(1),
            frame_system::Call::remark_with_event { remark: vec![7] },
        ),
    };
    let call = RuntimeCall::System(call);
    let poll = pallet_referenda::ReferendumCount::<Test>::get();
    let proposal = Preimage::bound(call).expect("a small call");
    Referenda::submit(
        RuntimeOrigin::signed(50),
        Box::new(OriginCaller::system(origin)),
        proposal,
        frame_support::traits::schedule::DispatchTime::After(0),
    )
    .expect("anybody submits");
    Referenda::place_decision_deposit(RuntimeOrigin::signed(50), poll).expect("it has money");
    poll
}

pub fn vote(operator: AccountId, poll: u32, aye: bool) -> DispatchResultWithPostInfo {
    Voting::vote(RuntimeOrigin::signed(operator), operator, poll, aye)
}

pub fn delegate(operator: AccountId, to: AccountId) -> DispatchResult {
    Voting::delegate(RuntimeOrigin::signed(operator), operator, ORDINARY, to)
}

/// Ayes and nays of an open poll.
pub fn count(poll: u32) -> (u64, u64) {
    let (tally, _) = <Referenda as Polling<TallyOf<Test>>>::as_ongoing(poll).expect("it is open");
    (tally.count.ayes, tally.count.nays)
}

/// Whether a poll was approved; `None` while it is open.
pub fn approved(poll: u32) -> Option<bool> {
    use frame_support::traits::PollStatus;
    <Referenda as Polling<TallyOf<Test>>>::access_poll(poll, |status| match status {
        PollStatus::Completed(_, approved) => Some(approved),
        _ => None,
    })
}

/// How much of what was proposed has happened.
pub fn effects() -> usize {
    let written = frame_support::storage::unhashed::exists(WRITTEN);
    let remarks = System::events()
        .iter()
        .filter(|record| {
            matches!(
                record.event,
                RuntimeEvent::System(frame_system::Event::Remarked { .. })
            )
        })
        .count();
    remarks + usize::from(written)
}
