//! Model folders as checkpoints: import, recreate, load.

mod common;

use std::fs;

use chasqui_engine::batch::Limits;
use chasqui_primitives::{blob::CHUNK_BYTES, NumericProfile};
use chasqui_worker::{
    blobs::{manifest, BlobError, BlobStore, Manifest, ManifestEntry},
    models::ModelCache,
};
use common::{copy_of, golden};
use parity_scale_codec::Encode;
use sp_core::H256;

fn store(dir: &std::path::Path) -> BlobStore {
    BlobStore::open_dir(dir.join("blobs")).unwrap()
}

// GIVEN every golden model
// WHEN it is imported and recreated elsewhere
// THEN the files are the same, and importing the copy gives the same root
#[test]
fn a_model_survives_the_store() {
    for name in ["llama-mha-tied", "llama-gqa-bf16-sharded"] {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let (imported, root) = Manifest::import(&store, &golden(name)).unwrap();
        let copy = dir.path().join("copy");
        let opened = manifest::materialise(&store, &root, &copy).unwrap();
        assert_eq!(opened, imported);
        assert!(opened.matches_dir(&copy));
        for file in &opened.files {
            assert_eq!(
                fs::read(copy.join(&file.name)).unwrap(),
                fs::read(golden(name).join(&file.name)).unwrap()
            );
        }
        // Files that do not belong to the model change nothing.
        fs::write(copy.join("README.md"), "read me").unwrap();
        assert_eq!(Manifest::import(&store, &copy).unwrap(), (imported, root));
    }
}

// GIVEN a recreated folder that was there before, damaged
// WHEN the checkpoint is recreated
// THEN the folder is whole again
#[test]
fn a_damaged_folder_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let (imported, root) = Manifest::import(&store, &golden("llama-mha-tied")).unwrap();
    let copy = dir.path().join("copy");
    manifest::materialise(&store, &root, &copy).unwrap();
    fs::write(copy.join("model.safetensors"), b"damaged").unwrap();
    assert!(!imported.matches_dir(&copy));
    manifest::materialise(&store, &root, &copy).unwrap();
    assert!(imported.matches_dir(&copy));
}

// GIVEN manifests that break a rule: paths instead of names, unsorted, doubled, empty, or no manifest at all
// WHEN they are opened
// THEN each is refused, and no file is written outside the folder
#[test]
fn hostile_manifests_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let blob = store.put_bytes(b"evil", CHUNK_BYTES).unwrap().root();
    let entry = |name: &str| ManifestEntry {
        name: name.into(),
        root: blob,
        len: 4,
    };
    let mut hostile: Vec<Vec<ManifestEntry>> = [
        "../evil",
        "/etc/evil",
        "a/b",
        "..",
        ".",
        "",
        ".hidden",
        "a\\b",
        "a\0b",
        "a b",
        "ä",
        "C:evil",
    ]
    .iter()
    .map(|name| vec![entry(name)])
    .collect();
    hostile.push(vec![entry(&"a".repeat(129))]);
    hostile.push(vec![entry("b"), entry("a")]);
    hostile.push(vec![entry("a"), entry("a")]);
    hostile.push(Vec::new());
    for files in hostile {
        let manifest = Manifest { files };
        let root = store
            .put_bytes(&manifest.encode(), CHUNK_BYTES)
            .unwrap()
            .root();
        let error = manifest::materialise(&store, &root, &dir.path().join("out")).unwrap_err();
        assert!(
            matches!(error, BlobError::Manifest { .. }),
            "{manifest:?}: {error}"
        );
    }
    let error = Manifest::open(&store, &blob).unwrap_err();
    assert!(matches!(error, BlobError::Manifest { .. }), "{error}");
    assert!(!dir.path().join("evil").exists() && !dir.path().join("out").exists());
}

// GIVEN a manifest that lies about a file's length, or names a blob that is not there
// WHEN it is recreated
// THEN it is an error and the folder does not appear
#[test]
fn a_manifest_that_lies_gives_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let blob = store.put_bytes(b"data", CHUNK_BYTES).unwrap().root();
    let out = dir.path().join("out");
    for (root, len) in [(blob, 5), (H256::zero(), 4)] {
        let manifest = Manifest {
            files: vec![ManifestEntry {
                name: "config.json".into(),
                root,
                len,
            }],
        };
        let root = store
            .put_bytes(&manifest.encode(), CHUNK_BYTES)
            .unwrap()
            .root();
        assert!(manifest::materialise(&store, &root, &out).is_err());
        assert!(!out.exists());
    }
}

// GIVEN folders that are no model
// WHEN they are imported
// THEN the error names what is missing
#[test]
fn folders_that_are_no_model_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let refused = |path: &std::path::Path, needle: &str| {
        let said = Manifest::import(&store, path).unwrap_err().to_string();
        assert!(said.contains(needle), "{said}");
    };
    refused(&dir.path().join("nowhere"), "no such folder");
    let model = dir.path().join("model");
    copy_of("llama-gqa-bf16-sharded", &model);
    fs::remove_file(model.join("model-00002-of-00004.safetensors")).unwrap();
    refused(&model, "model-00002-of-00004.safetensors");
    fs::write(model.join("model.safetensors.index.json"), "{").unwrap();
    refused(&model, "weight_map");
    fs::remove_file(model.join("model.safetensors.index.json")).unwrap();
    refused(&model, "neither model.safetensors");
    fs::remove_file(model.join("config.json")).unwrap();
    refused(&model, "config.json");
}

// GIVEN an imported checkpoint and a cache of one model
// WHEN engines are asked for
// THEN each is loaded once, shared, and survives being pushed out; a damaged unpacked folder heals itself
#[test]
fn models_are_loaded_once_and_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let (_, a) = Manifest::import(&store, &golden("llama-mha-tied")).unwrap();
    let (_, b) = Manifest::import(&store, &golden("mistral-gqa")).unwrap();
    let cache = ModelCache::new(
        store.clone(),
        dir.path().join("models"),
        "cpu",
        Limits::default(),
        1,
    );
    assert!(cache.is_available(&a) && !cache.is_available(&H256::zero()));

    let first = cache.engine(&a, NumericProfile::F32).unwrap();
    let loaded: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| cache.engine(&a, NumericProfile::F32).unwrap()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(loaded
        .iter()
        .all(|engine| std::sync::Arc::ptr_eq(engine, &first)));

    cache.engine(&b, NumericProfile::F32).unwrap();
    assert_eq!(cache.len(), 1);
    assert_eq!(first.config().vocab_size, 512);

    let folder = cache.folder().join(hex::encode(a));
    fs::write(folder.join("model.safetensors"), b"damaged").unwrap();
    cache.engine(&a, NumericProfile::F32).unwrap();

    // A model that is not there is an error each time, until it is.
    assert!(cache.engine(&H256::zero(), NumericProfile::F32).is_err());
    store.remove(&b).unwrap();
    assert!(ModelCache::new(
        store.clone(),
        dir.path().join("other"),
        "cpu",
        Limits::default(),
        1
    )
    .engine(&b, NumericProfile::F32)
    .is_err());
    let said = format!(
        "{:#}",
        cache
            .engine(&H256::repeat_byte(1), NumericProfile::F32)
            .unwrap_err()
    );
    assert!(said.contains("0x0101"), "{said}");
}

// GIVEN one model registered under two numeric profiles
// WHEN a worker loads it for each
// THEN it is held as that profile says
#[test]
fn a_model_is_held_as_its_profile_says() {
    for (profile, held) in [(NumericProfile::F32, "f32"), (NumericProfile::Int8, "int8")] {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let (_, root) = Manifest::import(&store, &golden("llama-mha-tied")).unwrap();
        let models = dir.path().join("models");
        let cache = ModelCache::new(store, models, "cpu", Limits::default(), 1);
        let engine = cache.engine(&root, profile).unwrap();
        let said = engine.decoder().describe();
        assert!(said.ends_with(held), "{said}");
    }
}
