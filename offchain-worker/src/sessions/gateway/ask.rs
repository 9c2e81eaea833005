//! One request: from a session of the pool to its tokens and receipt.
//!
//! Before the first token every failure leads to another operator: along the committee of the session, then to another
//! session. After it the request ends with what was delivered.

use super::{
    blame::Blame,
    pool::{Choice, Lease, Take, Why},
    Shared,
};
use chasqui_gateway::upstream::{
    Cancel, Event, Failure, FailureKind, Finished as Ended, Price, Request, TokenLogprobs,
};
use chasqui_primitives::{session::SessionId, Balance, CheckpointRoot};
use chasqui_session::{
    client::{Answer, Finished, Output, Question},
    wire::Token,
    AccountId, ClientError,
};
use parity_scale_codec::Encode;
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Longest that an operator may take to accept a request.
const ACCEPT: Duration = Duration::from_secs(15);
/// And while nobody waits for it any more: the account must come before it is given up.
const LEAVE: Duration = Duration::from_secs(5);
/// Longest that it may take to send the first token.
const FIRST_TOKEN: Duration = Duration::from_secs(60);
/// Longest wait for a session.
const WAIT: Duration = Duration::from_secs(90);
/// A missed wake-up costs no more than this.
const POLL: Duration = Duration::from_millis(200);
/// Most operators that are asked for one request.
const ATTEMPTS: usize = 12;
/// So many operators have to find the request itself wrong before it counts as that.
const DOUBTS: usize = 2;

/// One request.
pub(super) struct Task {
    pub shared: Arc<Shared>,
    pub checkpoint: CheckpointRoot,
    pub price: Price,
    pub request: Request,
    pub cancel: Cancel,
    pub events: mpsc::Sender<Event>,
}

/// A session that this request holds; given back when it goes.
struct Held {
    shared: Arc<Shared>,
    session: SessionId,
}

impl Drop for Held {
    fn drop(&mut self) {
        let now = self.shared.now();
        self.shared.pool().release(&self.session, now);
        self.shared.changed.notify_one();
    }
}

/// A place in the line; given up when it goes.
struct InLine<'a> {
    shared: &'a Shared,
    checkpoint: CheckpointRoot,
    ticket: super::pool::Ticket,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.shared.pool().leave(&self.checkpoint, self.ticket);
    }
}

/// Whom this request has asked in vain.
#[derive(Default)]
struct Tried {
    operators: HashSet<AccountId>,
    channels: HashSet<(SessionId, AccountId)>,
}

/// The operators' marks and this request's own.
struct Preference<'a> {
    shared: &'a Shared,
    tried: &'a Tried,
    now: Instant,
}

impl Choice for Preference<'_> {
    fn rank(&self, operator: &AccountId) -> Option<u32> {
        if self.tried.operators.contains(operator) {
            return None;
        }
        self.shared.operators().rank(operator, self.now)
    }

    fn tried(&self, session: &SessionId, operator: &AccountId) -> bool {
        self.tried.channels.contains(&(*session, operator.clone()))
    }
}

/// Why one operator did not answer.
struct Refusal {
    blame: Blame,
    reason: String,
}

/// How an attempt ended.
enum Attempt {
    /// The client has been told.
    Over,
    /// Somebody else may be asked.
    Next(Refusal),
    /// Nobody may.
    Stop(Failure),
}

impl Task {
    /// Serves it to its end.
    pub async fn run(self) {
        let failure = match self.serve().await {
            Ok(()) => return,
            Err(failure) => failure,
        };
        // Nobody listens any more: nothing to tell.
        let _ = self.events.send(Event::Failed(failure)).await;
    }

    async fn serve(&self) -> Result<(), Failure> {
        let most = self.price.of(
            self.request.prompt_ids.len(),
            self.request.sampling.max_tokens as usize,
        );
        let mut tried = Tried::default();
        let mut doubts = 0usize;
        let mut last: Option<Refusal> = None;
        let mut attempts = 0usize;
        while attempts < ATTEMPTS {
            let Some(lease) = self.lease(most, &tried, last.as_ref()).await? else {
                return Err(self.gone());
            };
            let held = Held {
                shared: self.shared.clone(),
                session: lease.session,
            };
            let mut operator = Some(lease.operator);
            while let Some(asked) = operator.take() {
                attempts = attempts.saturating_add(1);
                let refusal = match self.attempt(&lease.session, &asked).await {
                    Attempt::Over => return Ok(()),
                    Attempt::Stop(failure) => return Err(failure),
                    Attempt::Next(refusal) => refusal,
                };
                tracing::info!(session = ?lease.session, operator = %asked, fault = refusal.blame.name(),
                    reason = %refusal.reason, "not answered; going on to another");
                tried.channels.insert((lease.session, asked.clone()));
                match refusal.blame {
                    Blame::Operator | Blame::Busy | Blame::False => {
                        tried.operators.insert(asked);
                    }
                    Blame::Doubtful => {
                        doubts = doubts.saturating_add(1);
                        tried.operators.insert(asked);
                    }
                    _ => {}
                }
                let over = matches!(refusal.blame, Blame::Session);
                last = Some(refusal);
                if doubts >= DOUBTS {
                    return Err(said(FailureKind::Invalid, last.as_ref()));
                }
                if self.is_over() {
                    return Err(self.gone());
                }
                if !over && attempts < ATTEMPTS {
                    let choice = self.preference(&tried);
                    let pool = self.shared.pool();
                    operator = pool.next_member(&held.session, most, &choice);
                }
                if operator.is_some() {
                    self.shared.metrics.failovers.inc();
                }
            }
        }
        Err(said(FailureKind::Unavailable, last.as_ref()))
    }

    fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || self.events.is_closed()
    }

    fn gone(&self) -> Failure {
        Failure::new(FailureKind::Unavailable, "The request was given up.")
    }

    async fn is_given_up(&self) {
        tokio::select! {
            () = self.cancel.cancelled() => {}
            () = self.events.closed() => {}
        }
    }

    fn preference<'a>(&'a self, tried: &'a Tried) -> Preference<'a> {
        Preference {
            shared: &self.shared,
            tried,
            now: Instant::now(),
        }
    }

    /// A session of one's own; `None` when the request was given up meanwhile.
    async fn lease(
        &self,
        most: Balance,
        tried: &Tried,
        last: Option<&Refusal>,
    ) -> Result<Option<Lease>, Failure> {
        let shared = &*self.shared;
        let started = Instant::now();
        let mut line: Option<InLine<'_>> = None;
        loop {
            // Before the look, so that what changes after it is not missed.
            let changed = shared.changed.notified();
            let take = {
                let choice = self.preference(tried);
                let mut pool = shared.pool();
                pool.take(&self.checkpoint, most, &choice, shared.now())
            };
            match take {
                Take::Lease(lease) => {
                    shared.metrics.wait.observe(started.elapsed().as_secs_f64());
                    return Ok(Some(lease));
                }
                Take::Never(Why::Money(short)) => {
                    let reason = format!(
                        "This gateway cannot pay for this request now: {short}.{}",
                        shared.refusal()
                    );
                    return Err(Failure::new(FailureKind::Unfunded, reason));
                }
                Take::Never(Why::Nobody) => return Err(said(FailureKind::Unavailable, last)),
                Take::Wait if started.elapsed() >= WAIT => {
                    let reason = format!(
                        "No session became free within {} seconds.{}",
                        WAIT.as_secs(),
                        shared.refusal()
                    );
                    return Err(Failure::new(FailureKind::Busy, reason));
                }
                Take::Wait => {}
            }
            if line.is_none() {
                let ticket = shared.pool().line_up(&self.checkpoint, most, shared.now());
                line = Some(InLine {
                    shared,
                    checkpoint: self.checkpoint,
                    ticket,
                });
                // There may be something to open.
                shared.kick.notify_one();
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(POLL) => {}
                () = self.is_given_up() => return Ok(None),
            }
        }
    }

    async fn attempt(&self, session: &SessionId, operator: &AccountId) -> Attempt {
        let shared = &self.shared;
        let question = Question {
            prompt: self.request.prompt_ids.to_vec(),
            sampling: self.request.sampling.clone(),
            top_logprobs: self
                .request
                .top_logprobs
                .map(|top| u8::try_from(top).unwrap_or(u8::MAX)),
            unit_price: None,
        };
        // In a task of its own: what is signed must be accounted for, whoever waits for it.
        let mut asking = {
            let (client, session, operator) = (shared.client.clone(), *session, operator.clone());
            tokio::spawn(async move { client.ask(&session, &operator, question).await })
        };
        let asked = tokio::select! {
            asked = &mut asking => asked,
            () = tokio::time::sleep(ACCEPT) => {
                shared.abandon(asking, *session, operator.clone());
                shared.operators().failed(operator, Instant::now());
                return Attempt::Next(Refusal {
                    blame: Blame::Operator,
                    reason: format!("{operator} did not accept within {} s", ACCEPT.as_secs()),
                });
            }
            () = self.is_given_up() => {
                // What was signed is paid, and by whoever wanted it: else one could have others' money spent by asking much and
                // going at once.
                match tokio::time::timeout(LEAVE, &mut asking).await {
                    Ok(Ok(Ok(answer))) => return self.hang_up(answer, 0, session, operator).await,
                    Ok(Ok(Err(error))) => {
                        let attempt = self.refused(session, operator, &error).await;
                        return self.left(attempt, session, operator).await;
                    }
                    _ => {
                        shared.abandon(asking, *session, operator.clone());
                        return Attempt::Stop(self.owed(0));
                    }
                }
            }
        };
        match asked {
            Ok(Ok(answer)) => self.follow(answer, session, operator).await,
            Ok(Err(error)) => self.refused(session, operator, &error).await,
            Err(error) => Attempt::Stop(Failure::new(
                FailureKind::Internal,
                format!("asking broke off: {error}"),
            )),
        }
    }

    /// An operator did not answer, and nothing of the answer was delivered.
    async fn refused(
        &self,
        session: &SessionId,
        operator: &AccountId,
        error: &ClientError,
    ) -> Attempt {
        let shared = &self.shared;
        let blame = Blame::of(error);
        shared.blamed(session, operator, &blame, error);
        match blame {
            Blame::Lost => shared.pool().lose(session, operator),
            _ => {
                if shared.read_books(session, operator).await {
                    shared.recover(*session, operator.clone(), 0);
                }
            }
        }
        let reason = error.to_string();
        let stop = |kind| Attempt::Stop(Failure::new(kind, reason.clone()));
        match blame {
            Blame::Request => stop(FailureKind::Invalid),
            Blame::Chain | Blame::Retired => stop(FailureKind::Unavailable),
            Blame::Own => {
                tracing::error!(%error, "this gateway's own trouble");
                stop(FailureKind::Internal)
            }
            _ => Attempt::Next(Refusal { blame, reason }),
        }
    }

    /// Passes an answer on.
    async fn follow(
        &self,
        mut answer: Answer,
        session: &SessionId,
        operator: &AccountId,
    ) -> Attempt {
        let shared = &self.shared;
        let seq = answer.seq();
        let mut taken = 0u32;
        let deadline = tokio::time::sleep(FIRST_TOKEN);
        tokio::pin!(deadline);
        loop {
            let output = tokio::select! {
                biased;
                () = self.is_given_up() => return self.hang_up(answer, taken, session, operator).await,
                () = &mut deadline, if taken == 0 => {
                    drop(answer);
                    shared.recover(*session, operator.clone(), 0);
                    shared.operators().failed(operator, Instant::now());
                    let seconds = FIRST_TOKEN.as_secs();
                    return Attempt::Next(Refusal {
                        blame: Blame::Operator,
                        reason: format!("{operator} sent no token within {seconds} s"),
                    });
                }
                output = answer.next() => output,
            };
            match output {
                Some(Ok(Output::Token(token))) => {
                    taken = taken.saturating_add(1);
                    let sent = tokio::select! {
                        sent = self.events.send(event_of(token)) => sent.is_ok(),
                        () = self.cancel.cancelled() => false,
                    };
                    if !sent {
                        return self.hang_up(answer, taken, session, operator).await;
                    }
                }
                Some(Ok(Output::Finished(finished))) => {
                    return self.finished(finished, session, operator).await;
                }
                Some(Err(error)) if taken == 0 => {
                    return self.refused(session, operator, &error).await;
                }
                Some(Err(error)) => return self.broke_off(&error, taken, session, operator).await,
                None => {
                    let reason = format!("request {seq} ended without a receipt");
                    return Attempt::Stop(Failure::new(FailureKind::Internal, reason));
                }
            }
        }
    }

    async fn finished(
        &self,
        finished: Finished,
        session: &SessionId,
        operator: &AccountId,
    ) -> Attempt {
        let shared = &self.shared;
        shared.receipted(&finished);
        shared.read_books(session, operator).await;
        if finished.cut_short {
            shared.operators().failed(operator, Instant::now());
            if finished.output.is_empty() {
                return Attempt::Next(Refusal {
                    blame: Blame::Operator,
                    reason: format!("{operator} ended the answer before it began"),
                });
            }
        } else {
            shared.operators().answered(operator);
        }
        shared.may_audit(session, operator, &finished);
        let _ = self.events.send(Event::Finished(account(&finished))).await;
        Attempt::Over
    }

    /// Nobody wants more of it: takes the receipt for what was delivered.
    async fn hang_up(
        &self,
        answer: Answer,
        taken: u32,
        session: &SessionId,
        operator: &AccountId,
    ) -> Attempt {
        let shared = &self.shared;
        let seq = answer.seq();
        let receipts = shared.client.hang_up(answer).await;
        if let Err(error) = &receipts {
            shared.blamed(session, operator, &Blame::of(error), error);
        }
        let mut ours = None;
        for finished in receipts.unwrap_or_default() {
            shared.receipted(&finished);
            ours = (finished.receipt.receipt.seq == seq)
                .then_some(finished)
                .or(ours);
        }
        if shared.read_books(session, operator).await {
            shared.recover(*session, operator.clone(), taken as usize);
        }
        let ended = match ours {
            Some(finished) => Some(account(&finished)),
            // The receipt came while the client hung up.
            None => shared.kept(session, operator, seq).await,
        };
        match ended {
            Some(ended) => {
                let _ = self.events.send(Event::Finished(ended)).await;
                Attempt::Over
            }
            None => Attempt::Stop(self.owed(taken)),
        }
    }

    /// It was given up while an operator was asked, which did not take it: nothing is owed unless it was signed.
    async fn left(&self, attempt: Attempt, session: &SessionId, operator: &AccountId) -> Attempt {
        match (attempt, self.shared.read_books(session, operator).await) {
            (_, true) => Attempt::Stop(self.owed(0)),
            (Attempt::Stop(failure), false) => Attempt::Stop(failure),
            (_, false) => Attempt::Stop(self.gone()),
        }
    }

    /// It was given up, and what its operator had taken on has no receipt yet: the prompt, and the tokens that came.
    fn owed(&self, taken: u32) -> Failure {
        Failure {
            delivered: true,
            price: self.price.of(self.request.prompt_ids.len(), taken as usize),
            ..self.gone()
        }
    }

    /// It broke off after tokens were delivered: another operator's answer would be another one.
    async fn broke_off(
        &self,
        error: &ClientError,
        taken: u32,
        session: &SessionId,
        operator: &AccountId,
    ) -> Attempt {
        let shared = &self.shared;
        let blame = Blame::of(error);
        shared.blamed(session, operator, &blame, error);
        if shared.read_books(session, operator).await {
            shared.recover(*session, operator.clone(), taken as usize);
        }
        let own = matches!(blame, Blame::Own);
        let kind = if own {
            FailureKind::Internal
        } else {
            FailureKind::Unavailable
        };
        Attempt::Stop(Failure {
            kind,
            reason: format!("The answer broke off after {taken} tokens: {error}."),
            delivered: true,
            price: self.price_of(taken),
        })
    }

    fn price_of(&self, taken: u32) -> Balance {
        match taken {
            0 => 0,
            taken => self.price.of(self.request.prompt_ids.len(), taken as usize),
        }
    }
}

fn said(kind: FailureKind, last: Option<&Refusal>) -> Failure {
    let reason = match last {
        Some(refusal) => format!("No operator answers; the last one: {}.", refusal.reason),
        None => "No operator serves this model now.".into(),
    };
    Failure::new(kind, reason)
}

fn event_of(token: Token) -> Event {
    Event::Token {
        id: token.id,
        logprobs: token.logprobs.map(|probs| TokenLogprobs {
            chosen: probs.chosen,
            top: probs.top,
        }),
    }
}

/// What a receipt says.
pub(super) fn account(finished: &Finished) -> Ended {
    let receipt = &finished.receipt.receipt;
    Ended {
        reason: receipt.finish,
        prompt_tokens: receipt.prompt_tokens,
        output_tokens: receipt.output_tokens,
        price: receipt.price,
        operator: Some(receipt.operator.to_string()),
        session: Some(format!("{:?}", receipt.session)),
        sequence: Some(receipt.seq),
        receipt: Some(finished.receipt.encode()),
    }
}
