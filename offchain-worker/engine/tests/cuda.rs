//! On an NVIDIA GPU every bit is the CPU's.
//!
//! Without a GPU these tests say so and pass; with `CHASQUI_REQUIRE_GPU` set they fail.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use chasqui_engine::batch::{Batcher, Limits, Options};
use chasqui_engine::cpu::Precision;
use chasqui_engine::{
    cuda, CpuDecoder, CpuOptions, CudaDecoder, Decoder, Engine, GenerateRequest, Llama,
    LlamaConfig, LoadOptions, Pass, Sequence,
};
use common::{golden, golden_names, message, tiny_config, variants};

fn no_gpu() -> bool {
    let none = cuda::gpus() == 0;
    assert!(
        !none || std::env::var_os("CHASQUI_REQUIRE_GPU").is_none(),
        "no GPU, though CHASQUI_REQUIRE_GPU is set"
    );
    if none {
        println!("no GPU here: nothing was tested");
    }
    none
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn ids(config: &LlamaConfig, seed: u32, count: usize) -> Vec<u32> {
    let vocab = config.vocab_size as u32;
    (0..count as u32)
        .map(|index| (seed + index).wrapping_mul(2_654_435_761) / 97 % vocab)
        .collect()
}

/// The same random model on both.
fn pair(config: &LlamaConfig) -> (CpuDecoder, CudaDecoder) {
    let model = config.init(9, &chasqui_engine::device::open("cpu").unwrap());
    pair_of(&model, None)
}

fn pair_of(model: &Llama, precision: Option<Precision>) -> (CpuDecoder, CudaDecoder) {
    // Few threads: the tests run beside each other.
    let options = CpuOptions {
        threads: Some(2),
        precision,
        ..CpuOptions::default()
    };
    let cpu = CpuDecoder::from_modules(model, &options).unwrap();
    let gpu = CudaDecoder::from_modules(model, 0, precision).unwrap();
    (cpu, gpu)
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

// GIVEN the golden checkpoints: all families, odd sizes, f32, f16 and bf16
// WHEN they are scored and generate on CPU and GPU, as stored, widened and quantised
// THEN logits, hidden states, tokens and fingerprints are the same, to the last bit
#[test]
fn golden_checkpoints_have_the_bits_of_the_cpu() {
    if no_gpu() {
        return;
    }
    for name in golden_names() {
        for precision in [None, Some(Precision::F32), Some(Precision::Int8)] {
            let run = |device: &str| {
                let options = LoadOptions {
                    precision,
                    threads: (device == "cpu").then_some(2),
                    ..LoadOptions::on(device)
                };
                let engine = Engine::load_with(&golden(&name), &options).unwrap();
                let prompt_ids = ids(engine.config(), 5, 40);
                let scores = engine.score(&prompt_ids).unwrap();
                let request = GenerateRequest {
                    prompt_ids,
                    sampling: common::warm(3, 12),
                    fingerprint_seed: [7; 32],
                };
                let made = engine
                    .generate(&request, |_| ControlFlow::Continue(()))
                    .unwrap();
                let trace = (made.output_ids, made.fingerprints);
                (bits(&scores.logits), bits(&scores.hidden), trace)
            };
            assert!(run("cuda:0") == run("cpu"), "{name}, {precision:?}");
        }
    }
}

/// Widths that no vector of the kernels divides, and a context longer than a pass.
fn long_config() -> LlamaConfig {
    LlamaConfig {
        max_position_embeddings: 1_300,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        head_dim: 20,
        ..tiny_config()
    }
}

// GIVEN every variant of the family
// WHEN a sequence is fed to the GPU at once, token by token, and in uneven pieces
// THEN every hidden state and logit has the CPU's bits
#[test]
fn pieces_do_not_show() {
    if no_gpu() {
        return;
    }
    for config in variants() {
        let (cpu, gpu) = pair(&config);
        let ids = ids(&config, 1, 60);
        let whole = states(&cpu, &ids, &[60]);
        for lengths in [&[60][..], &[1], &[2], &[7], &[1, 31, 2], &[33, 1]] {
            let pieces = states(&gpu, &ids, lengths);
            assert_eq!(bits(&pieces), bits(&whole), "{lengths:?}, {config:?}");
        }
        let logits = cpu.logits(&whole).unwrap();
        assert_eq!(bits(&gpu.logits(&whole).unwrap()), bits(&logits));
        assert!(gpu.logits(&[]).unwrap().is_empty());
    }
}

// GIVEN a sequence longer than what is computed together
// WHEN it is fed to the GPU at once, and in pieces
// THEN it has the CPU's bits
#[test]
fn long_sequences_agree() {
    if no_gpu() {
        return;
    }
    let config = long_config();
    let ids = ids(&config, 3, 1_300);
    let (cpu, gpu) = pair(&config);
    let whole = bits(&states(&cpu, &ids, &[1_300]));
    assert!(bits(&states(&gpu, &ids, &[1_300])) == whole);
    assert!(bits(&states(&gpu, &ids, &[511, 2, 300])) == whole);
}

// GIVEN models whose rows are cut into several pieces on their way to the GPU's cores, in every precision
// WHEN 1 to 40 rows go through them together
// THEN every state has the CPU's bits
#[test]
fn wide_models_agree() {
    if no_gpu() {
        return;
    }
    for (hidden, wide, head_dim) in [(544, 1_056, 68), (512, 1_536, 64), (530, 778, 50)] {
        let config = LlamaConfig {
            hidden_size: hidden,
            intermediate_size: wide,
            head_dim,
            num_attention_heads: 8,
            ..tiny_config()
        };
        let model = config.init(9, &chasqui_engine::device::open("cpu").unwrap());
        for precision in [None, Some(Precision::Int8)] {
            let (cpu, gpu) = pair_of(&model, precision);
            let ids = ids(&config, 2, 40);
            let whole = bits(&states(&cpu, &ids, &[40]));
            for lengths in [&[40][..], &[1], &[2, 3, 4, 5, 6], &[7, 8, 9, 16]] {
                let pieces = bits(&states(&gpu, &ids, lengths));
                assert!(pieces == whole, "{hidden}, {precision:?}, {lengths:?}");
            }
        }
    }
}

// GIVEN a batch of more rows than are computed together, with sequences of all lengths, of which all
//       states, some, the last one and none are wanted
// WHEN both compute it, and then one more token of each
// THEN the GPU's states have the CPU's bits
#[test]
fn ragged_batches_agree() {
    if no_gpu() {
        return;
    }
    for config in variants().into_iter().chain([long_config()]) {
        let (cpu, gpu) = pair(&config);
        let sequences: Vec<Vec<u32>> = (0..40u32)
            .map(|seed| ids(&config, seed, 3 + seed as usize * 17 % 53))
            .collect();
        let run = |decoder: &dyn Decoder| {
            let mut held: Vec<Sequence> = sequences
                .iter()
                .map(|ids| decoder.sequence(ids.len()).unwrap())
                .collect();
            let mut found = Vec::new();
            for last in [false, true] {
                let part = |ids: &[u32]| match last {
                    true => ids.len() - 1..ids.len(),
                    false => 0..ids.len() - 1,
                };
                let mut passes: Vec<Pass> = held
                    .iter_mut()
                    .zip(&sequences)
                    .enumerate()
                    .map(|(index, (sequence, ids))| Pass {
                        sequence,
                        ids: &ids[part(ids)],
                        from: [0, ids.len() / 2, part(ids).len() - 1, ids.len()][index % 4],
                    })
                    .collect();
                found.push(bits(&decoder.forward(&mut passes).unwrap()));
            }
            found
        };
        assert!(run(&gpu) == run(&cpu), "{config:?}");
    }
}

// GIVEN passes of which no state is wanted, and a pass of nothing
// WHEN they go to the GPU
// THEN nothing comes back, and what follows has the CPU's bits
#[test]
fn unwanted_states_are_not_computed() {
    if no_gpu() {
        return;
    }
    let config = tiny_config();
    let (cpu, gpu) = pair(&config);
    let ids = ids(&config, 1, 20);
    let run = |decoder: &dyn Decoder| {
        let mut sequence = decoder.sequence(20).unwrap();
        let mut states = Vec::new();
        for (range, from) in [(0..10, 10), (10..10, 0), (10..19, usize::MAX), (19..20, 0)] {
            let pass = Pass {
                sequence: &mut sequence,
                ids: &ids[range],
                from,
            };
            states.push(bits(&decoder.forward(&mut [pass]).unwrap()));
        }
        states
    };
    let found = run(&gpu);
    assert!(found[..3].iter().all(Vec::is_empty));
    assert_eq!(found, run(&cpu));
}

// GIVEN turns of one conversation on a GPU
// WHEN each begins with the kept cache of the one before
// THEN what was held is not fed again, and the tokens are those of the CPU, which feeds all
#[test]
fn kept_caches_carry_over() {
    if no_gpu() {
        return;
    }
    let load = |device| Arc::new(Engine::load(&golden("mistral-gqa"), device).unwrap());
    let (cpu, gpu) = (load("cpu"), load("cuda:0"));
    let batcher = Batcher::new(gpu, Limits::default()).unwrap();
    let mut prompt_ids = ids(cpu.config(), 5, 30);
    let mut reused = 0;
    for turn in 0..3u64 {
        let request = GenerateRequest {
            prompt_ids: prompt_ids.clone(),
            sampling: common::warm(turn, 10),
            fingerprint_seed: [7; 32],
        };
        let (sender, receiver) = std::sync::mpsc::channel();
        let options = Options {
            conversation: Some([1; 32]),
            ..Options::default()
        };
        batcher
            .submit_with(
                request.clone(),
                options,
                |_| ControlFlow::Continue(()),
                move |outcome| sender.send(outcome).unwrap(),
            )
            .unwrap();
        let made = receiver.recv().unwrap().unwrap();
        let expected = cpu
            .generate(&request, |_| ControlFlow::Continue(()))
            .unwrap();
        assert_eq!(made.output_ids, expected.output_ids, "turn {turn}");
        assert_eq!(made.fingerprints, expected.fingerprints, "turn {turn}");
        reused += made.timings.reused_tokens;
        prompt_ids.extend(made.output_ids);
        prompt_ids.extend([9, 10, 11]);
    }
    assert!(reused >= 60, "{reused} tokens");
}

// GIVEN requests that a GPU cannot serve
// WHEN they are made
// THEN each gets an error that says why, and the GPU goes on
#[test]
fn what_does_not_fit_is_refused() {
    if no_gpu() {
        return;
    }
    let config = LlamaConfig {
        max_position_embeddings: 1 << 30,
        ..tiny_config()
    };
    let (cpu, gpu) = pair(&config);
    assert!(message(gpu.sequence(1 << 30)).contains("no memory for a cache"));
    assert!(message(gpu.sequence((1 << 30) + 1)).contains("context"));
    assert!(message(gpu.logits(&[1.0])).contains("whole rows"));
    let mut foreign = cpu.sequence(4).unwrap();
    let mut own = gpu.sequence(4).unwrap();
    for (is_own, ids, expected) in [
        (false, vec![1], "another decoder"),
        (true, vec![1, 64], "the vocabulary has 64 tokens"),
        (true, vec![1; 5], "room for 4"),
    ] {
        let pass = Pass {
            sequence: if is_own { &mut own } else { &mut foreign },
            ids: &ids,
            from: 0,
        };
        let error = message(gpu.forward(&mut [pass]));
        assert!(error.contains(expected), "{error}");
    }
    let wide = LlamaConfig {
        head_dim: 1_024,
        ..tiny_config()
    };
    let model = wide.init(1, &chasqui_engine::device::open("cpu").unwrap());
    let error = message(CudaDecoder::from_modules(&model, 0, None));
    assert!(
        error.contains("cuda:0") && error.contains("1024"),
        "{error}"
    );
    let threads = LoadOptions {
        threads: Some(2),
        ..LoadOptions::on("cuda:0")
    };
    let error = message(Engine::load_with(&golden("llama-mha-tied"), &threads));
    assert!(error.contains("`threads`"), "{error}");
    let all = states(&gpu, &[1, 2, 3], &[3]);
    assert_eq!(bits(&all), bits(&states(&cpu, &[1, 2, 3], &[3])));
}

// GIVEN several threads
// WHEN they use one GPU decoder at once
// THEN each gets the CPU's bits
#[test]
fn threads_share_a_gpu() {
    if no_gpu() {
        return;
    }
    let config = tiny_config();
    let (cpu, gpu) = pair(&config);
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (cpu, gpu, config) = (&cpu, &gpu, &config);
            scope.spawn(move || {
                let ids = ids(config, seed, 30);
                for _ in 0..5 {
                    let found = states(gpu, &ids, &[7, 1]);
                    assert_eq!(bits(&found), bits(&states(cpu, &ids, &[30])));
                }
            });
        }
    });
}
