//! Where a fee goes.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Ledger, DOT};

#[test]
fn unaudited_fee_should_pay_sixty_fifteen_twenty_five() {
    build_and_execute(|| {
        // WHEN an unaudited job of 100 DOT settles
        fee(3, &[], 100 * DOT, 1_000);

        // THEN 60 are the executor's, 15 the pool's, 20 the fund's, 5 the reserve's
        assert_eq!(Earnings::<Test>::get(0, 3).unwrap().compute, 60 * DOT);
        let totals = Rewards::totals(0);
        assert_eq!(
            (totals.owed, totals.pool, totals.poi_units),
            (60 * DOT, 15 * DOT, 1_000)
        );
        assert_eq!(
            (FundDue::<Test>::get(), ReserveDue::<Test>::get()),
            (20 * DOT, 5 * DOT)
        );
        assert_eq!(Contributions::<Test>::get(0, 3).poi_units, 1_000);
        assert_eq!(Rewards::surplus(), 0);
        assert!(happened(Event::FeeRecorded {
            subject: SUBJECT,
            epoch: 0,
            executor: 3,
            price: 100 * DOT,
            to_executor: 60 * DOT,
            auditors: BoundedVec::new(),
            auditors_paid: 0,
            to_auditors: 0,
            to_pool: 15 * DOT,
            to_fund: 20 * DOT,
            to_reserve: 5 * DOT,
        }));
    });
}

#[test]
fn audited_fee_should_halve_the_share_between_executor_and_auditors() {
    build_and_execute(|| {
        fee(3, &[4, 5, 6], 100 * DOT, 1_000);
        assert_eq!(Earnings::<Test>::get(0, 3).unwrap().compute, 30 * DOT);
        for auditor in [4, 5, 6] {
            let earned = Earnings::<Test>::get(0, auditor).unwrap();
            assert_eq!((earned.compute, earned.audit), (0, 10 * DOT));
            assert_eq!(Rewards::unclaimed(&auditor), 10 * DOT);
        }
    });
}

#[test]
fn the_event_of_a_fee_should_name_the_job_and_what_every_auditor_gets() {
    build_and_execute(|| {
        // WHEN a job that three audited settles
        fee(3, &[4, 5, 6], 100 * DOT, 1_000);
        // THEN the event tells which job it was, and who gets how much; the parts are the price
        assert!(happened(Event::FeeRecorded {
            subject: SUBJECT,
            epoch: 0,
            executor: 3,
            price: 100 * DOT,
            to_executor: 30 * DOT,
            auditors: BoundedVec::truncate_from(vec![(4, 10 * DOT), (5, 10 * DOT), (6, 10 * DOT)]),
            auditors_paid: 3,
            to_auditors: 30 * DOT,
            to_pool: 15 * DOT,
            to_fund: 20 * DOT,
            to_reserve: 5 * DOT,
        }));
    });
}

#[test]
fn the_event_of_a_fee_should_stay_small_however_many_are_paid() {
    build_and_execute(|| {
        // GIVEN a vote in which many were right
        let voters: Vec<u64> = (100..400).collect();
        // WHEN their job settles
        fee(3, &voters, 300 * DOT, 1);
        // THEN the event names the first of them and counts all
        let named = System::events().into_iter().find_map(|record| {
            let RuntimeEvent::Rewards(Event::FeeRecorded {
                auditors,
                auditors_paid,
                to_auditors,
                ..
            }) = record.event
            else {
                return None;
            };
            Some((auditors, auditors_paid, to_auditors))
        });
        let (auditors, auditors_paid, to_auditors) = named.unwrap();
        assert_eq!(auditors.len(), MAX_LISTED_AUDITORS as usize);
        assert_eq!(auditors[0], (100, 90 * DOT / 300));
        assert_eq!((auditors_paid, to_auditors), (300, 90 * DOT));
    });
}

#[test]
fn remainders_should_go_to_the_reserve() {
    build_and_execute(|| {
        // 101: 60 (30 and three times 10), 15, 20, and 6 for the reserve
        fee(3, &[4, 5, 6], 101, 1);
        assert_eq!(Rewards::unclaimed(&3), 30);
        assert_eq!(Rewards::unclaimed(&4), 10);
        assert_eq!((FundDue::<Test>::get(), ReserveDue::<Test>::get()), (20, 6));
        assert_eq!(Liabilities::<Test>::get(), 101);
    });
}

#[test]
fn fee_that_was_not_paid_in_should_create_no_money() {
    build_and_execute(|| {
        // GIVEN a pot that has received 40
        fill_pot(40);
        // WHEN a fee of 100 is recorded
        Rewards::record_fee(SUBJECT, &3, &[], 100, 1);
        // THEN 40 are shared out
        assert_eq!(Liabilities::<Test>::get(), 40);
        assert_eq!(Rewards::unclaimed(&3), 24);
    });
}

#[test]
fn points_should_be_counted_by_epoch_and_operator() {
    build_and_execute(|| {
        Rewards::record_poc_points(&4, 3);
        Rewards::record_poc_points(&4, 2);
        Rewards::record_poc_points(&5, 0);
        assert_eq!(Earnings::<Test>::get(0, 4).unwrap().points, 5);
        assert_eq!(Contributions::<Test>::get(0, 4).poc_points, 5);
        assert_eq!(Earnings::<Test>::get(0, 5), None);
        assert_eq!(Rewards::totals(0).points, 5);
        assert!(happened(Event::PointsRecorded {
            epoch: 0,
            operator: 4,
            points: 3
        }));
        // Points alone are no unclaimed revenue yet.
        assert_eq!(Rewards::unclaimed(&4), 0);
    });
}
