//! Credit: the median of work per weight, and what counts beside it.

use chasqui_primitives::credit::{
    allowance, credited_fees, ratio, vote_weight, Medians, Ratios, BUCKETS, RATIO_ONE,
};
use proptest::prelude::*;

fn rho(operators: &[(u128, u64)]) -> u128 {
    let mut ratios = Ratios::default();
    for (units, weight) in operators {
        ratios.add(ratio(*units, *weight), *weight);
    }
    ratios.median()
}

/// The median by its definition: sorted.
fn exact(operators: &[(u128, u64)]) -> u128 {
    let mut ratios: Vec<_> = operators
        .iter()
        .map(|(units, weight)| (ratio(*units, *weight), u128::from(*weight)))
        .collect();
    ratios.sort_unstable();
    let total: u128 = ratios.iter().map(|(_, weight)| weight).sum();
    let mut reached = 0;
    ratios
        .iter()
        .find(|(_, weight)| {
            reached += weight;
            *weight > 0 && 2 * reached >= total
        })
        .map_or(0, |(ratio, _)| *ratio)
}

#[test]
fn a_cartel_that_serves_itself_raises_its_units_and_not_its_credit() {
    // GIVEN ten operators of weight 100 who did 1,000 units each
    let honest = vec![(1_000u128, 100u64); 10];
    let before = allowance(100, rho(&honest));
    // WHEN four of them buy a thousand times as much of their own service
    let mut bought = honest.clone();
    for operator in bought.iter_mut().take(4) {
        operator.0 *= 1_000;
    }
    let after = allowance(100, rho(&bought));
    // THEN nobody's allowance has changed, and theirs ends at it
    assert_eq!(before, after);
    assert!(after <= 700 && after > 670, "{after}");
    assert_eq!(vote_weight(100, 1_000_000, rho(&bought)), 100);
    assert_eq!(vote_weight(100, 1_000, rho(&bought)), 100);
}

#[test]
fn who_does_half_of_what_counts_votes_with_half_of_its_weight() {
    let rho = 10 * RATIO_ONE;
    assert_eq!(allowance(100, rho), 700);
    assert_eq!(vote_weight(100, 350, rho), 50);
    assert_eq!(vote_weight(100, 0, rho), 0);
    assert_eq!(vote_weight(0, 350, rho), 0);
}

#[test]
fn where_most_did_nothing_whoever_did_something_has_its_weight() {
    let rho = rho(&[(0, 60), (5, 40)]);
    assert_eq!(rho, 0);
    assert_eq!(vote_weight(40, 5, rho), 40);
    assert_eq!(vote_weight(60, 0, rho), 0);
    // AND nothing is credited for the subsidy
    assert_eq!(window(rho).credited_units(5, 40, 40), 0);
}

#[test]
fn an_epoch_is_credited_a_twenty_eighth_of_the_window() {
    let rho = 28 * RATIO_ONE;
    // 0.7 * 100 * 28 / 28
    assert_eq!(window(rho).credited_units(1_000, 100, 100), 70);
    assert_eq!(window(rho).credited_units(60, 100, 100), 60);
}

#[test]
fn an_epoch_is_credited_no_more_than_its_own_median_allows() {
    // GIVEN a day of which most computed a tenth of what the window is used to
    let medians = Medians {
        window: 28 * RATIO_ONE,
        epoch: rho(&[(1_000, 10_000), (1_000, 10_000), (70_000, 10_000)]),
    };
    // THEN whoever fills the rest by paying itself is credited 0.7 of what most did, to what a median is exact to
    let credited = medians.credited_units(70_000, 10_000, 10_000);
    assert!((670..=700).contains(&credited), "{credited}");
    // AND one that is drawn with a quarter of its weight, a quarter of that
    let credited = medians.credited_units(70_000, 10_000, 2_500);
    assert!((167..=175).contains(&credited), "{credited}");
    // AND one that is not drawn at all, nothing
    assert_eq!(medians.credited_units(70_000, 10_000, 0), 0);
}

#[test]
fn a_busy_day_is_credited_what_the_window_allows() {
    let medians = Medians {
        window: 28 * RATIO_ONE,
        epoch: 50 * RATIO_ONE,
    };
    assert_eq!(medians.credited_units(5_000, 100, 100), 70);
}

/// The window's median alone.
fn window(rho: u128) -> Medians {
    Medians {
        window: rho,
        epoch: u128::MAX,
    }
}

#[test]
fn fees_are_credited_as_the_units_were() {
    assert_eq!(credited_fees(1_000, 100, 70), 700);
    assert_eq!(credited_fees(1_000, 100, 200), 1_000);
    assert_eq!(credited_fees(1_000, 0, 0), 0);
}

#[test]
fn nobody_and_nothing_have_no_median() {
    assert_eq!(rho(&[]), 0);
    assert_eq!(rho(&[(7, 0)]), 0);
    assert_eq!(ratio(7, 0), 0);
    assert_eq!(rho(&[(u128::MAX, 1)]), rho(&[(u128::MAX, 1)]));
}

#[test]
fn every_bucket_has_its_place() {
    let mut ratios = Ratios::default();
    for bits in 0..64 {
        for low in 0..64u128 {
            ratios.add((1u128 << bits) + (low << bits) / 64, 1);
        }
    }
    ratios.add(0, 1);
    ratios.add(u128::MAX, 1);
    let encoded = parity_scale_codec::Encode::encode(&ratios);
    assert!(encoded.len() as u32 <= BUCKETS * 10 + 4);
}

proptest! {
    #[test]
    fn the_median_is_at_most_one_part_in_32_low(
        operators in prop::collection::vec((0u128..1 << 40, 1u64..1_000_000), 1..80),
    ) {
        let (found, exact) = (rho(&operators), exact(&operators));
        prop_assert!(found <= exact, "{found} > {exact}");
        prop_assert!(exact - found <= exact / 32, "{found} is too far from {exact}");
    }

    #[test]
    fn less_than_half_of_the_weight_does_not_raise_rho_above_the_others(
        others in prop::collection::vec(0u128..1_000_000, 5..20),
        cartel in prop::collection::vec(any::<u64>(), 1..5),
    ) {
        let mut all: Vec<_> = others.iter().map(|units| (*units, 10u64)).collect();
        let most = ratio(*others.iter().max().unwrap(), 10);
        all.extend(cartel.iter().map(|units| (u128::from(*units), 10)));
        prop_assume!(cartel.len() < others.len());
        prop_assert!(rho(&all) <= most);
    }

    #[test]
    fn credit_never_exceeds_work_weight_or_fees(
        units in any::<u128>(), weight in any::<u64>(), drawn in any::<u64>(), rho in any::<u128>(),
        epoch in any::<u128>(), fees in any::<u128>(),
    ) {
        let medians = Medians { window: rho, epoch };
        let credited = medians.credited_units(units, weight, drawn);
        prop_assert!(credited <= units);
        prop_assert!(credited <= allowance(drawn, epoch));
        prop_assert!(credited <= window(rho).credited_units(units, weight, drawn));
        prop_assert!(credited_fees(fees, units, credited) <= fees);
        prop_assert!(vote_weight(weight, units, rho) <= weight);
    }

    #[test]
    fn more_work_never_weighs_less(
        units in 0u128..1 << 60, more in 0u128..1 << 60, weight in any::<u64>(), rho in 0u128..1 << 60,
    ) {
        prop_assert!(vote_weight(weight, units, rho) <= vote_weight(weight, units + more, rho));
    }
}
