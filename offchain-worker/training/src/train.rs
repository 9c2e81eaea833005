//! Gradient steps and the loss on text that was not trained on.

use std::borrow::Cow;

use burn::tensor::{activation, Device, Int, Tensor, TensorData};
use chasqui_engine::config::LlamaConfig;
use chasqui_engine::model::Llama;

use crate::adapter::LowRank;
use crate::error::{Result, TrainingError};
use crate::flat::Layout;
use crate::optim::{clip_global_norm, AdamW, AdamWConfig, CosineSchedule};

/// Settings of a [`Trainer`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainConfig {
    /// Seed of the initial weights.
    pub seed: u64,
    /// Sequences that one gradient is computed on at once. Part of what fixes the bits of the
    /// result; the number of threads is not.
    pub micro_batch: usize,
    /// Micro-batches computed at the same time.
    pub threads: usize,
    /// Optimiser.
    pub optimizer: AdamWConfig,
    /// Learning rate over the steps.
    pub schedule: CosineSchedule,
    /// Largest Euclidean norm of the whole gradient.
    pub max_gradient_norm: f64,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Number of the step, from 0.
    pub step: u64,
    /// Mean cross-entropy of the batch before the step, in nats a token.
    pub loss: f64,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
}

/// A teacher whose predictions a student learns from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distillation {
    /// Both models' logits are divided by it before they are compared; above 0.
    pub temperature: f64,
    /// The teacher's share of the loss, in `(0, 1]`; the rest is the data's.
    pub share: f64,
}

/// A model in training: weights and optimiser state on the host, gradients by micro-batches.
pub struct Trainer {
    config: TrainConfig,
    /// Of what is trained: all weights, or an adapter.
    layout: Layout,
    /// Of the network's weights.
    network: Layout,
    params: Vec<f32>,
    optimizer: AdamW,
    adapter: Option<LowRank>,
    teacher: Option<(Llama, Distillation)>,
    /// Built once for its structure; its weights are replaced before every use.
    tracked: Llama,
    plain: Llama,
    tracked_device: Device,
    device: Device,
}

impl Trainer {
    /// A freshly initialised model on `device` (given without autodiff).
    ///
    /// # Errors
    /// A setting is out of range, or the engine refuses the model's configuration.
    pub fn new(model: &LlamaConfig, config: TrainConfig, device: Device) -> Result<Self> {
        let fresh = model.init(config.seed, &device);
        Self::from_model(&fresh, config, device)
    }

    /// Goes on with the weights of `model`, a new optimiser and step 0; the seed is not used.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn from_model(model: &Llama, config: TrainConfig, device: Device) -> Result<Self> {
        for (field, value) in [
            ("micro_batch", config.micro_batch),
            ("threads", config.threads),
        ] {
            if value == 0 {
                return Err(TrainingError::setting(field, "is 0, must be at least 1"));
            }
        }
        let tracked_device = device.clone().autodiff();
        // Structures only: weights are written into them before every use.
        let tracked = model.config().init(config.seed, &tracked_device);
        let plain = model.config().init(config.seed, &device);
        let layout = Layout::of(&plain);
        let params = layout.read(model)?;
        let optimizer = AdamW::new(config.optimizer, layout.len());
        Ok(Self {
            config,
            network: layout.clone(),
            layout,
            params,
            optimizer,
            adapter: None,
            teacher: None,
            tracked,
            plain,
            tracked_device,
            device,
        })
    }

    /// Trains `adapter` from now on, beginning with `params`, and a new optimiser; the network's own weights are those that
    /// the adapter holds frozen.
    ///
    /// # Errors
    /// `params` do not fit the adapter.
    pub fn with_adapter(mut self, adapter: LowRank, params: Vec<f32>) -> Result<Self> {
        adapter.expand(&params)?;
        self.layout = adapter.layout().clone();
        self.optimizer = AdamW::new(self.config.optimizer, self.layout.len());
        self.params = params;
        self.adapter = Some(adapter);
        Ok(self)
    }

    /// Learns from now on from `teacher` (on the trainer's device) beside the data.
    ///
    /// # Errors
    /// A setting is out of range, or the teacher has another vocabulary.
    pub fn with_teacher(mut self, teacher: Llama, settings: Distillation) -> Result<Self> {
        let Distillation { temperature, share } = settings;
        if !(temperature.is_finite() && temperature > 0.0) {
            return Err(TrainingError::setting(
                "temperature",
                format!("is {temperature}, must be above 0"),
            ));
        }
        if !(share > 0.0 && share <= 1.0) {
            return Err(TrainingError::setting(
                "share",
                format!("is {share}, must be above 0 and at most 1"),
            ));
        }
        let (theirs, ours) = (teacher.config().vocab_size, self.model_config().vocab_size);
        if theirs != ours {
            return Err(TrainingError::setting(
                "teacher",
                format!("has a vocabulary of {theirs}, the student one of {ours}"),
            ));
        }
        self.teacher = Some((teacher, settings));
        Ok(self)
    }

    /// The adapter that is trained, if it is not all weights.
    pub fn adapter(&self) -> Option<&LowRank> {
        self.adapter.as_ref()
    }

    /// The network's weights.
    fn weights(&self) -> Result<Cow<'_, [f32]>> {
        match &self.adapter {
            Some(adapter) => adapter.expand(&self.params).map(Cow::Owned),
            None => Ok(Cow::Borrowed(&self.params)),
        }
    }

    /// The network's configuration.
    pub fn model_config(&self) -> &LlamaConfig {
        self.plain.config()
    }

    /// Goes on from other weights and another optimiser.
    ///
    /// # Errors
    /// Their lengths are not the layout's; nothing is changed then.
    pub fn load(&mut self, params: Vec<f32>, optimizer: AdamW) -> Result<()> {
        let (first, second) = optimizer.moments();
        for len in [params.len(), first.len(), second.len()] {
            if len != self.layout.len() {
                return Err(TrainingError::Layout(format!(
                    "{len} values for {} parameters",
                    self.layout.len()
                )));
            }
        }
        self.params = params;
        self.optimizer = optimizer;
        Ok(())
    }

    /// Weights and optimiser, as [`Self::load`] takes them.
    pub fn into_state(self) -> (Vec<f32>, AdamW) {
        (self.params, self.optimizer)
    }

    /// Order and shapes of the parameters.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What is trained: the weights, or the adapter.
    pub fn params(&self) -> &[f32] {
        &self.params
    }

    /// The optimiser.
    pub fn optimizer(&self) -> &AdamW {
        &self.optimizer
    }

    /// Hash of the weights, see [`Layout::hash`].
    pub fn hash(&self) -> [u8; 32] {
        self.layout.hash(&self.params)
    }

    /// The model with the present weights, without autodiff.
    ///
    /// # Errors
    /// None in practice: the layout is the model's own.
    pub fn model(&self) -> Result<Llama> {
        let weights = self.weights()?;
        self.network.write(self.plain.clone(), &weights, false)
    }

    /// One optimiser step on a batch of sequences of equal length, each one id longer than it has
    /// predictions.
    ///
    /// # Errors
    /// An empty or ragged batch, or a loss or gradient that is not finite; the weights are
    /// unchanged then.
    pub fn step(&mut self, batch: &[Vec<u32>]) -> Result<StepReport> {
        self.step_at(batch, self.optimizer.steps())
    }

    /// As [`Self::step`], at the learning rate of step `step` of the schedule, whatever number of steps this optimiser has
    /// taken.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub fn step_at(&mut self, batch: &[Vec<u32>], step: u64) -> Result<StepReport> {
        check_batch(batch)?;
        let (loss, mut gradient) = self.loss_and_gradient(batch)?;
        let gradient_norm = clip_global_norm(&mut gradient, self.config.max_gradient_norm);
        for (what, value) in [("loss", loss), ("gradient norm", gradient_norm)] {
            if !value.is_finite() {
                return Err(TrainingError::Diverged { step, what, value });
            }
        }
        let learning_rate = self.config.schedule.at(step);
        self.optimizer
            .step(&self.layout, &mut self.params, &gradient, learning_rate)?;
        Ok(StepReport {
            step,
            loss,
            gradient_norm,
            learning_rate,
        })
    }

    /// Mean loss and its gradient. Micro-batches are spread over threads and summed in their own
    /// order, so that the sum has the same bits for any number of threads.
    fn loss_and_gradient(&self, batch: &[Vec<u32>]) -> Result<(f64, Vec<f32>)> {
        let weights = self.weights()?;
        let parts: Vec<&[Vec<u32>]> = batch.chunks(self.config.micro_batch).collect();
        let threads = self.config.threads.min(parts.len());
        let mut results: Vec<Option<Result<(f64, Vec<f32>)>>> =
            parts.iter().map(|_| None).collect();
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads)
                .map(|thread| {
                    let mine: Vec<usize> = (thread..parts.len()).step_by(threads).collect();
                    let parts = &parts;
                    // Modules may be sent, not shared: every thread has its own structure.
                    let module = self.tracked.clone();
                    let worker = Worker {
                        layout: &self.network,
                        params: &weights,
                        plain: self.device.clone(),
                        device: self.tracked_device.clone(),
                    };
                    let teacher = self.teacher.clone();
                    scope.spawn(move || {
                        mine.into_iter()
                            .map(|i| (i, worker.part(module.clone(), teacher.as_ref(), parts[i])))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            for handle in handles {
                match handle.join() {
                    Ok(done) => {
                        for (index, result) in done {
                            results[index] = Some(result);
                        }
                    }
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        let total = batch.len() as f64;
        let mut loss = 0.0;
        let mut gradient = vec![0.0f32; self.network.len()];
        for (part, result) in parts.iter().zip(results.into_iter().flatten()) {
            let (part_loss, part_gradient) = result?;
            let share = part.len() as f64 / total;
            loss += share * part_loss;
            let share = share as f32;
            for (sum, value) in gradient.iter_mut().zip(&part_gradient) {
                *sum += share * value;
            }
        }
        let gradient = match &self.adapter {
            Some(adapter) => adapter.pull_back(&self.params, &gradient)?,
            None => gradient,
        };
        Ok((loss, gradient))
    }

    /// Mean cross-entropy of `sequences` in nats a token.
    ///
    /// # Errors
    /// Empty or ragged input.
    pub fn evaluate(&self, sequences: &[Vec<u32>]) -> Result<f64> {
        mean_loss(&self.model()?, &self.device, sequences)
    }
}

/// What a thread needs for its micro-batches.
struct Worker<'a> {
    layout: &'a Layout,
    params: &'a [f32],
    plain: Device,
    device: Device,
}

impl Worker<'_> {
    fn part(
        &self,
        module: Llama,
        teacher: Option<&(Llama, Distillation)>,
        part: &[Vec<u32>],
    ) -> Result<(f64, Vec<f32>)> {
        // New leaves for each graph: graphs that share a node also share a lock.
        let module = self.layout.write(module, self.params, true)?;
        let loss = match teacher {
            None => cross_entropy(&module, &self.device, part),
            Some((teacher, settings)) => {
                let theirs = logits(teacher, &self.plain, part).into_data();
                let theirs = Tensor::<2>::from_data(theirs, &self.device);
                distilled(&module, theirs, settings, &self.device, part)
            }
        };
        let mut gradients = loss.backward();
        let gradient = self.layout.read_gradients(&module, &mut gradients)?;
        Ok((f64::from(loss.into_scalar::<f32>()), gradient))
    }
}

/// Mean cross-entropy of `sequences` under `model` in nats a token, a few sequences at a time.
///
/// # Errors
/// Empty or ragged input.
pub fn mean_loss(model: &Llama, device: &Device, sequences: &[Vec<u32>]) -> Result<f64> {
    const AT_ONCE: usize = 4;
    check_batch(sequences)?;
    let sum: f64 = sequences
        .chunks(AT_ONCE)
        .map(|part| {
            let loss = cross_entropy(model, device, part).into_scalar::<f32>();
            f64::from(loss) * part.len() as f64
        })
        .sum();
    Ok(sum / sequences.len() as f64)
}

fn check_batch(batch: &[Vec<u32>]) -> Result<()> {
    let len = batch.first().map_or(0, Vec::len);
    if len < 2 {
        return Err(TrainingError::setting(
            "batch",
            "has no sequence of at least two ids",
        ));
    }
    if batch.iter().any(|sequence| sequence.len() != len) {
        return Err(TrainingError::setting(
            "batch",
            "has sequences of different lengths",
        ));
    }
    Ok(())
}

/// Ids of `sequences` without the last ones (`skip` 0) or the first ones (`skip` 1).
fn ids(sequences: &[Vec<u32>], skip: usize, device: &Device) -> Tensor<2, Int> {
    let columns = sequences[0].len() - 1;
    let ids: Vec<i64> = sequences
        .iter()
        .flat_map(|sequence| &sequence[skip..skip + columns])
        .map(|&id| i64::from(id))
        .collect();
    Tensor::from_data(TensorData::new(ids, [sequences.len(), columns]), device)
}

/// One row of logits for each prediction.
fn logits(model: &Llama, device: &Device, sequences: &[Vec<u32>]) -> Tensor<2> {
    let logits = model.forward(ids(sequences, 0, device));
    let [rows, columns, vocab] = logits.dims();
    logits.reshape([rows * columns, vocab])
}

fn cross_entropy(model: &Llama, device: &Device, sequences: &[Vec<u32>]) -> Tensor<1> {
    data_loss(logits(model, device, sequences), device, sequences)
}

/// Mean cross-entropy of the next ids under `logits`.
fn data_loss(logits: Tensor<2>, device: &Device, sequences: &[Vec<u32>]) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let targets = ids(sequences, 1, device).reshape([rows, 1]);
    activation::log_softmax(logits, 1)
        .gather(1, targets)
        .mean()
        .neg()
}

/// The data's loss, and the divergence from the teacher's predictions, each by its share. The divergence is scaled by the
/// temperature's square, which keeps its gradients as large at any temperature.
fn distilled(
    model: &Llama,
    teacher: Tensor<2>,
    settings: &Distillation,
    device: &Device,
    sequences: &[Vec<u32>],
) -> Tensor<1> {
    let Distillation { temperature, share } = *settings;
    let ours = logits(model, device, sequences);
    let soft = |logits: Tensor<2>| activation::log_softmax(logits / temperature, 1);
    let theirs = soft(teacher);
    let divergence = theirs.clone().exp() * (theirs - soft(ours.clone()));
    let divergence = divergence.sum_dim(1).mean() * (temperature * temperature);
    if share >= 1.0 {
        return divergence;
    }
    data_loss(ours, device, sequences) * (1.0 - share) + divergence * share
}
