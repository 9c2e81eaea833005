//! Splits of fees, slashes and pools: every planck goes somewhere, once.

use chasqui_primitives::money::*;
use proptest::prelude::*;
use sp_arithmetic::Perbill;

fn shares() -> impl Strategy<Value = Shares> {
    [
        0u32..=1_000_000_000,
        0u32..=1_000_000_000,
        0u32..=1_000_000_000,
    ]
    .prop_map(|mut cuts| {
        cuts.sort_unstable();
        let [a, b, c] = cuts;
        let part = Perbill::from_parts;
        Shares {
            poi: part(a),
            poc: part(b - a),
            fund: part(c - b),
            reserve: part(1_000_000_000 - c),
        }
    })
}

#[test]
fn an_unaudited_fee_is_split_60_15_20_5() {
    // GIVEN 100 DOT WHEN nobody audited THEN the executor has the whole PoI share
    let split = split_fee(100 * DOT, &Shares::default(), 0);
    assert_eq!(
        split,
        FeeSplit {
            executor: 60 * DOT,
            auditors_each: 0,
            poc: 15 * DOT,
            fund: 20 * DOT,
            reserve: 5 * DOT
        }
    );
}

#[test]
fn an_audited_fee_halves_the_poi_share_between_executor_and_auditors() {
    let split = split_fee(100 * DOT, &Shares::default(), 3);
    assert_eq!((split.executor, split.auditors_each), (30 * DOT, 10 * DOT));
    assert_eq!(
        (split.poc, split.fund, split.reserve),
        (15 * DOT, 20 * DOT, 5 * DOT)
    );
}

#[test]
fn what_does_not_divide_goes_to_the_reserve() {
    // GIVEN 101 plancks and four auditors: shares 60, 15, 20 and halves of 30, parts of 7
    let split = split_fee(101, &Shares::default(), 4);
    assert_eq!((split.executor, split.auditors_each), (30, 7));
    assert_eq!((split.poc, split.fund), (15, 20));
    // THEN the reserve has its 5, the 101st and the two that four auditors cannot share
    assert_eq!(split.reserve, 8);
    // AND more auditors than plancks leave all of theirs to the reserve
    let crowd = split_fee(101, &Shares::default(), u32::MAX);
    assert_eq!(
        (crowd.executor, crowd.auditors_each, crowd.total(u32::MAX)),
        (30, 0, 101)
    );
}

#[test]
fn shares_are_whole_only_at_exactly_one_hundred_percent() {
    assert!(Shares::default().is_whole());
    let mut less = Shares::default();
    less.reserve = Perbill::from_parts(less.reserve.deconstruct() - 1);
    assert!(!less.is_whole());
    let all = Perbill::one();
    assert!(!Shares {
        poi: all,
        poc: all,
        fund: all,
        reserve: all
    }
    .is_whole());
    let none = Perbill::zero();
    assert!(!Shares {
        poi: none,
        poc: none,
        fund: none,
        reserve: none
    }
    .is_whole());
}

#[test]
fn a_slash_refunds_the_victim_before_anyone_else() {
    // GIVEN a slash smaller than the loss THEN the victim has all of it
    assert_eq!(
        split_slash(5 * DOT, 8 * DOT, 3, true),
        SlashSplit {
            victim: 5 * DOT,
            ..Default::default()
        }
    );
    // GIVEN 108 DOT and a loss of 8 THEN reporter and auditors have 10 each, the reserve 80
    let split = split_slash(108 * DOT, 8 * DOT, 5, true);
    assert_eq!((split.victim, split.reporter), (8 * DOT, 10 * DOT));
    assert_eq!((split.auditors_each, split.reserve), (2 * DOT, 80 * DOT));
    // AND nobody gains when another is missing
    let alone = split_slash(108 * DOT, 8 * DOT, 5, false);
    assert_eq!(
        (alone.auditors_each, alone.reporter, alone.reserve),
        (2 * DOT, 0, 90 * DOT)
    );
    let reporter = split_slash(108 * DOT, 8 * DOT, 0, true);
    assert_eq!((reporter.auditors_each, reporter.reporter), (0, 10 * DOT));
}

#[test]
fn an_empty_pool_of_points_pays_nobody() {
    assert_eq!(pool_share(100 * DOT, 0, 0), 0);
    assert_eq!(pool_share(100 * DOT, 5, 0), 0);
    assert_eq!(pool_share(0, 5, 10), 0);
    assert_eq!(pool_share(100, 1, 3), 33);
    assert_eq!(pool_share(u128::MAX, u128::MAX, u128::MAX), u128::MAX);
    // Points beyond the total never draw more than the pool.
    assert_eq!(pool_share(100, 11, 10), 100);
}

proptest! {
    #[test]
    fn a_fee_is_conserved(
        price in any::<u128>(), shares in shares(), auditors in prop_oneof![0u32..10, any::<u32>()],
    ) {
        prop_assert!(shares.is_whole());
        let split = split_fee(price, &shares, auditors);
        let auditors_sum = split.auditors_each.checked_mul(u128::from(auditors)).unwrap();
        let sum = [auditors_sum, split.poc, split.fund, split.reserve]
            .into_iter()
            .try_fold(split.executor, u128::checked_add);
        prop_assert_eq!(sum, Some(price));
        prop_assert_eq!(split.total(auditors), price);
        // AND nobody but the reserve has more than their share; it has at least its own
        prop_assert!(split.executor + auditors_sum <= shares.poi.mul_floor(price));
        prop_assert!(split.fund == shares.fund.mul_floor(price));
        prop_assert!(split.poc == shares.poc.mul_floor(price));
        prop_assert!(split.reserve >= shares.reserve.mul_floor(price));
    }

    #[test]
    fn a_fee_is_conserved_even_under_shares_that_do_not_add_up(
        price in any::<u128>(), parts in any::<[u32; 4]>(), auditors in 0u32..10,
    ) {
        let [poi, poc, fund, reserve] = parts.map(Perbill::from_parts);
        let split = split_fee(price, &Shares { poi, poc, fund, reserve }, auditors);
        let sum = [split.auditors_each * u128::from(auditors), split.poc, split.fund, split.reserve]
            .into_iter()
            .try_fold(split.executor, u128::checked_add);
        prop_assert_eq!(sum, Some(price));
    }

    #[test]
    fn a_slash_is_conserved_and_rewards_stay_within_a_fifth(
        amount in any::<u128>(), loss in any::<u128>(), auditors in prop_oneof![0u32..10, any::<u32>()],
        has_reporter in any::<bool>(),
    ) {
        let split = split_slash(amount, loss, auditors, has_reporter);
        let to_auditors = split.auditors_each.checked_mul(u128::from(auditors)).unwrap();
        let sum = [to_auditors, split.reporter, split.reserve]
            .into_iter()
            .try_fold(split.victim, u128::checked_add);
        prop_assert_eq!(sum, Some(amount));
        prop_assert_eq!(split.total(auditors), amount);
        prop_assert_eq!(split.victim, amount.min(loss));
        prop_assert!(to_auditors + split.reporter <= (amount - split.victim) / 5);
        prop_assert!(has_reporter || split.reporter == 0);
    }

    #[test]
    fn a_pool_is_never_overdrawn(
        pool in any::<u128>(), points in prop::collection::vec(0u128..1_000_000_000_000, 1..30),
    ) {
        let total = points.iter().sum();
        let shares: Vec<u128> = points.iter().map(|p| pool_share(pool, *p, total)).collect();
        let paid = shares.iter().try_fold(0u128, |sum, share| sum.checked_add(*share)).unwrap();
        prop_assert!(paid <= pool);
        // Less than a planck is lost per account.
        if total > 0 {
            prop_assert!(pool - paid < points.len() as u128);
        }
    }
}
