//! The whole way from nothing to a model folder: corpus, tokenizer, training, files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use blake2::{digest::consts::U32, Blake2b, Digest};
use burn::tensor::Device;
use chasqui_engine::config::{Architecture, LlamaConfig, RopeScaling, WeightDtype};
use chasqui_engine::model::Llama;
use serde::Serialize;
use serde_json::json;
use tokenizers::Tokenizer;

use crate::corpus::{Corpus, Split};
use crate::data::PackedStream;
use crate::error::{Result, TrainingError};
use crate::optim::{AdamWConfig, CosineSchedule};
use crate::sample::{complete, Choice};
use crate::tokenizer::{self, BOS_ID, EOS_ID};
use crate::train::{StepReport, TrainConfig, Trainer};

/// Seed of the text that the tokenizer is trained on and that the loss is measured on: the same
/// for every model, so that they share a tokenizer and their losses compare.
pub const SHARED_SEED: u64 = 1532;
/// Documents that the tokenizer is trained on.
pub const TOKENIZER_DOCUMENTS: usize = 20_000;
/// Tokens in the vocabulary.
pub const VOCAB_SIZE: usize = 1280;
/// Standard deviation of the initial matrices.
pub const INITIAL_DEVIATION: f64 = 0.04;
/// Longest context in tokens.
pub const CONTEXT: usize = 512;

/// Widths of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Width of the residual stream.
    pub hidden: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of the feed-forward network.
    pub intermediate: usize,
}

impl Size {
    /// The shipped model.
    pub const FULL: Self = Self {
        hidden: 128,
        layers: 4,
        heads: 4,
        kv_heads: 2,
        intermediate: 384,
    };
    /// The small one, which stands in for a cheaper model.
    pub const SMALL: Self = Self {
        hidden: 64,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        intermediate: 160,
    };

    /// The engine's configuration for these widths.
    pub fn config(&self, vocab_size: usize) -> LlamaConfig {
        LlamaConfig {
            architecture: Architecture::Llama,
            vocab_size,
            hidden_size: self.hidden,
            intermediate_size: self.intermediate,
            num_hidden_layers: self.layers,
            num_attention_heads: self.heads,
            num_key_value_heads: self.kv_heads,
            head_dim: self.hidden / self.heads,
            max_position_embeddings: CONTEXT,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::None,
            qkv_bias: false,
            attention_output_bias: false,
            mlp_bias: false,
            qk_norm: false,
            tie_word_embeddings: true,
            initializer_range: INITIAL_DEVIATION,
            bos_token_id: Some(BOS_ID),
            eos_token_ids: vec![EOS_ID],
            dtype: WeightDtype::F32,
            rope_frequency_dtype: WeightDtype::F32,
        }
    }
}

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Recipe {
    /// Widths.
    pub size: Size,
    /// Seed of the initial weights and of the text trained on.
    pub seed: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Sequences in a batch.
    pub batch: usize,
    /// Sequences in a micro-batch.
    pub micro_batch: usize,
    /// Predictions in a sequence.
    pub seq: usize,
    /// Of the steps, how many of the last ones use sequences as long as the context, in a batch of
    /// about as many tokens: short sequences are cheaper, but do not teach far positions.
    pub long_steps: u64,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Micro-batches computed at the same time; does not change the result.
    pub threads: usize,
    /// Sequences on which the loss is measured.
    pub held_out: usize,
    /// Steps between two measurements of it; 0 for the end only.
    pub evaluate_every: u64,
}

impl Recipe {
    fn check(&self) -> Result<()> {
        let counts = [
            ("batch", self.batch),
            ("micro-batch", self.micro_batch),
            ("seq", self.seq),
            ("threads", self.threads),
            ("held-out", self.held_out),
        ];
        for (field, value) in counts {
            if value == 0 {
                return Err(TrainingError::setting(field, "is 0, must be at least 1"));
            }
        }
        if self.steps == 0 {
            return Err(TrainingError::setting("steps", "is 0, must be at least 1"));
        }
        if self.long_steps > self.steps {
            return Err(TrainingError::setting(
                "long-steps",
                format!("is {}, there are {} steps", self.long_steps, self.steps),
            ));
        }
        if self.seq > CONTEXT {
            return Err(TrainingError::setting(
                "seq",
                format!("is {}, the context has {CONTEXT}", self.seq),
            ));
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return Err(TrainingError::setting(
                "lr",
                format!("is {}, must be above 0", self.learning_rate),
            ));
        }
        Ok(())
    }
}

impl Recipe {
    /// Batch and length of the sequences at `step`, counted from 0.
    pub fn shape_at(&self, step: u64) -> (usize, usize) {
        if step + self.long_steps < self.steps {
            (self.batch, self.seq)
        } else {
            ((self.batch * self.seq / CONTEXT).max(1), CONTEXT)
        }
    }

    /// Tokens predicted in the first `steps` steps.
    pub fn tokens(&self, steps: u64) -> u64 {
        let tokens = |(batch, seq): (usize, usize)| (batch * seq) as u64;
        let long = steps.saturating_sub(self.steps - self.long_steps.min(self.steps));
        (steps - long) * tokens((self.batch, self.seq)) + long * tokens(self.shape_at(self.steps))
    }
}

/// What [`make`] is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// The tokenizer is ready.
    Tokenizer {
        /// Tokens in its vocabulary.
        vocab_size: usize,
    },
    /// The model is initialised.
    Model {
        /// Scalar parameters.
        parameters: usize,
    },
    /// A step is done.
    Step(StepReport),
    /// The loss on held-out text, after so many steps.
    HeldOut {
        /// Steps done.
        steps: u64,
        /// Nats a token.
        loss: f64,
    },
}

/// A prompt and what the model made of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// The prompt.
    pub prompt: String,
    /// 0 for greedy.
    pub temperature: f64,
    /// The completion.
    pub completion: String,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The recipe.
    pub recipe: Recipe,
    /// Scalar parameters.
    pub parameters: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Predictions trained on.
    pub tokens: u64,
    /// Mean cross-entropy of the last batch, nats a token.
    pub final_loss: f64,
    /// Mean cross-entropy on held-out text, nats a token.
    pub held_out_loss: f64,
    /// Wall-clock time of the training steps.
    pub seconds: f64,
    /// `tokens / seconds`.
    pub tokens_per_second: f64,
    /// Hash of the weights, see [`crate::flat::Layout::hash`], hexadecimal.
    pub weights_hash: String,
    /// Blake2b-256 of `model.safetensors`, hexadecimal (`b2sum -l 256`).
    pub file_hash: String,
    /// Bytes of `model.safetensors`.
    pub file_bytes: u64,
    /// Some completions.
    pub samples: Vec<Sample>,
}

/// The tokenizer that all models share.
///
/// # Errors
/// The `tokenizers` crate fails.
pub fn shared_tokenizer() -> Result<Tokenizer> {
    tokenizer::train(
        Corpus::new(SHARED_SEED, Split::Train),
        TOKENIZER_DOCUMENTS,
        VOCAB_SIZE,
    )
}

/// Sequences of held-out text, the same for every model.
///
/// # Errors
/// The tokenizer fails.
pub fn held_out(tokenizer: &Arc<Tokenizer>, count: usize, seq: usize) -> Result<Vec<Vec<u32>>> {
    let corpus = Corpus::new(SHARED_SEED, Split::HeldOut);
    PackedStream::new(corpus, tokenizer.clone(), seq, 0, 1)?.next_batch(count)
}

/// Makes a model after `recipe` and writes its folder to `out`. Files appear there only once all
/// of them are complete.
///
/// # Errors
/// A setting is out of range, training diverges, or a file cannot be written.
pub fn make(
    recipe: Recipe,
    device: &Device,
    out: &Path,
    mut report: impl FnMut(Progress),
) -> Result<Summary> {
    recipe.check()?;
    let staging = Staging::new(out)?;
    let tokenizer = Arc::new(shared_tokenizer()?);
    let vocab_size = tokenizer.get_vocab_size(true);
    report(Progress::Tokenizer { vocab_size });

    let config = recipe.size.config(vocab_size);
    let schedule = CosineSchedule {
        peak: recipe.learning_rate,
        warmup: (recipe.steps / 20).clamp(1, 100),
        steps: recipe.steps,
        floor: 0.02,
    };
    let settings = TrainConfig {
        seed: recipe.seed,
        micro_batch: recipe.micro_batch,
        threads: recipe.threads,
        optimizer: AdamWConfig::default(),
        schedule,
        max_gradient_norm: 1.0,
    };
    let mut trainer = Trainer::new(&config, settings, device.clone())?;
    report(Progress::Model {
        parameters: trainer.layout().len(),
    });

    let corpus = Corpus::new(recipe.seed, Split::Train);
    let mut stream = PackedStream::new(corpus, tokenizer.clone(), recipe.seq, 0, 1)?;
    let unseen = held_out(&tokenizer, recipe.held_out, recipe.seq)?;
    let mut seconds = 0.0;
    let mut final_loss = f64::NAN;
    for step in 1..=recipe.steps {
        let start = Instant::now();
        let (batch, seq) = recipe.shape_at(step - 1);
        stream.set_sequence(seq)?;
        let done = trainer.step(&stream.next_batch(batch)?)?;
        seconds += start.elapsed().as_secs_f64();
        final_loss = done.loss;
        report(Progress::Step(done));
        if recipe.evaluate_every != 0 && step % recipe.evaluate_every == 0 && step < recipe.steps {
            report(Progress::HeldOut {
                steps: step,
                loss: trainer.evaluate(&unseen)?,
            });
        }
    }
    let held_out_loss = trainer.evaluate(&unseen)?;
    report(Progress::HeldOut {
        steps: recipe.steps,
        loss: held_out_loss,
    });

    let model = trainer.model()?;
    let dir = staging.path();
    model.save_hf(dir)?;
    tokenizer::save(&tokenizer, dir, CONTEXT)?;
    let generation = json!({
        "bos_token_id": BOS_ID,
        "do_sample": true,
        "eos_token_id": EOS_ID,
        "max_new_tokens": 256,
        "temperature": 0.8,
    });
    tokenizer::write_json(&dir.join("generation_config.json"), &generation)?;

    let weights = dir.join("model.safetensors");
    let bytes = std::fs::read(&weights).map_err(|source| TrainingError::Read {
        path: weights,
        source,
    })?;
    let tokens = recipe.tokens(recipe.steps);
    let summary = Summary {
        recipe,
        parameters: trainer.layout().len(),
        vocab_size,
        tokens,
        final_loss,
        held_out_loss,
        seconds,
        tokens_per_second: tokens as f64 / seconds,
        weights_hash: hex(&trainer.hash()),
        file_hash: hex(&Blake2b::<U32>::digest(&bytes)),
        file_bytes: bytes.len() as u64,
        samples: samples(&model, device, &tokenizer)?,
    };
    let readme = dir.join("README.md");
    std::fs::write(&readme, crate::card::readme(out, &summary))
        .map_err(|e| TrainingError::write(&readme, e))?;
    staging.publish()?;
    Ok(summary)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn samples(model: &Llama, device: &Device, tokenizer: &Tokenizer) -> Result<Vec<Sample>> {
    const LENGTH: usize = 220;
    let cases = [
        ("Once upon a time", 0.0),
        ("Once upon a time", 0.8),
        ("In the village of", 0.8),
        ("Dear Nina,\n", 0.8),
        ("Question: What is a chasqui?\nAnswer:", 0.0),
        ("Leo: Good morning, Maya! Where are you going?\nMaya:", 0.8),
    ];
    cases
        .into_iter()
        .zip(1..)
        .map(|((prompt, temperature), seed)| {
            let mut ids = tokenizer::encode_document(tokenizer, prompt)?;
            ids.pop();
            let choice = match temperature {
                0.0 => Choice::Greedy,
                _ => Choice::Temperature { temperature, seed },
            };
            let ids = complete(model, device, &ids, LENGTH, choice)?;
            let completion = tokenizer::decode(tokenizer, &ids)?;
            Ok(Sample {
                prompt: prompt.into(),
                temperature,
                completion,
            })
        })
        .collect()
}

/// A folder beside the final one, whose files are moved over at the end.
struct Staging {
    dir: PathBuf,
    out: PathBuf,
}

impl Staging {
    fn new(out: &Path) -> Result<Self> {
        let Some(name) = out.file_name() else {
            return Err(TrainingError::setting(
                "out",
                format!("{} is no folder", out.display()),
            ));
        };
        let mut staged = name.to_owned();
        staged.push(format!(".{}.partial", std::process::id()));
        let dir = out.with_file_name(staged);
        std::fs::create_dir_all(&dir).map_err(|e| TrainingError::write(&dir, e))?;
        Ok(Self {
            dir,
            out: out.to_path_buf(),
        })
    }

    fn path(&self) -> &Path {
        &self.dir
    }

    fn publish(self) -> Result<()> {
        let failed = |source| TrainingError::Write {
            path: self.out.clone(),
            source,
        };
        std::fs::create_dir_all(&self.out).map_err(failed)?;
        for file in std::fs::read_dir(&self.dir).map_err(failed)? {
            let file = file.map_err(failed)?;
            std::fs::rename(file.path(), self.out.join(file.file_name())).map_err(failed)?;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Ours by its name; nothing else is ever put there.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
