//! Audit probability: enough for cheating not to pay, or the operator is not eligible.

use chasqui_primitives::{
    draw::{audit_probability, p_rep},
    money::DOT,
};
use proptest::prelude::*;
use sp_arithmetic::Perbill;

const FLOOR: Perbill = Perbill::from_percent(10);

fn full() -> Perbill {
    Perbill::one()
}

#[test]
fn reputation_alone_runs_from_everything_to_the_floor() {
    // GIVEN reputation at the ends and in the middle THEN the line 100% to 10% is exact
    assert_eq!(p_rep(Perbill::zero(), FLOOR), Perbill::one());
    assert_eq!(
        p_rep(Perbill::from_percent(50), FLOOR),
        Perbill::from_percent(55)
    );
    assert_eq!(p_rep(Perbill::one(), FLOOR), FLOOR);
    assert_eq!(p_rep(Perbill::one(), Perbill::zero()), Perbill::zero());
    assert_eq!(p_rep(Perbill::one(), Perbill::one()), Perbill::one());
}

#[test]
fn the_stake_rule_is_exact_to_a_part_per_billion_rounded_up() {
    // GIVEN three seats, so d = 26/27, full reputation and 100 DOT of slash and revenue
    let stake = (60 * DOT, 40 * DOT);
    // WHEN the pay is 50 DOT THEN p = 50 * 27 / (26 * 100) = 0.519230769230...
    assert_eq!(
        audit_probability(full(), FLOOR, 50 * DOT, 3, stake.0, stake.1),
        Some(Perbill::from_parts(519_230_770))
    );
    // AND when the rule asks for less than the floor, the floor holds
    assert_eq!(
        audit_probability(full(), FLOOR, DOT, 3, stake.0, stake.1),
        Some(FLOOR)
    );
}

#[test]
fn beyond_certainty_the_operator_is_not_eligible() {
    // GIVEN a stake of 27 plancks and three seats: certainty is reached at a pay of exactly 26
    assert_eq!(
        audit_probability(full(), FLOOR, 26, 3, 20, 7),
        Some(Perbill::one())
    );
    // WHEN the pay is one planck more THEN no audit rate is enough
    assert_eq!(audit_probability(full(), FLOOR, 27, 3, 20, 7), None);
    // AND that holds at every reputation
    assert_eq!(
        audit_probability(Perbill::zero(), FLOOR, 27, 3, 20, 7),
        None
    );
}

#[test]
fn nothing_at_stake_or_nobody_to_audit_allows_only_unpaid_work() {
    assert_eq!(audit_probability(full(), FLOOR, 1, 3, 0, 0), None);
    assert_eq!(audit_probability(full(), FLOOR, 1, 0, 100 * DOT, 0), None);
    assert_eq!(audit_probability(full(), FLOOR, 0, 0, 0, 0), Some(FLOOR));
    assert_eq!(
        audit_probability(Perbill::zero(), FLOOR, 0, 3, 0, 0),
        Some(Perbill::one())
    );
}

#[test]
fn amounts_at_the_end_of_their_range_neither_wrap_nor_panic() {
    let max = u128::MAX;
    assert_eq!(audit_probability(full(), FLOOR, max, u32::MAX, 1, 0), None);
    assert_eq!(
        audit_probability(full(), FLOOR, 1, u32::MAX, max, max),
        Some(FLOOR)
    );
    // p = 1/2 * 3/2 with one seat
    assert_eq!(
        audit_probability(full(), FLOOR, max, 1, max, max),
        Some(Perbill::from_percent(75))
    );
}

proptest! {
    #[test]
    fn more_pay_never_lowers_and_more_stake_reputation_or_seats_never_raise_it(
        rep in 0u32..=1_000_000_000, more_rep in 0u32..=1_000_000_000,
        pay in 0u128..1_000_000_000_000, more_pay in 0u128..1_000_000_000_000,
        slash in 0u128..1_000_000_000_000, revenue in 0u128..1_000_000_000_000,
        more in 0u128..1_000_000_000_000, seats in 1u32..60,
    ) {
        // An operator that is not eligible counts as more than certain.
        let rank = |p: Option<Perbill>| p.map_or(u32::MAX, |p| p.deconstruct());
        let (low, high) = (rep.min(more_rep), rep.max(more_rep));
        let at = |rep, pay, seats, slash, revenue| {
            rank(audit_probability(Perbill::from_parts(rep), FLOOR, pay, seats, slash, revenue))
        };
        let base = at(low, pay, seats, slash, revenue);
        prop_assert!(at(low, pay + more_pay, seats, slash, revenue) >= base);
        prop_assert!(at(low, pay, seats, slash + more, revenue) <= base);
        prop_assert!(at(low, pay, seats, slash, revenue + more) <= base);
        prop_assert!(at(high, pay, seats, slash, revenue) <= base);
        prop_assert!(at(low, pay, seats + 1, slash, revenue) <= base);
        prop_assert!(base >= FLOOR.deconstruct());
    }

    #[test]
    fn with_the_probability_granted_cheating_does_not_pay(
        pay in 1u128..1_000_000_000_000, slash in 0u128..1_000_000_000_000,
        revenue in 0u128..1_000_000_000_000, seats in 1u32..20,
    ) {
        if let Some(p) = audit_probability(full(), FLOOR, pay, seats, slash, revenue) {
            // p * d * (S + R) >= r, all multiplied out: p in parts per billion, d = (3^k - 1)/3^k
            let power = 3u128.pow(seats);
            let loss = u128::from(p.deconstruct()) * (power - 1);
            // Up to 2^30 * 2^32 * 2^41: within 128 bits.
            prop_assert!(loss * (slash + revenue) >= pay * power * 1_000_000_000);
        }
    }
}
