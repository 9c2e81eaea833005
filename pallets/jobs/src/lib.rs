//! # Jobs
//!
//! A client pays for a completion, an executor that the chain draws computes it, a later draw
//! decides whether it is audited, and the money goes where it belongs.
//!
//! ## Terminology
//!
//! - **Escrow**: what a job can cost at the most, on hold on the client's own account until the job
//!   ends. **Deposit**: a hold for the bytes that the job keeps in storage.
//! - **Executor**: the operator that is drawn for a job. It acts through its hot key or its bonded
//!   account.
//! - **Commitment**: the executor's answer, with a signature over a
//!   [`Receipt`](chasqui_primitives::receipt::Receipt) that binds the answer to the question, the
//!   model and the price.
//! - **Draw**: a decision by public randomness that does not exist yet when the draw is announced.
//!
//! ## The life of a job
//!
//! ```text
//! submit ──> Submitted ──draw──> Assigned ──acknowledge──> Acknowledged
//!               ^  │                │  │                        │  │
//!               │  └─ cancel        │  └────────commit──────────┼──┴─> Committed
//!               └──── redraw <──────┴── refuse, deadline ───────┘         │ draw
//!                                                                 ┌───────┴──────┐
//!                                                              InAudit        Accepted
//!                                                                 │ case closes  │ window ends
//!                                                        settled or refunded   settled
//! ```
//!
//! - The **executor** is drawn by weight among those that serve the checkpoint, with a seed that
//!   did not exist at submission; a client cannot choose it, nor it the client. Whoever could gain
//!   by cheating on this job and all others that it has in flight, even if it were audited for
//!   certain, is not eligible: one stake answers for all of them.
//! - The **commitment** is checked as far as the chain can: hashes and counts of an inline output,
//!   finish reason, price, signature. Everything else is for auditors.
//! - The **audit** is drawn with a seed that did not exist at the commitment. A `Premium` job, and
//!   one whose output is not on chain, is always audited. An audit that cannot be opened is tried
//!   again, without another roll of the dice.
//! - An audited job that is found valid settles at once: the audit is stricter than the window in
//!   which an unaudited one could be disputed.
//! - Every ending empties the job's storage and releases what is left on hold. The last outcomes
//!   stay readable in [`Outcomes`].
//!
//! | ending | client | executor |
//! |---|---|---|
//! | settled, unaudited | pays the price | its share of the fee |
//! | settled after `Valid` | pays the price | half of it, the auditors the other half |
//! | `Hard` | whole escrow back | slashed, unclaimed revenue forfeited |
//! | another job of the executor ends `Hard` before this one, unaudited, is settled | whole escrow back | unpaid, not slashed again |
//! | `Soft` | whole escrow back | unpaid; slashed when soft verdicts repeat |
//! | `Undecided` | whole escrow back | unpaid |
//! | no executor, deadlines lapsed | whole escrow back | a missed duty for each that let it lapse |
//! | prompt missing | escrow less the base fee, which goes to the reserve | a missed duty for each from the third in a row on |
//!
//! ## Queues
//!
//! Draws wait in one queue in the order of their due blocks; deadlines wait in an [`Agenda`] by
//! block. Both are served in `on_initialize` with at most [`Config::ServiceWeight`] a block: what
//! does not fit is served in the next block, nothing is dropped. A deadline binds from its block
//! on, served or not. A draw is accounted by how many candidates it looked at, which is bounded.
//!
//! Calls that somebody must make before a deadline are operational: blocks full of submissions do
//! not keep them out.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod closing;
mod functions;
mod impls;
mod service;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

/// Target of this pallet's log lines.
pub(crate) const LOG_TARGET: &str = "runtime::jobs";

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::vec::Vec;
    use chasqui_primitives::{
        sampling::Sampling,
        traits::{Cases, Checkpoints, Epochs, Ledger, Operators, Randomness},
        Balance, CaseId, CheckpointRoot, ExpiryReason, FinishReason, JobClass, JobId, JobStatus,
        Output, Prompt, RefundReason, RelayBlockNumber, MAX_INLINE_PROMPT_BYTES,
        MAX_INLINE_PROMPT_IDS, TEXT_PROMPT_EXTRA_TOKENS,
    };
    use frame_support::{
        pallet_prelude::*,
        traits::fungible::{hold, Inspect, Mutate},
        weights::WeightMeter,
    };
    use frame_system::pallet_prelude::*;
    use sp_core::H256;
    use sp_runtime::AccountId32;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// Accounts are public keys (or hashes of them), because receipts are checked against them.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = AccountId32, Hash = H256, RuntimeEvent: From<Event<Self>>>
    {
        /// The runtime's hold reasons.
        type RuntimeHoldReason: From<HoldReason>;

        /// DOT.
        type NativeBalance: Inspect<Self::AccountId, Balance = Balance>
            + Mutate<Self::AccountId>
            + hold::Mutate<Self::AccountId, Reason = Self::RuntimeHoldReason>;

        /// The registry of operators.
        type Operators: Operators<Self::AccountId>;

        /// The registry of checkpoints.
        type Checkpoints: Checkpoints;

        /// Where settled fees go.
        type Ledger: Ledger<Self::AccountId>;

        /// Where a false output is judged.
        type Cases: Cases<Self::AccountId>;

        /// Seeds of draws.
        type Randomness: Randomness;

        /// The clock of pay.
        type Epochs: Epochs;

        /// The account of the reserve: gets the base fee of a job whose prompt is missing.
        type Reserve: Get<Self::AccountId>;

        /// Who sets the parameters.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Most weight that `on_initialize` spends on draws and deadlines. Half of it is for
        /// deadlines, what they leave for draws.
        #[pallet::constant]
        type ServiceWeight: Get<Weight>;

        /// How many outcomes of closed jobs stay readable.
        #[pallet::constant]
        type OutcomesKept: Get<u32>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;

        /// What benchmarks need of other pallets.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
    }

    /// Why money is on hold.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// The most that live jobs of this client can cost.
        #[codec(index = 0)]
        Escrow,
        /// For the bytes of this client's live jobs.
        #[codec(index = 1)]
        Deposit,
    }

    /// What governs jobs.
    #[pallet::storage]
    pub type Parameters<T: Config> = StorageValue<_, ParamsOf<T>, ValueQuery>;

    /// The number of the next job.
    #[pallet::storage]
    pub type NextJob<T: Config> = StorageValue<_, JobId, ValueQuery>;

    /// Live jobs.
    #[pallet::storage]
    pub type Jobs<T: Config> = StorageMap<_, Blake2_128Concat, JobId, JobOf<T>>;

    /// The prompts of live jobs.
    #[pallet::storage]
    pub type Prompts<T: Config> = StorageMap<_, Blake2_128Concat, JobId, Prompt>;

    /// The commitments of live jobs that have one.
    #[pallet::storage]
    pub type Commitments<T: Config> = StorageMap<_, Blake2_128Concat, JobId, CommitmentOf<T>>;

    /// The outputs of live jobs that have one.
    #[pallet::storage]
    pub type Outputs<T: Config> = StorageMap<_, Blake2_128Concat, JobId, Output>;

    /// The live jobs of a client.
    #[pallet::storage]
    pub type ClientJobs<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, JobId, (), OptionQuery>;

    /// The live jobs that an operator is the executor of: from its draw until the job ends or goes
    /// to another. As long as it is listed, it may be asked for an answer or an opening.
    #[pallet::storage]
    pub type Assignments<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, JobId, (), OptionQuery>;

    /// What rides on the stake of an operator; absent when it is nobody's executor.
    #[pallet::storage]
    pub type Exposures<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, Exposure<BlockNumberFor<T>>>;

    /// How many jobs in a row an operator gave back for a missing prompt; absent after it delivered, and after it left.
    #[pallet::storage]
    pub type MissingPrompts<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, u32, ValueQuery>;

    /// Draws that wait for their seed, by place in the queue. A cancelled job leaves a gap.
    #[pallet::storage]
    pub type Draws<T: Config> = StorageMap<_, Twox64Concat, Ticket, PendingDraw>;

    /// The oldest place in the queue that may still hold a draw.
    #[pallet::storage]
    pub type DrawHead<T: Config> = StorageValue<_, Ticket, ValueQuery>;

    /// The next free place in the queue.
    #[pallet::storage]
    pub type DrawTail<T: Config> = StorageValue<_, Ticket, ValueQuery>;

    /// Jobs whose deadline or dispute window ends at a block.
    #[pallet::storage]
    pub type Agenda<T: Config> =
        StorageDoubleMap<_, Twox64Concat, BlockNumberFor<T>, Twox64Concat, JobId, (), OptionQuery>;

    /// The oldest block whose agenda may still hold jobs.
    #[pallet::storage]
    pub type AgendaCursor<T: Config> = StorageValue<_, BlockNumberFor<T>>;

    /// How the last [`Config::OutcomesKept`] jobs ended.
    #[pallet::storage]
    pub type Outcomes<T: Config> = StorageMap<_, Blake2_128Concat, JobId, OutcomeOf<T>>;

    /// Which job's outcome lies in a slot of the ring.
    #[pallet::storage]
    pub type OutcomeSlots<T: Config> = StorageMap<_, Twox64Concat, u32, JobId>;

    /// The slot of the ring that is written next.
    #[pallet::storage]
    pub type OutcomeCursor<T: Config> = StorageValue<_, u32, ValueQuery>;

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// What governs jobs.
        pub params: ParamsOf<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            assert!(
                self.params.validate(),
                "the parameters of jobs are out of range"
            );
            Parameters::<T>::put(&self.params);
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A job waits for its executor; `escrow` is the most it can cost.
        JobSubmitted {
            job: JobId,
            client: T::AccountId,
            checkpoint: CheckpointRoot,
            escrow: Balance,
            due: RelayBlockNumber,
        },
        /// The client took the job back before an executor was drawn.
        Cancelled { job: JobId, client: T::AccountId },
        /// An executor must acknowledge or commit before block `deadline`.
        ExecutorDrawn {
            job: JobId,
            executor: T::AccountId,
            deadline: BlockNumberFor<T>,
        },
        /// The executor holds the prompt and must commit before block `deadline`.
        Acknowledged {
            job: JobId,
            executor: T::AccountId,
            prompt_tokens: u32,
            deadline: BlockNumberFor<T>,
        },
        /// The executor gave the job back.
        Refused {
            job: JobId,
            executor: T::AccountId,
            reason: RefusalReason,
        },
        /// The executor let its deadline pass.
        DeadlineMissed { job: JobId, executor: T::AccountId },
        /// The answer is there.
        Committed {
            job: JobId,
            executor: T::AccountId,
            output_hash: H256,
            output_tokens: u32,
            finish: FinishReason,
            price: Balance,
            due: RelayBlockNumber,
        },
        /// The draw said that the job is audited, by this case.
        AuditOpened { job: JobId, case: CaseId },
        /// The draw said that the job is audited, but no case could be opened: it is tried again.
        AuditPostponed { job: JobId, due: RelayBlockNumber },
        /// The draw said that the job is not audited: it settles at block `until`.
        Accepted {
            job: JobId,
            until: BlockNumberFor<T>,
        },
        /// The client paid `paid` and has `returned` of its escrow back.
        Settled {
            job: JobId,
            client: T::AccountId,
            executor: T::AccountId,
            paid: Balance,
            returned: Balance,
            audited: bool,
        },
        /// The client has its whole escrow back, the executor is not paid.
        Refunded {
            job: JobId,
            client: T::AccountId,
            executor: T::AccountId,
            amount: Balance,
            reason: RefundReason,
        },
        /// Nobody computed the job; the client has its escrow back, less `fee`.
        Expired {
            job: JobId,
            client: T::AccountId,
            reason: ExpiryReason,
            fee: Balance,
        },
        /// Other parameters govern jobs from here on.
        ParamsSet { params: ParamsOf<T> },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// No accepted checkpoint has this name.
        UnknownCheckpoint,
        /// Too few independent validators serve the checkpoint for it to take payment.
        CheckpointTakesNoPayment,
        /// There is nothing in the prompt.
        PromptEmpty,
        /// A prompt of text is not UTF-8: no tokenizer takes it.
        PromptNotUtf8,
        /// A prompt id is not in the checkpoint's vocabulary.
        PromptOutOfVocabulary,
        /// Prompt and `max_tokens` together exceed the checkpoint's context.
        ContextExceeded,
        /// The temperature is out of range.
        TemperatureOutOfRange,
        /// `top_p_ppm` is out of range.
        TopPOutOfRange,
        /// `max_tokens` is zero.
        MaxTokensZero,
        /// `max_tokens` exceeds what the parameters allow.
        MaxTokensTooLarge,
        /// A stop id is not in the checkpoint's vocabulary.
        StopIdOutOfVocabulary,
        /// The job can cost more than `max_price`.
        PriceAboveMax,
        /// The price exceeds a balance.
        PriceOverflow,
        /// No live job has this number.
        UnknownJob,
        /// The account is not the job's client.
        NotClient,
        /// The account does not sign for the job's executor.
        NotAssigned,
        /// The job's stage does not allow this.
        WrongStage,
        /// The seed that decides who computes the job may be known already.
        DrawDue,
        /// It came too late.
        DeadlinePassed,
        /// The prompt's hash is not that of this job's prompt.
        PromptHashMismatch,
        /// The prompt's count of tokens cannot be that of this job's prompt.
        PromptCountMismatch,
        /// A prompt on chain cannot be missing.
        PromptIsInline,
        /// The output has no token.
        OutputEmpty,
        /// The output has more than `max_tokens` tokens.
        OutputTooLong,
        /// An output id is not in the checkpoint's vocabulary.
        OutputOutOfVocabulary,
        /// The output's hash is not that of the output.
        OutputHashMismatch,
        /// The output's count of tokens is not that of the output.
        OutputCountMismatch,
        /// The output goes on after a token that ends it.
        OutputPastEnd,
        /// The finish reason does not fit the output.
        FinishMismatch,
        /// The price is not that of these tokens.
        PriceMismatch,
        /// The signature is not the executor's hot key's over this receipt.
        BadSignature,
        /// A parameter is out of range.
        InvalidParams,
        /// The checkpoint has no tokenizer: its prompts are token ids, not text.
        CheckpointHasNoTokenizer,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            let mut meter = WeightMeter::with_limit(T::ServiceWeight::get());
            Self::service(now, &mut meter);
            meter.consumed()
        }

        fn integrity_test() {
            Self::check_service_weight();
            assert!(T::OutcomesKept::get() > 0, "OutcomesKept is zero");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Asks for a completion of `prompt` by `checkpoint`.
        ///
        /// What it can cost at the most goes on hold, at most `max_price`, and a deposit for the
        /// bytes stored. `salt` goes into the prompt's hash, so that receipts do not tell a
        /// guessable prompt.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::submit(prompt.encoded_size() as u32))]
        pub fn submit(
            origin: OriginFor<T>,
            checkpoint: CheckpointRoot,
            prompt: Prompt,
            salt: [u8; 32],
            sampling: Sampling,
            max_price: Balance,
            class: JobClass,
        ) -> DispatchResult {
            let client = ensure_signed(origin)?;
            Self::do_submit(client, checkpoint, prompt, salt, sampling, max_price, class)
        }

        /// Takes a job back, as long as the seed that decides its executor cannot be known.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::cancel())]
        pub fn cancel(origin: OriginFor<T>, job: JobId) -> DispatchResult {
            let client = ensure_signed(origin)?;
            Self::do_cancel(client, job)
        }

        /// The executor says that it holds the prompt; begins its time to compute. Free when it
        /// succeeds.
        #[pallet::call_index(2)]
        #[pallet::weight((T::WeightInfo::acknowledge(), DispatchClass::Operational))]
        pub fn acknowledge(
            origin: OriginFor<T>,
            job: JobId,
            prompt_hash: H256,
            prompt_tokens: u32,
        ) -> DispatchResultWithPostInfo {
            let signer = ensure_signed(origin)?;
            let facts = PromptFacts {
                hash: prompt_hash,
                tokens: prompt_tokens,
            };
            Self::do_acknowledge(signer, job, facts)?;
            Ok(Pays::No.into())
        }

        /// The executor gives the job back. A prompt that is missing ends the job at the client's
        /// base fee, and is a missed duty from the third in a row on ([`MISSING_PROMPTS_BELIEVED`]);
        /// any other reason is a missed duty, and another executor is drawn. Free when it succeeds.
        #[pallet::call_index(3)]
        #[pallet::weight((T::WeightInfo::refuse(), DispatchClass::Operational))]
        pub fn refuse(
            origin: OriginFor<T>,
            job: JobId,
            reason: RefusalReason,
        ) -> DispatchResultWithPostInfo {
            let signer = ensure_signed(origin)?;
            Self::do_refuse(signer, job, reason)?;
            Ok(Pays::No.into())
        }

        /// The executor delivers. A prompt on chain needs no acknowledgement before. Free when it
        /// succeeds.
        #[pallet::call_index(4)]
        #[pallet::weight((T::WeightInfo::commit(commitment.inline_ids()), DispatchClass::Operational))]
        pub fn commit(
            origin: OriginFor<T>,
            job: JobId,
            commitment: Commitment,
        ) -> DispatchResultWithPostInfo {
            let signer = ensure_signed(origin)?;
            Self::do_commit(signer, job, commitment)?;
            Ok(Pays::No.into())
        }

        /// Replaces the parameters. Jobs keep the prices and deadlines that they have.
        #[pallet::call_index(5)]
        #[pallet::weight((T::WeightInfo::set_params(), DispatchClass::Operational))]
        pub fn set_params(origin: OriginFor<T>, params: ParamsOf<T>) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            ensure!(params.validate(), Error::<T>::InvalidParams);
            Parameters::<T>::put(&params);
            Self::deposit_event(Event::ParamsSet { params });
            Ok(())
        }
    }

    #[pallet::extra_constants]
    impl<T: Config> Pallet<T> {
        /// Tokens that a prompt of text is priced for beside one a byte.
        #[pallet::constant_name(TextPromptExtraTokens)]
        fn text_prompt_extra_tokens() -> u32 {
            TEXT_PROMPT_EXTRA_TOKENS
        }
        /// Longest prompt of text on chain, in bytes.
        #[pallet::constant_name(MaxInlinePromptBytes)]
        fn max_inline_prompt_bytes() -> u32 {
            MAX_INLINE_PROMPT_BYTES
        }
        /// Longest prompt of token ids on chain.
        #[pallet::constant_name(MaxInlinePromptIds)]
        fn max_inline_prompt_ids() -> u32 {
            MAX_INLINE_PROMPT_IDS
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// Where a job stands, or how it ended as long as that is remembered.
        pub fn job(job: JobId) -> Option<JobStatus<T::AccountId>> {
            Self::status(job)
        }

        /// What a completion costs at the most, or why `submit` would refuse it, whatever the sampling.
        pub fn quote(
            checkpoint: CheckpointRoot,
            prompt: Prompt,
            max_tokens: u32,
        ) -> Result<Quote, DispatchError> {
            Self::quoted(&checkpoint, &prompt, max_tokens).map(|(_, quote)| quote)
        }

        /// Up to `limit` (and 256) live jobs of a client, in no particular order; the next ones with the last of them
        /// as `after`.
        pub fn jobs_of(
            client: T::AccountId,
            after: Option<JobId>,
            limit: u32,
        ) -> Vec<JobStatus<T::AccountId>> {
            Self::live_jobs_of(&client, after, limit.min(256))
        }

        /// The receipt of a live job that has one, signed.
        pub fn receipt(job: JobId) -> Option<SignedReceipt<T::AccountId>> {
            Self::signed_receipt(job)
        }

        /// What governs jobs.
        pub fn params() -> ParamsOf<T> {
            Parameters::<T>::get()
        }
    }
}
