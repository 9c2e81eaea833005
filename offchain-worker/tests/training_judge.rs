//! Validators judge rounds of training runs from what members serve.

#[path = "../training/tests/common/mod.rs"]
mod common;
mod exchange;

use std::time::Duration;

use chasqui_primitives::{
    audit::{HardReason, Verdict},
    blob::CHUNK_BYTES,
    training::{
        kept_steps, members::Carried, picked_segments, Codec, Member, ModelState, Recipe, Round,
        RoundReport, RunTerms, Start, StateLeaf,
    },
};
use chasqui_session::blobs::BlobLimits;
use chasqui_training::{
    diloco::{
        agreement::{outer_result, store_model},
        judge::{Drift, Fault, Part},
        kept::{KeptStates, LEAF_BYTES},
        outer::norm,
        state::{store_vector, TrainState},
        Blobs, OuterState, ReplayClass, RoundPlan,
    },
    optim::AdamW,
    rng::CounterRng,
};
use chasqui_worker::{
    blobs::{exchange::FetchConfig, BlobStore, Manifest},
    training::{
        judge::{
            fetch_member, judge_member, judge_outer, ledger::Ledger, remote::Remote, CarriedFrom,
            Judgement, MemberRound, OuterRound,
        },
        setup::{self, Place, Trainer},
    },
};
use common::{
    claims::{Case, Court},
    recipe, RUN, SPARSE,
};
use exchange::Holder;
use sp_core::H256;

const PANEL: H256 = H256([0x77; 32]);

/// A run, a member's machine, and a validator's.
struct Scene {
    court: Court,
    terms: RunTerms,
    trainer: Trainer,
    holder: Holder,
    runtime: tokio::runtime::Runtime,
}

fn class() -> H256 {
    let class = ReplayClass::of(&burn::tensor::Device::flex()).unwrap();
    class.unwrap().hash()
}

fn config() -> FetchConfig {
    FetchConfig {
        patience: Duration::from_millis(400),
        ..exchange::quick()
    }
}

impl Scene {
    fn new(recipe: &Recipe) -> Self {
        let court = Court::new(recipe);
        let sequences = court.data.header().sequences(recipe.sequence);
        Self {
            terms: RunTerms {
                recipe: *recipe,
                ..common::terms(sequences)
            },
            trainer: Trainer {
                inner: common::inner(recipe, 1),
                class: Some(class()),
            },
            court,
            holder: Holder::start(BlobLimits::default()),
            runtime: tokio::runtime::Runtime::new().unwrap(),
        }
    }

    /// Puts blobs of the member's store where validators can fetch them.
    fn share(&self, roots: impl IntoIterator<Item = H256>) {
        for root in roots {
            let bytes = self.court.blobs.get(&root, u64::MAX).unwrap().unwrap();
            let put = |chunk| self.holder.store.put_bytes(&bytes, chunk).unwrap().root();
            if put(CHUNK_BYTES) != root {
                assert_eq!(put(LEAF_BYTES), root);
            }
            self.holder.shares.add("round", [root]).unwrap();
        }
    }

    /// As an honest member shares a round.
    fn share_case(&self, case: &Case) {
        self.share(roots(case));
    }

    /// A case whose audit looks at `segment`.
    fn about(&self, case: &Case, segment: u32) -> MemberRound {
        let plan = case.claim.plan;
        let kept = plan.kept_steps(&self.terms.recipe);
        let audit_seed = (0..=255u8)
            .map(H256::repeat_byte)
            .find(|seed| picked_segments(seed, plan.rank, &kept, 1) == [segment])
            .unwrap();
        MemberRound {
            run: plan.run,
            terms: self.terms,
            number: plan.round,
            round: Round {
                members: plan.members,
                first_sequence: plan.first_sequence,
                seed: Some(plan.seed),
                audit_seed: Some(audit_seed),
                ..Round::default()
            },
            rank: plan.rank,
            report: case.claim.report,
            class: class(),
            carried: CarriedFrom::Nothing,
        }
    }

    /// A validator's audit, with nothing but the chain's word and the member's endpoint.
    fn judge_with(&mut self, about: &MemberRound, before: Drift) -> Judgement {
        let (_folder, here) = exchange::empty();
        let scratch = tempfile::tempdir().unwrap();
        let _within = self.runtime.enter();
        let holders = vec![self.holder.endpoint()];
        let blobs = Remote::new(here, scratch.path(), holders, config()).unwrap();
        let (trainer, data) = (&mut self.trainer, &self.court.data);
        fetch_member(trainer, about, &blobs).unwrap();
        let fetched = blobs.fetched();
        let judged = judge_member(trainer, data, about, before, &PANEL, &blobs).unwrap();
        // All that an exact replay needs was there before it began.
        if judged.verdict == Verdict::Valid && about.class == class() {
            assert_eq!(blobs.fetched(), fetched);
        }
        judged
    }

    fn judge(&mut self, case: &Case, segment: u32) -> Judgement {
        let about = self.about(case, segment);
        self.judge_with(&about, Drift::default())
    }

    /// Which segments, looked at alone, show that the case is false.
    fn caught_at(&mut self, case: &Case) -> Vec<u32> {
        self.share_case(case);
        (0..self.terms.recipe.segments)
            .filter(|segment| match self.judge(case, *segment).verdict {
                Verdict::Hard(_) => true,
                Verdict::Valid => false,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn fault(&mut self, case: &Case) -> Option<Fault> {
        self.share_case(case);
        let judged = self.judge(case, 0);
        assert!(matches!(judged.verdict, Verdict::Hard(_)), "{judged:?}");
        judged.fault
    }

    fn outer(&self, about: &OuterRound) -> Judgement {
        let (_folder, here) = exchange::empty();
        let scratch = tempfile::tempdir().unwrap();
        let _within = self.runtime.enter();
        let holders = vec![self.holder.endpoint()];
        let blobs = Remote::new(here, scratch.path(), holders, config()).unwrap();
        let mut trainer = Trainer {
            inner: common::inner(&self.terms.recipe, 1),
            class: None,
        };
        judge_outer(&mut trainer, about, &PANEL, &blobs).unwrap()
    }
}

fn roots(case: &Case) -> Vec<H256> {
    let parts = |leaf: &StateLeaf| [leaf.params, leaf.first, leaf.second, leaf.residual];
    let mut roots: Vec<H256> = case.leaves.iter().flat_map(parts).collect();
    roots.push(case.claim.report.gradient);
    roots.push(KeptStates::blob_root(&case.claim.report));
    roots
}

/// `state` at the optimiser's step and cursor of `like`.
fn at(like: &TrainState, state: &TrainState, court: &Court) -> TrainState {
    let (first, second) = state.optimizer.moments();
    let optimizer = AdamW::from_moments(
        court.inner.shape().optimizer,
        like.optimizer.steps(),
        first.to_vec(),
        second.to_vec(),
    );
    TrainState {
        params: state.params.clone(),
        optimizer: optimizer.unwrap(),
        residual: like.residual.clone(),
        next_sequence: like.next_sequence,
    }
}

// GIVEN an honest round that its member shares
// WHEN two validators audit it, one of them a second time after it was restarted
// THEN all say that it is valid, with the same evidence for the same panel, and another for another
#[test]
fn an_honest_round_is_valid_and_evidence_repeats() {
    for codec in [Codec::F32, Codec::Int8 { block: 64 }, SPARSE] {
        let mut scene = Scene::new(&recipe(codec));
        let honest = scene.court.honest(1);
        scene.share_case(&honest);
        let kept = honest.claim.plan.kept_steps(&scene.terms.recipe);
        for segment in 0..3u32 {
            let first = scene.judge(&honest, segment);
            assert_eq!(first.verdict, Verdict::Valid, "{first:?}");
            assert!(first.evidence.iter().any(|entry| *entry != 0));
            let steps = kept[segment as usize + 1] - kept[segment as usize];
            assert_eq!((first.replayed, first.trained), (u64::from(steps), 6));
            // After a restart: another process, another number of threads.
            scene.trainer.inner = common::inner(&scene.terms.recipe, 3);
            assert_eq!(scene.judge(&honest, segment), first);
        }
    }
}

// GIVEN members that make weights up, hand in those of an earlier step, train on others' data, or take every other step
// WHEN validators audit each segment
// THEN every false one is proven false
#[test]
fn made_up_training_is_false() {
    let mut scene = Scene::new(&recipe(Codec::F32));
    let honest = scene.court.honest(0);
    let plan = honest.claim.plan;
    let mut rng = CounterRng::new(1, 2, 3);

    let mut random = honest.states.clone();
    for x in random[1..].iter_mut().flat_map(|state| &mut state.params) {
        *x += (rng.unit() as f32 - 0.5) * 1e-2;
    }
    let mut earlier = honest.states.clone();
    for (state, like) in earlier.iter_mut().zip(&honest.states).skip(2) {
        *state = at(like, &honest.states[1], &scene.court);
    }
    let other = scene.court.plan(1);
    let foreign = scene.court.train(&other, scene.court.first());
    let steps = plan.kept_steps(&scene.terms.recipe);
    let mut half = vec![scene.court.first()];
    for (pair, like) in steps.windows(2).zip(&honest.states[1..]) {
        let until = pair[0] + (pair[1] - pair[0]) / 2;
        let last = half.last().unwrap().clone();
        let end = match until > pair[0] {
            true => scene.court.run(last, &plan, pair[0], until),
            false => last,
        };
        half.push(at(like, &end, &scene.court));
    }
    let caught: [(&str, Vec<TrainState>, &[u32]); 4] = [
        ("random", random, &[0, 1, 2]),
        ("earlier", earlier, &[1, 2]),
        ("other data", foreign, &[0, 1, 2]),
        ("half", half, &[0, 1, 2]),
    ];
    for (name, states, segments) in caught {
        let cheat = scene.court.claim(plan, states);
        assert_eq!(scene.caught_at(&cheat), segments, "{name}");
    }
}

// GIVEN members that send scaled gradients, another's report, or another's gradient
// WHEN validators audit any segment
// THEN each is proven false
#[test]
fn scaled_and_copied_gradients_are_false() {
    let mut scene = Scene::new(&recipe(SPARSE));
    for scale in [10.0, -1.0, 0.0] {
        let mut cheat = scene.court.honest(0);
        scene.court.send_scaled(&mut cheat, scale);
        assert_eq!(scene.fault(&cheat), Some(Fault::Encoding));
    }
    let victim = scene.court.honest(0);
    let mut thief = victim.clone();
    thief.claim.plan = scene.court.plan(1);
    assert_eq!(scene.caught_at(&thief), [0, 1, 2]);
    let mut half = scene.court.honest(1);
    half.claim.report.gradient = victim.claim.report.gradient;
    assert_eq!(scene.fault(&half), Some(Fault::Encoding));
}

// GIVEN members that are honest in every segment and cheat between them: a start of their own, moments that push, a residual
// that nobody left, two trainings sewn together
// WHEN validators audit them
// THEN each is proven false
#[test]
fn honesty_in_audited_steps_alone_does_not_help() {
    let mut scene = Scene::new(&recipe(SPARSE));
    let plan = scene.court.plan(0);
    let len = scene.court.agreed.len();
    let mut elsewhere = scene.court.first();
    elsewhere.params.iter_mut().for_each(|x| *x *= 1.5);
    let mut pushed = scene.court.first();
    let (first, second) = (vec![1.0; len], vec![1e-6; len]);
    let settings = scene.court.inner.shape().optimizer;
    pushed.optimizer = AdamW::from_moments(settings, 0, first, second).unwrap();
    let mut loaded = scene.court.first();
    loaded.residual.iter_mut().for_each(|x| *x = 0.01);
    for start in [elsewhere.clone(), pushed, loaded] {
        let states = scene.court.train(&plan, start);
        let cheat = scene.court.claim(plan, states);
        assert_eq!(scene.fault(&cheat), Some(Fault::FirstLeaf));
    }
    let foreign = scene.court.train(&plan, elsewhere);
    let mut states = scene.court.honest(0).states;
    states[2..].clone_from_slice(&foreign[2..]);
    let cheat = scene.court.claim(plan, states);
    assert_eq!(scene.caught_at(&cheat), [1]);
    let mut hidden = scene.court.honest(0);
    let nothing = store_vector(&scene.court.blobs, &vec![0.0; len]).unwrap();
    hidden.leaves.last_mut().unwrap().residual = nothing;
    scene.court.commit(&mut hidden);
    assert_eq!(scene.fault(&hidden), Some(Fault::Encoding));
}

// GIVEN an honest round of which one blob is not served, or a member that cannot be reached
// WHEN it is audited
// THEN what the audit needs is withheld; what it does not need is not missed; and once it is served the round is valid
#[test]
fn what_is_not_served_is_withheld() {
    let mut scene = Scene::new(&recipe(SPARSE));
    let honest = scene.court.honest(0);
    let report = honest.claim.report;
    let leaves = &honest.leaves;
    // The audit looks at segment 1, from leaf 1 to leaf 2.
    let needed = [
        KeptStates::blob_root(&report),
        report.gradient,
        leaves[0].params,
        leaves[0].residual,
        leaves[1].params,
        leaves[1].first,
        leaves[1].second,
        leaves[3].params,
    ];
    let all = roots(&honest);
    for missing in needed {
        scene.holder.shares.drop_group("round").unwrap();
        scene.share(all.iter().copied().filter(|root| *root != missing));
        let judged = scene.judge(&honest, 1);
        assert_eq!(judged.verdict, Verdict::Withheld, "{missing:?}: {judged:?}");
    }
    // Where bits agree nobody needs the claimed end: its root says enough.
    let spare = [leaves[2].params, leaves[2].second, leaves[3].first];
    scene.holder.shares.drop_group("round").unwrap();
    scene.share(all.iter().copied().filter(|root| !spare.contains(root)));
    assert_eq!(scene.judge(&honest, 1).verdict, Verdict::Valid);
    scene.share_case(&honest);
    scene.holder.running.kill();
    assert_eq!(scene.judge(&honest, 1).verdict, Verdict::Withheld);
}

// GIVEN a member that withholds what would show its lie, and one whose state is larger than any
// WHEN they are audited
// THEN a proven lie outweighs what is missing, and nothing of a wrong size is fetched
#[test]
fn what_is_proven_false_outweighs_what_is_missing() {
    let mut scene = Scene::new(&recipe(Codec::F32));
    let mut cheat = scene.court.honest(0);
    scene.court.send_scaled(&mut cheat, 2.0);
    let missing = cheat.leaves[1].params;
    scene.share(roots(&cheat).into_iter().filter(|root| *root != missing));
    let judged = scene.judge(&cheat, 1);
    assert_eq!(judged.verdict, Verdict::Hard(HardReason::OutputHash));

    let mut huge = scene.court.honest(0);
    huge.leaves[1].params = scene.court.blobs.put(&vec![0; 4 << 20]).unwrap();
    scene.court.commit(&mut huge);
    scene.share_case(&huge);
    let before = scene.holder.executor.blob_bytes_sent();
    assert_eq!(scene.judge(&huge, 1).fault, Some(Fault::State));
    assert!(scene.holder.executor.blob_bytes_sent() - before < 1 << 20);
}

/// The second round of a member, from the model that the first one's outer step gave.
fn second_round(scene: &mut Scene, start: &TrainState) -> (Case, ModelState) {
    let agreed = scene.court.agreed.clone();
    let mut case = {
        let plan = common::plan(&scene.terms.recipe, 1, 4, 0);
        let states = scene.court.train(&plan, start.clone());
        scene.court.claim(plan, states)
    };
    case.claim.agreed = store_vector(&scene.court.blobs, &agreed).unwrap();
    let model = OuterState::new(agreed);
    let base = store_model(&model, &scene.court.inner, &scene.court.blobs).unwrap();
    (case, base)
}

// GIVEN a member in its second round
// WHEN it begins with the moments and the residual that its first one left, or with others, or does not serve what it left
// THEN it is valid, false, withheld
#[test]
fn what_a_member_carries_over_is_its_last_accepted_round() {
    let mut scene = Scene::new(&recipe(SPARSE));
    let first = scene.court.honest(0);
    scene.share_case(&first);
    let last = *first.leaves.last().unwrap();
    let carried = Carried {
        round: 0,
        kept: first.claim.report.kept,
        leaves: first.claim.report.leaves,
    };
    let shape = *scene.court.inner.shape();
    let plan: RoundPlan = common::plan(&scene.terms.recipe, 1, 4, 0);
    let start = |leaf: StateLeaf, scene: &Scene| {
        let mut state = shape.load(&leaf, &scene.court.blobs).unwrap();
        state.params.clone_from(&scene.court.agreed);
        state.next_sequence = plan.cursor(&scene.terms.recipe, 0);
        state
    };
    let right = start(last, &scene);
    let other = start(first.leaves[1], &scene);
    let other = at(&right, &other, &scene.court);
    for (state, fault) in [(right.clone(), None), (other, Some(Fault::FirstLeaf))] {
        let (case, base) = second_round(&mut scene, &state);
        scene.share_case(&case);
        let mut about = scene.about(&case, 1);
        about.round.base = Some(base);
        about.carried = CarriedFrom::Round(carried);
        let judged = scene.judge_with(&about, Drift::default());
        assert_eq!(judged.fault, fault, "{judged:?}");
        assert_eq!(judged.verdict == Verdict::Valid, fault.is_none());
    }
    // As if it were its first round.
    let (case, base) = second_round(&mut scene, &right);
    let mut about = scene.about(&case, 1);
    about.round.base = Some(base);
    let judged = scene.judge_with(&about, Drift::default());
    assert!(matches!(judged.verdict, Verdict::Hard(_)), "{judged:?}");
    // Of one that has left the chain knows no more.
    about.carried = CarriedFrom::Unknown;
    let judged = scene.judge_with(&about, Drift::default());
    assert_eq!(judged.verdict, Verdict::Valid, "{judged:?}");
    scene.holder.shares.drop_group("round").unwrap();
    scene.share_case(&case);
    about.carried = CarriedFrom::Round(carried);
    let judged = scene.judge_with(&about, Drift::default());
    assert_eq!(judged.verdict, Verdict::Withheld);
}

// GIVEN what the chain remembers of members
// WHEN a round of theirs is judged, in time or late
// THEN it carries on from the last accepted round before it, from nothing in the first, and nothing is made up for those who
// have left, or whose rounds are long past
#[test]
fn a_round_carries_on_from_what_the_chain_remembers() {
    let carried = |round| Carried {
        round,
        kept: H256::repeat_byte(round as u8),
        leaves: 4,
    };
    let of = |last: Option<u32>, before: Option<u32>, number| {
        let mut member = Member::new(H256::zero(), 0, 0);
        member.carried = last.map(carried);
        member.before = before.map(carried);
        CarriedFrom::of(Some(&member), number)
    };
    assert_eq!(of(None, None, 5), CarriedFrom::Nothing);
    assert_eq!(of(Some(3), None, 5), CarriedFrom::Round(carried(3)));
    assert_eq!(of(Some(3), Some(2), 5), CarriedFrom::Round(carried(3)));
    assert_eq!(of(Some(5), Some(2), 5), CarriedFrom::Round(carried(2)));
    assert_eq!(of(Some(6), None, 5), CarriedFrom::Nothing);
    assert_eq!(of(Some(7), Some(6), 5), CarriedFrom::Unknown);
    assert_eq!(CarriedFrom::of(None, 5), CarriedFrom::Unknown);
}

// GIVEN a member of another replay class, whose states differ a little
// WHEN it is audited: alone, after earlier audits that found it far off, and as one of the validator's own class
// THEN it is valid, then not, and false among its own; the ledger keeps what was found over restarts, once a round
#[test]
fn drift_adds_up_over_a_run() {
    let mut scene = Scene::new(&recipe(Codec::F32));
    let mut states = scene.court.honest(0).states;
    let moved: Vec<f32> = states[1]
        .params
        .iter()
        .zip(&states[0].params)
        .map(|(a, b)| a - b)
        .collect();
    let each = (norm(&moved) * 3e-4 / (moved.len() as f64).sqrt()) as f32;
    states[1].params.iter_mut().for_each(|x| *x += each);
    let drifting = scene.court.claim(scene.court.plan(0), states);
    scene.share_case(&drifting);
    let mut about = scene.about(&drifting, 0);
    assert!(matches!(
        scene.judge_with(&about, Drift::default()).verdict,
        Verdict::Hard(HardReason::Mismatch)
    ));
    about.class = H256::repeat_byte(9);
    let alone = scene.judge_with(&about, Drift::default());
    assert_eq!(alone.verdict, Verdict::Valid, "{alone:?}");
    let ppm = alone.drift.ppm();
    assert!((100.0..900.0).contains(&ppm), "{ppm}");

    let folder = tempfile::tempdir().unwrap();
    let member = [4; 32];
    let ledger = Ledger::open(folder.path().into()).unwrap();
    let far = |apart| Drift {
        params: Part {
            apart,
            moved: norm(&moved),
        },
        ..Drift::default()
    };
    let round = 3;
    ledger
        .note(&RUN, &member, 1, far(norm(&moved) * 5e-3))
        .unwrap();
    ledger
        .note(&RUN, &member, 1, far(norm(&moved) * 5e-3))
        .unwrap();
    ledger.note(&RUN, &member, round, alone.drift).unwrap();
    let ledger = Ledger::open(folder.path().into()).unwrap();
    let before = ledger.before(&RUN, &member, round).unwrap();
    assert_eq!(before, far(norm(&moved) * 5e-3));
    assert_eq!(scene.judge_with(&about, before).verdict, Verdict::Soft);
    ledger
        .note(&RUN, &member, 2, far(norm(&moved) * 5e-2))
        .unwrap();
    let before = ledger.before(&RUN, &member, round).unwrap();
    let judged = scene.judge_with(&about, before);
    assert_eq!(judged.verdict, Verdict::Hard(HardReason::Mismatch));
    // Another member and another run are not this one's business.
    let none = Drift::default();
    assert_eq!(ledger.before(&RUN, &[5; 32], round).unwrap(), none);
    ledger.forget(&RUN).unwrap();
    assert_eq!(ledger.before(&RUN, &member, round).unwrap(), none);
    let torn = folder.path().join(format!(
        "{}-{}.drift",
        hex::encode(RUN),
        hex::encode(member)
    ));
    std::fs::write(torn, [9]).unwrap();
    assert!(ledger.before(&RUN, &member, round).is_err());
}

/// What the outer step over two honest members gives, with everything shared.
fn agreed(scene: &mut Scene) -> OuterRound {
    let cases = [scene.court.honest(0), scene.court.honest(1)];
    let included: Vec<H256> = cases
        .iter()
        .map(|case| case.claim.report.gradient)
        .collect();
    scene.share(included.iter().copied());
    let court = &scene.court;
    let start = setup::start(&court.inner, &scene.terms);
    let before = store_model(&start, &court.inner, &court.blobs).unwrap();
    let (model, _) = outer_result(&before, &included, &court.inner, &court.blobs).unwrap();
    OuterRound {
        terms: scene.terms,
        before: None,
        included,
        agreed: store_model(&model, &court.inner, &court.blobs).unwrap(),
    }
}

// GIVEN a challenged outer step: right, wrong in one bit of weights or momentum, over others, in another order
// WHEN validators take it themselves
// THEN only the right one is valid, with the same evidence from each of them
#[test]
fn a_challenged_outer_step_is_taken_again() {
    let mut scene = Scene::new(&recipe(Codec::Int8 { block: 64 }));
    let right = agreed(&mut scene);
    let judged = scene.outer(&right);
    assert_eq!(judged.verdict, Verdict::Valid);
    assert!(judged.evidence.iter().any(|entry| *entry != 0));
    assert_eq!(scene.outer(&right), judged);
    let court = &scene.court;
    let (model, _) = {
        let start = setup::start(&court.inner, &scene.terms);
        let before = store_model(&start, &court.inner, &court.blobs).unwrap();
        outer_result(&before, &right.included, &court.inner, &court.blobs).unwrap()
    };
    let wrong = |change: &dyn Fn(&mut OuterState)| {
        let mut other = model.clone();
        change(&mut other);
        let mut about = right.clone();
        about.agreed = store_model(&other, &court.inner, &court.blobs).unwrap();
        about
    };
    let bit = |x: &mut f32| *x = f32::from_bits(x.to_bits() ^ 1);
    let mut fewer = right.clone();
    fewer.included.pop();
    let mut hash_only = right.clone();
    hash_only.agreed.hash = H256::repeat_byte(1);
    for about in [
        wrong(&|model| bit(&mut model.params[7])),
        wrong(&|model| bit(&mut model.momentum[7])),
        fewer,
        hash_only,
    ] {
        let verdict = scene.outer(&about).verdict;
        assert_eq!(verdict, Verdict::Hard(HardReason::Mismatch));
    }
}

// GIVEN a challenged outer step over a gradient that nobody serves, and over one that is none
// WHEN validators take it
// THEN the first is withheld, the second false, as is one from a model before that is none
#[test]
fn an_outer_step_over_nothing_is_not_valid() {
    let mut scene = Scene::new(&recipe(Codec::F32));
    let right = agreed(&mut scene);
    scene.holder.shares.drop_group("round").unwrap();
    assert_eq!(scene.outer(&right).verdict, Verdict::Withheld);
    let mut junk = right.clone();
    junk.included[0] = scene.court.blobs.put(b"junk").unwrap();
    scene.share(junk.included.iter().copied());
    let verdict = scene.outer(&junk).verdict;
    assert_eq!(verdict, Verdict::Hard(HardReason::Mismatch));
    let mut nowhere = right;
    nowhere.before = Some(ModelState {
        params: junk.included[0],
        ..nowhere.agreed
    });
    let verdict = scene.outer(&nowhere).verdict;
    assert_eq!(verdict, Verdict::Hard(HardReason::Mismatch));
}

// GIVEN a validator's blob store with the run's checkpoint and dataset
// WHEN it sets up the run from its terms alone, fresh or from the checkpoint
// THEN it says what is missing until all is there, and judges an honest round valid, bit by bit
#[test]
fn a_run_is_set_up_from_its_terms() {
    let mut scene = Scene::new(&recipe(SPARSE));
    let folder = tempfile::tempdir().unwrap();
    let member = BlobStore::open_dir(folder.path().join("member")).unwrap();
    let model = folder.path().join("model");
    common::base().save_hf(&model).unwrap();
    let (manifest, start) = Manifest::import(&member, &model).unwrap();
    let data = folder.path().join("data-source");
    std::fs::create_dir_all(&data).unwrap();
    drop(common::dataset(&data));
    let dataset = member.put_file(&data.join("data"), CHUNK_BYTES).unwrap();
    let mut terms = RunTerms {
        start: Start::Checkpoint(start),
        dataset: dataset.root(),
        ..scene.terms
    };
    let shared = setup::shared(&member, &terms).unwrap();
    assert_eq!(shared.len(), 2 + manifest.files.len());

    let place = Place {
        blobs: BlobStore::open_dir(folder.path().join("validator")).unwrap(),
        folder: folder.path().join("unpacked"),
        device: "cpu".into(),
        threads: 1,
    };
    assert!(setup::trainer(&place, &terms).is_err());
    assert!(setup::dataset(&place.blobs, &terms).is_err());
    let mut waves = 0;
    loop {
        let missing = setup::missing(&place.blobs, &terms).unwrap();
        if missing.is_empty() {
            break;
        }
        for root in missing {
            assert!(shared.contains(&root));
            let bytes = member.read_all(&root, u64::MAX).unwrap();
            place.blobs.put_expected(root, &bytes, CHUNK_BYTES).unwrap();
        }
        waves += 1;
    }
    assert_eq!(waves, 2);
    let honest = scene.court.honest(2);
    scene.share_case(&honest);
    scene.trainer = setup::trainer(&place, &terms).unwrap();
    scene.court.data = setup::dataset(&place.blobs, &terms).unwrap();
    scene.terms = terms;
    let judged = scene.judge(&honest, 2);
    assert_eq!(judged.verdict, Verdict::Valid, "{judged:?}");
    // A dataset of another number of sequences is another run's.
    terms.sequences += 1;
    let error = setup::dataset(&place.blobs, &terms).unwrap_err();
    assert!(error.to_string().contains("the run's terms say"), "{error}");
    // Fresh weights of the same configuration.
    terms.start = Start::Fresh {
        config: start,
        seed: 3,
    };
    let fresh = setup::trainer(&place, &terms).unwrap();
    let begun = setup::start(&fresh.inner, &terms);
    assert_eq!(begun.params, scene.court.agreed);
}

// GIVEN reports that are not what a round has
// WHEN they are audited over the network
// THEN each is false without any replay
#[test]
fn malformed_reports_are_false() {
    let mut scene = Scene::new(&recipe(Codec::F32));
    let honest = scene.court.honest(0);
    let with = |change: &dyn Fn(&mut RoundReport)| {
        let mut case = honest.clone();
        change(&mut case.claim.report);
        case
    };
    scene.share_case(&honest);
    for (case, fault) in [
        (with(&|report| report.tokens += 1), Fault::Report),
        (with(&|report| report.norm_milli += 1), Fault::Report),
        (with(&|report| report.leaves = 3), Fault::Opening),
        (with(&|report| report.leaves = u32::MAX), Fault::Opening),
    ] {
        let judged = scene.judge(&case, 0);
        assert_eq!(judged.fault, Some(fault), "{judged:?}");
        assert!(matches!(judged.verdict, Verdict::Hard(_)));
    }
}

// GIVEN rounds of many lengths whose segments are drawn as the chain draws them
// WHEN three seats replay one segment of a member
// THEN that costs at most a tenth of what the member trained, from 36 segments on
#[test]
fn three_seats_replay_a_tenth_of_36_segments() {
    let share = |inner_steps: u32, segments: u32| {
        const SEEDS: u64 = 400;
        let steps: u64 = (0..SEEDS)
            .map(|seed| {
                let seed = |salt: u64| H256::from_low_u64_be(seed << 8 | salt);
                let kept = kept_steps(&seed(1), inner_steps, segments);
                let picked = picked_segments(&seed(2), 0, &kept, 1)[0] as usize;
                u64::from(kept[picked + 1] - kept[picked])
            })
            .sum();
        3.0 * steps as f64 / (SEEDS * u64::from(inner_steps)) as f64
    };
    for (segments, low, high) in [
        (12, 0.27, 0.31),
        (24, 0.13, 0.16),
        (36, 0.09, 0.10),
        (64, 0.05, 0.06),
    ] {
        for inner_steps in [100, 500, 2_000] {
            let share = share(inner_steps, segments);
            assert!(
                (low..high).contains(&share),
                "{inner_steps} steps in {segments} segments: {share}"
            );
        }
    }
}
