//! What the benchmarks need of the stand-ins.

use super::*;

pub struct Helper;

impl pallet_jobs::BenchmarkHelper<AccountId> for Helper {
    fn checkpoint_served_by(executor: &AccountId, hot_key: &AccountId) -> CheckpointRoot {
        let _ = Registry::clear(u32::MAX, None);
        Terms::insert(CHECKPOINT, terms());
        Registry::insert(executor, registered(hot_key.clone(), 1));
        CHECKPOINT
    }
    fn compute_operators(_: &CheckpointRoot, count: u32) -> Vec<AccountId> {
        let more: Vec<_> = (0..u64::from(count)).map(|n| account(10_000 + n)).collect();
        for who in &more {
            Registry::insert(who, registered(who.clone(), 1));
        }
        more
    }
    fn auditors(count: u32) -> Vec<AccountId> {
        (0..u64::from(count)).map(|n| account(20_000 + n)).collect()
    }
    fn burden(operator: &AccountId) {
        Unclaimed::insert(operator, 1);
    }
}
