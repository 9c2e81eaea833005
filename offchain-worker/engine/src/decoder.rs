//! What runs a model: one interface over our own kernels, on CPUs and GPUs, and over burn.
//!
//! A [`Decoder`] takes *passes*: new tokens of any number of sequences at once, few or many of
//! each. Prefill, decoding and continuous batching are all the same call with other numbers.

use burn::tensor::{s, Device, Int, Tensor, TensorData};

use crate::cache::KvCache;
use crate::config::LlamaConfig;
use crate::cpu::cache::CpuSequence;
use crate::cuda::CudaSequence;
use crate::error::{EngineError, Result};
use crate::model::Llama;

/// One sequence's part of a forward pass.
#[derive(Debug)]
pub struct Pass<'a> {
    /// The sequence that grows.
    pub sequence: &'a mut Sequence,
    /// The tokens that follow those it holds.
    pub ids: &'a [u32],
    /// Hidden states of `ids[from..]` are wanted; at or beyond `ids.len()` none are.
    pub from: usize,
}

impl Pass<'_> {
    /// How many hidden states the pass asks for.
    pub fn wanted(&self) -> usize {
        self.ids.len().saturating_sub(self.from)
    }
}

/// Keys and values of one sequence, held where its decoder computes.
#[derive(Debug)]
pub enum Sequence {
    /// For [`CpuDecoder`](crate::cpu::CpuDecoder).
    Cpu(CpuSequence),
    /// For [`CudaDecoder`](crate::cuda::CudaDecoder).
    Cuda(CudaSequence),
    /// For [`BurnDecoder`]: a cache with a batch of one.
    Burn(KvCache),
}

impl Sequence {
    /// Tokens held.
    pub fn len(&self) -> usize {
        match self {
            Self::Cpu(sequence) => sequence.len(),
            Self::Cuda(sequence) => sequence.len(),
            Self::Burn(cache) => cache.len(),
        }
    }

    /// Whether no token is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Most tokens it can hold.
    pub fn capacity(&self) -> usize {
        match self {
            Self::Cpu(sequence) => sequence.capacity(),
            Self::Cuda(sequence) => sequence.capacity(),
            Self::Burn(cache) => cache.capacity(),
        }
    }

    /// A sequence with room for `capacity` tokens that begins with the first `len` of this one, or
    /// `None` where the numbers would depend on how the tokens were fed (burn).
    ///
    /// # Errors
    /// It holds fewer tokens, `len` exceeds `capacity`, `capacity` exceeds the context, it belongs to
    /// another model, or there is no memory for it.
    pub(crate) fn prefix(
        self,
        config: &LlamaConfig,
        len: usize,
        capacity: usize,
    ) -> Result<Option<Self>> {
        let mut held = match self {
            Self::Cpu(held) => held,
            Self::Cuda(held) => {
                return held
                    .prefix(config, len, capacity)
                    .map(|longer| Some(Self::Cuda(longer)))
            }
            Self::Burn(_) => return Ok(None),
        };
        if held.capacity() == capacity && held.fits(config) && len <= held.len() {
            held.truncate(len);
            return Ok(Some(Self::Cpu(held)));
        }
        held.prefix(config, len, capacity)
            .map(|longer| Some(Self::Cpu(longer)))
    }

    /// Whether its numbers do not depend on how its tokens were fed, and whole even where a pass over it
    /// was broken off.
    pub(crate) fn is_exact(&self) -> bool {
        !matches!(self, Self::Burn(_))
    }

    /// Forgets every token from `len` on, so that others can follow the first `len`.
    pub fn truncate(&mut self, len: usize) {
        match self {
            Self::Cpu(sequence) => sequence.truncate(len),
            Self::Cuda(sequence) => sequence.truncate(len),
            Self::Burn(cache) => cache.truncate(len),
        }
    }
}

/// A model on a device. Shared between threads; every call is independent of every other.
pub trait Decoder: Send + Sync + std::fmt::Debug {
    /// The model's configuration.
    fn config(&self) -> &LlamaConfig;

    /// An empty sequence with room for `capacity` tokens.
    ///
    /// # Errors
    /// `capacity` exceeds the model's context, or there is no memory for it.
    fn sequence(&self, capacity: usize) -> Result<Sequence>;

    /// Bytes that a full sequence of `capacity` tokens takes; `usize::MAX` beyond any machine.
    fn sequence_bytes(&self, capacity: usize) -> usize;

    /// Appends every pass's ids to its sequence. Hidden states after the final norm of all wanted
    /// rows, in the order of the passes, row-major `[n, hidden]`.
    ///
    /// # Errors
    /// An id outside the vocabulary, ids that do not fit their sequence, or a sequence of another
    /// decoder; or the device failed. No sequence's length has changed.
    fn forward(&self, passes: &mut [Pass<'_>]) -> Result<Vec<f32>>;

    /// Logits `[n, vocab]` of hidden states `[n, hidden]`, row-major.
    ///
    /// # Errors
    /// `hidden` is not whole rows, or the device failed.
    fn logits(&self, hidden: &[f32]) -> Result<Vec<f32>>;

    /// The device and how it computes, for logs: `cpu avx512, 2 threads, bf16`.
    fn describe(&self) -> String;
}

/// Checks what every decoder refuses: foreign ids, ids that do not fit. The number of new tokens.
pub(crate) fn check_passes(config: &LlamaConfig, passes: &[Pass<'_>]) -> Result<usize> {
    let mut rows = 0usize;
    for pass in passes {
        if let Some(id) = pass
            .ids
            .iter()
            .find(|id| **id as usize >= config.vocab_size)
        {
            return Err(EngineError::request(
                "ids",
                format!(
                    "holds id {id}; the vocabulary has {} tokens",
                    config.vocab_size
                ),
            ));
        }
        let (held, capacity) = (pass.sequence.len(), pass.sequence.capacity());
        if pass.ids.len() > capacity - held {
            return Err(EngineError::request(
                "ids",
                format!(
                    "has {} tokens; the sequence holds {held} and has room for {}",
                    pass.ids.len(),
                    capacity - held
                ),
            ));
        }
        rows += pass.ids.len();
    }
    Ok(rows)
}

/// Checks that a sequence of `capacity` tokens fits the context.
pub(crate) fn check_capacity(config: &LlamaConfig, capacity: usize) -> Result<()> {
    let context = config.max_position_embeddings;
    if capacity > context {
        return Err(EngineError::request(
            "capacity",
            format!("is {capacity} tokens; the context holds {context}"),
        ));
    }
    Ok(())
}

/// Bytes of the f32 keys and values of `capacity` tokens.
pub(crate) fn cache_bytes(config: &LlamaConfig, capacity: usize) -> usize {
    [
        2 * size_of::<f32>(),
        config.num_hidden_layers,
        config.num_key_value_heads,
        config.head_dim,
        capacity,
    ]
    .into_iter()
    .fold(1, usize::saturating_mul)
}

/// Tokens of one sequence that one pass through burn takes: bounds the attention scores' memory.
const BURN_CHUNK: usize = 256;

/// A model as burn modules on one of burn's devices: the reference.
///
/// It computes one sequence after another and in f32; the bits of a hidden state depend on how
/// many tokens were fed at once.
#[derive(Debug)]
pub struct BurnDecoder {
    model: Llama,
    device: Device,
}

impl BurnDecoder {
    /// Runs `model` where its parameters are. Gradients are not tracked.
    pub fn new(model: Llama) -> Self {
        use burn::module::Module;
        let model = model.valid();
        Self {
            device: model.device(),
            model,
        }
    }

    /// The modules.
    pub fn model(&self) -> &Llama {
        &self.model
    }

    /// Computes one pass and appends its wanted rows to `states`.
    fn run(&self, pass: &mut Pass<'_>, states: &mut Vec<f32>) -> Result<()> {
        let Sequence::Burn(cache) = &mut *pass.sequence else {
            return Err(foreign_sequence());
        };
        let mut start = 0;
        for chunk in pass.ids.chunks(BURN_CHUNK) {
            let hidden = self.model.forward_cached(self.ids_tensor(chunk), cache);
            let skip = pass.from.saturating_sub(start);
            if skip < chunk.len() {
                let hidden = hidden.slice(s![.., skip..chunk.len(), ..]);
                states.append(&mut to_host(hidden)?);
            }
            start += chunk.len();
        }
        Ok(())
    }

    fn ids_tensor(&self, ids: &[u32]) -> Tensor<2, Int> {
        let values: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
        Tensor::from_data(TensorData::new(values, [1, ids.len()]), &self.device)
    }
}

impl Decoder for BurnDecoder {
    fn config(&self) -> &LlamaConfig {
        self.model.config()
    }

    fn sequence(&self, capacity: usize) -> Result<Sequence> {
        check_capacity(self.config(), capacity)?;
        let cache = KvCache::new(self.config(), 1, capacity, &self.device);
        Ok(Sequence::Burn(cache))
    }

    fn sequence_bytes(&self, capacity: usize) -> usize {
        cache_bytes(self.config(), capacity)
    }

    fn forward(&self, passes: &mut [Pass<'_>]) -> Result<Vec<f32>> {
        check_passes(self.config(), passes)?;
        for pass in passes.iter() {
            match &*pass.sequence {
                Sequence::Burn(cache) if cache.fits(self.config(), &self.device) => {}
                _ => return Err(foreign_sequence()),
            }
        }
        let held: Vec<usize> = passes.iter().map(|pass| pass.sequence.len()).collect();
        let mut states = Vec::new();
        let done = passes
            .iter_mut()
            .try_for_each(|pass| self.run(pass, &mut states));
        if let Err(error) = done {
            for (pass, held) in passes.iter_mut().zip(held) {
                pass.sequence.truncate(held);
            }
            return Err(error);
        }
        Ok(states)
    }

    fn logits(&self, hidden: &[f32]) -> Result<Vec<f32>> {
        let rows = rows_of(hidden, self.config())?;
        if rows == 0 {
            return Ok(Vec::new());
        }
        let data = TensorData::new(hidden.to_vec(), [1, rows, self.config().hidden_size]);
        to_host(self.model.logits(Tensor::from_data(data, &self.device)))
    }

    fn describe(&self) -> String {
        match self.device == Device::flex() {
            true => "burn flex, f32".into(),
            false => format!("burn {:?}, f32", self.device),
        }
    }
}

/// How many hidden states `hidden` is.
pub(crate) fn rows_of(hidden: &[f32], config: &LlamaConfig) -> Result<usize> {
    let width = config.hidden_size;
    match hidden.len().is_multiple_of(width) {
        true => Ok(hidden.len() / width),
        false => Err(EngineError::request(
            "hidden",
            format!(
                "has {} elements, which is not whole rows of {width}",
                hidden.len()
            ),
        )),
    }
}

/// A sequence that belongs to another decoder.
pub(crate) fn foreign_sequence() -> EngineError {
    EngineError::request(
        "sequence",
        "was made by another decoder; ask the one that computes for a sequence",
    )
}

fn to_host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| EngineError::Compute(format!("{error:?}")))
}
