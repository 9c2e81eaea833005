//! A model on a GPU, and the passes over ragged batches that it is asked for.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::driver::{Gpu, Result as Outcome};
use super::memory::{Buffer, Pinned};
use super::module::{Kernels, Row, HEAD_LIMIT};
use super::pass::{about_bytes, Writer};
use super::recordings::Recordings;
use super::sequence::CudaSequence;
use super::weights::Weights;
use crate::config::LlamaConfig;
use crate::cpu::matrix::Precision;
use crate::cpu::rope::RopeTable;
use crate::cpu::weights::{MatrixSource, ModuleSource, Weights as HostWeights};
use crate::decoder::{
    cache_bytes, check_passes, foreign_sequence, rows_of, Decoder, Pass, Sequence,
};
use crate::error::{EngineError, Result};
use crate::model::Llama;
use crate::weights::WeightFiles;

/// Rows that go through the layers together: bounds the buffers, whatever the passes hold.
pub(super) const MAX_ROWS: usize = 512;
/// Rows of a batch that may be recorded.
const RECORDED_ROWS: usize = 64;
/// Bytes of logits on the GPU at once, where that is more than one row's.
const LOGITS: usize = 64 << 20;
/// Bytes that are copied between host and GPU at once.
const PINNED: usize = 4 << 20;
pub(super) const F32: usize = size_of::<f32>();

/// A model on an NVIDIA GPU.
///
/// The bits of a hidden state and of its logits are those of [`CpuDecoder`](crate::cpu::CpuDecoder): they
/// depend on the sequence and the weights alone.
#[derive(Debug)]
pub struct CudaDecoder {
    pub(super) config: LlamaConfig,
    pub(super) rope: RopeTable,
    precision: Precision,
    scratch: Mutex<Scratch>,
    pub(super) weights: Weights,
    pub(super) kernels: Kernels,
    pub(super) gpu: Arc<Gpu>,
}

/// Buffers of a pass, each grown to what the largest needs.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) pinned: Pinned,
    /// What the host says about a batch; see [`Placed`].
    pub(super) about: Buffer,
    pub(super) x: Buffer,
    pub(super) normed: Buffer,
    pub(super) q: Buffer,
    pub(super) k: Buffer,
    pub(super) v: Buffer,
    pub(super) mixed: Buffer,
    pub(super) gate: Buffer,
    pub(super) up: Buffer,
    /// Wanted rows of `x`, gathered.
    pub(super) kept: Buffer,
    pub(super) scores: Buffer,
    /// States whose logits are wanted, and their logits.
    pub(super) hidden: Buffer,
    pub(super) logits: Buffer,
    foreseen: Foreseen,
    pub(super) recordings: Recordings,
}

/// What the last step of decoding left for whoever asks for its logits.
#[derive(Debug, Default)]
struct Foreseen {
    /// Its states.
    states: Vec<f32>,
    /// Their logits are in `pinned`.
    ready: bool,
    /// Somebody asked for them.
    asked: bool,
    pinned: Option<Pinned>,
}

/// A pass whose sequence has been found to be ours.
struct Part<'a> {
    sequence: &'a mut CudaSequence,
    ids: &'a [u32],
    from: usize,
}

/// Rows that are computed together, as they are collected.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) ids: Vec<u32>,
    pub(super) rows: Vec<Row>,
    /// Indices of the rows whose states are wanted.
    pub(super) wanted: Vec<u32>,
    /// Index of a part and how many rows are its.
    pub(super) spans: Vec<(usize, usize)>,
}

impl CudaDecoder {
    /// Loads `config.json` and the weights of a Hugging Face folder onto GPU `ordinal`; matrices become
    /// `precision`, if given.
    ///
    /// # Errors
    /// As [`LlamaConfig::from_file`] and [`WeightFiles`]; the GPU is not there, lacks memory or cannot run
    /// the kernels; a precision that these weights do not allow.
    pub fn from_dir(dir: &Path, ordinal: usize, precision: Option<Precision>) -> Result<Self> {
        let config = LlamaConfig::from_file(&dir.join("config.json"))?;
        Self::from_files(config, &WeightFiles::open(dir)?, ordinal, precision)
    }

    /// Loads weight files onto GPU `ordinal`, changed by their adapter, if they have one.
    ///
    /// # Errors
    /// As [`Self::from_dir`].
    pub fn from_files(
        config: LlamaConfig,
        files: &WeightFiles,
        ordinal: usize,
        precision: Option<Precision>,
    ) -> Result<Self> {
        let gpu = open(ordinal)?;
        Self::from_source(gpu, ordinal, config, &mut &*files, precision)
    }

    /// Copies a model's parameters to GPU `ordinal`, in f32 unless `precision` says otherwise.
    ///
    /// # Errors
    /// The model's device does not give its parameters back, or as [`Self::from_dir`].
    pub fn from_modules(
        model: &Llama,
        ordinal: usize,
        precision: Option<Precision>,
    ) -> Result<Self> {
        let gpu = open(ordinal)?;
        let mut source = ModuleSource::new(model)?;
        Self::from_source(gpu, ordinal, model.config().clone(), &mut source, precision)
    }

    fn from_source<S: MatrixSource>(
        gpu: Arc<Gpu>,
        ordinal: usize,
        config: LlamaConfig,
        source: &mut S,
        precision: Option<Precision>,
    ) -> Result<Self> {
        let host = HostWeights::read(&config, source, precision)?;
        Self::new(gpu, config, &host).map_err(|reason| unusable(ordinal, reason))
    }

    fn new(gpu: Arc<Gpu>, config: LlamaConfig, host: &HostWeights) -> Outcome<Self> {
        if config.head_dim > HEAD_LIMIT as usize {
            return Err(format!(
                "heads of {} elements are more than the kernels' {HEAD_LIMIT}; use `cpu`",
                config.head_dim
            ));
        }
        let weights = Weights::new(&gpu, host)?;
        let kernels = Kernels::new(&gpu, &weights.precisions())?;
        let empty = || Buffer::new(&gpu, 0);
        let width = config.hidden_size.max(4 * config.head_dim + 16);
        let scratch = Scratch {
            pinned: Pinned::new(&gpu, PINNED.max(width * F32).max(about_bytes(&config)))?,
            about: Buffer::new(&gpu, about_bytes(&config))?,
            x: empty()?,
            normed: empty()?,
            q: empty()?,
            k: empty()?,
            v: empty()?,
            mixed: empty()?,
            gate: empty()?,
            up: empty()?,
            kept: empty()?,
            scores: empty()?,
            hidden: empty()?,
            logits: empty()?,
            foreseen: Foreseen::default(),
            recordings: Recordings::default(),
        };
        Ok(Self {
            rope: RopeTable::new(&config),
            precision: host.precision(),
            scratch: Mutex::new(scratch),
            config,
            weights,
            kernels,
            gpu,
        })
    }

    /// Computes all parts, [`MAX_ROWS`] rows at a time.
    fn run(
        &self,
        parts: &mut [Part<'_>],
        scratch: &mut Scratch,
        mut states: &mut [f32],
    ) -> Outcome<()> {
        let (mut part, mut start) = (0, 0);
        let mut batch = Batch::default();
        while part < parts.len() {
            batch.clear();
            while part < parts.len() && batch.ids.len() < MAX_ROWS {
                let Part {
                    sequence,
                    ids,
                    from,
                } = &parts[part];
                let taken = (ids.len() - start).min(MAX_ROWS - batch.ids.len());
                for index in start..start + taken {
                    if index >= *from {
                        batch.wanted.push(batch.ids.len() as u32);
                    }
                    batch.ids.push(ids[index]);
                    batch.rows.push(Row {
                        cache: sequence.address(),
                        position: (sequence.len() + index - start) as u32,
                        capacity: sequence.capacity() as u32,
                    });
                }
                if taken > 0 {
                    batch.spans.push((part, taken));
                }
                start += taken;
                if start == ids.len() {
                    (part, start) = (part + 1, 0);
                }
            }
            let (now, later) = states.split_at_mut(batch.wanted.len() * self.config.hidden_size);
            if !batch.ids.is_empty() {
                self.batch(&batch, scratch, now)?;
            }
            for &(part, rows) in &batch.spans {
                parts[part].sequence.advance(rows);
            }
            states = later;
        }
        Ok(())
    }

    /// Computes a batch that is not empty; its wanted states go to `states`.
    fn batch(&self, batch: &Batch, scratch: &mut Scratch, states: &mut [f32]) -> Outcome<()> {
        let outcome = self.try_batch(batch, scratch, states);
        if states.is_empty() || outcome.is_err() {
            // Nothing may be under way in the buffers when they are used again.
            let waited = self.gpu.wait();
            return outcome.and(waited);
        }
        outcome
    }

    fn try_batch(&self, batch: &Batch, scratch: &mut Scratch, states: &mut [f32]) -> Outcome<()> {
        let config = &self.config;
        let (rows, width) = (batch.ids.len(), config.hidden_size);
        let query = config.num_attention_heads * config.head_dim;
        let kv = config.num_key_value_heads * config.head_dim;
        self.gpu.enter()?;
        scratch.foreseen.states.clear();
        scratch.foreseen.ready = false;
        for (buffer, width) in [
            (&mut scratch.x, width),
            (&mut scratch.normed, width),
            (&mut scratch.q, query),
            (&mut scratch.k, kv),
            (&mut scratch.v, kv),
            (&mut scratch.mixed, query),
            (&mut scratch.gate, config.intermediate_size),
            (&mut scratch.up, config.intermediate_size),
        ] {
            if buffer.fit(rows * width * F32)? {
                // They name the place where it was.
                scratch.recordings.forget();
            }
        }
        let mut at = self.describe_batch(batch, scratch);
        if at.wanted < at.rows || rows > RECORDED_ROWS {
            self.start(&at, scratch)?;
            return scratch.normed.write_to(states, &mut scratch.pinned);
        }
        // Steps of decoding are alike but for the tables: recorded once, they start at once.
        at.longest = at.longest.next_power_of_two().max(256);
        let with_logits = self.foresees_logits(rows, scratch)?;
        let key = (at.rows, at.longest, with_logits);
        let fits = self
            .kernels
            .attention_fits(&self.attention_job(), at.rows, at.longest);
        let bytes = size_of_val(states);
        if fits && bytes <= scratch.pinned.bytes().len() && scratch.recordings.wants(key) {
            let work = || {
                self.start(&at, scratch)?;
                // SAFETY: both are read after the wait below; the buffers have room for all rows.
                unsafe {
                    scratch.normed.start_write(&scratch.pinned, bytes)?;
                    if let (true, Some(pinned)) = (with_logits, &scratch.foreseen.pinned) {
                        let (x, y) = (scratch.normed.address(), scratch.logits.address());
                        let head = self.weights.head();
                        self.linear(x, at.rows, &[(head, head.to(y))])?;
                        let bytes = rows * self.config.vocab_size * F32;
                        scratch.logits.start_write(pinned, bytes)?;
                    }
                }
                Ok(())
            };
            // SAFETY: all buffers live until `forget`, which comes before any of them moves.
            let made = unsafe { self.gpu.record(work) };
            scratch.recordings.keep(key, made);
        }
        match scratch.recordings.get(key) {
            Some(recording) => {
                // SAFETY: as above; the tables are described in `pinned`.
                unsafe { recording.play()? };
                self.gpu.wait()?;
                read_floats(&scratch.pinned.bytes()[..bytes], states);
                scratch.foreseen.ready = with_logits;
            }
            None => {
                self.start(&at, scratch)?;
                scratch.normed.write_to(states, &mut scratch.pinned)?;
            }
        }
        scratch.foreseen.states.extend_from_slice(states);
        Ok(())
    }

    /// Whether a step of decoding computes its rows' logits too: where those of the step before were asked for.
    fn foresees_logits(&self, rows: usize, scratch: &mut Scratch) -> Outcome<bool> {
        let bytes = rows * self.config.vocab_size * F32;
        let asked = std::mem::take(&mut scratch.foreseen.asked);
        if !asked || bytes > PINNED {
            return Ok(false);
        }
        if scratch.foreseen.pinned.is_none() {
            scratch.foreseen.pinned = Some(Pinned::new(&self.gpu, PINNED)?);
        }
        if scratch.logits.fit(bytes)? {
            scratch.recordings.forget();
        }
        Ok(true)
    }

    fn try_logits(&self, hidden: &[f32], logits: &mut [f32]) -> Outcome<()> {
        let (width, vocab) = (self.config.hidden_size, self.config.vocab_size);
        let mut scratch = self.scratch();
        let scratch = &mut *scratch;
        let foreseen = &mut scratch.foreseen;
        if same_bits(&foreseen.states, hidden) {
            foreseen.asked = true;
            if let (true, Some(pinned)) = (foreseen.ready, &mut foreseen.pinned) {
                read_floats(&pinned.bytes()[..size_of_val(logits)], logits);
                return Ok(());
            }
        }
        self.gpu.enter()?;
        let most = (LOGITS / (vocab * F32))
            .min(scratch.pinned.bytes().len() / (width * F32))
            .clamp(1, MAX_ROWS);
        let chunks = hidden
            .chunks(most * width)
            .zip(logits.chunks_mut(most * vocab));
        for (hidden, logits) in chunks {
            let bytes = size_of_val(hidden);
            let mut writer = Writer {
                bytes: scratch.pinned.bytes(),
                used: 0,
            };
            writer.floats(std::iter::once(hidden));
            scratch.hidden.fit(bytes)?;
            if scratch.logits.fit(size_of_val(logits))? {
                scratch.recordings.forget();
            }
            let (x, y) = (scratch.hidden.address(), scratch.logits.address());
            let head = self.weights.head();
            let outcome = (|| {
                // SAFETY: `write_to` waits before anybody writes there again; both buffers have room.
                unsafe {
                    scratch.hidden.read_from(&scratch.pinned, bytes)?;
                    self.linear(x, (hidden.len() / width) as u32, &[(head, head.to(y))])?;
                }
                scratch.logits.write_to(logits, &mut scratch.pinned)
            })();
            if outcome.is_err() {
                let _ = self.gpu.wait();
                return outcome;
            }
        }
        Ok(())
    }

    fn scratch(&self) -> std::sync::MutexGuard<'_, Scratch> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    fn clear(&mut self) {
        self.ids.clear();
        self.rows.clear();
        self.wanted.clear();
        self.spans.clear();
    }
}

fn read_floats(bytes: &[u8], to: &mut [f32]) {
    for (to, bytes) in to.iter_mut().zip(bytes.chunks_exact(F32)) {
        *to = f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    !a.is_empty() && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// The GPU, or an error that names the device.
fn open(ordinal: usize) -> Result<Arc<Gpu>> {
    // A library that calls itself the driver but lacks a function makes the bindings panic.
    std::panic::catch_unwind(|| Gpu::open(ordinal))
        .unwrap_or_else(|_| {
            Err("the NVIDIA driver is incomplete; check `nvidia-smi`, or use `cpu`".into())
        })
        .map(Arc::new)
        .map_err(|reason| unusable(ordinal, reason))
}

fn unusable(ordinal: usize, reason: String) -> EngineError {
    EngineError::Device {
        name: format!("cuda:{ordinal}"),
        reason,
    }
}

impl Decoder for CudaDecoder {
    fn config(&self) -> &LlamaConfig {
        &self.config
    }

    fn sequence(&self, capacity: usize) -> Result<Sequence> {
        CudaSequence::new(&self.gpu, &self.config, capacity).map(Sequence::Cuda)
    }

    fn sequence_bytes(&self, capacity: usize) -> usize {
        cache_bytes(&self.config, capacity)
    }

    fn forward(&self, passes: &mut [Pass<'_>]) -> Result<Vec<f32>> {
        check_passes(&self.config, passes)?;
        let mut wanted = 0;
        let mut parts = Vec::with_capacity(passes.len());
        for pass in passes {
            wanted += pass.wanted();
            match &mut *pass.sequence {
                Sequence::Cuda(sequence) if sequence.fits(&self.config, &self.gpu) => {
                    parts.push(Part {
                        sequence,
                        ids: pass.ids,
                        from: pass.from,
                    });
                }
                _ => return Err(foreign_sequence()),
            }
        }
        let held: Vec<usize> = parts.iter().map(|part| part.sequence.len()).collect();
        let mut states = vec![0.0; wanted * self.config.hidden_size];
        let outcome = self.run(&mut parts, &mut self.scratch(), &mut states);
        if let Err(reason) = outcome {
            for (part, held) in parts.iter_mut().zip(held) {
                part.sequence.truncate(held);
            }
            return Err(EngineError::Compute(reason));
        }
        Ok(states)
    }

    fn logits(&self, hidden: &[f32]) -> Result<Vec<f32>> {
        let rows = rows_of(hidden, &self.config)?;
        let mut logits = vec![0.0; rows * self.config.vocab_size];
        self.try_logits(hidden, &mut logits)
            .map_err(EngineError::Compute)?;
        Ok(logits)
    }

    fn describe(&self) -> String {
        format!("cuda {}, {}", self.gpu.name(), self.precision)
    }
}
