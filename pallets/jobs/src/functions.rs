//! What the calls do.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::vec::Vec;
use chasqui_primitives::{
    hash,
    receipt::Receipt,
    sampling::{Sampling, SamplingError},
    traits::{CheckpointTerms, Checkpoints, Epochs, Operators, Randomness},
    Balance, CheckpointRoot, ExpiryReason, FinishReason, JobClass, JobId, JobStatus, Output,
    Prompt,
};
use frame_support::{pallet_prelude::*, traits::fungible::MutateHold};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::H256;
use sp_runtime::{traits::Zero, Saturating};

/// Entries of the longest prompt or output on chain.
fn count<I>(items: &[I]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

impl<T: Config> Pallet<T> {
    /// The chain's name in everything that is hashed or signed.
    pub fn genesis_hash() -> H256 {
        frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
    }

    pub(crate) fn now() -> BlockNumberFor<T> {
        frame_system::Pallet::<T>::block_number()
    }

    fn live(job: JobId) -> Result<JobOf<T>, Error<T>> {
        Jobs::<T>::get(job).ok_or(Error::<T>::UnknownJob)
    }

    /// The executor of `job`, if `signer` signs for it.
    fn executor_signed_by(signer: &T::AccountId, job: &JobOf<T>) -> Result<T::AccountId, Error<T>> {
        let executor = job.executor().ok_or(Error::<T>::NotAssigned)?;
        let operator = T::Operators::by_signer(signer).ok_or(Error::<T>::NotAssigned)?;
        ensure!(operator == *executor, Error::<T>::NotAssigned);
        Ok(operator)
    }

    /// Counts a job that `operator` becomes the executor of.
    pub(crate) fn expose(operator: &T::AccountId, pay: Balance) {
        Exposures::<T>::mutate(operator, |slot| {
            let exposure = slot.get_or_insert_default();
            exposure.jobs = exposure.jobs.saturating_add(1);
            exposure.pay = exposure.pay.saturating_add(pay);
        });
    }

    /// No longer counts a job of `operator`. The last one takes the record with it.
    pub(crate) fn unexpose(operator: &T::AccountId, pay: Balance) {
        Exposures::<T>::mutate_exists(operator, |slot| {
            *slot = slot.take().and_then(|mut exposure| {
                exposure.jobs = exposure.jobs.saturating_sub(1);
                exposure.pay = exposure.pay.saturating_sub(pay);
                (exposure.jobs > 0).then_some(exposure)
            });
        });
    }

    /// The most that a job can cost as it stands, in planck: what counts in its executor's
    /// [`Exposure`].
    pub(crate) fn worst_pay(id: JobId, job: &JobOf<T>) -> Balance {
        Commitments::<T>::get(id).map_or(job.escrow, |commitment| commitment.price)
    }

    /// Whether the executor was convicted of a lie after it had committed to this job.
    pub(crate) fn is_tainted(executor: &T::AccountId, commitment: &CommitmentOf<T>) -> bool {
        Exposures::<T>::get(executor)
            .and_then(|exposure| exposure.convicted_at)
            .is_some_and(|convicted_at| commitment.committed_at <= convicted_at)
    }

    /// Fails once `deadline` has come, served or not.
    fn ensure_before(deadline: BlockNumberFor<T>) -> Result<(), Error<T>> {
        ensure!(Self::now() < deadline, Error::<T>::DeadlinePassed);
        Ok(())
    }

    /// The terms of now, and what a completion costs by them at the most; fails where `submit` would, but for the
    /// sampling.
    pub(crate) fn quoted(
        checkpoint: &CheckpointRoot,
        prompt: &Prompt,
        max_tokens: u32,
    ) -> Result<(CheckpointTerms, Quote), DispatchError> {
        let terms = T::Checkpoints::terms(checkpoint).ok_or(Error::<T>::UnknownCheckpoint)?;
        ensure!(
            T::Operators::can_take_payment(checkpoint),
            Error::<T>::CheckpointTakesNoPayment
        );
        let params = Parameters::<T>::get();
        Self::check_prompt_of_request(&terms, &params, prompt, max_tokens)?;
        let prompt_tokens = prompt.max_tokens();
        let escrow = price(&terms, prompt_tokens, max_tokens).ok_or(Error::<T>::PriceOverflow)?;
        let deposit = params.deposit(prompt.encoded_size() as u32, max_tokens);
        let quote = Quote {
            prompt_tokens,
            escrow,
            deposit,
        };
        Ok((terms, quote))
    }

    /// Up to `limit` live jobs of a client, after one of them.
    pub(crate) fn live_jobs_of(
        client: &T::AccountId,
        after: Option<JobId>,
        limit: u32,
    ) -> Vec<JobStatus<T::AccountId>> {
        let ids = match after {
            None => ClientJobs::<T>::iter_key_prefix(client),
            Some(id) => {
                let from = ClientJobs::<T>::hashed_key_for(client, id);
                ClientJobs::<T>::iter_key_prefix_from(client, from)
            }
        };
        ids.take(limit as usize).filter_map(Self::status).collect()
    }

    fn check_sampling(terms: &CheckpointTerms, sampling: &Sampling) -> Result<(), Error<T>> {
        sampling.validate().map_err(|error| match error {
            SamplingError::Temperature => Error::<T>::TemperatureOutOfRange,
            SamplingError::TopP => Error::<T>::TopPOutOfRange,
            SamplingError::MaxTokens => Error::<T>::MaxTokensZero,
        })?;
        let known = |id: &u32| *id < terms.vocabulary;
        ensure!(
            sampling.stop_ids.iter().all(known),
            Error::<T>::StopIdOutOfVocabulary
        );
        Ok(())
    }

    fn check_prompt_of_request(
        terms: &CheckpointTerms,
        params: &ParamsOf<T>,
        prompt: &Prompt,
        max_tokens: u32,
    ) -> Result<(), Error<T>> {
        ensure!(!prompt.is_empty(), Error::<T>::PromptEmpty);
        ensure!(max_tokens > 0, Error::<T>::MaxTokensZero);
        ensure!(
            max_tokens <= params.max_tokens,
            Error::<T>::MaxTokensTooLarge
        );
        let tokens = prompt
            .max_tokens()
            .checked_add(max_tokens)
            .ok_or(Error::<T>::ContextExceeded)?;
        ensure!(tokens <= terms.context_tokens, Error::<T>::ContextExceeded);
        match prompt {
            Prompt::Ids(ids) => {
                let known = |id: &u32| *id < terms.vocabulary;
                ensure!(ids.iter().all(known), Error::<T>::PromptOutOfVocabulary);
            }
            // Otherwise whoever is drawn could neither tokenize nor refuse it without a missed duty.
            Prompt::Text(bytes) => {
                ensure!(terms.has_tokenizer, Error::<T>::CheckpointHasNoTokenizer);
                ensure!(
                    core::str::from_utf8(bytes).is_ok(),
                    Error::<T>::PromptNotUtf8
                );
            }
            Prompt::Blob { .. } => {}
        }
        Ok(())
    }

    pub(crate) fn do_submit(
        client: T::AccountId,
        checkpoint: CheckpointRoot,
        prompt: Prompt,
        salt: [u8; 32],
        sampling: Sampling,
        max_price: Balance,
        class: JobClass,
    ) -> DispatchResult {
        let (terms, quote) = Self::quoted(&checkpoint, &prompt, sampling.max_tokens)?;
        Self::check_sampling(&terms, &sampling)?;
        let Quote {
            escrow, deposit, ..
        } = quote;
        ensure!(escrow <= max_price, Error::<T>::PriceAboveMax);
        T::NativeBalance::hold(&HoldReason::Escrow.into(), &client, escrow)?;
        T::NativeBalance::hold(&HoldReason::Deposit.into(), &client, deposit)?;

        let id = NextJob::<T>::get();
        NextJob::<T>::put(id.saturating_add(1));
        let (ticket, due) = Self::announce_draw(id);
        ClientJobs::<T>::insert(&client, id, ());
        Prompts::<T>::insert(id, prompt);
        Jobs::<T>::insert(
            id,
            Job {
                client: client.clone(),
                checkpoint,
                salt,
                sampling,
                class,
                terms,
                escrow,
                deposit,
                executors: BoundedVec::new(),
                acknowledged: None,
                stage: Stage::Submitted { ticket },
                submitted_at: Self::now(),
            },
        );
        Self::deposit_event(Event::JobSubmitted {
            job: id,
            client,
            checkpoint,
            escrow,
            due,
        });
        Ok(())
    }

    pub(crate) fn do_cancel(client: T::AccountId, id: JobId) -> DispatchResult {
        let job = Self::live(id)?;
        ensure!(job.client == client, Error::<T>::NotClient);
        let Stage::Submitted { ticket } = job.stage else {
            return Err(Error::<T>::WrongStage.into());
        };
        // From the due block on, the relay chain may have published what decides the draw: a client
        // that could still withdraw would choose its executor. So it would after a refusal, which
        // only the executor can bring about.
        let draw = Draws::<T>::get(ticket).ok_or(Error::<T>::WrongStage)?;
        ensure!(T::Randomness::relay_now() < draw.due, Error::<T>::DrawDue);
        Self::expire(id, job, ExpiryReason::Cancelled);
        Self::deposit_event(Event::Cancelled { job: id, client });
        Ok(())
    }

    /// Whether `facts` can be those of the job's prompt, as far as the chain can tell.
    fn check_prompt(id: JobId, job: &JobOf<T>, facts: &PromptFacts) -> Result<(), Error<T>> {
        let prompt = Prompts::<T>::get(id).ok_or(Error::<T>::UnknownJob)?;
        match &prompt {
            Prompt::Ids(ids) => {
                let expected = hash::prompt_hash(&Self::genesis_hash(), &job.salt, ids);
                ensure!(facts.hash == expected, Error::<T>::PromptHashMismatch);
                ensure!(facts.tokens == count(ids), Error::<T>::PromptCountMismatch);
            }
            Prompt::Blob {
                prompt_hash,
                prompt_tokens,
                ..
            } => {
                ensure!(facts.hash == *prompt_hash, Error::<T>::PromptHashMismatch);
                ensure!(
                    facts.tokens == *prompt_tokens,
                    Error::<T>::PromptCountMismatch
                );
            }
            // Only a tokenizer can tell: auditors check hash and count.
            Prompt::Text(_) => ensure!(
                (1..=prompt.max_tokens()).contains(&facts.tokens),
                Error::<T>::PromptCountMismatch
            ),
        }
        Ok(())
    }

    pub(crate) fn do_acknowledge(
        signer: T::AccountId,
        id: JobId,
        facts: PromptFacts,
    ) -> DispatchResult {
        let mut job = Self::live(id)?;
        let executor = Self::executor_signed_by(&signer, &job)?;
        let Stage::Assigned { deadline } = job.stage else {
            return Err(Error::<T>::WrongStage.into());
        };
        Self::ensure_before(deadline)?;
        Self::check_prompt(id, &job, &facts)?;

        let params = Parameters::<T>::get();
        let blocks = params.compute_blocks(facts.tokens.saturating_add(job.sampling.max_tokens));
        let deadline = Self::now()
            .saturating_add(params.compute_base_blocks)
            .saturating_add(blocks.into());
        Self::leave_queues(id, &job);
        job.acknowledged = Some(facts);
        job.stage = Stage::Acknowledged { deadline };
        Agenda::<T>::insert(deadline, id, ());
        Jobs::<T>::insert(id, job);
        Self::deposit_event(Event::Acknowledged {
            job: id,
            executor,
            prompt_tokens: facts.tokens,
            deadline,
        });
        Ok(())
    }

    pub(crate) fn do_refuse(
        signer: T::AccountId,
        id: JobId,
        reason: RefusalReason,
    ) -> DispatchResult {
        let job = Self::live(id)?;
        let executor = Self::executor_signed_by(&signer, &job)?;
        let (deadline, acknowledged) = match job.stage {
            Stage::Assigned { deadline } => (deadline, false),
            Stage::Acknowledged { deadline } => (deadline, true),
            _ => return Err(Error::<T>::WrongStage.into()),
        };
        Self::ensure_before(deadline)?;
        let missing = reason == RefusalReason::PromptMissing;
        if missing {
            // Whoever acknowledged said that it holds the prompt.
            ensure!(!acknowledged, Error::<T>::WrongStage);
            let prompt = Prompts::<T>::get(id).ok_or(Error::<T>::UnknownJob)?;
            ensure!(!prompt.is_inline(), Error::<T>::PromptIsInline);
        }
        Self::deposit_event(Event::Refused {
            job: id,
            executor: executor.clone(),
            reason,
        });
        if missing {
            let row = MissingPrompts::<T>::mutate(&executor, |row| {
                *row = row.saturating_add(1);
                *row
            });
            if row > MISSING_PROMPTS_BELIEVED {
                T::Operators::record_duty(&executor, false);
            }
            Self::expire(id, job, ExpiryReason::PromptMissing);
        } else {
            T::Operators::record_duty(&executor, false);
            Self::redraw(id, job);
        }
        Ok(())
    }

    /// Checks counts, hash, vocabulary and finish reason of an output, as far as the chain can.
    fn check_output(job: &JobOf<T>, commitment: &Commitment) -> Result<(), Error<T>> {
        let tokens = commitment.output_tokens;
        ensure!(tokens > 0, Error::<T>::OutputEmpty);
        ensure!(tokens <= job.sampling.max_tokens, Error::<T>::OutputTooLong);
        let full = tokens == job.sampling.max_tokens;
        let finish = match &commitment.output {
            // Nobody but auditors can see its last token; it may be any.
            Output::Blob(_) if commitment.finish == FinishReason::Stop => FinishReason::Stop,
            Output::Blob(_) => {
                ensure!(full, Error::<T>::FinishMismatch);
                FinishReason::Length
            }
            Output::Ids(ids) => {
                ensure!(tokens == count(ids), Error::<T>::OutputCountMismatch);
                ensure!(
                    ids.iter().all(|id| *id < job.terms.vocabulary),
                    Error::<T>::OutputOutOfVocabulary
                );
                let expected = hash::output_hash(&Self::genesis_hash(), ids);
                ensure!(
                    commitment.output_hash == expected,
                    Error::<T>::OutputHashMismatch
                );
                match ids.iter().position(|id| job.ends_output(*id)) {
                    Some(end) => {
                        ensure!(
                            end.saturating_add(1) == ids.len(),
                            Error::<T>::OutputPastEnd
                        );
                        FinishReason::Stop
                    }
                    None => {
                        ensure!(full, Error::<T>::FinishMismatch);
                        FinishReason::Length
                    }
                }
            }
        };
        ensure!(commitment.finish == finish, Error::<T>::FinishMismatch);
        Ok(())
    }

    /// The receipt that `executor` signs with `commitment`.
    pub(crate) fn receipt_of(
        id: JobId,
        job: &JobOf<T>,
        executor: T::AccountId,
        prompt: PromptFacts,
        commitment: &CommitmentOf<T>,
    ) -> Receipt<T::AccountId> {
        Receipt {
            job: id,
            operator: executor,
            checkpoint: job.checkpoint,
            prompt_hash: prompt.hash,
            prompt_tokens: prompt.tokens,
            sampling: job.sampling.clone(),
            output_hash: commitment.output_hash,
            trace_root: commitment.trace_root,
            output_tokens: commitment.output_tokens,
            finish: commitment.finish,
            price: commitment.price,
        }
    }

    pub(crate) fn do_commit(
        signer: T::AccountId,
        id: JobId,
        commitment: Commitment,
    ) -> DispatchResult {
        let mut job = Self::live(id)?;
        let executor = Self::executor_signed_by(&signer, &job)?;
        let prompt = PromptFacts {
            hash: commitment.prompt_hash,
            tokens: commitment.prompt_tokens,
        };
        match (job.stage, job.acknowledged) {
            (Stage::Acknowledged { deadline }, Some(known)) => {
                Self::ensure_before(deadline)?;
                ensure!(prompt.hash == known.hash, Error::<T>::PromptHashMismatch);
                ensure!(
                    prompt.tokens == known.tokens,
                    Error::<T>::PromptCountMismatch
                );
            }
            (Stage::Assigned { deadline }, _) => {
                Self::ensure_before(deadline)?;
                let inline = Prompts::<T>::get(id).is_some_and(|prompt| prompt.is_inline());
                ensure!(inline, Error::<T>::WrongStage);
                Self::check_prompt(id, &job, &prompt)?;
            }
            _ => return Err(Error::<T>::WrongStage.into()),
        }
        Self::check_output(&job, &commitment)?;
        let price = job
            .price(prompt.tokens, commitment.output_tokens)
            .ok_or(Error::<T>::PriceOverflow)?;
        ensure!(
            commitment.price == price && price <= job.escrow,
            Error::<T>::PriceMismatch
        );

        let hot_key = T::Operators::hot_key(&executor).ok_or(Error::<T>::NotAssigned)?;
        let record = CommitmentRecord {
            prompt,
            output_hash: commitment.output_hash,
            output_tokens: commitment.output_tokens,
            trace_root: commitment.trace_root,
            finish: commitment.finish,
            price,
            units: job.units(prompt.tokens, commitment.output_tokens),
            signature: commitment.signature,
            signer: hot_key.clone(),
            epoch: T::Epochs::current(),
            committed_at: Self::now(),
        };
        let receipt = Self::receipt_of(id, &job, executor.clone(), prompt, &record);
        ensure!(
            receipt.verify(&Self::genesis_hash(), &record.signature, &hot_key),
            Error::<T>::BadSignature
        );

        T::Operators::add_liability(&executor)?;
        MissingPrompts::<T>::remove(&executor);
        Exposures::<T>::mutate(&executor, |slot| {
            if let Some(exposure) = slot {
                exposure.pay = exposure
                    .pay
                    .saturating_sub(job.escrow.saturating_sub(price));
            }
        });
        Self::leave_queues(id, &job);
        // Announced now, so that nobody knew the seed when the answer was fixed.
        let (ticket, due) = Self::announce_draw(id);
        job.stage = Stage::Committed {
            ticket,
            failed_openings: 0,
        };
        Self::deposit_event(Event::Committed {
            job: id,
            executor,
            output_hash: record.output_hash,
            output_tokens: record.output_tokens,
            finish: record.finish,
            price,
            due,
        });
        Outputs::<T>::insert(id, commitment.output);
        Commitments::<T>::insert(id, record);
        Jobs::<T>::insert(id, job);
        Ok(())
    }

    /// The ids of an output that is on chain.
    pub(crate) fn inline_output(id: JobId) -> Option<chasqui_primitives::OutputIds> {
        match Outputs::<T>::get(id)? {
            Output::Ids(ids) => Some(ids),
            Output::Blob(_) => None,
        }
    }

    /// The token ids of a trace.
    pub(crate) fn trace_tokens(trace: &[chasqui_primitives::trace::TraceLeaf]) -> Vec<u32> {
        trace.iter().map(|leaf| leaf.token).collect()
    }
}
