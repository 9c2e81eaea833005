//! `dataset build`, and what `dataset submit` refuses before it asks a node for anything.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use common::{fails, golden, json, run, stderr, text};
use serde_json::Value;
use tempfile::TempDir;

const MODEL: &str = "llama-mha-tied";

/// A folder with three documents, one of them twice, and something that is no text.
fn texts(of: &Path) -> PathBuf {
    let folder = of.join("texts");
    fs::create_dir_all(folder.join("more")).unwrap();
    for (name, content) in [
        ("a.txt", "the chain pays for what was computed".as_bytes()),
        ("b.md", b"and nobody knows who will look"),
        ("c.txt", b"and nobody knows who will look"),
        ("more/d.txt", b"one more document, a folder down"),
        ("picture.png", &[0xff, 0xd8, 0xff]),
        ("empty.txt", b" \n"),
    ] {
        fs::write(folder.join(name), content).unwrap();
    }
    folder
}

struct Place {
    folder: TempDir,
    texts: PathBuf,
    blobs: PathBuf,
    model: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    Place {
        texts: texts(folder.path()),
        blobs: folder.path().join("blobs"),
        model: golden(MODEL),
        folder,
    }
}

impl Place {
    fn build(&self, more: &[&str]) -> Value {
        let mut arguments = vec![
            "dataset",
            "build",
            text(&self.texts),
            "--tokenizer",
            text(&self.model),
            "--held-out-ppm",
            "0",
            "--json",
        ];
        arguments.extend(more);
        json(&arguments)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What `dataset submit` says of a dataset, by a node that is not there.
fn refusal(dataset: &str, blobs: &Path, more: &[&str]) -> String {
    let mut arguments = vec![
        "dataset",
        "submit",
        dataset,
        "--blob-dir",
        text(blobs),
        "--key",
        "//Bob",
        "--node",
        "ws://127.0.0.1:9",
    ];
    let given = |option: &str| more.contains(&option);
    if !given("--licence") {
        arguments.extend(["--licence", "CC0-1.0"]);
    }
    if !given("--description") {
        arguments.extend(["--description", "notes"]);
    }
    arguments.extend(more);
    fails(&arguments)
}

// GIVEN a folder of text in two places
// WHEN it is built into a blob folder here and into a file there, and once more
// THEN root and bytes are the same, documents are counted, and what was left out is told
#[test]
fn a_folder_of_text_is_the_same_dataset_everywhere() {
    let (here, there) = (place(), place());
    let built = here.build(&["--blob-dir", text(&here.blobs)]);
    let root = built["root"].as_str().unwrap();
    let blob = here.blobs.join(format!("{}.blob", &root[2..]));
    let file = there.file("notes.data");
    let other = there.build(&["--out", text(&file)]);
    assert_eq!(other["root"], root);
    assert_eq!(fs::read(&file).unwrap(), fs::read(&blob).unwrap());
    assert_eq!(fs::metadata(&blob).unwrap().len(), built["bytes"]);
    for (field, expected) in [
        ("documents", 3),
        ("repeated", 1),
        ("noText", 2),
        ("tooLong", 0),
        ("heldOut", 0),
    ] {
        assert_eq!(built[field], expected, "{field}: {built}");
    }
    assert!(built["tokens"].as_u64().unwrap() > 3);
    // Nothing else is left beside the blobs.
    let again = here.build(&["--blob-dir", text(&here.blobs)]);
    assert_eq!(again["root"], root);
    let names = fs::read_dir(&here.blobs).unwrap();
    let mut names: Vec<_> = names.map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    let some = there.build(&["--out", text(&file), "--extension", "md"]);
    assert_eq!(some["documents"], 1);
    assert_ne!(some["root"], root);
}

// GIVEN folders that are none, hold no text, models without a tokenizer, and places that cannot be written
// WHEN a dataset is built
// THEN each is refused with the option that is wrong, and nothing is written
#[test]
fn what_cannot_be_built_is_named() {
    let place = place();
    let absent = place.file("absent");
    let nothing = place.file("nothing");
    fs::create_dir(&nothing).unwrap();
    let out = place.file("out.data");
    let build = |texts: &Path, model: &Path, out: &Path| {
        fails(&[
            "dataset",
            "build",
            text(texts),
            "--tokenizer",
            text(model),
            "--out",
            text(out),
        ])
    };
    let (texts, model) = (place.texts.as_path(), place.model.as_path());
    for (said, named) in [
        (build(&absent, model, &out), "DIR"),
        (build(&nothing, model, &out), "none gives text"),
        (build(texts, &absent, &out), "--tokenizer"),
        (build(texts, &nothing, &out), "--tokenizer"),
        (build(texts, model, &nothing), "--out"),
        (build(texts, model, &absent.join("out.data")), "--out"),
    ] {
        assert!(said.contains(named), "{named}: {said}");
    }
    assert!(!out.exists());
    let both = run(&[
        "dataset",
        "build",
        text(texts),
        "--tokenizer",
        text(model),
        "--out",
        text(&out),
        "--blob-dir",
        text(&place.blobs),
    ]);
    assert_eq!(both.status.code(), Some(2), "{}", stderr(&both));
}

// GIVEN files that are no datasets: truncated, another magic, a token beyond the vocabulary, nothing but held out, no file,
// and a root that the blob folder lacks
// WHEN they are submitted
// THEN each is refused with what is wrong before the node is asked, and nothing is in the blob folder
#[test]
fn what_validators_would_reject_is_not_submitted() {
    let place = place();
    let sound = place.file("sound.data");
    place.build(&["--out", text(&sound)]);
    let bytes = fs::read(&sound).unwrap();
    let broken = |name: &str, change: fn(&mut Vec<u8>)| {
        let (path, mut bytes) = (place.file(name), bytes.clone());
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        path
    };
    let cases = [
        (broken("cut", |b| b.truncate(b.len() - 2)), "tokens take"),
        (broken("stub", |b| b.truncate(20)), "header"),
        (broken("magic", |b| b[0] = b'X'), "CHQDATA1"),
        (
            broken("token", |b| b[72..74].fill(0xff)),
            "the vocabulary has",
        ),
        (
            broken("held", |b| {
                let tokens = b[56..64].to_vec();
                b[64..72].copy_from_slice(&tokens);
            }),
            "some to train on",
        ),
        (place.file("absent"), "neither a file nor a root"),
    ];
    for (path, named) in cases {
        let said = refusal(text(&path), &place.blobs, &[]);
        assert!(said.contains(named), "{named}: {said}");
        assert!(!said.contains("127.0.0.1"), "the node was asked: {said}");
    }
    let root = format!("0x{}", "17".repeat(32));
    let said = refusal(&root, &place.blobs, &[]);
    assert!(
        said.contains("--blob-dir") && said.contains(&root),
        "{said}"
    );
    let (long, longer) = ("M".repeat(65), "d".repeat(513));
    for option in [["--licence", " "], ["--licence", &long]] {
        let said = refusal(text(&sound), &place.blobs, &option);
        assert!(said.contains("--licence"), "{said}");
    }
    for option in [["--description", ""], ["--description", &longer]] {
        let said = refusal(text(&sound), &place.blobs, &option);
        assert!(said.contains("--description"), "{said}");
    }
    let kept = fs::read_dir(&place.blobs).unwrap();
    let blobs = kept.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".blob")
    });
    assert_eq!(blobs.count(), 0);
    // WHEN a sound one is submitted THEN the node is asked, and the blob is there for the next try
    let said = refusal(text(&sound), &place.blobs, &[]);
    assert!(said.contains("127.0.0.1:9"), "{said}");
}

// GIVEN a blob that changed on disk after it was built
// WHEN it is submitted by its root
// THEN that is refused: the bytes are not those of the root
#[test]
fn a_damaged_blob_is_not_submitted() {
    let place = place();
    let built = place.build(&["--blob-dir", text(&place.blobs)]);
    let root = built["root"].as_str().unwrap();
    let blob = place.blobs.join(format!("{}.blob", &root[2..]));
    let mut bytes = fs::read(&blob).unwrap();
    bytes[80] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let said = refusal(root, &place.blobs, &[]);
    assert!(said.contains("does not match the root"), "{said}");
    assert!(!said.contains("127.0.0.1"), "{said}");
}
