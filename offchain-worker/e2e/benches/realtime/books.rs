//! Whether every answer is paid once: what clients got, what the gateway wrote down, what the chain settled.

use crate::load::{Answer, Outcome};
use anyhow::{ensure, Context, Result};
use chasqui_e2e::{
    blocks::{Account, Block, Happening},
    Gateway, Network,
};
use chasqui_session::journal::ClientJournal;
use serde_json::{json, Value};
use std::{
    collections::{BTreeMap, HashSet},
    str::FromStr,
};

/// A session with an operator.
type Channel = (String, Account);

/// What the chain settled of a channel.
#[derive(Default)]
struct Settled {
    sum: u128,
    /// First and last request of each settlement, in order.
    runs: Vec<(u64, u64)>,
}

/// What clients hold receipts for.
#[derive(Default)]
struct Received {
    sum: u128,
    sequences: Vec<u64>,
}

/// The finding.
pub struct Books {
    pub answered: usize,
    /// Clients saw tokens and then an error.
    pub broken: usize,
    /// Refused in every try: nothing was computed, nothing is owed.
    pub refused: usize,
    /// Answers that no settlement covers.
    pub unsettled: usize,
    /// Places that two answers claim, or two settlements.
    pub twice: usize,
    /// Planck of all settlements.
    pub settled: u128,
    /// Planck of all receipts in the gateway's journal.
    pub journal: u128,
    /// Planck of the answers that clients saw whole.
    pub received: u128,
    /// Channels whose settled sum is not that of the journal's receipts.
    pub differing: Vec<String>,
    /// Planck of requests that still wait for their receipt.
    pub in_flight: u128,
    /// Receipts behind which no client saw an answer: what an operator had begun when it was lost. The request was then
    /// answered by another, and the first is paid for the prompt that it computed.
    pub begun: Begun,
}

/// Places that are paid, and were answered elsewhere.
#[derive(Default)]
pub struct Begun {
    pub receipts: usize,
    pub planck: u128,
    /// Output tokens in those receipts: nobody saw them.
    pub tokens: u64,
}

impl Books {
    /// Balances clients, journal and chain. The gateway must have stopped, and everything be settled.
    pub fn balance(
        network: &Network,
        genesis: [u8; 32],
        outcomes: &[Outcome],
        blocks: &[Block],
    ) -> Result<Self> {
        let mut settled: BTreeMap<Channel, Settled> = BTreeMap::new();
        for happening in blocks.iter().flat_map(|block| &block.happenings) {
            if let Happening::Settled {
                session,
                operator,
                sum,
                first,
                last,
            } = happening
            {
                let channel = settled.entry((session.clone(), *operator)).or_default();
                channel.sum += sum;
                channel.runs.push((*first, *last));
            }
        }
        let mut received: BTreeMap<Channel, Received> = BTreeMap::new();
        let (mut seen, mut twice) = (HashSet::new(), 0);
        for answer in answers(outcomes) {
            let place = answer.place.clone().context("an answer without a place")?;
            twice += usize::from(!seen.insert(place.clone()));
            let operator = chasqui_chain::AccountId32::from_str(&place.operator)
                .map_err(|error| anyhow::anyhow!("{}: {error}", place.operator))?;
            let channel = received.entry((place.session, operator.0)).or_default();
            channel.sum += answer.price;
            channel.sequences.push(place.seq);
        }
        let mut unsettled = 0;
        for (channel, received) in &received {
            let runs = settled.get(channel).map(|settled| &settled.runs[..]);
            let runs = runs.unwrap_or_default();
            let covered = |seq: &u64| {
                runs.iter()
                    .any(|(first, last)| (first..=last).contains(&seq))
            };
            unsettled += received
                .sequences
                .iter()
                .filter(|seq| !covered(seq))
                .count();
        }
        for settled in settled.values() {
            let mut next = 1;
            for (first, last) in &settled.runs {
                // Each run begins behind the one before it.
                twice += usize::from(*first != next);
                next = last + 1;
            }
        }
        let (mut journal_sum, mut in_flight, mut differing) = (0, 0, Vec::new());
        let mut begun = Begun::default();
        let mut written: BTreeMap<Channel, u128> = BTreeMap::new();
        let journal = journal(network, genesis)?;
        let sessions: HashSet<&String> = settled
            .keys()
            .chain(received.keys())
            .map(|(session, _)| session)
            .collect();
        let operators: HashSet<Account> = network
            .workers
            .iter()
            .map(|worker| chasqui_e2e::chat::account(network, &worker.operator.key))
            .collect::<Result<_>>()?;
        for session in sessions {
            for operator in &operators {
                let id = chasqui_chain::H256::from_str(session)
                    .map_err(|error| anyhow::anyhow!("{session}: {error}"))?;
                let (receipts, waiting) = journal.spent(&id, &(*operator).into())?;
                journal_sum += receipts;
                in_flight += waiting;
                written.insert((session.clone(), *operator), receipts);
                let channel = (session.clone(), *operator);
                let answered = received
                    .get(&channel)
                    .map(|received| &received.sequences[..]);
                let runs = settled.get(&channel).map(|settled| &settled.runs[..]);
                let last = runs
                    .and_then(|runs| runs.last())
                    .map_or(0, |(_, last)| *last);
                for seq in 1..=last {
                    if answered.is_some_and(|answered| answered.contains(&seq)) {
                        continue;
                    }
                    let held = journal.find(&id, &(*operator).into(), seq)?;
                    if let Some((_, Some(done))) = held {
                        begun.receipts += 1;
                        begun.planck += done.receipt.receipt.price;
                        begun.tokens += u64::from(done.receipt.receipt.output_tokens);
                    }
                }
            }
        }
        for (channel, receipts) in &written {
            let sum = settled.get(channel).map_or(0, |settled| settled.sum);
            if sum != *receipts {
                let (session, operator) = channel;
                differing.push(format!(
                    "{session} 0x{}: settled {sum}, receipts {receipts}",
                    hex::encode(operator)
                ));
            }
        }
        let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|o| wanted(o)).count();
        Ok(Self {
            answered: count(|outcome| matches!(outcome, Outcome::Answered(_))),
            broken: count(|outcome| matches!(outcome, Outcome::Broken { .. })),
            refused: count(|outcome| matches!(outcome, Outcome::Refused(_))),
            unsettled,
            twice,
            settled: settled.values().map(|settled| settled.sum).sum(),
            journal: journal_sum,
            received: received.values().map(|received| received.sum).sum(),
            differing,
            in_flight,
            begun,
        })
    }

    /// Nothing lost, nothing paid twice: all that was settled is what clients saw whole, and the prompts of what was begun
    /// and then answered by another.
    pub fn hold(&self) -> bool {
        let seen_or_begun = self.received + self.begun.planck;
        self.unsettled == 0
            && self.twice == 0
            && self.in_flight == 0
            && self.differing.is_empty()
            && self.settled == seen_or_begun
            && (self.broken > 0 || self.begun.tokens == 0)
    }

    pub fn json(&self) -> Value {
        json!({
            "answered": self.answered,
            "broken": self.broken,
            "refused": self.refused,
            "answers_without_settlement": self.unsettled,
            "places_paid_twice": self.twice,
            "settled_planck": self.settled.to_string(),
            "receipts_in_journal_planck": self.journal.to_string(),
            "answered_planck": self.received.to_string(),
            "in_flight_planck": self.in_flight.to_string(),
            "begun_and_answered_by_another": self.begun.receipts,
            "begun_planck": self.begun.planck.to_string(),
            "begun_tokens": self.begun.tokens,
            "channels_that_differ": self.differing,
            "hold": self.hold(),
        })
    }
}

fn answers(outcomes: &[Outcome]) -> impl Iterator<Item = &Answer> {
    outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Answered(answer) => Some(answer),
        _ => None,
    })
}

/// The gateway's journal, which it must have let go of.
fn journal(network: &Network, genesis: [u8; 32]) -> Result<ClientJournal> {
    let folder = Gateway::journals(network);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "redb")
        {
            files.push(path);
        }
    }
    ensure!(
        files.len() == 1,
        "{} journals in {}",
        files.len(),
        folder.display()
    );
    let owner = chasqui_e2e::chat::account(network, chasqui_e2e::scenes::CLIENT_KEY)?;
    let file = files.pop().context("no journal")?;
    Ok(ClientJournal::open(&file, genesis.into(), owner.into(), 1)?)
}
