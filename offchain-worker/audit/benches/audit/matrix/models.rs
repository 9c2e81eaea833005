//! The shipped checkpoints and what is made of them.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor, TensorData};
use chasqui_engine::{
    cpu::{Precision, SimdLevel},
    device,
    model::ParameterSource,
    BurnDecoder, CpuDecoder, CpuOptions, Engine, Llama, LlamaConfig,
};
use chasqui_training::{
    corpus::{Corpus, Split},
    data::PackedStream,
    optim::{AdamWConfig, CosineSchedule},
    tokenizer,
    train::{TrainConfig, Trainer},
};

use super::{
    bf16::{self, Bf16Model},
    machine::Machine,
};

/// Weights that share a scale.
const BLOCK: usize = 32;
/// Training steps between the checkpoint and its next version.
const VERSION_STEPS: u64 = 8;
/// Learning rate of those steps: the last one of the recipe that made the shipped checkpoint.
const VERSION_RATE: f64 = 6e-5;

/// The models in memory, in f32.
pub struct Models {
    /// The checkpoint that is asked for.
    pub right: Llama,
    /// A smaller one with the same tokenizer.
    pub small: Llama,
    /// The right one a few training steps later.
    pub version: Llama,
    /// The tokenizer of all of them.
    pub tokenizer: Arc<tokenizers::Tokenizer>,
}

impl Models {
    /// Loads the shipped checkpoints and trains the later version.
    ///
    /// # Errors
    /// A folder is missing or damaged, or training fails.
    pub fn load() -> Result<Self> {
        let device = device::open("burn")?;
        let right = folder("chasqui-tales");
        let tokenizer = Arc::new(tokenizer::load(&right.join("tokenizer.json"))?);
        let right = Llama::from_dir(&right, &device).context("loading the shipped checkpoint")?;
        let small = Llama::from_dir(&folder("chasqui-tales-small"), &device)
            .context("loading the small checkpoint")?;
        let version = later(&right, &tokenizer, &device)?;
        Ok(Self {
            right,
            small,
            version,
            tokenizer,
        })
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../models")
        .join(name)
}

/// The shipped checkpoint as a worker loads it.
///
/// # Errors
/// The folder is missing or damaged.
pub fn shipped() -> Result<Engine> {
    Ok(Engine::load(&folder("chasqui-tales"), "cpu")?)
}

/// `model` after [`VERSION_STEPS`] more steps on text that it has not seen.
fn later(model: &Llama, tokenizer: &Arc<tokenizers::Tokenizer>, device: &Device) -> Result<Llama> {
    let config = TrainConfig {
        seed: 0,
        micro_batch: 2,
        threads: 2,
        optimizer: AdamWConfig::default(),
        schedule: CosineSchedule {
            peak: VERSION_RATE,
            warmup: 0,
            steps: VERSION_STEPS,
            floor: 1.0,
        },
        max_gradient_norm: 1.0,
    };
    let mut trainer = Trainer::from_model(model, config, device.clone())?;
    let corpus = Corpus::new(77, Split::Train);
    let mut stream = PackedStream::new(corpus, tokenizer.clone(), 128, 0, 1)?;
    for _ in 0..VERSION_STEPS {
        trainer.step(&stream.next_batch(4)?)?;
    }
    Ok(trainer.model()?)
}

/// How the matrices of a model are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest bf16.
    Bf16,
    /// As our kernels quantise: int8, symmetric, blocks of 32 with a scale.
    Int8,
    /// To four bits, in the same way.
    FourBits,
}

impl Rounding {
    fn apply(self, row: &mut [f32]) {
        match self {
            Self::Bf16 => row
                .iter_mut()
                .for_each(|value| *value = bf16::round(*value)),
            Self::Int8 => to_grid(row, 127.0),
            Self::FourBits => to_grid(row, 7.0),
        }
    }
}

/// Rounds every block to multiples of its scale, `max|w| / steps`.
fn to_grid(row: &mut [f32], steps: f32) {
    for block in row.chunks_mut(BLOCK) {
        let most = block.iter().fold(0f32, |most, value| most.max(value.abs()));
        let scale = most / steps;
        if scale > 0.0 {
            for value in block {
                *value = (*value / scale).round_ties_even() * scale;
            }
        }
    }
}

/// A model's parameters, rounded on the way.
struct Rounded {
    tensors: HashMap<String, Vec<f32>>,
    rounding: Rounding,
    device: Device,
}

impl ParameterSource for Rounded {
    type Error = anyhow::Error;

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Tensor<2>> {
        let mut values = self
            .tensors
            .remove(name)
            .with_context(|| format!("no {name}"))?;
        values
            .chunks_mut(shape[1])
            .for_each(|row| self.rounding.apply(row));
        Ok(Tensor::from_data(
            TensorData::new(values, shape),
            &self.device,
        ))
    }

    fn vector(&mut self, name: &str, len: usize) -> Result<Tensor<1>> {
        let mut values = self
            .tensors
            .remove(name)
            .with_context(|| format!("no {name}"))?;
        // Blocks with a scale are for matrices only.
        if self.rounding == Rounding::Bf16 {
            self.rounding.apply(&mut values);
        }
        Ok(Tensor::from_data(
            TensorData::new(values, [len]),
            &self.device,
        ))
    }
}

/// `model` with rounded weights.
///
/// # Errors
/// The model's device does not give its parameters back.
pub fn rounded(model: &Llama, rounding: Rounding) -> Result<Llama> {
    let named = model.named_parameters()?.into_iter();
    let mut source = Rounded {
        tensors: named.map(|(name, _, values)| (name, values)).collect(),
        rounding,
        device: model.device(),
    };
    Llama::from_source(model.config(), &mut source)
}

/// `model` on our CPU kernels.
///
/// # Errors
/// The processor lacks `simd`.
pub fn cpu(
    model: &Llama,
    threads: usize,
    simd: Option<SimdLevel>,
    precision: Option<Precision>,
) -> Result<Machine> {
    let options = CpuOptions {
        threads: Some(threads),
        precision,
        simd,
    };
    let decoder = CpuDecoder::from_modules(model, &options)?;
    Ok(Machine::Engine(Engine::from_decoder(Arc::new(decoder))))
}

/// `model` on burn's CPU backend, whose sums have another order.
pub fn burn(model: &Llama) -> Machine {
    let decoder = BurnDecoder::new(model.clone());
    Machine::Engine(Engine::from_decoder(Arc::new(decoder)))
}

/// `model` in bf16 arithmetic.
///
/// # Errors
/// As [`Bf16Model::new`].
pub fn bf16(model: &Llama, split: usize) -> Result<Machine> {
    Ok(Machine::Bf16(Bf16Model::new(model, split)?))
}

/// Shape of a model of random weights, whose cost is that of arithmetic and memory and not of overhead.
pub struct Shape {
    pub vocab: usize,
    pub hidden: usize,
    pub intermediate: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
}

/// About 15 million weights: f32 that processors keep in their caches, in good part.
pub const SHAPE_15M: Shape = Shape {
    vocab: 8_192,
    hidden: 512,
    intermediate: 1_024,
    layers: 5,
    heads: 8,
    kv_heads: 2,
};

/// About 110 million weights: f32 that is read from memory for every token, as those of real models.
pub const SHAPE_110M: Shape = Shape {
    vocab: 32_000,
    hidden: 768,
    intermediate: 2_048,
    layers: 12,
    heads: 12,
    kv_heads: 12,
};

/// An engine of random weights.
///
/// # Errors
/// The machine gives no threads.
pub fn random(shape: &Shape) -> Result<Engine> {
    let text = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "vocab_size": shape.vocab, "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
        "max_position_embeddings": 2048, "tie_word_embeddings": true,
        "initializer_range": 0.05, "torch_dtype": "float32",
    });
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("config.json");
    std::fs::write(&path, text.to_string())?;
    let config = LlamaConfig::from_file(&path)?;
    Ok(Engine::from_modules(
        config.init(11, &device::open("burn")?),
    )?)
}
