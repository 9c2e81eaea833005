//! One choice of one request: from an upstream's tokens to text for the client.
//!
//! A generation runs in a task of its own, so that its account is settled whatever becomes of the
//! client. Who does not listen any more stops it, and pays for what was computed by then.

use std::sync::Arc;
use std::time::Duration;

use chasqui_engine::{FinishReason, Sampling};
use chasqui_primitives::Balance;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::admission::Turn;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::keys::Reservation;
use crate::text::{Assembler, Release};
use crate::upstream::{Cancel, Event, Failure, FailureKind, Finished, Model, Request, Upstream};

/// Pieces on their way to one client.
const PIECES: usize = 32;

/// What a generation sends, in order: text, then one end.
#[derive(Debug)]
pub enum Piece {
    /// More text.
    Text(Release),
    /// It is over.
    Done(Box<Outcome>),
    /// It broke off.
    Failed(Box<ApiError>),
}

/// How a choice ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// OpenAI's word: `stop` or `length`.
    pub finish: &'static str,
    /// Output tokens up to the end, a stop string's included.
    pub tokens: u32,
    /// The seed of its sampling.
    pub seed: u64,
    /// The upstream's account.
    pub finished: Finished,
}

/// One choice to generate.
pub struct Choice {
    /// Its index in the answer.
    pub index: usize,
    /// The prompt.
    pub prompt_ids: Arc<[u32]>,
    /// Its own seed included.
    pub sampling: Sampling,
    /// The money for it.
    pub reservation: Reservation,
}

/// What the choices of a request have in common.
#[derive(Clone)]
pub struct Plan {
    /// The model.
    pub model: Arc<Model>,
    /// Strings that end an output.
    pub stops: Arc<[String]>,
    /// Log-probabilities with so many alternatives.
    pub top_logprobs: Option<usize>,
}

/// Starts the choices; their pieces come with the choice's index. Dropping the receiver stops them.
pub fn start(
    gateway: &Arc<Gateway>,
    plan: &Plan,
    choices: Vec<Choice>,
    turn: Turn,
) -> mpsc::Receiver<(usize, Piece)> {
    let (pieces, receiver) = mpsc::channel(PIECES);
    let turn = Arc::new(turn);
    for choice in choices {
        let task = Task {
            gateway: gateway.clone(),
            plan: plan.clone(),
            index: choice.index,
            request: Request {
                model: plan.model.id.clone(),
                prompt_ids: choice.prompt_ids,
                sampling: choice.sampling,
                top_logprobs: plan.top_logprobs,
            },
            pieces: pieces.clone(),
        };
        let turn = turn.clone();
        tokio::spawn(async move {
            task.gateway.metrics.in_flight.inc();
            task.run(choice.reservation).await;
            task.gateway.metrics.in_flight.dec();
            drop(turn);
        });
    }
    receiver
}

struct Task {
    gateway: Arc<Gateway>,
    plan: Plan,
    index: usize,
    request: Request,
    pieces: mpsc::Sender<(usize, Piece)>,
}

/// How one upstream served.
enum Attempt {
    /// To an end, which the client has been told.
    Ended,
    /// Not at all: another may.
    Refused(Failure),
}

/// Why a generation was told to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// A stop string came: a good end.
    AtString,
    /// The client has gone.
    HungUp,
    /// The gateway is stopping, or the text could not be made.
    Broken,
}

impl Task {
    async fn run(&self, reservation: Reservation) {
        let mut reservation = Some(reservation);
        let mut last = None;
        for upstream in self.gateway.serving(&self.plan.model.id) {
            if last.is_some() {
                let labels = [self.plan.model.id.as_str()];
                self.gateway
                    .metrics
                    .failovers
                    .with_label_values(&labels)
                    .inc();
            }
            match self.attempt(&*upstream, &mut reservation).await {
                Attempt::Ended => return,
                Attempt::Refused(failure) => {
                    tracing::warn!(model = %self.plan.model.id, kind = ?failure.kind, reason = %failure.reason,
                        "an upstream failed before the first token");
                    let invalid = failure.kind == FailureKind::Invalid;
                    last = Some(failure);
                    // Nobody else would take it, or nobody waits for it.
                    if invalid || self.pieces.is_closed() || self.gateway.stop.is_cancelled() {
                        break;
                    }
                }
            }
        }
        let failure = last.unwrap_or_else(|| {
            let reason = format!("No upstream serves '{}' any more.", self.plan.model.id);
            Failure::new(FailureKind::Unavailable, reason)
        });
        self.fail(ApiError::upstream(&failure)).await;
    }

    /// Sends a piece; false if the client does not take it.
    async fn send(&self, piece: Piece) -> bool {
        let stall = self.gateway.limits.client_stall;
        self.pieces
            .send_timeout((self.index, piece), stall)
            .await
            .is_ok()
    }

    async fn fail(&self, error: ApiError) {
        self.count("failed");
        self.send(Piece::Failed(Box::new(error))).await;
    }

    fn count(&self, outcome: &str) {
        let counter = &self.gateway.metrics.generations;
        counter.with_label_values(&[outcome]).inc();
    }

    async fn attempt(
        &self,
        upstream: &dyn Upstream,
        reservation: &mut Option<Reservation>,
    ) -> Attempt {
        let limits = &self.gateway.limits;
        let cancel = Cancel::default();
        let mut events = upstream.generate(self.request.clone(), cancel.clone());
        let tokenizer = self.plan.model.tokenizer.clone();
        let mut assembler = Assembler::new(&tokenizer, &self.plan.stops);
        let started = Instant::now();
        let mut deadline = started + limits.first_token;
        // Tokens that came, and of them those up to the end of the text.
        let (mut seen, mut counted) = (0u32, 0u32);
        let mut stopped: Option<Stopped> = None;
        loop {
            let event = tokio::select! {
                biased;
                event = events.next() => event,
                () = self.pieces.closed(), if stopped.is_none() => {
                    stopped = Some(Stopped::HungUp);
                    cancel.cancel();
                    deadline = Instant::now() + limits.settle;
                    continue;
                }
                () = self.gateway.stop.cancelled(), if stopped.is_none() => {
                    stopped = Some(Stopped::Broken);
                    cancel.cancel();
                    self.fail(ApiError::unavailable("The gateway is stopping.")).await;
                    deadline = Instant::now() + limits.settle;
                    continue;
                }
                () = tokio::time::sleep_until(deadline) => {
                    cancel.cancel();
                    let waited = deadline - started;
                    return self.late((seen, counted), stopped, waited, assembler, reservation).await;
                }
            };
            match event {
                Some(Event::Token { id, logprobs }) => {
                    seen += 1;
                    if seen == 1 {
                        let labels = [self.plan.model.id.as_str()];
                        let waited = started.elapsed().as_secs_f64();
                        let histogram = &self.gateway.metrics.first_token_seconds;
                        histogram.with_label_values(&labels).observe(waited);
                    }
                    self.gateway.stats.token();
                    if stopped.is_some() {
                        continue;
                    }
                    if seen > self.request.sampling.max_tokens {
                        stopped = Some(Stopped::Broken);
                        cancel.cancel();
                        self.fail(ApiError::internal(
                            "The executor sent more tokens than it was asked for; they were refused.",
                        ))
                        .await;
                        deadline = Instant::now() + limits.settle;
                        continue;
                    }
                    deadline = Instant::now() + limits.next_token;
                    counted = seen;
                    if self.ends(id) {
                        continue;
                    }
                    let release = match assembler.push(id, logprobs.as_ref()) {
                        Ok(release) => release,
                        Err(error) => {
                            stopped = Some(Stopped::Broken);
                            cancel.cancel();
                            self.fail(ApiError::internal(error.to_string())).await;
                            deadline = Instant::now() + limits.settle;
                            continue;
                        }
                    };
                    if assembler.stopped() {
                        stopped = Some(Stopped::AtString);
                        cancel.cancel();
                        deadline = Instant::now() + limits.settle;
                    }
                    // The first token is a piece even without text: the client's wait is over.
                    if (!release.is_empty() || seen == 1) && !self.send(Piece::Text(release)).await
                    {
                        stopped = Some(Stopped::HungUp);
                        cancel.cancel();
                        deadline = Instant::now() + limits.settle;
                    }
                }
                Some(Event::Finished(finished)) => {
                    self.charge(reservation, &finished);
                    self.end(finished, counted, stopped, assembler).await;
                    return Attempt::Ended;
                }
                Some(Event::Failed(failure)) => {
                    let failure = Failure {
                        delivered: failure.delivered || seen > 0,
                        ..failure
                    };
                    return self
                        .broken(failure, (seen, counted), stopped, assembler, reservation)
                        .await;
                }
                None => {
                    let failure = Failure {
                        delivered: seen > 0,
                        ..Failure::new(
                            FailureKind::Unavailable,
                            "The executor broke off without a word.",
                        )
                    };
                    return self
                        .broken(failure, (seen, counted), stopped, assembler, reservation)
                        .await;
                }
            }
        }
    }

    /// Whether a token ends the output; such a token is no text.
    fn ends(&self, id: u32) -> bool {
        let sampling = &self.request.sampling;
        sampling.stop_ids.contains(&id)
            || (!sampling.ignore_eos && self.plan.model.eos_ids.contains(&id))
    }

    /// Charges what the upstream says, and counts it.
    fn charge(&self, reservation: &mut Option<Reservation>, finished: &Finished) {
        let Some(reservation) = reservation.take() else {
            return;
        };
        if finished.price > reservation.most() {
            tracing::error!(model = %self.plan.model.id, price = finished.price, most = reservation.most(),
                "an upstream charged more than its model's price");
        }
        reservation.settle(finished.price);
        let Finished {
            prompt_tokens,
            output_tokens,
            price,
            ..
        } = *finished;
        let model = &*self.plan.model.id;
        let metrics = &self.gateway.metrics;
        for (kind, count) in [("prompt", prompt_tokens), ("output", output_tokens)] {
            let counter = metrics.tokens.with_label_values(&[model, kind]);
            counter.inc_by(u64::from(count));
        }
        let dot = price as f64 / chasqui_primitives::DOT as f64;
        metrics.spend.inc_by(dot);
        let stats = &self.gateway.stats;
        stats.generated(model, prompt_tokens, output_tokens, price);
    }

    /// An account that the upstream did not give: what was seen at the model's price.
    fn estimate(&self, seen: u32) -> Finished {
        let prompt_tokens = self.request.prompt_ids.len();
        let price: Balance = self.plan.model.price.of(prompt_tokens, seen as usize);
        Finished {
            reason: FinishReason::Cancelled,
            prompt_tokens: prompt_tokens as u32,
            output_tokens: seen,
            price,
            operator: None,
            session: None,
            sequence: None,
            receipt: None,
        }
    }

    /// The upstream accounted for a generation.
    async fn end(
        &self,
        finished: Finished,
        counted: u32,
        stopped: Option<Stopped>,
        assembler: Assembler<'_>,
    ) {
        let finish = match (stopped, finished.reason) {
            (Some(Stopped::Broken), _) => return,
            (Some(Stopped::HungUp), _) => return self.count("hung_up"),
            (Some(Stopped::AtString), _) | (None, FinishReason::Stop) => "stop",
            (None, FinishReason::Length) => "length",
            (None, FinishReason::Cancelled) => {
                let words = "The executor ended this generation before its time.";
                return self.fail(ApiError::unavailable(words)).await;
            }
        };
        let rest = match assembler.finish() {
            Ok(rest) => rest,
            Err(error) => return self.fail(ApiError::internal(error.to_string())).await,
        };
        if !rest.is_empty() && !self.send(Piece::Text(rest)).await {
            return self.count("hung_up");
        }
        self.count(finish);
        let outcome = Outcome {
            finish,
            tokens: counted,
            seed: self.request.sampling.seed,
            finished,
        };
        self.send(Piece::Done(Box::new(outcome))).await;
    }

    /// The upstream failed.
    async fn broken(
        &self,
        failure: Failure,
        (seen, counted): (u32, u32),
        stopped: Option<Stopped>,
        assembler: Assembler<'_>,
        reservation: &mut Option<Reservation>,
    ) -> Attempt {
        if !failure.delivered && stopped.is_none() {
            return Attempt::Refused(failure);
        }
        let account = Finished {
            price: failure.price,
            ..self.estimate(seen)
        };
        if failure.delivered {
            self.charge(reservation, &account);
        }
        match stopped {
            None => self.fail(ApiError::upstream(&failure)).await,
            // The text was whole before.
            Some(_) => self.end(account, counted, stopped, assembler).await,
        }
        Attempt::Ended
    }

    /// The upstream kept silent for too long.
    async fn late(
        &self,
        (seen, counted): (u32, u32),
        stopped: Option<Stopped>,
        waited: Duration,
        assembler: Assembler<'_>,
        reservation: &mut Option<Reservation>,
    ) -> Attempt {
        let reason = match seen {
            0 => format!("No token came within {} seconds.", waited.as_secs()),
            _ => format!("The executor fell silent after {seen} tokens."),
        };
        let failure = Failure::new(FailureKind::Unavailable, reason);
        match (seen, stopped) {
            (0, None) => return Attempt::Refused(failure),
            (0, Some(_)) => self.count("hung_up"),
            (_, None) => {
                self.charge(reservation, &self.estimate(seen));
                self.fail(ApiError::upstream(&failure)).await;
            }
            (_, Some(_)) => {
                let account = self.estimate(seen);
                self.charge(reservation, &account);
                self.end(account, counted, stopped, assembler).await;
            }
        }
        Attempt::Ended
    }
}
