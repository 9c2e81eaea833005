//! Prompts that are not on chain: in a blob folder that executors and auditors share with the client.

use crate::Market;
use anyhow::{ensure, Context, Result};
use chasqui_e2e::scenes::{self, check_payouts, fees, payouts, planck, CLIENT_KEY};
use serde_json::Value;
use std::path::PathBuf;

/// What a job costs whose prompt is missing, in planck.
const BASE_FEE: u128 = 10_000_000;
/// Longest text that fits on chain, in bytes.
const MAX_INLINE_PROMPT_BYTES: usize = 8_192;
const SAMPLING: [&str; 6] = ["--max-tokens", "12", "--temperature", "0.9", "--seed", "5"];
const TEXT: &str = "The runner took the letter over the old bridge and";

fn prompt_file(market: &Market, text: &str) -> Result<String> {
    let path = market.network.folder().join("prompt.txt");
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(path.display().to_string())
}

/// Where a blob's bytes lie in a blob folder.
fn blob_file(folder: PathBuf, report: &Value) -> Result<PathBuf> {
    let root = report["promptBlob"].as_str().context("no prompt blob")?;
    Ok(folder.join(format!("{}.blob", root.trim_start_matches("0x"))))
}

pub fn is_paid(market: &mut Market) -> Result<()> {
    let network = &market.network;
    let client = network.address(CLIENT_KEY)?;
    let before = network.balance(&client)?;
    // GIVEN a prompt in a file WHEN it is sent as a blob
    let file = prompt_file(market, TEXT)?;
    let arguments = ["--prompt-file", &file, "--as-blob", "--premium"];
    let report = network.job_with(&market.root, &[&arguments[..], &SAMPLING].concat())?;
    // THEN the executor finds it, three auditors replay the answer, and the money goes where it should
    ensure!(
        report["outcome"] == "settled" && report["audited"] == true,
        "{} {}",
        report["outcome"],
        report["explanation"]
    );
    check_payouts(&payouts(&report)?, 3)?;
    let after = network.balance(&client)?;
    ensure!(after.1 == before.1, "something stayed on hold");
    ensure!(
        blob_file(network.blobs(), &report)?.is_file(),
        "no blob: {report}"
    );
    // AND the escrow counted tokens: what was returned is only what the answer fell short of
    let (escrow, paid) = (planck(&report["escrow"])?, planck(&report["paid"])?);
    if report["outputTokens"] == 12 {
        ensure!(escrow == paid, "escrow {escrow}, paid {paid}");
    }
    // AND the same prompt on chain has the same answer
    let inline = network.job_with(&market.root, &[&["--prompt", TEXT][..], &SAMPLING].concat())?;
    ensure!(inline["promptBlob"].is_null(), "{}", inline["promptBlob"]);
    ensure!(report["text"].is_string(), "no text: {report}");
    for field in ["promptTokens", "outputIds", "text"] {
        ensure!(
            report[field] == inline[field],
            "{field}: {} and {}",
            report[field],
            inline[field]
        );
    }
    Ok(())
}

pub fn unreachable(market: &mut Market) -> Result<()> {
    // GIVEN a client whose blob folder nobody shares
    let network = &market.network;
    let client = network.address(CLIENT_KEY)?;
    let before = network.balance(&client)?;
    let alone = network.folder().join("alone").display().to_string();
    let model = scenes::model("chasqui-tales")?.display().to_string();
    let url = network.url();
    // WHEN it sends a prompt as a blob that nobody else happens to have
    let (code, out, err) = network.worker_raw(&[
        "job",
        "submit",
        "--key",
        CLIENT_KEY,
        "--checkpoint",
        &market.root,
        "--prompt",
        "The widow opened the door and",
        "--as-blob",
        "--blob-dir",
        &alone,
        "--model",
        &model,
        "--wait",
        "--timeout",
        "150",
        "--node",
        &url,
        "--json",
    ])?;
    // THEN the executor refuses, the job expires, and the client hears why and what to do
    let report: Value = serde_json::from_str(out.trim()).with_context(|| format!("{err}{out}"))?;
    ensure!(code == 1, "status {code}: {report}");
    ensure!(
        report["outcome"] == "expired" && report["reason"] == "PromptMissing",
        "{report}"
    );
    let error = report["error"].as_str().context("no error")?;
    ensure!(error.contains("blob folder"), "{error}");
    // AND pays the base fee and no more
    let after = network.balance(&client)?;
    ensure!(after.1 == before.1, "something stayed on hold");
    let paid = planck(&report["paid"])?;
    ensure!(
        paid == BASE_FEE && planck(&report["escrow"])? - paid == planck(&report["returned"])?,
        "paid {paid} of {}, got back {}",
        report["escrow"],
        report["returned"]
    );
    let fee = fees(&report, &network.public_key(CLIENT_KEY)?)?;
    ensure!(
        before.0 - after.0 == paid + fee,
        "{before:?} -> {after:?}: paid {paid}, fee {fee}"
    );
    Ok(())
}

pub fn too_long(market: &mut Market) -> Result<()> {
    // GIVEN a prompt that neither fits on chain nor into the model's context
    let network = &market.network;
    let file = prompt_file(market, &"word ".repeat(MAX_INLINE_PROMPT_BYTES / 5 + 1))?;
    let blobs = network.blobs();
    let count = || Ok::<_, anyhow::Error>(std::fs::read_dir(&blobs)?.count());
    let before = count()?;
    // WHEN it is sent THEN it becomes a blob by itself, and is refused before anything is stored or paid
    let url = network.url();
    let folder = blobs.display().to_string();
    let (code, out, err) = network.worker_raw(&[
        "job",
        "submit",
        "--key",
        CLIENT_KEY,
        "--checkpoint",
        &market.root,
        "--prompt-file",
        &file,
        "--blob-dir",
        &folder,
        "--node",
        &url,
        "--json",
    ])?;
    ensure!(code == 1, "was accepted: {out}");
    ensure!(err.contains("512") && err.contains("--max-tokens"), "{err}");
    ensure!(count()? == before, "a refused prompt was stored");
    Ok(())
}
