//! Every finalised block once and in order, whatever becomes of the connection or the node.
//!
//! The node's subscription to finalised heads only wakes the feed up; the blocks are read by number, so that nothing
//! is lost when the connection breaks, when the node is away, or when it announces only the last of several blocks.

use crate::{
    client::{Chain, ChainError},
    trail::{BlockId, Comparison, Step, Trail},
};
use std::time::Duration;
use subxt::{
    config::substrate::SubstrateHeader,
    rpcs::client::{rpc_params, RpcSubscription},
    utils::H256,
};

/// How many missed blocks are read at most. A node that prunes keeps the state of 256 blocks; older ones have no
/// events to read any more.
pub const BACKFILL_BLOCKS: u32 = 200;
/// After such a silence the node is asked: a chain may stand still, but a subscription that the node dropped looks
/// the same from here.
const QUIET: Duration = Duration::from_secs(30);
/// Shortest and longest pause before a lost node is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

/// What the feed has to say.
#[derive(Debug)]
pub enum Item {
    /// Once, and first: the newest finalised block. Read what stands on chain here; what changes is told from now on.
    Start(BlockId),
    /// The next block. `newest` is the number of the newest one: later than this one while the feed catches up.
    Block { block: BlockId, newest: u32 },
    /// These blocks, ends included, are too old to be read: read the chain's state instead.
    Skipped { from: u32, to: u32 },
    /// The node replaced these blocks, ends included; the new ones follow. A node that was killed may have lost the
    /// last blocks that it made.
    Replaced { from: u32, to: u32 },
    /// The node does not answer, or not sensibly. The next call tries again.
    Lost(ChainError),
}

/// Follows the finalised chain from an anchor on.
pub struct Feed {
    chain: Chain,
    /// `None` until the feed has started where no trail was given.
    trail: Option<Trail>,
    heads: Option<RpcSubscription<serde::de::IgnoredAny>>,
    newest: BlockId,
    started: bool,
    failures: u32,
}

impl Feed {
    /// After the last block of `trail`, or after the newest finalised one.
    pub fn new(chain: Chain, trail: Option<Trail>) -> Self {
        let newest = BlockId {
            number: 0,
            hash: chain.genesis(),
        };
        Self {
            chain,
            trail,
            heads: None,
            newest,
            started: false,
            failures: 0,
        }
    }

    /// What was seen, to begin after it another time. `None` before the start.
    pub fn trail(&self) -> Option<&Trail> {
        self.trail.as_ref()
    }

    /// Waits for the next thing to say.
    ///
    /// Errors end the feed: the node has become another chain's ([`ChainError::WrongGenesis`],
    /// [`ChainError::OtherHistory`]). Everything else is [`Item::Lost`] and tried again.
    pub async fn next(&mut self) -> Result<Item, ChainError> {
        if self.failures > 0 {
            tokio::time::sleep(pause(self.failures)).await;
        }
        match self.advance().await {
            Ok(item) => {
                self.failures = 0;
                Ok(item)
            }
            Err(error @ (ChainError::WrongGenesis { .. } | ChainError::OtherHistory { .. })) => {
                Err(error)
            }
            Err(error) => {
                self.heads = None;
                self.failures = self.failures.saturating_add(1);
                Ok(Item::Lost(error))
            }
        }
    }

    async fn advance(&mut self) -> Result<Item, ChainError> {
        loop {
            if self.heads.is_none() {
                if let Some(item) = self.subscribe().await? {
                    return Ok(item);
                }
            }
            let Some(trail) = &mut self.trail else {
                return Err(ChainError::Read("the feed has no anchor".into()));
            };
            match trail.step(self.newest, BACKFILL_BLOCKS) {
                Step::Wait => self.wait().await?,
                Step::Read(number) => {
                    let (block, parent) = self.chain.block_and_parent(number).await?;
                    if trail.follow(block, parent) {
                        let newest = self.newest.number;
                        return Ok(Item::Block { block, newest });
                    }
                    return self.compare().await?.ok_or_else(|| {
                        ChainError::Read(format!("block {number} has another parent"))
                    });
                }
                Step::Skip { from, to } => {
                    let (block, _) = self.chain.block_and_parent(to).await?;
                    trail.jump(block);
                    return Ok(Item::Skipped { from, to });
                }
                Step::Compare => match self.compare().await? {
                    Some(item) => return Ok(item),
                    None => self.wait().await?,
                },
            }
        }
    }

    /// Subscribes, then looks where the node stands: a block that comes in between is announced.
    async fn subscribe(&mut self) -> Result<Option<Item>, ChainError> {
        self.chain.check_genesis().await?;
        let heads = self.chain.subscribe_finalised().await?;
        self.newest = self.chain.finalised().await?;
        let item = match self.trail {
            Some(_) => self.compare().await?,
            None => {
                let first = self.chain.hashes(&[1]).await?;
                let first = first.first().map(|(number, hash)| BlockId {
                    number: *number,
                    hash: *hash,
                });
                self.trail = Some(Trail::new(first, self.newest));
                None
            }
        };
        self.heads = Some(heads);
        if self.started {
            return Ok(item);
        }
        self.started = true;
        Ok(Some(Item::Start(self.newest)))
    }

    /// Waits until there may be a newer block.
    async fn wait(&mut self) -> Result<(), ChainError> {
        let Some(heads) = &mut self.heads else {
            return Ok(());
        };
        match tokio::time::timeout(QUIET, heads.next()).await {
            Ok(Some(Ok(_))) => self.newest = self.chain.finalised().await?,
            Ok(Some(Err(error))) => return Err(ChainError::read(error)),
            Ok(None) => return Err(ChainError::Read("the node ended the subscription".into())),
            Err(_) => self.heads = None,
        }
        Ok(())
    }

    /// Compares what was seen with what the node has.
    async fn compare(&mut self) -> Result<Option<Item>, ChainError> {
        let Some(trail) = &mut self.trail else {
            return Ok(None);
        };
        let found = self
            .chain
            .hashes(&trail.numbers(self.newest.number))
            .await?;
        match trail.compare(&found) {
            Comparison::Same => Ok(None),
            Comparison::Rewind(common) => {
                let to = trail.last().number;
                trail.rewind(common);
                Ok(Some(Item::Replaced {
                    from: common.number.saturating_add(1),
                    to,
                }))
            }
            Comparison::Other { seen, found } => Err(ChainError::OtherHistory {
                url: self.chain.url().into(),
                number: seen.number,
                seen: seen.hash,
                found,
            }),
        }
    }
}

/// How long to leave a node alone after so many failures in a row.
fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    PAUSES.0.saturating_mul(1 << doublings).min(PAUSES.1)
}

/// The few requests that a feed makes. None of them reads state: headers stay when state is pruned.
impl Chain {
    async fn check_genesis(&self) -> Result<(), ChainError> {
        let found = self.hashes(&[0]).await?;
        match found.first() {
            Some((_, found)) if *found != self.genesis() => Err(ChainError::WrongGenesis {
                url: self.url().into(),
                expected: self.genesis(),
                found: *found,
            }),
            _ => Ok(()),
        }
    }

    /// The newest finalised block.
    async fn finalised(&self) -> Result<BlockId, ChainError> {
        let hash: H256 = self
            .request("chain_getFinalizedHead", rpc_params![])
            .await?;
        let header = self.header(hash).await?;
        Ok(BlockId {
            number: number(&header)?,
            hash,
        })
    }

    /// The hashes at these heights, as far as the node has them.
    async fn hashes(&self, numbers: &[u32]) -> Result<Vec<(u32, H256)>, ChainError> {
        let hashes: Vec<Option<H256>> = self
            .request("chain_getBlockHash", rpc_params![numbers])
            .await?;
        Ok(numbers
            .iter()
            .zip(hashes)
            .filter_map(|(number, hash)| Some((*number, hash?)))
            .collect())
    }

    /// A block, and its parent's hash.
    async fn block_and_parent(&self, number: u32) -> Result<(BlockId, H256), ChainError> {
        let found = self.hashes(&[number]).await?;
        let (_, hash) = *found
            .first()
            .ok_or_else(|| ChainError::Read(format!("the node has no block {number}")))?;
        let header = self.header(hash).await?;
        Ok((BlockId { number, hash }, header.parent_hash))
    }

    async fn header(&self, hash: H256) -> Result<SubstrateHeader<H256>, ChainError> {
        let header: Option<SubstrateHeader<H256>> =
            self.request("chain_getHeader", rpc_params![hash]).await?;
        header.ok_or_else(|| ChainError::Read(format!("the node has no header of block {hash:?}")))
    }
}

fn number(header: &SubstrateHeader<H256>) -> Result<u32, ChainError> {
    u32::try_from(header.number).map_err(ChainError::read)
}
