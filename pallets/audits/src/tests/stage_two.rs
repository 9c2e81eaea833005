//! Stage two: the electorate votes by weight.

use crate::{mock::*, *};
use chasqui_primitives::audit::{Decision, HardReason, Stage, Verdict};
use frame_support::{assert_noop, assert_ok};

const MARGIN: Verdict = Verdict::Hard(HardReason::Margin);

fn votes(of: impl Fn(u64) -> Verdict) -> Vec<(u64, Verdict)> {
    (1..=7).map(|who| (who, of(who))).collect()
}

/// A case in stage two: weights 10 to 70, 280 in all.
fn voting() -> u64 {
    let (id, _) = open();
    to_stage_two(id);
    assert_eq!(case(id).electorate.weight, 280);
    id
}

#[test]
fn the_whole_electorate_has_the_duty_to_vote() {
    build_and_execute(|| {
        // GIVEN a case, WHEN it goes to the vote
        let (id, _) = open();
        let seed = case(id).projection_seed;
        to_stage_two(id);

        // THEN everybody with weight has a ballot and a duty, under a new projection seed
        for who in 1..=7 {
            assert_eq!(Audits::duties_of(who), vec![(id, Stage::Two)]);
            assert_eq!(Audits::ballot(id, who).unwrap().weight, who * 10);
        }
        assert_ne!(case(id).projection_seed, seed);
        assert_eq!(Audits::counters().stage_two, 1);
    });
}

#[test]
fn weight_decides_and_the_minority_misses_its_duty() {
    build_and_execute(|| {
        // GIVEN a vote, WHEN three voters of 180 in 280 say hard and four of 100 say valid
        let id = voting();
        let duties_before: Vec<_> = (1..=4).map(|who| World::operator(who).missed).collect();
        judge(
            id,
            &votes(|who| if who >= 5 { MARGIN } else { Verdict::Valid }),
        );

        // THEN hard it is
        assert_eq!(ended(id).decision, Decision::Hard(HardReason::Margin));
        // AND the minority missed a duty and earned nothing
        for who in 1..=4 {
            let operator = World::operator(who);
            assert!(operator.missed > duties_before[who as usize - 1]);
            if !ended(id).majority.contains(&who) {
                assert_eq!(operator.points, 0);
            }
        }
    });
}

#[test]
fn half_of_the_weight_is_not_enough() {
    build_and_execute(|| {
        // GIVEN a vote, WHEN exactly half of the weight says valid and the rest is silent
        let id = voting();
        judge(
            id,
            &[
                (7, Verdict::Valid),
                (6, Verdict::Valid),
                (1, Verdict::Valid),
            ],
        );

        // THEN that decides nothing: the windows begin once more
        assert_eq!(case(id).tally.valid, 140);
        assert!(case(id).history.extended);

        // WHEN one more voter says valid
        judge(id, &[(2, Verdict::Valid)]);
        // THEN it does
        assert_eq!(ended(id).decision, Decision::Valid);
    });
}

#[test]
fn a_vote_is_extended_once_and_then_undecided() {
    build_and_execute(|| {
        // GIVEN a vote that nobody wins, WHEN the extension brings nothing either
        let id = voting();
        judge(id, &[(7, Verdict::Valid), (6, MARGIN)]);
        assert!(case(id).history.extended);
        // AND the votes stay: who has voted cannot vote again, the others have a duty
        assert_noop!(commit(id, 7, MARGIN), Error::<Test>::AlreadyRevealed);
        assert_eq!(case(id).expected, 5);
        assert!(Audits::duties_of(7).is_empty());
        let ended = to_end(id);

        // THEN there is no decision; who voted kept the duty, who did not missed it
        assert_eq!(ended.decision, Decision::Undecided);
        assert!(ended.majority.is_empty());
        assert_eq!(Audits::counters().contradicted, 0);
        assert!(World::operator(5).missed >= 1);
        assert_eq!(World::operator(7).points + World::operator(6).points, 0);
    });
}

#[test]
fn a_tie_of_everybody_does_not_wait() {
    build_and_execute(|| {
        // GIVEN a vote that ties with every ballot used: 140 against 140
        let id = voting();
        let valid = [7, 6, 1];
        judge(
            id,
            &votes(|who| {
                if valid.contains(&who) {
                    Verdict::Valid
                } else {
                    MARGIN
                }
            }),
        );

        // WHEN the extension begins, with nobody left to vote
        assert_eq!(case(id).expected, 0);
        next_block();

        // THEN it ends at once
        assert_eq!(ended(id).decision, Decision::Undecided);
    });
}

#[test]
fn soft_and_hard_together_are_soft() {
    build_and_execute(|| {
        // GIVEN a vote, WHEN neither soft nor hard alone has more than half
        let id = voting();
        judge(
            id,
            &votes(|who| match who {
                7 | 3 => MARGIN,
                6 | 4 => Verdict::Soft,
                _ => Verdict::Valid,
            }),
        );

        // THEN those who say worse count for soft
        assert_eq!(ended(id).decision, Decision::Soft);
        let mut majority = ended(id).majority;
        majority.retain(|who| [7, 3, 6, 4].contains(who));
        assert_eq!(majority.len(), 4);
    });
}

#[test]
fn the_hard_reason_is_the_one_with_most_weight() {
    build_and_execute(|| {
        // GIVEN a vote, WHEN all say hard for different reasons
        let id = voting();
        judge(
            id,
            &votes(|who| match who {
                7 => Verdict::Hard(HardReason::OutputHash),
                6 | 5 => Verdict::Hard(HardReason::Finish),
                _ => MARGIN,
            }),
        );

        // THEN the reason with most weight is stated, and all are in the majority
        assert_eq!(ended(id).decision, Decision::Hard(HardReason::Finish));
        assert_eq!(ended(id).majority.len(), 7);
    });
}

#[test]
fn no_model_and_withheld_decide_nothing() {
    build_and_execute(|| {
        // GIVEN a vote, WHEN most of the weight lacks the model
        let id = voting();
        judge(
            id,
            &votes(|who| {
                if who <= 3 {
                    Verdict::Valid
                } else {
                    Verdict::NoModel
                }
            }),
        );

        // THEN the few who judged decide nothing
        assert_eq!(case(id).tally.valid, 60);
        assert!(case(id).history.extended);
        assert_eq!(case(id).expected, 4);
        assert_eq!(to_end(id).decision, Decision::Undecided);
        assert!(World::operator(7).missed >= 1);
    });
}

#[test]
fn a_voter_without_weight_has_no_ballot() {
    build_and_execute(|| {
        // GIVEN a validator of no weight, and one of the executor's owner
        World::change(8, |operator| operator.owner = 8);
        World::change(9, |operator| {
            operator.owner = EXECUTOR;
            operator.weight = 1_000;
        });
        let id = voting();

        // WHEN they vote, THEN they are strangers to the case
        assert_noop!(commit(id, 8, Verdict::Valid), Error::<Test>::NotAssigned);
        assert_noop!(commit(id, 9, Verdict::Valid), Error::<Test>::NotAssigned);
        assert_noop!(
            commit(id, EXECUTOR, Verdict::Valid),
            Error::<Test>::NotAssigned
        );
    });
}

#[test]
fn an_electorate_that_is_gone_decides_nothing() {
    build_and_execute(|| {
        // GIVEN a case whose whole electorate loses its weights after it opened
        let (id, panel) = open();
        for auditor in &panel {
            assert_ok!(commit(id, *auditor, MARGIN));
        }
        to_reveals(id);
        for auditor in &panel {
            assert_ok!(reveal(id, *auditor, MARGIN));
        }
        for who in 1..=7 {
            World::change(who, |operator| operator.weight = 0);
        }

        // WHEN it goes to the vote
        next_block();

        // THEN it is undecided: an empty electorate is no majority
        assert_eq!(ended(id).decision, Decision::Undecided);
    });
}

#[test]
fn weight_that_cannot_vote_any_more_still_counts() {
    build_and_execute(|| {
        // GIVEN a case whose heaviest voter is gone when the vote begins
        let (id, _) = open();
        World::change(7, |operator| operator.weight = 0);
        if panel(id).contains(&7) {
            World::change(7, |operator| operator.missed = 0);
        }
        to_stage_two(id);

        // THEN more than half is still measured by what was frozen
        assert_eq!(case(id).electorate.weight, 280);
        assert_eq!(case(id).electorate.voters, 6);
    });
}

#[test]
fn of_a_large_electorate_the_heaviest_vote() {
    build_and_execute(|| {
        // GIVEN forty validators, where at most 32 may vote
        for who in 8..=40 {
            World::change(who, |operator| {
                operator.owner = who;
                operator.weight = 1;
            });
        }
        let (id, _) = open();
        to_stage_two(id);

        // THEN the heaviest 32 have ballots, and their weight is what counts
        assert_eq!(case(id).electorate.voters, 32);
        assert_eq!(case(id).electorate.weight, 280 + 25);
        assert_eq!(Ballots::<Test>::iter_prefix(id).count(), 32);
        assert!((1..=7).all(|who| Audits::ballot(id, who).is_some()));
    });
}

#[test]
fn votes_close_early_only_when_every_commitment_is_revealed() {
    build_and_execute(|| {
        // GIVEN a vote that is decided while one voter has yet to reveal
        let id = voting();
        for who in 1..=7 {
            assert_ok!(commit(id, who, Verdict::Valid));
        }
        next_block();
        for who in 2..=7 {
            assert_ok!(reveal(id, who, Verdict::Valid));
        }
        next_block();

        // THEN the case waits for that one
        assert!(Cases::<Test>::contains_key(id));
        assert_ok!(reveal(id, 1, Verdict::Valid));
        next_block();
        assert_eq!(ended(id).decision, Decision::Valid);
        assert!(ended(id).majority.contains(&1));
    });
}
