//! Text, tokenizer, base model, and the ways to go on from it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{bail, ensure, Context, Result};
use burn::tensor::Device;
use chasqui_engine::config::LlamaConfig;
use chasqui_engine::model::Llama;
use chasqui_primitives::training::{Codec, InnerOptimizer, Outer, Recipe, Schedule, Trains};
use chasqui_training::diloco::dataset::{build, find_texts, BuildOptions, TextEncoder};
use chasqui_training::diloco::outer::pseudo_gradient;
use chasqui_training::diloco::state::{vector_bytes, TrainState};
use chasqui_training::diloco::{Dataset, Inner, Local, OuterState, RoundPlan};
use chasqui_training::recipe::Size;
use chasqui_training::tokenizer::{train_on, EOS_ID};
use chasqui_training::train::mean_loss;
use chasqui_training::TrainingError;
use sp_core::H256;

use crate::report::{Protocol, Row};
use crate::spec::{Spec, Way};

/// Members of a run.
pub const MEMBERS: u32 = 4;
/// Tokens of the vocabulary.
const VOCABULARY: usize = 512;
/// Bytes of text that the tokenizer is trained on.
const TOKENIZER_BYTES: usize = 4 << 20;
/// Predicted tokens of a sequence.
const SEQUENCE: u32 = 64;
/// Sequences computed at once.
const MICRO_BATCH: u32 = 8;
/// Sequences of a step while the base is made.
const BASE_BATCH: u32 = 32;
/// Held-out sequences that settings are chosen by, and as many that the loss is measured on.
const HELD_OUT: u64 = 512;
/// Last learning rate, in millionths of the highest.
const FLOOR_PPM: u32 = 50_000;

/// Small enough for many runs on two cores.
const SIZE: Size = Size {
    hidden: 64,
    layers: 2,
    heads: 4,
    kv_heads: 2,
    intermediate: 160,
};

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folders whose text is taken.
    pub texts: Vec<PathBuf>,
    /// Tokens after which no further document is taken.
    pub max_tokens: u64,
    /// Data-parallel steps before all runs part.
    pub base_steps: u32,
    /// Highest learning rate of these.
    pub base_rate: f64,
    /// Inner steps of each member after that.
    pub steps: u32,
    /// Sequences a member and step.
    pub batch: u32,
    /// Of weights and data.
    pub seed: u64,
}

impl Settings {
    /// # Errors
    /// Something is out of range.
    pub fn check(&self) -> Result<()> {
        const MOST: u32 = 1_000_000;
        ensure!(
            (1..=MOST).contains(&self.steps) && self.base_steps <= MOST,
            "--steps must be 1 to {MOST}, --base-steps 0 to {MOST}"
        );
        ensure!(
            (1..=4_096).contains(&self.batch),
            "--batch must be 1 to 4096"
        );
        ensure!(
            self.base_rate > 0.0 && self.base_rate <= 1.0,
            "--base-rate is {}, must lie between 0 and 1",
            self.base_rate
        );
        Ok(())
    }
}

/// What all runs share.
pub struct Lab {
    protocol: Protocol,
    data: Dataset,
    /// For its structure.
    model: Llama,
    /// The weights that all runs start from.
    base: Vec<f32>,
    /// Held-out sequences to choose settings by, and to measure.
    tuning: Vec<Vec<u32>>,
    unseen: Vec<Vec<u32>>,
    _dir: tempfile::TempDir,
}

impl Lab {
    /// Builds tokenizer, dataset and base; the latter is read from `base`, or written there.
    ///
    /// # Errors
    /// There is not enough text, or a file cannot be read or written.
    pub fn new(settings: Settings, base: Option<&Path>) -> Result<Self> {
        let Settings {
            texts,
            max_tokens,
            base_steps,
            base_rate,
            steps,
            batch,
            seed,
        } = settings;
        let dir = tempfile::tempdir()?;
        let options = BuildOptions {
            max_file_bytes: 256 << 10,
            extensions: vec!["md".into()],
            held_out_ppm: 50_000,
            max_tokens,
        };
        let encoder = tokenizer(&texts, &options)?;
        let folders: Vec<&Path> = texts.iter().map(PathBuf::as_path).collect();
        let path = dir.path().join("data");
        let built = build(&folders, &encoder, &path, &options, |_| {})?;
        let data = Dataset::open(&path)?;
        let [tuning, unseen] = held_out(&data)?;
        let config: LlamaConfig = SIZE.config(VOCABULARY);
        let mut lab = Self {
            protocol: Protocol {
                texts: texts.iter().map(|dir| dir.display().to_string()).collect(),
                documents: built.documents,
                text_bytes: built.text_bytes,
                training_tokens: data.header().training(),
                vocabulary: VOCABULARY,
                parameters: 0,
                members: MEMBERS,
                batch,
                sequence: SEQUENCE,
                base_steps,
                base_rate,
                steps,
                seed,
                base_loss: 0.0,
            },
            data,
            model: config.init(seed, &Device::flex()),
            base: Vec::new(),
            tuning,
            unseen,
            _dir: dir,
        };
        let needed = lab.first_sequence() + u64::from(steps) * u64::from(MEMBERS * batch);
        let needed = needed * u64::from(SEQUENCE);
        if needed > lab.protocol.training_tokens {
            eprintln!(
                "Each run takes {needed} tokens of {}: some come twice.",
                lab.protocol.training_tokens
            );
        }
        let recipe = lab.recipe(base_rate, 1, 1, 1);
        let mut inner = lab.inner(&recipe, 1)?;
        lab.protocol.parameters = inner.layout().len();
        lab.base = match base.filter(|path| path.exists()) {
            Some(path) => read_base(path, lab.protocol.parameters)?,
            None => lab.make_base(base)?,
        };
        lab.protocol.base_loss = lab.loss(&mut inner, &lab.base, &lab.unseen)?;
        Ok(lab)
    }

    /// What all runs share, in words and numbers.
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// By what the data are shuffled.
    pub fn run_root(&self) -> H256 {
        H256::from_low_u64_be(self.protocol.seed)
    }

    /// The dataset.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// The weights that all runs start from.
    pub fn base(&self) -> &[f32] {
        &self.base
    }

    /// Data-parallel steps from random weights, without a fall of the learning rate: training goes on.
    fn make_base(&self, file: Option<&Path>) -> Result<Vec<f32>> {
        let steps = self.protocol.base_steps;
        let mut recipe = self.recipe(
            self.protocol.base_rate,
            steps.max(1),
            BASE_BATCH,
            steps.max(1),
        );
        recipe.schedule.floor_ppm = 1_000_000;
        let mut inner = self.inner(&recipe, threads())?;
        let start = inner.layout().read(&self.model)?;
        let state = inner.shape().fresh(start, 0);
        let plan = self.plan(0, 1, 0, 0);
        let go = |_: &_| ControlFlow::Continue(());
        let base = inner.run(state, &plan, &self.data, 0, steps, go)?.params;
        if let Some(file) = file {
            std::fs::write(file, vector_bytes(&base))
                .with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(base)
    }

    /// What a member follows; all but what is asked for is the same in every run.
    pub fn recipe(&self, rate: f64, inner_steps: u32, batch: u32, steps: u32) -> Recipe {
        Recipe {
            inner_steps,
            batch,
            micro_batch: MICRO_BATCH.min(batch),
            sequence: SEQUENCE,
            optimizer: InnerOptimizer::default(),
            schedule: Schedule {
                peak_nano: (rate * 1e9).round() as u32,
                warmup_steps: (steps / 20).max(1),
                total_steps: steps,
                floor_ppm: FLOOR_PPM,
            },
            clip_milli: 1_000,
            outer: Outer::default(),
            codec: Codec::F32,
            norm_clip_ppm: 3_000_000,
            segments: 1,
            trains: Trains::Full,
        }
    }

    /// A trainer that follows it.
    ///
    /// # Errors
    /// The recipe is out of range.
    pub fn inner(&self, recipe: &Recipe, threads: usize) -> Result<Inner> {
        recipe.validate()?;
        let local = Local { threads };
        Ok(Inner::new(&self.model, recipe, local, Device::flex())?)
    }

    /// A member's part of a round.
    pub fn plan(&self, round: u32, members: u32, rank: u32, first_sequence: u64) -> RoundPlan {
        RoundPlan {
            run: self.run_root(),
            round,
            seed: H256::zero(),
            members,
            rank,
            first_sequence,
        }
    }

    fn loss(&self, inner: &mut Inner, params: &[f32], text: &[Vec<u32>]) -> Result<f64> {
        Ok(mean_loss(&inner.model(params)?, &Device::flex(), text)?)
    }

    /// Makes a run. One that diverges has no loss.
    ///
    /// # Errors
    /// The data cannot be read, or the settings are out of range.
    pub fn run(&self, spec: &Spec) -> Result<Row> {
        let start = Instant::now();
        let Protocol { steps, batch, .. } = self.protocol;
        let (exchanges, each) = match spec.way {
            Way::Share | Way::Alone => (0, 0),
            Way::Parallel => (steps, 4 * self.protocol.parameters as u64),
            Way::Rounds {
                inner_steps, codec, ..
            } => {
                let recipe = Recipe {
                    codec,
                    ..self.recipe(spec.rate, 1, 1, 1)
                };
                let coder = *self.inner(&recipe, 1)?.coder();
                (steps / inner_steps, coder.encoded_len())
            }
        };
        let trained = match spec.way {
            Way::Share => self.one(spec.rate, batch, steps, MEMBERS),
            Way::Alone => self.one(spec.rate, batch, steps * MEMBERS, 1),
            // What all workers compute together is the same as one batch of all.
            Way::Parallel => self.one(spec.rate, batch * MEMBERS, steps, 1),
            Way::Rounds {
                inner_steps,
                codec,
                outer,
            } => self.rounds(spec.rate, inner_steps, codec, outer),
        };
        let losses = match trained {
            Ok(params) => {
                let mut inner = self.inner(&self.recipe(spec.rate, 1, 1, 1), 1)?;
                let tuning = self.loss(&mut inner, &params, &self.tuning)?;
                Some((tuning, self.loss(&mut inner, &params, &self.unseen)?))
            }
            Err(error) => match error.downcast_ref() {
                Some(TrainingError::Diverged { .. }) => None,
                _ => return Err(error),
            },
        };
        Ok(Row {
            spec: spec.to_string(),
            exchanges,
            tuning_loss: losses.map(|(tuning, _)| tuning),
            loss: losses.map(|(_, loss)| loss),
            bytes: u64::from(exchanges) * each,
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// The first of the run's sequences that the base has not seen.
    fn first_sequence(&self) -> u64 {
        u64::from(self.protocol.base_steps) * u64::from(BASE_BATCH)
    }

    /// `steps` steps without exchange, on the first of `members` parts of the data.
    fn one(&self, rate: f64, batch: u32, steps: u32, members: u32) -> Result<Vec<f32>> {
        let recipe = self.recipe(rate, steps, batch, steps);
        let mut inner = self.inner(&recipe, threads())?;
        let state = inner.shape().fresh(self.base.clone(), 0);
        let plan = self.plan(0, members, 0, self.first_sequence());
        let go = |_: &_| ControlFlow::Continue(());
        Ok(inner.run(state, &plan, &self.data, 0, steps, go)?.params)
    }

    /// All members in rounds of `inner_steps`.
    fn rounds(&self, rate: f64, inner_steps: u32, codec: Codec, outer: Outer) -> Result<Vec<f32>> {
        let rounds = self.protocol.steps / inner_steps;
        ensure!(
            rounds * inner_steps == self.protocol.steps,
            "{} steps are no whole rounds of {inner_steps}",
            self.protocol.steps
        );
        let recipe = Recipe {
            codec,
            outer,
            ..self.recipe(rate, inner_steps, self.protocol.batch, self.protocol.steps)
        };
        let mut inners = (0..MEMBERS)
            .map(|_| self.inner(&recipe, 1))
            .collect::<Result<Vec<Inner>>>()?;
        let coder = *inners[0].coder();
        let mut model = OuterState::new(self.base.clone());
        let mut states: Vec<TrainState> = inners
            .iter()
            .map(|inner| inner.shape().fresh(model.params.clone(), 0))
            .collect();
        for round in 0..rounds {
            let first =
                self.first_sequence() + u64::from(round) * recipe.sequences_per_round(MEMBERS);
            let plan = |rank| self.plan(round, MEMBERS, rank, first);
            self.inner_steps(&mut inners, &mut states, plan, inner_steps)?;
            let mut sent = Vec::new();
            for state in &mut states {
                let delta = pseudo_gradient(&model.params, &state.params)?;
                sent.push(coder.encode(&delta, &mut state.residual)?);
            }
            model.step(&outer, recipe.norm_clip_ppm, sent.len(), |rank| {
                coder.decode(&sent[rank])
            })?;
            for state in &mut states {
                state.params.clone_from(&model.params);
            }
        }
        Ok(model.params)
    }

    /// One round of all members, as many at a time as there are cores.
    fn inner_steps(
        &self,
        inners: &mut [Inner],
        states: &mut [TrainState],
        plan: impl Fn(u32) -> RoundPlan,
        steps: u32,
    ) -> Result<()> {
        let mut jobs: Vec<(RoundPlan, &mut Inner, &mut TrainState)> = inners
            .iter_mut()
            .zip(states)
            .zip(0..)
            .map(|((inner, state), rank)| (plan(rank), inner, state))
            .collect();
        let data = &self.data;
        while !jobs.is_empty() {
            let now = jobs.split_off(jobs.len().saturating_sub(threads()));
            std::thread::scope(|scope| {
                let running: Vec<_> = now
                    .into_iter()
                    .map(|(plan, inner, state)| {
                        scope.spawn(move || -> Result<()> {
                            let go = |_: &_| ControlFlow::Continue(());
                            *state = inner.run(state.clone(), &plan, data, 0, steps, go)?;
                            Ok(())
                        })
                    })
                    .collect();
                running
                    .into_iter()
                    .try_for_each(|handle| match handle.join() {
                        Ok(result) => result,
                        Err(panic) => std::panic::resume_unwind(panic),
                    })
            })?;
        }
        Ok(())
    }
}

/// Threads for gradients.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(MEMBERS as usize))
}

/// Held-out sequences from all over, in turn to choose settings by and to measure.
fn held_out(data: &Dataset) -> Result<[Vec<Vec<u32>>; 2]> {
    let there = data.header().held_out_sequences(SEQUENCE);
    let count = there.min(2 * HELD_OUT);
    if count < 64 {
        bail!("only {there} held-out sequences; name a larger folder of *.md files with --text");
    }
    let mut halves = [Vec::new(), Vec::new()];
    for index in 0..count {
        let sequence = data.held_out(index * there / count, SEQUENCE)?;
        halves[(index % 2) as usize].push(sequence);
    }
    Ok(halves)
}

fn read_base(path: &Path, parameters: usize) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let (words, rest) = bytes.as_chunks::<4>();
    ensure!(
        words.len() == parameters && rest.is_empty(),
        "{} does not hold {parameters} parameters",
        path.display()
    );
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

/// A tokenizer of our own, trained on a part of the texts.
fn tokenizer(texts: &[PathBuf], options: &BuildOptions) -> Result<TextEncoder> {
    let mut files = Vec::new();
    for folder in texts {
        files.extend(find_texts(folder, options)?);
    }
    // From all over, in a fixed order.
    let stride = files.len() / 997 + 1;
    let mut documents = Vec::new();
    let mut bytes = 0;
    for path in files.iter().step_by(stride).chain(&files) {
        if bytes >= TOKENIZER_BYTES {
            break;
        }
        if std::fs::metadata(path)?.len() <= options.max_file_bytes {
            if let Ok(text) = std::fs::read_to_string(path) {
                bytes += text.len();
                documents.push(text);
            }
        }
    }
    let tokenizer = train_on(documents.into_iter(), VOCABULARY)?;
    let json = tokenizer
        .to_string(false)
        .map_err(|error| anyhow::anyhow!("{error}"))
        .context("writing the tokenizer")?;
    Ok(TextEncoder::from_bytes(json.as_bytes(), EOS_ID)?)
}
