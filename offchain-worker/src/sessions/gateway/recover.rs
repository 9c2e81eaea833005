//! Requests in flight that nobody follows any more: after a failure, a hang-up that was not confirmed, or a restart.
//!
//! A channel serves nothing while it waits for a receipt, so each is asked for again until it is there. It is hung up where
//! its client was: what the operator has sent by then is paid, the rest is never computed.

use super::{blame::Blame, Shared};
use chasqui_primitives::session::SessionId;
use chasqui_session::{
    client::{Answer, Output},
    AccountId, ClientError,
};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// Pauses between tries: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

impl Shared {
    /// Reads what a channel cost by its journal into the pool. Returns whether something is in flight on it.
    pub(super) async fn read_books(&self, session: &SessionId, operator: &AccountId) -> bool {
        let journal = self.client.journal().clone();
        let (of, by) = (*session, operator.clone());
        let read = tokio::task::spawn_blocking(move || journal.spent(&of, &by));
        match read.await {
            Ok(Ok((receipted, in_flight))) => {
                let spent = receipted.saturating_add(in_flight);
                self.pool().spent(session, operator, spent);
                in_flight > 0
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "reading the journal");
                false
            }
            Err(error) => {
                tracing::error!(%error, "reading the journal");
                false
            }
        }
    }

    /// Has a channel's request in flight resolved in the background. Its client got `tokens` of it.
    pub(super) fn recover(
        self: &Arc<Self>,
        session: SessionId,
        operator: AccountId,
        tokens: usize,
    ) {
        self.pool().stick(&session, &operator);
        self.metrics.stuck.inc();
        let shared = self.clone();
        tokio::spawn(async move {
            let resolved = tokio::select! {
                resolved = shared.resolve(&session, &operator, tokens) => resolved,
                () = shared.stop.cancelled() => return,
            };
            if !resolved {
                shared.pool().lose(&session, &operator);
            }
            shared.read_books(&session, &operator).await;
            // A receipt that was refused before may contradict the one that came now.
            shared.accuse(session, operator.clone());
            shared.pool().unstick(&session, &operator);
            shared.metrics.stuck.dec();
            shared.changed.notify_waiters();
        });
    }

    /// Nobody waits for this request any more. Whether anything was signed is known when it has ended; until then the
    /// channel serves nothing.
    pub(super) fn abandon(
        self: &Arc<Self>,
        asking: JoinHandle<Result<Answer, ClientError>>,
        session: SessionId,
        operator: AccountId,
    ) {
        self.pool().stick(&session, &operator);
        let shared = self.clone();
        tokio::spawn(async move {
            // An answer that has begun is dropped: the operator stops.
            drop(asking.await);
            shared.recover(session, operator, 0);
        });
    }

    /// Whether the channel can go on.
    async fn resolve(
        self: &Arc<Self>,
        session: &SessionId,
        operator: &AccountId,
        tokens: usize,
    ) -> bool {
        let mut pause = PAUSES.0;
        loop {
            tokio::time::sleep(pause).await;
            let error = match self.client.pending(session, operator).await {
                Ok(None) => return true,
                Ok(Some(answer)) => match self.take_up_to(answer, tokens).await {
                    Ok(()) => continue,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            let blame = Blame::of(&error);
            match blame {
                Blame::False => {
                    self.found_false(session, operator, &error);
                    return false;
                }
                Blame::Lost | Blame::Session | Blame::Doubtful => {
                    tracing::warn!(?session, %operator, %error, "a channel cannot go on");
                    return false;
                }
                _ => tracing::debug!(?session, %operator, %error, "still in flight"),
            }
            pause = pause.saturating_mul(2).min(PAUSES.1);
        }
    }

    /// Takes `tokens` of an answer that was asked for again, and its receipt.
    async fn take_up_to(&self, mut answer: Answer, tokens: usize) -> Result<(), ClientError> {
        if answer.is_stored() {
            let finished = answer.finish().await?;
            self.receipted(&finished);
            return Ok(());
        }
        let mut taken = 0usize;
        while taken < tokens {
            match answer.next().await {
                Some(Ok(Output::Token(_))) => taken = taken.saturating_add(1),
                Some(Ok(Output::Finished(finished))) => {
                    self.receipted(&finished);
                    return Ok(());
                }
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            }
        }
        for finished in self.client.hang_up(answer).await? {
            self.receipted(&finished);
        }
        Ok(())
    }
}
