//! Prompts in blobs: what a client puts in is what an executor reads, and nothing else is taken for a prompt.

mod common;

use chasqui_chain::H256;
use chasqui_engine::Engine;
use chasqui_primitives::{blob::CHUNK_BYTES, hash, Prompt};
use chasqui_worker::{
    blobs::BlobStore,
    prompt::{self, Asked, MAX_PROMPT_BLOB_BYTES},
};
use common::golden;
use parity_scale_codec::Encode;

const MODEL: &str = "llama-mha-tied";
const SALT: [u8; 32] = [7; 32];

fn genesis() -> H256 {
    H256::repeat_byte(9)
}

fn engine() -> Engine {
    Engine::load(&golden(MODEL), "cpu").unwrap()
}

/// A prompt whose blob holds `bytes`, said to be `tokens` ids.
fn forged(store: &BlobStore, bytes: &[u8], tokens: u32) -> Prompt {
    Prompt::Blob {
        root: store.put_bytes(bytes, CHUNK_BYTES).unwrap().root(),
        prompt_hash: H256::zero(),
        prompt_tokens: tokens,
    }
}

// GIVEN a long prompt of ids
// WHEN a client puts it into the blob folder, and an executor reads what the chain names
// THEN it is the same, and hash and length are those that the executor has to acknowledge
#[test]
fn what_a_client_puts_in_an_executor_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (client, executor) = (
        BlobStore::open_dir(folder.path()).unwrap(),
        BlobStore::open_dir(folder.path()).unwrap(),
    );
    let ids: Vec<u32> = (0..5_000).map(|i| i % 512).collect();
    let prompt = prompt::to_blob(&ids, &genesis(), &SALT, &client).unwrap();
    assert_eq!(prompt::ids(&prompt, &engine(), &executor).unwrap(), ids);
    match prompt {
        Prompt::Blob {
            prompt_hash,
            prompt_tokens,
            ..
        } => {
            assert_eq!(prompt_hash, hash::prompt_hash(&genesis(), &SALT, &ids));
            assert_eq!(prompt_tokens, 5_000);
        }
        other => panic!("{other:?}"),
    }
}

// GIVEN text in a file
// WHEN it is tokenized for a blob, and when it goes on chain as text
// THEN both come to the same ids
#[test]
fn text_has_the_same_ids_in_a_blob_and_on_chain() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompt.txt");
    std::fs::write(&file, "the chain ends\n").unwrap();
    let store = BlobStore::open_dir(folder.path().join("blobs")).unwrap();
    let asked = Asked::from_file(&file).unwrap();
    assert_eq!(asked, Asked::Text("the chain ends\n".into()));
    let inline = prompt::ids(&asked.inline().unwrap(), &engine(), &store).unwrap();
    let model = golden(MODEL);
    let ids = asked
        .ids(|| prompt::tokenizer(Some(&model), &store, &H256::zero()))
        .unwrap();
    assert_eq!(ids, inline);
}

// GIVEN prompts at the limits of what the chain holds
// WHEN they are asked to go on chain
// THEN what fits goes, and what is one longer does not
#[test]
fn the_longest_prompts_on_chain_are_exactly_that_long() {
    assert!(Asked::Text("a".repeat(8_192)).inline().is_some());
    assert!(Asked::Text("a".repeat(8_193)).inline().is_none());
    assert!(Asked::Ids(vec![1; 2_048]).inline().is_some());
    let long = Asked::Ids(vec![1; 2_049]);
    assert!(long.inline().is_none());
    assert!(long.size().contains("2049") && long.size().contains("2048"));
}

// GIVEN blobs that are no prompt: absent, of other bytes, of another length, with bytes left over, with ids that the
//       model does not have
// WHEN an executor reads them
// THEN each is an error that names the blob and what is wrong
#[test]
fn blobs_that_are_no_prompt_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open_dir(folder.path()).unwrap();
    let engine = engine();
    let ids = vec![1u32, 2, 3];
    let more = [ids.encode(), vec![0]].concat();
    let cases = [
        (forged(&store, &ids.encode(), 4), "holds 3 token ids"),
        (forged(&store, &more, 3), "no list of token ids"),
        (forged(&store, &[0xff; 40], 3), "no list of token ids"),
        (
            forged(&store, &vec![1u32, 512].encode(), 2),
            "the token id 512",
        ),
        (
            Prompt::Blob {
                root: H256::repeat_byte(1),
                prompt_hash: H256::zero(),
                prompt_tokens: 3,
            },
            "is not in",
        ),
    ];
    for (prompt, expected) in cases {
        let said = format!("{:#}", prompt::ids(&prompt, &engine, &store).unwrap_err());
        assert!(said.contains(expected) && said.contains("0x"), "{said}");
    }
}

// GIVEN more ids than a prompt's blob may hold
// WHEN they are put in
// THEN they are refused, because no executor would read them, and nothing is stored
#[test]
fn a_blob_that_nobody_would_read_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open_dir(folder.path()).unwrap();
    let ids = vec![1u32; (MAX_PROMPT_BLOB_BYTES / 4) as usize];
    let error = prompt::to_blob(&ids, &genesis(), &SALT, &store).unwrap_err();
    assert!(error.to_string().contains("16777216"), "{error}");
    let left = std::fs::read_dir(folder.path()).unwrap();
    assert!(left
        .filter_map(Result::ok)
        .all(|entry| entry.path().is_dir()));
}

// GIVEN files that hold no prompt
// WHEN they are read
// THEN the error names the file and what to do
#[test]
fn files_that_hold_no_prompt_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let latin = folder.path().join("latin.txt");
    std::fs::write(&latin, b"caf\xe9").unwrap();
    let said = format!("{:#}", Asked::from_file(&latin).unwrap_err());
    assert!(
        said.contains("latin.txt") && said.contains("UTF-8"),
        "{said}"
    );
    let absent = folder.path().join("absent.txt");
    let said = format!("{:#}", Asked::from_file(&absent).unwrap_err());
    assert!(said.contains("absent.txt"), "{said}");
}

// GIVEN a checkpoint that is in no blob folder, and no model folder
// WHEN its tokenizer is wanted
// THEN the error says both ways to give one
#[test]
fn a_missing_tokenizer_is_told_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open_dir(folder.path()).unwrap();
    let error = prompt::tokenizer(None, &store, &H256::repeat_byte(3)).unwrap_err();
    let said = format!("{error:#}");
    assert!(
        said.contains("--model") && said.contains("--blob-dir"),
        "{said}"
    );
}

// GIVEN a client that lays one prompt into the blob folder and puts the hash of another on chain
// WHEN an executor reads it
// THEN the lie is found before any work: the chain would refuse whatever is made of it
#[test]
fn a_blob_with_another_hash_than_the_job_says_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open_dir(folder.path()).unwrap();
    let ids = [1u32, 2, 3];
    let hash = hash::prompt_hash(&genesis(), &SALT, &ids);
    let honest = prompt::to_blob(&ids, &genesis(), &SALT, &store).unwrap();
    prompt::check_hash(&honest, &hash).unwrap();
    let lie = forged(&store, &ids.to_vec().encode(), 3);
    assert_eq!(prompt::ids(&lie, &engine(), &store).unwrap(), ids);
    let error = prompt::check_hash(&lie, &hash).unwrap_err().to_string();
    assert!(error.contains("the job says"), "{error}");
}
