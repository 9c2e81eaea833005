//! The forward pass of a ragged batch on a GPU.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::driver::{Buffer, Gpu, Pinned, Result as Outcome};
use super::module::{Attention, Kernels, Linear, Output, Place, Row, HEAD_LIMIT};
use super::sequence::CudaSequence;
use super::weights::{address, GpuMatrix, Layer, Weights};
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
const MAX_ROWS: usize = 512;
/// Bytes of logits on the GPU at once, where that is more than one row's.
const LOGITS: usize = 64 << 20;
/// Bytes that are copied between host and GPU at once.
const PINNED: usize = 4 << 20;
const F32: usize = size_of::<f32>();

/// A model on an NVIDIA GPU.
///
/// The bits of a hidden state and of its logits are those of [`CpuDecoder`](crate::cpu::CpuDecoder): they
/// depend on the sequence and the weights alone.
#[derive(Debug)]
pub struct CudaDecoder {
    config: LlamaConfig,
    rope: RopeTable,
    precision: Precision,
    scratch: Mutex<Scratch>,
    weights: Weights,
    kernels: Kernels,
    gpu: Arc<Gpu>,
}

/// Buffers of a pass, each grown to what the largest needs.
#[derive(Debug)]
struct Scratch {
    pinned: Pinned,
    /// What the host says about a batch; see [`Batch`].
    about: Buffer,
    x: Buffer,
    normed: Buffer,
    q: Buffer,
    k: Buffer,
    v: Buffer,
    mixed: Buffer,
    gate: Buffer,
    up: Buffer,
    /// Wanted rows of `x` and of `normed`, gathered.
    kept: [Buffer; 2],
    scores: Buffer,
    logits: Buffer,
}

/// A pass whose sequence has been found to be ours.
struct Part<'a> {
    sequence: &'a mut CudaSequence,
    ids: &'a [u32],
    from: usize,
}

/// Rows that are computed together, as they are collected.
#[derive(Default)]
struct Batch {
    ids: Vec<u32>,
    rows: Vec<Row>,
    /// Indices of the rows whose states are wanted.
    wanted: Vec<u32>,
    /// Index of a part and how many rows are its.
    spans: Vec<(usize, usize)>,
}

/// A batch on the GPU.
struct Placed {
    rows: u32,
    wanted: u32,
    /// Positions that the row furthest on sees.
    longest: u32,
    ids: u64,
    row_table: u64,
    wanted_table: u64,
    rope: u64,
    wanted_rope: u64,
    index: u64,
}

/// Writes one thing after another and tells where each will be.
struct Writer<'a> {
    bytes: &'a mut [u8],
    used: usize,
}

impl Writer<'_> {
    fn put<const N: usize>(&mut self, items: impl Iterator<Item = [u8; N]>) -> u64 {
        let start = self.used.next_multiple_of(16);
        self.used = start;
        for item in items {
            self.bytes[self.used..][..N].copy_from_slice(&item);
            self.used += N;
        }
        start as u64
    }

    fn floats<'b>(&mut self, items: impl Iterator<Item = &'b [f32]>) -> u64 {
        self.put(items.flatten().map(|value| value.to_ne_bytes()))
    }
}

fn row_bytes(row: &Row) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&row.cache.to_ne_bytes());
    bytes[8..12].copy_from_slice(&row.position.to_ne_bytes());
    bytes[12..].copy_from_slice(&row.capacity.to_ne_bytes());
    bytes
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
            kept: [empty()?, empty()?],
            scores: empty()?,
            logits: empty()?,
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

    /// Hands the GPU what it must know about a batch.
    fn place(&self, batch: &Batch, scratch: &mut Scratch) -> Outcome<Placed> {
        let mut writer = Writer {
            bytes: scratch.pinned.bytes(),
            used: 0,
        };
        let rows = &batch.rows;
        let wanted = || batch.wanted.iter().map(|index| &rows[*index as usize]);
        let angles = |row: &Row| {
            let (cos, sin) = self.rope.at(row.position as usize);
            [cos, sin]
        };
        let mut placed = Placed {
            rows: rows.len() as u32,
            wanted: batch.wanted.len() as u32,
            longest: rows.iter().map(|row| row.position + 1).max().unwrap_or(0),
            row_table: writer.put(rows.iter().map(row_bytes)),
            wanted_table: writer.put(wanted().map(row_bytes)),
            rope: writer.floats(rows.iter().flat_map(angles)),
            wanted_rope: writer.floats(wanted().flat_map(angles)),
            ids: writer.put(batch.ids.iter().map(|id| id.to_ne_bytes())),
            index: writer.put(batch.wanted.iter().map(|index| index.to_ne_bytes())),
        };
        let bytes = writer.used;
        // SAFETY: `batch` waits for the GPU before anybody writes there again.
        unsafe { scratch.about.read_from(&scratch.pinned, bytes)? };
        let base = scratch.about.address();
        for offset in [
            &mut placed.row_table,
            &mut placed.wanted_table,
            &mut placed.rope,
            &mut placed.wanted_rope,
            &mut placed.ids,
            &mut placed.index,
        ] {
            *offset += base;
        }
        Ok(placed)
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
            buffer.fit(rows * width * F32)?;
        }
        let at = self.place(batch, scratch)?;
        let table = &self.weights.embedding;
        // SAFETY: the buffers have room for `rows` rows, and the ids lie in the vocabulary.
        unsafe {
            self.kernels.look_up(
                table.precision,
                &table.to(0),
                at.ids,
                at.rows,
                table.cols,
                scratch.x.address(),
            )?;
        }
        let last = self.weights.layers.len() - 1;
        for (index, layer) in self.weights.layers.iter().enumerate() {
            // Behind the last layer's keys and values, only wanted rows matter.
            let wanted_only = index == last && at.wanted < at.rows;
            self.layer(index as u32, layer, &at, scratch, wanted_only)?;
        }
        if states.is_empty() {
            return Ok(());
        }
        // SAFETY: as above; what is left in `x` are the wanted rows.
        unsafe {
            self.kernels.norm(
                scratch.x.address(),
                self.weights.norm.address(),
                config.rms_norm_eps as f32,
                at.wanted,
                width as u32,
                scratch.normed.address(),
            )?;
        }
        scratch.normed.write_to(states, &mut scratch.pinned)
    }

    /// One layer over `scratch.x`. With `wanted_only`, what is left in it are the wanted rows.
    fn layer(
        &self,
        index: u32,
        layer: &Layer,
        at: &Placed,
        scratch: &mut Scratch,
        wanted_only: bool,
    ) -> Outcome<()> {
        let config = &self.config;
        let width = config.hidden_size as u32;
        let epsilon = config.rms_norm_eps as f32;
        let active = if wanted_only { at.wanted } else { at.rows };
        let (normed, q, k, v) = (
            scratch.normed.address(),
            scratch.q.address(),
            scratch.k.address(),
            scratch.v.address(),
        );
        let (mixed, gate, up) = (
            scratch.mixed.address(),
            scratch.gate.address(),
            scratch.up.address(),
        );
        // SAFETY: every buffer has room for all rows of the batch at its width, `kept` for the wanted ones;
        // each launch follows those before it, and nobody else has the buffers.
        unsafe {
            let x = scratch.x.address();
            self.kernels.norm(
                x,
                layer.input_norm.address(),
                epsilon,
                at.rows,
                width,
                normed,
            )?;
            if wanted_only {
                self.linear(
                    normed,
                    at.rows,
                    &[
                        (&layer.k.matrix, layer.k.to(k)),
                        (&layer.v.matrix, layer.v.to(v)),
                    ],
                )?;
                if active > 0 {
                    let bytes = at.wanted as usize * config.hidden_size * F32;
                    let [kept_x, kept_normed] = &mut scratch.kept;
                    let (to, to_normed) = (kept_x.fit(bytes)?, kept_normed.fit(bytes)?);
                    self.kernels.gather(x, at.index, active, width, to)?;
                    self.kernels
                        .gather(normed, at.index, active, width, to_normed)?;
                    self.linear(to_normed, active, &[(&layer.q.matrix, layer.q.to(q))])?;
                    std::mem::swap(&mut scratch.x, kept_x);
                }
            } else {
                self.linear(
                    normed,
                    at.rows,
                    &[
                        (&layer.q.matrix, layer.q.to(q)),
                        (&layer.k.matrix, layer.k.to(k)),
                        (&layer.v.matrix, layer.v.to(v)),
                    ],
                )?;
            }
            let (active_rows, active_rope) = match wanted_only {
                true => (at.wanted_table, at.wanted_rope),
                false => (at.row_table, at.rope),
            };
            self.kernels.place(&Place {
                k,
                v,
                q,
                k_norm: address(&layer.k_norm),
                q_norm: address(&layer.q_norm),
                rows: at.row_table,
                active_rows,
                rope: at.rope,
                active_rope,
                count: at.rows,
                active,
                heads: config.num_attention_heads as u32,
                kv_heads: config.num_key_value_heads as u32,
                width: config.head_dim as u32,
                layer: index,
                epsilon,
                scale: (1.0 / (config.head_dim as f64).sqrt()) as f32,
            })?;
            if active == 0 {
                return Ok(());
            }
            let job = Attention {
                q,
                out: mixed,
                rows: active_rows,
                scores: 0,
                pitch: 0,
                first_row: 0,
                heads: config.num_attention_heads as u32,
                kv_heads: config.num_key_value_heads as u32,
                width: config.head_dim as u32,
                layer: index,
                tile: 0,
                unused: 0,
            };
            let scores = &mut scratch.scores;
            self.kernels
                .attention(job, active, at.longest, |bytes| scores.fit(bytes))?;
            let x = scratch.x.address();
            self.linear(mixed, active, &[(&layer.o.matrix, layer.o.add_to(x))])?;
            self.kernels
                .norm(x, layer.post_norm.address(), epsilon, active, width, normed)?;
            self.linear(
                normed,
                active,
                &[
                    (&layer.gate.matrix, layer.gate.to(gate)),
                    (&layer.up.matrix, layer.up.to(up)),
                ],
            )?;
            let elements = active * config.intermediate_size as u32;
            self.kernels.silu_gate(gate, up, elements)?;
            self.linear(gate, active, &[(&layer.down.matrix, layer.down.add_to(x))])
        }
    }

    /// Products of one x, in one launch where the matrices are held alike.
    ///
    /// # Safety
    /// The addresses are good for `rows` rows.
    unsafe fn linear(&self, x: u64, rows: u32, outputs: &[(&GpuMatrix, Output)]) -> Outcome<()> {
        for alike in outputs.chunk_by(|(a, _), (b, _)| a.precision == b.precision) {
            let Some((matrix, _)) = alike.first() else {
                continue;
            };
            let mut job = Linear {
                x,
                count: alike.len() as u32,
                rows,
                cols: matrix.cols,
                ..Linear::default()
            };
            for (place, (_, output)) in job.outputs.iter_mut().zip(alike) {
                *place = *output;
            }
            // SAFETY: that of the caller.
            unsafe { self.kernels.linear(matrix.precision, &job)? };
        }
        Ok(())
    }

    fn try_logits(&self, hidden: &[f32], logits: &mut [f32]) -> Outcome<()> {
        let (width, vocab) = (self.config.hidden_size, self.config.vocab_size);
        let mut scratch = self.scratch();
        let scratch = &mut *scratch;
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
            let x = scratch.normed.fit(bytes)?;
            let y = scratch.logits.fit(size_of_val(logits))?;
            let head = self.weights.head();
            let outcome = (|| {
                // SAFETY: `write_to` waits before anybody writes there again; both buffers have room.
                unsafe {
                    scratch.normed.read_from(&scratch.pinned, bytes)?;
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

/// Bytes of what [`CudaDecoder::place`] writes about the largest batch.
fn about_bytes(config: &LlamaConfig) -> usize {
    // Two tables of rows and of angles, two of indices, each from a multiple of 16 on.
    MAX_ROWS * (2 * size_of::<Row>() + 2 * config.head_dim * F32 + 2 * size_of::<u32>()) + 6 * 16
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
