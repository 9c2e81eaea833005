//! Long random sequences of everything that anybody can do, good and bad, with every invariant
//! checked after each step.
//!
//! 1. `try_state` holds, and the stand-ins agree: liabilities, open cases, locks, the pot.
//! 2. No planck is made or lost.
//! 3. A call that fails changes nothing.
//! 4. Left alone, every job ends, and then nothing is on hold.

use super::*;
use chasqui_primitives::audit::HardReason;
use frame_support::StorageNoopGuard;
use proptest::{
    prelude::*,
    test_runner::{Config as ProptestConfig, RngAlgorithm, TestRng, TestRunner},
};
use std::{cell::RefCell, collections::BTreeSet};

#[derive(Clone, PartialEq, Debug)]
enum Op {
    Submit {
        client: u64,
        checkpoint: u8,
        prompt: u8,
        max_tokens: u32,
        max_price: Balance,
        premium: bool,
    },
    Cancel {
        pick: usize,
        client: u64,
    },
    Acknowledge {
        pick: usize,
        signer: u8,
        good: bool,
    },
    Refuse {
        pick: usize,
        signer: u8,
        reason: u8,
    },
    Commit {
        pick: usize,
        signer: u8,
        fault: u8,
    },
    Close {
        pick: usize,
        decision: u8,
    },
    Blocks(u64),
    Reputation {
        operator: u64,
        percent: u32,
    },
    Bond {
        operator: u64,
        slashable: Balance,
    },
    Electorate(bool),
    Redraws(u32),
}

fn op() -> impl Strategy<Value = Op> {
    let pick = || 0..8usize;
    prop_oneof![
        6 => (1..=3u64, 0..10u8, 0..6u8, 0..20u32, prop_oneof![Just(100), Just(10_000)], any::<bool>())
            .prop_map(|(client, checkpoint, prompt, max_tokens, max_price, premium)| {
                Op::Submit { client, checkpoint, prompt, max_tokens, max_price, premium }
            }),
        1 => (pick(), 1..=2u64).prop_map(|(pick, client)| Op::Cancel { pick, client }),
        4 => (pick(), 0..5u8, any::<bool>())
            .prop_map(|(pick, signer, good)| Op::Acknowledge { pick, signer, good }),
        3 => (pick(), 0..5u8, 0..3u8)
            .prop_map(|(pick, signer, reason)| Op::Refuse { pick, signer, reason }),
        10 => (pick(), 0..5u8, 0..14u8)
            .prop_map(|(pick, signer, fault)| Op::Commit { pick, signer, fault }),
        6 => (pick(), 0..5u8).prop_map(|(pick, decision)| Op::Close { pick, decision }),
        8 => (1..6u64).prop_map(Op::Blocks),
        1 => (0..OPERATORS, 0..=100u32)
            .prop_map(|(operator, percent)| Op::Reputation { operator, percent }),
        1 => (0..OPERATORS, prop_oneof![Just(0), Just(400), Just(RICH)])
            .prop_map(|(operator, slashable)| Op::Bond { operator, slashable }),
        1 => any::<bool>().prop_map(Op::Electorate),
        1 => (0..4u32).prop_map(Op::Redraws),
    ]
}

/// A live job, whichever `pick` says.
fn live(pick: usize) -> Option<JobId> {
    let mut ids: Vec<_> = Jobs::<Test>::iter_keys().collect();
    ids.sort();
    (!ids.is_empty()).then(|| ids[pick % ids.len()])
}

/// A job that its executor should work on, or else any live job.
fn in_work(pick: usize) -> Option<JobId> {
    let busy = |job: &JobOf<Test>| job.stage.agenda_block().is_some() && !job.stage.is_committed();
    let mut ids: Vec<_> = Jobs::<Test>::iter().filter(|(_, job)| busy(job)).collect();
    ids.sort_by_key(|(id, _)| *id);
    match ids.len() {
        0 => live(pick),
        count => Some(ids[pick % count].0),
    }
}

/// Mostly the executor, by either account; else somebody hostile.
fn signer(id: JobId, signer: u8) -> AccountId {
    let Some(n) = job(id).executor().map(number_of) else {
        return hot(0);
    };
    match signer {
        0 | 1 => hot(n),
        2 => operator(n),
        3 => hot((n + 1) % OPERATORS),
        _ => account(ALICE),
    }
}

/// Calls, and if that fails nothing may have changed.
fn attempt(call: Call<Test>, who: &AccountId) {
    let guard = StorageNoopGuard::default();
    match dispatch(call, who) {
        Ok(()) => core::mem::forget(guard),
        Err(_) => drop(guard),
    }
}

fn prompt(kind: u8) -> Prompt {
    match kind {
        0 => ids_prompt(&[]),
        1 => text_prompt("Quipu"),
        2 | 5 => blob_prompt(&[1, 7, 8]),
        3 => ids_prompt(&[1, VOCABULARY]),
        _ => ids_prompt(&[1, 5, 6]),
    }
}

/// Something between a good answer and an impudent one.
fn commitment(id: JobId, fault: u8) -> Commitment {
    let limit = job(id).sampling.max_tokens;
    let full = || answer_with(id, &vec![9; limit as usize], FinishReason::Length);
    let wrong = |change: fn(&mut Commitment)| {
        let mut commitment = full();
        change(&mut commitment);
        sign(id, &mut commitment);
        commitment
    };
    match fault {
        0 => wrong(|c| c.price += 1),
        1 => wrong(|c| c.output_tokens += 1),
        2 => wrong(|c| c.output_hash = H256::zero()),
        3 => wrong(|c| c.prompt_hash = H256::zero()),
        4 => wrong(|c| c.finish = FinishReason::Cancelled),
        5 => {
            let mut unsigned = full();
            unsigned.trace_root = H256::zero();
            unsigned
        }
        6 => {
            let mut blob = full();
            blob.output = Output::Blob(H256::zero());
            blob
        }
        7 => answer_with(id, &[END_TOKEN], FinishReason::Stop),
        _ => full(),
    }
}

fn apply(op: Op) {
    match op {
        Op::Submit {
            client,
            checkpoint,
            prompt: kind,
            max_tokens,
            max_price,
            premium,
        } => {
            let call = Call::submit {
                checkpoint: match checkpoint {
                    0 => UNPAYABLE,
                    1 => UNSERVED,
                    2 => H256::zero(),
                    _ => CHECKPOINT,
                },
                prompt: prompt(kind),
                salt: SALT,
                sampling: Sampling::greedy(max_tokens),
                max_price,
                class: if premium {
                    JobClass::Premium
                } else {
                    JobClass::Standard
                },
            };
            attempt(call, &account(client));
        }
        Op::Cancel { pick, client } => {
            if let Some(job) = live(pick) {
                attempt(Call::cancel { job }, &account(client));
            }
        }
        Op::Acknowledge {
            pick,
            signer: who,
            good,
        } => {
            if let Some(id) = live(pick) {
                let mut known = match Prompts::<Test>::get(id).expect("live") {
                    Prompt::Ids(ids) => facts(&ids),
                    Prompt::Blob { .. } => facts(&[1, 7, 8]),
                    Prompt::Text(_) => PromptFacts {
                        hash: H256::repeat_byte(6),
                        tokens: 5,
                    },
                };
                if !good {
                    known.tokens += 9;
                }
                let call = Call::acknowledge {
                    job: id,
                    prompt_hash: known.hash,
                    prompt_tokens: known.tokens,
                };
                attempt(call, &signer(id, who));
            }
        }
        Op::Refuse {
            pick,
            signer: who,
            reason,
        } => {
            if let Some(job) = live(pick) {
                let reason = match reason {
                    0 => RefusalReason::PromptMissing,
                    1 => RefusalReason::Busy,
                    _ => RefusalReason::ModelUnavailable,
                };
                attempt(Call::refuse { job, reason }, &signer(job, who));
            }
        }
        Op::Commit {
            pick,
            signer: who,
            fault,
        } => {
            if let Some(id) = in_work(pick).filter(|id| job(*id).executor().is_some()) {
                let commitment = commitment(id, fault);
                attempt(
                    Call::commit {
                        job: id,
                        commitment,
                    },
                    &signer(id, who),
                );
            }
        }
        Op::Close { pick, decision } => {
            let mut cases: Vec<_> = OpenCases::iter_keys().collect();
            cases.sort();
            if !cases.is_empty() {
                let decision = match decision {
                    0 => Decision::Hard(HardReason::Margin),
                    1 => Decision::Soft,
                    2 => Decision::Undecided,
                    _ => Decision::Valid,
                };
                close(cases[pick % cases.len()], decision);
            }
        }
        Op::Blocks(count) => run_blocks(count),
        Op::Reputation {
            operator: n,
            percent,
        } => Registry::mutate_exists(operator(n), |operator| {
            operator.as_mut().expect("known").reputation = Perbill::from_percent(percent)
        }),
        Op::Bond {
            operator: n,
            slashable,
        } => Registry::mutate_exists(operator(n), |operator| {
            operator.as_mut().expect("known").slashable = slashable
        }),
        Op::Electorate(gone) => NoElectorate::put(gone),
        Op::Redraws(max_redraws) => {
            let params = ParamsOf::<Test> {
                max_redraws,
                ..params()
            };
            Pallet::<Test>::set_params(RuntimeOrigin::root(), params).expect("in range");
        }
    }
}

/// What happened to jobs, by name.
fn happenings() -> BTreeSet<String> {
    let name = |event: Event<Test>| match event {
        Event::Settled { audited, .. } => format!("settled, audited: {audited}"),
        Event::Refunded { reason, .. } => format!("refunded: {reason:?}"),
        Event::Expired { reason, .. } => format!("expired: {reason:?}"),
        Event::AuditPostponed { .. } => "audit postponed".into(),
        Event::DeadlineMissed { .. } => "deadline missed".into(),
        Event::Refused { reason, .. } => format!("refused: {reason:?}"),
        _ => "other".into(),
    };
    let events = System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Jobs(event) => Some(name(event)),
            _ => None,
        });
    events.collect()
}

fn run(ops: Vec<Op>, tight: bool, entropy: u64) -> BTreeSet<String> {
    new_test_ext().execute_with(|| {
        let issuance = Balances::total_issuance();
        let check = || {
            check_invariants();
            assert_eq!(
                Balances::total_issuance(),
                issuance,
                "no planck made or lost"
            );
        };
        Entropy::put(entropy);
        for n in (0..OPERATORS).step_by(2) {
            apply(Op::Reputation {
                operator: n,
                percent: 100,
            });
        }
        if tight {
            // One or two matters a block, and seeds that are soon forgotten.
            let each = Pallet::<Test>::most_draw_weight().max(Pallet::<Test>::deadline_weight());
            ServiceWeight::set(each.saturating_add(Pallet::<Test>::base_weight() * 2) * 2);
            History::put(6);
        }
        for op in ops {
            apply(op);
            check();
        }
        // Left alone: cases close, blocks go by.
        NoElectorate::put(false);
        History::kill();
        for _ in 0..400 {
            if Jobs::<Test>::iter_keys().next().is_none() {
                break;
            }
            run_blocks(4);
            let cases: Vec<_> = OpenCases::iter_keys().collect();
            cases
                .into_iter()
                .for_each(|case| close(case, Decision::Valid));
        }
        check();
        assert_eq!(Jobs::<Test>::iter_keys().count(), 0, "every job ends");
        for client in [ALICE, BOB, PAUPER] {
            assert_eq!(held(HoldReason::Escrow, client), 0);
            assert_eq!(held(HoldReason::Deposit, client), 0);
        }
        happenings()
    })
}

fn sequences() -> impl Strategy<Value = (Vec<Op>, bool, u64)> {
    (
        prop::collection::vec(op(), 1..120),
        any::<bool>(),
        any::<u64>(),
    )
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..Default::default()
    }
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn invariants_hold_after_every_step((ops, tight, entropy) in sequences()) {
        run(ops, tight, entropy);
    }
}

#[test]
fn the_sequences_reach_every_end_of_a_job() {
    // GIVEN the same 64 sequences every time
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config(64), rng);
    let seen = RefCell::new(BTreeSet::new());
    // WHEN they have run
    let result = runner.run(&sequences(), |(ops, tight, entropy)| {
        seen.borrow_mut().extend(run(ops, tight, entropy));
        Ok(())
    });
    assert_eq!(result, Ok(()));
    // THEN jobs have ended in every way that there is
    let seen = seen.into_inner();
    for end in [
        "settled, audited: false",
        "settled, audited: true",
        "refunded: Hard",
        "refunded: Soft",
        "refunded: Undecided",
        "expired: NoExecutor",
        "expired: DeadlinesLapsed",
        "expired: PromptMissing",
        "expired: Cancelled",
        "audit postponed",
        "deadline missed",
        "refused: Busy",
    ] {
        assert!(seen.contains(end), "{end} is not among {seen:?}");
    }
}
