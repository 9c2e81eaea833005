//! Many runs at once, as a batching executor makes them.

use anyhow::Result;
use chasqui_engine::{
    fingerprint::Fingerprinter,
    sampling::{sample, Sampling},
};
use chasqui_primitives::trace::TraceLeaf;

use super::machine::{Feed, Machine};

/// One run of a batch.
#[derive(Clone)]
pub struct Order {
    /// What the model reads first.
    pub prompt: Vec<u32>,
    /// Tokens that the sampling noise counts before the first of `prompt`.
    pub skipped: usize,
    /// How tokens follow from logits; end tokens do not end the run.
    pub sampling: Sampling,
    /// Seed of the fingerprints.
    pub seed: [u8; 32],
    /// Output tokens.
    pub tokens: usize,
}

/// Runs all `orders` together, in passes of one ragged batch: first all prompts, then a token of each.
///
/// # Errors
/// The machine's, and a logit that is not finite.
pub fn generate(machine: &Machine, orders: &[Order]) -> Result<Vec<Vec<TraceLeaf>>> {
    let config = machine.config();
    let (width, vocab) = (config.hidden_size, config.vocab_size);
    let fingerprinters: Vec<Fingerprinter> = orders
        .iter()
        .map(|order| Fingerprinter::new(&order.seed, width))
        .collect();
    let mut caches = orders
        .iter()
        .map(|order| machine.cache(order.prompt.len() + order.tokens))
        .collect::<Result<Vec<_>, _>>()?;
    let mut traces: Vec<Vec<TraceLeaf>> = vec![Vec::new(); orders.len()];
    let mut next: Vec<Vec<u32>> = orders.iter().map(|order| order.prompt.clone()).collect();
    loop {
        let running: Vec<usize> = (0..orders.len())
            .filter(|run| traces[*run].len() < orders[*run].tokens)
            .collect();
        if running.is_empty() {
            return Ok(traces);
        }
        let mut feeds: Vec<Feed<'_>> = caches
            .iter_mut()
            .zip(&next)
            .enumerate()
            .filter(|(run, _)| running.contains(run))
            .map(|(_, (cache, ids))| Feed {
                cache,
                ids,
                from: ids.len() - 1,
            })
            .collect();
        let hidden = machine.forward(&mut feeds)?;
        let logits = machine.logits(&hidden)?;
        let rows = hidden.chunks_exact(width).zip(logits.chunks_exact(vocab));
        for (run, (hidden, logits)) in running.into_iter().zip(rows) {
            let order = &orders[run];
            let position = order.skipped + order.prompt.len() + traces[run].len();
            let token = sample(logits, &order.sampling, position as u64)?;
            let fingerprint = fingerprinters[run].fingerprint(hidden)?;
            traces[run].push(TraceLeaf { token, fingerprint });
            next[run] = vec![token];
        }
    }
}
