//! Small stand-ins for the pallets that training meets in traits. What they remember lies in storage, so that it is rolled
//! back with a call that fails.

use super::*;
use chasqui_primitives::{
    audit::{AuditLimits, AuditThresholds, Subject},
    training::whole_sequences,
    traits::*,
    EpochIndex, NumericProfile, RelayBlockNumber, Role,
};
use frame_support::{
    storage_alias,
    traits::{fungible::Mutate, tokens::Preservation},
};
use sp_runtime::{DispatchError, Perbill};

/// An operator as the stand-in registry knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, TypeInfo, MaxEncodedLen)]
pub struct Registered {
    pub validates: bool,
    /// Not jailed, and its bond suffices.
    pub active: bool,
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
    pub reporter: Option<AccountId>,
    pub auditors: Vec<AccountId>,
}

/// A case that is open.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct Case {
    pub subject: Subject,
    pub operator: AccountId,
    pub client: Option<AccountId>,
    pub checkpoint: H256,
    pub evidence_tau: u32,
    pub price: Balance,
}

/// What a dataset was credited with for a run: what was paid, for how many units.
type Credited = (Balance, u64);

#[storage_alias]
pub type Registry = StorageMap<Fakes, Blake2_128Concat, AccountId, Registered>;
#[storage_alias]
pub type Serving = StorageMap<Fakes, Blake2_128Concat, (AccountId, H256), ()>;
#[storage_alias]
pub type Slashes = StorageValue<Fakes, Vec<Slash>, ValueQuery>;
#[storage_alias]
pub type OpenCases = StorageMap<Fakes, Twox64Concat, CaseId, Case>;
#[storage_alias]
pub type NextCase = StorageValue<Fakes, CaseId, ValueQuery>;
/// No case can be opened.
#[storage_alias]
pub type NoElectorate = StorageValue<Fakes, bool, ValueQuery>;
/// Registered checkpoints, and the vocabulary of those that are accepted.
#[storage_alias]
pub type Known = StorageMap<Fakes, Blake2_128Concat, H256, Option<u32>>;
#[storage_alias]
pub type Lineages = StorageValue<Fakes, Vec<TrainedCheckpoint<AccountId>>, ValueQuery>;
#[storage_alias]
pub type Earmarks = StorageMap<Fakes, Twox64Concat, RunId, Balance>;
#[storage_alias]
pub type Usable = StorageMap<Fakes, Blake2_128Concat, H256, DatasetTerms>;
#[storage_alias]
pub type Uses = StorageMap<Fakes, Blake2_128Concat, (H256, RunId), Credited>;
/// Seeds do not come.
#[storage_alias]
pub type NoSeeds = StorageValue<Fakes, bool, ValueQuery>;
/// Seeds up to here have left the ring.
#[storage_alias]
pub type Forgotten = StorageValue<Fakes, RelayBlockNumber, ValueQuery>;
/// Changes every seed.
#[storage_alias]
pub type Entropy = StorageValue<Fakes, u64, ValueQuery>;

/// Where the fund's money is.
pub const FUND: AccountId = 900;
/// What a proven lie takes of a bond, which these stand-ins keep beside the balances.
pub const SLASH: Balance = 50 * DOT;

/// A registered checkpoint, and one that knows fewer tokens than the dataset has.
pub const BASE: H256 = H256::repeat_byte(0xB0);
pub const SMALL: H256 = H256::repeat_byte(0xB1);
/// A checkpoint that is registered, and not accepted yet.
pub const PROPOSED: H256 = H256::repeat_byte(0xB2);
/// A usable dataset.
pub const DATASET: H256 = H256::repeat_byte(0xDA);
const TOKENS: u64 = 100_000;
pub const HELD_OUT: u64 = 1_000;
/// How many sequences of the mock's recipe it has.
pub const SEQUENCES: u64 = (TOKENS - HELD_OUT - 1) / 64;

/// What there is at first.
pub fn begin() {
    for who in COMPUTE.chain(VALIDATORS) {
        let operator = Registered {
            validates: VALIDATORS.contains(&who),
            active: true,
            ..Default::default()
        };
        Registry::insert(who, operator);
        // All validators but the last.
        if VALIDATORS.contains(&who) && who + 1 < VALIDATORS.end {
            Serving::insert((who, BASE), ());
        }
    }
    Known::insert(BASE, Some(300));
    Known::insert(SMALL, Some(299));
    Known::insert(PROPOSED, None::<u32>);
    let dataset = DatasetTerms {
        bytes: 72 + 2 * TOKENS,
        tokens: TOKENS,
        held_out: HELD_OUT,
        vocabulary: 300,
        tokenizer: H256::repeat_byte(4),
    };
    Usable::insert(DATASET, dataset);
    assert_eq!(whole_sequences(TOKENS - HELD_OUT, 64), SEQUENCES);
}

/// Liabilities, earmarks and uses are those of what the pallet has in storage.
pub fn check() {
    for (who, operator) in Registry::iter() {
        let contributions = crate::Contributions::<Test>::iter_values()
            .filter(|contribution| contribution.who == who)
            .count();
        assert_eq!(
            operator.liabilities as usize, contributions,
            "the bond of {who} is held for nothing, or not held"
        );
    }
    let live = Live::<Test>::get();
    for run in Earmarks::iter_keys().chain(Uses::iter_keys().map(|(_, run)| run)) {
        assert!(
            live.contains(&run),
            "a run that is over keeps money or data"
        );
    }
    let earmarked: Balance = Earmarks::iter_values().sum();
    assert!(free(FUND) >= earmarked, "the fund cannot pay what it must");
}

pub fn operator(who: AccountId) -> Registered {
    Registry::get(who).expect("an operator")
}

pub fn change(who: AccountId, change: impl FnOnce(&mut Registered)) {
    Registry::mutate(who, |operator| {
        change(operator.as_mut().expect("an operator"))
    });
}

pub struct FakeOperators;

impl Operators<AccountId> for FakeOperators {
    fn by_signer(signer: &AccountId) -> Option<AccountId> {
        let operator = match signer {
            100..200 => signer - 100,
            _ => *signer,
        };
        Registry::contains_key(operator).then_some(operator)
    }
    fn hot_key(operator: &AccountId) -> Option<AccountId> {
        Registry::contains_key(operator).then_some(operator + 100)
    }
    fn owner(operator: &AccountId) -> Option<AccountId> {
        Registry::contains_key(operator).then_some(operator + 200)
    }
    fn reputation(_: &AccountId) -> Perbill {
        Perbill::zero()
    }
    fn serves(operator: &AccountId, role: Role, root: &H256) -> bool {
        Registry::get(operator)
            .is_some_and(|known| known.active && known.validates == (role == Role::Validate))
            && Serving::contains_key((operator, root))
    }
    fn draw(
        _: Role,
        _: &CheckpointRoot,
        _: &H256,
        _: u32,
        _: &dyn Fn(&AccountId) -> bool,
    ) -> Vec<AccountId> {
        unreachable!("training draws nobody")
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
    fn record_duty(who: &AccountId, kept: bool) {
        change(*who, |operator| match kept {
            true => operator.kept += 1,
            false => operator.missed += 1,
        });
    }
    fn record_audit(who: &AccountId, record: AuditRecord) -> bool {
        let mut significant = false;
        change(*who, |operator| match record {
            AuditRecord::Valid { units } => operator.valid_units += units,
            AuditRecord::Soft => {
                operator.soft += 1;
                significant = operator.soft_is_significant;
            }
            AuditRecord::Hard => operator.hard += 1,
        });
        significant
    }
    fn slashable(_: &AccountId, _: Offence) -> Balance {
        SLASH
    }
    fn slash(
        operator: &AccountId,
        offence: Offence,
        victim: Option<(&AccountId, Balance)>,
        reporter: Option<&AccountId>,
        auditors: &[AccountId],
    ) -> Balance {
        assert_eq!(victim, None, "training has no victim");
        assert!(Registry::contains_key(operator), "a stranger is slashed");
        Slashes::append(Slash {
            operator: *operator,
            offence,
            reporter: reporter.copied(),
            auditors: auditors.to_vec(),
        });
        SLASH
    }
    fn forfeit_lien(_: &AccountId, _: Balance, _: &[AccountId]) -> Balance {
        unreachable!("training takes no liens")
    }
    fn add_liability(who: &AccountId) -> DispatchResult {
        frame_support::ensure!(
            Registry::contains_key(who),
            DispatchError::Other("unknown operator")
        );
        change(*who, |operator| operator.liabilities += 1);
        Ok(())
    }
    fn remove_liability(who: &AccountId) {
        change(*who, |operator| {
            operator.liabilities = operator.liabilities.checked_sub(1).expect("it was added")
        });
    }
}

pub struct FakeCheckpoints;

impl Checkpoints for FakeCheckpoints {
    fn terms(root: &CheckpointRoot) -> Option<CheckpointTerms> {
        let vocabulary = Known::get(root)??;
        let limits = AuditLimits {
            mean_margin_micro: 1,
            max_margin_micro: 1,
            mismatch_ppm: 1,
            fingerprint_milli: 1,
        };
        Some(CheckpointTerms {
            unit_price: 1,
            units_per_prompt_token: 1,
            units_per_output_token: 1,
            context_tokens: 1,
            vocabulary,
            profile: NumericProfile::F32,
            thresholds: AuditThresholds {
                boundary_micro: 1,
                clip_micro: 1,
                soft: limits,
                hard: limits,
                evidence_tau: 1,
            },
            end_tokens: Default::default(),
            has_tokenizer: true,
        })
    }
    fn exists(root: &CheckpointRoot) -> bool {
        Known::contains_key(root)
    }
}

impl TrainedCheckpoints<AccountId> for FakeCheckpoints {
    fn register_trained(trained: TrainedCheckpoint<AccountId>) -> DispatchResult {
        frame_support::ensure!(
            !Known::contains_key(trained.root),
            DispatchError::Other("registered already")
        );
        Known::insert(trained.root, None::<u32>);
        Lineages::append(trained);
        Ok(())
    }
}

/// The fund with real money.
pub struct FakeFund;

impl TrainingFund<AccountId> for FakeFund {
    fn account() -> AccountId {
        FUND
    }
    fn free() -> Balance {
        let earmarked: Balance = Earmarks::iter_values().sum();
        free(FUND) - ExistentialDeposit::get() - earmarked
    }
    fn reserve(run: RunId, amount: Balance) -> DispatchResult {
        frame_support::ensure!(Self::free() >= amount, DispatchError::Other("poor"));
        Earmarks::mutate(run, |left| *left = Some(left.unwrap_or(0) + amount));
        Ok(())
    }
    fn pay(run: RunId, to: &AccountId, amount: Balance) -> DispatchResult {
        let left = Earmarks::get(run).and_then(|left| left.checked_sub(amount));
        let left = left.ok_or(DispatchError::Other("beyond the earmark"))?;
        // Before the transfer, so that a failure shows whether it is rolled back.
        Earmarks::insert(run, left);
        Balances::transfer(&FUND, to, amount, Preservation::Preserve)?;
        Ok(())
    }
    fn release(run: RunId) -> Balance {
        Earmarks::take(run).unwrap_or(0)
    }
    fn reserved(run: RunId) -> Balance {
        Earmarks::get(run).unwrap_or(0)
    }
}

pub struct FakeDatasets;

impl Datasets<AccountId> for FakeDatasets {
    fn usable(root: &H256) -> Option<DatasetTerms> {
        Usable::get(root)
    }
    fn begin_use(root: &H256, run: RunId) -> DispatchResult {
        frame_support::ensure!(Usable::contains_key(root), DispatchError::Other("unusable"));
        Uses::insert((root, run), (0, 0));
        Ok(())
    }
    fn end_use(root: &H256, run: RunId) {
        Uses::remove((root, run));
    }
    fn credit(root: &H256, run: RunId, paid: Balance, units: u64) {
        Uses::mutate((root, run), |credited| {
            let (money, all) = credited.as_mut().expect("the run uses it");
            *money += paid;
            *all += units;
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
            checkpoint,
            evidence_tau,
            price,
            ..
        } = request;
        let opened = Case {
            subject,
            operator,
            client,
            checkpoint,
            evidence_tau,
            price,
        };
        OpenCases::insert(case, opened);
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

/// Seeds two blocks after they are asked for.
pub struct FakeRandomness;

impl Randomness for FakeRandomness {
    fn relay_now() -> RelayBlockNumber {
        System::block_number() as u32
    }
    fn next_due() -> RelayBlockNumber {
        Self::relay_now() + 2
    }
    fn seed(due: RelayBlockNumber) -> Result<Option<H256>, SeedExpired> {
        if due <= Forgotten::get() {
            return Err(SeedExpired);
        }
        let exists = !NoSeeds::get() && Self::relay_now() >= due;
        let seed = (due, Entropy::get()).using_encoded(sp_io::hashing::blake2_256);
        Ok(exists.then_some(H256(seed)))
    }
}
