//! A Llama decoder in bf16 arithmetic, as accelerators compute: every tensor between two operations is rounded to
//! bf16, products and sums inside an operation accumulate in f32.
//!
//! Rounded are: embeddings, the norm before and after its weight, queries, keys, values (and both products of the
//! rotation), attention weights, the output of every matrix product, the gate, both residual sums, and the logits.
//! `split` parts of the inner dimension are summed apart and then added, as kernels with a split inner dimension do:
//! another number of parts is another machine with the same arithmetic.

use std::collections::HashMap;

use anyhow::{ensure, Context, Result};
use chasqui_engine::{
    cpu::{linear, math, Matrix, Output, Pool, SimdLevel},
    Architecture, Llama, LlamaConfig,
};

/// Rounds to the nearest bf16, ties to even.
pub fn round(value: f32) -> f32 {
    let bits = value.to_bits();
    let even = (bits >> 16) & 1;
    f32::from_bits(bits.wrapping_add(0x7fff + even) & 0xffff_0000)
}

fn round_all(values: &mut [f32]) {
    for value in values {
        *value = round(*value);
    }
}

/// A matrix in parts along its inner dimension.
struct Projection {
    /// First column of each part, and the part.
    parts: Vec<(usize, Matrix)>,
    rows: usize,
}

impl Projection {
    fn new(values: &[f32], rows: usize, cols: usize, split: usize) -> Self {
        let step = cols.div_ceil(split.max(1));
        let part = |first: usize| {
            let last = (first + step).min(cols);
            let taken = values.chunks_exact(cols).flat_map(|row| &row[first..last]);
            let taken: Vec<f32> = taken.copied().collect();
            (first, Matrix::from_f32(taken, rows, last - first))
        };
        Self {
            parts: (0..cols).step_by(step).map(part).collect(),
            rows,
        }
    }
}

struct Layer {
    input_norm: Vec<f32>,
    q: Projection,
    k: Projection,
    v: Projection,
    o: Projection,
    post_norm: Vec<f32>,
    gate: Projection,
    up: Projection,
    down: Projection,
}

/// The model; all its weights are bf16 numbers.
pub struct Bf16Model {
    config: LlamaConfig,
    /// `[vocab, hidden]`.
    embedding: Vec<f32>,
    head: Projection,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    pool: Pool,
    level: SimdLevel,
}

/// Keys and values so far.
pub struct Bf16Sequence {
    /// Per layer, `[len, kv_heads * head_dim]`.
    layers: Vec<[Vec<f32>; 2]>,
    len: usize,
}

impl Bf16Model {
    /// Of `model`, its weights rounded, its sums in `split` parts.
    ///
    /// # Errors
    /// A model with biases, head norms or a head of its own, which this arithmetic does not cover.
    pub fn new(model: &Llama, split: usize) -> Result<Self> {
        let config = model.config().clone();
        ensure!(
            config.architecture == Architecture::Llama
                && !config.qkv_bias
                && !config.attention_output_bias
                && !config.mlp_bias
                && !config.qk_norm
                && config.tie_word_embeddings,
            "bf16 arithmetic is written for Llama without biases and with a tied head"
        );
        let mut tensors: HashMap<String, Vec<f32>> = HashMap::new();
        for (name, _, mut values) in model.named_parameters()? {
            round_all(&mut values);
            tensors.insert(name, values);
        }
        let mut take = |name: &str| {
            tensors
                .remove(name)
                .with_context(|| format!("no parameter {name}"))
        };
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let query = config.num_attention_heads * config.head_dim;
        let kv = config.num_key_value_heads * config.head_dim;
        let embedding = take("model.embed_tokens.weight")?;
        let layers = (0..config.num_hidden_layers)
            .map(|index| {
                let path = format!("model.layers.{index}");
                let mut projection = |name: &str, rows, cols| {
                    let values = take(&format!("{path}.{name}.weight"))?;
                    anyhow::Ok(Projection::new(&values, rows, cols, split))
                };
                Ok(Layer {
                    q: projection("self_attn.q_proj", query, hidden)?,
                    k: projection("self_attn.k_proj", kv, hidden)?,
                    v: projection("self_attn.v_proj", kv, hidden)?,
                    o: projection("self_attn.o_proj", hidden, query)?,
                    gate: projection("mlp.gate_proj", wide, hidden)?,
                    up: projection("mlp.up_proj", wide, hidden)?,
                    down: projection("mlp.down_proj", hidden, wide)?,
                    input_norm: take(&format!("{path}.input_layernorm.weight"))?,
                    post_norm: take(&format!("{path}.post_attention_layernorm.weight"))?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            head: Projection::new(&embedding, config.vocab_size, hidden, split),
            norm: take("model.norm.weight")?,
            embedding,
            layers,
            pool: Pool::new(1)?,
            level: SimdLevel::from_env()?,
            config,
        })
    }

    /// The model's shape.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// An empty sequence.
    pub fn sequence(&self) -> Bf16Sequence {
        Bf16Sequence {
            layers: (0..self.config.num_hidden_layers)
                .map(|_| [Vec::new(), Vec::new()])
                .collect(),
            len: 0,
        }
    }

    /// Appends `ids`; hidden states of `ids[from..]` after the final norm.
    pub fn forward(&self, sequence: &mut Bf16Sequence, ids: &[u32], from: usize) -> Vec<f32> {
        let width = self.config.hidden_size;
        let rows = ids.len();
        let mut x = Vec::with_capacity(rows * width);
        for id in ids {
            x.extend_from_slice(&self.embedding[*id as usize * width..][..width]);
        }
        let (cos, sin) = self.rotations(sequence.len, rows);
        for (layer, kept) in self.layers.iter().zip(&mut sequence.layers) {
            let normed = self.norm(&x, &layer.input_norm);
            let mut q = self.product(&layer.q, &normed, rows);
            let mut k = self.product(&layer.k, &normed, rows);
            let v = self.product(&layer.v, &normed, rows);
            self.rotate(&mut q, rows, &cos, &sin);
            self.rotate(&mut k, rows, &cos, &sin);
            kept[0].extend(k);
            kept[1].extend(v);
            let mixed = self.attention(&q, &kept[0], &kept[1], sequence.len, rows);
            add(&mut x, &self.product(&layer.o, &mixed, rows));

            let normed = self.norm(&x, &layer.post_norm);
            let mut gate = self.product(&layer.gate, &normed, rows);
            let up = self.product(&layer.up, &normed, rows);
            math::silu(self.level, &mut gate);
            for (gate, up) in gate.iter_mut().zip(&up) {
                *gate = round(round(*gate) * up);
            }
            add(&mut x, &self.product(&layer.down, &gate, rows));
        }
        sequence.len += rows;
        self.norm(&x[from.min(rows) * width..], &self.norm)
    }

    /// Logits `[n, vocab]` of `hidden` `[n, hidden]`, rounded as everything else.
    pub fn logits(&self, hidden: &[f32]) -> Vec<f32> {
        self.product(&self.head, hidden, hidden.len() / self.config.hidden_size)
    }

    fn product(&self, projection: &Projection, x: &[f32], rows: usize) -> Vec<f32> {
        let cols = x.len() / rows.max(1);
        let mut y = vec![0.0; rows * projection.rows];
        for (index, (first, matrix)) in projection.parts.iter().enumerate() {
            let taken = x
                .chunks_exact(cols)
                .flat_map(|row| &row[*first..first + matrix.cols()]);
            let taken: Vec<f32> = taken.copied().collect();
            let output = Output {
                matrix,
                bias: None,
                y: &mut y,
                add: index > 0,
            };
            linear(&self.pool, self.level, &taken, rows, &mut [output]);
        }
        round_all(&mut y);
        y
    }

    fn norm(&self, x: &[f32], weight: &[f32]) -> Vec<f32> {
        let width = weight.len();
        let mut out = Vec::with_capacity(x.len());
        for row in x.chunks_exact(width) {
            let mean = math::dot(self.level, row, row) / width as f32;
            let scale = 1.0 / (mean + self.config.rms_norm_eps as f32).sqrt();
            out.extend(
                row.iter()
                    .zip(weight)
                    .map(|(x, w)| round(round(x * scale) * w)),
            );
        }
        out
    }

    /// Cosines and sines of `rows` positions from `past` on, `[rows, head_dim / 2]`.
    fn rotations(&self, past: usize, rows: usize) -> (Vec<f32>, Vec<f32>) {
        let frequencies = self.config.inverse_frequencies();
        (past..past + rows)
            .flat_map(|position| {
                let angle = move |frequency: &f32| f64::from(position as f32 * frequency);
                let pair = |f: &f32| (round(angle(f).cos() as f32), round(angle(f).sin() as f32));
                frequencies.iter().map(pair).collect::<Vec<_>>()
            })
            .unzip()
    }

    fn rotate(&self, heads: &mut [f32], rows: usize, cos: &[f32], sin: &[f32]) {
        let half = self.config.head_dim / 2;
        let row = heads.len() / rows.max(1);
        for (index, heads) in heads.chunks_exact_mut(row).enumerate() {
            let (cos, sin) = (&cos[index * half..][..half], &sin[index * half..][..half]);
            for head in heads.chunks_exact_mut(2 * half) {
                let (low, high) = head.split_at_mut(half);
                for (((a, b), c), s) in low.iter_mut().zip(high).zip(cos).zip(sin) {
                    let (x, y) = (*a, *b);
                    *a = round(round(x * c) + round(-y * s));
                    *b = round(round(y * c) + round(x * s));
                }
            }
        }
    }

    /// Causal attention of `rows` new rows behind `past`; weights are rounded before they meet the values.
    fn attention(
        &self,
        q: &[f32],
        keys: &[f32],
        values: &[f32],
        past: usize,
        rows: usize,
    ) -> Vec<f32> {
        let width = self.config.head_dim;
        let kv = self.config.num_key_value_heads * width;
        let group = self.config.num_attention_heads / self.config.num_key_value_heads;
        let scale = (width as f32).powf(-0.5);
        let mut out = vec![0.0; q.len()];
        let row = q.len() / rows.max(1);
        for (index, (q, out)) in q
            .chunks_exact(row)
            .zip(out.chunks_exact_mut(row))
            .enumerate()
        {
            let seen = past + index + 1;
            let heads = q.chunks_exact(width).zip(out.chunks_exact_mut(width));
            for (head, (q, out)) in heads.enumerate() {
                let at = |t: usize| t * kv + head / group * width;
                let mut scores: Vec<f32> = (0..seen)
                    .map(|t| math::dot(self.level, q, &keys[at(t)..][..width]) * scale)
                    .collect();
                let sum = math::softmax_numerators(self.level, &mut scores);
                for (t, weight) in scores.iter().enumerate() {
                    math::add_scaled(self.level, out, round(*weight), &values[at(t)..][..width]);
                }
                for value in out {
                    *value = round(*value / sum);
                }
            }
        }
        out
    }
}

/// The residual sum.
fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x = round(*x + y);
    }
}
