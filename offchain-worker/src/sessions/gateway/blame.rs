//! Whose fault an error of the session client is, and what to do next.

use chasqui_session::{client::ErrorKind, wire::RefusalCode, ClientError};

/// What an error says about whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blame {
    /// The operator: it is avoided for a while, another is asked.
    Operator,
    /// The operator has too much to do: another is asked.
    Busy,
    /// The operator breaks the protocol: it is never asked again.
    False,
    /// Only this channel, for now.
    Channel,
    /// This channel, for good.
    Lost,
    /// The session is over.
    Session,
    /// The request, says the operator; another may see it differently.
    Doubtful,
    /// The request, found here.
    Request,
    /// The node: nobody can be asked.
    Chain,
    /// The checkpoint takes no payment any more.
    Retired,
    /// This gateway: its journal, its key.
    Own,
}

impl Blame {
    /// Its name in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Busy => "busy",
            Self::False => "false",
            Self::Channel => "channel",
            Self::Lost => "lost",
            Self::Session => "session",
            Self::Doubtful | Self::Request => "request",
            Self::Chain => "chain",
            Self::Retired => "retired",
            Self::Own => "own",
        }
    }

    /// Of an error.
    pub fn of(error: &ClientError) -> Self {
        match &*error.kind {
            ErrorKind::Usage { field, .. } => match *field {
                "prompt" | "sampling" | "max_tokens" | "top_logprobs" | "unit_price" => {
                    Self::Request
                }
                "session" => Self::Session,
                "checkpoint" => Self::Retired,
                _ => Self::Own,
            },
            ErrorKind::Budget { .. } => Self::Channel,
            ErrorKind::Chain(_) => Self::Chain,
            ErrorKind::Journal(_) | ErrorKind::Tls(_) => Self::Own,
            ErrorKind::Unreachable(_) | ErrorKind::Broken(_) | ErrorKind::Wire(_) => Self::Operator,
            ErrorKind::False(_) | ErrorKind::Fraud => Self::False,
            ErrorKind::Refused(refusal) | ErrorKind::Failed(refusal) => match refusal.code {
                RefusalCode::Overloaded | RefusalCode::Busy => Self::Busy,
                RefusalCode::UnknownSession
                | RefusalCode::CapTooLow
                | RefusalCode::SliceTooSmall
                | RefusalCode::Expired
                | RefusalCode::Price => Self::Channel,
                RefusalCode::OutOfOrder | RefusalCode::Stopped | RefusalCode::Equivocation => {
                    Self::Lost
                }
                RefusalCode::Request => Self::Doubtful,
                _ => Self::Operator,
            },
            _ => Self::Operator,
        }
    }
}
