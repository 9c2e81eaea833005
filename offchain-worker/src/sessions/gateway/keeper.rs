//! Keeps the pool true to the chain, and does on the chain what the pool plans.

use super::{
    facts::{Deed, Facts, Outcome},
    pool::DeedId,
    Shared,
};
use chasqui_gateway::live::{ChainUpdate, SessionState};
use chasqui_primitives::{Balance, DOT};
use std::{sync::Arc, time::Duration};

/// How often the chain is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// After so many failed looks in a row it is said again.
const SAY_EVERY: u32 = 40;

impl Shared {
    /// Looks and acts until the gateway stops.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut failures = 0u32;
        loop {
            match self.look().await {
                Ok(_) => failures = 0,
                Err(error) => {
                    if failures.is_multiple_of(SAY_EVERY) {
                        tracing::warn!(
                            error = format!("{error:#}"),
                            "the chain cannot be read; sessions go on as they were"
                        );
                    }
                    failures = failures.saturating_add(1);
                }
            }
            // On old facts a plan would only be refused, or forgotten.
            if failures == 0 {
                self.act();
            }
            self.show();
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.kick.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Takes in a new block, if there is one.
    pub(super) async fn look(self: &Arc<Self>) -> anyhow::Result<bool> {
        let Some(facts) = self.treasury.look().await? else {
            return Ok(false);
        };
        self.offer(&facts);
        let gone = self.pool().observe(&facts, self.now());
        let unread = self.pool().unread();
        for (session, operator) in unread {
            // What was spent, what is still in flight, and what was found out before a restart, is in the journal.
            self.accuse(session, operator.clone());
            if self.read_books(&session, &operator).await {
                self.recover(session, operator, 0);
            }
        }
        for session in &facts.sessions {
            self.show_session(&session.id);
        }
        for session in gone {
            self.publish(SessionState::gone(format!("{session:?}")));
            let journal = self.client.journal().clone();
            let forgotten = tokio::task::spawn_blocking(move || journal.forget(&session)).await;
            if let Ok(Err(error)) = forgotten {
                tracing::warn!(%error, "a session that is over stays in the journal");
            }
        }
        self.changed.notify_waiters();
        Ok(true)
    }

    /// Prices may have changed, and a checkpoint may take no payment any more.
    fn offer(&self, facts: &Facts) {
        let offered = |described: &super::model::Described| {
            let of = |offer: &&super::facts::Offer| offer.checkpoint == described.checkpoint;
            described.offered(facts.offers.iter().find(of)?)
        };
        let models: Vec<_> = self.described.iter().filter_map(offered).collect();
        *self.models.write().unwrap_or_else(|e| e.into_inner()) = models;
        let mut terms = self.terms.write().unwrap_or_else(|e| e.into_inner());
        for offer in &facts.offers {
            terms.insert(offer.checkpoint, offer.terms.clone());
        }
    }

    /// Starts what the pool plans.
    fn act(self: &Arc<Self>) {
        let deeds = self.pool().plan(self.now());
        for (id, deed) in deeds {
            let shared = self.clone();
            tokio::spawn(async move { shared.perform(id, deed).await });
        }
    }

    pub(super) async fn perform(self: Arc<Self>, id: DeedId, deed: Deed) -> Outcome {
        tracing::debug!(?deed, "on the chain");
        let outcome = self.treasury.act(&deed).await;
        let ended = match &outcome {
            Outcome::Done(_) => {
                tracing::info!(deed = %told(&deed), "done");
                "done"
            }
            Outcome::Refused { reason, .. } => {
                tracing::warn!(deed = %told(&deed), reason, "the chain refuses it");
                "refused"
            }
            Outcome::Unsure(reason) => {
                tracing::warn!(deed = %told(&deed), reason, "not known whether it was done");
                "unsure"
            }
        };
        let counter = self.metrics.deeds.with_label_values(&[deed.name(), ended]);
        counter.inc();
        *self.last.lock().unwrap_or_else(|e| e.into_inner()) = match &outcome {
            Outcome::Refused { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        self.pool().ended(id, &outcome);
        self.changed.notify_waiters();
        outcome
    }

    /// Brings gauges and the live page up to date.
    fn show(&self) {
        let pool = self.pool();
        self.metrics.held.set(dot(pool.held()));
        for described in &self.described {
            let root = described.checkpoint;
            for (state, count) in [("ready", pool.ready(&root)), ("busy", pool.busy(&root))] {
                let labels = [described.id(), state];
                let gauge = self.metrics.sessions.with_label_values(&labels);
                gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        drop(pool);
        let now = std::time::Instant::now();
        let avoided = self.operators().avoided(now);
        let avoided = i64::try_from(avoided).unwrap_or(i64::MAX);
        self.metrics.avoided.set(avoided);
    }

    /// Tells the live page of a session.
    pub(super) fn publish(&self, state: SessionState) {
        if let Some(live) = &self.live {
            live.publish(ChainUpdate::Session(state));
        }
    }

    /// Closes every session, and waits for the chain to take it.
    pub async fn close_all(self: &Arc<Self>) {
        let deeds = self.pool().close_all();
        let tasks: Vec<_> = deeds
            .into_iter()
            .map(|(id, deed)| tokio::spawn(self.clone().perform(id, deed)))
            .collect();
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "closing a session");
            }
        }
    }
}

fn told(deed: &Deed) -> String {
    use crate::cli::options::format_dot;
    match deed {
        Deed::Open {
            checkpoint,
            deposit,
        } => format!(
            "open a session for {checkpoint:?} with {}",
            format_dot(*deposit)
        ),
        Deed::TopUp { session, pay, grow } => {
            let grown = grow.as_ref().map(|(operator, amount)| {
                format!(", the slice of {operator} by {}", format_dot(*amount))
            });
            format!(
                "top {session:?} up by {}{}",
                format_dot(*pay),
                grown.unwrap_or_default()
            )
        }
        Deed::Renew { session } => format!("another committee for {session:?}"),
        Deed::Close { session } => format!("close {session:?}"),
    }
}

/// Planck as DOT, for gauges.
pub(super) fn dot(planck: Balance) -> f64 {
    planck as f64 / DOT as f64
}
