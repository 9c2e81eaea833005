//! Which vector instructions the kernels use. Every level computes the same bits; it only decides
//! how fast.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::{EngineError, Result};

/// The environment variable that forces a level: `avx512`, `avx2` or `portable`.
pub const SIMD_VARIABLE: &str = "CHASQUI_SIMD";

/// A set of vector instructions, best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SimdLevel {
    /// No assumption beyond the target's baseline. Fast where the baseline has a fused
    /// multiply-add (aarch64), slow on x86-64, where each one is a call.
    Portable = 1,
    /// AVX2 with FMA and F16C.
    Avx2 = 2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512 = 3,
}

/// The best level of this processor as a number; 0 until it has been asked for.
static BEST: AtomicU8 = AtomicU8::new(0);

impl SimdLevel {
    /// All levels, whether this processor has them or not.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// The best level that this processor has.
    pub fn detect() -> Self {
        match BEST.load(Ordering::Relaxed) {
            1 => Self::Portable,
            2 => Self::Avx2,
            3 => Self::Avx512,
            _ => {
                let best = Self::probe();
                BEST.store(best as u8, Ordering::Relaxed);
                best
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn probe() -> Self {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        let avx512 = avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        match (avx512, avx2) {
            (true, _) => Self::Avx512,
            (false, true) => Self::Avx2,
            (false, false) => Self::Portable,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn probe() -> Self {
        Self::Portable
    }

    /// The levels that this processor has, slowest first.
    pub fn supported() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|level| level.is_supported())
    }

    /// Whether this processor has the level.
    pub fn is_supported(self) -> bool {
        self <= Self::detect()
    }

    /// The level itself if this processor has it.
    ///
    /// # Errors
    /// It does not; the message names those that it has.
    pub fn checked(self) -> Result<Self> {
        if self.is_supported() {
            return Ok(self);
        }
        Err(EngineError::Device {
            name: self.to_string(),
            reason: format!(
                "this processor lacks it; it has {}",
                names(Self::supported())
            ),
        })
    }

    /// What [`SIMD_VARIABLE`] asks for, or [`Self::detect`] where it is unset or empty.
    ///
    /// # Errors
    /// The variable names no level, or one that this processor lacks.
    pub fn from_env() -> Result<Self> {
        match std::env::var_os(SIMD_VARIABLE) {
            Some(name) if !name.is_empty() => name.to_string_lossy().parse::<Self>()?.checked(),
            _ => Ok(Self::detect()),
        }
    }

    /// Ends the program's turn rather than execute instructions that are not there. Kernels call
    /// it before they enter code compiled for a level.
    #[inline]
    pub(crate) fn assert_supported(self) {
        assert!(
            self.is_supported(),
            "SIMD level {self} on a processor without it; choose it by SimdLevel::checked"
        );
    }
}

impl fmt::Display for SimdLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        })
    }
}

impl FromStr for SimdLevel {
    type Err = EngineError;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|level| level.to_string() == name)
            .ok_or_else(|| EngineError::Device {
                name: name.to_string(),
                reason: format!(
                    "{SIMD_VARIABLE} and the option `simd` know {}; leave them out for the best one",
                    names(Self::ALL.into_iter())
                ),
            })
    }
}

fn names(levels: impl Iterator<Item = SimdLevel>) -> String {
    let names: Vec<String> = levels.map(|level| level.to_string()).collect();
    names.join(", ")
}
