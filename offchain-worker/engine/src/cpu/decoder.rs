//! The forward pass of a ragged batch on the CPU.

use std::ops::Range;
use std::path::Path;

use crate::config::LlamaConfig;
use crate::cpu::attention::{attend, Task, SCORES};
use crate::cpu::cache::CpuSequence;
use crate::cpu::linear::{linear, Output};
use crate::cpu::math;
use crate::cpu::matrix::Precision;
use crate::cpu::pool::Pool;
use crate::cpu::rope::RopeTable;
use crate::cpu::scratch::{fit, Scratch, Shared, Span, Stack};
use crate::cpu::simd::SimdLevel;
use crate::cpu::weights::{Layer, MatrixSource, Projection, Weights};
use crate::decoder::{
    cache_bytes, check_passes, foreign_sequence, rows_of, Decoder, Pass, Sequence,
};
use crate::error::{EngineError, Result};
use crate::model::Llama;
use crate::weights::WeightFiles;

/// Rows that go through the layers together: bounds the buffers, whatever the passes hold.
const MAX_ROWS: usize = 512;

/// Elements of plain arithmetic that are worth a task of their own.
const ELEMENTS: usize = 1 << 14;

/// Query rows of one attention task, heads included: they share what is read of the cache.
const TASK_ROWS: usize = 32;

/// Products in attention that are worth a task of their own.
const PRODUCTS: usize = 1 << 15;

/// How a [`CpuDecoder`] computes. The default takes what the machine has and changes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct CpuOptions {
    /// Threads; `None` takes as many as the machine runs at once.
    pub threads: Option<usize>,
    /// Precision of the matrices in memory; `None` keeps the stored one. `Int8` quantises them,
    /// `F32` widens them.
    pub precision: Option<Precision>,
    /// Vector instructions; `None` takes what `CHASQUI_SIMD` says, else the widest there are.
    pub simd: Option<SimdLevel>,
}

/// A model on this machine's cores.
///
/// The bits of a hidden state and of its logits depend on the sequence and the weights alone: not
/// on what else is in the batch, how many ids were fed at once, the number of threads or the
/// instruction set.
#[derive(Debug)]
pub struct CpuDecoder {
    config: LlamaConfig,
    weights: Weights,
    rope: RopeTable,
    pool: Pool,
    level: SimdLevel,
    scratch: Stack<Box<Scratch>>,
}

/// A pass whose sequence has been found to be ours.
struct Part<'a> {
    sequence: &'a mut CpuSequence,
    ids: &'a [u32],
    from: usize,
}

impl CpuDecoder {
    /// Loads `config.json` and the weights of a Hugging Face folder.
    ///
    /// # Errors
    /// As [`LlamaConfig::from_file`] and [`WeightFiles`], or an option that this machine or these
    /// weights do not allow.
    pub fn from_dir(dir: &Path, options: &CpuOptions) -> Result<Self> {
        let config = LlamaConfig::from_file(&dir.join("config.json"))?;
        Self::from_files(config, &WeightFiles::open(dir)?, options)
    }

    /// Loads weight files, changed by their adapter, if they have one.
    ///
    /// # Errors
    /// As [`Self::from_dir`].
    pub fn from_files(
        config: LlamaConfig,
        files: &WeightFiles,
        options: &CpuOptions,
    ) -> Result<Self> {
        Self::from_source(config, &mut &*files, options)
    }

    /// Copies a model's parameters, in f32 unless `options` say otherwise.
    ///
    /// # Errors
    /// The model's device does not give its parameters back, or an option that this machine does
    /// not allow.
    pub fn from_modules(model: &Llama, options: &CpuOptions) -> Result<Self> {
        let mut source = crate::cpu::weights::ModuleSource::new(model)?;
        Self::from_source(model.config().clone(), &mut source, options)
    }

    fn from_source<S: MatrixSource>(
        config: LlamaConfig,
        source: &mut S,
        options: &CpuOptions,
    ) -> Result<Self> {
        let level = match options.simd {
            Some(level) => level.checked()?,
            None => SimdLevel::from_env()?,
        };
        let pool = match options.threads {
            Some(0) => return Err(EngineError::request("threads", "is 0; must be at least 1")),
            Some(threads) => Pool::new(threads),
            None => Pool::with_available_parallelism(),
        };
        let pool = pool.map_err(|error| EngineError::Device {
            name: "cpu".into(),
            reason: format!("cannot start its threads ({error}); ask for fewer"),
        })?;
        let weights = Weights::read(&config, source, options.precision)?;
        Ok(Self {
            rope: RopeTable::new(&config),
            scratch: Stack::default(),
            config,
            weights,
            pool,
            level,
        })
    }

    /// `f(range)` over all of `count` items, each of which costs `elements`, in parallel if that
    /// is worth it.
    fn each(&self, count: usize, elements: usize, f: impl Fn(Range<usize>) + Sync) {
        let grain = (ELEMENTS / elements.max(1)).max(1);
        self.pool.for_each(count, grain, f);
    }

    /// Computes all parts, [`MAX_ROWS`] rows at a time.
    fn run(&self, parts: &mut [Part<'_>], scratch: &mut Scratch, mut states: &mut [f32]) {
        let (mut part, mut start) = (0, 0);
        while part < parts.len() {
            scratch.spans.clear();
            scratch.all.clear();
            scratch.wanted.clear();
            let (mut rows, mut wanted) = (0, 0);
            while part < parts.len() && rows < MAX_ROWS {
                let Part {
                    sequence,
                    ids,
                    from,
                } = &parts[part];
                let taken = (ids.len() - start).min(MAX_ROWS - rows);
                if taken > 0 {
                    let end = start + taken;
                    let span = Span {
                        part,
                        start,
                        past: sequence.len(),
                        first_row: rows,
                        rows: taken,
                        first_wanted: wanted,
                        wanted: end - (*from).clamp(start, end),
                    };
                    let index = scratch.spans.len();
                    scratch.all.extend(index, span.past, taken);
                    let position = span.past + taken - span.wanted;
                    scratch.wanted.extend(index, position, span.wanted);
                    scratch.spans.push(span);
                    (rows, wanted) = (rows + taken, wanted + span.wanted);
                }
                start += taken;
                if start == ids.len() {
                    (part, start) = (part + 1, 0);
                }
            }
            let (now, later) = states.split_at_mut(wanted * self.config.hidden_size);
            self.batch(parts, scratch, rows, wanted, now);
            for span in &scratch.spans {
                parts[span.part].sequence.advance(span.rows);
            }
            states = later;
        }
    }

    /// Computes the spans in `scratch`: `rows` rows, of which `wanted` states go to `states`.
    fn batch(
        &self,
        parts: &mut [Part<'_>],
        scratch: &mut Scratch,
        rows: usize,
        wanted: usize,
        states: &mut [f32],
    ) {
        let width = self.config.hidden_size;
        let x = fit(&mut scratch.x, rows * width);
        for span in &scratch.spans {
            let ids = &parts[span.part].ids[span.start..][..span.rows];
            let out = &mut x[span.first_row * width..][..span.rows * width];
            for (id, out) in ids.iter().zip(out.chunks_exact_mut(width)) {
                self.weights.embedding.row_to_f32(*id as usize, out);
            }
        }
        let last = self.weights.layers.len() - 1;
        for (index, layer) in self.weights.layers.iter().enumerate() {
            scratch.layers.clear();
            for span in &scratch.spans {
                let rows = parts[span.part].sequence.layer(index);
                scratch.layers.push(rows);
            }
            // Behind the last layer's keys and values, only wanted rows matter.
            let wanted_only = index == last && wanted < rows;
            self.layer(layer, scratch, rows, wanted, wanted_only);
        }
        let x = &scratch.x[..wanted * width];
        self.norm(x, &self.weights.norm, width, states);
    }

    /// One layer over `scratch.x`. With `wanted_only`, what is left in it are the wanted rows.
    fn layer(
        &self,
        layer: &Layer,
        scratch: &mut Scratch,
        rows: usize,
        wanted: usize,
        wanted_only: bool,
    ) {
        let width = self.config.hidden_size;
        let query = self.config.num_attention_heads * self.config.head_dim;
        let kv = self.config.num_key_value_heads * self.config.head_dim;
        let active = if wanted_only { wanted } else { rows };

        let normed = fit(&mut scratch.normed, rows * width);
        self.norm(&scratch.x[..rows * width], &layer.input_norm, width, normed);
        let k = fit(&mut scratch.k, rows * kv);
        let v = fit(&mut scratch.v, rows * kv);
        let q = fit(&mut scratch.q, active * query);
        if wanted_only {
            self.linear(normed, rows, &mut [layer.k.to(k), layer.v.to(v)]);
            keep_wanted(&scratch.spans, width, normed);
            keep_wanted(&scratch.spans, width, &mut scratch.x);
            self.linear(&normed[..wanted * width], wanted, &mut [layer.q.to(q)]);
        } else {
            self.linear(
                normed,
                rows,
                &mut [layer.q.to(q), layer.k.to(k), layer.v.to(v)],
            );
        }
        self.append(layer, scratch, rows);
        if active == 0 {
            return;
        }
        self.rotate_queries(layer, scratch, active, wanted_only);
        self.attention(scratch, active, wanted_only);

        let x = &mut scratch.x[..active * width];
        let mixed = &scratch.mixed[..active * query];
        self.linear(mixed, active, &mut [layer.o.add_to(x)]);

        let wide = self.config.intermediate_size;
        let normed = &mut scratch.normed[..active * width];
        self.norm(x, &layer.post_norm, width, normed);
        let gate = fit(&mut scratch.gate, active * wide);
        let up = fit(&mut scratch.up, active * wide);
        self.linear(normed, active, &mut [layer.gate.to(gate), layer.up.to(up)]);
        let shared = Shared::new(gate);
        self.each(active * wide, 8, |range| {
            // SAFETY: ranges of one region do not overlap.
            let gate = unsafe { shared.part(range.start, range.len()) };
            math::silu_gate(self.level, gate, &up[range]);
        });
        self.linear(gate, active, &mut [layer.down.add_to(x)]);
    }

    fn linear(&self, x: &[f32], rows: usize, outputs: &mut [Output<'_>]) {
        linear(&self.pool, self.level, x, rows, outputs);
    }

    /// Norms rows of `width`.
    fn norm(&self, x: &[f32], weight: &[f32], width: usize, out: &mut [f32]) {
        let (epsilon, out) = (self.config.rms_norm_eps as f32, Shared::new(out));
        self.each(x.len() / width, width, |rows| {
            for row in rows {
                // SAFETY: every row is written by one task.
                let out = unsafe { out.part(row * width, width) };
                let x = &x[row * width..][..width];
                math::rms_norm(self.level, x, weight, epsilon, out);
            }
        });
    }

    /// Norms and rotates the keys and writes keys and values of all rows behind those in the
    /// sequences.
    fn append(&self, layer: &Layer, scratch: &mut Scratch, rows: usize) {
        let (heads, width) = (self.config.num_key_value_heads, self.config.head_dim);
        let epsilon = self.config.rms_norm_eps as f32;
        let row_width = heads * width;
        let keys = &scratch.k[..rows * row_width];
        let values = &scratch.v[..rows * row_width];
        let (all, layers) = (&scratch.all, &scratch.layers);
        self.each(rows, 2 * row_width, |range| {
            for row in range {
                let position = all.positions[row] as usize;
                let (cos, sin) = self.rope.at(position);
                let place = layers[all.spans[row] as usize];
                for head in 0..heads {
                    let at = row * row_width + head * width;
                    let (key, value) = (&keys[at..][..width], &values[at..][..width]);
                    // SAFETY: `check_passes` has found room for every row, so `position` lies
                    // below the capacity; the sequence is borrowed by this pass alone, and no
                    // other row goes to its position.
                    let (key_to, value_to) = unsafe { place.at(head, position, width) };
                    match &layer.k_norm {
                        Some(weight) => math::rms_norm(self.level, key, weight, epsilon, key_to),
                        None => key_to.copy_from_slice(key),
                    }
                    math::rotate(self.level, key_to, cos, sin);
                    value_to.copy_from_slice(value);
                }
            }
        });
    }

    /// Norms, rotates and scales the queries of the active rows.
    fn rotate_queries(
        &self,
        layer: &Layer,
        scratch: &mut Scratch,
        active: usize,
        wanted_only: bool,
    ) {
        let (heads, width) = (self.config.num_attention_heads, self.config.head_dim);
        let epsilon = self.config.rms_norm_eps as f32;
        let scale = (1.0 / (width as f64).sqrt()) as f32;
        let rows = match wanted_only {
            true => &scratch.wanted,
            false => &scratch.all,
        };
        let len = active * heads * width;
        if let Some(weight) = &layer.q_norm {
            let normed = Shared::new(fit(&mut scratch.mixed, len));
            let q = &scratch.q[..len];
            self.each(active * heads, 2 * width, |range| {
                for head in range {
                    let x = &q[head * width..][..width];
                    // SAFETY: every head is written by one task.
                    let out = unsafe { normed.part(head * width, width) };
                    math::rms_norm(self.level, x, weight, epsilon, out);
                }
            });
            std::mem::swap(&mut scratch.q, &mut scratch.mixed);
        }
        let q = Shared::new(&mut scratch.q[..len]);
        self.each(active, 2 * heads * width, |range| {
            for row in range {
                let (cos, sin) = self.rope.at(rows.positions[row] as usize);
                // SAFETY: every row is written by one task.
                let row = unsafe { q.part(row * heads * width, heads * width) };
                for head in row.chunks_exact_mut(width) {
                    math::rotate(self.level, head, cos, sin);
                    for value in head {
                        *value *= scale;
                    }
                }
            }
        });
    }

    /// Attention of the active rows' queries into `scratch.mixed`.
    fn attention(&self, scratch: &mut Scratch, active: usize, wanted_only: bool) {
        let width = self.config.head_dim;
        let stride = self.config.num_attention_heads * width;
        let out = Shared::new(fit(&mut scratch.mixed, active * stride));
        let kv_heads = self.config.num_key_value_heads;
        let group = self.config.num_attention_heads / kv_heads;
        let pairs = scratch.spans.len() * kv_heads;
        scratch.tasks.clear();
        let mut products = 0;
        for (span, rows) in scratch.spans.iter().zip(&scratch.layers) {
            let (first, count) = span.active(wanted_only);
            let position = span.position(wanted_only);
            // Query heads of one key head stay together, so that keys are read once; where that
            // leaves threads idle, they are dealt out.
            let parts = match count {
                1 => self.pool.threads().div_ceil(pairs).min(group),
                _ => 1,
            };
            let heads = group.div_ceil(parts);
            let queries = (SCORES / (heads * (position + count).max(1)))
                .min(TASK_ROWS / heads)
                .max(1);
            for (kv_head, head) in
                (0..kv_heads).flat_map(|kv| (0..group).step_by(heads).map(move |head| (kv, head)))
            {
                for query in (0..count).step_by(queries) {
                    let at = (first + query) * stride + (kv_head * group + head) * width;
                    let task = Task {
                        q: scratch.q[at..].as_ptr(),
                        // SAFETY: `at` is an active row's place, and `out` has all of them. Every
                        // key head starts in the sequence's rows.
                        out: unsafe { out.pointer().add(at) },
                        keys: unsafe { rows.keys.add(kv_head * rows.head) },
                        values: unsafe { rows.values.add(kv_head * rows.head) },
                        stride,
                        heads: heads.min(group - head),
                        queries: queries.min(count - query),
                        first: position + query + 1,
                        head_dim: width,
                    };
                    products += task.products();
                    scratch.tasks.push(task);
                }
            }
        }
        let (tasks, buffers) = (&scratch.tasks, &scratch.scores);
        let work = |range: Range<usize>| {
            let mut buffer = buffers.take();
            for task in &tasks[range] {
                // SAFETY: the level was found on this machine. Every task names rows of the
                // queries, of what the cache holds, and a part of `mixed` of its own.
                unsafe { attend(self.level, task, &mut buffer) };
            }
            buffers.give(buffer);
        };
        let grain = (tasks.len() * PRODUCTS / products.max(1)).max(1);
        self.pool.for_each(tasks.len(), grain, work);
    }
}

/// Moves the wanted rows of every span to the front, in order.
fn keep_wanted(spans: &[Span], width: usize, rows: &mut [f32]) {
    for span in spans {
        let first = span.first_row + span.rows - span.wanted;
        let from = first * width..(first + span.wanted) * width;
        rows.copy_within(from, span.first_wanted * width);
    }
}

impl Projection {
    /// Its result goes to `y`.
    fn to<'a>(&'a self, y: &'a mut [f32]) -> Output<'a> {
        Output {
            matrix: &self.weight,
            bias: self.bias.as_deref(),
            y,
            add: false,
        }
    }

    /// Its result is added to `y`.
    fn add_to<'a>(&'a self, y: &'a mut [f32]) -> Output<'a> {
        Output {
            add: true,
            ..self.to(y)
        }
    }
}

impl Decoder for CpuDecoder {
    fn config(&self) -> &LlamaConfig {
        &self.config
    }

    fn sequence(&self, capacity: usize) -> Result<Sequence> {
        CpuSequence::new(&self.config, capacity).map(Sequence::Cpu)
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
                Sequence::Cpu(sequence) if sequence.fits(&self.config) => parts.push(Part {
                    sequence,
                    ids: pass.ids,
                    from: pass.from,
                }),
                _ => return Err(foreign_sequence()),
            }
        }
        let mut states = vec![0.0; wanted * self.config.hidden_size];
        let mut scratch = self.scratch.take();
        self.run(&mut parts, &mut scratch, &mut states);
        self.scratch.give_some(scratch);
        Ok(states)
    }

    fn logits(&self, hidden: &[f32]) -> Result<Vec<f32>> {
        let rows = rows_of(hidden, &self.config)?;
        let mut logits = vec![0.0; rows * self.config.vocab_size];
        let output = Output {
            matrix: self.weights.head(),
            bias: None,
            y: &mut logits,
            add: false,
        };
        self.linear(hidden, rows, &mut [output]);
        Ok(logits)
    }

    fn describe(&self) -> String {
        let threads = self.pool.threads();
        let plural = if threads == 1 { "" } else { "s" };
        format!(
            "cpu {}, {threads} thread{plural}, {}",
            self.level,
            self.weights.precision()
        )
    }
}
