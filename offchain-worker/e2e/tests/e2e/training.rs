//! Operators train a model together: three members on machines of their own, three validators that replay their work, on a
//! dataset that those validators judged before.

use crate::Market;
use anyhow::{ensure, Context, Result};
use chasqui_e2e::{
    scenes::{self, planck, text, DOT},
    training::{members, terms, ROUND_PAY},
};
use std::time::Duration;

const ROUNDS: u32 = 2;

pub fn a_run_is_trained_and_paid(market: &mut Market) -> Result<()> {
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
    let unusable = network.create_run(&terms(&market.root, &dataset, ROUNDS));
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
    let created = network.create_run(&terms(&market.root, &dataset, ROUNDS))?;
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

    // WHEN three operators take part, of whom one joins by itself and one is killed in the middle
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            workers.push(network.start_member(member, &root)?);
        }
        if member.settings.is_empty() {
            network.join_run(member, &run)?;
        }
    }
    network.wait_until("a round is trained", Duration::from_secs(240), |network| {
        let status = network.run_status(&run)?;
        Ok(status["phase"] == "train" || status["round"].as_u64() > Some(0))
    })?;
    network.kill_worker(workers[1]);
    network.restart_worker(workers[1], None)?;
    let over = network.run_over(&run, Duration::from_secs(420))?;

    // THEN every round is final, and each member was paid its third of each
    ensure!(
        over["phase"] == "finished" && over["finalRounds"] == ROUNDS,
        "{over}"
    );
    let each = ROUND_PAY * DOT / 3 * u128::from(ROUNDS);
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
    ensure!(losses.len() == ROUNDS as usize, "{over}");
    // AND what they made can be drawn, registered, and fetched from them
    let picture = network.folder().join("loss.svg").display().to_string();
    let drawn = network.call(&["train", "plot", &run, "--out", &picture])?;
    ensure!(
        drawn["rounds"].as_array().map(Vec::len) == Some(ROUNDS as usize),
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
