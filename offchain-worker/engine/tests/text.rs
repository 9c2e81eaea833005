//! Streaming text out of ids.

mod common;

use chasqui_engine::Tokenizer;
use common::golden;

fn tokenizer() -> Tokenizer {
    Tokenizer::from_file(&golden("llama-mha-tied").join("tokenizer.json"), 512).unwrap()
}

// GIVEN text with characters of one to four bytes, which the tokenizer splits into bytes
// WHEN its ids are streamed
// THEN no piece holds half a character and the pieces add up to the text
#[test]
fn characters_come_whole() {
    let tokenizer = tokenizer();
    let text = "mensaje: ñandú 中文 🦙 corre\nüber";
    let ids = tokenizer.encode(text, false).unwrap();
    assert!(ids.len() > text.chars().count() / 2);
    let mut stream = tokenizer.stream(true);
    let mut pieces = Vec::new();
    for id in ids {
        pieces.push(stream.push(id).unwrap());
    }
    pieces.push(stream.finish().unwrap());
    assert!(
        pieces.iter().all(|piece| !piece.contains('\u{FFFD}')),
        "{pieces:?}"
    );
    assert_eq!(pieces.concat(), text);
}

// GIVEN an output that ends in the middle of a character
// WHEN the stream is finished
// THEN the rest comes out as a replacement character
#[test]
fn incomplete_ends_are_shown() {
    let tokenizer = tokenizer();
    let ids = tokenizer.encode("a🦙", false).unwrap();
    let mut stream = tokenizer.stream(true);
    let shown: String = ids[..ids.len() - 1]
        .iter()
        .map(|id| stream.push(*id).unwrap())
        .collect();
    assert_eq!(shown, "a");
    assert_eq!(stream.finish().unwrap(), "\u{FFFD}");
}

// GIVEN bytes that never become a character
// WHEN they are streamed without end
// THEN the stream does not hold them back for ever
#[test]
fn broken_bytes_are_not_held_for_ever() {
    let tokenizer = tokenizer();
    let lead = tokenizer.encode("🦙", false).unwrap()[0];
    let mut stream = tokenizer.stream(true);
    let shown: String = (0..40).map(|_| stream.push(lead).unwrap()).collect();
    assert!(shown.contains('\u{FFFD}'));
}

// GIVEN special tokens among the ids
// WHEN they are streamed
// THEN they show only when asked for
#[test]
fn special_tokens() {
    let tokenizer = tokenizer();
    let mut ids = vec![tokenizer.token_id("<|bos|>").unwrap()];
    ids.extend(tokenizer.encode("vote", false).unwrap());
    ids.push(1);
    for (skip, expected) in [(true, "vote"), (false, "<|bos|>vote<|eos|>")] {
        let mut stream = tokenizer.stream(skip);
        let mut shown: String = ids.iter().map(|id| stream.push(*id).unwrap()).collect();
        shown += &stream.finish().unwrap();
        assert_eq!(shown, expected);
        assert_eq!(tokenizer.decode(&ids, skip).unwrap(), expected);
    }
}
