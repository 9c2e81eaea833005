//! What validators say that a checkpoint loses on held-out text, and what it was made from.

use crate::Market;
use anyhow::{ensure, Context, Result};
use chasqui_e2e::{
    scenes::{self, planck, CLIENT_KEY, DOT},
    Network,
};
use serde_json::{json, Value};

const VALIDATORS: [&str; 3] = ["//Dave", "//Eve", "//Ferdie"];
const TOKENS: &str = "300";

/// A usable dataset in the blob folder that validators share; another behaviour may have submitted it before.
fn usable_dataset(network: &Network) -> Result<String> {
    let blobs = network.blobs();
    let dataset = network.build_dataset(&scenes::model("chasqui-tales")?, &blobs)?;
    let shown = network.call(&["dataset", "show", &dataset]);
    if !shown.is_ok_and(|shown| shown["status"] == "usable") {
        let submitted = network.submit_dataset(&dataset, &blobs, CLIENT_KEY)?;
        ensure!(submitted["status"] == "usable", "{submitted}");
    }
    Ok(dataset)
}

fn refused(answer: Result<Value>, because: &str) -> Result<()> {
    let said = answer.err().context("it was not refused")?.to_string();
    ensure!(said.contains(because), "{because}: {said}");
    Ok(())
}

pub fn validators_attest(market: &mut Market) -> Result<()> {
    let (network, root) = (&market.network, market.root.as_str());
    // GIVEN a checkpoint that validators serve, and a dataset that they found usable
    let dataset = usable_dataset(network)?;
    let blobs = network.blobs().display().to_string();
    let evaluate = |key: &str, more: &[&str]| {
        let mut arguments = vec!["checkpoint", "evaluate", root, "--data", &dataset];
        arguments.extend(["--key", key, "--blob-dir", &blobs, "--tokens", TOKENS]);
        arguments.extend(more);
        network.call(&arguments)
    };
    // WHEN whoever is no validator attests what it loses THEN it is refused before anything is computed
    refused(evaluate(CLIENT_KEY, &[]), "neither an operator")?;
    let compute = network
        .workers
        .iter()
        .find(|worker| worker.operator.roles == "compute");
    let compute = compute.context("nobody computes")?.operator.key.clone();
    refused(evaluate(&compute, &[]), "role validate")?;
    // WHEN three validators do, one by one THEN they say the same, each for one deposit
    let mut first: Option<Value> = None;
    for key in VALIDATORS {
        let said = evaluate(key, &[])?;
        ensure!(
            said["tokens"] == 300 && said["replaced"].is_null(),
            "{said}"
        );
        ensure!(planck(&said["deposit"])? == DOT / 100, "{said}");
        let before = first.get_or_insert_with(|| said.clone());
        ensure!(before["lossMicro"] == said["lossMicro"], "{before} {said}");
    }
    let loss = first.context("nobody attested")?["lossMicro"].clone();
    let again = evaluate(VALIDATORS[0], &[])?;
    ensure!(again["replaced"] == loss, "{again}");
    let listed = network.call(&["checkpoint", "evaluations", root])?;
    let on = &listed["datasets"][0];
    ensure!(
        on["dataset"] == dataset.as_str() && on["validators"] == 3 && on["medianLossMicro"] == loss,
        "{listed}"
    );
    // AND the lineage tells it too: a checkpoint that was proposed as it is
    let lineage = network.call(&["checkpoint", "lineage", root])?;
    let step = &lineage["steps"][0];
    ensure!(
        step["kind"] == "base" && step["status"] == "accepted" && lineage["complete"] == true,
        "{lineage}"
    );
    ensure!(
        step["evaluations"][0]["medianLossMicro"] == loss,
        "{lineage}"
    );
    let unknown = format!("0x{}", "17".repeat(32));
    refused(
        network.call(&["checkpoint", "lineage", &unknown]),
        "is not registered",
    )?;
    // WHEN somebody with an empty blob folder compares it with a smaller one THEN the dataset comes from operators, and
    // what they attested is what comes out
    let fresh = network.folder().join("fresh-blobs").display().to_string();
    let of = |name: &str| Ok::<_, anyhow::Error>(scenes::model(name)?.display().to_string());
    let (large, small) = (of("chasqui-tales")?, of("chasqui-tales-small")?);
    let mut arguments = vec!["checkpoint", "compare", &large, &small, "--data", &dataset];
    arguments.extend(["--blob-dir", &fresh, "--tokens", TOKENS]);
    let compared = network.call(&arguments)?;
    ensure!(
        compared["a"]["lossMicro"] == loss && compared["better"] == "a",
        "{compared}"
    );
    // WHEN one takes back what it said THEN its deposit returns, once
    let withdrawn = evaluate(VALIDATORS[2], &["--withdraw"])?;
    ensure!(withdrawn["withdrawn"] == true, "{withdrawn}");
    refused(evaluate(VALIDATORS[2], &["--withdraw"]), "NoSuchEvaluation")?;
    let listed = network.call(&["checkpoint", "evaluations", root])?;
    ensure!(listed["datasets"][0]["validators"] == 2, "{listed}");
    // AND the fund shows its share, and that it owes nobody a grant
    let fund = network.call(&["fund", "status"])?;
    ensure!(
        fund["sharePercent"] == 20.0 && fund["grants"] == json!([]),
        "{fund}"
    );
    Ok(())
}
