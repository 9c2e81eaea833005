//! The price of a unit by vote.

use chasqui_primitives::{
    money::{clamp_price, weighted_median},
    prices::Votes,
};
use proptest::prelude::*;

const LO: u128 = 1;
const HI: u128 = u128::MAX / 4;

fn outcome(price: u128, votes: &[(Option<u128>, u64)]) -> u128 {
    let mut counted = Votes::new(price);
    for (vote, weight) in votes {
        counted.add(*vote, *weight);
    }
    counted.outcome(LO, HI)
}

#[test]
fn one_voter_decides_within_a_tenth() {
    assert_eq!(outcome(1_000, &[(Some(1_050), 1)]), 1_050);
    assert_eq!(outcome(1_000, &[(Some(5_000), 1)]), 1_100);
    assert_eq!(outcome(1_000, &[(Some(0), 1)]), 900);
    assert_eq!(outcome(1_000, &[(Some(u128::MAX), 1)]), 1_100);
}

#[test]
fn who_never_voted_is_for_the_running_price() {
    // GIVEN a third for more, two thirds silent
    assert_eq!(outcome(1_000, &[(Some(5_000), 1), (None, 2)]), 1_000);
    // AND the other way round
    assert_eq!(outcome(1_000, &[(Some(5_000), 2), (None, 1)]), 1_100);
}

#[test]
fn all_weight_on_one_is_all_that_counts() {
    assert_eq!(
        outcome(
            1_000,
            &[(Some(950), u64::MAX), (Some(1_100), 1), (Some(1_100), 0)]
        ),
        950
    );
}

#[test]
fn of_two_halves_the_lower_one_decides() {
    assert_eq!(outcome(1_000, &[(Some(950), 5), (Some(1_050), 5)]), 950);
}

#[test]
fn without_weight_the_price_stays() {
    assert_eq!(outcome(1_000, &[]), 1_000);
    assert_eq!(outcome(1_000, &[(Some(2_000), 0)]), 1_000);
}

#[test]
fn bounds_win_over_votes() {
    let mut votes = Votes::new(1_000);
    votes.add(Some(1_100), 1);
    assert_eq!(votes.outcome(1, 1_020), 1_020);
    assert_eq!(votes.outcome(2_000, 3_000), 2_000);
}

#[test]
fn a_price_of_a_few_planck_still_moves() {
    assert_eq!(outcome(1, &[(Some(100), 1)]), 2);
    assert_eq!(outcome(2, &[(Some(0), 1)]), 1);
    // AND never below its bound
    assert_eq!(outcome(1, &[(Some(0), 1)]), LO);
}

#[test]
fn the_smallest_step_that_is_voted_for_counts() {
    assert_eq!(
        outcome(1_000_000, &[(Some(1_000_001), 3), (None, 2)]),
        1_000_781
    );
}

proptest! {
    #[test]
    fn the_histogram_finds_the_sorted_median_to_a_bucket(
        price in 1u128..1_000_000_000_000,
        votes in prop::collection::vec((prop::option::of(0u128..2_000_000_000_000), 0u64..1_000), 1..100),
    ) {
        let mut sorted: Vec<_> = votes.iter().map(|(vote, weight)| (vote.unwrap_or(price), *weight)).collect();
        let exact = weighted_median(&mut sorted).map_or(price, |median| clamp_price(price, median, LO, HI));
        let found = outcome(price, &votes);
        prop_assert!(found.abs_diff(exact) <= price / 1_280 + 1, "{found} for {exact} at {price}");
    }

    #[test]
    fn no_price_moves_more_than_a_tenth(
        price in 1u128..1 << 100,
        votes in prop::collection::vec((prop::option::of(any::<u128>()), any::<u64>()), 0..20),
    ) {
        let found = outcome(price, &votes);
        prop_assert!(found.abs_diff(price) <= (price / 10).max(1));
    }
}
