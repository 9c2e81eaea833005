//! Identifiers and small types that every part shares.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, H256};
use sp_runtime::BoundedVec;

/// Planck of DOT.
pub type Balance = u128;
/// One DOT in planck (10 decimals).
pub const DOT: Balance = 10_000_000_000;
/// Index of an epoch: the clock of draws, reputation and pay.
pub type EpochIndex = u32;
/// Number of a relay-chain block.
pub type RelayBlockNumber = u32;
/// A job's number, ascending.
pub type JobId = u64;
/// An audit case's number, ascending.
pub type CaseId = u64;
/// A checkpoint's name: the blob root of its files' manifest.
pub type CheckpointRoot = H256;
/// Stands for every checkpoint: its index holds all validators, whatever they serve.
pub const ANY_CHECKPOINT: CheckpointRoot = H256::zero();
/// A training run's number, ascending.
pub type RunId = u32;
/// A dataset's number, ascending.
pub type DatasetId = u32;

/// Most token ids (or bytes of text divided by four) of a prompt stored inline: 8 KiB.
pub const MAX_INLINE_PROMPT_IDS: u32 = 2_048;
/// Most bytes of an inline text prompt.
pub const MAX_INLINE_PROMPT_BYTES: u32 = 8_192;
/// Tokens that a tokenizer may add to those of a text: beginning and end of sequence, and what marks a turn. The chain
/// prices a text of `n` bytes as `n` tokens and these.
pub const TEXT_PROMPT_EXTRA_TOKENS: u32 = 8;
/// Most token ids of an output stored inline: 8 KiB.
pub const MAX_INLINE_OUTPUT_IDS: u32 = 2_048;
/// Largest opening an executor may post on chain (protocol A): 64 KiB.
pub const MAX_OPENING_BYTES: u32 = 65_536;

/// Token ids of an inline output.
pub type OutputIds = BoundedVec<u32, ConstU32<MAX_INLINE_OUTPUT_IDS>>;

/// What an operator does.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Role {
    /// Computes jobs (PoI).
    #[codec(index = 0)]
    Compute,
    /// Audits them and votes (PoC).
    #[codec(index = 1)]
    Validate,
}

/// The roles of one operator; at least one is set.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Roles {
    pub compute: bool,
    pub validate: bool,
}

impl Roles {
    pub fn has(&self, role: Role) -> bool {
        match role {
            Role::Compute => self.compute,
            Role::Validate => self.validate,
        }
    }

    pub fn any(&self) -> bool {
        self.compute || self.validate
    }
}

/// How weights and activations are held while computing. Audit thresholds belong to it.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum NumericProfile {
    #[codec(index = 0)]
    F32,
    #[codec(index = 1)]
    F16,
    #[codec(index = 2)]
    Bf16,
    #[codec(index = 3)]
    Int8,
}

/// A prompt as a client submits it.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Prompt {
    /// UTF-8 text; tokenized by the checkpoint's tokenizer. A byte-level tokenizer makes at most one token a byte,
    /// besides at most [`TEXT_PROMPT_EXTRA_TOKENS`] of its own, which is the bound the chain prices by.
    #[codec(index = 0)]
    Text(BoundedVec<u8, ConstU32<MAX_INLINE_PROMPT_BYTES>>),
    /// Token ids, beginning-of-sequence included.
    #[codec(index = 1)]
    Ids(BoundedVec<u32, ConstU32<MAX_INLINE_PROMPT_IDS>>),
    /// A blob of SCALE-encoded token ids outside the chain.
    #[codec(index = 2)]
    Blob {
        root: H256,
        prompt_hash: H256,
        prompt_tokens: u32,
    },
}

impl Prompt {
    /// Most tokens this prompt can have: what the escrow must cover.
    pub fn max_tokens(&self) -> u32 {
        match self {
            Prompt::Text(bytes) => (bytes.len() as u32).saturating_add(TEXT_PROMPT_EXTRA_TOKENS),
            Prompt::Ids(ids) => ids.len() as u32,
            Prompt::Blob { prompt_tokens, .. } => *prompt_tokens,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Prompt::Text(bytes) => bytes.is_empty(),
            Prompt::Ids(ids) => ids.is_empty(),
            Prompt::Blob { prompt_tokens, .. } => *prompt_tokens == 0,
        }
    }

    /// Whether everybody can read it on chain.
    pub fn is_inline(&self) -> bool {
        !matches!(self, Prompt::Blob { .. })
    }
}

/// An output as an executor commits it.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Output {
    /// Token ids, the ending stop id included.
    #[codec(index = 0)]
    Ids(OutputIds),
    /// A blob of SCALE-encoded token ids outside the chain.
    #[codec(index = 1)]
    Blob(H256),
}

/// Why an output ended.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum FinishReason {
    /// The last token is a stop id or an end token of the checkpoint.
    #[codec(index = 0)]
    Stop,
    /// `max_tokens` were made.
    #[codec(index = 1)]
    Length,
    /// The client hung up (sessions only): pays delivered tokens, and is not truncation.
    #[codec(index = 2)]
    Cancelled,
}

/// How soon a job's output is released.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum JobClass {
    /// Audited with the executor's probability.
    #[codec(index = 0)]
    Standard,
    /// Always audited before it is accepted.
    #[codec(index = 1)]
    Premium,
}

/// How a job ended.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum JobOutcome {
    /// Paid; `audited` tells by which split.
    #[codec(index = 0)]
    Settled { paid: Balance, audited: bool },
    /// A false output: the client got everything back.
    #[codec(index = 1)]
    Refunded(RefundReason),
    /// Nobody answered in time, or the prompt never arrived.
    #[codec(index = 2)]
    Expired(ExpiryReason),
}

/// Why a client was refunded after a commitment.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum RefundReason {
    #[codec(index = 0)]
    Hard,
    #[codec(index = 1)]
    Soft,
    #[codec(index = 2)]
    Undecided,
    /// Another output of the executor was proven false before this one, which nobody had audited, was settled.
    #[codec(index = 3)]
    Convicted,
}

/// Why a job expired.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum ExpiryReason {
    /// No eligible executor serves the checkpoint.
    #[codec(index = 0)]
    NoExecutor,
    /// Every executor drawn let its deadline lapse.
    #[codec(index = 1)]
    DeadlinesLapsed,
    /// The prompt's blob was missing at acknowledgement: costs the client the base fee.
    #[codec(index = 2)]
    PromptMissing,
    /// The client took it back before an executor was drawn.
    #[codec(index = 3)]
    Cancelled,
}

/// Where a job stands, as `chasqui_subscribeJob` and the view functions tell it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "std", derive(serde::Serialize))]
#[cfg_attr(feature = "std", serde(rename_all = "camelCase"))]
pub enum JobStage {
    #[codec(index = 0)]
    Submitted,
    #[codec(index = 1)]
    Assigned,
    #[codec(index = 2)]
    Acknowledged,
    #[codec(index = 3)]
    Committed,
    /// An audit case is open.
    #[codec(index = 4)]
    InAudit,
    /// Accepted; waits for the end of the dispute window.
    #[codec(index = 5)]
    Accepted,
    #[codec(index = 6)]
    Settled,
    #[codec(index = 7)]
    Refunded,
    #[codec(index = 8)]
    Expired,
}

/// A job's state in one value.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct JobStatus<AccountId> {
    pub job: JobId,
    pub stage: JobStage,
    pub executor: Option<AccountId>,
    /// Output token ids, once committed inline and while the record lives.
    pub output: Option<OutputIds>,
    pub case: Option<CaseId>,
    pub outcome: Option<JobOutcome>,
}
