//! What the benchmarks need of the stand-ins.

use super::*;
use frame_support::traits::fungible::Mutate;

pub struct Helper;

/// Registers so many operators from `first` on.
fn operators(first: AccountId, count: u32, validates: bool) -> Vec<AccountId> {
    let all: Vec<AccountId> = (first..).take(count as usize).collect();
    for who in &all {
        let operator = Registered {
            validates,
            active: true,
            ..Default::default()
        };
        Registry::insert(who, operator);
        Balances::set_balance(who, FUNDS);
    }
    all
}

impl BenchmarkHelper<AccountId> for Helper {
    fn dataset() -> (H256, u64) {
        begin();
        (DATASET, HELD_OUT)
    }
    fn fund(amount: Balance) {
        Balances::set_balance(&FUND, amount + ExistentialDeposit::get());
    }
    fn members(root: &H256, count: u32) -> Vec<AccountId> {
        let members = operators(10_000, count, false);
        for who in &members {
            Serving::insert((who, root), ());
        }
        members
    }
    fn auditors(count: u32) -> Vec<AccountId> {
        operators(20_000, count, true)
    }
    fn evaluator() -> (CheckpointRoot, AccountId) {
        begin();
        (BASE, 20)
    }
    fn burden(_: &AccountId) {}
}
