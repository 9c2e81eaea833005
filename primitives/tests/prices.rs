//! Prices: known before they are paid, voted by weighted median, moving slowly.

use chasqui_primitives::money::*;
use proptest::prelude::*;

#[test]
fn a_job_costs_its_units_at_the_unit_price() {
    // GIVEN 2 units a prompt token, 5 an output token WHEN 100 go in and 20 come out
    assert_eq!(compute_units(2, 5, 100, 20), 300);
    // THEN the price is 300 units
    assert_eq!(job_price(7, 2, 5, 100, 20), Some(2_100));
    assert_eq!(job_price(0, 2, 5, 100, 20), Some(0));
    assert_eq!(job_price(7, 2, 5, 0, 0), Some(0));
}

#[test]
fn a_price_beyond_a_balance_is_none_and_units_saturate() {
    let max = u32::MAX;
    assert_eq!(compute_units(max, max, max, max), u64::MAX);
    // Units alone reach 2 * (2^32 - 1)^2, exactly.
    let square = u128::from(max) * u128::from(max);
    assert_eq!(job_price(1, max, max, max, max), Some(2 * square));
    assert_eq!(job_price(u128::MAX, 1, 1, 1, 1), None);
    assert_eq!(job_price(u128::MAX, 1, 0, 1, 1), Some(u128::MAX));
}

#[test]
fn a_price_moves_by_a_tenth_at_most_and_stays_in_its_bounds() {
    assert_eq!(clamp_price(1_000, 5_000, 1, 10_000), 1_100);
    assert_eq!(clamp_price(1_000, 10, 1, 10_000), 900);
    assert_eq!(clamp_price(1_000, 1_050, 1, 10_000), 1_050);
    // The bounds win over the step, and the upper one over the lower.
    assert_eq!(clamp_price(1_000, 1_000, 2_000, 10_000), 2_000);
    assert_eq!(clamp_price(1_000, 1_000, 1, 500), 500);
    assert_eq!(clamp_price(1_000, 1_000, 600, 500), 500);
    // A price of a few plancks still moves, by one.
    assert_eq!(clamp_price(3, 100, 1, 1_000), 4);
    assert_eq!(clamp_price(0, 100, 0, 1_000), 1);
    assert_eq!(clamp_price(u128::MAX, u128::MAX, 0, u128::MAX), u128::MAX);
}

#[test]
fn the_median_goes_by_weight_not_by_heads() {
    // GIVEN many light voters for a high price and one heavy for a low one
    let mut votes = vec![(900, 1), (901, 1), (902, 1), (100, 10)];
    assert_eq!(weighted_median(&mut votes), Some(100));
    // A tie goes to the lower value.
    assert_eq!(weighted_median(&mut [(2, 5), (1, 5)]), Some(1));
    // Voters without weight do not count.
    assert_eq!(weighted_median(&mut [(1, 0), (7, 3), (9, 0)]), Some(7));
    assert_eq!(weighted_median(&mut []), None);
    assert_eq!(weighted_median(&mut [(5, 0)]), None);
    assert_eq!(
        weighted_median(&mut [(1, u64::MAX), (2, u64::MAX), (3, u64::MAX)]),
        Some(2)
    );
}

proptest! {
    #[test]
    fn price_and_units_agree(
        unit in 0u128..1_000_000_000_000, a in any::<u32>(), b in any::<u32>(),
        prompt in 0u32..1_000_000, output in 0u32..1_000_000,
    ) {
        let units = compute_units(a, b, prompt, output);
        prop_assert_eq!(job_price(unit, a, b, prompt, output), Some(unit * u128::from(units)));
    }

    #[test]
    fn a_step_is_bounded_and_goes_the_way_of_the_vote(
        old in 10u128..1_000_000_000_000, proposed in any::<u128>(),
    ) {
        let new = clamp_price(old, proposed, 0, u128::MAX);
        prop_assert!(new >= old - old / 10 && new <= old + old / 10);
        prop_assert_eq!(new.cmp(&old), proposed.cmp(&old));
    }

    #[test]
    fn the_median_splits_the_weight(
        mut votes in prop::collection::vec((0u128..1_000, 0u64..1_000), 1..40),
    ) {
        let total: u64 = votes.iter().map(|(_, weight)| weight).sum();
        prop_assume!(total > 0);
        let median = weighted_median(&mut votes).unwrap();
        let weight = |keep: &dyn Fn(u128) -> bool| -> u64 {
            votes.iter().filter(|(value, _)| keep(*value)).map(|(_, weight)| weight).sum()
        };
        // THEN neither side has more than half of the weight
        prop_assert!(2 * weight(&|value| value < median) <= total);
        prop_assert!(2 * weight(&|value| value > median) <= total);
        prop_assert!(votes.iter().any(|(value, weight)| *value == median && *weight > 0));
    }

    #[test]
    fn a_minority_cannot_push_the_median_beyond_honest_votes(
        honest in prop::collection::vec(100u128..200, 1..20), bad in any::<u128>(),
    ) {
        // GIVEN honest voters of weight 10 and one attacker with less than half of the whole
        let mut votes: Vec<(u128, u64)> = honest.iter().map(|value| (*value, 10)).collect();
        votes.push((bad, 10 * honest.len() as u64 - 1));
        let median = weighted_median(&mut votes).unwrap();
        prop_assert!((100..200).contains(&median));
    }
}
