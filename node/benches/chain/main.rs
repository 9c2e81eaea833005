//! How much the chain carries: jobs per block and second by weight, bytes on chain per job, and how
//! long a full block takes to import.
//!
//! Blocks are built natively and imported by the WASM runtime that the node embeds, on a state in
//! memory; the database of a node comes on top, and the host around the WASM is built in the profile
//! that the report names.

mod life;
mod network;

use chasqui_primitives::JobClass;
use chasqui_runtime::{config::RuntimeBlockWeights, Runtime};
use frame_support::{
    dispatch::{DispatchClass, GetDispatchInfo},
    weights::Weight,
};
use network::{key, Chain};
use parity_scale_codec::Encode;
use serde_json::{json, Value};

/// Tokens of the prompt and output that are measured.
const PROMPT: u32 = 128;
const OUTPUT: u32 = 128;
/// Seats of an audit's panel.
const PANEL: u64 = 3;
/// Seconds between blocks in production.
const BLOCK_SECONDS: f64 = 6.0;
/// How often the full block is imported; the first import compiles the runtime and does not count.
const IMPORTS: usize = 5;

type JobsWeight = <Runtime as pallet_jobs::Config>::WeightInfo;
type AuditsWeight = <Runtime as pallet_audits::Config>::WeightInfo;

/// How many loads `each` fit into `limit`.
fn fit(limit: Weight, each: Weight) -> u64 {
    limit.checked_div_per_component(&each).unwrap_or(u64::MAX)
}

/// Jobs a block by weight: transactions in the share of normal ones, draws and deadlines in
/// theirs.
fn by_weight(audited: bool) -> Value {
    use pallet_audits::WeightInfo as _;
    use pallet_jobs::WeightInfo as _;
    let weights = RuntimeBlockWeights::get();
    let normal = weights.get(DispatchClass::Normal);
    let base = normal.base_extrinsic;
    let prompt_bytes = life::submit(PROMPT, OUTPUT, JobClass::Standard).encoded_size() as u32;
    let mut calls = vec![
        JobsWeight::submit(prompt_bytes),
        JobsWeight::acknowledge(),
        JobsWeight::commit(OUTPUT),
    ];
    let mut hooks = JobsWeight::draw_executor() + JobsWeight::draw_audit();
    let mut audit_hooks = Weight::zero();
    if audited {
        for _ in 0..PANEL {
            calls.push(AuditsWeight::commit());
            calls.push(AuditsWeight::reveal());
        }
        // The commit window closes, then the reveal window with the settlement.
        audit_hooks = AuditsWeight::step().saturating_mul(2) + JobsWeight::settle();
    } else {
        hooks += JobsWeight::settle();
    }
    let transactions = calls
        .iter()
        .fold(Weight::zero(), |sum, call| sum + *call + base);
    let room = normal.max_total.unwrap_or(weights.max_block);
    let service = <Runtime as pallet_jobs::Config>::ServiceWeight::get();
    let jobs = fit(room, transactions)
        .min(fit(service, hooks))
        .min(fit(weights.max_block, transactions + hooks + audit_hooks));
    json!({
        "jobs_per_block": jobs,
        "jobs_per_second": jobs as f64 / BLOCK_SECONDS,
        "transactions_ref_time_ps": transactions.ref_time(),
        "transactions_proof_bytes": transactions.proof_size(),
        "hooks_ref_time_ps": (hooks + audit_hooks).ref_time(),
        "hooks_proof_bytes": (hooks + audit_hooks).proof_size(),
    })
}

fn footprint(chain: &mut Chain, class: JobClass) -> Value {
    let found = life::one_job(chain, PROMPT, OUTPUT, class);
    json!({
        "transactions": found.count,
        "transaction_bytes": found.transactions,
        "event_bytes": found.events,
        "live_state_bytes": found.live_state,
        "kept_state_bytes": found.kept_state,
        "block_bytes": found.transactions + found.events,
    })
}

/// A block full of submissions: how many it holds, and how long the WASM runtime takes for it.
fn full_block(chain: &mut Chain) -> Value {
    let call = life::submit(PROMPT, OUTPUT, JobClass::Standard);
    let weight = call.get_dispatch_info().total_weight();
    let clients = ["Ferdie", "Alice", "Bob", "Charlie", "Dave", "Eve"];
    let wanted = (0..5_000).map(|n| (key(clients[n % clients.len()]), call.clone()));
    let report = chain.build(wanted.collect());
    let mut times: Vec<f64> = (0..=IMPORTS)
        .map(|_| chain.import(&report).as_secs_f64() * 1_000.0)
        .skip(1)
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    json!({
        "transactions": report.included,
        "call_ref_time_ps": weight.ref_time(),
        "call_proof_bytes": weight.proof_size(),
        "block_bytes": report.block.encoded_size(),
        "import_milliseconds": median,
        "import_milliseconds_all": times,
        "microseconds_per_transaction": median * 1_000.0 / report.included.max(1) as f64,
    })
}

fn print(name: &str, values: &Value) {
    println!("{name}");
    for (key, value) in values.as_object().into_iter().flatten() {
        match value {
            Value::Number(number) if number.is_f64() => {
                println!("  {key:<32} {:>16.2}", number.as_f64().unwrap_or(0.0))
            }
            Value::Number(number) => println!("  {key:<32} {number:>16}"),
            _ => {}
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let file = arguments
        .iter()
        .position(|argument| argument == "--json")
        .map(|at| arguments.get(at + 1).expect("--json wants a file").clone());

    let mut chain = Chain::new();
    life::network(&mut chain);
    let report = json!({
        "host_profile": if cfg!(debug_assertions) { "dev" } else { "release" },
        "prompt_tokens": PROMPT,
        "output_tokens": OUTPUT,
        "jobs_by_weight_unaudited": by_weight(false),
        "jobs_by_weight_audited": by_weight(true),
        "bytes_per_audited_job": footprint(&mut chain, JobClass::Premium),
        "full_block_of_submissions": full_block(&mut chain),
    });
    for (name, values) in report.as_object().into_iter().flatten() {
        if values.is_object() {
            print(name, values);
        }
    }
    if let Some(file) = file {
        let text = serde_json::to_string_pretty(&report).expect("it serialises");
        std::fs::write(&file, text + "\n").unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}
