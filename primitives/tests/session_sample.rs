//! What an audit of settled money looks at, and openings of it.

use chasqui_primitives::{
    sampling::Sampling,
    session::{
        sample::*,
        session_id,
        tree::{self, Leaf, MAX_LEAVES},
        Receipt, Request, SignedRequest,
    },
    FinishReason, MAX_OPENING_BYTES,
};
use parity_scale_codec::Encode;
use proptest::prelude::*;
use sp_arithmetic::Perbill;
use sp_core::{ed25519, Pair, H256};
use sp_runtime::{AccountId32, MultiSignature};

const GENESIS: H256 = H256([1; 32]);

/// Signs the same way every time, as sr25519 does not.
fn client() -> ed25519::Pair {
    ed25519::Pair::from_seed(&[2; 32])
}

fn operator() -> AccountId32 {
    AccountId32::new([3; 32])
}

/// Requests and receipts of one channel, priced as said.
fn traffic(
    session: u8,
    prices: &[u128],
) -> Vec<(SignedRequest<AccountId32>, Receipt<AccountId32>)> {
    prices
        .iter()
        .zip(1..)
        .map(|(price, seq)| {
            let request = Request {
                session: session_id(&GENESIS, &H256::zero(), session.into()),
                operator: operator(),
                seq,
                checkpoint: H256([4; 32]),
                prompt_hash: H256::from_low_u64_be(seq),
                prompt_tokens: 3,
                sampling: Sampling::greedy(8),
                unit_price: 1,
                max_price: *price,
                cap: *price,
                valid_until: 9,
            };
            let hash = request.signing_hash(&GENESIS);
            let receipt = Receipt {
                session: request.session,
                operator: operator(),
                seq,
                request: hash,
                output_hash: H256([5; 32]),
                trace_root: H256([6; 32]),
                prompt_tokens: 3,
                output_tokens: 8,
                finish: FinishReason::Length,
                price: *price,
            };
            let signature = client().sign(hash.as_bytes()).into();
            (SignedRequest { request, signature }, receipt)
        })
        .collect()
}

fn leaves(traffic: &[(SignedRequest<AccountId32>, Receipt<AccountId32>)]) -> Vec<Leaf> {
    traffic
        .iter()
        .map(|(request, receipt)| Leaf {
            seq: receipt.seq,
            request: request.hash(&GENESIS),
            receipt: receipt.signing_hash(&GENESIS),
            price: receipt.price,
        })
        .collect()
}

fn place(session: u8, prices: &[u128], before: u128) -> Place<AccountId32> {
    Place {
        session: session_id(&GENESIS, &H256::zero(), session.into()),
        operator: operator(),
        checkpoint: H256([4; 32]),
        claim: tree::claim(&leaves(&traffic(session, prices))).unwrap(),
        before,
    }
}

fn opened(settlement: u32, session: u8, prices: &[u128], index: usize) -> OpenedLeaf {
    let traffic = traffic(session, prices);
    let proof = tree::prove(&leaves(&traffic), index as u64).unwrap();
    OpenedLeaf::new(settlement, &traffic[index].0, &traffic[index].1, proof)
}

proptest! {
    #[test]
    fn plancks_lie_within_the_total(seed in any::<[u8; 32]>(), total in 1u128.., count in 0..64u32) {
        let plancks = draw_plancks(&seed.into(), total, count);
        prop_assert_eq!(plancks.len() as u32, count);
        prop_assert!(plancks.is_sorted() && plancks.iter().all(|planck| *planck < total));
        prop_assert_eq!(&plancks, &draw_plancks(&seed.into(), total, count));
    }

    #[test]
    fn the_leaves_under_the_drawn_plancks_open_a_case(
        first in prop::collection::vec(0..50u128, 1..12),
        second in prop::collection::vec(1..50u128, 1..12),
        seed in any::<[u8; 32]>(),
    ) {
        // GIVEN two settlements, one after the other, and plancks drawn out of both
        let sums: (u128, u128) = (first.iter().sum(), second.iter().sum());
        let places = [place(0, &first, 0), place(1, &second, sums.0)];
        let drawn = draw_plancks(&seed.into(), sums.0 + sums.1, 16);
        // WHEN the leaves under them are opened
        let mut wanted: Vec<(u32, u8, &[u128], usize)> = drawn.iter().map(|planck| {
            let (number, prices, at) = match planck.checked_sub(sums.0) {
                None => (0, &first, *planck),
                Some(rest) => (1, &second, rest),
            };
            let index = tree::covering(&leaves(&traffic(number, prices)), at).unwrap();
            (u32::from(number), number, &prices[..], index as usize)
        }).collect();
        wanted.sort();
        wanted.dedup();
        let open = |skip: Option<usize>| {
            let leaves = wanted.iter().enumerate().filter(|(n, _)| Some(*n) != skip)
                .map(|(_, (settlement, session, prices, index))| opened(*settlement, *session, prices, *index))
                .collect::<Vec<_>>();
            Opening { leaves: leaves.try_into().unwrap() }
        };
        let covers = |opening: Opening| opening.covers(&GENESIS, &drawn, |at| places.get(at as usize).cloned());
        // THEN they cover what was drawn, and do not without one of them
        prop_assert!(covers(open(None)));
        for skip in 0..wanted.len() {
            prop_assert!(!covers(open(Some(skip))));
        }
    }
}

#[test]
fn draws_are_uniform() {
    // GIVEN a total that does not divide 2^128
    let total = 10u128;
    let mut counts = [0u32; 10];
    for round in 0..400u64 {
        for planck in draw_plancks(&H256::from_low_u64_be(round), total, 64) {
            counts[planck as usize] += 1;
        }
    }
    // WHEN 25,600 are drawn THEN every planck comes up about as often: within 5 standard deviations
    assert!(
        counts.iter().all(|count| count.abs_diff(2_560) < 240),
        "{counts:?}"
    );
}

#[test]
fn nothing_is_drawn_out_of_nothing() {
    assert!(draw_plancks(&H256::zero(), 0, 16).is_empty());
    assert_eq!(draw_plancks(&H256::zero(), 1, 2), vec![0, 0]);
}

#[test]
fn reputation_spares_plancks() {
    assert_eq!(planck_count(Perbill::zero()), MOST_PLANCKS);
    assert_eq!(planck_count(Perbill::from_percent(50)), 40);
    assert_eq!(planck_count(Perbill::one()), FEWEST_PLANCKS);
}

#[test]
fn the_longest_opening_fits_on_chain() {
    // GIVEN 64 leaves of the largest trees, with every list full, and sums of a billion DOT
    let (request, receipt) = traffic(0, &[10]).remove(0);
    let mut leaf = OpenedLeaf::new(0, &request, &receipt, Default::default());
    leaf.sampling.stop_ids = vec![0; 8].try_into().unwrap();
    leaf.signature = MultiSignature::Ecdsa(sp_core::ecdsa::Signature::from_raw([0; 65]));
    let node = tree::Node {
        hash: H256::zero(),
        sum: 1_000_000_000 * chasqui_primitives::DOT,
    };
    leaf.proof = vec![node; MAX_LEAVES.ilog2() as usize].try_into().unwrap();
    // WHEN they are posted THEN they do not exceed an opening
    let opening = Opening {
        leaves: vec![leaf; MOST_PLANCKS as usize].try_into().unwrap(),
    };
    let bytes = opening.encode().len();
    assert!(bytes <= MAX_OPENING_BYTES as usize, "{bytes} bytes");
}

#[test]
fn an_opening_of_something_else_covers_nothing() {
    // GIVEN an opening that covers the only planck
    let places = [place(0, &[1], 0)];
    let covers = |leaf: OpenedLeaf| {
        let leaves = vec![leaf].try_into().unwrap();
        Opening { leaves }.covers(&GENESIS, &[0], |at| places.get(at as usize).cloned())
    };
    let good = opened(0, 0, &[1], 0);
    assert!(covers(good.clone()));
    // WHEN anything that was signed, or its place, is another THEN it covers nothing
    let change: [fn(&mut OpenedLeaf); 9] = [
        |leaf| leaf.settlement = 1,
        |leaf| leaf.seq = 2,
        |leaf| leaf.price = 2,
        |leaf| leaf.cap = 2,
        |leaf| leaf.prompt_tokens = 2,
        |leaf| leaf.output_hash = H256::zero(),
        |leaf| leaf.trace_root = H256::zero(),
        |leaf| leaf.sampling.max_tokens = 9,
        |leaf| leaf.signature = MultiSignature::Sr25519(Default::default()),
    ];
    for change in change {
        let mut leaf = good.clone();
        change(&mut leaf);
        assert!(!covers(leaf));
    }
}
