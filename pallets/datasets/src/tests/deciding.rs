//! Draws, cases, and what their decisions do.

use crate::{mock::*, *};
use chasqui_primitives::{
    audit::{Decision, Subject},
    traits::{CaseSubjects, Datasets as _},
    ANY_CHECKPOINT, DOT,
};
use frame_support::{assert_ok, traits::Hooks};

#[test]
fn case_is_opened_before_all_validators_when_the_seed_is_there() {
    build_and_execute(|| {
        // GIVEN a dataset in block 1, whose draw is due two blocks later
        assert_ok!(submit(1));
        run_for(1);
        assert!(World::with(|world| world.cases.is_empty()));

        // WHEN the seed exists
        run_for(1);

        // THEN a case is open about it, in which the submitter is a party and everybody else may judge
        let request = World::with(|world| world.cases[&case_of(0)].clone());
        assert_eq!(request.subject, Subject::Dataset(0));
        assert_eq!((request.operator, request.client), (ALICE, None));
        assert_eq!(request.checkpoint, ANY_CHECKPOINT);
        assert_eq!(request.seed, H256::from_low_u64_be(3));
        assert_eq!(request.evidence_tau, 0);
        // AND it cost a fee out of the deposit
        assert_eq!((held(ALICE), reserve()), (11 * DOT, DOT));
        assert!(happened(Event::InAudit {
            dataset: 0,
            case: 0,
            fee: DOT
        }));
    });
}

#[test]
fn valid_dataset_is_usable() {
    build_and_execute(|| {
        let id = usable(1);
        assert_eq!(Datasets::usable(&root(1)), Some(terms(1_000)));
        assert!(Datasets::undecided().is_empty());
        assert!(happened(Event::Usable {
            dataset: id,
            root: root(1)
        }));
        // The rest of the deposit stays where it is.
        assert_eq!(held(ALICE), 11 * DOT);
    });
}

#[test]
fn false_statement_costs_a_part_of_the_deposit_and_nothing_else() {
    build_and_execute(|| {
        for reason in [HardReason::Dataset, HardReason::OutputHash] {
            let (before, kept) = (free(ALICE), reserve());
            assert_ok!(submit(1));
            run_for(2);
            let id = NextDataset::<Test>::get() - 1;
            close(id, Decision::Hard(reason));

            // A fee of one, then half of eleven.
            assert_eq!(held(ALICE), 0);
            assert_eq!(before - free(ALICE), DOT + 11 * DOT / 2);
            assert_eq!(reserve() - kept, DOT + 11 * DOT / 2);
            assert!(happened(Event::Rejected {
                dataset: id,
                root: root(1),
                reason,
                lost: 11 * DOT / 2
            }));
            assert_eq!(Datasets::dataset_of(root(1)), None);
        }
    });
}

#[test]
fn what_cannot_be_had_is_tried_again_and_then_sent_back() {
    build_and_execute(|| {
        // GIVEN three decisions that settle nothing
        let vain = [
            Decision::Hard(HardReason::Withheld),
            Decision::Undecided,
            Decision::Soft,
        ];
        assert_ok!(submit(1));
        run_for(2);
        for (failed, decision) in vain.into_iter().enumerate() {
            assert_eq!(held(ALICE), (11 - failed as u128) * DOT);
            close(0, decision);
            // A pause of ten blocks, and two until the seed.
            run_for(11);
            assert!(World::with(|world| world.cases.is_empty()));
            run_for(1);
        }

        // THEN all but three fees has returned
        assert_eq!(held(ALICE), 0);
        assert_eq!(free(ALICE), FUNDS - 3 * DOT);
        assert!(happened(Event::SentBack {
            dataset: 0,
            root: root(1)
        }));
        // AND it may be submitted once more
        assert_ok!(submit(1));
    });
}

#[test]
fn second_try_may_succeed() {
    build_and_execute(|| {
        assert_ok!(submit(1));
        run_for(2);
        close(0, Decision::Undecided);
        assert!(happened(Event::TriedInVain {
            dataset: 0,
            failed: 1
        }));
        run_for(12);
        close(0, Decision::Valid);
        assert!(Datasets::usable(&root(1)).is_some());
    });
}

#[test]
fn dataset_that_nobody_may_judge_is_sent_back_for_free() {
    build_and_execute(|| {
        World::with(|world| world.judges = false);
        assert_ok!(submit(1));
        run_for(50);
        assert_eq!((held(ALICE), free(ALICE)), (0, FUNDS));
        assert_eq!(Datasets::dataset(0), None);
    });
}

#[test]
fn expired_seed_is_drawn_anew() {
    build_and_execute(|| {
        World::with(|world| world.seeds_come = false);
        assert_ok!(submit(1));
        run_for(20);
        assert!(World::with(|world| world.cases.is_empty()));
        World::with(|world| {
            world.forgotten = 15;
            world.seeds_come = true;
        });
        run_for(3);
        assert_eq!(World::with(|world| world.cases.len()), 1);
    });
}

#[test]
fn blocks_open_a_bounded_number_of_cases() {
    build_and_execute(|| {
        for of in 1..=5 {
            assert_ok!(submit(of));
        }
        for open in [0, 2, 4, 5] {
            run_for(1);
            assert_eq!(World::with(|world| world.cases.len()), open);
        }
    });
}

#[test]
fn decision_about_something_else_changes_nothing() {
    build_and_execute(|| {
        assert_ok!(submit(1));
        run_for(2);
        let case = case_of(0);
        let before = Datasets::undecided();
        let valid = Decision::Valid;
        // Another case, another dataset, another subject.
        Datasets::on_closed(&Subject::Dataset(0), case + 1, valid, &[]);
        Datasets::on_closed(&Subject::Dataset(5), case, valid, &[]);
        Datasets::on_closed(&Subject::Job(0), case, valid, &[]);
        assert_eq!(Datasets::undecided(), before);
        // And a decided one is not decided again.
        close(0, valid);
        Datasets::on_closed(
            &Subject::Dataset(0),
            case,
            Decision::Hard(HardReason::Dataset),
            &[],
        );
        assert!(Datasets::usable(&root(1)).is_some());
    });
}

#[test]
fn there_is_nothing_to_open_on_chain() {
    build_and_execute(|| {
        assert!(!Subject::Dataset(0).has_opening());
        assert!(!Datasets::opening_matches(&Subject::Dataset(0), &[]));
    });
}

#[test]
fn reserve_that_cannot_hold_a_fee_gets_none() {
    build_and_execute(|| {
        // GIVEN a reserve without an account, and fees below its existential deposit
        Balances::set_balance(&Reserve::get(), 0);
        let fee = ExistentialDeposit::get() - 1;
        assert_ok!(Datasets::set_params(
            RuntimeOrigin::root(),
            Params { fee, ..params() }
        ));
        assert_ok!(submit(1));
        run_for(2);
        // THEN the case is open all the same, and the deposit whole
        assert_eq!(held(ALICE), 12 * DOT);
        close(0, Decision::Valid);
        Balances::set_balance(&Reserve::get(), ExistentialDeposit::get());
    });
}

#[test]
fn hook_weighs_more_with_cases_to_open() {
    build_and_execute(|| {
        let idle = Datasets::on_initialize(2);
        assert_ok!(submit(1));
        assert_ok!(submit(2));
        System::set_block_number(3);
        let busy = Datasets::on_initialize(3);
        assert_eq!(World::with(|world| world.cases.len()), 2);
        let opening = <() as WeightInfo>::open_case().saturating_mul(2);
        assert!(busy.all_gte(idle.saturating_add(opening)));
    });
}
