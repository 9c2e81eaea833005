//! Datasets: what the chain can tell of one by arithmetic, and what an auditor looks at.
//!
//! A dataset is one blob: a header of [`HEADER_BYTES`] and then its tokens, little-endian. All numbers of the header are
//! little-endian, too:
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | [`MAGIC`] |
//! | 8..12 | [`VERSION`] |
//! | 12..16 | bytes of a token, see [`token_bytes`] |
//! | 16..48 | hash of the tokenizer |
//! | 48..52 | vocabulary |
//! | 52..56 | the token that ends each document |
//! | 56..64 | tokens in all |
//! | 64..72 | of these, held out |
//!
//! An audit decides whether the blob can be had and is what was stated of it, and never what it is good for. It looks at
//! the header and at [`SAMPLED_CHUNKS`] chunks that a seed picks which nobody knew when the dataset was submitted: a cost
//! that does not grow with the dataset. Where one chunk in ten is missing or malformed, an auditor sees it with a
//! chance of four in five, one in four with 99%.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{
    audit::{Evidence, HardReason, Verdict, EVIDENCE_DIMS},
    blob::{self, BlobInfo, CHUNK_BYTES, MAX_BLOB_BYTES},
    draw::uniform_below,
    traits::DatasetTerms,
};
use alloc::{collections::BTreeSet, vec::Vec};
use parity_scale_codec::Encode;
use sp_core::H256;
use sp_crypto_hashing::{blake2_256, blake2_512};

/// First bytes of a dataset.
pub const MAGIC: &[u8; 8] = b"CHQDATA1";
/// Version of the format.
pub const VERSION: u32 = 1;
/// Bytes in front of the tokens.
pub const HEADER_BYTES: u64 = 72;
/// Largest vocabulary.
pub const MAX_VOCABULARY: u32 = 1 << 24;
/// Chunks that an auditor looks at beside the first one.
pub const SAMPLED_CHUNKS: u32 = 16;

const SAMPLE: &[u8] = b"chasqui/dataset/sample/1";
const CHUNK: &[u8] = b"chasqui/dataset/chunk/1";
const EVIDENCE: &[u8] = b"chasqui/dataset/evidence/1";

/// Bytes of a token.
pub fn token_bytes(vocabulary: u32) -> u64 {
    if vocabulary <= 1 << 16 {
        2
    } else {
        4
    }
}

impl DatasetTerms {
    /// Whether a dataset of such terms can exist and be trained on.
    pub fn is_consistent(&self) -> bool {
        let length = self
            .tokens
            .checked_mul(token_bytes(self.vocabulary))
            .and_then(|tokens| tokens.checked_add(HEADER_BYTES));
        (2..=MAX_VOCABULARY).contains(&self.vocabulary)
            && self.held_out < self.tokens
            && self.bytes <= MAX_BLOB_BYTES
            && length == Some(self.bytes)
    }
}

/// The chunks that an auditor looks at, ascending: the first, and [`SAMPLED_CHUNKS`] others that `seed` picks; all where
/// there are no more.
pub fn sampled_chunks(seed: &H256, bytes: u64) -> Vec<u64> {
    let others = blob::chunk_count(bytes, CHUNK_BYTES).saturating_sub(1);
    let wanted = others.min(SAMPLED_CHUNKS.into());
    let subseed = H256(blake2_256(&(SAMPLE, seed).encode()));
    let mut picked = BTreeSet::from([0u64]);
    if others == wanted {
        picked.extend(0..=others);
        return picked.into_iter().collect();
    }
    let mut counter = 0u32;
    // Ends: there are more chunks than are wanted, and each draw may give any of them.
    while (picked.len() as u64) <= wanted {
        let Some(drawn) = uniform_below(&subseed, counter, others) else {
            break;
        };
        picked.insert(drawn.saturating_add(1));
        counter = counter.saturating_add(1);
    }
    picked.into_iter().collect()
}

/// Whether these first bytes of a dataset state the terms.
fn header_states(chunk: &[u8], terms: &DatasetTerms) -> bool {
    let width = token_bytes(terms.vocabulary) as u32;
    let before = (
        MAGIC,
        VERSION,
        width,
        terms.tokenizer.as_fixed_bytes(),
        terms.vocabulary,
    )
        .encode();
    let after = (terms.tokens, terms.held_out).encode();
    let Some((header, _)) = chunk.split_at_checked(HEADER_BYTES as usize) else {
        return false;
    };
    let Some((first, rest)) = header.split_at_checked(before.len()) else {
        return false;
    };
    let Some((end, last)) = rest.split_first_chunk::<4>() else {
        return false;
    };
    first == before && u32::from_le_bytes(*end) < terms.vocabulary && last == after
}

/// Whether every token is below the vocabulary. Chunks begin at a token, because header and chunk size are multiples of
/// the longest token.
fn tokens_fit(tokens: &[u8], vocabulary: u32) -> bool {
    if token_bytes(vocabulary) == 2 {
        let (words, rest) = tokens.as_chunks::<2>();
        let fits = |word: &[u8; 2]| u32::from(u16::from_le_bytes(*word)) < vocabulary;
        rest.is_empty() && words.iter().all(fits)
    } else {
        let (words, rest) = tokens.as_chunks::<4>();
        let fits = |word: &[u8; 4]| u32::from_le_bytes(*word) < vocabulary;
        rest.is_empty() && words.iter().all(fits)
    }
}

/// Whether the chunk at `index` fits the terms.
pub fn chunk_fits(index: u64, chunk: &[u8], terms: &DatasetTerms) -> bool {
    if index > 0 {
        return tokens_fit(chunk, terms.vocabulary);
    }
    header_states(chunk, terms)
        && chunk
            .get(HEADER_BYTES as usize..)
            .is_some_and(|tokens| tokens_fit(tokens, terms.vocabulary))
}

/// What only somebody knows who has the sampled chunks and the seed: evidence of equal chunks is equal.
fn evidence(seed: &H256, digests: &[H256]) -> Evidence {
    let hash = blake2_512(&(EVIDENCE, seed, digests).encode());
    let (words, _) = hash.as_chunks::<4>();
    let words = words.iter().map(|word| i32::from_le_bytes(*word));
    Evidence::truncate_from(words.take(EVIDENCE_DIMS as usize).collect())
}

/// What an auditor says of a dataset, with its evidence. `seed` is the projection seed of the case's round; `info`
/// describes the blob and `fetch` gives its chunks, both already checked against the root. `None` says that no peer
/// has it.
///
/// `Hard(Withheld)` stands for what cannot be had: unlike [`Verdict::Withheld`] it counts in the vote, and there is
/// nothing that the submitter could open on chain.
pub fn judge<Chunk: AsRef<[u8]>>(
    terms: &DatasetTerms,
    seed: &H256,
    info: Option<&BlobInfo>,
    mut fetch: impl FnMut(u64) -> Option<Chunk>,
) -> (Verdict, Evidence) {
    let hard = |reason| (Verdict::Hard(reason), Evidence::default());
    let Some(info) = info else {
        return hard(HardReason::Withheld);
    };
    if info.len != terms.bytes || info.chunk != CHUNK_BYTES {
        return hard(HardReason::Dataset);
    }
    let mut digests = Vec::new();
    for index in sampled_chunks(seed, terms.bytes) {
        let Some(chunk) = fetch(index) else {
            return hard(HardReason::Withheld);
        };
        let chunk = chunk.as_ref();
        if !chunk_fits(index, chunk, terms) {
            return hard(HardReason::Dataset);
        }
        digests.push(H256(blake2_256(&(CHUNK, seed, index, chunk).encode())));
    }
    (Verdict::Valid, evidence(seed, &digests))
}
