//! Operators train a model together: three members on machines of their own, three validators that replay their work, on a
//! dataset that those validators judged before.

use crate::{false_alarm::worker_of, Market};
use anyhow::{ensure, Context, Result};
use chasqui_e2e::{
    interrupt,
    scenes::{self, planck, text, DOT},
    training::{members, terms, ROUND_PAY},
    Network,
};
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

/// Longest that a run may take with all its crashes.
const LIMIT: Duration = Duration::from_secs(900);

/// Rounds of the run; of the one that sees every crash.
const ROUNDS: [u32; 2] = [2, 5];
const PHASES: [&str; 5] = ["train", "exchange", "attest", "audit", "agree"];

/// Who is killed, with `kill -9`, and started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Member,
    Validator,
    Node,
}

/// All of it with `CHASQUI_CRASH_MATRIX=full`.
fn is_full() -> bool {
    std::env::var("CHASQUI_CRASH_MATRIX").is_ok_and(|value| value == "full")
}

/// Each phase and each victim; a sample of both unless the whole matrix is asked for.
fn crashes() -> Vec<(&'static str, Victim)> {
    use Victim::{Member, Node, Validator};
    match is_full() {
        true => PHASES
            .iter()
            .flat_map(|phase| [Member, Validator, Node].map(|victim| (*phase, victim)))
            .collect(),
        false => vec![
            ("train", Member),
            ("attest", Node),
            ("audit", Validator),
            ("agree", Member),
        ],
    }
}

/// Follows a run to its end and kills whoever is to be killed in a phase when it comes; what is left then, because its phase
/// went by between two looks. One phase of a round sees one crash.
fn kill_at(
    network: &mut Network,
    run: &str,
    mut crashes: Vec<(&'static str, Victim)>,
    member: usize,
    validators: &[usize],
) -> Result<Vec<(&'static str, Victim)>> {
    let started = Instant::now();
    let mut seen = HashSet::new();
    loop {
        ensure!(started.elapsed() < LIMIT, "the run did not end: {run}");
        let status = network.call(&["train", "status", run, "--blocks", "1"])?;
        if status["endedAt"].is_u64() {
            return Ok(crashes);
        }
        let phase = text(&status, "phase")?;
        let found = crashes.iter().position(|(when, _)| *when == phase);
        let round = status["round"].as_u64();
        if let Some(found) = found.filter(|_| !seen.contains(&(round, phase.clone()))) {
            let (when, victim) = crashes.remove(found);
            eprintln!("training: {victim:?} is killed in {when} of round {round:?}");
            match victim {
                Victim::Node => network.restart_node()?,
                Victim::Member => {
                    network.kill_worker(member);
                    network.restart_worker(member, None)?;
                }
                Victim::Validator => {
                    let index = validators[crashes.len() % validators.len()];
                    network.kill_worker(index);
                    network.restart_worker(index, None)?;
                }
            }
            seen.insert((round, phase));
        }
        interrupt::pause(Duration::from_millis(300))?;
    }
}

pub fn a_run_is_trained_and_paid(market: &mut Market) -> Result<()> {
    let rounds = ROUNDS[usize::from(is_full())];
    let validators = ["dave", "eve", "ferdie"]
        .iter()
        .map(|name| worker_of(market, name))
        .collect::<Result<Vec<_>>>()?;
    let network = &mut market.network;
    let members = members();
    // GIVEN a dataset and a base on one operator's machine
    let first = &members[0];
    let blobs = network.blobs_of(first);
    let model = scenes::model("chasqui-tales")?;
    let dataset = network.build_dataset(&model, &blobs)?;
    let imported = network.worker(&[
        "model",
        "import",
        &model.display().to_string(),
        "--blob-dir",
        &blobs.display().to_string(),
        "--json",
    ])?;
    ensure!(imported["root"] == market.root.as_str(), "{imported}");
    let unusable = network.create_run(&terms(&market.root, &dataset, rounds));
    ensure!(unusable.is_err(), "a run began on data that nobody judged");
    let mut workers = vec![network.start_host(first)?];
    // WHEN it submits the dataset THEN validators, who have nothing of it, ask its worker, and find it usable
    let submitted = network.submit_dataset(&dataset, &blobs, &first.key)?;
    ensure!(submitted["status"] == "usable", "{submitted}");
    let shown = network.call(&["dataset", "show", &dataset])?;
    let fee = DOT / 100;
    let left = planck(&submitted["deposit"])?.saturating_sub(fee);
    ensure!(
        shown["status"] == "usable" && planck(&shown["deposit"])? == left,
        "{shown}"
    );
    let again = network.submit_dataset(&dataset, &blobs, &first.key);
    let refused = again.err().context("it was submitted twice")?.to_string();
    ensure!(refused.contains("AlreadySubmitted"), "{refused}");

    // GIVEN money in the fund, and validators that judge runs
    network.fill_fund("500")?;
    let created = network.create_run(&terms(&market.root, &dataset, rounds))?;
    let withdrawn = network.call(&["dataset", "withdraw", &dataset, "--key", &first.key]);
    let refused = withdrawn
        .err()
        .context("it was withdrawn from a run")?
        .to_string();
    ensure!(refused.contains("InUse"), "{refused}");
    let run = created["run"].to_string();
    let root = text(&created, "root")?;
    for validator in ["//Dave", "//Eve", "//Ferdie"] {
        network.call(&[
            "operator",
            "serve",
            "--key",
            validator,
            "--checkpoint",
            &root,
        ])?;
    }
    // Drawn from the next epoch but one on.
    let block = network.block()?;
    network.wait_for_block(block + 22, Duration::from_secs(90))?;

    // WHEN three operators take part, of whom one joins by itself, and members, validators and the node are killed
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            workers.push(network.start_member(member, &root)?);
        }
        if member.settings.is_empty() {
            network.join_run(member, &run)?;
        }
    }
    let crashes = crashes();
    let left = kill_at(network, &run, crashes.clone(), workers[1], &validators)?;
    ensure!(
        crashes.len() - left.len() >= 3,
        "phases went by unseen: {left:?} of {crashes:?}"
    );
    let over = network.run_over(&run, Duration::from_secs(60))?;

    // THEN every round is final, and each member was paid its third of each
    ensure!(
        over["phase"] == "finished" && over["finalRounds"] == rounds,
        "{over}"
    );
    let each = ROUND_PAY * DOT / 3 * u128::from(rounds);
    let paid = planck(&over["paid"])?;
    ensure!(
        paid == each * 3,
        "paid {paid}, each should have had {each}: {over}"
    );
    let history = over["history"].as_array().context("no history")?;
    let losses: Vec<f64> = history
        .iter()
        .filter_map(|round| round["loss"].as_f64())
        .collect();
    ensure!(losses.len() == rounds as usize, "{over}");
    // AND what they made can be drawn, registered, and fetched from them
    let picture = network.folder().join("loss.svg").display().to_string();
    let drawn = network.call(&["train", "plot", &run, "--out", &picture])?;
    ensure!(
        drawn["rounds"].as_array().map(Vec::len) == Some(rounds as usize),
        "{drawn}"
    );
    let registered = network.call(&["train", "register", &run, "--key", &first.key])?;
    let made = text(&registered, "checkpoint")?;
    ensure!(
        network.checkpoint(&made)?["status"] != "accepted",
        "{registered}"
    );
    let again = network.call(&["train", "register", &run, "--key", &first.key]);
    let refused = again.err().context("it was registered twice")?.to_string();
    ensure!(refused.contains("AlreadyRegistered"), "{refused}");
    for index in workers {
        network.kill_worker(index);
    }
    Ok(())
}
