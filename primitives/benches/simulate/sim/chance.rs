//! Chance that is the same on every machine: SplitMix64, and only such functions of it as IEEE arithmetic fixes.

use sp_core::H256;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Chance(u64);

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Chance {
    /// The stream that these numbers name: another for each of them.
    pub fn of(names: &[u64]) -> Self {
        Self(names.iter().fold(0x243f_6a88_85a3_08d3, |state, name| {
            mix(state ^ mix(name.wrapping_add(0x9e37_79b9_7f4a_7c15)))
        }))
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Uniform in `0..1`.
    pub fn real(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `from..to`.
    pub fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.real()
    }

    /// Uniform in `0..limit`; 0 of nothing.
    pub fn below(&mut self, limit: u32) -> u32 {
        (self.real() * f64::from(limit)) as u32
    }

    pub fn happens(&mut self, probability: f64) -> bool {
        self.real() < probability
    }

    /// About normal, with mean 0 and deviation 1: never further than 6.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.real()).sum::<f64>() - 6.0
    }

    /// Lognormal with median 1.
    pub fn lognormal(&mut self, deviation: f64) -> f64 {
        let mut power = 1.0 + deviation * self.normal() / 1_024.0;
        for _ in 0..10 {
            power *= power;
        }
        power
    }

    /// Pareto with least value 1 and exponent 4/3: a mean of 4, no variance.
    pub fn pareto(&mut self) -> f64 {
        let root = (1.0 - self.real()).sqrt();
        1.0 / (root * root.sqrt())
    }

    pub fn hash(&mut self) -> H256 {
        let mut bytes = [0u8; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.word().to_le_bytes());
        }
        H256(bytes)
    }
}
