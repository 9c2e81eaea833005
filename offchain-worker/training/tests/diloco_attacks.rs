//! What cheats try, and that each is caught.

mod common;

use chasqui_primitives::audit::Verdict;
use chasqui_primitives::merkle;
use chasqui_primitives::training::{picked_segments, Codec, RoundReport};
use chasqui_training::diloco::judge::Fault;
use chasqui_training::diloco::state::{store_vector, TrainState};
use chasqui_training::diloco::Blobs;
use chasqui_training::optim::AdamW;
use chasqui_training::rng::CounterRng;
use common::claims::{Case, Court};
use common::{recipe, SPARSE};
use sp_core::H256;

fn fault(court: &mut Court, case: &Case, picked: &[u32]) -> Option<Fault> {
    let audit = court.audit(case, picked);
    assert!(
        matches!(audit.verdict, Verdict::Hard(_)),
        "{:?}",
        audit.verdict
    );
    audit.findings.fault
}

/// `state` with other weights and moments, at the optimiser's step and cursor of `like`.
fn at(like: &TrainState, state: &TrainState, court: &Court) -> TrainState {
    let (first, second) = state.optimizer.moments();
    TrainState {
        params: state.params.clone(),
        optimizer: AdamW::from_moments(
            court.inner.shape().optimizer,
            like.optimizer.steps(),
            first.to_vec(),
            second.to_vec(),
        )
        .unwrap(),
        residual: like.residual.clone(),
        next_sequence: like.next_sequence,
    }
}

// GIVEN a member that makes up weights instead of training
// WHEN any segment is audited
// THEN it is caught
#[test]
fn random_weights_are_caught() {
    let mut court = Court::new(&recipe(SPARSE));
    let honest = court.honest(0);
    let mut rng = CounterRng::new(1, 2, 3);
    let mut states = honest.states.clone();
    for state in &mut states[1..] {
        for x in &mut state.params {
            *x += (rng.unit() as f32 - 0.5) * 1e-2;
        }
    }
    let cheat = court.claim(honest.claim.plan, states);
    assert_eq!(court.caught_at(&cheat), [0, 1, 2]);
}

// GIVEN a member that stops early and hands in weights of an earlier step
// WHEN a segment is audited in which it did nothing
// THEN it is caught; so is one that hands in the agreed model itself
#[test]
fn weights_of_an_earlier_step_are_caught() {
    let mut court = Court::new(&recipe(Codec::F32));
    let honest = court.honest(0);
    let mut states = honest.states.clone();
    for (state, own) in states.iter_mut().zip(&honest.states).skip(2) {
        *state = at(own, &honest.states[1], &court);
    }
    let cheat = court.claim(honest.claim.plan, states);
    assert_eq!(court.caught_at(&cheat), [1, 2]);

    let mut states = honest.states.clone();
    for (state, own) in states.iter_mut().zip(&honest.states).skip(1) {
        *state = at(own, &honest.states[0], &court);
    }
    let idle = court.claim(honest.claim.plan, states);
    assert_eq!(court.caught_at(&idle), [0, 1, 2]);
}

// GIVEN a member that trains on other sequences than its own: of another rank, of another order
// WHEN any segment is audited
// THEN it is caught
#[test]
fn training_on_other_data_is_caught() {
    let mut court = Court::new(&recipe(Codec::F32));
    let own = court.plan(0);
    let mut shuffled = own;
    shuffled.run = H256::repeat_byte(9);
    for other in [court.plan(1), shuffled] {
        let states = court.train(&other, court.first());
        let cheat = court.claim(own, states);
        assert_eq!(court.caught_at(&cheat), [0, 1, 2]);
    }
}

// GIVEN a member that trains honestly but sends ten times, or minus, what it should
// WHEN it is audited, whichever segment is picked
// THEN the encoding shows it; so does a gradient of anything else
#[test]
fn scaled_gradients_are_caught() {
    for codec in [Codec::F32, Codec::Int8 { block: 64 }, SPARSE] {
        let mut court = Court::new(&recipe(codec));
        for scale in [10.0, -1.0, 1.000_01, 0.0] {
            let mut cheat = court.honest(0);
            court.send_scaled(&mut cheat, scale);
            if cheat.claim.report == court.honest(0).claim.report {
                // Below what the codec resolves nothing was falsified.
                continue;
            }
            for picked in [&[][..], &[0], &[1], &[2]] {
                assert_eq!(fault(&mut court, &cheat, picked), Some(Fault::Encoding));
            }
        }
        let mut junk = court.honest(0);
        junk.claim.report.gradient = court.blobs.put(b"junk").unwrap();
        assert_eq!(fault(&mut court, &junk, &[]), Some(Fault::Encoding));
    }
}

// GIVEN a report that states more tokens or units than the round has, or another norm
// WHEN it is audited
// THEN it is false; fewer units are the member's own loss
#[test]
fn inflated_reports_are_caught() {
    let mut court = Court::new(&recipe(SPARSE));
    let honest = court.honest(0);
    let with = |change: &dyn Fn(&mut RoundReport)| {
        let mut case = honest.clone();
        change(&mut case.claim.report);
        case
    };
    for cheat in [
        with(&|report| report.tokens += 1),
        with(&|report| report.units += 1),
        with(&|report| report.norm_milli += 1),
    ] {
        assert_eq!(fault(&mut court, &cheat, &[]), Some(Fault::Report));
    }
    let modest = with(&|report| report.units = 1);
    assert_eq!(court.verdict(&modest, &[0]), Verdict::Valid);
}

// GIVEN a member that hands in another's report, or only another's gradient
// WHEN it is audited under its own rank
// THEN it is caught: its data are others. (The commitment binds its author, and equal reports are refused before.)
#[test]
fn copied_reports_are_caught() {
    let mut court = Court::new(&recipe(SPARSE));
    let victim = court.honest(0);
    let mut thief = victim.clone();
    thief.claim.plan = court.plan(1);
    assert_eq!(court.caught_at(&thief), [0, 1, 2]);
    let mut half = court.honest(1);
    half.claim.report.gradient = victim.claim.report.gradient;
    assert_eq!(fault(&mut court, &half, &[]), Some(Fault::Encoding));
    let (report, salt) = (victim.claim.report, [1; 32]);
    let commitment = |author: u8| report.commitment(&H256::zero(), &[author; 32], 1, 0, &salt);
    assert_ne!(commitment(1), commitment(2));
}

// GIVEN a member that takes every other inner step only
// WHEN any segment with a skipped step is audited
// THEN it is caught, whether it states the steps it took or those it should have taken
#[test]
fn skipped_steps_are_caught() {
    let mut court = Court::new(&recipe(Codec::F32));
    let honest = court.honest(0);
    let plan = honest.claim.plan;
    let steps = plan.kept_steps(court.inner.recipe());
    let mut states = vec![court.first()];
    for (pair, like) in steps.windows(2).zip(&honest.states[1..]) {
        let half = pair[0] + (pair[1] - pair[0]) / 2;
        let end = match half > pair[0] {
            true => court.run(states.last().unwrap().clone(), &plan, pair[0], half),
            false => states.last().unwrap().clone(),
        };
        states.push(at(like, &end, &court));
    }
    let mut cheat = court.claim(plan, states);
    assert_eq!(court.caught_at(&cheat), [0, 1, 2]);
    for (leaf, step) in cheat.leaves.iter_mut().zip(0..) {
        leaf.step = step;
    }
    court.commit(&mut cheat);
    assert_eq!(fault(&mut court, &cheat, &[]), Some(Fault::Opening));
}

// GIVEN a member that trains all but one segment
// WHEN one segment is drawn
// THEN it is caught exactly when that one is drawn, which it cannot know before it commits
#[test]
fn one_false_segment_is_caught_when_it_is_drawn() {
    let recipe = recipe(Codec::F32);
    let mut court = Court::new(&recipe);
    let honest = court.honest(0);
    let plan = honest.claim.plan;
    let steps = plan.kept_steps(&recipe);
    for skipped in 0..3usize {
        let mut states = honest.states[..=skipped].to_vec();
        states.push(at(&honest.states[skipped + 1], &states[skipped], &court));
        for segment in skipped + 1..3 {
            let next = court.run(
                states[segment].clone(),
                &plan,
                steps[segment],
                steps[segment + 1],
            );
            states.push(next);
        }
        let cheat = court.claim(plan, states);
        assert_eq!(court.caught_at(&cheat), [skipped as u32]);
        // The draw follows from a seed that comes after the commitment, and looks at a segment as often as it is long.
        let hits = (0..200u8)
            .filter(|seed| {
                picked_segments(&H256::repeat_byte(*seed), 0, &steps, 1) == [skipped as u32]
            })
            .count();
        let share = (steps[skipped + 1] - steps[skipped]) as usize * 200 / 6;
        assert!(hits.abs_diff(share) < 40, "{hits} of 200, expected {share}");
    }
}

// GIVEN a member whose every segment replays exactly, because it is honest on segments only
// WHEN it is audited
// THEN what lies between segments gives it away: another start, moments that nobody left there, another end than was sent
#[test]
fn honest_segments_alone_do_not_help() {
    let mut court = Court::new(&recipe(SPARSE));
    let plan = court.plan(0);
    // From weights of its own choice.
    let mut elsewhere = court.first();
    elsewhere.params.iter_mut().for_each(|x| *x *= 1.5);
    let states = court.train(&plan, elsewhere);
    let cheat = court.claim(plan, states);
    assert_eq!(fault(&mut court, &cheat, &[]), Some(Fault::FirstLeaf));
    // With moments that push where it wants.
    let mut pushed = court.first();
    let len = pushed.params.len();
    pushed.optimizer = AdamW::from_moments(
        court.inner.shape().optimizer,
        0,
        vec![1.0; len],
        vec![1e-6; len],
    )
    .unwrap();
    let states = court.train(&plan, pushed);
    let cheat = court.claim(plan, states);
    assert_eq!(fault(&mut court, &cheat, &[]), Some(Fault::FirstLeaf));
    // With a residual that was never left over.
    let mut loaded = court.first();
    loaded.residual.iter_mut().for_each(|x| *x = 0.01);
    let states = court.train(&plan, loaded);
    let cheat = court.claim(plan, states);
    assert_eq!(fault(&mut court, &cheat, &[]), Some(Fault::FirstLeaf));
    // With a residual that changes on the way.
    let mut states = court.honest(0).states;
    for state in &mut states[2..] {
        state.residual.iter_mut().for_each(|x| *x = 0.01);
    }
    let cheat = court.claim(plan, states);
    assert_eq!(fault(&mut court, &cheat, &[]), Some(Fault::FirstLeaf));
    // With a residual afterwards that hides what was left out.
    let mut cheat = court.honest(0);
    let nothing = vec![0.0; len];
    cheat.leaves.last_mut().unwrap().residual = store_vector(&court.blobs, &nothing).unwrap();
    court.commit(&mut cheat);
    assert_eq!(fault(&mut court, &cheat, &[]), Some(Fault::Encoding));
    // With a chain that is not one: segments of two trainings.
    let mut other = court.first();
    other.params.iter_mut().for_each(|x| *x *= 1.01);
    let foreign = court.train(&plan, other);
    let mut states = court.honest(0).states;
    states[2] = foreign[2].clone();
    states[3] = foreign[3].clone();
    let cheat = court.claim(plan, states);
    assert_eq!(court.caught_at(&cheat), [1]);
}

// GIVEN reports whose kept states are not what a round has: too few, too many, out of order, with another cursor, junk
// WHEN they are audited
// THEN each is false without any replay
#[test]
fn malformed_openings_are_caught() {
    let mut court = Court::new(&recipe(Codec::F32));
    let honest = court.honest(0);
    let mut cases: Vec<Case> = Vec::new();
    let mut with = |court: &Court, change: &dyn Fn(&mut Case)| {
        let mut case = honest.clone();
        change(&mut case);
        court.commit(&mut case);
        cases.push(case);
    };
    with(&court, &|case| case.leaves.truncate(3));
    with(&court, &|case| case.leaves.push(case.leaves[3]));
    with(&court, &|case| case.leaves.swap(1, 2));
    with(&court, &|case| case.leaves[1].next_sequence += 1);
    with(&court, &|case| case.leaves[3].step += 1);
    with(&court, &|case| case.leaves.clear());
    for case in &cases {
        assert_eq!(fault(&mut court, case, &[0]), Some(Fault::Opening));
    }
    // Bytes that are the tree of no leaves.
    let mut junk = honest.clone();
    let bytes = vec![0xff; 4 * 144];
    court.blobs.put_chunked(&bytes, 144).unwrap();
    let leaves: Vec<H256> = bytes.chunks(144).map(merkle::leaf_hash).collect();
    junk.claim.report.kept = merkle::root_of_leaves(&leaves);
    assert_eq!(fault(&mut court, &junk, &[0]), Some(Fault::Opening));
}

// GIVEN kept states that name blobs of another size, with values that are not finite, or negative mean squares
// WHEN the segment that begins there is audited
// THEN they are no states, and nothing of a size beyond the model's is read
#[test]
fn blobs_that_are_no_states_are_caught() {
    let mut court = Court::new(&recipe(Codec::F32));
    let honest = court.honest(0);
    let len = court.agreed.len();
    let vector =
        |court: &Court, value: f32, len| store_vector(&court.blobs, &vec![value; len]).unwrap();
    let bad = [
        vector(&court, 0.0, len + 1),
        vector(&court, 0.0, len - 1),
        vector(&court, f32::NAN, len),
        vector(&court, f32::INFINITY, len),
        court.blobs.put(&vec![0; 4 * len + 1]).unwrap(),
    ];
    for root in bad {
        let mut case = honest.clone();
        case.leaves[1].params = root;
        court.commit(&mut case);
        assert_eq!(fault(&mut court, &case, &[1]), Some(Fault::State));
    }
    let mut case = honest.clone();
    case.leaves[1].second = vector(&court, -1.0, len);
    court.commit(&mut case);
    assert_eq!(fault(&mut court, &case, &[1]), Some(Fault::State));
    // Weights from which training cannot go on.
    let mut case = honest;
    case.leaves[1].params = vector(&court, 1e30, len);
    court.commit(&mut case);
    assert_eq!(fault(&mut court, &case, &[1]), Some(Fault::Diverged));
}
