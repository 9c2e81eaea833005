//! Reputation and soft verdicts.

use crate::{mock::*, *};
use chasqui_primitives::{
    traits::{AuditRecord, Operators as OperatorsApi},
    DOT,
};
use sp_runtime::Perbill;

fn steps(who: AccountId) -> u32 {
    Operators::<Test>::get(who).unwrap().reputation
}

fn valid(units: u64) {
    assert!(!OperatorsPallet::record_audit(
        &1,
        AuditRecord::Valid { units }
    ));
}

#[test]
fn reputation_should_grow_by_audited_valid_units_at_most_one_step_an_epoch() {
    build_and_execute(|| {
        // GIVEN a step of 100 units and a cap of four steps
        register(1, 1_000 * DOT, BOTH, 1);
        assert_eq!(OperatorsPallet::reputation_of(&1), Perbill::zero());

        // WHEN 99 units were found valid, THEN nothing; with one more, a step
        valid(99);
        assert_eq!(steps(1), 0);
        valid(1);
        assert_eq!(steps(1), 1);
        assert!(happened(Event::ReputationChanged {
            operator: 1,
            steps: 1
        }));

        // WHEN it works ever so much in the same epoch, THEN no more
        valid(u64::MAX);
        valid(u64::MAX);
        assert_eq!(steps(1), 1);

        // WHEN epochs pass idle, THEN they do not count
        next_epoch();
        next_epoch();
        assert_eq!(steps(1), 1);

        // WHEN it works on, THEN up to the cap
        for _ in 0..6 {
            valid(100);
            next_epoch();
        }
        assert_eq!(steps(1), 4);
        assert_eq!(OperatorsPallet::reputation_of(&1), Perbill::one());
    });
}

#[test]
fn hard_verdict_should_take_all_reputation() {
    build_and_execute(|| {
        register(1, 1_000 * DOT, BOTH, 1);
        valid(100);
        valid(50);
        // WHEN a verdict proves a false result
        assert!(!OperatorsPallet::record_audit(&1, AuditRecord::Hard));
        // THEN nothing is left, not even the units toward the next step
        assert_eq!(steps(1), 0);
        assert_eq!(Operators::<Test>::get(1).unwrap().valid_units, 0);
        assert!(happened(Event::ReputationChanged {
            operator: 1,
            steps: 0
        }));
    });
}

#[test]
fn slash_for_a_false_result_should_take_reputation_and_others_should_not() {
    build_and_execute(|| {
        register(1, 1_000 * DOT, BOTH, 1);
        valid(100);
        OperatorsPallet::slash(&1, Offence::MissedDuties, None, None, &[]);
        OperatorsPallet::slash(&1, Offence::RepeatedSoft, None, None, &[]);
        assert_eq!(steps(1), 1);
        OperatorsPallet::slash(&1, Offence::FalseResult, None, None, &[]);
        assert_eq!(steps(1), 0);
    });
}

#[test]
fn five_soft_verdicts_of_a_hundred_should_be_significant_and_four_not() {
    build_and_execute(|| {
        // GIVEN a hundred audits found valid
        register(1, 1_000 * DOT, BOTH, 1);
        for _ in 0..100 {
            valid(1);
        }
        // WHEN soft verdicts follow, THEN the fifth is significant
        let soft = || OperatorsPallet::record_audit(&1, AuditRecord::Soft);
        assert_eq!([soft(), soft(), soft(), soft()], [false; 4]);
        assert!(soft());
        // AND the window starts anew
        assert!(!soft());
        assert!(happened(Event::SoftRecorded {
            operator: 1,
            soft: 1,
            audits: 1
        }));
        // AND nothing was slashed here: the case does it
        assert_eq!(bond(1), 1_000 * DOT);
    });
}

#[test]
fn one_or_two_soft_verdicts_should_never_be_significant() {
    build_and_execute(|| {
        register(1, 1_000 * DOT, BOTH, 1);
        let soft = || OperatorsPallet::record_audit(&1, AuditRecord::Soft);
        assert_eq!([soft(), soft()], [false; 2]);
        // Three of three cannot be chance.
        assert!(soft());
    });
}

#[test]
fn audits_of_strangers_should_be_ignored() {
    build_and_execute(|| {
        assert!(!OperatorsPallet::record_audit(&9, AuditRecord::Soft));
        assert!(!OperatorsPallet::record_audit(
            &9,
            AuditRecord::Valid { units: 1 }
        ));
        assert!(!OperatorsPallet::record_audit(&9, AuditRecord::Hard));
        assert_eq!(OperatorsPallet::reputation_of(&9), Perbill::zero());
    });
}
