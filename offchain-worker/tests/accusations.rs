//! What a client holds against an operator comes out of its journal.

use chasqui_primitives::{
    sampling::Sampling,
    session::{
        rules::{Channel, Deposit},
        Seq, SessionId,
    },
    FinishReason, NumericProfile,
};
use chasqui_session::{
    journal::{Begun, ClientJournal, Conflict, Done},
    wire::Ask,
    AccountId, HashSigner, Receipt, Request, SignedReceipt, SignedRequest, Standing, Terms,
};
use chasqui_worker::sessions::accuse::{contradictions, evidence};
use sp_core::{sr25519, Pair, H256};

const GENESIS: H256 = H256::repeat_byte(1);
const SESSION: SessionId = H256::repeat_byte(2);

fn key(name: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(&format!("//{name}"), None).unwrap()
}

fn bob() -> AccountId {
    key("Bob").account()
}

fn terms() -> Terms {
    Terms {
        unit_price: 1,
        units_per_prompt_token: 1,
        units_per_output_token: 1,
        context_tokens: 64,
        vocabulary: 64,
        profile: NumericProfile::F32,
        end_tokens: vec![],
    }
}

fn standing() -> Standing {
    let mut deposit = Deposit::default();
    deposit.pay_in(1_000).unwrap();
    let mut channel = Channel::default();
    channel.grow(&mut deposit, 1_000, 0).unwrap();
    Standing {
        now: 1,
        key: key("Client").account(),
        checkpoint: H256::repeat_byte(3),
        open: true,
        committee: vec![bob()],
        channel,
        signer: bob(),
        terms: Some(terms()),
    }
}

struct World {
    journal: ClientJournal,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client");
        let owner = key("Client").account();
        Self {
            journal: ClientJournal::open(&path, GENESIS, owner, 8).unwrap(),
            _folder: folder,
        }
    }

    /// Signs the next request.
    fn asks(&self) -> SignedRequest {
        let begun = self
            .journal
            .begin(&SESSION, &bob(), &standing(), 10, 8, |slot| {
                let request = Request {
                    session: SESSION,
                    operator: bob(),
                    seq: slot.seq,
                    checkpoint: H256::repeat_byte(3),
                    prompt_hash: H256::repeat_byte(4),
                    prompt_tokens: 2,
                    sampling: Sampling::greedy(8),
                    unit_price: 1,
                    max_price: 10,
                    cap: slot.cap,
                    valid_until: 9,
                };
                let hash = request.signing_hash(&GENESIS).0;
                let ask = Ask {
                    signed: SignedRequest {
                        signature: HashSigner::sign(&key("Client"), &hash),
                        request,
                    },
                    salt: [0; 32],
                    prompt: vec![1, 2],
                    top_logprobs: None,
                };
                Begun::new(ask, &terms())
            });
        begun.unwrap().unwrap().ask.signed
    }

    fn evidence(&self, seq: Seq) -> Result<(SignedRequest, SignedReceipt), String> {
        evidence(&self.journal, &SESSION, &bob(), seq).map_err(|error| error.to_string())
    }

    fn contradictions(&self) -> usize {
        contradictions(&self.journal, &SESSION, &bob())
            .unwrap()
            .len()
    }
}

/// Bob's receipt for a request, with some output.
fn receipt(to: &SignedRequest, output: u8) -> SignedReceipt {
    let request = &to.request;
    let receipt = Receipt {
        session: request.session,
        operator: request.operator.clone(),
        seq: request.seq,
        request: request.signing_hash(&GENESIS),
        output_hash: H256::repeat_byte(output),
        trace_root: H256::repeat_byte(output),
        prompt_tokens: 2,
        output_tokens: 8,
        finish: FinishReason::Length,
        price: 10,
    };
    let hash = receipt.signing_hash(&GENESIS).0;
    SignedReceipt {
        signature: HashSigner::sign(&key("Bob"), &hash),
        receipt,
    }
}

// GIVEN an answer that was received and written down
// WHEN it is to be reported
// THEN the journal gives the very request and receipt
#[test]
fn a_report_is_made_of_what_both_signed() {
    let world = World::new();
    let asked = world.asks();
    let answer = receipt(&asked, 7);
    let done = Done {
        receipt: answer.clone(),
        output: vec![5; 8],
    };
    world.journal.done(&done).unwrap();
    assert_eq!(world.evidence(1).unwrap(), (asked, answer));
}

// GIVEN a receipt that did not fit, and was refused and kept
// WHEN the answer is to be reported
// THEN that receipt is the evidence: it is the operator's word
#[test]
fn a_receipt_that_was_refused_can_be_reported() {
    let world = World::new();
    let asked = world.asks();
    let wrong = receipt(&asked, 7);
    let conflict = Conflict {
        first: None,
        second: wrong.clone(),
    };
    world
        .journal
        .conflict(&SESSION, &bob(), 1, &conflict)
        .unwrap();
    assert_eq!(world.evidence(1).unwrap(), (asked, wrong));
    assert_eq!(world.contradictions(), 0, "one receipt contradicts nothing");
}

// GIVEN requests without a receipt, of another place, or never signed
// WHEN they are to be reported
// THEN the error says what is missing
#[test]
fn what_nobody_signed_cannot_be_reported() {
    let world = World::new();
    world.asks();
    let error = world.evidence(1).unwrap_err();
    assert!(error.contains("without a receipt"), "{error}");
    let error = world.evidence(2).unwrap_err();
    assert!(error.contains("not in this journal"), "{error}");
    let other = evidence(&world.journal, &SESSION, &key("Eve").account(), 1);
    assert!(other
        .unwrap_err()
        .to_string()
        .contains("not in this journal"));
}

// GIVEN two receipts for one request, and a pair for different ones
// WHEN fraud is to be proven
// THEN only those are a proof that the chain takes
#[test]
fn only_two_receipts_for_one_request_prove_fraud() {
    let world = World::new();
    let (first, second) = (world.asks(), world.asks());
    let keep = |seq, a: SignedReceipt, b: SignedReceipt| {
        let conflict = Conflict {
            first: Some(a),
            second: b,
        };
        world
            .journal
            .conflict(&SESSION, &bob(), seq, &conflict)
            .unwrap();
    };
    keep(2, receipt(&first, 7), receipt(&second, 7));
    assert_eq!(world.contradictions(), 0);
    keep(1, receipt(&first, 7), receipt(&first, 8));
    assert_eq!(world.contradictions(), 1);
}

// GIVEN a receipt that did not fit, and was refused and kept
// WHEN the request is sent again, and answered with a receipt that does fit
// THEN both together prove fraud
#[test]
fn a_refused_receipt_and_the_one_that_came_later_prove_fraud() {
    let world = World::new();
    let asked = world.asks();
    let conflict = Conflict {
        first: None,
        second: receipt(&asked, 7),
    };
    world
        .journal
        .conflict(&SESSION, &bob(), 1, &conflict)
        .unwrap();
    let done = Done {
        receipt: receipt(&asked, 8),
        output: vec![5; 8],
    };
    world.journal.done(&done).unwrap();
    assert_eq!(world.contradictions(), 1);
}
