//! Text, tokenizer, model, and the ways to train it.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{bail, Context, Result};
use burn::tensor::Device;
use chasqui_engine::config::LlamaConfig;
use chasqui_engine::model::Llama;
use chasqui_primitives::training::{Codec, InnerOptimizer, Outer, Recipe, Schedule, Trains};
use chasqui_training::diloco::dataset::{build, find_texts, BuildOptions, TextEncoder};
use chasqui_training::diloco::outer::pseudo_gradient;
use chasqui_training::diloco::state::TrainState;
use chasqui_training::diloco::{Dataset, Inner, Local, OuterState, RoundPlan};
use chasqui_training::recipe::Size;
use chasqui_training::tokenizer::{train_on, EOS_ID};
use chasqui_training::train::mean_loss;
use sp_core::H256;

use crate::report::Row;
use crate::MEMBERS;

/// Tokens of the vocabulary.
const VOCABULARY: usize = 1_024;
/// Bytes of text that the tokenizer is trained on.
const TOKENIZER_BYTES: usize = 4 << 20;
/// Predicted tokens of a sequence.
const SEQUENCE: u32 = 64;
/// Sequences a member and step.
const BATCH: u32 = 8;
/// Held-out sequences that the loss is measured on.
const HELD_OUT: u64 = 512;

/// Small enough for many runs on two cores.
const SIZE: Size = Size {
    hidden: 64,
    layers: 2,
    heads: 4,
    kv_heads: 2,
    intermediate: 160,
};

/// What all runs share.
pub struct Lab {
    /// Folders whose text was taken.
    pub texts: Vec<String>,
    /// Documents of the dataset.
    pub documents: u64,
    /// Bytes of text in it.
    pub text_bytes: u64,
    /// Tokens to train on.
    pub tokens: u64,
    /// Inner steps of each member.
    pub steps: u32,
    /// Highest learning rate.
    pub rate: f64,
    /// Of weights and data.
    pub seed: u64,
    /// Parameters of the model.
    pub parameters: usize,
    data: Dataset,
    base: Llama,
    unseen: Vec<Vec<u32>>,
    _dir: tempfile::TempDir,
}

impl Lab {
    /// Builds tokenizer, dataset and model.
    pub fn new(texts: &[PathBuf], steps: u32, rate: f64, seed: u64) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let needed = u64::from(steps * MEMBERS * BATCH * SEQUENCE);
        let options = BuildOptions {
            max_file_bytes: 256 << 10,
            extensions: vec!["md".into()],
            // One epoch, and what is held out of it.
            max_tokens: needed + needed / 10 + 4 * HELD_OUT * u64::from(SEQUENCE),
            held_out_ppm: 50_000,
        };
        let encoder = tokenizer(texts, &options)?;
        let folders: Vec<&std::path::Path> = texts.iter().map(PathBuf::as_path).collect();
        let path = dir.path().join("data");
        let built = build(&folders, &encoder, &path, &options, |_| {})?;
        let data = Dataset::open(&path)?;
        let count = data.header().held_out_sequences(SEQUENCE).min(HELD_OUT);
        let unseen = (0..count)
            .map(|index| Ok(data.held_out(index, SEQUENCE)?))
            .collect::<Result<Vec<_>>>()?;
        if unseen.len() < 32 {
            bail!(
                "only {count} held-out sequences; name a larger folder of *.md files with --text"
            );
        }
        let config: LlamaConfig = SIZE.config(VOCABULARY);
        let base = config.init(seed, &Device::flex());
        let mut lab = Self {
            texts: texts.iter().map(|dir| dir.display().to_string()).collect(),
            documents: built.documents,
            text_bytes: built.text_bytes,
            tokens: data.header().training(),
            steps,
            rate,
            seed,
            parameters: 0,
            data,
            base,
            unseen,
            _dir: dir,
        };
        lab.parameters = lab.inner(&lab.recipe(1, BATCH, steps), 1)?.layout().len();
        Ok(lab)
    }

    /// Epochs that each run makes.
    pub fn epochs(&self) -> f64 {
        f64::from(self.steps * MEMBERS * BATCH * SEQUENCE) / self.tokens as f64
    }

    fn recipe(&self, inner_steps: u32, batch: u32, steps: u32) -> Recipe {
        Recipe {
            inner_steps,
            batch,
            micro_batch: 4,
            sequence: SEQUENCE,
            optimizer: InnerOptimizer::default(),
            schedule: Schedule {
                peak_nano: (self.rate * 1e9) as u32,
                warmup_steps: (steps / 20).max(1),
                total_steps: steps,
                floor_ppm: 50_000,
            },
            clip_milli: 1_000,
            outer: Outer::default(),
            codec: Codec::F32,
            norm_clip_ppm: 3_000_000,
            segments: 1,
            trains: Trains::Full,
        }
    }

    fn inner(&self, recipe: &Recipe, threads: usize) -> Result<Inner> {
        recipe.validate()?;
        let local = Local { threads };
        Ok(Inner::new(&self.base, recipe, local, Device::flex())?)
    }

    fn plan(&self, round: u32, members: u32, rank: u32, first_sequence: u64) -> RoundPlan {
        RoundPlan {
            run: H256::from_low_u64_be(self.seed),
            round,
            seed: H256::zero(),
            members,
            rank,
            first_sequence,
        }
    }

    fn evaluate(&self, inner: &mut Inner, params: &[f32]) -> Result<f64> {
        Ok(mean_loss(
            &inner.model(params)?,
            &Device::flex(),
            &self.unseen,
        )?)
    }

    /// `members` workers as one: what they compute is the same as one batch of all.
    fn together(&self, name: &str, members: u32, steps: u32, exchanged: u64) -> Result<Row> {
        let start = Instant::now();
        let recipe = self.recipe(steps, BATCH * members, steps);
        let mut inner = self.inner(&recipe, threads())?;
        let params = inner.layout().read(&self.base)?;
        let state = inner.shape().fresh(params, 0);
        let plan = self.plan(0, 1, 0, 0);
        let go = |_: &_| ControlFlow::Continue(());
        let end = inner.run(state, &plan, &self.data, 0, steps, go)?;
        Ok(Row {
            name: name.into(),
            inner_steps: 1,
            rounds: steps,
            loss: self.evaluate(&mut inner, &end.params)?,
            bytes: exchanged,
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// Four workers that exchange every gradient, in f32.
    pub fn data_parallel(&self) -> Result<Row> {
        let exchanged = 4 * self.parameters as u64 * u64::from(self.steps);
        self.together("data parallel, 4 workers", MEMBERS, self.steps, exchanged)
    }

    /// One worker that takes all the tokens alone.
    pub fn one_worker(&self) -> Result<Row> {
        self.together("one worker", 1, self.steps * MEMBERS, 0)
    }

    /// Four members in rounds of `inner_steps`.
    pub fn diloco(
        &self,
        name: String,
        inner_steps: u32,
        codec: Codec,
        outer: Outer,
    ) -> Result<Row> {
        let start = Instant::now();
        let rounds = self.steps / inner_steps;
        let recipe = Recipe {
            codec,
            outer,
            ..self.recipe(inner_steps, BATCH, rounds * inner_steps)
        };
        let mut inners = (0..MEMBERS)
            .map(|_| self.inner(&recipe, 1))
            .collect::<Result<Vec<Inner>>>()?;
        let mut model = OuterState::new(inners[0].layout().read(&self.base)?);
        let mut states: Vec<TrainState> = inners
            .iter()
            .map(|inner| inner.shape().fresh(model.params.clone(), 0))
            .collect();
        let mut bytes = 0;
        for round in 0..rounds {
            let first = u64::from(round) * recipe.sequences_per_round(MEMBERS);
            let plan = |rank| self.plan(round, MEMBERS, rank, first);
            self.inner_steps(&mut inners, &mut states, plan, inner_steps)?;
            let mut sent = Vec::new();
            for (inner, state) in inners.iter().zip(&mut states) {
                let delta = pseudo_gradient(&model.params, &state.params)?;
                sent.push(inner.coder().encode(&delta, &mut state.residual)?);
            }
            bytes += sent[0].len() as u64;
            let coder = *inners[0].coder();
            model.step(&outer, recipe.norm_clip_ppm, sent.len(), |rank| {
                coder.decode(&sent[rank])
            })?;
            for state in &mut states {
                state.params.clone_from(&model.params);
            }
        }
        Ok(Row {
            name,
            inner_steps,
            rounds,
            loss: self.evaluate(&mut inners[0], &model.params)?,
            bytes,
            seconds: start.elapsed().as_secs_f64(),
        })
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

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(MEMBERS as usize))
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
