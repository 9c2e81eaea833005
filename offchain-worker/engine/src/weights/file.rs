//! One memory-mapped safetensors file.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};

use super::TensorEntry;
use crate::config::WeightDtype;
use crate::cpu::matrix::{Element, Storage};
use crate::error::{EngineError, Result};

/// Longest header that is parsed: models of hundreds of billions of parameters stay below 1 MiB.
const MAX_HEADER_BYTES: u64 = 32 << 20;

/// The file begins with the header's length.
const LENGTH_BYTES: usize = size_of::<u64>();

/// A file whose header has been checked against its length.
#[derive(Debug)]
pub(super) struct WeightFile {
    path: PathBuf,
    map: Arc<Mmap>,
    metadata: Metadata,
    /// Where tensor data starts.
    data: usize,
}

/// One tensor as it lies in its file.
#[derive(Debug, Clone)]
pub struct TensorBytes {
    /// Element type.
    pub dtype: WeightDtype,
    /// Shape, outermost first.
    pub shape: Vec<usize>,
    map: Arc<Mmap>,
    /// Within the map.
    range: Range<usize>,
}

impl TensorBytes {
    /// The elements' bytes, little-endian, row-major.
    pub fn bytes(&self) -> &[u8] {
        &self.map[self.range.clone()]
    }

    /// The elements as f32. Exact for every type that is read.
    pub fn to_f32(&self) -> Vec<f32> {
        match self.dtype {
            WeightDtype::F32 => self.iter::<f32>().collect(),
            WeightDtype::F16 => self.iter().map(|b| f16::from_bits(b).to_f32()).collect(),
            WeightDtype::Bf16 => self.iter().map(|b| bf16::from_bits(b).to_f32()).collect(),
        }
    }

    fn iter<T: Element>(&self) -> impl Iterator<Item = T> + '_ {
        self.bytes().chunks_exact(size_of::<T>()).map(T::from_le)
    }

    /// The elements in place, or a copy where the file does not align them. `T` is as wide as
    /// what `dtype` names.
    pub(super) fn elements<T: Element>(&self) -> Result<Storage<T>> {
        let len = self.range.len() / size_of::<T>();
        Storage::mapped(self.map.clone(), self.range.start, len)
    }
}

impl WeightFile {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(|e| EngineError::read(&path, e))?;
        // SAFETY: the map is read-only and private; the operator owns the model folder, and a
        // file that another process cuts while it is mapped ends this process, not its data.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| EngineError::read(&path, e))?;
        let refuse = |reason: String| EngineError::CorruptWeights {
            path: path.clone(),
            reason,
        };
        let Some(length) = map.first_chunk::<LENGTH_BYTES>() else {
            return Err(refuse(format!(
                "the file has {} bytes, less than the length of a header",
                map.len()
            )));
        };
        let length = u64::from_le_bytes(*length);
        if length > MAX_HEADER_BYTES {
            return Err(refuse(format!(
                "it declares a header of {length} bytes; at most {MAX_HEADER_BYTES} are read"
            )));
        }
        let (header, metadata) = SafeTensors::read_metadata(&map)
            .map_err(|error| refuse(format!("{error}; the file has {} bytes", map.len())))?;
        // Most of the file is about to be read; without the hint it comes page by page.
        #[cfg(unix)]
        let _ = map.advise(memmap2::Advice::WillNeed);
        Ok(Self {
            map: Arc::new(map),
            metadata,
            data: LENGTH_BYTES + header,
            path,
        })
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = TensorEntry> + '_ {
        let tensors = self.metadata.tensors();
        tensors.into_iter().map(|(name, info)| TensorEntry {
            name,
            dtype: format!("{:?}", info.dtype),
            shape: info.shape.clone(),
            bytes: info.data_offsets.1 - info.data_offsets.0,
        })
    }

    /// The tensor `name`, which must have `shape`.
    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<TensorBytes> {
        let (path, tensor) = (|| self.path.clone(), || name.to_string());
        let info = self
            .metadata
            .info(name)
            .ok_or_else(|| EngineError::MissingTensor {
                path: path(),
                tensor: tensor(),
            })?;
        if info.shape != shape {
            return Err(EngineError::TensorShape {
                path: path(),
                tensor: tensor(),
                found: info.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        let (dtype, width) = match info.dtype {
            Dtype::F32 => (WeightDtype::F32, 4),
            Dtype::F16 => (WeightDtype::F16, 2),
            Dtype::BF16 => (WeightDtype::Bf16, 2),
            other => {
                return Err(EngineError::TensorDtype {
                    path: path(),
                    tensor: tensor(),
                    found: format!("{other:?}"),
                })
            }
        };
        // The header was checked as a whole when the file was opened; this is what the rest of
        // the engine relies on, so it is checked where it is used as well.
        let (start, end) = info.data_offsets;
        let range = self.data.saturating_add(start)..self.data.saturating_add(end);
        let expected = shape
            .iter()
            .try_fold(width, |bytes: usize, size| bytes.checked_mul(*size));
        if self.map.get(range.clone()).map(<[u8]>::len) != expected {
            return Err(EngineError::CorruptWeights {
                path: path(),
                reason: format!(
                    "tensor `{name}` lies at bytes {start} to {end}, which is not in the file or \
                     not the size of {shape:?}"
                ),
            });
        }
        Ok(TensorBytes {
            dtype,
            shape: info.shape.clone(),
            map: self.map.clone(),
            range,
        })
    }
}
