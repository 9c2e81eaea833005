//! OpenAI clients before a gateway over sessions: answered, settled to the planck, whatever is killed.

use crate::{
    http::{account, chain, complete, metric, question},
    Market,
};
use anyhow::{ensure, Context, Result};
use chasqui_e2e::{
    gateway::Funds,
    scenes::{planck, ROOT_KEY},
    Gateway, Network,
};
use rustix::process::{kill_process, Pid, Signal};
use serde_json::{json, Value};
use std::{collections::BTreeMap, thread, time::Duration};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const MODEL: &str = "chasqui-tales";

/// A gateway with an account of its own, which holds `amount`.
fn start(market: &Market, key: &str, amount: &str, sessions: usize) -> Result<Gateway> {
    market.network.transfer(ROOT_KEY, key, amount)?;
    again(market, key, sessions)
}

/// Another process of it.
fn again(market: &Market, key: &str, sessions: usize) -> Result<Gateway> {
    let funds = Funds {
        key,
        root: &market.root,
        deposit: "0.5",
        budget: "8",
        sessions,
    };
    Gateway::over_sessions(&market.network, &funds)
}

/// The sessions of a gateway's account.
fn sessions(network: &Network, key: &str) -> Result<Vec<Value>> {
    let client = network.address(key)?;
    let listed = network.call(&["session", "list", "--client", &client])?;
    Ok(listed.as_array().cloned().unwrap_or_default())
}

/// What the chain has settled in them.
fn settled(network: &Network, key: &str) -> Result<u128> {
    sessions(network, key)?
        .iter()
        .map(|session| planck(&session["settled"]))
        .sum()
}

/// Waits until exactly `due` is settled, and says what was seen last where it never is.
fn wait_settled(network: &Network, key: &str, due: u128) -> Result<()> {
    let mut seen = 0;
    network
        .wait_until("what was answered is settled", SECONDS(120), |network| {
            seen = settled(network, key)?;
            Ok(seen == due)
        })
        .with_context(|| format!("{due} planck are due, {seen} settled"))
}

fn close(network: &Network, key: &str) -> Result<()> {
    for session in sessions(network, key)? {
        if session["stage"] == "open" {
            let id = session["session"].as_str().context("no id")?;
            network.call(&["session", "close", id, "--key", key])?;
        }
    }
    Ok(())
}

/// Asks once and returns the account of the answer.
fn ask(gateway: &Gateway, seed: u64, max_tokens: u32, stream: bool) -> Result<Value> {
    let mut body = question(MODEL, seed, max_tokens);
    body["stream"] = json!(stream);
    let answer = complete(&gateway.base_url, &body)?;
    if stream {
        let events = answer.events()?;
        ensure!(events.last() == Some(&json!("done")), "{events:?}");
        return account(&events);
    }
    let status = answer.status;
    let whole = answer.json()?;
    ensure!(status == 200, "{status}: {whole}");
    account(&[whole])
}

fn index_of(network: &Network, operator: &Value) -> Result<usize> {
    for (index, worker) in network.workers.iter().enumerate() {
        if Some(network.address(&worker.operator.key)?.as_str()) == operator.as_str() {
            return Ok(index);
        }
    }
    anyhow::bail!("{operator} is none of ours")
}

fn signal(id: u32, signal: Signal) -> Result<()> {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    Ok(kill_process(id.context("no process")?, signal)?)
}

/// Has every worker that computes listen again.
fn wait_for_workers(network: &Network) -> Result<()> {
    for worker in &network.workers {
        let port = network.endpoint_port(&worker.operator)?;
        network.wait_until("a worker listens", SECONDS(60), |_| {
            Ok(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
        })?;
    }
    Ok(())
}

pub fn answers_are_paid(market: &mut Market) -> Result<()> {
    const KEY: &str = "//Alice//gateway-1";
    // GIVEN a gateway with up to four sessions
    let gateway = start(market, KEY, "10", 4)?;
    ensure!(gateway.models == [MODEL], "{:?}", gateway.models);
    // WHEN twenty clients ask at once, whole and streamed
    let asked: Vec<Result<Value>> = thread::scope(|scope| {
        let gateway = &gateway;
        let ask = |seed: u64| scope.spawn(move || ask(gateway, seed, 24, seed.is_multiple_of(2)));
        let asking: Vec<_> = (0..20).map(ask).collect();
        asking
            .into_iter()
            .map(|asked| asked.join().unwrap_or_else(|_| anyhow::bail!("panicked")))
            .collect()
    });
    let answers = asked.into_iter().collect::<Result<Vec<_>>>()?;
    // THEN each has a receipt with a place of its own
    let (mut due, mut places) = (0u128, BTreeMap::new());
    for answer in &answers {
        ensure!(answer["output_tokens"] == 24, "{answer}");
        ensure!(
            answer["receipt"].as_str().is_some_and(|r| r.len() > 300),
            "{answer}"
        );
        due += planck(&answer["price"])?;
        let place = format!(
            "{}/{}/{}",
            answer["session"], answer["operator"], answer["sequence"]
        );
        ensure!(
            places.insert(place, ()).is_none(),
            "a place was used twice: {answer}"
        );
    }
    // AND the same seed gives the same text, from whatever session
    let text = |seed| -> Result<Value> {
        let answer = complete(&gateway.base_url, &question(MODEL, seed, 24))?.json()?;
        due += planck(&account(std::slice::from_ref(&answer))?["price"])?;
        Ok(answer["choices"][0]["text"].clone())
    };
    let mut text = text;
    ensure!(text(7)? == text(7)?, "the same seed gave another text");
    // AND the chain settles exactly the sum of the receipts
    let receipted = metric(&gateway.base_url, "chasqui_gateway_session_receipted_dot")?;
    ensure!(
        (receipted - due as f64 / 1e10).abs() < 1e-6,
        "{receipted} DOT, {due} planck"
    );
    let network = &market.network;
    wait_settled(network, KEY, due)?;
    // AND the live page shows the chain: operators, this gateway's sessions, the newest blocks
    let shown = chain(&gateway.base_url)?;
    let count = |list: &str| shown[list].as_array().map_or(0, Vec::len);
    ensure!(count("operators") >= network.workers.len(), "{shown}");
    ensure!(
        count("sessions") >= sessions(network, KEY)?.len(),
        "{shown}"
    );
    ensure!(shown["head"]["block"].as_u64() > Some(1), "{shown}");
    // AND after the sessions are closed everything else is free again
    gateway.stop()?;
    close(network, KEY)?;
    let client = network.address(KEY)?;
    network.wait_until("every session is over", SECONDS(120), |network| {
        Ok(sessions(network, KEY)?.is_empty())
    })?;
    ensure!(network.balance(&client)?.1 == 0, "something stayed on hold");
    Ok(())
}

pub fn failover_is_unseen(market: &mut Market) -> Result<()> {
    const KEY: &str = "//Alice//gateway-2";
    // GIVEN a gateway whose session's primary is killed
    let gateway = start(market, KEY, "5", 1)?;
    let first = ask(&gateway, 1, 8, false)?;
    let index = index_of(&market.network, &first["operator"])?;
    market.network.kill_worker(index);
    // WHEN a client asks, whole and streamed
    let mut due = planck(&first["price"])?;
    for (seed, stream) in [(2, false), (3, true)] {
        // THEN another operator of the committee answers, and the client sees nothing of it
        let next = ask(&gateway, seed, 8, stream)?;
        ensure!(next["operator"] != first["operator"], "{next}");
        ensure!(next["session"] == first["session"], "{next}");
        due += planck(&next["price"])?;
    }
    let failovers = metric(&gateway.base_url, "chasqui_gateway_session_failovers_total")?;
    ensure!(failovers >= 1.0, "no failover was counted");
    // AND once it is back, everything is settled: what never began costs its prompt at the most
    market.network.restart_worker(index, None)?;
    wait_for_workers(&market.network)?;
    let network = &market.network;
    network.wait_until("nothing is in flight", SECONDS(60), |_| {
        let open = metric(
            &gateway.base_url,
            "chasqui_gateway_session_requests_unfollowed",
        )?;
        Ok(open == 0.0)
    })?;
    let receipted = metric(&gateway.base_url, "chasqui_gateway_session_receipted_dot")?;
    let receipted = (receipted * 1e10).round() as u128;
    let price = planck(&first["price"])?;
    ensure!(
        (due..=due + price).contains(&receipted),
        "{receipted} planck for receipts of {due}"
    );
    wait_settled(network, KEY, receipted)?;
    gateway.stop()?;
    close(network, KEY)
}

pub fn a_break_is_clean(market: &mut Market) -> Result<()> {
    const KEY: &str = "//Alice//gateway-3";
    // GIVEN a long answer that streams
    let gateway = start(market, KEY, "5", 1)?;
    let first = ask(&gateway, 1, 8, false)?;
    let index = index_of(&market.network, &first["operator"])?;
    let mut body = question(MODEL, 2, 450);
    body["stream"] = json!(true);
    let mut answer = complete(&gateway.base_url, &body)?;
    ensure!(answer.event()?.is_some(), "nothing came");
    // WHEN its executor is killed in the middle
    signal(market.network.workers[index].process.id(), Signal::STOP)?;
    market.network.kill_worker(index);
    // THEN the stream ends with an error event and without its end mark
    let mut events = Vec::new();
    while let Some(event) = answer.event()? {
        events.push(event);
    }
    let last = events.last().context("no event")?;
    ensure!(last["error"]["message"].is_string(), "{last}");
    ensure!(!events.contains(&json!("done")), "it looks whole");
    // AND when the executor is back, it is paid for what was delivered, and the next request is answered
    market.network.restart_worker(index, None)?;
    wait_for_workers(&market.network)?;
    let network = &market.network;
    network.wait_until("nothing is in flight", SECONDS(60), |_| {
        let open = metric(
            &gateway.base_url,
            "chasqui_gateway_session_requests_unfollowed",
        )?;
        Ok(open == 0.0)
    })?;
    let next = ask(&gateway, 3, 8, false)?;
    let receipted = metric(&gateway.base_url, "chasqui_gateway_session_receipted_dot")?;
    let receipted = (receipted * 1e10).round() as u128;
    let due = planck(&first["price"])? + planck(&next["price"])?;
    let broken = receipted - due;
    // An output token costs four units of 0.0001 DOT.
    let whole = planck(&first["price"])? + (450 - 8) * 4_000_000;
    ensure!(broken > 0 && broken < whole, "{broken} of {whole} planck");
    wait_settled(network, KEY, receipted)?;
    gateway.stop()?;
    close(network, KEY)
}

pub fn a_killed_gateway_goes_on(market: &mut Market) -> Result<()> {
    const KEY: &str = "//Alice//gateway-4";
    // GIVEN a gateway that answered twice and is in the middle of a third answer
    let gateway = start(market, KEY, "5", 1)?;
    let first = ask(&gateway, 1, 8, false)?;
    let second = ask(&gateway, 2, 8, true)?;
    let mut body = question(MODEL, 3, 450);
    body["stream"] = json!(true);
    let mut answer = complete(&gateway.base_url, &body)?;
    ensure!(answer.event()?.is_some(), "nothing came");
    // WHEN it is killed, and another process begins with its journal
    drop(gateway);
    drop(answer);
    let gateway = again(market, KEY, 1)?;
    // THEN it goes on in the same session behind the broken answer
    let fourth = ask(&gateway, 4, 8, false)?;
    ensure!(fourth["session"] == first["session"], "{fourth}");
    if fourth["operator"] == first["operator"] {
        ensure!(fourth["sequence"] == 4, "{fourth}");
    }
    let network = &market.network;
    network.wait_until("nothing is in flight", SECONDS(60), |_| {
        let open = metric(
            &gateway.base_url,
            "chasqui_gateway_session_requests_unfollowed",
        )?;
        Ok(open == 0.0)
    })?;
    // AND the chain settles the receipts, each once
    let known = [&first, &second, &fourth];
    let due: u128 = known
        .iter()
        .map(|one| planck(&one["price"]))
        .sum::<Result<_>>()?;
    let since = metric(&gateway.base_url, "chasqui_gateway_session_receipted_dot")?;
    let since = (since * 1e10).round() as u128;
    let broken = since - planck(&fourth["price"])?;
    let whole = planck(&first["price"])? + (450 - 8) * 4_000_000;
    ensure!(broken > 0 && broken <= whole, "{broken} of {whole} planck");
    wait_settled(network, KEY, due + broken)?;
    for session in sessions(network, KEY)? {
        for channel in session["channels"].as_array().into_iter().flatten() {
            ensure!(channel["lastSeq"].as_u64() <= Some(4), "{session}");
        }
    }
    gateway.stop()?;
    close(network, KEY)
}

pub fn without_funds_it_says_so(market: &mut Market) -> Result<()> {
    // GIVEN a key without funds WHEN a gateway starts with it THEN it ends and says who lacks what
    let network = &market.network;
    let empty = network.key_file("empty", "key", "//Alice//gateway-empty")?;
    let (journal, blobs) = (
        network
            .folder()
            .join("empty-sessions")
            .display()
            .to_string(),
        network.blobs().display().to_string(),
    );
    let url = network.url();
    let arguments = [
        "gateway",
        "--node",
        &url,
        "--key-file",
        &empty,
        "--checkpoint",
        &market.root,
        "--journal-dir",
        &journal,
        "--blob-dir",
        &blobs,
        "--listen",
        "127.0.0.1:0",
        "--open",
        "--json",
    ];
    let (code, out, err) = network.worker_raw(&arguments)?;
    ensure!(code != 0, "it started: {out}");
    ensure!(err.contains("account transfer --to"), "{err}");
    ensure!(out.contains("\"error\""), "{out}");
    // GIVEN one with funds for a single session
    const KEY: &str = "//Alice//gateway-5";
    let gateway = start(market, KEY, "0.9", 4)?;
    ask(&gateway, 1, 8, false)?;
    // WHEN requests may cost more than all it has left THEN the client is told so, and smaller ones are answered
    let mut refused = None;
    for seed in 2..10 {
        let answer = complete(&gateway.base_url, &question(MODEL, seed, 500))?;
        let status = answer.status;
        let said = answer.json()?;
        if status != 200 {
            refused = Some((status, said));
            break;
        }
    }
    let (status, said) = refused.context("more was answered than there is money for")?;
    ensure!(
        status == 503 && said["error"]["code"] == "unfunded",
        "{status}: {said}"
    );
    ask(&gateway, 11, 4, false)?;
    gateway.stop()?;
    close(&market.network, KEY)
}
