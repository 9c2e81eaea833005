//! A client's side: submit a job, follow it through its events, report how it ended.

use crate::{
    receipt::{self, ReceiptFile},
    view::{self, CommitmentView, JobPhase, JobView},
};
use anyhow::{bail, Context, Result};
use chasqui_chain::{api, AccountId32, Chain, Head, Signer, Static};
use chasqui_primitives::{
    sampling::Sampling, Balance, CheckpointRoot, ExpiryReason, JobClass, JobId, JobOutcome, Output,
    Prompt, RefundReason,
};
use serde::Serialize;
use serde_json::{json, Map, Value};
use subxt::ext::scale_value::{self, Composite, Primitive, ValueDef, Variant};

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct Request {
    pub checkpoint: CheckpointRoot,
    pub prompt: Prompt,
    /// Goes into the prompt's hash: [`fresh_salt`].
    pub salt: [u8; 32],
    pub sampling: Sampling,
    /// In planck; without one the worst case of the current terms is accepted.
    pub max_price: Option<Balance>,
    pub class: JobClass,
}

/// A salt that nobody can guess.
///
/// # Errors
/// The operating system gives no randomness.
pub fn fresh_salt() -> Result<[u8; 32]> {
    let mut salt = [0u8; 32];
    getrandom::getrandom(&mut salt).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(salt)
}

/// A job that was taken.
#[derive(Clone, Debug)]
pub struct Submitted {
    pub job: JobId,
    /// The most it can cost, now on hold.
    pub escrow: Balance,
    /// The block it is in.
    pub block: u32,
}

/// Submits a job.
///
/// # Errors
/// The node or the chain refuses it, in their words.
pub async fn submit(chain: &Chain, signer: &Signer, request: Request) -> Result<Submitted> {
    let call = api::tx().jobs().submit(
        request.checkpoint,
        Static(request.prompt),
        request.salt,
        Static(request.sampling),
        request.max_price.unwrap_or(Balance::MAX),
        Static(request.class),
    );
    let included = chain.submit(signer, &call).await?;
    let submitted = included
        .events
        .find_first::<api::jobs::events::JobSubmitted>()
        .context("the job was included, but no event tells its number")??;
    let head = chain.api().at_block(included.block).await?;
    Ok(Submitted {
        job: submitted.job,
        escrow: submitted.escrow,
        block: head.block_number() as u32,
    })
}

/// Checks what the chain cannot see of a prompt in a blob, and what it would refuse, before anything is stored or paid:
/// that the ids are the checkpoint's, and that they and `max_tokens` fit into its context.
///
/// # Errors
/// Says what does not fit, and what would.
pub async fn check_ids(
    head: &Head,
    checkpoint: &CheckpointRoot,
    ids: &[u32],
    max_tokens: u32,
) -> Result<()> {
    let registry = api::storage().checkpoints().registry();
    // An unknown checkpoint is the chain's to refuse.
    let Some(record) = view::fetch!(head, registry, (*checkpoint,)) else {
        return Ok(());
    };
    let (vocabulary, context) = (record.info.vocabulary, record.info.context_tokens);
    if let Some(id) = ids.iter().find(|id| **id >= vocabulary) {
        bail!("the prompt has the token id {id}; the checkpoint's vocabulary has {vocabulary}");
    }
    let room = u64::from(context).saturating_sub(u64::from(max_tokens));
    if ids.len() as u64 > room {
        bail!(
            "the prompt has {} tokens and --max-tokens asks for {max_tokens}; the checkpoint's context holds {context} \
             in all: shorten the prompt, or lower --max-tokens",
            ids.len()
        );
    }
    Ok(())
}

/// One line of `job list`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobLine {
    pub job: JobId,
    pub stage: String,
    pub client: String,
    pub executor: Option<String>,
    pub checkpoint: String,
    pub escrow: String,
}

/// Live jobs, newest first; of one client, or all.
pub async fn live_jobs(head: &Head, client: Option<&AccountId32>) -> Result<Vec<JobLine>> {
    let mut ids: Vec<JobId> = Vec::new();
    match client {
        Some(client) => {
            let entry = head
                .at
                .storage()
                .entry(api::storage().jobs().client_jobs())?;
            let mut items = entry.iter((*client,)).await?;
            while let Some(item) = items.next().await {
                ids.push(item?.key()?.decode()?.1);
            }
        }
        None => {
            let entry = head.at.storage().entry(api::storage().jobs().jobs())?;
            let mut items = entry.iter(()).await?;
            while let Some(item) = items.next().await {
                ids.push(item?.key()?.decode()?.0);
            }
        }
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let mut lines = Vec::new();
    for id in ids {
        if let Some(job) = view::job(head, id).await? {
            lines.push(JobLine {
                job: id,
                stage: job.stage.name().into(),
                client: job.client.to_string(),
                executor: job.executor.map(|executor| executor.to_string()),
                checkpoint: format!("{:?}", job.checkpoint),
                escrow: job.escrow.to_string(),
            });
        }
    }
    Ok(lines)
}

/// How a job ended, and everything on the way there that a client may want to keep.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobReport {
    pub job: JobId,
    #[serde(serialize_with = "hex_hash")]
    pub checkpoint: CheckpointRoot,
    /// `settled`, `refunded` or `expired`.
    pub outcome: String,
    /// Why it was not settled, by the chain's name.
    pub reason: Option<String>,
    /// The same in words, and what to do.
    pub explanation: Option<String>,
    pub executor: Option<String>,
    /// Root of the prompt's blob, where the prompt is not on chain.
    pub prompt_blob: Option<String>,
    pub prompt_tokens: Option<u32>,
    pub output_tokens: Option<u32>,
    pub output_ids: Option<Vec<u32>>,
    pub text: Option<String>,
    pub finish: Option<String>,
    pub audited: bool,
    pub case: Option<u64>,
    /// Planck, as strings: JSON numbers cannot hold them. An expired job may have cost the base fee.
    pub escrow: String,
    pub paid: String,
    pub returned: String,
    pub receipt: Option<ReceiptFile>,
    /// All events of the pallets that jobs, cases and money pass through, of every block that was read: block, pallet,
    /// event, fields.
    pub events: Vec<Value>,
}

fn hex_hash<S: serde::Serializer>(hash: &CheckpointRoot, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{hash:?}"))
}

impl JobReport {
    /// Whether the client has an answer that it paid for.
    pub fn is_answered(&self) -> bool {
        self.outcome == "settled"
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        match (&self.reason, &self.explanation) {
            (Some(reason), Some(explanation)) => {
                format!("job {} {}: {reason}: {explanation}", self.job, self.outcome)
            }
            (Some(reason), None) => format!("job {} {}: {reason}", self.job, self.outcome),
            (None, _) => format!(
                "job {} {}: {} output tokens, paid {} planck{}",
                self.job,
                self.outcome,
                self.output_tokens.unwrap_or_default(),
                self.paid,
                if self.audited { ", audited" } else { "" }
            ),
        }
    }
}

/// Follows one job block by block, so that nothing between two looks is missed.
pub struct Watcher {
    chain: Chain,
    report: JobReport,
    /// The next block to read.
    next: Option<u32>,
    stage: Option<&'static str>,
}

impl Watcher {
    /// From block `from` on (the job's own), or from now.
    pub fn new(chain: Chain, job: JobId, from: Option<u32>) -> Self {
        let report = JobReport {
            job,
            ..JobReport::default()
        };
        Self {
            chain,
            report,
            next: from,
            stage: None,
        }
    }

    /// Reads on until the job is closed. `on_step` hears what happens.
    pub async fn until_closed(&mut self, mut on_step: impl FnMut(&str)) -> Result<JobReport> {
        let mut number = match self.next {
            Some(number) => number,
            None => self.chain.head().await?.number,
        };
        loop {
            let newest = self.chain.next_head(number.saturating_sub(1)).await?.number;
            while number <= newest {
                let head = self.chain.at(number).await?;
                let closed = self.read(&head, &mut on_step).await?;
                number = number.saturating_add(1);
                self.next = Some(number);
                if closed {
                    return Ok(self.report.clone());
                }
            }
        }
    }

    async fn read(&mut self, head: &Head, on_step: &mut impl FnMut(&str)) -> Result<bool> {
        let id = self.report.job;
        self.read_events(head).await?;
        match view::job(head, id).await? {
            Some(job) => {
                self.read_live(head, job, on_step).await?;
                Ok(false)
            }
            None => match view::outcome(head, id).await? {
                Some((outcome, executor, case)) => {
                    self.report.executor = executor
                        .map(|e| e.to_string())
                        .or(self.report.executor.take());
                    self.report.case = case.or(self.report.case);
                    self.close(outcome);
                    Ok(true)
                }
                None => bail!(
                    "job {id} is unknown: never submitted, or closed so long ago that the chain forgot it; \
                     `chasqui-worker job list` shows those that live"
                ),
            },
        }
    }

    async fn read_live(
        &mut self,
        head: &Head,
        job: JobView,
        on_step: &mut impl FnMut(&str),
    ) -> Result<()> {
        let report = &mut self.report;
        report.checkpoint = job.checkpoint;
        report.escrow = job.escrow.to_string();
        if let Prompt::Blob { root, .. } = &job.prompt {
            report.prompt_blob = Some(format!("{root:?}"));
        }
        report.executor = job.executor.as_ref().map(|e| e.to_string());
        if let JobPhase::InAudit { case } = job.stage {
            report.case = Some(case);
        }
        if self.stage != Some(job.stage.name()) {
            self.stage = Some(job.stage.name());
            let by = report.executor.as_deref().unwrap_or("nobody yet");
            on_step(&format!(
                "block {}: {} ({by})",
                head.number,
                job.stage.name()
            ));
        }
        if report.output_tokens.is_none() {
            if let Some(committed) = view::commitment(head, job.id).await? {
                self.read_commitment(head, &job, committed).await?;
            }
        }
        Ok(())
    }

    async fn read_commitment(
        &mut self,
        head: &Head,
        job: &JobView,
        committed: CommitmentView,
    ) -> Result<()> {
        let operator = job.executor.context("a committed job without executor")?;
        let report = &mut self.report;
        report.prompt_tokens = Some(committed.prompt_tokens);
        report.output_tokens = Some(committed.output_tokens);
        report.finish = Some(receipt::finish_name(committed.finish).into());
        if let Output::Ids(ids) = &committed.output {
            report.output_ids = Some(ids.to_vec());
        }
        if let Some(hot_key) = view::hot_key(head, &operator).await? {
            let genesis = self.chain.genesis();
            let signed = receipt::of(job, &committed, operator);
            report.receipt = Some(ReceiptFile::new(
                &signed,
                &genesis,
                &committed.signature,
                &hot_key,
            ));
        }
        Ok(())
    }

    fn close(&mut self, outcome: JobOutcome) {
        let report = &mut self.report;
        match outcome {
            JobOutcome::Settled { paid, audited } => {
                report.outcome = "settled".into();
                report.paid = paid.to_string();
                report.audited = audited;
            }
            JobOutcome::Refunded(reason) => {
                report.outcome = "refunded".into();
                report.reason = Some(format!("{reason:?}"));
                report.explanation = Some(why_refunded(reason).into());
            }
            JobOutcome::Expired(reason) => {
                report.outcome = "expired".into();
                report.reason = Some(format!("{reason:?}"));
                report.explanation = Some(why_expired(reason).into());
                report.paid = expiry_fee(report).to_string();
            }
        }
        let escrow: Balance = report.escrow.parse().unwrap_or_default();
        let paid: Balance = report.paid.parse().unwrap_or_default();
        report.returned = escrow.saturating_sub(paid).to_string();
        if report.paid.is_empty() {
            report.paid = "0".into();
        }
    }

    /// Keeps the events of the pallets that a job passes through.
    async fn read_events(&mut self, head: &Head) -> Result<()> {
        let events = head.at.events().fetch().await.context("reading events")?;
        for event in events.iter() {
            let event = event.context("reading events")?;
            let pallet = event.pallet_name();
            if !matches!(
                pallet,
                "Jobs" | "Audits" | "Rewards" | "Operators" | "TransactionPayment"
            ) {
                continue;
            }
            let fields: Composite<()> = event
                .decode_fields_unchecked_as()
                .context("reading events")?;
            self.report.events.push(json!({
                "block": head.number,
                "pallet": pallet,
                "event": event.event_name(),
                "fields": composite_json(&fields),
            }));
        }
        Ok(())
    }
}

/// What an expired job cost: its event says so.
fn expiry_fee(report: &JobReport) -> Balance {
    let number = |value: &Value| -> Option<u128> {
        match value {
            Value::Number(number) => number.as_u64().map(u128::from),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    };
    report
        .events
        .iter()
        .rev()
        .filter(|event| event["pallet"] == "Jobs" && event["event"] == "Expired")
        .map(|event| &event["fields"])
        .find(|fields| number(&fields["job"]) == Some(report.job.into()))
        .and_then(|fields| number(&fields["fee"]))
        .unwrap_or_default()
}

fn why_refunded(reason: RefundReason) -> &'static str {
    match reason {
        RefundReason::Hard => "the output was proven false; submit it again",
        RefundReason::Soft => "the output is further from the model's than honest machines are; submit it again",
        RefundReason::Undecided => "the auditors came to no decision; submit it again",
        RefundReason::Convicted => {
            "its executor was proven to have lied elsewhere before this was settled; submit it again"
        }
    }
}

fn why_expired(reason: ExpiryReason) -> &'static str {
    match reason {
        ExpiryReason::NoExecutor => {
            "no operator that may compute it serves the checkpoint now; see `chasqui-worker operator list`, and try \
             later"
        }
        ExpiryReason::DeadlinesLapsed => "every executor drawn let its deadline lapse; submit it again",
        ExpiryReason::PromptMissing => {
            "the executor found no such prompt in its blob folder; put the prompt's blob there (see `job submit \
             --help`), or submit a prompt that fits on chain"
        }
        ExpiryReason::Cancelled => "the client took it back",
    }
}

/// A decoded chain value as JSON: big numbers as strings, byte strings as hexadecimal, wrappers of one value as that
/// value.
fn value_json(value: &scale_value::Value) -> Value {
    match &value.value {
        ValueDef::Composite(fields) => composite_json(fields),
        ValueDef::Variant(Variant { name, values }) if values.is_empty() => json!(name),
        ValueDef::Variant(Variant { name, values }) => {
            Value::Object(Map::from_iter([(name.clone(), composite_json(values))]))
        }
        ValueDef::BitSequence(bits) => json!(bits.iter().collect::<Vec<bool>>()),
        ValueDef::Primitive(Primitive::Bool(value)) => json!(value),
        ValueDef::Primitive(Primitive::Char(value)) => json!(value.to_string()),
        ValueDef::Primitive(Primitive::String(value)) => json!(value),
        ValueDef::Primitive(Primitive::U128(value)) => match u32::try_from(*value) {
            Ok(small) => json!(small),
            Err(_) => json!(value.to_string()),
        },
        ValueDef::Primitive(Primitive::I128(value)) => json!(value.to_string()),
        ValueDef::Primitive(Primitive::U256(bytes) | Primitive::I256(bytes)) => {
            json!(format!("0x{}", hex::encode(bytes)))
        }
    }
}

fn composite_json(fields: &Composite<()>) -> Value {
    match fields {
        Composite::Named(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), value_json(value)))
                .collect(),
        ),
        Composite::Unnamed(values) => {
            if let [only] = values.as_slice() {
                return value_json(only);
            }
            let bytes: Option<Vec<u8>> = values
                .iter()
                .map(|value| match value.value {
                    ValueDef::Primitive(Primitive::U128(byte)) => u8::try_from(byte).ok(),
                    _ => None,
                })
                .collect();
            match bytes {
                Some(bytes) if bytes.len() >= 20 => json!(format!("0x{}", hex::encode(bytes))),
                _ => json!(values.iter().map(value_json).collect::<Vec<_>>()),
            }
        }
    }
}
