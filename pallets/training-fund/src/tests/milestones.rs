//! Proofs, decisions and deadlines.

use crate::{mock::*, *};
use chasqui_primitives::DOT;
use frame_support::{assert_noop, assert_ok};
use sp_runtime::TokenError;

fn state(grant: GrantId, milestone: usize) -> MilestoneState<u64> {
    Fund::grant(grant).expect("the grant is there").milestones[milestone].state
}

#[test]
fn approved_milestone_is_paid_once() {
    build_and_execute(|| {
        // GIVEN a grant of two milestones, the first proven
        donate(100 * DOT);
        assert_ok!(grant(&[(10 * DOT, 5), (20 * DOT, 9)]));
        assert_noop!(approve(0, 0), Error::<Test>::NotProven);
        assert_ok!(prove(0, 0));
        let evidence = H256::repeat_byte(9);
        assert_eq!(state(0, 0), MilestoneState::Proven { evidence, at: 1 });

        // WHEN it is approved
        assert_ok!(approve(0, 0));

        // THEN its amount has moved, and not a second time
        assert_eq!(balance(BUILDER), ExistentialDeposit::get() + 10 * DOT);
        assert_eq!(Fund::status().grants, 20 * DOT);
        assert_noop!(approve(0, 0), Error::<Test>::NotProven);
        assert_noop!(prove(0, 0), Error::<Test>::NotOpen);

        // AND with the second one the grant is gone
        assert_ok!(prove(0, 1));
        assert_ok!(approve(0, 1));
        assert!(happened(Event::GrantSettled {
            grant: 0,
            paid: 30 * DOT
        }));
        assert_eq!(Fund::grant(0), None);
    });
}

#[test]
fn only_the_beneficiary_proves_and_only_what_is_there() {
    build_and_execute(|| {
        donate(100 * DOT);
        assert_ok!(grant(&[(DOT, 5)]));
        let evidence = H256::zero();
        assert_noop!(
            Fund::prove(RuntimeOrigin::signed(DONOR), 0, 0, evidence),
            Error::<Test>::NotTheBeneficiary
        );
        assert_noop!(prove(0, 1), Error::<Test>::NoSuchMilestone);
        assert_noop!(prove(1, 0), Error::<Test>::NoSuchGrant);
        assert_ok!(prove(0, 0));
        assert_noop!(prove(0, 0), Error::<Test>::NotOpen);
    });
}

#[test]
fn milestone_lapses_in_the_block_after_its_deadline() {
    build_and_execute(|| {
        donate(100 * DOT);
        let before = Fund::status().free;
        assert_ok!(grant(&[(10 * DOT, 5), (20 * DOT, 9)]));

        // It can be proven in the block of its deadline, not after it.
        run_to(5);
        assert_eq!(state(0, 0), MilestoneState::Open);
        run_to(6);
        assert_eq!(state(0, 0), MilestoneState::Lapsed);
        assert_noop!(prove(0, 0), Error::<Test>::NotOpen);
        assert_eq!(Fund::status().free, before - 20 * DOT);

        run_to(10);
        assert_eq!(Fund::grant(0), None);
        assert_eq!(Fund::status().free, before);
        assert!(happened(Event::GrantSettled { grant: 0, paid: 0 }));
    });
}

#[test]
fn deadline_binds_though_it_passes_late() {
    build_and_execute(|| {
        // GIVEN blocks in which one deadline can pass
        MaxDeadlines::set(1);
        donate(100 * DOT);
        assert_ok!(grant(&[(DOT, 5), (DOT, 5), (DOT, 5)]));

        // WHEN the third has not lapsed yet
        run_to(7);
        assert_eq!(state(0, 2), MilestoneState::Open);

        // THEN it cannot be proven all the same, and lapses in its turn
        assert_noop!(prove(0, 2), Error::<Test>::DeadlinePassed);
        run_to(8);
        assert_eq!(Fund::grant(0), None);
    });
}

#[test]
fn proof_in_time_waits_for_its_decision() {
    build_and_execute(|| {
        donate(100 * DOT);
        assert_ok!(grant(&[(10 * DOT, 5)]));
        run_to(5);
        assert_ok!(prove(0, 0));
        run_to(500);
        assert_eq!(Fund::status().grants, 10 * DOT);
        assert_ok!(approve(0, 0));
        assert_eq!(balance(BUILDER), ExistentialDeposit::get() + 10 * DOT);
    });
}

#[test]
fn declined_proof_may_be_followed_by_another_until_the_deadline() {
    build_and_execute(|| {
        donate(100 * DOT);
        let before = Fund::status().free;
        assert_ok!(grant(&[(10 * DOT, 5)]));
        assert_noop!(decline(0, 0), Error::<Test>::NotProven);
        assert_ok!(prove(0, 0));
        assert_ok!(decline(0, 0));
        assert_eq!(state(0, 0), MilestoneState::Open);
        assert_eq!(Fund::status().grants, 10 * DOT);

        // WHEN another proof is declined after the deadline
        run_to(5);
        assert_ok!(prove(0, 0));
        run_to(6);
        assert_ok!(decline(0, 0));

        // THEN it lapses at once
        assert_eq!(Fund::grant(0), None);
        assert_eq!(Fund::status().free, before);
        assert!(happened(Event::MilestoneLapsed {
            grant: 0,
            milestone: 0,
            amount: 10 * DOT
        }));
    });
}

#[test]
fn declined_and_never_proven_again_lapses_at_its_deadline() {
    build_and_execute(|| {
        donate(100 * DOT);
        assert_ok!(grant(&[(10 * DOT, 5)]));
        assert_ok!(prove(0, 0));
        assert_ok!(decline(0, 0));
        run_to(6);
        assert_eq!(Fund::grant(0), None);
        assert_eq!(Fund::status().grants, 0);
    });
}

#[test]
fn payment_that_an_account_cannot_hold_leaves_the_proof_standing() {
    build_and_execute(|| {
        // GIVEN a milestone below the existential deposit, for somebody without an account
        donate(100 * DOT);
        let terms = milestones(&[(1, 5)]);
        assert_ok!(Fund::create_grant(RuntimeOrigin::root(), NEWCOMER, terms));
        let evidence = H256::zero();
        assert_ok!(Fund::prove(RuntimeOrigin::signed(NEWCOMER), 0, 0, evidence));
        assert_noop!(approve(0, 0), TokenError::BelowMinimum);
        assert_eq!(Fund::status().grants, 1);
        assert!(matches!(state(0, 0), MilestoneState::Proven { .. }));
    });
}
