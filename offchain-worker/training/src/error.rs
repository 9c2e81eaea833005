//! What can go wrong while a model is made.

use std::path::{Path, PathBuf};

use sp_core::H256;

/// Result of the fallible functions of this crate.
pub type Result<T, E = TrainingError> = std::result::Result<T, E>;

/// An error of training; the display text is meant for the person who runs it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// A setting is out of range; nothing was computed or written.
    #[error("`{field}`: {reason}")]
    Setting {
        /// Name of the setting.
        field: &'static str,
        /// What is wrong and what is accepted.
        reason: String,
    },

    /// The tokenizer could not be trained, read or applied.
    #[error("tokenizer: {0}")]
    Tokenizer(String),

    /// The engine refused a configuration or could not write the model.
    #[error(transparent)]
    Engine(#[from] chasqui_engine::error::EngineError),

    /// The loss or a gradient is not a finite number: the run has diverged.
    #[error("step {step}: {what} is {value}; lower the learning rate")]
    Diverged {
        /// Step at which it happened, from 0.
        step: u64,
        /// Loss or gradient norm.
        what: &'static str,
        /// The value.
        value: f64,
    },

    /// A tensor of a module does not fit the layout it is used with.
    #[error("module does not fit the layout: {0}")]
    Layout(String),

    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A dataset breaks a rule of its format, or does not fit what it is used for.
    #[error("dataset {name}: {reason}")]
    Dataset {
        /// Its file or root.
        name: String,
        /// Which rule, and what was found.
        reason: String,
    },

    /// A blob is needed that is not here.
    #[error("{what} {root:?} is not here; fetch the blob first")]
    MissingBlob {
        /// What it holds.
        what: &'static str,
        /// Its root.
        root: H256,
    },

    /// A blob is not what it is needed for: longer than that can be, or of another content.
    #[error("{what} {root:?}: {reason}")]
    BadBlob {
        /// What it should hold.
        what: &'static str,
        /// Its root.
        root: H256,
        /// What is wrong.
        reason: String,
    },

    /// The bytes of an encoded pseudo-gradient break the codec's rules.
    #[error("pseudo-gradient: {0}")]
    Gradient(String),

    /// A state folder belongs to another run, is damaged, or is asked for a step out of turn.
    #[error("{}: {reason}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },

    /// Somebody asked for training to stop. What is finished is kept.
    #[error("stopped; start again to go on from the last kept state")]
    Stopped,
}

impl TrainingError {
    pub(crate) fn setting(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting {
            field,
            reason: reason.into(),
        }
    }

    pub(crate) fn dataset(name: &str, reason: impl Into<String>) -> Self {
        Self::Dataset {
            name: name.to_owned(),
            reason: reason.into(),
        }
    }

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
}
