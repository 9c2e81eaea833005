//! Sampling parameters as they are signed and stored: integers only.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::ConstU32;
use sp_runtime::BoundedVec;

/// Most stop ids a request may name besides the checkpoint's own end tokens.
pub const MAX_STOP_IDS: u32 = 8;
/// One whole, for [`Sampling::top_p_ppm`].
pub const TOP_P_OFF: u32 = 1_000_000;
/// Temperatures above zero start here (thousandths): below, honest rounding noise would flip tokens.
pub const MIN_TEMPERATURE_MILLI: u32 = 50;
/// Highest temperature (thousandths).
pub const MAX_TEMPERATURE_MILLI: u32 = 10_000;

/// How tokens follow from logits. Deterministic: the noise of each position comes from `seed`.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Sampling {
    /// Thousandths; 0 is greedy, otherwise at least [`MIN_TEMPERATURE_MILLI`].
    pub temperature_milli: u32,
    /// Candidates kept by rank; 0 keeps all.
    pub top_k: u32,
    /// Candidates kept by probability mass, in millionths; [`TOP_P_OFF`] keeps all.
    pub top_p_ppm: u32,
    /// Seed of the Gumbel noise.
    pub seed: u64,
    /// Token ids that end the output, besides the checkpoint's own end tokens.
    pub stop_ids: BoundedVec<u32, ConstU32<MAX_STOP_IDS>>,
    /// Keep going past the checkpoint's end tokens.
    pub ignore_eos: bool,
    /// Longest output in tokens; at least 1.
    pub max_tokens: u32,
}

/// Which field of [`Sampling`] is out of its range.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum SamplingError {
    Temperature,
    TopP,
    MaxTokens,
}

impl Sampling {
    /// Greedy decoding of at most `max_tokens` tokens.
    pub fn greedy(max_tokens: u32) -> Self {
        Self {
            temperature_milli: 0,
            top_k: 0,
            top_p_ppm: TOP_P_OFF,
            seed: 0,
            stop_ids: BoundedVec::new(),
            ignore_eos: false,
            max_tokens,
        }
    }

    /// Checks the ranges that do not depend on a checkpoint.
    pub fn validate(&self) -> Result<(), SamplingError> {
        let t = self.temperature_milli;
        if t != 0 && !(MIN_TEMPERATURE_MILLI..=MAX_TEMPERATURE_MILLI).contains(&t) {
            return Err(SamplingError::Temperature);
        }
        if self.top_p_ppm == 0 || self.top_p_ppm > TOP_P_OFF {
            return Err(SamplingError::TopP);
        }
        if self.max_tokens == 0 {
            return Err(SamplingError::MaxTokens);
        }
        Ok(())
    }
}
