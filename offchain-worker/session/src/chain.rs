//! What both sides read of the finalised chain.

use crate::AccountId;
use async_trait::async_trait;
use chasqui_primitives::{
    session::{rules::Channel, SessionId},
    Balance, CheckpointRoot, NumericProfile,
};
use sp_core::H256;

/// The chain cannot be read now; says what was asked and why it failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading the finalised chain: {0}; try again when the node answers")]
pub struct ChainError(pub String);

/// Terms of a session's checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Planck a unit of compute now.
    pub unit_price: Balance,
    /// Units a prompt token.
    pub units_per_prompt_token: u32,
    /// Units an output token.
    pub units_per_output_token: u32,
    /// Longest prompt plus output, in tokens.
    pub context_tokens: u32,
    /// Number of token ids.
    pub vocabulary: u32,
    /// In what precision it is computed.
    pub profile: NumericProfile,
    /// Token ids that end an output.
    pub end_tokens: Vec<u32>,
}

/// A channel and everything around it, all at one finalised block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Number of that block.
    pub now: u32,
    /// Who signs the session's requests.
    pub key: AccountId,
    /// The session's checkpoint.
    pub checkpoint: CheckpointRoot,
    /// Whether the session is open: not closing.
    pub open: bool,
    /// The committee, primary first.
    pub committee: Vec<AccountId>,
    /// The channel.
    pub channel: Channel<u32>,
    /// Whose receipts count on it: the operator's hot key.
    pub signer: AccountId,
    /// Terms of the checkpoint; `None` once it takes no payment any more.
    pub terms: Option<Terms>,
}

/// Where an operator is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// `https://host:port`.
    pub url: String,
    /// Ed25519 key of its certificate.
    pub tls_key: [u8; 32],
}

/// Reads the finalised chain. Every answer is of one finalised block, and never of an older one than the answer before.
#[async_trait]
pub trait ChainView: Send + Sync {
    /// The genesis hash, which everything signed names.
    fn genesis(&self) -> H256;

    /// The channel of `session` with `operator`; `None` when there is no such session or channel.
    async fn standing(
        &self,
        session: &SessionId,
        operator: &AccountId,
    ) -> Result<Option<Standing>, ChainError>;

    /// As [`Self::standing`], but perhaps a moment old, and then of an older block than an answer before. For whoever
    /// asks again before a refusal.
    async fn recent_standing(
        &self,
        session: &SessionId,
        operator: &AccountId,
    ) -> Result<Option<Standing>, ChainError> {
        self.standing(session, operator).await
    }

    /// The committee of `session`, primary first; `None` when there is no such session.
    async fn committee(&self, session: &SessionId) -> Result<Option<Vec<AccountId>>, ChainError>;

    /// Where `operator` is reached; `None` when it is not registered.
    async fn endpoint(&self, operator: &AccountId) -> Result<Option<Endpoint>, ChainError>;
}
