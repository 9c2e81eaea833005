//! Attention against its definition, term by term.

use super::*;

fn value(seed: usize) -> f32 {
    let bits = (seed as u32).wrapping_mul(2_654_435_761) ^ 0x9e37_79b9;
    (bits >> 9) as f32 / (1 << 22) as f32 - 1.0
}

/// One row's result by definition.
fn defined(q: &[f32], keys: &[f32], values: &[f32]) -> Vec<f32> {
    let width = q.len();
    let level = SimdLevel::Portable;
    let mut weights: Vec<f32> = keys
        .chunks(width)
        .map(|key| math::dot(level, key, q))
        .collect();
    let sum = math::softmax_numerators(level, &mut weights);
    let mut out = vec![0.0; width];
    for (weight, row) in weights.iter().zip(values.chunks(width)) {
        math::add_scaled(level, &mut out, *weight, row);
    }
    out.iter().map(|x| x / sum).collect()
}

// GIVEN query heads, rows and head widths of all kinds, over short and long caches
// WHEN attention is computed by every instruction set
// THEN every bit is that of the definition
#[test]
fn attention_is_its_definition() {
    let mut buffer = vec![f32::NAN; 7];
    for (case, (heads, queries, first, width)) in [
        (1, 1, 1, 64),
        (1, 1, 300, 128),
        (4, 1, 17, 64),
        (3, 1, 5, 80),
        (7, 3, 2, 20),
        (1, 9, 1, 16),
        (2, 6, 250, 8),
        (4, 8, 254, 64),
        (5, 5, 509, 100),
        (1, 32, 1, 36),
    ]
    .into_iter()
    .enumerate()
    {
        // Rows of more heads than the task has: the others must stay as they are.
        let stride = (heads + 1) * width;
        let total = first + queries - 1;
        let make = |part: usize, len: usize| -> Vec<f32> {
            (0..len)
                .map(|i| value(case * 7 + part * 1_000_003 + i))
                .collect()
        };
        let (q, keys, values) = (
            make(1, queries * stride),
            make(2, total * width),
            make(3, total * width),
        );
        for level in SimdLevel::supported() {
            let mut out = vec![7.0; queries * stride];
            let task = Task {
                q: q.as_ptr(),
                out: out.as_mut_ptr(),
                stride,
                heads,
                queries,
                first,
                keys: keys.as_ptr(),
                values: values.as_ptr(),
                head_dim: width,
            };
            // SAFETY: the level is supported; the vectors hold all rows that the task names.
            unsafe { attend(level, &task, &mut buffer) };
            for query in 0..queries {
                let seen = (first + query) * width;
                for head in 0..heads {
                    let at = query * stride + head * width;
                    let expected = defined(&q[at..][..width], &keys[..seen], &values[..seen]);
                    assert_eq!(&out[at..][..width], expected, "case {case}, {level}");
                }
                let rest = &out[query * stride + heads * width..][..width];
                assert!(rest.iter().all(|x| *x == 7.0));
            }
        }
    }
}

// GIVEN a key that is not a number at one position
// WHEN rows that see it and rows that do not are computed together
// THEN it shows in the first and not in the others
#[test]
fn damage_shows_where_it_is_seen() {
    let (width, queries) = (16, 6);
    let q = vec![0.5; queries * width];
    let values = vec![1.0; queries * width];
    let mut keys = vec![0.25; queries * width];
    keys[3 * width] = f32::NAN;
    for level in SimdLevel::supported() {
        let mut out = vec![0.0; queries * width];
        let task = Task {
            q: q.as_ptr(),
            out: out.as_mut_ptr(),
            stride: width,
            heads: 1,
            queries,
            first: 1,
            keys: keys.as_ptr(),
            values: values.as_ptr(),
            head_dim: width,
        };
        // SAFETY: as above.
        unsafe { attend(level, &task, &mut Vec::new()) };
        for (query, row) in out.chunks(width).enumerate() {
            let damaged = row.iter().all(|x| x.is_nan());
            assert_eq!(damaged, query >= 3, "{level}, row {query}");
        }
    }
}
