//! Merkle-sum trees: a proof says which plancks lie under one leaf of one claim, and nothing else does.

use chasqui_primitives::session::tree::*;
use parity_scale_codec::{Decode, Encode, MaxEncodedLen};
use proptest::prelude::*;
use sp_core::H256;

fn leaves(first: u64, prices: &[u128]) -> Vec<Leaf> {
    prices
        .iter()
        .zip(first..)
        .map(|(price, seq)| Leaf {
            seq,
            request: H256::from_low_u64_be(seq * 2),
            receipt: H256::from_low_u64_be(seq * 2 + 1),
            price: *price,
        })
        .collect()
}

fn prices() -> impl Strategy<Value = Vec<u128>> {
    prop::collection::vec(prop_oneof![Just(0), 1..1_000u128, 1..(1u128 << 100)], 1..70)
}

proptest! {
    #[test]
    fn every_planck_lies_under_exactly_its_leaf(prices in prices(), first in 1u64..1_000) {
        // GIVEN a claim over any prices
        let leaves = leaves(first, &prices);
        let claim = claim(&leaves).unwrap();
        prop_assert_eq!(claim.sum, prices.iter().sum::<u128>());
        prop_assert_eq!((claim.first, claim.last), (first, first + prices.len() as u64 - 1));
        // WHEN every leaf is proven THEN the ranges follow each other without a gap, from nothing to the sum
        let mut end = 0;
        for (index, leaf) in leaves.iter().enumerate() {
            let proof = prove(&leaves, index as u64).unwrap();
            let range = verify(&claim, leaf, &proof).unwrap();
            prop_assert_eq!(range.clone(), end..end + leaf.price);
            if !range.is_empty() {
                prop_assert_eq!(covering(&leaves, range.start), Some(index as u64));
                prop_assert_eq!(covering(&leaves, range.end - 1), Some(index as u64));
            }
            end = range.end;
        }
        prop_assert_eq!(end, claim.sum);
        prop_assert_eq!(covering(&leaves, end), None);
    }

    #[test]
    fn whatever_is_changed_no_longer_verifies(
        prices in prices(),
        pick in any::<prop::sample::Index>(),
        sibling in any::<prop::sample::Index>(),
        fault in 0..12u8,
    ) {
        // GIVEN a proof that holds
        let leaves = leaves(5, &prices);
        let index = pick.index(leaves.len());
        let (mut claim, mut leaf) = (claim(&leaves).unwrap(), leaves[index]);
        let mut proof = prove(&leaves, index as u64).unwrap();
        let range = verify(&claim, &leaf, &proof);
        prop_assert!(range.is_some());
        // WHEN one thing of it is another
        let other = H256::repeat_byte(0xEE);
        let at = (!proof.is_empty()).then(|| sibling.index(proof.len()));
        match (fault, at) {
            (0, _) => leaf.price += 1,
            (1, _) => leaf.seq += 1,
            (2, _) => leaf.request = other,
            (3, _) => leaf.receipt = other,
            (4, _) => claim.sum += 1,
            (5, _) => claim.first += 1,
            (6, _) => claim.last += 1,
            (7, _) => claim.root = other,
            (8, Some(at)) => proof[at].sum += 1,
            (9, Some(at)) => proof[at].hash = other,
            (10, Some(_)) => { proof.pop(); }
            _ => proof.try_push(Node { hash: other, sum: 0 }).unwrap(),
        }
        // THEN it says nothing any more
        prop_assert_eq!(verify(&claim, &leaf, &proof), None);
    }

    #[test]
    fn a_builder_gives_the_root_of_the_leaves_so_far(prices in prices()) {
        // GIVEN a builder that is asked after each leaf
        let all = leaves(1, &prices);
        let mut builder = Builder::new();
        for (index, leaf) in all.iter().enumerate() {
            builder.push(leaf).unwrap();
            // WHEN its claim is compared with what proofs of the same leaves say THEN they agree
            let so_far = &all[..=index];
            let claim = builder.claim().unwrap();
            for (place, leaf) in so_far.iter().enumerate().step_by(7) {
                let proof = prove(so_far, place as u64).unwrap();
                prop_assert!(verify(&claim, leaf, &proof).is_some());
            }
        }
    }

    #[test]
    fn a_node_decodes_to_itself(hash in any::<[u8; 32]>(), sum in any::<u128>()) {
        let node = Node { hash: hash.into(), sum };
        let bytes = node.encode();
        prop_assert!(bytes.len() <= Node::max_encoded_len());
        prop_assert_eq!(Node::decode(&mut &bytes[..]).unwrap(), node);
    }
}

#[test]
fn roots_equal_an_independent_computation() {
    // GIVEN five leaves whose root was put together by hand: a whole tree of four, and one promoted twice
    let leaves = leaves(3, &[1, 2, 3, 4, 5]);
    let node = |index: usize| leaf_node(&leaves[index]);
    let left = parent(&node(0), &node(1)).unwrap();
    let right = parent(&node(2), &node(3)).unwrap();
    let four = parent(&left, &right).unwrap();
    let top = parent(&four, &node(4)).unwrap();
    let bytes = (ROOT_TAG, 3u64, 7u64, 15u128, top.hash).encode();
    // WHEN they are claimed THEN the roots agree
    let expected = H256(sp_crypto_hashing::blake2_256(&bytes));
    assert_eq!(claim(&leaves).unwrap().root, expected);
}

#[test]
fn leaves_that_make_no_tree_are_refused() {
    // GIVEN leaves with a gap, a repetition, and prices beyond a balance
    let good = leaves(1, &[u128::MAX, 0, 1]);
    let mut builder = Builder::new();
    assert_eq!(builder.claim(), Err(TreeError::Empty));
    builder.push(&good[0]).unwrap();
    let before = builder.claim();
    // WHEN they are added THEN each is refused, and nothing has changed
    assert_eq!(builder.push(&good[0]), Err(TreeError::Gap));
    assert_eq!(builder.push(&good[2]), Err(TreeError::Gap));
    builder.push(&good[1]).unwrap();
    assert_eq!(builder.push(&good[2]), Err(TreeError::Overflow));
    assert_eq!(builder.range(), Some((1, 2)));
    assert_eq!(builder.sum(), u128::MAX);
    assert_ne!(builder.claim(), before);
}

#[test]
fn sums_that_wrap_prove_nothing() {
    // GIVEN a claim of nearly nothing whose two leaves wrap around to it
    let leaves = leaves(1, &[u128::MAX, 5]);
    let bytes = (ROOT_TAG, 1u64, 2u64, 4u128, H256::repeat_byte(1)).encode();
    let claim = Claim {
        root: H256(sp_crypto_hashing::blake2_256(&bytes)),
        sum: 4,
        first: 1,
        last: 2,
    };
    // WHEN one is shown THEN it is under no root
    let sibling = leaf_node(&leaves[1]);
    assert_eq!(verify(&claim, &leaves[0], &[sibling]), None);
}

#[test]
fn a_claim_has_a_bounded_number_of_leaves() {
    let claim = |first, last| Claim {
        root: H256::zero(),
        sum: 1,
        first,
        last,
    };
    assert_eq!(claim(1, 1).leaves(), Some(1));
    assert_eq!(claim(1, MAX_LEAVES).leaves(), Some(MAX_LEAVES));
    assert_eq!(claim(1, MAX_LEAVES + 1).leaves(), None);
    assert_eq!(claim(2, 1).leaves(), None);
    assert_eq!(claim(0, u64::MAX).leaves(), None);
    assert_eq!(1u64 << MAX_PROOF, MAX_LEAVES);
    // The builder agrees.
    let mut builder = Builder::new();
    for leaf in leaves(1, &vec![1; MAX_LEAVES as usize]) {
        builder.push(&leaf).unwrap();
    }
    let next = leaves(MAX_LEAVES + 1, &[1])[0];
    assert_eq!(builder.push(&next), Err(TreeError::TooMany));
    assert_eq!(builder.claim().unwrap().leaves(), Some(MAX_LEAVES));
}

#[test]
fn the_type_of_a_node_says_how_it_is_encoded() {
    // GIVEN what metadata tells of a sibling in a proof
    let info = <Node as scale_info::TypeInfo>::type_info();
    let scale_info::TypeDef::Composite(node) = info.type_def else {
        panic!("{info:?}");
    };
    // THEN its sum is compact, as in its bytes: whoever decodes by metadata reads what was written
    let compact = scale_info::meta_type::<parity_scale_codec::Compact<u128>>();
    assert_eq!(node.fields[1].ty, compact);
    let node = Node {
        hash: H256::zero(),
        sum: 63,
    };
    assert_eq!(node.encode().len(), 33);
}
