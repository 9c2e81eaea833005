//! Continuous batching: many requests share each pass over the weights.
//!
//! Decoding one token reads every weight once, so a pass that decodes for eight requests costs
//! little more than a pass for one. Requests join and leave between passes (iteration-level
//! scheduling, as in Orca, Yu et al. 2022); long prompts are fed in pieces, so that they do not
//! hold up those that already decode. Every decoder computes a row the same way whatever stands
//! beside it, so a request's tokens do not depend on its neighbours.
//!
//! One thread runs the passes. A request is admitted when its whole key-value cache fits the
//! memory bound, in the order of arrival: what was admitted always ends.

mod run;

use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{mpsc, Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::error::{EngineError, Result};
use crate::generate::{Engine, GenerateRequest, Generation, TokenEvent};
use crate::logprobs::{TokenLogprobs, MAX_TOP_LOGPROBS};
use crate::progress::Progress;

/// Sees every token of a request as it is made; [`ControlFlow::Break`] ends the request.
/// Log-probabilities come with it where the request asked for them.
pub type OnToken = Box<dyn FnMut(TokenEvent, Option<TokenLogprobs>) -> ControlFlow<()> + Send>;
/// Gets a request's outcome, once, on the batcher's thread: it must not block.
pub type OnDone = Box<dyn FnOnce(Result<Generation>) + Send>;

/// What a batcher may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most requests that share a pass.
    pub running: usize,
    /// Most requests that wait for their turn; one more is refused.
    pub queued: usize,
    /// Most prompt and output tokens in one pass.
    pub pass_tokens: usize,
    /// Most bytes of key-value caches of running requests together.
    pub cache_bytes: usize,
}

impl Default for Limits {
    /// 64 running, 1,024 waiting, 256 tokens a pass, 2 GiB of caches.
    fn default() -> Self {
        Self {
            running: 64,
            queued: 1_024,
            pass_tokens: 256,
            cache_bytes: 2 << 30,
        }
    }
}

/// What a batcher is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests that share the passes.
    pub running: usize,
    /// Requests that wait.
    pub queued: usize,
    /// Bytes of key-value caches reserved for the running ones.
    pub cache_bytes: usize,
    /// Passes since the start.
    pub passes: u64,
    /// Prompt and output tokens fed since the start.
    pub tokens: u64,
}

/// A request as the queue holds it.
struct Job {
    request: GenerateRequest,
    top_logprobs: Option<usize>,
    capacity: usize,
    bytes: usize,
    on_token: OnToken,
    on_done: OnDone,
}

struct State {
    queue: VecDeque<Job>,
    load: Load,
    closed: bool,
}

struct Shared {
    engine: Arc<Engine>,
    limits: Limits,
    state: Mutex<State>,
    wake: Condvar,
}

impl Shared {
    /// No user code runs under the lock, so a poisoned one holds a consistent state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs requests of one model together. Dropping it cancels what is running and waiting.
pub struct Batcher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Batcher {
    /// A batcher over `engine`.
    ///
    /// # Errors
    /// A limit is 0, or no thread can be started.
    pub fn new(engine: Arc<Engine>, limits: Limits) -> Result<Self> {
        for (field, value) in [
            ("running", limits.running),
            ("queued", limits.queued),
            ("pass_tokens", limits.pass_tokens),
            ("cache_bytes", limits.cache_bytes),
        ] {
            if value == 0 {
                return Err(EngineError::request(field, "is 0; must be at least 1"));
            }
        }
        let shared = Arc::new(Shared {
            engine,
            limits,
            state: Mutex::new(State {
                queue: VecDeque::new(),
                load: Load::default(),
                closed: false,
            }),
            wake: Condvar::new(),
        });
        let runner = shared.clone();
        let thread = std::thread::Builder::new()
            .name("batcher".into())
            .spawn(move || run::run(&runner))
            .map_err(|error| EngineError::Compute(format!("starting a thread: {error}")))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// The engine that computes.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.shared.engine
    }

    /// What it is doing now.
    pub fn load(&self) -> Load {
        self.shared.state().load
    }

    /// Queues a request; `on_token` sees each token, `on_done` the outcome. Both are called on the
    /// batcher's thread and must not block.
    ///
    /// # Errors
    /// As [`Engine::check`]; the request's cache alone exceeds the memory bound; the queue is full
    /// ([`EngineError::Busy`]). `on_done` is not called then.
    pub fn submit(
        &self,
        request: GenerateRequest,
        mut on_token: impl FnMut(TokenEvent) -> ControlFlow<()> + Send + 'static,
        on_done: impl FnOnce(Result<Generation>) + Send + 'static,
    ) -> Result<()> {
        self.submit_scored(request, None, move |token, _| on_token(token), on_done)
    }

    /// As [`Self::submit`]; with `top_logprobs`, every token comes with its log-probability and
    /// those of that many alternatives (see [`token_logprobs`](crate::logprobs::token_logprobs)).
    ///
    /// # Errors
    /// As [`Self::submit`], or more alternatives than
    /// [`MAX_TOP_LOGPROBS`](crate::logprobs::MAX_TOP_LOGPROBS).
    pub fn submit_scored(
        &self,
        request: GenerateRequest,
        top_logprobs: Option<usize>,
        on_token: impl FnMut(TokenEvent, Option<TokenLogprobs>) -> ControlFlow<()> + Send + 'static,
        on_done: impl FnOnce(Result<Generation>) + Send + 'static,
    ) -> Result<()> {
        if let Some(top) = top_logprobs.filter(|top| *top > MAX_TOP_LOGPROBS) {
            return Err(EngineError::request(
                "top_logprobs",
                format!("is {top}; at most {MAX_TOP_LOGPROBS} are computed"),
            ));
        }
        let Shared { engine, limits, .. } = &*self.shared;
        engine.check(&request.prompt_ids, &request.sampling)?;
        let capacity = Progress::capacity(&request);
        let bytes = engine.decoder().sequence_bytes(capacity);
        if bytes > limits.cache_bytes {
            return Err(EngineError::request(
                "max_tokens",
                format!(
                    "prompt and output need {bytes} bytes of cache; this worker allows {}",
                    limits.cache_bytes
                ),
            ));
        }
        let job = Job {
            request,
            top_logprobs,
            capacity,
            bytes,
            on_token: Box::new(on_token),
            on_done: Box::new(on_done),
        };
        let mut state = self.shared.state();
        if state.queue.len() >= limits.queued {
            return Err(EngineError::Busy {
                queued: limits.queued,
            });
        }
        state.queue.push_back(job);
        state.load.queued = state.queue.len();
        drop(state);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Queues a request and waits for its outcome.
    ///
    /// # Errors
    /// As [`Self::submit`] and [`Engine::generate`].
    pub fn generate(
        &self,
        request: GenerateRequest,
        on_token: impl FnMut(TokenEvent) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Generation> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.submit(request, on_token, move |outcome| {
            // Nobody waits any more: nothing to tell.
            let _ = sender.send(outcome);
        })?;
        receiver
            .recv()
            .map_err(|_| EngineError::Compute("the batcher was stopped".into()))?
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // Whoever drops the last handle inside a callback is that thread itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl fmt::Debug for Batcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher")
            .field("limits", &self.shared.limits)
            .field("load", &self.load())
            .finish_non_exhaustive()
    }
}
