//! A runtime of this pallet, with a registry and a clock that tests set.

use crate::{self as pallet_rewards, *};
use chasqui_primitives::{
    traits::{AuditRecord, Electorate, Offence},
    CheckpointRoot, Role, DOT,
};
use frame_support::{
    derive_impl, parameter_types,
    traits::{fungible::Mutate as _, tokens::Preservation, ConstU64, Hooks},
};
use sp_core::H256;
use sp_runtime::{BuildStorage, Perbill};

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
    pub type Rewards = pallet_rewards;
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
    pub const PotId: PalletId = PalletId(*b"test/pot");
    pub const FundAccount: AccountId = 2_000;
    pub const ReserveAccount: AccountId = 1_000;
    pub const ClaimPeriod: EpochIndex = 6;
    pub static CurrentEpoch: EpochIndex = 0;
    pub static SweepStep: u32 = 16;
    /// Operators that have left the registry.
    pub static Left: Vec<AccountId> = Vec::new();
}

/// Operators are 1 to 8; the hot key of each is a hundred more. Operators 1 and 2 are owned by account 50.
pub struct Registry;

pub const OWNER: AccountId = 50;

pub fn hot(operator: AccountId) -> AccountId {
    operator + 100
}

impl Operators<AccountId> for Registry {
    fn by_signer(signer: &AccountId) -> Option<AccountId> {
        match signer {
            _ if Left::get().contains(signer) => None,
            1..=8 => Some(*signer),
            101..=108 => Some(signer - 100),
            _ => None,
        }
    }
    fn hot_key(operator: &AccountId) -> Option<AccountId> {
        (1..=8).contains(operator).then(|| hot(*operator))
    }
    fn owner(operator: &AccountId) -> Option<AccountId> {
        match operator {
            _ if Left::get().contains(operator) => None,
            1 | 2 => Some(OWNER),
            3..=8 => Some(*operator),
            _ => None,
        }
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
        false
    }
    fn record_duty(_: &AccountId, _: bool) {}
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
        0
    }
    fn forfeit_lien(_: &AccountId, _: Balance, _: &[AccountId]) -> Balance {
        0
    }
    fn add_liability(_: &AccountId) -> DispatchResult {
        Ok(())
    }
    fn remove_liability(_: &AccountId) {}
}

/// The clock.
pub struct Clock;

impl Epochs for Clock {
    fn current() -> EpochIndex {
        CurrentEpoch::get()
    }
}

#[cfg(feature = "runtime-benchmarks")]
impl BenchmarkHelper for Clock {
    fn set_epoch(epoch: EpochIndex) {
        CurrentEpoch::set(epoch);
    }
}

impl Config for Test {
    type NativeBalance = Balances;
    type Operators = Registry;
    type Epochs = Clock;
    type AdminOrigin = frame_system::EnsureRoot<AccountId>;
    type PalletId = PotId;
    type FundAccount = FundAccount;
    type ReserveAccount = ReserveAccount;
    type FundShareLock = ConstU64<1_000>;
    type ClaimDelay = ConstU32<2>;
    type ClaimPeriod = ClaimPeriod;
    type SweepStep = SweepStep;
    type WeightInfo = ();
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = Clock;
}

/// A client with money.
pub const CLIENT: AccountId = 900;
/// What it has.
pub const ENDOWMENT: Balance = 1_000_000 * DOT;

pub fn new_test_ext() -> sp_io::TestExternalities {
    CurrentEpoch::set(0);
    SweepStep::set(16);
    Left::set(Vec::new());
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    let mut balances = vec![(CLIENT, ENDOWMENT)];
    for who in [OWNER, 3, 4, 5, FundAccount::get(), ReserveAccount::get()] {
        balances.push((who, ExistentialDeposit::get()));
    }
    pallet_balances::GenesisConfig::<Test> {
        balances,
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    pallet_rewards::GenesisConfig::<Test>::default()
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
        Rewards::do_try_state().unwrap();
    });
}

/// Runs the hooks of the next `count` blocks.
pub fn run_blocks(count: u64) {
    for _ in 0..count {
        let now = System::block_number() + 1;
        System::set_block_number(now);
        Rewards::on_initialize(now);
    }
}

/// Runs to the first block of epoch `epoch`.
pub fn run_to_epoch(epoch: EpochIndex) {
    while CurrentEpoch::get() < epoch {
        CurrentEpoch::set(CurrentEpoch::get() + 1);
        run_blocks(1);
    }
}

/// Moves money of the client to the pot.
pub fn fill_pot(amount: Balance) {
    let pot = Rewards::pot_account();
    let _ = Balances::transfer(&CLIENT, &pot, amount, Preservation::Expendable).unwrap();
}

/// What every fee of the tests is paid for.
pub const SUBJECT: Subject = Subject::Job(17);

/// Pays and records a fee.
pub fn fee(executor: AccountId, auditors: &[AccountId], price: Balance, units: u64) {
    use chasqui_primitives::traits::Ledger;
    fill_pot(price);
    Rewards::record_fee(SUBJECT, &executor, auditors, price, units);
}

pub fn free(who: AccountId) -> Balance {
    Balances::free_balance(who)
}

/// What reached an account beyond its endowment of one existential deposit.
pub fn gained(who: AccountId) -> Balance {
    free(who) - ExistentialDeposit::get()
}

/// Whether `event` was deposited.
pub fn happened(event: Event<Test>) -> bool {
    let event = RuntimeEvent::Rewards(event);
    System::events().iter().any(|record| record.event == event)
}
