//! The terms of a run as people write them: a TOML file in plain units, with defaults that work.

use anyhow::{bail, ensure, Context, Result};
use chasqui_primitives::training::{
    whole_sequences, AdapterTargets, AuditTerms, Codec, InnerOptimizer, Outer, Recipe, RunTerms,
    Schedule, Start, TermsError, Timing, Trains, PPM,
};
use serde::Deserialize;
use sp_core::H256;
use std::str::FromStr;

use crate::cli::options::{format_dot, parse_dot};

/// What `train create` reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsFile {
    /// Root of the dataset's blob.
    pub dataset: String,
    /// What the run starts from.
    pub start: StartFile,
    /// Rounds, void ones included.
    pub rounds: u32,
    /// DOT that a round pays when everybody's work is accepted.
    pub round_pay: String,
    /// Members.
    #[serde(default)]
    pub members: MembersFile,
    /// How it is trained.
    #[serde(default)]
    pub recipe: RecipeFile,
    /// Blocks that each phase lasts at most.
    #[serde(default)]
    pub timing: TimingFile,
    /// What validators look at.
    #[serde(default)]
    pub audit: AuditFile,
}

/// One of the two.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartFile {
    /// Root of a registered checkpoint.
    pub checkpoint: Option<String>,
    /// Root of a manifest with configuration and tokenizer, for weights made anew.
    pub config: Option<String>,
    /// What they are made from.
    pub seed: Option<u64>,
}

/// How many members.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MembersFile {
    /// Least: below it nothing is trained.
    pub min: u32,
    /// Most.
    pub max: u32,
}

impl Default for MembersFile {
    fn default() -> Self {
        Self { min: 3, max: 16 }
    }
}

/// How it is trained.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecipeFile {
    /// Inner steps of a round.
    pub inner_steps: u32,
    /// Sequences that a member trains on in a step.
    pub batch: u32,
    /// Of these at a time. Default: 4, or the batch where that is smaller.
    pub micro_batch: Option<u32>,
    /// Predicted tokens of a sequence.
    pub sequence: u32,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Steps of its rise. Default: 100, or a tenth of all steps where that is less.
    pub warmup_steps: Option<u32>,
    /// What is left of it at the end.
    pub floor: f64,
    /// AdamW.
    pub beta1: f64,
    /// AdamW.
    pub beta2: f64,
    /// AdamW.
    pub epsilon: f64,
    /// AdamW.
    pub weight_decay: f64,
    /// Largest norm of a step's gradient.
    pub clip: f64,
    /// Rate of the outer step. Default: 0.7, with `sparse` 1.
    pub outer_rate: Option<f64>,
    /// Its momentum. Default: 0.9, with `sparse` 0.
    pub outer_momentum: Option<f64>,
    /// Whether it looks ahead. Default: yes, with `sparse` no.
    pub nesterov: Option<bool>,
    /// `f32`, `int8` or `sparse`.
    pub codec: String,
    /// A pseudo-gradient longer than so many times the round's median is shortened to that.
    pub norm_clip: f64,
    /// Pieces that kept states cut a round into.
    pub segments: u32,
    /// A low-rank adapter instead of all weights.
    pub adapter: Option<AdapterFile>,
    /// A student of a teacher.
    pub distil: Option<DistilFile>,
}

impl Default for RecipeFile {
    fn default() -> Self {
        Self {
            inner_steps: 64,
            batch: 8,
            micro_batch: None,
            sequence: 256,
            learning_rate: 1e-3,
            warmup_steps: None,
            floor: 0.1,
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            weight_decay: 0.1,
            clip: 1.0,
            outer_rate: None,
            outer_momentum: None,
            nesterov: None,
            codec: "int8".into(),
            norm_clip: 3.0,
            segments: 4,
            adapter: None,
            distil: None,
        }
    }
}

/// A low-rank adapter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterFile {
    /// Its rank.
    pub rank: u16,
    /// Scaled by this over its rank. Default: twice the rank.
    pub alpha: Option<f64>,
    /// `attention` or `all`.
    #[serde(default = "all")]
    pub targets: String,
}

fn all() -> String {
    "all".into()
}

/// A teacher.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistilFile {
    /// Root of its checkpoint.
    pub teacher: String,
    /// Softens both predictions.
    #[serde(default = "one")]
    pub temperature: f64,
    /// Its share of the loss.
    #[serde(default = "one")]
    pub share: f64,
}

fn one() -> f64 {
    1.0
}

/// Blocks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimingFile {
    /// Least time to gather members for.
    pub forming: u32,
    /// Time to fetch base and data.
    pub warmup: u32,
    /// Most time to train a round.
    pub train: u32,
    /// Least time for stragglers, once two thirds have committed.
    pub grace: u32,
    /// Stragglers have the median time and so many percent of its spread.
    pub spread_percent: u32,
    /// Time to reveal.
    pub exchange: u32,
    /// Time to fetch the others' work.
    pub attest: u32,
    /// Most time for verdicts.
    pub audit: u32,
    /// Time for the outer step.
    pub agree: u32,
    /// How long an agreed model can be challenged.
    pub challenge: u32,
    /// Longest without an agreed round, while members are missing.
    pub idle: u32,
    /// Rounds in a row that a member may miss.
    pub max_missed: u32,
    /// Rounds in a row that may be void.
    pub max_void: u32,
}

impl Default for TimingFile {
    fn default() -> Self {
        Self {
            forming: 100,
            warmup: 300,
            train: 600,
            grace: 30,
            spread_percent: 400,
            exchange: 20,
            attest: 50,
            audit: 300,
            agree: 30,
            challenge: 100,
            idle: 14_400,
            max_missed: 2,
            max_void: 3,
        }
    }
}

/// What validators look at.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditFile {
    /// Segments of each member that are replayed.
    pub segments: u32,
    /// Drift between machines of different kinds from which a verdict is `Soft`, as a part of the movement.
    pub soft: f64,
    /// The same for `Hard`.
    pub hard: f64,
    /// Largest distance between the evidence of two honest validators.
    pub evidence_tau: u32,
}

impl Default for AuditFile {
    fn default() -> Self {
        Self {
            segments: 1,
            soft: 0.001,
            hard: 0.01,
            evidence_tau: 8,
        }
    }
}

/// What the chain knows of the dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFacts {
    /// Tokens in all.
    pub tokens: u64,
    /// The last of them, which are never trained on.
    pub held_out: u64,
}

impl TermsFile {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Names line and field.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// The dataset that it names.
    ///
    /// # Errors
    /// It is no root.
    pub fn dataset(&self) -> Result<H256> {
        root("dataset", &self.dataset)
    }

    /// The terms, on a dataset like this.
    ///
    /// # Errors
    /// Names the field that is out of range, and what to write.
    pub fn terms(&self, data: &DataFacts) -> Result<RunTerms> {
        ensure!(self.rounds > 0, "`rounds` is 0; a run has at least one");
        let recipe = self.recipe.recipe(self.rounds)?;
        let training = data.tokens.saturating_sub(data.held_out);
        let sequences = whole_sequences(training, recipe.sequence);
        ensure!(
            sequences > 0,
            "`recipe.sequence` is {}, and the dataset has {training} tokens to train on: shorten the sequence, or take \
             more data",
            recipe.sequence
        );
        let planck = parse_dot(&self.round_pay)
            .map_err(|reason| anyhow::anyhow!("`round_pay`: {reason}"))?;
        let timing = &self.timing;
        let terms = RunTerms {
            start: self.start.start()?,
            dataset: self.dataset()?,
            sequences,
            recipe,
            rounds: self.rounds,
            round_pay: planck,
            min_members: self.members.min,
            max_members: self.members.max,
            timing: Timing {
                forming_blocks: timing.forming,
                warmup_blocks: timing.warmup,
                train_blocks: timing.train,
                grace_blocks: timing.grace,
                spread_percent: timing.spread_percent,
                exchange_blocks: timing.exchange,
                attest_blocks: timing.attest,
                audit_blocks: timing.audit,
                agree_blocks: timing.agree,
                challenge_blocks: timing.challenge,
                idle_blocks: timing.idle,
                max_missed: timing.max_missed,
                max_void: timing.max_void,
            },
            audit: AuditTerms {
                segments: self.audit.segments,
                soft_ppm: scaled("audit.soft", self.audit.soft, 1e6)?,
                hard_ppm: scaled("audit.hard", self.audit.hard, 1e6)?,
                evidence_tau: self.audit.evidence_tau,
            },
        };
        match terms.validate() {
            Ok(()) => Ok(terms),
            Err(error) => bail!("{error}: see {}", field_of(error)),
        }
    }

    /// What all rounds pay together, for people.
    pub fn budget(terms: &RunTerms) -> String {
        terms.budget().map_or_else(|| "too much".into(), format_dot)
    }
}

impl StartFile {
    fn start(&self) -> Result<Start> {
        match (&self.checkpoint, &self.config) {
            (Some(text), None) if self.seed.is_none() => {
                Ok(Start::Checkpoint(root("start.checkpoint", text)?))
            }
            (None, Some(text)) => Ok(Start::Fresh {
                config: root("start.config", text)?,
                seed: self.seed.unwrap_or(0),
            }),
            _ => bail!(
                "`start` wants either `checkpoint = \"0x…\"`, or `config = \"0x…\"` with a `seed`"
            ),
        }
    }
}

impl RecipeFile {
    fn recipe(&self, rounds: u32) -> Result<Recipe> {
        let codec = match self.codec.as_str() {
            "f32" => Codec::F32,
            "int8" => Codec::Int8 { block: 128 },
            "sparse" => Codec::Sparse {
                chunk: 4_096,
                keep: 64,
                decay_ppm: 950_000,
            },
            other => bail!("`recipe.codec` is \"{other}\"; write \"f32\", \"int8\" or \"sparse\""),
        };
        let sparse = matches!(codec, Codec::Sparse { .. });
        let (rate, momentum) = match sparse {
            true => (1.0, 0.0),
            false => (0.7, 0.9),
        };
        let trains = match (&self.adapter, &self.distil) {
            (None, None) => Trains::Full,
            (Some(adapter), None) => Trains::Adapter {
                rank: adapter.rank,
                alpha_milli: scaled(
                    "recipe.adapter.alpha",
                    adapter.alpha.unwrap_or(2.0 * f64::from(adapter.rank)),
                    1e3,
                )?,
                targets: match adapter.targets.as_str() {
                    "attention" => AdapterTargets::ATTENTION,
                    "all" => AdapterTargets::ALL,
                    other => bail!(
                        "`recipe.adapter.targets` is \"{other}\"; write \"attention\" or \"all\""
                    ),
                },
            },
            (None, Some(distil)) => Trains::Distil {
                teacher: root("recipe.distil.teacher", &distil.teacher)?,
                temperature_milli: scaled("recipe.distil.temperature", distil.temperature, 1e3)?,
                share_ppm: scaled("recipe.distil.share", distil.share, 1e6)?,
            },
            (Some(_), Some(_)) => bail!("`recipe` has both `adapter` and `distil`; keep one"),
        };
        let ppm = f64::from(PPM);
        let total_steps = rounds.saturating_mul(self.inner_steps);
        Ok(Recipe {
            inner_steps: self.inner_steps,
            batch: self.batch,
            micro_batch: self.micro_batch.unwrap_or(self.batch.min(4)),
            sequence: self.sequence,
            optimizer: InnerOptimizer::AdamW {
                beta1_ppm: scaled("recipe.beta1", self.beta1, ppm)?,
                beta2_ppm: scaled("recipe.beta2", self.beta2, ppm)?,
                epsilon_e12: scaled("recipe.epsilon", self.epsilon, 1e12)?,
                weight_decay_ppm: scaled("recipe.weight_decay", self.weight_decay, ppm)?,
            },
            schedule: Schedule {
                peak_nano: scaled("recipe.learning_rate", self.learning_rate, 1e9)?,
                warmup_steps: self.warmup_steps.unwrap_or((total_steps / 10).min(100)),
                total_steps,
                floor_ppm: scaled("recipe.floor", self.floor, ppm)?,
            },
            clip_milli: scaled("recipe.clip", self.clip, 1e3)?,
            outer: Outer {
                rate_ppm: scaled("recipe.outer_rate", self.outer_rate.unwrap_or(rate), ppm)?,
                momentum_ppm: scaled(
                    "recipe.outer_momentum",
                    self.outer_momentum.unwrap_or(momentum),
                    ppm,
                )?,
                nesterov: self.nesterov.unwrap_or(!sparse),
            },
            codec,
            norm_clip_ppm: scaled("recipe.norm_clip", self.norm_clip, ppm)?,
            segments: self.segments,
            trains,
        })
    }
}

fn root(field: &str, text: &str) -> Result<H256> {
    H256::from_str(text)
        .ok()
        .with_context(|| format!("`{field}` is no 0x… root of 32 bytes: {text}"))
}

/// A number in fixed point.
fn scaled(field: &str, value: f64, unit: f64) -> Result<u32> {
    let scaled = (value * unit).round();
    ensure!(
        value.is_finite() && (0.0..=f64::from(u32::MAX)).contains(&scaled),
        "`{field}` is {value}; it must be between 0 and {}",
        f64::from(u32::MAX) / unit
    );
    ensure!(
        value == 0.0 || scaled > 0.0,
        "`{field}` is {value}, which is less than the {} that can be told apart",
        1.0 / unit
    );
    Ok(scaled as u32)
}

/// Where in the file the reason of a refusal is.
fn field_of(error: TermsError) -> &'static str {
    match error {
        TermsError::InnerSteps => "`recipe.inner_steps`",
        TermsError::Batch => "`recipe.batch`",
        TermsError::MicroBatch => "`recipe.micro_batch`, which must be at least 1 and at most `recipe.batch`",
        TermsError::Sequence => "`recipe.sequence`",
        TermsError::Optimizer => "`recipe.beta1`, `beta2`, `epsilon` and `weight_decay`",
        TermsError::Schedule => {
            "`recipe.learning_rate`, `floor` and `warmup_steps`, which may not exceed rounds times inner steps"
        }
        TermsError::Clip => "`recipe.clip`",
        TermsError::Outer => "`recipe.outer_rate` and `recipe.outer_momentum`, which must be below 1",
        TermsError::Codec => "`recipe.codec`",
        TermsError::NormClip => "`recipe.norm_clip`, which must be at least 1",
        TermsError::Segments => "`recipe.segments`, at least 1 and at most `recipe.inner_steps`",
        TermsError::Trains => "`recipe.adapter` and `recipe.distil`",
        TermsError::Rounds => "`rounds`",
        TermsError::Members => "`members`: `min` must be at least 1 and at most `max`, and that at most 512",
        TermsError::Timing => "`timing`: every phase needs at least one block",
        TermsError::Audit => "`audit`: `segments` at least 1 and at most `recipe.segments`, `soft` at most `hard`",
        TermsError::Start => "`start`, which must name a `checkpoint` here",
        TermsError::Pay => "`round_pay` and `rounds`",
    }
}
