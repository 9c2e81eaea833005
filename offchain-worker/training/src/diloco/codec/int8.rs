//! Eight bits a value, one scale a block: value = byte times scale, scale = largest magnitude of the block / 127.

/// Bytes of a scale.
const SCALE: usize = 4;
/// Largest magnitude of a byte; -128 is never made.
const MOST: f32 = 127.0;

pub(super) fn encoded_len(len: usize, block: usize) -> u64 {
    len as u64 + (SCALE * len.div_ceil(block)) as u64
}

pub(super) fn encode(input: &[f32], block: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded_len(input.len(), block) as usize);
    for values in input.chunks(block) {
        let largest = values.iter().fold(0f32, |most, x| most.max(x.abs()));
        let scale = largest / MOST;
        // Below the normal numbers a quotient could be infinite; nothing is lost by zero.
        let scale = if scale.is_normal() { scale } else { 0.0 };
        bytes.extend_from_slice(&scale.to_le_bytes());
        bytes.extend(values.iter().map(|x| {
            let quotient = if scale > 0.0 { x / scale } else { 0.0 };
            // Half away from zero; the quotient may exceed 127 by a rounding.
            (quotient.round().clamp(-MOST, MOST) as i8).cast_unsigned()
        }));
    }
    bytes
}

/// `bytes` have the encoding's length.
pub(super) fn decode(bytes: &[u8], len: usize, block: usize) -> Result<Vec<f32>, &'static str> {
    let mut values = Vec::with_capacity(len);
    for part in bytes.chunks(SCALE + block) {
        let Some((scale, quotients)) = part.split_first_chunk::<SCALE>() else {
            return Err("a block is cut");
        };
        let scale = f32::from_le_bytes(*scale);
        // Not the negative zero.
        let zero = scale.to_bits() == 0;
        let usual = scale.is_normal() && scale > 0.0;
        if !zero && !usual {
            return Err("a scale is neither 0 nor a normal positive number");
        }
        if !(scale * MOST).is_finite() {
            return Err("a scale is too large");
        }
        for &byte in quotients {
            let quotient = byte.cast_signed();
            if quotient == i8::MIN || (scale == 0.0 && quotient != 0) {
                return Err("a value that its block's scale does not allow");
            }
            values.push(f32::from(quotient) * scale);
        }
    }
    Ok(values)
}
