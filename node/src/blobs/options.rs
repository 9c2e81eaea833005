//! The options of blobs on the command line.

use super::fault::Kind;
use sc_service::Configuration;
use std::{fmt, path::PathBuf, str::FromStr};

/// Blobs: models, datasets and others that are too large for the chain, from node to node.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Blobs")]
pub struct BlobOptions {
    /// Folder of blobs. A worker on this machine may use the same one as its `blob_dir`. Default: `blobs` in the chain's
    /// folder below the base path.
    #[arg(long, value_name = "DIR", conflicts_with = "no_blobs")]
    pub blob_dir: Option<PathBuf>,

    /// How many bytes of blobs this node hands out at most, with K, M, G or T for powers of 1024. When they are reached,
    /// the longest unused of what it fetched goes; what is pinned stays. What a worker keeps in the folder for itself is
    /// neither counted nor touched.
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "64G",
        conflicts_with = "no_blobs"
    )]
    pub blob_quota: Bytes,

    /// Bytes a second that all other nodes together are given of blobs.
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "128M",
        conflicts_with = "no_blobs"
    )]
    pub blob_rate: Bytes,

    /// Bytes a second that one other node is given of blobs.
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "64M",
        conflicts_with = "no_blobs"
    )]
    pub blob_peer_rate: Bytes,

    /// Neither hand out nor fetch blobs.
    #[arg(long)]
    pub no_blobs: bool,

    /// Behave badly, for tests.
    #[arg(long, hide = true, value_name = "FAULT", conflicts_with = "no_blobs")]
    pub(super) blob_fault: Option<Kind>,
}

impl BlobOptions {
    /// The folder.
    pub fn dir(&self, config: &Configuration) -> PathBuf {
        self.blob_dir.clone().unwrap_or_else(|| {
            config
                .base_path
                .config_dir(config.chain_spec.id())
                .join("blobs")
        })
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, shift) = match text.chars().last() {
            Some('K') => (text.strip_suffix('K'), 10),
            Some('M') => (text.strip_suffix('M'), 20),
            Some('G') => (text.strip_suffix('G'), 30),
            Some('T') => (text.strip_suffix('T'), 40),
            _ => (Some(text), 0),
        };
        digits
            .and_then(|digits| digits.parse::<u64>().ok())
            .and_then(|number| number.checked_mul(1 << shift))
            .filter(|bytes| *bytes > 0)
            .map(Self)
            .ok_or_else(|| {
                format!("'{text}' is no number of bytes: a whole number above 0, with K, M, G or T behind it or nothing")
            })
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_with_and_without_a_unit() {
        assert_eq!("4096".parse(), Ok(Bytes(4_096)));
        assert_eq!("64G".parse(), Ok(Bytes(64 << 30)));
        for bad in ["", "G", "0", "-1", "1.5G", "64g", "99999999999T"] {
            assert!(bad.parse::<Bytes>().is_err(), "{bad}");
        }
    }
}
