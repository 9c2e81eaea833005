//! From an accepted request to its receipt.

use super::{
    check, count,
    live::{End, Follower, Live},
    Inner,
};
use crate::{
    chain::{Standing, Terms},
    journal::{Accepted, Answer, Leaf, Voided},
    wire::{Ask, Held, LogProbs, Refusal, RefusalCode, Resume, Token, VoidAsk, MAX_RESUME_BLOCKS},
    Receipt, SignedReceipt,
};
use chasqui_audit::fingerprint_seed;
use chasqui_engine::{
    batch::{Batcher, Options},
    EngineError, GenerateRequest, Generation, TokenEvent,
};
use chasqui_primitives::{
    hash::output_hash,
    session::{Seq, SessionId},
    trace::{decode_trace, encode_trace, trace_root},
    FinishReason,
};
use std::{ops::ControlFlow, sync::Arc};
use tokio::sync::{oneshot, OwnedSemaphorePermit};

/// What the model will have made.
type Outcome = oneshot::Receiver<chasqui_engine::Result<Generation>>;

impl From<TokenEvent> for Token {
    fn from(event: TokenEvent) -> Self {
        Self {
            id: event.id,
            logprobs: event.logprobs.map(|probs| LogProbs {
                chosen: probs.chosen,
                top: probs.top().to_vec(),
            }),
        }
    }
}

fn output_of(answer: &Answer) -> Result<Vec<u32>, Refusal> {
    let trace = decode_trace(&answer.trace)
        .map_err(|error| Refusal::new(RefusalCode::Internal, "trace", error))?;
    Ok(trace.iter().map(|leaf| leaf.token).collect())
}

/// The place of a request that is being computed: whatever happens, followers hear how it ends and the place is free.
struct Place {
    inner: Arc<Inner>,
    live: Arc<Live>,
    key: (SessionId, Seq),
}

impl Drop for Place {
    fn drop(&mut self) {
        self.live.end(End::Failed(Refusal::new(
            RefusalCode::Internal,
            "request",
            "the computation was broken off; send the same request again",
        )));
        self.inner.live().remove(&self.key);
    }
}

impl Inner {
    /// Checks a request, and begins, joins or finds its answer. An error means that nothing was accepted.
    pub(super) async fn ask(self: &Arc<Self>, ask: Ask) -> Result<Follower, Refusal> {
        check::content(self, &ask)?;
        let session = ask.signed.request.session;
        let recent = self.recent_standing(&session).await?;
        match self.ask_at(ask.clone(), &recent).await {
            // Kept already: nothing that the chain shows changes it.
            Err(refusal) if refusal.code != RefusalCode::Equivocation => {
                let newest = self.standing(&session).await?;
                match newest == recent {
                    true => Err(refusal),
                    false => self.ask_at(ask, &newest).await,
                }
            }
            outcome => outcome,
        }
    }

    async fn ask_at(self: &Arc<Self>, ask: Ask, standing: &Standing) -> Result<Follower, Refusal> {
        let request = ask.signed.request.clone();
        check::signed(self, &ask.signed, standing)?;
        let (session, seq) = (request.session, request.seq);
        let known = self
            .on_disk(move |journal| journal.leaf(&session, seq))
            .await?;
        let means = match known {
            Some(_) => None,
            None => {
                let batcher = check::fresh(self, &request, &ask.prompt, standing).await?;
                Some((batcher, self.turn()?))
            }
        };
        let top_logprobs = ask.top_logprobs;
        let leaf = Leaf {
            signed: ask.signed,
            salt: ask.salt,
            prompt: ask.prompt,
        };
        let (kept, shown) = (leaf.clone(), standing.clone());
        let accepted = self
            .on_disk(move |journal| journal.accept(&kept, &shown))
            .await?;
        match accepted {
            Accepted::Serve => count(&self.counters.accepted),
            Accepted::Unanswered => {}
            Accepted::Again(answer) => {
                count(&self.counters.repeated);
                let output = output_of(&answer)?;
                return Ok(Live::whole(seq, &output, answer.receipt).follow());
            }
            Accepted::Equivocation => return Err(self.equivocated(&session, seq)),
            Accepted::Refuse(reason) => return Err(check::of_reason(reason, &request, standing)),
            Accepted::Full(reason) => {
                return Err(Refusal::new(RefusalCode::Overloaded, "session", reason))
            }
        }
        let key = (session, seq);
        let (place, follower) = {
            let mut all = self.live();
            // Of two who come here at once one computes, and the other follows.
            if let Some(live) = all.get(&key) {
                return Ok(live.follow());
            }
            let live = Live::new(seq);
            all.insert(key, live.clone());
            let follower = live.follow();
            let inner = self.clone();
            (Place { inner, live, key }, follower)
        };
        self.begin(place, standing, means, leaf, top_logprobs).await;
        Ok(follower)
    }

    fn equivocated(&self, session: &SessionId, seq: Seq) -> Refusal {
        count(&self.counters.equivocations);
        tracing::warn!(
            ?session,
            seq,
            "two requests for one place: kept as evidence"
        );
        Refusal::new(
            RefusalCode::Equivocation,
            "seq",
            "another request was signed for it; both are kept, the channel is stopped",
        )
    }

    /// Signs that a request which has lapsed is never answered, so that its channel can go on. It costs this operator
    /// nothing but what it had begun and not finished.
    pub(super) async fn void(&self, ask: VoidAsk) -> Result<SignedReceipt, Refusal> {
        let VoidAsk { signed } = ask;
        let request = signed.request.clone();
        check::addressed(self, &request)?;
        let standing = self.standing(&request.session).await?;
        check::signed(self, &signed, &standing)?;
        check::own_key(self, &request, &standing)?;
        check::own_checkpoint(&request, &standing)?;
        let (session, seq) = (request.session, request.seq);
        // A computation that begins behind this look finds the void in the journal, or the void its answer.
        if self.live().contains_key(&(session, seq)) {
            return Err(Refusal::new(
                RefusalCode::Busy,
                "seq",
                "is being computed; send the same request again for the answer",
            ));
        }
        let (signer, genesis, shown) = (self.signer.clone(), self.genesis, standing.clone());
        let voided = self
            .on_disk(move |journal| {
                journal.void(&signed, &shown, |receipt| {
                    let signature = signer.sign(&receipt.signing_hash(&genesis).0);
                    SignedReceipt { receipt, signature }
                })
            })
            .await?;
        match voided {
            Voided::Void(receipt) => {
                count(&self.counters.voided);
                Ok(*receipt)
            }
            Voided::Equivocation => Err(self.equivocated(&session, seq)),
            Voided::Refuse(reason) => Err(check::of_reason(reason, &request, &standing)),
            Voided::Full(reason) => Err(Refusal::new(RefusalCode::Overloaded, "session", reason)),
        }
    }

    /// Begins an accepted request; followers hear what becomes of it.
    async fn begin(
        self: &Arc<Self>,
        place: Place,
        standing: &Standing,
        means: Option<(Arc<Batcher>, OwnedSemaphorePermit)>,
        leaf: Leaf,
        top_logprobs: Option<u8>,
    ) {
        let begun = self
            .try_begin(&place, standing, means, &leaf, top_logprobs)
            .await;
        let (outcome, permit, terms) = match begun {
            Ok(Some(begun)) => begun,
            Ok(None) => return,
            // Before the place is given up, which knows no reason.
            Err(refusal) => return place.live.end(End::Failed(refusal)),
        };
        let inner = self.clone();
        tokio::spawn(async move {
            let end = match outcome.await {
                Ok(Ok(made)) => inner.finish(&place.live, &leaf, &terms, made).await,
                Ok(Err(error)) => Err(Refusal::new(RefusalCode::Compute, "request", error)),
                Err(_) => Err(Refusal::new(
                    RefusalCode::Compute,
                    "request",
                    "the model was stopped; send the same request again",
                )),
            };
            if let Err(refusal) = end {
                let seq = leaf.signed.request.seq;
                tracing::error!(%refusal, seq, "an accepted request has no answer");
                place.live.end(End::Failed(refusal));
            }
            drop(permit);
        });
    }

    /// Hands an accepted request to the model; `None` when it was answered meanwhile.
    async fn try_begin(
        &self,
        place: &Place,
        standing: &Standing,
        means: Option<(Arc<Batcher>, OwnedSemaphorePermit)>,
        leaf: &Leaf,
        top_logprobs: Option<u8>,
    ) -> Result<Option<(Outcome, OwnedSemaphorePermit, Terms)>, Refusal> {
        let request = &leaf.signed.request;
        let (session, seq) = (request.session, request.seq);
        let now = self
            .on_disk(move |journal| journal.leaf(&session, seq))
            .await?;
        if let Some((_, Some(answer))) = now {
            count(&self.counters.repeated);
            place.live.replace(&output_of(&answer)?, answer.receipt);
            return Ok(None);
        }
        // Of one that was accepted under another key: a receipt that the channel does not take would look like a lie.
        check::own_key(self, request, standing)?;
        let terms = check::terms(standing)?.clone();
        let (batcher, permit) = match means {
            Some(means) => means,
            None => (check::batcher(self, request, &terms).await?, self.turn()?),
        };
        let generate = GenerateRequest {
            prompt_ids: leaf.prompt.clone(),
            sampling: request.sampling.clone(),
            fingerprint_seed: fingerprint_seed(&request.prompt_hash),
        };
        let options = Options {
            // Turns of one session: other clients' prompts are never compared with.
            conversation: Some(session.0),
            top_logprobs,
        };
        let (sender, outcome) = oneshot::channel();
        let live = place.live.clone();
        let on_token = move |event: TokenEvent| match live.push(event.into()) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        let on_done = move |made: chasqui_engine::Result<Generation>| {
            // Nobody is left to sign it when the service has ended.
            let _ = sender.send(made);
        };
        batcher
            .submit_with(generate, options, on_token, on_done)
            .map_err(|error| {
                let code = match error {
                    EngineError::Busy { .. } => RefusalCode::Overloaded,
                    _ => RefusalCode::Compute,
                };
                Refusal::new(code, "request", error)
            })?;
        Ok(Some((outcome, permit, terms)))
    }

    /// A turn to compute.
    fn turn(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.computing.clone().try_acquire_owned().map_err(|_| {
            Refusal::new(
                RefusalCode::Overloaded,
                "request",
                format!(
                    "{} requests are computed already; try again later, or another operator",
                    self.config.computing
                ),
            )
        })
    }

    /// Signs what was delivered, writes it down, and only then lets the receipt go.
    async fn finish(
        &self,
        live: &Live,
        leaf: &Leaf,
        terms: &Terms,
        made: Generation,
    ) -> Result<(), Refusal> {
        let internal = |reason: &str| Refusal::new(RefusalCode::Internal, "receipt", reason);
        let request = &leaf.signed.request;
        let mut trace = made.trace();
        let cut = live.cut();
        let finish = match cut < trace.len() {
            true => FinishReason::Cancelled,
            false => made.finish_reason,
        };
        trace.truncate(cut);
        let output: Vec<u32> = trace.iter().map(|leaf| leaf.token).collect();
        let output_tokens = u32::try_from(output.len()).unwrap_or(u32::MAX);
        let price = request
            .price(
                terms.units_per_prompt_token,
                terms.units_per_output_token,
                output_tokens,
            )
            .ok_or_else(|| internal("the price exceeds a balance"))?;
        let receipt = Receipt {
            session: request.session,
            operator: request.operator.clone(),
            seq: request.seq,
            request: request.signing_hash(&self.genesis),
            output_hash: output_hash(&self.genesis, &output),
            trace_root: trace_root(&trace),
            prompt_tokens: request.prompt_tokens,
            output_tokens,
            finish,
            price,
        };
        receipt
            .answers(
                &self.genesis,
                request,
                terms.units_per_prompt_token,
                terms.units_per_output_token,
            )
            .map_err(|misfit| internal(&format!("would not fit its request: {misfit:?}")))?;
        let signature = self.signer.sign(&receipt.signing_hash(&self.genesis).0);
        let signed = SignedReceipt { receipt, signature };
        let answer = Answer {
            receipt: signed.clone(),
            trace: encode_trace(&trace),
        };
        let (session, seq) = (request.session, request.seq);
        if let Err(refusal) = self.on_disk(move |journal| journal.answer(&answer)).await {
            // Answered by another computation of the same request: that one counts.
            let held = self
                .on_disk(move |journal| journal.leaf(&session, seq))
                .await?;
            let Some((_, Some(held))) = held else {
                return Err(refusal);
            };
            live.replace(&output_of(&held)?, held.receipt);
            return Ok(());
        }
        count(&self.counters.receipts);
        if finish == FinishReason::Cancelled {
            count(&self.counters.cancelled);
        }
        live.end(End::Receipt(Box::new(signed)));
        Ok(())
    }

    /// What is held for a channel, for its client.
    pub(super) async fn resume(&self, query: Resume) -> Result<Held, Refusal> {
        if query.operator != self.operator {
            return Err(Refusal::new(
                RefusalCode::NotServed,
                "operator",
                format!("is {}; this is {}", query.operator, self.operator),
            ));
        }
        let standing = self.standing(&query.session).await?;
        if !query.verify(&self.genesis, &standing.key) {
            return Err(Refusal::new(
                RefusalCode::Signature,
                "signature",
                "is not the session key's over this query on this chain",
            ));
        }
        let latest = standing.now.saturating_add(MAX_RESUME_BLOCKS);
        if !(standing.now..=latest).contains(&query.valid_until) {
            return Err(Refusal::new(
                RefusalCode::Expired,
                "valid_until",
                format!(
                    "is block {}; must be {} to {latest}",
                    query.valid_until, standing.now
                ),
            ));
        }
        let session = query.session;
        let held = self
            .on_disk(move |journal| journal.channel(&session))
            .await?;
        let held = held.unwrap_or_default();
        Ok(Held {
            last: held.last,
            receipt: held.receipt,
            receipted: held.receipted,
            settled_to: held.settled_to.max(standing.channel.last_seq),
        })
    }
}
