//! Jobs, their stages and the parameters that govern them.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

#[cfg(feature = "runtime-benchmarks")]
use alloc::vec::Vec;
use chasqui_primitives::{
    audit::AuditThresholds, money, receipt::Receipt, sampling::Sampling, trace::TRACE_LEAF_BYTES,
    traits::CheckpointTerms, Balance, CaseId, CheckpointRoot, EpochIndex, FinishReason, JobClass,
    JobId, JobOutcome, JobStage, Output, RelayBlockNumber, MAX_OPENING_BYTES,
};
use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::H256;
use sp_runtime::{MultiSignature, Perbill};

/// A live job of this runtime.
pub type JobOf<T> = Job<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;
/// The parameters of this runtime.
pub type ParamsOf<T> = Params<BlockNumberFor<T>>;
/// A commitment of this runtime.
pub type CommitmentOf<T> =
    CommitmentRecord<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;
/// An outcome of this runtime.
pub type OutcomeOf<T> = OutcomeRecord<<T as frame_system::Config>::AccountId>;

/// Most executors that one job may see: the first draw and every redraw.
pub const MAX_EXECUTORS: u32 = 8;

/// Largest `max_tokens` that any parameters may allow: the trace of a longer output would not fit
/// into one opening on chain, and whoever withheld it could not clear itself.
pub const MAX_OUTPUT_TOKENS: u32 = MAX_OPENING_BYTES / (TRACE_LEAF_BYTES as u32);

/// How many refusals in a row for a missing prompt are believed: each one after them is a missed
/// duty, until the operator commits to an answer. A client that serves no blob can make honest
/// executors refuse, at its base fee each time and without choosing whom; whoever refuses all that it
/// is drawn for delivers nothing in between.
pub const MISSING_PROMPTS_BELIEVED: u32 = 2;

/// Where in the draw queue a job waits.
pub type Ticket = u64;

/// Where a live job stands.
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
pub enum Stage<BlockNumber> {
    /// Waits in the draw queue for an executor.
    #[codec(index = 0)]
    Submitted { ticket: Ticket },
    /// An executor is drawn; it must acknowledge (or commit) before block `deadline`.
    #[codec(index = 1)]
    Assigned { deadline: BlockNumber },
    /// The executor holds the prompt; it must commit before block `deadline`.
    #[codec(index = 2)]
    Acknowledged { deadline: BlockNumber },
    /// Waits in the draw queue for the decision whether it is audited. `failed_openings` counts the
    /// draws that asked for an audit which could not be opened: from then on it is certain.
    #[codec(index = 3)]
    Committed {
        ticket: Ticket,
        failed_openings: u32,
    },
    /// An audit case is open.
    #[codec(index = 4)]
    InAudit { case: CaseId },
    /// Accepted without audit; settles at block `until`.
    #[codec(index = 5)]
    Accepted { until: BlockNumber },
}

impl<BlockNumber: Copy> Stage<BlockNumber> {
    /// The block whose agenda this stage is listed in.
    pub fn agenda_block(&self) -> Option<BlockNumber> {
        match self {
            Stage::Assigned { deadline } | Stage::Acknowledged { deadline } => Some(*deadline),
            Stage::Accepted { until } => Some(*until),
            Stage::Submitted { .. } | Stage::Committed { .. } | Stage::InAudit { .. } => None,
        }
    }

    /// The job's place in the draw queue.
    pub fn ticket(&self) -> Option<Ticket> {
        match self {
            Stage::Submitted { ticket } | Stage::Committed { ticket, .. } => Some(*ticket),
            _ => None,
        }
    }

    /// Whether an executor has delivered.
    pub fn is_committed(&self) -> bool {
        matches!(
            self,
            Stage::Committed { .. } | Stage::InAudit { .. } | Stage::Accepted { .. }
        )
    }

    /// This stage as clients see it.
    pub fn public(&self) -> JobStage {
        match self {
            Stage::Submitted { .. } => JobStage::Submitted,
            Stage::Assigned { .. } => JobStage::Assigned,
            Stage::Acknowledged { .. } => JobStage::Acknowledged,
            Stage::Committed { .. } => JobStage::Committed,
            Stage::InAudit { .. } => JobStage::InAudit,
            Stage::Accepted { .. } => JobStage::Accepted,
        }
    }
}

/// What is known of a prompt once somebody who holds it has vouched for it.
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
pub struct PromptFacts {
    /// `H(salt, prompt ids)`.
    pub hash: H256,
    /// Number of prompt ids.
    pub tokens: u32,
}

/// A live job. Prompt, commitment and output lie beside it, see the pallet's storage.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Job<AccountId, BlockNumber> {
    pub client: AccountId,
    pub checkpoint: CheckpointRoot,
    /// Hides short prompts behind their hash.
    pub salt: [u8; 32],
    pub sampling: Sampling,
    pub class: JobClass,
    /// The checkpoint's terms as they were at submission: price, limits, thresholds, end tokens.
    pub terms: CheckpointTerms,
    /// What the job can cost at the most, held on the client's account.
    pub escrow: Balance,
    /// For the bytes stored, held on the client's account.
    pub deposit: Balance,
    /// Executors drawn so far; in every stage but [`Stage::Submitted`] the last of them has the job.
    pub executors: BoundedVec<AccountId, ConstU32<MAX_EXECUTORS>>,
    /// What the current executor acknowledged.
    pub acknowledged: Option<PromptFacts>,
    pub stage: Stage<BlockNumber>,
    /// When it was submitted.
    pub submitted_at: BlockNumber,
}

impl<AccountId, BlockNumber> Job<AccountId, BlockNumber> {
    /// The executor that has the job now.
    pub fn executor(&self) -> Option<&AccountId> {
        match self.stage {
            Stage::Submitted { .. } => None,
            _ => self.executors.last(),
        }
    }

    /// The thresholds that its audit applies.
    pub fn thresholds(&self) -> &AuditThresholds {
        &self.terms.thresholds
    }

    /// What it costs with so many tokens, in planck; `None` beyond a balance.
    pub fn price(&self, prompt_tokens: u32, output_tokens: u32) -> Option<Balance> {
        price(&self.terms, prompt_tokens, output_tokens)
    }

    /// Units of compute of so many tokens.
    pub fn units(&self, prompt_tokens: u32, output_tokens: u32) -> u64 {
        money::compute_units(
            self.terms.units_per_prompt_token,
            self.terms.units_per_output_token,
            prompt_tokens,
            output_tokens,
        )
    }

    /// Whether token `id` ends this job's output.
    pub fn ends_output(&self, id: u32) -> bool {
        self.sampling.stop_ids.contains(&id)
            || (!self.sampling.ignore_eos && self.terms.end_tokens.contains(&id))
    }
}

/// What so many tokens cost by `terms`, in planck; `None` beyond a balance.
pub fn price(terms: &CheckpointTerms, prompt_tokens: u32, output_tokens: u32) -> Option<Balance> {
    money::job_price(
        terms.unit_price,
        terms.units_per_prompt_token,
        terms.units_per_output_token,
        prompt_tokens,
        output_tokens,
    )
}

/// What an executor delivers. Together with what the chain knows of the job it makes up the
/// [`Receipt`](chasqui_primitives::receipt::Receipt) that `signature` signs.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Commitment {
    /// `H(salt, prompt ids)`.
    pub prompt_hash: H256,
    pub prompt_tokens: u32,
    pub output: Output,
    /// Hash of the output's ids.
    pub output_hash: H256,
    pub output_tokens: u32,
    /// Root of the token trace.
    pub trace_root: H256,
    pub finish: FinishReason,
    /// In planck.
    pub price: Balance,
    /// The hot key's signature over the receipt.
    pub signature: MultiSignature,
}

/// A commitment as it is kept: everything but the output itself.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct CommitmentRecord<AccountId, BlockNumber> {
    pub prompt: PromptFacts,
    /// Hash of the output's ids.
    pub output_hash: H256,
    pub output_tokens: u32,
    /// Root of the token trace.
    pub trace_root: H256,
    pub finish: FinishReason,
    /// In planck.
    pub price: Balance,
    /// Units of compute.
    pub units: u64,
    pub signature: MultiSignature,
    /// The hot key that signed.
    pub signer: AccountId,
    /// The epoch that the work belongs to.
    pub epoch: EpochIndex,
    pub committed_at: BlockNumber,
}

impl Commitment {
    /// How many output ids this commitment carries.
    pub fn inline_ids(&self) -> u32 {
        match &self.output {
            Output::Ids(ids) => ids.len() as u32,
            Output::Blob(_) => 0,
        }
    }
}

/// A receipt with all that its offline check takes, besides the genesis hash.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct SignedReceipt<AccountId> {
    pub receipt: Receipt<AccountId>,
    pub signature: MultiSignature,
    /// The executor's hot key when it signed.
    pub signer: AccountId,
}

/// What a job would cost, as view functions tell it. Amounts in planck.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Quote {
    /// The most tokens that the prompt can have: what the escrow counts.
    pub prompt_tokens: u32,
    /// What goes on hold for the price: the least `max_price` that `submit` takes. What the real tokens cost less is
    /// returned.
    pub escrow: Balance,
    /// What goes on hold for the bytes, and is returned when the job ends.
    pub deposit: Balance,
}

/// What rides on an operator's stake at a time.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Exposure<BlockNumber> {
    /// Jobs that it is the executor of.
    pub jobs: u32,
    /// The most that these can cost together, in planck: the escrow of one without an answer, the
    /// price of one with an answer.
    pub pay: Balance,
    /// When an output of this operator was last proven false. What it committed to up to then and
    /// nobody audited is refunded.
    pub convicted_at: Option<BlockNumber>,
}

/// A draw that waits for its seed. What is drawn follows from the job's stage.
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
pub struct PendingDraw {
    pub job: JobId,
    /// The relay block whose seed decides.
    pub due: RelayBlockNumber,
}

/// Why an executor gives a job back.
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
pub enum RefusalReason {
    /// The prompt's blob cannot be had, or does not match its hash. Only before acknowledging, and
    /// only of a prompt that is a blob.
    #[codec(index = 0)]
    PromptMissing,
    /// It has too much to do.
    #[codec(index = 1)]
    Busy,
    /// It cannot load the model.
    #[codec(index = 2)]
    ModelUnavailable,
}

/// How a job that is no longer live ended.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct OutcomeRecord<AccountId> {
    pub outcome: JobOutcome,
    /// Who had it last.
    pub executor: Option<AccountId>,
    /// Its audit.
    pub case: Option<CaseId>,
}

/// What governs jobs; see [`Params::validate`] for the ranges.
#[derive(
    Clone,
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
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Params<BlockNumber> {
    /// Blocks that an executor has to acknowledge.
    pub acknowledge_blocks: BlockNumber,
    /// Blocks that it has to compute, whatever the length.
    pub compute_base_blocks: BlockNumber,
    /// Tokens (prompt and output) for which it gets one more block each.
    pub compute_tokens_per_block: u32,
    /// Blocks between the acceptance of an unaudited job and its settlement.
    pub dispute_blocks: BlockNumber,
    /// Draws after the first.
    pub max_redraws: u32,
    /// Audit probability at full reputation.
    pub audit_floor: Perbill,
    /// What a missing prompt costs the client, in planck.
    pub base_fee: Balance,
    /// Deposit of a job, in planck.
    pub deposit_base: Balance,
    /// Deposit of a byte of prompt or output, in planck.
    pub deposit_per_byte: Balance,
    /// Largest `max_tokens` of a job.
    pub max_tokens: u32,
}

impl<BlockNumber: From<u32>> Default for Params<BlockNumber> {
    /// At one block every six seconds and ten decimals.
    fn default() -> Self {
        Self {
            acknowledge_blocks: 10.into(),
            compute_base_blocks: 20.into(),
            compute_tokens_per_block: 16,
            dispute_blocks: 100.into(),
            max_redraws: 3,
            audit_floor: Perbill::from_percent(10),
            base_fee: 10_000_000,
            deposit_base: 100_000_000,
            deposit_per_byte: 10_000,
            max_tokens: MAX_OUTPUT_TOKENS,
        }
    }
}

impl<BlockNumber> Params<BlockNumber>
where
    BlockNumber: From<u32> + PartialOrd + Copy,
{
    /// Longest deadline, in blocks.
    pub const MAX_BLOCKS: u32 = 1_000_000;

    /// Whether a chain can live with these values.
    pub fn validate(&self) -> bool {
        let blocks = |value: BlockNumber| {
            value >= BlockNumber::from(1) && value <= BlockNumber::from(Self::MAX_BLOCKS)
        };
        blocks(self.acknowledge_blocks)
            && blocks(self.compute_base_blocks)
            && blocks(self.dispute_blocks)
            && self.compute_tokens_per_block > 0
            && self.max_redraws < MAX_EXECUTORS
            && self.audit_floor > Perbill::zero()
            && (1..=MAX_OUTPUT_TOKENS).contains(&self.max_tokens)
    }

    /// Deposit for a prompt of `prompt_bytes` bytes and an output of up to `output_tokens` ids.
    pub fn deposit(&self, prompt_bytes: u32, output_tokens: u32) -> Balance {
        let output_bytes = Balance::from(output_tokens).saturating_mul(4);
        Balance::from(prompt_bytes)
            .saturating_add(output_bytes)
            .saturating_mul(self.deposit_per_byte)
            .saturating_add(self.deposit_base)
    }

    /// Blocks to compute so many tokens.
    pub fn compute_blocks(&self, tokens: u32) -> u32 {
        tokens.div_ceil(self.compute_tokens_per_block.max(1))
    }
}

/// What a runtime lends the pallet's benchmarks.
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkHelper<AccountId> {
    /// Registers a checkpoint that takes payment (a vocabulary of at least 4,096, a context of at
    /// least 16,384, a price above zero) and, serving it, `executor` as its only compute operator,
    /// signed for by `hot_key` and so well bonded that it is eligible for any job, besides whoever
    /// an audit panel needs; freezes their weights.
    fn checkpoint_served_by(executor: &AccountId, hot_key: &AccountId) -> CheckpointRoot;
    /// Has so many compute operators more serve `checkpoint`, freezes all weights, and names them.
    fn compute_operators(checkpoint: &CheckpointRoot, count: u32) -> Vec<AccountId>;
    /// Registers so many validators, and names them.
    fn auditors(count: u32) -> Vec<AccountId>;
    /// Leaves `operator` with unclaimed pay in as many epochs as there can be, and sees to it that its next missed duty
    /// is one too many.
    fn burden(operator: &AccountId);
}
