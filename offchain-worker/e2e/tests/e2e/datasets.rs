//! Datasets that cannot be had. One that can is judged in [`crate::training`].

use crate::Market;
use anyhow::{ensure, Context, Result};
use chasqui_e2e::scenes::{self, planck, CLIENT_KEY, DOT, ROOT_KEY};
use serde_json::json;
use std::time::Duration;

pub fn one_that_nobody_serves(market: &mut Market) -> Result<()> {
    let network = &mut market.network;
    // GIVEN a dataset that lies on a machine without a worker, submitted by somebody without an operator
    let blobs = network.folder().join("nobodys-blobs");
    let dataset = network.build_dataset(&scenes::model("chasqui-tales")?, &blobs)?;
    let dave = network.workers[2].operator.clone();
    let bond = network.operator(&dave)?["bond"].clone();
    let submitted = network.call(&[
        "dataset",
        "submit",
        &dataset,
        "--licence",
        "CC0-1.0",
        "--description",
        "made-up tales that nobody serves",
        "--blob-dir",
        &blobs.display().to_string(),
        "--key",
        CLIENT_KEY,
    ])?;
    ensure!(submitted["operators"] == json!([]), "{submitted}");
    // WHEN validators have asked everybody for it THEN the try came to nothing, and cost nobody's bond
    network.wait_until("a try", Duration::from_secs(150), |network| {
        let shown = network.call(&["dataset", "show", &dataset])?;
        ensure!(shown["status"] == "undecided", "{shown}");
        Ok(shown["waitsFor"]["failedTries"] == 1)
    })?;
    ensure!(network.operator(&dave)?["bond"] == bond, "{bond}");
    // WHEN somebody else withdraws it THEN not; WHEN its submitter does THEN the deposit returns, less one fee
    let strangers = network.call(&["dataset", "withdraw", &dataset, "--key", ROOT_KEY]);
    let refused = strangers.err().context("a stranger withdrew it")?;
    ensure!(
        refused.to_string().contains("was submitted by"),
        "{refused}"
    );
    let withdrawn = network.call(&["dataset", "withdraw", &dataset, "--key", CLIENT_KEY])?;
    let expected = planck(&submitted["deposit"])?.checked_sub(DOT / 100);
    ensure!(
        Some(planck(&withdrawn["returned"])?) == expected,
        "{withdrawn}"
    );
    let gone = network.call(&["dataset", "show", &dataset]);
    let said = gone.err().context("it is still there")?.to_string();
    ensure!(said.contains("there is no dataset"), "{said}");
    Ok(())
}
