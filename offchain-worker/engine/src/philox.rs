//! Philox4x32-10, a counter-based generator (Salmon et al., "Parallel random numbers: as easy as
//! 1, 2, 3", SC 2011).
//!
//! It has no state: block `c` under key `k` is a function of the two, so the noise of a token is
//! known without the noise of the tokens before it. Sampling, weight initialisation and tests draw
//! from it; none of them needs cryptographic strength.

pub(crate) const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
pub(crate) const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
pub(crate) const ROUNDS: usize = 10;

/// The 128-bit block at `counter` under `key`.
#[inline]
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..ROUNDS {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
    }
    counter
}

/// A 64-bit key as Philox takes it: low word first.
#[inline]
pub fn key_from_u64(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

/// A uniform number strictly between 0 and 1 out of two words: 52 bits, centred in their cell, so
/// that its logarithm and the logarithm of its complement are finite.
#[inline]
pub fn open_unit(low: u32, high: u32) -> f64 {
    let bits = ((u64::from(high) << 32) | u64::from(low)) >> 12;
    (bits as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
}

/// Two independent standard normal numbers at `index` of the stream named by `key` (Box–Muller).
pub fn normal_pair(key: [u32; 2], index: u64) -> [f64; 2] {
    let block = philox4x32([index as u32, (index >> 32) as u32, 0, 0], key);
    let radius = (-2.0 * open_unit(block[0], block[1]).ln()).sqrt();
    let angle = std::f64::consts::TAU * open_unit(block[2], block[3]);
    [radius * angle.cos(), radius * angle.sin()]
}

#[cfg(test)]
mod tests {
    use super::*;

    // GIVEN the known-answer vectors that the authors publish with Random123
    // WHEN the blocks are computed
    // THEN they agree
    #[test]
    fn known_answers() {
        assert_eq!(
            philox4x32([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox4x32([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    // GIVEN the extreme words
    // WHEN they become a uniform number
    // THEN it lies strictly inside the unit interval
    #[test]
    fn unit_interval_is_open() {
        assert!(open_unit(0, 0) > 0.0);
        assert!(open_unit(u32::MAX, u32::MAX) < 1.0);
    }
}
