//! Parameters are governed, and checked.

use super::*;
use frame_support::{assert_noop, assert_ok};

#[test]
fn only_the_admin_sets_parameters() {
    build_and_execute(|| {
        let wanted = ParamsOf::<Test> {
            dispute_blocks: 77,
            ..params()
        };
        assert_noop!(
            Pallet::<Test>::set_params(RuntimeOrigin::signed(account(ALICE)), wanted.clone()),
            DispatchError::BadOrigin
        );
        assert_ok!(Pallet::<Test>::set_params(
            RuntimeOrigin::root(),
            wanted.clone()
        ));
        assert_eq!(Pallet::<Test>::params(), wanted);
        assert_event(Event::ParamsSet { params: wanted });
    });
}

#[test]
fn parameters_that_a_chain_cannot_live_with_are_refused() {
    build_and_execute(|| {
        let spoil: [fn(&mut ParamsOf<Test>); 10] = [
            |p| p.acknowledge_blocks = 0,
            |p| p.compute_base_blocks = 0,
            |p| p.dispute_blocks = 0,
            |p| p.dispute_blocks = u64::MAX,
            |p| p.compute_tokens_per_block = 0,
            |p| p.max_redraws = MAX_EXECUTORS,
            |p| p.audit_floor = Perbill::zero(),
            |p| p.max_tokens = 0,
            |p| p.max_tokens = MAX_OUTPUT_TOKENS + 1,
            |p| p.acknowledge_blocks = 1_000_001,
        ];
        for change in spoil {
            let mut bad = params();
            change(&mut bad);
            assert_noop!(
                Pallet::<Test>::set_params(RuntimeOrigin::root(), bad),
                Error::<Test>::InvalidParams
            );
        }
    });
}

#[test]
fn fewer_redraws_bind_jobs_in_progress_and_lose_none() {
    build_and_execute(|| {
        // GIVEN a job with its second executor
        let id = Request::default().assigned();
        assert_ok!(refuse(id, RefusalReason::Busy));
        run_to_draw();
        // WHEN redraws are abolished and it is refused again
        let none = ParamsOf::<Test> {
            max_redraws: 0,
            ..params()
        };
        assert_ok!(Pallet::<Test>::set_params(RuntimeOrigin::root(), none));
        assert_ok!(refuse(id, RefusalReason::Busy));
        // THEN it ends
        assert_eq!(stage(id), JobStage::Expired);
    });
}
