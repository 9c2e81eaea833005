//! More cases than a block has room for.

use crate::mock::*;
use chasqui_primitives::{
    audit::{Decision, Stage, Verdict},
    traits::Cases as _,
};
use frame_support::assert_ok;

#[test]
fn an_agenda_that_is_full_rolls_forward() {
    build_and_execute(|| {
        // GIVEN room for two cases a block, and seven cases that open in one
        MaxAgenda::set(2);
        let ids: Vec<_> = (0..7)
            .map(|_| Audits::open(request()).unwrap().case)
            .collect();

        // THEN they wake over four blocks
        let first = System::block_number() + u64::from(params().commit_blocks);
        let wakes: Vec<_> = ids.iter().map(|id| case(*id).wake - first).collect();
        assert_eq!(wakes, vec![0, 0, 1, 1, 2, 2, 3]);

        // WHEN nobody ever does anything
        for id in ids {
            let ended = to_end(id);
            // THEN all of them end
            assert_eq!(ended.decision, Decision::Undecided);
        }
    });
}

#[test]
fn ballots_a_block_are_bounded() {
    build_and_execute(|| {
        // GIVEN four cases whose votes begin in the same block, and room for two electorates
        MaxBallotsPerBlock::set(14);
        let ids: Vec<_> = (0..4)
            .map(|_| Audits::open(request()).unwrap().case)
            .collect();
        for id in &ids {
            for auditor in panel(*id) {
                assert_ok!(commit(*id, auditor, Verdict::Soft));
            }
        }
        next_block();
        for id in &ids {
            for auditor in panel(*id) {
                assert_ok!(reveal(*id, auditor, Verdict::Soft));
            }
        }

        // WHEN their windows close
        next_block();
        // THEN two votes begin
        let voting = || {
            ids.iter()
                .filter(|id| case(**id).stage == Stage::Two)
                .count()
        };
        assert_eq!(voting(), 2);
        // AND the others in the next block
        next_block();
        assert_eq!(voting(), 4);
    });
}

#[test]
fn a_case_larger_than_the_bound_is_handled_alone() {
    build_and_execute(|| {
        // GIVEN room for fewer ballots than one electorate has
        MaxBallotsPerBlock::set(1);
        let (first, _) = open();
        let second = Audits::open(request()).unwrap().case;
        for id in [first, second] {
            for auditor in panel(id) {
                assert_ok!(commit(id, auditor, Verdict::Soft));
            }
        }
        next_block();
        for id in [first, second] {
            for auditor in panel(id) {
                assert_ok!(reveal(id, auditor, Verdict::Soft));
            }
        }

        // WHEN the windows close, THEN one vote begins a block
        next_block();
        assert_eq!(
            (case(first).stage, case(second).stage),
            (Stage::Two, Stage::One)
        );
        next_block();
        assert_eq!(case(second).stage, Stage::Two);
    });
}
