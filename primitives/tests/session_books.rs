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
