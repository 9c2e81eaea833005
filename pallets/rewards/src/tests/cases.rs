//! Open cases hold pay back.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Ledger, DOT};
use frame_support::{assert_noop, assert_ok};

fn claim(who: AccountId, epoch: EpochIndex) -> DispatchResult {
    Rewards::claim(RuntimeOrigin::signed(who), epoch)
}

#[test]
fn claim_should_wait_for_cases_on_that_work_and_on_earlier_work() {
    build_and_execute(|| {
        // GIVEN pay in epochs 0, 1 and 2, and two cases on the work of epoch 1
        for epoch in 0..3 {
            run_to_epoch(epoch);
            fee(3, &[], 100 * DOT, 1);
            fee(4, &[], 100 * DOT, 1);
        }
        Rewards::case_opened(&3, 1);
        Rewards::case_opened(&3, 1);
        run_to_epoch(4);

        // THEN epoch 0 is free, epochs 1 and 2 are not
        assert_eq!(Rewards::claimable(3), vec![(0, 60 * DOT)]);
        assert_ok!(claim(3, 0));
        assert_noop!(claim(3, 1), Error::<Test>::CaseOpen);
        assert_noop!(claim(3, 2), Error::<Test>::CaseOpen);
        // AND another operator's pay is free
        assert_ok!(claim(4, 1));

        // WHEN one of the cases closes, THEN still not
        Rewards::case_closed(&3, 1);
        assert_noop!(claim(3, 1), Error::<Test>::CaseOpen);
        // WHEN both have, THEN all of it
        Rewards::case_closed(&3, 1);
        assert_ok!(claim(3, 2));
        assert_ok!(claim(3, 1));
        assert_eq!(gained(3), 180 * DOT);
    });
}

#[test]
fn closing_a_case_that_is_not_open_should_do_nothing() {
    build_and_execute(|| {
        Rewards::case_closed(&3, 1);
        assert_eq!(OpenCases::<Test>::iter().count(), 0);
    });
}
