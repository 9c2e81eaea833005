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

#[cfg(target_arch = "x86_64")]
fn sum(words: &[u64]) -> u64 {
    // SAFETY: each is called only where the CPU has the instructions.
    unsafe {
        if is_x86_feature_detected!("avx512f") {
            sum_avx512(words)
        } else if is_x86_feature_detected!("avx2") {
            sum_avx2(words)
        } else {
            sum_portable(words)
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn sum(words: &[u64]) -> u64 {
    sum_portable(words)
}

/// Bytes ahead of the sum that are asked for: hardware alone stops at the end of every page.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 2_048;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn sum_avx512(words: &[u64]) -> u64 {
    use std::arch::x86_64::*;
    let mut sums = [_mm512_setzero_si512(); 4];
    for chunk in words.chunks_exact(32) {
        let start = chunk.as_ptr();
        for (line, sum) in sums.iter_mut().enumerate() {
            let at = start.wrapping_add(8 * line);
            // SAFETY: a line lies within the chunk; prefetching what does not exist does nothing.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(at.wrapping_byte_add(AHEAD).cast());
                *sum = _mm512_add_epi64(*sum, _mm512_loadu_si512(at.cast()));
            }
        }
    }
    let fold = |total: u64, sum| total.wrapping_add(_mm512_reduce_add_epi64(sum) as u64);
    sums.into_iter().fold(0, fold)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sum_avx2(words: &[u64]) -> u64 {
    use std::arch::x86_64::*;
    let mut sums = [_mm256_setzero_si256(); 8];
    for chunk in words.chunks_exact(32) {
        let start = chunk.as_ptr();
        for (half, sum) in sums.iter_mut().enumerate() {
            let at = start.wrapping_add(4 * half);
            // SAFETY: half a line lies within the chunk; prefetching what does not exist does nothing.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(at.wrapping_byte_add(AHEAD).cast());
                *sum = _mm256_add_epi64(*sum, _mm256_loadu_si256(at.cast()));
            }
        }
    }
    let mut lanes = [0u64; 4];
    let total = sums
        .into_iter()
        .fold(_mm256_setzero_si256(), |a, b| _mm256_add_epi64(a, b));
    // SAFETY: as large as the register.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), total) };
    lanes.into_iter().fold(0, u64::wrapping_add)
}

fn sum_portable(words: &[u64]) -> u64 {
    // Few enough to stay in registers everywhere.
    let mut sums = [0u64; 8];
    for chunk in words.chunks_exact(8) {
        for (sum, word) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sums.into_iter().fold(0, u64::wrapping_add)
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

#[cfg(test)]
mod tests {
    use super::*;

    // GIVEN words whose sum is known
    // WHEN every way of reading that this machine has sums them up
    // THEN each has read all of them
    #[test]
    fn every_word_is_read() {
        let words: Vec<u64> = (0..4_096).collect();
        let total = 4_095 * 4_096 / 2;
        assert_eq!(sum(&words), total);
        assert_eq!(sum_portable(&words), total);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the CPU has the instructions.
            assert_eq!(unsafe { sum_avx2(&words) }, total);
        }
    }
}
