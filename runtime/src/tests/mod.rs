//! Tests of the runtime as a whole, one file a behaviour.

#[cfg(feature = "runtime-benchmarks")]
mod bench_state;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarks;
mod datasets;
mod false_outputs;
mod fees;
mod fund;
mod governance;
mod governance_sequences;
mod job_life;
mod leaving;
mod money;
mod presets;
mod seeds;
mod session_traffic;
mod sessions;
mod traffic;
mod training;
mod view_functions;
mod world;

use crate::{genesis, Runtime, RuntimeGenesisConfig};
use sp_io::TestExternalities;
use sp_runtime::BuildStorage;
use sp_storage::Storage;

/// State at the genesis of preset `id`.
fn genesis_of(id: &str) -> TestExternalities {
    genesis_storage(id).into()
}

/// What the genesis of preset `id` puts into storage.
fn genesis_storage(id: &str) -> Storage {
    let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
    let patch = serde_json::from_slice(&genesis::preset(&id.into()).unwrap()).unwrap();
    merge(&mut config, patch);
    serde_json::from_value::<RuntimeGenesisConfig>(config)
        .unwrap()
        .build_storage()
        .unwrap()
}

fn merge(into: &mut serde_json::Value, patch: serde_json::Value) {
    match (into, patch) {
        (serde_json::Value::Object(into), serde_json::Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

/// Checks the randomness pallet's storage after `test`.
fn and_try_state(test: impl FnOnce()) -> impl FnOnce() {
    move || {
        test();
        crate::randomness::Pallet::<Runtime>::do_try_state().unwrap();
    }
}
