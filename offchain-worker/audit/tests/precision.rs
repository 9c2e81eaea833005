//! Cheats that save work and change little: the same model in lower precision, a smaller model with stolen
//! fingerprints. Both on the shipped checkpoint.

mod common;

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};
use chasqui_audit::{AuditStatistics, HardReason, Verdict};
use chasqui_engine::{fingerprint::Fingerprinter, model::ParameterSource, Engine, Llama};
use chasqui_primitives::{sampling::Sampling, trace::TraceLeaf};
use common::{honest, is_hard, sampling, tales, tales_dir, tales_small};

/// A model's parameters, each matrix rounded by `round` row for row.
struct Rounded<F> {
    tensors: HashMap<String, Vec<f32>>,
    round: F,
    device: Device,
}

impl<F: Fn(&mut [f32])> ParameterSource for Rounded<F> {
    type Error = String;

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Tensor<2>, String> {
        let mut values = self.tensors.remove(name).ok_or(name)?;
        values.chunks_mut(shape[1]).for_each(&self.round);
        Ok(Tensor::from_data(
            TensorData::new(values, shape),
            &self.device,
        ))
    }

    fn vector(&mut self, name: &str, len: usize) -> Result<Tensor<1>, String> {
        let values = self.tensors.remove(name).ok_or(name)?;
        Ok(Tensor::from_data(
            TensorData::new(values, [len]),
            &self.device,
        ))
    }
}

/// The shipped checkpoint with every matrix rounded.
fn rounded(round: impl Fn(&mut [f32])) -> Engine {
    let model = Llama::from_dir(&tales_dir(), &Device::flex()).unwrap();
    let named = model.named_parameters().unwrap();
    let mut source = Rounded {
        tensors: named
            .into_iter()
            .map(|(name, _, values)| (name, values))
            .collect(),
        round,
        device: model.device(),
    };
    Engine::new(Llama::from_source(model.config(), &mut source).unwrap())
}

fn to_bf16(row: &mut [f32]) {
    for value in row {
        *value = f32::from_bits((value.to_bits() + 0x8000) & 0xffff_0000);
    }
}

fn to_f16(row: &mut [f32]) {
    for value in row {
        *value = f32::from_bits((value.to_bits() + 0x1000) & 0xffff_e000);
    }
}

fn to_int8(row: &mut [f32]) {
    let scale = row.iter().fold(0f32, |most, value| most.max(value.abs())) / 127.0;
    for value in row {
        *value = (*value / scale).round() * scale;
    }
}

fn prompt(engine: &Engine) -> Vec<u32> {
    engine
        .tokenizer()
        .unwrap()
        .encode("In the village of", true)
        .unwrap()
}

fn mean_fingerprint(statistics: &AuditStatistics) -> u64 {
    statistics.fingerprint_sum / u64::from(statistics.tokens)
}

// GIVEN the shipped checkpoint, and an executor that runs it with weights in f16, bf16 or int8
// WHEN its outputs, honest but for the precision, are replayed
// THEN every one of them is hard, by the fingerprint where no token gives it away
#[test]
fn lower_precision_is_condemned() {
    let engine = tales();
    let prompt = prompt(&engine);
    let cheats: [(&str, fn(&mut [f32])); 3] =
        [("f16", to_f16), ("bf16", to_bf16), ("int8", to_int8)];
    for (name, round) in cheats {
        let cheap = rounded(round);
        for seed in 0..4 {
            for temperature in [0, 800] {
                let sampling = Sampling {
                    ignore_eos: true,
                    ..sampling(temperature, seed, 48)
                };
                let replay = honest(&cheap, &prompt, sampling).replay(&engine);
                println!(
                    "{name} t={temperature} seed={seed}: {:?}",
                    replay.statistics
                );
                assert!(
                    is_hard(&replay),
                    "{name}, seed {seed}: {:?}",
                    replay.statistics
                );
                assert!(mean_fingerprint(&replay.statistics) > 8, "{name}");
            }
        }
    }
}

// GIVEN an executor that samples from the small model and computes the large one's fingerprints for those tokens
//       by a prefill (which is cheaper than decoding with it)
// WHEN its outputs are replayed
// THEN every fingerprint is right and the tokens condemn it
#[test]
fn a_small_model_with_stolen_fingerprints_is_condemned() {
    let (engine, small) = (tales(), tales_small());
    let prompt = prompt(&engine);
    for seed in 0..6 {
        for temperature in [0, 800] {
            let sampling = Sampling {
                ignore_eos: true,
                ..sampling(temperature, seed, 48)
            };
            let cheap = honest(&small, &prompt, sampling);
            assert!(is_hard(&cheap.replay(&engine)));

            let seed_of = chasqui_audit::fingerprint_seed(&cheap.commitment.prompt_hash);
            let fingerprinter = Fingerprinter::new(&seed_of, engine.config().hidden_size);
            let mut stolen = Vec::new();
            engine
                .replay_with(&prompt, &cheap.output_ids, |at| {
                    let fingerprint = fingerprinter.fingerprint(at.hidden)?;
                    stolen.push(TraceLeaf {
                        token: at.token,
                        fingerprint,
                    });
                    Ok(())
                })
                .unwrap();
            let replay = cheap.edited(|trace| *trace = stolen).replay(&engine);
            assert!(mean_fingerprint(&replay.statistics) == 0);
            assert_eq!(
                replay.verdict,
                Verdict::Hard(HardReason::Margin),
                "seed {seed}: {:?}",
                replay.statistics
            );
        }
    }
}
