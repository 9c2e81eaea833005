//! Cosines and sines of the rotary embedding, made once for each position that is reached.

use std::sync::OnceLock;

use crate::config::LlamaConfig;

/// Positions that are made at once.
const BLOCK: usize = 256;

/// Rotary table of a model, grown as positions are reached and never rebuilt.
#[derive(Debug)]
pub(crate) struct RopeTable {
    /// Radians a token, one a plane.
    frequencies: Vec<f32>,
    /// `[BLOCK, 2, planes]`: a position's cosines, then its sines.
    blocks: Vec<OnceLock<Box<[f32]>>>,
}

impl RopeTable {
    /// For the positions of `config`'s context.
    pub(crate) fn new(config: &LlamaConfig) -> Self {
        let blocks = config.max_position_embeddings.div_ceil(BLOCK);
        Self {
            frequencies: config.inverse_frequencies(),
            blocks: (0..blocks).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Cosines and sines of `position`, each `[planes]`. `position` lies in the context.
    pub(crate) fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let planes = self.frequencies.len();
        let first = position / BLOCK * BLOCK;
        let block = self.blocks[position / BLOCK].get_or_init(|| self.block(first));
        let row = &block[(position - first) * 2 * planes..][..2 * planes];
        row.split_at(planes)
    }

    fn block(&self, first: usize) -> Box<[f32]> {
        let mut values = Vec::with_capacity(BLOCK * 2 * self.frequencies.len());
        for position in first..first + BLOCK {
            // The product is rounded to f32 as in the reference implementation.
            let angle = |frequency: &f32| f64::from(position as f32 * frequency);
            values.extend(self.frequencies.iter().map(|f| libm::cos(angle(f)) as f32));
            values.extend(self.frequencies.iter().map(|f| libm::sin(angle(f)) as f32));
        }
        values.into()
    }
}
