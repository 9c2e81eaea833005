//! Journals: what was written is there after any end, and what is foreign or damaged is refused.

mod common;

use chasqui_primitives::{session::books::Reason, trace::trace_root};
use chasqui_session::{
    journal::{Accepted, Answer, Begun, ClientJournal, ExecutorJournal, ExecutorLimits, Leaf},
    ChainView, JournalError, Standing,
};
use common::{account, liar, raw, terms, MemoryChain, GENESIS, SLICE};
use sp_core::H256;
use std::path::Path;

const MOST: u128 = 100 * (2 + 4 * 6);

async fn standing(chain: &MemoryChain, session: &H256) -> Standing {
    let found = chain.standing(session, &account("Bob")).await;
    found.unwrap().unwrap()
}

fn leaf(session: H256, seq: u64, cap: u128) -> Leaf {
    let ask = raw::request(session, seq, cap, &[0, 40], |_| {});
    Leaf {
        signed: ask.signed,
        salt: ask.salt,
        prompt: ask.prompt,
    }
}

fn answer(leaf: &Leaf, output: &[u32]) -> Answer {
    let ask = chasqui_session::wire::Ask {
        signed: leaf.signed.clone(),
        salt: leaf.salt,
        prompt: leaf.prompt.clone(),
        top_logprobs: None,
    };
    let mut receipt = liar::receipt(&ask, output);
    receipt.trace_root = trace_root(&[]);
    Answer {
        receipt: liar::signed(receipt, "Bob"),
        trace: Vec::new(),
    }
}

fn open(path: &Path) -> Result<ExecutorJournal, JournalError> {
    ExecutorJournal::open(path, GENESIS, account("Bob"), ExecutorLimits::default())
}

fn open_client(path: &Path, keep: u64) -> Result<ClientJournal, JournalError> {
    ClientJournal::open(path, GENESIS, account("Client"), keep)
}

// GIVEN a journal that is written step by step
// WHEN its file is copied after each step, as a killed process leaves it, and opened
// THEN it knows every step up to that one, and decides as the original does
#[tokio::test]
async fn every_step_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let chain = MemoryChain::new();
    let session = chain.open(1, &["Bob"], SLICE);
    let shown = standing(&chain, &session).await;
    let path = folder.path().join("journal");
    let journal = open(&path).unwrap();
    let first = leaf(session, 1, MOST);
    let copy = |name: &str| {
        let copied = folder.path().join(name);
        std::fs::copy(&path, &copied).unwrap();
        open(&copied).unwrap()
    };
    let empty = copy("empty");
    assert!(empty.channel(&session).unwrap().is_none());
    assert_eq!(empty.accept(&first, &shown).unwrap(), Accepted::Serve);

    assert_eq!(journal.accept(&first, &shown).unwrap(), Accepted::Serve);
    let accepted = copy("accepted");
    let held = accepted.channel(&session).unwrap().unwrap();
    assert_eq!(
        (held.last, held.receipt),
        (Some(first.signed.clone()), None)
    );
    assert_eq!(
        accepted.accept(&first, &shown).unwrap(),
        Accepted::Unanswered
    );
    let second = leaf(session, 2, 2 * MOST);
    assert_eq!(
        accepted.accept(&second, &shown).unwrap(),
        Accepted::Refuse(Reason::Busy)
    );
    assert!(accepted.claim(&session).unwrap().is_none());

    let said = answer(&first, &[5, 6]);
    journal.answer(&said).unwrap();
    let answered = copy("answered");
    let again = answered.accept(&first, &shown).unwrap();
    assert_eq!(again, Accepted::Again(Box::new(said.clone())));
    assert_eq!(answered.accept(&second, &shown).unwrap(), Accepted::Serve);
    let (last, claim) = answered.claim(&session).unwrap().unwrap();
    assert_eq!(
        (last.request.seq, claim.sum),
        (1, said.receipt.receipt.price)
    );

    // The same again changes nothing, another answer is refused.
    journal.answer(&said).unwrap();
    let error = journal.answer(&answer(&first, &[5])).unwrap_err();
    assert!(error.to_string().contains("fraud"), "{error}");
    let held = journal.channel(&session).unwrap().unwrap();
    assert_eq!(held.receipted, said.receipt.receipt.price);
    // An answer to nothing is refused.
    assert!(journal.answer(&answer(&second, &[5])).is_err());
    // What is not settled is not forgotten.
    assert!(journal.finalised(&session, 1).is_err());
    journal.settled(&session, 1).unwrap();
    journal.finalised(&session, 1).unwrap();
    let done = copy("done");
    assert!(done.leaf(&session, 1).unwrap().is_none());
    assert_eq!(
        done.accept(&first, &shown).unwrap(),
        Accepted::Refuse(Reason::OutOfOrder)
    );
    assert_eq!(done.sessions(&H256::zero(), 9).unwrap(), [session]);
    done.forget(&session).unwrap();
    assert!(done.sessions(&H256::zero(), 9).unwrap().is_empty());
}

// GIVEN journals of another chain, another key, the other side, another program, and of one byte less
// WHEN they are opened
// THEN each is refused by name, and is as it was
#[tokio::test]
async fn foreign_and_damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    drop(open(&path).unwrap());
    let whole = std::fs::read(&path).unwrap();
    let message = |outcome: Result<ExecutorJournal, JournalError>| outcome.unwrap_err().to_string();
    let limits = ExecutorLimits::default();
    let other = ExecutorJournal::open(&path, H256::zero(), account("Bob"), limits);
    assert!(message(other).contains("`genesis`"));
    let other = ExecutorJournal::open(&path, GENESIS, account("Eve"), limits);
    assert!(message(other).contains("`owner`"));
    let side = ClientJournal::open(&path, GENESIS, account("Bob"), 9).unwrap_err();
    assert!(side.to_string().contains("`side`"), "{side}");
    let held = open(&path).unwrap();
    assert!(message(open(&path)).contains("in use"));
    drop(held);

    for bytes in [&b"not a journal"[..], &[], &whole[..100], &[0; 5_000]] {
        std::fs::write(&path, bytes).unwrap();
        let error = open(&path).unwrap_err();
        assert!(error.to_string().contains("journal"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
    std::fs::write(&path, &whole).unwrap();
    open(&path).unwrap();
    // A folder is none, and one that is not there cannot be written.
    assert!(open(folder.path()).is_err());
    assert!(open(&folder.path().join("no/such/folder")).is_err());
}

// GIVEN a journal with rows in which any one byte is flipped
// WHEN it is opened and read
// THEN it never says anything else than what was written
#[tokio::test]
async fn a_flipped_byte_never_lies() {
    let folder = tempfile::tempdir().unwrap();
    let chain = MemoryChain::new();
    let session = chain.open(1, &["Bob"], SLICE);
    let shown = standing(&chain, &session).await;
    let path = folder.path().join("journal");
    let first = leaf(session, 1, MOST);
    let said = answer(&first, &[5, 6]);
    {
        let journal = open(&path).unwrap();
        journal.accept(&first, &shown).unwrap();
        journal.answer(&said).unwrap();
    }
    let whole = std::fs::read(&path).unwrap();
    let signature = parity_scale_codec::Encode::encode(&first.signed.signature);
    let at = whole
        .windows(64)
        .position(|window| window == &signature[1..65])
        .unwrap();
    let copy = folder.path().join("copy");
    for offset in (at..at + 64)
        .step_by(7)
        .chain((0..whole.len()).step_by(whole.len() / 200))
    {
        let mut bytes = whole.clone();
        bytes[offset] ^= 0x10;
        std::fs::write(&copy, &bytes).unwrap();
        let Ok(journal) = open(&copy) else {
            continue;
        };
        if let Ok(Some((kept, answered))) = journal.leaf(&session, 1) {
            assert_eq!(kept, first, "{offset}");
            assert!(answered.is_none_or(|answered| answered == said), "{offset}");
        }
    }
}

// GIVEN a channel with as many unsettled requests as may be, and a file as large as may be
// WHEN another request comes
// THEN it is refused as full, and accepted once there is room
#[tokio::test]
async fn an_executors_journal_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let chain = MemoryChain::new();
    let session = chain.open(1, &["Bob"], SLICE);
    let shown = standing(&chain, &session).await;
    let limits = ExecutorLimits {
        unsettled: 2,
        ..ExecutorLimits::default()
    };
    let path = folder.path().join("journal");
    let journal = ExecutorJournal::open(&path, GENESIS, account("Bob"), limits).unwrap();
    for seq in 1..3 {
        let leaf = leaf(session, seq, u128::from(seq) * MOST);
        assert_eq!(journal.accept(&leaf, &shown).unwrap(), Accepted::Serve);
        journal.answer(&answer(&leaf, &[1])).unwrap();
    }
    let third = leaf(session, 3, 3 * MOST);
    let full = journal.accept(&third, &shown).unwrap();
    assert!(matches!(full, Accepted::Full(reason) if reason.contains("settled")));
    journal.settled(&session, 2).unwrap();
    assert_eq!(journal.accept(&third, &shown).unwrap(), Accepted::Serve);
    drop(journal);
    let limits = ExecutorLimits {
        file_bytes: 1,
        ..ExecutorLimits::default()
    };
    let journal = ExecutorJournal::open(&path, GENESIS, account("Bob"), limits).unwrap();
    journal.answer(&answer(&third, &[1])).unwrap();
    let full = journal.accept(&leaf(session, 4, 4 * MOST), &shown).unwrap();
    assert!(matches!(full, Accepted::Full(reason) if reason.contains("bytes")));
    // What was answered is still there.
    let again = journal.accept(&third, &shown).unwrap();
    assert!(matches!(again, Accepted::Again(_)));
}

// GIVEN a client that was answered more often than it keeps
// WHEN the oldest answers are gone
// THEN its book is right, and what is in flight stays however old
#[tokio::test]
async fn a_clients_journal_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let chain = MemoryChain::new();
    let session = chain.open(1, &["Bob"], SLICE);
    let shown = standing(&chain, &session).await;
    let path = folder.path().join("journal");
    let bob = account("Bob");
    let journal = open_client(&path, 3).unwrap();
    let mut paid = 0;
    for seq in 1..=8u64 {
        let begun = journal.begin(&session, &bob, &shown, MOST, 1, |slot| {
            assert_eq!((slot.seq, slot.cap), (seq, paid + MOST));
            let ask = raw::request(session, slot.seq, slot.cap, &[0, 40], |_| {});
            Begun::new(ask, &terms())
        });
        let begun = begun.unwrap().unwrap();
        // One at a time.
        let more = journal.begin(&session, &bob, &shown, MOST, 1, |_| {
            panic!("one is in flight")
        });
        assert!(more.unwrap().is_none());
        let waiting = journal.in_flight(&session, &bob).unwrap();
        assert_eq!(waiting, std::slice::from_ref(&begun));
        let receipt = liar::signed(liar::receipt(&begun.ask, &[5]), "Bob");
        paid += receipt.receipt.price;
        let done = chasqui_session::journal::Done {
            receipt,
            output: vec![5],
        };
        journal.done(&done).unwrap();
        journal.done(&done).unwrap();
        assert_eq!(journal.spent(&session, &bob).unwrap(), (paid, 0));
    }
    assert!(journal.find(&session, &bob, 5).unwrap().is_none());
    assert!(journal.find(&session, &bob, 6).unwrap().is_some());
    assert!(journal.adopt(&session, &bob, 1, 0).is_err());
    journal.forget(&session).unwrap();
    assert!(!journal.knows(&session, &bob).unwrap());
}

// GIVEN an executor whose journal has seen the finalised chain at some block
// WHEN both it and its node begin again, and the node, which lost its database, shows older blocks
// THEN the journal tells, so that nothing is forgotten of sessions that such a node does not know
#[test]
fn a_node_that_begins_anew_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let journal = open(&path).unwrap();
    assert_eq!(journal.reached().unwrap(), 0);
    assert_eq!(journal.reach(900).unwrap(), 900);
    assert_eq!(journal.reach(900).unwrap(), 900);
    drop(journal);
    let journal = open(&path).unwrap();
    assert_eq!(journal.reach(3).unwrap(), 900);
    assert_eq!(journal.reached().unwrap(), 900);
    assert_eq!(journal.reach(901).unwrap(), 901);
}
