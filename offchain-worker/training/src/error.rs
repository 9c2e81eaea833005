//! What can go wrong while a model is made.

use std::path::{Path, PathBuf};

/// Result of the fallible functions of this crate.
pub type Result<T> = std::result::Result<T, TrainingError>;

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
}

impl TrainingError {
    pub(crate) fn setting(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting {
            field,
            reason: reason.into(),
        }
    }

    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Write {
            path: path.to_path_buf(),
            source,
        }
    }
}
