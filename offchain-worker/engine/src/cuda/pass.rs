//! A batch on its way through the layers: what is started on the GPU, in order.

use super::decoder::{Batch, CudaDecoder, Scratch, F32, MAX_ROWS};
use super::driver::Result as Outcome;
use super::module::{holds, Attention, Linear, Output, Place, Row, FEW_ROWS};
use super::weights::{address, GpuMatrix, Layer};
use crate::config::LlamaConfig;

/// A batch on the GPU.
pub(super) struct Placed {
    pub(super) rows: u32,
    pub(super) wanted: u32,
    /// Positions that the row furthest on sees.
    pub(super) longest: u32,
    ids: u64,
    row_table: u64,
    wanted_table: u64,
    rope: u64,
    wanted_rope: u64,
    index: u64,
    /// Of all that.
    bytes: usize,
}

/// Writes one thing after another and tells where each will be.
pub(super) struct Writer<'a> {
    pub(super) bytes: &'a mut [u8],
    pub(super) used: usize,
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

    pub(super) fn floats<'b>(&mut self, items: impl Iterator<Item = &'b [f32]>) -> u64 {
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

/// Bytes of what [`CudaDecoder::describe_batch`] writes about the largest batch.
pub(super) fn about_bytes(config: &LlamaConfig) -> usize {
    // Two tables of rows and of angles, two of indices, each from a multiple of 16 on.
    MAX_ROWS * (2 * size_of::<Row>() + 2 * config.head_dim * F32 + 2 * size_of::<u32>()) + 6 * 16
}

impl CudaDecoder {
    /// Writes down what the GPU must know about a batch, and where it will be.
    pub(super) fn describe_batch(&self, batch: &Batch, scratch: &mut Scratch) -> Placed {
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
            bytes: 0,
        };
        placed.bytes = writer.used;
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
        placed
    }

    /// Starts a batch's kernels; its wanted states will be in `scratch.normed`.
    pub(super) fn start(&self, at: &Placed, scratch: &mut Scratch) -> Outcome<()> {
        let config = &self.config;
        // SAFETY: `try_batch` waits for the GPU before anybody writes to `pinned` again.
        unsafe { scratch.about.read_from(&scratch.pinned, at.bytes)? };
        let table = &self.weights.embedding;
        let mut x = scratch.x.address();
        // SAFETY: the buffers have room for all rows, and the ids lie in the vocabulary.
        unsafe {
            self.kernels.look_up(
                table.precision,
                &table.to(0),
                at.ids,
                at.rows,
                table.cols,
                x,
            )?;
        }
        let last = self.weights.layers.len() - 1;
        for (index, layer) in self.weights.layers.iter().enumerate() {
            // Behind the last layer's keys and values, only wanted rows matter.
            let wanted_only = index == last && at.wanted < at.rows;
            x = self.layer(index as u32, layer, at, scratch, wanted_only)?;
        }
        // SAFETY: as above; at `x` are the wanted rows.
        unsafe {
            self.kernels.norm(
                x,
                self.weights.norm.address(),
                config.rms_norm_eps as f32,
                at.wanted,
                config.hidden_size as u32,
                scratch.normed.address(),
            )
        }
    }

    /// Attention without what a batch and a layer add.
    pub(super) fn attention_job(&self) -> Attention {
        Attention {
            q: 0,
            out: 0,
            rows: 0,
            scores: 0,
            pitch: 0,
            first_row: 0,
            heads: self.config.num_attention_heads as u32,
            kv_heads: self.config.num_key_value_heads as u32,
            width: self.config.head_dim as u32,
            layer: 0,
            tile: 0,
            unused: 0,
        }
    }

    /// One layer over `scratch.x`. Where the result is: all rows, or with `wanted_only` the wanted ones.
    fn layer(
        &self,
        index: u32,
        layer: &Layer,
        at: &Placed,
        scratch: &mut Scratch,
        wanted_only: bool,
    ) -> Outcome<u64> {
        let config = &self.config;
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
        let mut x = scratch.x.address();
        // SAFETY: every buffer has room for all rows of the batch at its width, `kept` for the wanted ones;
        // each launch follows those before it, and nobody else has the buffers.
        unsafe {
            let to_q = (&layer.q.matrix, layer.q.to(q));
            let to_k = (&layer.k.matrix, layer.k.to(k));
            let to_v = (&layer.v.matrix, layer.v.to(v));
            let norm = layer.input_norm.address();
            if wanted_only {
                self.normed_linear(x, norm, at.rows, normed, &[to_k, to_v])?;
                if active > 0 {
                    scratch
                        .kept
                        .fit(at.wanted as usize * config.hidden_size * F32)?;
                    let kept = scratch.kept.address();
                    let width = config.hidden_size as u32;
                    self.kernels.gather(x, at.index, active, width, kept)?;
                    x = kept;
                    self.normed_linear(x, norm, active, normed, &[to_q])?;
                }
            } else {
                self.normed_linear(x, norm, at.rows, normed, &[to_q, to_k, to_v])?;
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
                epsilon: config.rms_norm_eps as f32,
                scale: (1.0 / (config.head_dim as f64).sqrt()) as f32,
            })?;
            if active == 0 {
                return Ok(x);
            }
            let job = Attention {
                q,
                out: mixed,
                rows: active_rows,
                layer: index,
                ..self.attention_job()
            };
            let scores = &mut scratch.scores;
            self.kernels.attention(job, active, at.longest, |bytes| {
                scores.fit(bytes)?;
                Ok(scores.address())
            })?;
            self.linear(mixed, active, &[(&layer.o.matrix, layer.o.add_to(x))])?;

            let norm = layer.post_norm.address();
            let to_gate = (&layer.gate.matrix, layer.gate.to(gate));
            let to_up = (&layer.up.matrix, layer.up.to(up));
            let precision = to_gate.0.precision;
            if active <= FEW_ROWS && precision == to_up.0.precision {
                let (x, norm) = self.normed(x, norm, active, normed)?;
                let job = self.job(x, active, &[to_gate, to_up], norm);
                self.kernels.gate(precision, &job)?;
            } else {
                self.normed_linear(x, norm, active, normed, &[to_gate, to_up])?;
                let elements = active * config.intermediate_size as u32;
                self.kernels.silu_gate(gate, up, elements)?;
            }
            self.linear(gate, active, &[(&layer.down.matrix, layer.down.add_to(x))])?;
        }
        Ok(x)
    }

    /// Products of rows of x that are normed first: on their way, or at `normed`.
    ///
    /// # Safety
    /// The addresses are good for `rows` rows.
    unsafe fn normed_linear(
        &self,
        x: u64,
        norm: u64,
        rows: u32,
        normed: u64,
        outputs: &[(&GpuMatrix, Output)],
    ) -> Outcome<()> {
        // SAFETY: that of the caller.
        unsafe {
            let (x, norm) = self.normed(x, norm, rows, normed)?;
            self.linear_with(x, norm, rows, outputs)
        }
    }

    /// Rows for products that want them normed, and the norm that is left to these: few rows are left as they are.
    ///
    /// # Safety
    /// The addresses are good for `rows` rows.
    unsafe fn normed(&self, x: u64, norm: u64, rows: u32, normed: u64) -> Outcome<(u64, u64)> {
        if holds(rows, self.config.hidden_size as u32) {
            return Ok((x, norm));
        }
        let (width, epsilon) = (self.config.hidden_size, self.config.rms_norm_eps);
        // SAFETY: that of the caller.
        unsafe {
            self.kernels
                .norm(x, norm, epsilon as f32, rows, width as u32, normed)?;
        }
        Ok((normed, 0))
    }

    /// Products of one x.
    ///
    /// # Safety
    /// The addresses are good for `rows` rows.
    pub(super) unsafe fn linear(
        &self,
        x: u64,
        rows: u32,
        outputs: &[(&GpuMatrix, Output)],
    ) -> Outcome<()> {
        // SAFETY: that of the caller.
        unsafe { self.linear_with(x, 0, rows, outputs) }
    }

    /// Products of one x, normed on their way where `norm` is not 0, in one launch where the matrices are held
    /// alike.
    ///
    /// # Safety
    /// The addresses are good for `rows` rows, which are held where they are normed ([`holds`]).
    unsafe fn linear_with(
        &self,
        x: u64,
        norm: u64,
        rows: u32,
        outputs: &[(&GpuMatrix, Output)],
    ) -> Outcome<()> {
        for alike in outputs.chunk_by(|(a, _), (b, _)| a.precision == b.precision) {
            if let Some((matrix, _)) = alike.first() {
                let job = self.job(x, rows, alike, norm);
                // SAFETY: that of the caller.
                unsafe { self.kernels.linear(matrix.precision, &job)? };
            }
        }
        Ok(())
    }

    /// A launch for up to three matrices.
    pub(super) fn job(
        &self,
        x: u64,
        rows: u32,
        outputs: &[(&GpuMatrix, Output)],
        norm: u64,
    ) -> Linear {
        let mut job = Linear {
            x,
            norm,
            rows,
            count: outputs.len() as u32,
            cols: outputs.first().map_or(0, |(matrix, _)| matrix.cols),
            epsilon: self.config.rms_norm_eps as f32,
            ..Linear::default()
        };
        for (place, (_, output)) in job.outputs.iter_mut().zip(outputs) {
            *place = *output;
        }
        job
    }
}
