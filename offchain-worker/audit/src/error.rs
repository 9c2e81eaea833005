//! Why an audit could not be carried out. None of these says anything about the executor.

use chasqui_engine::EngineError;

/// Result of the crate's fallible functions.
pub type Result<T, E = AuditError> = std::result::Result<T, E>;

/// The auditor's own trouble, as opposed to a [`chasqui_primitives::audit::Verdict`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The engine failed: damaged weights, no memory, a request out of range.
    #[error("the replay failed: {0}")]
    Engine(#[from] EngineError),

    /// A calibration had nothing to measure.
    #[error("calibration measured {pairs} honest runs with {tokens} tokens, needs at least one; give prompts and a `max_tokens` above 0")]
    NothingMeasured {
        /// Honest runs replayed.
        pairs: usize,
        /// Their output tokens.
        tokens: u64,
    },

    /// An honest run that calibration made does not pass its structural checks.
    #[error("an honest run of the calibration is not consistent with itself ({0}); the engine is defective")]
    Inconsistent(String),
}
