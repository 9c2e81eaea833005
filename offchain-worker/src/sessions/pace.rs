//! When an operator settles a channel, and when it tries again. Each try costs a fee, whatever comes of it, and what a
//! client does to its channel must not make an operator pay block after block.

use chasqui_primitives::{
    session::{Seq, SessionId},
    Balance, EpochIndex,
};
use std::collections::HashMap;

/// Blocks after which a claim that was sent is sent again: it is final by then, or was refused.
const AGAIN: u32 = 8;
/// The pause is doubled so often at the most.
const MOST_DOUBLINGS: u32 = 6;

/// When an operator settles.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// From so many planck of a channel on.
    pub planck: Balance,
    /// Whatever there is, after so many blocks.
    pub blocks: u32,
}

/// What the chain takes.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Least sum of a settlement, in planck, of a channel that goes on.
    pub least: Balance,
    /// Settlements of one channel in one epoch.
    pub most: u32,
    /// The running epoch.
    pub epoch: EpochIndex,
}

/// What there is to settle on a channel.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// The first request that is not settled.
    pub first: Seq,
    /// What the claim is over, in planck.
    pub sum: Balance,
    /// Blocks since there was something to settle.
    pub waited: u32,
    /// The channel is about to end.
    pub ending: bool,
    /// The epoch of its last settlement, and its settlements in that epoch.
    pub settled: (EpochIndex, u32),
}

#[derive(Debug)]
struct Tries {
    first: Seq,
    count: u32,
    until: u32,
}

/// What was tried, channel by channel.
#[derive(Debug, Default)]
pub struct Pace {
    tries: HashMap<SessionId, Tries>,
}

impl Pace {
    /// Whether to send a claim now.
    pub fn is_due(
        &self,
        session: &SessionId,
        due: &Due,
        policy: &Policy,
        rules: &Rules,
        now: u32,
    ) -> bool {
        let wanted = due.sum >= policy.planck || due.waited >= policy.blocks || due.ending;
        let enough = due.sum > 0 && (due.ending || due.sum >= rules.least);
        // The next epoch begins before anything falls away: a close window is longer.
        let (epoch, count) = due.settled;
        let room = epoch != rules.epoch || count < rules.most;
        let tried = self.tries.get(session);
        let pauses = tried.is_some_and(|tried| tried.first == due.first && now < tried.until);
        wanted && enough && room && !pauses
    }

    /// A claim that begins with `first` was in a block: the finalised chain will show it as settled, or it was refused.
    pub fn tried(&mut self, session: SessionId, first: Seq, ending: bool, now: u32) {
        let before = self.tries.get(&session).filter(|of| of.first == first);
        let count = before.map_or(0, |before| before.count.saturating_add(1));
        // A window does not wait.
        let doublings = if ending { 0 } else { count.min(MOST_DOUBLINGS) };
        let tries = Tries {
            first,
            count,
            until: now.saturating_add(AGAIN << doublings),
        };
        self.tries.insert(session, tries);
    }

    /// Forgets a channel.
    pub fn forget(&mut self, session: &SessionId) {
        self.tries.remove(session);
    }
}
