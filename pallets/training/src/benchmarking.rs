//! What the calls and the work of a block cost.

use super::*;
use alloc::{boxed::Box, vec};
use chasqui_primitives::{
    audit::{HardReason, Subject},
    training::{
        machine::{Final, Pending, Settling},
        whole_sequences, AuditTerms, Codec, Draw, Drawn, Effect, InnerOptimizer, Judged, Machine,
        Outer, Phase, Recipe, Run, Schedule, Start, Store, Timing, Trains,
    },
    traits::CaseSubjects,
    DOT,
};
use frame_benchmarking::v2::*;
use frame_support::{traits::EnsureOrigin, weights::WeightMeter};
use frame_system::RawOrigin;

const SEED: H256 = H256::repeat_byte(5);
const CASE: CaseId = 77;
const RUN: RunId = 0;
const SEQUENCE: u32 = 1;
const PLENTY: Balance = 1_000 * DOT;
const FUNDS: Balance = 1_000_000 * DOT;
/// Most auditors that the benchmarks pay.
const MAX_AUDITORS: u32 = 128;

fn terms<T: Config>() -> RunTerms {
    let (dataset, _) = T::BenchmarkHelper::dataset();
    let known = T::Datasets::usable(&dataset).expect("the helper made it usable");
    RunTerms {
        start: Start::Fresh {
            config: SEED,
            seed: 1,
        },
        dataset,
        sequences: whole_sequences(known.tokens.saturating_sub(known.held_out), SEQUENCE),
        recipe: Recipe {
            inner_steps: 10,
            batch: 1,
            micro_batch: 1,
            sequence: SEQUENCE,
            optimizer: InnerOptimizer::default(),
            schedule: Schedule {
                peak_nano: 1,
                warmup_steps: 0,
                total_steps: 1,
                floor_ppm: 0,
            },
            clip_milli: 1,
            outer: Outer::default(),
            codec: Codec::F32,
            norm_clip_ppm: 1_000_000,
            segments: 1,
            trains: Trains::Full,
        },
        rounds: 10,
        round_pay: 10 * DOT,
        min_members: 1,
        max_members: T::MaxMembers::get(),
        timing: Timing {
            forming_blocks: 1,
            warmup_blocks: 1_000,
            train_blocks: 1_000,
            grace_blocks: 1,
            spread_percent: 1,
            exchange_blocks: 1_000,
            attest_blocks: 1_000,
            audit_blocks: 1_000,
            agree_blocks: 1_000,
            challenge_blocks: 1_000,
            idle_blocks: 1_000,
            max_missed: 2,
            max_void: 2,
        },
        audit: AuditTerms {
            segments: 1,
            soft_ppm: 1,
            hard_ppm: 1,
            evidence_tau: 1,
        },
    }
}

/// A run that gathers members, and an operator that may join.
struct Stage<T: Config> {
    terms: RunTerms,
    who: T::AccountId,
    _config: core::marker::PhantomData<T>,
}

impl<T: Config> Stage<T> {
    fn new() -> Self {
        let terms = terms::<T>();
        T::BenchmarkHelper::fund(FUNDS);
        // So that it can take lost deposits, however small.
        T::NativeBalance::set_balance(&T::Reserve::get(), T::NativeBalance::minimum_balance());
        Pallet::<T>::do_create_run(terms).expect("the terms are good");
        let who = T::BenchmarkHelper::members(&Self::root(), 1)
            .pop()
            .expect("one was asked for");
        T::NativeBalance::set_balance(&who, PLENTY);
        Self {
            terms,
            who,
            _config: core::marker::PhantomData,
        }
    }

    fn root() -> H256 {
        Runs::<T>::get(RUN).expect("it was created").around.root
    }

    fn origin(&self) -> RawOrigin<T::AccountId> {
        RawOrigin::Signed(self.who.clone())
    }

    fn change(change: impl FnOnce(&mut RunRecordOf<T>)) {
        Runs::<T>::mutate(RUN, |record| {
            change(record.as_mut().expect("it was created"))
        });
    }

    fn round(change: impl FnOnce(&mut Round)) {
        Rounds::<T>::mutate(RUN, 0, |record| change(record.as_mut().expect("it runs")));
    }

    /// The operator takes part in a round of as many members as there may be, which is in this phase.
    fn in_round(phase: Phase) -> Self {
        let stage = Self::new();
        let members = T::MaxMembers::get();
        Pallet::<T>::do_join(stage.who.clone(), RUN, SEED).expect("there is room");
        let mut store = RunStore::<T>::of(RUN);
        let member = Member {
            list: List::Active,
            slot: 0,
            ready: true,
            ..store.member(&stage.who).expect("it joined")
        };
        store.set_at(List::Waiting, 0, None);
        store.set_at(List::Active, 0, Some(&stage.who));
        store.set_member(&stage.who, Some(member));
        let round = Round {
            members,
            seed: Some(SEED),
            audit_seed: Some(SEED),
            committed: members.saturating_sub(1),
            revealed: members.saturating_sub(1),
            attested: members.saturating_sub(1),
            included: members,
            train_over: true,
            exchange_over: true,
            ..Round::default()
        };
        store.set_round(0, Some(round));
        Self::change(|record| {
            record.head.phase = phase;
            record.head.active = members;
            record.head.waiting = 0;
        });
        stage
    }

    /// The operator left and came back: it waits, first of two.
    fn waits(&self) {
        let mut store = RunStore::<T>::of(RUN);
        let other: T::AccountId = account("waiting", 0, 0);
        let member = store.member(&self.who).expect("it takes part");
        store.set_at(List::Active, 0, None);
        for (who, slot) in [(&self.who, 0), (&other, 1)] {
            let list = List::Waiting;
            store.set_at(list, slot, Some(who));
            store.set_member(
                who,
                Some(Member {
                    list,
                    slot,
                    ..member
                }),
            );
        }
        Self::change(|record| {
            record.head.active = 0;
            record.head.waiting = 2;
            record.head.ready = 2;
        });
    }

    fn rank(&self) -> u32 {
        let record = Rounds::<T>::get(RUN, 0).expect("it runs");
        chasqui_primitives::training::rank_of(&SEED, 0, record.members).expect("in range")
    }

    fn report(&self) -> RoundReport {
        let tokens = self.terms.recipe.tokens_per_round();
        RoundReport {
            gradient: H256::repeat_byte(1),
            kept: H256::repeat_byte(2),
            leaves: self.terms.recipe.segments.saturating_add(1),
            tokens,
            units: tokens,
            loss_micro: 1,
            norm_milli: 1,
        }
    }

    /// Stores a whole contribution of the operator, with everything that goes with it.
    fn contributed(&self, judged: Judged) {
        let report = self.report();
        let sealed = report.commitment(&Pallet::<T>::genesis(), &self.who, RUN, 0, &[1; 32]);
        let key = model().key(RUN, 0);
        let contribution = Contribution {
            commitment: Some(sealed),
            report: Some(report),
            attests: Some(Ranks::none(T::MaxMembers::get())),
            judged,
            vote: Some(key),
            ..Contribution::new(self.who.clone())
        };
        let mut store = RunStore::<T>::of(RUN);
        store.set_contribution(0, self.rank(), Some(contribution));
        store.set_revealed(0, &report.gradient, true);
        store.set_revealed(0, &report.kept, true);
        store.set_votes(0, &key, Some((model(), 1)));
        T::Operators::add_liability(&self.who).expect("it is bonded");
        Seats::<T>::mutate(RUN, &self.who, |seat| {
            seat.as_mut().expect("it joined").contributions = 1;
        });
        Self::round(|record| record.records = 1);
    }

    /// The operator's contribution without its later parts.
    fn shorten(&self, shorten: impl FnOnce(&mut Contribution<T::AccountId>)) {
        Contributions::<T>::mutate((RUN, 0, self.rank()), |own| {
            shorten(own.as_mut().expect("it contributed"))
        });
    }

    /// The first round was agreed on, and is settled like this.
    fn agreed(&self, settling: Settling<T::AccountId>) {
        self.contributed(Judged::Accepted);
        Self::round(|record| {
            record.agreed = Some(model());
            record.speaker = self.rank();
        });
        Self::change(|record| {
            record.head.round = 1;
            record.head.phase = Phase::Cooldown { failed: None };
            record.head.model = Some(model());
            record.head.pending = Some(Pending { round: 0, settling });
        });
    }

    /// Has the machine do something, and drops what follows from it.
    fn machine<R>(act: impl FnOnce(&mut Machine<'_, T::AccountId, RunStore<T>>) -> R) -> R {
        let (terms, record) = Pallet::<T>::run_of(RUN).expect("it was created");
        let mut store = RunStore::<T>::of(RUN);
        let head: Run<T::AccountId> = record.head;
        let mut machine = Machine::new(Pallet::<T>::genesis(), RUN, &terms, head, &mut store);
        act(&mut machine)
    }

    fn carry_out(&self, effect: Effect<T::AccountId>, auditors: &[T::AccountId]) {
        let (_, RunRecord { mut around, .. }) = Pallet::<T>::run_of(RUN).expect("it is there");
        Pallet::<T>::carry_out_one(RUN, &self.terms, &mut around, effect, auditors)
            .expect("it can be carried out");
    }
}

fn model() -> ModelState {
    ModelState {
        hash: H256::repeat_byte(6),
        params: H256::repeat_byte(7),
        momentum: H256::repeat_byte(8),
        checkpoint: H256::repeat_byte(9),
    }
}

fn evaluation<T: Config>(by: T::AccountId) -> Evaluation<T::AccountId> {
    Evaluation {
        by,
        dataset: SEED,
        result: EvaluationResult {
            tokens: 1,
            loss_micro: 1,
        },
        at: 0,
        deposit: 0,
    }
}

/// So many evaluations of others.
fn crowd<T: Config>(root: CheckpointRoot, count: u32) {
    let list = (0..count).map(|n| evaluation::<T>(account("crowd", n, 0)));
    Evaluations::<T>::insert(root, BoundedVec::truncate_from(list.collect()));
}

#[benchmarks]
mod benchmarks {
    use super::*;

    fn admin<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
        T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
    }

    #[benchmark]
    fn create_run() -> Result<(), BenchmarkError> {
        let origin = admin::<T>()?;
        let (root, _) = T::BenchmarkHelper::evaluator();
        let mut terms = terms::<T>();
        terms.start = Start::Checkpoint(root);
        terms.recipe.trains = Trains::Distil {
            teacher: root,
            temperature_milli: 1,
            share_ppm: 1,
        };
        T::BenchmarkHelper::fund(FUNDS);
        let others = (1..T::MaxRuns::get()).map(|n| n.saturating_add(1_000));
        Live::<T>::put(BoundedVec::truncate_from(others.collect()));

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, Box::new(terms));

        assert!(Runs::<T>::contains_key(RUN));
        Ok(())
    }

    #[benchmark]
    fn join() {
        let stage = Stage::<T>::new();

        #[extrinsic_call]
        _(stage.origin(), RUN, SEED);

        assert!(Members::<T>::contains_key(RUN, &stage.who));
    }

    #[benchmark]
    fn heartbeat() {
        let stage = Stage::<T>::new();
        Pallet::<T>::do_join(stage.who.clone(), RUN, SEED).expect("there is room");

        #[extrinsic_call]
        _(stage.origin(), RUN);

        assert!(Members::<T>::get(RUN, &stage.who).is_some_and(|member| member.ready));
    }

    /// The last of the list takes the place of the one that leaves.
    #[benchmark]
    fn leave() {
        let stage = Stage::<T>::new();
        let others = T::BenchmarkHelper::members(&Stage::<T>::root(), 2);
        for who in core::iter::once(&stage.who).chain(others.iter().rev()) {
            if Members::<T>::contains_key(RUN, who) {
                continue;
            }
            T::NativeBalance::set_balance(who, PLENTY);
            Pallet::<T>::do_join(who.clone(), RUN, SEED).expect("there is room");
        }

        #[extrinsic_call]
        _(stage.origin(), RUN);

        assert!(!Members::<T>::contains_key(RUN, &stage.who));
    }

    #[benchmark]
    fn commit() {
        let stage = Stage::<T>::in_round(Phase::Train { until: u32::MAX });
        let times = vec![1; T::MaxMembers::get().saturating_sub(1) as usize];
        Times::<T>::insert(RUN, 0, BoundedVec::truncate_from(times));

        #[extrinsic_call]
        _(stage.origin(), RUN, 0, SEED);

        assert!(Contributions::<T>::contains_key((RUN, 0, stage.rank())));
    }

    #[benchmark]
    fn reveal() {
        let stage = Stage::<T>::in_round(Phase::Exchange { until: u32::MAX });
        stage.contributed(Judged::Not);
        stage.shorten(|own| (own.report, own.attests, own.vote) = (None, None, None));
        let _ = Revealed::<T>::clear_prefix((RUN, 0), u32::MAX, None);

        #[extrinsic_call]
        _(stage.origin(), RUN, 0, stage.report(), [1; 32]);

        assert!(Revealed::<T>::contains_key((RUN, 0, stage.report().kept)));
    }

    #[benchmark]
    fn attest() {
        let stage = Stage::<T>::in_round(Phase::Attest { until: u32::MAX });
        stage.contributed(Judged::Not);
        stage.shorten(|own| (own.attests, own.vote) = (None, None));
        let ranks = Ranks::of(T::MaxMembers::get(), 0..T::MaxMembers::get());

        #[extrinsic_call]
        _(stage.origin(), RUN, 0, ranks);

        let own = Contributions::<T>::get((RUN, 0, stage.rank()));
        assert!(own.is_some_and(|own| own.attests.is_some()));
    }

    #[benchmark]
    fn agree() {
        let stage = Stage::<T>::in_round(Phase::Agree { until: u32::MAX });
        stage.contributed(Judged::Accepted);
        stage.shorten(|own| own.vote = None);

        #[extrinsic_call]
        _(stage.origin(), RUN, 0, model());

        let own = Contributions::<T>::get((RUN, 0, stage.rank()));
        assert!(own.is_some_and(|own| own.vote.is_some()));
    }

    #[benchmark]
    fn challenge() {
        let stage = Stage::<T>::in_round(Phase::Forming);
        stage.agreed(Settling::Window { until: u32::MAX });
        let other = ModelState {
            hash: SEED,
            ..model()
        };

        #[extrinsic_call]
        _(stage.origin(), RUN, 0, other);

        let record = Runs::<T>::get(RUN).expect("it is there");
        assert!(record.around.challenge.is_some());
    }

    #[benchmark]
    fn cancel_run() -> Result<(), BenchmarkError> {
        let origin = admin::<T>()?;
        Stage::<T>::new();

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, RUN);

        assert!(Runs::<T>::get(RUN).is_some_and(|record| record.head.cancelled));
        Ok(())
    }

    #[benchmark]
    fn register_checkpoint() {
        let stage = Stage::<T>::new();
        let (parent, _) = T::BenchmarkHelper::evaluator();
        Terms::<T>::mutate(RUN, |terms| {
            if let Some(terms) = terms {
                terms.start = Start::Checkpoint(parent);
            }
        });
        Stage::<T>::change(|record| {
            record.head.phase = Phase::Finished;
            record.head.settled = Some(Final {
                round: 0,
                model: model(),
            });
            record.around.made = Some(Made {
                round: 0,
                root: model().checkpoint,
            });
        });

        #[extrinsic_call]
        _(stage.origin(), RUN);

        assert!(Runs::<T>::get(RUN).is_some_and(|record| record.around.registered));
    }

    /// `e` others evaluated the checkpoint before.
    #[benchmark]
    fn attest_evaluation(e: Linear<0, 63>) {
        let (dataset, held_out) = T::BenchmarkHelper::dataset();
        let (root, by) = T::BenchmarkHelper::evaluator();
        T::NativeBalance::set_balance(&by, PLENTY);
        crowd::<T>(root, e.min(T::MaxEvaluations::get().saturating_sub(1)));
        let result = EvaluationResult {
            tokens: held_out,
            loss_micro: 1,
        };

        #[extrinsic_call]
        _(RawOrigin::Signed(by.clone()), root, dataset, result);

        let list = Evaluations::<T>::get(root);
        assert!(list.last().is_some_and(|known| known.by == by));
    }

    /// `e` others evaluated the checkpoint after it.
    #[benchmark]
    fn withdraw_evaluation(e: Linear<0, 63>) {
        let (dataset, held_out) = T::BenchmarkHelper::dataset();
        let (root, by) = T::BenchmarkHelper::evaluator();
        T::NativeBalance::set_balance(&by, PLENTY);
        let result = EvaluationResult {
            tokens: held_out,
            loss_micro: 1,
        };
        Evaluations::<T>::remove(root);
        Pallet::<T>::do_evaluate(by.clone(), root, dataset, result).expect("it may");
        let own = Evaluations::<T>::take(root);
        crowd::<T>(root, e.min(T::MaxEvaluations::get().saturating_sub(1)));
        Evaluations::<T>::mutate(root, |list| {
            for known in own {
                list.try_insert(0, known).expect("there is room");
            }
        });

        #[extrinsic_call]
        _(RawOrigin::Signed(by.clone()), root, dataset);

        assert!(Evaluations::<T>::get(root)
            .iter()
            .all(|known| known.by != by));
    }

    #[benchmark]
    fn set_params() -> Result<(), BenchmarkError> {
        let origin = admin::<T>()?;
        let params = Params {
            member_deposit: 1,
            ..Params::default()
        };

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, params);

        assert_eq!(Parameters::<T>::get(), params);
        Ok(())
    }

    #[benchmark]
    fn serve_base() {
        Live::<T>::kill();
        let spent;

        #[block]
        {
            spent = Pallet::<T>::serve();
        }
        assert_eq!(spent, T::WeightInfo::serve_base());
    }

    /// A run with nothing to do, which waits for two seeds.
    #[benchmark]
    fn look() {
        let _stage = Stage::<T>::in_round(Phase::Draw);
        Stage::<T>::change(|record| {
            let draw = |of| AwaitedSeed {
                draw: Draw { round: 0, of },
                due: T::Randomness::next_due(),
            };
            record.around.seed = Some(draw(Drawn::Segments));
            record.around.panel = Some(draw(Drawn::Panel));
        });

        #[block]
        {
            Pallet::<T>::serve_run(RUN, &mut WeightMeter::new());
        }
        let record = Runs::<T>::get(RUN).expect("it is there");
        assert_eq!(record.head.phase, Phase::Draw);
    }

    /// What follows from it for others is accounted for where it follows.
    #[benchmark]
    fn seed() {
        let stage = Stage::<T>::in_round(Phase::Forming);
        let challenger = stage.who.clone();
        stage.agreed(Settling::Drawing {
            challenger,
            failed: 0,
        });
        let draw = Draw {
            round: 0,
            of: Drawn::Panel,
        };
        let effects;

        #[block]
        {
            effects = Stage::<T>::machine(|machine| {
                let answer = machine.seed(draw, SEED, 1);
                answer.map(|()| machine.effects.len())
            });
        }
        assert_eq!(effects, Ok(1));
    }

    /// A contribution to a false model is removed, and its member put out of the run: no step touches more records.
    #[benchmark]
    fn step() {
        let stage = Stage::<T>::in_round(Phase::Forming);
        stage.agreed(Settling::Undoing {
            cursor: stage.rank(),
            convicts: Some(model().key(RUN, 0)),
            reporter: Some(stage.who.clone()),
        });
        stage.waits();
        let taken;

        #[block]
        {
            taken = Stage::<T>::machine(|machine| machine.service(1, 1));
        }
        assert_eq!(taken, 1);
        assert!(!Contributions::<T>::contains_key((RUN, 0, stage.rank())));
    }

    /// Attestations of as many members as there may be are counted: no step handles larger records.
    #[benchmark]
    fn count_attestations() {
        let stage = Stage::<T>::in_round(Phase::Forming);
        stage.contributed(Judged::Not);
        let (rank, members) = (stage.rank(), T::MaxMembers::get());
        stage.shorten(|own| own.attests = Some(Ranks::of(members, 0..members)));
        Tallies::<T>::insert(RUN, 0, Tally::new(members));
        Stage::<T>::change(|record| record.head.phase = Phase::Tally { cursor: rank });
        let taken;

        #[block]
        {
            taken = Stage::<T>::machine(|machine| machine.service(1, 1));
        }
        assert_eq!(taken, 1);
        assert_eq!(
            Tallies::<T>::get(RUN, 0).map(|counted| counted.of(rank)),
            Some(1)
        );
    }

    /// The stragglers' deadline follows from the times of as many members as there may be.
    #[benchmark]
    fn hurry_stragglers() {
        let _stage = Stage::<T>::in_round(Phase::Train { until: u32::MAX });
        let times = 0..T::MaxMembers::get().saturating_sub(1);
        let times: Vec<u32> = times.map(|n| n.wrapping_mul(2_654_435_761)).collect();
        Times::<T>::insert(RUN, 0, BoundedVec::truncate_from(times));
        // One has not committed yet.
        let taken;

        #[block]
        {
            taken = Stage::<T>::machine(|machine| machine.service(1, 1));
        }
        assert_eq!(taken, 1);
        assert!(Rounds::<T>::get(RUN, 0).is_some_and(|record| record.hurried));
    }

    #[benchmark]
    fn open_case() {
        let stage = Stage::<T>::in_round(Phase::Open { cursor: 0 });
        stage.contributed(Judged::Opening { failed: 0 });
        let rank = stage.rank();
        let case;

        #[block]
        {
            (case, _) = Pallet::<T>::open_case(
                RUN,
                &stage.terms,
                Stage::<T>::root(),
                0,
                rank,
                stage.who.clone(),
            );
        }
        assert!(case.is_some());
    }

    /// The last thing that ties an operator to a run is gone.
    #[benchmark]
    fn free() {
        let stage = Stage::<T>::in_round(Phase::Forming);
        stage.contributed(Judged::Accepted);
        Seats::<T>::mutate(RUN, &stage.who, |seat| {
            seat.as_mut().expect("it joined").member = false;
        });

        #[block]
        {
            stage.carry_out(Effect::Free(stage.who.clone()), &[]);
        }
        assert!(!Seats::<T>::contains_key(RUN, &stage.who));
    }

    /// One that costs a penalty.
    #[benchmark]
    fn duty() {
        let stage = Stage::<T>::new();
        T::BenchmarkHelper::burden(&stage.who);
        let who = stage.who.clone();

        #[block]
        {
            stage.carry_out(Effect::Duty { who, kept: false }, &[]);
        }
    }

    #[benchmark]
    fn slash() {
        let stage = Stage::<T>::new();
        T::BenchmarkHelper::burden(&stage.who);
        let reporter = T::BenchmarkHelper::auditors(1).pop();
        let who = stage.who.clone();

        #[block]
        {
            stage.carry_out(
                Effect::Slash {
                    who,
                    round: 0,
                    reporter,
                },
                &[],
            );
        }
    }

    #[benchmark]
    fn pay() {
        let stage = Stage::<T>::new();
        let who = stage.who.clone();
        let before = T::Fund::reserved(RUN);

        #[block]
        {
            stage.carry_out(
                Effect::Pay {
                    who,
                    round: 0,
                    amount: DOT,
                    units: 1 << 40,
                },
                &[],
            );
        }
        assert_eq!(T::Fund::reserved(RUN).saturating_add(DOT), before);
    }

    #[benchmark]
    fn end() {
        let stage = Stage::<T>::new();
        let others = (1..T::MaxRuns::get()).map(|n| n.saturating_add(1_000));
        Live::<T>::put(BoundedVec::truncate_from(
            others.chain([RUN]).collect::<Vec<_>>(),
        ));

        #[block]
        {
            stage.carry_out(Effect::Ended(None), &[]);
        }
        assert_eq!(T::Fund::reserved(RUN), 0);
    }

    /// A member that came back is slashed, `a` auditors have their part, and what it contributed goes.
    #[benchmark]
    fn close(a: Linear<1, MAX_AUDITORS>) {
        let stage = Stage::<T>::in_round(Phase::Forming);
        T::BenchmarkHelper::burden(&stage.who);
        stage.contributed(Judged::Open(CASE));
        stage.shorten(|own| own.swept = true);
        let rank = stage.rank();
        stage.waits();
        Stage::<T>::round(|record| (record.open, record.done) = (1, true));
        let auditors = T::BenchmarkHelper::auditors(a);
        let subject = Subject::Training {
            run: RUN,
            round: 0,
            rank,
        };
        let decision = Decision::Hard(HardReason::Mismatch);

        #[block]
        {
            <Pallet<T> as CaseSubjects<T::AccountId>>::on_closed(
                &subject, CASE, decision, &auditors,
            );
        }
        assert!(!Contributions::<T>::contains_key((RUN, 0, rank)));
    }

    #[benchmark]
    fn is_tied() {
        let stage = Stage::<T>::new();
        let tied;

        #[block]
        {
            tied = Pallet::<T>::is_tied(RUN, &stage.who);
        }
        assert!(!tied);
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
