//! A training run from gathering members to its end: what a round needs, what it pays, what undoes it.

mod training_world;

use chasqui_primitives::{
    audit::{Decision, HardReason},
    training::{
        clock::{median, spread, straggler_deadline, two_thirds},
        machine::Settling,
        Failure, Judged, Phase, Ranks, Refusal, RoundReport, Store,
    },
};
use training_world::{running, terms, Case, World};

const FALSE: Decision = Decision::Hard(HardReason::Mismatch);

fn in_phase(which: fn(&Phase) -> bool) -> impl Fn(&World) -> bool {
    move |world| which(&world.run.phase)
}

#[test]
fn a_run_of_honest_members_finishes_and_pays_equal_shares() {
    // GIVEN three members and two rounds
    let mut world = running(terms(2, 2, 4), 3);
    // WHEN all do their part
    world.go_until("the end", |world| world.run.phase.is_over());
    // THEN both rounds are final and paid, a third each, and what does not divide is not spent
    assert_eq!(world.run.phase, Phase::Finished);
    assert_eq!(world.finals, [0, 1]);
    let third = world.terms.round_pay / 3;
    assert_eq!(world.paid.len(), 6);
    assert!(world.paid.values().all(|paid| *paid == third));
    assert_eq!(world.run.settled.unwrap().model, world.model(1, 0));
    assert!(world.slashed.is_empty() && world.voids.is_empty());
    assert!(world.duties.iter().all(|(_, kept)| *kept) && world.duties.len() == 6);
}

#[test]
fn too_few_members_for_too_long_fail_the_run() {
    let mut world = World::new(terms(2, 2, 4));
    world.join(0).unwrap();
    world.heartbeat(0).unwrap();
    world.blocks(world.terms.timing.idle_blocks + 3);
    assert_eq!(world.run.phase, Phase::Failed(Failure::Idle));
    assert_eq!(world.ended, [Some(Failure::Idle)]);
}

#[test]
fn whoever_is_not_ready_in_time_is_dropped() {
    // GIVEN three of whom one is not ready
    let mut world = World::new(terms(2, 2, 4));
    for who in 0..3 {
        world.join(who).unwrap();
    }
    world.heartbeat(0).unwrap();
    world.heartbeat(1).unwrap();
    // WHEN the warmup is over
    world.wait_until(
        "training",
        in_phase(|phase| matches!(phase, Phase::Train { .. })),
    );
    // THEN the round begins without it
    assert_eq!(world.record().members, 2);
    assert_eq!(world.dropped, [(2, "NotReady".to_string())]);
}

#[test]
fn who_joins_or_leaves_does_so_at_the_next_edge() {
    // GIVEN a round that trains
    let mut world = running(terms(3, 2, 4), 3);
    // WHEN one joins and another leaves
    world.join(3).unwrap();
    world.heartbeat(3).unwrap();
    world.leave(0).unwrap();
    assert_eq!(world.leave(0), Err(Refusal::Leaving));
    // THEN this round is as it was
    assert_eq!(world.commit(3), Err(Refusal::NotMember));
    world.commit(0).unwrap();
    assert_eq!(world.record().members, 3);
    // AND the next has the one and not the other
    world.go_until("round 1", |world| {
        world.run.round == 1 && matches!(world.run.phase, Phase::Train { .. })
    });
    let mut active = world.active();
    active.sort_unstable();
    assert_eq!(active, [1, 2, 3]);
    assert_eq!(world.dropped, [(0, "Left".to_string())]);
    // AND who waits may leave at once
    world.join(4).unwrap();
    assert_eq!(world.join(5), Err(Refusal::Full));
    world.leave(4).unwrap();
    assert_eq!(world.leave(4), Err(Refusal::NotMember));
}

#[test]
fn stragglers_are_given_the_median_and_a_multiple_of_the_spread() {
    // GIVEN commitments after 10, 10, 12 and 14 blocks: median 10, deviations 0 0 2 4, spread 0
    assert_eq!(
        (median(&[10, 10, 12, 14]), spread(&[10, 10, 12, 14])),
        (10, 0)
    );
    assert_eq!((median(&[]), spread(&[])), (0, 0));
    assert_eq!((median(&[7]), spread(&[7])), (7, 0));
    assert_eq!(spread(&[10, 12, 14, 20]), 2);
    assert_eq!(
        [two_thirds(0), two_thirds(1), two_thirds(3), two_thirds(4)],
        [0, 1, 2, 3]
    );
    let timing = terms(1, 1, 1).timing;
    // 100 + 12 + 300% of 2
    assert_eq!(
        straggler_deadline(&[10, 12, 14, 20], 100, 114, 200, &timing),
        118
    );
    // never sooner than the grace, never later than the round's end
    assert_eq!(
        straggler_deadline(&[10, 12, 14, 20], 100, 130, 200, &timing),
        132
    );
    assert_eq!(
        straggler_deadline(&[10, 12, 14, 20], 100, 114, 115, &timing),
        115
    );
    assert_eq!(
        straggler_deadline(&[u32::MAX], u32::MAX, u32::MAX, 200, &timing),
        200
    );
}

#[test]
fn a_quorum_does_not_wait_for_the_last_one_for_ever() {
    // GIVEN three of four that committed after one, two and four blocks
    let mut world = running(terms(2, 2, 4), 4);
    let until = |world: &World| match world.run.phase {
        Phase::Train { until } => Some(until),
        _ => None,
    };
    let first = until(&world).unwrap();
    for (who, blocks) in [(0, 1), (1, 1), (2, 2)] {
        world.blocks(blocks);
        world.commit(who).unwrap();
    }
    world.block();
    // THEN the deadline has come nearer, with the grace at least
    let second = until(&world).unwrap();
    assert!(second < first && second >= world.now + world.terms.timing.grace_blocks);
    // WHEN it has passed
    world.wait_until(
        "exchange",
        in_phase(|phase| matches!(phase, Phase::Exchange { .. })),
    );
    assert!(world.now <= second + 1);
    // THEN the last one is too late, and has missed its duty once the round is over
    assert_eq!(world.commit(3), Err(Refusal::WrongPhase));
    let slow = 3;
    world.go_until("round 1", |world| world.run.round == 1);
    assert!(world.duties.contains(&(slow, false)));
    assert_eq!(world.accepted[&0].len(), 3);
}

#[test]
fn a_deadline_binds_from_its_block_on_even_if_nothing_was_served() {
    let mut world = running(terms(2, 2, 4), 3);
    let Phase::Train { until } = world.run.phase else {
        panic!()
    };
    world.now = until;
    assert_eq!(world.commit(0), Err(Refusal::WrongPhase));
}

#[test]
fn who_misses_rounds_in_a_row_is_dropped() {
    let mut world = running(terms(9, 2, 4), 3);
    // WHEN one does nothing for two rounds
    for _ in 0..2_000 {
        if world.run.round == 3 {
            break;
        }
        (0..2).for_each(|who| world.act(who, false));
        world.give_seed();
        while world.close_case(0, Decision::Valid) {}
        world.block();
    }
    // THEN it is out, with two missed duties, and unpaid
    assert_eq!(world.dropped, [(2, "Missed".to_string())]);
    assert_eq!(
        world
            .duties
            .iter()
            .filter(|duty| **duty == (2, false))
            .count(),
        2
    );
    assert!(world.paid.keys().all(|(_, who)| *who != 2));
}

#[test]
fn nobody_reveals_what_it_did_not_commit_to() {
    let mut world = running(terms(2, 2, 4), 3);
    // GIVEN a member that commits to its own report, one that copied another's commitment, and one that is silent
    let report = world.report(0, 0);
    world.commit(0).unwrap();
    let own = world.secrets[&(0, 0)];
    let copied = report.commitment(&training_world::GENESIS, &0, 7, 0, &own.1);
    let now = world.now;
    world
        .tell(|machine| machine.commit(&1, 0, copied, now))
        .unwrap();
    assert_eq!(world.commit(1), Err(Refusal::AlreadyCommitted));
    assert_eq!(world.reveal(0), Err(Refusal::WrongPhase));
    world.wait_until(
        "exchange",
        in_phase(|phase| matches!(phase, Phase::Exchange { .. })),
    );
    // THEN the copy cannot be revealed, neither with the author's report nor another
    world.secrets.insert((0, 1), own);
    assert_eq!(world.reveal(1), Err(Refusal::Mismatch));
    assert_eq!(world.reveal(2), Err(Refusal::NotCommitted));
    let changed = RoundReport {
        loss_micro: 9,
        ..report
    };
    world.secrets.insert((0, 0), (changed, own.1));
    assert_eq!(world.reveal(0), Err(Refusal::Mismatch));
    world.secrets.insert((0, 0), own);
    world.reveal(0).unwrap();
    assert_eq!(world.reveal(0), Err(Refusal::AlreadyRevealed));
}

#[test]
fn a_report_that_another_revealed_is_refused() {
    let mut world = running(terms(2, 2, 4), 3);
    // GIVEN one that trained, and one that commits to the same gradient with kept states of its own
    let theirs = world.report(0, 0);
    let copy = RoundReport {
        gradient: theirs.gradient,
        ..world.report(1, 0)
    };
    world.commit(0).unwrap();
    world.commit_to(1, copy).unwrap();
    world.commit(2).unwrap();
    world.block();
    world.reveal(0).unwrap();
    // THEN it is refused
    assert_eq!(world.reveal(1), Err(Refusal::Duplicate));
    // AND the same for kept states
    let mut world = running(terms(2, 2, 4), 2);
    let copy = RoundReport {
        kept: theirs.kept,
        ..world.report(1, 0)
    };
    world.commit(0).unwrap();
    world.commit_to(1, copy).unwrap();
    world.block();
    world.reveal(0).unwrap();
    assert_eq!(world.reveal(1), Err(Refusal::Duplicate));
}

#[test]
fn a_report_of_another_shape_is_refused() {
    let mut world = running(terms(2, 2, 4), 3);
    let good = world.report(0, 0);
    let bad = [
        RoundReport {
            leaves: good.leaves - 1,
            ..good
        },
        RoundReport {
            tokens: good.tokens + 1,
            ..world.report(1, 0)
        },
        RoundReport {
            units: good.units + 1,
            ..world.report(2, 0)
        },
    ];
    for (who, report) in bad.into_iter().enumerate() {
        world.commit_to(who as u64, report).unwrap();
    }
    world.block();
    for who in 0..3 {
        assert_eq!(world.reveal(who), Err(Refusal::ReportShape));
    }
}

/// Up to the end of attestation: of four, 3 does not serve its pseudo-gradient.
fn withheld_by_three(attesters: &[u64]) -> World {
    let mut world = running(terms(2, 2, 4), 4);
    (0..4).for_each(|who| {
        world.commit(who).unwrap();
    });
    world.block();
    let ranks: Vec<u32> = (0..4).map(|who| world.reveal(who).unwrap()).collect();
    world.block();
    for who in attesters {
        let held = ranks.iter().copied().filter(|rank| *rank != ranks[3]);
        world.attest(*who, held).unwrap();
    }
    world
}

#[test]
fn what_is_not_served_is_not_included_and_costs_no_duty() {
    // GIVEN three of four that hold what the first three serve
    let mut world = withheld_by_three(&[0, 1, 2, 3]);
    world.go_until("round 1", |world| world.run.round == 1);
    // THEN the fourth is neither in the outer step nor paid, though it missed nothing
    assert_eq!(
        world.accepted[&0].iter().copied().collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert!(world.duties.contains(&(3, true)));
    world.go_until("the end", |world| world.run.phase.is_over());
    assert!(!world.paid.contains_key(&(0, 3)));
    // AND nobody gains by that
    assert_eq!(world.paid[&(0, 0)], world.terms.round_pay / 4);
}

#[test]
fn who_does_not_attest_is_not_paid() {
    // GIVEN one that is served to the others, and looks at nobody's
    let mut world = withheld_by_three(&[1, 2, 3]);
    world.wait_until(
        "cases",
        in_phase(|phase| matches!(phase, Phase::Audit { .. })),
    );
    world.go_until("the end", |world| world.run.phase.is_over());
    // THEN the round has its pseudo-gradient, and does not pay for it
    assert!(world.accepted[&0].contains(&0));
    assert!(!world.paid.contains_key(&(0, 0)) && world.paid.contains_key(&(0, 1)));
}

#[test]
fn ranks_that_are_no_members_cannot_be_attested() {
    let mut world = running(terms(2, 2, 4), 3);
    (0..3).for_each(|who| {
        world.commit(who).unwrap();
    });
    world.block();
    (0..3).for_each(|who| {
        world.reveal(who).unwrap();
    });
    world.block();
    let now = world.now;
    for ranks in [Ranks::none(9), Ranks::of(8, [3]), Ranks::none(0)] {
        let answer = world.tell(|machine| machine.attest(&0, 0, ranks, now));
        assert_eq!(answer, Err(Refusal::RanksShape));
    }
    world.attest(0, [0, 1, 2]).unwrap();
    assert_eq!(world.attest(0, [0]), Err(Refusal::AlreadyAttested));
}

#[test]
fn segments_are_drawn_once_reports_and_included_set_are_public() {
    let mut world = withheld_by_three(&[0, 1, 2, 3]);
    assert!(world.announced.is_empty());
    world.wait_until(
        "cases",
        in_phase(|phase| matches!(phase, Phase::Audit { .. })),
    );
    assert!(world.record().audit_seed.is_some());
    // One case for each that is included.
    assert_eq!(world.cases.len(), 3);
}

/// Up to the verdicts, of which the first is `decision`. Returns whose it was.
fn judged(members: u64, decision: Decision) -> (World, u64) {
    let mut world = running(terms(3, 2, members as u32), members);
    for _ in 0..3 {
        (0..members).for_each(|who| world.act(who, false));
        world.block();
    }
    world.wait_until(
        "cases",
        in_phase(|phase| matches!(phase, Phase::Audit { .. })),
    );
    let Case::Member { round, rank } = world.cases[0].1 else {
        panic!()
    };
    let who = world.store.contribution(round, rank).unwrap().who;
    world.close_case(0, decision);
    (world, who)
}

#[test]
fn a_proven_lie_is_slashed_excluded_and_out_of_the_run() {
    let (mut world, liar) = judged(4, FALSE);
    assert_eq!(world.slashed, [(0, liar)]);
    assert_eq!(world.leave(liar), Err(Refusal::Leaving));
    while world.close_case(0, Decision::Valid) {}
    world.block();
    // It has no say in what the others' work gives.
    assert_eq!(world.agree(liar, 0), Err(Refusal::Convicted));
    world.go_until("round 1", |world| {
        world.run.round == 1 && matches!(world.run.phase, Phase::Train { .. })
    });
    assert!(!world.accepted[&0].contains(&liar));
    assert!(!world.active().contains(&liar));
    assert_eq!(world.join(liar), Err(Refusal::Banned));
    world.go_until("the end", |world| world.run.phase.is_over());
    assert!(world.paid.keys().all(|(_, who)| *who != liar));
}

#[test]
fn what_is_undecided_or_soft_is_excluded_and_nobody_is_blamed() {
    for decision in [Decision::Soft, Decision::Undecided] {
        let (mut world, who) = judged(3, decision);
        world.go_until("the end", |world| world.run.phase.is_over());
        assert!(world.slashed.is_empty());
        assert!(!world.paid.contains_key(&(0, who)));
        assert!(world.paid.contains_key(&(1, who)), "it goes on");
    }
}

#[test]
fn a_verdict_that_comes_too_late_slashes_all_the_same_and_includes_nobody() {
    // GIVEN four cases of which one is still open when the audit's time is over
    let (mut world, _) = judged(4, Decision::Valid);
    while world.cases.len() > 1 {
        world.close_case(0, Decision::Valid);
    }
    world.wait_until(
        "agreement",
        in_phase(|phase| matches!(phase, Phase::Agree { .. })),
    );
    let Case::Member { round, rank } = world.cases[0].1 else {
        panic!()
    };
    let late = world.store.contribution(round, rank).unwrap().who;
    assert_eq!(world.record().accepted, 3);
    // WHEN the round is final, and its verdict comes then
    for _ in 0..40 {
        (0..4).for_each(|who| world.act(who, false));
        world.block();
    }
    assert_eq!(world.finals, [0]);
    assert!(world.store.round(0).is_some(), "it waits for the case");
    world.close_case(0, FALSE);
    // THEN its author is slashed, was not paid, and nothing is left of the round
    assert_eq!(world.slashed, [(0, late)]);
    assert!(!world.paid.contains_key(&(0, late)));
    assert_eq!(world.store.round(0), None);
}

#[test]
fn without_a_panel_a_round_is_void_and_the_run_fails_in_the_end() {
    let mut world = running(terms(9, 2, 4), 3);
    world.panels = false;
    world.go_until("the end", |world| world.run.phase.is_over());
    assert_eq!(world.run.phase, Phase::Failed(Failure::Void));
    assert_eq!(world.voids, [0, 1, 2]);
    assert!(world.paid.is_empty() && world.slashed.is_empty());
    // Data are consumed all the same.
    assert_eq!(
        world.run.next_sequence,
        3 * world.terms.recipe.sequences_per_round(3)
    );
}

#[test]
fn half_of_the_members_do_not_agree_on_a_model() {
    let (mut world, _) = judged(4, Decision::Valid);
    while world.close_case(0, Decision::Valid) {}
    world.block();
    // GIVEN two and two
    for (who, value) in [(0, 0), (1, 0), (2, 1), (3, 1)] {
        world.agree(who, value).unwrap();
    }
    assert_eq!(world.agree(0, 0), Err(Refusal::AlreadyAgreed));
    assert_eq!(world.record().agreed, None);
    world.wait_until("round 1", |world| world.run.round == 1);
    // THEN the round is void, and the model where it was
    assert_eq!((&world.voids[..], world.run.model), (&[0][..], None));
}

/// Agreed on `value` by everybody.
fn agreed(value: u8) -> World {
    let (mut world, _) = judged(4, Decision::Valid);
    while world.close_case(0, Decision::Valid) {}
    world.block();
    (0..3).for_each(|who| {
        world.agree(who, value).unwrap();
    });
    world.agree(3, 0).unwrap();
    world.wait_until("round 1", |world| {
        world.run.round == 1 && matches!(world.run.phase, Phase::Train { .. })
    });
    world
}

#[test]
fn an_agreed_lie_is_undone_and_its_voters_slashed() {
    // GIVEN three of four that agree on a false model; the next round trains on it
    let mut world = agreed(1);
    assert_eq!(world.run.model, Some(world.model(0, 1)));
    // WHEN somebody challenges, and validators find it right
    assert_eq!(world.challenge(9, 1), Err(Refusal::SameModel));
    world.challenge(9, 0).unwrap();
    assert_eq!(world.challenge(8, 0), Err(Refusal::NotChallengeable));
    world.give_seed();
    assert_eq!(
        world.cases.last().map(|case| case.1),
        Some(Case::Outer { round: 0 })
    );
    let last = world.cases.len() - 1;
    world.close_case(last, FALSE);
    world.block();
    // THEN those three are slashed and out, the model is back, and the round on top of it is void
    let mut slashed = world.slashed.clone();
    slashed.sort_unstable();
    assert_eq!(slashed, [(0, 0), (0, 1), (0, 2)]);
    assert_eq!((&world.undone[..], &world.voids[..]), (&[0][..], &[1][..]));
    assert_eq!((world.run.model, world.deposits), (None, 0));
    assert!(world.paid.is_empty());
    assert_eq!(world.active(), [3]);
    // AND who had a part in it begins again where it stood before
    assert_eq!(world.store.member(&3).unwrap().carried, None);
}

#[test]
fn a_false_challenge_costs_the_deposit_and_the_round_stands() {
    let mut world = agreed(0);
    world.challenge(9, 2).unwrap();
    world.give_seed();
    let last = world.cases.len() - 1;
    world.close_case(last, Decision::Valid);
    world.block();
    assert!(world
        .log
        .iter()
        .any(|line| line.contains("Deposit { challenger: 9, back: false }")));
    assert_eq!(world.finals, [0]);
    assert_eq!(world.paid.len(), 4);
}

#[test]
fn a_challenge_that_nobody_decides_undoes_the_round_without_blame() {
    // GIVEN a challenge of which the case does not end, or cannot be opened
    for panels in [true, false] {
        let mut world = agreed(0);
        world.challenge(9, 2).unwrap();
        world.panels = panels;
        for _ in 0..4 {
            world.give_seed();
            world.block();
        }
        world.blocks(2 * world.terms.timing.audit_blocks);
        assert_eq!((&world.undone[..], world.slashed.len()), (&[0][..], 0));
        assert!(world
            .log
            .iter()
            .any(|line| line.contains("challenger: 9, back: true")));
    }
}

#[test]
fn after_its_window_a_round_is_final() {
    let mut world = agreed(1);
    world.blocks(world.terms.timing.challenge_blocks + 1);
    assert_eq!(world.challenge(9, 0), Err(Refusal::NotChallengeable));
    assert_eq!(world.finals, [0]);
}

#[test]
fn a_round_is_not_agreed_on_before_the_one_below_it_is_final() {
    // GIVEN a challenge that takes its time
    let mut world = agreed(0);
    world.challenge(9, 2).unwrap();
    world.give_seed();
    for _ in 0..12 {
        (0..4).for_each(|who| world.act(who, false));
        world.give_seed();
        for index in (0..world.cases.len()).rev() {
            if matches!(world.cases[index].1, Case::Member { .. }) {
                world.close_case(index, Decision::Valid);
            }
        }
        world.block();
    }
    // THEN round 1 waits, though all members agree
    assert!(
        matches!(world.run.phase, Phase::Agree { .. }),
        "{:?}",
        world.run.phase
    );
    assert!(world.record().agreed.is_some());
    world.close_case(0, Decision::Valid);
    world.blocks(2);
    assert_eq!(world.finals, [0]);
    assert!(matches!(
        world
            .run
            .pending
            .map(|pending| (pending.round, pending.settling)),
        Some((1, Settling::Window { .. }))
    ));
}

#[test]
fn a_cancelled_run_voids_its_round_and_settles_what_was_agreed() {
    let mut world = agreed(0);
    world.tell(|machine| machine.cancel()).unwrap();
    assert_eq!(world.tell(|machine| machine.cancel()), Err(Refusal::Ending));
    assert_eq!(world.join(7), Err(Refusal::Ending));
    world.blocks(world.terms.timing.challenge_blocks + 3);
    assert_eq!(world.run.phase, Phase::Failed(Failure::Cancelled));
    assert_eq!((&world.finals[..], &world.voids[..]), (&[0][..], &[1][..]));
    assert_eq!(world.paid.len(), 4);
}

#[test]
fn late_calls_for_another_round_are_refused() {
    let mut world = agreed(0);
    let now = world.now;
    let model = world.model(0, 0);
    assert_eq!(
        world.tell(|machine| machine.agree(&0, 0, &model, now)),
        Err(Refusal::OtherRound)
    );
    let hash = model.hash;
    assert_eq!(
        world.tell(|machine| machine.commit(&0, 0, hash, now)),
        Err(Refusal::OtherRound)
    );
    assert_eq!(
        world.tell(|machine| machine.commit(&0, 2, hash, now)),
        Err(Refusal::OtherRound)
    );
    assert_eq!(world.commit(11), Err(Refusal::NotMember));
}

#[test]
fn a_member_carries_its_last_accepted_states_on() {
    let mut world = running(terms(3, 2, 4), 3);
    world.go_until("round 2", |world| world.run.round == 2);
    let carried = world.store.member(&0).unwrap().carried.unwrap();
    assert_eq!((carried.round, carried.kept), (1, world.report(0, 1).kept));
}

#[test]
fn one_member_alone_may_train() {
    let mut world = running(terms(1, 1, 1), 1);
    world.go_until("the end", |world| world.run.phase.is_over());
    assert_eq!(world.run.phase, Phase::Finished);
    assert_eq!(world.paid[&(0, 0)], world.terms.round_pay);
}

#[test]
fn a_block_that_serves_one_step_gets_there_too() {
    let mut world = World::new(terms(2, 2, 4));
    world.budget = 1;
    for who in 0..4 {
        world.join(who).unwrap();
        world.heartbeat(who).unwrap();
    }
    // Verdicts and seeds come at once; a block does one thing.
    world.terms.timing.train_blocks = 100;
    world.go_until("the end", |world| world.run.phase.is_over());
    assert_eq!(world.run.phase, Phase::Finished);
    assert_eq!(world.paid.len(), 8);
    assert!(world.store.contributions.is_empty());
    let _ = Judged::Not;
}
