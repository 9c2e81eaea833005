//! The network trains a model of its own: money from settled jobs, a dataset that validators judged, a run of four members
//! of whom one cheats and one is killed, a fifth that comes late, and a prompt answered by what they made.

use anyhow::{ensure, Context, Result};
use chasqui_e2e::{
    scenes::{self, dot, planck, text, ROOT_KEY},
    Network, Operator,
};
use serde_json::{json, Value};
use std::{collections::BTreeMap, time::Duration};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
/// Rounds of the run.
const ROUNDS: u32 = 3;
/// Jobs that pay for them.
const JOBS: u32 = 3;
/// What the cheat does: it takes every other step.
const FAULT: &str = "train-half";
const VALIDATORS: [&str; 3] = ["//Dave", "//Eve", "//Ferdie"];

fn member(name: &str, settings: &str) -> Operator {
    Operator {
        own_blobs: true,
        settings: settings.into(),
        ..Operator::new(name, &format!("//Alice//{name}"), "compute")
    }
}

/// Seconds a round: few steps of a small model.
fn terms(base: &str, dataset: &str, round_pay: &str) -> String {
    format!(
        "dataset = \"{dataset}\"\nrounds = {ROUNDS}\nround_pay = \"{round_pay}\"\n\
         start = {{ checkpoint = \"{base}\" }}\nmembers = {{ min = 3, max = 5 }}\n\
         [recipe]\ninner_steps = 12\nbatch = 2\nmicro_batch = 2\nsequence = 64\nlearning_rate = 0.0005\nsegments = 3\n\
         [timing]\nforming = 8\nwarmup = 120\ntrain = 120\ngrace = 45\nexchange = 30\nattest = 40\naudit = 120\n\
         agree = 40\nchallenge = 5\nidle = 600\n"
    )
}

/// Plays it; what happened, as JSON.
pub fn play(network: &mut Network, say: &dyn Fn(&str)) -> Result<Value> {
    let operators = scenes::honest_operators();
    let base = network.open_market(&operators, &mut |line| say(line))?;

    say("--- act one: clients pay, and a fifth is for training");
    let fund = fund_by_jobs(network, &base, say)?;

    say("--- act two: a dataset, judged");
    let (ines, juan) = (member("ines", ""), member("juan", ""));
    let (killa, luis) = (member("killa", ""), member("luis", ""));
    let maya = member("maya", "[training]\njoin = \"all\"\n");
    let dataset = judged_dataset(network, &base, &ines, say)?;

    say("--- act three: a run");
    let round_pay = fund / u128::from(ROUNDS);
    let created = network.create_run(&terms(&base, &dataset, &dot(round_pay)))?;
    let (run, root) = (created["run"].to_string(), text(&created, "root")?);
    for validator in VALIDATORS {
        let serve = ["operator", "serve", "--key", validator, "--checkpoint"];
        network.call(&[&serve[..], &[&root]].concat())?;
    }
    say(&format!(
        "run {run}: {ROUNDS} rounds of {} DOT from the checkpoint that clients use; validators will judge it",
        dot(round_pay)
    ));
    // Drawn as judges from the next epoch but one on.
    network.pass_epochs(2)?;
    let mut workers = BTreeMap::new();
    for operator in [&juan, &killa] {
        workers.insert(
            operator.name.clone(),
            network.start_member(operator, &root)?,
        );
    }
    network.fund(&luis.key, "1200")?;
    network.register(&luis, &root, 1, "1000")?;
    network.start_worker(&luis, &["--test-fault", FAULT])?;
    let bond = planck(&network.operator(&luis)?["bond"])?;
    for operator in [&ines, &juan, &killa, &luis] {
        network.join_run(operator, &run)?;
    }
    say(&format!(
        "ines, juan, killa and luis joined; luis will: {FAULT}"
    ));
    network.wait_until("round 0 is trained", SECONDS(240), |network| {
        let status = network.run_status(&run)?;
        Ok(status["phase"] == "train" || status["round"].as_u64() > Some(0))
    })?;
    network.kill_worker(workers["killa"]);
    network.restart_worker(workers["killa"], None)?;
    say("killa's machine is killed in the middle of training, and started again");
    network.start_member(&maya, &root)?;
    say("maya starts late, and takes part from the next round on");
    let over = follow(network, &run, say)?;
    ensure!(over["phase"] == "finished", "{over}");

    say("--- act four: who was paid, and who was not");
    let members = paid(network, &over, say)?;
    let left = planck(&network.operator(&luis)?["bond"])?;
    ensure!(left < bond, "the cheat kept its bond: {over}");
    say(&format!(
        "luis, proven false, lost {} DOT of its bond, its pay and its place",
        dot(bond - left)
    ));

    say("--- act five: what they made answers a prompt");
    let answer = serve(network, &run, &ines, say)?;
    Ok(json!({
        "base": base,
        "fund": fund.to_string(),
        "dataset": dataset,
        "run": over,
        "members": members,
        "cheat": { "operator": "luis", "fault": FAULT, "slashed": (bond - left).to_string() },
        "answer": answer,
    }))
}

/// Sells completions; what the fund then has, in planck.
fn fund_by_jobs(network: &Network, base: &str, say: &dyn Fn(&str)) -> Result<u128> {
    let mut paid = 0;
    for seed in 1..=JOBS {
        let seed = seed.to_string();
        let options = ["--max-tokens", "64", "--seed", &seed];
        let report = network.job(base, "Once upon a time", &options)?;
        ensure!(report["outcome"] == "settled", "{report}");
        paid += planck(&report["paid"])?;
    }
    let fund = planck(&network.call(&["fund", "status"])?["free"])?;
    ensure!(fund > 0 && fund <= paid, "the fund has {fund} of {paid}");
    say(&format!(
        "{JOBS} jobs settled for {} DOT; the training fund has {} DOT",
        dot(paid),
        dot(fund)
    ));
    Ok(fund)
}

/// Has `host` build and submit a dataset on its own machine, and validators judge it; its root.
fn judged_dataset(
    network: &mut Network,
    base: &str,
    host: &Operator,
    say: &dyn Fn(&str),
) -> Result<String> {
    let blobs = network.blobs_of(host);
    let model = scenes::model("chasqui-tales")?;
    let dataset = network.build_dataset(&model, &blobs)?;
    let (folder, store) = (model.display().to_string(), blobs.display().to_string());
    let imported = network.worker(&["model", "import", &folder, "--blob-dir", &store, "--json"])?;
    ensure!(imported["root"] == base, "{imported}");
    network.start_host(host)?;
    let submitted = network.submit_dataset(&dataset, &blobs, &host.key)?;
    ensure!(submitted["status"] == "usable", "{submitted}");
    say(&format!(
        "{} submitted a dataset; validators fetched chunks of it from its machine, and found it usable",
        host.name
    ));
    Ok(dataset)
}

/// Tells each round as it ends, until the run is over; what the chain says then.
fn follow(network: &mut Network, run: &str, say: &dyn Fn(&str)) -> Result<Value> {
    let mut told = 0;
    network.wait_until("the run is over", SECONDS(900), |network| {
        let status = network.run_status(run)?;
        for round in status["history"]
            .as_array()
            .into_iter()
            .flatten()
            .skip(told)
        {
            if !matches!(round["became"].as_str(), Some("final" | "void" | "undone")) {
                break;
            }
            told += 1;
            say(&format!(
                "round {}: {} members, {} accepted, loss {:.4}, {}",
                round["round"],
                round["members"],
                round["accepted"],
                round["loss"].as_f64().unwrap_or(f64::NAN),
                round["became"].as_str().unwrap_or("?"),
            ));
        }
        Ok(status["endedAt"].is_u64())
    })?;
    network.run_status(run)
}

/// A line a member; what each was paid.
fn paid(network: &Network, over: &Value, say: &dyn Fn(&str)) -> Result<Value> {
    let mut all = Vec::new();
    let mut sum = 0;
    for member in over["members"].as_array().into_iter().flatten() {
        let name = network.name_of(member["operator"].as_str().context("no operator")?)?;
        let paid = planck(&member["paid"])?;
        sum += paid;
        let caught = match member["provenFalseIn"].as_u64() {
            Some(round) => format!(", proven false in round {round}"),
            None => String::new(),
        };
        say(&format!(
            "{name:>8}: {} rounds accepted, {} DOT{caught}",
            member["acceptedRounds"],
            dot(paid)
        ));
        all.push(
            json!({ "name": name, "accepted": member["acceptedRounds"], "paid": paid.to_string() }),
        );
    }
    ensure!(sum == planck(&over["paid"])?, "paid {sum}: {over}");
    Ok(json!(all))
}

/// Registers the checkpoint that the run made, has it calibrated and accepted, and a completion computed by it on `host`'s
/// machine.
fn serve(network: &mut Network, run: &str, host: &Operator, say: &dyn Fn(&str)) -> Result<Value> {
    let registered = network.call(&["train", "register", run, "--key", &host.key])?;
    let made = text(&registered, "checkpoint")?;
    for key in VALIDATORS.into_iter().chain([host.key.as_str()]) {
        network.call(&["operator", "serve", "--key", key, "--checkpoint", &made])?;
    }
    say(&format!("checkpoint {made} registered, with its lineage"));
    network.wait_until("it is calibrated", SECONDS(300), |network| {
        Ok(network.checkpoint(&made)?["status"] == "calibrated")
    })?;
    let accept = ["checkpoint", "accept", "--key", ROOT_KEY, "--checkpoint"];
    network.call(&[&accept[..], &[&made]].concat())?;
    say("validators fetched and calibrated it; accepted");
    network.pass_epochs(2)?;
    let options = ["--max-tokens", "32", "--seed", "3"];
    let report = network.job(&made, "Once upon a time", &options)?;
    ensure!(report["outcome"] == "settled", "{report}");
    println!(
        "\n    Once upon a time{}\n",
        report["text"].as_str().unwrap_or_default()
    );
    say(&format!(
        "job {} on it, computed by {}, settled for {} DOT",
        report["job"],
        network.name_of(report["executor"].as_str().unwrap_or("?"))?,
        dot(planck(&report["paid"])?)
    ));
    Ok(json!({ "checkpoint": made, "job": report }))
}
