//! The runtime's calls, storage, events and view functions, generated from `metadata.scale`.

#[allow(clippy::all, missing_docs, dead_code)]
#[subxt::subxt(
    runtime_metadata_path = "metadata.scale",
    derive_for_all_types = "Clone, PartialEq, Eq",
    substitute_type(
        path = "chasqui_primitives::types::Prompt",
        with = "::subxt::utils::Static<::chasqui_primitives::Prompt>"
    ),
    substitute_type(
        path = "chasqui_primitives::types::Output",
        with = "::subxt::utils::Static<::chasqui_primitives::Output>"
    ),
    substitute_type(
        path = "chasqui_primitives::types::JobOutcome",
        with = "::subxt::utils::Static<::chasqui_primitives::JobOutcome>"
    ),
    substitute_type(
        path = "chasqui_primitives::types::FinishReason",
        with = "::subxt::utils::Static<::chasqui_primitives::FinishReason>"
    ),
    substitute_type(
        path = "chasqui_primitives::types::JobClass",
        with = "::subxt::utils::Static<::chasqui_primitives::JobClass>"
    ),
    substitute_type(
        path = "chasqui_primitives::types::NumericProfile",
        with = "::subxt::utils::Static<::chasqui_primitives::NumericProfile>"
    ),
    substitute_type(
        path = "chasqui_primitives::types::Roles",
        with = "::subxt::utils::Static<::chasqui_primitives::Roles>"
    ),
    substitute_type(
        path = "chasqui_primitives::sampling::Sampling",
        with = "::subxt::utils::Static<::chasqui_primitives::sampling::Sampling>"
    ),
    substitute_type(
        path = "chasqui_primitives::audit::Verdict",
        with = "::subxt::utils::Static<::chasqui_primitives::audit::Verdict>"
    ),
    substitute_type(
        path = "chasqui_primitives::audit::Decision",
        with = "::subxt::utils::Static<::chasqui_primitives::audit::Decision>"
    ),
    substitute_type(
        path = "chasqui_primitives::audit::AuditThresholds",
        with = "::subxt::utils::Static<::chasqui_primitives::audit::AuditThresholds>"
    ),
    substitute_type(
        path = "chasqui_primitives::audit::Stage",
        with = "::subxt::utils::Static<::chasqui_primitives::audit::Stage>"
    ),
    substitute_type(
        path = "chasqui_primitives::audit::Subject",
        with = "::subxt::utils::Static<::chasqui_primitives::audit::Subject>"
    ),
    substitute_type(
        path = "chasqui_primitives::session::rules::Deposit",
        with = "::subxt::utils::Static<::chasqui_primitives::session::rules::Deposit>"
    ),
    substitute_type(
        path = "chasqui_primitives::session::sample::ShownAnswer",
        with = "::subxt::utils::Static<::chasqui_primitives::session::sample::ShownAnswer>"
    ),
    substitute_type(
        path = "chasqui_primitives::session::tree::Claim",
        with = "::subxt::utils::Static<::chasqui_primitives::session::tree::Claim>"
    ),
    substitute_type(
        path = "chasqui_primitives::training::recipe::RunTerms",
        with = "::subxt::utils::Static<::chasqui_primitives::training::RunTerms>"
    ),
    substitute_type(
        path = "chasqui_primitives::training::round::Round",
        with = "::subxt::utils::Static<::chasqui_primitives::training::Round>"
    ),
    substitute_type(
        path = "chasqui_primitives::training::round::Ranks",
        with = "::subxt::utils::Static<::chasqui_primitives::training::Ranks>"
    ),
    substitute_type(
        path = "chasqui_primitives::training::report::RoundReport",
        with = "::subxt::utils::Static<::chasqui_primitives::training::RoundReport>"
    ),
    substitute_type(
        path = "chasqui_primitives::training::report::ModelState",
        with = "::subxt::utils::Static<::chasqui_primitives::training::ModelState>"
    ),
    substitute_type(
        path = "chasqui_primitives::training::members::Member",
        with = "::subxt::utils::Static<::chasqui_primitives::training::Member>"
    )
)]
mod generated {}
pub use generated::*;

/// The macro above does not tell the compiler which file it reads: without this, an edited file would not be read again.
const _: &[u8] = include_bytes!("../metadata.scale");
