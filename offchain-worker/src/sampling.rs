//! Sampling options as people write them (fractions), and the integers that are signed.

use chasqui_engine::GenerationDefaults;
use chasqui_primitives::sampling::{
    Sampling, MAX_STOP_IDS, MAX_TEMPERATURE_MILLI, MIN_TEMPERATURE_MILLI, TOP_P_OFF,
};
use clap::Args;

/// How tokens follow from logits. Everybody with the same options gets the same tokens.
///
/// What is not given follows from [`SamplingDefaults`].
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct SamplingOptions {
    /// Longest output in tokens [default: 64; `generate`: the model's max_new_tokens, if it names one, as far as the
    /// context reaches]
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u32>,
    /// 0 takes the likeliest token; otherwise 0.05 to 10, in steps of 0.001 [default: 0; `generate`: the model's
    /// temperature, if its generation_config.json has do_sample]
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// Choose among the K likeliest tokens; 0: among all [default: 0; `generate`: the model's top_k, if it has
    /// do_sample]
    #[arg(long, value_name = "K")]
    pub top_k: Option<u32>,
    /// Choose among the likeliest tokens that together have this probability, above 0 to 1, in steps of 0.000001
    /// [default: 1; `generate`: the model's top_p, if it has do_sample]
    #[arg(long, value_name = "P")]
    pub top_p: Option<f64>,
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

/// What holds where an option is not given.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingDefaults {
    /// At least 1.
    pub max_tokens: u32,
    /// 0 takes the likeliest token.
    pub temperature: f64,
    /// 0 means all.
    pub top_k: u32,
    /// Above 0 to 1.
    pub top_p: f64,
    /// What to call these values in an error, behind the option's name.
    origin: &'static str,
}

impl Default for SamplingDefaults {
    /// Up to 64 tokens, the likeliest each time.
    fn default() -> Self {
        Self {
            max_tokens: 64,
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            origin: "",
        }
    }
}

impl SamplingDefaults {
    /// What a model's makers say, for an output of at most `room` tokens.
    pub fn of_model(said: &GenerationDefaults, room: usize) -> Self {
        let room = u32::try_from(room).unwrap_or(u32::MAX).max(1);
        let longest = said.max_new_tokens.unwrap_or(Self::default().max_tokens);
        Self {
            max_tokens: longest.min(room),
            temperature: said.effective_temperature(),
            top_k: said.effective_top_k(),
            top_p: said.effective_top_p(),
            origin: " (from the model's generation_config.json)",
        }
    }
}

/// Which option is out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SamplingOptionError {
    /// Neither 0 nor in range, or not a number.
    #[error("--temperature is {given}{origin}; give 0, or {least} to {most}")]
    Temperature {
        given: f64,
        origin: &'static str,
        least: f64,
        most: f64,
    },
    /// Not in (0, 1], or not a number.
    #[error("--top-p is {given}{origin}; give a number above 0 and up to 1 (1 keeps every token)")]
    TopP { given: f64, origin: &'static str },
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
    pub fn to_sampling(
        &self,
        defaults: &SamplingDefaults,
    ) -> Result<Sampling, SamplingOptionError> {
        let or = |given: Option<f64>, default| match given {
            Some(given) => (given, ""),
            None => (default, defaults.origin),
        };
        let (given, origin) = or(self.temperature, defaults.temperature);
        let temperature = (given * 1_000.0).round();
        let in_range = temperature == 0.0 && given == 0.0
            || temperature >= f64::from(MIN_TEMPERATURE_MILLI)
                && temperature <= f64::from(MAX_TEMPERATURE_MILLI);
        if !in_range {
            return Err(SamplingOptionError::Temperature {
                given,
                origin,
                least: milli(MIN_TEMPERATURE_MILLI),
                most: milli(MAX_TEMPERATURE_MILLI),
            });
        }
        let (given, origin) = or(self.top_p, defaults.top_p);
        let top_p = (given * f64::from(TOP_P_OFF)).round();
        if !(top_p >= 1.0 && top_p <= f64::from(TOP_P_OFF)) {
            return Err(SamplingOptionError::TopP { given, origin });
        }
        let max_tokens = self.max_tokens.unwrap_or(defaults.max_tokens);
        if max_tokens == 0 {
            return Err(SamplingOptionError::MaxTokens);
        }
        Ok(Sampling {
            temperature_milli: temperature as u32,
            top_k: self.top_k.unwrap_or(defaults.top_k),
            top_p_ppm: top_p as u32,
            seed: self.seed,
            stop_ids: self
                .stop_ids
                .clone()
                .try_into()
                .map_err(|ids: Vec<u32>| SamplingOptionError::StopIds(ids.len()))?,
            ignore_eos: self.ignore_eos,
            max_tokens,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> SamplingOptions {
        SamplingOptions {
            max_tokens: Some(8),
            seed: 3,
            ..SamplingOptions::default()
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
                temperature: Some(temperature),
                top_p: Some(top_p),
                ..options()
            }
            .to_sampling(&SamplingDefaults::default())
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
                temperature: Some(temperature),
                ..options()
            }
            .to_sampling(&SamplingDefaults::default())
            .unwrap_err();
            assert!(error.to_string().starts_with("--temperature is"), "{error}");
        }
        for top_p in [0.0, -1.0, 1.1, 1e-9, f64::NAN] {
            let error = SamplingOptions {
                top_p: Some(top_p),
                ..options()
            }
            .to_sampling(&SamplingDefaults::default())
            .unwrap_err();
            assert!(error.to_string().starts_with("--top-p is"), "{error}");
        }
        let none = SamplingOptions {
            max_tokens: Some(0),
            ..options()
        };
        assert_eq!(
            none.to_sampling(&SamplingDefaults::default()),
            Err(SamplingOptionError::MaxTokens)
        );
        let many = SamplingOptions {
            stop_ids: vec![1; 9],
            ..options()
        };
        assert_eq!(
            many.to_sampling(&SamplingDefaults::default()),
            Err(SamplingOptionError::StopIds(9))
        );
    }

    // GIVEN a model whose makers sample, with fewer tokens of room than they allow
    // WHEN a person gives one option
    // THEN that option holds, and the makers' for the rest; what is out of range is named as theirs
    #[test]
    fn the_model_s_settings_are_defaults() {
        let said = GenerationDefaults {
            do_sample: true,
            temperature: Some(0.6),
            top_p: Some(0.9),
            max_new_tokens: Some(300),
            ..GenerationDefaults::default()
        };
        let given = SamplingOptions {
            temperature: Some(1.5),
            ..SamplingOptions::default()
        };
        let sampling = given
            .to_sampling(&SamplingDefaults::of_model(&said, 100))
            .unwrap();
        assert_eq!(
            (
                sampling.temperature_milli,
                sampling.top_k,
                sampling.top_p_ppm,
                sampling.max_tokens
            ),
            (1_500, 50, 900_000, 100)
        );
        let cold = GenerationDefaults {
            do_sample: false,
            ..said.clone()
        };
        let sampling = SamplingOptions::default()
            .to_sampling(&SamplingDefaults::of_model(&cold, 1_000))
            .unwrap();
        assert_eq!(
            (
                sampling.temperature_milli,
                sampling.top_k,
                sampling.max_tokens
            ),
            (0, 0, 300)
        );
        let faint = GenerationDefaults {
            temperature: Some(0.01),
            ..said
        };
        let error = SamplingOptions::default()
            .to_sampling(&SamplingDefaults::of_model(&faint, 1_000))
            .unwrap_err();
        assert!(
            error.to_string().contains("generation_config.json"),
            "{error}"
        );
    }
}
