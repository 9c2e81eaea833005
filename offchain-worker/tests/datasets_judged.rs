//! A validator's verdict on a dataset: what it asks holders for, and what it makes of what they give.

mod exchange;

use std::{
    slice::from_ref,
    sync::Arc,
    time::{Duration, Instant},
};

use chasqui_primitives::{
    audit::{Evidence, HardReason, Verdict, EVIDENCE_DIMS},
    blob::{blob_info, chunk_leaves, BlobInfo, CHUNK_BYTES},
    dataset::{sampled_chunks, HEADER_BYTES},
    traits::DatasetTerms,
};
use chasqui_session::{
    blobs::{BlobEvent, BlobLimits, Library, OpenBlob, DESCRIBE_PATH},
    wire::frame,
    Endpoint,
};
use chasqui_training::diloco::dataset::Header;
use chasqui_worker::{
    blobs::{exchange::FetchConfig, BlobStore},
    datasets::{
        judge::{judge, Claim},
        terms_of,
    },
};
use exchange::{empty, ending, quick, raw, serve, Holder};
use sp_core::H256;

const CHUNK: usize = CHUNK_BYTES as usize;
const SEED: H256 = H256::repeat_byte(5);
const FALSE: (Verdict, u32) = (Verdict::Hard(HardReason::Dataset), 0);
const WITHHELD: (Verdict, u32) = (Verdict::Hard(HardReason::Withheld), 0);

fn header(tokens: u64) -> Header {
    Header {
        tokenizer: H256::repeat_byte(3),
        vocabulary: 300,
        end: 1,
        tokens,
        held_out: tokens / 50,
    }
}

/// A dataset of so many bytes, and what is stated of it.
fn dataset(bytes: usize) -> (Vec<u8>, DatasetTerms) {
    let header = header((bytes as u64 - HEADER_BYTES) / 2);
    let mut data = header.encode().to_vec();
    let tokens = (0..header.tokens).map(|index| (index * 7 % 300) as u16);
    data.extend(tokens.flat_map(u16::to_le_bytes));
    (data, terms_of(&header))
}

fn small() -> (Vec<u8>, DatasetTerms) {
    dataset(3 * CHUNK + 10_000)
}

fn hasty() -> FetchConfig {
    FetchConfig {
        patience: Duration::from_millis(500),
        ..quick()
    }
}

fn claim(data: &[u8], terms: DatasetTerms) -> Claim {
    Claim {
        root: blob_info(data, CHUNK_BYTES).root(),
        terms,
    }
}

/// The verdict of a validator without a copy, with the length of its evidence.
async fn asking(claim: &Claim, holders: &[Endpoint]) -> (Verdict, u32) {
    let (folder, store) = empty();
    let (verdict, evidence) = judge(&store, claim, &SEED, holders, &hasty())
        .await
        .unwrap();
    // Nothing of it stays.
    assert!(ending(folder.path(), ".blob").is_empty());
    assert!(!folder.path().join("partial").exists());
    (verdict, evidence.len() as u32)
}

async fn alone(store: &BlobStore, claim: &Claim) -> (Verdict, Evidence) {
    judge(store, claim, &SEED, &[], &hasty()).await.unwrap()
}

/// Gives some chunks and cannot read the others, or gives one that is changed.
struct Partly {
    data: Vec<u8>,
    gives: fn(u64) -> bool,
    changes: Option<u64>,
}

struct Open {
    info: BlobInfo,
    leaves: Vec<H256>,
    data: Vec<u8>,
    gives: fn(u64) -> bool,
    changes: Option<u64>,
}

impl Library for Partly {
    fn open(&self, _: &H256) -> Result<Option<Box<dyn OpenBlob>>, String> {
        Ok(Some(Box::new(Open {
            info: blob_info(&self.data, CHUNK_BYTES),
            leaves: chunk_leaves(&self.data, CHUNK_BYTES),
            data: self.data.clone(),
            gives: self.gives,
            changes: self.changes,
        })))
    }
}

impl OpenBlob for Open {
    fn info(&self) -> BlobInfo {
        self.info
    }
    fn leaves(&self) -> &[H256] {
        &self.leaves
    }
    fn chunk(&mut self, index: u64) -> Result<Vec<u8>, String> {
        if !(self.gives)(index) {
            return Err("the disk is gone".into());
        }
        let chunk = self.data.chunks(CHUNK).nth(index as usize);
        let mut chunk = chunk.ok_or("no such chunk")?.to_vec();
        if self.changes == Some(index) {
            chunk[0] ^= 1;
        }
        Ok(chunk)
    }
}

// GIVEN a dataset of 21 chunks on another's machine
// WHEN a validator judges it
// THEN it is valid, with the evidence that its own copy would have given, and 17 chunks were fetched and not one kept
#[tokio::test(flavor = "multi_thread")]
async fn a_sound_dataset_is_valid_by_its_sample_alone() {
    let (data, terms) = dataset(20 * CHUNK + 10_000);
    let (holder, root) = Holder::of(&data, CHUNK_BYTES, BlobLimits::default());
    let claim = Claim { root, terms };
    let (_folder, store) = empty();
    let judged = judge(&store, &claim, &SEED, &[holder.endpoint()], &quick())
        .await
        .unwrap();
    assert_eq!(judged.0, Verdict::Valid);
    assert_eq!(judged.1.len(), EVIDENCE_DIMS as usize);
    assert_eq!(judged, alone(&holder.store, &claim).await);
    let picked = sampled_chunks(&SEED, terms.bytes);
    assert_eq!(picked.len(), 17);
    let sampled: usize = picked
        .iter()
        .map(|index| data.chunks(CHUNK).nth(*index as usize).unwrap().len())
        .sum();
    assert_eq!(holder.executor.blob_bytes_sent(), sampled as u64);
    assert!(!store.contains(&root));
}

// GIVEN a validator with a copy of its own
// WHEN that is whole, or damaged, with a holder beside it or without
// THEN a whole one needs nobody; a damaged one is as good as none
#[tokio::test(flavor = "multi_thread")]
async fn an_own_copy_counts_unless_it_is_damaged() {
    let (data, terms) = small();
    let claim = claim(&data, terms);
    let (holder, _) = Holder::of(&data, CHUNK_BYTES, BlobLimits::default());
    let (_folder, store) = empty();
    store.put_bytes(&data, CHUNK_BYTES).unwrap();
    let judged = alone(&store, &claim).await;
    assert_eq!(judged.0, Verdict::Valid);
    let path = store.data_path(&claim.root);
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[2 * CHUNK] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    assert_eq!(
        alone(&store, &claim).await.0,
        Verdict::Hard(HardReason::Withheld)
    );
    let holders = [holder.endpoint()];
    let asked = judge(&store, &claim, &SEED, &holders, &hasty()).await;
    assert_eq!(asked.unwrap(), judged);
}

// GIVEN blobs that are not what was stated: a wrong magic, a token beyond the vocabulary in the first or the last chunk, no
// dataset at all, headers of other numbers
// WHEN they are judged
// THEN each is false
#[tokio::test(flavor = "multi_thread")]
async fn what_was_stated_falsely_is_false() {
    let (data, terms) = small();
    let changed = |at: usize| {
        let mut changed = data.clone();
        changed[at] = 0xff;
        changed
    };
    let zeros = vec![0; data.len()];
    for bytes in [changed(0), changed(75), changed(data.len() - 1), zeros] {
        let (holder, root) = Holder::of(&bytes, CHUNK_BYTES, BlobLimits::default());
        let claim = Claim { root, terms };
        assert_eq!(asking(&claim, &[holder.endpoint()]).await, FALSE);
    }
    let (holder, root) = Holder::of(&data, CHUNK_BYTES, BlobLimits::default());
    let falsely: [fn(&mut DatasetTerms); 3] = [
        |terms| terms.held_out += 1,
        |terms| terms.vocabulary = 301,
        |terms| terms.tokenizer = H256::zero(),
    ];
    for state in falsely {
        let mut terms = terms;
        state(&mut terms);
        let claim = Claim { root, terms };
        assert_eq!(
            asking(&claim, &[holder.endpoint()]).await,
            FALSE,
            "{terms:?}"
        );
    }
    let sound = Claim { root, terms };
    assert_eq!(asking(&sound, &[holder.endpoint()]).await.0, Verdict::Valid);
}

// GIVEN blobs that are shorter or longer than was stated, or in chunks of another size
// WHEN they are judged
// THEN they are false by their root alone: not a byte of them is fetched
#[tokio::test(flavor = "multi_thread")]
async fn another_length_or_shape_is_false_by_the_root() {
    let (data, terms) = small();
    let longer = [data.clone(), vec![0; 2]].concat();
    let truncated = data[..data.len() - 2].to_vec();
    let cut = data[..40].to_vec();
    for (bytes, chunk) in [
        (&truncated, CHUNK_BYTES),
        (&cut, CHUNK_BYTES),
        (&longer, CHUNK_BYTES),
        (&data, CHUNK_BYTES / 2),
    ] {
        let (holder, root) = Holder::of(bytes, chunk, BlobLimits::default());
        let claim = Claim { root, terms };
        assert_eq!(asking(&claim, &[holder.endpoint()]).await, FALSE);
        assert_eq!(holder.executor.blob_bytes_sent(), 0);
    }
    // Chunks that do not travel: nobody can have others of this root.
    let info = BlobInfo {
        chunk: 2 * CHUNK_BYTES,
        ..blob_info(&data, CHUNK_BYTES)
    };
    let shown = raw(move |_| vec![frame(&BlobEvent::Described(info))], false);
    let claim = Claim {
        root: info.root(),
        terms,
    };
    assert_eq!(asking(&claim, from_ref(&shown.endpoint)).await, FALSE);
}

// GIVEN nobody who could have it, a holder that is gone, one that does not share it, and one whose chunk does not fit the root
// WHEN the dataset is judged
// THEN it is withheld, which is not false; an honest holder beside them is enough
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_gives_is_withheld() {
    let (data, terms) = small();
    let claim = claim(&data, terms);
    let (mut gone, _) = Holder::of(&data, CHUNK_BYTES, BlobLimits::default());
    gone.running.kill();
    let silent = Holder::start(BlobLimits::default());
    silent.store.put_bytes(&data, CHUNK_BYTES).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let liar = Partly {
        data: data.clone(),
        gives: |_| true,
        changes: Some(2),
    };
    let (_executor, lying) = serve(folder.path(), Arc::new(liar), BlobLimits::default());
    let mut holders = vec![gone.endpoint(), silent.endpoint(), lying.endpoint.clone()];
    assert_eq!(asking(&claim, &[]).await, WITHHELD);
    for holder in &holders {
        assert_eq!(asking(&claim, from_ref(holder)).await, WITHHELD);
    }
    assert_eq!(asking(&claim, &holders).await, WITHHELD);
    let (honest, _) = Holder::of(&data, CHUNK_BYTES, BlobLimits::default());
    holders.push(honest.endpoint());
    assert_eq!(asking(&claim, &holders).await.0, Verdict::Valid);
}

// GIVEN a holder that gives some chunks and not the others
// WHEN what it gives is sound, or is not
// THEN the dataset is withheld, or false: what came is looked at in any case
#[tokio::test(flavor = "multi_thread")]
async fn what_came_is_looked_at_though_the_rest_is_withheld() {
    let (data, terms) = small();
    let mut false_magic = data.clone();
    false_magic[3] = 0;
    for (data, expected) in [(data, WITHHELD), (false_magic, FALSE)] {
        let claim = claim(&data, terms);
        let folder = tempfile::tempdir().unwrap();
        let partly = Partly {
            data,
            gives: |index| index < 2,
            changes: None,
        };
        let (_executor, holder) = serve(folder.path(), Arc::new(partly), BlobLimits::default());
        assert_eq!(asking(&claim, from_ref(&holder.endpoint)).await, expected);
    }
}

// GIVEN a holder that answers without an end, and one that shares the dataset only a moment later
// WHEN the dataset is judged
// THEN the one is withheld, soon, and the other is waited for
#[tokio::test(flavor = "multi_thread")]
async fn patience_has_an_end() {
    let (data, terms) = small();
    let claim = claim(&data, terms);
    let info = blob_info(&data, CHUNK_BYTES);
    let leaves = frame(&BlobEvent::Leaves(chunk_leaves(&data, CHUNK_BYTES)));
    let drip = raw(
        move |path| match path {
            DESCRIBE_PATH => vec![frame(&BlobEvent::Described(info)), leaves.clone()],
            _ => vec![vec![0].into()],
        },
        true,
    );
    let began = Instant::now();
    assert_eq!(asking(&claim, from_ref(&drip.endpoint)).await, WITHHELD);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );

    let late = Holder::start(BlobLimits::default());
    late.store.put_bytes(&data, CHUNK_BYTES).unwrap();
    let shares = late.shares.clone();
    let root = claim.root;
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        shares.put("datasets", [root]).unwrap();
    });
    assert_eq!(asking(&claim, &[late.endpoint()]).await.0, Verdict::Valid);
}
