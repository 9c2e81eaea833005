//! A dataset's audit: what it looks at, and what it finds.

use chasqui_primitives::{
    audit::{Evidence, HardReason, Verdict, EVIDENCE_DIMS},
    blob::{blob_info, BlobInfo, CHUNK_BYTES},
    dataset::{judge, sampled_chunks, token_bytes, HEADER_BYTES, SAMPLED_CHUNKS},
    traits::DatasetTerms,
};
use proptest::prelude::*;
use sp_core::H256;

fn seed(of: u8) -> H256 {
    H256::repeat_byte(of)
}

/// A dataset byte by byte, as the format says, and what is stated of it.
fn dataset(tokens: u64, vocabulary: u32) -> (Vec<u8>, DatasetTerms) {
    let width = if vocabulary <= 65_536 { 2u32 } else { 4 };
    let terms = DatasetTerms {
        bytes: 72 + tokens * u64::from(width),
        tokens,
        held_out: tokens / 10,
        vocabulary,
        tokenizer: H256::repeat_byte(3),
    };
    let mut bytes = b"CHQDATA1".to_vec();
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(width.to_le_bytes());
    bytes.extend([3; 32]);
    bytes.extend(vocabulary.to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(tokens.to_le_bytes());
    bytes.extend(terms.held_out.to_le_bytes());
    for token in 0..tokens {
        let token = (token * 7) as u32 % vocabulary;
        bytes.extend(&token.to_le_bytes()[..width as usize]);
    }
    (bytes, terms)
}

fn judged(bytes: &[u8], terms: &DatasetTerms, seed: &H256) -> (Verdict, Evidence) {
    let info = blob_info(bytes, CHUNK_BYTES);
    judge(terms, seed, Some(&info), |index| {
        bytes.chunks(CHUNK_BYTES as usize).nth(index as usize)
    })
}

fn verdict(bytes: &[u8], terms: &DatasetTerms) -> Verdict {
    judged(bytes, terms, &seed(1)).0
}

#[test]
fn sound_dataset_is_valid_and_proves_that_it_was_read() {
    for vocabulary in [2, 300, 65_536, 65_537, 100_000] {
        let (bytes, terms) = dataset(900_000, vocabulary);
        assert!(terms.is_consistent());
        let (verdict, evidence) = judged(&bytes, &terms, &seed(1));
        assert_eq!(verdict, Verdict::Valid);
        assert_eq!(evidence.len(), EVIDENCE_DIMS as usize);
        // Everybody who reads it finds the same; another seed asks for something else.
        assert_eq!(judged(&bytes, &terms, &seed(1)).1, evidence);
        assert_ne!(judged(&bytes, &terms, &seed(2)).1, evidence);
    }
}

#[test]
fn whatever_was_stated_falsely_is_hard() {
    let (bytes, terms) = dataset(5_000, 300);
    let falsely: [fn(&mut DatasetTerms); 5] = [
        |terms| terms.bytes += 2,
        |terms| terms.tokens -= 1,
        |terms| terms.held_out += 1,
        |terms| terms.vocabulary = 301,
        |terms| terms.tokenizer = H256::zero(),
    ];
    for state in falsely {
        let mut stated = terms;
        state(&mut stated);
        assert_eq!(
            verdict(&bytes, &stated),
            Verdict::Hard(HardReason::Dataset),
            "{stated:?}"
        );
    }
}

#[test]
fn malformed_header_or_token_is_hard() {
    let (bytes, terms) = dataset(5_000, 300);
    // Magic, version, width, end token, and a token beyond the vocabulary.
    for at in [0, 8, 12, 53, 72 + 1] {
        let mut broken = bytes.clone();
        broken[at] = 0xFF;
        assert_eq!(
            verdict(&broken, &terms),
            Verdict::Hard(HardReason::Dataset),
            "byte {at}"
        );
    }
    // A blob that is no dataset at all.
    assert_eq!(
        verdict(&vec![0; terms.bytes as usize], &terms),
        Verdict::Hard(HardReason::Dataset)
    );
}

#[test]
fn malformed_token_in_a_sampled_chunk_is_found_in_every_chunk() {
    // GIVEN a dataset of which every chunk is sampled
    let (bytes, terms) = dataset(2_000_000, 300);
    let chunks = bytes.len().div_ceil(CHUNK_BYTES as usize);
    assert!(chunks > 3);
    for chunk in 1..chunks {
        let mut broken = bytes.clone();
        broken[chunk * CHUNK_BYTES as usize + 1] = 0xFF;
        assert_eq!(verdict(&broken, &terms), Verdict::Hard(HardReason::Dataset));
    }
}

#[test]
fn what_no_peer_has_is_withheld() {
    let (bytes, terms) = dataset(2_000_000, 300);
    let withheld = Verdict::Hard(HardReason::Withheld);
    let nobody = judge(&terms, &seed(1), None, |_| None::<Vec<u8>>);
    assert_eq!(nobody, (withheld, Evidence::default()));
    let info = blob_info(&bytes, CHUNK_BYTES);
    let without_last = |index: u64| {
        let mut chunks = bytes.chunks(CHUNK_BYTES as usize);
        (index < info.chunks() - 1).then(|| chunks.nth(index as usize).unwrap())
    };
    assert_eq!(
        judge(&terms, &seed(1), Some(&info), without_last).0,
        withheld
    );
}

#[test]
fn blob_in_chunks_of_another_size_is_no_dataset() {
    let (bytes, terms) = dataset(5_000, 300);
    let info: BlobInfo = blob_info(&bytes, 1_024);
    let (verdict, _) = judge(&terms, &seed(1), Some(&info), |_| Some(&bytes));
    assert_eq!(verdict, Verdict::Hard(HardReason::Dataset));
}

#[test]
fn terms_that_cannot_be_are_inconsistent() {
    let terms = dataset(5_000, 300).1;
    let change = |change: fn(&mut DatasetTerms)| {
        let mut changed = terms;
        change(&mut changed);
        changed.is_consistent()
    };
    assert!(change(|_| ()));
    assert!(change(|terms| terms.held_out = 0));
    assert!(!change(|terms| terms.held_out = terms.tokens));
    assert!(!change(|terms| terms.bytes += 1));
    assert!(!change(|terms| terms.vocabulary = 1));
    assert!(!change(|terms| terms.vocabulary = 1 << 25));
    // The tokens of a larger vocabulary are longer.
    assert!(!change(|terms| terms.vocabulary = 1 << 17));
    assert!(!change(|terms| terms.tokens = u64::MAX));
    assert!(!change(|terms| {
        terms.tokens = 1 << 40;
        terms.bytes = HEADER_BYTES + terms.tokens * token_bytes(terms.vocabulary);
    }));
    assert!(!change(|terms| {
        terms.tokens = 0;
        terms.held_out = 0;
        terms.bytes = HEADER_BYTES;
    }));
}

proptest! {
    #[test]
    fn sample_has_the_header_and_different_chunks_of_the_dataset(
        of in any::<[u8; 32]>(),
        bytes in prop_oneof![1..=40u64 << 20, 1..=1u64 << 40],
    ) {
        let chunks = bytes.div_ceil(CHUNK_BYTES.into());
        let sample = sampled_chunks(&H256(of), bytes);
        prop_assert_eq!(sample.first(), Some(&0));
        prop_assert!(sample.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(sample.iter().all(|index| *index < chunks));
        prop_assert_eq!(sample.len() as u64, chunks.min(u64::from(SAMPLED_CHUNKS) + 1));
    }
}

#[test]
fn every_chunk_is_sampled_about_equally_often() {
    let chunks = 100u64;
    let mut counts = vec![0u32; chunks as usize];
    for of in 0..2_000u32 {
        for index in sampled_chunks(&H256::from_low_u64_be(of.into()), chunks << 20) {
            counts[index as usize] += 1;
        }
    }
    // 2,000 draws of 16 out of 99: 323 each, with a deviation of 16.5.
    assert_eq!(counts[0], 2_000);
    let (least, most) = (counts[1..].iter().min(), counts[1..].iter().max());
    assert!(
        least > Some(&240) && most < Some(&410),
        "{least:?} {most:?}"
    );
}
