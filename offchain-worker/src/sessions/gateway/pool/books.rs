//! The pool's money: what is held, what may be held soon, and what a further deed would need.

use super::{DeedId, Pool};
use crate::cli::options::format_dot;
use crate::sessions::gateway::facts::{Deed, Outcome};
use chasqui_primitives::{session::SessionId, Balance, CheckpointRoot};
use chasqui_session::AccountId;

/// For how many blocks a transaction may still get in after nothing was heard of it: as long as it is mortal, and some.
const UNSURE_BLOCKS: u32 = 80;

/// What the chain refuses is tried again after one block, then after twice as many each time, up to 64.
const MOST_DOUBLINGS: u32 = 6;

/// Money that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Short {
    /// The sessions would hold more than they may.
    Budget {
        /// What would be needed besides, in planck.
        needed: Balance,
        /// What is held, in planck.
        held: Balance,
        /// What may be, in planck.
        budget: Balance,
    },
    /// The account does not have it.
    Account {
        /// What would be needed, fees included, in planck.
        needed: Balance,
        /// What is free, in planck.
        free: Balance,
    },
}

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dot = |planck: &Balance| format_dot(*planck);
        match self {
            Self::Budget {
                needed,
                held,
                budget,
            } => write!(
                f,
                "its sessions hold {} of a budget of {}, and {} more would be needed",
                dot(held),
                dot(budget),
                dot(needed)
            ),
            Self::Account { needed, free } => write!(
                f,
                "its account has {} free, and {} would be needed",
                dot(free),
                dot(needed)
            ),
        }
    }
}

/// Where a deed stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing was heard of it yet.
    Running,
    /// In a block that is not final yet. Of an opening, the session.
    Included { session: Option<SessionId>, at: u32 },
    /// It may get into a block up to this one, which is known once the chain was looked at.
    Unsure { until: Option<u32> },
}

/// A deed that the finalised chain does not show yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    pub deed: Deed,
    /// What it adds to what is held, in planck.
    pub adds: Balance,
    /// Of a top-up, what the session will have been paid in by then.
    pub paid_in: Balance,
    /// And what the operator's slice will promise.
    pub slice: Option<(AccountId, Balance)>,
    pub progress: Progress,
}

impl Pool {
    /// What all sessions hold by the finalised chain, in planck.
    pub fn held(&self) -> Balance {
        let held = self.sessions.values().map(|slot| slot.facts.held());
        held.fold(0, Balance::saturating_add)
    }

    /// What deeds under way may add, in planck.
    pub fn promised(&self) -> Balance {
        let adds = self.pending.values().map(|pending| pending.adds);
        adds.fold(0, Balance::saturating_add)
    }

    pub(super) fn cost_of_opening(&self) -> Balance {
        self.config.deposit.saturating_add(self.config.storage)
    }

    /// Whether `planck` more may be put into sessions.
    pub(super) fn afford(&self, planck: Balance) -> Result<(), Short> {
        let coming = self.promised();
        let held = self.held().saturating_add(coming);
        if planck > 0 && held.saturating_add(planck) > self.config.budget {
            return Err(Short::Budget {
                needed: planck,
                held,
                budget: self.config.budget,
            });
        }
        let needed = planck.saturating_add(self.config.fees);
        let free = self.free.saturating_sub(coming);
        if needed > free {
            return Err(Short::Account { needed, free });
        }
        Ok(())
    }

    /// What a channel promises, in planck.
    fn promise(&self, session: &SessionId, operator: &AccountId) -> Option<Balance> {
        let members = &self.sessions.get(session)?.facts.members;
        let member = members.iter().find(|one| one.operator == *operator)?;
        Some(member.promised)
    }

    /// What may still be put into sessions.
    pub(super) fn room(&self) -> Balance {
        let coming = self.promised();
        let held = self.held().saturating_add(coming);
        let account = self.free.saturating_sub(coming);
        let account = account.saturating_sub(self.config.fees);
        self.config.budget.saturating_sub(held).min(account)
    }

    /// Notes a deed before it is done.
    pub(super) fn begin(&mut self, deed: Deed) -> (DeedId, Deed) {
        let paid_in = |session: &SessionId| {
            let slot = self.sessions.get(session);
            slot.map_or(0, |slot| slot.facts.paid_in)
        };
        let (adds, paid_in) = match &deed {
            Deed::Open { deposit, .. } => (deposit.saturating_add(self.config.storage), 0),
            Deed::TopUp { session, pay, .. } => (*pay, paid_in(session).saturating_add(*pay)),
            Deed::Renew { .. } | Deed::Close { .. } => (0, 0),
        };
        let slice = match &deed {
            Deed::TopUp {
                session,
                grow: Some((operator, grow)),
                ..
            } => {
                let before = self.promise(session, operator).unwrap_or(0);
                Some((operator.clone(), before.saturating_add(*grow)))
            }
            _ => None,
        };
        let id = self.number();
        let pending = Pending {
            deed: deed.clone(),
            adds,
            paid_in,
            slice,
            progress: Progress::Running,
        };
        self.pending.insert(id, pending);
        (id, deed)
    }

    pub(super) fn settle_deed(&mut self, id: DeedId, outcome: &Outcome) {
        let at = self.block;
        let Some(pending) = self.pending.get_mut(&id) else {
            return;
        };
        match outcome {
            Outcome::Done(session) => {
                let (about, session) = (pending.deed.session(), *session);
                pending.progress = Progress::Included { session, at };
                self.refused.remove(&about);
                // The finalised chain may have shown it before.
                self.account_for(&[]);
            }
            Outcome::Unsure(_) => {
                pending.progress = Progress::Unsure { until: None };
            }
            Outcome::Refused { .. } => {
                // Each try costs a fee.
                let about = pending.deed.session();
                let (refusals, until) = self.refused.entry(about).or_default();
                let blocks = 1u32 << (*refusals).min(MOST_DOUBLINGS);
                *refusals = refusals.saturating_add(1);
                *until = at.saturating_add(blocks);
                self.pending.remove(&id);
            }
        }
    }

    /// Takes down what the finalised chain shows, or what cannot happen any more. `fresh` sessions were seen for the
    /// first time.
    pub(super) fn account_for(&mut self, fresh: &[SessionId]) {
        let mut fresh: Vec<SessionId> = fresh.to_vec();
        // Sessions whose opening is known first: the rest answers for those that nothing was heard of.
        for pending in self.pending.values() {
            if let Progress::Included {
                session: Some(session),
                ..
            } = pending.progress
            {
                fresh.retain(|one| *one != session);
            }
        }
        let (sessions, block, epoch) = (&self.sessions, self.block, self.epoch);
        self.pending.retain(|_, pending| {
            let shown = match &pending.deed {
                Deed::Open { checkpoint, .. } => match pending.progress {
                    Progress::Included {
                        session: Some(session),
                        ..
                    } => sessions.contains_key(&session),
                    Progress::Unsure { .. } => {
                        let ours = |id: &SessionId| {
                            let slot = sessions.get(id);
                            slot.is_some_and(|slot| slot.facts.checkpoint == *checkpoint)
                        };
                        match fresh.iter().position(ours) {
                            Some(place) => {
                                fresh.remove(place);
                                true
                            }
                            None => false,
                        }
                    }
                    _ => false,
                },
                Deed::TopUp { session, .. } => sessions.get(session).is_none_or(|slot| {
                    let grown = pending.slice.as_ref().is_none_or(|(operator, promised)| {
                        let member = slot.facts.members.iter().find(|m| m.operator == *operator);
                        member.is_none_or(|member| member.promised >= *promised)
                    });
                    slot.facts.paid_in >= pending.paid_in && grown
                }),
                Deed::Renew { session } => sessions.get(session).is_none_or(|slot| {
                    slot.facts.drawing || slot.facts.drawn_in.is_some_and(|drawn| drawn >= epoch)
                }),
                Deed::Close { session } => {
                    sessions.get(session).is_none_or(|slot| !slot.facts.open)
                }
            };
            let past = match pending.progress {
                Progress::Running => false,
                // Finality is long past; a block that was replaced took it away.
                Progress::Included { at, .. } => at.saturating_add(UNSURE_BLOCKS) < block,
                Progress::Unsure { until: Some(until) } => until < block,
                Progress::Unsure { until: None } => {
                    let until = Some(block.saturating_add(UNSURE_BLOCKS));
                    pending.progress = Progress::Unsure { until };
                    false
                }
            };
            !shown && !past
        });
    }

    /// Whether a deed may bring a session of this checkpoint, or let one serve more.
    pub(super) fn is_for(&self, pending: &Pending, checkpoint: &CheckpointRoot) -> bool {
        match &pending.deed {
            Deed::Open { checkpoint: of, .. } => of == checkpoint,
            Deed::TopUp { session, .. } | Deed::Renew { session } => {
                let slot = self.sessions.get(session);
                slot.is_some_and(|slot| slot.facts.checkpoint == *checkpoint)
            }
            Deed::Close { .. } => false,
        }
    }

    /// Whether the chain has just refused something about a session, or an opening.
    pub(super) fn is_refused(&self, about: Option<SessionId>) -> bool {
        let refused = self.refused.get(&about);
        refused.is_some_and(|(_, until)| self.block < *until)
    }

    /// Whether something is under way on a session, or was just refused.
    pub(super) fn is_touched(&self, id: &SessionId) -> bool {
        if self.is_refused(Some(*id)) {
            return true;
        }
        self.pending.values().any(|pending| match &pending.deed {
            Deed::Open { .. } => false,
            Deed::TopUp { session, .. } | Deed::Renew { session } | Deed::Close { session } => {
                session == id
            }
        })
    }
}
