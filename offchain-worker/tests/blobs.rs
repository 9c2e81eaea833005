//! The blob store: what goes in comes out, and nothing else ever does.

use std::fs;

use chasqui_primitives::blob::{blob_info, verify_chunk, CHUNK_BYTES};
use chasqui_worker::blobs::{BlobError, BlobStore};
use sp_core::H256;
use tempfile::TempDir;

fn store() -> (TempDir, BlobStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open_dir(dir.path()).unwrap();
    (dir, store)
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

// GIVEN bytes of lengths around the borders of a chunk
// WHEN they are put, as bytes or as a file
// THEN the root is the protocol's, and reading gives them back
#[test]
fn what_is_put_comes_back() {
    let (dir, store) = store();
    for len in [0, 1, 31, 32, 33, 64, 1_000] {
        let data = bytes(len);
        let info = store.put_bytes(&data, 32).unwrap();
        assert_eq!(info, blob_info(&data, 32));
        assert!(store.contains(&info.root()));
        assert_eq!(store.read_all(&info.root(), 1_000).unwrap(), data);

        let path = dir.path().join("source");
        fs::write(&path, &data).unwrap();
        assert_eq!(store.put_file(&path, 32).unwrap(), info);
        assert_eq!(store.verify(&info.root()).unwrap(), info);
    }
}

// GIVEN a blob of several chunks
// WHEN single chunks are read with their proofs
// THEN a peer that knows only the root can check each of them
#[test]
fn chunks_prove_themselves() {
    let (_dir, store) = store();
    let data = bytes(3 * CHUNK_BYTES as usize + 5);
    let root = store.put_bytes(&data, CHUNK_BYTES).unwrap().root();
    let reader = store.open(&root).unwrap();
    for index in 0..4 {
        let (chunk, proof) = reader.proven_chunk(index).unwrap();
        assert!(verify_chunk(&root, reader.info(), index, &chunk, &proof));
    }
    assert!(reader.chunk(4).is_err());
    assert!(reader.chunk(u64::MAX).is_err());
}

// GIVEN a root that is not in the store
// WHEN it is read
// THEN the error names root and folder
#[test]
fn a_missing_blob_is_named() {
    let (dir, store) = store();
    let root = H256::repeat_byte(0xab);
    let error = store.read_all(&root, 10).unwrap_err();
    assert!(matches!(error, BlobError::Missing { .. }));
    let said = error.to_string();
    assert!(
        said.contains("0xabab") && said.contains(dir.path().to_str().unwrap()),
        "{said}"
    );
    assert!(!store.contains(&root));
    store.remove(&root).unwrap();
}

// GIVEN a blob above the reader's limit
// WHEN it is read
// THEN it is refused before its bytes are
#[test]
fn an_oversized_blob_is_refused() {
    let (_dir, store) = store();
    let root = store.put_bytes(&bytes(100), 32).unwrap().root();
    let error = store.read_all(&root, 99).unwrap_err();
    assert!(
        matches!(
            error,
            BlobError::TooLarge {
                len: 100,
                limit: 99,
                ..
            }
        ),
        "{error}"
    );
}

// GIVEN stored files that were damaged: a bit flipped anywhere, cut short, grown, or the tree lost
// WHEN the blob is read
// THEN it is an error that names the file, never other bytes; putting the blob again repairs it
#[test]
fn damage_is_found_and_repaired() {
    let (dir, store) = store();
    let data = bytes(100);
    let root = store.put_bytes(&data, 32).unwrap().root();
    let name = hex::encode(root);
    let (blob, tree) = (
        dir.path().join(format!("{name}.blob")),
        dir.path().join(format!("{name}.tree")),
    );
    let originals = (fs::read(&blob).unwrap(), fs::read(&tree).unwrap());

    let damaged = |path: &std::path::Path, content: &[u8]| {
        fs::write(path, content).unwrap();
        let error = store.read_all(&root, 1_000).unwrap_err();
        assert!(matches!(error, BlobError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(&name), "{error}");
        store.put_bytes(&data, 32).unwrap();
        assert_eq!(store.read_all(&root, 1_000).unwrap(), data);
    };
    for (path, original) in [(&blob, &originals.0), (&tree, &originals.1)] {
        for at in 0..original.len() {
            let mut flipped = original.clone();
            flipped[at] ^= 0x10;
            damaged(path, &flipped);
        }
        damaged(path, &original[..original.len() - 1]);
        damaged(path, &[]);
        damaged(path, &[original.as_slice(), b"x"].concat());
    }
    fs::remove_file(&tree).unwrap();
    assert!(matches!(
        store.read_all(&root, 1_000),
        Err(BlobError::Corrupt { .. })
    ));
}

// GIVEN bytes from a peer that are not the blob asked for
// WHEN they are put under its root
// THEN the store refuses and keeps nothing
#[test]
fn other_bytes_never_appear_under_a_root() {
    let (dir, store) = store();
    let wanted = blob_info(&bytes(40), 32).root();
    let error = store.put_expected(wanted, &bytes(41), 32).unwrap_err();
    assert!(matches!(error, BlobError::WrongRoot { .. }));
    assert!(!store.contains(&wanted));
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "only the folder for unfinished files"
    );
    assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    store.put_expected(wanted, &bytes(40), 32).unwrap();
    assert!(store.contains(&wanted));
}

// GIVEN a file that a killed process left half-written, and one that a living process writes
// WHEN the store is opened
// THEN the first goes and the second stays
#[test]
fn leftovers_go_and_files_in_work_stay() {
    let (dir, store) = store();
    let staging = dir.path().join("tmp");
    fs::write(staging.join("1-0.part"), b"half").unwrap();
    let in_work = fs::File::create(staging.join("2-0.part")).unwrap();
    in_work.lock().unwrap();
    BlobStore::open_dir(dir.path()).unwrap();
    assert!(!staging.join("1-0.part").exists());
    assert!(staging.join("2-0.part").exists());
    drop(in_work);
    BlobStore::open_dir(store.dir()).unwrap();
    assert!(!staging.join("2-0.part").exists());
}

// GIVEN several threads that put the same blobs and open the store meanwhile
// WHEN all are done
// THEN every blob is whole
#[test]
fn many_writers_agree() {
    let (dir, store) = store();
    let data: Vec<Vec<u8>> = (0..8).map(|i| bytes(500 + i)).collect();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for data in &data {
                    BlobStore::open_dir(dir.path())
                        .unwrap()
                        .put_bytes(data, 64)
                        .unwrap();
                }
            });
        }
    });
    for data in &data {
        assert_eq!(
            store.read_all(&blob_info(data, 64).root(), 1_000).unwrap(),
            *data
        );
    }
}
