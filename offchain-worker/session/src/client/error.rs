//! What can go wrong for a client, and what it may do then.

use crate::{
    chain::ChainError,
    journal::JournalError,
    tls::TlsError,
    wire::{Refusal, RefusalCode, WireError},
};
use chasqui_primitives::{session::Seq, Balance};

/// What a client may do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Ask another operator of the committee: nothing was delivered. What was signed stays in flight on this channel,
    /// and can cost up to its `max_price` there.
    Other,
    /// Ask the same operator for the same again ([`Client::resume`](crate::Client::resume)): tokens were delivered, so
    /// another operator's answer would be another one.
    Same,
    /// Mend what the error names first; the operator is not to blame.
    Mend,
}

/// Why there is no answer, or not a whole one.
#[derive(Debug, thiserror::Error)]
#[error("{}{kind}", about(.earlier))]
pub struct ClientError {
    /// What happened.
    pub kind: Box<ErrorKind>,
    /// Output tokens that were delivered before.
    pub delivered: usize,
    /// The earlier request that it is about, where it is not about the one asked for.
    pub earlier: Option<Seq>,
}

fn about(earlier: &Option<Seq>) -> String {
    earlier.map_or_else(String::new, |seq| {
        format!("request {seq}, which is still in flight: ")
    })
}

/// What happened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's mistake, found before anything was signed.
    #[error("field `{field}`: {reason}")]
    Usage {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The slice does not cover another request.
    #[error("field `cap`: a request of up to {max_price} planck exceeds what is left of a slice of {promised}, or too many wait for their receipt; let the slice grow, or ask another operator")]
    Budget {
        /// What the request can cost.
        max_price: Balance,
        /// What the channel may be paid, ever.
        promised: Balance,
    },
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(ChainError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(JournalError),
    /// TLS cannot be used at all.
    #[error(transparent)]
    Tls(TlsError),
    /// The operator cannot be reached, or is not the one that the chain names.
    #[error("the operator cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke, or nothing came for too long.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// The operator did not accept the request.
    #[error("the operator refused: {0}")]
    Refused(Refusal),
    /// It accepted and cannot answer now.
    #[error("the operator failed: {0}")]
    Failed(Refusal),
    /// It sends what is no message of this protocol.
    #[error("the operator does not speak this protocol: {0}")]
    Wire(WireError),
    /// It breaks the protocol. What it signed of that is in the journal.
    #[error("the operator is not honest: it {0}")]
    False(String),
    /// It signed two receipts for one request: both are in the journal, and prove fraud by themselves.
    #[error("the operator signed two receipts for one request; report them")]
    Fraud,
}

impl From<ErrorKind> for ClientError {
    fn from(kind: ErrorKind) -> Self {
        Self {
            kind: Box::new(kind),
            delivered: 0,
            earlier: None,
        }
    }
}

impl ClientError {
    pub(super) fn after(mut self, delivered: usize) -> Self {
        self.delivered = delivered;
        self
    }

    /// Of another request than the one that was asked for.
    pub(super) fn of_earlier(mut self, seq: Seq) -> Self {
        self.earlier.get_or_insert(seq);
        self
    }

    /// What the client may do.
    pub fn retry(&self) -> Retry {
        let fault_of_operator = match &*self.kind {
            ErrorKind::Usage { .. } | ErrorKind::Journal(_) | ErrorKind::Chain(_) => false,
            ErrorKind::Tls(_) => false,
            ErrorKind::Refused(refusal) => !matches!(
                refusal.code,
                RefusalCode::Malformed | RefusalCode::Request | RefusalCode::Signature
            ),
            ErrorKind::Budget { .. }
            | ErrorKind::Unreachable(_)
            | ErrorKind::Broken(_)
            | ErrorKind::Failed(_)
            | ErrorKind::Wire(_)
            | ErrorKind::False(_)
            | ErrorKind::Fraud => true,
        };
        // Of the question that was asked nothing was delivered when an earlier one stands in its way.
        match (fault_of_operator, self.delivered, self.earlier) {
            (false, _, _) => Retry::Mend,
            (true, 0, _) | (true, _, Some(_)) => Retry::Other,
            (true, _, None) => Retry::Same,
        }
    }
}
