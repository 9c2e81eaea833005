//! Random sequences of everything that can happen: after each block the pallet's checks hold, everything that left the pot
//! is booked, and no money appeared or vanished.

use crate::{mock::*, *};
use chasqui_primitives::{traits::OnOperatorLeft, DOT};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Happening {
    Register(AccountId, u64),
    Leave(AccountId),
    Work(AccountId, u128),
    Vote(AccountId, Balance),
    Clear(AccountId),
    Params(Params),
    Epoch,
    Blocks(u32),
}

fn changed() -> impl Strategy<Value = Params> {
    (
        1..2_000u128,
        0..100_000u128,
        0..DOT,
        prop_oneof![Just(Balance::MAX), 0..100_000u128],
        1..50_000u32,
        28..40u32,
    )
        .prop_map(
            |(lowest, above, programme, epoch_budget, year_blocks, retention)| Params {
                lowest_price: lowest,
                highest_price: lowest + above,
                programme,
                epoch_budget,
                year_blocks,
                retention,
                ..params()
            },
        )
}

fn steps() -> impl Strategy<Value = Vec<Happening>> {
    let who = 1..14u64;
    let step = prop_oneof![
        4 => (who.clone(), 0..1_000u64).prop_map(|(who, weight)| Happening::Register(who, weight)),
        1 => who.clone().prop_map(Happening::Leave),
        8 => (who.clone(), prop_oneof![0..100_000u128, 0..1u128 << 70]).prop_map(|(who, units)| Happening::Work(who, units)),
        4 => (who.clone(), prop_oneof![0..2_000u128, any::<u128>()]).prop_map(|(who, price)| Happening::Vote(who, price)),
        1 => who.prop_map(Happening::Clear),
        1 => changed().prop_map(Happening::Params),
        6 => Just(Happening::Epoch),
        8 => (1..8u32).prop_map(Happening::Blocks),
    ];
    prop::collection::vec(step, 1..120)
}

fn apply(step: Happening) {
    // Votes and parameters may be refused: then nothing changes.
    match step {
        Happening::Register(who, weight) => World::register(who, weight),
        Happening::Leave(who) => {
            World::with(|world| world.weights.remove(&who));
            <Economy as OnOperatorLeft<AccountId>>::on_operator_left(&who);
        }
        Happening::Work(who, units) => World::work(who, units),
        Happening::Vote(who, price) => {
            let _ = vote(who, price);
        }
        Happening::Clear(who) => {
            let _ = Economy::clear_price_vote(RuntimeOrigin::signed(who), who);
        }
        Happening::Params(params) => {
            let _ = Economy::set_params(RuntimeOrigin::root(), params);
        }
        Happening::Epoch => World::with(|world| world.epoch += 1),
        Happening::Blocks(blocks) => (0..blocks).for_each(|_| block()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sums_hold_after_every_step(steps in steps(), size in 1..6u32) {
        new_test_ext().execute_with(|| {
            Step::set(size);
            let before = Balances::total_issuance();
            for step in steps {
                let shown = format!("{step:?}");
                apply(step);
                if let Err(error) = Economy::do_try_state() {
                    panic!("after {shown}: {error:?}");
                }
                check();
                assert_eq!(Balances::total_issuance(), before);
            }
        });
    }
}
