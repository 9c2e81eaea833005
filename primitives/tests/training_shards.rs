//! Ranks, data and kept steps of a training round: everybody computes the same, nobody trains on what another does.

use chasqui_primitives::training::{
    kept_steps, picked_segments, rank_of, replay_class, shards::sequence_at, slot_of,
    whole_sequences, ModelState, RoundReport, Shard,
};
use proptest::prelude::*;
use sp_core::H256;
use std::collections::BTreeSet;

fn seeds() -> impl Strategy<Value = H256> {
    any::<[u8; 32]>().prop_map(H256)
}

proptest! {
    #[test]
    fn ranks_are_a_permutation_of_slots(seed in seeds(), members in 1u32..=512) {
        // WHEN every slot asks for its rank
        let ranks: BTreeSet<u32> =
            (0..members).filter_map(|slot| rank_of(&seed, slot, members)).collect();
        // THEN each rank has one slot, and the way back leads to it
        prop_assert_eq!(ranks.len(), members as usize);
        prop_assert_eq!(ranks.last().copied(), Some(members - 1));
        for slot in 0..members {
            let rank = rank_of(&seed, slot, members).unwrap();
            prop_assert_eq!(slot_of(&seed, rank, members), Some(slot));
        }
        prop_assert_eq!(rank_of(&seed, members, members), None);
        prop_assert_eq!(slot_of(&seed, members, members), None);
    }

    #[test]
    fn an_epoch_visits_every_sequence_once(run in seeds(), total in 1u64..2_000, epoch in 0u64..1_000_000) {
        let first = epoch * total;
        let visited: BTreeSet<u64> =
            (first..first + total).filter_map(|at| sequence_at(&run, at, total)).collect();
        prop_assert_eq!(visited.len() as u64, total);
        prop_assert!(visited.last().is_some_and(|last| *last < total));
    }

    #[test]
    fn a_round_is_shared_out_without_gap_or_overlap(
        first in 0u64..1 << 40,
        members in 1u32..20,
        batch in 1u32..9,
        steps in 1u32..9,
    ) {
        let shard = |rank| Shard { first_sequence: first, members, rank, batch };
        let mut positions: Vec<u64> = (0..steps)
            .flat_map(|step| (0..members).map(move |rank| (step, rank)))
            .flat_map(|(step, rank)| shard(rank).positions(step))
            .collect();
        positions.sort_unstable();
        let end = first + u64::from(members) * u64::from(batch) * u64::from(steps);
        prop_assert_eq!(positions, (first..end).collect::<Vec<_>>());
        prop_assert_eq!(shard(0).cursor(0), first);
        prop_assert_eq!(shard(0).cursor(steps), end);
    }

    #[test]
    fn kept_steps_cut_a_round_into_segments_of_bounded_length(
        seed in seeds(),
        (steps, segments) in (1u32..5_000).prop_flat_map(|steps| (Just(steps), 1..=steps.min(256))),
    ) {
        let kept = kept_steps(&seed, steps, segments);
        prop_assert_eq!(kept.len() as u32, segments + 1);
        prop_assert_eq!(kept.first().copied(), Some(0));
        prop_assert_eq!(kept.last().copied(), Some(steps));
        let most = (2 * steps).div_ceil(segments) + 1;
        for pair in kept.windows(2) {
            prop_assert!(pair[0] < pair[1] && pair[1] - pair[0] <= most, "{:?}", kept);
        }
    }

    #[test]
    fn picked_segments_are_different_and_exist(
        seed in seeds(),
        rank in 0u32..512,
        (steps, segments) in (1u32..3_000).prop_flat_map(|steps| (Just(steps), 1..=steps.min(64))),
        count in 1u32..80,
    ) {
        let kept = kept_steps(&seed, steps, segments);
        let picked = picked_segments(&seed, rank, &kept, count);
        prop_assert_eq!(picked.len() as u32, count.min(segments));
        prop_assert!(picked.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(picked.iter().all(|segment| *segment < segments));
    }
}

#[test]
fn a_long_segment_is_picked_as_often_as_it_has_steps() {
    // GIVEN one segment that holds nine of ten steps
    let kept = [0, 10, 100];
    // WHEN one is picked for many members
    let long = (0..2_000)
        .filter(|rank| picked_segments(&H256::repeat_byte(7), *rank, &kept, 1) == [1])
        .count();
    // THEN nine of ten are the long one
    assert!((1_700..1_900).contains(&long), "{long}");
}

#[test]
fn another_seed_gives_other_ranks_steps_and_segments() {
    let (a, b) = (H256::repeat_byte(1), H256::repeat_byte(2));
    let ranks = |seed: &H256| -> Vec<_> { (0..64).map(|slot| rank_of(seed, slot, 64)).collect() };
    assert_ne!(ranks(&a), ranks(&b));
    assert_ne!(kept_steps(&a, 1_000, 10), kept_steps(&b, 1_000, 10));
    let kept = kept_steps(&a, 1_000, 100);
    assert_ne!(
        picked_segments(&a, 0, &kept, 5),
        picked_segments(&b, 0, &kept, 5)
    );
    assert_ne!(
        picked_segments(&a, 0, &kept, 5),
        picked_segments(&a, 1, &kept, 5)
    );
}

#[test]
fn a_sequence_shares_its_last_token_with_the_next() {
    // 4 predicted tokens need 5: tokens 0..=4, 4..=8, 8..=12.
    assert_eq!(whole_sequences(13, 4), 3);
    assert_eq!(whole_sequences(12, 4), 2);
    assert_eq!(whole_sequences(4, 4), 0);
    assert_eq!(whole_sequences(0, 4), 0);
    assert_eq!(whole_sequences(5, 0), 0);
}

#[test]
fn a_commitment_binds_author_run_round_report_and_salt() {
    let genesis = H256::repeat_byte(9);
    let report = RoundReport {
        gradient: H256::repeat_byte(1),
        kept: H256::repeat_byte(2),
        leaves: 3,
        tokens: 4,
        units: 4,
        loss_micro: 5,
        norm_milli: 6,
    };
    let own = report.commitment(&genesis, &1u64, 0, 0, &[0; 32]);
    let other = RoundReport {
        norm_milli: 7,
        ..report
    };
    let others = [
        report.commitment(&genesis, &2u64, 0, 0, &[0; 32]),
        report.commitment(&genesis, &1u64, 1, 0, &[0; 32]),
        report.commitment(&genesis, &1u64, 0, 1, &[0; 32]),
        report.commitment(&genesis, &1u64, 0, 0, &[1; 32]),
        report.commitment(&H256::zero(), &1u64, 0, 0, &[0; 32]),
        other.commitment(&genesis, &1u64, 0, 0, &[0; 32]),
    ];
    assert!(others.iter().all(|hash| *hash != own));
}

#[test]
fn names_of_classes_and_models_differ() {
    assert_ne!(replay_class("a"), replay_class("b"));
    let model = ModelState {
        hash: H256::repeat_byte(1),
        ..Default::default()
    };
    let other = ModelState {
        checkpoint: H256::repeat_byte(1),
        ..model
    };
    assert_ne!(model.key(0, 0), other.key(0, 0));
    assert_ne!(model.key(0, 0), model.key(1, 0));
    assert_ne!(model.key(0, 0), model.key(0, 1));
}
