//! Random sequences of everything that can happen to runs, all sides lying: after each step the pallet's checks hold, no
//! planck has appeared or vanished, no bond is held for nothing, and in the end every run is over and clean.

use crate::{mock::*, *};
use chasqui_primitives::training::Phase;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Create(u32, u32),
    Cancel(RunId),
    Join(AccountId, RunId),
    Leave(AccountId, RunId),
    /// Everybody whose bit is in the first mask does what is owed, lying where it is in the second.
    Act(RunId, u16, u16),
    /// Does something whether owed or not.
    Blurt(AccountId, RunId, u8, u32),
    Challenge(AccountId, RunId, u8),
    Close(usize, Decision),
    Register(AccountId, RunId),
    Evaluate(AccountId, u64),
    Withdraw(AccountId),
    Active(AccountId, bool),
    Judges(bool),
    Seeds(bool),
    Forget,
    SetParams(u128),
    Room(u64),
    Blocks(u64),
}

fn decisions() -> impl Strategy<Value = Decision> {
    prop_oneof![
        8 => Just(Decision::Valid),
        1 => Just(Decision::Soft),
        1 => Just(Decision::Undecided),
        2 => Just(FALSE),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = || COMPUTE.start..COMPUTE.end;
    let run = || 0..4u32;
    let most = || prop_oneof![Just(u16::MAX), any::<u16>(), any::<u16>()];
    let few = || prop_oneof![3 => Just(0u16), 1 => any::<u16>(), 1 => Just(u16::MAX)];
    let step = prop_oneof![
        2 => (1..4u32, 1..4u32).prop_map(|(rounds, min)| Step::Create(rounds, min)),
        1 => run().prop_map(Step::Cancel),
        5 => (who(), run()).prop_map(|(who, run)| Step::Join(who, run)),
        1 => (who(), run()).prop_map(|(who, run)| Step::Leave(who, run)),
        24 => (run(), most(), few()).prop_map(|(run, all, liars)| Step::Act(run, all, liars)),
        3 => (who(), run(), 0..5u8, any::<u32>())
            .prop_map(|(who, run, what, how)| Step::Blurt(who, run, what, how)),
        4 => (prop_oneof![who(), Just(25)], run(), 0..3u8)
            .prop_map(|(who, run, value)| Step::Challenge(who, run, value)),
        8 => (0..20usize, decisions()).prop_map(|(which, decision)| Step::Close(which, decision)),
        1 => (who(), run()).prop_map(|(who, run)| Step::Register(who, run)),
        1 => (20..24u64, 0..1_100u64).prop_map(|(who, tokens)| Step::Evaluate(who, tokens)),
        1 => (20..24u64).prop_map(Step::Withdraw),
        1 => (who(), any::<bool>()).prop_map(|(who, active)| Step::Active(who, active)),
        1 => prop_oneof![3 => Just(true), 1 => Just(false)].prop_map(Step::Judges),
        1 => prop_oneof![3 => Just(true), 1 => Just(false)].prop_map(Step::Seeds),
        1 => Just(Step::Forget),
        1 => (1..4 * MEMBER_DEPOSIT).prop_map(Step::SetParams),
        1 => prop_oneof![Just(0u64), 1..40u64].prop_map(Step::Room),
        16 => (1..5u64).prop_map(Step::Blocks),
        1 => (10..40u64).prop_map(Step::Blocks),
    ];
    prop::collection::vec(step, 1..160)
}

fn blurt(who: AccountId, run: RunId, what: u8, how: u32) -> DispatchResult {
    if !Runs::<Test>::contains_key(run) {
        return Training::leave(signed(who), run);
    }
    match what {
        0 => commit(who, run),
        // Often somebody else's.
        1 => reveal_as(who, run, report(u64::from(how) % 12, run, round(run))),
        2 => attest(who, run, (0..32).filter(|rank| how >> rank & 1 == 1)),
        3 => agree(who, run, how as u8 % 3),
        _ => call(|| Ok(Training::heartbeat(signed(who), run)?)),
    }
}

fn perform(step: Step) -> DispatchResult {
    let known = |run| Runs::<Test>::contains_key(run);
    match step {
        Step::Create(rounds, min) => {
            let terms = Box::new(terms(rounds, min, 6));
            return call(|| Ok(Training::create_run(RuntimeOrigin::root(), terms)?));
        }
        Step::Cancel(run) => {
            return call(|| Ok(Training::cancel_run(RuntimeOrigin::root(), run)?));
        }
        Step::Join(who, run) if known(run) => join(who, run)?,
        Step::Leave(who, run) => return call(|| Ok(Training::leave(signed(who), run)?)),
        Step::Act(run, all, liars) if known(run) => {
            for who in COMPUTE.filter(|who| all >> who & 1 == 1) {
                let done = act(who, run, liars >> who & 1 == 1);
                // What is owed can be done, but for those who are jailed, and whose work another gave away.
                let able = operator(who).active && done != Err(Error::<Test>::Mismatch.into());
                assert!(done.is_ok() || !able, "{done:?}");
            }
        }
        Step::Blurt(who, run, what, how) => return blurt(who, run, what, how),
        Step::Challenge(who, run, value) if known(run) => return challenge(who, run, value),
        Step::Close(which, decision) => {
            let open: Vec<_> = OpenCases::iter_keys().collect();
            if let Some(case) = open.get(which) {
                close(*case, decision);
            }
        }
        Step::Register(who, run) => {
            return call(|| Ok(Training::register_checkpoint(signed(who), run)?));
        }
        Step::Evaluate(who, tokens) => {
            let result = EvaluationResult {
                tokens,
                loss_micro: tokens,
            };
            return call(|| {
                Ok(Training::attest_evaluation(
                    signed(who),
                    BASE,
                    DATASET,
                    result,
                )?)
            });
        }
        Step::Withdraw(who) => {
            return call(|| Ok(Training::withdraw_evaluation(signed(who), BASE, DATASET)?));
        }
        Step::Active(who, active) => change(who, |operator| operator.active = active),
        Step::Judges(there) => NoElectorate::put(!there),
        Step::Seeds(come) => NoSeeds::put(!come),
        Step::Forget => Forgotten::put(System::block_number() as u32),
        Step::SetParams(deposit) => {
            let params = Params {
                member_deposit: deposit,
                challenge_deposit: deposit,
                evaluation_deposit: deposit,
            };
            return Training::set_params(RuntimeOrigin::root(), params);
        }
        Step::Room(steps) => {
            let looks = <() as WeightInfo>::look() * u64::from(MaxRuns::get());
            let least = looks + <() as WeightInfo>::serve_base();
            ServiceWeight::set(least + Training::most_step_weight() * (steps + 1));
        }
        Step::Blocks(blocks) => run_for(blocks),
        Step::Join(..) | Step::Act(..) | Step::Challenge(..) => {}
    }
    Ok(())
}

/// Everybody stops; seeds, verdicts and blocks come until all runs are over.
fn finish() {
    NoSeeds::put(false);
    ServiceWeight::set(PLENTY);
    for _ in 0..400 {
        for (case, _) in OpenCases::iter().collect::<Vec<_>>() {
            close(case, Decision::Valid);
        }
        if Live::<Test>::get().is_empty() {
            break;
        }
        run_for(1);
    }
    assert!(Live::<Test>::get().is_empty(), "a run never ends");
    assert_eq!(OpenCases::iter().count(), 0);
    for (_, record) in Runs::<Test>::iter() {
        let finished = record.head.phase == Phase::Finished;
        assert!(!finished || record.head.finals > 0);
    }
    assert_eq!(Seats::<Test>::iter().count(), 0);
    assert_eq!(Rounds::<Test>::iter().count(), 0);
    assert_eq!(Contributions::<Test>::iter().count(), 0);
    assert_eq!(Revealed::<Test>::iter().count(), 0);
    assert_eq!(Votes::<Test>::iter().count(), 0);
    assert_eq!(
        Times::<Test>::iter().count() + Tallies::<Test>::iter().count(),
        0
    );
    assert_eq!(Earmarks::iter().count() + Uses::iter().count(), 0);
    for who in COMPUTE.chain(VALIDATORS) {
        assert_eq!(held(HoldReason::Member, who), 0);
        assert_eq!(held(HoldReason::Challenge, who), 0);
        assert_eq!(operator(who).liabilities, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..Default::default() })]

    #[test]
    fn any_sequence_keeps_records_money_and_bonds_in_order(steps in steps(), min in 1..4u32) {
        new_test_ext().execute_with(|| {
            let issuance = Balances::total_issuance();
            let mut hard = 0;
            // Most sequences begin with a run that trains, so that something happens in them.
            let run = create(terms(4, min, 8));
            gather(run, 6);
            for step in steps {
                if let Step::Close(which, FALSE) = step {
                    hard += usize::from(OpenCases::iter_keys().count() > which);
                }
                let lies = slashed().len();
                let _ = perform(step);
                // I1: records, seats, deposits, bonds and earmarks agree.
                check();
                // I2: money only moves between free, held, fund and reserve.
                assert_eq!(Balances::total_issuance(), issuance);
                // I3: nobody is slashed but for a proven lie.
                assert!(slashed().len() == lies || hard > 0);
            }
            // I4: everything ends, and everything is given back.
            finish();
            assert_eq!(Balances::total_issuance(), issuance);
        });
    }
}
