//! The client's side: asks, follows the answer, checks the receipt, resumes.

mod answer;
pub(crate) mod connection;
mod error;
mod hang_up;
mod void;

pub use answer::{Answer, Finished, Output};
pub use error::{ClientError, ErrorKind, Retry};

use crate::{
    chain::{ChainView, Endpoint, Standing, Terms},
    journal::{Begun, ClientJournal},
    limits::{MAX_OUTPUT_TOKENS, MAX_PROMPT_TOKENS},
    wire::{
        frame, Ask, Event, Frames, Held, Resume, MAX_ANSWER_BYTES, MAX_RESUME_BLOCKS,
        MAX_TOP_LOGPROBS, RESUME_PATH,
    },
    AccountId, HashSigner, Request, SignedRequest,
};
use chasqui_primitives::{
    hash::prompt_hash,
    sampling::Sampling,
    session::{books::IN_FLIGHT, Seq, SessionId},
    Balance,
};
use connection::Connections;
use sp_core::H256;
use std::{sync::Arc, time::Duration};

/// What a client allows itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// Time to connect and shake hands.
    pub connect: Duration,
    /// Time from a request to the first sign of it, and between any two frames of an answer.
    pub silence: Duration,
    /// Connections are pinged so often, and given up when a ping is not answered within the same time.
    pub keep_alive: Duration,
    /// Most connections that are kept open; the oldest goes.
    pub connections: usize,
    /// Most requests of one channel without a receipt: what an operator can cost at the most.
    pub in_flight: u32,
    /// For how many blocks a request may be begun. One that lapses unserved blocks its channel until the operator is
    /// back to void it.
    pub valid_blocks: u32,
    /// How long [`Client::hang_up`] lets an executor notice before it asks for the receipt; twice as long each time.
    pub hang_up: Duration,
}

impl Default for ClientConfig {
    /// Seconds: 10 to connect, 120 of silence, 20 between pings, 0.3 to hang up; 16 connections, one request in flight,
    /// valid for 600 blocks.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(120),
            keep_alive: Duration::from_secs(20),
            connections: 16,
            in_flight: IN_FLIGHT,
            valid_blocks: 600,
            hang_up: Duration::from_millis(300),
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Prompt ids, special tokens included.
    pub prompt: Vec<u32>,
    /// How tokens follow from logits, and when to stop.
    pub sampling: Sampling,
    /// How many of the likeliest tokens to tell with each token; `None` for no probabilities at all.
    pub top_logprobs: Option<u8>,
    /// Planck a unit of compute; `None` for the running price.
    pub unit_price: Option<Balance>,
}

/// Asks operators in the name of one session key. Clones share everything.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    config: ClientConfig,
    genesis: H256,
    chain: Arc<dyn ChainView>,
    signer: Arc<dyn HashSigner>,
    journal: Arc<ClientJournal>,
    connections: Connections,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("key", &self.inner.signer.account())
            .finish_non_exhaustive()
    }
}

fn usage(field: &'static str, reason: impl ToString) -> ClientError {
    ErrorKind::Usage {
        field,
        reason: reason.to_string(),
    }
    .into()
}

impl Client {
    /// A client whose requests `signer` signs and `journal` holds.
    ///
    /// # Errors
    /// The journal is for another chain or key, or a bound is 0.
    pub fn new(
        config: ClientConfig,
        chain: Arc<dyn ChainView>,
        signer: Arc<dyn HashSigner>,
        journal: Arc<ClientJournal>,
    ) -> Result<Self, ClientError> {
        let genesis = chain.genesis();
        if journal.genesis() != genesis {
            let held = journal.genesis();
            return Err(usage(
                "genesis",
                format!("the journal is for chain {held:?}, the node is on {genesis:?}"),
            ));
        }
        if *journal.owner() != signer.account() {
            return Err(usage(
                "key",
                format!(
                    "the journal belongs to {}, the key is {}",
                    journal.owner(),
                    signer.account()
                ),
            ));
        }
        if config.in_flight == 0 || config.connections == 0 {
            return Err(usage("in_flight, connections", "must be at least 1"));
        }
        Ok(Self {
            inner: Arc::new(Inner {
                connections: Connections::new(config.clone()),
                config,
                genesis,
                chain,
                signer,
                journal,
            }),
        })
    }

    /// Its journal.
    pub fn journal(&self) -> &Arc<ClientJournal> {
        &self.inner.journal
    }

    /// Asks `operator`. What this channel still waits for is asked for first, and its receipt taken; its answer is then
    /// in the journal (see [`Self::resume`] to get it).
    ///
    /// # Errors
    /// Says whether another operator may be asked instead.
    pub async fn ask(
        &self,
        session: &SessionId,
        operator: &AccountId,
        question: Question,
    ) -> Result<Answer, ClientError> {
        let inner = &self.inner;
        let standing = inner.standing(session, operator).await?;
        let terms = inner.check(operator, &question, &standing)?;
        inner.learn(session, operator, &standing, &terms).await?;
        self.resume(session, operator).await?;
        let begun = inner
            .begin(session, operator, question, &standing, terms)
            .await?;
        inner.send(begun, &standing).await
    }

    /// Asks again for everything that this channel waits for, in order, and takes the receipts: after a crash or a
    /// broken connection, nothing is paid twice and nothing is lost. Empty when nothing was in flight. What lapsed without
    /// an answer is voided: it costs nothing, and the channel goes on.
    ///
    /// # Errors
    /// The operator cannot be reached or does not answer: the requests stay in flight.
    pub async fn resume(
        &self,
        session: &SessionId,
        operator: &AccountId,
    ) -> Result<Vec<Finished>, ClientError> {
        let inner = &self.inner;
        let (of, by) = (*session, operator.clone());
        let waiting = inner
            .on_disk(move |journal| journal.in_flight(&of, &by))
            .await?;
        let mut finished = Vec::with_capacity(waiting.len());
        for begun in waiting {
            let standing = inner.standing(session, operator).await?;
            let seq = begun.ask.signed.request.seq;
            let answered = match inner.send(begun.clone(), &standing).await {
                Ok(answer) => answer.finish().await,
                Err(error) => Err(error),
            };
            let outcome = match answered {
                Ok(answer) => Ok(answer),
                Err(error) => inner.or_void(&begun, &standing, error).await,
            };
            finished.push(outcome.map_err(|error| error.of_earlier(seq))?);
        }
        Ok(finished)
    }

    /// Asks again for the oldest request that this channel waits for: its answer, from the first token on. `None` when
    /// nothing is in flight. For whoever wants less of it than [`Self::resume`] takes.
    ///
    /// # Errors
    /// As [`Self::resume`].
    pub async fn pending(
        &self,
        session: &SessionId,
        operator: &AccountId,
    ) -> Result<Option<Answer>, ClientError> {
        let inner = &self.inner;
        let (of, by) = (*session, operator.clone());
        let waiting = inner
            .on_disk(move |journal| journal.in_flight(&of, &by))
            .await?;
        let Some(begun) = waiting.into_iter().next() else {
            return Ok(None);
        };
        let standing = inner.standing(session, operator).await?;
        match inner.send(begun.clone(), &standing).await {
            Ok(answer) => Ok(Some(answer)),
            // What lapsed is in nobody's way any more.
            Err(error) => match inner.or_void(&begun, &standing, error).await {
                Ok(_) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// Asks again for an answer that was received before: the operator must send the same.
    ///
    /// # Errors
    /// It is not in the journal any more; or as [`Self::ask`].
    pub async fn repeat(
        &self,
        session: &SessionId,
        operator: &AccountId,
        seq: Seq,
    ) -> Result<Answer, ClientError> {
        let (of, by) = (*session, operator.clone());
        let found = self
            .inner
            .on_disk(move |journal| journal.find(&of, &by, seq))
            .await?;
        let (begun, _) =
            found.ok_or_else(|| usage("seq", format!("request {seq} is not in the journal")))?;
        let standing = self.inner.standing(session, operator).await?;
        self.inner.send(begun, &standing).await
    }

    /// What `operator` says that it holds for this channel. Its word: only what is signed counts.
    ///
    /// # Errors
    /// It cannot be reached, or refuses.
    pub async fn held(
        &self,
        session: &SessionId,
        operator: &AccountId,
    ) -> Result<Held, ClientError> {
        let standing = self.inner.standing(session, operator).await?;
        self.inner.held(session, operator, &standing).await
    }
}

impl Inner {
    async fn standing(
        &self,
        session: &SessionId,
        operator: &AccountId,
    ) -> Result<Standing, ClientError> {
        let standing = self
            .chain
            .standing(session, operator)
            .await
            .map_err(ErrorKind::Chain)?;
        let standing = standing.ok_or_else(|| {
            usage(
                "session",
                "has no channel with this operator on the finalised chain; open one, or wait until it is final",
            )
        })?;
        if standing.key != self.signer.account() {
            let reason = format!("the session's key is {}", standing.key);
            return Err(usage("key", reason));
        }
        Ok(standing)
    }

    async fn endpoint(&self, operator: &AccountId) -> Result<Endpoint, ClientError> {
        let endpoint = self
            .chain
            .endpoint(operator)
            .await
            .map_err(ErrorKind::Chain)?;
        endpoint.ok_or_else(|| {
            ErrorKind::Unreachable(format!("{operator} has no endpoint on the finalised chain"))
                .into()
        })
    }

    /// Runs what blocks on the disk.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ClientJournal) -> crate::journal::Result<T> + Send + 'static,
    ) -> Result<T, ClientError> {
        let journal = self.journal.clone();
        match tokio::task::spawn_blocking(move || work(&journal)).await {
            Ok(outcome) => outcome.map_err(|error| ErrorKind::Journal(error).into()),
            Err(error) => Err(usage("journal", format!("its thread ended: {error}"))),
        }
    }

    /// What would be refused is not signed: a place in a channel cannot be signed anew.
    fn check(
        &self,
        operator: &AccountId,
        question: &Question,
        standing: &Standing,
    ) -> Result<Terms, ClientError> {
        let Question {
            prompt, sampling, ..
        } = question;
        if !standing.open {
            return Err(usage("session", "is closing; open another"));
        }
        if !standing.committee.contains(operator) {
            return Err(ErrorKind::Unreachable(format!(
                "{operator} is not in the session's committee any more"
            ))
            .into());
        }
        let terms = standing
            .terms
            .clone()
            .ok_or_else(|| usage("checkpoint", "takes no payment any more"))?;
        if prompt.is_empty() || prompt.len() > MAX_PROMPT_TOKENS as usize {
            return Err(usage(
                "prompt",
                format!("has {} tokens; 1 to {MAX_PROMPT_TOKENS}", prompt.len()),
            ));
        }
        if let Some(id) = prompt.iter().find(|id| **id >= terms.vocabulary) {
            return Err(usage(
                "prompt",
                format!(
                    "holds id {id}; the vocabulary has {} tokens",
                    terms.vocabulary
                ),
            ));
        }
        sampling
            .validate()
            .map_err(|error| usage("sampling", format!("{error:?} is out of its range")))?;
        if sampling.max_tokens > MAX_OUTPUT_TOKENS {
            return Err(usage(
                "max_tokens",
                format!("is {}; at most {MAX_OUTPUT_TOKENS}", sampling.max_tokens),
            ));
        }
        let tokens = prompt.len() as u64 + u64::from(sampling.max_tokens);
        if tokens > u64::from(terms.context_tokens) {
            return Err(usage(
                "max_tokens",
                format!(
                    "prompt and output are {tokens} tokens; the context holds {}",
                    terms.context_tokens
                ),
            ));
        }
        if question
            .top_logprobs
            .is_some_and(|top| top > MAX_TOP_LOGPROBS)
        {
            return Err(usage("top_logprobs", format!("at most {MAX_TOP_LOGPROBS}")));
        }
        Ok(terms)
    }

    /// Before the first request on a channel that the journal does not know: a lost journal must not make its client
    /// sign a place twice. What the executor shows counts only as far as it is signed.
    async fn learn(
        &self,
        session: &SessionId,
        operator: &AccountId,
        standing: &Standing,
        terms: &Terms,
    ) -> Result<(), ClientError> {
        let (of, by) = (*session, operator.clone());
        if self.on_disk(move |journal| journal.knows(&of, &by)).await? {
            return Ok(());
        }
        let held = self.held(session, operator, standing).await?;
        let settled = (standing.channel.last_seq, standing.channel.settled);
        let (last, receipted) = match held.last {
            Some(signed) if signed.request.seq > settled.0 => {
                let receipt = match held.receipt {
                    Some(receipt) => Some(receipt),
                    None => self.void_lost(standing, &signed).await,
                };
                self.learnt(session, operator, standing, terms, &signed, receipt)?
            }
            _ => settled,
        };
        let (of, by) = (*session, operator.clone());
        self.on_disk(move |journal| journal.adopt(&of, &by, last, receipted))
            .await
    }

    fn learnt(
        &self,
        session: &SessionId,
        operator: &AccountId,
        standing: &Standing,
        terms: &Terms,
        signed: &SignedRequest,
        receipt: Option<crate::SignedReceipt>,
    ) -> Result<(Seq, Balance), ClientError> {
        let request = &signed.request;
        if request.session != *session
            || request.operator != *operator
            || !signed.verify(&self.genesis, &self.signer.account())
        {
            return Err(ErrorKind::False("shows a request that was never signed".into()).into());
        }
        let Some(receipt) = receipt else {
            return Err(ErrorKind::Unreachable(format!(
                "request {} of this channel waits for its answer, and its prompt is not in this journal: the channel can go on after block {}",
                request.seq, request.valid_until
            ))
            .into());
        };
        let fits = receipt.receipt.answers(
            &self.genesis,
            request,
            terms.units_per_prompt_token,
            terms.units_per_output_token,
        );
        if fits.is_err() || !receipt.verify(&self.genesis, &standing.signer) {
            return Err(ErrorKind::False("shows a receipt that does not hold".into()).into());
        }
        // The client's own word on what it had receipts for, and the receipt since.
        let before = request.cap.saturating_sub(request.max_price);
        Ok((request.seq, before.saturating_add(receipt.receipt.price)))
    }

    async fn held(
        &self,
        session: &SessionId,
        operator: &AccountId,
        standing: &Standing,
    ) -> Result<Held, ClientError> {
        let endpoint = self.endpoint(operator).await?;
        let query = Resume::new(
            &self.genesis,
            *session,
            operator.clone(),
            standing.now.saturating_add(MAX_RESUME_BLOCKS / 2),
            &*self.signer,
        );
        match self.one(&endpoint, RESUME_PATH, frame(&query)).await? {
            Event::Held(held) => Ok(held),
            _ => Err(ErrorKind::False("answers another question".into()).into()),
        }
    }

    /// Posts a question that has one message for an answer.
    async fn one(
        &self,
        endpoint: &Endpoint,
        path: &str,
        body: bytes::Bytes,
    ) -> Result<Event, ClientError> {
        let mut stream = self.connections.post(endpoint, path, body).await?;
        let mut frames = Frames::new(MAX_ANSWER_BYTES);
        loop {
            if let Some(content) = frames.take().map_err(ErrorKind::Wire)? {
                return match Event::read(&content).map_err(ErrorKind::Wire)? {
                    Event::Refused(refusal) => Err(ErrorKind::Refused(refusal).into()),
                    event => Ok(event),
                };
            }
            match stream.chunk().await? {
                Some(bytes) => frames.push(&bytes),
                None => {
                    let reason = "the answer ended before it began";
                    return Err(ErrorKind::Broken(reason.into()).into());
                }
            }
        }
    }

    /// Signs the next request and writes it down.
    async fn begin(
        &self,
        session: &SessionId,
        operator: &AccountId,
        question: Question,
        standing: &Standing,
        terms: Terms,
    ) -> Result<Begun, ClientError> {
        let mut salt = [0; 32];
        getrandom::getrandom(&mut salt)
            .map_err(|error| usage("salt", format!("no randomness: {error}")))?;
        let mut request = Request {
            session: *session,
            operator: operator.clone(),
            seq: 0,
            checkpoint: standing.checkpoint,
            prompt_hash: prompt_hash(&self.genesis, &salt, &question.prompt),
            prompt_tokens: question.prompt.len() as u32,
            sampling: question.sampling,
            unit_price: question.unit_price.unwrap_or(terms.unit_price),
            max_price: 0,
            cap: 0,
            valid_until: standing.now.saturating_add(self.config.valid_blocks),
        };
        request.max_price = request
            .price(
                terms.units_per_prompt_token,
                terms.units_per_output_token,
                request.sampling.max_tokens,
            )
            .ok_or_else(|| usage("unit_price", "the price exceeds a balance"))?;
        let max_price = request.max_price;
        let (signer, genesis) = (self.signer.clone(), self.genesis);
        let (of, by, shown) = (*session, operator.clone(), standing.clone());
        let most = self.config.in_flight;
        let begun = self
            .on_disk(move |journal| {
                journal.begin(&of, &by, &shown, max_price, most, |slot| {
                    request.seq = slot.seq;
                    request.cap = slot.cap;
                    let signature = signer.sign(&request.signing_hash(&genesis).0);
                    let ask = Ask {
                        signed: SignedRequest { request, signature },
                        salt,
                        prompt: question.prompt,
                        top_logprobs: question.top_logprobs,
                    };
                    Begun::new(ask, &terms)
                })
            })
            .await?;
        begun.ok_or_else(|| {
            ErrorKind::Budget {
                max_price,
                promised: standing.channel.promised(),
            }
            .into()
        })
    }

    /// Sends a request that is written down.
    async fn send(
        self: &Arc<Self>,
        begun: Begun,
        standing: &Standing,
    ) -> Result<Answer, ClientError> {
        let endpoint = self.endpoint(&begun.ask.signed.request.operator).await?;
        let body = frame(&begun.ask);
        let path = crate::wire::REQUEST_PATH;
        let stream = self.connections.post(&endpoint, path, body).await?;
        Answer::begin(self.clone(), begun, standing.signer.clone(), stream).await
    }
}
