//! How many requests the chain could settle, by the weights and lengths that its runtime states.

use chasqui_runtime::{
    config::{RuntimeBlockLength, RuntimeBlockWeights},
    AccountId, Runtime,
};
use frame_support::{dispatch::DispatchClass, pallet_prelude::MaxEncodedLen, weights::Weight};
use pallet_audits::WeightInfo as _;
use pallet_sessions::WeightInfo as _;
use serde_json::{json, Value};

/// Seconds between blocks in production.
const BLOCK_SECONDS: f64 = 6.0;
/// Seats of an audit's panel.
const PANEL: u32 = 3;
/// Settlements of a full call.
const ENTRIES: u32 = pallet_sessions::MAX_ENTRIES;
/// Members of a committee: channels of a session that is never renewed.
const CHANNELS: u32 = pallet_sessions::MAX_COMMITTEE;

type Sessions = <Runtime as pallet_sessions::Config>::WeightInfo;
type Audits = <Runtime as pallet_audits::Config>::WeightInfo;

/// A bound, and how many sessions a block holds by it.
fn bound(name: &str, limit: Weight, each: Weight) -> Vec<(String, f64)> {
    let share = |limit: u64, each: u64| limit as f64 / (each.max(1)) as f64;
    vec![
        (
            format!("{name}, computation"),
            share(limit.ref_time(), each.ref_time()),
        ),
        (
            format!("{name}, proof"),
            share(limit.proof_size(), each.proof_size()),
        ),
    ]
}

fn tightest(bounds: Vec<(String, f64)>) -> (String, f64) {
    let unbounded = ("nothing".to_string(), f64::MAX);
    let tighter = |a: (String, f64), b: (String, f64)| if b.1 < a.1 { b } else { a };
    bounds.into_iter().fold(unbounded, tighter)
}

fn told(bounds: Vec<(String, f64)>, requests: u32) -> Value {
    let all: Vec<Value> = bounds
        .iter()
        .map(|(name, sessions)| json!({ "by": name, "sessions_per_block": sessions }))
        .collect();
    let (by, sessions) = tightest(bounds);
    json!({
        "requests_per_session": requests,
        "sessions_per_block": sessions,
        "bound_by": by,
        "inferences_per_second": sessions * f64::from(requests) / BLOCK_SECONDS,
        "bounds": all,
    })
}

/// Longest encoding of one settlement.
fn entry_bytes() -> usize {
    pallet_sessions::Entry::<AccountId>::max_encoded_len()
}

/// Blocks that hold nothing but full calls of `settle`, each settlement of `requests` requests.
fn settling(requests: u32) -> Value {
    let weights = RuntimeBlockWeights::get();
    let class = weights.get(DispatchClass::Operational);
    let call = Sessions::settle(ENTRIES) + class.base_extrinsic;
    // What every block computes besides, and what the queues of sessions may take.
    let taken = weights.base_block + <Runtime as pallet_sessions::Config>::ServiceWeight::get();
    let room = class.max_total.unwrap_or(weights.max_block) - taken;
    let calls = bound("settle", room, call);
    let mut bounds: Vec<(String, f64)> = calls
        .into_iter()
        .map(|(name, calls)| (name, calls.floor() * f64::from(ENTRIES)))
        .collect();
    let length = *RuntimeBlockLength::get()
        .max
        .get(DispatchClass::Operational);
    bounds.push((
        "settle, length".into(),
        f64::from(length) / entry_bytes() as f64,
    ));
    let mut value = told(bounds, requests);
    value["full_call_ref_time_ps"] = call.ref_time().into();
    value["full_call_proof_bytes"] = call.proof_size().into();
    value["entry_bytes_at_most"] = entry_bytes().into();
    value
}

/// The whole life of sessions that settle once and are never renewed: opened, drawn for, settled, audited (one case for
/// each full call of `settle`), closed, ended.
fn whole_life(requests: u32) -> Value {
    let weights = RuntimeBlockWeights::get();
    let (normal, operational) = (
        weights.get(DispatchClass::Normal),
        weights.get(DispatchClass::Operational),
    );
    let share = |whole: Weight| {
        Weight::from_parts(
            whole.ref_time().div_ceil(u64::from(ENTRIES)),
            whole.proof_size().div_ceil(u64::from(ENTRIES)),
        )
    };
    let clients =
        Sessions::open() + Sessions::close(CHANNELS) + normal.base_extrinsic.saturating_mul(2);
    let seat = Audits::commit() + Audits::reveal() + operational.base_extrinsic.saturating_mul(2);
    let operators = share(
        Sessions::settle(ENTRIES)
            + operational.base_extrinsic
            + seat.saturating_mul(u64::from(PANEL)),
    );
    let case = Sessions::announce_takings() + Sessions::open_case();
    let queues = Sessions::draw_committee(CHANNELS)
        + Sessions::finish(CHANNELS)
        + Sessions::clear_settlement()
        + share(case);
    // Closing windows and judging are the audits' own queue.
    let judged = share(Audits::step().saturating_mul(2) + Sessions::close_valid(PANEL));
    let room = weights.max_block - weights.base_block;
    let service = <Runtime as pallet_sessions::Config>::ServiceWeight::get();
    let mut bounds = bound(
        "calls of clients",
        normal.max_total.unwrap_or(weights.max_block),
        clients,
    );
    bounds.extend(bound("queues of sessions", service, queues));
    bounds.extend(bound(
        "whole block",
        room,
        clients + operators + queues + judged,
    ));
    let mut value = told(bounds, requests);
    value["ref_time_ps_per_session"] = (clients + operators + queues + judged).ref_time().into();
    value["proof_bytes_per_session"] = (clients + operators + queues + judged).proof_size().into();
    value["queue_proof_bytes_per_session"] = queues.proof_size().into();
    value
}

/// All of it, with 1,000 requests a session.
pub fn all() -> Value {
    json!({
        "weights_are_measured": weights_are_measured(),
        "settling": settling(1_000),
        "whole_life": whole_life(1_000),
    })
}

/// Whether the weights of sessions were measured, as their file says.
fn weights_are_measured() -> bool {
    !include_str!("../../../../pallets/sessions/src/weights.rs").contains("estimates until")
}
