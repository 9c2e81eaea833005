//! The client's journal: what it signed, what it waits for, what it was answered.

use super::{Definition, JournalError, Result, Store, Transaction};
use crate::{
    chain::{Standing, Terms},
    wire::Ask,
    AccountId, SignedReceipt,
};
use chasqui_primitives::{
    session::{
        books::{ClientBook, Slot},
        Seq, SessionId, FIRST_SEQ,
    },
    Balance,
};
use parity_scale_codec::{Decode, Encode};
use redb::TableDefinition;
use sp_core::H256;
use std::path::Path;

const CHANNELS: Definition = TableDefinition::new("channels");
const ASKED: Definition = TableDefinition::new("asked");
const DONE: Definition = TableDefinition::new("done");
const CONFLICTS: Definition = TableDefinition::new("conflicts");

/// Most requests of one channel that may wait for their receipt, whatever the caller says.
const MOST_IN_FLIGHT: u32 = 64;

/// What is kept of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Row {
    next: Seq,
    receipted: Balance,
    in_flight: Vec<(Seq, Balance)>,
    highest_cap: Balance,
}

/// A request that was signed, with what it takes to send it again and to check the answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Begun {
    /// What is sent.
    pub ask: Ask,
    /// Units a prompt token when it was signed.
    pub units_per_prompt_token: u32,
    /// Units an output token when it was signed.
    pub units_per_output_token: u32,
    /// The checkpoint's end tokens.
    pub end_tokens: Vec<u32>,
}

impl Begun {
    /// Of a request under `terms`.
    pub fn new(ask: Ask, terms: &Terms) -> Self {
        Self {
            ask,
            units_per_prompt_token: terms.units_per_prompt_token,
            units_per_output_token: terms.units_per_output_token,
            end_tokens: terms.end_tokens.clone(),
        }
    }
}

/// A checked answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Done {
    /// The receipt with the operator's signature.
    pub receipt: SignedReceipt,
    /// The output ids.
    pub output: Vec<u32>,
}

/// A receipt that cannot stand beside what the operator signed or delivered before.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Conflict {
    /// The receipt that was checked and kept; `None` where the second is wrong by itself.
    pub first: Option<SignedReceipt>,
    /// The one that does not fit.
    pub second: SignedReceipt,
}

/// Written by one client; safe to share between threads. Calls block on the disk.
#[derive(Debug)]
pub struct ClientJournal {
    store: Store,
    genesis: H256,
    owner: AccountId,
    keep: u64,
}

fn channel_key(session: &SessionId, operator: &AccountId) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(session.as_bytes());
    let account: &[u8; 32] = operator.as_ref();
    key[32..].copy_from_slice(account);
    key
}

fn key(session: &SessionId, operator: &AccountId, seq: Seq) -> [u8; 72] {
    let mut key = [0; 72];
    key[..64].copy_from_slice(&channel_key(session, operator));
    key[64..].copy_from_slice(&seq.to_be_bytes());
    key
}

impl ClientJournal {
    /// Opens the journal of the session key `owner` on the chain `genesis`, or begins one. Of each channel the newest
    /// `keep` answers stay, for reports; at least one.
    ///
    /// # Errors
    /// It belongs to another chain, side or key, is in use or damaged, or the disk fails.
    pub fn open(path: &Path, genesis: H256, owner: AccountId, keep: u64) -> Result<Self> {
        let tables = [CHANNELS, ASKED, DONE, CONFLICTS];
        Ok(Self {
            store: Store::open(path, "client", genesis, &owner, &tables)?,
            genesis,
            owner,
            keep: keep.max(1),
        })
    }

    /// Whose it is.
    pub fn owner(&self) -> &AccountId {
        &self.owner
    }

    /// The chain that it is for.
    pub fn genesis(&self) -> H256 {
        self.genesis
    }

    fn book(
        transaction: &Transaction<'_>,
        session: &SessionId,
        operator: &AccountId,
        most_in_flight: u32,
    ) -> Result<Option<ClientBook>> {
        let row: Option<Row> = transaction.get(CHANNELS, &channel_key(session, operator))?;
        let most = most_in_flight.min(MOST_IN_FLIGHT);
        Ok(row.map(|row| {
            ClientBook::restore(
                row.next,
                row.receipted,
                row.in_flight,
                most,
                row.highest_cap,
            )
        }))
    }

    fn put_book(
        transaction: &Transaction<'_>,
        session: &SessionId,
        operator: &AccountId,
        book: &ClientBook,
    ) -> Result<()> {
        let row = Row {
            next: book.next_seq(),
            receipted: book.receipted(),
            in_flight: book.waiting().collect(),
            highest_cap: book.highest_cap(),
        };
        transaction.put(CHANNELS, &channel_key(session, operator), &row)
    }

    /// Whether anything was ever written down for a channel.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn knows(&self, session: &SessionId, operator: &AccountId) -> Result<bool> {
        self.store
            .look(|transaction| Ok(Self::book(transaction, session, operator, 1)?.is_some()))
    }

    /// Begins the book of a channel behind the request `last`: after `receipted` was paid, and with `waits` in flight.
    /// For a channel that this journal knows nothing of; the caller has proof of it, signed by the own key or settled by
    /// the chain.
    ///
    /// # Errors
    /// The journal knows the channel; or the disk fails.
    pub fn adopt(
        &self,
        session: &SessionId,
        operator: &AccountId,
        last: Seq,
        receipted: Balance,
    ) -> Result<()> {
        self.store.write(|transaction| {
            if Self::book(transaction, session, operator, 1)?.is_some() {
                return Err(JournalError::Misuse(
                    "the channel is known: what is written down counts".into(),
                ));
            }
            let next = last
                .checked_add(FIRST_SEQ)
                .ok_or_else(|| JournalError::Misuse("the channel's numbers are used up".into()))?;
            let book = ClientBook::restore(next, receipted, [], 1, receipted);
            Self::put_book(transaction, session, operator, &book)
        })
    }

    /// Takes the channel's next place for a request of at most `max_price`, has `make` sign it, and writes it down. It
    /// must not be sent before this returns. `None`: too many are in flight, or the slice does not cover it.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn begin(
        &self,
        session: &SessionId,
        operator: &AccountId,
        standing: &Standing,
        max_price: Balance,
        most_in_flight: u32,
        make: impl FnOnce(Slot) -> Begun,
    ) -> Result<Option<Begun>> {
        let sign = |transaction: &Transaction<'_>| {
            let book = Self::book(transaction, session, operator, most_in_flight)?;
            let mut book =
                book.unwrap_or_else(|| ClientBook::new(most_in_flight.min(MOST_IN_FLIGHT)));
            let Some(slot) = book.next(&standing.channel, max_price) else {
                return Ok(None);
            };
            let begun = make(slot);
            Self::put_book(transaction, session, operator, &book)?;
            transaction.put(ASKED, &key(session, operator, slot.seq), &begun)?;
            Ok(Some(begun))
        };
        self.store.write_if(sign, Option::is_some)
    }

    /// The requests that wait for their receipt, in order.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn in_flight(&self, session: &SessionId, operator: &AccountId) -> Result<Vec<Begun>> {
        self.store.look(|transaction| {
            let Some(book) = Self::book(transaction, session, operator, 1)? else {
                return Ok(Vec::new());
            };
            book.waiting()
                .map(|(seq, _)| {
                    transaction
                        .get(ASKED, &key(session, operator, seq))?
                        .ok_or_else(|| self.store.damaged("a signed request is missing"))
                })
                .collect()
        })
    }

    /// What all receipts of a channel cost, and what everything in flight can cost at the most, in planck.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn spent(&self, session: &SessionId, operator: &AccountId) -> Result<(Balance, Balance)> {
        self.store.look(|transaction| {
            let book = Self::book(transaction, session, operator, 1)?;
            Ok(book.map_or((0, 0), |book| (book.receipted(), book.in_flight())))
        })
    }

    /// Writes a checked answer down. The same again changes nothing.
    ///
    /// # Errors
    /// Nothing waits for it, or it costs more than was allowed; or the disk fails.
    pub fn done(&self, done: &Done) -> Result<()> {
        let receipt = &done.receipt.receipt;
        let (session, operator, seq) = (&receipt.session, &receipt.operator, receipt.seq);
        self.store.write(|transaction| {
            let at = key(session, operator, seq);
            let held: Option<Done> = transaction.get(DONE, &at)?;
            if held.is_some_and(|held| held.receipt.receipt == *receipt) {
                return Ok(());
            }
            let book = Self::book(transaction, session, operator, MOST_IN_FLIGHT)?;
            let Some(mut book) = book else {
                return Err(JournalError::Misuse("the channel is not known".into()));
            };
            if !book.receipt(seq, receipt.price) {
                return Err(JournalError::Misuse(format!(
                    "no request {seq} waits for a receipt of {} planck",
                    receipt.price
                )));
            }
            Self::put_book(transaction, session, operator, &book)?;
            transaction.put(DONE, &at, done)?;
            // What still waits for its receipt stays, however old.
            let waits = book.waiting().map(|(seq, _)| seq).min();
            let newest_old = seq.saturating_sub(self.keep);
            let old = waits.map_or(newest_old, |first| newest_old.min(first.saturating_sub(1)));
            if old < FIRST_SEQ {
                return Ok(());
            }
            let (first, last) = (key(session, operator, 0), key(session, operator, old));
            transaction.clear(ASKED, &first, &last)?;
            transaction.clear(DONE, &first, &last)
        })
    }

    /// A request and its answer, as long as they are kept.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn find(
        &self,
        session: &SessionId,
        operator: &AccountId,
        seq: Seq,
    ) -> Result<Option<(Begun, Option<Done>)>> {
        self.store.look(|transaction| {
            let at = key(session, operator, seq);
            let Some(begun) = transaction.get(ASKED, &at)? else {
                return Ok(None);
            };
            Ok(Some((begun, transaction.get(DONE, &at)?)))
        })
    }

    /// Keeps a receipt to request `seq` that proves the operator false, or wrong. One a request is enough.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn conflict(
        &self,
        session: &SessionId,
        operator: &AccountId,
        seq: Seq,
        conflict: &Conflict,
    ) -> Result<()> {
        // Not under what the receipt says: whoever signed it would choose the place.
        let at = key(session, operator, seq);
        self.store.write(|transaction| {
            match transaction.get::<Conflict>(CONFLICTS, &at)? {
                // Two receipts prove more than one that does not fit.
                Some(held) if held.first.is_some() || conflict.first.is_none() => Ok(()),
                _ => transaction.put(CONFLICTS, &at, conflict),
            }
        })
    }

    /// Up to `most` conflicts with an operator, in the order of their requests.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn conflicts(
        &self,
        session: &SessionId,
        operator: &AccountId,
        most: usize,
    ) -> Result<Vec<Conflict>> {
        let (first, last) = (key(session, operator, 0), key(session, operator, Seq::MAX));
        self.store.look(|transaction| {
            let rows = transaction.rows(CONFLICTS, &first, &last, most)?;
            Ok(rows.into_iter().map(|(_, conflict)| conflict).collect())
        })
    }

    /// Forgets a session that the chain has forgotten.
    ///
    /// # Errors
    /// The disk fails, or the file is damaged.
    pub fn forget(&self, session: &SessionId) -> Result<()> {
        self.store.write(|transaction| {
            let mut first = [0; 72];
            first[..32].copy_from_slice(session.as_bytes());
            let mut last = [0xff; 72];
            last[..32].copy_from_slice(session.as_bytes());
            for table in [ASKED, DONE, CONFLICTS] {
                transaction.clear(table, &first, &last)?;
            }
            transaction.clear(CHANNELS, &first[..64], &last[..64])
        })
    }
}
