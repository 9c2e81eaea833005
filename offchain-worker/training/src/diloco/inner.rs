//! Inner steps of a round: the trainer that a run's recipe describes.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use chasqui_engine::config::LlamaConfig;
use chasqui_engine::model::Llama;
use chasqui_primitives::training::{InnerOptimizer, Recipe, Schedule, Trains};
use sp_core::H256;

use super::codec::Coder;
use super::dataset::Dataset;
use super::outer::OuterState;
use super::plan::RoundPlan;
use super::state::{StateShape, TrainState};
use crate::adapter::{adapter_config, LowRank};
use crate::error::{Result, TrainingError};
use crate::flat::Layout;
use crate::optim::{AdamWConfig, CosineSchedule};
use crate::train::{Distillation, StepReport, TrainConfig, Trainer};

/// What happens on this machine only; no setting here changes a bit of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Micro-batches computed at the same time.
    pub threads: usize,
}

/// A run's trainer, for any member's state.
pub struct Inner {
    recipe: Recipe,
    trainer: Trainer,
    coder: Coder,
    shape: StateShape,
    /// The weights that the run begins with; empty for an adapter.
    begin: Vec<f32>,
}

impl Inner {
    /// For runs of `recipe` on models like `base`, on `device` (given without autodiff). Where the recipe trains an adapter,
    /// `base` is the frozen one.
    ///
    /// # Errors
    /// A setting is out of range, or the recipe wants a teacher: see [`Self::with_teacher`].
    pub fn new(base: &Llama, recipe: &Recipe, local: Local, device: Device) -> Result<Self> {
        let trainer = Self::trainer(base, recipe, local, device)?;
        let trainer = match recipe.trains {
            Trains::Full => trainer,
            Trains::Adapter {
                rank,
                alpha_milli,
                targets,
            } => {
                let config = adapter_config(rank, alpha_milli, targets);
                let frozen = trainer.params().to_vec();
                let adapter = LowRank::new(base.config(), trainer.layout(), frozen, config)?;
                let params = adapter.init(0);
                trainer.with_adapter(adapter, params)?
            }
            Trains::Distil { .. } => {
                return Err(TrainingError::setting(
                    "trains",
                    "learns from a teacher, and none was given",
                ))
            }
        };
        Self::around(trainer, recipe)
    }

    /// For runs whose recipe names a teacher, which is on `device`.
    ///
    /// # Errors
    /// A setting is out of range, the teacher has another vocabulary, or the recipe wants none.
    pub fn with_teacher(
        base: &Llama,
        teacher: Llama,
        recipe: &Recipe,
        local: Local,
        device: Device,
    ) -> Result<Self> {
        let Trains::Distil {
            temperature_milli,
            share_ppm,
            ..
        } = recipe.trains
        else {
            return Err(TrainingError::setting("trains", "needs no teacher"));
        };
        let settings = Distillation {
            temperature: f64::from(temperature_milli) / 1e3,
            share: f64::from(share_ppm) / 1e6,
        };
        let trainer = Self::trainer(base, recipe, local, device)?;
        Self::around(trainer.with_teacher(teacher, settings)?, recipe)
    }

    fn trainer(base: &Llama, recipe: &Recipe, local: Local, device: Device) -> Result<Trainer> {
        let config = TrainConfig {
            // Weights always come from a state.
            seed: 0,
            micro_batch: recipe.micro_batch as usize,
            threads: local.threads,
            optimizer: optimizer(&recipe.optimizer),
            schedule: schedule(&recipe.schedule),
            max_gradient_norm: f64::from(recipe.clip_milli) / 1e3,
        };
        Trainer::from_model(base, config, device)
    }

    fn around(trainer: Trainer, recipe: &Recipe) -> Result<Self> {
        let len = trainer.layout().len();
        let coder = Coder::new(recipe.codec, len)?;
        let begin = match trainer.adapter() {
            Some(_) => Vec::new(),
            None => trainer.params().to_vec(),
        };
        Ok(Self {
            begin,
            recipe: *recipe,
            shape: StateShape {
                params: len,
                residual: coder.residual_len(),
                optimizer: optimizer(&recipe.optimizer),
            },
            trainer,
            coder,
        })
    }

    /// What a run begins with: the base's weights, or an adapter that changes nothing yet, out of `seed`.
    pub fn start(&self, seed: u64) -> OuterState {
        OuterState::new(match self.trainer.adapter() {
            Some(adapter) => adapter.init(seed),
            None => self.begin.clone(),
        })
    }

    /// Writes what a run has made into `dir`: `config.json` and weights, or an adapter's folder on the base `parent`.
    ///
    /// # Errors
    /// `params` do not fit, or a file cannot be written.
    pub fn save(&mut self, params: &[f32], parent: Option<H256>, dir: &Path) -> Result<()> {
        match self.trainer.adapter() {
            Some(adapter) => adapter.save(params, parent, dir),
            None => Ok(self.model(params)?.save_hf(dir)?),
        }
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Order and shapes of what is trained.
    pub fn layout(&self) -> &Layout {
        self.trainer.layout()
    }

    /// The codec for these parameters.
    pub fn coder(&self) -> &Coder {
        &self.coder
    }

    /// How large states are.
    pub fn shape(&self) -> &StateShape {
        &self.shape
    }

    /// The network's configuration.
    pub fn model_config(&self) -> &LlamaConfig {
        self.trainer.model_config()
    }

    /// The network with these weights, or with the adapter that they are.
    ///
    /// # Errors
    /// They do not fit.
    pub fn model(&mut self, params: &[f32]) -> Result<Llama> {
        let optimizer = self.trainer.optimizer().clone();
        self.trainer.load(params.to_vec(), optimizer)?;
        self.trainer.model()
    }

    /// Refuses a dataset that the recipe cannot be followed on.
    ///
    /// # Errors
    /// Its vocabulary is larger than the model's, or it has no whole sequence.
    pub fn check_dataset(&self, dataset: &Dataset) -> Result<()> {
        dataset.check_fits(None, self.model_config().vocab_size)?;
        match dataset.header().sequences(self.recipe.sequence) {
            0 => Err(TrainingError::setting(
                "sequence",
                format!(
                    "is {}, the dataset has {} tokens to train on",
                    self.recipe.sequence,
                    dataset.header().training()
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Takes the inner steps `from..to` of a round, counted from 0, beginning at `state`; `on_step` sees each and may stop
    /// it.
    ///
    /// # Errors
    /// The data cannot be read, training diverges ([`TrainingError::Diverged`]), or it was stopped
    /// ([`TrainingError::Stopped`]).
    pub fn run(
        &mut self,
        state: TrainState,
        plan: &RoundPlan,
        dataset: &Dataset,
        from: u32,
        to: u32,
        mut on_step: impl FnMut(&StepReport) -> ControlFlow<()>,
    ) -> Result<TrainState> {
        let TrainState {
            params,
            optimizer,
            residual,
            ..
        } = state;
        self.trainer.load(params, optimizer)?;
        for step in from..to {
            let batch = plan.batch(&self.recipe, dataset, step)?;
            let report = self
                .trainer
                .step_at(&batch, plan.schedule_step(&self.recipe, step))?;
            if on_step(&report).is_break() {
                return Err(TrainingError::Stopped);
            }
        }
        Ok(TrainState {
            params: self.trainer.params().to_vec(),
            optimizer: self.trainer.optimizer().clone(),
            residual,
            next_sequence: plan.cursor(&self.recipe, to),
        })
    }
}

/// The optimiser's settings in its own arithmetic.
pub fn optimizer(settings: &InnerOptimizer) -> AdamWConfig {
    let InnerOptimizer::AdamW {
        beta1_ppm,
        beta2_ppm,
        epsilon_e12,
        weight_decay_ppm,
    } = *settings;
    let part = |ppm: u32| (f64::from(ppm) / 1e6) as f32;
    AdamWConfig {
        beta1: part(beta1_ppm),
        beta2: part(beta2_ppm),
        epsilon: (f64::from(epsilon_e12) / 1e12) as f32,
        weight_decay: part(weight_decay_ppm),
    }
}

/// The schedule in the trainer's own arithmetic.
pub fn schedule(settings: &Schedule) -> CosineSchedule {
    CosineSchedule {
        peak: f64::from(settings.peak_nano) / 1e9,
        warmup: u64::from(settings.warmup_steps),
        steps: u64::from(settings.total_steps),
        floor: f64::from(settings.floor_ppm) / 1e6,
    }
}
