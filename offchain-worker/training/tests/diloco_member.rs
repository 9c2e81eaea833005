//! A member's rounds on a state folder: agreement, resumption, joining late, going back.

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use chasqui_primitives::audit::{HardReason, Verdict};
use chasqui_primitives::training::{Codec, ModelState, RoundReport};
use chasqui_training::diloco::agreement::{audit_outer, holds_gradient};
use chasqui_training::diloco::{Blobs, Dataset, FolderBlobs, Inner, Member, MemoryBlobs};
use chasqui_training::TrainingError;
use common::{dataset, inner, plan, recipe, start, RUN, SPARSE};
use sp_core::H256;

type Shared = Arc<MemoryBlobs>;

struct Bench {
    dir: tempfile::TempDir,
    data: Dataset,
    inner: Inner,
    blobs: Shared,
}

impl Bench {
    fn new(codec: Codec) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            data: dataset(dir.path()),
            inner: inner(&recipe(codec), 2),
            blobs: Shared::default(),
            dir,
        }
    }

    fn member(&self, name: &str) -> Member<Shared> {
        self.open(name, self.blobs.clone())
    }

    fn open<B: Blobs>(&self, name: &str, blobs: B) -> Member<B> {
        let folder = self.dir.path().join(name);
        Member::open(&folder, RUN, blobs, &self.inner, || Ok(start(&self.inner))).unwrap()
    }

    fn begin<B: Blobs>(&self, member: &mut Member<B>, round: u32, members: u32, rank: u32) {
        let plan = plan(self.inner.recipe(), round, members, rank);
        member.begin(plan).unwrap();
    }

    /// Has a round under way, if it is this one's turn.
    fn begin_at<B: Blobs>(&self, member: &mut Member<B>, round: u32) {
        let _ = member.begin(plan(self.inner.recipe(), round, 1, 0));
    }

    fn train<B: Blobs>(&mut self, member: &mut Member<B>) -> RoundReport {
        member
            .train(&mut self.inner, &self.data, |_| ControlFlow::Continue(()))
            .unwrap()
    }

    /// One round of `members`, all included; returns their reports.
    fn round<B: Blobs>(&mut self, members: &mut [Member<B>], round: u32) -> Vec<RoundReport> {
        let count = members.len() as u32;
        let mut reports = Vec::new();
        for (member, rank) in members.iter_mut().zip(0..) {
            self.begin(member, round, count, rank);
            reports.push(self.train(member));
        }
        let included: Vec<H256> = reports.iter().map(|report| report.gradient).collect();
        for member in members {
            member.finish(round, &included, true, &self.inner).unwrap();
        }
        reports
    }
}

// GIVEN three members, with each codec
// WHEN they go through three rounds
// THEN their models agree by hash after each, their reports differ, and the loss falls
#[test]
fn members_agree_after_every_round() {
    for codec in [Codec::F32, Codec::Int8 { block: 64 }, SPARSE] {
        let mut bench = Bench::new(codec);
        let mut members = ["a", "b", "c"].map(|name| bench.member(name));
        let mut losses = Vec::new();
        let mut seen = vec![members[0].settled().model.hash];
        for round in 0..3 {
            let reports = bench.round(&mut members, round);
            let first = *members[0].settled();
            assert_eq!(first.round, round + 1);
            assert!(!seen.contains(&first.model.hash));
            seen.push(first.model.hash);
            assert!(members
                .iter()
                .all(|member| member.settled().model == first.model));
            assert_ne!(reports[0].gradient, reports[1].gradient);
            assert_ne!(reports[0].kept, reports[1].kept);
            assert_eq!((reports[0].leaves, reports[0].tokens), (4, 6 * 4 * 24));
            assert!(reports[0].norm_milli > 0);
            losses.push(reports[0].loss_micro);
        }
        assert!(losses[2] < losses[0], "{codec:?}: {losses:?}");
    }
}

// GIVEN a member that is stopped after any number of steps
// WHEN its folder is opened again and it goes on
// THEN it repeats only steps of the segment that was cut, and its report is that of a member that was never stopped
#[test]
fn a_stopped_round_goes_on_where_it_was() {
    let mut bench = Bench::new(SPARSE);
    let mut whole = bench.member("whole");
    bench.begin(&mut whole, 0, 1, 0);
    let expected = bench.train(&mut whole);
    let kept = plan(bench.inner.recipe(), 0, 1, 0).kept_steps(bench.inner.recipe());
    for stop in 1..=6u32 {
        let name = format!("stopped-{stop}");
        let mut member = bench.member(&name);
        bench.begin(&mut member, 0, 1, 0);
        let mut taken = 0;
        let stopped = member.train(&mut bench.inner, &bench.data, |_| {
            taken += 1;
            match taken == stop {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        assert!(matches!(stopped, Err(TrainingError::Stopped)));
        drop(member);
        let mut member = bench.member(&name);
        let from = *kept.iter().filter(|step| **step < stop).max().unwrap();
        let mut again = 0;
        let report = member
            .train(&mut bench.inner, &bench.data, |_| {
                again += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(report, expected);
        assert_eq!(again, 6 - from);
        // Trained is trained.
        let once_more = member.train(&mut bench.inner, &bench.data, |_| panic!("a step"));
        assert_eq!(once_more.unwrap(), expected);
    }
}

// GIVEN a member in a round
// WHEN it is told of a round out of turn, of another part of the round, or to end what is not trained
// THEN it refuses and stands where it did
#[test]
fn rounds_come_in_turn() {
    let mut bench = Bench::new(Codec::F32);
    let mut member = bench.member("a");
    let recipe = *bench.inner.recipe();
    assert!(member.begin(plan(&recipe, 1, 1, 0)).is_err());
    let idle = member.train(&mut bench.inner, &bench.data, |_| ControlFlow::Continue(()));
    assert!(idle.is_err());
    bench.begin(&mut member, 0, 2, 0);
    bench.begin(&mut member, 0, 2, 0);
    assert!(member.begin(plan(&recipe, 0, 2, 1)).is_err());
    assert!(member.finish(0, &[], true, &bench.inner).is_err());
    assert!(member.finish(1, &[], false, &bench.inner).is_err());
    assert!(member.void(1).is_err());
    let report = bench.train(&mut member);
    // Nobody included; a gradient that is not there; one that is none.
    let junk = bench.blobs.put(b"junk").unwrap();
    for included in [vec![], vec![report.gradient, H256::zero()], vec![junk]] {
        assert!(member.finish(0, &included, true, &bench.inner).is_err());
    }
    assert_eq!(member.settled().round, 0);
    member
        .finish(0, &[report.gradient], true, &bench.inner)
        .unwrap();
    assert_eq!(member.settled().round, 1);
}

// GIVEN two members, of whom one was not accepted in a round
// WHEN the next round begins
// THEN both start from the same model, and the other from moments and residual of its last accepted round
#[test]
fn who_was_not_accepted_goes_on_from_its_last_accepted_round() {
    let mut bench = Bench::new(SPARSE);
    let mut members = ["a", "b"].map(|name| bench.member(name));
    bench.round(&mut members, 0);
    let before = members[1].settled().own;
    let [a, b] = &mut members;
    bench.begin(a, 1, 2, 0);
    bench.begin(b, 1, 2, 1);
    let included = [bench.train(a).gradient];
    bench.train(b);
    a.finish(1, &included, true, &bench.inner).unwrap();
    b.finish(1, &included, false, &bench.inner).unwrap();
    assert_eq!(a.settled().model, b.settled().model);
    assert_ne!(a.settled().own.unwrap().step, 6);
    assert_eq!(b.settled().own, before);
    // A void round changes neither.
    for member in [a, b] {
        let settled = *member.settled();
        bench.begin(member, 2, 2, 0);
        bench.train(member);
        member.void(2).unwrap();
        assert_eq!(member.settled().round, 3);
        assert_eq!(
            (member.settled().model, member.settled().own),
            (settled.model, settled.own)
        );
        assert!(member.current().is_none());
    }
}

// GIVEN a run of two rounds
// WHEN a third member joins with an empty folder
// THEN it takes the agreed model by its root and goes on with the others to the same bits; a model of another hash, or one
// that nobody serves, is refused
#[test]
fn a_late_member_adopts_the_agreed_model() {
    let mut bench = Bench::new(SPARSE);
    let mut members = vec![bench.member("a"), bench.member("b")];
    bench.round(&mut members, 0);
    bench.round(&mut members, 1);
    let agreed = members[0].settled().model;
    let mut late = bench.member("late");
    let wrong = ModelState {
        momentum: agreed.params,
        ..agreed
    };
    assert!(matches!(
        late.adopt(2, wrong, &bench.inner),
        Err(TrainingError::BadBlob { .. })
    ));
    let missing = ModelState {
        params: H256::zero(),
        ..agreed
    };
    assert!(matches!(
        late.adopt(2, missing, &bench.inner),
        Err(TrainingError::MissingBlob { .. })
    ));
    assert_eq!(late.settled().round, 0);
    late.adopt(2, agreed, &bench.inner).unwrap();
    members.push(late);
    bench.round(&mut members, 2);
    assert!(members
        .iter()
        .all(|member| member.settled().model == members[0].settled().model));
    assert_eq!(members[2].settled().own.unwrap().step, 6);
    assert_eq!(members[0].settled().own.unwrap().step, 18);
}

// GIVEN a round's included pseudo-gradients and the model that was agreed on
// WHEN a validator takes the outer step for itself
// THEN the right model is valid, any other is false, and it says so when a blob is not served; members attest only what
// they hold and can decode
#[test]
fn an_outer_step_is_audited() {
    let mut bench = Bench::new(SPARSE);
    let mut members = ["a", "b"].map(|name| bench.member(name));
    let before = members[0].settled().model;
    let reports = bench.round(&mut members, 0);
    let after = members[0].settled().model;
    let included: Vec<H256> = reports.iter().map(|report| report.gradient).collect();
    let (inner, blobs) = (&bench.inner, &bench.blobs);
    let verdict = |included: &[H256], claimed: &ModelState| {
        audit_outer(&before, included, claimed, inner, blobs).unwrap()
    };
    let hard = Verdict::Hard(HardReason::Mismatch);
    assert_eq!(verdict(&included, &after), Verdict::Valid);
    assert_eq!(verdict(&included, &before), hard);
    assert_eq!(verdict(&included[..1], &after), hard);
    let one_root = ModelState {
        momentum: before.momentum,
        ..after
    };
    assert_eq!(verdict(&included, &one_root), hard);
    let junk = blobs.put(b"junk").unwrap();
    assert_eq!(verdict(&[included[0], junk], &after), hard);
    assert_eq!(
        verdict(&[included[0], H256::zero()], &after),
        Verdict::Withheld
    );
    let foreign = ModelState {
        hash: H256::zero(),
        ..before
    };
    assert!(audit_outer(&foreign, &included, &after, inner, blobs).is_err());

    let held = |root: &H256| holds_gradient(root, inner, blobs).unwrap();
    assert!(held(&included[0]) && held(&included[1]));
    assert!(!held(&junk) && !held(&H256::zero()) && !held(&after.params));
}

// GIVEN a member three rounds on
// WHEN the second round is rolled back
// THEN it stands before that round with the moments of then, and repeats it to the same bits
#[test]
fn a_round_is_rolled_back() {
    let mut bench = Bench::new(SPARSE);
    let mut members = [bench.member("a")];
    bench.round(&mut members, 0);
    let before = *members[0].settled();
    bench.round(&mut members, 1);
    let after = *members[0].settled();
    bench.begin(&mut members[0], 2, 1, 0);
    bench.train(&mut members[0]);
    assert!(members[0].roll_back(9).is_err());
    members[0].roll_back(1).unwrap();
    assert_eq!(members[0].settled(), &before);
    assert!(members[0].current().is_none());
    bench.round(&mut members, 1);
    assert_eq!(members[0].settled(), &after);
}

// GIVEN a member with blobs of its own in a folder
// WHEN old rounds are pruned after each round
// THEN the folder stops growing, and the member goes on as one that keeps everything
#[test]
fn old_rounds_are_forgotten() {
    let mut bench = Bench::new(SPARSE);
    let folder = bench.dir.path().join("blobs");
    let mut tidy = [bench.open("tidy", FolderBlobs::open(&folder).unwrap())];
    let mut hoarder = [bench.member("hoarder")];
    let mut sizes = Vec::new();
    for round in 0..12 {
        bench.round(&mut tidy, round);
        bench.round(&mut hoarder, round);
        tidy[0].prune(round).unwrap();
        sizes.push(std::fs::read_dir(&folder).unwrap().count());
    }
    assert_eq!(tidy[0].settled(), hoarder[0].settled());
    assert!(sizes[11] <= sizes[2] + 1, "{sizes:?}");
    tidy[0].model(&bench.inner).unwrap();
    let all = bench.blobs.total_bytes();
    let left: u64 = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(left * 3 < all, "{left} of {all}");
}

fn open_again(bench: &Bench, name: &str, run: H256) -> String {
    let folder = bench.dir.path().join(name);
    match Member::open(&folder, run, bench.blobs.clone(), &bench.inner, || panic!()) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

fn journal(bench: &Bench, name: &str) -> std::path::PathBuf {
    let folder: &Path = &bench.dir.path().join(name);
    folder.join("run.state")
}

// GIVEN a state folder of another run, or a journal that is cut, changed, or something else
// WHEN it is opened
// THEN the error says what to do, and the file stays as it is
#[test]
fn foreign_and_damaged_folders_are_refused() {
    let bench = Bench::new(Codec::F32);
    let mut member = bench.member("a");
    bench.begin(&mut member, 0, 1, 0);
    drop(member);
    assert_eq!(open_again(&bench, "a", RUN), "");
    assert!(open_again(&bench, "a", H256::zero()).contains("belongs to run"));
    let path = journal(&bench, "a");
    let good = std::fs::read(&path).unwrap();
    let mut flipped = good.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let cases = [
        vec![],
        b"something else".to_vec(),
        good[..20].to_vec(),
        good[..last].to_vec(),
        flipped,
    ];
    for bytes in cases {
        std::fs::write(&path, &bytes).unwrap();
        let error = open_again(&bench, "a", RUN);
        assert!(error.contains("run.state"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
    std::fs::write(&path, &good).unwrap();
    assert_eq!(open_again(&bench, "a", RUN), "");
}

// GIVEN a kept state whose blob is gone
// WHEN the round goes on
// THEN the error names what is missing; when it is back, training goes on
#[test]
fn a_missing_state_is_named() {
    let mut bench = Bench::new(Codec::F32);
    let folder = bench.dir.path().join("blobs");
    let mut member = bench.open("a", FolderBlobs::open(&folder).unwrap());
    bench.begin(&mut member, 0, 1, 0);
    let _ = member.train(&mut bench.inner, &bench.data, |_| ControlFlow::Break(()));
    let leaf = *member.current().unwrap().leaves.last().unwrap();
    let bytes = member.blobs().get(&leaf.first, 1 << 30).unwrap().unwrap();
    member.blobs().remove(&leaf.first).unwrap();
    let error = member
        .train(&mut bench.inner, &bench.data, |_| ControlFlow::Continue(()))
        .unwrap_err();
    assert!(
        matches!(error, TrainingError::MissingBlob { .. }),
        "{error}"
    );
    member.blobs().put(&bytes).unwrap();
    bench.train(&mut member);
}

// GIVEN a member that went through two accepted rounds
// WHEN the chain says that it stands elsewhere: after a void round, before an undone one, with or without its own moments
// THEN it stands there, trains on from exactly that, and saying so again changes nothing
#[test]
fn a_member_stands_where_the_chain_says() {
    let mut bench = Bench::new(SPARSE);
    let mut members = ["a", "b"].map(|name| bench.member(name));
    let begun = *members[0].settled();
    bench.round(&mut members, 0);
    let first = *members[0].settled();
    bench.round(&mut members, 1);
    let second = *members[0].settled();
    let [mut member, _] = members;
    for (round, model, own) in [
        (3, second.model, second.own),
        (4, first.model, first.own),
        (5, begun.model, None),
        (6, second.model, first.own),
    ] {
        bench.begin_at(&mut member, round - 1);
        member.stand(round, model, own, &bench.inner).unwrap();
        member.stand(round, model, own, &bench.inner).unwrap();
        let stands = *member.settled();
        assert_eq!(
            (stands.round, stands.model, stands.own),
            (round, model, own)
        );
        assert_eq!(member.current(), None);
        bench.begin(&mut member, round, 1, 0);
        bench.train(&mut member);
        let leaf = member.current().unwrap().leaves[0];
        assert_eq!(leaf.params, model.params);
        match own {
            Some(own) => assert_eq!((leaf.step, leaf.first), (own.step, own.first)),
            None => assert_eq!(leaf.step, 0),
        }
        // The round under way stays when it is the one that the chain names.
        member.stand(round, model, own, &bench.inner).unwrap();
        assert!(member.current().is_some());
    }
}

// GIVEN a model or moments that are not there, or a model of another hash
// WHEN a member is told to stand on them
// THEN it is refused, and stands where it stood
#[test]
fn a_member_does_not_stand_on_what_it_lacks() {
    let mut bench = Bench::new(Codec::F32);
    let mut members = [bench.member("a")];
    bench.round(&mut members, 0);
    let [mut member] = members;
    let stands = *member.settled();
    let lacking = ModelState {
        params: H256::repeat_byte(9),
        ..stands.model
    };
    let other = ModelState {
        hash: H256::repeat_byte(9),
        ..stands.model
    };
    let own = stands
        .own
        .map(|own| chasqui_primitives::training::StateLeaf {
            second: H256::repeat_byte(9),
            ..own
        });
    for (model, own) in [(lacking, None), (other, None), (stands.model, own)] {
        let refused = member.stand(7, model, own, &bench.inner).unwrap_err();
        assert!(refused.to_string().contains("0x"), "{refused}");
        assert_eq!(*member.settled(), stands);
    }
}
