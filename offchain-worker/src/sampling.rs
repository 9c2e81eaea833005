//! Sampling options as people write them (fractions), and the integers that are signed.

use chasqui_primitives::sampling::{
    Sampling, MAX_STOP_IDS, MAX_TEMPERATURE_MILLI, MIN_TEMPERATURE_MILLI, TOP_P_OFF,
};
use clap::Args;

/// How tokens follow from logits. Everybody with the same options gets the same tokens.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct SamplingOptions {
    /// Longest output in tokens.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub max_tokens: u32,
    /// 0 takes the likeliest token; otherwise 0.05 to 10, in steps of 0.001.
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    pub temperature: f64,
    /// Choose among the K likeliest tokens; 0: among all.
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub top_k: u32,
    /// Choose among the likeliest tokens that together have this probability, above 0 to 1, in steps of 0.000001.
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    pub top_p: f64,
    /// Seed of the sampling noise.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Keep going past the model's end tokens.
    #[arg(long)]
    pub ignore_eos: bool,
    /// A token id that ends the output, besides the model's own; up to 8, separated by commas.
    #[arg(long = "stop-ids", value_name = "ID,…", value_delimiter = ',')]
    pub stop_ids: Vec<u32>,
}

/// Which option is out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SamplingOptionError {
    /// Neither 0 nor in range, or not a number.
    #[error("--temperature is {given}; give 0, or {least} to {most}")]
    Temperature { given: f64, least: f64, most: f64 },
    /// Not in (0, 1], or not a number.
    #[error("--top-p is {0}; give a number above 0 and up to 1 (1 keeps every token)")]
    TopP(f64),
    /// Zero.
    #[error("--max-tokens is 0; give at least 1")]
    MaxTokens,
    /// Too many.
    #[error("--stop-ids has {0} ids; give at most {MAX_STOP_IDS}")]
    StopIds(usize),
}

fn milli(value: u32) -> f64 {
    f64::from(value) / 1_000.0
}

impl SamplingOptions {
    /// The integers that are signed: fractions are rounded to the nearest step.
    ///
    /// # Errors
    /// Names the option that is out of range.
    pub fn to_sampling(&self) -> Result<Sampling, SamplingOptionError> {
        let temperature = (self.temperature * 1_000.0).round();
        let in_range = temperature == 0.0 && self.temperature == 0.0
            || temperature >= f64::from(MIN_TEMPERATURE_MILLI)
                && temperature <= f64::from(MAX_TEMPERATURE_MILLI);
        if !in_range {
            return Err(SamplingOptionError::Temperature {
                given: self.temperature,
                least: milli(MIN_TEMPERATURE_MILLI),
                most: milli(MAX_TEMPERATURE_MILLI),
            });
        }
        let top_p = (self.top_p * f64::from(TOP_P_OFF)).round();
        if !(top_p >= 1.0 && top_p <= f64::from(TOP_P_OFF)) {
            return Err(SamplingOptionError::TopP(self.top_p));
        }
        if self.max_tokens == 0 {
            return Err(SamplingOptionError::MaxTokens);
        }
        Ok(Sampling {
            temperature_milli: temperature as u32,
            top_k: self.top_k,
            top_p_ppm: top_p as u32,
            seed: self.seed,
            stop_ids: self
                .stop_ids
                .clone()
                .try_into()
                .map_err(|ids: Vec<u32>| SamplingOptionError::StopIds(ids.len()))?,
            ignore_eos: self.ignore_eos,
            max_tokens: self.max_tokens,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> SamplingOptions {
        SamplingOptions {
            max_tokens: 8,
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            seed: 3,
            ignore_eos: false,
            stop_ids: Vec::new(),
        }
    }

    // GIVEN fractions within their ranges
    // WHEN they become integers
    // THEN they are the nearest steps, and valid on chain
    #[test]
    fn fractions_become_the_nearest_steps() {
        for (temperature, top_p, milli, ppm) in [
            (0.0, 1.0, 0, 1_000_000),
            (0.05, 0.9, 50, 900_000),
            (0.7, 0.000_001, 700, 1),
            (10.0, 0.333_333_4, 10_000, 333_333),
        ] {
            let sampling = SamplingOptions {
                temperature,
                top_p,
                ..options()
            }
            .to_sampling()
            .unwrap();
            assert_eq!(
                (sampling.temperature_milli, sampling.top_p_ppm),
                (milli, ppm)
            );
            assert_eq!(sampling.validate(), Ok(()));
        }
    }

    // GIVEN options out of their ranges
    // WHEN they are converted
    // THEN the error names the option
    #[test]
    fn what_is_out_of_range_is_named() {
        for temperature in [0.0001, 0.049, -0.5, 10.1, f64::NAN, f64::INFINITY] {
            let error = SamplingOptions {
                temperature,
                ..options()
            }
            .to_sampling()
            .unwrap_err();
            assert!(error.to_string().starts_with("--temperature is"), "{error}");
        }
        for top_p in [0.0, -1.0, 1.1, 1e-9, f64::NAN] {
            let error = SamplingOptions { top_p, ..options() }
                .to_sampling()
                .unwrap_err();
            assert!(error.to_string().starts_with("--top-p is"), "{error}");
        }
        let none = SamplingOptions {
            max_tokens: 0,
            ..options()
        };
        assert_eq!(none.to_sampling(), Err(SamplingOptionError::MaxTokens));
        let many = SamplingOptions {
            stop_ids: vec![1; 9],
            ..options()
        };
        assert_eq!(many.to_sampling(), Err(SamplingOptionError::StopIds(9)));
    }
}
