//! The worker's configuration: one TOML file.

use crate::{
    blobs::exchange::BlobLimits, cli::options::parse_dot, training::config::TrainingConfig,
};
use anyhow::{bail, Context, Result};
use chasqui_chain::{AccountId32, Signer, H256};
use chasqui_engine::batch::Limits;
use chasqui_primitives::Balance;
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Where a node listens by default.
pub const DEFAULT_NODE: &str = "ws://127.0.0.1:9944";

/// What `chasqui-worker run --config FILE` reads. Every field but the key has a default that works.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The node's RPC address.
    #[serde(default = "default_node")]
    pub node: String,
    /// Refuse a node whose genesis hash is another (`0x…`). Recommended where money is at stake.
    #[serde(default)]
    pub genesis: Option<String>,
    /// Secret URI of the hot key. Better: `key_file`.
    #[serde(default)]
    pub key: Option<String>,
    /// File with the secret URI of the hot key in its first line.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Folder of blobs: checkpoints, traces, long prompts and outputs.
    #[serde(default = "default_blob_dir")]
    pub blob_dir: PathBuf,
    /// Folder of this worker's own state: verdicts on the way, unpacked models.
    #[serde(default = "default_state_dir")]
    pub state_dir: PathBuf,
    /// `cpu`, or `cuda:N`, an NVIDIA GPU.
    #[serde(default = "default_device")]
    pub device: String,
    /// Most models kept in memory.
    #[serde(default = "default_max_models")]
    pub max_models: usize,
    /// Most audits and calibrations computed at once.
    #[serde(default = "default_parallel")]
    pub parallel: usize,
    /// Most jobs of one model that share each pass over its weights.
    #[serde(default = "default_batch")]
    pub batch: usize,
    /// Most jobs of one model that wait for a place in the batch.
    #[serde(default = "default_queue")]
    pub queue: usize,
    /// Memory for the key-value caches of one model's running jobs, MiB.
    #[serde(default = "default_cache_mib")]
    pub cache_mib: usize,
    /// Memory of one model for the key-value caches that are kept between the turns of sessions, MiB; 0 keeps none.
    #[serde(default = "default_kept_mib")]
    pub kept_mib: usize,
    /// Where to listen for the clients of sessions, for example `0.0.0.0:9617`: what the registered endpoint leads to.
    /// No sessions are served when absent.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// File of the endpoint's Ed25519 key. Default: where `operator register` puts it.
    #[serde(default)]
    pub tls_key_file: Option<PathBuf>,
    /// Settle a session's answers when they are worth so many DOT.
    #[serde(default = "default_settle_dot")]
    pub settle_dot: String,
    /// Settle whatever there is at least every so many blocks.
    #[serde(default = "default_settle_blocks")]
    pub settle_blocks: u32,
    /// Hand out the checkpoints that this operator serves to others who fetch them.
    #[serde(default)]
    pub share_models: bool,
    /// Hand out the registered datasets that lie in `blob_dir`, to validators who judge them and to members of runs.
    #[serde(default = "yes")]
    pub share_datasets: bool,
    /// Most KiB of blobs a second to one address that fetches what this worker shares. No bound when absent.
    #[serde(default)]
    pub share_kib: Option<u64>,
    /// Use the node's network for blobs as well, where the node's folder of blobs is `blob_dir`.
    #[serde(default = "yes")]
    pub node_blobs: bool,
    /// Where to serve Prometheus metrics, for example `127.0.0.1:9616`. Not served when absent.
    #[serde(default)]
    pub metrics: Option<SocketAddr>,
    /// Training runs: which to join, and what they may use.
    #[serde(default)]
    pub training: TrainingConfig,
}

fn default_node() -> String {
    DEFAULT_NODE.into()
}

/// `~/.local/share/chasqui/NAME`, or below the current folder without a home.
pub fn data_dir(name: &str) -> PathBuf {
    std::env::var_os("HOME")
        .map(|home| PathBuf::from(home).join(".local/share/chasqui"))
        .unwrap_or_else(|| PathBuf::from("chasqui-data"))
        .join(name)
}

/// Where blobs lie unless told otherwise.
pub fn default_blob_dir() -> PathBuf {
    data_dir("blobs")
}

fn default_state_dir() -> PathBuf {
    data_dir("worker")
}

fn yes() -> bool {
    true
}

fn default_device() -> String {
    "cpu".into()
}

fn default_max_models() -> usize {
    4
}

fn default_parallel() -> usize {
    1
}

fn default_batch() -> usize {
    Limits::default().running
}

fn default_queue() -> usize {
    Limits::default().queued
}

fn default_cache_mib() -> usize {
    Limits::default().cache_bytes >> 20
}

fn default_kept_mib() -> usize {
    Limits::default().kept_bytes >> 20
}

fn default_settle_dot() -> String {
    "1".into()
}

fn default_settle_blocks() -> u32 {
    1_200
}

/// Where the key of an operator's endpoint lies unless told otherwise.
pub fn default_tls_key_file(operator: &AccountId32) -> PathBuf {
    default_blob_dir().with_file_name(format!("{operator}.tls"))
}

impl Config {
    /// From so many planck on a session is settled.
    pub fn settle_planck(&self) -> Result<Balance> {
        parse_dot(&self.settle_dot).map_err(|reason| anyhow::anyhow!("`settle_dot`: {reason}"))
    }

    /// What each model's batcher may use.
    pub fn batch_limits(&self) -> Limits {
        Limits {
            running: self.batch,
            queued: self.queue,
            cache_bytes: self.cache_mib.saturating_mul(1 << 20),
            kept_bytes: self.kept_mib.saturating_mul(1 << 20),
            ..Limits::default()
        }
    }

    /// What is given of shared blobs at most.
    pub fn blob_limits(&self) -> BlobLimits {
        BlobLimits {
            bytes_per_second: self.share_kib.map(|kib| kib.saturating_mul(1 << 10)),
            ..BlobLimits::default()
        }
    }

    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("reading the configuration {}", path.display()))?;
        let config: Self =
            toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        config
            .check()
            .with_context(|| format!("in {}", path.display()))?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        match (&self.key, &self.key_file) {
            (None, None) => bail!("no `key_file` (or `key`): the worker signs with its hot key"),
            (Some(_), Some(_)) => bail!("both `key` and `key_file`: give one of them"),
            _ => {}
        }
        for (field, value) in [
            ("parallel", self.parallel),
            ("max_models", self.max_models),
            ("batch", self.batch),
            ("queue", self.queue),
            ("cache_mib", self.cache_mib),
        ] {
            if value == 0 {
                bail!("`{field}` is 0; it must be at least 1");
            }
        }
        if self.share_kib == Some(0) {
            bail!("`share_kib` is 0; leave it out for no bound, or share nothing");
        }
        if self.settle_blocks == 0 {
            bail!("`settle_blocks` is 0; it must be at least 1");
        }
        self.training.check(self.listen.is_some())?;
        self.settle_planck()?;
        self.expected_genesis().map(drop)
    }

    /// The hot key.
    pub fn signer(&self) -> Result<Signer> {
        match (&self.key, &self.key_file) {
            (Some(uri), _) => Ok(Signer::from_uri(uri)?),
            (None, Some(file)) => Ok(Signer::from_file(file)?),
            (None, None) => bail!("no `key_file` (or `key`)"),
        }
    }

    /// The genesis hash that the node must have.
    pub fn expected_genesis(&self) -> Result<Option<H256>> {
        self.genesis
            .as_deref()
            .map(|text| {
                H256::from_str(text)
                    .map_err(|_| anyhow::anyhow!("`genesis` is no 0x… hash of 32 bytes: {text}"))
            })
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(lines: &str) -> Limits {
        let text = format!("key = \"//Alice\"\n{lines}");
        let config: Config = toml::from_str(&text).expect("a good file");
        config.check().expect("good values");
        config.batch_limits()
    }

    #[test]
    fn what_is_kept_between_turns_is_bounded_by_the_file() {
        // GIVEN a file that says nothing, one that says how much, and one that wants nothing kept
        assert_eq!(limits("").kept_bytes, Limits::default().kept_bytes);
        assert_eq!(limits("kept_mib = 3").kept_bytes, 3 << 20);
        assert_eq!(limits("kept_mib = 0").kept_bytes, 0);
    }
}
