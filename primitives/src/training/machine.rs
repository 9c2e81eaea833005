//! A run's machine: where it stands, what members may do now, and what follows for others.
//!
//! Pure: blocks, seeds and verdicts are arguments, records are in a [`Store`], and whatever concerns money, cases or
//! randomness comes out as an [`Effect`]. Two machines that are told the same end in the same state.
//!
//! ```text
//! Forming -> Warmup -> Edge -> Seed -> Train -> Exchange -> Attest -> Tally -> Include -> Draw -> Open -> Audit -> Agree -> Close
//!    ^                  |  ^                                                                                           |
//!    '--- too few ------'  '-------------------------------------- next round ----------------------------------------'
//! Close -> Cooldown -> Disband -> Finished | Failed
//! ```
//!
//! A round that was agreed on waits, beside the next one, until nobody challenges it any more: then it is **final** and
//! paid. The next round is not agreed on before. Calls take O(1) records; whatever concerns all members is done by
//! [`Machine::service`] in steps of O(1) records, so many a block.
//!
//! What always holds, each a property test (`tests/training_machine.rs`):
//!
//! - T1: the pay of all rounds is within the budget; a member is paid at most once a round, and only for work that was
//!   revealed, attested, included and found valid, in a round that became final.
//! - T2: the members of a round change at its edge only; their ranks are a permutation.
//! - T3: the same events lead to the same state.
//! - T4: no seed is asked for before what it decides is fixed: ranks and kept steps after members and data, segments after
//!   reports and included set, a challenge's panel after the challenge.
//! - T5: nobody reveals what it did not commit to, nor what another revealed before.
//! - T6: as blocks, seeds and verdicts come, every run ends; missing verdicts delay it, no more.
//! - T7: whoever is slashed was found false by a case, or voted for a model that a case found false; once for each.
//! - T8: the model changes by agreement and goes back by rollback, to exactly where the round began.
//! - T9: whatever is held is freed, once; a challenger's deposit is decided once.
//! - T10: rounds consume the data stream without gap or overlap.
//! - T11: a member carries on from the last agreed round in which it was accepted.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{
    members::{Exit, List, Member},
    recipe::RunTerms,
    report::{ModelState, ReplayClass, RoundReport},
    round::{Contribution, Judged, Ranks, Round},
    shards::rank_of,
    store::Store,
};
use crate::{audit::Decision, Balance, CaseId, RunId};
use alloc::vec::Vec;
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// How often a case that cannot be opened is tried again before it counts as undecided.
pub const MAX_FAILED_OPENINGS: u8 = 3;

/// Where a run stands. `until` is the first block that is too late.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Phase {
    /// Gathers members.
    #[codec(index = 0)]
    Forming,
    /// Members fetch base and data and say that they are ready.
    #[codec(index = 1)]
    Warmup { until: u32 },
    /// Leavers go; so many slots are still to be looked at.
    #[codec(index = 2)]
    Leavers { left: u32 },
    /// Those who are ready come.
    #[codec(index = 3)]
    Joiners { left: u32 },
    /// Members and data are fixed; the round's seed is awaited.
    #[codec(index = 4)]
    Seed,
    /// Members train, and commit.
    #[codec(index = 5)]
    Train { until: u32 },
    /// Members reveal what they committed to.
    #[codec(index = 6)]
    Exchange { until: u32 },
    /// Members say whose pseudo-gradients they hold.
    #[codec(index = 7)]
    Attest { until: u32 },
    /// Attestations are counted.
    #[codec(index = 8)]
    Tally { cursor: u32 },
    /// Who is included is decided.
    #[codec(index = 9)]
    Include { cursor: u32 },
    /// The included set is fixed; the audits' seed is awaited.
    #[codec(index = 10)]
    Draw,
    /// Cases are opened.
    #[codec(index = 11)]
    Open { cursor: u32 },
    /// Validators judge.
    #[codec(index = 12)]
    Audit { until: u32 },
    /// Members take the outer step and say what it gives.
    #[codec(index = 13)]
    Agree { until: u32 },
    /// The round's duties are counted.
    #[codec(index = 14)]
    Close { cursor: u32, agreed: bool },
    /// No more rounds; the last one may still be challenged.
    #[codec(index = 15)]
    Cooldown { failed: Option<Failure> },
    /// Members are let go.
    #[codec(index = 16)]
    Disband { failed: Option<Failure> },
    #[codec(index = 17)]
    Finished,
    #[codec(index = 18)]
    Failed(Failure),
}

impl Phase {
    /// Whether the run has ended.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Finished | Self::Failed(_))
    }

    /// Whether a round runs.
    pub fn in_round(&self) -> bool {
        matches!(
            self,
            Self::Seed
                | Self::Train { .. }
                | Self::Exchange { .. }
                | Self::Attest { .. }
                | Self::Tally { .. }
                | Self::Include { .. }
                | Self::Draw
                | Self::Open { .. }
                | Self::Audit { .. }
                | Self::Agree { .. }
                | Self::Close { .. }
        )
    }

    fn is_ending(&self) -> bool {
        self.is_over() || matches!(self, Self::Cooldown { .. } | Self::Disband { .. })
    }
}

/// Why a run failed.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Failure {
    /// Too few members for too long.
    #[codec(index = 0)]
    Idle,
    /// Too many void rounds in a row.
    #[codec(index = 1)]
    Void,
    /// No round became final.
    #[codec(index = 2)]
    Nothing,
    /// It was called off.
    #[codec(index = 3)]
    Cancelled,
}

/// A seed that is asked for.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Draw {
    pub round: u32,
    pub of: Drawn,
}

/// What a seed decides.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Drawn {
    /// Ranks and kept steps.
    #[codec(index = 0)]
    Ranks,
    /// Segments that are replayed.
    #[codec(index = 1)]
    Segments,
    /// The panel that judges a challenge.
    #[codec(index = 2)]
    Panel,
}

/// How far a challenge is, and what else an agreed round goes through.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Settling<AccountId> {
    /// It may be challenged.
    #[codec(index = 0)]
    Window { until: u32 },
    /// It was; the panel's seed is awaited. `failed` times no case could be opened.
    #[codec(index = 1)]
    Drawing { challenger: AccountId, failed: u8 },
    /// The case is being opened.
    #[codec(index = 2)]
    Opening { challenger: AccountId, failed: u8 },
    /// Validators take the outer step themselves.
    #[codec(index = 3)]
    InCase {
        challenger: AccountId,
        case: CaseId,
        until: u32,
    },
    /// Final: it is paid.
    #[codec(index = 4)]
    Paying { cursor: u32 },
    /// It is undone. Whoever voted for `convicts` is slashed.
    #[codec(index = 5)]
    Undoing {
        cursor: u32,
        convicts: Option<H256>,
        reporter: Option<AccountId>,
    },
}

/// An agreed round that is not done with.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Pending<AccountId> {
    pub round: u32,
    pub settling: Settling<AccountId>,
}

/// The newest final round.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Final {
    pub round: u32,
    pub model: ModelState,
}

/// A run's head: everything that is not by member or by round.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Run<AccountId> {
    pub phase: Phase,
    /// Block in which the run began to gather members, last.
    pub forming_since: u32,
    /// Block of the last agreed round, or of the run's creation.
    pub idle_since: u32,
    /// Number of the round that runs, or of the next one.
    pub round: u32,
    /// Where the next round's data begin.
    pub next_sequence: u64,
    /// Lengths of the lists.
    pub active: u32,
    pub waiting: u32,
    pub banned: u32,
    /// Of those who wait, how many are ready.
    pub ready: u32,
    /// The agreed model; `None`: the run's start.
    pub model: Option<ModelState>,
    pub pending: Option<Pending<AccountId>>,
    pub settled: Option<Final>,
    /// Rounds that became final.
    pub finals: u32,
    /// The model that the running round began from was undone.
    pub doomed: bool,
    pub cancelled: bool,
    /// Void rounds in a row.
    pub voids: u32,
    /// What was paid, in planck.
    pub paid: Balance,
}

impl<AccountId> Run<AccountId> {
    /// A run that begins to gather members.
    pub fn new(now: u32) -> Self {
        Self {
            phase: Phase::Forming,
            forming_since: now,
            idle_since: now,
            round: 0,
            next_sequence: 0,
            active: 0,
            waiting: 0,
            banned: 0,
            ready: 0,
            model: None,
            pending: None,
            settled: None,
            finals: 0,
            doomed: false,
            cancelled: false,
            voids: 0,
            paid: 0,
        }
    }

    /// How many are in a list.
    pub fn len(&self, list: List) -> u32 {
        match list {
            List::Active => self.active,
            List::Waiting => self.waiting,
            List::Banned => self.banned,
        }
    }

    pub(super) fn len_mut(&mut self, list: List) -> &mut u32 {
        match list {
            List::Active => &mut self.active,
            List::Waiting => &mut self.waiting,
            List::Banned => &mut self.banned,
        }
    }
}

/// What follows from an event for others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect<AccountId> {
    /// A seed that does not exist yet decides this: it goes to [`Machine::seed`].
    Announce(Draw),
    /// A case about a member's round: how that went goes to [`Machine::opened`], how it ends to [`Machine::verdict`].
    OpenCase {
        round: u32,
        rank: u32,
        who: AccountId,
    },
    /// A case about a round's outer step: how that went goes to [`Machine::challenge_opened`], how it ends to
    /// [`Machine::challenge_verdict`]. `accused` voted for the agreed model, like others.
    OpenChallenge {
        round: u32,
        seed: H256,
        challenger: AccountId,
        accused: AccountId,
    },
    /// Its bond answers for what it did in a round; fails the call where it cannot.
    Hold(AccountId),
    /// One hold less.
    Free(AccountId),
    /// A duty kept or missed.
    Duty {
        who: AccountId,
        kept: bool,
    },
    /// Proven false.
    Slash {
        who: AccountId,
        round: u32,
        reporter: Option<AccountId>,
    },
    /// For an accepted round.
    Pay {
        who: AccountId,
        round: u32,
        amount: Balance,
        units: u64,
    },
    /// The challenger's deposit is decided.
    Deposit {
        challenger: AccountId,
        back: bool,
    },
    /// Takes part from the next round on.
    Activated(AccountId),
    Dropped {
        who: AccountId,
        exit: Exit,
    },
    /// A round's members and data are fixed.
    RoundBegan {
        round: u32,
        members: u32,
        first_sequence: u64,
    },
    RoundAgreed {
        round: u32,
        model: ModelState,
    },
    RoundVoid {
        round: u32,
    },
    RoundFinal {
        round: u32,
        model: ModelState,
    },
    RoundUndone {
        round: u32,
    },
    /// The run's budget is no longer needed.
    Ended(Option<Failure>),
}

/// Why the machine does not allow something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The run does not take members any more.
    Ending,
    /// It has as many as it may.
    Full,
    AlreadyMember,
    /// It was proven false in this run.
    Banned,
    NotMember,
    /// Leaves already.
    Leaving,
    /// Another round runs, or none.
    OtherRound,
    /// Not in this phase, or too late.
    WrongPhase,
    AlreadyCommitted,
    NotCommitted,
    AlreadyRevealed,
    NotRevealed,
    /// Report and salt do not hash to the commitment.
    Mismatch,
    /// Another member revealed the same pseudo-gradient or kept states.
    Duplicate,
    /// Not the leaves, tokens or units of this recipe.
    ReportShape,
    /// Not as many ranks as members.
    RanksShape,
    AlreadyAttested,
    AlreadyAgreed,
    /// It was proven false, and is out from the next edge on.
    Convicted,
    /// No agreed round can be challenged, or not this one, or it is challenged already.
    NotChallengeable,
    /// The challenge says what was agreed on.
    SameModel,
    /// No such case is open.
    NoCase,
    /// That seed is not awaited.
    NotAwaited,
}

/// A run with its records, for as long as one event takes.
pub struct Machine<'a, AccountId, S> {
    pub run: Run<AccountId>,
    pub effects: Vec<Effect<AccountId>>,
    pub(super) id: RunId,
    pub(super) genesis: H256,
    pub(super) terms: &'a RunTerms,
    pub(super) store: &'a mut S,
}

impl<'a, A: Clone + PartialEq + Encode, S: Store<A>> Machine<'a, A, S> {
    pub fn new(
        genesis: H256,
        id: RunId,
        terms: &'a RunTerms,
        run: Run<A>,
        store: &'a mut S,
    ) -> Self {
        Self {
            run,
            effects: Vec::new(),
            id,
            genesis,
            terms,
            store,
        }
    }

    pub(super) fn effect(&mut self, effect: Effect<A>) {
        self.effects.push(effect);
    }

    // --- lists ---

    pub(super) fn attach(&mut self, who: &A, mut member: Member, list: List) {
        member.list = list;
        member.slot = self.run.len(list);
        self.store.set_at(list, member.slot, Some(who));
        let len = self.run.len_mut(list);
        *len = len.saturating_add(1);
        if list == List::Waiting && member.ready {
            self.run.ready = self.run.ready.saturating_add(1);
        }
        self.store.set_member(who, Some(member));
    }

    /// Takes a member off its list; the last one of it takes its place. Its record is the caller's to store.
    pub(super) fn detach(&mut self, member: &Member) {
        let last = self.run.len(member.list).saturating_sub(1);
        if member.list == List::Waiting && member.ready {
            self.run.ready = self.run.ready.saturating_sub(1);
        }
        if let Some(moved) = self.store.at(member.list, last) {
            if last != member.slot {
                self.store.set_at(member.list, member.slot, Some(&moved));
                if let Some(mut other) = self.store.member(&moved) {
                    other.slot = member.slot;
                    self.store.set_member(&moved, Some(other));
                }
            }
        }
        self.store.set_at(member.list, last, None);
        *self.run.len_mut(member.list) = last;
    }

    /// Lets a member go at once; only where no round runs, or from another list than the active one.
    pub(super) fn drop_member(&mut self, who: &A, member: &Member, exit: Exit) {
        self.detach(member);
        self.store.set_member(who, None);
        self.effect(Effect::Dropped {
            who: who.clone(),
            exit,
        });
    }

    /// Puts somebody out of the run for good; who takes part in a round, at its end.
    pub(super) fn convict(&mut self, who: &A) {
        if self.run.phase.is_over() {
            return;
        }
        match self.store.member(who) {
            Some(mut member) if member.list == List::Active => {
                member.exit = Some(Exit::Convicted);
                self.store.set_member(who, Some(member));
            }
            Some(member) if member.list == List::Waiting => {
                self.detach(&member);
                self.attach(who, member, List::Banned);
                self.effect(Effect::Dropped {
                    who: who.clone(),
                    exit: Exit::Convicted,
                });
            }
            Some(_) => {}
            None => self.attach(who, Member::new(H256::zero(), 0, 0), List::Banned),
        }
    }

    // --- members' calls ---

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

    // --- answers to effects ---

    /// A seed that was announced.
    pub fn seed(&mut self, draw: Draw, seed: H256, now: u32) -> Result<(), Refusal> {
        match draw.of {
            Drawn::Ranks | Drawn::Segments if draw.round != self.run.round => {
                Err(Refusal::NotAwaited)
            }
            Drawn::Ranks if self.run.phase == Phase::Seed => {
                self.begin_training(seed, now);
                Ok(())
            }
            Drawn::Segments if self.run.phase == Phase::Draw => {
                let round = draw.round;
                let mut record = self.store.round(round).ok_or(Refusal::NotAwaited)?;
                record.audit_seed = Some(seed);
                self.store.set_round(round, Some(record));
                self.run.phase = Phase::Open { cursor: 0 };
                Ok(())
            }
            Drawn::Panel => self.panel_seed(draw.round, seed),
            _ => Err(Refusal::NotAwaited),
        }
    }

    /// Whether a seed is still awaited.
    pub fn awaits(&self, draw: &Draw) -> bool {
        match draw.of {
            Drawn::Ranks => draw.round == self.run.round && self.run.phase == Phase::Seed,
            Drawn::Segments => draw.round == self.run.round && self.run.phase == Phase::Draw,
            Drawn::Panel => self.run.pending.as_ref().is_some_and(|pending| {
                pending.round == draw.round && matches!(pending.settling, Settling::Drawing { .. })
            }),
        }
    }

    fn panel_seed(&mut self, round: u32, seed: H256) -> Result<(), Refusal> {
        let speaker = self.store.round(round).map(|record| record.speaker);
        let accused = speaker
            .and_then(|rank| self.store.contribution(round, rank))
            .map(|contribution| contribution.who)
            .ok_or(Refusal::NotAwaited)?;
        let pending = match &mut self.run.pending {
            Some(pending) if pending.round == round => pending,
            _ => return Err(Refusal::NotAwaited),
        };
        let Settling::Drawing { challenger, failed } = pending.settling.clone() else {
            return Err(Refusal::NotAwaited);
        };
        pending.settling = Settling::Opening {
            challenger: challenger.clone(),
            failed,
        };
        self.effect(Effect::OpenChallenge {
            round,
            seed,
            challenger,
            accused,
        });
        Ok(())
    }

    /// How it went to open a case about a member's round.
    pub fn opened(&mut self, round: u32, rank: u32, case: Option<CaseId>) -> Result<(), Refusal> {
        let mut record = self.store.round(round).ok_or(Refusal::NoCase)?;
        let mut contribution = self
            .store
            .contribution(round, rank)
            .ok_or(Refusal::NoCase)?;
        let Judged::Opening { failed } = contribution.judged else {
            return Err(Refusal::NoCase);
        };
        contribution.judged = match case {
            Some(case) => {
                record.open = record.open.saturating_add(1);
                Judged::Open(case)
            }
            None if failed.saturating_add(1) < MAX_FAILED_OPENINGS => Judged::Included {
                failed: failed.saturating_add(1),
            },
            None => Judged::Refused,
        };
        if !matches!(contribution.judged, Judged::Included { .. }) {
            record.unopened = record.unopened.saturating_sub(1);
        }
        self.store.set_contribution(round, rank, Some(contribution));
        self.store.set_round(round, Some(record));
        Ok(())
    }

    /// How a case about a member's round ended, be it in time or not.
    pub fn verdict(
        &mut self,
        round: u32,
        rank: u32,
        case: CaseId,
        decision: Decision,
    ) -> Result<(), Refusal> {
        let mut record = self.store.round(round).ok_or(Refusal::NoCase)?;
        let mut contribution = self
            .store
            .contribution(round, rank)
            .ok_or(Refusal::NoCase)?;
        if contribution.judged != Judged::Open(case) {
            return Err(Refusal::NoCase);
        }
        record.open = record.open.saturating_sub(1);
        contribution.judged = match decision {
            Decision::Valid if !record.fixed => {
                record.accepted = record.accepted.saturating_add(1);
                Judged::Accepted
            }
            Decision::Hard(_) => {
                self.effect(Effect::Slash {
                    who: contribution.who.clone(),
                    round,
                    reporter: None,
                });
                self.convict(&contribution.who);
                Judged::Convicted
            }
            Decision::Valid | Decision::Soft | Decision::Undecided => Judged::Refused,
        };
        if contribution.swept {
            self.remove_contribution(round, rank, &contribution, &mut record);
        } else {
            self.store.set_contribution(round, rank, Some(contribution));
        }
        self.put_round(round, record);
        Ok(())
    }

    /// How it went to open a case about a challenged round.
    pub fn challenge_opened(
        &mut self,
        round: u32,
        case: Option<CaseId>,
        now: u32,
    ) -> Result<(), Refusal> {
        let pending = match &mut self.run.pending {
            Some(pending) if pending.round == round => pending,
            _ => return Err(Refusal::NoCase),
        };
        let Settling::Opening { challenger, failed } = pending.settling.clone() else {
            return Err(Refusal::NoCase);
        };
        let failed = failed.saturating_add(1);
        match case {
            Some(case) => {
                let blocks = self.terms.timing.audit_blocks.saturating_mul(2);
                pending.settling = Settling::InCase {
                    challenger,
                    case,
                    until: now.saturating_add(blocks),
                };
            }
            None if failed < MAX_FAILED_OPENINGS => {
                pending.settling = Settling::Drawing { challenger, failed };
                self.effect(Effect::Announce(Draw {
                    round,
                    of: Drawn::Panel,
                }));
            }
            None => self.decide_challenge(round, challenger, Decision::Undecided),
        }
        Ok(())
    }

    /// How a case about a challenged round ended: `Valid` means that the agreed model is right.
    pub fn challenge_verdict(
        &mut self,
        round: u32,
        case: CaseId,
        decision: Decision,
    ) -> Result<(), Refusal> {
        match self.run.pending.clone() {
            Some(Pending {
                round: of,
                settling:
                    Settling::InCase {
                        challenger,
                        case: open,
                        ..
                    },
            }) if of == round && open == case => {
                self.decide_challenge(round, challenger, decision);
                Ok(())
            }
            _ => Err(Refusal::NoCase),
        }
    }
}
