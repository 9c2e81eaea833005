//! A linear map gives the bits that its contract words, whatever the instructions, the threads, the
//! rows computed together and the place of a row in them.

mod kernels;

use chasqui_engine::cpu::{linear, Matrix, Output, Pool, SimdLevel};
use kernels::{bits, lane_sum, matrix, rows_of, Numbers, PRECISIONS};
use proptest::prelude::*;

fn product(pool: &Pool, level: SimdLevel, x: &[f32], rows: usize, matrix: &Matrix) -> Vec<f32> {
    let mut y = vec![f32::NAN; rows * matrix.rows()];
    let output = Output {
        matrix,
        bias: None,
        y: &mut y,
        add: false,
    };
    linear(pool, level, x, rows, &mut [output]);
    y
}

/// As the contract words it.
fn expected(x: &[f32], matrix: &Matrix) -> Vec<f32> {
    let weights = rows_of(matrix);
    x.chunks(matrix.cols())
        .flat_map(|x| weights.iter().map(|w| lane_sum(w, x)).collect::<Vec<_>>())
        .collect()
}

fn assert_same(got: &[f32], want: &[f32], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert_eq!(
            g.to_bits(),
            w.to_bits(),
            "{what}: element {i} is {g}, not {w}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_shape_gives_the_bits_of_the_contract(
        rows in 1usize..40,
        outs in 1usize..70,
        cols in 1usize..150,
        threads in 1usize..4,
        precision in prop::sample::select(PRECISIONS.to_vec()),
        seed: u64,
    ) {
        // GIVEN weights in some precision and rows of x, of lengths that fit no tile
        let mut numbers = Numbers::new(seed);
        let matrix = matrix(numbers.units(outs * cols), outs, cols, precision);
        let x = numbers.units(rows * cols);
        let pool = Pool::new(threads).unwrap();
        let want = expected(&x, &matrix);
        for level in SimdLevel::supported() {
            // WHEN they are multiplied on a level
            let got = product(&pool, level, &x, rows, &matrix);
            // THEN every sum has the bits of the contract
            assert_same(&got, &want, &format!("{level} {precision} {rows}x{outs}x{cols}"));
        }
    }
}

#[test]
fn every_row_count_and_tail_gives_the_same_bits() {
    // GIVEN every tail of a group of 32 columns, and every count of rows around the tiles' sizes
    let pool = Pool::new(2).unwrap();
    for precision in PRECISIONS {
        for cols in (1..=33).chain([47, 48, 63, 64, 65, 96, 288]) {
            let mut numbers = Numbers::new(cols as u64);
            let outs = 29;
            let matrix = matrix(numbers.units(outs * cols), outs, cols, precision);
            let x = numbers.units(27 * cols);
            let want = expected(&x, &matrix);
            for level in SimdLevel::supported() {
                for rows in (1..=14).chain([24, 27]) {
                    // WHEN so many rows are computed together
                    let got = product(&pool, level, &x[..rows * cols], rows, &matrix);
                    // THEN they have the bits that each has alone
                    let what = format!("{level} {precision} {rows} rows of {cols}");
                    assert_same(&got, &want[..rows * outs], &what);
                }
            }
        }
    }
}

#[test]
fn panels_of_many_rows_and_long_rows_give_the_same_bits() {
    // GIVEN shapes beyond one panel of x, one chunk of columns and one claim of a thread
    let pool = Pool::new(3).unwrap();
    for (rows, outs, cols) in [
        (9, 130, 5000),
        (150, 70, 1100),
        (400, 3, 700),
        (33, 200, 2064),
    ] {
        for precision in PRECISIONS {
            let mut numbers = Numbers::new(rows as u64);
            let matrix = matrix(numbers.units(outs * cols), outs, cols, precision);
            let x = numbers.units(rows * cols);
            let want = expected(&x, &matrix);
            // Portable is slow on x86-64 and has been compared above.
            for level in SimdLevel::supported().filter(|l| *l == SimdLevel::detect() || rows == 9) {
                // WHEN they are multiplied
                let got = product(&pool, level, &x, rows, &matrix);
                // THEN every sum has the bits of the contract
                assert_same(
                    &got,
                    &want,
                    &format!("{level} {precision} {rows}x{outs}x{cols}"),
                );
            }
        }
    }
}

#[test]
fn negative_zeros_in_a_tail_stay_as_they_are() {
    // GIVEN one column, whose product is -0, so that only lane 0 is touched
    let matrix = Matrix::from_f32(vec![-0.0], 1, 1);
    let pool = Pool::new(1).unwrap();
    for level in SimdLevel::supported() {
        // WHEN it is multiplied
        let got = product(&pool, level, &[1.0], 1, &matrix);
        // THEN the sum is fma(-0, 1, +0) folded with untouched lanes, +0
        assert_eq!(bits(&got), [0], "{level}");
    }
}

#[test]
fn bias_and_addition_round_once_each() {
    // GIVEN a matrix with a bias, and a y to add to
    let mut numbers = Numbers::new(5);
    let (rows, outs, cols) = (11, 37, 50);
    let weights = numbers.units(outs * cols);
    let (x, bias, before) = (
        numbers.units(rows * cols),
        numbers.units(outs),
        numbers.units(rows * outs),
    );
    let pool = Pool::new(2).unwrap();
    for precision in PRECISIONS {
        let matrix = matrix(weights.clone(), outs, cols, precision);
        let sums = expected(&x, &matrix);
        for level in SimdLevel::supported() {
            for rows in [1, 3, rows] {
                for (with_bias, add) in [(true, false), (false, true), (true, true)] {
                    // WHEN the product goes there with and without
                    let mut y = before[..rows * outs].to_vec();
                    let output = Output {
                        matrix: &matrix,
                        bias: with_bias.then_some(&bias[..]),
                        y: &mut y,
                        add,
                    };
                    linear(&pool, level, &x[..rows * cols], rows, &mut [output]);
                    // THEN the bias is added to the sum, and that to y
                    for (i, y) in y.iter().enumerate() {
                        let sum = if with_bias {
                            sums[i] + bias[i % outs]
                        } else {
                            sums[i]
                        };
                        let want = if add { before[i] + sum } else { sum };
                        assert_eq!(y.to_bits(), want.to_bits(), "{level} {precision} {i}");
                    }
                }
            }
        }
    }
}

#[test]
fn matrices_that_share_a_region_do_not_see_each_other() {
    // GIVEN three matrices of different heights and precisions over the same x
    let mut numbers = Numbers::new(9);
    let cols = 96;
    let shapes = [
        (200, PRECISIONS[2]),
        (64, PRECISIONS[0]),
        (7, PRECISIONS[3]),
    ];
    let matrices = shapes.map(|(outs, p)| matrix(numbers.units(outs * cols), outs, cols, p));
    let pool = Pool::new(3).unwrap();
    for rows in [1, 5, 40] {
        let x = numbers.units(rows * cols);
        // WHEN they are computed in one region
        let mut ys = matrices.each_ref().map(|m| vec![f32::NAN; rows * m.rows()]);
        let mut outputs: Vec<Output<'_>> = matrices
            .iter()
            .zip(&mut ys)
            .map(|(matrix, y)| Output {
                matrix,
                bias: None,
                y,
                add: false,
            })
            .collect();
        linear(&pool, SimdLevel::detect(), &x, rows, &mut outputs);
        // THEN each has the bits it has alone
        for (matrix, y) in matrices.iter().zip(&ys) {
            assert_same(y, &expected(&x, matrix), &format!("{rows} rows"));
        }
    }
}

#[test]
fn nothing_in_gives_nothing_out() {
    // GIVEN no rows of x, or no columns, or no outputs
    let pool = Pool::new(2).unwrap();
    for level in SimdLevel::supported() {
        for precision in PRECISIONS {
            // WHEN multiplied THEN nothing happens, and a sum of nothing is +0
            let empty = matrix(vec![], 0, 4, precision);
            assert!(product(&pool, level, &[1.0; 8], 2, &empty).is_empty());
            let flat = matrix(vec![], 3, 0, precision);
            assert_eq!(bits(&product(&pool, level, &[], 2, &flat)), [0; 6]);
            let one = matrix(vec![1.0; 4], 1, 4, precision);
            assert!(product(&pool, level, &[], 0, &one).is_empty());
        }
    }
}

#[test]
#[should_panic(expected = "x of 2 rows of 4")]
fn an_x_of_another_length_is_refused() {
    // GIVEN a matrix of 4 columns WHEN x holds 7 numbers THEN that is a panic with the lengths
    let matrix = Matrix::from_f32(vec![0.0; 12], 3, 4);
    product(
        &Pool::new(1).unwrap(),
        SimdLevel::Portable,
        &[0.0; 7],
        2,
        &matrix,
    );
}
