//! Replays of honest rounds, and what a verdict follows from.

mod common;

use chasqui_primitives::audit::{evidence_distance, HardReason, Verdict};
use chasqui_primitives::training::Codec;
use chasqui_training::diloco::judge::{judge, Drift, Fault, Findings, Part, SegmentFinding};
use chasqui_training::diloco::state::store_vector;
use chasqui_training::diloco::{Blobs, OuterState};
use common::claims::Court;
use common::{inner, recipe, SPARSE, TERMS};
use sp_core::H256;

// GIVEN an honest member, with each codec
// WHEN all its segments are audited
// THEN each is exact, the verdict is valid, and two auditors with other numbers of threads show the same evidence
#[test]
fn an_honest_round_is_valid() {
    for codec in [Codec::F32, Codec::Int8 { block: 64 }, SPARSE] {
        let mut court = Court::new(&recipe(codec));
        let case = court.honest(2);
        let audit = court.audit(&case, &[0, 1, 2]);
        assert_eq!(audit.verdict, Verdict::Valid, "{codec:?}");
        assert_eq!(audit.findings.segments.len(), 3);
        assert!(audit.findings.segments.iter().all(|segment| segment.exact));
        assert!(audit.findings.drift().params.moved > 0.0);
        assert_eq!(audit.evidence.len(), 16);
        assert!(audit.evidence.iter().all(|entry| *entry != 0));
        court.inner = inner(&recipe(codec), 3);
        assert_eq!(court.audit(&case, &[0, 1, 2]).evidence, audit.evidence);
    }
}

// GIVEN a member in its second round
// WHEN it is audited with the last leaf of its first
// THEN moments and residual are those it left there, and the verdict is valid; without that leaf it is not
#[test]
fn the_second_round_continues_the_first() {
    let recipe = recipe(SPARSE);
    let mut court = Court::new(&recipe);
    let first = court.honest(1);
    let last = *first.leaves.last().unwrap();
    let coder = *court.inner.coder();
    let bytes = court
        .blobs
        .get(&first.claim.report.gradient, 1 << 30)
        .unwrap()
        .unwrap();
    let mut model = OuterState::new(court.agreed.clone());
    model
        .step(&recipe.outer, recipe.norm_clip_ppm, 1, |_| {
            coder.decode(&bytes)
        })
        .unwrap();
    court.agreed = model.params.clone();
    let plan = common::plan(&recipe, 1, 4, 3);
    let mut state = court.inner.shape().load(&last, &court.blobs).unwrap();
    state.params = model.params;
    state.next_sequence = plan.first_sequence;
    let states = court.train(&plan, state);
    let mut second = court.claim(plan, states);
    second.claim.previous = Some(last);
    assert_eq!(court.verdict(&second, &[0, 1, 2]), Verdict::Valid);
    assert_eq!(second.leaves[0].step, 6);
    second.claim.previous = None;
    assert!(matches!(court.verdict(&second, &[]), Verdict::Hard(_)));
}

// GIVEN an honest round
// WHEN a panel has another seed, or an auditor replays only some of the segments
// THEN the evidence is another, and entries of segments that were not replayed are empty
#[test]
fn evidence_shows_what_was_replayed() {
    let mut court = Court::new(&recipe(Codec::F32));
    let case = court.honest(0);
    let whole = court.audit(&case, &[0, 2]).evidence;
    let mut rules = court.rules(&[0, 2]);
    rules.seed = H256::repeat_byte(0x56);
    let other = court.audit_with(&case, &rules).evidence;
    assert!(evidence_distance(&whole, &other) > 10_000);
    // Entries go round the audited segments, so half of them look at each.
    let mut wrong = case.clone();
    let end = wrong.leaves[3];
    wrong.leaves[2] = end;
    let alone = court.audit(&case, &[0]).evidence;
    for (j, (both, one)) in whole.iter().zip(&alone).enumerate() {
        assert_eq!(both == one, j % 2 == 0, "{j}");
    }
}

fn segment(exact: bool, apart: f64) -> SegmentFinding {
    let part = Part { apart, moved: 1.0 };
    SegmentFinding {
        segment: 0,
        exact,
        drift: Drift {
            params: part,
            first: Part {
                apart: 0.0,
                moved: 1.0,
            },
            second: Part {
                apart: 0.0,
                moved: 1.0,
            },
        },
    }
}

fn findings(segments: Vec<SegmentFinding>) -> Findings {
    Findings {
        segments,
        ..Findings::default()
    }
}

// GIVEN segments that are a little apart
// WHEN they are judged within one class and across classes
// THEN one class forgives no bit, others forgive up to the run's limits: soft above the first, hard above the second
#[test]
fn classes_decide_how_exact_a_replay_must_be() {
    let judge = |found: &Findings, same| judge(found, same, &Drift::default(), &TERMS);
    let hard = Verdict::Hard(HardReason::Mismatch);
    assert_eq!(
        judge(&findings(vec![segment(true, 0.0)]), true),
        Verdict::Valid
    );
    let close = findings(vec![segment(false, 1e-9)]);
    assert_eq!(judge(&close, true), hard);
    assert_eq!(judge(&close, false), Verdict::Valid);
    assert_eq!(
        judge(&findings(vec![segment(false, 2e-3)]), false),
        Verdict::Soft
    );
    assert_eq!(judge(&findings(vec![segment(false, 2e-2)]), false), hard);
    // Moments count like weights.
    let mut moments = segment(false, 0.0);
    moments.drift.second.apart = 0.5;
    assert_eq!(judge(&findings(vec![moments]), false), hard);
    // What differs without any movement is infinitely far.
    let mut still = segment(false, 1e-9);
    still.drift.params.moved = 0.0;
    assert_eq!(judge(&findings(vec![still]), false), hard);
}

// GIVEN a member whose segments were each within the limit in earlier rounds
// WHEN another such segment comes
// THEN the budget is over all of them: an honest segment pays drift back, a constant bias does not
#[test]
fn drift_adds_up_over_the_run() {
    let now = findings(vec![segment(false, 8e-4)]);
    let alone = judge(&now, false, &Drift::default(), &TERMS);
    assert_eq!(alone, Verdict::Valid);
    let biased = findings(vec![segment(false, 1.5e-3)]).drift();
    assert_eq!(judge(&now, false, &biased, &TERMS), Verdict::Soft);
    let honest = findings(vec![segment(true, 0.0); 9]).drift();
    let once = findings(vec![segment(false, 5e-3)]);
    assert_eq!(
        judge(&once, false, &Drift::default(), &TERMS),
        Verdict::Soft
    );
    assert_eq!(judge(&once, false, &honest, &TERMS), Verdict::Valid);
}

// GIVEN findings of several kinds
// WHEN they are judged
// THEN lacking the model comes first, then what is false, then what is missing
#[test]
fn what_is_false_outweighs_what_is_missing() {
    let mut found = Findings {
        withheld: true,
        ..findings(vec![segment(true, 0.0)])
    };
    let verdict = |found: &Findings| judge(found, true, &Drift::default(), &TERMS);
    assert_eq!(verdict(&found), Verdict::Withheld);
    found.segments.push(segment(false, 1.0));
    assert_eq!(verdict(&found), Verdict::Hard(HardReason::Mismatch));
    found.fault = Some(Fault::Encoding);
    assert_eq!(verdict(&found), Verdict::Hard(Fault::Encoding.reason()));
    found.no_model = true;
    assert_eq!(verdict(&found), Verdict::NoModel);
}

// GIVEN a member of another class, whose states differ by a few last bits
// WHEN it is audited
// THEN the distance is measured against what was claimed, and it is valid
#[test]
fn another_class_is_compared_by_distance() {
    let mut court = Court::new(&recipe(Codec::F32));
    let mut case = court.honest(0);
    let plan = court.plan(0);
    let mut states = case.states.clone();
    // A neighbour of every weight, as another order of sums gives.
    let mut state = states[1].clone();
    for (i, x) in state.params.iter_mut().enumerate() {
        *x = f32::from_bits(x.to_bits() ^ (i as u32 & 1));
    }
    states[1] = state;
    let steps = plan.kept_steps(court.inner.recipe());
    for at in 1..3 {
        states[at + 1] = court.run(states[at].clone(), &plan, steps[at], steps[at + 1]);
    }
    case = court.claim(plan, states);
    assert!(matches!(court.verdict(&case, &[0]), Verdict::Hard(_)));
    let mut rules = court.rules(&[0, 1, 2]);
    rules.same_class = false;
    let audit = court.audit_with(&case, &rules);
    assert_eq!(audit.verdict, Verdict::Valid);
    let ppm = audit.findings.drift().ppm();
    assert!(ppm > 0.0 && ppm < 100.0, "{ppm}");
}

// GIVEN a segment that the round does not have
// WHEN an auditor asks for it
// THEN that is the auditor's error, no verdict
#[test]
fn a_segment_must_exist() {
    let mut court = Court::new(&recipe(Codec::F32));
    let case = court.honest(0);
    let rules = court.rules(&[3]);
    let result = chasqui_training::diloco::segment::audit(
        &mut court.inner,
        &court.data,
        &case.claim,
        &rules,
        &court.blobs,
    );
    assert!(result.is_err());
}

// GIVEN a member that does not serve a state, its list of states, or its pseudo-gradient
// WHEN it is audited
// THEN it withholds; whoever serves other bytes under these names is found by the root
#[test]
fn what_is_not_served_is_withheld() {
    let mut court = Court::new(&recipe(SPARSE));
    let case = court.honest(0);
    let list = chasqui_training::diloco::kept::KeptStates::blob_root(&case.claim.report);
    let needed = [
        list,
        case.claim.report.gradient,
        case.leaves[1].params,
        case.leaves[1].first,
        case.leaves[1].second,
        case.leaves[3].params,
    ];
    for root in needed {
        let bytes = court.blobs.get(&root, 1 << 30).unwrap().unwrap();
        court.blobs.remove(&root).unwrap();
        assert_eq!(court.verdict(&case, &[1]), Verdict::Withheld, "{root:?}");
        match root == list {
            true => court.blobs.put_chunked(&bytes, 144).unwrap(),
            false => court.blobs.put(&bytes).unwrap(),
        };
        assert_eq!(court.verdict(&case, &[1]), Verdict::Valid);
    }
    // The end of an audited segment need not be served when the replay gives it.
    court.blobs.remove(&case.leaves[2].first).unwrap();
    assert_eq!(court.verdict(&case, &[1]), Verdict::Valid);
    store_vector(&court.blobs, &[1.0]).unwrap();
}
