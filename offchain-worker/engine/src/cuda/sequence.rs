//! Keys and values of one sequence in a GPU's memory, allocated once.

use std::sync::Arc;

use super::driver::Gpu;
use super::memory::Buffer;
use crate::config::LlamaConfig;
use crate::decoder::{cache_bytes, check_capacity};
use crate::error::{EngineError, Result};

/// Key–value cache of one sequence in f32, `[layers, 2, kv_heads, capacity, head_dim]`.
///
/// Nothing is copied as the sequence grows.
#[derive(Debug)]
pub struct CudaSequence {
    memory: Buffer,
    gpu: Arc<Gpu>,
    layers: usize,
    kv_heads: usize,
    head_dim: usize,
    capacity: usize,
    len: usize,
}

impl CudaSequence {
    /// An empty sequence with room for `capacity` tokens of a model of this shape.
    ///
    /// # Errors
    /// `capacity` exceeds the context, or the GPU has no memory for it.
    pub(super) fn new(gpu: &Arc<Gpu>, config: &LlamaConfig, capacity: usize) -> Result<Self> {
        check_capacity(config, capacity)?;
        let bytes = cache_bytes(config, capacity);
        let memory = Buffer::new(gpu, bytes).map_err(|reason| {
            EngineError::Compute(format!(
                "no memory for a cache of {capacity} tokens ({reason}); ask for fewer tokens"
            ))
        })?;
        Ok(Self {
            memory,
            gpu: gpu.clone(),
            layers: config.num_hidden_layers,
            kv_heads: config.num_key_value_heads,
            head_dim: config.head_dim,
            capacity,
            len: 0,
        })
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no token is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Most tokens it can hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets every token from `len` on; later tokens overwrite them.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// A sequence with room for `capacity` tokens that begins with the first `len` of this one.
    ///
    /// # Errors
    /// As [`Self::new`]; `len` exceeds what is held, or `capacity`; this is no sequence of `config`.
    pub(crate) fn prefix(
        mut self,
        config: &LlamaConfig,
        len: usize,
        capacity: usize,
    ) -> Result<Self> {
        if !self.has_shape(config) || len > self.len || len > capacity {
            return Err(EngineError::request(
                "sequence",
                format!(
                    "holds {} tokens; {len} do not carry over into {capacity}",
                    self.len
                ),
            ));
        }
        if self.capacity == capacity {
            self.truncate(len);
            return Ok(self);
        }
        let mut longer = Self::new(&self.gpu, config, capacity)?;
        let row = self.head_dim * size_of::<f32>();
        let heads = self.layers * 2 * self.kv_heads;
        self.memory
            .copy_rows(
                self.capacity * row,
                &longer.memory,
                capacity * row,
                len * row,
                heads,
            )
            .map_err(EngineError::Compute)?;
        longer.len = len;
        Ok(longer)
    }

    /// Whether it was made for a model of this shape on this GPU.
    pub(super) fn fits(&self, config: &LlamaConfig, gpu: &Arc<Gpu>) -> bool {
        self.has_shape(config) && Arc::ptr_eq(&self.gpu, gpu)
    }

    fn has_shape(&self, config: &LlamaConfig) -> bool {
        let ours = [self.layers, self.kv_heads, self.head_dim];
        let theirs = [
            config.num_hidden_layers,
            config.num_key_value_heads,
            config.head_dim,
        ];
        ours == theirs
    }

    /// Where its keys and values lie.
    pub(super) fn address(&self) -> u64 {
        self.memory.address()
    }

    /// Counts `new` tokens as held, after every layer has their keys and values.
    pub(super) fn advance(&mut self, new: usize) {
        debug_assert!(self.len + new <= self.capacity);
        self.len += new;
    }
}
