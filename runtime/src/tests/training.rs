//! Training runs on the real pallets: operators, audits, fund, datasets and checkpoints.

use super::world::*;
use crate::{
    constants::money::{DOT, EXISTENTIAL_DEPOSIT},
    AccountId, Audits, Balance, Balances, Runtime, RuntimeEvent, RuntimeOrigin, System, Training,
    TrainingFund,
};
use chasqui_primitives::{
    audit::{HardReason, Stage, Subject, Verdict},
    training::{
        whole_sequences, AuditTerms, Codec, Failure, InnerOptimizer, ModelState, Outer, Owed,
        Phase, Ranks, Recipe, RoundReport, RunTerms, Schedule, Start, Timing, Trains,
    },
    traits::{DatasetTerms, Datasets as _, TrainingFund as _},
    CaseId, Roles, RunId,
};
use frame_support::traits::{fungible::Mutate, tokens::Preservation};
use parity_scale_codec::Encode;
use sp_core::H256;
use std::collections::BTreeMap;

const MEMBERS: u8 = 4;
const VALIDATORS: u8 = 6;
/// An operator that neither trains nor judges.
const WATCHER: u8 = 11;
/// Who submits the dataset, and gives to the fund.
const FRIEND: u8 = 12;
const GIFT: Balance = 100 * DOT;
const ROUND_PAY: Balance = 8 * DOT;
const RUN: RunId = 0;
const FALSE: Verdict = Verdict::Hard(HardReason::Mismatch);

fn dataset() -> H256 {
    H256::repeat_byte(0xDA)
}

fn terms(rounds: u32) -> RunTerms {
    RunTerms {
        start: Start::Checkpoint(root(0)),
        dataset: dataset(),
        sequences: whole_sequences(49_500, 64),
        recipe: Recipe {
            inner_steps: 20,
            batch: 4,
            micro_batch: 2,
            sequence: 64,
            optimizer: InnerOptimizer::default(),
            schedule: Schedule {
                peak_nano: 1_000_000,
                warmup_steps: 10,
                total_steps: 100,
                floor_ppm: 100_000,
            },
            clip_milli: 1_000,
            outer: Outer::default(),
            codec: Codec::F32,
            norm_clip_ppm: 4_000_000,
            segments: 4,
            trains: Trains::Full,
        },
        rounds,
        round_pay: ROUND_PAY,
        min_members: 2,
        max_members: 4,
        timing: Timing {
            forming_blocks: 2,
            warmup_blocks: 20,
            train_blocks: 20,
            grace_blocks: 5,
            spread_percent: 300,
            exchange_blocks: 10,
            attest_blocks: 10,
            audit_blocks: 200,
            agree_blocks: 10,
            challenge_blocks: 8,
            idle_blocks: 300,
            max_missed: 2,
            max_void: 3,
        },
        audit: AuditTerms {
            segments: 1,
            soft_ppm: 1,
            hard_ppm: 2,
            evidence_tau: 8,
        },
    }
}

/// A chain with a checkpoint, a usable dataset, money in the fund, and a run of four members whom six validators judge.
fn gathered(rounds: u32) {
    gathered_as(COMPUTE, rounds)
}

fn gathered_as(roles: Roles, rounds: u32) {
    network(MEMBERS, VALIDATORS, 7);
    for n in 0..MEMBERS {
        let set_roles = pallet_operators::Call::<Runtime>::set_roles { roles };
        send(&person(n), set_roles).unwrap();
    }
    register(WATCHER, VALIDATE);
    await_epoch(current_epoch() + 2);
    let submit = pallet_datasets::Call::<Runtime>::submit {
        root: dataset(),
        terms: DatasetTerms {
            bytes: 72 + 2 * 50_000,
            tokens: 50_000,
            held_out: 500,
            vocabulary: 100,
            tokenizer: H256::repeat_byte(7),
        },
        licence: b"CC0-1.0".to_vec().try_into().unwrap(),
        description: b"Letters".to_vec().try_into().unwrap(),
    };
    send(&person(FRIEND), submit).unwrap();
    await_some(200, || {
        judges_act(&|_| Verdict::Valid);
        crate::Datasets::usable(&dataset())
    });
    let fund = TrainingFund::account();
    Balances::transfer(&person(FRIEND), &fund, GIFT, Preservation::Preserve).unwrap();

    let create = pallet_training::Call::<Runtime>::create_run {
        terms: Box::new(terms(rounds)),
    };
    assert!(send(&person(0), create.clone()).is_err());
    dispatch(RuntimeOrigin::root(), create).unwrap();
    assert_eq!(TrainingFund::reserved(RUN), ROUND_PAY * u128::from(rounds));
    let checkpoint = run().around.root;
    for n in 0..MEMBERS + VALIDATORS {
        let serve = pallet_operators::Call::<Runtime>::serve { checkpoint };
        send(&hot_key(n), serve).unwrap();
    }
    // Until their weights are frozen nobody could judge.
    await_epoch(current_epoch() + 2);
    for n in 0..MEMBERS {
        let class = H256::repeat_byte(n);
        send(
            &hot_key(n),
            pallet_training::Call::<Runtime>::join { run: RUN, class },
        )
        .unwrap();
    }
}

fn run() -> pallet_training::RunRecordOf<Runtime> {
    pallet_training::Runs::<Runtime>::get(RUN).unwrap()
}

fn report(who: &AccountId, round: u32) -> RoundReport {
    let part = |part: u8| H256(sp_io::hashing::blake2_256(&(who, round, part).encode()));
    let recipe = terms(1).recipe;
    RoundReport {
        gradient: part(0),
        kept: part(1),
        leaves: recipe.segments + 1,
        tokens: recipe.tokens_per_round(),
        units: recipe.tokens_per_round(),
        loss_micro: 3_000_000,
        norm_milli: 1_500,
    }
}

/// What a round ends in; 0 is right.
fn model(round: u32, value: u8) -> ModelState {
    let part = |part: u8| H256(sp_io::hashing::blake2_256(&(round, value, part).encode()));
    ModelState {
        hash: part(0),
        params: part(1),
        momentum: part(2),
        checkpoint: part(3),
    }
}

/// Every member does what the run waits for, with its hot key; all say that rounds end in model `value`.
fn members_act(value: u8) {
    let genesis = System::block_hash(0);
    for n in 0..MEMBERS {
        let (who, key) = (person(n), hot_key(n));
        let Some(task) = Training::tasks(who.clone()).pop() else {
            continue;
        };
        let (run, round) = (RUN, task.round);
        let report = report(&who, round);
        let call = match task.owed {
            None => continue,
            Some(Owed::Heartbeat) => pallet_training::Call::<Runtime>::heartbeat { run },
            Some(Owed::Commitment { .. }) => pallet_training::Call::commit {
                run,
                round,
                commitment: report.commitment(&genesis, &who, run, round, &SALT),
            },
            Some(Owed::Report { .. }) => pallet_training::Call::reveal {
                run,
                round,
                report,
                salt: SALT,
            },
            Some(Owed::Attestation { .. }) => {
                let members = Training::round(run, round).unwrap().members;
                pallet_training::Call::attest {
                    run,
                    round,
                    ranks: Ranks::of(members, 0..members),
                }
            }
            Some(Owed::Model { .. }) => pallet_training::Call::agree {
                run,
                round,
                model: model(round, value),
            },
        };
        send(&key, call).unwrap();
    }
}

/// Every auditor does what its open cases wait for, and finds what `verdict` says.
fn judges_act(verdict: &dyn Fn(CaseId) -> Verdict) {
    let duties: Vec<(AccountId, CaseId, Stage)> =
        pallet_audits::Duties::<Runtime>::iter().collect();
    for (auditor, case, stage) in duties {
        let Some(open) = Audits::case(case) else {
            continue;
        };
        let verdict = verdict(case);
        let call = match open.phase {
            pallet_audits::Phase::Commit { .. } => {
                let commitment = sealed(case, stage, &auditor, verdict, &evidence());
                pallet_audits::Call::<Runtime>::commit { case, commitment }
            }
            pallet_audits::Phase::Reveal { .. } => pallet_audits::Call::reveal {
                case,
                verdict,
                evidence: evidence(),
                salt: SALT,
            },
            _ => continue,
        };
        // Refused where it has done that already.
        let _ = send(&auditor, call);
    }
}

/// Members and judges act, blocks pass, and everything is checked after each, until `done`. Returns what was paid to whom,
/// and what was taken from whom.
fn live(
    value: u8,
    verdict: &dyn Fn(CaseId) -> Verdict,
    done: impl Fn() -> bool,
) -> (BTreeMap<AccountId, Balance>, BTreeMap<AccountId, Balance>) {
    let (mut paid, mut slashed) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..700 {
        if done() {
            return (paid, slashed);
        }
        members_act(value);
        judges_act(verdict);
        next_block();
        check_state();
        for record in System::events() {
            match record.event {
                RuntimeEvent::Training(pallet_training::Event::Paid { who, amount, .. }) => {
                    *paid.entry(who).or_default() += amount;
                }
                RuntimeEvent::Training(pallet_training::Event::Slashed { who, amount, .. }) => {
                    let before = slashed.insert(who, amount);
                    assert_eq!(before, None, "slashed twice");
                }
                _ => {}
            }
        }
    }
    panic!("it did not come: {:?}", run());
}

fn bond(who: &AccountId) -> Balance {
    held(pallet_operators::HoldReason::Bond, who)
}

/// Whether a case is about the work of `who`.
fn is_about(case: CaseId, who: &AccountId) -> bool {
    Audits::case(case).is_some_and(|case| {
        case.operator == *who && matches!(case.subject, Subject::Training { .. })
    })
}

#[test]
fn run_of_four_finds_a_cheat_pays_the_others_and_makes_a_checkpoint() {
    chain(51).execute_with(|| {
        // GIVEN a run of four, of whom one never trains
        gathered(2);
        let cheat = person(2);
        let verdict = |case: CaseId| {
            if is_about(case, &cheat) {
                FALSE
            } else {
                Verdict::Valid
            }
        };

        // WHEN two rounds pass
        let (paid, slashed) = live(0, &verdict, || run().head.phase.is_over());

        // THEN the run has finished, and paid three, of the first round a quarter each, of the second a third
        assert_eq!(run().head.phase, Phase::Finished);
        assert_eq!(run().head.finals, 2);
        let each = ROUND_PAY / 4 + ROUND_PAY / 3;
        let expected: BTreeMap<_, _> = [0, 1, 3].map(|n| (person(n), each)).into();
        assert_eq!(paid, expected);
        // AND what was not earned is the fund's again
        assert_eq!(TrainingFund::reserved(RUN), 0);
        assert_eq!(TrainingFund::free(), GIFT - 3 * each);
        assert_eq!(
            wealth(&TrainingFund::account()),
            EXISTENTIAL_DEPOSIT + GIFT - 3 * each
        );

        // AND the cheat has lost a part of its bond, once, and is out with its deposit back
        let taken = slashed[&cheat];
        assert_eq!(slashed.len(), 1);
        assert!(taken > 0);
        assert_eq!(bond(&cheat), BOND - taken);
        assert_eq!(held(pallet_training::HoldReason::Member, &cheat), 0);
        let record = pallet_operators::Operators::<Runtime>::get(&cheat).unwrap();
        assert_eq!(record.liabilities, 0);
        for n in [0, 1, 3] {
            assert_eq!(bond(&person(n)), BOND);
        }

        // AND the dataset's contributor has points for it, and may withdraw it
        let withdraw = pallet_datasets::Call::<Runtime>::withdraw { dataset: 0 };
        send(&person(FRIEND), withdraw).unwrap();

        // AND what it made can be registered, by any operator, once
        let register = pallet_training::Call::<Runtime>::register_checkpoint { run: RUN };
        assert!(send(&person(FRIEND), register.clone()).is_err());
        send(&hot_key(WATCHER), register.clone()).unwrap();
        assert!(send(&hot_key(WATCHER), register).is_err());
        let made = model(1, 0).checkpoint;
        let lineage = pallet_checkpoints::Lineages::<Runtime>::get(made).unwrap();
        assert_eq!(
            (lineage.parent, lineage.run, lineage.round),
            (Some(root(0)), RUN, 1)
        );
        assert_eq!(lineage.dataset, dataset());
        assert!(pallet_checkpoints::Registry::<Runtime>::contains_key(made));
        check_state();

        // AND operators may serve it, but no longer the run
        let serve = |checkpoint| pallet_operators::Call::<Runtime>::serve { checkpoint };
        send(&hot_key(WATCHER), serve(made)).unwrap();
        assert!(send(&hot_key(WATCHER), serve(run().around.root)).is_err());
    });
}

#[test]
fn members_of_a_run_do_not_judge_it() {
    chain(52).execute_with(|| {
        // GIVEN a run whose members validate too, and serve it as validators do
        let both = Roles {
            compute: true,
            validate: true,
        };
        gathered_as(both, 1);
        let (role, checkpoint) = (chasqui_primitives::Role::Validate, run().around.root);
        let frozen = crate::Operators::frozen(role, checkpoint).unwrap();
        let index = pallet_operators::Indices::<Runtime>::get((frozen.epoch, role, checkpoint));
        assert_eq!(index.len(), usize::from(MEMBERS + VALIDATORS));
        // WHEN cases about them are open
        live(0, &|_| Verdict::Valid, || {
            matches!(run().head.phase, Phase::Audit { .. })
        });
        let cases: Vec<_> = pallet_audits::Cases::<Runtime>::iter_keys().collect();
        assert_eq!(cases.len(), usize::from(MEMBERS));
        // THEN none of the members has a duty in one
        for case in cases {
            let duties = pallet_audits::Duties::<Runtime>::iter();
            let judges: Vec<_> = duties.filter(|(_, of, _)| *of == case).collect();
            assert_eq!(judges.len(), 3);
            for (judge, ..) in judges {
                assert!((0..MEMBERS).all(|n| person(n) != judge));
            }
        }
        // AND nobody can withdraw its bond meanwhile
        let record = pallet_operators::Operators::<Runtime>::get(person(1)).unwrap();
        assert!(record.liabilities > 0);
    });
}

#[test]
fn false_model_is_undone_by_whoever_challenges_it() {
    chain(53).execute_with(|| {
        // GIVEN four members who agree on a model that does not follow from their work
        gathered(3);
        live(1, &|_| Verdict::Valid, || run().head.pending.is_some());
        assert_eq!(run().head.model, Some(model(0, 1)));

        // WHEN an operator challenges it, and validators find so
        let before = wealth(&person(WATCHER));
        let challenge = pallet_training::Call::<Runtime>::challenge {
            run: RUN,
            round: 0,
            model: model(0, 0),
        };
        assert!(send(&person(FRIEND), challenge.clone()).is_err());
        send(&hot_key(WATCHER), challenge).unwrap();
        let deposit = pallet_training::HoldReason::Challenge;
        assert_eq!(held(deposit, &person(WATCHER)), DOT);
        let verdict = |case: CaseId| match Audits::case(case).map(|case| case.subject) {
            Some(Subject::TrainingOuter { .. }) => FALSE,
            _ => Verdict::Valid,
        };
        let (_, slashed) = live(1, &verdict, || run().head.pending.is_none());

        // THEN the model is what it was, all four are slashed and out, and the challenger has its part
        assert_eq!((run().head.model, run().head.finals), (None, 0));
        let members: Vec<_> = (0..MEMBERS).map(person).collect();
        assert!(members.iter().all(|who| slashed.contains_key(who)));
        assert_eq!(slashed.len(), members.len());
        assert_eq!(held(deposit, &person(WATCHER)), 0);
        assert!(wealth(&person(WATCHER)) > before);

        // AND without members the run fails, and all of its budget returns
        let (paid, more) = live(0, &|_| Verdict::Valid, || run().head.phase.is_over());
        assert_eq!((paid.len(), more.len()), (0, 0));
        assert_eq!(run().head.phase, Phase::Failed(Failure::Idle));
        assert_eq!(TrainingFund::free(), GIFT);
        // Nothing was made.
        let register = pallet_training::Call::<Runtime>::register_checkpoint { run: RUN };
        assert!(send(&hot_key(WATCHER), register).is_err());
        check_state();
    });
}

#[test]
fn challenge_of_a_true_model_costs_its_deposit() {
    chain(54).execute_with(|| {
        gathered(1);
        live(0, &|_| Verdict::Valid, || run().head.pending.is_some());
        let before = wealth(&person(WATCHER));
        let challenge = pallet_training::Call::<Runtime>::challenge {
            run: RUN,
            round: 0,
            model: model(0, 1),
        };
        send(&hot_key(WATCHER), challenge).unwrap();
        let (paid, slashed) = live(0, &|_| Verdict::Valid, || run().head.phase.is_over());
        assert_eq!(run().head.phase, Phase::Finished);
        assert_eq!(wealth(&person(WATCHER)), before - DOT);
        assert_eq!((paid.len(), slashed.len()), (4, 0));
        assert_eq!(TrainingFund::free(), GIFT - ROUND_PAY);
    });
}
