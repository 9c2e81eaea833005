//! The examples of `docs/protocol.md`, computed again.

mod common;

use chasqui_primitives::{
    hash::{output_hash, prompt_hash},
    sampling::Sampling,
    session::{session_id, tree},
    trace::{trace_root, TraceLeaf},
    FinishReason,
};
use chasqui_session::{
    tls::TlsKey,
    wire::{frame, Ask, Event, LogProbs, Refusal, RefusalCode, Resume, Token, VoidAsk},
    HashSigner, Receipt, Request, SignedReceipt, SignedRequest,
};
use parity_scale_codec::Encode;
use sp_core::{ed25519, Pair, H256};

/// Name and bytes of every example. Keys are Ed25519, whose signatures are the same every time.
fn vectors() -> Vec<(&'static str, Vec<u8>)> {
    let genesis = H256::repeat_byte(0x01);
    let client = ed25519::Pair::from_seed(&[0x02; 32]);
    let operator = ed25519::Pair::from_seed(&[0x03; 32]);
    let session = session_id(&genesis, &H256::repeat_byte(0x04), 5);
    let salt = [0x06; 32];
    let prompt = [0, 40, 41];
    let request = Request {
        session,
        operator: operator.account(),
        seq: 1,
        checkpoint: H256::repeat_byte(0x07),
        prompt_hash: prompt_hash(&genesis, &salt, &prompt),
        prompt_tokens: 3,
        sampling: Sampling {
            temperature_milli: 700,
            top_k: 50,
            top_p_ppm: 950_000,
            seed: 8,
            stop_ids: vec![9].try_into().unwrap(),
            ignore_eos: false,
            max_tokens: 2,
        },
        unit_price: 100,
        max_price: 1_100,
        cap: 1_100,
        valid_until: 600,
    };
    let request_hash = request.signing_hash(&genesis);
    let signed = SignedRequest {
        signature: HashSigner::sign(&client, &request_hash.0),
        request,
    };
    let ask = Ask {
        signed: signed.clone(),
        salt,
        prompt: prompt.to_vec(),
        top_logprobs: Some(1),
    };
    let tokens = Event::Tokens(vec![
        Token {
            id: 42,
            logprobs: Some(LogProbs {
                chosen: -0.5,
                top: vec![(42, -0.5)],
            }),
        },
        Token {
            id: 43,
            logprobs: None,
        },
    ]);
    let trace = [42, 43].map(|token| TraceLeaf {
        token,
        fingerprint: [token as i16; 14],
    });
    let receipt = Receipt {
        session,
        operator: operator.account(),
        seq: 1,
        request: request_hash,
        output_hash: output_hash(&genesis, &[42, 43]),
        trace_root: trace_root(&trace),
        prompt_tokens: 3,
        output_tokens: 2,
        finish: FinishReason::Length,
        price: 1_100,
    };
    let receipt_hash = receipt.signing_hash(&genesis);
    let leaf = tree::Leaf {
        seq: 1,
        request: signed.hash(&genesis),
        receipt: receipt_hash,
        price: 1_100,
    };
    let answered = SignedReceipt {
        signature: HashSigner::sign(&operator, &receipt_hash.0),
        receipt,
    };
    let void = Receipt::void(&genesis, &signed.request);
    let void_hash = void.signing_hash(&genesis);
    let voided = SignedReceipt {
        signature: HashSigner::sign(&operator, &void_hash.0),
        receipt: void,
    };
    let void_leaf = tree::Leaf {
        receipt: void_hash,
        price: 0,
        ..leaf
    };
    let void_ask = VoidAsk {
        signed: signed.clone(),
    };
    let query = Resume::new(&genesis, session, operator.account(), 100, &client);
    let refusal = Refusal::new(RefusalCode::Busy, "seq", "later");
    vec![
        ("client's session key", client.public().0.to_vec()),
        ("operator's hot key", operator.public().0.to_vec()),
        (
            "tls_key of seed 0x0a…",
            TlsKey::from_seed(&[0x0a; 32]).public().to_vec(),
        ),
        ("session id", session.0.to_vec()),
        ("prompt hash", ask.signed.request.prompt_hash.0.to_vec()),
        ("request, SCALE", ask.signed.request.encode()),
        ("request, signing hash", request_hash.0.to_vec()),
        ("request frame", frame(&ask).to_vec()),
        (
            "accepted frame",
            frame(&Event::Accepted {
                seq: 1,
                stored: false,
            })
            .to_vec(),
        ),
        ("tokens frame", frame(&tokens).to_vec()),
        ("output hash", answered.receipt.output_hash.0.to_vec()),
        ("trace root", answered.receipt.trace_root.0.to_vec()),
        ("receipt, signing hash", receipt_hash.0.to_vec()),
        ("receipt frame", frame(&Event::Receipt(answered)).to_vec()),
        ("void frame", frame(&void_ask).to_vec()),
        ("void receipt, signing hash", void_hash.0.to_vec()),
        (
            "void receipt frame",
            frame(&Event::Receipt(voided)).to_vec(),
        ),
        (
            "root of a void's leaf alone",
            tree::claim(&[void_leaf]).unwrap().root.0.to_vec(),
        ),
        ("refused frame", frame(&Event::Refused(refusal)).to_vec()),
        (
            "resume, signing hash",
            query.signing_hash(&genesis).0.to_vec(),
        ),
        ("resume frame", frame(&query).to_vec()),
        ("signed request, leaf hash", leaf.request.0.to_vec()),
        (
            "settlement root of this one leaf",
            tree::claim(&[leaf]).unwrap().root.0.to_vec(),
        ),
    ]
}

// GIVEN the examples that the document shows
// WHEN they are computed from what it says they are of
// THEN they are the same, byte by byte
#[test]
fn the_documents_examples_are_right() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");
    let document = std::fs::read_to_string(path).unwrap();
    let lines: Vec<String> = vectors()
        .iter()
        .map(|(name, bytes)| format!("| {name} | `{}` |", hex::encode(bytes)))
        .collect();
    if std::env::var_os("CHASQUI_WRITE_VECTORS").is_some() {
        let (begin, end) = ("<!-- vectors -->\n", "<!-- end of vectors -->");
        let (head, rest) = document.split_once(begin).unwrap();
        let (_, tail) = rest.split_once(end).unwrap();
        let table = format!("| what | bytes |\n|---|---|\n{}\n", lines.join("\n"));
        std::fs::write(path, format!("{head}{begin}{table}{end}{tail}")).unwrap();
        return;
    }
    for line in lines {
        assert!(document.contains(&line), "docs/protocol.md lacks: {line}");
    }
}
