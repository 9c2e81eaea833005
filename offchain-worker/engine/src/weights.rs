//! Weights in the Hugging Face layout: `model.safetensors`, or shards named by
//! `model.safetensors.index.json`. Files are memory-mapped; f32, f16 and bf16 are read and computed
//! in f32.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::config::{LlamaConfig, WeightDtype};
use crate::error::{EngineError, Result};
use crate::model::{Llama, ParameterSource};

const SINGLE_FILE: &str = "model.safetensors";
const INDEX_FILE: &str = "model.safetensors.index.json";
const CONFIG_FILE: &str = "config.json";

/// One memory-mapped safetensors file whose header has been checked against its length.
struct WeightFile {
    path: PathBuf,
    map: Mmap,
    metadata: Metadata,
    /// Where tensor data starts.
    data: usize,
}

impl WeightFile {
    fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(|e| EngineError::read(&path, e))?;
        // SAFETY: the map is read-only and private; the operator owns the model folder, and a
        // file that another process cuts while it is mapped ends this process, not its data.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| EngineError::read(&path, e))?;
        let (header, metadata) =
            SafeTensors::read_metadata(&map).map_err(|error| EngineError::CorruptWeights {
                path: path.clone(),
                reason: format!("{error}; the file has {} bytes", map.len()),
            })?;
        Ok(Self {
            path,
            map,
            metadata,
            data: size_of::<u64>() + header,
        })
    }

    /// A tensor's elements as f32.
    fn values(&self, name: &str, info: &TensorInfo) -> Result<Vec<f32>> {
        let (start, end) = info.data_offsets;
        let bytes = self
            .map
            .get(self.data + start..self.data + end)
            .ok_or_else(|| EngineError::CorruptWeights {
                path: self.path.clone(),
                reason: format!("tensor `{name}` ends behind the end of the file"),
            })?;
        // Little-endian by the format's definition; the map need not be aligned for the type.
        let pairs = || {
            bytes
                .chunks_exact(2)
                .map(|b| u16::from_le_bytes([b[0], b[1]]))
        };
        match info.dtype {
            Dtype::F32 => Ok(bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()),
            Dtype::F16 => Ok(pairs().map(|bits| f16::from_bits(bits).to_f32()).collect()),
            Dtype::BF16 => Ok(pairs().map(|bits| bf16::from_bits(bits).to_f32()).collect()),
            other => Err(EngineError::TensorDtype {
                path: self.path.clone(),
                tensor: name.to_string(),
                found: format!("{other:?}"),
            }),
        }
    }
}

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

/// All weight files of a model folder.
pub struct WeightFiles {
    files: Vec<WeightFile>,
    /// Which file should hold a tensor; `None` when there is one file and no index.
    index: Option<HashMap<String, usize>>,
    /// What to name when a tensor is nowhere.
    origin: PathBuf,
}

impl WeightFiles {
    /// Opens `model.safetensors`, or the shards that `model.safetensors.index.json` names.
    ///
    /// # Errors
    /// A file is missing, unreadable, truncated or not safetensors, or the index names a file
    /// outside the folder.
    pub fn open(dir: &Path) -> Result<Self> {
        let (single, index_path) = (dir.join(SINGLE_FILE), dir.join(INDEX_FILE));
        if single.exists() || !index_path.exists() {
            let files = vec![WeightFile::open(single.clone())?];
            return Ok(Self {
                files,
                index: None,
                origin: single,
            });
        }
        let text = std::fs::read(&index_path).map_err(|e| EngineError::read(&index_path, e))?;
        let shards: ShardIndex =
            serde_json::from_slice(&text).map_err(|e| EngineError::json(&index_path, e))?;
        let mut files = Vec::new();
        let mut opened: HashMap<String, usize> = HashMap::new();
        let mut index = HashMap::new();
        for (tensor, name) in shards.weight_map {
            let file = match opened.get(&name) {
                Some(file) => *file,
                None => {
                    let mut parts = Path::new(&name).components();
                    let plain = matches!(parts.next(), Some(Component::Normal(_)))
                        && parts.next().is_none();
                    if !plain {
                        return Err(EngineError::CorruptWeights {
                            path: index_path,
                            reason: format!("`{name}` is not the name of a file in this folder"),
                        });
                    }
                    files.push(WeightFile::open(dir.join(&name))?);
                    opened.insert(name, files.len() - 1);
                    files.len() - 1
                }
            };
            index.insert(tensor, file);
        }
        Ok(Self {
            files,
            index: Some(index),
            origin: index_path,
        })
    }

    /// Names of all tensors in the files.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .files
            .iter()
            .flat_map(|file| file.metadata.offset_keys())
            .collect();
        names.sort();
        names
    }

    /// Elements of `name` as f32, after checking its shape.
    ///
    /// # Errors
    /// The tensor is missing, has another shape, or is of a type that is not read.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let missing = |path: &Path| EngineError::MissingTensor {
            path: path.to_path_buf(),
            tensor: name.to_string(),
        };
        let position = match &self.index {
            None => 0,
            Some(index) => *index.get(name).ok_or_else(|| missing(&self.origin))?,
        };
        let file = &self.files[position];
        let info = file
            .metadata
            .info(name)
            .ok_or_else(|| missing(&file.path))?;
        if info.shape != shape {
            return Err(EngineError::TensorShape {
                path: file.path.clone(),
                tensor: name.to_string(),
                found: info.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        file.values(name, info)
    }
}

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
        let files = WeightFiles::open(dir)?;
        Self::from_source(
            &config,
            &mut FileSource {
                files: &files,
                device,
            },
        )
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
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, bytes).map_err(|e| EngineError::write(&partial, e))?;
    std::fs::rename(&partial, path).map_err(|e| EngineError::write(path, e))
}
