//! What stands on chain, as plain values.

use anyhow::{ensure, Context, Result};
use chasqui_chain::{api, AccountId32, Head, H256};
use chasqui_primitives::{
    audit::AuditThresholds, sampling::Sampling, Balance, CaseId, CheckpointRoot, FinishReason,
    JobClass, JobId, JobOutcome, Output, Prompt,
};
use parity_scale_codec::Encode;
use subxt::utils::MultiSignature;

type ChainStage = api::runtime_types::pallet_jobs::types::Stage<u32>;

/// Where a live job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobPhase {
    Submitted,
    Assigned { deadline: u32 },
    Acknowledged { deadline: u32 },
    Committed,
    InAudit { case: CaseId },
    Accepted { until: u32 },
}

impl JobPhase {
    /// Whether its executor still owes an answer.
    pub fn awaits_commitment(&self) -> bool {
        matches!(
            self,
            JobPhase::Assigned { .. } | JobPhase::Acknowledged { .. }
        )
    }

    /// Whether its executor still owes an acknowledgement.
    pub fn awaits_acknowledgement(&self) -> bool {
        matches!(self, JobPhase::Assigned { .. })
    }

    /// Its name, as JSON output says it.
    pub fn name(&self) -> &'static str {
        match self {
            JobPhase::Submitted => "submitted",
            JobPhase::Assigned { .. } => "assigned",
            JobPhase::Acknowledged { .. } => "acknowledged",
            JobPhase::Committed => "committed",
            JobPhase::InAudit { .. } => "inAudit",
            JobPhase::Accepted { .. } => "accepted",
        }
    }
}

/// A live job.
#[derive(Clone, Debug)]
pub struct JobView {
    pub id: JobId,
    pub client: AccountId32,
    pub checkpoint: CheckpointRoot,
    pub salt: [u8; 32],
    pub sampling: Sampling,
    pub class: JobClass,
    pub unit_price: Balance,
    pub units_per_prompt_token: u32,
    pub units_per_output_token: u32,
    pub end_tokens: Vec<u32>,
    pub thresholds: AuditThresholds,
    pub escrow: Balance,
    /// Who has it, once drawn.
    pub executor: Option<AccountId32>,
    pub stage: JobPhase,
    pub prompt: Prompt,
}

/// What an executor committed to.
#[derive(Clone, Debug)]
pub struct CommitmentView {
    pub prompt_hash: H256,
    pub prompt_tokens: u32,
    pub output_hash: H256,
    pub output_tokens: u32,
    pub trace_root: H256,
    pub finish: FinishReason,
    pub price: Balance,
    pub signature: Vec<u8>,
    pub output: Output,
}

/// A storage value, `None` where there is none.
macro_rules! fetch {
    ($head:expr, $address:expr, $key:expr) => {
        match $head
            .at
            .storage()
            .entry($address)
            .context("this node's runtime is not the one this program was built for")?
            .try_fetch($key)
            .await
            .context("reading the chain")?
        {
            Some(value) => Some(value.decode().context("decoding what the chain stores")?),
            None => None,
        }
    };
}
pub(crate) use fetch;

/// A list as the chain's calls take it, at most `limit` long.
pub fn bounded<T: Clone>(
    what: &str,
    items: &[T],
    limit: usize,
) -> Result<api::runtime_types::bounded_collections::bounded_vec::BoundedVec<T>> {
    ensure!(
        items.len() <= limit,
        "{what} has {} entries, at most {limit} fit",
        items.len()
    );
    Ok(api::runtime_types::bounded_collections::bounded_vec::BoundedVec(items.to_vec()))
}

/// A live job, `None` once it is closed.
pub async fn job(head: &Head, id: JobId) -> Result<Option<JobView>> {
    let Some(job) = fetch!(head, api::storage().jobs().jobs(), (id,)) else {
        return Ok(None);
    };
    let Some(prompt) = fetch!(head, api::storage().jobs().prompts(), (id,)) else {
        return Ok(None);
    };
    let stage = match job.stage {
        ChainStage::Submitted { .. } => JobPhase::Submitted,
        ChainStage::Assigned { deadline } => JobPhase::Assigned { deadline },
        ChainStage::Acknowledged { deadline } => JobPhase::Acknowledged { deadline },
        ChainStage::Committed { .. } => JobPhase::Committed,
        ChainStage::InAudit { case } => JobPhase::InAudit { case },
        ChainStage::Accepted { until } => JobPhase::Accepted { until },
    };
    let executor = match stage {
        JobPhase::Submitted => None,
        _ => job.executors.0.last().cloned(),
    };
    Ok(Some(JobView {
        id,
        client: job.client,
        checkpoint: job.checkpoint,
        salt: job.salt,
        sampling: job.sampling.0,
        class: job.class.0,
        unit_price: job.terms.unit_price,
        units_per_prompt_token: job.terms.units_per_prompt_token,
        units_per_output_token: job.terms.units_per_output_token,
        end_tokens: job.terms.end_tokens.0,
        thresholds: job.terms.thresholds.0,
        escrow: job.escrow,
        executor,
        stage,
        prompt: prompt.0,
    }))
}

/// What was committed to for a live job.
pub async fn commitment(head: &Head, id: JobId) -> Result<Option<CommitmentView>> {
    let Some(record) = fetch!(head, api::storage().jobs().commitments(), (id,)) else {
        return Ok(None);
    };
    let Some(output) = fetch!(head, api::storage().jobs().outputs(), (id,)) else {
        return Ok(None);
    };
    Ok(Some(CommitmentView {
        prompt_hash: record.prompt.hash,
        prompt_tokens: record.prompt.tokens,
        output_hash: record.output_hash,
        output_tokens: record.output_tokens,
        trace_root: record.trace_root,
        finish: record.finish.0,
        price: record.price,
        signature: encoded(record.signature),
        output: output.0,
    }))
}

/// How a closed job ended, while the chain still remembers.
pub async fn outcome(
    head: &Head,
    id: JobId,
) -> Result<Option<(JobOutcome, Option<AccountId32>, Option<CaseId>)>> {
    let record = fetch!(head, api::storage().jobs().outcomes(), (id,));
    Ok(record.map(|record| (record.outcome.0, record.executor, record.case)))
}

/// The hot key of an operator.
pub async fn hot_key(head: &Head, operator: &AccountId32) -> Result<Option<AccountId32>> {
    let record = fetch!(head, api::storage().operators().operators(), (*operator,));
    Ok(record.map(|record| record.hot_key))
}

/// A signature's SCALE encoding.
fn encoded(signature: api::runtime_types::sp_runtime::MultiSignature) -> Vec<u8> {
    use api::runtime_types::sp_runtime::MultiSignature as Generated;
    match signature {
        Generated::Ed25519(bytes) => MultiSignature::Ed25519(bytes),
        Generated::Sr25519(bytes) => MultiSignature::Sr25519(bytes),
        Generated::Ecdsa(bytes) => MultiSignature::Ecdsa(bytes),
        Generated::Eth(bytes) => return [&[3u8][..], &bytes].concat(),
    }
    .encode()
}

/// A signature as the chain's calls take it.
pub fn signature(signature: MultiSignature) -> api::runtime_types::sp_runtime::MultiSignature {
    use api::runtime_types::sp_runtime::MultiSignature as Generated;
    match signature {
        MultiSignature::Ed25519(bytes) => Generated::Ed25519(bytes),
        MultiSignature::Sr25519(bytes) => Generated::Sr25519(bytes),
        MultiSignature::Ecdsa(bytes) => Generated::Ecdsa(bytes),
    }
}
