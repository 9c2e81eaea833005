//! The machine's ceilings: how fast all cores read memory, and how fast they multiply.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

/// Bytes a second that `threads` threads read together from a buffer of `bytes`, the best of
/// `rounds` rounds.
pub fn read_bandwidth(threads: usize, bytes: usize, rounds: usize) -> f64 {
    let words = bytes / 8 / threads;
    let seconds = fastest(threads, rounds, || {
        // Written by the thread that reads it, so that it lies in that thread's memory.
        let buffer: Vec<u64> = (0..words as u64).collect();
        move || {
            black_box(sum(&buffer));
        }
    });
    (words * 8 * threads) as f64 / seconds
}

/// Single-precision operations a second of `threads` threads that multiply and add in registers,
/// the best of `rounds` rounds; and the instructions that were used.
pub fn multiply_peak(threads: usize, rounds: usize) -> (f64, &'static str) {
    const STEPS: usize = 10_000_000;
    let (kernel, lanes, name) = multiply_kernel();
    let seconds = fastest(threads, rounds, || {
        move || {
            black_box(kernel(STEPS));
        }
    });
    let operations = 2.0 * (STEPS * CHAINS * lanes * threads) as f64;
    (operations / seconds, name)
}

/// Seconds of the fastest of `rounds` rounds in which `threads` threads, each with its own state,
/// work at the same time: from the first one's start to the last one's end.
fn fastest<W: FnMut()>(threads: usize, rounds: usize, prepare: impl Fn() -> W + Sync) -> f64 {
    let start = Barrier::new(threads);
    let worker = || {
        let mut work = prepare();
        // The first round warms up.
        work();
        let round = |_| {
            start.wait();
            let begun = Instant::now();
            work();
            (begun, Instant::now())
        };
        (0..rounds).map(round).collect::<Vec<_>>()
    };
    let spans: Vec<Vec<(Instant, Instant)>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, _>| handle.join().expect("no panic");
        handles.into_iter().map(join).collect()
    });
    let seconds = |round: usize| {
        let begun = spans.iter().map(|thread| thread[round].0).min();
        let ended = spans.iter().map(|thread| thread[round].1).max();
        match (begun, ended) {
            (Some(begun), Some(ended)) => (ended - begun).as_secs_f64(),
            _ => f64::INFINITY,
        }
    };
    (0..rounds).map(seconds).fold(f64::INFINITY, f64::min)
}

#[inline(always)]
fn sum_body(words: &[u64]) -> u64 {
    let mut sums = [0u64; 32];
    for chunk in words.chunks_exact(32) {
        for (sum, word) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sums.iter().fold(0, |a, b| a.wrapping_add(*b))
}

#[cfg(target_arch = "x86_64")]
fn sum(words: &[u64]) -> u64 {
    #[target_feature(enable = "avx512f")]
    fn avx512(words: &[u64]) -> u64 {
        sum_body(words)
    }
    #[target_feature(enable = "avx2")]
    fn avx2(words: &[u64]) -> u64 {
        sum_body(words)
    }
    // SAFETY: each is called only where the CPU has the instructions.
    unsafe {
        if is_x86_feature_detected!("avx512f") {
            avx512(words)
        } else if is_x86_feature_detected!("avx2") {
            avx2(words)
        } else {
            sum_body(words)
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn sum(words: &[u64]) -> u64 {
    sum_body(words)
}

/// Independent chains of operations: more than latency times issue width anywhere.
const CHAINS: usize = 12;
const FACTOR: f32 = 0.999_9;
const TERM: f32 = 0.000_1;

type Kernel = fn(usize) -> f32;

#[cfg(target_arch = "x86_64")]
fn multiply_kernel() -> (Kernel, usize, &'static str) {
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the CPU has the instructions.
        (|steps| unsafe { avx512(steps) }, 16, "AVX-512 FMA")
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: as above.
        (|steps| unsafe { avx2(steps) }, 8, "AVX2 FMA")
    } else {
        (portable, 8, "portable multiply and add")
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn multiply_kernel() -> (Kernel, usize, &'static str) {
    (portable, 8, "portable multiply and add")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512(steps: usize) -> f32 {
    use std::arch::x86_64::*;
    // Starts that the compiler does not know: equal chains would be computed once.
    let mut chains = [0; CHAINS].map(|start| _mm512_set1_ps(black_box(start as f32)));
    let (factor, term) = (_mm512_set1_ps(FACTOR), _mm512_set1_ps(TERM));
    for _ in 0..steps {
        for chain in &mut chains {
            *chain = _mm512_fmadd_ps(*chain, factor, term);
        }
    }
    chains
        .into_iter()
        .map(|chain| _mm512_reduce_add_ps(chain))
        .sum()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(steps: usize) -> f32 {
    use std::arch::x86_64::*;
    let mut chains = [0; CHAINS].map(|start| _mm256_set1_ps(black_box(start as f32)));
    let (factor, term) = (_mm256_set1_ps(FACTOR), _mm256_set1_ps(TERM));
    for _ in 0..steps {
        for chain in &mut chains {
            *chain = _mm256_fmadd_ps(*chain, factor, term);
        }
    }
    chains
        .into_iter()
        .map(|chain| _mm256_cvtss_f32(chain))
        .sum()
}

fn portable(steps: usize) -> f32 {
    let mut chains = [0; CHAINS].map(|start| [black_box(start as f32); 8]);
    for _ in 0..steps {
        for chain in &mut chains {
            for lane in chain {
                *lane = *lane * FACTOR + TERM;
            }
        }
    }
    chains.iter().flatten().sum()
}
