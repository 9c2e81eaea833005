//! A network that serves a checkpoint, and jobs on it.

use super::network::{account, key, BlockReport, Chain};
use chasqui_primitives::{
    audit::{verdict_commitment, AuditLimits, AuditThresholds, Evidence, Stage, Verdict},
    hash,
    receipt::Receipt,
    sampling::Sampling,
    CaseId, CheckpointRoot, FinishReason, JobClass, JobId, JobStage, NumericProfile, Output,
    Prompt, Roles, DOT,
};
use chasqui_runtime::{Jobs, Runtime, RuntimeCall};
use sp_core::{sr25519, Pair, H256};
use sp_runtime::MultiSignature;

const ROOT: CheckpointRoot = H256([0xC5; 32]);
const SALT: [u8; 32] = [5; 32];
const EXECUTOR: &str = "Bob";
const VALIDATORS: [&str; 3] = ["Charlie", "Dave", "Eve"];

type Calls = Vec<(sr25519::Pair, RuntimeCall)>;

fn evidence() -> Evidence {
    vec![1; 16].try_into().expect("sixteen fit")
}

fn key_of(who: &chasqui_runtime::AccountId) -> sr25519::Pair {
    VALIDATORS
        .iter()
        .chain([&EXECUTOR])
        .map(|name| key(name))
        .find(|key| account(key) == *who)
        .expect("one of the network's operators")
}

/// Bonds an executor and three validators, and has them serve an accepted checkpoint.
pub fn network(chain: &mut Chain) {
    let limits = AuditLimits {
        mean_margin_micro: 1,
        max_margin_micro: 1,
        mismatch_ppm: 1,
        fingerprint_milli: 1,
    };
    let thresholds = AuditThresholds {
        boundary_micro: 1,
        clip_micro: 1,
        soft: limits,
        hard: limits,
        evidence_tau: 1,
    };
    let info = pallet_checkpoints::CheckpointInfo {
        name: b"bench".to_vec().try_into().expect("short"),
        parent: None,
        base: None,
        profile: NumericProfile::F32,
        vocabulary: 32_000,
        context_tokens: 8_192,
        end_tokens: vec![2].try_into().expect("one"),
        has_tokenizer: true,
        units_per_prompt_token: 1,
        units_per_output_token: 4,
        size_bytes: 1,
        licence: b"Apache-2.0".to_vec().try_into().expect("short"),
    };
    let propose = pallet_checkpoints::Call::<Runtime>::propose { root: ROOT, info };
    chain.build(vec![(key("Ferdie"), propose.into())]);
    let mut calls: Calls = Vec::new();
    for name in VALIDATORS.iter().chain([&EXECUTOR]) {
        let compute = *name == EXECUTOR;
        let register = pallet_operators::Call::<Runtime>::register {
            bond: 10_000 * DOT,
            hot_key: account(&key(name)),
            roles: Roles {
                compute,
                validate: !compute,
            },
            capacity: 10,
            endpoint: pallet_operators::Endpoint {
                url: b"https://127.0.0.1:9000"
                    .to_vec()
                    .try_into()
                    .expect("short"),
                tls_key: [0; 32],
            },
            owner: None,
        };
        calls.push((key(name), register.into()));
        let serve = pallet_operators::Call::<Runtime>::serve { checkpoint: ROOT };
        calls.push((key(name), serve.into()));
    }
    chain.build(calls);
    let mut calibrated = false;
    while !calibrated {
        let duties = chain
            .read(|| pallet_checkpoints::CalibrationDuties::<Runtime>::iter().collect::<Vec<_>>());
        let calls = duties
            .into_iter()
            .map(|(who, root, ())| {
                let call = pallet_checkpoints::Call::<Runtime>::calibrate { root, thresholds };
                (key_of(&who), call.into())
            })
            .collect();
        chain.build(calls);
        calibrated = chain.read(|| {
            pallet_checkpoints::Registry::<Runtime>::get(ROOT)
                .is_some_and(|c| c.status == pallet_checkpoints::Status::Calibrated)
        });
    }
    let accept = pallet_checkpoints::Call::<Runtime>::accept { root: ROOT };
    let sudo = pallet_sudo::Call::<Runtime>::sudo {
        call: Box::new(accept.into()),
    };
    chain.build(vec![(key("Alice"), sudo.into())]);
}

/// A job of `prompt` and up to `output` tokens.
pub fn submit(prompt: u32, output: u32, class: JobClass) -> RuntimeCall {
    pallet_jobs::Call::<Runtime>::submit {
        checkpoint: ROOT,
        prompt: Prompt::Ids(vec![7; prompt as usize].try_into().expect("it fits")),
        salt: SALT,
        sampling: Sampling::greedy(output),
        max_price: u128::MAX,
        class,
    }
    .into()
}

/// The executor's acknowledgement of `job` and its answer of `output` tokens.
fn answers(chain: &mut Chain, job: JobId, output: u32) -> (RuntimeCall, RuntimeCall) {
    let (genesis, record, prompt) = chain.read(|| {
        (
            Jobs::genesis_hash(),
            pallet_jobs::Jobs::<Runtime>::get(job).expect("the job is live"),
            pallet_jobs::Prompts::<Runtime>::get(job).expect("the job is live"),
        )
    });
    let Prompt::Ids(prompt) = prompt else {
        panic!("prompts are ids here")
    };
    let ids = vec![8u32; output as usize];
    let prompt_hash = hash::prompt_hash(&genesis, &record.salt, &prompt);
    let prompt_tokens = prompt.len() as u32;
    let receipt = Receipt {
        job,
        operator: account(&key(EXECUTOR)),
        checkpoint: record.checkpoint,
        prompt_hash,
        prompt_tokens,
        sampling: record.sampling.clone(),
        output_hash: hash::output_hash(&genesis, &ids),
        trace_root: H256::repeat_byte(9),
        output_tokens: output,
        finish: FinishReason::Length,
        price: record.price(prompt_tokens, output).expect("a price"),
    };
    let signature = key(EXECUTOR).sign(receipt.signing_hash(&genesis).as_bytes());
    let commitment = pallet_jobs::Commitment {
        prompt_hash,
        prompt_tokens,
        output: Output::Ids(ids.try_into().expect("it fits")),
        output_hash: receipt.output_hash,
        output_tokens: output,
        trace_root: receipt.trace_root,
        finish: receipt.finish,
        price: receipt.price,
        signature: MultiSignature::Sr25519(signature),
    };
    let acknowledge = pallet_jobs::Call::<Runtime>::acknowledge {
        job,
        prompt_hash,
        prompt_tokens,
    };
    let commit = pallet_jobs::Call::<Runtime>::commit { job, commitment };
    (acknowledge.into(), commit.into())
}

/// What one job brought onto the chain.
#[derive(Default)]
pub struct Footprint {
    /// Encoded bytes of its transactions in blocks.
    pub transactions: usize,
    /// Number of its transactions.
    pub count: usize,
    /// Encoded bytes of all events in the blocks that did something about it, less an idle block's.
    pub events: usize,
    /// Bytes of keys and values while it was live, at most.
    pub live_state: usize,
    /// Bytes of keys and values that it left.
    pub kept_state: usize,
}

const STATE: [&str; 3] = ["Jobs", "Audits", "Rewards"];

/// Runs one job from submission to settlement.
pub fn one_job(chain: &mut Chain, prompt: u32, output: u32, class: JobClass) -> Footprint {
    let idle = (0..10)
        .map(|_| chain.build(Vec::new()).event_bytes)
        .min()
        .unwrap_or(0);
    let before = chain.storage_bytes(&STATE);
    let mut footprint = Footprint::default();
    let job = chain.read(pallet_jobs::NextJob::<Runtime>::get);
    let mut note = |chain: &mut Chain, report: BlockReport| {
        footprint.transactions += report.transaction_bytes;
        footprint.count += report.included;
        footprint.events += report.event_bytes.saturating_sub(idle);
        let bytes = chain.storage_bytes(&STATE).saturating_sub(before);
        footprint.live_state = footprint.live_state.max(bytes);
        footprint.kept_state = bytes;
    };
    let report = chain.build(vec![(key("Ferdie"), submit(prompt, output, class))]);
    note(chain, report);
    loop {
        let status = chain.read(|| Jobs::status(job)).expect("it is remembered");
        let calls: Calls = match status.stage {
            JobStage::Assigned => {
                let (acknowledge, commit) = answers(chain, job, output);
                vec![(key(EXECUTOR), acknowledge), (key(EXECUTOR), commit)]
            }
            JobStage::InAudit => {
                audit_calls(chain, status.case.expect("a job in audit has a case"))
            }
            JobStage::Settled => return footprint,
            JobStage::Refunded | JobStage::Expired => panic!("{:?}", status.outcome),
            JobStage::Submitted
            | JobStage::Acknowledged
            | JobStage::Committed
            | JobStage::Accepted => Vec::new(),
        };
        let report = chain.build(calls);
        note(chain, report);
    }
}

/// What the panel of `case` has to do now.
fn audit_calls(chain: &mut Chain, id: CaseId) -> Calls {
    let genesis = chain.genesis();
    let Some(case) = chain.read(|| pallet_audits::Cases::<Runtime>::get(id)) else {
        return Vec::new();
    };
    let commits = matches!(case.phase, pallet_audits::Phase::Commit { .. });
    case.seats
        .iter()
        .filter(|seat| commits == seat.commitment.is_none() && seat.reveal.is_none())
        .map(|seat| {
            let call = if commits {
                let commitment = verdict_commitment(
                    &genesis,
                    id,
                    Stage::One,
                    &seat.auditor,
                    &Verdict::Valid,
                    &evidence(),
                    &SALT,
                );
                pallet_audits::Call::<Runtime>::commit {
                    case: id,
                    commitment,
                }
            } else {
                pallet_audits::Call::<Runtime>::reveal {
                    case: id,
                    verdict: Verdict::Valid,
                    evidence: evidence(),
                    salt: SALT,
                }
            };
            (key_of(&seat.auditor), call.into())
        })
        .collect()
}
