//! Whatever is lost, repeated or killed, in any order: nothing is paid twice, and no honest side loses more than the one
//! request in flight.

mod common;

use chasqui_session::{
    journal::{
        Accepted, Answer, Begun, ClientJournal, Done, ExecutorJournal, ExecutorLimits, Leaf, Voided,
    },
    ChainView,
};
use common::{account, liar, raw, terms, MemoryChain, GENESIS};
use proptest::prelude::*;
use sp_core::H256;
use std::{collections::BTreeMap, path::PathBuf};

const MOST: u128 = 100 * (2 + 4 * 6);

/// What may happen next.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The client signs a request, if it may.
    Sign,
    /// What is in flight reaches the executor.
    Deliver,
    /// The executor answers what it accepted with so many tokens.
    Answer(u32),
    /// The newest receipt reaches the client.
    Receive,
    /// The client, or the executor, is killed and starts again.
    KillClient,
    KillExecutor,
    /// The executor settles, and hears of it or does not.
    Settle(bool),
    /// A copy of some earlier request arrives.
    Replay(usize),
    /// Some request has lapsed, the client asks for its void, and the executor decides.
    Void(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Sign),
        4 => Just(Step::Deliver),
        4 => (0u32..=6).prop_map(Step::Answer),
        4 => Just(Step::Receive),
        1 => Just(Step::KillClient),
        1 => Just(Step::KillExecutor),
        1 => any::<bool>().prop_map(Step::Settle),
        1 => any::<usize>().prop_map(Step::Replay),
        2 => any::<usize>().prop_map(Step::Void),
    ]
}

struct Both {
    folder: tempfile::TempDir,
    chain: std::sync::Arc<MemoryChain>,
    session: H256,
    client: Option<ClientJournal>,
    executor: Option<ExecutorJournal>,
    /// Every request that was ever signed.
    signed: Vec<chasqui_session::wire::Ask>,
    /// Every receipt that ever left the executor.
    receipts: BTreeMap<u64, chasqui_session::SignedReceipt>,
}

impl Both {
    fn new(slice: u128) -> Self {
        let chain = MemoryChain::new();
        let session = chain.open(1, &["Bob"], slice);
        let mut both = Self {
            folder: tempfile::tempdir().unwrap(),
            chain,
            session,
            client: None,
            executor: None,
            signed: Vec::new(),
            receipts: BTreeMap::new(),
        };
        both.start_client();
        both.start_executor();
        both
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start_client(&mut self) {
        self.client = None;
        let path = self.path("client");
        let journal = ClientJournal::open(&path, GENESIS, account("Client"), 1_024);
        self.client = Some(journal.unwrap());
    }

    fn start_executor(&mut self) {
        self.executor = None;
        let path = self.path("executor");
        let limits = ExecutorLimits::default();
        let journal = ExecutorJournal::open(&path, GENESIS, account("Bob"), limits);
        self.executor = Some(journal.unwrap());
    }

    fn client(&self) -> &ClientJournal {
        self.client.as_ref().unwrap()
    }

    fn executor(&self) -> &ExecutorJournal {
        self.executor.as_ref().unwrap()
    }

    fn standing(&self) -> chasqui_session::Standing {
        let bob = account("Bob");
        let found = self.chain.standing(&self.session, &bob);
        futures::executor::block_on(found).unwrap().unwrap()
    }

    /// A request arrives; an answer that was written down goes out again.
    fn deliver(&mut self, ask: &chasqui_session::wire::Ask) {
        let leaf = Leaf {
            signed: ask.signed.clone(),
            salt: ask.salt,
            prompt: ask.prompt.clone(),
        };
        let accepted = self.executor().accept(&leaf, &self.standing()).unwrap();
        assert_ne!(accepted, Accepted::Equivocation);
        if let Accepted::Again(answer) = accepted {
            self.send(answer.receipt);
        }
    }

    /// A receipt leaves the executor: never another one for the same place.
    fn send(&mut self, receipt: chasqui_session::SignedReceipt) {
        let seq = receipt.receipt.seq;
        let before = self.receipts.entry(seq).or_insert_with(|| receipt.clone());
        assert_eq!(before.receipt, receipt.receipt);
    }

    fn run(&mut self, step: Step) {
        let (session, bob) = (self.session, account("Bob"));
        match step {
            Step::Sign => {
                let shown = self.standing();
                let make = |slot: chasqui_primitives::session::books::Slot| {
                    let ask = raw::request(session, slot.seq, slot.cap, &[0, 40], |_| {});
                    Begun::new(ask, &terms())
                };
                let begun = self.client().begin(&session, &bob, &shown, MOST, 1, make);
                self.signed.extend(begun.unwrap().map(|begun| begun.ask));
            }
            Step::Deliver => {
                for begun in self.client().in_flight(&session, &bob).unwrap() {
                    self.deliver(&begun.ask);
                }
            }
            Step::Replay(index) => {
                if let Some(ask) = self.signed.get(index % self.signed.len().max(1)).cloned() {
                    self.deliver(&ask);
                }
            }
            Step::Void(index) => {
                let Some(ask) = self.signed.get(index % self.signed.len().max(1)).cloned() else {
                    return;
                };
                let mut shown = self.standing();
                shown.now = ask.signed.request.valid_until + 1;
                let sign = |receipt| liar::signed(receipt, "Bob");
                match self.executor().void(&ask.signed, &shown, sign).unwrap() {
                    Voided::Void(receipt) => {
                        assert!(receipt.receipt.is_void());
                        self.send(*receipt);
                    }
                    Voided::Refuse(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            Step::Answer(tokens) => {
                let held = self.executor().channel(&session).unwrap();
                let last = held
                    .filter(|held| held.receipt.is_none())
                    .and_then(|h| h.last);
                let Some(last) = last else { return };
                let ask = self.signed[last.request.seq as usize - 1].clone();
                let output: Vec<u32> = (0..tokens).collect();
                let receipt = liar::signed(liar::receipt(&ask, &output), "Bob");
                let answer = Answer {
                    receipt: receipt.clone(),
                    trace: Vec::new(),
                };
                self.executor().answer(&answer).unwrap();
                self.send(receipt);
            }
            Step::Receive => {
                let Some((_, receipt)) = self.receipts.last_key_value() else {
                    return;
                };
                let done = Done {
                    output: (0..receipt.receipt.output_tokens).collect(),
                    receipt: receipt.clone(),
                };
                // One that is known already changes nothing.
                self.client().done(&done).unwrap();
            }
            Step::KillClient => self.start_client(),
            Step::KillExecutor => self.start_executor(),
            Step::Settle(heard) => {
                let claim = self.executor().claim(&session).unwrap();
                // Voids alone are not worth a settlement.
                let Some((last, claim)) = claim.filter(|(_, claim)| claim.sum > 0) else {
                    return;
                };
                // One that settled and did not hear of it claims the same again: the chain refuses.
                let before = self.chain.channel(&session, "Bob");
                let settled = self.chain.settle(&last, &claim).is_ok();
                assert_eq!(settled, before.last_seq + 1 == claim.first);
                let shown = self.chain.channel(&session, "Bob");
                if heard {
                    self.executor().settled(&session, shown.last_seq).unwrap();
                }
            }
        }
        self.check();
    }

    fn check(&self) {
        let bob = account("Bob");
        let channel = self.chain.channel(&self.session, "Bob");
        let (receipted, at_risk) = self.client().spent(&self.session, &bob).unwrap();
        assert!(at_risk <= MOST, "one request is in flight at the most");
        // The client never pays for more than it has receipts for and the one in flight.
        assert!(channel.settled <= receipted + at_risk);
        // No number is signed twice.
        let mut numbers: Vec<u64> =
            (self.signed.iter().map(|ask| ask.signed.request.seq)).collect();
        numbers.dedup();
        assert_eq!(numbers, (1..=self.signed.len() as u64).collect::<Vec<_>>());
        // The executor never signs for more than the slice promises: what it answered it is paid for.
        let owed: u128 = self
            .receipts
            .values()
            .map(|receipt| receipt.receipt.price)
            .sum();
        assert!(owed <= channel.slice);
        if let Some(held) = self.executor().channel(&self.session).unwrap() {
            assert_eq!(held.receipted, owed);
        }
        assert!(owed <= receipted + at_risk);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    // GIVEN a client, an executor and a chain
    // WHEN anything happens in any order: messages lost and repeated, either side killed, settlements unheard of
    // THEN after every step nothing is paid or signed twice, and at most one request's max_price is at risk; and when
    //      both go on, everything that was answered is settled
    #[test]
    fn nothing_is_paid_twice(
        steps in prop::collection::vec(step(), 1..40),
        room in 1u128..12,
    ) {
        let mut both = Both::new(room * MOST);
        for step in steps {
            both.run(step);
        }
        // In the end both are back.
        both.run(Step::KillClient);
        both.run(Step::KillExecutor);
        for step in [Step::Deliver, Step::Answer(6), Step::Deliver, Step::Receive] {
            both.run(step);
        }
        let settled = both.chain.channel(&both.session, "Bob").last_seq;
        both.executor().settled(&both.session, settled).unwrap();
        both.run(Step::Settle(true));
        let channel = both.chain.channel(&both.session, "Bob");
        let (receipted, at_risk) = both.client().spent(&both.session, &account("Bob")).unwrap();
        prop_assert_eq!((channel.settled, at_risk), (receipted, 0));
    }
}
