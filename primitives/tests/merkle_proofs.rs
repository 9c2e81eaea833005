//! Merkle trees: a proof opens one leaf at one place of one tree, and nothing else.

use chasqui_primitives::merkle::*;
use proptest::prelude::*;
use sp_core::H256;

fn leaves(count: usize, salt: u8) -> Vec<H256> {
    (0..count)
        .map(|i| leaf_hash(&[salt, i as u8, (i >> 8) as u8]))
        .collect()
}

fn flip(hash: &H256, bit: usize) -> H256 {
    let mut bytes = hash.0;
    bytes[(bit / 8) % 32] ^= 1 << (bit % 8);
    H256(bytes)
}

#[test]
fn roots_equal_an_independent_computation() {
    // GIVEN trees whose roots were computed with Python's hashlib by recursive splitting at the
    // largest power of two below the count
    let seven: Vec<H256> = (0..7u8).map(|i| leaf_hash(&[i])).collect();
    // WHEN the same leaves are hashed here THEN the roots agree
    assert_eq!(
        root_of_leaves(&seven),
        "99a218d6fb185c969f7390ba57da7c3693d2c1d9bfd789a0462ee78f9ae06c48"
            .parse()
            .unwrap()
    );
    assert_eq!(
        root_of_leaves(&[leaf_hash(b"a")]),
        "0204c66c156b1e11056ab8acb544b8c77ea66f5c7bed54162413f80505065f8f"
            .parse()
            .unwrap()
    );
    assert_eq!(root_of_leaves(&[]), EMPTY_ROOT);
}

#[test]
fn every_index_of_every_small_tree_verifies_only_at_its_own_place() {
    for count in 1..=20u64 {
        // GIVEN a tree
        let tree = leaves(count as usize, 1);
        let root = root_of_leaves(&tree);
        for index in 0..count {
            let leaf = tree[index as usize];
            let proof = prove(&tree, index).unwrap();
            assert_eq!(Some(proof.len() as u32), proof_len(index, count));
            // WHEN the proof is shown for every index and count around
            for claimed_count in 0..=24u64 {
                for claimed in 0..=24u64 {
                    // THEN it holds for the true pair alone
                    assert_eq!(
                        verify(&root, &leaf, claimed, claimed_count, &proof),
                        (claimed, claimed_count) == (index, count),
                        "leaf {index} of {count} shown as {claimed} of {claimed_count}"
                    );
                }
            }
        }
        assert_eq!(prove(&tree, count), None);
        assert_eq!(proof_len(count, count), None);
    }
}

#[test]
fn an_inner_node_or_a_top_hash_is_not_a_leaf() {
    // GIVEN a tree of four leaves and its two inner nodes
    let tree = leaves(4, 2);
    let root = root_of_leaves(&tree);
    let (left, right) = (node_hash(&tree[0], &tree[1]), node_hash(&tree[2], &tree[3]));
    // WHEN an inner node is shown as the leaf of a smaller tree THEN it is refused
    assert!(!verify(&root, &left, 0, 2, &[right]));
    assert!(!verify(&root, &right, 1, 2, &[left]));
    assert!(!verify(&root, &node_hash(&left, &right), 0, 1, &[]));
    // AND the bytes under a node, hashed as a leaf, give another hash
    assert_ne!(
        leaf_hash(&[left.0, right.0].concat()),
        node_hash(&left, &right)
    );
}

#[test]
fn nothing_verifies_against_an_empty_tree_and_extreme_counts_end() {
    let leaf = leaf_hash(b"x");
    assert!(!verify(&EMPTY_ROOT, &leaf, 0, 0, &[]));
    assert!(!verify(&EMPTY_ROOT, &EMPTY_ROOT, 0, 1, &[]));
    assert_eq!(prove(&[], 0), None);
    // A count from a hostile peer costs at most 64 hashes.
    assert!(!verify(
        &EMPTY_ROOT,
        &leaf,
        u64::MAX - 1,
        u64::MAX,
        &[leaf; 64]
    ));
    assert!(!verify(&EMPTY_ROOT, &leaf, u64::MAX, u64::MAX, &[leaf; 64]));
    assert_eq!(proof_len(0, u64::MAX), Some(64));
}

proptest! {
    #[test]
    fn a_proof_verifies_and_any_flipped_bit_breaks_it(
        count in 1usize..300, pick in any::<prop::sample::Index>(), bit in 0usize..256,
        place in any::<prop::sample::Index>(),
    ) {
        // GIVEN a leaf of a tree with its proof
        let tree = leaves(count, 3);
        let root = root_of_leaves(&tree);
        let at = pick.index(count);
        let (leaf, proof) = (tree[at], prove(&tree, at as u64).unwrap());
        let (index, count) = (at as u64, count as u64);
        prop_assert!(verify(&root, &leaf, index, count, &proof));
        // WHEN one bit of the root, the leaf or a sibling changes THEN it fails
        prop_assert!(!verify(&flip(&root, bit), &leaf, index, count, &proof));
        prop_assert!(!verify(&root, &flip(&leaf, bit), index, count, &proof));
        if !proof.is_empty() {
            let mut bad = proof.clone();
            let sibling = place.index(bad.len());
            bad[sibling] = flip(&bad[sibling], bit);
            prop_assert!(!verify(&root, &leaf, index, count, &bad));
            // AND a sibling too few fails
            prop_assert!(!verify(&root, &leaf, index, count, &proof[1..]));
            prop_assert!(!verify(&root, &leaf, index, count, &proof[..proof.len() - 1]));
        }
        // AND a sibling too many fails
        let mut long = proof.clone();
        long.push(leaf);
        prop_assert!(!verify(&root, &leaf, index, count, &long));
        // AND a wrong index or count fails
        let other = if index + 1 < count { index + 1 } else { index.wrapping_sub(1) };
        prop_assert!(!verify(&root, &leaf, other, count, &proof));
        prop_assert!(!verify(&root, &leaf, index, count + 1, &proof));
        prop_assert!(!verify(&root, &leaf, index, count - 1, &proof));
    }

    #[test]
    fn arbitrary_proofs_neither_verify_nor_panic(
        index in any::<u64>(), count in any::<u64>(),
        proof in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<H256> = proof.into_iter().map(H256).collect();
        let root = root_of_leaves(&leaves(9, 4));
        prop_assert!(!verify(&root, &leaf_hash(b"no"), index, count, &proof));
    }
}
