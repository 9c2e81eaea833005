//! Answers as server-sent events, and gathered into one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{header, HeaderValue};
use axum::response::Response;
use futures::stream;
use serde_json::Value;
use tokio::sync::mpsc;

use super::answer::{extension, Frame, Whole};
use crate::error::ApiError;
use crate::generation::{Outcome, Piece};

/// A comment: clients ignore it, proxies see that somebody is there.
const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// One event.
pub fn event(data: &Value) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

/// A body of server-sent events.
pub fn response(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // nginx would hold tokens back until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Waits for all choices and puts them together.
///
/// # Errors
/// A choice broke off; the others are stopped.
pub async fn gather(
    frame: &Frame,
    choices: usize,
    mut pieces: mpsc::Receiver<(usize, Piece)>,
) -> Result<Value, ApiError> {
    let mut gathered: Vec<Whole> = (0..choices).map(|_| Whole::default()).collect();
    let mut open = choices;
    while open > 0 {
        let (index, piece) = pieces.recv().await.ok_or_else(broken_off)?;
        let Some(choice) = gathered.get_mut(index) else {
            continue;
        };
        match piece {
            Piece::Text(release) => {
                choice.text.push_str(&release.text);
                choice.tokens.extend(release.tokens);
            }
            Piece::Done(outcome) => {
                choice.outcome = Some(*outcome);
                open -= 1;
            }
            Piece::Failed(error) => return Err(*error),
        }
    }
    Ok(frame.whole(gathered))
}

fn broken_off() -> ApiError {
    ApiError::internal("The generation was broken off without a word.")
}

struct State {
    frame: Frame,
    pieces: mpsc::Receiver<(usize, Piece)>,
    keep_alive: Duration,
    /// What is to be sent before another piece is taken.
    ready: VecDeque<Bytes>,
    /// Whether a choice's first chunk was made.
    begun: Vec<bool>,
    outcomes: Vec<(usize, Outcome)>,
    ended: bool,
}

/// Streams the choices: `first` has come already, if the status line waited for it.
pub fn events(
    frame: Frame,
    choices: usize,
    first: Option<(usize, Piece)>,
    pieces: mpsc::Receiver<(usize, Piece)>,
    keep_alive: Duration,
) -> Response {
    let mut state = State {
        frame,
        pieces,
        keep_alive,
        ready: VecDeque::new(),
        begun: vec![false; choices],
        outcomes: Vec::new(),
        ended: false,
    };
    if let Some((index, piece)) = first {
        state.take(index, piece);
    }
    let body = stream::unfold(state, |mut state| async move {
        let bytes = state.next().await?;
        Some((Ok::<_, Infallible>(bytes), state))
    });
    response(Body::from_stream(body))
}

impl State {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            if self.ended {
                return None;
            }
            match tokio::time::timeout(self.keep_alive, self.pieces.recv()).await {
                Err(_) => return Some(KEEP_ALIVE),
                Ok(Some((index, piece))) => self.take(index, piece),
                Ok(None) => self.fail(&broken_off()),
            }
        }
    }

    fn take(&mut self, index: usize, piece: Piece) {
        match piece {
            Piece::Text(release) => {
                let Some(begun) = self.begun.get_mut(index) else {
                    return;
                };
                let first = !std::mem::replace(begun, true);
                if first || !release.is_empty() {
                    let chunk = self.frame.text(index, &release, first);
                    self.ready.push_back(event(&chunk));
                }
            }
            Piece::Done(outcome) => self.done(index, *outcome),
            Piece::Failed(error) => self.fail(&error),
        }
    }

    fn done(&mut self, index: usize, outcome: Outcome) {
        self.outcomes.push((index, outcome.clone()));
        let last = self.outcomes.len() == self.begun.len();
        if last {
            self.outcomes.sort_by_key(|(index, _)| *index);
        }
        let own = (last && !self.frame.include_usage).then(|| extension(&self.outcomes));
        let chunk = self.frame.end(index, &outcome, own);
        self.ready.push_back(event(&chunk));
        if last {
            if self.frame.include_usage {
                let counts = self.frame.counts(&self.outcomes);
                self.ready.push_back(event(&counts));
            }
            self.ready
                .push_back(Bytes::from_static(b"data: [DONE]\n\n"));
            self.ended = true;
        }
    }

    /// Ends the stream with the error; the other choices stop when it is dropped.
    fn fail(&mut self, error: &ApiError) {
        self.ready.push_back(event(&error.json()));
        self.ended = true;
        self.pieces.close();
    }
}
