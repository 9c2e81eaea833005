//! How near the kernels come to what the machine can do:
//! `cargo bench --profile dev -p chasqui-engine --bench kernels [-- decode|prefill|math|pool]`.
//!
//! Decoding is limited by memory, so its figures stand beside a plain read of memory; prefill by
//! multiplications, so its figures stand beside a loop of nothing else. Both references run in
//! turns with what they are compared with, because a machine's pace changes from second to second.
//! A figure is the upper quartile of many runs. `CHASQUI_SIMD` forces a level.

use std::hint::black_box;
use std::time::Instant;

use chasqui_engine::cpu::{linear, math, Matrix, Output, Pool, Precision, SimdLevel};

/// Bytes that no cache holds.
const BEYOND_CACHE: usize = 320 << 20;
const PRECISIONS: [Precision; 4] = [
    Precision::F32,
    Precision::F16,
    Precision::Bf16,
    Precision::Int8,
];

/// Seconds for which one figure is measured, at least.
const PATIENCE: f64 = 0.3;

/// Upper quartile of rates.
fn quartile(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() * 3 / 4]
}

/// Rates of `body` and of `reference`, in turns. Each returns the amount that it has done.
fn rates(mut body: impl FnMut() -> f64, mut reference: impl FnMut() -> f64) -> (f64, f64) {
    let timed = |work: &mut dyn FnMut() -> f64| {
        let start = Instant::now();
        let amount = work();
        amount / start.elapsed().as_secs_f64()
    };
    let begun = Instant::now();
    let (mut own, mut others) = (Vec::new(), Vec::new());
    while own.len() < 8 || begun.elapsed().as_secs_f64() < PATIENCE {
        others.push(timed(&mut reference));
        for _ in 0..8 {
            own.push(timed(&mut body));
        }
    }
    (quartile(own), quartile(others))
}

/// Nanoseconds of `body`.
fn nanoseconds(mut body: impl FnMut()) -> f64 {
    let once = || {
        body();
        1e-9
    };
    1.0 / rates(once, || 0.0).0
}

/// Numbers in -1..1, cheap and the same in every run.
fn numbers(n: usize) -> Vec<f32> {
    let mut state = 0x9e37_79b9u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / (1u32 << 31) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn matrix(rows: usize, cols: usize, precision: Precision) -> Matrix {
    let values = numbers(rows * cols);
    match precision {
        Precision::F32 => Matrix::from_f32(values, rows, cols),
        Precision::F16 => {
            let bits = values.iter().map(|v| half::f16::from_f32(*v).to_bits());
            Matrix::from_f16(bits.collect::<Vec<u16>>(), rows, cols)
        }
        Precision::Bf16 => {
            let bits = values.iter().map(|v| half::bf16::from_f32(*v).to_bits());
            Matrix::from_bf16(bits.collect::<Vec<u16>>(), rows, cols)
        }
        Precision::Int8 => Matrix::from_f32(values, rows, cols).quantise(),
    }
}

#[cfg(target_arch = "x86_64")]
mod machine {
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx512f")]
    pub fn read_512(words: &[u64]) -> u64 {
        let mut sums = [_mm512_setzero_si512(); 8];
        for chunk in words.chunks_exact(64) {
            for (i, sum) in sums.iter_mut().enumerate() {
                // SAFETY: 8 words of the chunk of 64.
                let line = unsafe { _mm512_loadu_si512(chunk.as_ptr().add(i * 8).cast()) };
                *sum = _mm512_add_epi64(*sum, line);
            }
        }
        sums.iter()
            .fold(0, |s, v| s ^ _mm512_reduce_add_epi64(*v) as u64)
    }

    #[target_feature(enable = "avx512f")]
    pub fn multiply_512(steps: usize, by: f32) -> f32 {
        // More than latency (4 cycles) times throughput (2 a cycle) asks for, few enough that the
        // compiler keeps them in registers.
        let mut acc = [_mm512_set1_ps(1.0); 12];
        let by = _mm512_set1_ps(by);
        for _ in 0..steps {
            for a in &mut acc {
                *a = _mm512_fmadd_ps(*a, by, by);
            }
        }
        acc.iter().fold(0.0, |s, v| s + _mm512_reduce_add_ps(*v))
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn multiply_256(steps: usize, by: f32) -> f32 {
        let mut acc = [_mm256_set1_ps(1.0); 12];
        let by = _mm256_set1_ps(by);
        for _ in 0..steps {
            for a in &mut acc {
                *a = _mm256_fmadd_ps(*a, by, by);
            }
        }
        acc.iter()
            .fold(0.0, |s, v| s + _mm_cvtss_f32(_mm256_castps256_ps128(*v)))
    }
}

fn read(level: SimdLevel, words: &[u64]) -> u64 {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level was checked.
        SimdLevel::Avx512 => unsafe { machine::read_512(words) },
        _ => words.iter().fold(0, |s, w| s.wrapping_add(*w)),
    }
}

/// A loop of multiply-adds and its floating-point operations; none for a level without one.
fn multiply(level: SimdLevel, steps: usize) -> f64 {
    let by = black_box(0.5);
    match level {
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 => {
            // SAFETY: the level was checked.
            black_box(unsafe { machine::multiply_512(steps, by) });
            (steps * 12 * 16 * 2) as f64
        }
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 => {
            // SAFETY: as above.
            black_box(unsafe { machine::multiply_256(steps, by) });
            (steps * 12 * 8 * 2) as f64
        }
        _ => 0.0,
    }
}

/// Reads the next 8 MiB of `words` on all threads; bytes.
fn read_some(pool: &Pool, level: SimdLevel, words: &[u64], turn: &mut usize) -> f64 {
    let (some, part) = (1 << 20, 1 << 13);
    let start = *turn * some % words.len();
    *turn += 1;
    let words = &words[start..][..some];
    pool.for_each(words.len() / part, 1, |range| {
        black_box(read(level, &words[range.start * part..range.end * part]));
    });
    size_of_val(words) as f64
}

/// Multiplies on all threads; operations.
fn multiply_some(pool: &Pool, level: SimdLevel) -> f64 {
    let (threads, steps) = (pool.threads(), 10_000);
    pool.for_each(threads * 8, 1, |range| {
        for _ in range {
            multiply(level, steps);
        }
    });
    multiply(level, 1) * (threads * 8 * steps) as f64
}

fn print_case(outs: usize, cols: usize, precision: Precision, rows: usize, figures: &[String]) {
    let shape = format!("{outs} x {cols}");
    println!(
        "{shape:>14} {precision:>5} {rows:>5} {:>22} {:>22}",
        figures[0], figures[1]
    );
}

fn print_head(title: &str, pools: &[Pool]) {
    println!("\n{title}");
    let threads = pools
        .iter()
        .map(|pool| format!("{} threads", pool.threads()));
    let threads: Vec<String> = threads.collect();
    println!(
        "{:>14} {:>5} {:>5} {:>22} {:>22}",
        "out x in", "type", "rows", threads[0], threads[1]
    );
}

/// `rate of reference (share)` in units of 10^9.
fn figure((own, reference): (f64, f64)) -> String {
    if reference == 0.0 {
        return format!("{:.1}", own / 1e9);
    }
    let share = own / reference * 100.0;
    format!("{:.1} of {:.1} ({share:.0}%)", own / 1e9, reference / 1e9)
}

fn decode(pools: &[Pool], level: SimdLevel) {
    print_head(
        "decode, weights beyond cache; GB/s of weights of GB/s of a plain read",
        pools,
    );
    let words = vec![1u64; BEYOND_CACHE / 8];
    let (mut turn, mut read_turn) = (0, 0);
    for (outs, cols) in [(4096, 4096), (3072, 768), (768, 768), (288, 288)] {
        for precision in PRECISIONS {
            let first = matrix(outs, cols, precision);
            let count = BEYOND_CACHE.div_ceil(first.bytes());
            let matrices: Vec<Matrix> = (0..count).map(|_| first.clone()).collect();
            for rows in [1, 2, 4, 8] {
                let x = numbers(rows * cols);
                let mut y = vec![0.0; rows * outs];
                let of = |pool: &Pool| {
                    let product = || {
                        turn += 1;
                        let matrix = &matrices[turn % count];
                        let y = &mut y[..];
                        let output = Output {
                            matrix,
                            bias: None,
                            y,
                            add: false,
                        };
                        linear(pool, level, &x, rows, &mut [output]);
                        matrix.bytes() as f64
                    };
                    let plain = || read_some(pool, level, &words, &mut read_turn);
                    figure(rates(product, plain))
                };
                let figures: Vec<String> = pools.iter().map(of).collect();
                print_case(outs, cols, precision, rows, &figures);
            }
        }
    }
}

fn prefill(pools: &[Pool], level: SimdLevel) {
    print_head("prefill; GFLOP/s of GFLOP/s of multiply-adds alone", pools);
    for (outs, cols) in [(384, 384), (768, 768), (2048, 2048), (1024, 4096)] {
        for precision in PRECISIONS {
            let matrix = matrix(outs, cols, precision);
            for rows in [16, 128, 512] {
                let x = numbers(rows * cols);
                let mut y = vec![0.0; rows * outs];
                let of = |pool: &Pool| {
                    let product = || {
                        let (matrix, y) = (&matrix, &mut y[..]);
                        let output = Output {
                            matrix,
                            bias: None,
                            y,
                            add: false,
                        };
                        linear(pool, level, &x, rows, &mut [output]);
                        2.0 * (rows * outs * cols) as f64
                    };
                    figure(rates(product, || multiply_some(pool, level)))
                };
                let figures: Vec<String> = pools.iter().map(of).collect();
                print_case(outs, cols, precision, rows, &figures);
            }
        }
    }
}

fn math_functions(level: SimdLevel) {
    println!("\nfunctions over 4096 elements in cache; nanoseconds an element");
    let (a, b) = (numbers(4096), numbers(4096));
    let mut out = vec![0.0; 4096];
    let mut time = |name: &str, body: &mut dyn FnMut(&mut [f32])| {
        let time = nanoseconds(|| {
            out.copy_from_slice(&a);
            body(black_box(&mut out));
        });
        println!("{name:>20} {:.3}", time / 4096.0);
    };
    time("copy", &mut |_| ());
    time("exp", &mut |x| math::exp(level, x));
    time("silu_gate", &mut |x| math::silu_gate(level, x, &b));
    time("softmax", &mut |x| math::softmax(level, x));
    time("rms_norm", &mut |x| math::rms_norm(level, &a, &b, 1e-5, x));
    time("dot of 64", &mut |x| {
        for (x, b) in x.chunks(64).zip(b.chunks(64)) {
            black_box(math::dot(level, x, b));
        }
    });
    time("rotate of 64", &mut |x| {
        for x in x.chunks_mut(64) {
            math::rotate(level, x, &a[..32], &b[..32]);
        }
    });
}

/// What sharing out costs: regions of eight equal items, one after the other, beside the same work
/// on one thread.
fn regions(pool: &Pool) {
    let threads = pool.threads();
    println!("\nregions of eight items on {threads} threads; microseconds of those on one");
    let work = |steps: usize| {
        let mut x = 1.0f32;
        for _ in 0..steps {
            x = black_box(x) + 0.5;
        }
        black_box(x);
    };
    for steps in [0, 100, 400, 1600] {
        let shared = nanoseconds(|| {
            pool.for_each(8, 1, |range| range.for_each(|_| work(steps)));
        });
        let alone = nanoseconds(|| (0..8).for_each(|_| work(steps)));
        println!("{:>20.2} of {:.2}", shared / 1e3, alone / 1e3);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let level = SimdLevel::from_env()?;
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let runs = |part: &str| wanted.is_empty() || wanted.iter().any(|w| w == part);
    let pools = [Pool::new(1)?, Pool::with_available_parallelism()?];
    println!("level {level}, {} threads", pools[1].threads());
    if runs("decode") {
        decode(&pools, level);
    }
    if runs("prefill") {
        prefill(&pools, level);
    }
    if runs("math") {
        math_functions(level);
    }
    if runs("pool") {
        regions(&pools[1]);
    }
    Ok(())
}
