//! `chasqui_subscribeJob`: how a job fares, from block to block.

use crate::service::Client;
use chasqui_primitives::{
    Balance, ExpiryReason, JobId, JobOutcome, JobStage, JobStatus, RefundReason,
};
use chasqui_runtime::{job_api::JobApi, AccountId, BlockNumber, Hash};
use futures::{future, stream, StreamExt};
use jsonrpsee::{proc_macros::rpc, types::ErrorObjectOwned, PendingSubscriptionSink};
use sc_client_api::BlockchainEvents;
use sc_rpc::{
    utils::{spawn_subscription_task, PendingSubscription, RingBuffer},
    SubscriptionTaskExecutor,
};
use serde::Serialize;
use sp_api::ProvideRuntimeApi;
use sp_blockchain::HeaderBackend;
use std::sync::Arc;

/// How many updates wait for a slow reader; older ones give way to newer.
const BUFFERED_UPDATES: usize = 16;
/// Error code: no such job at the best block.
const UNKNOWN_JOB: i32 = 7_001;
/// Error code: the runtime did not answer.
const RUNTIME_ERROR: i32 = 7_002;

/// The chain's own methods.
#[rpc(server, namespace = "chasqui")]
pub trait JobRpc {
    /// Sends a [`JobUpdate`] at once, then whenever a new best block changes it, and ends when the
    /// job has. Refused with an error if the job is unknown at the best block.
    #[subscription(
        name = "subscribeJob" => "jobUpdate",
        unsubscribe = "unsubscribeJob",
        item = JobUpdate
    )]
    fn subscribe_job(&self, job: JobId);
}

/// How a job stands at a block.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobUpdate {
    /// Hash of the best block that this was read from.
    pub block: Hash,
    /// Its number.
    pub block_number: BlockNumber,
    #[serde(flatten)]
    pub status: Status,
}

/// What a client wants to know of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub job: JobId,
    pub stage: JobStage,
    /// Who has it now.
    pub executor: Option<AccountId>,
    /// Ids of the output's tokens, once committed.
    pub output: Option<Vec<u32>>,
    /// Its audit.
    pub case: Option<u64>,
    pub outcome: Option<Outcome>,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Outcome {
    /// Paid, in planck: a string, because numbers of that size are not safe in JSON.
    Settled { paid: String, audited: bool },
    /// The client got everything back.
    Refunded { reason: &'static str },
    /// Nobody did it.
    Expired { reason: &'static str },
}

impl From<JobOutcome> for Outcome {
    fn from(outcome: JobOutcome) -> Self {
        let planck = |amount: Balance| amount.to_string();
        match outcome {
            JobOutcome::Settled { paid, audited } => Outcome::Settled {
                paid: planck(paid),
                audited,
            },
            JobOutcome::Refunded(reason) => Outcome::Refunded {
                reason: match reason {
                    RefundReason::Hard => "hard",
                    RefundReason::Soft => "soft",
                    RefundReason::Undecided => "undecided",
                    RefundReason::Convicted => "convicted",
                },
            },
            JobOutcome::Expired(reason) => Outcome::Expired {
                reason: match reason {
                    ExpiryReason::NoExecutor => "noExecutor",
                    ExpiryReason::DeadlinesLapsed => "deadlinesLapsed",
                    ExpiryReason::PromptMissing => "promptMissing",
                    ExpiryReason::Cancelled => "cancelled",
                },
            },
        }
    }
}

impl From<JobStatus<AccountId>> for Status {
    fn from(status: JobStatus<AccountId>) -> Self {
        Status {
            job: status.job,
            stage: status.stage,
            executor: status.executor,
            output: status.output.map(|ids| ids.into_inner()),
            case: status.case,
            outcome: status.outcome.map(Into::into),
        }
    }
}

/// Serves [`JobRpc`].
pub struct Jobs {
    client: Arc<Client>,
    executor: SubscriptionTaskExecutor,
}

impl Jobs {
    /// Reads from `client`, and runs subscriptions on `executor`.
    pub fn new(client: Arc<Client>, executor: SubscriptionTaskExecutor) -> Self {
        Self { client, executor }
    }
}

fn status_at(client: &Client, block: Hash, job: JobId) -> Result<Option<Status>, sp_api::ApiError> {
    Ok(client.runtime_api().job_status(block, job)?.map(Into::into))
}

impl JobRpcServer for Jobs {
    fn subscribe_job(&self, pending: PendingSubscriptionSink, job: JobId) {
        let client = self.client.clone();
        // Opened before the first look, so that no block is missed in between.
        let blocks = client.import_notification_stream();
        let best = client.info();
        let first = match status_at(&client, best.best_hash, job) {
            Ok(Some(status)) => status,
            Ok(None) => {
                let text = format!("job {job} is unknown at block {}", best.best_number);
                let error = ErrorObjectOwned::owned(UNKNOWN_JOB, text, None::<()>);
                return spawn_subscription_task(&self.executor, pending.reject(error));
            }
            Err(error) => {
                let error = ErrorObjectOwned::owned(RUNTIME_ERROR, error.to_string(), None::<()>);
                return spawn_subscription_task(&self.executor, pending.reject(error));
            }
        };

        let now = JobUpdate {
            block: best.best_hash,
            block_number: best.best_number,
            status: first.clone(),
        };
        let later = blocks
            .filter(|block| future::ready(block.is_new_best))
            .scan(first, move |last, block| {
                // A job that has ended and been forgotten, or that a reorganisation undid, has
                // nothing more to tell.
                let update = if last.outcome.is_some() {
                    None
                } else {
                    status_at(&client, block.hash, job)
                        .ok()
                        .flatten()
                        .map(|status| {
                            (*last != status).then(|| {
                                *last = status.clone();
                                JobUpdate {
                                    block: block.hash,
                                    block_number: block.header.number,
                                    status,
                                }
                            })
                        })
                };
                future::ready(update)
            })
            .filter_map(future::ready);
        let ended = now.status.outcome.is_some();
        let updates = stream::iter([now]).chain(later.take(if ended { 0 } else { usize::MAX }));
        spawn_subscription_task(
            &self.executor,
            PendingSubscription::from(pending)
                .pipe_from_stream(updates, RingBuffer::new(BUFFERED_UPDATES)),
        );
    }
}
