//! What an operator is told that runs wait for.

use crate::{mock::*, *};
use chasqui_primitives::training::{Owed, Phase};
use frame_support::assert_ok;

#[test]
fn member_is_told_what_it_owes_until_it_has_done_it() {
    build_and_execute(|| {
        let run = create(terms(1, 2, 4));
        assert_eq!(Training::tasks(0), vec![]);
        assert_ok!(join(0, run));
        assert_eq!(owed(0, run), Some(Owed::Heartbeat));
        assert_ok!(act(0, run, false));
        assert_eq!(owed(0, run), None);
        for who in 1..4 {
            assert_ok!(join(who, run));
            assert_ok!(act(who, run, false));
        }
        let phases: [(fn(Phase) -> bool, fn(Owed) -> Option<u32>); 4] = [
            (
                |phase| matches!(phase, Phase::Train { .. }),
                |owed| match owed {
                    Owed::Commitment { until } => Some(until),
                    _ => None,
                },
            ),
            (
                |phase| matches!(phase, Phase::Exchange { .. }),
                |owed| match owed {
                    Owed::Report { until } => Some(until),
                    _ => None,
                },
            ),
            (
                |phase| matches!(phase, Phase::Attest { .. }),
                |owed| match owed {
                    Owed::Attestation { until } => Some(until),
                    _ => None,
                },
            ),
            (
                |phase| matches!(phase, Phase::Agree { .. }),
                |owed| match owed {
                    Owed::Model { until } => Some(until),
                    _ => None,
                },
            ),
        ];
        for (reached, until) in phases {
            go_to(run, reached);
            let task = Training::tasks(0).remove(0);
            assert_eq!((task.run, task.round, task.phase), (run, 0, phase(run)));
            let rank = task.rank.expect("it is drawn");
            assert!(rank < 4);
            let until = until(task.owed.expect("something")).expect("what the phase is for");
            assert!(u64::from(until) > System::block_number());
            assert_ok!(act(0, run, false));
            assert_eq!(owed(0, run), None);
            let list = Training::contributions(run, 0);
            assert!(list.iter().any(|(of, own)| (*of, own.who) == (rank, 0)));
        }
        // Nobody else has anything to do there, and nobody once it is over.
        assert_eq!(Training::tasks(9), vec![]);
        go_to(run, |phase| phase == Phase::Finished);
        assert_eq!(Training::tasks(0), vec![]);
    });
}

#[test]
fn member_of_two_runs_has_two_tasks() {
    build_and_execute(|| {
        let (first, second) = (create(terms(1, 2, 4)), create(terms(1, 2, 4)));
        assert_ok!(join(0, first));
        assert_ok!(join(0, second));
        let runs: Vec<_> = Training::tasks(0).iter().map(|task| task.run).collect();
        assert_eq!(runs, vec![first, second]);
        assert_eq!(held(HoldReason::Member, 0), 2 * MEMBER_DEPOSIT);
    });
}
