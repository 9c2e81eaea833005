//! What a network is tested with: members that cheat as they train, each caught by the audits that its cheat allows.

mod common;

use chasqui_primitives::audit::Verdict;
use chasqui_training::diloco::segment::{audit, Claim};
use chasqui_training::diloco::{Cheat, Member, MemoryBlobs};
use common::claims::Court;
use common::{recipe, start, RUN, SPARSE};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Segments of which an audit finds the cheat false.
fn caught_at(cheat: Option<Cheat>) -> Vec<u32> {
    let mut court = Court::new(&recipe(SPARSE));
    let blobs = Arc::new(MemoryBlobs::default());
    let folder = tempfile::tempdir().unwrap();
    let begin = start(&court.inner);
    let mut member = Member::open(folder.path(), RUN, blobs.clone(), &court.inner, || {
        Ok(begin)
    })
    .unwrap();
    member.set_cheat(cheat);
    let plan = court.plan(1);
    member.begin(plan).unwrap();
    let go_on = |_: &_| ControlFlow::Continue(());
    let report = member.train(&mut court.inner, &court.data, go_on).unwrap();
    let claim = Claim {
        plan,
        report,
        agreed: member.settled().model.params,
        previous: None,
    };
    let mut caught = Vec::new();
    for segment in 0..court.inner.recipe().segments {
        let rules = court.rules(&[segment]);
        let found = audit(&mut court.inner, &court.data, &claim, &rules, &*blobs).unwrap();
        if matches!(found.verdict, Verdict::Hard(_)) {
            caught.push(segment);
        } else {
            assert_eq!(found.verdict, Verdict::Valid);
        }
    }
    caught
}

// GIVEN a member that does not cheat
// WHEN any of its segments is audited
// THEN it is valid
#[test]
fn who_does_not_cheat_is_not_caught() {
    assert_eq!(caught_at(None), [0u32; 0]);
}

// GIVEN members that make weights up, train on others' data, take every other step, or scale what they send
// WHEN any of their segments is audited
// THEN it is false
#[test]
fn cheats_in_every_segment_are_caught_in_any() {
    for cheat in [
        Cheat::RandomWeights,
        Cheat::OtherData,
        Cheat::HalfSteps,
        Cheat::ScaledGradient,
    ] {
        assert_eq!(caught_at(Some(cheat)), [0, 1, 2], "{cheat:?}");
    }
}

// GIVEN a member that trains its first segment and hands in the weights of then
// WHEN any of the others is audited
// THEN it is false
#[test]
fn who_stops_early_is_caught_behind_that() {
    assert_eq!(caught_at(Some(Cheat::EarlierWeights)), [1, 2]);
}
