//! Draws: by weight, only among the eligible, the same for everyone, and always ending.

use chasqui_primitives::draw::*;
use proptest::prelude::*;
use sp_arithmetic::Perbill;
use sp_core::H256;
use std::{cell::RefCell, collections::BTreeSet};

fn index_of(weights: &[u64]) -> Vec<(usize, u64)> {
    cumulative_index(weights.iter().copied().enumerate())
}

fn subseed(round: u32) -> H256 {
    draw_subseed(
        b"test",
        &H256::repeat_byte(1),
        &H256::repeat_byte(2),
        b"job",
        round,
    )
}

/// Pearson's statistic of observed counts against weights.
fn chi_square(counts: &[u64], weights: &[u64]) -> f64 {
    let draws = counts.iter().sum::<u64>() as f64;
    let total = weights.iter().sum::<u64>() as f64;
    counts
        .iter()
        .zip(weights)
        .map(|(count, weight)| {
            let expected = draws * *weight as f64 / total;
            (*count as f64 - expected).powi(2) / expected
        })
        .sum()
}

#[test]
fn hashes_equal_an_independent_computation() {
    // GIVEN values computed with Python's hashlib and big integers
    let seed = subseed(5);
    assert_eq!(
        seed,
        "6f77217a482db37cca56086d3bfbad0827851946bd6ffdc544d7f62b3ca260de"
            .parse()
            .unwrap()
    );
    // WHEN drawn here THEN they agree
    for (counter, total, value) in [
        (0, 10, 5),
        (1, 1000, 157),
        (2, u64::MAX, 14_382_582_651_496_200_580),
        (3, 123_456_789_012_345, 42_643_104_484_046),
    ] {
        assert_eq!(uniform_below(&seed, counter, total), Some(value));
    }
    assert_eq!(uniform_below(&seed, 0, 0), None);
    assert_eq!(uniform_below(&seed, 0, 1), Some(0));
}

#[test]
fn every_part_of_a_draw_changes_its_subseed() {
    // GIVEN draws that differ in one part, or only in where one part ends and the next begins
    let (g, s, z) = (
        H256::repeat_byte(1),
        H256::repeat_byte(2),
        H256::repeat_byte(3),
    );
    let all = [
        draw_subseed(b"tag", &g, &s, b"subject", 0),
        draw_subseed(b"tagg", &g, &s, b"subject", 0),
        draw_subseed(b"tag", &z, &s, b"subject", 0),
        draw_subseed(b"tag", &g, &z, b"subject", 0),
        draw_subseed(b"tag", &g, &s, b"subjecT", 0),
        draw_subseed(b"tag", &g, &s, b"subject", 1),
        draw_subseed(b"tag", &g, &s, b"subject\0", 0),
        draw_subseed(b"", &g, &s, b"subject", 0),
    ];
    // THEN no two share a subseed
    for (i, a) in all.iter().enumerate() {
        assert!(all[i + 1..].iter().all(|b| a != b));
    }
}

#[test]
fn draws_follow_the_weights() {
    // GIVEN weights over three orders of magnitude, and fixed seeds
    let weights = [1u64, 10, 100, 400, 489, 1000];
    let index = index_of(&weights);
    let mut counts = [0u64; 6];
    // WHEN drawn 40,000 times
    for round in 0..40_000 {
        counts[pick(&index, &subseed(round), |_| true).unwrap()] += 1;
    }
    // THEN chi-square (5 degrees of freedom) stays under its 1e-4 quantile
    let statistic = chi_square(&counts, &weights);
    assert!(statistic < 25.74, "{counts:?}: {statistic}");
}

#[test]
fn redraws_follow_the_weights_of_the_eligible() {
    // GIVEN two of five not eligible
    let weights = [500u64, 100, 200, 300, 900];
    let index = index_of(&weights);
    let mut counts = [0u64; 5];
    for round in 0..20_000 {
        // WHEN drawn among the others
        counts[pick(&index, &subseed(round), |who| who % 4 != 0).unwrap()] += 1;
    }
    // THEN only they come up, in proportion (2 degrees of freedom, 1e-4 quantile)
    assert_eq!((counts[0], counts[4]), (0, 0));
    let statistic = chi_square(&counts[1..4], &weights[1..4]);
    assert!(statistic < 18.42, "{counts:?}: {statistic}");
}

#[test]
fn the_first_two_seats_have_the_probabilities_of_drawing_without_replacement() {
    // GIVEN weights 1, 2, 3
    let index = index_of(&[1, 2, 3]);
    let mut counts = [0u64; 6];
    for round in 0..30_000 {
        // WHEN two are drawn
        let drawn = pick_distinct(&index, &subseed(round), 2, |_| true);
        let slot = [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]];
        counts[slot.iter().position(|pair| pair[..] == drawn[..]).unwrap()] += 1;
    }
    // THEN each ordered pair (i, j) comes with w_i/6 * w_j/(6 - w_i), here in sixtieths
    let statistic = chi_square(&counts, &[4, 6, 5, 15, 10, 20]);
    assert!(statistic < 25.74, "{counts:?}: {statistic}");
}

#[test]
fn bernoulli_hits_its_probability_and_its_ends_are_certain() {
    for percent in [0u32, 1, 10, 50, 90, 100] {
        let p = Perbill::from_percent(percent);
        let hits = (0..20_000)
            .filter(|round| bernoulli(&subseed(*round), p))
            .count() as f64;
        let expected = 200.0 * f64::from(percent);
        // Five standard deviations; none at the ends.
        let share = f64::from(percent) / 100.0;
        let bound = 5.0 * (20_000.0 * share * (1.0 - share)).sqrt();
        assert!((hits - expected).abs() <= bound, "{percent}%: {hits}");
    }
}

#[test]
fn a_coin_is_independent_of_a_pick_with_the_same_subseed() {
    // GIVEN one subseed for a pick among two equals and a coin of 50%
    let index = index_of(&[1, 1]);
    let mut counts = [0u64; 4];
    for round in 0..20_000 {
        let picked = pick(&index, &subseed(round), |_| true).unwrap();
        counts[picked * 2 + usize::from(bernoulli(&subseed(round), Perbill::from_percent(50)))] +=
            1;
    }
    // THEN all four combinations are equally likely (3 degrees of freedom, 1e-4 quantile)
    let statistic = chi_square(&counts, &[1, 1, 1, 1]);
    assert!(statistic < 21.11, "{counts:?}: {statistic}");
}

#[test]
fn nobody_is_drawn_from_nothing() {
    let none: [(usize, u64); 0] = [];
    assert_eq!(pick(&none, &subseed(0), |_| true), None);
    assert_eq!(pick(&[(0usize, 0u64)], &subseed(0), |_| true), None);
    assert_eq!(pick(&index_of(&[5, 6]), &subseed(0), |_| false), None);
    assert!(pick_distinct(&none, &subseed(0), 3, |_| true).is_empty());
    assert!(pick_distinct(&index_of(&[5, 6]), &subseed(0), 0, |_| true).is_empty());
}

#[test]
fn an_entry_without_weight_is_never_drawn_even_by_the_scan() {
    // GIVEN an index whose first entry has weight 0, and an entry hidden behind an equal value
    let index = [(0usize, 0u64), (1, 10), (2, 10), (3, 20)];
    for round in 0..200 {
        // WHEN only weightless entries are eligible THEN nobody is drawn
        assert_eq!(
            pick(&index, &subseed(round), |who| *who == 0 || *who == 2),
            None
        );
        assert!(matches!(
            pick(&index, &subseed(round), |_| true),
            Some(1 | 3)
        ));
    }
    // AND a broken index, with falling values, ends without a panic
    let broken = [(0usize, 10u64), (1, 5), (2, 7)];
    for round in 0..50 {
        let _ = pick(&broken, &subseed(round), |who| *who == 1);
        let _ = pick_distinct(&broken, &subseed(round), 5, |_| true);
    }
}

#[test]
fn the_work_of_a_draw_does_not_grow_with_the_index() {
    // GIVEN a thousand entries of whom nobody is eligible
    let index = index_of(&vec![1_000u64; 1_000]);
    for seats in [1, 3, 16] {
        let asked = RefCell::new(Vec::new());
        // WHEN seats are drawn
        let drawn = pick_distinct(&index, &subseed(0), seats, |who| {
            asked.borrow_mut().push(*who);
            false
        });
        // THEN a bounded number of entries is asked, nobody twice, and nobody is drawn
        assert!(drawn.is_empty());
        let asked = asked.into_inner();
        let different: BTreeSet<_> = asked.iter().collect();
        assert_eq!(asked.len(), MAX_CANDIDATES as usize);
        assert_eq!(different.len(), asked.len());
    }
}

#[test]
fn nobody_is_asked_twice_for_several_seats() {
    // GIVEN forty entries, every fourth eligible
    let index = index_of(&[5u64; 40]);
    let asked = RefCell::new(Vec::new());
    // WHEN more seats are drawn than can be filled
    let drawn = pick_distinct(&index, &subseed(7), 16, |who| {
        asked.borrow_mut().push(*who);
        who % 4 == 0
    });
    // THEN all ten are found, and every entry was asked once
    assert_eq!(drawn.len(), 10);
    let mut asked = asked.into_inner();
    asked.sort_unstable();
    assert_eq!(asked, (0..40).collect::<Vec<_>>());
}

#[test]
fn a_weight_that_would_overflow_the_index_is_left_out() {
    let index = cumulative_index([("a", u64::MAX - 1), ("b", 5), ("c", 1), ("d", 0)]);
    assert_eq!(index, vec![("a", u64::MAX - 1), ("c", u64::MAX)]);
    assert_eq!(total_weight(&index), u64::MAX);
    assert_eq!(
        (weight_at(&index, 0), weight_at(&index, 1)),
        (u64::MAX - 1, 1)
    );
    assert_eq!(weight_at(&index, 2), 0);
}

proptest! {
    #[test]
    fn the_only_eligible_one_is_found_among_as_many_as_may_be_asked(
        weights in prop::collection::vec(1u64..1_000_000_000_000, 1..=MAX_CANDIDATES as usize),
        only in any::<prop::sample::Index>(), seed in any::<[u8; 32]>(),
    ) {
        let only = only.index(weights.len());
        let index = index_of(&weights);
        prop_assert_eq!(pick(&index, &H256(seed), |who| *who == only), Some(only));
        prop_assert_eq!(pick_distinct(&index, &H256(seed), 5, |who| *who == only), vec![only]);
    }

    #[test]
    fn distinct_draws_are_distinct_eligible_and_as_many_as_possible(
        weights in prop::collection::vec(1u64..1_000_000, 0..40), n in 0u32..50,
        divisor in 1usize..5, seed in any::<[u8; 32]>(),
    ) {
        let index = index_of(&weights);
        let eligible = |who: &usize| who.is_multiple_of(divisor);
        let drawn = pick_distinct(&index, &H256(seed), n, eligible);
        let able = index.iter().filter(|(who, _)| eligible(who)).count();
        prop_assert_eq!(drawn.len(), able.min(n as usize));
        prop_assert!(drawn.iter().all(|position| eligible(&index[*position].0)));
        let mut sorted = drawn.clone();
        sorted.sort_unstable();
        sorted.dedup();
        prop_assert_eq!(sorted.len(), drawn.len());
        // AND fewer seats are a prefix of more: raising n never replaces who was drawn before
        let fewer = pick_distinct(&index, &H256(seed), n / 2, eligible);
        prop_assert_eq!(&drawn[..fewer.len()], &fewer[..]);
    }

    #[test]
    fn a_number_is_below_its_total_and_the_same_each_time(
        seed in any::<[u8; 32]>(), counter in any::<u32>(), total in 1u64..,
    ) {
        let value = uniform_below(&H256(seed), counter, total).unwrap();
        prop_assert!(value < total);
        prop_assert_eq!(uniform_below(&H256(seed), counter, total), Some(value));
    }

    #[test]
    fn weights_survive_the_index(weights in prop::collection::vec(0u64..1_000_000, 0..50)) {
        let index = index_of(&weights);
        prop_assert!(index.windows(2).all(|pair| pair[0].1 < pair[1].1));
        prop_assert_eq!(total_weight(&index), weights.iter().sum::<u64>());
        for (position, (who, _)) in index.iter().enumerate() {
            prop_assert_eq!(weight_at(&index, position), weights[*who]);
        }
    }

    #[test]
    fn the_draw_factor_grows_from_a_quarter_to_one(a in 0u32..=1_000_000_000, b in 0u32..=1_000_000_000) {
        let (low, high) = (Perbill::from_parts(a.min(b)), Perbill::from_parts(a.max(b)));
        prop_assert!(draw_factor(low) <= draw_factor(high));
        prop_assert!(draw_factor(low) >= Perbill::from_percent(25));
        let exact = 250_000_000 + u64::from(low.deconstruct()) * 3 / 4;
        prop_assert_eq!(u64::from(draw_factor(low).deconstruct()), exact);
        prop_assert_eq!(draw_factor(Perbill::zero()), Perbill::from_percent(25));
        prop_assert_eq!(draw_factor(Perbill::one()), Perbill::one());
    }
}
