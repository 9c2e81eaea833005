//! An import that is killed leaves a store that is whole.

mod common;

use std::{fs, process::Stdio, thread::sleep, time::Duration};

use chasqui_worker::blobs::{BlobStore, Manifest};
use common::{copy_of, json, text, worker};

// GIVEN a model with a large further file, so that its import takes a while
// WHEN the importing process is killed at many moments
// THEN every blob under its name is whole at each of them, nothing half-written stays, and the next import ends
//      with the same root as an undisturbed one
#[test]
fn a_killed_import_leaves_only_whole_blobs() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model");
    copy_of("llama-mha-tied", &model);
    // Text of the tokenizer's configuration is free up to 16 MiB: 12 MiB of it.
    let filler = format!("{{\"filler\": \"{}\"}}", "chasqui ".repeat(3 << 19));
    fs::write(model.join("tokenizer_config.json"), filler).unwrap();
    let undisturbed = dir.path().join("undisturbed");
    let expected = json(&[
        "model",
        "import",
        text(&model),
        "--blob-dir",
        text(&undisturbed),
        "--json",
    ]);

    let blobs = dir.path().join("blobs");
    for milliseconds in [0, 5, 10, 20, 40, 60, 80, 120, 160, 240] {
        let mut child = worker()
            .args(["model", "import", text(&model), "--blob-dir", text(&blobs)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();

        let store = BlobStore::open_dir(&blobs).unwrap();
        for entry in fs::read_dir(&blobs).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "blob")
            {
                let root: [u8; 32] = hex::decode(path.file_stem().unwrap().to_str().unwrap())
                    .unwrap()
                    .try_into()
                    .unwrap();
                store.verify(&root.into()).unwrap();
            }
        }
        assert_eq!(fs::read_dir(blobs.join("tmp")).unwrap().count(), 0);
    }
    let after = json(&[
        "model",
        "import",
        text(&model),
        "--blob-dir",
        text(&blobs),
        "--json",
    ]);
    assert_eq!(after["root"], expected["root"]);
    let store = BlobStore::open_dir(&blobs).unwrap();
    let root: [u8; 32] = hex::decode(&after["root"].as_str().unwrap()[2..])
        .unwrap()
        .try_into()
        .unwrap();
    for file in Manifest::open(&store, &root.into()).unwrap().files {
        store.verify(&file.root).unwrap();
    }
}
