//! Checkpoints that runs of the network made.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Checkpoints as _, CheckpointRoot};
use frame_support::{assert_noop, assert_ok};
use sp_core::H256;

const CHILD: CheckpointRoot = H256([10; 32]);
const GRANDCHILD: CheckpointRoot = H256([11; 32]);

fn describe(who: u64, root: CheckpointRoot, info: CheckpointInfo) -> sp_runtime::DispatchResult {
    Checkpoints::describe_trained(RuntimeOrigin::signed(who), root, info)
}

/// Every drawn validator calibrates `root`; those.
fn calibrated(root: CheckpointRoot) -> Vec<u64> {
    run_for(2);
    let drawn: Vec<u64> = (1..=6)
        .filter(|who| Checkpoints::calibration_duties_of(*who).contains(&root))
        .collect();
    for who in &drawn {
        assert_ok!(Checkpoints::calibrate(
            RuntimeOrigin::signed(*who),
            root,
            thresholds(100)
        ));
    }
    drawn
}

#[test]
fn trained_checkpoint_is_described_as_its_parent_and_calibrated_like_any_other() {
    build_and_execute(|| {
        // GIVEN an accepted parent
        accepted();
        let parent = Checkpoints::checkpoint(ROOT).unwrap();

        // WHEN a run registers what it made of it
        assert_ok!(register(trained(CHILD, Some(ROOT))));

        // THEN it waits for calibration, without a deposit, under a name that says where it comes from
        let child = Checkpoints::checkpoint(CHILD).unwrap();
        assert_eq!((child.status, child.deposit), (Status::Calibrating, 0));
        assert_eq!(child.info.name.as_slice(), b"quipu-1m/r4.17");
        assert_eq!(child.info.parent, Some(ROOT));
        assert_eq!(child.info.vocabulary, parent.info.vocabulary);
        assert!(Checkpoints::exists(&CHILD));
        assert_eq!(Checkpoints::terms(&CHILD), None);
        // AND validators are drawn to calibrate it, its registrar not among them
        let drawn = calibrated(CHILD);
        assert_eq!(drawn.len(), 3);
        assert!(!drawn.contains(&REGISTRAR));
        assert_ok!(Checkpoints::accept(RuntimeOrigin::root(), CHILD));
        assert_eq!(Checkpoints::price(CHILD), Some(7));
        // AND the parent is what it was
        assert_eq!(Checkpoints::checkpoint(ROOT), Some(parent));
    });
}

#[test]
fn lineage_is_told_step_by_step() {
    build_and_execute(|| {
        accepted();
        assert_ok!(register(trained(CHILD, Some(ROOT))));
        assert_ok!(register(trained(GRANDCHILD, Some(CHILD))));

        let line = Checkpoints::lineage(GRANDCHILD, 10);
        let roots: Vec<_> = line.iter().map(|step| step.root).collect();
        assert_eq!(roots, [GRANDCHILD, CHILD, ROOT]);
        let made = line[0].lineage.clone().unwrap();
        assert_eq!((made.run, made.round), (4, 17));
        assert_eq!(made.dataset, H256::repeat_byte(0xDA));
        assert_eq!(made.by, REGISTRAR);
        assert_eq!(line[0].parent, Some(CHILD));
        assert_eq!(line[2].lineage, None);
        assert_eq!(line[2].name.as_slice(), b"quipu-1m");
        // No more than is asked for, and nothing of what nobody knows.
        assert_eq!(Checkpoints::lineage(GRANDCHILD, 1).len(), 1);
        assert!(Checkpoints::lineage(GRANDCHILD, 0).is_empty());
        assert!(Checkpoints::lineage(H256::zero(), 10).is_empty());
    });
}

#[test]
fn long_lineage_and_a_circle_of_parents_end() {
    build_and_execute(|| {
        accepted();
        let root = |n: u64| H256::from_low_u64_be(n);
        let mut parent = ROOT;
        for n in 1..=100 {
            assert_ok!(register(trained(root(n), Some(parent))));
            parent = root(n);
        }
        assert_eq!(Checkpoints::lineage(parent, u32::MAX).len(), 64);
        // Names keep their room.
        let name = Checkpoints::checkpoint(parent).unwrap().info.name;
        assert!(name.ends_with(b"/r4.17") && core::str::from_utf8(&name).is_ok());

        // WHEN a retired checkpoint is proposed anew as the child of its own child
        assert_ok!(Checkpoints::retire(RuntimeOrigin::root(), ROOT));
        let circle = CheckpointInfo {
            parent: Some(root(1)),
            ..info()
        };
        assert_ok!(Checkpoints::propose(
            RuntimeOrigin::signed(PROPOSER),
            ROOT,
            circle
        ));
        let line = Checkpoints::lineage(root(1), 10);
        assert_eq!(line.len(), 2);
    });
}

#[test]
fn checkpoint_from_fresh_weights_waits_for_a_description_by_its_registrar() {
    build_and_execute(|| {
        // GIVEN a run that began from nothing
        assert_ok!(register(trained(CHILD, None)));
        assert_eq!(Checkpoints::checkpoint(CHILD), None);
        assert!(!Checkpoints::exists(&CHILD));
        assert_eq!(Checkpoints::lineage(CHILD, 10).len(), 1);

        // WHEN others describe it, or propose it for themselves, or its registrar describes it falsely
        assert_noop!(
            describe(PROPOSER, CHILD, info()),
            Error::<Test>::NotTheRegistrar
        );
        let mut wrong = info();
        wrong.vocabulary = 0;
        assert_noop!(
            describe(REGISTRAR, CHILD, wrong),
            Error::<Test>::InvalidInfo
        );
        accepted();
        let orphan = CheckpointInfo {
            parent: Some(ROOT),
            ..info()
        };
        assert_noop!(
            describe(REGISTRAR, CHILD, orphan),
            Error::<Test>::OtherLineage
        );
        assert_noop!(
            Checkpoints::propose(RuntimeOrigin::signed(PROPOSER), CHILD, info()),
            Error::<Test>::Trained
        );
        assert_noop!(
            describe(REGISTRAR, GRANDCHILD, info()),
            Error::<Test>::NotTrained
        );

        // THEN it waits; once it is described, it is calibrated, without a deposit
        assert_ok!(describe(REGISTRAR, CHILD, info()));
        assert_eq!(calibrated(CHILD).len(), 3);
        assert_eq!(Checkpoints::checkpoint(CHILD).unwrap().deposit, 0);
        assert_noop!(
            describe(REGISTRAR, CHILD, info()),
            Error::<Test>::DescribedBefore
        );
    });
}

#[test]
fn only_the_admin_takes_a_trained_checkpoint_away_and_lets_it_back() {
    build_and_execute(|| {
        accepted();
        assert_ok!(register(trained(CHILD, Some(ROOT))));
        let info = Checkpoints::checkpoint(CHILD).unwrap().info;
        assert_noop!(
            Checkpoints::withdraw_proposal(RuntimeOrigin::signed(REGISTRAR), CHILD),
            Error::<Test>::Trained
        );
        assert_ok!(Checkpoints::reject(RuntimeOrigin::root(), CHILD));
        // Where it comes from is known for ever, but its registrar does not have it calibrated over and over.
        assert_eq!(Checkpoints::lineage(CHILD, 10).len(), 2);
        assert_eq!(Checkpoints::lineage(CHILD, 10)[0].status, None);
        assert_noop!(
            describe(REGISTRAR, CHILD, info.clone()),
            Error::<Test>::DescribedBefore
        );
        assert_ok!(Checkpoints::describe_trained(
            RuntimeOrigin::root(),
            CHILD,
            info.clone()
        ));
        assert_noop!(
            Checkpoints::describe_trained(RuntimeOrigin::root(), CHILD, info),
            Error::<Test>::AlreadyRegistered
        );
    });
}

#[test]
fn root_is_made_by_one_run_and_not_from_itself() {
    build_and_execute(|| {
        accepted();
        assert_ok!(register(trained(CHILD, Some(ROOT))));
        assert_noop!(
            register(trained(CHILD, Some(ROOT))),
            Error::<Test>::AlreadyRegistered
        );
        assert_noop!(
            register(trained(GRANDCHILD, Some(GRANDCHILD))),
            Error::<Test>::UnknownParent
        );
    });
}

#[test]
fn whoever_proposed_the_root_first_does_not_keep_the_lineage_out() {
    build_and_execute(|| {
        // GIVEN somebody who saw the root before the run registered it, and describes it as it likes
        assert_ok!(propose());
        assert_ok!(register(trained(ROOT, None)));

        // THEN its proposal stays, with its deposit, and the lineage is known
        assert_eq!(held(), DEPOSIT);
        assert_eq!(
            Checkpoints::lineage(ROOT, 1)[0]
                .lineage
                .clone()
                .unwrap()
                .run,
            4
        );
        // AND when it is gone, the registrar describes what the run made
        assert_ok!(Checkpoints::withdraw_proposal(
            RuntimeOrigin::signed(PROPOSER),
            ROOT
        ));
        assert_ok!(describe(REGISTRAR, ROOT, info()));
    });
}

#[test]
fn parent_that_has_left_the_registry_stays_the_parent() {
    build_and_execute(|| {
        // GIVEN a parent that was only proposed, and is withdrawn
        assert_ok!(propose());
        assert_ok!(Checkpoints::withdraw_proposal(
            RuntimeOrigin::signed(PROPOSER),
            ROOT
        ));
        assert_ok!(register(trained(CHILD, Some(ROOT))));
        assert_eq!(Checkpoints::checkpoint(CHILD), None);
        let of_it = CheckpointInfo {
            parent: Some(ROOT),
            ..info()
        };
        assert_ok!(describe(REGISTRAR, CHILD, of_it));
        assert_eq!(Checkpoints::lineage(CHILD, 10).len(), 1);
        assert_eq!(Checkpoints::lineage(CHILD, 10)[0].parent, Some(ROOT));
    });
}
