//! What client and operator sign, and what proves that one of them lied.

use chasqui_primitives::{
    sampling::Sampling,
    session::{tree::Claim, *},
    FinishReason,
};
use sp_core::{sr25519, Pair, H256};
use sp_runtime::{AccountId32, MultiSignature};

const GENESIS: H256 = H256([1; 32]);
const OTHER: H256 = H256([7; 32]);

fn pair(n: u8) -> sr25519::Pair {
    sr25519::Pair::from_seed(&[n; 32])
}

fn account(n: u8) -> AccountId32 {
    pair(n).public().into()
}

fn sign(n: u8, hash: H256) -> MultiSignature {
    pair(n).sign(hash.as_bytes()).into()
}

fn request() -> Request<AccountId32> {
    Request {
        session: session_id(&GENESIS, &H256::zero(), 0),
        operator: account(3),
        seq: 1,
        checkpoint: H256([4; 32]),
        prompt_hash: H256([5; 32]),
        prompt_tokens: 10,
        sampling: Sampling::greedy(8),
        unit_price: 3,
        max_price: 126,
        cap: 126,
        valid_until: 9,
    }
}

fn receipt(request: &Request<AccountId32>) -> Receipt<AccountId32> {
    Receipt {
        session: request.session,
        operator: request.operator.clone(),
        seq: request.seq,
        request: request.signing_hash(&GENESIS),
        output_hash: H256([6; 32]),
        trace_root: H256([7; 32]),
        prompt_tokens: 10,
        output_tokens: 8,
        finish: FinishReason::Length,
        price: 126,
    }
}

#[test]
fn a_session_has_a_name_of_its_own() {
    let names = [
        session_id(&GENESIS, &H256::zero(), 0),
        session_id(&GENESIS, &H256::zero(), 1),
        session_id(&GENESIS, &OTHER, 0),
        session_id(&OTHER, &H256::zero(), 0),
    ];
    for (n, name) in names.iter().enumerate() {
        assert!(!names[..n].contains(name));
    }
}

#[test]
fn signatures_bind_author_chain_and_every_field() {
    // GIVEN a request, a receipt, a settlement and a consent, signed
    let request = request();
    let receipt = receipt(&request);
    let claim = Claim {
        root: OTHER,
        sum: 1,
        first: 1,
        last: 1,
    };
    let settlement = Settlement {
        session: request.session,
        operator: account(3),
        claim,
    };
    let consent = ShrinkConsent {
        session: request.session,
        operator: account(3),
        to: 1,
        version: 0,
    };
    let hashes = [
        request.signing_hash(&GENESIS),
        receipt.signing_hash(&GENESIS),
        settlement.signing_hash(&GENESIS),
        consent.signing_hash(&GENESIS),
    ];
    // WHEN they are checked THEN they hold for their author on their chain
    assert!(request.verify(&GENESIS, &sign(2, hashes[0]), &account(2)));
    assert!(receipt.verify(&GENESIS, &sign(3, hashes[1]), &account(3)));
    assert!(settlement.verify(&GENESIS, &sign(3, hashes[2]), &account(3)));
    assert!(consent.verify(&GENESIS, &sign(3, hashes[3]), &account(3)));
    // AND for nobody else, nowhere else, and for nothing else
    assert!(!request.verify(&GENESIS, &sign(2, hashes[0]), &account(3)));
    assert!(!request.verify(&OTHER, &sign(2, hashes[0]), &account(2)));
    let dearer = Request {
        cap: 127,
        ..request.clone()
    };
    assert!(!dearer.verify(&GENESIS, &sign(2, hashes[0]), &account(2)));
    let later = ShrinkConsent {
        version: 1,
        ..consent
    };
    assert!(!later.verify(&GENESIS, &sign(3, hashes[3]), &account(3)));
    // AND a leaf knows one signature from another over the same request
    let signed = |signature| SignedRequest {
        request: request.clone(),
        signature,
    };
    let (a, b) = (signed(sign(2, hashes[0])), signed(sign(2, hashes[0])));
    assert!(a.verify(&GENESIS, &account(2)) && b.verify(&GENESIS, &account(2)));
    assert_eq!(
        a.signature == b.signature,
        a.hash(&GENESIS) == b.hash(&GENESIS)
    );
    assert_ne!(a.hash(&GENESIS), hashes[0]);
}

#[test]
fn a_receipt_must_fit_its_request() {
    // GIVEN an answer of 10 + 4 * 8 units at 3 planck
    let request = request();
    let good = receipt(&request);
    let fits = |receipt: &Receipt<AccountId32>| receipt.answers(&GENESIS, &request, 1, 4);
    assert_eq!(fits(&good), Ok(()));
    // WHEN something of it is another THEN it says what
    let misfits: [(Misfit, fn(&mut Receipt<AccountId32>)); 8] = [
        (Misfit::OtherRequest, |r| r.seq = 2),
        (Misfit::OtherRequest, |r| r.session = OTHER),
        (Misfit::OtherRequest, |r| r.operator = account(9)),
        (Misfit::OtherRequest, |r| r.request = OTHER),
        (Misfit::PromptCount, |r| r.prompt_tokens = 9),
        (Misfit::TooLong, |r| r.output_tokens = 9),
        (Misfit::Finish, |r| r.output_tokens = 7),
        (Misfit::Price, |r| r.price = 125),
    ];
    for (misfit, spoil) in misfits {
        let mut receipt = good.clone();
        spoil(&mut receipt);
        assert_eq!(fits(&receipt), Err(misfit));
    }
    // AND one that the client cut off pays for what it got
    let cancelled = Receipt {
        output_tokens: 2,
        finish: FinishReason::Cancelled,
        price: 54,
        ..good.clone()
    };
    assert_eq!(fits(&cancelled), Ok(()));
    // AND nothing costs more than the client allowed
    let stingy = Request {
        max_price: 125,
        ..request.clone()
    };
    let named = Receipt {
        request: stingy.signing_hash(&GENESIS),
        ..good
    };
    assert_eq!(named.answers(&GENESIS, &stingy, 1, 4), Err(Misfit::Price));
}

#[test]
fn fraud_is_two_answers_to_one_request() {
    // GIVEN two different receipts for one request
    let (first, second) = (
        request(),
        Request {
            cap: 200,
            ..request()
        },
    );
    let a = receipt(&first);
    let b = Receipt {
        output_hash: OTHER,
        ..a.clone()
    };
    assert!(receipts_conflict(&a, &b));
    // WHEN they are the same, or answer different requests, THEN nothing is proven
    assert!(!receipts_conflict(&a, &a));
    assert!(!receipts_conflict(&a, &receipt(&second)));
    // AND two requests for one place are the client's
    assert!(requests_conflict(&first, &second));
    assert!(!requests_conflict(&first, &first));
    assert!(!requests_conflict(&first, &Request { seq: 2, ..second }));
}

#[test]
fn a_void_answers_its_request_with_nothing_for_nothing() {
    // GIVEN a request and its void
    let request = request();
    let void = Receipt::void(&GENESIS, &request);
    // THEN it fits whatever the prompt would have cost, and is no other answer
    assert!(void.is_void());
    assert_eq!(void.answers(&GENESIS, &request, 1, 4), Ok(()));
    assert!(!receipt(&request).is_void());
    // AND it names the request and nothing else
    let mut other = void.clone();
    other.seq = 2;
    assert_eq!(
        other.answers(&GENESIS, &request, 1, 4),
        Err(Misfit::OtherRequest)
    );
    // AND an answer beside it proves fraud: who voids a request is not paid for it
    assert!(receipts_conflict(&void, &receipt(&request)));
    // AND an answer that is cut off at once and costs the prompt is no void
    let cut = Receipt {
        price: 30,
        ..void.clone()
    };
    assert!(!cut.is_void());
    assert_eq!(cut.answers(&GENESIS, &request, 1, 4), Ok(()));
    let cheap = Receipt { price: 29, ..void };
    assert_eq!(cheap.answers(&GENESIS, &request, 1, 4), Err(Misfit::Price));
}
