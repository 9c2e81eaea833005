//! The WASM runtime with its benchmarks, over a state in memory.

use anyhow::{anyhow, bail, ensure, Context, Result};
use frame_benchmarking::{BenchmarkBatch, BenchmarkConfig, BenchmarkList, BenchmarkResult};
use frame_support::traits::StorageInfo;
use parity_scale_codec::{Decode, Encode};
use sc_client_db::BenchmarkingState;
use sc_executor::WasmExecutor;
use serde_json::Value;
use sp_core::traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode};
use sp_externalities::Extensions;
use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{BasicExternalities, StateMachine};
use sp_storage::{well_known_keys, Storage};

mod wasm {
    #![allow(dead_code)]
    include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));
}

/// Functions of the host: the node's, and those that benchmarks call.
type HostFunctions = (
    sp_io::SubstrateHostFunctions,
    cumulus_primitives_proof_size_hostfunction::storage_proof_size::HostFunctions,
    frame_benchmarking::benchmarking::HostFunctions,
);
type State = BenchmarkingState<BlakeTwo256>;

/// The preset of genesis that benchmarks begin from.
const PRESET: &str = "development";

/// What a run is for.
#[derive(Clone, Copy)]
pub enum Watch {
    /// Which keys it reads and writes, and the proof of them.
    Storage,
    /// How long it takes. Proofs are recorded meanwhile, as by whoever builds or checks a parachain's block.
    Time,
}

/// The runtime and the states that its benchmarks run on.
pub struct Runtime {
    executor: WasmExecutor<HostFunctions>,
    code: WrappedRuntimeCode<'static>,
    hash: Vec<u8>,
    tracked: State,
    timed: State,
}

impl Runtime {
    /// The runtime that this program was built with, at its genesis.
    pub fn new() -> Result<Self> {
        let code = wasm::WASM_BINARY.context("this program was built without it")?;
        let executor = WasmExecutor::builder().build();
        let wrapped = WrappedRuntimeCode(code.into());
        let hash = sp_io::hashing::blake2_256(code).to_vec();
        let mut genesis = genesis(&executor, &runtime_code(&wrapped, &hash)).context("genesis")?;
        genesis
            .top
            .insert(well_known_keys::CODE.to_vec(), code.to_vec());
        let state = |track: bool| {
            State::new(genesis.clone(), None, true, track).map_err(|error| anyhow!(error))
        };
        let (tracked, timed) = (state(true)?, state(false)?);
        Ok(Self {
            executor,
            code: wrapped,
            hash,
            tracked,
            timed,
        })
    }

    /// The benchmarks that weights come from, and the storage that the runtime knows.
    pub fn benchmarks(&self) -> Result<(Vec<BenchmarkList>, Vec<StorageInfo>)> {
        // Not those that are marked as extra.
        let output = self.call(&self.timed, "Benchmark_benchmark_metadata", &false.encode())?;
        decode(&output)
    }

    /// Runs one benchmark.
    pub fn dispatch(&self, config: &BenchmarkConfig, watch: Watch) -> Result<Vec<BenchmarkResult>> {
        let state = match watch {
            Watch::Storage => &self.tracked,
            Watch::Time => &self.timed,
        };
        let output = self.call(state, "Benchmark_dispatch_benchmark", &config.encode())?;
        let batches: Result<Vec<BenchmarkBatch>, String> = decode(&output)?;
        let results: Vec<BenchmarkResult> = batches
            .map_err(|error| anyhow!(error))?
            .into_iter()
            .flat_map(|batch| batch.results)
            .collect();
        ensure!(!results.is_empty(), "the benchmark skips itself");
        Ok(results)
    }

    fn call(&self, state: &State, method: &str, data: &[u8]) -> Result<Vec<u8>> {
        let code = runtime_code(&self.code, &self.hash);
        let mut extensions = Extensions::default();
        // Benchmarks sign with keys that they generate.
        extensions.register(KeystoreExt::new(MemoryKeystore::new()));
        let mut changes = Default::default();
        let result = StateMachine::new(
            state,
            &mut changes,
            &self.executor,
            method,
            data,
            &mut extensions,
            &code,
            CallContext::Offchain,
        )
        .execute();
        result.map_err(|error| anyhow!("{method}: {error}"))
    }
}

fn runtime_code<'a>(code: &'a WrappedRuntimeCode<'static>, hash: &[u8]) -> RuntimeCode<'a> {
    RuntimeCode {
        code_fetcher: code,
        heap_pages: None,
        hash: hash.to_vec(),
    }
}

fn decode<T: Decode>(mut bytes: &[u8]) -> Result<T> {
    T::decode(&mut bytes).context("the runtime answers in another form")
}

/// The storage of the preset's genesis.
fn genesis(executor: &WasmExecutor<HostFunctions>, code: &RuntimeCode) -> Result<Storage> {
    let mut state = BasicExternalities::new_empty();
    let mut call = |method: &str, data: Vec<u8>| {
        let (output, _) = executor.call(&mut state, code, method, &data, CallContext::Offchain);
        output.map_err(|error| anyhow!("{method}: {error}"))
    };
    let mut configs = Vec::new();
    for name in [None, Some(PRESET)] {
        let output = call("GenesisBuilder_get_preset", name.encode())?;
        let config: Option<Vec<u8>> = decode(&output)?;
        let config = config.with_context(|| format!("the runtime has no preset {name:?}"))?;
        configs.push(serde_json::from_slice::<Value>(&config)?);
    }
    let Ok([mut whole, patch]) = <[Value; 2]>::try_from(configs) else {
        bail!("two configurations were asked for");
    };
    merge(&mut whole, patch);
    let output = call(
        "GenesisBuilder_build_state",
        serde_json::to_vec(&whole)?.encode(),
    )?;
    decode::<Result<(), String>>(&output)?.map_err(|error| anyhow!(error))?;
    Ok(state.into_storages())
}

/// Writes a preset, which names only what differs, over the default configuration.
pub fn merge(whole: &mut Value, patch: Value) {
    match (whole, patch) {
        (Value::Object(whole), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(whole.entry(key).or_insert(Value::Null), value);
            }
        }
        (whole, patch) => *whole = patch,
    }
}
