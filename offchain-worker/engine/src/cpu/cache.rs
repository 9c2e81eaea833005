//! Keys and values of one sequence on the CPU, in buffers allocated once.

use std::alloc::Layout;

use crate::config::LlamaConfig;
use crate::decoder::{cache_bytes, check_capacity};
use crate::error::{EngineError, Result};

/// Elements of a cache line: rows start on one where the head width allows.
const LINE: usize = 16;

/// One layer's keys or values, `[kv_heads, capacity, head_dim]`: a head's rows follow each other,
/// so attention reads them as one stream.
#[derive(Debug)]
struct Rows {
    values: Vec<f32>,
    /// Where the first row starts: the first aligned element.
    start: usize,
}

impl Rows {
    /// Zeros in pages that the system hands out as they are first written.
    fn zeroed(len: usize) -> Option<Self> {
        let padded = len.checked_add(LINE)?;
        let layout = Layout::array::<f32>(padded).ok()?;
        // SAFETY: the layout is not empty. The block was allocated by the global allocator with
        // the layout of a vector of this capacity, and zero is a valid f32.
        let values = unsafe {
            let block = std::alloc::alloc_zeroed(layout).cast::<f32>();
            if block.is_null() {
                return None;
            }
            Vec::from_raw_parts(block, padded, padded)
        };
        let line = LINE * size_of::<f32>();
        let start = values.as_ptr().align_offset(line).min(LINE);
        Some(Self { values, start })
    }

    fn pointer(&mut self) -> *mut f32 {
        self.values[self.start..].as_mut_ptr()
    }
}

/// One layer of a sequence as raw rows; see [`CpuSequence::layer`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerRows {
    /// `[kv_heads, capacity, head_dim]`.
    pub(crate) keys: *mut f32,
    /// As `keys`.
    pub(crate) values: *mut f32,
    /// Elements from one head to the next.
    pub(crate) head: usize,
}

impl LayerRows {
    /// Key and value row of `position` in `head`, `width` elements each.
    ///
    /// # Safety
    /// `head` and `position` lie in the sequence, whose head width is `width` and which is still
    /// borrowed; nobody else uses these rows.
    pub(crate) unsafe fn at<'a>(
        self,
        head: usize,
        position: usize,
        width: usize,
    ) -> (&'a mut [f32], &'a mut [f32]) {
        let at = head * self.head + position * width;
        // SAFETY: that of the caller.
        unsafe {
            let row = |first: *mut f32| std::slice::from_raw_parts_mut(first.add(at), width);
            (row(self.keys), row(self.values))
        }
    }
}

// SAFETY: plain addresses; whoever follows them answers for it.
unsafe impl Send for LayerRows {}
// SAFETY: as above.
unsafe impl Sync for LayerRows {}

/// Key–value cache of one sequence in f32.
///
/// Buffers are allocated for the whole capacity when it is made; memory is taken as tokens arrive.
/// Nothing is copied as the sequence grows.
#[derive(Debug)]
pub struct CpuSequence {
    layers: Vec<[Rows; 2]>,
    kv_heads: usize,
    head_dim: usize,
    capacity: usize,
    len: usize,
}

impl CpuSequence {
    /// An empty sequence with room for `capacity` tokens of a model of this shape.
    ///
    /// # Errors
    /// `capacity` exceeds the context, or there is no memory for it.
    pub fn new(config: &LlamaConfig, capacity: usize) -> Result<Self> {
        check_capacity(config, capacity)?;
        let (kv_heads, head_dim) = (config.num_key_value_heads, config.head_dim);
        let memory = || {
            EngineError::Compute(format!(
                "no memory for a cache of {capacity} tokens, {} bytes; ask for fewer tokens",
                cache_bytes(config, capacity)
            ))
        };
        let len = [kv_heads, head_dim]
            .into_iter()
            .try_fold(capacity, usize::checked_mul)
            .ok_or_else(memory)?;
        let rows = || Rows::zeroed(len).ok_or_else(memory);
        let layers = (0..config.num_hidden_layers)
            .map(|_| Ok([rows()?, rows()?]))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            layers,
            kv_heads,
            head_dim,
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
    pub(crate) fn prefix(&self, config: &LlamaConfig, len: usize, capacity: usize) -> Result<Self> {
        if !self.fits(config) || len > self.len || len > capacity {
            return Err(EngineError::request(
                "sequence",
                format!(
                    "holds {} tokens; {len} do not carry over into {capacity}",
                    self.len
                ),
            ));
        }
        let mut longer = Self::new(config, capacity)?;
        let (from, to) = (self.capacity * self.head_dim, capacity * self.head_dim);
        let held = len * self.head_dim;
        for (old, new) in self.layers.iter().zip(&mut longer.layers) {
            for (old, new) in old.iter().zip(new) {
                let (old, new) = (&old.values[old.start..], &mut new.values[new.start..]);
                for head in 0..self.kv_heads {
                    let rows = &old[head * from..head * from + held];
                    new[head * to..head * to + held].copy_from_slice(rows);
                }
            }
        }
        longer.len = len;
        Ok(longer)
    }

    /// Whether it was made for a model of this shape.
    pub(crate) fn fits(&self, config: &LlamaConfig) -> bool {
        let ours = [self.layers.len(), self.kv_heads, self.head_dim];
        let theirs = [
            config.num_hidden_layers,
            config.num_key_value_heads,
            config.head_dim,
        ];
        ours == theirs
    }

    /// The rows of `layer`. The pointers are good for `kv_heads * capacity * head_dim` elements as
    /// long as the sequence lives and nobody else borrows it.
    pub(crate) fn layer(&mut self, layer: usize) -> LayerRows {
        let [keys, values] = &mut self.layers[layer];
        LayerRows {
            keys: keys.pointer(),
            values: values.pointer(),
            head: self.capacity * self.head_dim,
        }
    }

    /// Counts `new` tokens as held, after every layer has their keys and values.
    pub(crate) fn advance(&mut self, new: usize) {
        debug_assert!(self.len + new <= self.capacity);
        self.len += new;
    }
}
