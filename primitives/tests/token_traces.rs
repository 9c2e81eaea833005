//! Token traces: 32 bytes a token, a blob like any other, opened leaf by leaf.

use chasqui_primitives::{
    blob::{self, BlobInfo},
    trace::*,
};
use parity_scale_codec::{Decode, Encode, MaxEncodedLen};
use proptest::prelude::*;
use sp_core::H256;

fn leaf() -> impl Strategy<Value = TraceLeaf> {
    (any::<u32>(), any::<[i16; FINGERPRINT_DIMS]>())
        .prop_map(|(token, fingerprint)| TraceLeaf { token, fingerprint })
}

fn sample(count: u32) -> Vec<TraceLeaf> {
    (0..count)
        .map(|i| {
            let mut fingerprint = [0i16; FINGERPRINT_DIMS];
            for (j, slot) in fingerprint.iter_mut().enumerate() {
                *slot = (j as i16 - 7) * (i as i16 + 1) * 100;
            }
            TraceLeaf {
                token: 100 + i,
                fingerprint,
            }
        })
        .collect()
}

#[test]
fn bytes_and_root_equal_an_independent_computation() {
    // GIVEN five leaves, packed and hashed with Python's struct and hashlib
    let trace = sample(5);
    // WHEN they are encoded here THEN bytes and root agree
    let first: [u8; 32] = [
        0x64, 0, 0, 0, 0x44, 0xfd, 0xa8, 0xfd, 0x0c, 0xfe, 0x70, 0xfe, 0xd4, 0xfe, 0x38, 0xff,
        0x9c, 0xff, 0, 0, 0x64, 0, 0xc8, 0, 0x2c, 1, 0x90, 1, 0xf4, 1, 0x58, 2,
    ];
    assert_eq!(trace[0].to_bytes(), first);
    assert_eq!(
        trace_root(&trace),
        "ca2f1e6683df38a45f8bcd8c15155911fdbd6d09e9357a6502808e4a6bb4e137"
            .parse()
            .unwrap()
    );
}

#[test]
fn a_length_that_is_no_whole_number_of_leaves_is_refused() {
    let bytes = encode_trace(&sample(3));
    for cut in [1, 31, 33, 95] {
        let error = decode_trace(&bytes[..cut]).unwrap_err();
        assert_eq!(error, TraceError::UnevenLength(cut));
        assert!(error.to_string().contains(&cut.to_string()));
    }
    assert_eq!(decode_trace(&[]), Ok(vec![]));
}

#[test]
fn a_blob_cut_otherwise_is_no_trace() {
    // GIVEN the bytes of a trace as a blob of one 1 MiB chunk
    let trace = sample(1);
    let info = blob::blob_info(&encode_trace(&trace), blob::CHUNK_BYTES);
    // WHEN its only chunk is shown as a leaf THEN it is refused, though the chunk itself verifies
    assert!(blob::verify_chunk(
        &info.root(),
        &info,
        0,
        &encode_trace(&trace),
        &[]
    ));
    assert!(!verify_leaf(&info.root(), &info, 0, &trace[0], &[]));
}

#[test]
fn distance_is_exact_at_the_extremes() {
    let (low, high) = ([i16::MIN; FINGERPRINT_DIMS], [i16::MAX; FINGERPRINT_DIMS]);
    assert_eq!(fingerprint_distance(&low, &high), 14 * 65_535);
    assert_eq!(fingerprint_distance(&high, &low), 14 * 65_535);
    assert_eq!(fingerprint_distance(&low, &low), 0);
}

proptest! {
    #[test]
    fn leaves_and_traces_round_trip(trace in prop::collection::vec(leaf(), 0..40)) {
        // GIVEN a trace WHEN encoded and decoded THEN nothing changes, by either codec
        let bytes = encode_trace(&trace);
        prop_assert_eq!(bytes.len(), trace.len() * TRACE_LEAF_BYTES);
        prop_assert_eq!(decode_trace(&bytes), Ok(trace.clone()));
        for leaf in &trace {
            prop_assert_eq!(leaf.encode(), leaf.to_bytes().to_vec());
            prop_assert_eq!(TraceLeaf::from_bytes(&leaf.to_bytes()), *leaf);
            prop_assert_eq!(TraceLeaf::decode(&mut &leaf.to_bytes()[..]), Ok(*leaf));
        }
        prop_assert_eq!(TraceLeaf::max_encoded_len(), TRACE_LEAF_BYTES);
        // AND its root is the root of those bytes as a blob
        prop_assert_eq!(trace_root(&trace), blob::blob_root(&bytes, 32));
    }

    #[test]
    fn a_leaf_opens_only_as_itself(
        trace in prop::collection::vec(leaf(), 1..40), which in any::<prop::sample::Index>(),
        other in leaf(),
    ) {
        // GIVEN a trace's root and an opening
        let root = trace_root(&trace);
        let index = which.index(trace.len());
        let (info, proof) = prove_leaf(&trace, index as u64).unwrap();
        prop_assert!(verify_leaf(&root, &info, index as u64, &trace[index], &proof));
        // WHEN the leaf, its place, the length or the root is another THEN it is refused
        if other != trace[index] {
            prop_assert!(!verify_leaf(&root, &info, index as u64, &other, &proof));
        }
        let mut edited = trace[index];
        edited.fingerprint[13] ^= 1;
        prop_assert!(!verify_leaf(&root, &info, index as u64, &edited, &proof));
        prop_assert!(!verify_leaf(&root, &info, index as u64 + 1, &trace[index], &proof));
        let longer = BlobInfo { len: info.len + 32, ..info };
        prop_assert!(!verify_leaf(&root, &longer, index as u64, &trace[index], &proof));
        prop_assert!(!verify_leaf(&H256::zero(), &info, index as u64, &trace[index], &proof));
        prop_assert_eq!(prove_leaf(&trace, trace.len() as u64), None);
    }

    #[test]
    fn distance_is_a_metric(
        a in any::<[i16; FINGERPRINT_DIMS]>(), b in any::<[i16; FINGERPRINT_DIMS]>(),
        c in any::<[i16; FINGERPRINT_DIMS]>(),
    ) {
        let d = fingerprint_distance;
        prop_assert_eq!(d(&a, &b), d(&b, &a));
        prop_assert_eq!(d(&a, &b) == 0, a == b);
        prop_assert!(d(&a, &c) <= d(&a, &b) + d(&b, &c));
    }
}
