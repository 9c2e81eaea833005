//! Random sequences of everything that can happen to datasets: after each step the pallet's checks hold, no planck has
//! appeared or vanished, and nobody has more points than runs may earn.

use crate::{mock::*, *};
use chasqui_primitives::{audit::Decision, traits::Datasets as _, DOT};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Submit(AccountId, u8, u64),
    Withdraw(AccountId, DatasetId),
    Delist(DatasetId),
    Close(usize, Decision),
    Begin(u8, RunId),
    End(u8, RunId),
    Credit(u8, RunId, Balance, u64),
    SetParams(Params),
    Judges(bool),
    Seeds(bool),
    Forget,
    Blocks(u64),
}

fn decisions() -> impl Strategy<Value = Decision> {
    prop_oneof![
        4 => Just(Decision::Valid),
        1 => Just(Decision::Hard(HardReason::Dataset)),
        1 => Just(Decision::Hard(HardReason::Withheld)),
        1 => Just(Decision::Soft),
        1 => Just(Decision::Undecided),
    ]
}

fn changed() -> impl Strategy<Value = Params> {
    (0..5 * DOT, 0..=DOT / 100, 0..=100u32, 1..4u32, 1..20u32).prop_map(
        |(deposit, fee, rejected_percent, max_tries, pause_blocks)| Params {
            deposit,
            fee,
            rejected_percent,
            max_tries,
            pause_blocks,
            ..params()
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = prop_oneof![Just(ALICE), Just(BOB), Just(3)];
    let root = 1..5u8;
    let run = 0..3u32;
    let id = 0..8u32;
    let step = prop_oneof![
        6 => (who.clone(), root.clone(), 1..1u64 << 36).prop_map(|(who, root, tokens)| Step::Submit(who, root, tokens)),
        2 => (who, id.clone()).prop_map(|(who, id)| Step::Withdraw(who, id)),
        1 => id.prop_map(Step::Delist),
        8 => (0..4usize, decisions()).prop_map(|(which, decision)| Step::Close(which, decision)),
        5 => (root.clone(), run.clone()).prop_map(|(root, run)| Step::Begin(root, run)),
        2 => (root.clone(), run.clone()).prop_map(|(root, run)| Step::End(root, run)),
        6 => (root, run, prop_oneof![0..2_000u128, any::<u128>()], prop_oneof![0..20_000u64, any::<u64>()])
            .prop_map(|(root, run, paid, units)| Step::Credit(root, run, paid, units)),
        1 => changed().prop_map(Step::SetParams),
        1 => any::<bool>().prop_map(Step::Judges),
        1 => any::<bool>().prop_map(Step::Seeds),
        1 => Just(Step::Forget),
        6 => (1..15u64).prop_map(Step::Blocks),
    ];
    prop::collection::vec(step, 1..120)
}

fn perform(step: Step) -> DispatchResult {
    match step {
        Step::Submit(who, of, tokens) => {
            return Datasets::submit(
                RuntimeOrigin::signed(who),
                root(of),
                terms(tokens),
                text("MIT"),
                text("text"),
            )
        }
        Step::Withdraw(who, id) => return Datasets::withdraw(RuntimeOrigin::signed(who), id),
        Step::Delist(id) => return Datasets::delist(RuntimeOrigin::root(), id),
        Step::Close(which, decision) => {
            let open = World::with(|world| world.cases.keys().copied().collect::<Vec<_>>());
            if let Some(case) = open.get(which) {
                let request = World::with(|world| world.cases.remove(case)).expect("it is open");
                use chasqui_primitives::traits::CaseSubjects;
                Datasets::on_closed(&request.subject, *case, decision, &[]);
            }
        }
        Step::Begin(of, run) => return Datasets::begin_use(&root(of), run),
        Step::End(of, run) => Datasets::end_use(&root(of), run),
        Step::Credit(of, run, paid, units) => Datasets::credit(&root(of), run, paid, units),
        Step::SetParams(params) => return Datasets::set_params(RuntimeOrigin::root(), params),
        Step::Judges(judges) => World::with(|world| world.judges = judges),
        Step::Seeds(come) => World::with(|world| world.seeds_come = come),
        Step::Forget => World::with(|world| world.forgotten = System::block_number() as u32),
        Step::Blocks(blocks) => run_for(blocks),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..Default::default() })]

    #[test]
    fn any_sequence_keeps_state_money_and_points_in_order(steps in steps(), room in 1..6u32) {
        new_test_ext().execute_with(|| {
            MaxUndecided::set(room);
            let issuance = Balances::total_issuance();
            let mut uses = 0u64;
            for step in steps {
                let begins = matches!(step, Step::Begin(..));
                // A call is a transaction, as it is in a block.
                let done = frame_support::storage::with_storage_layer(|| perform(step)).is_ok();
                uses += u64::from(begins && done);
                // I1: registry, deposits, uses and the list of the undecided agree.
                check();
                // I2: money only moves between free, held and reserve.
                assert_eq!(Balances::total_issuance(), issuance);
                // I3: no run earns anybody more than its cap.
                let points = World::points(ALICE) + World::points(BOB);
                assert!(points <= uses * params().max_points_per_run);
            }
            // I4: with seeds and judges, everything is decided in the end, and everything can leave.
            World::with(|world| {
                world.seeds_come = true;
                world.judges = true;
            });
            for _ in 0..40 {
                run_for(4);
                perform(Step::Close(0, Decision::Valid)).expect("it cannot fail");
                perform(Step::Close(0, Decision::Undecided)).expect("it cannot fail");
            }
            assert!(Datasets::undecided().is_empty());
            for (id, dataset) in Datasets::datasets(0, 100) {
                (0..3).for_each(|run| Datasets::end_use(&dataset.root, run));
                if Datasets::dataset(id).is_some() {
                    let who = RuntimeOrigin::signed(dataset.submitter);
                    Datasets::withdraw(who, id).expect("nobody uses it");
                }
            }
            check();
            assert_eq!(Registry::<Test>::iter().count(), 0);
            assert_eq!((held(ALICE), held(BOB)), (0, 0));
        });
    }
}
