//! A claim with its opening as a JSON file: what `generate --trace` writes and `audit --trace` reads.

use chasqui_primitives::{
    audit::AuditThresholds,
    sampling::{Sampling, MAX_STOP_IDS},
    trace::{TraceLeaf, FINGERPRINT_DIMS},
    FinishReason,
};
use serde::{Deserialize, Serialize};
use sp_core::H256;

use crate::claim::{Commitment, Opening};

/// The file's format; anything else is refused.
pub const FORMAT: &str = "chasqui-trace/1";

/// A commitment, its opening and optionally the thresholds to judge it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceFile {
    /// [`FORMAT`].
    pub format: String,
    /// What was committed to.
    pub commitment: CommitmentRecord,
    /// Salt of the prompt's hash, 32 bytes in hex.
    pub salt: H256,
    /// Prompt ids.
    pub prompt_ids: Vec<u32>,
    /// Output ids.
    pub output_ids: Vec<u32>,
    /// One leaf an output token.
    pub trace: Vec<LeafRecord>,
    /// Thresholds of the checkpoint, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<AuditThresholds>,
}

/// [`Commitment`] as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CommitmentRecord {
    pub genesis: H256,
    pub prompt_hash: H256,
    pub prompt_tokens: u32,
    pub sampling: SamplingRecord,
    pub output_hash: H256,
    pub output_tokens: u32,
    pub trace_root: H256,
    pub finish: FinishRecord,
}

/// [`Sampling`] as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct SamplingRecord {
    pub temperature_milli: u32,
    pub top_k: u32,
    pub top_p_ppm: u32,
    pub seed: u64,
    pub stop_ids: Vec<u32>,
    pub ignore_eos: bool,
    pub max_tokens: u32,
}

/// [`FinishReason`] as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum FinishRecord {
    Stop,
    Length,
    Cancelled,
}

/// [`TraceLeaf`] as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LeafRecord {
    pub token: u32,
    pub fingerprint: [i16; FINGERPRINT_DIMS],
}

/// Why a trace file is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceFileError {
    /// Not JSON, or a field is missing, unknown or of the wrong type.
    #[error("not a trace file: {0}; write one with `generate --trace FILE`")]
    Json(String),
    /// Made by another version.
    #[error("field `format` is {0:?}, this version reads {FORMAT:?}; write the trace again")]
    Format(String),
    /// More stop ids than a request may name.
    #[error(
        "field `commitment.sampling.stop_ids` has {0} ids, at most {MAX_STOP_IDS} are possible"
    )]
    StopIds(usize),
}

impl TraceFile {
    /// The record of `commitment` and `opening`.
    pub fn new(commitment: &Commitment, opening: &Opening<'_>) -> Self {
        Self {
            format: FORMAT.into(),
            commitment: CommitmentRecord {
                genesis: commitment.genesis,
                prompt_hash: commitment.prompt_hash,
                prompt_tokens: commitment.prompt_tokens,
                sampling: SamplingRecord::from(&commitment.sampling),
                output_hash: commitment.output_hash,
                output_tokens: commitment.output_tokens,
                trace_root: commitment.trace_root,
                finish: commitment.finish.into(),
            },
            salt: H256(*opening.salt),
            prompt_ids: opening.prompt_ids.to_vec(),
            output_ids: opening.output_ids.to_vec(),
            trace: opening
                .trace
                .iter()
                .map(|leaf| LeafRecord {
                    token: leaf.token,
                    fingerprint: leaf.fingerprint,
                })
                .collect(),
            thresholds: None,
        }
    }

    /// Parses the text of a trace file.
    ///
    /// # Errors
    /// [`TraceFileError`].
    pub fn from_json(text: &str) -> Result<Self, TraceFileError> {
        let file: Self =
            serde_json::from_str(text).map_err(|error| TraceFileError::Json(error.to_string()))?;
        if file.format != FORMAT {
            return Err(TraceFileError::Format(file.format));
        }
        file.commitment()?;
        Ok(file)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// The serialiser's.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// The commitment.
    ///
    /// # Errors
    /// [`TraceFileError::StopIds`].
    pub fn commitment(&self) -> Result<Commitment, TraceFileError> {
        let record = &self.commitment;
        Ok(Commitment {
            genesis: record.genesis,
            prompt_hash: record.prompt_hash,
            prompt_tokens: record.prompt_tokens,
            sampling: record.sampling.sampling()?,
            output_hash: record.output_hash,
            output_tokens: record.output_tokens,
            trace_root: record.trace_root,
            finish: record.finish.into(),
        })
    }

    /// The token trace.
    pub fn leaves(&self) -> Vec<TraceLeaf> {
        self.trace
            .iter()
            .map(|leaf| TraceLeaf {
                token: leaf.token,
                fingerprint: leaf.fingerprint,
            })
            .collect()
    }

    /// The opening, over `leaves` (see [`Self::leaves`]).
    pub fn opening<'a>(&'a self, leaves: &'a [TraceLeaf]) -> Opening<'a> {
        Opening {
            salt: self.salt.as_fixed_bytes(),
            prompt_ids: &self.prompt_ids,
            output_ids: &self.output_ids,
            trace: leaves,
        }
    }
}

impl SamplingRecord {
    /// The parameters.
    ///
    /// # Errors
    /// [`TraceFileError::StopIds`]. Ranges are not checked here.
    pub fn sampling(&self) -> Result<Sampling, TraceFileError> {
        let stop_ids = self.stop_ids.clone();
        Ok(Sampling {
            temperature_milli: self.temperature_milli,
            top_k: self.top_k,
            top_p_ppm: self.top_p_ppm,
            seed: self.seed,
            stop_ids: stop_ids
                .try_into()
                .map_err(|ids: Vec<u32>| TraceFileError::StopIds(ids.len()))?,
            ignore_eos: self.ignore_eos,
            max_tokens: self.max_tokens,
        })
    }
}

impl From<&Sampling> for SamplingRecord {
    fn from(sampling: &Sampling) -> Self {
        Self {
            temperature_milli: sampling.temperature_milli,
            top_k: sampling.top_k,
            top_p_ppm: sampling.top_p_ppm,
            seed: sampling.seed,
            stop_ids: sampling.stop_ids.to_vec(),
            ignore_eos: sampling.ignore_eos,
            max_tokens: sampling.max_tokens,
        }
    }
}

impl From<FinishReason> for FinishRecord {
    fn from(reason: FinishReason) -> Self {
        match reason {
            FinishReason::Stop => Self::Stop,
            FinishReason::Length => Self::Length,
            FinishReason::Cancelled => Self::Cancelled,
        }
    }
}

impl From<FinishRecord> for FinishReason {
    fn from(record: FinishRecord) -> Self {
        match record {
            FinishRecord::Stop => Self::Stop,
            FinishRecord::Length => Self::Length,
            FinishRecord::Cancelled => Self::Cancelled,
        }
    }
}
