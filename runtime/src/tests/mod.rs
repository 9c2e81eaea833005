//! Tests of the runtime as a whole, one file a behaviour.

mod presets;
mod seeds;

use crate::{genesis, Runtime, RuntimeGenesisConfig};
use sp_io::TestExternalities;
use sp_runtime::BuildStorage;

/// State at the genesis of preset `id`.
fn genesis_of(id: &str) -> TestExternalities {
    let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
    let patch = serde_json::from_slice(&genesis::preset(&id.into()).unwrap()).unwrap();
    merge(&mut config, patch);
    serde_json::from_value::<RuntimeGenesisConfig>(config)
        .unwrap()
        .build_storage()
        .unwrap()
        .into()
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
