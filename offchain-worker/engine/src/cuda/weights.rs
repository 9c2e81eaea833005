//! Parameters in a GPU's memory.

use std::sync::Arc;

use super::driver::{Gpu, Result};
use super::memory::Buffer;
use super::module::Output;
use crate::cpu::matrix::{Matrix, Precision, Weights as Held};
use crate::cpu::weights::{Layer as HostLayer, Projection as HostProjection, Weights as Host};

/// Weights of a linear map.
#[derive(Debug)]
pub(super) struct GpuMatrix {
    memory: Buffer,
    pub(super) precision: Precision,
    outs: u32,
    pub(super) cols: u32,
    /// Bytes from one row to the next.
    stride: u32,
    /// Bytes before the first row's first weight.
    first: u64,
}

impl GpuMatrix {
    fn new(gpu: &Arc<Gpu>, matrix: &Matrix) -> Result<Self> {
        let cols = matrix.cols();
        let (memory, stride, first) = match &matrix.weights {
            Held::F32(values) => (Buffer::of(gpu, &values[..])?, 4 * cols, 0),
            Held::F16(bits) | Held::Bf16(bits) => (Buffer::of(gpu, &bits[..])?, 2 * cols, 0),
            Held::Int8(rows) => (Buffer::of(gpu, rows.bytes())?, rows.stride(), rows.first()),
        };
        Ok(Self {
            memory,
            precision: matrix.precision(),
            outs: small(matrix.rows())?,
            cols: small(cols)?,
            stride: small(stride)?,
            first: first as u64,
        })
    }

    /// The matrix as a kernel takes it, its product going to `y`.
    pub(super) fn to(&self, y: u64) -> Output {
        Output {
            weight: self.memory.address() + self.first,
            y,
            outs: self.outs,
            stride: self.stride,
            ..Output::default()
        }
    }
}

fn small(count: usize) -> Result<u32> {
    u32::try_from(count).map_err(|_| format!("a matrix of {count} is too large for the kernels"))
}

/// `y = x Wᵀ + b`.
#[derive(Debug)]
pub(super) struct Projection {
    pub(super) matrix: GpuMatrix,
    bias: Option<Buffer>,
}

impl Projection {
    fn new(gpu: &Arc<Gpu>, host: &HostProjection) -> Result<Self> {
        Ok(Self {
            matrix: GpuMatrix::new(gpu, &host.weight)?,
            bias: vector(gpu, host.bias.as_ref())?,
        })
    }

    /// Its result goes to `y`.
    pub(super) fn to(&self, y: u64) -> Output {
        Output {
            bias: address(&self.bias),
            ..self.matrix.to(y)
        }
    }

    /// Its result is added to `y`.
    pub(super) fn add_to(&self, y: u64) -> Output {
        Output {
            add: 1,
            ..self.to(y)
        }
    }
}

fn vector(gpu: &Arc<Gpu>, values: Option<&Vec<f32>>) -> Result<Option<Buffer>> {
    values.map(|values| Buffer::of(gpu, values)).transpose()
}

/// Where a vector lies; 0 where there is none.
pub(super) fn address(vector: &Option<Buffer>) -> u64 {
    vector.as_ref().map_or(0, Buffer::address)
}

/// One decoder layer.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) input_norm: Buffer,
    pub(super) q: Projection,
    pub(super) k: Projection,
    pub(super) v: Projection,
    pub(super) o: Projection,
    pub(super) q_norm: Option<Buffer>,
    pub(super) k_norm: Option<Buffer>,
    pub(super) post_norm: Buffer,
    pub(super) gate: Projection,
    pub(super) up: Projection,
    pub(super) down: Projection,
}

impl Layer {
    fn new(gpu: &Arc<Gpu>, host: &HostLayer) -> Result<Self> {
        let projection = |host| Projection::new(gpu, host);
        Ok(Self {
            input_norm: Buffer::of(gpu, &host.input_norm)?,
            q: projection(&host.q)?,
            k: projection(&host.k)?,
            v: projection(&host.v)?,
            o: projection(&host.o)?,
            q_norm: vector(gpu, host.q_norm.as_ref())?,
            k_norm: vector(gpu, host.k_norm.as_ref())?,
            post_norm: Buffer::of(gpu, &host.post_norm)?,
            gate: projection(&host.gate)?,
            up: projection(&host.up)?,
            down: projection(&host.down)?,
        })
    }

    fn projections(&self) -> [&Projection; 7] {
        [
            &self.q, &self.k, &self.v, &self.o, &self.gate, &self.up, &self.down,
        ]
    }
}

/// All parameters of a model.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) embedding: GpuMatrix,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: Buffer,
    head: Option<GpuMatrix>,
}

impl Weights {
    /// Copies them to the GPU.
    pub(super) fn new(gpu: &Arc<Gpu>, host: &Host) -> Result<Self> {
        let tied = std::ptr::eq(host.head(), &host.embedding);
        Ok(Self {
            embedding: GpuMatrix::new(gpu, &host.embedding)?,
            layers: host
                .layers
                .iter()
                .map(|layer| Layer::new(gpu, layer))
                .collect::<Result<_>>()?,
            norm: Buffer::of(gpu, &host.norm)?,
            head: match tied {
                true => None,
                false => Some(GpuMatrix::new(gpu, host.head())?),
            },
        })
    }

    /// The output head.
    pub(super) fn head(&self) -> &GpuMatrix {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// Every precision among them, once.
    pub(super) fn precisions(&self) -> Vec<Precision> {
        let projections = self.layers.iter().flat_map(Layer::projections);
        let layers = projections.map(|projection| projection.matrix.precision);
        let mut found = Vec::new();
        for precision in layers.chain([self.embedding.precision, self.head().precision]) {
            if !found.contains(&precision) {
                found.push(precision);
            }
        }
        found
    }
}
