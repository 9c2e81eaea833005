//! From a model folder, or from modules, to an [`Engine`].

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use crate::assets::Assets;
use crate::config::LlamaConfig;
use crate::cpu::decoder::{CpuDecoder, CpuOptions};
use crate::cpu::matrix::Precision;
use crate::cpu::simd::SimdLevel;
use crate::cuda::CudaDecoder;
use crate::decoder::{BurnDecoder, Decoder};
use crate::error::{EngineError, Result};
use crate::generate::Engine;
use crate::model::Llama;
use crate::weights::{Adapter, WeightFiles};

/// How to load a model. [`LoadOptions::default`] takes what the machine has and changes nothing.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// `auto` or `cpu`: our kernels on this machine's cores. `cuda:N`: our kernels on an NVIDIA GPU.
    /// `burn`: the reference in f32 on the cores; `burn-cuda:N`: the same on a GPU. Empty counts as `auto`.
    pub device: String,
    /// Threads on the CPU; `None` takes as many as the machine runs at once.
    pub threads: Option<usize>,
    /// Precision of the matrices in memory; `None` keeps the stored one. `Int8` quantises them
    /// while loading, `F32` widens them.
    pub precision: Option<Precision>,
    /// Vector instructions; `None` takes the widest that the processor has, or what
    /// `CHASQUI_SIMD` says.
    pub simd: Option<SimdLevel>,
}

impl LoadOptions {
    /// Everything by default, on `device`.
    pub fn on(device: impl Into<String>) -> Self {
        Self {
            device: device.into(),
            ..Self::default()
        }
    }

    /// Refuses options that only the CPU kernels have, and `precision` where only our kernels have it.
    fn check_plain(&self, precision: bool) -> Result<()> {
        let refused = [
            ("threads", self.threads.is_some()),
            ("precision", precision && self.precision.is_some()),
            ("simd", self.simd.is_some()),
        ];
        match refused.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((field, _)) => Err(EngineError::request(
                field,
                format!("applies to the device `cpu` only, not to `{}`", self.device),
            )),
        }
    }
}

impl Engine {
    /// Loads a Hugging Face folder onto a device with everything else by default: as
    /// [`Self::load_with`].
    ///
    /// # Errors
    /// As [`Self::load_with`].
    pub fn load(dir: &Path, device: &str) -> Result<Self> {
        Self::load_with(dir, &LoadOptions::on(device))
    }

    /// Loads a Hugging Face folder: `config.json`, the weights, and the tokenizer, chat template
    /// and generation settings if they are there.
    ///
    /// # Errors
    /// Any file is damaged or they do not fit each other, or the device or an option is not
    /// available. See [`EngineError`].
    pub fn load_with(dir: &Path, options: &LoadOptions) -> Result<Self> {
        Self::load_adapted(dir, None, options)
    }

    /// As [`Self::load_with`], the weights changed by the adapter in the folder `adapter`, if there is one; see
    /// [`Adapter`].
    ///
    /// # Errors
    /// As [`Self::load_with`] and [`Adapter::open`].
    pub fn load_adapted(dir: &Path, adapter: Option<&Path>, options: &LoadOptions) -> Result<Self> {
        let config = LlamaConfig::from_file(&dir.join("config.json"))?;
        let mut files = WeightFiles::open(dir)?;
        if let Some(adapter) = adapter {
            files = files.with_adapter(Adapter::open(adapter, &config)?);
        }
        let decoder: Arc<dyn Decoder> = match options.device.as_str() {
            "" | "auto" | "cpu" => Arc::new(CpuDecoder::from_files(
                config,
                &files,
                &CpuOptions {
                    threads: options.threads,
                    precision: options.precision,
                    simd: options.simd,
                },
            )?),
            name if name.split(':').next() == Some("cuda") => {
                let ordinal = crate::device::ordinal(name)?;
                options.check_plain(false)?;
                Arc::new(CudaDecoder::from_files(
                    config,
                    &files,
                    ordinal,
                    options.precision,
                )?)
            }
            name => {
                let device = crate::device::open(name)?;
                options.check_plain(true)?;
                Arc::new(BurnDecoder::new(Llama::from_files(
                    &config, &files, &device,
                )?))
            }
        };
        let assets = Assets::from_dir(dir, decoder.config().vocab_size)?;
        let mut engine = Self::from_decoder(decoder);
        // The file for generation holds, where it speaks of end tokens.
        if let Some(ids) = &assets.generation.eos_token_ids {
            engine.eos_ids.clone_from(ids);
        }
        engine.assets = assets;
        Ok(engine)
    }

    /// An engine around a model, without a tokenizer. Modules on the CPU are copied into our
    /// kernels' layout, in f32; on another device they run where they are. Gradients are not
    /// tracked.
    ///
    /// # Errors
    /// The device does not give the parameters back, or `CHASQUI_SIMD` names what this machine
    /// does not have.
    pub fn from_modules(model: Llama) -> Result<Self> {
        let decoder: Arc<dyn Decoder> = match model.device() == Device::flex() {
            true => Arc::new(CpuDecoder::from_modules(&model, &CpuOptions::default())?),
            false => Arc::new(BurnDecoder::new(model)),
        };
        Ok(Self::from_decoder(decoder))
    }

    /// [`Self::from_modules`] where its errors cannot happen or are bugs: in tests and tools.
    ///
    /// # Panics
    /// On its errors.
    pub fn new(model: Llama) -> Self {
        match Self::from_modules(model) {
            Ok(engine) => engine,
            Err(error) => panic!("{error}"),
        }
    }
}
