//! The chain, as a member of a run reads and tells it.

use anyhow::Result;
use async_trait::async_trait;
use chasqui_primitives::{
    training::{ModelState, Ranks, RoundReport},
    RunId,
};
use sp_core::H256;

use super::facts::Facts;

/// What a member tells the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Base and data are here.
    Heartbeat,
    /// Commits to a report.
    Commit {
        /// The round.
        round: u32,
        /// Its hash with a salt.
        commitment: H256,
    },
    /// Reveals it.
    Reveal {
        /// The round.
        round: u32,
        /// The report.
        report: RoundReport,
        /// The salt.
        salt: [u8; 32],
    },
    /// Says whose pseudo-gradients it holds.
    Attest {
        /// The round.
        round: u32,
        /// Theirs.
        ranks: Ranks,
    },
    /// Says what the outer step gives.
    Agree {
        /// The round.
        round: u32,
        /// This.
        model: ModelState,
    },
    /// Says that the agreed model is false.
    Challenge {
        /// The round.
        round: u32,
        /// What it should be.
        model: ModelState,
    },
}

impl Call {
    /// Its name, for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Commit { .. } => "commit",
            Self::Reveal { .. } => "reveal",
            Self::Attest { .. } => "attest",
            Self::Agree { .. } => "agree",
            Self::Challenge { .. } => "challenge",
        }
    }
}

/// The chain, for one operator.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The newest state of a run; `None` when there is none of that number.
    ///
    /// # Errors
    /// The node does not answer.
    async fn facts(&self, run: RunId) -> Result<Option<Facts>>;

    /// Tells the chain something about a run, and returns the number of a block whose state shows it.
    ///
    /// # Errors
    /// The chain refuses, or the node does not answer.
    async fn tell(&self, run: RunId, call: Call) -> Result<u32>;

    /// Waits for a block beyond `last`.
    ///
    /// # Errors
    /// The node does not answer.
    async fn next(&self, last: u32) -> Result<u32>;
}
