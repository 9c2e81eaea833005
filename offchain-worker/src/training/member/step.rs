//! What a member does now: a function of what the chain says and of what its folder holds, so that a worker that was
//! killed at any moment does what one that was not would do.

use chasqui_primitives::training::{Exit, Judged, List, ModelState, Phase, RoundReport};

use super::{books::Sealed, facts::Facts};

/// What the member's machine holds, as far as it bears on what to do.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Base and data are here, and loaded.
    pub prepared: bool,
    /// The round that it stands before, as the chain has it.
    pub stands: Option<u32>,
    /// The report of the running round, once it is trained.
    pub report: Option<RoundReport>,
    /// What it commits to for the running round, on disk.
    pub sealed: Option<Sealed>,
    /// What the outer step of the running round gives, once it was taken.
    pub outcome: Option<ModelState>,
    /// What the outer step of the agreed round gave here.
    pub disputes: Option<ModelState>,
    /// Whether it has challenged that round.
    pub challenged: bool,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing more in this run, but to serve what its open rounds may still ask for.
    Linger(Gone),
    /// Fetch base and data, and load them.
    Prepare,
    /// Say that they are here.
    Heartbeat,
    /// Take up the model that the running round begins from.
    Stand,
    /// Train.
    Train,
    /// Write down what is committed to, and commit.
    Commit,
    /// Reveal it.
    Reveal,
    /// Fetch the others' pseudo-gradients, and say which came.
    Attest,
    /// Take the outer step.
    Outer,
    /// Say what it gives.
    Agree,
    /// Say that the agreed model is false.
    Challenge,
    /// Nothing until the chain moves on.
    Wait(Waiting),
}

/// Why a run is over for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// The run has ended.
    Over,
    /// It is no member, or no longer.
    NotMember,
    /// It was proven false.
    Banned,
}

/// What a member waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The run gathers members, or a round is about to begin.
    ForRound,
    /// It did its part; the others have not, or validators judge.
    ForOthers,
    /// The round's time for this is over.
    TooLate(&'static str),
    /// It takes no part in this round.
    Skips(&'static str),
}

/// Whether something sent now is in time, where `until` is the first block that is too late.
fn in_time(facts: &Facts, until: u32) -> bool {
    // What is sent at a block is in the next one at the earliest.
    facts.block.saturating_add(1) < until
}

/// Whether two members computed the same; the checkpoint that they say it makes is not what a challenge decides about.
pub fn same_model(a: &ModelState, b: &ModelState) -> bool {
    (a.hash, a.params, a.momentum) == (b.hash, b.params, b.momentum)
}

/// What to do now.
pub fn next(facts: &Facts, held: &Held, may_challenge: bool) -> Step {
    let Some(member) = facts.member else {
        return Step::Linger(match facts.run.phase.is_over() {
            true => Gone::Over,
            false => Gone::NotMember,
        });
    };
    if facts.run.phase.is_over() {
        return Step::Linger(Gone::Over);
    }
    if may_challenge && disputes(facts, held) {
        return Step::Challenge;
    }
    if member.list == List::Banned {
        return Step::Linger(Gone::Banned);
    }
    if member.exit == Some(Exit::Convicted) {
        return Step::Wait(Waiting::Skips("it was proven false"));
    }
    if !held.prepared {
        return Step::Prepare;
    }
    if member.list == List::Waiting && !member.ready {
        return Step::Heartbeat;
    }
    match member.list {
        List::Active => in_round(facts, held),
        List::Waiting | List::Banned => Step::Wait(Waiting::ForRound),
    }
}

/// Whether the agreed round gives another model than this member computed, and that can still be said.
fn disputes(facts: &Facts, held: &Held) -> bool {
    let agreed = facts.pending.as_ref().and_then(|round| round.record.agreed);
    let (Some(agreed), Some(own)) = (agreed, held.disputes) else {
        return false;
    };
    let open = facts.challengeable_until();
    !held.challenged
        && !same_model(&agreed, &own)
        && open.is_some_and(|until| in_time(facts, until))
}

fn in_round(facts: &Facts, held: &Held) -> Step {
    let Some(round) = &facts.round else {
        return Step::Wait(Waiting::ForRound);
    };
    let stands = held.stands == Some(round.number);
    let own = facts.own();
    let committed = own.is_some_and(|own| own.commitment.is_some());
    let report = own.and_then(|own| own.report);
    match facts.run.phase {
        Phase::Seed if !stands => Step::Stand,
        Phase::Train { .. } if committed => Step::Wait(Waiting::ForOthers),
        Phase::Train { until } if !in_time(facts, until) => {
            Step::Wait(Waiting::TooLate("training took too long"))
        }
        Phase::Train { .. } if held.sealed.is_some() => Step::Commit,
        Phase::Train { .. } if !stands => Step::Stand,
        Phase::Train { .. } if held.report.is_some() => Step::Commit,
        Phase::Train { .. } => Step::Train,
        Phase::Exchange { .. } if !committed => Step::Wait(Waiting::Skips("it did not commit")),
        Phase::Exchange { .. } if report.is_some() => Step::Wait(Waiting::ForOthers),
        Phase::Exchange { until } if !in_time(facts, until) => {
            Step::Wait(Waiting::TooLate("revealing"))
        }
        Phase::Exchange { .. } => {
            let commitment = own.and_then(|own| own.commitment);
            match held.sealed {
                Some(sealed) if Some(sealed.commitment) == commitment => Step::Reveal,
                _ => Step::Wait(Waiting::Skips(
                    "what it committed to is not in its state folder",
                )),
            }
        }
        Phase::Attest { .. } if report.is_none() => Step::Wait(Waiting::Skips("it did not reveal")),
        Phase::Attest { .. } if own.is_some_and(|own| own.attests.is_some()) => {
            Step::Wait(Waiting::ForOthers)
        }
        Phase::Attest { until } if !in_time(facts, until) => {
            Step::Wait(Waiting::TooLate("attesting"))
        }
        Phase::Attest { .. } => Step::Attest,
        Phase::Agree { .. } if own.is_some_and(|own| own.vote.is_some()) => {
            Step::Wait(Waiting::ForOthers)
        }
        Phase::Agree { .. } if own.is_some_and(|own| own.judged == Judged::Convicted) => {
            Step::Wait(Waiting::Skips("it was proven false"))
        }
        Phase::Agree { until } if !in_time(facts, until) => {
            Step::Wait(Waiting::TooLate("the outer step"))
        }
        Phase::Agree { .. } if held.outcome.is_some() => Step::Agree,
        Phase::Agree { .. } if !stands => Step::Stand,
        Phase::Agree { .. } => Step::Outer,
        _ => Step::Wait(Waiting::ForOthers),
    }
}
