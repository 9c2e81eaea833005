//! Weight files to burn modules and back.

use std::collections::HashMap;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::Dtype;

use super::{WeightFiles, SINGLE_FILE};
use crate::config::{LlamaConfig, WeightDtype};
use crate::error::{EngineError, Result};
use crate::model::{Llama, ParameterSource};

const CONFIG_FILE: &str = "config.json";

/// Reads parameters out of weight files onto a device.
struct FileSource<'a> {
    files: &'a WeightFiles,
    device: &'a Device,
}

impl ParameterSource for FileSource<'_> {
    type Error = EngineError;

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Tensor<2>> {
        let values = self.files.tensor(name, &shape)?;
        Ok(Tensor::from_data(
            TensorData::new(values, shape),
            self.device,
        ))
    }

    fn vector(&mut self, name: &str, len: usize) -> Result<Tensor<1>> {
        let values = self.files.tensor(name, &[len])?;
        Ok(Tensor::from_data(
            TensorData::new(values, [len]),
            self.device,
        ))
    }
}

/// Parameters by path, in module order.
struct Collector {
    path: Vec<String>,
    tensors: Vec<(String, TensorData)>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.tensors
            .push((self.path.join("."), param.val().into_data()));
    }
}

impl Llama {
    /// Loads `config.json` and the weights of a Hugging Face folder onto `device`.
    ///
    /// # Errors
    /// As [`LlamaConfig::from_file`] and [`WeightFiles`].
    pub fn from_dir(dir: &Path, device: &Device) -> Result<Self> {
        let config = LlamaConfig::from_file(&dir.join(CONFIG_FILE))?;
        Self::from_files(&config, &WeightFiles::open(dir)?, device)
    }

    /// Loads weight files onto `device`, changed by their adapter, if they have one.
    ///
    /// # Errors
    /// As [`WeightFiles`].
    pub fn from_files(config: &LlamaConfig, files: &WeightFiles, device: &Device) -> Result<Self> {
        Self::from_source(config, &mut FileSource { files, device })
    }

    /// Every parameter under its Hugging Face name, in module order, as f32 with `[out, in]`
    /// matrices.
    ///
    /// # Errors
    /// The device does not give the values back.
    pub fn named_parameters(&self) -> Result<Vec<(String, Vec<usize>, Vec<f32>)>> {
        let mut collector = Collector {
            path: Vec::new(),
            tensors: Vec::new(),
        };
        self.visit(&mut collector);
        let host = |(name, data): (String, TensorData)| {
            let shape = data.shape().as_slice().to_vec();
            let values = data
                .try_into_vec::<f32>()
                .map_err(|error| EngineError::Compute(format!("{name}: {error:?}")))?;
            Ok((name, shape, values))
        };
        collector.tensors.into_iter().map(host).collect()
    }

    /// Writes `config.json` and `model.safetensors` into `dir`, which is created if need be, with
    /// the weights in the configuration's `dtype`. Each file appears whole or not at all.
    ///
    /// # Errors
    /// The folder or a file cannot be written.
    pub fn save_hf(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).map_err(|e| EngineError::write(dir, e))?;
        let dtype = self.config().dtype;
        let encoded: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .named_parameters()?
            .into_iter()
            .map(|(name, shape, values)| (name, shape, encode(&values, dtype)))
            .collect();
        let stored = match dtype {
            WeightDtype::F32 => Dtype::F32,
            WeightDtype::F16 => Dtype::F16,
            WeightDtype::Bf16 => Dtype::BF16,
        };
        let views = encoded
            .iter()
            .map(|(name, shape, bytes)| {
                let view = TensorView::new(stored, shape.clone(), bytes);
                view.map(|view| (name.as_str(), view))
            })
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|error| EngineError::Compute(error.to_string()))?;
        let about = HashMap::from([("format".to_string(), "pt".to_string())]);
        let bytes = safetensors::serialize(views, Some(about))
            .map_err(|error| EngineError::Compute(error.to_string()))?;
        write_whole(&dir.join(SINGLE_FILE), &bytes)?;
        let text = format!("{:#}\n", self.config().to_json());
        write_whole(&dir.join(CONFIG_FILE), text.as_bytes())
    }
}

fn encode(values: &[f32], dtype: WeightDtype) -> Vec<u8> {
    match dtype {
        WeightDtype::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        WeightDtype::F16 => values
            .iter()
            .flat_map(|x| f16::from_f32(*x).to_le_bytes())
            .collect(),
        WeightDtype::Bf16 => values
            .iter()
            .flat_map(|x| bf16::from_f32(*x).to_le_bytes())
            .collect(),
    }
}

/// Writes beside the target, then renames: a reader never sees half a file.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, bytes).map_err(|e| EngineError::write(&partial, e))?;
    std::fs::rename(&partial, path).map_err(|e| EngineError::write(path, e))
}
