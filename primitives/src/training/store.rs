//! Where the machine keeps what it knows of one run: small records by key, so that a chain never reads more of a run than
//! a call is about.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{
    members::{List, Member},
    report::ModelState,
    round::{Contribution, Round, Tally},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use sp_core::H256;

/// Records of one run.
pub trait Store<AccountId> {
    fn member(&self, who: &AccountId) -> Option<Member>;
    fn set_member(&mut self, who: &AccountId, member: Option<Member>);

    /// Who is in `slot` of a list.
    fn at(&self, list: List, slot: u32) -> Option<AccountId>;
    fn set_at(&mut self, list: List, slot: u32, who: Option<&AccountId>);

    fn round(&self, round: u32) -> Option<Round>;
    fn set_round(&mut self, round: u32, value: Option<Round>);

    fn contribution(&self, round: u32, rank: u32) -> Option<Contribution<AccountId>>;
    fn set_contribution(
        &mut self,
        round: u32,
        rank: u32,
        contribution: Option<Contribution<AccountId>>,
    );

    /// Whether a report that was revealed in this round names this root.
    fn is_revealed(&self, round: u32, root: &H256) -> bool;
    fn set_revealed(&mut self, round: u32, root: &H256, revealed: bool);

    /// When the members of a round committed, in blocks since it began to train.
    fn times(&self, round: u32) -> Vec<u32>;
    fn add_time(&mut self, round: u32, time: u32);
    fn clear_times(&mut self, round: u32);

    fn tally(&self, round: u32) -> Option<Tally>;
    fn set_tally(&mut self, round: u32, tally: Option<Tally>);

    /// A state that members say the round ends in, by its key, and how many do.
    fn votes(&self, round: u32, key: &H256) -> Option<(ModelState, u32)>;
    fn set_votes(&mut self, round: u32, key: &H256, votes: Option<(ModelState, u32)>);
}

/// A store in memory, for simulations, tests, and whoever follows a run off chain.
#[derive(Clone, PartialEq, Debug)]
pub struct MemoryStore<AccountId> {
    pub members: BTreeMap<AccountId, Member>,
    pub lists: BTreeMap<(List, u32), AccountId>,
    pub rounds: BTreeMap<u32, Round>,
    pub contributions: BTreeMap<(u32, u32), Contribution<AccountId>>,
    pub revealed: BTreeSet<(u32, H256)>,
    pub times: BTreeMap<u32, Vec<u32>>,
    pub tallies: BTreeMap<u32, Tally>,
    pub votes: BTreeMap<(u32, H256), (ModelState, u32)>,
}

impl<AccountId> Default for MemoryStore<AccountId> {
    fn default() -> Self {
        Self {
            members: BTreeMap::new(),
            lists: BTreeMap::new(),
            rounds: BTreeMap::new(),
            contributions: BTreeMap::new(),
            revealed: BTreeSet::new(),
            times: BTreeMap::new(),
            tallies: BTreeMap::new(),
            votes: BTreeMap::new(),
        }
    }
}

/// Puts or removes.
fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

impl<AccountId: Clone + Ord> Store<AccountId> for MemoryStore<AccountId> {
    fn member(&self, who: &AccountId) -> Option<Member> {
        self.members.get(who).copied()
    }

    fn set_member(&mut self, who: &AccountId, member: Option<Member>) {
        set(&mut self.members, who.clone(), member);
    }

    fn at(&self, list: List, slot: u32) -> Option<AccountId> {
        self.lists.get(&(list, slot)).cloned()
    }

    fn set_at(&mut self, list: List, slot: u32, who: Option<&AccountId>) {
        set(&mut self.lists, (list, slot), who.cloned());
    }

    fn round(&self, round: u32) -> Option<Round> {
        self.rounds.get(&round).copied()
    }

    fn set_round(&mut self, round: u32, value: Option<Round>) {
        set(&mut self.rounds, round, value);
    }

    fn contribution(&self, round: u32, rank: u32) -> Option<Contribution<AccountId>> {
        self.contributions.get(&(round, rank)).cloned()
    }

    fn set_contribution(
        &mut self,
        round: u32,
        rank: u32,
        contribution: Option<Contribution<AccountId>>,
    ) {
        set(&mut self.contributions, (round, rank), contribution);
    }

    fn is_revealed(&self, round: u32, root: &H256) -> bool {
        self.revealed.contains(&(round, *root))
    }

    fn set_revealed(&mut self, round: u32, root: &H256, revealed: bool) {
        if revealed {
            self.revealed.insert((round, *root));
        } else {
            self.revealed.remove(&(round, *root));
        }
    }

    fn times(&self, round: u32) -> Vec<u32> {
        self.times.get(&round).cloned().unwrap_or_default()
    }

    fn add_time(&mut self, round: u32, time: u32) {
        self.times.entry(round).or_default().push(time);
    }

    fn clear_times(&mut self, round: u32) {
        self.times.remove(&round);
    }

    fn tally(&self, round: u32) -> Option<Tally> {
        self.tallies.get(&round).cloned()
    }

    fn set_tally(&mut self, round: u32, tally: Option<Tally>) {
        set(&mut self.tallies, round, tally);
    }

    fn votes(&self, round: u32, key: &H256) -> Option<(ModelState, u32)> {
        self.votes.get(&(round, *key)).copied()
    }

    fn set_votes(&mut self, round: u32, key: &H256, votes: Option<(ModelState, u32)>) {
        set(&mut self.votes, (round, *key), votes);
    }
}
