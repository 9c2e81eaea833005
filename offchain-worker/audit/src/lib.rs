//! Checks of a computed output: was it this model, this prompt, this sampling, to the end?
//!
//! Sampling is deterministic given the logits, so an auditor feeds prompt and claimed output through the model
//! in **one teacher-forced pass** (the speed of a prefill, not of decoding) and asks of each position how far
//! the claimed token is from the one that the logits and the seeded noise give. Honest machines differ on few
//! tokens and by little; everything else does not.
//!
//! | module | what it does |
//! |---|---|
//! | [`claim`] | what an executor committed to and opened; the checks that need no model |
//! | [`replay()`] | every output position: margins, mismatches, fingerprints, a verdict |
//! | [`rastic`] | the cheap mode: first token, `k` random interior ones, the end |
//! | [`evidence`] | integers that prove to the panel that the auditor replayed |
//! | [`calibrate()`] | thresholds out of honest pairs |
//! | [`trace_file`] | a claim as a JSON file |
//!
//! Everything is a function of its arguments: no chain, no clock, no files. The model is behind [`Scorer`], so
//! the same code runs over the engine and over made-up logits in tests.

#![warn(missing_docs)]

pub mod calibrate;
pub mod claim;
mod error;
pub mod evidence;
pub mod rastic;
pub mod replay;
mod scorer;
pub mod trace_file;

pub use calibrate::{calibrate, default_thresholds, Calibration};
pub use chasqui_primitives::audit::{
    AuditLimits, AuditStatistics, AuditThresholds, Evidence, HardReason, Verdict,
};
pub use claim::{fingerprint_seed, Commitment, Opening};
pub use error::{AuditError, Result};
pub use rastic::{rastic, Rastic};
pub use replay::{replay, Replay, TokenCheck};
pub use scorer::{Chunked, Position, Scorer};
pub use trace_file::TraceFile;
