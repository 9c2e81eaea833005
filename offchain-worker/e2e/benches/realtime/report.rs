//! The figures as a table, and whether they reach the goals.

use serde_json::{json, Value};

/// Most milliseconds that the median first token may come behind the engine's own.
const FIRST_TOKEN_MS: f64 = 20.0;
/// Most bytes on chain for each of 1,000 requests of a session.
const BYTES: f64 = 1.0;
/// Inferences that the chain must be able to settle in a second.
const CAPACITY: f64 = 10_000.0;

/// What this ran on.
pub fn machine() -> Value {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let find = |text: String, key: &str| -> Option<String> {
        let line = text.lines().find(|line| line.starts_with(key))?.to_string();
        Some(line.split_once(':')?.1.trim().to_string())
    };
    json!({
        "cpu": find(read("/proc/cpuinfo"), "model name"),
        "cpus": std::thread::available_parallelism().map_or(0, |count| count.get()),
        "memory": find(read("/proc/meminfo"), "MemTotal"),
        "load_before_and_after": read("/proc/loadavg").trim(),
        "profile": if cfg!(debug_assertions) { "dev" } else { "release" },
    })
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// Each goal with what was measured.
pub fn goals(report: &Value) -> Value {
    let own = number(&report["engine_prefill_ms"]["p50"]);
    let first = number(&report["sessions"]["one_client"]["first_token_ms"]["p50"]);
    let thousand = &report["thousand"]["on_chain"];
    let all = number(&thousand["all"]["bytes_per_request"]);
    let settled = number(&report["capacity"]["settling"]["inferences_per_second"]);
    json!([
        {
            "goal": format!("p50 time to first token within {FIRST_TOKEN_MS} ms of the engine's own prefill"),
            "measured": format!("{:.2} ms behind {own:.2} ms", first - own),
            "met": first - own <= FIRST_TOKEN_MS,
        },
        {
            "goal": format!("at most {BYTES} byte on chain a request, with 1,000 requests a session"),
            "measured": format!(
                "{all:.3} bytes, audits included; {:.3} without; settlements alone {:.3}",
                number(&thousand["sessions"]["bytes_per_request"]),
                number(&thousand["settle"]["bytes_per_request"]),
            ),
            "met": all <= BYTES,
        },
        {
            "goal": format!("settlement capacity of at least {CAPACITY} inferences/s by weight"),
            "measured": format!("{settled:.0} inferences/s"),
            "met": settled >= CAPACITY,
        },
        {
            "goal": "no accepted request lost or paid twice through the kill",
            "measured": report["kill"]["books"],
            "met": report["kill"]["books"]["hold"],
        },
    ])
}

/// Prints the report as Markdown.
pub fn print(report: &Value) {
    println!(
        "{} CPUs ({}), {} profile, revision {}",
        report["machine"]["cpus"],
        report["machine"]["cpu"].as_str().unwrap_or("unknown"),
        report["machine"]["profile"].as_str().unwrap_or("unknown"),
        report["revision"].as_str().unwrap_or("unknown"),
    );
    println!("`{}`", report["command"].as_str().unwrap_or_default());
    println!(
        "prompts of {} tokens, answers of {}\n",
        report["prompt_tokens"], report["output_tokens"]
    );
    println!("| what | clients | first token p50/p95/p99, ms | between tokens p50/p95/p99, ms | each token of an answer p50/p95/p99, ms | requests/s | tokens/s |");
    println!("|---|---|---|---|---|---|---|");
    for (name, own) in [
        (
            "engine alone, idle machine",
            &report["engine_prefill_idle_ms"],
        ),
        (
            "engine alone, network running",
            &report["engine_prefill_ms"],
        ),
    ] {
        println!("| {name} | 1 | {} | | | | |", three(own));
    }
    for (name, load) in [
        ("gateway over the model", &report["local"]["one_client"]),
        ("gateway over the model", &report["local"]["many_clients"]),
        ("gateway over sessions", &report["sessions"]["one_client"]),
        ("gateway over sessions", &report["sessions"]["many_clients"]),
        ("over sessions, short requests", &report["thousand"]["load"]),
        (
            "over sessions, one executor killed",
            &report["kill"]["load"],
        ),
    ] {
        println!(
            "| {name} | {} | {} | {} | {} | {:.1} | {:.0} |",
            load["clients"],
            three(&load["first_token_ms"]),
            three(&load["between_tokens_ms"]),
            three(&load["each_token_ms"]),
            number(&load["requests_per_second"]),
            number(&load["output_tokens_per_second"]),
        );
    }
    println!();
    on_chain("load", &report["sessions"]["on_chain"]);
    let thousand = &report["thousand"];
    let name = format!(
        "{} sessions of {} requests",
        thousand["sessions"], thousand["requests_per_session"]
    );
    on_chain(&name, &thousand["on_chain"]);
    for (name, value) in [
        ("settling alone", &report["capacity"]["settling"]),
        ("whole lives of sessions", &report["capacity"]["whole_life"]),
    ] {
        println!(
            "capacity by weight, {name}: {:.0} inferences/s, bound by {}",
            number(&value["inferences_per_second"]),
            value["bound_by"].as_str().unwrap_or("?"),
        );
    }
    if report["capacity"]["weights_are_measured"] != true {
        println!("the weights of sessions are estimates, not yet measured");
    }
    println!("\nkilled: {}\n", report["kill"]["books"]);
    for goal in report["goals"].as_array().into_iter().flatten() {
        println!(
            "{}: {} ({})",
            if goal["met"] == true {
                "met"
            } else {
                "NOT MET"
            },
            goal["goal"].as_str().unwrap_or_default(),
            goal["measured"],
        );
    }
}

fn three(times: &Value) -> String {
    let of = |name: &str| format!("{:.2}", number(&times[name]));
    format!("{} / {} / {}", of("p50"), of("p95"), of("p99"))
}

fn on_chain(name: &str, chain: &Value) {
    println!("on chain, {name}, {} requests:\n", chain["requests"]);
    println!("| call | transactions | bytes | bytes a request | computation a request, µs | proof a request, bytes |");
    println!("|---|---|---|---|---|---|");
    let calls = chain["calls"].as_object().into_iter().flatten();
    let calls = calls.map(|(call, part)| (call.as_str(), part));
    for (call, part) in calls.chain([("all", &chain["all"])]) {
        println!(
            "| {call} | {} | {} | {:.3} | {:.2} | {:.2} |",
            part["transactions"],
            part["bytes"],
            number(&part["bytes_per_request"]),
            number(&part["ref_time_ps_per_request"]) / 1e6,
            number(&part["proof_bytes_per_request"]),
        );
    }
    println!();
}
