//! Subjects of which there is nothing to open on chain.

use crate::{mock::*, *};
use chasqui_primitives::{
    audit::{Decision, HardReason, Stage, Subject, Verdict},
    traits::{CaseRequest, Cases as _},
};

/// Opens a case about a dataset; its panel.
fn about_a_dataset() -> (u64, Vec<u64>) {
    about(Subject::Dataset(3))
}

/// Opens a case; its panel.
fn about(subject: Subject) -> (u64, Vec<u64>) {
    let request = CaseRequest {
        subject,
        ..request()
    };
    let id = Audits::open(request).expect("somebody may judge").case;
    (id, panel(id))
}

#[test]
fn claim_that_it_is_withheld_goes_straight_to_the_vote() {
    build_and_execute(|| {
        // GIVEN a panel of which one says that the dataset is withheld
        let (id, panel) = about_a_dataset();
        judge(
            id,
            &[
                (panel[0], Verdict::Withheld),
                (panel[1], Verdict::Valid),
                (panel[2], Verdict::Valid),
            ],
        );

        // THEN nothing is demanded of the submitter: everybody votes
        assert_eq!(case(id).stage, Stage::Two);
        assert_eq!(Totals::<Test>::get().openings_demanded, 0);

        // AND whoever claimed it pays when the vote finds the dataset sound
        let voters: Vec<_> = Ballots::<Test>::iter_key_prefix(id).collect();
        let verdicts: Vec<_> = voters.iter().map(|who| (*who, Verdict::Valid)).collect();
        judge(id, &verdicts);
        assert_eq!(ended(id).decision, Decision::Valid);
        assert_eq!(Totals::<Test>::get().overturned, 1);
        assert!(World::operator(panel[0]).missed > 0);
    });
}

#[test]
fn vote_that_only_says_withheld_decides_nothing() {
    build_and_execute(|| {
        let (id, panel) = about_a_dataset();
        let withheld = |who: &u64| (*who, Verdict::Withheld);
        judge(id, &panel.iter().map(withheld).collect::<Vec<_>>());
        let voters: Vec<_> = Ballots::<Test>::iter_key_prefix(id).collect();
        // Once, and once more.
        for _ in 0..2 {
            judge(id, &voters.iter().map(withheld).collect::<Vec<_>>());
        }
        assert_eq!(ended(id).decision, Decision::Undecided);
        assert_eq!(Totals::<Test>::get().openings_demanded, 0);
        // Nobody was contradicted.
        assert_eq!(Totals::<Test>::get().contradicted, 0);
    });
}

#[test]
fn member_whose_round_most_voters_cannot_get_is_false() {
    build_and_execute(|| {
        // GIVEN a member of a training run that serves nothing of its round
        let (id, panel) = about(Subject::Training {
            run: 1,
            round: 2,
            rank: 0,
        });
        let withheld = |who: &u64| (*who, Verdict::Withheld);
        judge(id, &panel.iter().map(withheld).collect::<Vec<_>>());
        assert_eq!(case(id).stage, Stage::Two);

        // WHEN everybody votes that it is withheld
        let voters: Vec<_> = Ballots::<Test>::iter_key_prefix(id).collect();
        judge(id, &voters.iter().map(withheld).collect::<Vec<_>>());

        // THEN that is as good as false, nothing was demanded, and nobody was contradicted
        assert_eq!(ended(id).decision, Decision::Hard(HardReason::Withheld));
        assert_eq!(Totals::<Test>::get().openings_demanded, 0);
        assert_eq!(Totals::<Test>::get().contradicted, 0);
    });
}

#[test]
fn member_that_serves_most_voters_is_not() {
    build_and_execute(|| {
        // GIVEN a member that one of the panel could not reach
        let (id, panel) = about(Subject::Training {
            run: 1,
            round: 2,
            rank: 0,
        });
        judge(
            id,
            &[
                (panel[0], Verdict::Withheld),
                (panel[1], Verdict::Valid),
                (panel[2], Verdict::Valid),
            ],
        );

        // WHEN everybody else finds its round sound
        let voters: Vec<_> = Ballots::<Test>::iter_key_prefix(id).collect();
        let verdicts: Vec<_> = voters
            .iter()
            .map(|who| match *who == panel[0] {
                true => (*who, Verdict::Withheld),
                false => (*who, Verdict::Valid),
            })
            .collect();
        judge(id, &verdicts);

        // THEN it is paid
        assert_eq!(ended(id).decision, Decision::Valid);
    });
}

#[test]
fn outer_step_that_nobody_can_get_convicts_nobody() {
    build_and_execute(|| {
        let (id, panel) = about(Subject::TrainingOuter { run: 1, round: 2 });
        let withheld = |who: &u64| (*who, Verdict::Withheld);
        judge(id, &panel.iter().map(withheld).collect::<Vec<_>>());
        let voters: Vec<_> = Ballots::<Test>::iter_key_prefix(id).collect();
        for _ in 0..2 {
            judge(id, &voters.iter().map(withheld).collect::<Vec<_>>());
        }
        assert_eq!(ended(id).decision, Decision::Undecided);
    });
}
