//! The worker's one loop: follow the finalised chain, and look at the state whenever duties may have changed.

use super::{
    find,
    news::{self, Happening, Tally},
    place::Place,
    watch::Watch,
    Worker,
};
use anyhow::{anyhow, Result};
use chasqui_chain::{BlockId, ChainError, Feed, Head, Item};
use std::sync::Arc;

/// Follows the chain until the program ends, or the node turns out to be another chain's.
pub async fn follow(worker: Arc<Worker>) -> Result<()> {
    let place = Place::in_folder(&worker.state_dir);
    let genesis = worker.chain.genesis();
    let trail = place.read(genesis)?;
    let away = trail.as_ref().map(|trail| Away {
        since: trail.last().number,
        tally: Tally::default(),
    });
    let mut feed = Feed::new(worker.chain.clone(), trail);
    let mut follower = Follower {
        worker,
        watch: Watch::default(),
        away,
        lost: false,
    };
    loop {
        let item = feed.next().await.map_err(|error| {
            anyhow!(
                "{error}. Connect to the right node, or, if the chain that was followed so far is gone for good, \
                 delete {} and start again",
                place.path().display()
            )
        })?;
        follower.take(item).await;
        let written = feed.trail().map(|trail| place.write(genesis, trail));
        if let Some(Err(error)) = written {
            tracing::warn!(
                error = format!("{error:#}"),
                "a restart will not know what was read"
            );
        }
    }
}

/// Blocks that passed while the worker was away, until they have been read.
struct Away {
    since: u32,
    tally: Tally,
}

struct Follower {
    worker: Arc<Worker>,
    watch: Watch,
    away: Option<Away>,
    lost: bool,
}

impl Follower {
    async fn take(&mut self, item: Item) {
        if self.lost && !matches!(item, Item::Lost(_)) {
            self.lost = false;
            self.worker.metrics.reconnects.inc();
            self.worker.chain.forget_nonces().await;
            tracing::info!("the node answers again");
        }
        match item {
            Item::Start(newest) => {
                self.saw(newest.number);
                if self.away.as_ref().is_some_and(|a| a.since >= newest.number) {
                    self.away = None;
                }
                let head = self.worker.chain.at_block(newest).await;
                self.look(head).await;
            }
            Item::Block { block, newest } => self.block(block, newest).await,
            Item::Skipped { from, to } => {
                self.count("skipped", from, to);
                tracing::warn!(
                    from,
                    to,
                    "these blocks are too old to be read: what is owed is read from the state"
                );
                self.watch.look_again();
            }
            Item::Replaced { from, to } => {
                self.count("replaced", from, to);
                tracing::warn!(
                    from,
                    to,
                    "the node has replaced these blocks: what is owed is read from the state"
                );
                self.worker.chain.forget_nonces().await;
                self.watch.look_again();
            }
            Item::Lost(error) => {
                self.lost = true;
                tracing::warn!(%error, "the node does not answer; trying again");
            }
        }
    }

    /// Reads a block's events, and then the newest state if they call for it.
    async fn block(&mut self, block: BlockId, newest: u32) {
        let number = block.number;
        let is_newest = number >= newest;
        self.saw(newest);
        self.count(
            if is_newest { "live" } else { "backfilled" },
            number,
            number,
        );
        let head = self.worker.chain.at_block(block).await;
        let news = match &head {
            Ok(head) => news::read(head, &self.worker.operator).await,
            Err(error) => Err(anyhow!("{error}")),
        };
        let stirred = match news {
            Ok(news) => {
                for happening in &news.happenings {
                    self.tell(number, happening);
                }
                news.concerns
            }
            Err(error) => {
                tracing::warn!(
                    block = number,
                    error = format!("{error:#}"),
                    "events unreadable: what is owed is read from the state"
                );
                true
            }
        };
        if is_newest {
            self.report();
        }
        if self
            .watch
            .is_due(number, stirred || self.worker.progress().has_ended())
        {
            // What an older block's state says is owed may long be done.
            let head = match head {
                Ok(head) if is_newest => Ok(head),
                _ => self.worker.chain.head().await,
            };
            self.look(head).await;
        }
    }

    /// Reads what is owed at this block, and starts what is not under way.
    async fn look(&mut self, head: Result<Head, ChainError>) {
        let found = match head {
            Ok(head) => find::owed(&head, &self.worker.operator)
                .await
                .map(|owed| (head, owed)),
            Err(error) => Err(anyhow!("{error}")),
        };
        match found {
            Ok((head, owed)) => {
                self.watch.looked(head.number, owed.deadline);
                self.worker.take_up(owed.duties, &head);
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "reading duties");
                self.watch.look_again();
            }
        }
    }

    fn tell(&mut self, block: u32, happening: &Happening) {
        if let Some(away) = &mut self.away {
            away.tally.add(happening);
        }
        match happening.is_bad() {
            true => tracing::warn!(block, "{happening}"),
            false => tracing::info!(block, "{happening}"),
        }
    }

    /// What happened while the worker was away, once.
    fn report(&mut self) {
        if let Some(Away { since, tally }) = self.away.take() {
            tracing::info!(since, "while this worker was away: {tally}");
        }
    }

    fn saw(&self, newest: u32) {
        self.worker.metrics.block.set(i64::from(newest));
    }

    fn count(&self, how: &str, from: u32, to: u32) {
        let blocks = u64::from(to.saturating_sub(from)).saturating_add(1);
        let counter = self.worker.metrics.blocks.with_label_values(&[how]);
        counter.inc_by(blocks);
    }
}
