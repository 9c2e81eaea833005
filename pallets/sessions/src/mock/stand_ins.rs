//! Small stand-ins for the pallets that sessions meet in traits. What they remember lies in storage, so that it is rolled
//! back with a call that fails.

use super::*;
use chasqui_primitives::{
    draw,
    money::{split_fee, Shares},
    traits::*,
    RelayBlockNumber, Role,
};
use frame_support::{pallet_prelude::*, storage_alias};
use sp_runtime::{DispatchError, DispatchResult, Perbill};

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
/// The price that a case names.
#[storage_alias]
pub type Prices = StorageMap<Fakes, Twox64Concat, CaseId, Balance>;
#[storage_alias]
pub type NextCase = StorageValue<Fakes, CaseId, ValueQuery>;
/// Cases that lock the revenue of an operator's epoch.
#[storage_alias]
pub type Locks = StorageMap<Fakes, Blake2_128Concat, (AccountId, EpochIndex), u32, ValueQuery>;
/// No case can be opened.
#[storage_alias]
pub type NoElectorate = StorageValue<Fakes, bool, ValueQuery>;
/// No opening is demanded of anybody.
#[storage_alias]
pub type NotDemanded = StorageValue<Fakes, bool, ValueQuery>;
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
            price,
            ..
        } = request;
        Clients::insert(case, client);
        Prices::insert(case, price);
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
    fn opening_demanded(case: CaseId) -> bool {
        OpenCases::contains_key(case) && !NotDemanded::get()
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

pub fn registered(hot_key: AccountId, weight: u64) -> Registered {
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
