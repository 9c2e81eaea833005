//! At which values benchmarks run.

use crate::steps::points;
use frame_benchmarking::BenchmarkParameter::{a, b};

#[test]
fn a_component_is_tried_from_end_to_end_while_the_others_are_highest() {
    // GIVEN two components, WHEN three steps are asked for
    let points = points(&[(a, 1, 9), (b, 0, 100)], 3);
    // THEN each takes its lowest, middle and highest
    let expected = [(1, 100), (5, 100), (9, 100), (9, 0), (9, 50), (9, 100)];
    let expected: Vec<_> = expected
        .iter()
        .map(|(x, y)| vec![(a, *x), (b, *y)])
        .collect();
    assert_eq!(points, expected);
}

#[test]
fn a_range_with_fewer_values_than_steps_is_tried_once_at_each() {
    let values: Vec<u32> = points(&[(a, 3, 5)], 10)
        .iter()
        .map(|point| point[0].1)
        .collect();
    assert_eq!(values, [3, 4, 5]);
}

#[test]
fn the_largest_range_does_not_overflow() {
    let values: Vec<u32> = points(&[(a, 0, u32::MAX)], 2)
        .iter()
        .map(|point| point[0].1)
        .collect();
    assert_eq!(values, [0, u32::MAX]);
}

#[test]
fn without_components_there_is_one_point() {
    assert_eq!(points(&[], 10), [vec![]]);
}
