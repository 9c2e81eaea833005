//! What the benchmarks need of the stand-ins.

use super::*;

pub struct Helper;

impl pallet_sessions::BenchmarkHelper<AccountId> for Helper {
    fn served_checkpoint(count: u32, hot_key: &AccountId) -> (CheckpointRoot, Vec<AccountId>) {
        let _ = Registry::clear(u32::MAX, None);
        Terms::insert(CHECKPOINT, terms());
        let all: Vec<_> = (0..u64::from(count)).map(|n| account(10_000 + n)).collect();
        for (n, who) in all.iter().enumerate() {
            let key = if n == 0 { hot_key } else { who };
            Registry::insert(who, registered(key.clone(), 1));
        }
        (CHECKPOINT, all)
    }
    fn auditors(count: u32) -> Vec<AccountId> {
        (0..u64::from(count)).map(|n| account(20_000 + n)).collect()
    }
    fn burden(operator: &AccountId) {
        Unclaimed::insert(operator, 1);
    }
    fn next_epoch() {
        System::set_block_number(System::block_number() + EPOCH_BLOCKS);
    }
    fn demand_opening(_: CaseId) {
        NotDemanded::put(false);
    }
}
