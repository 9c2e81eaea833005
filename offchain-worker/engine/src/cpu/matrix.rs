//! Weights in the precision in which they are stored, owned or mapped from a file.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use half::{bf16, f16};
use memmap2::Mmap;

use crate::error::{EngineError, Result};

/// Weights that share one scale in [`Precision::Int8`], along `in`.
pub const BLOCK: usize = 32;

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for u16 {}
    impl Sealed for f32 {}
}

/// A type of which every bit pattern is a value and that files store little-endian.
pub trait Element: Copy + Send + Sync + fmt::Debug + sealed::Sealed + 'static {
    /// From `size_of::<Self>()` bytes, least significant first.
    fn from_le(bytes: &[u8]) -> Self;
}

impl Element for u8 {
    fn from_le(bytes: &[u8]) -> Self {
        bytes[0]
    }
}

impl Element for u16 {
    fn from_le(bytes: &[u8]) -> Self {
        Self::from_le_bytes([bytes[0], bytes[1]])
    }
}

impl Element for f32 {
    fn from_le(bytes: &[u8]) -> Self {
        Self::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

/// Elements in memory of their own, or in a memory-mapped file without a copy.
#[derive(Clone)]
pub struct Storage<T: Element>(Place<T>);

/// Private, because the kernels rely on a mapped range that is inside the map and aligned.
#[derive(Clone)]
enum Place<T> {
    Owned(Vec<T>),
    Mapped {
        map: Arc<Mmap>,
        /// In bytes.
        offset: usize,
        /// In elements.
        len: usize,
    },
}

/// Bits of f16 or bf16.
pub type Words = Storage<u16>;

impl<T: Element> Storage<T> {
    /// `len` little-endian elements of a map from byte `offset` on. They are copied only if the
    /// address is not a multiple of the element's size, or the machine is big-endian.
    ///
    /// # Errors
    /// The map ends before the last element.
    pub fn mapped(map: Arc<Mmap>, offset: usize, len: usize) -> Result<Self> {
        let end = len
            .checked_mul(size_of::<T>())
            .and_then(|bytes| bytes.checked_add(offset));
        let bytes = end.and_then(|end| map.get(offset..end)).ok_or_else(|| {
            EngineError::request(
                "weights",
                format!(
                    "{len} elements of {} bytes from byte {offset} do not fit into a file of {} \
                     bytes; download the file again",
                    size_of::<T>(),
                    map.len()
                ),
            )
        })?;
        if cfg!(target_endian = "big") || !bytes.as_ptr().cast::<T>().is_aligned() {
            let copied = bytes.chunks_exact(size_of::<T>()).map(T::from_le);
            return Ok(Self(Place::Owned(copied.collect())));
        }
        Ok(Self(Place::Mapped { map, offset, len }))
    }

    /// Whether the elements lie in a mapped file.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Place::Mapped { .. })
    }
}

impl Storage<u8> {
    /// The same bytes as little-endian elements, without a copy where they are mapped and aligned.
    ///
    /// # Errors
    /// The number of bytes is not a multiple of the element's size.
    pub fn cast<T: Element>(&self) -> Result<Storage<T>> {
        let size = size_of::<T>();
        if !self.len().is_multiple_of(size) {
            return Err(EngineError::request(
                "weights",
                format!("{} bytes are not elements of {size} bytes", self.len()),
            ));
        }
        match &self.0 {
            Place::Owned(bytes) => Ok(Storage(Place::Owned(
                bytes.chunks_exact(size).map(T::from_le).collect(),
            ))),
            Place::Mapped { map, offset, len } => Storage::mapped(map.clone(), *offset, len / size),
        }
    }
}

impl<T: Element> From<Vec<T>> for Storage<T> {
    fn from(values: Vec<T>) -> Self {
        Self(Place::Owned(values))
    }
}

impl<T: Element> Deref for Storage<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Place::Owned(values) => values,
            // SAFETY: `mapped` has checked range and alignment of this very map, which lives as
            // long as `self`; every bit pattern is a `T`.
            Place::Mapped { map, offset, len } => unsafe {
                std::slice::from_raw_parts(map.as_ptr().add(*offset).cast::<T>(), *len)
            },
        }
    }
}

impl<T: Element> fmt::Debug for Storage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage")
            .field("len", &self.len())
            .field("mapped", &self.is_mapped())
            .finish()
    }
}

/// Precision of weights in memory. All but `Int8` hold a checkpoint's numbers exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// IEEE 754 single.
    F32,
    /// IEEE 754 half.
    F16,
    /// The upper half of a single.
    Bf16,
    /// Symmetric 8-bit integers in blocks of [`BLOCK`] along `in`, one f32 scale a block.
    Int8,
}

impl Precision {
    /// What [`Matrix::bytes`] is for a matrix of this precision.
    pub fn bytes(self, rows: usize, cols: usize) -> u64 {
        let (rows, cols) = (rows as u64, cols as u64);
        match self {
            Self::F32 => 4 * rows * cols,
            Self::F16 | Self::Bf16 => 2 * rows * cols,
            Self::Int8 => Int8Rows::layout(cols as usize).1 as u64 * rows,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        })
    }
}

/// Rows of int8 blocks. A row is padding, its scales from the last block to the first, then its
/// integers, so that a kernel reads one stream and addresses both from one pointer.
#[derive(Clone)]
pub(crate) struct Int8Rows {
    lines: Vec<Line>,
    /// Bytes from one row to the next.
    stride: usize,
    /// Bytes from the start of a row to its integers.
    quants: usize,
}

/// Aligned so that no 16 integers lie on two cache lines.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl Int8Rows {
    /// Where a row's integers begin, and its length, in bytes.
    fn layout(cols: usize) -> (usize, usize) {
        let blocks = cols.div_ceil(BLOCK);
        let quants = (blocks * size_of::<f32>()).next_multiple_of(16);
        (quants, quants + blocks * BLOCK)
    }

    fn zeroed(rows: usize, cols: usize) -> Self {
        let (quants, stride) = Self::layout(cols);
        Self {
            lines: vec![Line([0; 64]); (stride * rows).div_ceil(64)],
            stride,
            quants,
        }
    }

    /// The first row's integers. Its scale of block b lies `4 * (b + 1)` bytes before.
    pub(crate) fn integers(&self) -> *const i8 {
        self.lines.as_ptr().cast::<i8>().wrapping_add(self.quants)
    }

    /// Bytes from one row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Bytes from the start of a row to its integers.
    pub(crate) fn first(&self) -> usize {
        self.quants
    }

    /// All rows, and padding behind the last.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `Line` is plain bytes without padding.
        unsafe {
            std::slice::from_raw_parts(self.lines.as_ptr().cast(), size_of_val(&self.lines[..]))
        }
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.bytes()[row * self.stride..][..self.stride]
    }

    fn row_mut(&mut self, row: usize) -> &mut [u8] {
        let len = size_of_val(&self.lines[..]);
        // SAFETY: as in `row`; every byte pattern is a `Line`.
        let bytes =
            unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast::<u8>(), len) };
        &mut bytes[row * self.stride..][..self.stride]
    }

    fn block(&self, row: usize, block: usize) -> (f32, &[u8]) {
        let row = self.row(row);
        let scale = &row[self.quants - (block + 1) * 4..][..4];
        let scale = f32::from_ne_bytes([scale[0], scale[1], scale[2], scale[3]]);
        (scale, &row[self.quants + block * BLOCK..][..BLOCK])
    }

    fn quantise_row(&mut self, row: usize, values: &[f32]) {
        let quants = self.quants;
        let row = self.row_mut(row);
        for (b, block) in values.chunks(BLOCK).enumerate() {
            let scale = block_scale(block);
            row[quants - (b + 1) * 4..][..4].copy_from_slice(&scale.to_ne_bytes());
            if scale == 0.0 {
                continue; // all zero already
            }
            let out = &mut row[quants + b * BLOCK..][..block.len()];
            for (q, w) in out.iter_mut().zip(block) {
                let rounded = (w / scale).round_ties_even().clamp(-127.0, 127.0);
                *q = (rounded as i8) as u8;
            }
        }
    }
}

/// `max|w| / 127`; NaN if a weight is not finite, so that damage shows in the logits.
fn block_scale(block: &[f32]) -> f32 {
    if block.iter().any(|w| !w.is_finite()) {
        return f32::NAN;
    }
    block.iter().fold(0.0f32, |max, w| max.max(w.abs())) / 127.0
}

#[derive(Clone)]
pub(crate) enum Weights {
    F32(Storage<f32>),
    F16(Words),
    Bf16(Words),
    Int8(Int8Rows),
}

impl Weights {
    /// Bits of a weight, scales left out.
    pub(crate) fn bits(&self) -> usize {
        match self {
            Self::F32(_) => 32,
            Self::F16(_) | Self::Bf16(_) => 16,
            Self::Int8(_) => 8,
        }
    }
}

/// Weights of a linear map, row-major `[rows = out, cols = in]`.
#[derive(Clone)]
pub struct Matrix {
    pub(crate) weights: Weights,
    rows: usize,
    cols: usize,
}

impl Matrix {
    /// From `rows * cols` singles.
    ///
    /// # Panics
    /// On another number of values, here and in the other constructors.
    pub fn from_f32(values: impl Into<Storage<f32>>, rows: usize, cols: usize) -> Self {
        let values = values.into();
        check(values.len(), rows, cols);
        Self::new(Weights::F32(values), rows, cols)
    }

    /// From the bits of `rows * cols` IEEE halves.
    pub fn from_f16(bits: impl Into<Words>, rows: usize, cols: usize) -> Self {
        let bits = bits.into();
        check(bits.len(), rows, cols);
        Self::new(Weights::F16(bits), rows, cols)
    }

    /// From the bits of `rows * cols` bf16 numbers.
    pub fn from_bf16(bits: impl Into<Words>, rows: usize, cols: usize) -> Self {
        let bits = bits.into();
        check(bits.len(), rows, cols);
        Self::new(Weights::Bf16(bits), rows, cols)
    }

    fn new(weights: Weights, rows: usize, cols: usize) -> Self {
        Self {
            weights,
            rows,
            cols,
        }
    }

    /// The same weights in [`Precision::Int8`]: `scale = max|w| / 127` over a block,
    /// `q = w / scale` rounded to the nearest integer, ties to even. The error of a weight is at
    /// most half a scale. A block with a weight that is not finite becomes NaN.
    pub fn quantise(&self) -> Self {
        if let Weights::Int8(_) = &self.weights {
            return self.clone();
        }
        let mut int8 = Int8Rows::zeroed(self.rows, self.cols);
        let mut values = vec![0.0; self.cols];
        for row in 0..self.rows {
            self.row_to_f32(row, &mut values);
            int8.quantise_row(row, &values);
        }
        Self::new(Weights::Int8(int8), self.rows, self.cols)
    }

    /// Outputs of the map.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs of the map.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// How the weights are held.
    pub fn precision(&self) -> Precision {
        match self.weights {
            Weights::F32(_) => Precision::F32,
            Weights::F16(_) => Precision::F16,
            Weights::Bf16(_) => Precision::Bf16,
            Weights::Int8(_) => Precision::Int8,
        }
    }

    /// Bytes that a pass over all weights reads.
    pub fn bytes(&self) -> usize {
        match &self.weights {
            Weights::F32(values) => size_of_val(&values[..]),
            Weights::F16(bits) | Weights::Bf16(bits) => size_of_val(&bits[..]),
            Weights::Int8(int8) => int8.stride * self.rows,
        }
    }

    /// One row's weights as the kernels see them: exact for all but `Int8`, where it is the
    /// integer times the scale, rounded to f32.
    ///
    /// # Panics
    /// If there is no such row or `out` is not `cols` long.
    pub fn row_to_f32(&self, row: usize, out: &mut [f32]) {
        let cols = self.cols;
        assert!(
            row < self.rows,
            "row {row} of a matrix of {} rows",
            self.rows
        );
        assert_eq!(out.len(), cols, "a row has {cols} weights");
        let range = row * cols..(row + 1) * cols;
        match &self.weights {
            Weights::F32(values) => out.copy_from_slice(&values[range]),
            Weights::F16(bits) => {
                for (o, &b) in out.iter_mut().zip(&bits[range]) {
                    *o = f16::from_bits(b).to_f32();
                }
            }
            Weights::Bf16(bits) => {
                for (o, &b) in out.iter_mut().zip(&bits[range]) {
                    *o = bf16::from_bits(b).to_f32();
                }
            }
            Weights::Int8(int8) => {
                for (b, out) in out.chunks_mut(BLOCK).enumerate() {
                    let (scale, quants) = int8.block(row, b);
                    for (o, &q) in out.iter_mut().zip(quants) {
                        *o = f32::from(q as i8) * scale;
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matrix")
            .field("rows", &self.rows)
            .field("cols", &self.cols)
            .field("precision", &self.precision())
            .finish()
    }
}

fn check(len: usize, rows: usize, cols: usize) {
    assert_eq!(
        Some(len),
        rows.checked_mul(cols),
        "a matrix of {rows} x {cols} from {len} values"
    );
}
