//! Two receipts for one request prove fraud by themselves. As soon as the journal holds such a pair it goes to the chain:
//! that costs nothing when it succeeds, and stops the operator from being paid for anything that it has not settled.

use super::Shared;
use crate::sessions::accuse::contradictions;
use chasqui_primitives::session::SessionId;
use chasqui_session::{AccountId, SignedReceipt};
use std::{sync::Arc, time::Duration};

/// How often a proof is sent that does not get through; the next start tries again.
const TRIES: u32 = 4;
/// Pause after the first try; twice as long after each.
const PAUSE: Duration = Duration::from_secs(3);

impl Shared {
    /// Proves fraud by what the journal holds against an operator on one channel, if it holds a proof.
    pub(super) fn accuse(self: &Arc<Self>, session: SessionId, operator: AccountId) {
        let shared = self.clone();
        tokio::spawn(async move {
            let Some((first, second)) = shared.proof(&session, &operator).await else {
                return;
            };
            shared.shun(&operator);
            // Another request may have found the same.
            if !shared.accused().insert((session, operator.clone())) {
                return;
            }
            tokio::select! {
                () = shared.prove(&session, &operator, &first, &second) => {}
                () = shared.stop.cancelled() => {}
            }
        });
    }

    /// The first pair of receipts that proves an operator false; one is as good as many.
    async fn proof(
        &self,
        session: &SessionId,
        operator: &AccountId,
    ) -> Option<(SignedReceipt, SignedReceipt)> {
        let journal = self.client.journal().clone();
        let (of, by) = (*session, operator.clone());
        match tokio::task::spawn_blocking(move || contradictions(&journal, &of, &by)).await {
            Ok(Ok(pairs)) => pairs.into_iter().next(),
            Ok(Err(error)) => {
                tracing::error!(%error, "reading the journal");
                None
            }
            Err(error) => {
                tracing::error!(%error, "reading the journal");
                None
            }
        }
    }

    async fn prove(
        &self,
        session: &SessionId,
        operator: &AccountId,
        first: &SignedReceipt,
        second: &SignedReceipt,
    ) {
        let mut pause = PAUSE;
        for left in (0..TRIES).rev() {
            match self.court.prove_fraud(first, second).await {
                Ok(()) => {
                    tracing::warn!(?session, %operator, "fraud is proven: two receipts for one request");
                    return;
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(?session, %operator, error, left, "a proof of fraud did not get through");
                }
            }
            if left > 0 {
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
        }
    }
}
