//! One honest job and three cheats.

use anyhow::{ensure, Context, Result};
use chasqui_e2e::{
    scenes::{self, check_payouts, dot, events, payouts, planck, CLIENT_KEY},
    Network, Operator,
};
use serde_json::{json, Value};

/// The cheats of the second act: name, key, fault.
const CHEATS: [(&str, &str, &str); 3] = [
    ("mallory", "//Alice//mallory", "other-model"),
    ("oscar", "//Alice//oscar", "edit-token"),
    ("trudy", "//Alice//trudy", "truncate"),
];

/// A cheat is drawn with its weight: capacity and bond that dwarf the honest ones'.
const CHEAT_CAPACITY: u32 = 3_000;
const CHEAT_BOND: &str = "3000";

/// Plays them; what happened, as JSON. `prompt` is what the client asks.
pub fn play(prompt: &str, network: &mut Network, say: &dyn Fn(&str)) -> Result<Value> {
    let operators = scenes::honest_operators();
    let root = network.open_market(&operators, &mut |line| say(line))?;

    say("--- act one: an honest job");
    let honest = honest(prompt, network, &root, say)?;

    say("--- act two: three cheats");
    let mut suspects = Vec::new();
    for (name, key, fault) in CHEATS {
        network.fund(key, "4000")?;
        let operator = Operator::new(name, key, "compute");
        network.register(&operator, &root, CHEAT_CAPACITY, CHEAT_BOND)?;
        let fault_argument = match fault {
            "other-model" => format!(
                "other-model:{}",
                scenes::model("chasqui-tales-small")?.display()
            ),
            other => other.to_string(),
        };
        network.start_worker(&operator, &["--test-fault", &fault_argument])?;
        say(&format!("{name} registered; its worker will: {fault}"));
        suspects.push((operator, fault));
    }
    network.pass_epochs(2)?;
    let cheats = catch(network, &root, suspects, say)?;

    say("--- pay day");
    network.pass_epochs(3)?;
    let claims = claim(network, &operators, say)?;
    let status = network.call(&["status"])?;
    Ok(json!({
        "checkpoint": root,
        "honest": honest,
        "cheats": cheats,
        "claims": claims,
        "audits": status["audits"],
        "blocks": status["block"],
    }))
}

/// Opens a market and plays the honest job only; what happened, as JSON.
pub fn one_job(prompt: &str, network: &mut Network, say: &dyn Fn(&str)) -> Result<Value> {
    let root = network.open_market(&scenes::honest_operators(), &mut |line| say(line))?;
    let honest = honest(prompt, network, &root, say)?;
    let status = network.call(&["status"])?;
    Ok(json!({ "checkpoint": root, "honest": honest, "blocks": status["block"] }))
}

fn honest(prompt: &str, network: &Network, root: &str, say: &dyn Fn(&str)) -> Result<Value> {
    let client = network.address(CLIENT_KEY)?;
    let before = network.balance(&client)?;
    let receipt = network.folder().join("receipt.json");
    let report = network.job(
        root,
        prompt,
        &[
            "--max-tokens",
            "48",
            "--temperature",
            "0.8",
            "--seed",
            "7",
            "--receipt",
            &receipt.display().to_string(),
        ],
    )?;
    ensure!(
        report["outcome"] == "settled",
        "the honest job was not settled: {report}"
    );
    let text = report["text"].as_str().unwrap_or_default();
    println!("\n    {prompt}{text}\n");
    let verified = network.worker(&[
        "receipt",
        "verify",
        &receipt.display().to_string(),
        "--json",
    ])?;
    ensure!(verified["valid"] == true, "the receipt does not verify");
    let payouts = payouts(&report)?;
    let auditors = match report["audited"].as_bool() {
        Some(true) => 3,
        _ => 0,
    };
    check_payouts(&payouts, auditors)?;
    let after = network.balance(&client)?;
    let fee = scenes::fees(&report, &network.public_key(CLIENT_KEY)?)?;
    let paid = planck(&report["paid"])?;
    ensure!(
        before.0 - after.0 == paid + fee && after.1 == before.1,
        "the client paid more than price and fee: {before:?} {after:?}, {paid} + {fee}"
    );
    say(&format!(
        "job {} settled by {}: {} tokens, audited by {auditors}; receipt verified",
        report["job"],
        network.name_of(report["executor"].as_str().unwrap_or("?"))?,
        report["outputTokens"]
    ));
    for (who, name) in [
        ("executor", "the executor"),
        ("auditors", "its auditors"),
        ("pocPool", "the pool of all validators"),
        ("trainingFund", "the training fund"),
        ("reserve", "the reserve"),
    ] {
        say(&format!(
            "  {:>14} DOT to {name}",
            dot(planck(&payouts[who])?)
        ));
    }
    say("  the parts match the shares to the planck");
    Ok(json!({
        "report": report,
        "payouts": payouts,
        "client": { "account": client, "before": pair(before), "after": pair(after), "fee": fee.to_string() },
    }))
}

/// Submits jobs until every suspect was drawn once and caught.
fn catch(
    network: &Network,
    root: &str,
    suspects: Vec<(Operator, &str)>,
    say: &dyn Fn(&str),
) -> Result<Vec<Value>> {
    let client = network.address(CLIENT_KEY)?;
    let mut open: Vec<(String, Operator, String)> = Vec::new();
    for (operator, fault) in suspects {
        open.push((network.address(&operator.key)?, operator, fault.to_string()));
    }
    let mut caught = Vec::new();
    for attempt in 0..25u32 {
        if open.is_empty() {
            break;
        }
        let bonds: Vec<u128> = open
            .iter()
            .map(|(address, ..)| Ok(network.balance(address)?.1))
            .collect::<Result<_>>()?;
        let before = network.balance(&client)?;
        let seed = (100 + attempt).to_string();
        let report = network.job(
            root,
            "The runner took the letter and",
            &[
                "--max-tokens",
                "48",
                "--temperature",
                "0.8",
                "--seed",
                &seed,
            ],
        )?;
        let executor = report["executor"].as_str().unwrap_or_default().to_string();
        let Some(index) = open.iter().position(|(address, ..)| *address == executor) else {
            say(&format!(
                "job {}: drawn for an honest operator, {}",
                report["job"], report["outcome"]
            ));
            continue;
        };
        let (address, operator, fault) = open.remove(index);
        ensure!(
            report["outcome"] == "refunded" && report["reason"] == "Hard",
            "{} was not caught at '{fault}': {} {}",
            operator.name,
            report["outcome"],
            report["reason"]
        );
        let slash = events(&report, "Operators", "Slashed")
            .pop()
            .context("nobody was slashed")?;
        let bond = network.balance(&address)?.1;
        let after = network.balance(&client)?;
        let taken = planck(&slash["amount"])?;
        ensure!(
            bonds[index] - bond == taken,
            "the bond fell by {} planck, the slash says {taken}",
            bonds[index] - bond
        );
        let fee = scenes::fees(&report, &network.public_key(CLIENT_KEY)?)?;
        ensure!(
            before.0 - after.0 == fee && after.1 == before.1,
            "the client was not refunded: {before:?} {after:?}, fee {fee}"
        );
        let decision = events(&report, "Audits", "CaseClosed")
            .pop()
            .unwrap_or(Value::Null);
        say(&format!(
            "job {}: {} caught at '{fault}' ({}), slashed {} DOT, client refunded",
            report["job"],
            operator.name,
            decision["decision"],
            dot(taken)
        ));
        caught.push(json!({
            "fault": fault,
            "operator": address,
            "report": report,
            "case": decision,
            "slash": slash,
            "bond": { "before": bonds[index].to_string(), "after": bond.to_string() },
            "client": { "before": pair(before), "after": pair(after), "fee": fee.to_string() },
        }));
    }
    ensure!(
        open.is_empty(),
        "never drawn: {:?}",
        open.iter().map(|(_, o, _)| &o.name).collect::<Vec<_>>()
    );
    Ok(caught)
}

fn claim(network: &Network, operators: &[Operator], say: &dyn Fn(&str)) -> Result<Vec<Value>> {
    let mut claims = Vec::new();
    for operator in operators {
        let before = network.balance(&network.address(&operator.key)?)?;
        let claimed = network.call(&["operator", "claim", "--key", &operator.key])?;
        let after = network.balance(&network.address(&operator.key)?)?;
        say(&format!(
            "{:>8} claimed {} DOT",
            operator.name,
            dot(planck(&claimed["total"])?)
        ));
        claims.push(json!({
            "operator": operator.name,
            "claimed": claimed,
            "before": pair(before),
            "after": pair(after),
        }));
    }
    Ok(claims)
}

fn pair((free, held): (u128, u128)) -> Value {
    json!({ "free": free.to_string(), "held": held.to_string() })
}
