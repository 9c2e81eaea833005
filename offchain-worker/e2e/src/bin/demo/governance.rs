//! Those who contribute decide: a price vote, a model accepted by referendum and then served, a parameter changed, a grant
//! paid, and a proposal that fails.

use anyhow::{ensure, Context, Result};
use chasqui_e2e::{
    scenes::{self, dot, planck, CLIENT_KEY, ROOT_KEY},
    Network,
};
use serde_json::{json, Value};
use std::time::Duration;

/// What operators want a unit to cost: 5% more than at first.
const PRICE: &str = "0.000105";
const PRICE_PLANCK: u128 = 1_050_000;
/// What is granted: less than the fund's part of the jobs, given beside it.
const GRANT: &str = "0.5";

/// Plays it; what happened, as JSON.
pub fn play(network: &mut Network, say: &dyn Fn(&str)) -> Result<Value> {
    let operators = scenes::honest_operators();
    let root = network.open_market(&operators, &mut |line| say(line))?;

    say("--- act one: work, and what it weighs");
    for seed in ["1", "2", "3"] {
        let report = network.job(
            &root,
            "Once upon a time",
            &["--max-tokens", "32", "--seed", seed],
        )?;
        ensure!(report["outcome"] == "settled", "{report}");
    }
    network.await_census()?;
    let first = network.propose(&["price-bounds", "--lowest", "0.00001", "--highest", "0.01"])?;
    let mut weights = Vec::new();
    for operator in &operators {
        let address = network.address(&operator.key)?;
        let shown = network.call(&["gov", "show", &first.to_string(), "--operator", &address])?;
        let weight = shown["weight"].as_u64().context("no weight")?;
        say(&format!("{:>8} weighs {weight}", operator.name));
        weights.push(json!({ "operator": operator.name, "weight": weight }));
    }

    say("--- act two: a parameter");
    let voted = network.vote(first, &operators, true)?;
    say(&format!(
        "referendum {first}: bounds of the price; {voted} vote for it"
    ));
    let outcome = network.await_poll(first)?;
    ensure!(outcome == "approved", "referendum {first} is {outcome}");
    say(&format!("referendum {first} approved, and in force"));

    say("--- act three: the price");
    let before = network.unit_price()?;
    network.vote_price(&operators, PRICE, PRICE_PLANCK)?;
    say(&format!(
        "a unit of compute cost {} DOT, and costs {} by the votes of all operators",
        dot(before),
        dot(PRICE_PLANCK)
    ));

    say("--- act four: a model");
    let model = accept_another_model(network, &operators, say)?;

    say("--- act five: a grant");
    let fund = text_of(network, &["fund", "status"], "account")?;
    network.send("//Alice", &fund, "1")?;
    let client = network.address(CLIENT_KEY)?;
    let had = network.balance(&client)?.0;
    let polls = network.grant_to_client(GRANT, &operators)?;
    network.wait_until("the grant is paid", Duration::from_secs(60), |network| {
        Ok(network.balance(&client)?.0 > had)
    })?;
    let has = network.balance(&client)?.0;
    say(&format!(
        "{GRANT} DOT granted by referendum {}, proven, approved by referendum {}: the client has {} DOT more, after the fee of its proof",
        polls[0],
        polls[1],
        dot(has - had)
    ));

    say("--- act six: what most are against");
    let poll = network.propose(&["retire-checkpoint", &root])?;
    network.vote(poll, &operators, false)?;
    say(&format!(
        "referendum {poll}: to retire the first model; everybody votes against it"
    ));
    let outcome = network.await_poll(poll)?;
    ensure!(outcome == "rejected", "referendum {poll} is {outcome}");
    ensure!(
        network.checkpoint(&root)?["status"] == "accepted",
        "the model is gone all the same"
    );
    say(&format!("referendum {poll} rejected; the model stays"));

    Ok(json!({
        "checkpoint": root,
        "weights": weights,
        "parameter": { "poll": first },
        "price": { "before": before.to_string(), "after": PRICE_PLANCK.to_string() },
        "model": model,
        "grant": { "polls": polls, "gained": (has - had).to_string() },
        "rejected": { "poll": poll },
        "polls": network.call(&["gov", "list"])?,
    }))
}

fn text_of(network: &Network, command: &[&str], field: &str) -> Result<String> {
    scenes::text(&network.call(command)?, field)
}

/// Proposes the small model, has it calibrated, accepted by referendum, and a completion computed by it.
fn accept_another_model(
    network: &mut Network,
    operators: &[chasqui_e2e::Operator],
    say: &dyn Fn(&str),
) -> Result<Value> {
    let blobs = network.blobs().display().to_string();
    let folder = scenes::model("chasqui-tales-small")?;
    let proposed = network.call(&[
        "checkpoint",
        "register",
        "--key",
        ROOT_KEY,
        "--model",
        &folder.display().to_string(),
        "--blob-dir",
        &blobs,
    ])?;
    let root = scenes::text(&proposed, "checkpoint")?;
    for operator in operators {
        network.call(&[
            "operator",
            "serve",
            "--key",
            &operator.key,
            "--checkpoint",
            &root,
        ])?;
    }
    network.wait_until(
        "the small model is calibrated",
        Duration::from_secs(300),
        |network| Ok(network.checkpoint(&root)?["status"] == "calibrated"),
    )?;
    say("a smaller model is registered and calibrated; operators serve it unpaid");
    let poll = network.decide(&["accept-checkpoint", &root], operators)?;
    network.wait_until("it is accepted", Duration::from_secs(60), |network| {
        Ok(network.checkpoint(&root)?["status"] == "accepted")
    })?;
    say(&format!("referendum {poll} accepted it"));
    // Its weights are frozen with the next epoch.
    network.pass_epochs(2)?;
    let report = network.job(
        &root,
        "Once upon a time",
        &["--max-tokens", "24", "--seed", "5"],
    )?;
    ensure!(report["outcome"] == "settled", "{report}");
    println!(
        "\n    Once upon a time{}\n",
        report["text"].as_str().unwrap_or_default()
    );
    say(&format!(
        "job {} on it settled for {} DOT",
        report["job"],
        dot(planck(&report["paid"])?)
    ));
    Ok(json!({ "checkpoint": root, "poll": poll, "job": report }))
}
