//! What can go wrong while a model is loaded or run. Every message names the file or field it is
//! about and what to do, because operators read these in a log and not in a debugger.

use std::path::{Path, PathBuf};

/// Result of the engine's fallible functions.
pub type Result<T> = std::result::Result<T, EngineError>;

/// An error of the engine; the display text is meant for an operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A file or folder could not be opened or read.
    #[error("cannot read {}: {source}; check that the model folder is complete and readable", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A JSON file does not parse or a field has the wrong type.
    #[error("{}: not valid JSON for this purpose: {reason}; download the file again", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The parser's message with line and column.
        reason: String,
    },

    /// A file is larger than any that belongs into a model folder under its name.
    #[error("{}: larger than the {limit} bytes that are read of such a file; it does not belong to a model", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes that are read.
        limit: u64,
    },

    /// A configuration field is missing, out of range or contradicts another.
    #[error("{}: field `{field}`: {reason}", path.display())]
    Config {
        /// `config.json` or its like.
        path: PathBuf,
        /// The field's name.
        field: &'static str,
        /// What is wrong and what is accepted.
        reason: String,
    },

    /// The model's architecture is not one that the engine computes.
    #[error("{}: architecture `{found}` is not supported; supported: {supported}", path.display())]
    UnknownArchitecture {
        /// `config.json`.
        path: PathBuf,
        /// What the file says.
        found: String,
        /// Names that would be accepted.
        supported: String,
    },

    /// A weight file is cut short or its header contradicts its length.
    #[error("{}: truncated or corrupt ({reason}); download the file again", path.display())]
    CorruptWeights {
        /// The safetensors file or its index.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },

    /// The index of a sharded model names a file that is not there.
    #[error("{}: missing; {} names it for tensor `{tensor}`; download the missing file", shard.display(), index.display())]
    MissingShard {
        /// `model.safetensors.index.json`.
        index: PathBuf,
        /// The file that should be there.
        shard: PathBuf,
        /// The first tensor that it should hold.
        tensor: String,
    },

    /// A tensor that the architecture needs is in none of the weight files.
    #[error("{}: tensor `{tensor}` is missing; the weights do not belong to this config.json", path.display())]
    MissingTensor {
        /// The file (or folder, if sharded) that should hold it.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
    },

    /// A tensor's shape is not what `config.json` implies.
    #[error("{}: tensor `{tensor}` has shape {found:?}, config.json implies {expected:?}; the weights do not belong to this config.json", path.display())]
    TensorShape {
        /// The file that holds it.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape that the architecture needs.
        expected: Vec<usize>,
    },

    /// A tensor's element type is not one that the engine reads.
    #[error("{}: tensor `{tensor}` is stored as {found}; convert it to F32, F16 or BF16", path.display())]
    TensorDtype {
        /// The file that holds it.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// Element type in the file.
        found: String,
    },

    /// `tokenizer.json` does not load or does not belong to the model.
    #[error("{}: {reason}", path.display())]
    Tokenizer {
        /// The tokenizer file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },

    /// The model's chat template is missing, not usable, or refuses the messages.
    #[error("{}: chat template: {reason}", path.display())]
    ChatTemplate {
        /// The file that holds it, or should.
        path: PathBuf,
        /// What is wrong, with the template's line where there is one.
        reason: String,
    },

    /// As many requests wait as the configuration allows.
    #[error("{queued} requests are waiting already; try again later, or raise the queue's limit")]
    Busy {
        /// How many wait.
        queued: usize,
    },

    /// A device name is unknown or the device is not usable in this build.
    #[error("device `{name}`: {reason}")]
    Device {
        /// The name as given.
        name: String,
        /// Why, and what works instead.
        reason: String,
    },

    /// A generation or scoring request is malformed; nothing was computed.
    #[error("invalid request: `{field}`: {reason}")]
    Request {
        /// The request's field.
        field: &'static str,
        /// Why, with the limits that hold.
        reason: String,
    },

    /// A logit is NaN or infinite: the weights are damaged or overflow in this precision.
    #[error("logit of token {token} at position {position} is {value}: damaged weights or numeric overflow; no token is sampled from it")]
    NonFiniteLogit {
        /// Absolute position in prompt plus output.
        position: u64,
        /// Token id whose logit it is.
        token: u32,
        /// The value.
        value: f32,
    },

    /// The tensor library failed.
    #[error("computation failed on the device: {0}")]
    Compute(String),
}

impl EngineError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read {
            path: path.to_path_buf(),
            source,
        }
    }

    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Write {
            path: path.to_path_buf(),
            source,
        }
    }

    pub(crate) fn json(path: &Path, source: serde_json::Error) -> Self {
        Self::Json {
            path: path.to_path_buf(),
            reason: source.to_string(),
        }
    }

    pub(crate) fn config(path: &Path, field: &'static str, reason: impl Into<String>) -> Self {
        Self::Config {
            path: path.to_path_buf(),
            field,
            reason: reason.into(),
        }
    }

    pub(crate) fn request(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Request {
            field,
            reason: reason.into(),
        }
    }
}
