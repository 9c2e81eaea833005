//! Low-rank adapters in training: a small vector that is trained, and the frozen weights that it changes.
//!
//! The trainer works on the small vector. Before a step it becomes weights ([`LowRank::expand`], with the very function by
//! which the engine loads an adapter); after it the gradient of the weights becomes the gradient of the small vector
//! ([`LowRank::pull_back`]). Both are plain host arithmetic in a fixed order, so adapters are replayed like everything else.
//! The gradient of the whole base is held for a moment: memory is saved in optimiser, states and traffic, not there.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use chasqui_engine::config::LlamaConfig;
use chasqui_engine::philox::{key_from_u64, normal_pair};
use chasqui_engine::weights::{
    adapter_names, add_low_rank, save_adapter, AdapterConfig, ADAPTER_CONFIG,
};
use chasqui_primitives::training::AdapterTargets;
use sp_core::H256;

use crate::error::{Result, TrainingError};
use crate::flat::Layout;

/// One matrix of the base that is changed.
#[derive(Clone, Debug)]
struct Target {
    /// In the base's flat vector.
    weight: Range<usize>,
    /// Width of its rows.
    input: usize,
    /// `[rank, in]` in the adapter's flat vector.
    a: Range<usize>,
    /// `[out, rank]`.
    b: Range<usize>,
}

/// An adapter on a frozen base.
#[derive(Clone, Debug)]
pub struct LowRank {
    config: AdapterConfig,
    frozen: Vec<f32>,
    layout: Layout,
    targets: Vec<Target>,
}

impl LowRank {
    /// An adapter for `base`, whose weights `frozen` have the layout `weights`.
    ///
    /// # Errors
    /// A setting is out of range, or the weights do not fit the layout.
    pub fn new(
        base: &LlamaConfig,
        weights: &Layout,
        frozen: Vec<f32>,
        config: AdapterConfig,
    ) -> Result<Self> {
        if frozen.len() != weights.len() {
            return Err(TrainingError::Layout(format!(
                "{} frozen values for {} parameters",
                frozen.len(),
                weights.len()
            )));
        }
        let rank = config.r;
        let paths = config.targets(base, Path::new(ADAPTER_CONFIG))?;
        let shapes = paths.iter().flat_map(|(path, [out, input])| {
            let [a, b] = adapter_names(path);
            [(a, vec![rank, *input]), (b, vec![*out, rank])]
        });
        let layout = Layout::from_shapes(shapes);
        let entry = |layout: &Layout, name: &str| {
            layout
                .entries()
                .into_iter()
                .find(|entry| entry.path == name)
                .map(|entry| entry.range.clone())
                .ok_or_else(|| TrainingError::Layout(format!("no parameter `{name}`")))
        };
        let targets = paths
            .iter()
            .map(|(path, [_, input])| {
                let [a, b] = adapter_names(path);
                Ok(Target {
                    weight: entry(weights, &format!("{path}.weight"))?,
                    input: *input,
                    a: entry(&layout, &a)?,
                    b: entry(&layout, &b)?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            config,
            frozen,
            layout,
            targets,
        })
    }

    /// Order and shapes of what is trained.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the adapter is.
    pub fn config(&self) -> &AdapterConfig {
        &self.config
    }

    /// The vector that training begins with, out of a seed: `a` normal with a standard deviation of one over the root of
    /// its width, `b` zero, so that the adapted model is the base.
    pub fn init(&self, seed: u64) -> Vec<f32> {
        let mut values = vec![0.0; self.layout.len()];
        for (target, stream) in self.targets.iter().zip(1u64..) {
            let key = key_from_u64(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let deviation = (1.0 / target.input as f64).sqrt();
            for (pair, counter) in values[target.a.clone()].chunks_mut(2).zip(0u64..) {
                for (value, normal) in pair.iter_mut().zip(normal_pair(key, counter)) {
                    *value = (normal * deviation) as f32;
                }
            }
        }
        values
    }

    /// The base's weights, changed by `trained`.
    ///
    /// # Errors
    /// `trained` has another length.
    pub fn expand(&self, trained: &[f32]) -> Result<Vec<f32>> {
        self.check(trained)?;
        let scale = self.config.scale();
        let mut weights = self.frozen.clone();
        for target in &self.targets {
            let (a, b) = (&trained[target.a.clone()], &trained[target.b.clone()]);
            let weight = &mut weights[target.weight.clone()];
            add_low_rank(weight, target.input, a, b, scale);
        }
        Ok(weights)
    }

    /// The gradient of the adapter at `trained`, given the gradient `full` of the weights: `s Bᵀ G` and `s G Aᵀ`, sums in
    /// order in f32.
    ///
    /// # Errors
    /// A vector has another length.
    pub fn pull_back(&self, trained: &[f32], full: &[f32]) -> Result<Vec<f32>> {
        self.check(trained)?;
        if full.len() != self.frozen.len() {
            return Err(TrainingError::Layout(format!(
                "{} gradients for {} parameters",
                full.len(),
                self.frozen.len()
            )));
        }
        let (rank, scale) = (self.config.r, self.config.scale());
        let mut gradient = vec![0.0f32; trained.len()];
        for target in &self.targets {
            let (a, b) = (&trained[target.a.clone()], &trained[target.b.clone()]);
            let rows = full[target.weight.clone()].chunks_exact(target.input);
            let mut da = vec![0.0f32; a.len()];
            let mut db = vec![0.0f32; b.len()];
            for ((g, factors), out) in rows
                .zip(b.chunks_exact(rank))
                .zip(db.chunks_exact_mut(rank))
            {
                for (k, values) in a.chunks_exact(target.input).enumerate() {
                    let mut sum = 0.0f32;
                    for (x, y) in g.iter().zip(values) {
                        sum += x * y;
                    }
                    out[k] = scale * sum;
                    let factor = scale * factors[k];
                    let row = &mut da[k * target.input..(k + 1) * target.input];
                    for (sum, x) in row.iter_mut().zip(g) {
                        *sum += factor * x;
                    }
                }
            }
            gradient[target.a.clone()].copy_from_slice(&da);
            gradient[target.b.clone()].copy_from_slice(&db);
        }
        Ok(gradient)
    }

    /// Writes the adapter's folder, as the engine loads it; `parent` is the root of the base's checkpoint.
    ///
    /// # Errors
    /// `trained` has another length, or a file cannot be written.
    pub fn save(&self, trained: &[f32], parent: Option<H256>, dir: &Path) -> Result<()> {
        self.check(trained)?;
        let mut config = self.config.clone();
        config.parent = parent.map(|root| format!("{root:?}")).or(config.parent);
        let tensors: Vec<(String, Vec<usize>, Vec<f32>)> = self
            .layout
            .entries()
            .into_iter()
            .map(|entry| {
                let values = trained[entry.range.clone()].to_vec();
                (entry.path.clone(), entry.shape.clone(), values)
            })
            .collect();
        Ok(save_adapter(dir, &config, &tensors)?)
    }

    fn check(&self, trained: &[f32]) -> Result<()> {
        match trained.len() == self.layout.len() {
            true => Ok(()),
            false => Err(TrainingError::Layout(format!(
                "{} values for an adapter of {}",
                trained.len(),
                self.layout.len()
            ))),
        }
    }
}

/// The configuration that a recipe's terms name.
pub fn adapter_config(rank: u16, alpha_milli: u32, targets: AdapterTargets) -> AdapterConfig {
    let names = [
        (AdapterTargets::QUERY, "q_proj"),
        (AdapterTargets::KEY, "k_proj"),
        (AdapterTargets::VALUE, "v_proj"),
        (AdapterTargets::OUTPUT, "o_proj"),
        (AdapterTargets::GATE, "gate_proj"),
        (AdapterTargets::UP, "up_proj"),
        (AdapterTargets::DOWN, "down_proj"),
    ];
    let targets: BTreeSet<String> = names
        .into_iter()
        .filter(|(target, _)| targets.contains(*target))
        .map(|(_, name)| name.to_owned())
        .collect();
    AdapterConfig {
        r: rank.into(),
        lora_alpha: f64::from(alpha_milli) / 1e3,
        target_modules: targets,
        parent: None,
    }
}
