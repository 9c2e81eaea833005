//! A relay chain of two validators orders and finalises what two collators make, through everything that happens to such
//! a network: paid work by operators at both, a collator and a validator that stop and come back, an upgrade of the
//! runtime while a job is open.
//!
//! `scripts/test collator` builds what it needs and runs it.

use anyhow::{ensure, Context, Result};
use chasqui_zombienet::{
    compressed, finalized_above, set_code, spec_version, start, storage_version, Patience,
    Programs, COLLATORS,
};
use std::time::{Duration, Instant};

/// The relay chain's epochs, onboarding and block times all pass before the first block is final.
const FIRST_BLOCKS: u64 = 420;
/// A market at six seconds a block: calibration, epochs, draws, audit.
const MARKET: Duration = Duration::from_secs(1_800);

#[tokio::test(flavor = "multi_thread")]
async fn collators_make_what_the_relay_chain_finalises() -> Result<()> {
    let began = Instant::now();
    let say = |what: &str| println!("[{:>6.1} s] {what}", began.elapsed().as_secs_f64());

    // GIVEN a relay chain and two collators
    let programs = Programs::find()?;
    let folder = tempfile::tempdir()?;
    let chain_spec = folder.path().join("collators.json");
    programs.export_chain_spec(&chain_spec).await?;
    let network = start(&programs, &chain_spec).await?;
    let collators = COLLATORS
        .iter()
        .map(|name| network.get_node(*name))
        .collect::<Result<Vec<_>, _>>()?;
    say("relay chain and collators started");

    // THEN what they make becomes final at both
    for collator in &collators {
        let number = finalized_above(collator, 2, Patience::seconds(FIRST_BLOCKS)).await?;
        say(&format!("{} knows final block {number}", collator.name()));
    }

    // AND operators at both do paid work
    let urls: Vec<&str> = collators.iter().map(|node| node.ws_uri()).collect();
    let demo = programs.demo(&urls, folder.path(), MARKET).await?;
    let job = &demo.report["honest"];
    ensure!(job["outcome"] == "settled", "{}", demo.report);
    say(&format!("a job was paid: {} DOT", job["paid"]));

    // WHEN a collator stops and comes back
    let other = collators[1];
    other.restart(Some(Duration::from_secs(12))).await?;
    let before = finalized_above(collators[0], 0, Patience::seconds(60)).await?;
    for collator in &collators {
        finalized_above(collator, before + 4, Patience::seconds(240)).await?;
    }
    say("a collator was stopped and came back");

    // AND a validator, which the other collator asks about the relay chain
    network
        .get_node("validator-one")?
        .restart(Some(Duration::from_secs(12)))
        .await?;
    let before = finalized_above(collators[0], 0, Patience::seconds(60)).await?;
    for collator in &collators {
        finalized_above(collator, before + 4, Patience::seconds(420)).await?;
    }
    say("a validator was stopped and came back");

    // WHEN the runtime is upgraded while a job is open
    let root = demo.report["checkpoint"].as_str().context("a checkpoint")?;
    let submitted = programs
        .worker(
            urls[1],
            &[
                "job",
                "submit",
                "--key",
                "//Alice//client",
                "--checkpoint",
                root,
                "--prompt",
                "The day after",
                "--max-tokens",
                "16",
            ],
        )
        .await?;
    let job = submitted["job"].as_u64().context("a job has a number")?;
    let code = compressed(&std::fs::read(&programs.next_runtime)?)?;
    let version = set_code(collators[0], &code, Patience::seconds(420)).await?;
    say(&format!("the runtime is version {version}"));

    // THEN its migration has run, both collators go on, and the job is paid
    ensure!(storage_version(collators[0], "Pacing").await? == 1);
    let before = finalized_above(collators[0], 0, Patience::seconds(60)).await?;
    for collator in &collators {
        finalized_above(collator, before + 4, Patience::seconds(240)).await?;
        ensure!(
            spec_version(collator).await? == version,
            "{}",
            collator.name()
        );
    }
    let closed = programs
        .worker(
            urls[0],
            &["job", "watch", &job.to_string(), "--timeout", "900"],
        )
        .await?;
    ensure!(closed["outcome"] == "settled", "{closed}");
    say(&format!(
        "the job that was open is settled: {} DOT",
        closed["paid"]
    ));

    demo.stop().await?;
    network.destroy().await?;
    Ok(())
}
