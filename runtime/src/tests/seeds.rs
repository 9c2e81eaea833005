//! Seeds out of the relay chain's randomness.

use super::and_try_state;
use crate::{
    randomness::{self, Pallet as Randomness, RelayBlockNumber},
    Runtime,
};
use chasqui_primitives::{
    hash::{tag, tagged_hash},
    traits::{Randomness as Draws, SeedExpired},
};
use cumulus_pallet_parachain_system::LastRelayChainBlockNumber;
use proptest::prelude::*;
use sp_core::H256;
use sp_runtime::BuildStorage;

fn new(parents_per_seed: u32) -> sp_io::TestExternalities {
    let config = randomness::GenesisConfig::<Runtime> {
        delay: 8,
        parents_per_seed,
        insecure: false,
        _config: Default::default(),
    };
    config.build_storage().unwrap().into()
}

fn observe(number: RelayBlockNumber) {
    Randomness::<Runtime>::observe(number, [number as u8; 32]);
}

fn seed(due: RelayBlockNumber) -> Option<H256> {
    Randomness::<Runtime>::seed_at(due).expect("not forgotten")
}

#[test]
fn seed_exists_once_enough_relay_parents_were_seen() {
    new(4).execute_with(and_try_state(|| {
        // GIVEN three relay parents at or after 10
        let _ = [8, 9, 10, 11, 12].map(observe);
        assert!(seed(8).is_some());
        assert_eq!(seed(10), None);
        // WHEN the fourth comes
        observe(13);
        // THEN the seed exists, and later parents do not change it
        let first = seed(10);
        assert!(first.is_some());
        let _ = [14, 15, 16].map(observe);
        assert_eq!(seed(10), first);
        assert_ne!(seed(11), first);
    }));
}

#[test]
fn several_blocks_on_one_relay_parent_count_once() {
    new(2).execute_with(and_try_state(|| {
        // GIVEN two blocks on relay parent 5, the second with another output
        observe(5);
        Randomness::<Runtime>::observe(5, [77; 32]);
        // THEN there is no seed yet, and the second output left no trace
        assert_eq!(seed(5), None);
        observe(6);
        let with_repeat = seed(5);
        assert!(with_repeat.is_some());
        new(2).execute_with(|| {
            let _ = [5, 6].map(observe);
            assert_eq!(seed(5), with_repeat);
        });
    }));
}

#[test]
fn a_gap_is_bridged_by_the_next_relay_parent() {
    new(2).execute_with(and_try_state(|| {
        // GIVEN a chain that stood still from relay block 3 to 1000
        let _ = [2, 3, 1_000, 1_001].map(observe);
        // THEN a draw due in between uses the first parent after it
        assert!(seed(500).is_some());
        assert_eq!(seed(500), seed(1_000));
        assert_ne!(seed(500), seed(3));
    }));
}

#[test]
fn old_seeds_are_forgotten_and_never_replaced() {
    new(1).execute_with(and_try_state(|| {
        // GIVEN more relay parents than are kept
        let kept = <Runtime as randomness::Config>::History::get();
        (1..=kept + 10).for_each(observe);
        // THEN the oldest have no seed, rather than that of a later parent
        assert_eq!(Randomness::<Runtime>::seed_at(1), Err(SeedExpired));
        assert_eq!(Randomness::<Runtime>::seed_at(10), Err(SeedExpired));
        assert!(seed(11).is_some());
        assert_eq!(randomness::Seeds::<Runtime>::iter().count() as u32, kept);
    }));
}

/// A block built on relay parent `number`, once its inherent has run.
fn built_on(number: RelayBlockNumber) {
    LastRelayChainBlockNumber::<Runtime>::put(number);
    observe(number);
}

#[test]
fn a_draw_announced_before_the_inherent_waits_for_what_nobody_knows() {
    new(2).execute_with(and_try_state(|| {
        // GIVEN a chain that stands still from relay block 3 on, longer than the delay of 8
        built_on(3);
        // WHEN a hook of its next block announces a draw, and that block is built on relay block
        // 1000: all that came before is public by then
        let due = Randomness::<Runtime>::next_due();
        let decided = || <Randomness<Runtime> as Draws>::seed(due).expect("not forgotten");
        // THEN nothing up to the delay after 1000 decides it
        for parent in 1_000..1_009 {
            built_on(parent);
            assert_eq!(decided(), None, "at {parent}");
        }
        built_on(1_009);
        assert_eq!(decided(), seed(1_008));
        assert!(decided().is_some());
        // AND the view function tells the same
        assert_eq!(Randomness::<Runtime>::seed(due), decided());
    }));
}

#[test]
fn a_draw_waits_for_the_delay_after_the_next_parent() {
    new(1).execute_with(and_try_state(|| {
        // GIVEN a chain on relay parent 10, WHEN a draw is announced and parents follow one by one
        built_on(10);
        let due = Randomness::<Runtime>::next_due();
        let decided = || <Randomness<Runtime> as Draws>::seed(due).expect("not forgotten");
        for parent in 11..19 {
            built_on(parent);
            assert_eq!(decided(), None, "at {parent}");
        }
        // THEN the delay counts from the next of them
        built_on(19);
        assert_eq!(decided(), seed(19));
        assert!(decided().is_some());
    }));
}

#[test]
fn a_draw_whose_seed_is_dropped_has_expired() {
    new(1).execute_with(and_try_state(|| {
        // GIVEN an announced draw, WHEN more relay parents have passed than are kept
        built_on(1);
        let due = Randomness::<Runtime>::next_due();
        let kept = <Runtime as randomness::Config>::History::get();
        (2..=kept + 20).for_each(built_on);
        // THEN it has no seed any more, rather than that of another
        assert_eq!(<Randomness<Runtime> as Draws>::seed(due), Err(SeedExpired));
    }));
}

#[test]
fn a_seed_is_a_tagged_hash_over_its_parents_outputs() {
    new(2).execute_with(and_try_state(|| {
        let _ = [5, 6].map(observe);
        let genesis = crate::System::block_hash(0);
        let outputs = vec![[5u8; 32], [6; 32]];
        let expected = tagged_hash(tag::SEED, &genesis, &(5u32, outputs));
        assert_eq!(seed(5), Some(expected));
    }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_seed_never_changes(
        steps in prop::collection::vec(0u32..5, 1..200),
        parents in 1u32..=randomness::MAX_PARENTS_PER_SEED,
    ) {
        new(parents).execute_with(and_try_state(|| {
            let mut seen = std::collections::BTreeMap::<RelayBlockNumber, H256>::new();
            let mut number = 1;
            for step in steps {
                number += step;
                observe(number);
                for due in number.saturating_sub(40)..=number + 2 {
                    if let Some(found) = seed(due) {
                        assert_eq!(*seen.entry(due).or_insert(found), found);
                    }
                }
            }
        }));
    }
}
