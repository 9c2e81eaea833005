//! `kill -9`, at the worst moments: after a restart the job and the case still end right.

use crate::{false_alarm::worker_of, Market};
use anyhow::{bail, ensure, Context, Result};
use chasqui_e2e::{interrupt, scenes::events};
use std::time::{Duration, Instant};

/// Waits until one of the workers has ended by itself (its test fault), and says which.
fn wait_for_crash(market: &mut Market, names: &[&str]) -> Result<usize> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(90) {
        for name in names {
            let index = worker_of(market, name)?;
            if market.network.workers[index].process.ended().is_some() {
                return Ok(index);
            }
        }
        interrupt::pause(Duration::from_millis(100))?;
    }
    bail!("none of {names:?} crashed")
}

pub fn before_commitment(market: &mut Market) -> Result<()> {
    // GIVEN compute workers that die between computing and committing
    let names = ["bob", "charlie"];
    for name in names {
        let index = worker_of(market, name)?;
        market
            .network
            .restart_worker(index, Some(&["--test-fault", "crash-before-commit"]))?;
    }
    // WHEN a job is drawn for one of them, and it is started again
    let job = market
        .network
        .submit(&market.root, "The storm", &["--max-tokens", "8"])?;
    let crashed = wait_for_crash(market, &names)?;
    market.network.restart_worker(crashed, Some(&[]))?;
    // THEN it computes the job again, commits in time, and is paid: nobody else was drawn
    let report = market.network.watch(job, 120)?;
    ensure!(
        report["outcome"] == "settled",
        "{} {}",
        report["outcome"],
        report["reason"]
    );
    ensure!(
        events(&report, "Jobs", "DeadlineMissed").is_empty(),
        "a deadline was missed"
    );
    for name in names {
        let index = worker_of(market, name)?;
        market.network.restart_worker(index, Some(&[]))?;
    }
    Ok(())
}

pub fn before_reveal(market: &mut Market) -> Result<()> {
    // GIVEN an auditor that dies between its commitment and its reveal
    let index = worker_of(market, "eve")?;
    market
        .network
        .restart_worker(index, Some(&["--test-fault", "crash-before-reveal"]))?;
    // WHEN a case is opened, and it is started again
    let job = market.network.submit(
        &market.root,
        "The harvest",
        &["--max-tokens", "8", "--premium"],
    )?;
    let crashed = wait_for_crash(market, &["eve"])?;
    ensure!(crashed == index, "another worker crashed");
    market.network.restart_worker(index, Some(&[]))?;
    // THEN it reveals what it had committed to, and the panel closes the case without a redraw
    let report = market.network.watch(job, 120)?;
    ensure!(
        report["outcome"] == "settled",
        "{} {}",
        report["outcome"],
        report["reason"]
    );
    ensure!(
        events(&report, "Audits", "SeatsDismissed").is_empty(),
        "a seat was dismissed"
    );
    Ok(())
}

pub fn node(market: &mut Market) -> Result<()> {
    // GIVEN a job on its way
    let job = market.network.submit(
        &market.root,
        "The lake",
        &["--max-tokens", "8", "--premium"],
    )?;
    // WHEN the node is killed and started again on the same data
    market.network.restart_node()?;
    // THEN it goes on making blocks, the workers find it again, and the job ends
    let report = market.network.watch(job, 150)?;
    ensure!(
        report["outcome"] == "settled",
        "{} {}",
        report["outcome"],
        report["reason"]
    );
    Ok(())
}

/// Who is killed.
const VICTIMS: [&[&str]; 3] = [&["bob", "charlie"], &["dave", "eve", "ferdie"], &[]];
/// Seconds after the submission: before the draw, while computing, during the audit, around the settlement.
const MOMENTS: [u64; 4] = [1, 4, 8, 12];
/// Cases that are played unless `CHASQUI_CRASH_MATRIX=full`.
const SAMPLE: usize = 2;

/// `kill -9` of the executors, of all auditors, or of the node (an empty list), at four moments of a job's life. All
/// twelve take minutes: a sample is drawn by a seed that is printed, and that `CHASQUI_CRASH_SEED` repeats.
pub fn matrix(market: &mut Market) -> Result<()> {
    let full = std::env::var("CHASQUI_CRASH_MATRIX").is_ok_and(|value| value == "full");
    let seed = match std::env::var("CHASQUI_CRASH_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => std::time::UNIX_EPOCH.elapsed()?.as_secs(),
    };
    let mut cases: Vec<(usize, u64)> = (0..VICTIMS.len())
        .flat_map(|victim| MOMENTS.map(|moment| (victim, moment)))
        .collect();
    if !full {
        eprintln!("crash matrix: CHASQUI_CRASH_SEED={seed}");
        // A step that has no divisor in common with the number of cases visits different ones.
        let (start, step) = (seed as usize, 5);
        cases = (0..SAMPLE)
            .map(|i| cases[(start + i * step) % cases.len()])
            .collect();
    }
    for (victim, moment) in cases {
        let who = VICTIMS[victim];
        kill_at(market, who, moment)
            .with_context(|| format!("killed {who:?} after {moment} s (seed {seed})"))?;
    }
    Ok(())
}

fn kill_at(market: &mut Market, who: &[&str], moment: u64) -> Result<()> {
    // GIVEN a job that is audited in any case
    let job = market.network.submit(
        &market.root,
        "The road",
        &["--max-tokens", "16", "--premium"],
    )?;
    interrupt::pause(Duration::from_secs(moment))?;
    // WHEN they are killed, and started again
    if who.is_empty() {
        market.network.restart_node()?;
    }
    for name in who {
        let index = worker_of(market, name)?;
        market.network.kill_worker(index);
    }
    for name in who {
        let index = worker_of(market, name)?;
        market.network.restart_worker(index, Some(&[]))?;
    }
    // THEN the job ends as if nothing had happened
    let report = market.network.watch(job, 200)?;
    ensure!(
        report["outcome"] == "settled",
        "{} {}",
        report["outcome"],
        report["reason"]
    );
    Ok(())
}
