//! `try_state` notices what must not be.

use super::*;
use sp_runtime::TryRuntimeError;

fn finds(message: &'static str, corrupt: impl FnOnce(SessionId, AccountId)) {
    new_test_ext().execute_with(|| {
        // GIVEN a state with a bit of everything, which is in order
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[100]);
        opened(DEPOSIT);
        check_invariants();
        // WHEN something of it is not THEN it is found
        corrupt(id, who);
        assert_eq!(
            Pallet::<Test>::do_try_state(),
            Err(TryRuntimeError::Other(message))
        );
    });
}

#[test]
fn corruption_is_found() {
    let change = |id, change: fn(&mut SessionOf<Test>)| {
        Sessions::<Test>::mutate(id, |session| change(session.as_mut().unwrap()));
    };
    let rules = |id, who: AccountId, change: fn(&mut ChannelOf<Test>)| {
        Channels::<Test>::mutate(id, who, |channel| change(channel.as_mut().unwrap()));
    };
    finds(
        "what is on hold is not that of live sessions and open reports",
        |id, _| change(id, |session| session.storage_deposit += 1),
    );
    finds("I1: slices that do not add up", |id, who| {
        rules(id, who, |channel| channel.rules.slice += 1)
    });
    finds("channels that the session did not count", |id, _| {
        change(id, |session| session.channels += 1)
    });
    finds("an operator's list is too long", |id, _| {
        Engagements::<Test>::insert(account(9), id, ())
    });
    finds("a client's list is too long", |id, _| {
        ClientSessions::<Test>::insert(account(9), id, ())
    });
    finds("takings that are not their settlements", |_, who| {
        AllTakings::<Test>::mutate(takings_of(&who), |takings| {
            takings.as_mut().unwrap().total += 1
        })
    });
    finds("a settlement of no takings", |_, who| {
        let record = Settlements::<Test>::get(takings_of(&who), 0).unwrap();
        Settlements::<Test>::insert(99, 0, record)
    });
    finds("the pot does not hold what is pending", |_, _| {
        Balances::set_balance(&Pallet::<Test>::pot(), 100);
    });
    finds("somebody waits for a draw that is not listed", |_, _| {
        let _ = Draws::<Test>::clear(u32::MAX, None);
    });
    finds("a window that is not in the agenda", |id, _| {
        change(id, |session| session.stage = Stage::Closing { until: 500 })
    });
    finds("decided takings that are gone", |_, _| {
        Decided::<Test>::insert(0, 99);
        DecidedTail::<Test>::put(1);
    });
    finds("takings their operator misses", |_, who| {
        OperatorTakings::<Test>::remove(&who, takings_of(&who))
    });
    finds("an operator's list of takings is too long", |_, who| {
        OperatorTakings::<Test>::insert(&who, 99, ())
    });
    finds("an operator's list of reports is too long", |_, who| {
        OperatorReports::<Test>::insert(&who, 99, ())
    });
    finds("a client that could judge its own session", |_, who| {
        TakingsClients::<Test>::remove(takings_of(&who), alice())
    });
    finds("a client of takings that are gone", |_, _| {
        TakingsClients::<Test>::insert(99, alice(), ())
    });
    finds(
        "shown answers of takings that are not in audit",
        |_, who| {
            let shown = ShownPlancks {
                start: 0,
                end: 1,
                at: 1,
            };
            let shown: ShownOf<Test> = vec![shown].try_into().unwrap();
            Shown::<Test>::insert(takings_of(&who), shown)
        },
    );
    finds("parameters out of range", |_, _| {
        Parameters::<Test>::mutate(|params| params.committee = 0)
    });
}
