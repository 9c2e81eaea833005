//! Whose bits agree.
//!
//! On burn's CPU backend the bits of a training step depend neither on the number of threads nor on the process nor on
//! chance, but they do depend on the program and the processor: its vector instructions and caches choose the order of
//! sums. A [`ReplayClass`] names all that, and a probe, a few training steps whose bits are hashed, tells apart what
//! the names do not. Machines of one class compare states exactly. Anything else (CUDA chooses kernels by timing and adds
//! atomically) has no class, and is compared by distance.

use std::fmt::Write;

use burn::tensor::Device;
use chasqui_primitives::training::replay_class;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

use crate::error::Result;
use crate::optim::{AdamWConfig, CosineSchedule};
use crate::recipe::Size;
use crate::rng::CounterRng;
use crate::train::{TrainConfig, Trainer};

/// The backend and its version, as `Cargo.lock` fixes it.
const BACKEND: &str = "burn-flex 0.22.1, gemm 0.19.0";
/// Raised when this crate's own arithmetic changes.
const ARITHMETIC: u32 = 1;

/// Machines whose training steps agree to the bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayClass {
    description: String,
}

impl ReplayClass {
    /// The class of this program on `device`, `None` where repeated steps may differ. Takes some milliseconds.
    ///
    /// # Errors
    /// The probe cannot be run.
    pub fn of(device: &Device) -> Result<Option<Self>> {
        if *device != Device::flex() {
            return Ok(None);
        }
        let mut description = format!(
            "{BACKEND}; chasqui-training {ARITHMETIC}; {} {}",
            std::env::consts::ARCH,
            std::env::consts::OS
        );
        // Writing to a string cannot fail.
        let _ = write!(description, "; {}", vector_instructions());
        for cache in gemm_common::cache::CACHE_INFO.iter() {
            let _ = write!(
                description,
                "; cache {} {} {}",
                cache.cache_bytes, cache.associativity, cache.cache_line_bytes
            );
        }
        let _ = write!(description, "; probe {:x}", probe(device)?);
        Ok(Some(Self { description }))
    }

    /// In words.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What members state when they join.
    pub fn hash(&self) -> H256 {
        replay_class(&self.description)
    }
}

/// The instruction sets that backends choose by.
fn vector_instructions() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        let found = [
            ("sse4.2", is_x86_feature_detected!("sse4.2")),
            ("avx2", is_x86_feature_detected!("avx2")),
            ("fma", is_x86_feature_detected!("fma")),
            ("avx512f", is_x86_feature_detected!("avx512f")),
            ("avx512vl", is_x86_feature_detected!("avx512vl")),
            ("avx512bw", is_x86_feature_detected!("avx512bw")),
            ("avx512dq", is_x86_feature_detected!("avx512dq")),
        ];
        let names: Vec<&str> = found
            .iter()
            .filter(|(_, there)| *there)
            .map(|(name, _)| *name)
            .collect();
        names.join(" ")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        "baseline".into()
    }
}

/// Hash of the weights and moments of a small model after a few steps on made-up tokens.
fn probe(device: &Device) -> Result<H256> {
    const VOCABULARY: usize = 509;
    const SEQUENCE: usize = 65;
    let size = Size {
        hidden: 64,
        layers: 1,
        heads: 4,
        kv_heads: 2,
        // Longer than a block of any cache.
        intermediate: 1_536,
    };
    let config = TrainConfig {
        seed: 1,
        micro_batch: 2,
        threads: 1,
        optimizer: AdamWConfig::default(),
        schedule: CosineSchedule {
            peak: 1e-2,
            warmup: 1,
            steps: 4,
            floor: 0.1,
        },
        max_gradient_norm: 1.0,
    };
    let mut trainer = Trainer::new(&size.config(VOCABULARY), config, device.clone())?;
    let mut rng = CounterRng::new(1, 0x5052_4f42, 0);
    for _ in 0..3 {
        let batch: Vec<Vec<u32>> = (0..3)
            .map(|_| {
                (0..SEQUENCE)
                    .map(|_| rng.below(VOCABULARY) as u32)
                    .collect()
            })
            .collect();
        trainer.step(&batch)?;
    }
    let (params, optimizer) = trainer.into_state();
    let (first, second) = optimizer.moments();
    let bytes: Vec<u8> = [&params[..], first, second]
        .concat()
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    Ok(H256(blake2_256(&bytes)))
}
