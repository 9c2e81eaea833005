//! What members, challengers and whoever pays for a run do.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{
    machine::{Draw, Drawn, Effect, Machine, Phase, Refusal, Settling},
    members::{Exit, List, Member},
    phase::Owed,
    report::{ModelState, ReplayClass, RoundReport},
    round::{Contribution, Judged, Ranks, Round},
    shards::rank_of,
    store::Store,
};
use parity_scale_codec::Encode;
use sp_core::H256;

impl<A: Clone + PartialEq + Encode, S: Store<A>> Machine<'_, A, S> {
    /// Joins; takes part from the next edge on that finds it ready.
    pub fn join(&mut self, who: &A, class: ReplayClass, now: u32) -> Result<(), Refusal> {
        if self.run.phase.is_ending() || self.run.cancelled {
            return Err(Refusal::Ending);
        }
        match self.store.member(who) {
            Some(member) if member.list == List::Banned => return Err(Refusal::Banned),
            Some(_) => return Err(Refusal::AlreadyMember),
            None => {}
        }
        if self.run.active.saturating_add(self.run.waiting) >= self.terms.max_members {
            return Err(Refusal::Full);
        }
        self.attach(who, Member::new(class, 0, now), List::Waiting);
        Ok(())
    }

    /// Has base and data.
    pub fn heartbeat(&mut self, who: &A) -> Result<(), Refusal> {
        let mut member = self.store.member(who).ok_or(Refusal::NotMember)?;
        if member.list == List::Banned {
            return Err(Refusal::Banned);
        }
        if member.list == List::Waiting && !member.ready {
            self.run.ready = self.run.ready.saturating_add(1);
            member.ready = true;
            self.store.set_member(who, Some(member));
        }
        Ok(())
    }

    /// Leaves: at once while it waits, else at the next edge.
    pub fn leave(&mut self, who: &A) -> Result<(), Refusal> {
        let mut member = self.store.member(who).ok_or(Refusal::NotMember)?;
        match member.list {
            List::Banned => Err(Refusal::Banned),
            List::Waiting => {
                self.drop_member(who, &member, Exit::Left);
                Ok(())
            }
            List::Active if member.exit.is_some() => Err(Refusal::Leaving),
            List::Active => {
                member.exit = Some(Exit::Left);
                self.store.set_member(who, Some(member));
                Ok(())
            }
        }
    }

    /// The running round, the member's rank in it, and what it contributed.
    fn seat(&self, who: &A, round: u32) -> Result<(Round, u32, Contribution<A>), Refusal> {
        if round != self.run.round || !self.run.phase.in_round() {
            return Err(Refusal::OtherRound);
        }
        let member = self.store.member(who).ok_or(Refusal::NotMember)?;
        if member.list == List::Banned {
            return Err(Refusal::Banned);
        }
        let record = self.store.round(round).ok_or(Refusal::OtherRound)?;
        let seed = record.seed.ok_or(Refusal::WrongPhase)?;
        if member.list != List::Active {
            return Err(Refusal::NotMember);
        }
        if member.exit == Some(Exit::Convicted) {
            return Err(Refusal::Convicted);
        }
        let rank = rank_of(&seed, member.slot, record.members).ok_or(Refusal::NotMember)?;
        let contribution = self
            .store
            .contribution(round, rank)
            .unwrap_or_else(|| Contribution::new(who.clone()));
        Ok((record, rank, contribution))
    }

    /// A member's rank in the running round; `None` while that has none for it.
    pub fn rank(&self, who: &A) -> Option<u32> {
        let (_, rank, _) = self.seat(who, self.run.round).ok()?;
        Some(rank)
    }

    /// What the run waits for of a member in block `now`: the call for it succeeds then, with the right arguments.
    pub fn owed(&self, who: &A, now: u32) -> Option<Owed> {
        let member = self.store.member(who)?;
        if member.list == List::Waiting {
            return (!member.ready).then_some(Owed::Heartbeat);
        }
        let (_, _, own) = self.seat(who, self.run.round).ok()?;
        let revealed = own.report.is_some();
        match self.run.phase {
            Phase::Train { until } if now < until && own.commitment.is_none() => {
                Some(Owed::Commitment { until })
            }
            Phase::Exchange { until } if now < until && own.commitment.is_some() && !revealed => {
                Some(Owed::Report { until })
            }
            Phase::Attest { until } if now < until && revealed && own.attests.is_none() => {
                Some(Owed::Attestation { until })
            }
            Phase::Agree { until }
                if now < until && own.vote.is_none() && own.judged != Judged::Convicted =>
            {
                Some(Owed::Model { until })
            }
            _ => None,
        }
    }

    /// Stores what a member contributed, and holds its bond for it from the first time on.
    fn put_seat(&mut self, mut record: Round, rank: u32, contribution: Contribution<A>) {
        let number = self.run.round;
        if self.store.contribution(number, rank).is_none() {
            record.records = record.records.saturating_add(1);
            self.effect(Effect::Hold(contribution.who.clone()));
        }
        self.store
            .set_contribution(number, rank, Some(contribution));
        self.store.set_round(number, Some(record));
    }

    /// Commits to a report.
    pub fn commit(
        &mut self,
        who: &A,
        round: u32,
        commitment: H256,
        now: u32,
    ) -> Result<u32, Refusal> {
        let (mut record, rank, mut contribution) = self.seat(who, round)?;
        match self.run.phase {
            Phase::Train { until } if now < until => {}
            _ => return Err(Refusal::WrongPhase),
        }
        if contribution.commitment.is_some() {
            return Err(Refusal::AlreadyCommitted);
        }
        contribution.commitment = Some(commitment);
        record.committed = record.committed.saturating_add(1);
        self.store
            .add_time(round, now.saturating_sub(record.started));
        self.put_seat(record, rank, contribution);
        Ok(rank)
    }

    /// Reveals the report that was committed to.
    pub fn reveal(
        &mut self,
        who: &A,
        round: u32,
        report: &RoundReport,
        salt: &[u8; 32],
        now: u32,
    ) -> Result<u32, Refusal> {
        let (mut record, rank, mut contribution) = self.seat(who, round)?;
        match self.run.phase {
            Phase::Exchange { until } if now < until => {}
            _ => return Err(Refusal::WrongPhase),
        }
        let commitment = contribution.commitment.ok_or(Refusal::NotCommitted)?;
        if contribution.report.is_some() {
            return Err(Refusal::AlreadyRevealed);
        }
        if report.commitment(&self.genesis, who, self.id, round, salt) != commitment {
            return Err(Refusal::Mismatch);
        }
        let recipe = &self.terms.recipe;
        if Some(report.leaves) != recipe.segments.checked_add(1)
            || report.tokens != recipe.tokens_per_round()
            || report.units > report.tokens
        {
            return Err(Refusal::ReportShape);
        }
        let roots = [report.gradient, report.kept];
        if roots.iter().any(|root| self.store.is_revealed(round, root)) {
            return Err(Refusal::Duplicate);
        }
        for root in &roots {
            self.store.set_revealed(round, root, true);
        }
        contribution.report = Some(*report);
        record.revealed = record.revealed.saturating_add(1);
        self.put_seat(record, rank, contribution);
        Ok(rank)
    }

    /// Says whose pseudo-gradients it holds: fetched, decoded, of the right shape.
    pub fn attest(&mut self, who: &A, round: u32, ranks: Ranks, now: u32) -> Result<u32, Refusal> {
        let (mut record, rank, mut contribution) = self.seat(who, round)?;
        match self.run.phase {
            Phase::Attest { until } if now < until => {}
            _ => return Err(Refusal::WrongPhase),
        }
        if contribution.report.is_none() {
            return Err(Refusal::NotRevealed);
        }
        if contribution.attests.is_some() {
            return Err(Refusal::AlreadyAttested);
        }
        if !ranks.fits(record.members) {
            return Err(Refusal::RanksShape);
        }
        contribution.attests = Some(ranks);
        record.attested = record.attested.saturating_add(1);
        self.put_seat(record, rank, contribution);
        Ok(rank)
    }

    /// Says what the round's outer step gives. More than half of the members, and two where there are two, let the clock
    /// go on; what is true is for a challenge to decide.
    pub fn agree(
        &mut self,
        who: &A,
        round: u32,
        model: &ModelState,
        now: u32,
    ) -> Result<u32, Refusal> {
        let (mut record, rank, mut contribution) = self.seat(who, round)?;
        match self.run.phase {
            Phase::Agree { until } if now < until => {}
            _ => return Err(Refusal::WrongPhase),
        }
        if contribution.judged == Judged::Convicted {
            return Err(Refusal::Convicted);
        }
        if contribution.vote.is_some() {
            return Err(Refusal::AlreadyAgreed);
        }
        let key = model.key(self.id, round);
        let votes = self
            .store
            .votes(round, &key)
            .map_or(0, |(_, votes)| votes)
            .saturating_add(1);
        self.store.set_votes(round, &key, Some((*model, votes)));
        contribution.vote = Some(key);
        let quorum = votes.saturating_mul(2) > record.members && votes >= record.members.min(2);
        if quorum && record.agreed.is_none() {
            record.agreed = Some(*model);
            record.speaker = rank;
        }
        self.put_seat(record, rank, contribution);
        Ok(rank)
    }

    /// Says that the agreed outer step of a round gives something else. Whoever calls vouches with a deposit.
    pub fn challenge(
        &mut self,
        challenger: &A,
        round: u32,
        model: &ModelState,
        now: u32,
    ) -> Result<(), Refusal> {
        let pending = match &mut self.run.pending {
            Some(pending) if pending.round == round => pending,
            _ => return Err(Refusal::NotChallengeable),
        };
        match pending.settling {
            Settling::Window { until } if now < until => {}
            _ => return Err(Refusal::NotChallengeable),
        }
        let agreed = self.store.round(round).and_then(|record| record.agreed);
        if agreed.as_ref() == Some(model) {
            return Err(Refusal::SameModel);
        }
        pending.settling = Settling::Drawing {
            challenger: challenger.clone(),
            failed: 0,
        };
        self.effect(Effect::Announce(Draw {
            round,
            of: Drawn::Panel,
        }));
        Ok(())
    }

    /// Calls the run off: the running round is void, what is agreed on becomes final or not as ever.
    pub fn cancel(&mut self) -> Result<(), Refusal> {
        if self.run.phase.is_ending() || self.run.cancelled {
            return Err(Refusal::Ending);
        }
        self.run.cancelled = true;
        Ok(())
    }
}
