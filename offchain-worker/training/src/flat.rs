//! A module's parameters as one flat vector in a fixed order.
//!
//! Optimiser, averaging and hashing work on the flat form: its order is that of the sorted
//! parameter paths, not of random parameter ids or of a hash map, so that two machines agree on it.

use std::ops::Range;

use blake2::{digest::consts::U32, Blake2b, Digest};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};

use crate::error::{Result, TrainingError};

/// One parameter tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path in the module, components joined by dots.
    pub path: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Its elements in the flat vector, row-major.
    pub range: Range<usize>,
}

impl Entry {
    /// Whether weight decay applies: to matrices, not to norm weights and biases.
    pub fn decays(&self) -> bool {
        self.shape.len() > 1
    }
}

/// Where each parameter of a module lies in the flat vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// In the order of the module's own traversal.
    entries: Vec<Entry>,
    len: usize,
}

impl Layout {
    /// The layout of `module`.
    pub fn of<M: Module>(module: &M) -> Self {
        let mut collector = Collector::default();
        module.visit(&mut collector);
        let mut entries = collector.entries;
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by(|&a, &b| entries[a].path.cmp(&entries[b].path));
        let mut len = 0;
        for index in order {
            let size: usize = entries[index].shape.iter().product();
            entries[index].range = len..len + size;
            len += size;
        }
        Self { entries, len }
    }

    /// The layout of parameters of these paths and shapes; each path once.
    pub fn from_shapes(shapes: impl IntoIterator<Item = (String, Vec<usize>)>) -> Self {
        let mut entries: Vec<Entry> = shapes
            .into_iter()
            .map(|(path, shape)| Entry {
                path,
                shape,
                range: 0..0,
            })
            .collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let mut len = 0;
        for entry in &mut entries {
            let size: usize = entry.shape.iter().product();
            entry.range = len..len + size;
            len += size;
        }
        Self { entries, len }
    }

    /// Number of scalar parameters.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no parameter at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The parameters, sorted by path.
    pub fn entries(&self) -> Vec<&Entry> {
        let mut sorted: Vec<&Entry> = self.entries.iter().collect();
        sorted.sort_by_key(|entry| entry.range.start);
        sorted
    }

    /// The parameters of `module` as one vector.
    ///
    /// # Errors
    /// The module has another layout or its tensors are not f32.
    pub fn read<M: Module>(&self, module: &M) -> Result<Vec<f32>> {
        let mut reader = Reader {
            layout: self,
            next: 0,
            flat: vec![0.0; self.len],
            gradients: None,
            error: None,
        };
        module.visit(&mut reader);
        reader.finish()
    }

    /// The gradients of `module`'s parameters as one vector; zeros where the loss does not depend
    /// on a parameter.
    ///
    /// # Errors
    /// The module has another layout or its tensors are not f32.
    pub fn read_gradients<M: Module>(
        &self,
        module: &M,
        gradients: &mut Gradients,
    ) -> Result<Vec<f32>> {
        let mut reader = Reader {
            layout: self,
            next: 0,
            flat: vec![0.0; self.len],
            gradients: Some(gradients),
            error: None,
        };
        module.visit(&mut reader);
        reader.finish()
    }

    /// `module` with the values of `flat`. With `track` the tensors are new leaves that collect
    /// gradients, unconnected to any graph of the old ones.
    ///
    /// # Errors
    /// `flat` or the module does not fit the layout.
    pub fn write<M: Module>(&self, module: M, flat: &[f32], track: bool) -> Result<M> {
        if flat.len() != self.len {
            return Err(TrainingError::Layout(format!(
                "{} values for {} parameters",
                flat.len(),
                self.len
            )));
        }
        let mut writer = Writer {
            layout: self,
            next: 0,
            flat,
            track,
            error: None,
        };
        let module = module.map(&mut writer);
        match writer.error {
            Some(error) => Err(TrainingError::Layout(error)),
            None => Ok(module),
        }
    }

    /// Blake2b-256 over every parameter's path, shape and little-endian values, in sorted order:
    /// equal for equal weights on any machine.
    pub fn hash(&self, flat: &[f32]) -> [u8; 32] {
        let mut hasher = Blake2b::<U32>::new();
        for entry in self.entries() {
            hasher.update((entry.path.len() as u64).to_le_bytes());
            hasher.update(entry.path.as_bytes());
            hasher.update((entry.shape.len() as u64).to_le_bytes());
            for &size in &entry.shape {
                hasher.update((size as u64).to_le_bytes());
            }
            for value in flat.get(entry.range.clone()).unwrap_or_default() {
                hasher.update(value.to_le_bytes());
            }
        }
        hasher.finalize().into()
    }
}

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    entries: Vec<Entry>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.entries.push(Entry {
            path: self.path.join("."),
            shape: param.lazy_shape().to_vec(),
            range: 0..0,
        });
    }
}

struct Reader<'a> {
    layout: &'a Layout,
    next: usize,
    flat: Vec<f32>,
    gradients: Option<&'a mut Gradients>,
    error: Option<String>,
}

impl Reader<'_> {
    fn finish(self) -> Result<Vec<f32>> {
        match self.error {
            Some(error) => Err(TrainingError::Layout(error)),
            None if self.next != self.layout.entries.len() => Err(TrainingError::Layout(format!(
                "{} parameters instead of {}",
                self.next,
                self.layout.entries.len()
            ))),
            None => Ok(self.flat),
        }
    }
}

impl ModuleVisitor for Reader<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let index = self.next;
        self.next += 1;
        let Some(entry) = self.layout.entries.get(index) else {
            return;
        };
        let tensor = match self.gradients.as_mut() {
            Some(gradients) => match param.val().grad_remove(gradients) {
                Some(gradient) => gradient,
                None => return,
            },
            None => param.val(),
        };
        match tensor.into_data().try_to_vec::<f32>() {
            Ok(values) if values.len() == entry.range.len() => {
                self.flat[entry.range.clone()].copy_from_slice(&values);
            }
            Ok(values) => {
                self.error = Some(format!("`{}` has {} values", entry.path, values.len()));
            }
            Err(error) => self.error = Some(format!("`{}`: {error:?}", entry.path)),
        }
    }
}

struct Writer<'a> {
    layout: &'a Layout,
    next: usize,
    flat: &'a [f32],
    track: bool,
    error: Option<String>,
}

impl ModuleMapper for Writer<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let index = self.next;
        self.next += 1;
        let shape = param.lazy_shape().to_vec();
        let device = param.lazy_device();
        let Some(entry) = self
            .layout
            .entries
            .get(index)
            .filter(|entry| entry.shape == shape)
        else {
            self.error = Some(format!("parameter {index} has shape {shape:?}"));
            return param;
        };
        let data = TensorData::new(self.flat[entry.range.clone()].to_vec(), shape);
        let tensor = Tensor::<D>::from_data(data, &device);
        let tensor = if self.track {
            tensor.require_grad()
        } else {
            tensor
        };
        Param::initialized(param.id, tensor)
    }
}
