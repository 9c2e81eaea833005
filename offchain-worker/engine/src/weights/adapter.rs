//! Low-rank adapters: a few small matrices that change a frozen base.
//!
//! A folder in PEFT's layout, `adapter_config.json` and `adapter_model.safetensors`. Each matrix `W` that it targets becomes
//! `W + s B A` with `A: [rank, in]`, `B: [out, rank]` and `s = lora_alpha / rank`. It is added while a model is loaded, in
//! f32 and in a fixed order, so that trainer, operators and auditors compute with the same bits. Targeted matrices are held
//! in f32; all others stay mapped from the base's files, which engines with different adapters share.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::file::WeightFile;
use super::module::write_whole;
use crate::config::LlamaConfig;
use crate::error::{EngineError, Result};
use crate::files::{read_json, MAX_CONFIG_BYTES};

/// Name of an adapter's configuration.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";
/// Name of an adapter's weights.
pub const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";
/// Highest rank that is read.
pub const MAX_RANK: usize = 1_024;

/// What PEFT puts in front of a base's parameter names.
const PREFIX: &str = "base_model.model.";
/// The linear maps of a layer, which an adapter may target.
const MODULES: [(&str, &str); 7] = [
    ("q_proj", "self_attn.q_proj"),
    ("k_proj", "self_attn.k_proj"),
    ("v_proj", "self_attn.v_proj"),
    ("o_proj", "self_attn.o_proj"),
    ("gate_proj", "mlp.gate_proj"),
    ("up_proj", "mlp.up_proj"),
    ("down_proj", "mlp.down_proj"),
];

/// What an adapter is, as `adapter_config.json` says it. Of PEFT's many settings those that change the arithmetic must
/// have the values that this file has no field for, or be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterConfig {
    /// Rank of each change.
    pub r: usize,
    /// The change is scaled by this over the rank.
    pub lora_alpha: f64,
    /// Last parts of the names of the targeted maps, such as `q_proj`.
    pub target_modules: BTreeSet<String>,
    /// Root of the base's checkpoint, in hexadecimal; our own field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// Settings of PEFT that would mean another computation, with the only value of each that is computed here.
fn refused(value: &Value) -> Option<(&'static str, &'static str)> {
    let off = |name: &str| {
        matches!(
            value.get(name),
            None | Some(Value::Null | Value::Bool(false))
        ) || value
            .get(name)
            .is_some_and(|found| found == &serde_json::json!({}) || found == &serde_json::json!([]))
    };
    let is = |name: &str, wanted: &str| {
        value
            .get(name)
            .is_none_or(|found| found.is_null() || found == wanted)
    };
    let rules = [
        ("peft_type", is("peft_type", "LORA"), "must be LORA"),
        ("bias", is("bias", "none"), "must be none"),
        ("use_rslora", off("use_rslora"), "is not supported"),
        ("use_dora", off("use_dora"), "is not supported"),
        ("fan_in_fan_out", off("fan_in_fan_out"), "is not supported"),
        ("rank_pattern", off("rank_pattern"), "must be empty"),
        ("alpha_pattern", off("alpha_pattern"), "must be empty"),
        ("modules_to_save", off("modules_to_save"), "must be empty"),
        (
            "layers_to_transform",
            off("layers_to_transform"),
            "must be empty",
        ),
        ("lora_bias", off("lora_bias"), "is not supported"),
    ];
    rules
        .into_iter()
        .find(|(_, holds, _)| !holds)
        .map(|(name, _, reason)| (name, reason))
}

impl AdapterConfig {
    /// Factor of the change.
    pub fn scale(&self) -> f32 {
        (self.lora_alpha / self.r as f64) as f32
    }

    /// The targeted maps of a model, each with the path of its module and its shape `[out, in]`, layer by layer.
    ///
    /// # Errors
    /// A setting is out of range; `path` is named.
    pub fn targets(&self, base: &LlamaConfig, path: &Path) -> Result<Vec<(String, [usize; 2])>> {
        if !(1..=MAX_RANK).contains(&self.r) {
            let reason = format!("is {}, must be 1 to {MAX_RANK}", self.r);
            return Err(EngineError::config(path, "r", reason));
        }
        if !(self.lora_alpha.is_finite() && self.lora_alpha > 0.0 && self.scale().is_finite()) {
            let reason = format!("is {}, must be above 0", self.lora_alpha);
            return Err(EngineError::config(path, "lora_alpha", reason));
        }
        let known: BTreeSet<&str> = MODULES.iter().map(|(name, _)| *name).collect();
        let other = self
            .target_modules
            .iter()
            .find(|name| !known.contains(name.as_str()));
        if let Some(other) = other {
            let reason = format!("names `{other}`; known are {known:?}");
            return Err(EngineError::config(path, "target_modules", reason));
        }
        if self.target_modules.is_empty() {
            return Err(EngineError::config(path, "target_modules", "is empty"));
        }
        let suffixes: Vec<&str> = MODULES
            .iter()
            .filter(|(name, _)| self.target_modules.contains(*name))
            .map(|(_, suffix)| *suffix)
            .collect();
        Ok(base
            .tensor_shapes()
            .into_iter()
            .filter_map(|(name, shape)| {
                let module = name.strip_suffix(".weight")?;
                let targeted = suffixes.iter().any(|suffix| module.ends_with(suffix));
                let [out, input] = shape[..] else {
                    return None;
                };
                targeted.then(|| (module.to_owned(), [out, input]))
            })
            .collect())
    }
}

/// Names of the two matrices of the module at `path`, as PEFT writes them.
pub fn adapter_names(path: &str) -> [String; 2] {
    ["lora_A", "lora_B"].map(|part| format!("{PREFIX}{path}.{part}.weight"))
}

/// Adds `scale * b a` to `weight: [out, in]`, with `a: [rank, in]` and `b: [out, rank]`: row by row, rank by rank, each
/// product rounded before it is added.
///
/// # Panics
/// The lengths do not fit each other.
pub fn add_low_rank(weight: &mut [f32], input: usize, a: &[f32], b: &[f32], scale: f32) {
    let rank = a.len() / input;
    for (row, factors) in weight.chunks_exact_mut(input).zip(b.chunks_exact(rank)) {
        for (factor, values) in factors.iter().zip(a.chunks_exact(input)) {
            let factor = scale * factor;
            for (x, value) in row.iter_mut().zip(values) {
                *x += factor * value;
            }
        }
    }
}

/// An adapter's files, checked against the base that it changes.
#[derive(Debug)]
pub struct Adapter {
    config: AdapterConfig,
    file: WeightFile,
    targets: Vec<(String, [usize; 2])>,
}

impl Adapter {
    /// Opens the folder `dir` of an adapter for a model like `base`. Its matrices' values are read when they are added.
    ///
    /// # Errors
    /// A file is missing or damaged, a setting means another computation than [the one here](self), a matrix is missing or
    /// misshapen, or there is one that no target has.
    pub fn open(dir: &Path, base: &LlamaConfig) -> Result<Self> {
        let path = dir.join(ADAPTER_CONFIG);
        let value: Value = read_json(&path, MAX_CONFIG_BYTES)?;
        if let Some((field, reason)) = refused(&value) {
            return Err(EngineError::config(&path, field, reason));
        }
        let config: AdapterConfig =
            serde_json::from_value(value).map_err(|error| EngineError::json(&path, error))?;
        let targets = config.targets(base, &path)?;
        let file = WeightFile::open(dir.join(ADAPTER_WEIGHTS))?;
        let mut known = BTreeSet::new();
        for (module, [out, input]) in &targets {
            let [a, b] = adapter_names(module);
            file.tensor(&a, &[config.r, *input])?;
            file.tensor(&b, &[*out, config.r])?;
            known.extend([a, b]);
        }
        if let Some(other) = file.entries().find(|entry| !known.contains(&entry.name)) {
            return Err(EngineError::CorruptWeights {
                path: dir.join(ADAPTER_WEIGHTS),
                reason: format!(
                    "tensor `{}` belongs to none of the targeted maps",
                    other.name
                ),
            });
        }
        Ok(Self {
            config,
            file,
            targets,
        })
    }

    /// What it is.
    pub fn config(&self) -> &AdapterConfig {
        &self.config
    }

    /// Whether the base's parameter `name` is changed.
    pub fn changes(&self, name: &str) -> bool {
        self.target(name).is_some()
    }

    fn target(&self, name: &str) -> Option<&(String, [usize; 2])> {
        let module = name.strip_suffix(".weight")?;
        self.targets.iter().find(|(path, _)| path == module)
    }

    /// Changes the base's parameter `name`, if it is targeted.
    ///
    /// # Errors
    /// A value is not finite.
    pub(super) fn change(&self, name: &str, values: &mut [f32]) -> Result<()> {
        let Some((module, [out, input])) = self.target(name) else {
            return Ok(());
        };
        let [a, b] = adapter_names(module);
        let a = self.file.tensor(&a, &[self.config.r, *input])?.to_f32();
        let b = self.file.tensor(&b, &[*out, self.config.r])?.to_f32();
        if !a.iter().chain(&b).all(|x| x.is_finite()) {
            return Err(EngineError::Compute(format!(
                "the adapter of `{name}` has a value that is not finite"
            )));
        }
        add_low_rank(values, *input, &a, &b, self.config.scale());
        Ok(())
    }
}

/// Writes an adapter's folder. `tensors` are all matrices under [their names](adapter_names), with shapes. Each file appears
/// whole or not at all.
///
/// # Errors
/// The folder or a file cannot be written.
pub fn save_adapter(
    dir: &Path,
    config: &AdapterConfig,
    tensors: &[(String, Vec<usize>, Vec<f32>)],
) -> Result<()> {
    fs::create_dir_all(dir).map_err(|error| EngineError::write(dir, error))?;
    let encoded: Vec<(&str, &[usize], Vec<u8>)> = tensors
        .iter()
        .map(|(name, shape, values)| {
            let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            (name.as_str(), shape.as_slice(), bytes)
        })
        .collect();
    let views = encoded
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(Dtype::F32, shape.to_vec(), bytes).map(|view| (*name, view))
        })
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| EngineError::Compute(error.to_string()))?;
    let bytes = safetensors::serialize(views, None)
        .map_err(|error| EngineError::Compute(error.to_string()))?;
    write_whole(&dir.join(ADAPTER_WEIGHTS), &bytes)?;
    let mut value = serde_json::json!({
        "base_model_name_or_path": config.parent,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": config.r,
        "target_modules": config.target_modules,
        "task_type": "CAUSAL_LM",
    });
    if let Some(parent) = &config.parent {
        value["parent"] = parent.as_str().into();
    }
    let path: PathBuf = dir.join(ADAPTER_CONFIG);
    write_whole(&path, format!("{value:#}\n").as_bytes())
}
