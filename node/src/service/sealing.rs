//! When a node without a relay chain makes a block.

use super::{
    common::{Client, Pool, SelectChain},
    inherents::RelayChainless,
    seal::AuraSeal,
};
use chasqui_runtime::OpaqueBlock as Block;
use futures::{channel::oneshot, FutureExt, StreamExt};
use sc_basic_authorship::ProposerFactory;
use sc_consensus_manual_seal::{seal_block, SealBlockParams};
use sc_transaction_pool_api::TransactionPool;
use std::{fmt, str::FromStr, sync::Arc, time::Duration};
use tokio::time::{interval, sleep_until, Instant, MissedTickBehavior};

const LOG_TARGET: &str = "author";

/// Least distance between blocks: a slot of six seconds carries six of them.
const LEAST_DISTANCE: Duration = Duration::from_millis(1_000);

/// When to make a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Every so often, whether there are transactions or not.
    Interval(Duration),
    /// Whenever there are transactions.
    Instant,
}

impl Default for Sealing {
    fn default() -> Self {
        Sealing::Interval(LEAST_DISTANCE)
    }
}

impl fmt::Display for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sealing::Interval(distance) => write!(f, "interval:{}", distance.as_millis()),
            Sealing::Instant => f.write_str("instant"),
        }
    }
}

impl FromStr for Sealing {
    type Err = String;

    fn from_str(mode: &str) -> Result<Self, String> {
        if mode == "instant" {
            return Ok(Sealing::Instant);
        }
        let millis = mode
            .strip_prefix("interval:")
            .and_then(|millis| millis.parse().ok())
            .ok_or_else(|| format!("'{mode}' is neither 'instant' nor 'interval:MS'"))?;
        let distance = Duration::from_millis(millis);
        if distance < LEAST_DISTANCE {
            return Err(format!(
                "blocks are at least {} ms apart",
                LEAST_DISTANCE.as_millis()
            ));
        }
        Ok(Sealing::Interval(distance))
    }
}

/// What it takes to make blocks.
pub struct Author {
    pub sealing: Sealing,
    pub client: Arc<Client>,
    pub pool: Arc<Pool>,
    pub select_chain: SelectChain,
    pub proposer: ProposerFactory<Pool, Client>,
    pub seal: AuraSeal,
    pub inherents: RelayChainless,
}

/// Makes blocks for as long as the node runs.
pub async fn run(mut author: Author) {
    match author.sealing {
        Sealing::Interval(distance) => {
            let mut ticks = interval(distance);
            // A tick that comes while a block is still being made is not made up for.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                author.make_block().await;
            }
        }
        Sealing::Instant => {
            let pool = author.pool.clone();
            let mut incoming = pool.import_notification_stream();
            let mut looks = interval(LEAST_DISTANCE);
            looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    transaction = incoming.next() => match transaction {
                        Some(_) => {}
                        None => return,
                    },
                    // The pool moves transactions to its newest view without telling: look for them.
                    _ = looks.tick() => if pool.status().ready == 0 {
                        continue;
                    },
                }
                let mut more = true;
                while more {
                    let earliest = Instant::now() + LEAST_DISTANCE;
                    author.make_block().await;
                    sleep_until(earliest).await;
                    // Whatever came in meanwhile may have missed the block.
                    more = pool.status().ready > 0;
                    while let Some(Some(_)) = incoming.next().now_or_never() {
                        more = true;
                    }
                }
            }
        }
    }
}

impl Author {
    /// Makes one block on the best one and finalises it. A failure is logged; the next attempt
    /// starts afresh.
    async fn make_block(&mut self) {
        let (sender, result) = oneshot::channel();
        let mut block_import = self.client.clone();
        seal_block(SealBlockParams::<Block, _, _, _, _, _, _> {
            create_empty: true,
            finalize: true,
            parent_hash: None,
            sender: Some(sender),
            pool: self.pool.clone(),
            client: self.client.clone(),
            env: &mut self.proposer,
            select_chain: &self.select_chain,
            consensus_data_provider: Some(&self.seal),
            block_import: &mut block_import,
            create_inherent_data_providers: &self.inherents,
        })
        .await;
        match result.await {
            Ok(Ok(block)) => log::debug!(target: LOG_TARGET, "made {}", block.hash),
            Ok(Err(error)) => log::warn!(target: LOG_TARGET, "could not make a block: {error}"),
            Err(_) => log::warn!(target: LOG_TARGET, "making a block was cut short"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_they_are_written() {
        for mode in ["instant", "interval:1000", "interval:6000"] {
            assert_eq!(mode.parse::<Sealing>().unwrap().to_string(), mode);
        }
    }

    #[test]
    fn bad_modes_are_refused_with_a_reason() {
        for (mode, reason) in [
            ("interval:10", "at least 1000 ms apart"),
            ("interval:", "neither"),
            ("interval:-1", "neither"),
            ("manual", "neither"),
            ("", "neither"),
        ] {
            let error = mode.parse::<Sealing>().unwrap_err();
            assert!(error.contains(reason), "{mode}: {error}");
        }
    }
}
