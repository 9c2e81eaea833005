//! Pseudo-gradients as bytes.
//!
//! A codec and a number of parameters fix the length of the encoding, so a receiver knows it before it allocates anything,
//! and every byte is checked: what does not decode was not made by the codec. Arithmetic is plain f32 in a fixed order
//! (f64 where it says so), so encoder, receivers and auditors get the same bits.
//!
//! | codec | bytes of `n` parameters |
//! |---|---|
//! | `F32` | `4 n` |
//! | `Int8` | a scale (f32) and a signed byte a value, block by block: `n + 4 ceil(n / block)` |
//! | `Sparse` | chunk by chunk the `keep` largest: two levels (f32), packed positions, packed 2-bit values |

mod bits;
mod int8;
mod sparse;

use chasqui_primitives::training::Codec;

use crate::error::{Result, TrainingError};

/// Most parameters of a model: 2^36.
const MAX_PARAMETERS: usize = 1 << 36;

/// A codec for vectors of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coder {
    codec: Codec,
    len: usize,
}

impl Coder {
    /// `codec` for vectors of `len` values.
    ///
    /// # Errors
    /// A setting of the codec is out of range, or there is nothing to encode.
    pub fn new(codec: Codec, len: usize) -> Result<Self> {
        let refuse = |reason: String| Err(TrainingError::setting("codec", reason));
        if len == 0 || len > MAX_PARAMETERS {
            return refuse(format!(
                "is for {len} values, must be 1 to {MAX_PARAMETERS}"
            ));
        }
        match codec {
            Codec::F32 => {}
            Codec::Int8 { block } => {
                if block == 0 {
                    return refuse("has blocks of 0 values".into());
                }
            }
            Codec::Sparse {
                chunk,
                keep,
                decay_ppm,
            } => {
                if !(2..=1 << 16).contains(&chunk) || keep == 0 || keep > chunk {
                    return refuse(format!(
                        "keeps {keep} of chunks of {chunk}; chunks have 2 to 65536 values"
                    ));
                }
                if decay_ppm > 1_000_000 {
                    return refuse(format!("has a decay of {decay_ppm} ppm, above 1000000"));
                }
            }
        }
        Ok(Self { codec, len })
    }

    /// Values of a vector.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: there is at least one value.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of every encoding.
    pub fn encoded_len(&self) -> u64 {
        match self.codec {
            Codec::F32 => 4 * self.len as u64,
            Codec::Int8 { block } => int8::encoded_len(self.len, block as usize),
            Codec::Sparse { chunk, keep, .. } => {
                sparse::Shape::new(chunk, keep).encoded_len(self.len)
            }
        }
    }

    /// Values of the residual: what the encoding left out and the next one makes up for. Only `Sparse` has one.
    pub fn residual_len(&self) -> usize {
        match self.codec {
            Codec::F32 | Codec::Int8 { .. } => 0,
            Codec::Sparse { .. } => self.len,
        }
    }

    /// Encodes `input`, and replaces `residual` by what this encoding leaves out.
    ///
    /// With `a = decay * residual + input` (rounded to f32 after each operation), the new residual is
    /// `a - decoded`: nothing is lost but the decay.
    ///
    /// # Errors
    /// A vector of another length, or a value that is not finite; `residual` is unchanged then.
    pub fn encode(&self, input: &[f32], residual: &mut Vec<f32>) -> Result<Vec<u8>> {
        if input.len() != self.len || residual.len() != self.residual_len() {
            return Err(TrainingError::Gradient(format!(
                "{} values and a residual of {}, expected {} and {}",
                input.len(),
                residual.len(),
                self.len,
                self.residual_len()
            )));
        }
        if let Some(position) = input.iter().chain(&*residual).position(|x| !x.is_finite()) {
            return Err(TrainingError::Gradient(format!(
                "value {position} is not finite: the run has diverged"
            )));
        }
        match self.codec {
            Codec::F32 => Ok(input.iter().flat_map(|x| x.to_le_bytes()).collect()),
            Codec::Int8 { block } => Ok(int8::encode(input, block as usize)),
            Codec::Sparse {
                chunk,
                keep,
                decay_ppm,
            } => {
                let decay = (f64::from(decay_ppm) / 1e6) as f32;
                let total: Vec<f32> = input
                    .iter()
                    .zip(&*residual)
                    .map(|(x, r)| decay * r + x)
                    .collect();
                if total.iter().any(|x| !x.is_finite()) {
                    return Err(TrainingError::Gradient(
                        "input and residual together are not finite".into(),
                    ));
                }
                let shape = sparse::Shape::new(chunk, keep);
                *residual = total.clone();
                Ok(shape.encode(&total, residual))
            }
        }
    }

    /// The vector that `bytes` stand for.
    ///
    /// # Errors
    /// They are not what the codec makes: another length, a number that is not finite, positions out of order or range,
    /// bits set where none belong. Nothing is allocated before the length is right.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<f32>> {
        if bytes.len() as u64 != self.encoded_len() {
            return Err(TrainingError::Gradient(format!(
                "has {} bytes, {} values take {}",
                bytes.len(),
                self.len,
                self.encoded_len()
            )));
        }
        let decoded = match self.codec {
            Codec::F32 => floats(bytes)
                .collect::<Option<Vec<f32>>>()
                .ok_or("a value is not finite"),
            Codec::Int8 { block } => int8::decode(bytes, self.len, block as usize),
            Codec::Sparse { chunk, keep, .. } => {
                sparse::Shape::new(chunk, keep).decode(bytes, self.len)
            }
        };
        decoded.map_err(|reason| TrainingError::Gradient(reason.into()))
    }
}

/// Little-endian floats; `None` for each that is not finite.
fn floats(bytes: &[u8]) -> impl Iterator<Item = Option<f32>> + '_ {
    let (words, _) = bytes.as_chunks::<4>();
    words
        .iter()
        .map(|word| Some(f32::from_le_bytes(*word)).filter(|x| x.is_finite()))
}
