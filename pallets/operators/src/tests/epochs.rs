//! The clock, and building indices in bounded steps.

use crate::{epochs::ANY_CHECKPOINT, mock::*, *};
use chasqui_primitives::{
    traits::{AuditRecord, Epochs, Operators as OperatorsApi},
    DOT,
};
use frame_support::{assert_ok, traits::Hooks};
use sp_core::H256;

#[test]
fn epoch_should_begin_every_so_many_blocks() {
    build_and_execute(|| {
        // GIVEN epochs of ten blocks, the first of which began at block 0
        run_blocks(8);
        assert_eq!(System::block_number(), 9);
        assert_eq!(<OperatorsPallet as Epochs>::current(), 0);

        // WHEN block 10 begins
        run_blocks(1);

        // THEN epoch 1 does
        assert_eq!(<OperatorsPallet as Epochs>::current(), 1);
        let epoch = OperatorsPallet::epoch();
        assert_eq!((epoch.index, epoch.start, epoch.next), (1, 10, 20));
        assert_eq!(epoch.frozen, Some(1));
        assert!(happened(Event::EpochStarted { epoch: 1 }));
        assert!(happened(Event::WeightsFrozen { epoch: 1 }));
        run_blocks(10);
        assert_eq!(<OperatorsPallet as Epochs>::current(), 2);
    });
}

#[test]
fn weights_should_be_frozen_for_the_epoch() {
    build_and_execute(|| {
        // GIVEN frozen weights
        server(1, VALIDATE, 10);
        next_epoch();
        let before = OperatorsPallet::frozen(Role::Validate, MODEL).unwrap();
        assert_eq!((before.weight, before.operators, before.owners), (10, 1, 1));

        // WHEN an operator raises its capacity, and another comes
        assert_ok!(OperatorsPallet::set_capacity(RuntimeOrigin::signed(1), 20));
        server(2, VALIDATE, 5);
        run_blocks(3);

        // THEN nothing changes before the next epoch
        assert_eq!(OperatorsPallet::frozen(Role::Validate, MODEL), Some(before));
        next_epoch();
        let after = OperatorsPallet::frozen(Role::Validate, MODEL).unwrap();
        assert_eq!((after.weight, after.operators, after.owners), (25, 2, 2));
    });
}

#[test]
fn index_should_leave_out_whoever_cannot_be_drawn() {
    build_and_execute(|| {
        // GIVEN operators that are jailed, leaving, below the minimum bond, or of another role
        for who in 1..=5 {
            server(who, BOTH, 10);
        }
        OperatorsPallet::slash(&1, Offence::FalseResult, None, None, &[]);
        assert_ok!(OperatorsPallet::unbond(RuntimeOrigin::signed(2)));
        assert_ok!(OperatorsPallet::set_roles(
            RuntimeOrigin::signed(3),
            COMPUTE
        ));
        assert_ok!(OperatorsPallet::set_params(
            RuntimeOrigin::root(),
            Params {
                minimum_bond: 500 * DOT,
                ..params()
            }
        ));
        OperatorsPallet::forfeit_lien(&4, 501 * DOT, &[]);

        // WHEN weights are frozen
        next_epoch();

        // THEN only the others have one
        let voters = |index: IndexOf<Test>| index.into_iter().map(|(w, _)| w).collect::<Vec<_>>();
        let epoch = BuiltEpoch::<Test>::get().unwrap();
        assert_eq!(
            voters(Indices::<Test>::get((epoch, Role::Validate, MODEL))),
            vec![5]
        );
        let mut compute = voters(Indices::<Test>::get((epoch, Role::Compute, MODEL)));
        compute.sort();
        assert_eq!(compute, vec![3, 5]);
        assert_eq!(
            voters(Indices::<Test>::get((
                epoch,
                Role::Validate,
                ANY_CHECKPOINT
            ))),
            vec![5]
        );
    });
}

#[test]
fn build_should_take_bounded_steps_and_end_the_same() {
    // GIVEN twelve operators serving three checkpoints
    let setting = || {
        for who in 1..=12 {
            register(who, 1_000 * DOT, BOTH, who as u32);
            for model in 1..=3u8 {
                if who % u64::from(model) == 0 {
                    let root = H256::repeat_byte(model);
                    assert_ok!(OperatorsPallet::serve(RuntimeOrigin::signed(who), root));
                }
            }
        }
    };
    let indices = |step: u32| {
        let mut all = Vec::new();
        build_and_execute(|| {
            IndexStep::set(step);
            setting();
            System::set_block_number(9);
            run_blocks(1);
            // WHEN they are built `step` visits a block
            let mut blocks = 1;
            while BuiltEpoch::<Test>::get().is_none() {
                run_blocks(1);
                blocks += 1;
            }
            // THEN it takes as many blocks as that means: 12 + 12 + 6 + 4 visits and 4 closings
            assert_eq!(blocks, 38u32.div_ceil(step));
            all = Indices::<Test>::iter().map(|(_, index)| index).collect();
            all.sort();
        });
        all
    };
    // THEN the outcome is the same
    let whole = indices(1_000);
    assert_eq!(whole.len(), 7);
    assert_eq!(indices(1), whole);
    assert_eq!(indices(5), whole);
    IndexStep::set(16);
}

#[test]
fn build_should_outlast_an_epoch_and_then_catch_up() {
    build_and_execute(|| {
        // GIVEN a build that is slower than an epoch
        IndexStep::set(1);
        for who in 1..=20 {
            server(who, VALIDATE, 1);
        }
        run_blocks(20);
        assert_eq!(<OperatorsPallet as Epochs>::current(), 2);
        assert_eq!(BuiltEpoch::<Test>::get(), None);

        // WHEN time goes on
        run_blocks(80);

        // THEN builds end, each for the epoch that runs when it starts
        assert!(BuiltEpoch::<Test>::get().unwrap() >= 5);
        assert_eq!(
            OperatorsPallet::frozen(Role::Validate, MODEL)
                .unwrap()
                .operators,
            20
        );
        IndexStep::set(16);
    });
}

#[test]
fn build_should_use_idle_weight() {
    build_and_execute(|| {
        // GIVEN a build that one block does not finish
        IndexStep::set(1);
        for who in 1..=10 {
            server(who, VALIDATE, 1);
        }
        System::set_block_number(9);
        run_blocks(1);
        assert_eq!(BuiltEpoch::<Test>::get(), None);

        // WHEN a block has next to nothing left, THEN nothing is done
        let entry = <Test as Config>::WeightInfo::build_indices(1);
        assert_eq!(OperatorsPallet::on_idle(10, entry), Weight::zero());

        // WHEN it has plenty left, THEN the build ends within it
        let used = OperatorsPallet::on_idle(10, entry.saturating_mul(40));
        assert!(used.all_lte(entry.saturating_mul(40)));
        assert_eq!(BuiltEpoch::<Test>::get(), Some(1));
        IndexStep::set(16);
    });
}

#[test]
fn build_should_survive_operators_that_leave_meanwhile() {
    build_and_execute(|| {
        // GIVEN a build in the middle of the only checkpoint
        IndexStep::set(1);
        for who in 1..=6 {
            server(who, BOTH, 1);
        }
        System::set_block_number(9);
        run_blocks(9);
        assert_eq!(Build::<Test>::get().unwrap().checkpoint, MODEL);

        // WHEN all its servers stop
        for who in 1..=6 {
            assert_ok!(OperatorsPallet::unserve(RuntimeOrigin::signed(who), MODEL));
        }
        run_blocks(6);

        // THEN the build ends without an index of it
        assert_eq!(BuiltEpoch::<Test>::get(), Some(1));
        assert_eq!(OperatorsPallet::frozen(Role::Compute, MODEL), None);
        IndexStep::set(16);
    });
}

#[test]
fn old_indices_should_be_removed_in_bounded_steps_when_no_case_needs_them() {
    build_and_execute(|| {
        // GIVEN indices of many checkpoints in epoch 1, kept for three epochs
        register(1, 1_000 * DOT, BOTH, 1);
        for n in 1..=16u8 {
            let root = H256::repeat_byte(n);
            assert_ok!(OperatorsPallet::serve(RuntimeOrigin::signed(1), root));
        }
        let of_first = || Indices::<Test>::iter_prefix((1,)).count();
        for _ in 1..=4 {
            next_epoch();
        }
        assert_eq!(of_first(), 33);

        // WHEN the fifth epoch's are built, THEN those of the first go
        next_epoch();
        run_blocks(6);
        assert_eq!(of_first(), 0);
        assert_eq!(OldestIndex::<Test>::get(), 2);
        // AND the newest stay
        assert!(OperatorsPallet::electorate(&MODEL, &[99]).weight > 0);
    });
}

#[test]
fn compute_weight_should_follow_reputation_and_votes_should_not() {
    build_and_execute(|| {
        // GIVEN a newcomer and an operator of full reputation, alike otherwise
        server(1, BOTH, 10);
        server(2, BOTH, 10);
        for _ in 0..4 {
            OperatorsPallet::record_audit(&2, AuditRecord::Valid { units: 100 });
            next_epoch();
        }
        assert!(<OperatorsPallet as OperatorsApi<_>>::reputation(&2).is_one());

        // THEN the newcomer enters executor draws with a quarter
        let epoch = BuiltEpoch::<Test>::get().unwrap();
        let index = Indices::<Test>::get((epoch, Role::Compute, MODEL));
        let weight = |who| {
            let at = index.iter().position(|(w, _)| *w == who).unwrap();
            chasqui_primitives::draw::weight_at(&index, at)
        };
        assert_eq!((weight(1), weight(2)), (2_500, 10_000));
        // AND both judge alike
        assert_eq!(OperatorsPallet::vote_weight(epoch, &MODEL, &[99], &1), 10);
        assert_eq!(OperatorsPallet::vote_weight(epoch, &MODEL, &[99], &2), 10);
    });
}
