//! The machine's records in storage: each small, and read only where an event is about it.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::vec::Vec;
use chasqui_primitives::{
    training::{round::Tally, Contribution, List, Member, ModelState, Round, Store},
    RunId,
};
use core::marker::PhantomData;
use sp_core::H256;

/// Records of one run in storage.
pub struct RunStore<T> {
    run: RunId,
    _config: PhantomData<T>,
}

impl<T> RunStore<T> {
    pub fn of(run: RunId) -> Self {
        Self {
            run,
            _config: PhantomData,
        }
    }
}

impl<T: Config> Store<T::AccountId> for RunStore<T> {
    fn member(&self, who: &T::AccountId) -> Option<Member> {
        Members::<T>::get(self.run, who)
    }

    fn set_member(&mut self, who: &T::AccountId, member: Option<Member>) {
        Members::<T>::set(self.run, who, member);
    }

    fn at(&self, list: List, slot: u32) -> Option<T::AccountId> {
        Slots::<T>::get((self.run, list, slot))
    }

    fn set_at(&mut self, list: List, slot: u32, who: Option<&T::AccountId>) {
        Slots::<T>::set((self.run, list, slot), who.cloned());
    }

    fn round(&self, round: u32) -> Option<Round> {
        Rounds::<T>::get(self.run, round)
    }

    fn set_round(&mut self, round: u32, value: Option<Round>) {
        Rounds::<T>::set(self.run, round, value);
    }

    fn contribution(&self, round: u32, rank: u32) -> Option<Contribution<T::AccountId>> {
        Contributions::<T>::get((self.run, round, rank))
    }

    fn set_contribution(
        &mut self,
        round: u32,
        rank: u32,
        contribution: Option<Contribution<T::AccountId>>,
    ) {
        Contributions::<T>::set((self.run, round, rank), contribution);
    }

    fn is_revealed(&self, round: u32, root: &H256) -> bool {
        Revealed::<T>::contains_key((self.run, round, root))
    }

    fn set_revealed(&mut self, round: u32, root: &H256, revealed: bool) {
        Revealed::<T>::set((self.run, round, root), revealed.then_some(()));
    }

    fn times(&self, round: u32) -> Vec<u32> {
        Times::<T>::get(self.run, round).into_inner()
    }

    fn add_time(&mut self, round: u32, time: u32) {
        // There is room: a member commits once a round.
        if Times::<T>::try_append(self.run, round, time).is_err() {
            log::error!(target: LOG_TARGET, "more commitments than members in round {round}");
        }
    }

    fn clear_times(&mut self, round: u32) {
        Times::<T>::remove(self.run, round);
    }

    fn tally(&self, round: u32) -> Option<Tally> {
        Tallies::<T>::get(self.run, round)
    }

    fn set_tally(&mut self, round: u32, tally: Option<Tally>) {
        Tallies::<T>::set(self.run, round, tally);
    }

    fn votes(&self, round: u32, key: &H256) -> Option<(ModelState, u32)> {
        Votes::<T>::get((self.run, round, key))
    }

    fn set_votes(&mut self, round: u32, key: &H256, votes: Option<(ModelState, u32)>) {
        Votes::<T>::set((self.run, round, key), votes);
    }
}
