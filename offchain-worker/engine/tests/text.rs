//! Streaming text out of ids.

mod common;

use chasqui_engine::Tokenizer;
use common::golden;
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

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

/// A tokenizer in the manner of SentencePiece: spaces are part of pieces, and what is in no piece
/// is spelled in bytes. Ids 0 to 255 are the bytes.
fn byte_fallback() -> (TempDir, Tokenizer) {
    let pieces = ["▁Hola", "▁mundo", "▁", "😀", "\u{200d}", "fin"];
    let mut vocab: serde_json::Map<_, _> = (0..256)
        .map(|byte| (format!("<0x{byte:02X}>"), json!(byte)))
        .collect();
    for (index, piece) in pieces.iter().enumerate() {
        vocab.insert(piece.to_string(), json!(256 + index));
    }
    vocab.insert("</s>".into(), json!(262));
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": [{"id": 262, "content": "</s>", "special": true, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false}],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]},
        "model": {"type": "BPE", "vocab": vocab, "merges": [], "byte_fallback": true,
            "fuse_unk": true, "unk_token": null},
    });
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("tokenizer.json");
    std::fs::write(&path, tokenizer.to_string()).unwrap();
    let tokenizer = Tokenizer::from_file(&path, 263).unwrap();
    (dir, tokenizer)
}

fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
    let mut stream = tokenizer.stream(true);
    let mut pieces: Vec<String> = ids.iter().map(|id| stream.push(*id).unwrap()).collect();
    pieces.push(stream.finish().unwrap());
    pieces
}

fn bytes(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

// GIVEN a tokenizer that spells characters in byte tokens
// WHEN characters of two to four bytes are streamed, alone and in a row
// THEN each appears with its last byte, and nothing incomplete before
#[test]
fn byte_tokens_come_whole() {
    let (_dir, tokenizer) = byte_fallback();
    let ids = [vec![256], bytes("中文é🦙"), vec![257]].concat();
    let pieces = streamed(&tokenizer, &ids);
    let shown: Vec<&str> = pieces
        .iter()
        .map(String::as_str)
        .filter(|p| !p.is_empty())
        .collect();
    assert_eq!(shown, ["Hola", "中", "文", "é", "🦙", " mundo"]);
    assert_eq!(pieces.concat(), tokenizer.decode(&ids, true).unwrap());
}

// GIVEN an output that ends in the middle of a run of byte tokens
// WHEN the stream is finished
// THEN what was shown stays, and the rest is replacement characters
#[test]
fn byte_tokens_may_stay_incomplete() {
    let (_dir, tokenizer) = byte_fallback();
    let mut ids = [vec![256], bytes("中文")].concat();
    ids.pop();
    let text = streamed(&tokenizer, &ids).concat();
    assert!(text.starts_with("Hola中\u{FFFD}"), "{text}");
    assert!(!text.contains('文'), "{text}");
}

// GIVEN an emoji out of several characters with joiners, partly a piece and partly bytes
// WHEN it is streamed
// THEN the pieces add up to it, and none holds half a character
#[test]
fn emoji_of_several_tokens() {
    let (_dir, tokenizer) = byte_fallback();
    let ids = [vec![256, 258, 259, 260], bytes("👩🏽\u{200d}🚀"), vec![261]].concat();
    let pieces = streamed(&tokenizer, &ids);
    assert_eq!(pieces.concat(), "Hola 😀\u{200d}👩🏽\u{200d}🚀fin");
    assert!(
        pieces.iter().all(|piece| !piece.contains('\u{FFFD}')),
        "{pieces:?}"
    );
}

// GIVEN a text that holds replacement characters itself, followed by a character of several tokens
// WHEN it is streamed
// THEN the pieces add up to it: what looks incomplete and is not is not waited for, and what is begun is not cut
#[test]
fn replacement_characters_in_the_text() {
    let of_bytes = tokenizer();
    let (_dir, fallback) = byte_fallback();
    for count in 1..=9 {
        for end in ["\u{1d00}", "🦙", "é", "x", ""] {
            let text = "\u{FFFD}".repeat(count) + end;
            let ids = of_bytes.encode(&text, false).unwrap();
            assert_eq!(streamed(&of_bytes, &ids).concat(), text);
            let ids = bytes(&text);
            assert_eq!(streamed(&fallback, &ids).concat(), text);
        }
    }
}

// GIVEN special tokens between words, which are not shown
// WHEN the words are streamed
// THEN the space before the next word is not lost
#[test]
fn spaces_survive_special_tokens() {
    let (_dir, tokenizer) = byte_fallback();
    for between in [1, 3, 200] {
        let ids = [vec![256], vec![262; between], vec![257]].concat();
        let text = streamed(&tokenizer, &ids).concat();
        match between {
            200 => assert!(
                ["Hola mundo", "Holamundo"].contains(&text.as_str()),
                "{text}"
            ),
            _ => assert_eq!(text, tokenizer.decode(&ids, true).unwrap()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // GIVEN any text
    // WHEN its ids, of either kind of tokenizer, are streamed
    // THEN the pieces add up to the text
    #[test]
    fn pieces_add_up(text in "\\PC{0,40}") {
        let of_bytes = tokenizer();
        let ids = of_bytes.encode(&text, false).unwrap();
        prop_assert_eq!(streamed(&of_bytes, &ids).concat(), text.clone());
        let (_dir, fallback) = byte_fallback();
        let ids = bytes(&text);
        let whole = fallback.decode(&ids, true).unwrap();
        prop_assert_eq!(streamed(&fallback, &ids).concat(), whole);
    }
}
