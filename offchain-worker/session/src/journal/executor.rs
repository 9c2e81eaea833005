//! The executor's journal: what it accepted, what it answered, what the chain has settled of it.

use super::{Definition, JournalError, Result, Store, Transaction, META};
use crate::{chain::Standing, AccountId, SignedReceipt, SignedRequest};
use chasqui_primitives::{
    session::{
        books::{self, Asked, ExecutorBook, Reason},
        tree::{self, Claim},
        Seq, SessionId,
    },
    Balance,
};
use parity_scale_codec::{Decode, Encode};
use redb::TableDefinition;
use sp_core::H256;
use std::path::Path;

mod void;

pub use void::Voided;

const CHANNELS: Definition = TableDefinition::new("channels");
const LEAVES: Definition = TableDefinition::new("leaves");
const ANSWERS: Definition = TableDefinition::new("answers");
const EVIDENCE: Definition = TableDefinition::new("evidence");
/// Where the newest finalised block is noted.
const REACHED: &[u8] = b"reached";

/// How much an executor keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutorLimits {
    /// Most requests of one channel that are not settled; at most what one settlement takes.
    pub unsettled: u64,
    /// Largest file, in bytes: beyond it nothing more is accepted.
    pub file_bytes: u64,
}

impl Default for ExecutorLimits {
    /// As many as one settlement takes, and 8 GiB.
    fn default() -> Self {
        Self {
            unsettled: tree::MAX_LEAVES,
            file_bytes: 8 << 30,
        }
    }
}

/// What is kept of a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
struct Row {
    last: Seq,
    receipted: Balance,
    settled_to: Seq,
    final_to: Seq,
    stopped: bool,
}

/// An accepted request with what it takes to compute and to defend it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Leaf {
    /// The request with the client's signature.
    pub signed: SignedRequest,
    /// Salt of the prompt's hash.
    pub salt: [u8; 32],
    /// Prompt ids.
    pub prompt: Vec<u32>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Answer {
    /// The receipt with the operator's signature.
    pub receipt: SignedReceipt,
    /// The token trace, see [`chasqui_primitives::trace::encode_trace`]; it holds the output.
    pub trace: Vec<u8>,
}

/// Two requests that a client signed for one place.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Equivocation {
    /// What was accepted.
    pub first: SignedRequest,
    /// What came later.
    pub second: SignedRequest,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It is written down: compute it.
    Serve,
    /// It was written down before and has no answer yet.
    Unanswered,
    /// It was answered before.
    Again(Box<Answer>),
    /// Another one was accepted for its place. Both are kept, the channel is stopped.
    Equivocation,
    /// The rules refuse it.
    Refuse(Reason),
    /// There is no room for it; says what to do.
    Full(String),
}

/// What an executor holds for a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Channel {
    /// The last accepted request.
    pub last: Option<SignedRequest>,
    /// The answer to it.
    pub receipt: Option<SignedReceipt>,
    /// What all receipts cost together.
    pub receipted: Balance,
    /// The last settled request.
    pub settled_to: Seq,
}

/// Written by one executor; safe to share between threads. Calls block on the disk.
#[derive(Debug)]
pub struct ExecutorJournal {
    store: Store,
    limits: ExecutorLimits,
    genesis: H256,
    operator: AccountId,
}

fn key(session: &SessionId, seq: Seq) -> [u8; 40] {
    let mut key = [0; 40];
    key[..32].copy_from_slice(session.as_bytes());
    // Big-endian, so that keys are in the order of numbers.
    key[32..].copy_from_slice(&seq.to_be_bytes());
    key
}

impl ExecutorJournal {
    /// Opens the journal of `operator` on the chain `genesis`, or begins one.
    ///
    /// # Errors
    /// It belongs to another chain, side or operator, is in use or damaged, or the disk fails.
    pub fn open(
        path: &Path,
        genesis: H256,
        operator: AccountId,
        limits: ExecutorLimits,
    ) -> Result<Self> {
        let tables = [CHANNELS, LEAVES, ANSWERS, EVIDENCE];
        Ok(Self {
            store: Store::open(path, "executor", genesis, &operator, &tables)?,
            limits,
            genesis,
            operator,
        })
    }

    /// Whose it is.
    pub fn operator(&self) -> &AccountId {
        &self.operator
    }

    /// The chain that it is for.
    pub fn genesis(&self) -> H256 {
        self.genesis
    }

    /// Notes that the finalised chain shows `block`, and returns the newest one that it has ever shown. Where that is another
    /// one the node has fallen behind since: nothing may be forgotten by what it shows.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn reach(&self, block: u32) -> Result<u32> {
        let note = |transaction: &Transaction<'_>| {
            let before: u32 = transaction.get(META, REACHED)?.unwrap_or_default();
            if block > before {
                transaction.put(META, REACHED, &block)?;
            }
            Ok((before.max(block), block > before))
        };
        let (newest, _) = self.store.write_if(note, |(_, newer)| *newer)?;
        Ok(newest)
    }

    /// The newest finalised block that was ever noted; 0 for none.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn reached(&self) -> Result<u32> {
        let read = |transaction: &Transaction<'_>| transaction.get(META, REACHED);
        Ok(self.store.look(read)?.unwrap_or_default())
    }

    /// What the file knows of a channel, brought up to what the finalised chain shows: an executor that lost its
    /// journal goes on behind what was settled.
    fn row(transaction: &Transaction<'_>, standing: &Standing, session: &SessionId) -> Result<Row> {
        let mut row: Row = transaction
            .get(CHANNELS, session.as_bytes())?
            .unwrap_or_default();
        row.settled_to = row.settled_to.max(standing.channel.last_seq);
        if row.last < row.settled_to {
            row.last = row.settled_to;
        }
        row.receipted = row.receipted.max(standing.channel.settled);
        Ok(row)
    }

    /// What the journal holds of a channel's last place and of `seq`, as the book wants it, and of `seq` in full.
    #[allow(clippy::type_complexity)]
    fn known(
        &self,
        transaction: &Transaction<'_>,
        session: &SessionId,
        seq: Seq,
        last: Seq,
    ) -> Result<(
        Vec<(Seq, H256, Balance, Option<Balance>)>,
        Option<(Leaf, Option<Answer>)>,
    )> {
        let mut known = Vec::new();
        let mut before = None;
        for number in [last, seq] {
            if let Some(held) = transaction.get::<Leaf>(LEAVES, &key(session, number))? {
                let answer: Option<Answer> = transaction.get(ANSWERS, &key(session, number))?;
                let hash = held.signed.request.signing_hash(&self.genesis);
                let price = answer.as_ref().map(|answer| answer.receipt.receipt.price);
                known.push((number, hash, held.signed.request.cap, price));
                if number == seq {
                    before = Some((held, answer));
                }
            }
        }
        Ok((known, before))
    }

    /// Keeps the proof that a client equivocated, and stops the channel. One proof is enough, whatever else comes.
    fn stop(
        transaction: &Transaction<'_>,
        session: &SessionId,
        mut row: Row,
        evidence: Equivocation,
    ) -> Result<()> {
        row.stopped = true;
        transaction.put(CHANNELS, session.as_bytes(), &row)?;
        let kept: Option<Equivocation> = transaction.get(EVIDENCE, session.as_bytes())?;
        match kept {
            Some(_) => Ok(()),
            None => transaction.put(EVIDENCE, session.as_bytes(), &evidence),
        }
    }

    /// Decides about a request that was checked in every other respect, and writes it down if it is to be computed.
    /// `standing` is what the finalised chain shows.
    ///
    /// # Errors
    /// The disk fails or the file is damaged; then it must not be served.
    pub fn accept(&self, leaf: &Leaf, standing: &Standing) -> Result<Accepted> {
        let request = &leaf.signed.request;
        let (session, seq) = (&request.session, request.seq);
        let full = self.store.file_bytes()? >= self.limits.file_bytes;
        let changes =
            |accepted: &Accepted| matches!(accepted, Accepted::Serve | Accepted::Equivocation);
        let decide = |transaction: &Transaction<'_>| {
            let mut row = Self::row(transaction, standing, session)?;
            let (known, before) = self.known(transaction, session, seq, row.last)?;
            let mut book = ExecutorBook::restore(row.last, row.receipted, row.stopped, known);
            let asked = self.asked(&leaf.signed);
            match (book.take(&asked, &standing.channel, standing.now), before) {
                (books::Answer::Serve, _) => {
                    if full {
                        return Ok(Accepted::Full(format!(
                            "the journal has reached {} bytes; another operator may have room",
                            self.limits.file_bytes
                        )));
                    }
                    if row.last.saturating_sub(row.settled_to) >= self.limits.unsettled {
                        return Ok(Accepted::Full(format!(
                            "{} requests of this channel wait to be settled; try again later",
                            self.limits.unsettled
                        )));
                    }
                    row.last = seq;
                    transaction.put(CHANNELS, session.as_bytes(), &row)?;
                    transaction.put(LEAVES, &key(session, seq), leaf)?;
                    Ok(Accepted::Serve)
                }
                (books::Answer::Again, Some((_, Some(answer)))) => {
                    Ok(Accepted::Again(Box::new(answer)))
                }
                (books::Answer::Refuse(Reason::Busy), Some((_, None))) => Ok(Accepted::Unanswered),
                (books::Answer::Equivocation, Some((held, _))) => {
                    let evidence = Equivocation {
                        first: held.signed,
                        second: leaf.signed.clone(),
                    };
                    Self::stop(transaction, session, row, evidence)?;
                    Ok(Accepted::Equivocation)
                }
                (books::Answer::Refuse(reason), _) => Ok(Accepted::Refuse(reason)),
                (answer, _) => Err(JournalError::Misuse(format!(
                    "{answer:?} to a request that is not written down"
                ))),
            }
        };
        self.store.write_if(decide, changes)
    }

    fn asked(&self, signed: &SignedRequest) -> Asked {
        let request = &signed.request;
        Asked {
            seq: request.seq,
            hash: request.signing_hash(&self.genesis),
            max_price: request.max_price,
            cap: request.cap,
            valid_until: request.valid_until,
        }
    }

    /// Writes an answer down. Only when this has returned may the receipt leave the process. The same answer again
    /// changes nothing.
    ///
    /// # Errors
    /// The request is not written down, or has another answer; or the disk fails.
    pub fn answer(&self, answer: &Answer) -> Result<()> {
        let receipt = &answer.receipt.receipt;
        let at = key(&receipt.session, receipt.seq);
        self.store.write(|transaction| {
            let leaf: Option<Leaf> = transaction.get(LEAVES, &at)?;
            let named = leaf.is_some_and(|leaf| {
                leaf.signed.request.signing_hash(&self.genesis) == receipt.request
                    && receipt.price <= leaf.signed.request.max_price
            });
            if !named {
                return Err(JournalError::Misuse(format!(
                    "the receipt for request {} answers no request that is written down",
                    receipt.seq
                )));
            }
            if let Some(held) = transaction.get::<Answer>(ANSWERS, &at)? {
                return match held.receipt.receipt == *receipt {
                    true => Ok(()),
                    false => Err(JournalError::Misuse(format!(
                        "request {} has another receipt already; two of them would be fraud",
                        receipt.seq
                    ))),
                };
            }
            let mut row: Row = transaction
                .get(CHANNELS, receipt.session.as_bytes())?
                .ok_or_else(|| self.store.damaged("a request without its channel"))?;
            row.receipted = row
                .receipted
                .checked_add(receipt.price)
                .ok_or_else(|| JournalError::Misuse("receipts exceed a balance".into()))?;
            transaction.put(CHANNELS, receipt.session.as_bytes(), &row)?;
            transaction.put(ANSWERS, &at, answer)
        })
    }

    /// What is held for a channel; `None` when nothing was ever accepted on it.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails.
    pub fn channel(&self, session: &SessionId) -> Result<Option<Channel>> {
        self.store.look(|transaction| {
            let Some(row) = transaction.get::<Row>(CHANNELS, session.as_bytes())? else {
                return Ok(None);
            };
            let at = key(session, row.last);
            let leaf: Option<Leaf> = transaction.get(LEAVES, &at)?;
            let answer: Option<Answer> = transaction.get(ANSWERS, &at)?;
            Ok(Some(Channel {
                last: leaf.map(|leaf| leaf.signed),
                receipt: answer.map(|answer| answer.receipt),
                receipted: row.receipted,
                settled_to: row.settled_to,
            }))
        })
    }

    /// An accepted request and its answer, as long as they are kept.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails.
    pub fn leaf(&self, session: &SessionId, seq: Seq) -> Result<Option<(Leaf, Option<Answer>)>> {
        self.store.look(|transaction| {
            let at = key(session, seq);
            let Some(leaf) = transaction.get(LEAVES, &at)? else {
                return Ok(None);
            };
            Ok(Some((leaf, transaction.get(ANSWERS, &at)?)))
        })
    }

    /// The leaves from `first` to `last`: what a settlement's root is over, and what its openings are proven with.
    ///
    /// # Errors
    /// One of them is missing, there are none or more than a settlement takes, or the disk fails.
    pub fn leaves(&self, session: &SessionId, first: Seq, last: Seq) -> Result<Vec<tree::Leaf>> {
        let count = last
            .checked_sub(first)
            .and_then(|count| count.checked_add(1))
            .filter(|count| *count <= tree::MAX_LEAVES)
            .ok_or_else(|| {
                JournalError::Misuse(format!("{first} to {last} are no leaves of one settlement"))
            })?;
        self.store.look(|transaction| {
            let mut leaves = Vec::with_capacity(count as usize);
            for seq in first..=last {
                let at = key(session, seq);
                let (leaf, answer): (Option<Leaf>, Option<Answer>) = (
                    transaction.get(LEAVES, &at)?,
                    transaction.get(ANSWERS, &at)?,
                );
                let (Some(leaf), Some(answer)) = (leaf, answer) else {
                    return Err(JournalError::Misuse(format!(
                        "request {seq} is not answered, or not kept any more"
                    )));
                };
                leaves.push(tree::Leaf {
                    seq,
                    request: leaf.signed.hash(&self.genesis),
                    receipt: answer.receipt.receipt.signing_hash(&self.genesis),
                    price: answer.receipt.receipt.price,
                });
            }
            Ok(leaves)
        })
    }

    /// What can be settled now: the last answered request and the claim over everything up to it.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails.
    pub fn claim(&self, session: &SessionId) -> Result<Option<(SignedRequest, Claim)>> {
        let found = self.store.look(|transaction| {
            let Some(row) = transaction.get::<Row>(CHANNELS, session.as_bytes())? else {
                return Ok(None);
            };
            let answered = transaction
                .get::<Answer>(ANSWERS, &key(session, row.last))?
                .is_some();
            let last = if answered {
                row.last
            } else {
                row.last.saturating_sub(1)
            };
            let last = last.min(row.settled_to.saturating_add(tree::MAX_LEAVES));
            if last <= row.settled_to {
                return Ok(None);
            }
            let leaf: Leaf = transaction
                .get(LEAVES, &key(session, last))?
                .ok_or_else(|| self.store.damaged("an accepted request is missing"))?;
            Ok(Some((row.settled_to.saturating_add(1), last, leaf.signed)))
        })?;
        let Some((first, last, signed)) = found else {
            return Ok(None);
        };
        let claim = tree::claim(&self.leaves(session, first, last)?)
            .map_err(|error| JournalError::Misuse(format!("no claim: {error:?}")))?;
        Ok(Some((signed, claim)))
    }

    /// Notes what the finalised chain shows as settled.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn settled(&self, session: &SessionId, last: Seq) -> Result<()> {
        self.store.write(|transaction| {
            let Some(mut row) = transaction.get::<Row>(CHANNELS, session.as_bytes())? else {
                return Ok(());
            };
            if last > row.settled_to {
                row.settled_to = last;
                row.last = row.last.max(last);
                transaction.put(CHANNELS, session.as_bytes(), &row)?;
            }
            Ok(())
        })
    }

    /// Forgets the leaves up to `last`: nobody can ask for them any more, because their case is closed.
    ///
    /// # Errors
    /// They are not settled; or the disk fails.
    pub fn finalised(&self, session: &SessionId, last: Seq) -> Result<()> {
        self.store.write(|transaction| {
            let Some(mut row) = transaction.get::<Row>(CHANNELS, session.as_bytes())? else {
                return Ok(());
            };
            if last > row.settled_to {
                return Err(JournalError::Misuse(format!(
                    "request {last} is not settled; only {} is",
                    row.settled_to
                )));
            }
            row.final_to = row.final_to.max(last);
            transaction.put(CHANNELS, session.as_bytes(), &row)?;
            let (first, last) = (key(session, 0), key(session, last));
            transaction.clear(LEAVES, &first, &last)?;
            transaction.clear(ANSWERS, &first, &last)
        })
    }

    /// Forgets a channel that the chain has forgotten.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn forget(&self, session: &SessionId) -> Result<()> {
        self.store.write(|transaction| {
            let (first, last) = (key(session, 0), key(session, Seq::MAX));
            transaction.clear(LEAVES, &first, &last)?;
            transaction.clear(ANSWERS, &first, &last)?;
            transaction.remove(CHANNELS, session.as_bytes())?;
            transaction.remove(EVIDENCE, session.as_bytes())
        })
    }

    /// The proof that a channel's client equivocated.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn evidence(&self, session: &SessionId) -> Result<Option<Equivocation>> {
        self.store
            .look(|transaction| transaction.get(EVIDENCE, session.as_bytes()))
    }

    /// The channels, up to `most` of them from the one named `from` on.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn sessions(&self, from: &SessionId, most: usize) -> Result<Vec<SessionId>> {
        self.store.look(|transaction| {
            let rows: Vec<(Vec<u8>, Row)> =
                transaction.rows(CHANNELS, from.as_bytes(), &[0xff; 32], most)?;
            Ok(rows
                .iter()
                .filter(|(key, _)| key.len() == 32)
                .map(|(key, _)| SessionId::from_slice(key))
                .collect())
        })
    }
}
