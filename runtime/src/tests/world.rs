//! A development chain in memory, with people who hold keys: what the tests of whole lives share.
//!
//! Blocks are the hooks of Chasqui's pallets in the runtime's order, and a relay parent of their
//! own each; transactions are dispatched as the runtime dispatches them, without fees.

use super::genesis_of;
use crate::{
    genesis, randomness, AccountId, Audits, Balance, Balances, Checkpoints, Datasets, Economy,
    Jobs, Operators, Randomness, Rewards, Runtime, RuntimeCall, RuntimeEvent, RuntimeHoldReason,
    RuntimeOrigin, Scheduler, Sessions, System, Training, TrainingFund, Voting,
};
use chasqui_primitives::{
    audit::{
        verdict_commitment, AuditLimits, AuditThresholds, Evidence, Stage, Verdict, EVIDENCE_DIMS,
    },
    hash,
    receipt::Receipt,
    sampling::Sampling,
    trace::{trace_root, TraceLeaf, FINGERPRINT_DIMS},
    CaseId, CheckpointRoot, FinishReason, JobClass, JobId, JobStatus, NumericProfile, Output,
    Prompt, Roles, DOT,
};
use cumulus_pallet_parachain_system::LastRelayChainBlockNumber;
use frame_support::{
    traits::{
        fungible::{InspectHold, Mutate},
        Hooks,
    },
    weights::Weight,
};
use pallet_jobs::Commitment;
use sp_core::{sr25519, Pair, H256};
use sp_io::TestExternalities;
use sp_runtime::{traits::Dispatchable, DispatchError, MultiSignature};
use std::sync::LazyLock;

/// How many people there are; each has an account and a hot key.
pub const PEOPLE: u8 = 14;
/// What everybody begins with.
pub const FUNDS: Balance = 100_000 * DOT;
/// What an operator puts up.
pub const BOND: Balance = 1_000 * DOT;

struct Keys {
    account: (AccountId, sr25519::Pair),
    hot: (AccountId, sr25519::Pair),
}

static KEYS: LazyLock<Vec<Keys>> = LazyLock::new(|| {
    let keys = |n: u8| {
        let pair = sr25519::Pair::from_seed(&[n; 32]);
        (pair.public().into(), pair)
    };
    (0..PEOPLE)
        .map(|n| Keys {
            account: keys(n + 1),
            hot: keys(n + 100),
        })
        .collect()
});

/// The account of person `n`.
pub fn person(n: u8) -> AccountId {
    KEYS[usize::from(n)].account.0.clone()
}

/// The account of person `n`'s hot key.
pub fn hot_key(n: u8) -> AccountId {
    KEYS[usize::from(n)].hot.0.clone()
}

/// The signature over `message` that belongs to `key`, if somebody has it.
pub fn sign(key: &AccountId, message: &[u8]) -> MultiSignature {
    let pair = KEYS
        .iter()
        .flat_map(|keys| [&keys.account, &keys.hot])
        .find(|(account, _)| account == key);
    let signature = pair.map_or(sr25519::Signature::from_raw([0; 64]), |(_, pair)| {
        pair.sign(message)
    });
    MultiSignature::Sr25519(signature)
}

/// The development chain with everybody funded; `seed` decides all draws.
pub fn chain(seed: u64) -> TestExternalities {
    let mut chain = genesis_of(genesis::DEVELOPMENT);
    chain.execute_with(|| {
        System::set_block_number(1);
        randomness::Pallet::<Runtime>::observe(0, hashed(&(seed, 0u32)));
        for n in 0..PEOPLE {
            Balances::mint_into(&person(n), FUNDS).unwrap();
        }
        // Kept where the hooks find it again.
        sp_io::storage::set(SEED_KEY, &seed.to_le_bytes());
    });
    chain
}

const SEED_KEY: &[u8] = b":test:seed";

fn hashed(value: &impl parity_scale_codec::Encode) -> [u8; 32] {
    value.using_encoded(sp_io::hashing::blake2_256)
}

/// Ends the running block and begins the next.
pub fn next_block() {
    let now = System::block_number();
    Operators::on_idle(now, Weight::from_parts(1_000_000_000, 1_000_000));
    let (now, relay) = (now + 1, LastRelayChainBlockNumber::<Runtime>::get() + 1);
    System::set_block_number(now);
    System::reset_events();
    Operators::on_initialize(now);
    Checkpoints::on_initialize(now);
    Jobs::on_initialize(now);
    Audits::on_initialize(now);
    Rewards::on_initialize(now);
    Sessions::on_initialize(now);
    Training::on_initialize(now);
    TrainingFund::on_initialize(now);
    Datasets::on_initialize(now);
    Economy::on_initialize(now);
    Scheduler::on_initialize(now);
    // The inherent.
    LastRelayChainBlockNumber::<Runtime>::put(relay);
    let seed = sp_io::storage::get(SEED_KEY).unwrap();
    Randomness::observe(relay, hashed(&(seed, relay)));
}

/// Blocks until `found` answers.
///
/// # Panics
/// When it has not after `limit` blocks.
pub fn await_some<R>(limit: u32, found: impl Fn() -> Option<R>) -> R {
    for _ in 0..limit {
        if let Some(result) = found() {
            return result;
        }
        next_block();
    }
    panic!(
        "it did not happen within {limit} blocks; last events: {:#?}",
        System::events()
    );
}

/// Blocks until epoch `epoch` has begun.
pub fn await_epoch(epoch: u32) {
    await_some(10_000, || (current_epoch() >= epoch).then_some(()));
}

/// The running epoch.
pub fn current_epoch() -> u32 {
    pallet_operators::CurrentEpoch::<Runtime>::get().index
}

/// Dispatches a transaction.
pub fn send(who: &AccountId, call: impl Into<RuntimeCall>) -> Result<(), DispatchError> {
    dispatch(RuntimeOrigin::signed(who.clone()), call)
}

/// Dispatches `call` from `origin`.
pub fn dispatch(origin: RuntimeOrigin, call: impl Into<RuntimeCall>) -> Result<(), DispatchError> {
    call.into().dispatch(origin).map(drop).map_err(|e| e.error)
}

/// Whether an event of this block is `wanted`.
pub fn happened(wanted: impl Fn(&RuntimeEvent) -> bool) -> bool {
    System::events().iter().any(|record| wanted(&record.event))
}

/// What `who` has, on hold or not.
pub fn wealth(who: &AccountId) -> Balance {
    Balances::total_balance(who)
}

use frame_support::traits::fungible::Inspect;

/// What `who` has on hold for `reason`.
pub fn held(reason: impl Into<RuntimeHoldReason>, who: &AccountId) -> Balance {
    Balances::balance_on_hold(&reason.into(), who)
}

/// The roles of a compute operator.
pub const COMPUTE: Roles = Roles {
    compute: true,
    validate: false,
};
/// The roles of a validator.
pub const VALIDATE: Roles = Roles {
    compute: false,
    validate: true,
};

/// An endpoint of person `n`.
pub fn endpoint(n: u8) -> pallet_operators::Endpoint {
    pallet_operators::Endpoint {
        url: format!("https://127.0.0.1:{}", 9_000 + u32::from(n))
            .into_bytes()
            .try_into()
            .unwrap(),
        tls_key: [n; 32],
    }
}

/// Person `n` bonds [`BOND`] and becomes an operator.
pub fn register(n: u8, roles: Roles) {
    let call = pallet_operators::Call::<Runtime>::register {
        bond: BOND,
        hot_key: hot_key(n),
        roles,
        capacity: 10,
        endpoint: endpoint(n),
        owner: None,
    };
    send(&person(n), call).unwrap();
}

/// A checkpoint's name.
pub fn root(n: u8) -> CheckpointRoot {
    H256::repeat_byte(0xC0 + n)
}

/// What its proposer says of a checkpoint.
pub fn info() -> pallet_checkpoints::CheckpointInfo {
    pallet_checkpoints::CheckpointInfo {
        name: b"tiny".to_vec().try_into().unwrap(),
        parent: None,
        base: None,
        profile: NumericProfile::F32,
        vocabulary: 100,
        context_tokens: 128,
        end_tokens: vec![0].try_into().unwrap(),
        has_tokenizer: true,
        units_per_prompt_token: 1,
        units_per_output_token: 4,
        size_bytes: 1_000,
        licence: b"Apache-2.0".to_vec().try_into().unwrap(),
    }
}

/// What a validator measured.
pub fn thresholds(scale: u32) -> AuditThresholds {
    let limits = |scale| AuditLimits {
        mean_margin_micro: scale,
        max_margin_micro: scale,
        mismatch_ppm: scale,
        fingerprint_milli: scale,
    };
    AuditThresholds {
        boundary_micro: 1,
        clip_micro: 1_000,
        soft: limits(scale),
        hard: limits(2 * scale),
        evidence_tau: 8,
    }
}

/// Registers `compute` executors and `validators` (people from 0 on), who all serve checkpoint 0,
/// which is calibrated by some of them and accepted; a unit costs `unit_price`. The last person proposes it.
pub fn network(compute: u8, validators: u8, unit_price: Balance) {
    let proposer = person(PEOPLE - 1);
    let (root, info) = (root(0), info());
    send(
        &proposer,
        pallet_checkpoints::Call::<Runtime>::propose { root, info },
    )
    .unwrap();
    for n in 0..compute + validators {
        register(n, if n < compute { COMPUTE } else { VALIDATE });
        send(
            &hot_key(n),
            pallet_operators::Call::<Runtime>::serve { checkpoint: root },
        )
        .unwrap();
    }
    await_some(200, || {
        for (validator, root, ()) in pallet_checkpoints::CalibrationDuties::<Runtime>::iter() {
            let thresholds = thresholds(100);
            send(
                &validator,
                pallet_checkpoints::Call::<Runtime>::calibrate { root, thresholds },
            )
            .unwrap();
        }
        let checkpoint = pallet_checkpoints::Registry::<Runtime>::get(root)?;
        (checkpoint.status == pallet_checkpoints::Status::Calibrated).then_some(())
    });
    dispatch(
        RuntimeOrigin::root(),
        pallet_checkpoints::Call::<Runtime>::accept { root },
    )
    .unwrap();
    pallet_economy::Price::<Runtime>::put(unit_price);
}

/// The salt of every job's prompt.
pub const SALT: [u8; 32] = [5; 32];
/// The prompt of most jobs.
pub const PROMPT: [u32; 10] = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20];

/// `client` submits a job for at most `max_tokens` tokens on [`PROMPT`].
pub fn submit(client: &AccountId, max_tokens: u32, class: JobClass) -> JobId {
    let job = pallet_jobs::NextJob::<Runtime>::get();
    let call = pallet_jobs::Call::<Runtime>::submit {
        checkpoint: root(0),
        prompt: Prompt::Ids(PROMPT.to_vec().try_into().unwrap()),
        salt: SALT,
        sampling: Sampling::greedy(max_tokens),
        max_price: Balance::MAX,
        class,
    };
    send(client, call).unwrap();
    job
}

/// A live job.
pub fn live(job: JobId) -> pallet_jobs::JobOf<Runtime> {
    pallet_jobs::Jobs::<Runtime>::get(job).unwrap()
}

/// Where a job stands.
pub fn status(job: JobId) -> JobStatus<AccountId> {
    Jobs::status(job).unwrap()
}

/// The trace of an output.
pub fn trace_of(ids: &[u32]) -> Vec<TraceLeaf> {
    let leaf = |token: &u32| TraceLeaf {
        token: *token,
        fingerprint: [3; FINGERPRINT_DIMS],
    };
    ids.iter().map(leaf).collect()
}

/// What the executor of `job` delivers when it answers `ids` to a prompt of [`PROMPT`].
pub fn commitment(job: JobId, ids: &[u32]) -> Commitment {
    let record = live(job);
    let genesis = Jobs::genesis_hash();
    let executor = record.executors.last().unwrap().clone();
    let key = pallet_operators::Operators::<Runtime>::get(&executor)
        .map_or(executor.clone(), |operator| operator.hot_key);
    let (prompt_hash, prompt_tokens) = match pallet_jobs::Prompts::<Runtime>::get(job).unwrap() {
        Prompt::Ids(ids) => (
            hash::prompt_hash(&genesis, &record.salt, &ids),
            ids.len() as u32,
        ),
        Prompt::Text(text) => (
            hash::prompt_hash(&genesis, &record.salt, &[1]),
            text.len() as u32,
        ),
        Prompt::Blob {
            prompt_hash,
            prompt_tokens,
            ..
        } => (prompt_hash, prompt_tokens),
    };
    let ended = ids.last().is_some_and(|id| record.ends_output(*id));
    let receipt = Receipt {
        job,
        operator: executor,
        checkpoint: record.checkpoint,
        prompt_hash,
        prompt_tokens,
        sampling: record.sampling.clone(),
        output_hash: hash::output_hash(&genesis, ids),
        trace_root: trace_root(&trace_of(ids)),
        output_tokens: ids.len() as u32,
        finish: if ended {
            FinishReason::Stop
        } else {
            FinishReason::Length
        },
        price: record
            .price(prompt_tokens, ids.len() as u32)
            .unwrap_or_default(),
    };
    let signature = sign(&key, receipt.signing_hash(&genesis).as_bytes());
    Commitment {
        prompt_hash,
        prompt_tokens,
        output: Output::Ids(ids.to_vec().try_into().unwrap()),
        output_hash: receipt.output_hash,
        output_tokens: receipt.output_tokens,
        trace_root: receipt.trace_root,
        finish: receipt.finish,
        price: receipt.price,
        signature,
    }
}

/// The executor that is drawn for `job` acknowledges and answers `ids`. Returns the executor.
pub fn compute(job: JobId, ids: &[u32]) -> AccountId {
    let executor = await_some(10, || status(job).executor);
    let answer = commitment(job, ids);
    let acknowledge = pallet_jobs::Call::<Runtime>::acknowledge {
        job,
        prompt_hash: answer.prompt_hash,
        prompt_tokens: answer.prompt_tokens,
    };
    send(&executor, acknowledge).unwrap();
    let commit = pallet_jobs::Call::<Runtime>::commit {
        job,
        commitment: answer,
    };
    send(&executor, commit).unwrap();
    executor
}

/// What an honest auditor's replay projects to.
pub fn evidence() -> Evidence {
    vec![1; EVIDENCE_DIMS as usize].try_into().unwrap()
}

/// What binds an auditor to a verdict.
pub fn sealed(
    case: CaseId,
    stage: Stage,
    auditor: &AccountId,
    verdict: Verdict,
    evidence: &Evidence,
) -> H256 {
    let genesis = Jobs::genesis_hash();
    verdict_commitment(&genesis, case, stage, auditor, &verdict, evidence, &SALT)
}

/// Everybody with a duty in `case` commits to `verdict`, then reveals it.
pub fn judge(case: CaseId, stage: Stage, verdict: Verdict) -> Vec<AccountId> {
    let duties = |with: Stage| {
        let mut auditors: Vec<_> = pallet_audits::Duties::<Runtime>::iter()
            .filter(|(_, of, stage)| *of == case && *stage == with)
            .map(|(auditor, ..)| auditor)
            .collect();
        auditors.sort();
        auditors
    };
    let auditors = duties(stage);
    for auditor in &auditors {
        let commitment = sealed(case, stage, auditor, verdict, &evidence());
        send(
            auditor,
            pallet_audits::Call::<Runtime>::commit { case, commitment },
        )
        .unwrap();
    }
    await_some(100, || {
        let case = pallet_audits::Cases::<Runtime>::get(case)?;
        matches!(case.phase, pallet_audits::Phase::Reveal { .. }).then_some(())
    });
    for auditor in &auditors {
        let call = pallet_audits::Call::<Runtime>::reveal {
            case,
            verdict,
            evidence: evidence(),
            salt: SALT,
        };
        send(auditor, call).unwrap();
    }
    next_block();
    auditors
}

/// Checks what must always hold, in every pallet that can tell.
pub fn check_state() {
    crate::randomness::Pallet::<Runtime>::do_try_state().unwrap();
    #[cfg(feature = "try-runtime")]
    {
        Operators::do_try_state().unwrap();
        Checkpoints::do_try_state().unwrap();
        Jobs::do_try_state().unwrap();
        Audits::do_try_state().unwrap();
        Rewards::do_try_state().unwrap();
        Sessions::do_try_state().unwrap();
        Training::do_try_state().unwrap();
        TrainingFund::do_try_state().unwrap();
        Datasets::do_try_state().unwrap();
        Economy::do_try_state().unwrap();
        Voting::do_try_state().unwrap();
        <Balances as Hooks<_>>::try_state(System::block_number()).unwrap();
    }
    // Money on accounts is all the money there is.
    let accounts: Balance = frame_system::Account::<Runtime>::iter_values()
        .map(|account| account.data.free + account.data.reserved)
        .sum();
    assert_eq!(accounts, Balances::total_issuance());
}
