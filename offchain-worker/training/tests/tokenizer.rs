//! The tokenizer: repeatable, lossless on any text, and with the special tokens where the model
//! expects them.

use std::sync::Arc;

use chasqui_training::corpus::{Corpus, Split};
use chasqui_training::data::PackedStream;
use chasqui_training::tokenizer::{
    decode, encode_document, load, save, train, BOS, BOS_ID, EOS, EOS_ID,
};
use chasqui_training::TrainingError;
use tokenizers::Tokenizer;

fn small() -> Tokenizer {
    train(Corpus::new(3, Split::Train), 400, 600).unwrap()
}

// GIVEN one corpus
// WHEN the tokenizer is trained twice
// THEN the files are equal to the byte
#[test]
fn training_is_repeatable() {
    let [first, second] = [small(), small()].map(|t| t.to_string(true).unwrap());
    assert_eq!(first, second);
}

// GIVEN text of the corpus, and text it never saw: other scripts, emoji, control characters
// WHEN it is encoded and decoded
// THEN it comes back unchanged
#[test]
fn every_text_comes_back() {
    let tokenizer = small();
    let mut texts: Vec<String> = Corpus::new(4, Split::HeldOut)
        .documents(0)
        .take(100)
        .collect();
    texts.extend(
        [
            "",
            " ",
            "  two  spaces ",
            "ñandú y qhapaq ñan",
            "走れメロス",
            "🏃\u{200d}♀️",
            "\0\r\n\t~",
        ]
        .map(String::from),
    );
    for text in texts {
        let ids = encode_document(&tokenizer, &text).unwrap();
        assert_eq!((ids[0], ids[ids.len() - 1]), (BOS_ID, EOS_ID));
        assert_eq!(decode(&tokenizer, &ids).unwrap(), text);
    }
}

// GIVEN a saved tokenizer
// WHEN it is read back
// THEN it is the same, special tokens have their fixed ids, and encoding a prompt puts the
//      beginning token first and no end token
#[test]
fn files_hold_what_a_user_of_the_layout_expects() {
    let dir = tempfile::tempdir().unwrap();
    save(&small(), dir.path(), 512).unwrap();
    let tokenizer = load(&dir.path().join("tokenizer.json")).unwrap();
    assert_eq!(
        tokenizer.to_string(true).unwrap(),
        small().to_string(true).unwrap()
    );
    assert_eq!(tokenizer.token_to_id(BOS), Some(BOS_ID));
    assert_eq!(tokenizer.token_to_id(EOS), Some(EOS_ID));
    let ids = tokenizer
        .encode("Once upon a time", true)
        .unwrap()
        .get_ids()
        .to_vec();
    assert_eq!(ids[0], BOS_ID);
    assert!(!ids.contains(&EOS_ID));
    let config = std::fs::read(dir.path().join("tokenizer_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["bos_token"], BOS);
    assert_eq!(config["eos_token"], EOS);
    assert_eq!(config["model_max_length"], 512);
}

// GIVEN a vocabulary that cannot be had, or a file that is no tokenizer
// WHEN it is asked for
// THEN the error says why
#[test]
fn impossible_requests_are_refused() {
    let corpus = Corpus::new(3, Split::Train);
    let error = train(corpus, 10, 100).unwrap_err();
    assert!(
        matches!(
            error,
            TrainingError::Setting {
                field: "vocab_size",
                ..
            }
        ),
        "{error}"
    );
    let error = train(corpus, 1, 5000).unwrap_err();
    assert!(
        matches!(
            error,
            TrainingError::Setting {
                field: "documents",
                ..
            }
        ),
        "{error}"
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokenizer.json");
    std::fs::write(&path, "{}").unwrap();
    assert!(load(&path)
        .unwrap_err()
        .to_string()
        .contains("tokenizer.json"));
}

// GIVEN a packed stream
// WHEN sequences are taken from it
// THEN they lie end to end, nothing is skipped or padded, and shards share no document
#[test]
fn packing_skips_nothing() {
    let tokenizer = Arc::new(small());
    let corpus = Corpus::new(5, Split::Train);
    let mut stream = PackedStream::new(corpus, tokenizer.clone(), 32, 0, 1).unwrap();
    let sequences = stream.next_batch(40).unwrap();
    let mut ids = vec![sequences[0][0]];
    for sequence in &sequences {
        assert_eq!(sequence.len(), 33);
        assert_eq!(sequence.first(), ids.last());
        ids.extend(&sequence[1..]);
    }
    let expected: Vec<u32> = corpus
        .documents(0)
        .take(stream.cursor().next_document as usize)
        .flat_map(|text| encode_document(&tokenizer, &text).unwrap())
        .collect();
    assert_eq!(ids, expected[..ids.len()]);

    let mut odd = PackedStream::new(corpus, tokenizer.clone(), 32, 1, 2).unwrap();
    let first = encode_document(&tokenizer, &corpus.document(1)).unwrap();
    assert_eq!(odd.next_sequence().unwrap()[..20], first[..20]);
    assert_eq!(odd.cursor().next_document % 2, 1);
    assert!(PackedStream::new(corpus, tokenizer.clone(), 0, 0, 1).is_err());
    assert!(PackedStream::new(corpus, tokenizer, 32, 0, 0).is_err());
}
