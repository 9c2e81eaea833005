//! Bad input: a clear error, and nothing is lost.

use crate::Market;
use anyhow::{ensure, Context, Result};
use chasqui_e2e::{scenes::CLIENT_KEY, Network};

/// Runs `job submit` with arguments that must be refused with `expected` in the error, and checks that the client holds
/// what it held, but for the fee of a transaction that was included and failed.
fn refused(network: &Network, root: &str, extra: &[&str], expected: &str) -> Result<()> {
    let client = network.address(CLIENT_KEY)?;
    let before = network.balance(&client)?;
    let url = network.url();
    let mut arguments = vec![
        "job",
        "submit",
        "--key",
        CLIENT_KEY,
        "--checkpoint",
        root,
        "--node",
        &url,
        "--json",
    ];
    arguments.extend(extra);
    let (code, out, err) = network.worker_raw(&arguments)?;
    ensure!(code != 0, "was accepted: {out}");
    ensure!(
        err.contains(expected),
        "the error does not say '{expected}': {err}"
    );
    let object: serde_json::Value = serde_json::from_str(out.trim())?;
    ensure!(object["error"].is_string(), "{out}");
    let after = network.balance(&client)?;
    ensure!(after.1 == before.1, "something is on hold");
    ensure!(
        before.0 - after.0 < 1_000_000_000,
        "lost {} planck",
        before.0 - after.0
    );
    Ok(())
}

pub fn unknown_checkpoint(market: &mut Market) -> Result<()> {
    let nobody = format!("0x{}", "11".repeat(32));
    refused(
        &market.network,
        &nobody,
        &["--prompt", "Hello"],
        "UnknownCheckpoint",
    )?;
    refused(
        &market.network,
        "0x1234",
        &["--prompt", "Hello"],
        "32 bytes",
    )
}

pub fn token_limits(market: &mut Market) -> Result<()> {
    let (network, root) = (&market.network, &market.root);
    refused(
        network,
        root,
        &["--prompt", "Hello", "--max-tokens", "0"],
        "at least 1",
    )?;
    refused(
        network,
        root,
        &["--prompt", "Hello", "--max-tokens", "100000"],
        "TooLarge",
    )?;
    refused(
        network,
        root,
        &["--prompt", "Hello", "--max-tokens", "600"],
        "ContextExceeded",
    )?;
    refused(network, root, &["--ids", "0,999999"], "OutOfVocabulary")?;
    refused(network, root, &["--prompt", ""], "PromptEmpty")
}

pub fn price_below_cost(market: &mut Market) -> Result<()> {
    let arguments = ["--prompt", "Hello", "--max-price", "0.0000001"];
    refused(&market.network, &market.root, &arguments, "PriceAboveMax")
}

pub fn oversized_prompt(market: &mut Market) -> Result<()> {
    let (network, root) = (&market.network, &market.root);
    let blobs = network.blobs().display().to_string();
    let long = "word ".repeat(1_700);
    // GIVEN prompts that fit on chain, but not into the model's context WHEN they are sent THEN the chain refuses them
    refused(
        network,
        root,
        &["--prompt", &long[..8_000]],
        "ContextExceeded",
    )?;
    let ids = "7,".repeat(600);
    refused(network, root, &["--ids", &ids], "ContextExceeded")?;
    // AND those that would have to go as a blob are refused before anything is stored
    let arguments = ["--prompt", &long, "--blob-dir", &blobs];
    refused(network, root, &arguments, "context holds 512")?;
    let ids = "7,".repeat(2_049);
    refused(
        network,
        root,
        &["--ids", &ids, "--blob-dir", &blobs],
        "2049 tokens",
    )?;
    let ids = "1279,1280";
    let arguments = ["--ids", ids, "--as-blob", "--blob-dir", &blobs];
    refused(network, root, &arguments, "vocabulary has 1280")
}

pub fn no_funds(market: &mut Market) -> Result<()> {
    // GIVEN a key that nobody sent anything to WHEN it submits THEN it hears so
    let network = &market.network;
    let (code, _, err) = network.worker_raw(&[
        "job",
        "submit",
        "--key",
        "//Nobody//knows",
        "--checkpoint",
        &market.root,
        "--prompt",
        "Hello",
        "--node",
        &network.url(),
        "--json",
    ])?;
    ensure!(code != 0 && err.contains("not accepted"), "{err}");
    // AND which account it is, and what to do
    let address = network.address("//Nobody//knows")?;
    let remedy = format!("account transfer --to {address}");
    ensure!(err.contains(&remedy), "{err}");
    Ok(())
}

pub fn forged_receipt(market: &mut Market) -> Result<()> {
    // GIVEN the receipt of a settled job
    let path = market.network.folder().join("forged.json");
    let file = path.display().to_string();
    let report = market.network.job(
        &market.root,
        "A letter",
        &["--max-tokens", "4", "--receipt", &file],
    )?;
    ensure!(report["outcome"] == "settled", "{report}");
    // WHEN its price is changed THEN it no longer verifies, and the error names the field
    let mut receipt: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
    let price = receipt["price"].as_str().context("no price")?.to_string();
    receipt["price"] = serde_json::json!(format!("{price}0"));
    std::fs::write(&path, receipt.to_string())?;
    let (code, out, err) = market
        .network
        .worker_raw(&["receipt", "verify", &file, "--json"])?;
    ensure!(code != 0 && err.contains("price"), "{err}");
    let found: serde_json::Value = serde_json::from_str(out.trim())?;
    ensure!(
        found["valid"] == false && found["reason"].is_string(),
        "{found}"
    );
    Ok(())
}
