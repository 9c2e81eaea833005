//! Clients that ask a gateway over HTTP and read the answer as it streams.

use anyhow::{ensure, Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Bytes,
    client::conn::http1::{handshake, SendRequest},
    Request,
};
use hyper_util::rt::TokioIo;
use serde_json::{json, Value};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

/// How often a request is tried that was refused before its first token, as OpenAI's own clients do.
const TRIES: usize = 60;
/// And how long after.
const PAUSE: Duration = Duration::from_millis(250);

/// Who asks what.
#[derive(Clone)]
pub struct Load {
    /// `http://127.0.0.1:PORT/v1`.
    pub base_url: String,
    pub model: String,
    /// Token ids; the requests take them in turn.
    pub prompts: Arc<Vec<Vec<u32>>>,
    pub output_tokens: u32,
    /// Each asks one request after another.
    pub clients: usize,
    /// Of each client.
    pub requests: usize,
}

/// Where the chain will find an answer, if it was computed for money.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub session: String,
    pub operator: String,
    pub seq: u64,
}

/// An answer that came whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// From the request to the first text.
    pub first: Duration,
    /// Between one piece of text and the next.
    pub gaps: Vec<Duration>,
    /// From the request to the end of the stream.
    pub total: Duration,
    pub output_tokens: u64,
    pub place: Option<Place>,
    pub price: u128,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    Answered(Answer),
    /// Refused before its first token, in all tries.
    Refused(String),
    /// The stream broke off behind so many pieces of text.
    Broken {
        pieces: usize,
        reason: String,
    },
}

/// What is known while a load runs.
#[derive(Default)]
pub struct Progress {
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    done: usize,
    by_operator: HashMap<String, usize>,
}

impl Progress {
    /// Requests that have an outcome.
    pub fn done(&self) -> usize {
        self.lock().done
    }

    /// Who has answered most so far.
    pub fn busiest(&self) -> Option<String> {
        let counts = self.lock();
        let busiest = counts.by_operator.iter().max_by_key(|(_, count)| **count);
        busiest.map(|(operator, _)| operator.clone())
    }

    fn note(&self, outcome: &Outcome) {
        let mut counts = self.lock();
        counts.done += 1;
        if let Outcome::Answered(Answer {
            place: Some(place), ..
        }) = outcome
        {
            *counts
                .by_operator
                .entry(place.operator.clone())
                .or_default() += 1;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a load went.
pub struct Run {
    pub outcomes: Vec<Outcome>,
    /// Tries that were refused before their first token.
    pub refusals: usize,
    pub wall: Duration,
}

impl Run {
    /// Why requests were not answered: up to so many reasons.
    pub fn failures(&self, most: usize) -> Vec<String> {
        let failures = self.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Answered(_) => None,
            Outcome::Refused(reason) => Some(format!("refused: {reason}")),
            Outcome::Broken { pieces, reason } => {
                Some(format!("broken behind {pieces} pieces: {reason}"))
            }
        });
        failures.take(most).collect()
    }

    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Answered(answer) => Some(answer),
            _ => None,
        })
    }
}

/// Runs a load to its end.
pub fn run(load: &Load, progress: &Progress) -> Result<Run> {
    // One thread: the machine's cores are for what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let started = Instant::now();
    let mut run = runtime.block_on(async {
        let clients = (0..load.clients).map(|client| one_client(load, client, progress));
        let mut run = Run {
            outcomes: Vec::new(),
            refusals: 0,
            wall: Duration::ZERO,
        };
        for (outcomes, refusals) in futures::future::try_join_all(clients).await? {
            run.outcomes.extend(outcomes);
            run.refusals += refusals;
        }
        anyhow::Ok(run)
    })?;
    run.wall = started.elapsed();
    Ok(run)
}

async fn one_client(
    load: &Load,
    client: usize,
    progress: &Progress,
) -> Result<(Vec<Outcome>, usize)> {
    let (mut outcomes, mut refusals) = (Vec::with_capacity(load.requests), 0);
    let mut connection = None;
    for index in 0..load.requests {
        let number = client * load.requests + index;
        let mut outcome = Outcome::Refused("never asked".into());
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let mut sender = match connection.take() {
                Some(sender) => sender,
                None => connect(&load.base_url).await?,
            };
            outcome = ask(load, &mut sender, number).await?;
            match &outcome {
                Outcome::Refused(_) => refusals += 1,
                Outcome::Answered(_) => connection = Some(sender),
                Outcome::Broken { .. } => {}
            }
            if !matches!(outcome, Outcome::Refused(_)) {
                break;
            }
        }
        progress.note(&outcome);
        outcomes.push(outcome);
    }
    Ok((outcomes, refusals))
}

fn host(base_url: &str) -> Result<&str> {
    let rest = base_url
        .strip_prefix("http://")
        .context("no http address")?;
    Ok(rest.trim_end_matches("/v1"))
}

async fn connect(base_url: &str) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(host(base_url)?).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn ask(load: &Load, sender: &mut SendRequest<Full<Bytes>>, number: usize) -> Result<Outcome> {
    let prompt = &load.prompts[number % load.prompts.len()];
    let body = json!({
        "model": load.model,
        "prompt": prompt,
        "max_tokens": load.output_tokens,
        "temperature": 0.8,
        "seed": number,
        "ignore_eos": true,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    let request = Request::post("/v1/completions")
        .header("host", host(&load.base_url)?)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))?;
    let started = Instant::now();
    sender.ready().await?;
    let response = match sender.send_request(request).await {
        Ok(response) => response,
        Err(error) => return Ok(Outcome::Refused(error.to_string())),
    };
    let (head, mut body) = response.into_parts();
    if !head.status.is_success() {
        let text = body.collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&text);
        // What is wrong with the request itself will not be better the next time.
        ensure!(
            head.status.as_u16() == 429 || head.status.is_server_error(),
            "{}: {text}",
            head.status
        );
        return Ok(Outcome::Refused(format!("{}: {text}", head.status)));
    }
    let mut stream = Stream::default();
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => return Ok(stream.broken(error.to_string())),
        };
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        stream.take(&bytes, started.elapsed())?;
        if let Some(reason) = stream.error.take() {
            return Ok(stream.broken(reason));
        }
    }
    let total = started.elapsed();
    match stream.done {
        true => stream.answer(total).map(Outcome::Answered),
        false => Ok(stream.broken("the stream ended early".into())),
    }
}

/// Server-sent events as they come.
#[derive(Default)]
struct Stream {
    rest: Vec<u8>,
    /// When the answer began: its first tokens may be such as have no text.
    began: Option<Duration>,
    /// When each piece of text came.
    times: Vec<Duration>,
    usage: Value,
    extension: Value,
    error: Option<String>,
    done: bool,
}

impl Stream {
    fn take(&mut self, bytes: &[u8], now: Duration) -> Result<()> {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.rest.drain(..end + 2).collect();
            let event = String::from_utf8(event).context("an event is not UTF-8")?;
            let Some(data) = event.trim_end().strip_prefix("data: ") else {
                continue;
            };
            if data == "[DONE]" {
                self.done = true;
                continue;
            }
            let mut value: Value =
                serde_json::from_str(data).with_context(|| format!("no event: {data}"))?;
            if value["error"].is_object() {
                self.error = Some(value["error"]["message"].to_string());
            }
            if let Some(text) = value["choices"][0]["text"].as_str() {
                self.began.get_or_insert(now);
                if !text.is_empty() {
                    self.times.push(now);
                }
            }
            if value["usage"].is_object() {
                self.usage = value["usage"].take();
            }
            if value["chasqui"].is_object() {
                self.extension = value["chasqui"].take();
            }
        }
        Ok(())
    }

    fn broken(&self, reason: String) -> Outcome {
        match self.times.len() {
            0 => Outcome::Refused(reason),
            pieces => Outcome::Broken { pieces, reason },
        }
    }

    fn answer(self, total: Duration) -> Result<Answer> {
        let first = self.times.first().copied().or(self.began);
        let first = first.context("an answer without a beginning")?;
        let choice = &self.extension["choices"][0];
        let place = match choice["session"].as_str() {
            None => None,
            Some(session) => Some(Place {
                session: session.to_string(),
                operator: choice["operator"].as_str().context("no operator")?.into(),
                seq: choice["sequence"].as_u64().context("no sequence")?,
            }),
        };
        let price = self.extension["price"].as_str().unwrap_or_default();
        let pairs = self.times.windows(2);
        Ok(Answer {
            first,
            gaps: pairs.map(|pair| pair[1].saturating_sub(pair[0])).collect(),
            total,
            output_tokens: self.usage["completion_tokens"].as_u64().unwrap_or(0),
            place,
            price: price.parse().context("no price")?,
        })
    }
}
