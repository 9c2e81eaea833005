//! Blobs: one root names content, length and chunk size, and each chunk opens against it.

use chasqui_primitives::{blob::*, merkle};
use parity_scale_codec::{Decode, Encode, MaxEncodedLen};
use proptest::prelude::*;
use sp_core::H256;

fn sample(len: usize) -> Vec<u8> {
    (0..len).map(|i| ((i * 7 + 3) % 256) as u8).collect()
}

#[test]
fn roots_equal_an_independent_computation() {
    // GIVEN roots computed with Python's hashlib WHEN hashed here THEN they agree
    let thousand = sample(1000);
    for (data, chunk, root) in [
        (
            &thousand[..],
            64,
            "bfa1b8c5a42ffa3e58ba2597a66b88127d5c1c8c9c783a582f382781a038b4fa",
        ),
        (
            &[],
            CHUNK_BYTES,
            "10efa1a1d341f9d8e2c96c9654fe881dd2392e2699a547f09ef9dfe0bbadc5a5",
        ),
        (
            &thousand,
            CHUNK_BYTES,
            "8d3a19dbd18be2de87319b735f8291f22310db361293c3182c76d5a9a2694b53",
        ),
    ] {
        assert_eq!(blob_root(data, chunk), root.parse::<H256>().unwrap());
    }
}

#[test]
fn a_blob_of_several_mebibytes_opens_chunk_by_chunk() {
    // GIVEN two and a half chunks of the standard size
    let data = sample(2 * CHUNK_BYTES as usize + 500_000);
    let mut hasher = BlobHasher::new(CHUNK_BYTES);
    hasher.update(&data);
    let (info, leaves) = hasher.finish_with_leaves();
    assert_eq!(
        (info.chunks(), info.chunk_len(2), info.chunk_len(3)),
        (3, Some(500_000), None)
    );
    for (index, chunk) in data.chunks(CHUNK_BYTES as usize).enumerate() {
        // WHEN a chunk comes with its proof THEN it verifies
        let proof = merkle::prove(&leaves, index as u64).unwrap();
        assert!(verify_chunk(
            &info.root(),
            &info,
            index as u64,
            chunk,
            &proof
        ));
    }
}

#[test]
fn zero_and_the_largest_sizes_have_defined_answers() {
    assert_eq!(chunk_count(0, 64), 0);
    assert_eq!(chunk_count(64, 64), 1);
    assert_eq!(chunk_count(65, 64), 2);
    assert_eq!(chunk_count(u64::MAX, 1), u64::MAX);
    assert_eq!(chunk_count(100, 0), 0);
    assert_eq!(BlobHasher::new(0).finish().chunk, 1);
    let empty = blob_info(&[], 64);
    assert!(empty.is_well_formed());
    assert!(!verify_chunk(&empty.root(), &empty, 0, &[], &[]));
}

#[test]
fn malformed_descriptions_are_refused_even_when_the_root_matches_them() {
    let data = sample(100);
    let good = blob_info(&data, 32);
    let proof = merkle::prove(&chunk_leaves(&data, 32), 0).unwrap();
    for bad in [
        BlobInfo { chunk: 0, ..good },
        BlobInfo {
            len: MAX_BLOB_BYTES + 1,
            ..good
        },
        BlobInfo {
            len: u64::MAX,
            chunk: u32::MAX,
            ..good
        },
        BlobInfo { len: 0, ..good },
        BlobInfo {
            tree: merkle::EMPTY_ROOT,
            ..good
        },
    ] {
        // GIVEN a root that binds a description that no blob has
        let root = bad.root();
        // WHEN a true chunk is shown under it THEN it is refused
        assert!(!bad.is_well_formed());
        assert!(!verify_chunk(&root, &bad, 0, &data[..32], &proof));
    }
}

#[test]
fn a_description_has_a_fixed_size_on_the_wire() {
    let info = blob_info(&sample(100), 32);
    assert_eq!(info.encoded_size(), 44);
    assert_eq!(BlobInfo::max_encoded_len(), 44);
    assert_eq!(BlobInfo::decode(&mut &info.encode()[..]), Ok(info));
}

proptest! {
    #[test]
    fn the_root_does_not_depend_on_how_the_bytes_arrive(
        data in prop::collection::vec(any::<u8>(), 0..600),
        chunk in 1u32..100,
        cuts in prop::collection::vec(0usize..70, 0..20),
    ) {
        // GIVEN data hashed in one piece WHEN it is hashed in pieces of any size
        let mut hasher = BlobHasher::new(chunk);
        let mut rest = &data[..];
        for cut in cuts {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            hasher.update(now);
            rest = later;
        }
        hasher.update(rest);
        prop_assert_eq!(hasher.len(), data.len() as u64);
        // THEN the description is the same
        prop_assert_eq!(hasher.finish(), blob_info(&data, chunk));
    }

    #[test]
    fn length_and_chunk_size_are_part_of_the_name(
        data in prop::collection::vec(any::<u8>(), 1..300), chunk in 1u32..100,
    ) {
        let info = blob_info(&data, chunk);
        let root = info.root();
        // A longer, a shorter, and the same bytes in other chunks: other names.
        let mut longer = data.clone();
        longer.push(0);
        prop_assert_ne!(blob_root(&longer, chunk), root);
        prop_assert_ne!(blob_root(&data[..data.len() - 1], chunk), root);
        prop_assert_ne!(blob_root(&data, chunk + 1), root);
        // Even with the very same tree.
        let (len, size) = (info.len + 1, chunk + 1);
        prop_assert_ne!(BlobInfo { len, ..info }.root(), root);
        prop_assert_ne!(BlobInfo { chunk: size, ..info }.root(), root);
    }

    #[test]
    fn a_chunk_opens_only_as_itself(
        data in prop::collection::vec(any::<u8>(), 1..600), chunk in 1u32..100,
        which in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(),
    ) {
        // GIVEN a chunk with its proof
        let info = blob_info(&data, chunk);
        let root = info.root();
        let leaves = chunk_leaves(&data, chunk);
        let index = which.index(leaves.len());
        let bytes = data.chunks(chunk as usize).nth(index).unwrap();
        let proof = merkle::prove(&leaves, index as u64).unwrap();
        let index = index as u64;
        prop_assert!(verify_chunk(&root, &info, index, bytes, &proof));
        // WHEN a bit is flipped, a byte added or removed THEN it is refused
        let mut bad = bytes.to_vec();
        let at = bit.index(bytes.len() * 8);
        bad[at / 8] ^= 1 << (at % 8);
        prop_assert!(!verify_chunk(&root, &info, index, &bad, &proof));
        let mut long = bytes.to_vec();
        long.push(0);
        prop_assert!(!verify_chunk(&root, &info, index, &long, &proof));
        prop_assert!(!verify_chunk(&root, &info, index, &bytes[1..], &proof));
        // AND so it is under another root, a forged description or a wrong index
        prop_assert!(!verify_chunk(&H256::zero(), &info, index, bytes, &proof));
        let forged = BlobInfo { len: info.len + u64::from(chunk), ..info };
        prop_assert!(!verify_chunk(&root, &forged, index, bytes, &proof));
        prop_assert!(!verify_chunk(&root, &info, info.chunks(), bytes, &proof));
        prop_assert!(!verify_chunk(&root, &info, u64::MAX, bytes, &proof));
    }

    #[test]
    fn chunk_lengths_add_up(len in 0u64..100_000, chunk in 1u32..5_000) {
        let info = BlobInfo { len, chunk, tree: H256::repeat_byte(1) };
        let lengths: Vec<u32> = (0..info.chunks()).map(|i| info.chunk_len(i).unwrap()).collect();
        prop_assert_eq!(lengths.iter().map(|l| u64::from(*l)).sum::<u64>(), len);
        prop_assert!(lengths.iter().all(|l| *l > 0 && *l <= chunk));
        prop_assert_eq!(info.chunk_len(info.chunks()), None);
    }
}
