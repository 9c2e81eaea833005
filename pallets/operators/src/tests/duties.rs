//! The missed-duty test at its edges: it never forfeits on one slip, and never lets misses pass for ever.

use crate::{mock::*, *};
use chasqui_primitives::{
    traits::Operators as OperatorsApi,
    window::{binomial_upper_tail, TAIL_ONE},
    DOT,
};

fn duties(who: AccountId) -> (u32, u32) {
    let window = Operators::<Test>::get(who).unwrap().duties;
    (window.bad(), window.len())
}

/// Records `kept` kept duties, then misses one after another until the first slash; how many it took.
fn misses_until_slash(kept: u32) -> u32 {
    for _ in 0..kept {
        OperatorsPallet::record_duty(&1, true);
    }
    (1..=100)
        .find(|_| {
            OperatorsPallet::record_duty(&1, false);
            bond(1) < 1_000 * DOT
        })
        .unwrap()
}

#[test]
fn one_missed_duty_should_cost_nothing() {
    build_and_execute(|| {
        register(1, 1_000 * DOT, BOTH, 1);
        // WHEN the very first duty is missed
        OperatorsPallet::record_duty(&1, false);
        // THEN it is counted and nothing else
        assert_eq!(duties(1), (1, 1));
        assert_eq!(bond(1), 1_000 * DOT);
        assert_eq!(status(1), Status::Active);
        assert!(happened(Event::DutyMissed {
            operator: 1,
            missed: 1,
            duties: 1
        }));
    });
}

#[test]
fn newcomer_should_be_slashed_exactly_when_chance_no_longer_explains_its_misses() {
    build_and_execute(|| {
        // GIVEN a newcomer, a rate of 5% and a significance of one in a million: 0.05^4 is above, 0.05^5 below
        register(1, 1_000 * DOT, BOTH, 1);
        // WHEN it misses every duty, THEN the fifth is the one
        assert_eq!(misses_until_slash(0), 5);
        // AND it loses the share that missed duties cost, and sits for two epochs
        assert_eq!(bond(1), 990 * DOT);
        assert_eq!(status(1), Status::Jailed { until: 2 });
        // AND what it paid for is not counted again
        assert_eq!(duties(1), (0, 0));
    });
}

#[test]
fn full_window_should_be_slashed_exactly_at_the_edge() {
    build_and_execute(|| {
        // GIVEN an operator with a hundred kept duties
        register(1, 1_000 * DOT, BOTH, 1);
        let p = params();
        let edge = (1..=100)
            .find(|bad| {
                binomial_upper_tail(100, *bad, p.duty_rate)
                    < TAIL_ONE / 1_000_000_000 * u128::from(p.duty_alpha_ppb)
            })
            .unwrap();
        // THEN it takes as many misses as the exact tail says
        assert_eq!(misses_until_slash(100), edge);
        assert_eq!(edge, 19);
    });
}

#[test]
fn honest_rate_should_never_be_slashed() {
    build_and_execute(|| {
        register(1, 1_000 * DOT, BOTH, 1);
        // WHEN every twentieth duty is missed, for long
        for n in 1..=2_000 {
            OperatorsPallet::record_duty(&1, n % 20 != 0);
        }
        // THEN it costs nothing
        assert_eq!(bond(1), 1_000 * DOT);
        assert_eq!(duties(1), (5, 100));
    });
}

#[test]
fn old_misses_should_fall_out_of_the_window() {
    build_and_execute(|| {
        register(1, 1_000 * DOT, BOTH, 1);
        for _ in 0..100 {
            OperatorsPallet::record_duty(&1, true);
        }
        // GIVEN misses one short of the edge
        for _ in 0..18 {
            OperatorsPallet::record_duty(&1, false);
        }
        // WHEN a hundred kept duties follow
        for _ in 0..100 {
            OperatorsPallet::record_duty(&1, true);
        }
        // THEN it may slip again
        assert_eq!(duties(1), (0, 100));
        OperatorsPallet::record_duty(&1, false);
        assert_eq!(bond(1), 1_000 * DOT);
    });
}

#[test]
fn persistent_misses_should_cost_again_and_again() {
    build_and_execute(|| {
        // A window that is never reset would forfeit everything at once; one that hides misses nothing at all.
        register(1, 1_000 * DOT, BOTH, 1);
        for _ in 0..15 {
            OperatorsPallet::record_duty(&1, false);
        }
        let slashes = System::events()
            .iter()
            .filter(|r| {
                matches!(
                    r.event,
                    RuntimeEvent::OperatorsPallet(Event::Slashed {
                        offence: Offence::MissedDuties,
                        ..
                    })
                )
            })
            .count();
        assert_eq!(slashes, 3);
        // 1% of what was left each time
        assert_eq!(bond(1), 1_000 * DOT * 99 * 99 * 99 / 1_000_000);
    });
}

#[test]
fn duties_of_strangers_should_be_ignored() {
    build_and_execute(|| {
        OperatorsPallet::record_duty(&9, false);
        assert_eq!(OperatorsPallet::operator(9), None);
    });
}
