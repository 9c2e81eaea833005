//! Options that several commands share, and how amounts, hashes and accounts are written.

use super::funds;
use crate::config::{Config, DEFAULT_NODE};
use anyhow::{bail, ensure, Context, Result};
use chasqui_chain::{AccountId32, Chain, Signer, H256};
use chasqui_primitives::{Balance, DOT};
use std::{
    future::Future,
    io::Read,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Longest key file that is read, in bytes.
const MAX_KEY_FILE_BYTES: u64 = 64 << 10;

/// Which node to talk to.
#[derive(Clone, Debug, clap::Args)]
pub struct NodeOptions {
    /// RPC address of the node.
    #[arg(long, default_value = DEFAULT_NODE, value_name = "URL")]
    pub node: String,
}

impl NodeOptions {
    pub async fn connect(&self) -> Result<Chain> {
        Ok(Chain::connect(&self.node, None).await?)
    }
}

/// Which key signs.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct KeyOptions {
    /// Secret URI: a phrase, a 0x seed, or a derivation such as //Alice (development only). Every user of this machine
    /// can read it in the list of processes: where money is at stake use --key-file.
    #[arg(long, value_name = "SURI")]
    pub key: Option<String>,
    /// File with the secret URI in its first line.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

impl KeyOptions {
    pub fn signer(&self) -> Result<Signer> {
        match (&self.key, &self.key_file) {
            (Some(uri), None) => signer("--key", uri),
            (None, Some(file)) => signer_in("--key-file", file),
            _ => bail!("give one of --key-file and --key"),
        }
    }

    /// Does what the key signs. An error for want of money names the account that lacks it.
    pub async fn sign<T, E, F>(&self, chain: &Chain, act: impl FnOnce(Signer) -> F) -> Result<T>
    where
        E: Into<anyhow::Error>,
        F: Future<Output = Result<T, E>>,
    {
        let signer = self.signer()?;
        let account = signer.account();
        let error = match act(signer).await {
            Ok(done) => {
                // Whatever is read next shall know of it. Where the node is lost meanwhile, it is done all the same.
                let _ = chain.catch_up().await;
                return Ok(done);
            }
            Err(error) => error.into(),
        };
        if !funds::may_concern(&error) {
            return Err(error);
        }
        match funds::free(chain, &account).await {
            Ok(free) => Err(funds::named(error, &account, free)),
            Err(_) => Err(error),
        }
    }
}

/// The key of a secret URI. An empty one is refused: it would stand for the phrase of the development keys, which
/// everybody knows.
///
/// # Errors
/// Names the option: the URI is empty or none.
pub fn signer(option: &str, uri: &str) -> Result<Signer> {
    ensure!(
        !uri.trim().is_empty(),
        "{option}: there is no key; expected a 12 to 24 word phrase, a 0x seed or a derivation such as //Alice"
    );
    Signer::from_uri(uri).with_context(|| option.to_string())
}

/// The key in the first line of a file.
///
/// # Errors
/// Names option and file: it cannot be read, or holds no key in its first line.
pub fn signer_in(option: &str, file: &Path) -> Result<Signer> {
    let text = read_text(option, file, MAX_KEY_FILE_BYTES)?;
    let first = text.lines().next().unwrap_or_default();
    signer(
        &format!("{option}: first line of {}", file.display()),
        first,
    )
}

/// The hot key of a worker's configuration.
///
/// # Errors
/// As [`signer`] and [`signer_in`], for the fields `key` and `key_file`.
pub fn hot_key(config: &Config) -> Result<Signer> {
    match (&config.key, &config.key_file) {
        (Some(uri), _) => signer("`key`", uri),
        (None, Some(file)) => signer_in("`key_file`", file),
        (None, None) => bail!("the configuration names no `key_file` (or `key`)"),
    }
}

/// Machine-readable output.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct JsonOption {
    /// Print one JSON value instead of text.
    #[arg(long)]
    pub json: bool,
}

impl JsonOption {
    /// Prints the JSON, or runs `text`.
    pub fn print(&self, value: &serde_json::Value, text: impl FnOnce()) {
        if self.json {
            println!("{value}");
        } else {
            text();
        }
    }
}

/// The text of a file that an option names, if it has at most `limit` bytes.
///
/// # Errors
/// Names option and file: it cannot be read, is larger, or is no UTF-8.
pub fn read_text(option: &str, path: &Path, limit: u64) -> Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .with_context(|| format!("{option}: reading {}", path.display()))?;
    ensure!(
        bytes.len() as u64 <= limit,
        "{option}: {} has more than {limit} bytes, so it is no such file",
        path.display()
    );
    String::from_utf8(bytes)
        .with_context(|| format!("{option}: {} is no UTF-8 text", path.display()))
}

/// DOT with up to ten decimals, as planck.
pub fn parse_dot(text: &str) -> Result<Balance, String> {
    let wrong = || format!("'{text}' is no amount of DOT: expected a number such as 12 or 0.25");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(wrong());
    }
    if fraction.len() > 10 {
        return Err(format!("'{text}' has more than the ten decimals of DOT"));
    }
    let whole: Balance = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| wrong())?
    };
    let padded = format!("{fraction:0<10}");
    let fraction: Balance = padded.parse().map_err(|_| wrong())?;
    whole
        .checked_mul(DOT)
        .and_then(|w| w.checked_add(fraction))
        .ok_or_else(wrong)
}

/// Planck as DOT, without trailing zeros.
pub fn format_dot(planck: Balance) -> String {
    let (whole, fraction) = (planck / DOT, planck % DOT);
    if fraction == 0 {
        return format!("{whole} DOT");
    }
    let digits = format!("{fraction:010}");
    format!("{whole}.{} DOT", digits.trim_end_matches('0'))
}

/// A 32-byte hash, `0x…`.
pub fn parse_hash(text: &str) -> Result<H256, String> {
    H256::from_str(text)
        .map_err(|_| format!("'{text}' is no 0x… hash of 32 bytes (64 hexadecimal digits)"))
}

/// An SS58 address.
pub fn parse_account(text: &str) -> Result<AccountId32, String> {
    AccountId32::from_str(text).map_err(|_| {
        format!("'{text}' is no SS58 address; `chasqui-worker account address` prints a key's")
    })
}

/// Token ids, comma-separated.
pub fn parse_ids(text: &str) -> Result<Vec<u32>> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse()
                .with_context(|| format!("'{part}' is no token id"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_survive_the_round_trip() {
        // GIVEN amounts a person may write, WHEN they are parsed, THEN they mean these planck and print back.
        for (text, planck, shown) in [
            ("1", DOT, "1 DOT"),
            ("0.25", DOT / 4, "0.25 DOT"),
            (".5", DOT / 2, "0.5 DOT"),
            ("0.0000000001", 1, "0.0000000001 DOT"),
            ("12.5", 125_000_000_000, "12.5 DOT"),
        ] {
            assert_eq!(parse_dot(text), Ok(planck));
            assert_eq!(format_dot(planck), shown);
        }
    }

    #[test]
    fn amounts_that_are_none_are_refused() {
        for text in [
            "",
            ".",
            "-1",
            "1e3",
            "1,5",
            "0.00000000001",
            "x",
            "99999999999999999999999999999999999999999",
        ] {
            assert!(parse_dot(text).is_err(), "{text}");
        }
    }
}
