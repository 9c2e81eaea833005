//! Proposals and their deposits.

use crate::{mock::*, *};
use chasqui_primitives::traits::Checkpoints as _;
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use sp_core::H256;
use sp_runtime::{DispatchError::BadOrigin, TokenError};

#[test]
fn anybody_may_propose_against_a_deposit() {
    build_and_execute(|| {
        // GIVEN somebody with funds
        // WHEN it proposes a checkpoint
        assert_ok!(propose());

        // THEN the deposit is on hold, and operators may declare to serve it
        assert_eq!(held(), DEPOSIT);
        assert!(Checkpoints::exists(&ROOT));
        // AND it takes no payment
        assert_eq!(Checkpoints::terms(&ROOT), None);
        assert_eq!(Checkpoints::price(ROOT), None);
        let checkpoint = Checkpoints::checkpoint(ROOT).unwrap();
        assert_eq!(checkpoint.status, Status::Calibrating);
        assert_eq!(Checkpoints::checkpoints(None, 10), vec![(ROOT, checkpoint)]);
        assert!(Checkpoints::checkpoints(None, 0).is_empty());
        assert!(Checkpoints::checkpoints(Some(ROOT), 10).is_empty());
    });
}

#[test]
fn bad_proposals_are_refused() {
    build_and_execute(|| {
        let propose_info = |info| Checkpoints::propose(RuntimeOrigin::signed(PROPOSER), ROOT, info);
        // GIVEN descriptions that cannot be true
        let cases: Vec<Box<dyn Fn(&mut CheckpointInfo)>> = vec![
            Box::new(|info| info.name = Default::default()),
            Box::new(|info| info.name = vec![0xff].try_into().unwrap()),
            Box::new(|info| info.licence = vec![0xff].try_into().unwrap()),
            Box::new(|info| info.vocabulary = 0),
            Box::new(|info| info.context_tokens = 0),
            Box::new(|info| info.units_per_output_token = 0),
            Box::new(|info| info.size_bytes = 0),
            Box::new(|info| info.end_tokens = vec![512].try_into().unwrap()),
        ];
        // WHEN they are proposed, THEN they are refused, and no deposit is taken
        for change in cases {
            let mut wrong = info();
            change(&mut wrong);
            assert_noop!(propose_info(wrong), Error::<Test>::InvalidInfo);
        }
        // AND so are unknown parents, and parents of themselves
        for parent in [H256::zero(), ROOT] {
            let orphan = CheckpointInfo {
                parent: Some(parent),
                ..info()
            };
            assert_noop!(propose_info(orphan), Error::<Test>::UnknownParent);
        }
        // AND proposals without funds or without a signature
        assert_noop!(
            Checkpoints::propose(RuntimeOrigin::signed(77), ROOT, info()),
            TokenError::FundsUnavailable
        );
        assert_noop!(
            Checkpoints::propose(RuntimeOrigin::none(), ROOT, info()),
            BadOrigin
        );
        assert_eq!(held(), 0);
    });
}

#[test]
fn a_root_is_registered_once() {
    build_and_execute(|| {
        // GIVEN a proposed checkpoint
        assert_ok!(propose());

        // WHEN anybody proposes it again, THEN it is refused and the deposit taken once
        assert_noop!(propose(), Error::<Test>::AlreadyRegistered);
        assert_noop!(
            Checkpoints::propose(RuntimeOrigin::signed(1), ROOT, info()),
            Error::<Test>::AlreadyRegistered
        );
        assert_eq!(held(), DEPOSIT);

        // WHEN a child of it is proposed, THEN that is another checkpoint with its own deposit
        let child = CheckpointInfo {
            parent: Some(ROOT),
            ..info()
        };
        let root = H256::repeat_byte(10);
        assert_ok!(Checkpoints::propose(
            RuntimeOrigin::signed(PROPOSER),
            root,
            child
        ));
        assert_eq!(held(), 2 * DEPOSIT);
    });
}

#[test]
fn the_registry_is_read_page_by_page() {
    build_and_execute(|| {
        // GIVEN three checkpoints
        let roots = [3u8, 1, 2].map(H256::repeat_byte);
        for root in roots {
            let origin = RuntimeOrigin::signed(PROPOSER);
            assert_ok!(Checkpoints::propose(origin, root, info()));
        }
        // WHEN they are asked for one by one, each time after the last
        let page = |after| -> Vec<_> {
            Checkpoints::checkpoints(after, 1)
                .into_iter()
                .map(|(root, _)| root)
                .collect()
        };
        let (first, second) = (page(None), page(Some(H256::repeat_byte(1))));
        let third = page(Some(H256::repeat_byte(2)));
        // THEN they come in order, and end
        assert_eq!(
            [first, second, third].concat(),
            [1, 2, 3].map(H256::repeat_byte)
        );
        assert!(page(Some(H256::repeat_byte(3))).is_empty());
    });
}

#[test]
fn whether_there_is_a_tokenizer_is_among_the_terms() {
    for has_tokenizer in [true, false] {
        build_and_execute(|| {
            // GIVEN a proposal that says whether the files hold a tokenizer
            let info = CheckpointInfo {
                has_tokenizer,
                ..info()
            };
            let origin = RuntimeOrigin::signed(PROPOSER);
            assert_ok!(Checkpoints::propose(origin, ROOT, info));
            // WHEN it takes payment
            Registry::<Test>::mutate(ROOT, |checkpoint| {
                let checkpoint = checkpoint.as_mut().expect("proposed");
                checkpoint.status = Status::Accepted;
                checkpoint.thresholds = Some(thresholds(1));
            });
            // THEN its terms say the same
            let terms = Checkpoints::terms(&ROOT).expect("accepted");
            assert_eq!(terms.has_tokenizer, has_tokenizer);
            // Back to what a proposal is, so that the state stays consistent.
            Registry::<Test>::mutate(ROOT, |checkpoint| {
                let checkpoint = checkpoint.as_mut().expect("proposed");
                checkpoint.status = Status::Calibrating;
                checkpoint.thresholds = None;
            });
        });
    }
}

#[test]
fn a_proposer_may_withdraw_until_it_is_accepted() {
    build_and_execute(|| {
        // GIVEN a proposal whose validators are drawn
        let asked = propose_and_draw();
        assert_eq!(asked.len(), 3);

        // WHEN somebody else withdraws it, THEN that is refused
        assert_noop!(
            Checkpoints::withdraw_proposal(RuntimeOrigin::signed(1), ROOT),
            Error::<Test>::NotTheProposer
        );
        // WHEN its proposer does
        assert_ok!(Checkpoints::withdraw_proposal(
            RuntimeOrigin::signed(PROPOSER),
            ROOT
        ));

        // THEN the deposit is back, and nobody has anything to do for it
        assert_eq!(held(), 0);
        assert_eq!(Balances::free_balance(PROPOSER), FUNDS);
        assert!(!Checkpoints::exists(&ROOT));
        assert!(asked
            .iter()
            .all(|who| Checkpoints::calibration_duties_of(*who).is_empty()));
        assert!(asked.iter().all(|who| World::operator(*who).missed == 0));
        assert_noop!(
            Checkpoints::withdraw_proposal(RuntimeOrigin::signed(PROPOSER), ROOT),
            Error::<Test>::UnknownCheckpoint
        );

        // WHEN it is proposed anew and accepted, THEN it cannot be withdrawn any more
        accepted();
        assert_noop!(
            Checkpoints::withdraw_proposal(RuntimeOrigin::signed(PROPOSER), ROOT),
            Error::<Test>::NotProposed
        );
        assert_eq!(held(), DEPOSIT);
    });
}

#[test]
fn the_admin_may_reject_a_proposal() {
    build_and_execute(|| {
        // GIVEN a proposal
        assert_ok!(propose());

        // WHEN anybody but the admin rejects it, THEN that is refused
        assert_noop!(
            Checkpoints::reject(RuntimeOrigin::signed(PROPOSER), ROOT),
            BadOrigin
        );
        // WHEN the admin does, THEN it is gone and the deposit back
        assert_ok!(Checkpoints::reject(RuntimeOrigin::root(), ROOT));
        assert_eq!(held(), 0);
        assert_noop!(
            Checkpoints::reject(RuntimeOrigin::root(), ROOT),
            Error::<Test>::UnknownCheckpoint
        );
        assert_eq!(
            Balances::balance_on_hold(&HoldReason::Proposal.into(), &PROPOSER),
            0
        );
    });
}
