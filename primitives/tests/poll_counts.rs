//! How polls are counted.

use chasqui_primitives::governance::{Count, Electorate, Span};
use proptest::prelude::*;
use sp_arithmetic::Perbill;

fn electorate(weight: u64, bond: u128) -> Electorate {
    Electorate {
        epoch: 1,
        weight,
        bond,
    }
}

#[test]
fn an_empty_electorate_approves_nothing() {
    let mut count = Count::default();
    count.add(true, 10, 10);
    let nobody = electorate(0, 0);
    assert_eq!(count.support(&nobody), Perbill::zero());
    assert_eq!(count.approval(&nobody), Perbill::zero());
    assert!(!Count::default().has_bond(&nobody));
}

#[test]
fn support_is_a_part_of_all_weight_and_approval_of_the_votes() {
    let mut count = Count::default();
    count.add(true, 30, 5);
    count.add(false, 10, 6);
    let all = electorate(100, 20);
    assert_eq!(count.support(&all), Perbill::from_percent(30));
    assert_eq!(count.approval(&all), Perbill::from_percent(75));
    assert_eq!(Count::default().approval(&all), Perbill::zero());
}

#[test]
fn half_of_the_bond_is_not_more_than_half() {
    let mut count = Count::default();
    count.add(true, 1, 10);
    assert!(!count.has_bond(&electorate(1, 20)));
    assert!(count.has_bond(&electorate(1, 19)));
}

#[test]
fn a_delegation_counts_in_polls_of_its_time() {
    let span = Span {
        since: 10,
        until: Some(20),
    };
    let counts: Vec<_> = (8..23).filter(|block| span.covers(*block)).collect();
    assert_eq!(counts, (11..=20).collect::<Vec<_>>());
    assert!(Span {
        since: 10,
        until: None
    }
    .covers(1_000));
}

proptest! {
    #[test]
    fn of_consecutive_delegations_at_most_one_counts(
        lengths in prop::collection::vec((0u32..5, 0u32..5), 1..10), poll in 0u32..60,
    ) {
        let mut block = 0;
        let mut spans = Vec::new();
        for (pause, length) in lengths {
            block += pause;
            spans.push(Span { since: block, until: Some(block + length) });
            block += length;
        }
        prop_assert!(spans.iter().filter(|span| span.covers(poll)).count() <= 1);
    }

    #[test]
    fn what_is_added_and_removed_leaves_nothing(
        votes in prop::collection::vec((any::<bool>(), 0u64..1 << 40, 0u128..1 << 80), 0..20),
    ) {
        let mut count = Count::default();
        for (aye, weight, bond) in &votes {
            count.add(*aye, *weight, *bond);
        }
        for (aye, weight, bond) in &votes {
            count.remove(*aye, *weight, *bond);
        }
        prop_assert_eq!(count, Count::default());
    }

    #[test]
    fn shares_never_exceed_one(ayes in any::<u64>(), nays in any::<u64>(), weight in any::<u64>()) {
        let mut count = Count::default();
        count.add(true, ayes, 0);
        count.add(false, nays, 0);
        let all = electorate(weight, 0);
        prop_assert!(count.support(&all) <= Perbill::one());
        prop_assert!(count.approval(&all) <= Perbill::one());
    }
}
