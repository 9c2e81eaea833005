//! Lines through measurements.

use super::run;
use crate::fit::{line, proof, Line};
use frame_benchmarking::BenchmarkSelector::{ExtrinsicTime, Reads};
use frame_support::traits::StorageInfo;

#[test]
fn what_grows_linearly_is_found_exactly() {
    // GIVEN a benchmark that takes 100 ns and 7 ns more for each
    let runs: Vec<_> = (0..10).map(|n| run(n, 100 + 7 * u128::from(n))).collect();
    // WHEN a line is laid through it
    let line = line(&runs, ExtrinsicTime).unwrap();
    // THEN it is that, in picoseconds
    assert_eq!(line.slopes, [("n".to_owned(), 7_000)]);
    assert!(line.base.abs_diff(100_000) <= 10, "{}", line.base);
}

#[test]
fn no_step_lies_above_the_line() {
    // GIVEN a benchmark that costs much from the first on, and little for more: no line fits
    let times = [10, 400, 700, 900, 1_000, 1_050, 1_080, 1_100];
    let runs: Vec<_> = times
        .iter()
        .zip(0..)
        .map(|(time, n)| run(n, *time))
        .collect();
    // WHEN a line is laid through it
    let line = line(&runs, ExtrinsicTime).unwrap();
    // THEN it charges at least what was seen everywhere
    for run in runs {
        let value = run.components[0].1;
        assert!(
            line.at(&[value]) >= run.extrinsic_time * 1_000,
            "at {value}"
        );
    }
}

#[test]
fn two_steps_are_enough_for_counts() {
    let counted = |n: u32, reads: u32| {
        let mut run = run(n, 0);
        run.reads = reads;
        run
    };
    let line = line(&[counted(0, 3), counted(1, 8)], Reads).unwrap();
    let expected = Line {
        base: 3,
        slopes: vec![("n".into(), 5)],
    };
    assert_eq!(line, expected);
}

#[test]
fn a_proof_has_room_for_the_longest_values_and_never_less_than_was_recorded() {
    // GIVEN an item of at most 100 bytes in a map without a bound, of which one run reads two
    let prefix = vec![7; 32];
    let items = [StorageInfo {
        pallet_name: b"Jobs".to_vec(),
        storage_name: b"Jobs".to_vec(),
        prefix: prefix.clone(),
        max_values: None,
        max_size: Some(100),
    }];
    let mut run = run(1, 0);
    run.components.clear();
    run.keys = vec![(prefix, 2, 0, false)];
    // WHEN little was recorded THEN two paths of five layers, two values and two layers above are charged
    run.proof_size = 10;
    let line = proof(&[run.clone()], &items).unwrap();
    assert_eq!(line.base, 2 * (5 * 495 + 100) + 2 * 495);
    // WHEN more was recorded THEN that is charged
    run.proof_size = 1 << 20;
    assert_eq!(proof(&[run], &items).unwrap().base, 1 << 20);
}
