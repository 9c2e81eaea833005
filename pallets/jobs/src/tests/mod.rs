//! Tests by behaviour.

mod acknowledge;
mod audits;
mod commit;
mod convictions;
mod deadlines;
mod disputes;
mod draws;
mod exposure;
mod genesis;
mod invariants;
mod params;
mod refuse;
mod settlement;
mod submit;
mod try_state;
mod views;

use crate::{mock::*, pallet::Jobs, *};
use chasqui_primitives::{
    audit::{Decision, Subject},
    draw::{bernoulli, draw_subseed},
    hash,
    receipt::Receipt,
    sampling::Sampling,
    trace::{encode_trace, trace_root, TraceLeaf, FINGERPRINT_DIMS},
    traits::CaseSubjects,
    Balance, CaseId, CheckpointRoot, FinishReason, JobClass, JobId, JobOutcome, JobStage, Output,
    Prompt,
};
use frame_support::traits::fungible::InspectHold;
use parity_scale_codec::Encode;
use sp_core::{Pair, H256};
use sp_runtime::{traits::Dispatchable, DispatchError, MultiSignature, Perbill};

const SALT: [u8; 32] = [5; 32];

/// Calls as the runtime does: what fails is rolled back.
fn dispatch(call: Call<Test>, who: &AccountId) -> Result<(), DispatchError> {
    RuntimeCall::from(call)
        .dispatch(RuntimeOrigin::signed(who.clone()))
        .map(|_| ())
        .map_err(|error| error.error)
}

/// A request, good unless a test spoils it.
#[derive(Clone)]
struct Request {
    client: u64,
    checkpoint: CheckpointRoot,
    prompt: Prompt,
    sampling: Sampling,
    max_price: Balance,
    class: JobClass,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            client: ALICE,
            checkpoint: CHECKPOINT,
            prompt: ids_prompt(&[1, 5, 6]),
            sampling: Sampling::greedy(8),
            max_price: 1_000_000,
            class: JobClass::Standard,
        }
    }
}

impl Request {
    fn send(self) -> Result<(), DispatchError> {
        let client = account(self.client);
        let call = Call::submit {
            checkpoint: self.checkpoint,
            prompt: self.prompt,
            salt: SALT,
            sampling: self.sampling,
            max_price: self.max_price,
            class: self.class,
        };
        dispatch(call, &client)
    }

    fn submitted(self) -> JobId {
        let id = NextJob::<Test>::get();
        self.send().expect("the request is good");
        id
    }

    /// Submitted and assigned.
    fn assigned(self) -> JobId {
        let id = self.submitted();
        run_to_draw();
        assert_eq!(stage(id), JobStage::Assigned);
        id
    }

    /// Submitted, assigned and committed.
    fn committed(self) -> JobId {
        let id = self.assigned();
        commit(id, answer(id)).expect("the answer is good");
        id
    }

    /// Committed, and a case is open.
    fn in_audit(self) -> (JobId, CaseId) {
        let id = self.committed();
        run_to_draw();
        let Some(Stage::InAudit { case }) = Jobs::<Test>::get(id).map(|job| job.stage) else {
            panic!("reputation zero is always audited");
        };
        (id, case)
    }

    /// Committed, and the draw said that it is not audited.
    fn accepted(self) -> JobId {
        let id = self.committed();
        spare_from_audit(id);
        run_to_draw();
        assert_eq!(stage(id), JobStage::Accepted);
        id
    }
}

fn ids_prompt(ids: &[u32]) -> Prompt {
    Prompt::Ids(ids.to_vec().try_into().expect("short"))
}

fn text_prompt(text: &str) -> Prompt {
    Prompt::Text(text.as_bytes().to_vec().try_into().expect("short"))
}

fn blob_prompt(ids: &[u32]) -> Prompt {
    Prompt::Blob {
        root: H256::repeat_byte(4),
        prompt_hash: hash::prompt_hash(&genesis_hash(), &SALT, ids),
        prompt_tokens: ids.len() as u32,
    }
}

fn genesis_hash() -> H256 {
    Pallet::<Test>::genesis_hash()
}

/// Enough blocks that a draw announced now has happened.
fn run_to_draw() {
    run_blocks(u64::from(DELAY + SPAN));
}

fn job(id: JobId) -> JobOf<Test> {
    Jobs::<Test>::get(id).expect("a live job")
}

fn stage(id: JobId) -> JobStage {
    Pallet::<Test>::status(id).expect("a known job").stage
}

fn outcome(id: JobId) -> Option<JobOutcome> {
    Outcomes::<Test>::get(id).map(|record| record.outcome)
}

/// Number of the operator that has the job.
fn executor(id: JobId) -> u64 {
    number_of(job(id).executor().expect("assigned"))
}

/// Only the `n`-th operator has any weight from now on.
fn only_executor(n: u64) {
    for other in (0..OPERATORS).filter(|other| *other != n) {
        Registry::mutate_exists(operator(other), |o| o.as_mut().expect("known").weight = 0);
    }
}

fn set_reputation(n: u64, reputation: Perbill) {
    Registry::mutate_exists(operator(n), |o| {
        o.as_mut().expect("known").reputation = reputation
    });
}

fn registered(n: u64) -> Registered {
    Registry::get(operator(n)).expect("registered")
}

fn held(reason: HoldReason, who: u64) -> Balance {
    Balances::balance_on_hold(&reason.into(), &account(who))
}

fn free(who: &AccountId) -> Balance {
    Balances::free_balance(who)
}

/// The hash and count of the default prompt.
fn facts(ids: &[u32]) -> PromptFacts {
    PromptFacts {
        hash: hash::prompt_hash(&genesis_hash(), &SALT, ids),
        tokens: ids.len() as u32,
    }
}

fn acknowledge(id: JobId, signer: &AccountId, facts: PromptFacts) -> Result<(), DispatchError> {
    let call = Call::acknowledge {
        job: id,
        prompt_hash: facts.hash,
        prompt_tokens: facts.tokens,
    };
    dispatch(call, signer)
}

fn refuse(id: JobId, reason: RefusalReason) -> Result<(), DispatchError> {
    dispatch(Call::refuse { job: id, reason }, &hot(executor(id)))
}

fn trace_of(ids: &[u32]) -> Vec<TraceLeaf> {
    ids.iter()
        .map(|token| TraceLeaf {
            token: *token,
            fingerprint: [*token as i16; FINGERPRINT_DIMS],
        })
        .collect()
}

const OUTPUT: [u32; 4] = [10, 20, 30, END_TOKEN];

/// The executor's good answer: four tokens, the last of them ends it.
fn answer(id: JobId) -> Commitment {
    answer_with(id, &OUTPUT, FinishReason::Stop)
}

fn answer_with(id: JobId, ids: &[u32], finish: FinishReason) -> Commitment {
    let job = job(id);
    let prompt = match Prompts::<Test>::get(id).expect("a live job") {
        Prompt::Ids(ids) => facts(&ids),
        Prompt::Text(bytes) => PromptFacts {
            hash: H256::repeat_byte(6),
            tokens: bytes.len() as u32,
        },
        Prompt::Blob {
            prompt_hash,
            prompt_tokens,
            ..
        } => PromptFacts {
            hash: prompt_hash,
            tokens: prompt_tokens,
        },
    };
    let output_tokens = ids.len() as u32;
    let mut commitment = Commitment {
        prompt_hash: prompt.hash,
        prompt_tokens: prompt.tokens,
        output: Output::Ids(ids.to_vec().try_into().expect("short")),
        output_hash: hash::output_hash(&genesis_hash(), ids),
        output_tokens,
        trace_root: trace_root(&trace_of(ids)),
        finish,
        price: job.price(prompt.tokens, output_tokens).expect("small"),
        signature: MultiSignature::Sr25519(Default::default()),
    };
    sign(id, &mut commitment);
    commitment
}

/// The receipt that belongs to `commitment`.
fn receipt(id: JobId, commitment: &Commitment) -> Receipt<AccountId> {
    let job = job(id);
    Receipt {
        job: id,
        operator: job.executor().cloned().expect("assigned"),
        checkpoint: job.checkpoint,
        prompt_hash: commitment.prompt_hash,
        prompt_tokens: commitment.prompt_tokens,
        sampling: job.sampling.clone(),
        output_hash: commitment.output_hash,
        trace_root: commitment.trace_root,
        output_tokens: commitment.output_tokens,
        finish: commitment.finish,
        price: commitment.price,
    }
}

/// Signs what `commitment` says by the executor's hot key.
fn sign(id: JobId, commitment: &mut Commitment) {
    let message = receipt(id, commitment).signing_hash(&genesis_hash());
    commitment.signature = hot_pair(executor(id)).sign(message.as_bytes()).into();
}

/// Changes a good answer and signs what came out.
fn spoiled(id: JobId, change: impl FnOnce(&mut Commitment)) -> Commitment {
    let mut commitment = answer(id);
    change(&mut commitment);
    sign(id, &mut commitment);
    commitment
}

fn commit(id: JobId, commitment: Commitment) -> Result<(), DispatchError> {
    commit_by(id, &hot(executor(id)), commitment)
}

fn commit_by(id: JobId, who: &AccountId, commitment: Commitment) -> Result<(), DispatchError> {
    dispatch(
        Call::commit {
            job: id,
            commitment,
        },
        who,
    )
}

/// Gives the executor full reputation and the relay chain a mood in which the job is not audited.
fn spare_from_audit(id: JobId) {
    let job = job(id);
    let who = job.executor().cloned().expect("assigned");
    Registry::mutate_exists(&who, |operator| {
        operator.as_mut().expect("registered").reputation = Perbill::one();
    });
    let draw = Draws::<Test>::get(job.stage.ticket().expect("waits")).expect("waits");
    let entropy = (0u64..)
        .find(|entropy| {
            let seed = H256((draw.due, entropy).using_encoded(sp_io::hashing::blake2_256));
            let tag = hash::tag::DRAW_AUDIT;
            let subseed = draw_subseed(tag, &genesis_hash(), &seed, &id.encode(), 0);
            !bernoulli(&subseed, params().audit_floor)
        })
        .expect("nine in ten");
    Entropy::put(entropy);
}

/// The audits pallet closes a case with the agreement of all auditors.
fn close(case: CaseId, decision: Decision) {
    let (subject, ..) = OpenCases::take(case).expect("an open case");
    let majority: Vec<_> = AUDITORS.map(account).to_vec();
    Pallet::<Test>::on_closed(&subject, case, decision, &majority);
}

/// Whether an event of this pallet satisfies `test`.
fn has_event(test: impl Fn(&Event<Test>) -> bool) -> bool {
    System::events()
        .into_iter()
        .any(|record| matches!(record.event, RuntimeEvent::Jobs(event) if test(&event)))
}

fn assert_event(event: Event<Test>) {
    System::assert_has_event(event.into());
}

fn opening(ids: &[u32]) -> Vec<u8> {
    encode_trace(&trace_of(ids))
}

fn opens(id: JobId, bytes: &[u8]) -> bool {
    Pallet::<Test>::opening_matches(&Subject::Job(id), bytes)
}
