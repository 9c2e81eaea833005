//! A runtime of balances and sessions, with small stand-ins for the pallets that sessions meet in traits.
//! What the stand-ins remember lies in storage, so that it is rolled back with a call that fails.

#[cfg(feature = "runtime-benchmarks")]
mod helper;

use crate as pallet_sessions;
use chasqui_primitives::{
    audit::{AuditLimits, AuditThresholds, Subject},
    draw,
    money::{split_fee, Shares},
    traits::*,
    Balance, CaseId, CheckpointRoot, EpochIndex, NumericProfile, RelayBlockNumber, Role,
};
use frame_support::{
    derive_impl, pallet_prelude::*, parameter_types, storage_alias, traits::ConstU128, PalletId,
};
use sp_core::{sr25519, Pair, H256};
use sp_runtime::{
    traits::IdentityLookup, AccountId32, BuildStorage, DispatchError, DispatchResult, Perbill,
};

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

/// An operator as the stand-in registry knows it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo, MaxEncodedLen)]
pub struct Registered {
    pub hot_key: AccountId,
    pub weight: u64,
    pub reputation: Perbill,
    pub slashable: Balance,
    pub liabilities: u32,
    pub kept: u32,
    pub missed: u32,
    pub valid_units: u64,
    pub soft: u32,
    pub hard: u32,
    /// Whether the next soft verdict is one too many.
    pub soft_is_significant: bool,
}

/// A slash as the stand-in registry was asked for it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct Slash {
    pub operator: AccountId,
    pub offence: Offence,
    pub victim: Option<(AccountId, Balance)>,
    pub reporter: Option<AccountId>,
    pub auditors: Vec<AccountId>,
}

#[storage_alias]
pub type Registry = StorageMap<Fakes, Blake2_128Concat, AccountId, Registered>;
#[storage_alias]
pub type Slashes = StorageValue<Fakes, Vec<Slash>, ValueQuery>;
#[storage_alias]
pub type Terms = StorageMap<Fakes, Blake2_128Concat, CheckpointRoot, CheckpointTerms>;
/// Revenue that is not claimed, by operator or auditor.
#[storage_alias]
pub type Unclaimed = StorageMap<Fakes, Blake2_128Concat, AccountId, Balance, ValueQuery>;
/// Everything that was ever paid into the pot.
#[storage_alias]
pub type PaidIn = StorageValue<Fakes, Balance, ValueQuery>;
/// Every fee: for what, to whom, how much, for how many units, by how many auditors.
#[storage_alias]
pub type Fees = StorageValue<Fakes, Vec<(Subject, AccountId, Balance, u64, u32)>, ValueQuery>;
#[storage_alias]
pub type Forfeited = StorageValue<Fakes, Balance, ValueQuery>;
/// Open cases: about what, whose work, of which epoch.
#[storage_alias]
pub type OpenCases = StorageMap<Fakes, Twox64Concat, CaseId, (Subject, AccountId, H256, u32)>;
/// For whom the work of a case was done.
#[storage_alias]
pub type Clients = StorageMap<Fakes, Twox64Concat, CaseId, Option<AccountId>>;
#[storage_alias]
pub type NextCase = StorageValue<Fakes, CaseId, ValueQuery>;
/// Cases that lock the revenue of an operator's epoch.
#[storage_alias]
pub type Locks = StorageMap<Fakes, Blake2_128Concat, (AccountId, EpochIndex), u32, ValueQuery>;
/// No case can be opened.
#[storage_alias]
pub type NoElectorate = StorageValue<Fakes, bool, ValueQuery>;
/// Changes every seed that does not exist yet.
#[storage_alias]
pub type Entropy = StorageValue<Fakes, u64, ValueQuery>;
/// Relay blocks that seeds are kept.
#[storage_alias]
pub type History = StorageValue<Fakes, u32, OptionQuery>;

pub struct FakeOperators;

fn update(who: &AccountId, change: impl FnOnce(&mut Registered)) {
    Registry::mutate_exists(who, |operator| {
        change(operator.as_mut().expect("sessions name only operators"))
    });
}

impl Operators<AccountId> for FakeOperators {
    fn by_signer(signer: &AccountId) -> Option<AccountId> {
        Registry::iter()
            .find(|(who, operator)| who == signer || operator.hot_key == *signer)
            .map(|(who, _)| who)
    }
    fn hot_key(operator: &AccountId) -> Option<AccountId> {
        Registry::get(operator).map(|operator| operator.hot_key)
    }
    fn owner(operator: &AccountId) -> Option<AccountId> {
        Some(operator.clone())
    }
    fn reputation(operator: &AccountId) -> Perbill {
        Registry::get(operator)
            .map(|operator| operator.reputation)
            .unwrap_or_default()
    }
    fn draw(
        role: Role,
        checkpoint: &CheckpointRoot,
        subseed: &H256,
        count: u32,
        eligible: &dyn Fn(&AccountId) -> bool,
    ) -> Vec<AccountId> {
        assert_eq!(role, Role::Compute, "sessions draw executors only");
        if *checkpoint == UNSERVED {
            return vec![];
        }
        let mut weights: Vec<_> = Registry::iter()
            .map(|(who, operator)| (who, operator.weight))
            .collect();
        weights.sort();
        let index = draw::cumulative_index(weights);
        draw::pick_distinct(&index, subseed, count, |who| eligible(who))
            .into_iter()
            .map(|position| index[position].0.clone())
            .collect()
    }
    fn electorate(_: &CheckpointRoot, _: &[AccountId]) -> Electorate {
        Electorate::default()
    }
    fn vote_weight(_: EpochIndex, _: &CheckpointRoot, _: &[AccountId], _: &AccountId) -> u64 {
        0
    }
    fn voters(_: EpochIndex, _: &CheckpointRoot, _: &[AccountId]) -> Vec<(AccountId, u64)> {
        vec![]
    }
    fn can_take_payment(checkpoint: &CheckpointRoot) -> bool {
        *checkpoint != UNPAYABLE
    }
    fn record_duty(operator: &AccountId, kept: bool) {
        update(operator, |operator| match kept {
            true => operator.kept += 1,
            false => operator.missed += 1,
        });
    }
    fn record_audit(operator: &AccountId, record: AuditRecord) -> bool {
        let mut significant = false;
        update(operator, |operator| match record {
            AuditRecord::Valid { units } => operator.valid_units += units,
            AuditRecord::Soft => {
                operator.soft += 1;
                significant = operator.soft_is_significant;
            }
            AuditRecord::Hard => {
                operator.hard += 1;
                operator.reputation = Perbill::zero();
            }
        });
        significant
    }
    fn slashable(operator: &AccountId, _: Offence) -> Balance {
        Registry::get(operator)
            .map(|operator| operator.slashable)
            .unwrap_or_default()
    }
    fn slash(
        operator: &AccountId,
        offence: Offence,
        victim: Option<(&AccountId, Balance)>,
        reporter: Option<&AccountId>,
        auditors: &[AccountId],
    ) -> Balance {
        let registered = Registry::get(operator).expect("sessions slash only operators");
        let victim = victim.map(|(who, loss)| (who.clone(), loss));
        Slashes::append(Slash {
            operator: operator.clone(),
            offence,
            victim,
            reporter: reporter.cloned(),
            auditors: auditors.to_vec(),
        });
        registered.slashable
    }
    fn forfeit_lien(_: &AccountId, _: Balance, _: &[AccountId]) -> Balance {
        0
    }
    fn add_liability(operator: &AccountId) -> DispatchResult {
        frame_support::ensure!(
            Registry::contains_key(operator),
            DispatchError::Other("unknown operator")
        );
        update(operator, |operator| operator.liabilities += 1);
        Ok(())
    }
    fn remove_liability(operator: &AccountId) {
        update(operator, |operator| {
            operator.liabilities = operator
                .liabilities
                .checked_sub(1)
                .expect("was added before")
        });
    }
}

pub struct FakeCheckpoints;

impl Checkpoints for FakeCheckpoints {
    fn terms(root: &CheckpointRoot) -> Option<CheckpointTerms> {
        Terms::get(root)
    }
    fn exists(root: &CheckpointRoot) -> bool {
        Terms::contains_key(root)
    }
}

pub struct FakeLedger;

impl Ledger<AccountId> for FakeLedger {
    fn pot() -> AccountId {
        account(900)
    }
    fn record_fee(
        subject: Subject,
        executor: &AccountId,
        auditors: &[AccountId],
        price: Balance,
        units: u64,
    ) {
        Fees::append((subject, executor, price, units, auditors.len() as u32));
        let split = split_fee(price, &Shares::default(), auditors.len() as u32);
        Unclaimed::mutate(executor, |sum| *sum += split.executor);
        for auditor in auditors {
            Unclaimed::mutate(auditor, |sum| *sum += split.auditors_each);
        }
        PaidIn::mutate(|sum| *sum += price);
    }
    fn record_poc_points(_: &AccountId, _: u64) {}
    fn unclaimed(operator: &AccountId) -> Balance {
        Unclaimed::get(operator)
    }
    fn forfeit(operator: &AccountId) -> Balance {
        let taken = Unclaimed::take(operator);
        Forfeited::mutate(|sum| *sum += taken);
        taken
    }
    fn case_opened(operator: &AccountId, epoch: EpochIndex) {
        Locks::mutate((operator, epoch), |locks| *locks += 1);
    }
    fn case_closed(operator: &AccountId, epoch: EpochIndex) {
        Locks::mutate((operator, epoch), |locks| {
            *locks = locks.checked_sub(1).expect("was opened before")
        });
    }
}

pub struct FakeCases;

impl Cases<AccountId> for FakeCases {
    fn seats() -> u32 {
        3
    }
    fn open(request: CaseRequest<AccountId>) -> Result<Opened, DispatchError> {
        let case = NextCase::get();
        NextCase::put(case + 1);
        let CaseRequest {
            subject,
            operator,
            client,
            seed,
            evidence_tau,
            ..
        } = request;
        Clients::insert(case, client);
        OpenCases::insert(case, (subject, operator, seed, evidence_tau));
        // After the write, so that a failure shows whether it is rolled back.
        frame_support::ensure!(!NoElectorate::get(), DispatchError::Other("no electorate"));
        Ok(Opened {
            case,
            passed_over: PassedOver::get(),
        })
    }
    fn most_passed_over() -> Weight {
        PassedOver::get()
    }
}

/// Relay blocks between an announcement and its due block.
pub const DELAY: u32 = 2;
/// Relay blocks that a seed combines.
pub const SPAN: u32 = 2;

/// Seeds out of a relay chain that keeps pace with the blocks. Within `on_initialize` the newest
/// known relay block is that of the block before, as in a real runtime.
pub struct FakeRandomness;

#[storage_alias]
pub type RelayNow = StorageValue<Fakes, RelayBlockNumber, ValueQuery>;
#[storage_alias]
pub type Seeds = StorageMap<Fakes, Twox64Concat, RelayBlockNumber, H256>;

impl FakeRandomness {
    /// A relay block comes in, and with it a seed.
    pub fn observe(relay: RelayBlockNumber) {
        RelayNow::put(relay);
        if let Some(due) = (relay + 1).checked_sub(SPAN) {
            let seed = (due, Entropy::get()).using_encoded(sp_io::hashing::blake2_256);
            Seeds::insert(due, H256(seed));
        }
    }
}

impl Randomness for FakeRandomness {
    fn relay_now() -> RelayBlockNumber {
        RelayNow::get()
    }
    fn next_due() -> RelayBlockNumber {
        RelayNow::get() + DELAY
    }
    fn seed(due: RelayBlockNumber) -> Result<Option<H256>, SeedExpired> {
        if History::get().is_some_and(|kept| due + kept < RelayNow::get()) {
            return Err(SeedExpired);
        }
        Ok(Seeds::get(due))
    }
}

pub struct FakeEpochs;

impl Epochs for FakeEpochs {
    fn current() -> EpochIndex {
        (System::block_number() / EPOCH_BLOCKS) as u32
    }
}

fn registered(hot_key: AccountId, weight: u64) -> Registered {
    Registered {
        hot_key,
        weight,
        reputation: Perbill::zero(),
        slashable: RICH,
        liabilities: 0,
        kept: 0,
        missed: 0,
        valid_units: 0,
        soft: 0,
        hard: 0,
        soft_is_significant: false,
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
