//! `generation_config.json`: end tokens, and how the model's makers sample from it.

use std::path::Path;

use crate::config::Fields;
use crate::error::{EngineError, Result};
use crate::files::MAX_CONFIG_BYTES;

const FILE: &str = "generation_config.json";

/// Settings that change which tokens come out and that the engine does not have, each with the
/// value that means nothing.
const NOT_COMPUTED: [(&str, f64); 13] = [
    ("repetition_penalty", 1.0),
    ("encoder_repetition_penalty", 1.0),
    ("no_repeat_ngram_size", 0.0),
    ("min_p", 0.0),
    ("typical_p", 1.0),
    ("epsilon_cutoff", 0.0),
    ("eta_cutoff", 0.0),
    ("penalty_alpha", 0.0),
    ("guidance_scale", 1.0),
    ("min_length", 0.0),
    ("min_new_tokens", 0.0),
    ("num_beams", 1.0),
    ("num_beam_groups", 1.0),
];

/// As [`NOT_COMPUTED`], for settings that are lists or ids.
const NOT_COMPUTED_LISTS: [&str; 7] = [
    "bad_words_ids",
    "sequence_bias",
    "suppress_tokens",
    "begin_suppress_tokens",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "stop_strings",
];

/// What `generation_config.json` says, or what its absence means.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GenerationDefaults {
    /// Tokens that end an output; `None` leaves it to `config.json`.
    pub eos_token_ids: Option<Vec<u32>>,
    /// Whether tokens are drawn; otherwise the likeliest is taken.
    pub do_sample: bool,
    /// Above 0. Counts only with `do_sample`, as do the next two.
    pub temperature: Option<f64>,
    /// Likeliest tokens to draw from; 0 means all.
    pub top_k: Option<u32>,
    /// Share of probability to draw from, above 0 to 1.
    pub top_p: Option<f64>,
    /// Longest output in tokens, at least 1.
    pub max_new_tokens: Option<u32>,
    /// Settings that ask for something that the engine does not compute, by name.
    pub ignored: Vec<String>,
}

impl GenerationDefaults {
    /// Reads `generation_config.json` of a model folder; the defaults where there is none.
    ///
    /// # Errors
    /// The file is unreadable or not JSON, a setting is out of its range, or an end token lies
    /// outside the vocabulary of `vocab_size`.
    pub fn from_dir(dir: &Path, vocab_size: usize) -> Result<Self> {
        let path = dir.join(FILE);
        match path.exists() {
            true => Self::from_file(&path, vocab_size),
            false => Ok(Self::default()),
        }
    }

    fn from_file(path: &Path, vocab_size: usize) -> Result<Self> {
        let fields = Fields::from_file(path, MAX_CONFIG_BYTES)?;
        let eos_token_ids = fields.ids("eos_token_id")?;
        if let Some(id) = eos_token_ids
            .iter()
            .flatten()
            .find(|id| **id as usize >= vocab_size)
        {
            return Err(EngineError::config(
                path,
                "eos_token_id",
                format!("{id} lies outside the vocabulary of {vocab_size}"),
            ));
        }
        let found = Self {
            eos_token_ids,
            do_sample: fields.get("do_sample")?.unwrap_or(false),
            temperature: fields.get("temperature")?,
            top_k: fields.get("top_k")?,
            top_p: fields.get("top_p")?,
            max_new_tokens: fields.get("max_new_tokens")?,
            ignored: ignored(&fields),
        };
        let positive = |value: &f64| value.is_finite() && *value > 0.0;
        // A temperature of 0 is how some files say `do_sample: false`.
        let cold = !found.do_sample || found.temperature == Some(0.0);
        if let Some(temperature) = found.temperature.filter(|value| !cold && !positive(value)) {
            let reason = format!("is {temperature}, must be above 0");
            return Err(EngineError::config(path, "temperature", reason));
        }
        if let Some(top_p) = found.top_p.filter(|p| !positive(p) || *p > 1.0) {
            let reason = format!("is {top_p}, must be above 0 and at most 1");
            return Err(EngineError::config(path, "top_p", reason));
        }
        if found.max_new_tokens == Some(0) {
            return Err(EngineError::config(
                path,
                "max_new_tokens",
                "is 0, must be at least 1",
            ));
        }
        Ok(found)
    }

    /// The temperature to sample with; 0 takes the likeliest token.
    pub fn effective_temperature(&self) -> f64 {
        match self.do_sample {
            true => self.temperature.unwrap_or(1.0),
            false => 0.0,
        }
    }

    /// The number of candidates; 0 means all. `transformers` draws from 50 where it draws and
    /// nothing is said.
    pub fn effective_top_k(&self) -> u32 {
        match self.do_sample {
            true => self.top_k.unwrap_or(50),
            false => 0,
        }
    }

    /// The share of probability of the candidates; 1 means all.
    pub fn effective_top_p(&self) -> f64 {
        match self.do_sample {
            true => self.top_p.unwrap_or(1.0),
            false => 1.0,
        }
    }
}

fn ignored(fields: &Fields) -> Vec<String> {
    let numbers = NOT_COMPUTED.into_iter().filter(|(name, neutral)| {
        let value = fields.value(name);
        value.is_some_and(|value| value.as_f64() != Some(*neutral))
    });
    let lists = NOT_COMPUTED_LISTS.into_iter().filter(|name| {
        let value = fields.value(name);
        value.is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty()))
    });
    numbers
        .map(|(name, _)| name)
        .chain(lists)
        .map(str::to_string)
        .collect()
}
