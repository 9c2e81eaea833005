//! The largest values of each chunk, by position, in two bits: a sign, and one of two levels.
//!
//! A chunk of the encoding: the lower and the higher level (f32), the positions in ascending order, then the values (bit
//! 0: negative, bit 1: the higher level), all packed into whole bytes.

use super::bits::{Packer, Unpacker};

/// Bytes of the two levels.
const LEVELS: usize = 8;
/// Bits of a value.
const VALUE_BITS: usize = 2;
/// Rounds in which the levels are fitted.
const FITS: usize = 4;

/// How chunks are encoded.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    chunk: usize,
    keep: usize,
    /// Bits of a position.
    position: usize,
}

impl Shape {
    /// `chunk` is at least 2 and `keep` at least 1 and at most `chunk`.
    pub(super) fn new(chunk: u32, keep: u32) -> Self {
        Self {
            chunk: chunk as usize,
            keep: keep as usize,
            position: (u32::BITS - (chunk - 1).leading_zeros()) as usize,
        }
    }

    /// Values kept of a chunk of `len` values: the last one is shorter.
    fn kept(&self, len: usize) -> usize {
        (self.keep * len).div_ceil(self.chunk)
    }

    /// Bytes of a chunk of `len` values.
    fn bytes(&self, len: usize) -> usize {
        LEVELS + (self.kept(len) * (self.position + VALUE_BITS)).div_ceil(8)
    }

    pub(super) fn encoded_len(&self, len: usize) -> u64 {
        let (whole, rest) = (len / self.chunk, len % self.chunk);
        let last = if rest > 0 { self.bytes(rest) } else { 0 };
        (whole * self.bytes(self.chunk) + last) as u64
    }

    /// Encodes `total`; what is encoded is taken off `residual`, which equals `total` before.
    pub(super) fn encode(&self, total: &[f32], residual: &mut [f32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_len(total.len()) as usize);
        for (values, left) in total
            .chunks(self.chunk)
            .zip(residual.chunks_mut(self.chunk))
        {
            let kept = largest(values, self.kept(values.len()));
            let levels = Levels::fit(kept.iter().map(|&at| values[at].abs()));
            bytes.extend_from_slice(&levels.low.to_le_bytes());
            bytes.extend_from_slice(&levels.high.to_le_bytes());
            let mut packer = Packer::default();
            for &at in &kept {
                packer.push(at as u32, self.position as u32);
            }
            for &at in &kept {
                let bits = levels.bits(values[at]);
                packer.push(bits, VALUE_BITS as u32);
                left[at] -= levels.value(bits);
            }
            bytes.extend(packer.finish());
        }
        bytes
    }

    /// `bytes` have the encoding's length for `len` values.
    pub(super) fn decode(&self, bytes: &[u8], len: usize) -> Result<Vec<f32>, &'static str> {
        let mut decoded = vec![0f32; len];
        let mut rest = bytes;
        for values in decoded.chunks_mut(self.chunk) {
            let (part, later) = rest
                .split_at_checked(self.bytes(values.len()))
                .ok_or("a chunk is cut")?;
            rest = later;
            self.decode_chunk(part, values)?;
        }
        Ok(decoded)
    }

    fn decode_chunk(&self, part: &[u8], values: &mut [f32]) -> Result<(), &'static str> {
        let (levels, packed) = part.split_first_chunk::<LEVELS>().ok_or("a chunk is cut")?;
        let levels = Levels::from_bytes(levels)?;
        let mut reader = Unpacker::new(packed);
        let kept: Vec<usize> = (0..self.kept(values.len()))
            .map(|_| reader.next(self.position as u32) as usize)
            .collect();
        if !kept.is_sorted_by(|a, b| a < b) || kept.last().is_some_and(|at| *at >= values.len()) {
            return Err("positions are out of order or range");
        }
        for at in kept {
            values[at] = levels.value(reader.next(VALUE_BITS as u32));
        }
        match reader.ends_in_zeros() {
            true => Ok(()),
            false => Err("bits are set behind the last value of a chunk"),
        }
    }
}

/// Positions of the `keep` largest magnitudes, ascending; of equal ones the earlier.
fn largest(values: &[f32], keep: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let by_size = |a: &usize, b: &usize| {
        let (x, y) = (values[*a].abs(), values[*b].abs());
        y.total_cmp(&x).then(a.cmp(b))
    };
    if keep < order.len() {
        order.select_nth_unstable_by(keep, by_size);
        order.truncate(keep);
    }
    order.sort_unstable();
    order
}

/// The two magnitudes that kept values are rounded to.
#[derive(Clone, Copy)]
struct Levels {
    low: f32,
    high: f32,
}

impl Levels {
    /// Levels with a small squared error for `magnitudes`: the means of those nearer to each, a few times over. Sums in
    /// f64, in order.
    fn fit(magnitudes: impl Iterator<Item = f32> + Clone) -> Self {
        let (least, most) = magnitudes
            .clone()
            .fold((f32::INFINITY, 0f32), |(least, most), x| {
                (least.min(x), most.max(x))
            });
        let mut levels = Self {
            low: least,
            high: most,
        };
        for _ in 0..FITS {
            let (mut low, mut high) = ((0f64, 0f64), (0f64, 0f64));
            for x in magnitudes.clone() {
                let group = if levels.is_high(x) {
                    &mut high
                } else {
                    &mut low
                };
                group.0 += f64::from(x);
                group.1 += 1.0;
            }
            if low.1 > 0.0 {
                levels.low = (low.0 / low.1) as f32;
            }
            if high.1 > 0.0 {
                levels.high = (high.0 / high.1) as f32;
            }
        }
        levels
    }

    fn from_bytes(bytes: &[u8; LEVELS]) -> Result<Self, &'static str> {
        let [a, b, c, d, e, f, g, h] = *bytes;
        let levels = Self {
            low: f32::from_le_bytes([a, b, c, d]),
            high: f32::from_le_bytes([e, f, g, h]),
        };
        let fits = levels.low.is_sign_positive() && levels.low <= levels.high;
        match fits && levels.high.is_finite() {
            true => Ok(levels),
            false => Err("levels are not finite, negative or out of order"),
        }
    }

    fn is_high(&self, magnitude: f32) -> bool {
        // In f64 the sum of two floats cannot overflow.
        2.0 * f64::from(magnitude) > f64::from(self.low) + f64::from(self.high)
    }

    fn bits(&self, value: f32) -> u32 {
        u32::from(value < 0.0) | u32::from(self.is_high(value.abs())) << 1
    }

    fn value(&self, bits: u32) -> f32 {
        let level = if bits & 2 == 0 { self.low } else { self.high };
        if bits & 1 == 0 {
            level
        } else {
            -level
        }
    }
}
