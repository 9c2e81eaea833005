//! `try_state` finds every kind of corruption that it claims to.

use super::*;

fn assert_found(corrupt: impl FnOnce(JobId)) {
    new_test_ext().execute_with(|| {
        let id = Request::default().committed();
        Request::default().assigned();
        Pallet::<Test>::do_try_state().expect("sound before");
        corrupt(id);
        assert!(Pallet::<Test>::do_try_state().is_err());
    });
}

fn change(id: JobId, change: impl FnOnce(&mut JobOf<Test>)) {
    Jobs::<Test>::mutate_exists(id, |job| change(job.as_mut().expect("live")));
}

#[test]
fn escrow_and_deposits_must_be_those_of_live_jobs() {
    assert_found(|id| change(id, |job| job.escrow += 1));
    assert_found(|id| change(id, |job| job.deposit -= 1));
    assert_found(|id| change(id, |job| job.client = account(BOB)));
}

#[test]
fn draws_must_be_those_of_waiting_jobs() {
    assert_found(|_| Draws::<Test>::insert(99, PendingDraw { job: 0, due: 1 }));
    assert_found(|id| {
        let draw = PendingDraw { job: id, due: 1 };
        Draws::<Test>::insert(DrawTail::<Test>::get() - 1, draw);
        Draws::<Test>::insert(DrawTail::<Test>::get(), draw);
        DrawTail::<Test>::mutate(|tail| *tail += 1);
    });
    assert_found(|_| {
        let id = Request::default().submitted();
        Draws::<Test>::remove(job(id).stage.ticket().expect("waits"));
    });
}

#[test]
fn deadlines_must_be_in_the_agenda() {
    assert_found(|_| {
        let _ = Agenda::<Test>::clear(u32::MAX, None);
    });
    assert_found(|id| Agenda::<Test>::insert(1_000, id, ()));
    assert_found(|_| AgendaCursor::<Test>::put(1_000));
}

#[test]
fn lists_of_clients_and_executors_must_be_exact() {
    assert_found(|id| ClientJobs::<Test>::insert(account(BOB), id, ()));
    assert_found(|id| ClientJobs::<Test>::remove(account(ALICE), id));
    assert_found(|id| Assignments::<Test>::insert(account(BOB), id, ()));
    assert_found(|id| Assignments::<Test>::remove(operator(executor(id)), id));
    assert_found(|_| NextJob::<Test>::put(0));
}

#[test]
fn prompts_commitments_and_outputs_must_be_complete() {
    assert_found(Prompts::<Test>::remove);
    assert_found(Outputs::<Test>::remove);
    assert_found(Commitments::<Test>::remove);
    assert_found(|_| Prompts::<Test>::insert(99, ids_prompt(&[1])));
    assert_found(|_| Outputs::<Test>::insert(99, Output::Blob(H256::zero())));
    assert_found(|id| {
        Commitments::<Test>::mutate_exists(id, |record| {
            record.as_mut().expect("committed").price = Balance::MAX
        })
    });
}

#[test]
fn outcomes_must_be_those_of_closed_jobs() {
    assert_found(|id| OutcomeSlots::<Test>::insert(0, id));
    assert_found(|_| OutcomeCursor::<Test>::put(8));
    assert_found(|id| {
        let record = OutcomeRecord {
            outcome: JobOutcome::Settled {
                paid: 0,
                audited: false,
            },
            executor: None,
            case: None,
        };
        OutcomeSlots::<Test>::insert(0, id);
        Outcomes::<Test>::insert(id, record);
    });
}

#[test]
fn parameters_must_be_in_range() {
    assert_found(|_| Parameters::<Test>::mutate(|params| params.max_tokens = 0));
}
