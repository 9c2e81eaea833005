//! Requests that lapsed: nobody began them in time, or nobody can answer them any more.

use super::{ClientError, ErrorKind, Finished, Inner};
use crate::{
    chain::Standing,
    journal::{Begun, Done},
    wire::{frame, Event, RefusalCode, VoidAsk, VOID_PATH},
    SignedReceipt, SignedRequest,
};

/// Whether sending the same request once more cannot help either.
fn is_final(error: &ClientError) -> bool {
    let refusal = match &*error.kind {
        ErrorKind::Refused(refusal) | ErrorKind::Failed(refusal) => refusal,
        _ => return false,
    };
    matches!(
        refusal.code,
        RefusalCode::Expired
            | RefusalCode::NotServed
            | RefusalCode::Price
            | RefusalCode::Request
            | RefusalCode::CapTooLow
            | RefusalCode::SliceTooSmall
            | RefusalCode::Compute
    )
}

impl Inner {
    /// Takes the void of a request that has lapsed and that the operator will not answer, as `error` says; else returns
    /// the error.
    pub(super) async fn or_void(
        &self,
        begun: &Begun,
        standing: &Standing,
        error: ClientError,
    ) -> Result<Finished, ClientError> {
        let signed = &begun.ask.signed;
        if !is_final(&error) || signed.request.valid_until >= standing.now {
            return Err(error);
        }
        let receipt = match self.void(standing, signed).await {
            Ok(receipt) => receipt,
            Err(refused) => {
                tracing::debug!(%refused, seq = signed.request.seq, "a lapsed request is not voided");
                return Err(error);
            }
        };
        let done = Done {
            receipt,
            output: Vec::new(),
        };
        let kept = done.clone();
        self.on_disk(move |journal| journal.done(&kept)).await?;
        Ok(Finished {
            receipt: done.receipt,
            output: done.output,
            cut_short: true,
        })
    }

    /// The void of a request that the executor shows and the journal has lost, if it has lapsed.
    pub(super) async fn void_lost(
        &self,
        standing: &Standing,
        signed: &SignedRequest,
    ) -> Option<SignedReceipt> {
        if signed.request.valid_until >= standing.now {
            return None;
        }
        match self.void(standing, signed).await {
            Ok(receipt) => Some(receipt),
            Err(refused) => {
                tracing::debug!(%refused, seq = signed.request.seq, "a lost request is not voided");
                None
            }
        }
    }

    /// Asks the operator for the void of a request, and checks it.
    async fn void(
        &self,
        standing: &Standing,
        signed: &SignedRequest,
    ) -> Result<SignedReceipt, ClientError> {
        let request = &signed.request;
        let endpoint = self.endpoint(&request.operator).await?;
        let ask = VoidAsk {
            signed: signed.clone(),
        };
        let Event::Receipt(receipt) = self.one(&endpoint, VOID_PATH, frame(&ask)).await? else {
            return Err(ErrorKind::False("answers another question".into()).into());
        };
        // The units do not matter: a void costs nothing.
        let fits = receipt.receipt.is_void()
            && receipt
                .receipt
                .answers(&self.genesis, request, 0, 0)
                .is_ok()
            && receipt.verify(&self.genesis, &standing.signer);
        match fits {
            true => Ok(receipt),
            false => Err(ErrorKind::False("voids with a receipt that does not hold".into()).into()),
        }
    }
}
