//! Rotary embedding: how a configuration describes it, and the frequencies that follow.

use serde_json::{json, Map, Value};

use super::fields::Fields;
use super::LlamaConfig;
use crate::error::Result;

/// The base where a configuration names none.
const DEFAULT_THETA: f64 = 10_000.0;

/// No context is longer; see [`LlamaConfig::validate`].
const MAX_CONTEXT: f64 = (1u64 << 28) as f64;

/// How rotary frequencies are stretched beyond the context of pre-training.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// Plain rotary embedding.
    None,
    /// Every frequency divided by `factor`.
    Linear {
        /// Divisor, above 0.
        factor: f64,
    },
    /// Llama 3: low frequencies divided by `factor`, high ones kept, a linear blend between.
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Wavelengths above `original_context / low_freq_factor` are scaled fully.
        low_freq_factor: f64,
        /// Wavelengths below `original_context / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Context length of pre-training in tokens.
        original_context: usize,
    },
}

impl RopeScaling {
    /// Base and scaling, from `rope_scaling` if it says anything, else from `rope_parameters`: the
    /// reference implementation's order for a file that holds both.
    pub(super) fn read(fields: &Fields) -> Result<(f64, Self)> {
        let outer_theta = fields.get("rope_theta")?.unwrap_or(DEFAULT_THETA);
        if let Some(share) = fields.get::<f64>("partial_rotary_factor")? {
            if share != 1.0 {
                let reason = format!("{share} is not supported; heads are rotated whole (1.0)");
                return Err(fields.fail("partial_rotary_factor", reason));
            }
        }
        let said = ["rope_scaling", "rope_parameters"]
            .into_iter()
            .find_map(|field| {
                let value = fields.value(field)?;
                let empty = value.as_object().is_some_and(Map::is_empty);
                (!empty).then_some((field, value))
            });
        let Some((field, table)) = said else {
            return Ok((outer_theta, Self::None));
        };
        let table = table
            .as_object()
            .ok_or_else(|| fields.fail(field, "is not an object"))?;
        if let Some((key, _)) = table.iter().find(|(_, value)| value.is_object()) {
            let reason =
                format!("`{key}`: parameters by kind of layer are not supported; state them once");
            return Err(fields.fail(field, reason));
        }
        let entry = |name: &str| table.get(name).filter(|value| !value.is_null());
        let number = |name: &str| {
            entry(name)
                .and_then(Value::as_f64)
                .filter(|value| value.is_finite() && *value > 0.0)
                .ok_or_else(|| fields.fail(field, format!("`{name}` is missing or not above 0")))
        };
        let theta = match entry("rope_theta") {
            Some(_) => number("rope_theta")?,
            None => outer_theta,
        };
        if entry("partial_rotary_factor").is_some() && number("partial_rotary_factor")? != 1.0 {
            let reason = "`partial_rotary_factor` is not supported; heads are rotated whole (1.0)";
            return Err(fields.fail(field, reason));
        }
        let kind = match entry("rope_type").or_else(|| entry("type")) {
            // A table without a type that holds more than the base means something that would be
            // lost.
            None => match table.keys().find(|name| *name != "rope_theta") {
                None => "default",
                Some(name) => {
                    let reason = format!("`rope_type` is missing beside `{name}`");
                    return Err(fields.fail(field, reason));
                }
            },
            Some(kind) => kind
                .as_str()
                .ok_or_else(|| fields.fail(field, "`rope_type` is not a string"))?,
        };
        let scaling = match kind {
            "default" => Self::None,
            "linear" => Self::Linear {
                factor: number("factor")?,
            },
            "llama3" => {
                let (low_freq_factor, high_freq_factor) =
                    (number("low_freq_factor")?, number("high_freq_factor")?);
                if high_freq_factor <= low_freq_factor {
                    let reason = "`high_freq_factor` must be above `low_freq_factor`";
                    return Err(fields.fail(field, reason));
                }
                let original = number("original_max_position_embeddings")?;
                if original.fract() != 0.0 || original > MAX_CONTEXT {
                    let reason = format!(
                        "`original_max_position_embeddings` is {original}, must be a whole number \
                         of tokens up to {MAX_CONTEXT}"
                    );
                    return Err(fields.fail(field, reason));
                }
                Self::Llama3 {
                    factor: number("factor")?,
                    low_freq_factor,
                    high_freq_factor,
                    original_context: original as usize,
                }
            }
            other => {
                let reason = format!(
                    "rope type `{other}` is not supported; supported: default, linear, llama3"
                );
                return Err(fields.fail(field, reason));
            }
        };
        Ok((theta, scaling))
    }

    /// `rope_parameters` of the newer style.
    pub(super) fn to_json(&self, theta: f64) -> Value {
        let mut table = Map::new();
        table.insert("rope_theta".into(), json!(theta));
        let kind = match self {
            Self::None => "default",
            Self::Linear { factor } => {
                table.insert("factor".into(), json!(factor));
                "linear"
            }
            Self::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_context,
            } => {
                table.insert("factor".into(), json!(factor));
                table.insert("low_freq_factor".into(), json!(low_freq_factor));
                table.insert("high_freq_factor".into(), json!(high_freq_factor));
                table.insert(
                    "original_max_position_embeddings".into(),
                    json!(original_context),
                );
                "llama3"
            }
        };
        table.insert("rope_type".into(), json!(kind));
        Value::Object(table)
    }

    /// `frequency` in radians a token, stretched.
    fn stretch(&self, frequency: f32) -> f32 {
        match self {
            Self::None => frequency,
            Self::Linear { factor } => frequency / *factor as f32,
            Self::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_context,
            } => {
                let context = *original_context as f64;
                // The reference divides a number by a tensor as number times reciprocal.
                let wavelength = (1.0 / frequency) * std::f32::consts::TAU;
                if wavelength > (context / low_freq_factor) as f32 {
                    frequency / *factor as f32
                } else if wavelength < (context / high_freq_factor) as f32 {
                    frequency
                } else {
                    let turns = (1.0 / wavelength) * context as f32;
                    let smooth = (turns - *low_freq_factor as f32)
                        / (high_freq_factor - low_freq_factor) as f32;
                    (1.0 - smooth) * frequency / *factor as f32 + smooth * frequency
                }
            }
        }
    }
}

impl LlamaConfig {
    /// Inverse rotary frequencies, one for each of the `head_dim / 2` planes, in radians a token.
    ///
    /// Rounded to f32 where the reference implementation rounds, and at the end to
    /// `rope_frequency_dtype`: at position 10,000 the last bit of a frequency shows in the logits.
    pub fn inverse_frequencies(&self) -> Vec<f32> {
        let plane = |plane: usize| {
            let exponent = (2 * plane) as f32 / self.head_dim as f32;
            // The nearest f32 to the power, whatever the platform's own functions give.
            let frequency =
                1.0 / libm::pow(f64::from(self.rope_theta as f32), f64::from(exponent)) as f32;
            let stretched = self.rope_scaling.stretch(frequency);
            self.rope_frequency_dtype.round(stretched)
        };
        (0..self.head_dim / 2).map(plane).collect()
    }
}
