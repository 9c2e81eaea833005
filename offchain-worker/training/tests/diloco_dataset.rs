//! Datasets: the same bytes from the same text, any sequence by arithmetic, nothing trusted.

mod common;

use std::io::Cursor;
use std::path::Path;

use chasqui_training::diloco::dataset::{
    build, BuildOptions, BuildReport, Dataset, Header, HEADER_BYTES,
};
use chasqui_training::TrainingError;
use common::{dataset, encoder, write_texts, VOCABULARY};
use proptest::prelude::*;
use sp_core::H256;

fn built(texts: &Path, out: &Path, options: &BuildOptions) -> BuildReport {
    build(&[texts], &encoder(), out, options, |_| {}).unwrap()
}

fn from_bytes(bytes: Vec<u8>) -> chasqui_training::Result<Dataset> {
    Dataset::from_source("test", Box::new(Cursor::new(bytes)))
}

fn header() -> Header {
    Header {
        tokenizer: H256::repeat_byte(1),
        vocabulary: 10,
        end: 1,
        tokens: 6,
        held_out: 2,
    }
}

fn bytes_of(header: &Header, tokens: &[u16]) -> Vec<u8> {
    let mut bytes = header.encode().to_vec();
    bytes.extend(tokens.iter().flat_map(|token| token.to_le_bytes()));
    bytes
}

// GIVEN the same texts in two folders of other names, written in another order
// WHEN both are built
// THEN the datasets are equal to the byte, and progress ends at the last file
#[test]
fn the_same_text_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a/one"), dir.path().join("z"));
    for (folder, order) in [(&a, [0, 1, 2]), (&b, [2, 0, 1])] {
        for index in order {
            std::fs::create_dir_all(folder.join("sub")).unwrap();
            let path = folder.join(["b.txt", "a.txt", "sub/c.txt"][index]);
            std::fs::write(path, format!("Once upon a time there was text {index}.")).unwrap();
        }
    }
    let options = BuildOptions {
        held_out_ppm: 0,
        ..BuildOptions::default()
    };
    let mut last = None;
    let report = build(
        &[&a],
        &encoder(),
        &dir.path().join("a.data"),
        &options,
        |p| last = Some(p),
    )
    .unwrap();
    built(&b, &dir.path().join("b.data"), &options);
    let read = |name| std::fs::read(dir.path().join(name)).unwrap();
    assert!(read("a.data") == read("b.data"));
    assert_eq!(report.documents, 3);
    let last = last.unwrap();
    assert_eq!((last.files, last.of, last.tokens), (3, 3, report.tokens));
}

// GIVEN a hundred documents
// WHEN a part is held out
// THEN which ones follows from their content alone: with one document gone, all others stay on their side
#[test]
fn the_held_out_part_follows_from_content() {
    let dir = tempfile::tempdir().unwrap();
    let texts = dir.path().join("texts");
    write_texts(&texts, 100);
    let options = BuildOptions {
        held_out_ppm: 200_000,
        ..BuildOptions::default()
    };
    let all = built(&texts, &dir.path().join("all"), &options);
    assert_eq!(all.documents, 100);
    assert!((8..=35).contains(&all.held_out_documents), "{all:?}");
    std::fs::remove_file(texts.join("0050.txt")).unwrap();
    let fewer = built(&texts, &dir.path().join("fewer"), &options);
    let gone = all.held_out_documents - fewer.held_out_documents;
    assert!(gone <= 1);
    assert_eq!(fewer.documents, 99);
    let (all, fewer) = (
        Dataset::open(&dir.path().join("all")).unwrap(),
        Dataset::open(&dir.path().join("fewer")).unwrap(),
    );
    let changed = |f: &dyn Fn(&Header) -> u64| f(all.header()) != f(fewer.header());
    assert_ne!(changed(&|h| h.held_out), changed(&|h| h.training()));
}

// GIVEN a built dataset
// WHEN its sequences are read in any order
// THEN they are the text's tokens end to end, each overlapping the next by one; held-out ones come from the end
#[test]
fn sequences_are_read_by_arithmetic() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    data.validate(|_| {}).unwrap();
    let header = *data.header();
    let count = header.sequences(24);
    assert!(
        count > 100 && header.held_out_sequences(24) > 4,
        "{header:?}"
    );
    let last = data.sequence(count - 1, 24).unwrap();
    let before = data.sequence(count - 2, 24).unwrap();
    assert_eq!((last.len(), before.len()), (25, 25));
    assert_eq!(before[24], last[0]);
    // The same tokens, cut otherwise.
    let long = data.sequence(0, 48).unwrap();
    let halves = [data.sequence(0, 24).unwrap(), data.sequence(1, 24).unwrap()];
    assert_eq!(long[..25], halves[0][..]);
    assert_eq!(long[24..], halves[1][..]);
    assert!(data.sequence(count, 24).is_err());
    assert!(data.sequence(u64::MAX, 24).is_err());
    assert!(data.sequence(0, 0).is_err());
    assert!(data.held_out(header.held_out_sequences(24), 24).is_err());
    assert_eq!(data.held_out(0, 24).unwrap().len(), 25);
}

// GIVEN a folder with files that are too long, no UTF-8, empty, repeated, of another ending, or links
// WHEN it is built
// THEN these are left out and counted
#[test]
fn what_is_no_text_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let texts = dir.path().join("texts");
    std::fs::create_dir_all(&texts).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(texts.join(name), bytes).unwrap();
    write("a.txt", b"a story");
    write("b.txt", b"a story");
    write("c.txt", &[0xff, 0xfe, 0x00]);
    write("d.txt", b"  \n ");
    write("e.txt", &vec![b'x'; 1000]);
    write("f.log", b"another story");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/", texts.join("root")).unwrap();
        std::os::unix::fs::symlink(texts.join("f.log"), texts.join("g.txt")).unwrap();
    }
    let options = BuildOptions {
        max_file_bytes: 999,
        held_out_ppm: 0,
        extensions: vec!["txt".into()],
        ..BuildOptions::default()
    };
    let report = built(&texts, &dir.path().join("out"), &options);
    assert_eq!(report.documents, 1);
    assert_eq!(
        (report.too_long, report.no_text, report.repeated),
        (1, 2, 1)
    );
}

// GIVEN a folder without text, or that is not there
// WHEN it is built
// THEN the error says so, and neither dataset nor draft is left
#[test]
fn a_folder_without_text_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let texts = dir.path().join("texts");
    std::fs::create_dir_all(&texts).unwrap();
    let out = dir.path().join("out");
    let options = BuildOptions::default();
    let error = build(&[&texts], &encoder(), &out, &options, |_| {}).unwrap_err();
    assert!(matches!(error, TrainingError::Dataset { .. }), "{error}");
    let missing = dir.path().join("missing");
    assert!(build(&[&missing], &encoder(), &out, &options, |_| {}).is_err());
    std::fs::write(texts.join("a.txt"), "all of it held out").unwrap();
    let all = BuildOptions {
        held_out_ppm: 1_000_000,
        ..options
    };
    assert!(build(&[&texts], &encoder(), &out, &all, |_| {}).is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

// GIVEN a header with one thing wrong
// WHEN it is opened
// THEN the error names it
#[test]
fn hostile_headers_are_refused() {
    let tokens = [2, 3, 4, 1, 5, 1];
    assert!(from_bytes(bytes_of(&header(), &tokens)).is_ok());
    let cases: [(&str, Header); 5] = [
        (
            "vocabulary",
            Header {
                vocabulary: 1,
                ..header()
            },
        ),
        (
            "vocabulary",
            Header {
                vocabulary: u32::MAX,
                ..header()
            },
        ),
        (
            "ends documents",
            Header {
                end: 10,
                ..header()
            },
        ),
        (
            "holds out",
            Header {
                held_out: 7,
                ..header()
            },
        ),
        (
            "more than a blob",
            Header {
                tokens: u64::MAX,
                ..header()
            },
        ),
    ];
    for (reason, header) in cases {
        let error = from_bytes(bytes_of(&header, &tokens))
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes_of(&header(), &tokens);
        bytes[at] = byte;
        from_bytes(bytes).unwrap_err().to_string()
    };
    assert!(with(0, b'X').contains("CHQDATA1"));
    assert!(with(8, 2).contains("version 2"));
    assert!(with(12, 4).contains("tokens of 4 bytes"));
    assert!(with(56, 7).contains("takes") || with(56, 7).contains("take"));
    for len in [0, 10, HEADER_BYTES as usize - 1, HEADER_BYTES as usize + 11] {
        let mut bytes = bytes_of(&header(), &tokens);
        bytes.truncate(len);
        assert!(from_bytes(bytes).is_err(), "{len}");
    }
}

// GIVEN a dataset with a token outside its vocabulary, or a part that ends within a document
// WHEN it is validated, or the sequence is read
// THEN the error says where
#[test]
fn tokens_outside_the_vocabulary_are_found() {
    let data = from_bytes(bytes_of(&header(), &[2, 3, 10, 1, 5, 1])).unwrap();
    let error = data.validate(|_| {}).unwrap_err().to_string();
    assert!(error.contains("token 10 at position 2"), "{error}");
    assert!(data.sequence(0, 3).is_err());
    assert!(data.sequence(0, 1).is_ok());
    for (part, tokens) in [
        ("training", [2, 3, 4, 4, 5, 1]),
        ("held-out", [2, 3, 4, 1, 1, 5]),
    ] {
        let data = from_bytes(bytes_of(&header(), &tokens)).unwrap();
        let error = data.validate(|_| {}).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

// GIVEN a dataset of one tokenizer
// WHEN it is used for a model with another tokenizer, or a smaller vocabulary
// THEN it is refused
#[test]
fn a_dataset_must_fit_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    data.check_fits(Some(&encoder().hash()), VOCABULARY)
        .unwrap();
    data.check_fits(None, VOCABULARY + 1).unwrap();
    assert!(data.check_fits(Some(&H256::zero()), VOCABULARY).is_err());
    assert!(data.check_fits(None, VOCABULARY - 1).is_err());
}

// GIVEN the terms of a run
// WHEN the dataset has another number of sequences than they state
// THEN it is refused
#[test]
fn a_dataset_must_be_as_large_as_the_terms_say() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let mut terms = common::terms(data.header().sequences(24));
    data.check_run(&terms).unwrap();
    terms.sequences += 1;
    let error = data.check_run(&terms).unwrap_err().to_string();
    assert!(error.contains("terms say"), "{error}");
}

// GIVEN a vocabulary beyond 16 bits
// WHEN a dataset is opened
// THEN its tokens have four bytes
#[test]
fn large_vocabularies_take_four_bytes() {
    let header = Header {
        vocabulary: 100_000,
        end: 99_999,
        tokens: 3,
        held_out: 0,
        ..header()
    };
    let mut bytes = header.encode().to_vec();
    for token in [70_000u32, 5, 99_999] {
        bytes.extend(token.to_le_bytes());
    }
    let data = from_bytes(bytes).unwrap();
    data.validate(|_| {}).unwrap();
    assert_eq!(data.sequence(0, 2).unwrap(), [70_000, 5, 99_999]);
}

proptest! {
    // GIVEN any header
    // WHEN it is written and read back
    // THEN it is the same
    #[test]
    fn headers_come_back(
        vocabulary in 2u32..1 << 24,
        end in 0u32..1 << 24,
        tokens in 0u64..1 << 30,
        held_out in 0u64..1 << 30,
    ) {
        let header = Header {
            tokenizer: H256::repeat_byte(9),
            vocabulary,
            end: end % vocabulary,
            tokens,
            held_out: held_out.min(tokens),
        };
        prop_assert_eq!(Header::decode(&header.encode(), header.bytes()), Ok(header));
    }

    // GIVEN any bytes
    // WHEN they are opened as a dataset and a sequence is read
    // THEN there is an error or tokens, never a panic
    #[test]
    fn any_bytes_never_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        good in any::<bool>(),
        index in any::<u64>(),
        sequence in any::<u32>(),
    ) {
        if good && bytes.len() >= HEADER_BYTES as usize {
            let tokens = (bytes.len() as u64 - HEADER_BYTES) / 2;
            let len = (HEADER_BYTES + 2 * tokens) as usize;
            bytes.truncate(len);
            let header = Header { tokens, held_out: tokens / 2, ..header() };
            bytes[..HEADER_BYTES as usize].copy_from_slice(&header.encode());
        }
        if let Ok(data) = from_bytes(bytes) {
            let _ = data.sequence(index, sequence);
            let _ = data.held_out(index, sequence % 8);
            let _ = data.validate(|_| {});
        }
    }
}
