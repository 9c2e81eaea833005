//! The batcher's thread: admit, one pass, sample, repeat.

use std::panic::{catch_unwind, AssertUnwindSafe};

use chasqui_primitives::FinishReason;
use rayon::prelude::*;

use super::kept::{common, Conversation, Kept};
use super::{Job, OnDone, OnToken, Shared};
use crate::decoder::{Pass, Sequence};
use crate::error::{EngineError, Result};
use crate::generate::{Engine, Generation};
use crate::progress::{Chosen, Progress};

/// A request that takes part in the passes.
struct Running {
    progress: Progress,
    sequence: Sequence,
    /// Prompt tokens fed.
    fed: usize,
    bytes: usize,
    conversation: Option<Conversation>,
    on_token: OnToken,
    on_done: OnDone,
}

impl Running {
    /// Begins a request, behind what its conversation's kept cache already holds of the prompt.
    fn new(
        job: Job,
        engine: &Engine,
        kept: &mut Kept,
    ) -> std::result::Result<Self, (OnDone, EngineError)> {
        let held = job.options.conversation.and_then(|name| kept.take(&name));
        let reused = held.and_then(|(ids, sequence)| {
            let len = common(&ids, &job.request.prompt_ids);
            // No memory for the copy: the whole prompt is fed instead, or refused below.
            let prefix = sequence.prefix(engine.config(), len, job.capacity);
            prefix.ok().flatten().filter(|_| len > 0)
        });
        let sequence = match reused {
            Some(sequence) => Ok(sequence),
            None => engine.decoder().sequence(job.capacity),
        };
        match sequence {
            Ok(sequence) => Ok(Self {
                progress: {
                    let mut progress = Progress::new(job.request, engine.config().hidden_size);
                    progress.tell(job.options.top_logprobs);
                    progress.reuse(sequence.len());
                    progress
                },
                fed: sequence.len(),
                sequence,
                bytes: job.bytes,
                conversation: job.options.conversation,
                on_token: job.on_token,
                on_done: job.on_done,
            }),
            Err(error) => Err((job.on_done, error)),
        }
    }

    /// Its prompt is in the cache.
    fn decodes(&self) -> bool {
        self.fed == self.progress.prompt().len()
    }
}

/// One running request's part of a pass.
struct Share {
    index: usize,
    ids: Vec<u32>,
    /// Its last row chooses a token.
    chooses: bool,
}

pub(super) fn run(shared: &Shared) {
    let mut running: Vec<Running> = Vec::new();
    let mut kept = Kept::default();
    while admit(shared, &mut running, &mut kept) {
        let shares = plan(&running, shared.limits.pass_tokens);
        let tokens: usize = shares.iter().map(|share| share.ids.len()).sum();
        let ended = pass(&shared.engine, &mut running, &shares);
        {
            let mut state = shared.state();
            state.load.passes += 1;
            state.load.tokens += tokens as u64;
        }
        leave(shared, &mut running, &mut kept, ended);
    }
    // Closed: nobody is left without an answer.
    let waiting = std::mem::take(&mut shared.state().queue);
    let callbacks = running.into_iter().map(|one| one.on_done);
    for on_done in callbacks.chain(waiting.into_iter().map(|job| job.on_done)) {
        on_done(Err(EngineError::Compute(
            "the batcher was stopped before this request ended".into(),
        )));
    }
}

/// Lets waiting requests in, in order, while there is room; sleeps when there is nothing to do.
/// False once the batcher is closed.
fn admit(shared: &Shared, running: &mut Vec<Running>, kept: &mut Kept) -> bool {
    let mut refused = Vec::new();
    let mut state = shared.state();
    loop {
        if state.closed {
            return false;
        }
        while running.len() < shared.limits.running {
            let room = shared.limits.cache_bytes - state.load.cache_bytes;
            match state.queue.front() {
                Some(job) if job.bytes <= room => {}
                _ => break,
            }
            let Some(job) = state.queue.pop_front() else {
                break;
            };
            let bytes = job.bytes;
            let asked = job.options.conversation.is_some();
            match Running::new(job, &shared.engine, kept) {
                Ok(one) => {
                    state.load.cache_bytes += bytes;
                    if asked {
                        state.load.conversations += 1;
                        state.load.reused += u64::from(one.fed > 0);
                        state.load.reused_tokens += one.fed as u64;
                    }
                    running.push(one);
                }
                Err(failure) => refused.push(failure),
            }
        }
        state.load.queued = state.queue.len();
        state.load.running = running.len();
        (state.load.kept, state.load.kept_bytes) = (kept.len(), kept.bytes());
        if !running.is_empty() || !refused.is_empty() {
            break;
        }
        state = shared
            .wake
            .wait(state)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
    }
    drop(state);
    for (on_done, error) in refused {
        on_done(Err(error));
    }
    true
}

/// Who feeds what in the next pass: everybody who decodes one token, and with the room that is
/// left the prompts, oldest first.
fn plan(running: &[Running], pass_tokens: usize) -> Vec<Share> {
    let mut shares = Vec::new();
    for (index, one) in running.iter().enumerate() {
        if let (true, Some(id)) = (one.decodes(), one.progress.last()) {
            shares.push(Share {
                index,
                ids: vec![id],
                chooses: true,
            });
        }
    }
    // At least one prompt token a pass, or a full house of decoding requests would starve it.
    let mut room = pass_tokens.saturating_sub(shares.len()).max(1);
    for (index, one) in running.iter().enumerate() {
        let prompt = one.progress.prompt();
        let count = room.min(prompt.len() - one.fed);
        if count > 0 {
            room -= count;
            shares.push(Share {
                index,
                ids: prompt[one.fed..one.fed + count].to_vec(),
                chooses: one.fed + count == prompt.len(),
            });
        }
    }
    shares
}

/// Runs one pass; how it ended for those who leave.
fn pass(
    engine: &Engine,
    running: &mut [Running],
    shares: &[Share],
) -> Vec<(usize, Result<FinishReason>)> {
    match attempt(engine, running, shares) {
        Ok(ended) => ended,
        // One request's fault must not cost its neighbours their answers: each on its own.
        Err(Failure { retry: true, .. }) if shares.len() > 1 => {
            let alone = |share| attempt(engine, running, std::slice::from_ref(share));
            let outcomes: Vec<_> = shares.iter().map(alone).collect();
            outcomes
                .into_iter()
                .zip(shares)
                .flat_map(|(outcome, share)| match outcome {
                    Ok(ended) => ended,
                    Err(failure) => vec![(share.index, Err(failure.error()))],
                })
                .collect()
        }
        Err(failure) => {
            let fail = |share: &Share| (share.index, Err(failure.error()));
            shares.iter().map(fail).collect()
        }
    }
}

/// A pass that gave nothing.
struct Failure {
    reason: String,
    /// The caches are as they were before it.
    retry: bool,
}

impl Failure {
    fn error(&self) -> EngineError {
        EngineError::Compute(self.reason.clone())
    }
}

/// Feeds the shares and samples for those that choose.
fn attempt(
    engine: &Engine,
    running: &mut [Running],
    shares: &[Share],
) -> std::result::Result<Vec<(usize, Result<FinishReason>)>, Failure> {
    let decoder = engine.decoder();
    let lens: Vec<usize> = running.iter().map(|one| one.sequence.len()).collect();
    let states = catch_unwind(AssertUnwindSafe(|| {
        let mut of: Vec<Option<&mut Running>> = running.iter_mut().map(Some).collect();
        let mut passes: Vec<Pass<'_>> = shares
            .iter()
            .filter_map(|share| {
                let one = of[share.index].take()?;
                Some(Pass {
                    sequence: &mut one.sequence,
                    ids: &share.ids,
                    from: share.ids.len() - usize::from(share.chooses),
                })
            })
            .collect();
        let hidden = decoder.forward(&mut passes)?;
        let logits = decoder.logits(&hidden)?;
        Ok::<_, EngineError>((hidden, logits))
    }));
    let failure = match states {
        Ok(Ok(states)) => Ok(states),
        Ok(Err(error)) => Err(Failure {
            reason: error.to_string(),
            retry: true,
        }),
        Err(panic) => Err(Failure {
            reason: format!("the device failed: {}", panic_text(&*panic)),
            // A burn cache lends its buffers to the operation that was broken off.
            retry: shares
                .iter()
                .all(|share| running[share.index].sequence.is_exact()),
        }),
    };
    let (hidden, logits) = match failure {
        Ok(states) => states,
        Err(failure) => {
            for share in shares {
                running[share.index].sequence.truncate(lens[share.index]);
            }
            return Err(failure);
        }
    };
    let (width, vocab) = (engine.config().hidden_size, engine.config().vocab_size);
    // Sampling reads a whole vocabulary for each row: spread over the cores.
    let choosing: Vec<(usize, &Progress)> = shares
        .iter()
        .filter(|share| share.chooses)
        .map(|share| (share.index, &running[share.index].progress))
        .collect();
    if hidden.len() != choosing.len() * width || logits.len() != choosing.len() * vocab {
        return Err(Failure {
            reason: format!(
                "the decoder gave other rows than the {} asked for",
                choosing.len()
            ),
            retry: false,
        });
    }
    let chosen: Vec<(usize, Result<Chosen>)> = choosing
        .par_iter()
        .zip(hidden.par_chunks_exact(width))
        .zip(logits.par_chunks_exact(vocab))
        .map(|(((index, progress), hidden), logits)| (*index, progress.choose(hidden, logits)))
        .collect();
    for share in shares {
        let one = &mut running[share.index];
        if !one.decodes() {
            one.fed += share.ids.len();
        }
    }
    let mut ended = Vec::new();
    for (index, chosen) in chosen {
        let one = &mut running[index];
        let taken = match chosen {
            // A callback that panics is its own request's end.
            Ok(chosen) => catch_unwind(AssertUnwindSafe(|| {
                one.progress.take(engine, chosen, &mut *one.on_token)
            }))
            .map_err(|_| EngineError::Compute("the token callback panicked".into())),
            Err(error) => Err(error),
        };
        match taken {
            Ok(None) => {}
            Ok(Some(reason)) => ended.push((index, Ok(reason))),
            Err(error) => ended.push((index, Err(error))),
        }
    }
    Ok(ended)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it gave no reason")
}

/// Hands the ended requests their outcome and gives their memory back.
fn leave(
    shared: &Shared,
    running: &mut Vec<Running>,
    kept: &mut Kept,
    mut ended: Vec<(usize, Result<FinishReason>)>,
) {
    // From the back, so that removing one does not move the others. Order of arrival is kept.
    ended.sort_by_key(|(index, _)| std::cmp::Reverse(*index));
    for (index, outcome) in ended {
        let one = running.remove(index);
        // A cache that a failed pass wrote to is not worth a doubt.
        match one.conversation.filter(|_| outcome.is_ok()) {
            Some(name) => {
                let most = shared.limits.kept_bytes;
                kept.put(name, one.progress.ids(), one.sequence, one.bytes, most);
            }
            // The sequence's memory is back before anybody hears that the request ended.
            None => drop(one.sequence),
        }
        {
            let mut state = shared.state();
            state.load.cache_bytes -= one.bytes;
            state.load.running = running.len();
            (state.load.kept, state.load.kept_bytes) = (kept.len(), kept.bytes());
        }
        let outcome: Result<Generation> = outcome.map(|reason| one.progress.finish(reason));
        let on_done = one.on_done;
        let _ = catch_unwind(AssertUnwindSafe(|| on_done(outcome)));
    }
}
