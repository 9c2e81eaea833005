//! What the calls and the work of `on_initialize` cost.

use super::*;
use alloc::vec;
use chasqui_primitives::{
    audit::{Decision, HardReason, Subject},
    draw::MAX_CANDIDATES,
    hash,
    receipt::Receipt,
    sampling::Sampling,
    traits::{CaseSubjects, Ledger, Randomness},
    Balance, CaseId, FinishReason, JobClass, JobId, JobOutcome, JobStage, Output, Prompt,
    MAX_INLINE_OUTPUT_IDS, MAX_INLINE_PROMPT_BYTES, MAX_INLINE_PROMPT_IDS,
};
use frame_benchmarking::v2::*;
use frame_support::{
    traits::{
        fungible::{Inspect, Mutate},
        EnsureOrigin, Get,
    },
    BoundedVec,
};
use frame_system::RawOrigin;
use sp_core::{crypto::KeyTypeId, sr25519, H256};
use sp_runtime::{traits::IdentifyAccount, MultiSignature, MultiSigner};

const KEYS: KeyTypeId = KeyTypeId(*b"jobs");
const SALT: [u8; 32] = [7; 32];
const SEED: H256 = H256([9; 32]);
const PLENTY: Balance = 1 << 80;
const CASE: CaseId = 0;
/// Most auditors that the benchmarks pay; what one costs does not depend on how many there are.
const MAX_AUDITORS: u32 = 128;

/// A client and an executor who serves a checkpoint.
struct Actors<T: Config> {
    client: T::AccountId,
    hot_key: T::AccountId,
    public: sr25519::Public,
    executor: T::AccountId,
    checkpoint: H256,
}

fn actors<T: Config>() -> Actors<T> {
    Parameters::<T>::put(ParamsOf::<T>::default());
    let public = sp_io::crypto::sr25519_generate(KEYS, None);
    let hot_key = MultiSigner::from(public).into_account();
    let executor: T::AccountId = account("executor", 0, 0);
    let client: T::AccountId = account("client", 0, 0);
    let checkpoint = T::BenchmarkHelper::checkpoint_served_by(&executor, &hot_key);
    T::NativeBalance::set_balance(&client, PLENTY);
    for pot in [T::Ledger::pot(), T::Reserve::get()] {
        let minimum = T::NativeBalance::minimum_balance();
        T::NativeBalance::mint_into(&pot, minimum).expect("issuance does not overflow");
    }
    Actors {
        client,
        hot_key,
        public,
        executor,
        checkpoint,
    }
}

fn sampling(max_tokens: u32) -> Sampling {
    Sampling {
        ignore_eos: true,
        ..Sampling::greedy(max_tokens)
    }
}

fn longest_prompt() -> BoundedVec<u32, frame_support::traits::ConstU32<MAX_INLINE_PROMPT_IDS>> {
    vec![1u32; MAX_INLINE_PROMPT_IDS as usize]
        .try_into()
        .expect("at the bound")
}

fn submitted<T: Config>(by: &Actors<T>, max_tokens: u32) -> JobId {
    let id = NextJob::<T>::get();
    Pallet::<T>::do_submit(
        by.client.clone(),
        by.checkpoint,
        Prompt::Ids(longest_prompt()),
        SALT,
        sampling(max_tokens),
        Balance::MAX,
        JobClass::Premium,
    )
    .expect("the request is good");
    id
}

fn assigned<T: Config>(by: &Actors<T>, max_tokens: u32) -> JobId {
    let id = submitted(by, max_tokens);
    let job = Jobs::<T>::get(id).expect("just submitted");
    Draws::<T>::remove(job.stage.ticket().expect("waits for a draw"));
    Pallet::<T>::on_seed(id, SEED);
    let job = Jobs::<T>::get(id).expect("an executor serves the checkpoint");
    assert_eq!(job.executor(), Some(&by.executor));
    id
}

fn prompt_facts<T: Config>() -> PromptFacts {
    let hash = hash::prompt_hash(&Pallet::<T>::genesis_hash(), &SALT, &longest_prompt());
    PromptFacts {
        hash,
        tokens: MAX_INLINE_PROMPT_IDS,
    }
}

fn commitment<T: Config>(by: &Actors<T>, id: JobId, tokens: u32) -> Commitment {
    let genesis = Pallet::<T>::genesis_hash();
    let job = Jobs::<T>::get(id).expect("live");
    let prompt = prompt_facts::<T>();
    let ids = vec![1u32; tokens as usize];
    let receipt = Receipt {
        job: id,
        operator: by.executor.clone(),
        checkpoint: by.checkpoint,
        prompt_hash: prompt.hash,
        prompt_tokens: prompt.tokens,
        sampling: job.sampling.clone(),
        output_hash: hash::output_hash(&genesis, &ids),
        trace_root: SEED,
        output_tokens: tokens,
        finish: FinishReason::Length,
        price: job.price(prompt.tokens, tokens).expect("within a balance"),
    };
    let message = receipt.signing_hash(&genesis);
    let signature = sp_io::crypto::sr25519_sign(KEYS, &by.public, message.as_bytes())
        .expect("the key was generated");
    Commitment {
        prompt_hash: receipt.prompt_hash,
        prompt_tokens: receipt.prompt_tokens,
        output: Output::Ids(ids.try_into().expect("within the bound")),
        output_hash: receipt.output_hash,
        output_tokens: receipt.output_tokens,
        trace_root: receipt.trace_root,
        finish: receipt.finish,
        price: receipt.price,
        signature: MultiSignature::Sr25519(signature),
    }
}

fn committed<T: Config>(by: &Actors<T>) -> JobId {
    let id = assigned(by, MAX_INLINE_OUTPUT_IDS);
    let commitment = commitment(by, id, MAX_INLINE_OUTPUT_IDS);
    Pallet::<T>::do_commit(by.hot_key.clone(), id, commitment).expect("the answer is good");
    id
}

/// A committed job whose case is [`CASE`].
fn in_audit<T: Config>(by: &Actors<T>) -> JobId {
    let id = committed(by);
    Jobs::<T>::mutate_exists(id, |job| {
        let job = job.as_mut().expect("live");
        Pallet::<T>::leave_queues(id, job);
        job.stage = Stage::InAudit { case: CASE };
    });
    let epoch = Commitments::<T>::get(id).expect("committed").epoch;
    T::Ledger::case_opened(&by.executor, epoch);
    id
}

fn stage<T: Config>(id: JobId) -> JobStage {
    Pallet::<T>::status(id).expect("known").stage
}

/// One draw, as the queue serves it.
fn serve_draw<T: Config>(ticket: Ticket) {
    let draw = Draws::<T>::take(ticket).expect("waits");
    let _ = T::Randomness::seed(draw.due);
    Pallet::<T>::on_seed(draw.job, SEED);
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn submit(b: Linear<1, MAX_INLINE_PROMPT_BYTES>) {
        let by = actors::<T>();
        let prompt = Prompt::Text(vec![b'a'; b as usize].try_into().expect("within the bound"));

        #[extrinsic_call]
        _(
            RawOrigin::Signed(by.client.clone()),
            by.checkpoint,
            prompt,
            SALT,
            sampling(1),
            Balance::MAX,
            JobClass::Standard,
        );

        assert!(Jobs::<T>::iter_values().any(|job| job.client == by.client));
    }

    #[benchmark]
    fn cancel() {
        let by = actors::<T>();
        let id = submitted(&by, 1);

        #[extrinsic_call]
        _(RawOrigin::Signed(by.client.clone()), id);

        assert!(!Jobs::<T>::contains_key(id));
    }

    #[benchmark]
    fn acknowledge() {
        let by = actors::<T>();
        let id = assigned(&by, MAX_INLINE_OUTPUT_IDS);
        let facts = prompt_facts::<T>();

        #[extrinsic_call]
        _(
            RawOrigin::Signed(by.hot_key.clone()),
            id,
            facts.hash,
            facts.tokens,
        );

        assert_eq!(stage::<T>(id), JobStage::Acknowledged);
    }

    #[benchmark]
    fn refuse() {
        let by = actors::<T>();
        // The last executor in line refuses, once too often: it is slashed, the job ends and its storage is emptied.
        Parameters::<T>::mutate(|params| params.max_redraws = 0);
        let id = assigned(&by, MAX_INLINE_OUTPUT_IDS);
        T::BenchmarkHelper::burden(&by.executor);

        #[extrinsic_call]
        _(
            RawOrigin::Signed(by.hot_key.clone()),
            id,
            RefusalReason::Busy,
        );

        assert_eq!(stage::<T>(id), JobStage::Expired);
    }

    #[benchmark]
    fn commit(n: Linear<1, MAX_INLINE_OUTPUT_IDS>) {
        let by = actors::<T>();
        let id = assigned(&by, n);
        let commitment = commitment(&by, id, n);

        #[extrinsic_call]
        _(RawOrigin::Signed(by.hot_key.clone()), id, commitment);

        assert_eq!(stage::<T>(id), JobStage::Committed);
    }

    #[benchmark]
    fn set_params() -> Result<(), BenchmarkError> {
        let admin =
            T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let params = ParamsOf::<T> {
            max_redraws: 1,
            ..Default::default()
        };

        #[extrinsic_call]
        _(admin as T::RuntimeOrigin, params.clone());

        assert_eq!(Parameters::<T>::get(), params);
        Ok(())
    }

    #[benchmark]
    fn service_base() {
        let now = Pallet::<T>::now();
        let mut meter = frame_support::weights::WeightMeter::with_limit(T::ServiceWeight::get());
        // A draw that is not due is looked at.
        Pallet::<T>::announce_draw(0);

        #[block]
        {
            Pallet::<T>::service(now, &mut meter);
        }

        assert!(AgendaCursor::<T>::get().is_some());
    }

    #[benchmark]
    fn draw_executor() {
        let by = actors::<T>();
        let id = submitted(&by, MAX_INLINE_OUTPUT_IDS);
        let ticket = Jobs::<T>::get(id)
            .and_then(|job| job.stage.ticket())
            .expect("waits");

        #[block]
        {
            serve_draw::<T>(ticket);
        }

        assert_eq!(stage::<T>(id), JobStage::Assigned);
    }

    #[benchmark]
    fn no_executor(c: Linear<1, { MAX_CANDIDATES }>) {
        let by = actors::<T>();
        let mut candidates = T::BenchmarkHelper::compute_operators(&by.checkpoint, c - 1);
        candidates.push(by.executor.clone());
        let id = submitted(&by, MAX_INLINE_OUTPUT_IDS);
        let ticket = Jobs::<T>::get(id)
            .and_then(|job| job.stage.ticket())
            .expect("waits");
        // So much rides on everybody's stake that nobody is eligible for more.
        for candidate in &candidates {
            Pallet::<T>::expose(candidate, PLENTY);
        }

        #[block]
        {
            serve_draw::<T>(ticket);
        }

        assert_eq!(stage::<T>(id), JobStage::Expired);
    }

    #[benchmark]
    fn draw_audit() {
        let by = actors::<T>();
        let id = committed(&by);
        let ticket = Jobs::<T>::get(id)
            .and_then(|job| job.stage.ticket())
            .expect("waits");

        #[block]
        {
            serve_draw::<T>(ticket);
        }

        assert_eq!(stage::<T>(id), JobStage::InAudit);
    }

    #[benchmark]
    fn lapse_deadline() {
        let by = actors::<T>();
        // The last executor in line fails, once too often: it is slashed, the job ends and its storage is emptied.
        Parameters::<T>::mutate(|params| params.max_redraws = 0);
        let id = assigned(&by, MAX_INLINE_OUTPUT_IDS);
        T::BenchmarkHelper::burden(&by.executor);
        let block = Jobs::<T>::get(id)
            .and_then(|job| job.stage.agenda_block())
            .expect("listed");

        #[block]
        {
            Pallet::<T>::on_deadline(block, id);
        }

        assert_eq!(stage::<T>(id), JobStage::Expired);
    }

    #[benchmark]
    fn settle() {
        let by = actors::<T>();
        let id = committed(&by);
        let until = Pallet::<T>::now();
        Jobs::<T>::mutate_exists(id, |job| {
            let job = job.as_mut().expect("live");
            Pallet::<T>::leave_queues(id, job);
            job.stage = Stage::Accepted { until };
        });
        Agenda::<T>::insert(until, id, ());

        #[block]
        {
            Pallet::<T>::on_deadline(until, id);
        }

        let outcome = Outcomes::<T>::get(id).map(|record| record.outcome);
        assert!(matches!(
            outcome,
            Some(JobOutcome::Settled { audited: false, .. })
        ));
    }

    #[benchmark]
    fn close_valid(a: Linear<1, MAX_AUDITORS>) {
        let by = actors::<T>();
        let id = in_audit(&by);
        let auditors = T::BenchmarkHelper::auditors(a);

        #[block]
        {
            Pallet::<T>::on_closed(&Subject::Job(id), CASE, Decision::Valid, &auditors);
        }

        assert_eq!(stage::<T>(id), JobStage::Settled);
    }

    #[benchmark]
    fn close_hard(a: Linear<1, MAX_AUDITORS>) {
        let by = actors::<T>();
        let id = in_audit(&by);
        T::BenchmarkHelper::burden(&by.executor);
        let auditors = T::BenchmarkHelper::auditors(a);
        let decision = Decision::Hard(HardReason::Margin);

        #[block]
        {
            Pallet::<T>::on_closed(&Subject::Job(id), CASE, decision, &auditors);
        }

        assert_eq!(stage::<T>(id), JobStage::Refunded);
        assert_eq!(T::Ledger::unclaimed(&by.executor), 0);
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
