//! Weights in the Hugging Face layout: `model.safetensors`, or shards named by
//! `model.safetensors.index.json`. Files are memory-mapped, and f32, f16 and bf16 tensors are
//! handed out as they lie there; whoever wants f32 converts a tensor once.

mod adapter;
mod file;
mod module;

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

pub use adapter::{
    adapter_names, add_low_rank, save_adapter, Adapter, AdapterConfig, ADAPTER_CONFIG,
    ADAPTER_WEIGHTS, MAX_RANK,
};
pub use file::TensorBytes;

use crate::config::{LlamaConfig, WeightDtype};
use crate::cpu::matrix::{Matrix, Precision};
use crate::error::{EngineError, Result};
use crate::files::{read_json, MAX_INDEX_BYTES};
use file::WeightFile;

const SINGLE_FILE: &str = "model.safetensors";
const INDEX_FILE: &str = "model.safetensors.index.json";

const EMBEDDING: &str = "model.embed_tokens.weight";

/// More shards than any published model has; bounds how many files a hostile index opens.
const MAX_SHARDS: usize = 4_096;

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

/// What a weight file says of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorEntry {
    /// The tensor's name.
    pub name: String,
    /// Its element type as the file names it, such as `BF16`; not always one that is read.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its length in the file.
    pub bytes: usize,
}

/// All weight files of a model folder.
#[derive(Debug)]
pub struct WeightFiles {
    files: Vec<WeightFile>,
    /// Which file should hold a tensor; `None` when there is one file and no index.
    index: Option<HashMap<String, usize>>,
    /// What to name when a tensor is nowhere.
    origin: PathBuf,
    /// What changes them.
    adapter: Option<Adapter>,
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
                adapter: None,
            });
        }
        let shards: ShardIndex = read_json(&index_path, MAX_INDEX_BYTES)?;
        let refuse = |reason: String| EngineError::CorruptWeights {
            path: index_path.clone(),
            reason,
        };
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
                        return Err(refuse(format!(
                            "`{name}` is not the name of a file in this folder"
                        )));
                    }
                    if files.len() == MAX_SHARDS {
                        return Err(refuse(format!("it names more than {MAX_SHARDS} files")));
                    }
                    let path = dir.join(&name);
                    if !path.exists() {
                        return Err(EngineError::MissingShard {
                            index: index_path.clone(),
                            shard: path,
                            tensor,
                        });
                    }
                    files.push(WeightFile::open(path)?);
                    opened.insert(name, files.len() - 1);
                    files.len() - 1
                }
            };
            index.insert(tensor, file);
        }
        if files.is_empty() {
            return Err(refuse("its `weight_map` is empty".into()));
        }
        Ok(Self {
            files,
            index: Some(index),
            origin: index_path,
            adapter: None,
        })
    }

    /// The same files, changed by `adapter`: [`Self::tensor`] and [`Self::matrix`] give what it makes of them.
    pub fn with_adapter(self, adapter: Adapter) -> Self {
        Self {
            adapter: Some(adapter),
            ..self
        }
    }

    /// Whether an adapter changes the parameter `name`.
    fn is_changed(&self, name: &str) -> bool {
        self.adapter
            .as_ref()
            .is_some_and(|adapter| adapter.changes(name))
    }

    /// Names of all tensors in the files, sorted.
    pub fn names(&self) -> Vec<String> {
        self.entries().into_iter().map(|entry| entry.name).collect()
    }

    /// What the files say of their tensors, sorted by name.
    pub fn entries(&self) -> Vec<TensorEntry> {
        let mut entries: Vec<_> = self.files.iter().flat_map(WeightFile::entries).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// Whether every tensor that `config` implies is there, with its shape and in a type that is
    /// read. Reads headers only.
    ///
    /// # Errors
    /// The first tensor that is missing, misshapen or of another type.
    pub fn check(&self, config: &LlamaConfig) -> Result<()> {
        for (name, shape) in config.tensor_shapes() {
            self.tensor_bytes(&name, &shape)?;
        }
        Ok(())
    }

    /// The tensor `name` as it is stored, after checking its shape. Copies nothing.
    ///
    /// # Errors
    /// The tensor is missing, has another shape, or is of a type that is not read.
    pub fn tensor_bytes(&self, name: &str, shape: &[usize]) -> Result<TensorBytes> {
        let position = match &self.index {
            None => 0,
            Some(index) => *index.get(name).ok_or_else(|| EngineError::MissingTensor {
                path: self.origin.clone(),
                tensor: name.to_string(),
            })?,
        };
        self.files[position].tensor(name, shape)
    }

    /// Elements of `name` as f32, row-major, after checking its shape.
    ///
    /// # Errors
    /// As [`Self::tensor_bytes`].
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let mut values = self.tensor_bytes(name, shape)?.to_f32();
        if let Some(adapter) = &self.adapter {
            adapter.change(name, &mut values)?;
        }
        Ok(values)
    }

    /// The matrix `name` of shape `[out, in]` in its stored precision, memory-mapped where the
    /// file aligns its elements and copied otherwise; in f32 where an adapter changes it.
    ///
    /// # Errors
    /// As [`Self::tensor_bytes`].
    pub fn matrix(&self, name: &str, shape: [usize; 2]) -> Result<Matrix> {
        let [rows, cols] = shape;
        if self.is_changed(name) {
            return Ok(Matrix::from_f32(self.tensor(name, &shape)?, rows, cols));
        }
        let bytes = self.tensor_bytes(name, &shape)?;
        Ok(match bytes.dtype {
            WeightDtype::F32 => Matrix::from_f32(bytes.elements()?, rows, cols),
            WeightDtype::F16 => Matrix::from_f16(bytes.elements()?, rows, cols),
            WeightDtype::Bf16 => Matrix::from_bf16(bytes.elements()?, rows, cols),
        })
    }

    /// Bytes of memory that the CPU decoder's weights take: matrices as they are stored or, if
    /// `precision` is given, in that; vectors in f32. Rows of an embedding that is not the head
    /// are only looked up, so they stay as they are stored. Reads headers only.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn memory(&self, config: &LlamaConfig, precision: Option<Precision>) -> Result<u64> {
        let mut sum = 0;
        for (name, shape) in config.tensor_shapes() {
            let stored = match self.is_changed(&name) {
                true => Precision::F32,
                false => self.tensor_bytes(&name, &shape)?.dtype.precision(),
            };
            let looked_up = name == EMBEDDING && !config.tie_word_embeddings;
            sum += match shape[..] {
                [rows, cols] if looked_up => stored.bytes(rows, cols),
                [rows, cols] => precision.unwrap_or(stored).bytes(rows, cols),
                _ => Precision::F32.bytes(1, shape.iter().product()),
            };
        }
        Ok(sum)
    }

    /// The vector `name` of `len` elements as f32.
    ///
    /// # Errors
    /// As [`Self::tensor_bytes`].
    pub fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>> {
        self.tensor(name, &[len])
    }
}
