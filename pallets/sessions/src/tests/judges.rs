//! Nobody judges takings that hold a session of its own.

use super::*;

/// A session of somebody's that `who` serves, settled.
fn served(client: &AccountId, who: &AccountId) {
    open_with(client, CHECKPOINT, DEPOSIT).unwrap();
    let id = newest();
    run_to_draw();
    settled(id, who, &[100]);
}

fn judges(of: TakingsId, who: &AccountId) -> bool {
    !Pallet::<Test>::is_interested(&Subject::SessionTakings(of), who)
}

/// Only three operators are drawn, so that each is in every committee.
fn three_executors() {
    for n in 3..OPERATORS {
        Registry::mutate_exists(operator(n), |o| o.as_mut().unwrap().weight = 0);
    }
}

#[test]
fn a_client_that_validates_does_not_judge_its_own_session() {
    build_and_execute(|| {
        // GIVEN takings of sessions of a validator, of another one's hot key, and of Alice, who is none
        three_executors();
        let who = operator(0);
        served(&operator(4), &who);
        let id = takings_of(&who);
        Balances::set_balance(&hot(5), RICH);
        served(&hot(5), &who);
        served(&alice(), &who);
        let all = [id, takings_of(&who)];
        // WHEN they are to be judged THEN neither of them may, and everybody else may
        let anywhere = |judge: &AccountId| all.iter().all(|id| judges(*id, judge));
        assert!(!judges(id, &operator(4)));
        assert!(!anywhere(&operator(5)));
        assert!(anywhere(&operator(3)));
        // AND who registers only after its session was settled may not either
        assert!(!anywhere(&alice()));
    });
}

#[test]
fn who_has_no_session_in_them_judges() {
    build_and_execute(|| {
        // GIVEN takings of Alice's session, and other takings of a validator's
        three_executors();
        let (a, b) = (operator(0), operator(1));
        served(&alice(), &a);
        served(&operator(4), &b);
        // THEN the validator may judge the first
        assert!(judges(takings_of(&a), &operator(4)));
        assert!(!judges(takings_of(&b), &operator(4)));
        // AND when they are decided nothing is left of who was whose client
        let (first, second) = (takings_of(&a), takings_of(&b));
        for of in [first, second] {
            let case = match takings(of).stage {
                TakingsStage::InAudit { case, .. } => case,
                _ => in_audit(of),
            };
            close_case(case, Decision::Valid);
        }
        run_blocks(1);
        assert_eq!(TakingsClients::<Test>::iter().count(), 0);
    });
}
