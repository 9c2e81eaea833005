//! Requests that lapsed, and the operator's word that they are never answered.

use super::{key, Answer, Equivocation, ExecutorJournal, Leaf, ANSWERS, CHANNELS, LEAVES};
use crate::{
    chain::Standing,
    journal::{JournalError, Result, Transaction},
    Receipt, SignedReceipt, SignedRequest,
};
use chasqui_primitives::session::{
    books::{ExecutorBook, Reason, Void},
    Seq, SessionId,
};

/// Most voids in a row on one channel: each is written down, and none is paid.
const MOST_VOIDS: u64 = 64;

/// What becomes of the wish to void a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voided {
    /// It is void, and this says so.
    Void(Box<SignedReceipt>),
    /// Another one was accepted for its place. Both are kept, the channel is stopped.
    Equivocation,
    /// The rules refuse it.
    Refuse(Reason),
    /// There is no room for it; says what to do.
    Full(String),
}

impl ExecutorJournal {
    /// Decides whether to void a request whose signature was checked, has `sign` sign the void, and writes both down. Only
    /// when this has returned may the receipt leave the process. Nothing may compute the request meanwhile.
    ///
    /// # Errors
    /// The disk fails or the file is damaged.
    pub fn void(
        &self,
        signed: &SignedRequest,
        standing: &Standing,
        sign: impl FnOnce(Receipt) -> SignedReceipt,
    ) -> Result<Voided> {
        let request = &signed.request;
        let (session, seq) = (&request.session, request.seq);
        let full = self.store.file_bytes()? >= self.limits.file_bytes;
        let changes = |voided: &Voided| matches!(voided, Voided::Void(_) | Voided::Equivocation);
        let decide = |transaction: &Transaction<'_>| {
            let mut row = Self::row(transaction, standing, session)?;
            let (known, before) = self.known(transaction, session, seq, row.last)?;
            let mut book = ExecutorBook::restore(row.last, row.receipted, row.stopped, known);
            match (
                book.void(&self.asked(signed), &standing.channel, standing.now),
                before,
            ) {
                (Void::Sign, held) => {
                    let fresh = held.is_none();
                    if fresh && full {
                        return Ok(Voided::Full(format!(
                            "the journal has reached {} bytes",
                            self.limits.file_bytes
                        )));
                    }
                    if fresh && self.voids_before(transaction, session, seq)? >= MOST_VOIDS {
                        return Ok(Voided::Full(format!(
                            "{MOST_VOIDS} requests in a row were voided on this channel; use another operator"
                        )));
                    }
                    let at = key(session, seq);
                    if fresh {
                        row.last = seq;
                        transaction.put(CHANNELS, session.as_bytes(), &row)?;
                        // What nobody reads needs no prompt.
                        let leaf = Leaf {
                            signed: signed.clone(),
                            salt: [0; 32],
                            prompt: Vec::new(),
                        };
                        transaction.put(LEAVES, &at, &leaf)?;
                    }
                    let receipt = sign(Receipt::void(&self.genesis, request));
                    let answer = Answer {
                        receipt: receipt.clone(),
                        trace: Vec::new(),
                    };
                    transaction.put(ANSWERS, &at, &answer)?;
                    Ok(Voided::Void(Box::new(receipt)))
                }
                // Of a checkpoint without a price even an answer costs nothing.
                (Void::Again, Some((_, Some(answer)))) => {
                    Ok(match answer.receipt.receipt.is_void() {
                        true => Voided::Void(Box::new(answer.receipt)),
                        false => Voided::Refuse(Reason::Answered),
                    })
                }
                (Void::Equivocation, Some((held, _))) => {
                    let evidence = Equivocation {
                        first: held.signed,
                        second: signed.clone(),
                    };
                    Self::stop(transaction, session, row, evidence)?;
                    Ok(Voided::Equivocation)
                }
                (Void::Refuse(reason), _) => Ok(Voided::Refuse(reason)),
                (void, _) => Err(JournalError::Misuse(format!(
                    "{void:?} of a request that is not written down"
                ))),
            }
        };
        self.store.write_if(decide, changes)
    }

    /// How many of the requests right before `seq` were voided, up to the most that may be.
    fn voids_before(
        &self,
        transaction: &Transaction<'_>,
        session: &SessionId,
        seq: Seq,
    ) -> Result<u64> {
        let first = seq.saturating_sub(MOST_VOIDS);
        let mut count = 0;
        for number in (first..seq).rev() {
            let answer: Option<Answer> = transaction.get(ANSWERS, &key(session, number))?;
            match answer {
                Some(answer) if answer.receipt.receipt.is_void() => count += 1,
                _ => break,
            }
        }
        Ok(count)
    }
}
