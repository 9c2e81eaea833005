//! What to do on the chain, so that requests find sessions: open ahead of need, fill up, renew, close.

use super::{DeedId, Millis, Pool, Slot};
use crate::sessions::gateway::facts::Deed;
use chasqui_primitives::{session::SessionId, Balance, CheckpointRoot};

/// Most openings of a checkpoint at once.
const OPENINGS: usize = 4;

impl Pool {
    /// What to do now. Each must be done, and [`Pool::ended`] be told.
    pub fn plan(&mut self, now: Millis) -> Vec<(DeedId, Deed)> {
        let roots: Vec<CheckpointRoot> = self.lines.keys().copied().collect();
        let mut deeds = Vec::new();
        for root in roots {
            self.plan_needs(&root, &mut deeds);
            self.plan_openings(&root, now, &mut deeds);
            self.plan_care(&root, &mut deeds);
            self.plan_closing(&root, now, &mut deeds);
        }
        deeds
    }

    /// How many sessions of a checkpoint there should be: one more than were needed lately.
    fn wanted(&mut self, root: &CheckpointRoot, now: Millis) -> usize {
        self.note_demand(root, now);
        let peak = self.lines.get(root).map_or(0, |line| line.peak.0);
        let spare = usize::from(peak > 0);
        let wanted = peak.saturating_add(spare).max(1);
        wanted.min(self.config.most_sessions)
    }

    fn of<'a>(&'a self, root: &'a CheckpointRoot) -> impl Iterator<Item = &'a Slot> {
        let all = self.sessions.values();
        all.filter(move |slot| slot.facts.checkpoint == *root)
    }

    fn plan_openings(
        &mut self,
        root: &CheckpointRoot,
        now: Millis,
        deeds: &mut Vec<(DeedId, Deed)>,
    ) {
        let wanted = self.wanted(root, now);
        loop {
            let openings = self
                .pending
                .values()
                .filter(
                    |one| matches!(&one.deed, Deed::Open { checkpoint, .. } if checkpoint == root),
                )
                .count();
            let serving = self.of(root).filter(|slot| slot.counts()).count();
            let open = self.open_count(root).saturating_add(openings);
            let enough = serving.saturating_add(openings) >= wanted;
            if enough || open >= self.config.most_sessions || openings >= OPENINGS {
                return;
            }
            if self.is_refused(None) || self.afford(self.cost_of_opening()).is_err() {
                return;
            }
            let deposit = self.config.deposit;
            let deed = self.begin(Deed::Open {
                checkpoint: *root,
                deposit,
            });
            deeds.push(deed);
        }
    }

    /// A request that no session covers lets one grow.
    fn plan_needs(&mut self, root: &CheckpointRoot, deeds: &mut Vec<(DeedId, Deed)>) {
        let line = self.lines.get(root);
        let need = line.and_then(|line| line.waiting.values().max().copied());
        let Some(need) = need else {
            return;
        };
        let largest = |slot: &Slot| {
            let left = slot.living().map(|member| slot.left(member));
            left.max().unwrap_or(0)
        };
        let open = |slot: &&Slot| slot.facts.open && slot.living().next().is_some();
        if self.of(root).filter(open).any(|slot| largest(slot) >= need) {
            return;
        }
        let grows = self
            .pending
            .values()
            .any(|one| matches!(one.deed, Deed::TopUp { .. }) && self.is_for(one, root));
        let best = self.of(root).filter(open).max_by_key(|slot| largest(slot));
        let Some(session) = best.map(|slot| slot.facts.id).filter(|_| !grows) else {
            return;
        };
        if !self.is_touched(&session) {
            let spare = self.config.deposit / 10;
            deeds.extend(self.fill(&session, need, spare));
        }
    }

    /// Sessions that run low grow, and those without an operator get another committee.
    fn plan_care(&mut self, root: &CheckpointRoot, deeds: &mut Vec<(DeedId, Deed)>) {
        let low = self.config.deposit / 10;
        let sessions: Vec<SessionId> = self
            .of(root)
            .filter(|slot| slot.facts.open && !slot.facts.drawing)
            .map(|slot| slot.facts.id)
            .collect();
        for id in sessions {
            let Some(slot) = self.sessions.get(&id) else {
                continue;
            };
            if self.is_touched(&id) || slot.is_unread() {
                continue;
            }
            let left = slot.living().map(|member| slot.left(member)).max();
            match left {
                None if slot.facts.drawn_in.is_none_or(|drawn| drawn < self.epoch) => {
                    deeds.extend(self.renew(&id));
                }
                Some(left) if left < low => {
                    deeds.extend(self.fill(&id, low, self.config.deposit / 2));
                }
                _ => {}
            }
        }
    }

    /// Another committee shares what is free: some of it has to be there.
    fn renew(&mut self, id: &SessionId) -> Option<(DeedId, Deed)> {
        let slot = self.sessions.get(id)?;
        let lacks = (self.config.deposit / 2).saturating_sub(slot.facts.unsliced);
        let pay = lacks.min(self.room());
        if pay > 0 {
            let session = *id;
            let grow = None;
            return Some(self.begin(Deed::TopUp { session, pay, grow }));
        }
        let some = slot.facts.unsliced > 0 && self.afford(0).is_ok();
        some.then(|| self.begin(Deed::Renew { session: *id }))
    }

    /// Lets the slice that covers most grow to `need`, and by `spare` beyond it where there is money.
    fn fill(&mut self, id: &SessionId, need: Balance, spare: Balance) -> Option<(DeedId, Deed)> {
        let slot = self.sessions.get(id)?;
        let best = slot
            .living()
            .filter(|member| !self.shunned.contains(&member.operator))
            .enumerate()
            // Of equals the first.
            .max_by_key(|(place, member)| (slot.left(member), usize::MAX - place))?
            .1;
        let lacks = need.saturating_sub(slot.left(best));
        let most = lacks.saturating_add(spare);
        let unsliced = slot.facts.unsliced;
        let pay = most.saturating_sub(unsliced).min(self.room());
        let grow = most.min(unsliced.saturating_add(pay));
        if grow < lacks || grow == 0 || self.afford(pay).is_err() {
            return None;
        }
        let grow = Some((best.operator.clone(), grow));
        let session = *id;
        Some(self.begin(Deed::TopUp { session, pay, grow }))
    }

    /// One session that nobody needed for long is closed, where that forfeits nothing.
    fn plan_closing(
        &mut self,
        root: &CheckpointRoot,
        now: Millis,
        deeds: &mut Vec<(DeedId, Deed)>,
    ) {
        let wanted = self.wanted(root, now);
        let serving = self.of(root).filter(|slot| slot.counts()).count();
        if serving <= wanted {
            return;
        }
        let linger = self.config.linger;
        let idle = |slot: &&Slot| {
            slot.facts.open
                && !slot.busy
                && !slot.facts.drawing
                && slot.stuck.is_empty()
                && slot.used.saturating_add(linger) <= now
                && slot.facts.has_spent_enough()
        };
        // The newest first: requests go to the oldest.
        let surplus = self.of(root).filter(idle).max_by_key(|slot| slot.order);
        let session = surplus.map(|slot| slot.facts.id);
        if let Some(session) = session.filter(|id| !self.is_touched(id)) {
            deeds.push(self.begin(Deed::Close { session }));
        }
    }

    /// Closes every open session: those that serve somebody too.
    pub fn close_all(&mut self) -> Vec<(DeedId, Deed)> {
        let open: Vec<SessionId> = self
            .sessions
            .values()
            .filter(|slot| slot.facts.open)
            .map(|slot| slot.facts.id)
            .collect();
        open.into_iter()
            .map(|session| self.begin(Deed::Close { session }))
            .collect()
    }
}
