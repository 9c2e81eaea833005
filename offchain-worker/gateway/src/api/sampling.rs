//! The parameters that chat and completions share.

use std::sync::Arc;

use chasqui_engine::logprobs::MAX_TOP_LOGPROBS;
use chasqui_engine::Sampling;
use chasqui_primitives::sampling::{
    MAX_STOP_IDS, MAX_TEMPERATURE_MILLI, MIN_TEMPERATURE_MILLI, TOP_P_OFF,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fields::{token_id, wrong_type, Fields};
use crate::error::ApiError;
use crate::limits::Limits;
use crate::upstream::Model;

/// Most stop strings, four times what OpenAI takes.
const MAX_STOPS: usize = 16;
/// Longest stop string in bytes.
const MAX_STOP_BYTES: usize = 1_024;

/// Penalties change which tokens come out in a way that nobody could verify: each with the value
/// that does nothing.
const NEUTRAL: [(&str, f64); 4] = [
    ("frequency_penalty", 0.0),
    ("presence_penalty", 0.0),
    ("repetition_penalty", 1.0),
    ("min_p", 0.0),
];

/// How to sample, before it is known how long the prompt is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything but `max_tokens`.
    sampling: Sampling,
    /// As the client asked, and under which name.
    max_tokens: Option<(u32, &'static str)>,
    /// Choices a prompt.
    pub n: usize,
    /// Strings that end an output.
    pub stops: Arc<[String]>,
    /// Whether the answer is a stream.
    pub stream: bool,
    /// Whether the stream ends with the counts.
    pub include_usage: bool,
}

impl Options {
    /// Reads them.
    ///
    /// # Errors
    /// Names the field that is malformed, out of range, or asks for what is not computed.
    pub fn read(fields: Fields<'_>, model: &Model, limits: &Limits) -> Result<Self, ApiError> {
        refuse_what_is_not_computed(fields)?;
        let stream = fields.flag("stream")?;
        let include_usage = match fields.object("stream_options")? {
            None => false,
            Some(_) if !stream => {
                let words = "`stream_options` needs `stream: true`.";
                return Err(ApiError::invalid("stream_options", words));
            }
            Some(options) => options.flag("include_usage")?,
        };
        let n = fields.integer("n", 1, limits.choices as i64)?.unwrap_or(1);
        if let Some(best_of) = fields.integer("best_of", 1, i64::MAX)? {
            if best_of != n {
                let words = "`best_of` must equal `n`: every choice is paid for and returned.";
                return Err(ApiError::unsupported("best_of", words));
            }
        }
        Ok(Self {
            sampling: Sampling {
                temperature_milli: temperature(fields, model)?,
                top_k: top_k(fields, model)?,
                top_p_ppm: top_p(fields, model)?,
                seed: seed(fields)?,
                stop_ids: stop_ids(fields, model)?
                    .try_into()
                    .map_err(|ids: Vec<u32>| {
                        let words = format!(
                            "`stop_token_ids` has {}; give at most {MAX_STOP_IDS}.",
                            ids.len()
                        );
                        ApiError::invalid("stop_token_ids", words)
                    })?,
                ignore_eos: fields.flag("ignore_eos")?,
                ..Sampling::greedy(1)
            },
            max_tokens: max_tokens(fields, limits)?,
            n: n as usize,
            stops: stops(fields)?,
            stream,
            include_usage,
        })
    }

    /// The sampling of choice `index` after a prompt of `prompt_tokens`. Where the client leaves the
    /// length open, `open` tokens are the most, as far as the context reaches.
    ///
    /// # Errors
    /// Prompt and output exceed the context; `param` is the field of the prompt.
    pub fn sampling(
        &self,
        model: &Model,
        param: &str,
        prompt_tokens: usize,
        open: u32,
        index: usize,
    ) -> Result<Sampling, ApiError> {
        let context = model.context;
        let room = context.saturating_sub(prompt_tokens);
        if room == 0 {
            return Err(ApiError::context(
                param,
                format!(
                    "The prompt has {prompt_tokens} tokens; the context of '{}' holds {context}, and at least one must \
                     be left for the output. Shorten the prompt.",
                    model.id
                ),
            ));
        }
        let most = model.max_output.unwrap_or(u32::MAX);
        let max_tokens = match self.max_tokens {
            Some((asked, name)) if asked as usize > room => {
                return Err(ApiError::context(
                    param,
                    format!(
                        "The prompt has {prompt_tokens} tokens and `{name}` asks for {asked} more, {} together; the \
                         context of '{}' holds {context}. Shorten the prompt or ask for at most {room}.",
                        prompt_tokens + asked as usize,
                        model.id
                    ),
                ));
            }
            Some((asked, name)) if asked > most => {
                return Err(ApiError::invalid(
                    name,
                    format!(
                        "`{name}` is {asked}; '{}' gives at most {most} a choice.",
                        model.id
                    ),
                ));
            }
            Some((asked, _)) => asked,
            None => open.min(u32::try_from(room).unwrap_or(u32::MAX)).min(most),
        };
        Ok(Sampling {
            max_tokens,
            seed: choice_seed(self.sampling.seed, index),
            ..self.sampling.clone()
        })
    }
}

/// The seed of a request's choice: the request's own for the first; for choice `i` the first eight
/// bytes, little-endian, of SHA-256 over `chasqui/choice`, the seed (u64) and `i` (u32), both
/// little-endian.
pub fn choice_seed(seed: u64, index: usize) -> u64 {
    if index == 0 {
        return seed;
    }
    let mut hash = Sha256::new();
    hash.update(b"chasqui/choice");
    hash.update(seed.to_le_bytes());
    hash.update((index as u32).to_le_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let (first, _) = digest.split_at(8);
    first
        .iter()
        .rev()
        .fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
}

fn refuse_what_is_not_computed(fields: Fields<'_>) -> Result<(), ApiError> {
    for (name, neutral) in NEUTRAL {
        if let Some(value) = fields.number(name)?.filter(|value| *value != neutral) {
            return Err(ApiError::unsupported(
                name,
                format!("`{name}` is {value}; only {neutral} is computed, because it would change sampling that others verify."),
            ));
        }
    }
    if let Some(bias) = fields.value("logit_bias") {
        let map = bias
            .as_object()
            .ok_or_else(|| wrong_type("logit_bias", "an object", bias))?;
        if map.values().any(|value| value.as_f64() != Some(0.0)) {
            let words = "`logit_bias` must be empty or 0, because it would change sampling that others verify.";
            return Err(ApiError::unsupported("logit_bias", words));
        }
    }
    for name in ["tools", "functions"] {
        if fields.list(name)?.is_some_and(|list| !list.is_empty()) {
            let words = format!("`{name}` are not supported: leave them out.");
            return Err(ApiError::unsupported(name, words));
        }
    }
    if let Some(format) = fields.object("response_format")? {
        let kind = format.string("type")?.unwrap_or("text");
        if kind != "text" {
            let words = "`response_format` must be of type `text`: output is not constrained.";
            return Err(ApiError::unsupported("response_format", words));
        }
    }
    for modality in fields.list("modalities")?.into_iter().flatten() {
        if modality != "text" {
            let words = "`modalities` must be [\"text\"].";
            return Err(ApiError::unsupported("modalities", words));
        }
    }
    Ok(())
}

/// Thousandths.
fn temperature(fields: Fields<'_>, model: &Model) -> Result<u32, ApiError> {
    let makers = model.defaults.do_sample;
    let makers = makers.then(|| model.defaults.effective_temperature());
    let asked = fields.number("temperature")?;
    let given = asked.or(makers).unwrap_or(1.0);
    let milli = (given * 1_000.0).round();
    let (least, most) = (
        f64::from(MIN_TEMPERATURE_MILLI),
        f64::from(MAX_TEMPERATURE_MILLI),
    );
    if given == 0.0 || (milli >= least && milli <= most) {
        return Ok(milli as u32);
    }
    let whose = match asked {
        Some(_) => "",
        None => " (the model's own setting; give another)",
    };
    Err(ApiError::invalid(
        "temperature",
        format!(
            "`temperature` is {given}{whose}; give 0, which takes the likeliest token, or {} to {}. Below that, rounding \
             decides between tokens and nobody could verify them.",
            least / 1e3,
            most / 1e3
        ),
    ))
}

/// Millionths. At 0 the likeliest token alone is left, as at one millionth.
fn top_p(fields: Fields<'_>, model: &Model) -> Result<u32, ApiError> {
    let given = fields.number("top_p")?;
    let given = given.unwrap_or_else(|| model.defaults.effective_top_p());
    if !(0.0..=1.0).contains(&given) {
        let words = format!("`top_p` is {given}; give 0 to 1 (1 keeps every token).");
        return Err(ApiError::invalid("top_p", words));
    }
    let ppm = (given * f64::from(TOP_P_OFF)).round();
    Ok((ppm as u32).max(1))
}

fn top_k(fields: Fields<'_>, model: &Model) -> Result<u32, ApiError> {
    let given = fields.integer("top_k", -1, i64::from(u32::MAX))?;
    // Only what the makers say: a client of OpenAI's does not expect a cut that it did not ask for.
    let makers = model.defaults.top_k.filter(|_| model.defaults.do_sample);
    Ok(match given {
        None => makers.unwrap_or(0),
        Some(all) if all <= 0 => 0,
        Some(k) => k as u32,
    })
}

/// The client's, as two's complement; or a random one.
fn seed(fields: Fields<'_>) -> Result<u64, ApiError> {
    match fields.value("seed") {
        // Beyond what is signed there is still half of the range.
        Some(Value::Number(number)) if number.is_u64() => Ok(number.as_u64().unwrap_or_default()),
        Some(_) => {
            let given = fields.integer("seed", i64::MIN, i64::MAX)?;
            Ok(given.unwrap_or_default() as u64)
        }
        None => {
            let mut bytes = [0; 8];
            getrandom::getrandom(&mut bytes)
                .map_err(|error| ApiError::internal(format!("no random seed: {error}")))?;
            Ok(u64::from_le_bytes(bytes))
        }
    }
}

fn stop_ids(fields: Fields<'_>, model: &Model) -> Result<Vec<u32>, ApiError> {
    const NAME: &str = "stop_token_ids";
    let ids = fields.list(NAME)?.into_iter().flatten();
    ids.map(|value| token_id(NAME, value, model.vocab_size))
        .collect()
}

fn stops(fields: Fields<'_>) -> Result<Arc<[String]>, ApiError> {
    const NAME: &str = "stop";
    let given: Vec<&Value> = match fields.value(NAME) {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
    };
    if given.len() > MAX_STOPS {
        let words = format!(
            "`{NAME}` has {} strings; give at most {MAX_STOPS}.",
            given.len()
        );
        return Err(ApiError::invalid(NAME, words));
    }
    given
        .into_iter()
        .map(|value| match value {
            Value::String(stop) if stop.is_empty() => {
                let words =
                    "`stop` holds an empty string, which would end every output before it begins.";
                Err(ApiError::invalid(NAME, words))
            }
            Value::String(stop) if stop.len() > MAX_STOP_BYTES => {
                let words = format!(
                    "`{NAME}` holds a string of {} bytes; give at most {MAX_STOP_BYTES}.",
                    stop.len()
                );
                Err(ApiError::invalid(NAME, words))
            }
            Value::String(stop) => Ok(stop.clone()),
            other => Err(wrong_type(NAME, "a string or a list of strings", other)),
        })
        .collect()
}

/// `max_completion_tokens`, or its older name.
fn max_tokens(
    fields: Fields<'_>,
    limits: &Limits,
) -> Result<Option<(u32, &'static str)>, ApiError> {
    let read = |name: &'static str| {
        let given = fields.integer(name, 1, i64::from(u32::MAX))?;
        match given {
            Some(asked) if asked > i64::from(limits.max_tokens) => Err(ApiError::invalid(
                name,
                format!(
                    "`{name}` is {asked}; this gateway gives at most {} a choice.",
                    limits.max_tokens
                ),
            )),
            Some(asked) => Ok(Some((asked as u32, name))),
            None => Ok(None),
        }
    };
    let (new, old) = (read("max_completion_tokens")?, read("max_tokens")?);
    match (new, old) {
        (Some((new, _)), Some((old, _))) if new != old => {
            let words = format!(
                "`max_tokens` is {old} and `max_completion_tokens` {new}: give one of them."
            );
            Err(ApiError::invalid("max_tokens", words))
        }
        (new, old) => Ok(new.or(old)),
    }
}

/// `top_logprobs` and the like.
///
/// # Errors
/// It is out of range.
pub fn alternatives(fields: Fields<'_>, name: &str) -> Result<Option<usize>, ApiError> {
    let given = fields.integer(name, 0, i64::from(MAX_TOP_LOGPROBS))?;
    Ok(given.map(|count| count as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    // GIVEN a seed
    // WHEN the seeds of its choices are derived
    // THEN the first is the seed itself, the others are fixed for ever and differ
    #[test]
    fn choices_have_seeds_of_their_own() {
        assert_eq!(choice_seed(7, 0), 7);
        let digest = Sha256::digest(
            [
                &b"chasqui/choice"[..],
                &7u64.to_le_bytes(),
                &1u32.to_le_bytes(),
            ]
            .concat(),
        );
        let first: [u8; 8] = digest[..8].try_into().unwrap();
        assert_eq!(choice_seed(7, 1), u64::from_le_bytes(first));
        assert_ne!(choice_seed(7, 1), choice_seed(7, 2));
        assert_ne!(choice_seed(7, 1), choice_seed(8, 1));
    }
}
