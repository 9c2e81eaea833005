//! The runtime API behind `chasqui_subscribeJob`.

use crate::AccountId;
use chasqui_primitives::{JobId, JobStatus};

sp_api::decl_runtime_apis! {
    /// Where a job stands.
    pub trait JobApi {
        /// What is known of `job`: `None` if it never was, or ended too long ago.
        fn job_status(job: JobId) -> Option<JobStatus<AccountId>>;
    }
}
