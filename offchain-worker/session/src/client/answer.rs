//! An answer as it arrives, up to its receipt.

use super::{connection::Stream, ClientError, ErrorKind, Inner};
use crate::{
    journal::{Begun, Conflict, Done},
    wire::{Event, Frames, Token, MAX_ANSWER_BYTES},
    AccountId, SignedReceipt,
};
use chasqui_primitives::{
    hash::output_hash,
    session::{receipts_conflict, Seq, SessionId},
    FinishReason,
};
use std::{collections::VecDeque, sync::Arc};

/// What an answer yields.
// One at a time is held, for a moment.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// The next token.
    Token(Token),
    /// The end; the receipt is checked and written down.
    Finished(Finished),
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The receipt with the operator's signature.
    pub receipt: SignedReceipt,
    /// The output ids.
    pub output: Vec<u32>,
    /// The operator ended it early although nobody hung up: it costs what was delivered, but is not what was asked for.
    pub cut_short: bool,
}

/// An answer as it arrives. Dropping it hangs up: the operator stops, and what was delivered stays to be paid.
pub struct Answer {
    client: Arc<Inner>,
    begun: Begun,
    signer: AccountId,
    stream: Stream,
    frames: Frames,
    ready: VecDeque<Token>,
    output: Vec<u32>,
    stored: bool,
    ended: bool,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("seq", &self.seq())
            .field("tokens", &self.output.len())
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// Waits until the operator has accepted.
    pub(super) async fn begin(
        client: Arc<Inner>,
        begun: Begun,
        signer: AccountId,
        stream: Stream,
    ) -> Result<Self, ClientError> {
        let mut answer = Self {
            client,
            begun,
            signer,
            stream,
            frames: Frames::new(MAX_ANSWER_BYTES),
            ready: VecDeque::new(),
            output: Vec::new(),
            stored: false,
            ended: false,
        };
        match answer.event().await? {
            Event::Accepted { seq, stored } if seq == answer.seq() => {
                answer.stored = stored;
                Ok(answer)
            }
            Event::Accepted { .. } => Err(answer.dishonest("accepts another request")),
            Event::Refused(refusal) => Err(ErrorKind::Refused(refusal).into()),
            _ => Err(answer.dishonest("begins an answer with its end")),
        }
    }

    /// Its place in the channel.
    pub fn seq(&self) -> Seq {
        self.begun.ask.signed.request.seq
    }

    /// Session and operator.
    pub fn channel(&self) -> (SessionId, AccountId) {
        let request = &self.begun.ask.signed.request;
        (request.session, request.operator.clone())
    }

    /// Whether the operator had answered before, and sends that answer again.
    pub fn is_stored(&self) -> bool {
        self.stored
    }

    /// The next token, or the end; `None` after the end or an error.
    pub async fn next(&mut self) -> Option<Result<Output, ClientError>> {
        if let Some(token) = self.ready.pop_front() {
            return Some(Ok(Output::Token(token)));
        }
        if self.ended {
            return None;
        }
        let outcome = self.advance().await;
        if !matches!(outcome, Ok(Output::Token(_))) {
            self.ended = true;
        }
        let delivered = self.output.len();
        Some(outcome.map_err(|error| error.after(delivered)))
    }

    /// Takes all tokens up to the end.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn finish(mut self) -> Result<Finished, ClientError> {
        while let Some(output) = self.next().await {
            if let Output::Finished(finished) = output? {
                return Ok(finished);
            }
        }
        Err(ErrorKind::Broken("the answer has ended before".into()).into())
    }

    fn dishonest(&self, what: impl ToString) -> ClientError {
        ErrorKind::False(what.to_string()).into()
    }

    async fn event(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(content) = self.frames.take().map_err(ErrorKind::Wire)? {
                return Ok(Event::read(&content).map_err(ErrorKind::Wire)?);
            }
            match self.stream.chunk().await? {
                Some(bytes) => self.frames.push(&bytes),
                None => {
                    let reason = "the connection ended before the receipt";
                    return Err(ErrorKind::Broken(reason.into()).into());
                }
            }
        }
    }

    async fn advance(&mut self) -> Result<Output, ClientError> {
        match self.event().await? {
            Event::Tokens(tokens) => {
                let most = self.begun.ask.signed.request.sampling.max_tokens as usize;
                if self.output.len() + tokens.len() > most {
                    return Err(self.dishonest(format!("sends more than {most} tokens")));
                }
                self.output.extend(tokens.iter().map(|token| token.id));
                self.ready.extend(tokens);
                // A frame holds at least one token.
                let first = self.ready.pop_front();
                let first = first.ok_or_else(|| self.dishonest("sends an empty frame"))?;
                Ok(Output::Token(first))
            }
            Event::Receipt(receipt) => self.take(receipt).await.map(Output::Finished),
            Event::Failed(refusal) => Err(ErrorKind::Failed(refusal).into()),
            Event::Accepted { .. } | Event::Refused(_) | Event::Held(_) => {
                Err(self.dishonest("answers another question"))
            }
        }
    }

    /// Whether `id` ends an output.
    fn is_stop(&self, id: u32) -> bool {
        let sampling = &self.begun.ask.signed.request.sampling;
        sampling.stop_ids.contains(&id)
            || (!sampling.ignore_eos && self.begun.end_tokens.contains(&id))
    }

    /// In what a receipt does not fit what was asked and delivered.
    fn misfit(&self, receipt: &SignedReceipt) -> Option<String> {
        let receipt = &receipt.receipt;
        let request = &self.begun.ask.signed.request;
        let genesis = &self.client.genesis;
        let answers = receipt.answers(
            genesis,
            request,
            self.begun.units_per_prompt_token,
            self.begun.units_per_output_token,
        );
        if let Err(misfit) = answers {
            return Some(format!("signs a receipt that does not fit: {misfit:?}"));
        }
        if receipt.output_tokens as usize != self.output.len()
            || receipt.output_hash != output_hash(genesis, &self.output)
        {
            return Some("signs for another output than it delivered".into());
        }
        let (last, earlier) = match self.output.split_last() {
            Some((last, earlier)) => (Some(*last), earlier),
            None => (None, &[][..]),
        };
        if earlier.iter().any(|id| self.is_stop(*id)) {
            return Some("went on behind the end of its output".into());
        }
        if receipt.finish == FinishReason::Stop && !last.is_some_and(|id| self.is_stop(id)) {
            return Some("ended its output without an end token".into());
        }
        None
    }

    async fn is_signed(&mut self, receipt: &SignedReceipt) -> Result<bool, ClientError> {
        if receipt.verify(&self.client.genesis, &self.signer) {
            return Ok(true);
        }
        // The operator may have changed its key since.
        let (session, operator) = self.channel();
        self.signer = self.client.standing(&session, &operator).await?.signer;
        Ok(receipt.verify(&self.client.genesis, &self.signer))
    }

    async fn keep(&self, conflict: Conflict) -> Result<(), ClientError> {
        let ((session, operator), seq) = (self.channel(), self.seq());
        self.client
            .on_disk(move |journal| journal.conflict(&session, &operator, seq, &conflict))
            .await
    }

    /// Checks the receipt over what was delivered, and writes both down.
    async fn take(&mut self, receipt: SignedReceipt) -> Result<Finished, ClientError> {
        if !self.is_signed(&receipt).await? {
            return Err(self.dishonest("sends a receipt that is not signed by its key"));
        }
        let (session, operator) = self.channel();
        let (seq, by) = (self.seq(), operator.clone());
        let known = self
            .client
            .on_disk(move |journal| journal.find(&session, &by, seq))
            .await?;
        let before = known.and_then(|(_, done)| done);
        if let Some(before) = &before {
            if receipts_conflict(&before.receipt.receipt, &receipt.receipt) {
                let conflict = Conflict {
                    first: Some(before.receipt.clone()),
                    second: receipt,
                };
                self.keep(conflict).await?;
                return Err(ErrorKind::Fraud.into());
            }
        }
        if let Some(misfit) = self.misfit(&receipt) {
            let conflict = Conflict {
                first: None,
                second: receipt,
            };
            self.keep(conflict).await?;
            return Err(self.dishonest(misfit));
        }
        let done = Done {
            receipt,
            output: self.output.clone(),
        };
        let kept = done.clone();
        self.client
            .on_disk(move |journal| journal.done(&kept))
            .await?;
        let cancelled = done.receipt.receipt.finish == FinishReason::Cancelled;
        Ok(Finished {
            receipt: done.receipt,
            output: done.output,
            cut_short: cancelled && !self.stored,
        })
    }
}
