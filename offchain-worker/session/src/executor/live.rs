//! An answer while it is made: its tokens so far, and who follows it.
//!
//! Several streams may follow one answer: a client whose connection broke asks again, and goes on where the answer is,
//! whether or not the executor has noticed the break. When nobody follows any more, the computation stops.

use crate::{
    wire::{frame, Event, Refusal, RefusalCode, Token, MAX_FRAME_TOKENS},
    SignedReceipt,
};
use bytes::Bytes;
use chasqui_primitives::session::Seq;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How an answer ends.
#[derive(Debug, Clone)]
pub(super) enum End {
    Receipt(Box<SignedReceipt>),
    Failed(Refusal),
}

#[derive(Debug, Default)]
struct State {
    tokens: Vec<Token>,
    /// The most tokens that any follower took.
    delivered: usize,
    followers: usize,
    end: Option<End>,
}

/// An answer that is being made, or one that is sent again.
#[derive(Debug)]
pub(super) struct Live {
    seq: Seq,
    stored: bool,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Live {
    /// One that begins.
    pub(super) fn new(seq: Seq) -> Arc<Self> {
        Arc::new(Self {
            seq,
            stored: false,
            state: Mutex::default(),
            changed: watch::Sender::new(()),
        })
    }

    /// One that is whole.
    pub(super) fn whole(seq: Seq, output: &[u32], receipt: SignedReceipt) -> Arc<Self> {
        let tokens = output.iter().map(|id| Token {
            id: *id,
            logprobs: None,
        });
        Arc::new(Self {
            seq,
            stored: true,
            state: Mutex::new(State {
                tokens: tokens.collect(),
                end: Some(End::Receipt(Box::new(receipt))),
                ..State::default()
            }),
            changed: watch::Sender::new(()),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next token. `false` when nobody wants more.
    pub(super) fn push(&self, token: Token) -> bool {
        let wanted = {
            let mut state = self.state();
            state.tokens.push(token);
            state.followers > 0
        };
        self.changed.send_replace(());
        wanted
    }

    /// Decides how many of the tokens the answer is: all while somebody follows, else those that were delivered.
    pub(super) fn cut(&self) -> usize {
        let mut state = self.state();
        if state.followers == 0 {
            let delivered = state.delivered;
            state.tokens.truncate(delivered);
        }
        state.tokens.len()
    }

    /// Ends it, unless it has ended.
    pub(super) fn end(&self, end: End) {
        self.state().end.get_or_insert(end);
        self.changed.send_replace(());
    }

    /// Ends it with the answer that was written down before.
    pub(super) fn replace(&self, output: &[u32], receipt: SignedReceipt) {
        let mut state = self.state();
        let shown = state.delivered;
        // What somebody has seen cannot be taken back.
        let fits = shown <= output.len()
            && (state.tokens.iter().zip(output).take(shown)).all(|(token, id)| token.id == *id);
        let end = if fits {
            state.tokens.truncate(shown);
            let rest = output.iter().skip(shown);
            state.tokens.extend(rest.map(|id| Token {
                id: *id,
                logprobs: None,
            }));
            End::Receipt(Box::new(receipt))
        } else {
            End::Failed(Refusal::new(
                RefusalCode::Internal,
                "request",
                "it was answered before; send it again for that answer",
            ))
        };
        state.end.get_or_insert(end);
        drop(state);
        self.changed.send_replace(());
    }

    /// A stream of its frames from the first token on.
    pub(super) fn follow(self: &Arc<Self>) -> Follower {
        self.state().followers += 1;
        Follower {
            changed: self.changed.subscribe(),
            live: self.clone(),
            place: Place::Begin,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Begin,
    Token(usize),
    Ended,
}

/// Somebody who follows an answer.
#[derive(Debug)]
pub(super) struct Follower {
    live: Arc<Live>,
    changed: watch::Receiver<()>,
    place: Place,
}

impl Follower {
    /// The next frame; `None` after the last.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.changed.mark_unchanged();
            match self.place {
                Place::Ended => return None,
                Place::Begin => {
                    self.place = Place::Token(0);
                    return Some(frame(&Event::Accepted {
                        seq: self.live.seq,
                        stored: self.live.stored,
                    }));
                }
                Place::Token(from) => {
                    let mut state = self.live.state();
                    let tokens: Vec<Token> = state
                        .tokens
                        .iter()
                        .skip(from)
                        .take(MAX_FRAME_TOKENS)
                        .cloned()
                        .collect();
                    if !tokens.is_empty() {
                        let to = from + tokens.len();
                        state.delivered = state.delivered.max(to);
                        self.place = Place::Token(to);
                        return Some(frame(&Event::Tokens(tokens)));
                    }
                    if let Some(end) = state.end.clone() {
                        self.place = Place::Ended;
                        return Some(frame(&match end {
                            End::Receipt(receipt) => Event::Receipt(*receipt),
                            End::Failed(refusal) => Event::Failed(refusal),
                        }));
                    }
                }
            }
            // The sender lives in `live`, which this holds.
            if self.changed.changed().await.is_err() {
                return None;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.live.state().followers -= 1;
    }
}
