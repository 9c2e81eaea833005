//! Leaving: the bond stays while anything can still slash it.

use crate::Market;
use anyhow::{ensure, Result};
use chasqui_e2e::{scenes::planck, Operator};

pub fn bond_stays(market: &mut Market) -> Result<()> {
    let network = &market.network;
    // GIVEN a bonded operator
    let leaver = Operator::new("leaver", "//Alice//leaver", "compute");
    network.fund(&leaver.key, "2000")?;
    network.register(&leaver, &market.root, 10, "500")?;
    // WHEN it leaves and asks for its bond at once
    network.call(&["operator", "unbond", "--key", &leaver.key])?;
    let url = network.url();
    let (code, _, err) =
        network.worker_raw(&["operator", "withdraw", "--key", &leaver.key, "--node", &url])?;
    // THEN it is refused, the bond is still on hold, and leaving twice is refused as well
    ensure!(code != 0 && err.contains("Unbonding"), "{err}");
    let status = network.operator(&leaver)?;
    ensure!(planck(&status["bond"])? == 500 * 10_000_000_000, "{status}");
    let (code, _, err) =
        network.worker_raw(&["operator", "unbond", "--key", &leaver.key, "--node", &url])?;
    ensure!(code != 0, "left twice: {err}");
    Ok(())
}
