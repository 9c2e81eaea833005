//! What client and executor keep of a channel: what each signs, serves and refuses.

use chasqui_primitives::session::{
    books::*,
    rules::{Channel, Deposit},
};
use parity_scale_codec::{Decode, Encode};
use sp_core::H256;

fn channel(slice: u128) -> (Deposit, Channel<u32>) {
    let mut deposit = Deposit::default();
    deposit.pay_in(slice).unwrap();
    let mut channel = Channel::default();
    channel.grow(&mut deposit, slice, 0).unwrap();
    (deposit, channel)
}

fn asked(seq: u64, max_price: u128, cap: u128) -> Asked {
    Asked {
        seq,
        hash: H256::from_low_u64_be(seq),
        max_price,
        cap,
        valid_until: 10,
    }
}

#[test]
fn a_client_signs_for_what_it_has_and_what_it_waits_for() {
    // GIVEN a client with a slice of 100 that lets two requests wait
    let (_, slice) = channel(100);
    let mut book = ClientBook::new(2);
    // WHEN it asks THEN each cap covers all before it
    assert_eq!(book.next(&slice, 40), Some(Slot { seq: 1, cap: 40 }));
    assert_eq!(book.next(&slice, 30), Some(Slot { seq: 2, cap: 70 }));
    assert_eq!((book.in_flight(), book.at_risk()), (70, 70));
    // AND a third has to wait for a receipt
    assert_eq!(book.next(&slice, 1), None);
    assert!(book.receipt(1, 10));
    assert_eq!((book.receipted(), book.in_flight()), (10, 30));
    // AND what it signed for 70 can cost it so much still, however cheap the answer was
    assert_eq!(book.at_risk(), 60);
    // AND nothing goes beyond the slice
    assert_eq!(book.next(&slice, 61), None);
    assert_eq!(book.next(&slice, 60), Some(Slot { seq: 3, cap: 100 }));
}

#[test]
fn a_client_takes_no_receipt_that_it_did_not_wait_for() {
    let (_, slice) = channel(100);
    let mut book = ClientBook::default();
    book.next(&slice, 40).unwrap();
    assert!(!book.receipt(2, 1), "of another place");
    assert!(!book.receipt(1, 41), "dearer than allowed");
    assert!(book.receipt(1, 40));
    assert!(!book.receipt(1, 40), "a second time");
    assert_eq!(book.receipted(), 40);
}

#[test]
fn a_client_signs_nothing_for_a_slice_that_is_about_to_shrink() {
    let (mut deposit, mut slice) = channel(100);
    slice.announce_shrink(&mut deposit, 20, 0, 5).unwrap();
    let mut book = ClientBook::default();
    assert_eq!(book.next(&slice, 21), None);
    assert!(book.next(&slice, 20).is_some());
}

#[test]
fn an_executor_serves_what_is_covered_and_nothing_else() {
    // GIVEN an executor with a slice of 100
    let (mut deposit, mut slice) = channel(100);
    let mut book = ExecutorBook::default();
    // WHEN something is wrong THEN it says what, and nothing has changed
    for (bad, reason) in [
        (asked(2, 10, 10), Reason::OutOfOrder),
        (asked(1, 10, 9), Reason::CapTooLow),
        (asked(1, u128::MAX, u128::MAX), Reason::SliceTooSmall),
        (asked(1, 10, 101), Reason::SliceTooSmall),
    ] {
        assert_eq!(book.take(&bad, &slice, 0), Answer::Refuse(reason));
    }
    let late = book.take(&asked(1, 10, 10), &slice, 11);
    assert_eq!(late, Answer::Refuse(Reason::Expired));
    assert_eq!(book, ExecutorBook::default());
    // AND what is covered is served, one after the other
    let first = asked(1, 40, 40);
    assert_eq!(book.take(&first, &slice, 10), Answer::Serve);
    assert_eq!(book.take(&first, &slice, 10), Answer::Refuse(Reason::Busy));
    let second = asked(2, 60, 100);
    assert_eq!(book.take(&second, &slice, 0), Answer::Refuse(Reason::Busy));
    assert!(book.answered(1, 40));
    assert_eq!(book.take(&first, &slice, 99), Answer::Again);
    let poor = asked(2, 60, 99);
    assert_eq!(
        book.take(&poor, &slice, 0),
        Answer::Refuse(Reason::CapTooLow)
    );
    assert_eq!(book.take(&second, &slice, 0), Answer::Serve);
    assert!(book.answered(2, 50));
    // AND it knows what it may claim
    assert_eq!(book.unsettled(), Some((1, 2, 90)));
    book.settled(1);
    assert_eq!((book.unsettled(), book.receipted()), (Some((2, 2, 50)), 90));
    // AND on a stopped channel it serves nothing
    slice.equivocate(&mut deposit, 0, 5).unwrap();
    let third = book.take(&asked(3, 1, 100), &slice, 0);
    assert_eq!(third, Answer::Refuse(Reason::Stopped));
}

#[test]
fn an_executor_notices_a_second_request_for_one_place() {
    let (_, slice) = channel(100);
    let mut book = ExecutorBook::default();
    assert_eq!(book.take(&asked(1, 10, 10), &slice, 0), Answer::Serve);
    let other = Asked {
        hash: H256::repeat_byte(9),
        ..asked(1, 10, 10)
    };
    assert_eq!(book.take(&other, &slice, 0), Answer::Equivocation);
    // It answers what it began, and serves nothing more.
    assert!(book.answered(1, 10));
    let next = book.take(&asked(2, 10, 20), &slice, 0);
    assert_eq!(next, Answer::Refuse(Reason::Stopped));
    assert_eq!(book.unsettled(), Some((1, 1, 10)));
}

#[test]
fn books_survive_a_restart() {
    let (_, slice) = channel(100);
    let (mut client, mut executor) = (ClientBook::default(), ExecutorBook::default());
    client.next(&slice, 40).unwrap();
    executor.take(&asked(1, 40, 40), &slice, 0);
    executor.answered(1, 30);
    let again = ClientBook::decode(&mut &client.encode()[..]).unwrap();
    assert_eq!(again, client);
    let again = ExecutorBook::decode(&mut &executor.encode()[..]).unwrap();
    assert_eq!(again, executor);
}

#[test]
fn a_request_that_lapsed_is_voided_and_the_channel_goes_on() {
    // GIVEN an executor that has answered one request, and another that lapsed at block 10 before it came
    let (_, slice) = channel(100);
    let mut book = ExecutorBook::default();
    assert_eq!(book.take(&asked(1, 40, 40), &slice, 0), Answer::Serve);
    assert!(book.answered(1, 30));
    let late = asked(2, 60, 90);
    assert_eq!(
        book.take(&late, &slice, 11),
        Answer::Refuse(Reason::Expired)
    );
    // WHEN it is asked to void it THEN not before it has lapsed
    assert_eq!(
        book.void(&late, &slice, 10),
        Void::Refuse(Reason::NotLapsed)
    );
    assert_eq!(book.void(&late, &slice, 11), Void::Sign);
    // AND the same again is the same receipt, which costs nothing
    assert_eq!(book.void(&late, &slice, 11), Void::Again);
    assert_eq!(book.receipted(), 30);
    assert_eq!(book.unsettled(), Some((1, 2, 30)));
    // AND the next number is served
    let next = asked(3, 60, 90);
    assert_eq!(book.take(&next, &slice, 0), Answer::Serve);
}

#[test]
fn what_was_begun_and_lapsed_can_be_voided_and_what_was_answered_cannot() {
    let (_, slice) = channel(100);
    let mut book = ExecutorBook::default();
    let first = asked(1, 40, 40);
    assert_eq!(book.take(&first, &slice, 0), Answer::Serve);
    // WHEN it was begun and has no answer, and its time is over THEN it can be given up
    let mut given_up = book.clone();
    assert_eq!(given_up.void(&first, &slice, 11), Void::Sign);
    assert!(!given_up.answered(1, 40), "it has a receipt");
    // AND what was answered cannot
    assert!(book.answered(1, 40));
    assert_eq!(
        book.void(&first, &slice, 11),
        Void::Refuse(Reason::Answered)
    );
}

#[test]
fn no_void_costs_an_executor_what_it_has_answered() {
    // GIVEN an executor with 30 to claim
    let (mut deposit, mut slice) = channel(100);
    let mut book = ExecutorBook::default();
    book.take(&asked(1, 40, 40), &slice, 0);
    book.answered(1, 30);
    let before = book.clone();
    let refused = |book: &mut ExecutorBook, bad: Asked, reason| {
        assert_eq!(book.void(&bad, &slice, 11), Void::Refuse(reason));
        assert_eq!(*book, before);
    };
    // WHEN a void would end its claim with a cap that does not cover it THEN it is refused
    refused(&mut book, asked(2, 0, 29), Reason::CapTooLow);
    // AND so is one out of order
    refused(&mut book, asked(3, 0, 30), Reason::OutOfOrder);
    // AND another request for the place of a void is an equivocation, as for any other
    assert_eq!(book.void(&asked(2, 0, 30), &slice, 11), Void::Sign);
    let other = Asked {
        hash: H256::repeat_byte(9),
        ..asked(2, 10, 40)
    };
    assert_eq!(book.take(&other, &slice, 0), Answer::Equivocation);
    assert_eq!(
        book.void(&asked(3, 0, 30), &slice, 11),
        Void::Refuse(Reason::Stopped)
    );
    // AND what it has answered is still there to be claimed
    assert_eq!(book.unsettled(), Some((1, 2, 30)));
    slice.equivocate(&mut deposit, 0, 5).unwrap();
}

#[test]
fn while_one_request_is_computed_no_other_is_voided() {
    let (_, slice) = channel(100);
    let mut book = ExecutorBook::default();
    book.take(&asked(1, 40, 40), &slice, 0);
    assert_eq!(
        book.void(&asked(2, 0, 40), &slice, 11),
        Void::Refuse(Reason::Busy)
    );
}

#[test]
fn a_client_takes_a_void_for_the_receipt_that_it_waits_for() {
    let (_, slice) = channel(100);
    let mut book = ClientBook::default();
    book.next(&slice, 40).unwrap();
    // WHEN its request is voided THEN nothing waits, and what it signed for is all that it risked
    assert!(book.receipt(1, 0));
    assert_eq!(
        (book.receipted(), book.in_flight(), book.at_risk()),
        (0, 0, 40)
    );
    assert_eq!(book.next(&slice, 100), Some(Slot { seq: 2, cap: 100 }));
}
