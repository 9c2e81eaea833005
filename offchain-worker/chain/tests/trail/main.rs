//! What a feed of finalised blocks does next, with plain data: one file a behaviour.

mod bounded;
mod going_back;
mod order;
mod stored;

use chasqui_chain::{trail::Step, BlockId, Trail, H256};

/// A block whose hash says its number and the branch it is on.
fn block(number: u32, branch: u8) -> BlockId {
    let mut hash = [branch; 32];
    hash[..4].copy_from_slice(&number.to_be_bytes());
    BlockId {
        number,
        hash: H256(hash),
    }
}

/// A node: one branch, up to a newest block.
struct Node {
    blocks: Vec<BlockId>,
}

impl Node {
    /// Genesis (the same on every branch) and `newest` blocks.
    fn new(branch: u8, newest: u32) -> Self {
        let mut blocks = vec![block(0, 0)];
        blocks.extend((1..=newest).map(|number| block(number, branch)));
        Self { blocks }
    }

    /// The same chain up to block `fork`, and another branch from there on.
    fn fork(&self, fork: u32, branch: u8, newest: u32) -> Self {
        let mut blocks = self.blocks.clone();
        blocks.truncate(fork as usize + 1);
        blocks.extend((fork + 1..=newest).map(|number| block(number, branch)));
        Self { blocks }
    }

    fn newest(&self) -> BlockId {
        self.blocks[self.blocks.len() - 1]
    }

    fn at(&self, number: u32) -> BlockId {
        self.blocks[number as usize]
    }

    /// The answer to a question for hashes.
    fn hashes(&self, numbers: &[u32]) -> Vec<(u32, H256)> {
        let known = |number: &&u32| (**number as usize) < self.blocks.len();
        let numbers = numbers.iter().filter(known);
        numbers
            .map(|number| (*number, self.at(*number).hash))
            .collect()
    }

    /// Lets `trail` read whatever is next until it waits or says something else; the numbers it took.
    fn read_by(&self, trail: &mut Trail, limit: u32) -> (Vec<u32>, Step) {
        let mut taken = Vec::new();
        loop {
            let Step::Read(number) = trail.step(self.newest(), limit) else {
                return (taken, trail.step(self.newest(), limit));
            };
            let parent = self.at(number - 1).hash;
            if !trail.follow(self.at(number), parent) {
                return (taken, Step::Compare);
            }
            taken.push(number);
        }
    }
}
