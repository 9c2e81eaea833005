//! On the CPU the bits of a result depend on the sequence and the weights alone.

mod common;

use std::path::Path;
use std::sync::Arc;

use chasqui_engine::cpu::{Precision, SimdLevel};
use chasqui_engine::{
    BurnDecoder, CpuDecoder, CpuOptions, Decoder, Engine, LlamaConfig, LoadOptions, Pass,
};
use common::{golden, golden_names, tiny_config, variants};
use proptest::prelude::*;

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn ids(config: &LlamaConfig, seed: u32, count: usize) -> Vec<u32> {
    let vocab = config.vocab_size as u32;
    (0..count as u32)
        .map(|index| (seed + index).wrapping_mul(2_654_435_761) / 97 % vocab)
        .collect()
}

fn cpu() -> burn::tensor::Device {
    chasqui_engine::device::open("cpu").unwrap()
}

fn decoder(config: &LlamaConfig, options: CpuOptions) -> CpuDecoder {
    CpuDecoder::from_modules(&config.init(9, &cpu()), &options).unwrap()
}

/// Hidden states of `ids`, fed in pieces of these lengths (over and over).
fn states(decoder: &dyn Decoder, ids: &[u32], lengths: &[usize]) -> Vec<f32> {
    let mut sequence = decoder.sequence(ids.len()).unwrap();
    let mut states = Vec::new();
    let mut rest = ids;
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*length).min(rest.len()));
        let pass = Pass {
            sequence: &mut sequence,
            ids: now,
            from: 0,
        };
        states.extend(decoder.forward(&mut [pass]).unwrap());
        rest = later;
    }
    states
}

// GIVEN the golden checkpoints
// WHEN they are scored by every instruction set that this machine has, by one, two and three
//      threads, in their stored precision and quantised
// THEN logits and hidden states have the same bits
#[test]
fn threads_and_instructions_do_not_show() {
    for name in &golden_names() {
        for precision in [None, Some(Precision::Int8)] {
            let score = |simd, threads| {
                let options = LoadOptions {
                    device: "cpu".into(),
                    threads: Some(threads),
                    precision,
                    simd: Some(simd),
                };
                let engine = Engine::load_with(&golden(name), &options).unwrap();
                let ids = ids(engine.config(), 5, 40);
                let scores = engine.score(&ids).unwrap();
                (bits(&scores.logits), bits(&scores.hidden))
            };
            let expected = score(SimdLevel::Portable, 1);
            for simd in SimdLevel::supported() {
                for threads in [1, 2, 3] {
                    let found = score(simd, threads);
                    assert!(
                        found == expected,
                        "{name}, {precision:?}, {simd}, {threads} threads"
                    );
                }
            }
        }
    }
}

// GIVEN every variant of the family
// WHEN a sequence is fed at once, token by token, and in uneven pieces
// THEN every hidden state and logit has the same bits
#[test]
fn prefill_and_decoding_agree() {
    for config in variants() {
        let decoder = decoder(&config, CpuOptions::default());
        let ids = ids(&config, 1, 60);
        let whole = states(&decoder, &ids, &[60]);
        for lengths in [&[1][..], &[7], &[1, 31, 2], &[33, 1]] {
            let pieces = states(&decoder, &ids, lengths);
            assert_eq!(bits(&pieces), bits(&whole), "{lengths:?}, {config:?}");
        }
        let width = config.hidden_size;
        let at_once = decoder.logits(&whole).unwrap();
        let one_by_one = whole
            .chunks(width)
            .flat_map(|row| decoder.logits(row).unwrap());
        assert_eq!(bits(&at_once), bits(&one_by_one.collect::<Vec<_>>()));
    }
}

/// A context long enough for every limit on what is computed together.
fn long_config() -> LlamaConfig {
    LlamaConfig {
        max_position_embeddings: 1_300,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        head_dim: 20,
        ..tiny_config()
    }
}

// GIVEN a sequence longer than what is computed together
// WHEN it is fed at once, and in pieces
// THEN the bits are the same, and the states are burn's within rounding
#[test]
fn long_sequences_agree() {
    let config = long_config();
    let ids = ids(&config, 3, 1_300);
    let decoder = decoder(&config, CpuOptions::default());
    let whole = states(&decoder, &ids, &[1_300]);
    assert!(bits(&states(&decoder, &ids, &[1])) == bits(&whole));
    assert!(bits(&states(&decoder, &ids, &[511, 2, 300])) == bits(&whole));
    let reference = BurnDecoder::new(config.init(9, &cpu()));
    let expected = states(&reference, &ids, &[1_300]);
    for (ours, theirs) in whole.iter().zip(expected) {
        assert!((ours - theirs).abs() < 2e-4, "{ours} and {theirs}");
    }
}

// GIVEN sequences of several lengths
// WHEN they join and leave a batch, with prefills, single tokens and nothing side by side
// THEN each has the bits that it has alone
#[test]
fn neighbours_do_not_show() {
    for config in variants().into_iter().chain([long_config()]) {
        let decoder = decoder(&config, CpuOptions::default());
        let sequences: Vec<Vec<u32>> = [60, 3, 17, 1, 44]
            .into_iter()
            .enumerate()
            .map(|(seed, count)| ids(&config, 100 * seed as u32, count))
            .collect();
        let alone: Vec<Vec<f32>> = sequences
            .iter()
            .map(|ids| states(&decoder, ids, &[ids.len()]))
            .collect();
        let mut together = vec![Vec::new(); sequences.len()];
        let mut held: Vec<_> = sequences
            .iter()
            .map(|ids| decoder.sequence(ids.len()).unwrap())
            .collect();
        // Sequence `s` takes `(s + round) % 4 * 5 + 1` tokens a round, so that lengths mix; every
        // fourth round it sits out.
        for round in 0.. {
            let mut passes = Vec::new();
            let mut counts = Vec::new();
            for (s, (sequence, ids)) in held.iter_mut().zip(&sequences).enumerate() {
                let count = match (s + round) % 4 {
                    3 => 0,
                    step => (step * 5 + 1).min(ids.len() - sequence.len()),
                };
                let start = sequence.len();
                counts.push(count);
                passes.push(Pass {
                    sequence,
                    ids: &ids[start..start + count],
                    from: 0,
                });
            }
            let mut states = &decoder.forward(&mut passes).unwrap()[..];
            for (together, count) in together.iter_mut().zip(counts) {
                let (own, others) = states.split_at(count * config.hidden_size);
                together.extend_from_slice(own);
                states = others;
            }
            if held
                .iter()
                .zip(&sequences)
                .all(|(h, ids)| h.len() == ids.len())
            {
                break;
            }
        }
        for (together, alone) in together.iter().zip(&alone) {
            assert_eq!(bits(together), bits(alone), "{config:?}");
        }
    }
}

// GIVEN a batch of more rows than are computed together
// WHEN it is one pass of many sequences
// THEN each has the bits that it has alone
#[test]
fn large_batches_agree() {
    let config = tiny_config();
    let decoder = decoder(&config, CpuOptions::default());
    let sequences: Vec<Vec<u32>> = (0..40).map(|seed| ids(&config, seed, 30)).collect();
    let mut held: Vec<_> = sequences
        .iter()
        .map(|_| decoder.sequence(30).unwrap())
        .collect();
    let mut passes: Vec<Pass> = held
        .iter_mut()
        .zip(&sequences)
        .map(|(sequence, ids)| Pass {
            sequence,
            ids,
            from: 0,
        })
        .collect();
    let together = decoder.forward(&mut passes).unwrap();
    let alone = sequences
        .iter()
        .flat_map(|ids| states(&decoder, ids, &[30]));
    assert_eq!(bits(&together), bits(&alone.collect::<Vec<_>>()));
}

// GIVEN a prefill of which some states are wanted
// WHEN it asks for all, for the last, for some, for none
// THEN it gets those rows with the same bits, and what follows has the same bits too
#[test]
fn wanted_rows_are_the_same_rows() {
    for config in variants() {
        let decoder = decoder(&config, CpuOptions::default());
        let (ids, width) = (ids(&config, 8, 40), config.hidden_size);
        let all = states(&decoder, &ids, &[39, 1]);
        for from in [0, 38, 20, 39, 1_000] {
            let mut sequence = decoder.sequence(40).unwrap();
            let mut feed = |ids, from| {
                let pass = Pass {
                    sequence: &mut sequence,
                    ids,
                    from,
                };
                decoder.forward(&mut [pass]).unwrap()
            };
            let some = feed(&ids[..39], from);
            assert_eq!(bits(&some), bits(&all[from.min(39) * width..39 * width]));
            assert_eq!(bits(&feed(&ids[39..], 0)), bits(&all[39 * width..]));
        }
    }
}

// GIVEN a sequence that is cut back
// WHEN other tokens follow
// THEN the states have the bits of the shorter prefix with these tokens
#[test]
fn truncated_sequences_continue() {
    let config = tiny_config();
    let decoder = decoder(&config, CpuOptions::default());
    let (first, second) = (ids(&config, 1, 50), ids(&config, 2, 20));
    let mut sequence = decoder.sequence(64).unwrap();
    let mut feed = |ids: &[u32], keep: usize| {
        sequence.truncate(keep);
        let pass = Pass {
            sequence: &mut sequence,
            ids,
            from: 0,
        };
        decoder.forward(&mut [pass]).unwrap()
    };
    feed(&first, 0);
    let cut = feed(&second, 30);
    let spliced = [&first[..30], &second].concat();
    let fresh = states(&decoder, &spliced, &[50]);
    assert_eq!(bits(&cut), bits(&fresh[30 * config.hidden_size..]));
    // A longer length than it holds changes nothing.
    let again = feed(&[], 1_000);
    assert!(again.is_empty());
    assert_eq!(sequence.len(), 50);
}

// GIVEN one decoder
// WHEN several threads use it at once
// THEN each gets the bits that it gets alone
#[test]
fn concurrent_callers_do_not_show() {
    let config = tiny_config();
    let decoder = Arc::new(decoder(&config, CpuOptions::default()));
    let run = |seed| states(&*decoder, &ids(&config, seed, 50), &[5, 1]);
    let alone: Vec<_> = (0..6).map(run).collect();
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..6).map(|seed| scope.spawn(move || run(seed))).collect();
        for (handle, alone) in handles.into_iter().zip(&alone) {
            assert_eq!(bits(&handle.join().unwrap()), bits(alone));
        }
    });
}

// GIVEN a checkpoint stored in bf16
// WHEN it is loaded as stored, and widened to f32
// THEN both compute the same bits: 16-bit weights are numbers like others
#[test]
fn stored_precision_is_exact() {
    let dir = golden("llama-gqa-bf16-sharded");
    let score = |dir: &Path, precision| {
        let options = LoadOptions {
            precision,
            ..LoadOptions::on("cpu")
        };
        let engine = Engine::load_with(dir, &options).unwrap();
        let stored = engine.decoder().describe();
        let scores = engine.score(&ids(engine.config(), 5, 40)).unwrap();
        (stored, bits(&scores.logits))
    };
    let (stored, logits) = score(&dir, None);
    let (widened, widened_logits) = score(&dir, Some(Precision::F32));
    assert!(stored.ends_with("bf16"), "{stored}");
    assert!(widened.ends_with("f32"), "{widened}");
    assert!(logits == widened_logits);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    // GIVEN any shape of attention and any way to feed a sequence
    // WHEN it is computed by the widest instructions and by plain code, at once and in pieces
    // THEN the bits are the same
    #[test]
    fn any_shape_any_chunks(
        groups in 1usize..6,
        kv_heads in 1usize..4,
        half in 1usize..40,
        count in 1usize..64,
        lengths in prop::collection::vec(1usize..20, 1..6),
        seed in any::<u16>(),
    ) {
        let config = LlamaConfig {
            num_attention_heads: groups * kv_heads,
            num_key_value_heads: kv_heads,
            head_dim: 2 * half,
            ..tiny_config()
        };
        let model = config.init(u64::from(seed), &cpu());
        let with = |simd, threads| {
            let options = CpuOptions { simd: Some(simd), threads: Some(threads), precision: None };
            CpuDecoder::from_modules(&model, &options).unwrap()
        };
        let ids = ids(&config, u32::from(seed), count);
        let plain = states(&with(SimdLevel::Portable, 1), &ids, &[count]);
        for simd in SimdLevel::supported() {
            let pieces = states(&with(simd, 2), &ids, &lengths);
            prop_assert_eq!(bits(&pieces), bits(&plain));
        }
    }
}
