//! What an auditor may try with others' commitments, and its own old ones.

use crate::{mock::*, *};
use chasqui_primitives::audit::{verdict_commitment, Stage, Verdict};
use frame_support::{assert_noop, assert_ok};

#[test]
fn a_copied_commitment_cannot_be_revealed() {
    build_and_execute(|| {
        // GIVEN an auditor that copies another's commitment, even before that one's is in a block
        let (id, panel) = open();
        let (honest, copyist) = (panel[0], panel[1]);
        let hash = commitment(id, honest, Verdict::Valid, &evidence(3));
        assert_ok!(Audits::commit(RuntimeOrigin::signed(copyist), id, hash));

        // WHEN the honest one commits, THEN the copy is not in its way
        assert_ok!(Audits::commit(RuntimeOrigin::signed(honest), id, hash));
        to_reveals(id);

        // WHEN both reveal the same bytes
        let reveal = |who| {
            let origin = RuntimeOrigin::signed(who);
            Audits::reveal(origin, id, Verdict::Valid, evidence(3), salt(honest))
        };
        assert_ok!(reveal(honest));

        // THEN the copyist's do not match, since a commitment binds its author
        assert_noop!(reveal(copyist), Error::<Test>::RevealMismatch);
        run_for(params().reveal_blocks);
        assert_eq!(World::operator(copyist).missed, 1);
        assert_eq!(World::operator(honest).missed, 0);
    });
}

#[test]
fn a_commitment_of_another_case_or_stage_cannot_be_revealed() {
    build_and_execute(|| {
        // GIVEN an auditor that commits with the number of another case, and one with another stage
        let (id, panel) = open();
        let genesis = System::block_hash(0);
        let hash = |id, stage, who| {
            let (verdict, evidence) = (Verdict::Valid, evidence(0));
            verdict_commitment(&genesis, id, stage, &who, &verdict, &evidence, &salt(who))
        };
        let replayed = hash(id + 1, Stage::One, panel[0]);
        assert_ok!(Audits::commit(
            RuntimeOrigin::signed(panel[0]),
            id,
            replayed
        ));
        let replayed = hash(id, Stage::Two, panel[1]);
        assert_ok!(Audits::commit(
            RuntimeOrigin::signed(panel[1]),
            id,
            replayed
        ));
        to_reveals(id);

        // WHEN they reveal, THEN neither matches
        for who in &panel[..2] {
            assert_noop!(
                reveal(id, *who, Verdict::Valid),
                Error::<Test>::RevealMismatch
            );
        }
    });
}

#[test]
fn an_auditor_cannot_leave_while_its_case_is_open() {
    build_and_execute(|| {
        // GIVEN a case with a flag that goes to the vote
        let (id, panel) = open();
        to_stage_two(id);

        // THEN every seat's bond stays liable until it closes, also that of the flagger
        assert!(panel
            .iter()
            .all(|who| World::operator(*who).liabilities == 1));
        to_end(id);
        assert!(panel
            .iter()
            .all(|who| World::operator(*who).liabilities == 0));
    });
}
