//! Which finalised blocks were seen, and what follows from that when a node names its newest one.
//!
//! Plain data without a connection: [`crate::Feed`] asks the node and does what this says.

use serde::{Deserialize, Serialize};
use subxt::utils::H256;

/// How many of the newest blocks are remembered. Where a node replaces more than these, it is another chain.
pub const REMEMBERED: u32 = 64;

/// A block's place and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockId {
    pub number: u32,
    pub hash: H256,
}

/// The newest blocks that were seen, and the first one: two chains of one genesis have different first blocks, so that
/// a node whose data was wiped is told from one that is merely behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<BlockId>", into = "Vec<BlockId>")]
pub struct Trail {
    /// By number, ascending and without repetition.
    earlier: Vec<BlockId>,
    last: BlockId,
}

/// What to do about a node's newest block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it was seen.
    Wait,
    /// Read this block: it is next, and the node has it.
    Read(u32),
    /// The next blocks are too far back to be read.
    Skip { from: u32, to: u32 },
    /// It is not what was seen, or older than what is remembered: ask for the hashes of [`Trail::numbers`], and
    /// [`Trail::compare`] them.
    Compare,
}

/// How a node's chain relates to what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// As far as the node has come, it has the blocks that were seen.
    Same,
    /// It has replaced the newest ones: go on after this one, the last that both have.
    Rewind(BlockId),
    /// It is another chain, or replaced more than is remembered: where `seen` was seen it has `found`.
    Other { seen: BlockId, found: H256 },
}

impl Trail {
    /// Begins after `last`. `first` is block 1, where the node has it.
    pub fn new(first: Option<BlockId>, last: BlockId) -> Self {
        Self {
            earlier: first
                .into_iter()
                .filter(|first| first.number < last.number)
                .collect(),
            last,
        }
    }

    /// The newest block that was seen.
    pub fn last(&self) -> BlockId {
        self.last
    }

    fn blocks(&self) -> impl DoubleEndedIterator<Item = &BlockId> {
        self.earlier.iter().chain(std::iter::once(&self.last))
    }

    /// The numbers of the remembered blocks that a node with this newest block must have.
    pub fn numbers(&self, newest: u32) -> Vec<u32> {
        self.blocks()
            .map(|block| block.number)
            .filter(|number| *number <= newest)
            .collect()
    }

    /// What to do when a node's newest block is `newest`. No more than `limit` blocks are read of what was missed.
    pub fn step(&self, newest: BlockId, limit: u32) -> Step {
        let next = self.last.number.saturating_add(1);
        match newest.number.checked_sub(self.last.number) {
            Some(missed) if missed > limit => Step::Skip {
                from: next,
                to: newest.number.saturating_sub(limit),
            },
            Some(missed) if missed > 0 => Step::Read(next),
            _ if self.blocks().any(|seen| *seen == newest) => Step::Wait,
            _ => Step::Compare,
        }
    }

    /// Takes a block that was read. `false`, and nothing changes, unless it is the child of the last one.
    #[must_use]
    pub fn follow(&mut self, block: BlockId, parent: H256) -> bool {
        let is_next = block.number.checked_sub(1) == Some(self.last.number);
        let follows = is_next && parent == self.last.hash;
        if follows {
            self.jump(block);
        }
        follows
    }

    /// Takes the last of the blocks that were skipped.
    pub fn jump(&mut self, block: BlockId) {
        self.earlier.push(self.last);
        self.last = block;
        // Genesis says nothing: every chain of this name has it. The first block stays.
        self.earlier.retain(|block| block.number > 0);
        if self.earlier.len() > REMEMBERED as usize {
            self.earlier.remove(1);
        }
    }

    /// Compares the remembered blocks with the node's hashes at those numbers.
    pub fn compare(&self, found: &[(u32, H256)]) -> Comparison {
        let at = |block: &BlockId| {
            let (_, hash) = found.iter().find(|(number, _)| *number == block.number)?;
            Some(*hash)
        };
        let differing = self
            .blocks()
            .find_map(|seen| Some((*seen, at(seen).filter(|hash| *hash != seen.hash)?)));
        let Some((seen, found)) = differing else {
            return Comparison::Same;
        };
        let common = self
            .blocks()
            .rev()
            .find(|seen| seen.number > 0 && at(seen) == Some(seen.hash));
        match common {
            Some(common) if self.last.number - common.number <= REMEMBERED => {
                Comparison::Rewind(*common)
            }
            _ => Comparison::Other { seen, found },
        }
    }

    /// Goes back to a remembered block.
    pub fn rewind(&mut self, to: BlockId) {
        self.earlier.retain(|block| block.number < to.number);
        self.last = to;
    }
}

impl From<Trail> for Vec<BlockId> {
    fn from(trail: Trail) -> Self {
        trail.blocks().copied().collect()
    }
}

impl TryFrom<Vec<BlockId>> for Trail {
    type Error = String;

    fn try_from(mut blocks: Vec<BlockId>) -> Result<Self, String> {
        let last = blocks.pop().ok_or("no block")?;
        let trail = Trail {
            earlier: blocks,
            last,
        };
        if trail.earlier.len() > REMEMBERED as usize {
            return Err(format!("more than {} blocks", REMEMBERED + 1));
        }
        let ascending = trail
            .blocks()
            .zip(trail.blocks().skip(1))
            .all(|(older, newer)| older.number < newer.number);
        ascending
            .then_some(trail)
            .ok_or_else(|| "the blocks are not in ascending order".into())
    }
}
