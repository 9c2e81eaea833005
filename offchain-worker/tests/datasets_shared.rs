//! Which blobs a worker hands out as datasets.

use std::collections::BTreeSet;

use chasqui_primitives::blob::CHUNK_BYTES;
use chasqui_training::diloco::dataset::Header;
use chasqui_worker::{blobs::BlobStore, datasets::shelf::Shelf};
use sp_core::H256;

fn dataset(tokens: u64) -> Vec<u8> {
    let header = Header {
        tokenizer: H256::zero(),
        vocabulary: 300,
        end: 1,
        tokens,
        held_out: 0,
    };
    let mut bytes = header.encode().to_vec();
    bytes.resize(header.bytes() as usize, 0);
    bytes
}

// GIVEN a blob folder with two datasets, somebody's prompt, and what only begins like a dataset
// WHEN all their roots are registered on the chain but one dataset's, and that of a dataset that is not here
// THEN the registered dataset that is here is handed out, and nothing else: whatever somebody registers
#[test]
fn a_registered_root_makes_no_blob_a_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open_dir(folder.path()).unwrap();
    let put = |bytes: &[u8]| store.put_bytes(bytes, CHUNK_BYTES).unwrap().root();
    let (registered, other) = (put(&dataset(500)), put(&dataset(600)));
    let prompt = put(b"what nobody else may read");
    let stub = put(&dataset(500)[..100]);
    let roots = [prompt, registered, stub, H256::repeat_byte(9)];
    let mut shelf = Shelf::default();
    let here = shelf.datasets(&store, &roots);
    assert_eq!(*here, BTreeSet::from([registered]));
    // WHEN it is looked at again, one came, and one left THEN the list follows
    let late = dataset(700);
    let roots = [roots.as_slice(), &[other, put(&late)]].concat();
    store.remove(&registered).unwrap();
    let expected = BTreeSet::from([other, put(&late)]);
    assert_eq!(*shelf.datasets(&store, &roots), expected);
    store.put_bytes(&dataset(500), CHUNK_BYTES).unwrap();
    assert!(shelf.datasets(&store, &roots).contains(&registered));
    assert!(shelf.datasets(&store, &[]).is_empty());
}
