//! `[training]` of the worker's configuration.

use anyhow::{bail, Result};
use chasqui_primitives::RunId;
use serde::Deserialize;

/// Which runs a worker joins by itself, and what they may use.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Runs to join without being told to: a list of numbers, or `"all"`. Runs that were joined by a command, or before, are
    /// always gone on with.
    pub join: Join,
    /// `cpu`, or `cuda:N` in a build with the feature `cuda`. Default: what validators replay on here.
    pub device: Option<String>,
    /// Micro-batches computed at a time; changes no bit. Default: as many as processors.
    pub threads: Option<usize>,
    /// Most GiB that the blobs of one run may take. No bound when absent.
    pub disk_gib: Option<u64>,
    /// Whether an agreed model that is not what the accepted work gives is challenged, which holds a deposit for a while.
    pub challenge: bool,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            join: Join::default(),
            device: None,
            threads: None,
            disk_gib: None,
            challenge: true,
        }
    }
}

/// Runs to join.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Join {
    /// These.
    Runs(Vec<RunId>),
    /// `all`.
    Word(String),
}

impl Default for Join {
    fn default() -> Self {
        Self::Runs(Vec::new())
    }
}

impl Join {
    /// Whether a run is to be joined.
    pub fn wants(&self, run: RunId) -> bool {
        match self {
            Self::Runs(runs) => runs.contains(&run),
            Self::Word(word) => word == "all",
        }
    }

    /// Whether nothing is to be joined.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Runs(runs) if runs.is_empty())
    }
}

impl TrainingConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the field and what to write.
    pub fn check(&self, listens: bool) -> Result<()> {
        match &self.join {
            Join::Word(word) if word != "all" => bail!(
                "`join` of [training] is \"{word}\"; write \"all\", or a list of runs such as [0, 3]"
            ),
            join if !join.is_empty() && !listens => bail!(
                "`join` of [training] without `listen`: whoever takes part in a run must hand out what it computed; \
                 set `listen` to where the registered endpoint leads"
            ),
            _ => {}
        }
        if self.threads == Some(0) {
            bail!("`threads` of [training] is 0; it must be at least 1, or left out");
        }
        if self.disk_gib == Some(0) {
            bail!("`disk_gib` of [training] is 0; leave it out for no bound");
        }
        Ok(())
    }
}
