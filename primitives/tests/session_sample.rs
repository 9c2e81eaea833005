//! What an audit of settled money looks at, and openings of it.

use chasqui_primitives::{
    hash::{output_hash, prompt_hash},
    sampling::Sampling,
    session::{
        sample::*,
        session_id,
        tree::{self, Leaf, MAX_LEAVES},
        Receipt, Request, SignedRequest,
    },
    trace::{encode_trace, trace_root, TraceLeaf, FINGERPRINT_DIMS, TRACE_LEAF_BYTES},
    FinishReason, MAX_OPENING_BYTES,
};
use parity_scale_codec::Encode;
use proptest::prelude::*;
use sp_arithmetic::Perbill;
use sp_core::{ed25519, Pair, H256};
use sp_runtime::{AccountId32, MultiSignature};

const GENESIS: H256 = H256([1; 32]);

const SALT: [u8; 32] = [8; 32];
const PROMPT: [u32; 3] = [4, 5, 6];

fn trace() -> Vec<TraceLeaf> {
    (0..8)
        .map(|token| TraceLeaf {
            token,
            fingerprint: [7; FINGERPRINT_DIMS],
        })
        .collect()
}

fn output() -> Vec<u32> {
    trace().iter().map(|leaf| leaf.token).collect()
}

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
                prompt_hash: prompt_hash(&GENESIS, &SALT, &PROMPT),
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
                output_hash: output_hash(&GENESIS, &output()),
                trace_root: trace_root(&trace()),
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

fn shown(leaf: OpenedLeaf) -> ShownAnswer {
    ShownAnswer {
        leaf,
        salt: SALT,
        prompt: PROMPT.to_vec().try_into().unwrap(),
        trace: encode_trace(&trace()).try_into().unwrap(),
    }
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
    fn the_answers_under_the_drawn_plancks_open_a_case(
        first in prop::collection::vec(0..50u128, 1..12),
        second in prop::collection::vec(1..50u128, 1..12),
        seed in any::<[u8; 32]>(),
    ) {
        // GIVEN two settlements, one after the other, and plancks drawn out of both
        let sums: (u128, u128) = (first.iter().sum(), second.iter().sum());
        let places = [place(0, &first, 0), place(1, &second, sums.0)];
        let drawn = draw_plancks(&seed.into(), sums.0 + sums.1, 16);
        // WHEN the answers under them are shown
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
        let ranges = |skip: Option<usize>| {
            wanted.iter().enumerate().filter(|(n, _)| Some(*n) != skip)
                .map(|(_, (settlement, session, prices, index))| {
                    let answer = shown(opened(*settlement, *session, prices, *index));
                    answer.plancks(&GENESIS, &places[*settlement as usize]).unwrap()
                })
                .collect::<Vec<_>>()
        };
        // THEN they cover what was drawn, and do not without one of them
        prop_assert!(covered(&drawn, &ranges(None)));
        for skip in 0..wanted.len() {
            prop_assert!(!covered(&drawn, &ranges(Some(skip))));
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
fn the_longest_answer_fits_into_a_block() {
    // GIVEN an answer under the largest tree, with every list full, and sums of a billion DOT
    let (request, receipt) = traffic(0, &[10]).remove(0);
    let mut leaf = OpenedLeaf::new(0, &request, &receipt, Default::default());
    leaf.sampling.stop_ids = vec![0; 8].try_into().unwrap();
    leaf.signature = MultiSignature::Ecdsa(sp_core::ecdsa::Signature::from_raw([0; 65]));
    let node = tree::Node {
        hash: H256::zero(),
        sum: 1_000_000_000 * chasqui_primitives::DOT,
    };
    leaf.proof = vec![node; MAX_LEAVES.ilog2() as usize].try_into().unwrap();
    let answer = ShownAnswer {
        leaf,
        salt: SALT,
        prompt: vec![u32::MAX; MAX_PROMPT_TOKENS as usize]
            .try_into()
            .unwrap(),
        trace: vec![0; MAX_OPENING_BYTES as usize].try_into().unwrap(),
    };
    // WHEN it is shown THEN it takes no more than an eighth of a block of 5 MiB, so that all 64 find room in a few
    let bytes = answer.encode().len();
    assert!(bytes <= 5 * 1_024 * 1_024 / 8, "{bytes} bytes");
}

#[test]
fn an_answer_to_something_else_shows_nothing() {
    // GIVEN an answer that lies under the only planck
    let place = place(0, &[1], 0);
    let plancks = |answer: &ShownAnswer| answer.plancks(&GENESIS, &place);
    let good = shown(opened(0, 0, &[1], 0));
    assert_eq!(plancks(&good), Some(0..1));
    // WHEN anything that was signed, or what it is the hash of, is another THEN it shows nothing
    let change: [fn(&mut ShownAnswer); 15] = [
        |answer| answer.leaf.seq = 2,
        |answer| answer.leaf.price = 2,
        |answer| answer.leaf.cap = 2,
        |answer| answer.leaf.prompt_tokens = 2,
        |answer| answer.leaf.output_tokens = 7,
        |answer| answer.leaf.output_hash = H256::zero(),
        |answer| answer.leaf.trace_root = H256::zero(),
        |answer| answer.leaf.sampling.max_tokens = 9,
        |answer| answer.leaf.signature = MultiSignature::Sr25519(Default::default()),
        |answer| answer.salt = [0; 32],
        |answer| answer.prompt = Default::default(),
        |answer| answer.prompt[1] = 9,
        |answer| answer.trace = Default::default(),
        |answer| answer.trace[0] = 9,
        |answer| {
            let short = answer.trace.len() - TRACE_LEAF_BYTES;
            answer.trace.truncate(short)
        },
    ];
    for (n, change) in change.into_iter().enumerate() {
        let mut answer = good.clone();
        change(&mut answer);
        assert_eq!(plancks(&answer), None, "{n}");
    }
}

#[test]
fn small_takings_are_audited_as_often_as_they_are_worth_it() {
    // GIVEN a tenth of what a case is opened for
    let audited = |total: u128, from: u128| {
        (0..2_000u64)
            .filter(|n| is_audited(&H256::from_low_u64_be(*n), total, from))
            .count()
    };
    // THEN it is audited one time in ten, a half one time in two, and the whole always
    assert!((150..250).contains(&audited(100, 1_000)));
    assert!((900..1_100).contains(&audited(500, 1_000)));
    assert_eq!(audited(1_000, 1_000), 2_000);
    // AND where nothing is dust, everything is audited
    assert_eq!(audited(1, 0), 2_000);
    assert_eq!(audited(0, 1_000), 0);
}
