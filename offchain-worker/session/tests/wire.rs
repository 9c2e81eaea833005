//! Frames: what is read is what was written, and nothing that comes from outside breaks anything.

mod common;

use chasqui_session::wire::{
    frame, Ask, Event, Frames, Refusal, RefusalCode, Resume, Token, WireError, MAX_ANSWER_BYTES,
    MAX_ASK_BYTES, MAX_FRAME_TOKENS, MAX_REASON_BYTES,
};
use chasqui_session::{HashSigner, MAX_PROMPT_TOKENS};
use common::{account, key, raw, GENESIS};
use proptest::prelude::*;
use sp_core::H256;

fn token(id: u32) -> Token {
    Token { id, logprobs: None }
}

// GIVEN frames of several messages
// WHEN they arrive byte by byte
// THEN they are read in order, and the stream may end only between them
#[test]
fn frames_survive_any_fragmentation() {
    let messages = [
        Event::Accepted {
            seq: 3,
            stored: true,
        },
        Event::Tokens(vec![token(7), token(8)]),
        Event::Refused(Refusal::new(RefusalCode::Busy, "seq", "later")),
    ];
    let bytes = messages.iter().map(frame).collect::<Vec<_>>().concat();
    let mut frames = Frames::new(MAX_ANSWER_BYTES);
    let mut read = Vec::new();
    for byte in &bytes {
        frames.push(&[*byte]);
        while let Some(content) = frames.take().unwrap() {
            read.push(Event::read(&content).unwrap());
        }
    }
    assert_eq!(read, messages);
    assert!(frames.end().is_ok());
    frames.push(&[1]);
    assert_eq!(frames.end(), Err(WireError::Truncated));
}

// GIVEN frames with another version, of no length, and of more than is allowed
// WHEN they are read
// THEN each is refused at once, before its content has arrived
#[test]
fn wrong_frames_are_refused_at_once() {
    let read = |bytes: &[u8]| {
        let mut frames = Frames::new(100);
        frames.push(bytes);
        frames.take()
    };
    assert_eq!(read(&[9, 0, 0, 0, 2]), Err(WireError::Version(2)));
    assert!(matches!(
        read(&[0, 0, 0, 0]),
        Err(WireError::Malformed { .. })
    ));
    assert_eq!(
        read(&[0xff, 0xff, 0xff, 0xff]),
        Err(WireError::TooLong {
            len: 0xffff_ffff,
            most: 100
        })
    );
    assert_eq!(read(&[9, 0, 0]), Ok(None));
}

// GIVEN a request with the longest prompt, and one with one token more
// WHEN they are read
// THEN the first is, the second is not
#[test]
fn a_prompt_is_bounded() {
    let longest = vec![5; MAX_PROMPT_TOKENS as usize];
    let ask = |prompt: &[u32]| raw::request(H256::zero(), 1, 1, prompt, |_| {});
    let bytes = frame(&ask(&longest));
    assert!(bytes.len() <= MAX_ASK_BYTES + 4);
    assert_eq!(Ask::read(&bytes).unwrap().prompt, longest);
    let longer = [longest, vec![5]].concat();
    let error = Ask::read(&frame(&ask(&longer))).unwrap_err();
    assert!(error.to_string().contains("prompt"), "{error}");
}

// GIVEN messages of an executor that are out of bounds
// WHEN a client reads them
// THEN each is refused with the field's name
#[test]
fn answers_are_bounded() {
    let read = |event: &Event| {
        let bytes = frame(event);
        Event::read(&bytes[5..]).unwrap_err().to_string()
    };
    assert!(read(&Event::Tokens(vec![])).contains("tokens"));
    assert!(read(&Event::Tokens(vec![token(1); MAX_FRAME_TOKENS + 1])).contains("tokens"));
    let mut wild = token(1);
    wild.logprobs = Some(chasqui_session::wire::LogProbs {
        chosen: f32::NAN,
        top: vec![],
    });
    assert!(read(&Event::Tokens(vec![wild])).contains("logprobs"));
    let mut refusal = Refusal::new(RefusalCode::Busy, "seq", "x");
    refusal.reason = "x".repeat(MAX_REASON_BYTES + 1);
    assert!(read(&Event::Refused(refusal)).contains("refusal"));
    let trailing = [&frame(&Event::Tokens(vec![token(1)]))[5..], &[0]].concat();
    assert!(Event::read(&trailing).is_err());
    // What we say ourselves fits, whatever it was made of.
    let refusal = Refusal::new(RefusalCode::Busy, &"ä".repeat(999), "ä".repeat(999));
    let bytes = frame(&Event::Refused(refusal));
    assert!(Event::read(&bytes[5..]).is_ok());
}

// GIVEN a query of a client
// WHEN anything of it is changed, or it is checked for another chain or key
// THEN it does not hold
#[test]
fn a_query_is_bound_to_chain_channel_and_time() {
    let query = Resume::new(
        &GENESIS,
        H256::repeat_byte(1),
        account("Bob"),
        7,
        &key("Client"),
    );
    let client = key("Client").account();
    assert!(query.verify(&GENESIS, &client));
    assert!(!query.verify(&H256::zero(), &client));
    assert!(!query.verify(&GENESIS, &account("Bob")));
    let changes: [fn(&mut Resume); 3] = [
        |query| query.session = H256::zero(),
        |query| query.operator = account("Eve"),
        |query| query.valid_until = 8,
    ];
    for change in changes {
        let mut changed = query.clone();
        change(&mut changed);
        assert!(!changed.verify(&GENESIS, &client));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // GIVEN any bytes
    // WHEN either side reads them
    // THEN it ends with a message or an error
    #[test]
    fn no_bytes_break_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Ask::read(&bytes);
        let _ = Resume::read(&bytes);
        let _ = Event::read(&bytes);
        let framed = [&(bytes.len() as u32 + 1).to_le_bytes()[..], &[1], &bytes].concat();
        let _ = Ask::read(&framed);
        let _ = Resume::read(&framed);
    }

    // GIVEN a request
    // WHEN one byte of its frame is changed
    // THEN it is refused, or reads as another one: never as the same
    #[test]
    fn no_change_goes_unnoticed(at in 0usize..300, by in 1u8..) {
        let ask = raw::request(H256::repeat_byte(1), 1, 1_000, &[1, 2, 3], |_| {});
        let mut bytes = frame(&ask).to_vec();
        let at = at % bytes.len();
        bytes[at] = bytes[at].wrapping_add(by);
        if let Ok(read) = Ask::read(&bytes) {
            prop_assert_ne!(read, ask);
        }
    }
}
