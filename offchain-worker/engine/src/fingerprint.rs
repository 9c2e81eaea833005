//! Integer fingerprints of hidden states: a few seeded random projections, quantised.
//!
//! Projection `j` of a state `h` is `round(4096 * sum_i s_ji * h_i / |h|)` with signs `s_ji`, so
//! for an unstructured state it is close to 4096 times a standard normal number, whatever the
//! model's width and scale. Two honest machines differ by a few quanta at most; a state computed in
//! lower precision or by another model differs by tens to thousands.
//!
//! Signs: bit `i mod 256` (least significant first) of
//! `BLAKE2b-256("chasqui/signs" || seed || j as u32 LE || (i / 256) as u32 LE)`; 1 means plus.

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
pub use chasqui_primitives::trace::FINGERPRINT_DIMS;

use crate::error::{EngineError, Result};

/// Fingerprint of one output token's hidden state.
pub type Fingerprint = [i16; FINGERPRINT_DIMS];

/// Quanta per standard deviation.
pub const QUANTA: f64 = 4_096.0;

/// Signed random projections of states of one width under one seed.
#[derive(Debug, Clone)]
pub struct Projector {
    /// One row of signs (1 or -1) a projection.
    signs: Vec<Vec<f32>>,
    width: usize,
}

impl Projector {
    /// `count` projections of states of `width` elements.
    pub fn new(seed: &[u8; 32], count: usize, width: usize) -> Self {
        let row = |projection: u32| {
            let mut signs = Vec::with_capacity(width.next_multiple_of(256));
            for block in 0..width.div_ceil(256) as u32 {
                let bits: [u8; 32] = Blake2b::<U32>::new()
                    .chain_update(b"chasqui/signs")
                    .chain_update(seed)
                    .chain_update(projection.to_le_bytes())
                    .chain_update(block.to_le_bytes())
                    .finalize()
                    .into();
                let sign = |byte: u8, bit: u32| if byte >> bit & 1 == 1 { 1.0 } else { -1.0 };
                signs.extend(
                    bits.iter()
                        .flat_map(|&byte| (0..8).map(move |bit| sign(byte, bit))),
                );
            }
            signs.truncate(width);
            signs
        };
        Self {
            signs: (0..count as u32).map(row).collect(),
            width,
        }
    }

    /// Quantised projections of `hidden`, saturating at the ends of `i16`; all zero for the zero
    /// state.
    ///
    /// # Errors
    /// `hidden` has another width or an element that is not finite.
    pub fn project(&self, hidden: &[f32]) -> Result<Vec<i16>> {
        if hidden.len() != self.width {
            return Err(EngineError::request(
                "hidden",
                format!("has {} elements, expected {}", hidden.len(), self.width),
            ));
        }
        if !hidden.iter().all(|x| x.is_finite()) {
            return Err(EngineError::Compute(
                "a hidden state is NaN or infinite: damaged weights or numeric overflow".into(),
            ));
        }
        let norm = hidden
            .iter()
            .map(|x| f64::from(*x) * f64::from(*x))
            .sum::<f64>()
            .sqrt();
        let scale = if norm > 0.0 { QUANTA / norm } else { 0.0 };
        // A float-to-integer cast saturates.
        let quantise = |signs: &Vec<f32>| {
            let sum: f64 = signs
                .iter()
                .zip(hidden)
                .map(|(s, x)| f64::from(*s * *x))
                .sum();
            (sum * scale).round() as i16
        };
        Ok(self.signs.iter().map(quantise).collect())
    }
}

/// Fingerprints of one request's tokens, all under its seed.
#[derive(Debug, Clone)]
pub struct Fingerprinter(Projector);

impl Fingerprinter {
    /// For states of `width` elements under `seed`.
    pub fn new(seed: &[u8; 32], width: usize) -> Self {
        Self(Projector::new(seed, FINGERPRINT_DIMS, width))
    }

    /// The fingerprint of `hidden`.
    ///
    /// # Errors
    /// As [`Projector::project`].
    pub fn fingerprint(&self, hidden: &[f32]) -> Result<Fingerprint> {
        let values = self.0.project(hidden)?;
        let mut fingerprint = [0; FINGERPRINT_DIMS];
        fingerprint.copy_from_slice(&values);
        Ok(fingerprint)
    }
}

/// Sum of absolute differences of two fingerprints.
pub fn distance(a: &Fingerprint, b: &Fingerprint) -> u32 {
    a.iter()
        .zip(b)
        .map(|(x, y)| u32::from(x.abs_diff(*y)))
        .sum()
}
