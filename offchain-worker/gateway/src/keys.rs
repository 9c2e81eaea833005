//! API keys: who may ask, for what, how much at once, and for how much money a day.
//!
//! The file holds hashes, never keys:
//!
//! ```toml
//! [[keys]]
//! name = "alice"
//! sha256 = "…64 hexadecimal digits…"   # printf %s "$KEY" | sha256sum
//! budget = "2.5"                       # DOT a day (UTC); without it: no limit
//! concurrent = 4                       # requests at once; without it: 8
//! models = ["chasqui-tales"]           # without it: every model
//! ```

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use chasqui_primitives::{Balance, DOT};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Largest key file in bytes.
pub const MAX_KEY_FILE_BYTES: u64 = 4 << 20;
/// Most keys.
pub const MAX_KEYS: usize = 10_000;
/// Longest name of a key in bytes.
pub const MAX_KEY_NAME: usize = 64;
/// Longest key that a client may send, in bytes.
const MAX_SENT_KEY: usize = 512;
const MAX_CONCURRENT: usize = 4_096;
const DAY: u64 = 86_400;

/// Why a key file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what a key file is.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The day's spending cannot be kept.
    #[error("spending file {}: {source}; give a file in a folder that can be written to", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The operating system gives no random bytes.
    #[error("no random bytes for a new key: {0}")]
    Random(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    keys: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    sha256: String,
    budget: Option<String>,
    concurrent: Option<usize>,
    models: Option<Vec<String>>,
}

/// What was spent on the day, and what is set aside for requests under way.
#[derive(Debug, Default)]
struct Spend {
    day: u64,
    spent: Balance,
    reserved: Balance,
}

impl Spend {
    /// A new day begins at midnight UTC; what is under way stays set aside. A clock that is set back gives nobody
    /// another budget: by up to a day the later day goes on, by more what was spent counts on the earlier one.
    fn on(&mut self, now: u64) {
        let day = now / DAY;
        if day > self.day {
            self.day = day;
            self.spent = 0;
        } else if day.saturating_add(1) < self.day {
            self.day = day;
        }
    }
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Its name, for logs; never the key.
    pub name: String,
    sha256: [u8; 32],
    /// Planck a day.
    pub budget: Option<Balance>,
    /// Most requests at once.
    pub concurrent: usize,
    /// The models that it may use; `None`: all.
    pub models: Option<Vec<String>>,
    pub(crate) running: Arc<Semaphore>,
    pub(crate) waiting: AtomicUsize,
    spend: Mutex<Spend>,
    /// Shared by all keys of a ring: something was charged since the spending was saved.
    charged: Arc<AtomicBool>,
}

impl Key {
    fn new(name: String, sha256: [u8; 32], concurrent: usize) -> Self {
        Self {
            name,
            sha256,
            budget: None,
            concurrent,
            models: None,
            running: Arc::new(Semaphore::new(concurrent)),
            waiting: AtomicUsize::new(0),
            spend: Mutex::default(),
            charged: Arc::default(),
        }
    }

    /// Whether it may use a model.
    pub fn allows(&self, model: &str) -> bool {
        let listed = |models: &Vec<String>| models.iter().any(|listed| listed == model);
        self.models.as_ref().is_none_or(listed)
    }

    /// Sets `most` planck aside for a request. Dropping the reservation gives them back.
    ///
    /// # Errors
    /// The day's budget does not reach.
    pub fn reserve(self: &Arc<Self>, most: Balance) -> Result<Reservation, ApiError> {
        self.reserve_at(most, now())
    }

    fn reserve_at(self: &Arc<Self>, most: Balance, now: u64) -> Result<Reservation, ApiError> {
        let mut spend = self.spend();
        spend.on(now);
        let used = spend.spent.saturating_add(spend.reserved);
        let left = self.budget.map(|budget| budget.saturating_sub(used));
        // What costs nothing is served on an empty budget too.
        if let Some(left) = left.filter(|left| *left < most) {
            let message = format!(
                "This request may cost up to {}, and {} are left of this key's {} a day. Lower `max_tokens` or `n`, \
                 shorten the prompt, wait for midnight UTC, or ask the gateway's operator for a larger budget.",
                format_dot(most),
                format_dot(left),
                format_dot(self.budget.unwrap_or_default()),
            );
            return Err(ApiError::quota(message, DAY - now % DAY));
        }
        spend.reserved = spend.reserved.saturating_add(most);
        Ok(Reservation {
            key: self.clone(),
            most,
        })
    }

    /// Takes over what was spent on `day`, unless that is over.
    pub(crate) fn resume(&self, day: u64, spent: Balance) {
        let mut spend = self.spend();
        spend.on(now());
        // Later than today: the clock was set back since.
        if day >= spend.day {
            spend.spent = spent;
        }
    }

    /// Planck spent today.
    pub fn spent(&self) -> Balance {
        let mut spend = self.spend();
        spend.on(now());
        spend.spent
    }

    /// Nothing is left half done under the lock.
    fn spend(&self) -> MutexGuard<'_, Spend> {
        self.spend.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Money set aside for one generation.
#[derive(Debug)]
pub struct Reservation {
    key: Arc<Key>,
    most: Balance,
}

impl Reservation {
    /// What may be spent.
    pub fn most(&self) -> Balance {
        self.most
    }

    /// Charges what it really cost and gives the rest back.
    pub fn settle(self, price: Balance) {
        let mut spend = self.key.spend();
        spend.on(now());
        spend.spent = spend.spent.saturating_add(price);
        if price > 0 {
            self.key.charged.store(true, Ordering::Release);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut spend = self.key.spend();
        spend.reserved = spend.reserved.saturating_sub(self.most);
    }
}

/// Days since 1970, UTC.
pub(crate) fn today() -> u64 {
    now() / DAY
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Planck as DOT, without trailing zeros.
pub fn format_dot(planck: Balance) -> String {
    let digits = format!("{:010}", planck % DOT);
    let whole = planck / DOT;
    match digits.trim_end_matches('0') {
        "" => format!("{whole} DOT"),
        fraction => format!("{whole}.{fraction} DOT"),
    }
}

/// DOT with up to ten decimals, as planck; `None` where it is no such number.
pub fn parse_dot(text: &str) -> Option<Balance> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 10 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: Balance = whole.parse().ok()?;
    let fraction: Balance = format!("{fraction:0<10}").parse().ok()?;
    whole.checked_mul(DOT)?.checked_add(fraction)
}

/// A new key of 256 random bits, and its hash in hexadecimal.
///
/// # Errors
/// The operating system gives no random bytes.
pub fn new_key() -> Result<(String, String), KeyError> {
    let mut bytes = [0; 32];
    getrandom::getrandom(&mut bytes).map_err(|error| KeyError::Random(error.to_string()))?;
    let key = format!("sk-chasqui-{}", hex::encode(bytes));
    let hash = hex::encode(Sha256::digest(&key));
    Ok((key, hash))
}

/// Everybody who may ask.
#[derive(Debug)]
pub struct Keyring {
    keys: Vec<Arc<Key>>,
    open: bool,
    pub(crate) charged: Arc<AtomicBool>,
    /// Where the day's spending is kept.
    pub(crate) spending: Option<PathBuf>,
    /// Held while it is written.
    pub(crate) saving: Mutex<()>,
}

impl Keyring {
    /// Requests of one key at once, where its entry does not say.
    pub const DEFAULT_CONCURRENT: usize = 8;

    fn of(keys: Vec<Key>, open: bool) -> Self {
        let charged = Arc::new(AtomicBool::new(false));
        let shared = keys.into_iter().map(|key| {
            Arc::new(Key {
                charged: charged.clone(),
                ..key
            })
        });
        Self {
            keys: shared.collect(),
            open,
            charged,
            spending: None,
            saving: Mutex::default(),
        }
    }

    /// No key is asked for. Only for a gateway that nobody else can reach.
    pub fn open(concurrent: usize) -> Self {
        let everybody = Key::new("open".into(), [0; 32], concurrent.clamp(1, MAX_CONCURRENT));
        Self::of(vec![everybody], true)
    }

    /// One key, without a budget.
    pub fn single(name: &str, key: &str, concurrent: usize) -> Self {
        let concurrent = concurrent.clamp(1, MAX_CONCURRENT);
        let key = Key::new(name.into(), Sha256::digest(key).into(), concurrent);
        Self::of(vec![key], false)
    }

    /// The keys of a file (see the module's description).
    ///
    /// # Errors
    /// The file cannot be read, is too large or no such file; a name or a hash repeats or is
    /// malformed; a budget is no amount; there is no key.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let fail = |reason: String| KeyError::File {
            path: path.to_path_buf(),
            reason,
        };
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_KEY_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|source| KeyError::Read {
                path: path.to_path_buf(),
                source,
            })?;
        if bytes.len() as u64 > MAX_KEY_FILE_BYTES {
            return Err(fail(format!("has more than {MAX_KEY_FILE_BYTES} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|_| fail("is no UTF-8 text".into()))?;
        Self::from_toml(&text).map_err(fail)
    }

    /// As [`Self::from_file`], from the file's text.
    ///
    /// # Errors
    /// As [`Self::from_file`], in words.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        if file.keys.is_empty() || file.keys.len() > MAX_KEYS {
            let count = file.keys.len();
            return Err(format!("has {count} [[keys]]; give 1 to {MAX_KEYS}"));
        }
        let (mut names, mut hashes) = (HashSet::new(), HashSet::new());
        let mut keys = Vec::with_capacity(file.keys.len());
        for (index, entry) in file.keys.into_iter().enumerate() {
            let key =
                key(entry).map_err(|reason| format!("[[keys]] number {}: {reason}", index + 1))?;
            if !names.insert(key.name.clone()) {
                return Err(format!("two [[keys]] have the name '{}'", key.name));
            }
            if !hashes.insert(key.sha256) {
                return Err(format!("'{}' has another key's `sha256`", key.name));
            }
            keys.push(key);
        }
        Ok(Self::of(keys, false))
    }

    /// Whether no key is asked for.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// All keys.
    pub fn keys(&self) -> &[Arc<Key>] {
        &self.keys
    }

    /// Whose request it is, by its `Authorization` header.
    ///
    /// # Errors
    /// There is no header, it is no bearer token, or nobody has that key.
    pub fn authenticate(&self, header: Option<&str>) -> Result<Arc<Key>, ApiError> {
        if let (true, [everybody, ..]) = (self.open, &*self.keys) {
            return Ok(everybody.clone());
        }
        let header = header.ok_or_else(|| {
            ApiError::unauthorized(
                "No API key was given: send it as `Authorization: Bearer KEY` (in OpenAI's libraries: `api_key`).",
            )
        })?;
        let sent = header
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, key)| key.trim())
            .filter(|key| !key.is_empty() && key.len() <= MAX_SENT_KEY)
            .ok_or_else(|| {
                ApiError::unauthorized(
                    "`Authorization` must be `Bearer KEY` with one of this gateway's keys.",
                )
            })?;
        let sent: [u8; 32] = Sha256::digest(sent).into();
        // Every key is compared to its end, so that time tells nothing about which came close.
        let mut found = None;
        for key in &self.keys {
            let same: Choice = key.sha256.ct_eq(&sent);
            if bool::from(same) {
                found = Some(key);
            }
        }
        found.cloned().ok_or_else(|| {
            ApiError::unauthorized(
                "This API key is not one of this gateway's: ask its operator for one.",
            )
        })
    }
}

fn key(entry: Entry) -> Result<Key, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    if entry.name.is_empty() || entry.name.len() > MAX_KEY_NAME || !entry.name.chars().all(legal) {
        return Err(format!(
            "`name` is '{}'; give 1 to {MAX_KEY_NAME} letters, digits or . _ @ -",
            crate::error::shortened(&entry.name)
        ));
    }
    let mut sha256 = [0; 32];
    hex::decode_to_slice(entry.sha256.trim_start_matches("0x"), &mut sha256).map_err(|_| {
        "`sha256` is no 64 hexadecimal digits; `printf %s \"$KEY\" | sha256sum` prints them"
            .to_string()
    })?;
    let concurrent = entry.concurrent.unwrap_or(Keyring::DEFAULT_CONCURRENT);
    if concurrent == 0 || concurrent > MAX_CONCURRENT {
        return Err(format!(
            "`concurrent` is {concurrent}; give 1 to {MAX_CONCURRENT}"
        ));
    }
    let budget = entry.budget.map(|text| {
        parse_dot(&text)
            .ok_or_else(|| format!("`budget` is '{text}'; give DOT a day such as \"2.5\""))
    });
    if entry.models.as_ref().is_some_and(Vec::is_empty) {
        return Err("`models` is empty; leave it out to allow every model".into());
    }
    Ok(Key {
        budget: budget.transpose()?,
        models: entry.models,
        ..Key::new(entry.name, sha256, concurrent)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgeted(budget: Balance) -> Arc<Key> {
        Arc::new(Key {
            budget: Some(budget),
            ..Key::new("test".into(), [1; 32], 1)
        })
    }

    // GIVEN a key with a budget
    // WHEN requests are under way, end and are given up
    // THEN all of them together never exceed it, and only what was charged is gone
    #[test]
    fn what_is_set_aside_counts_until_it_is_settled() {
        let key = budgeted(100);
        let first = key.reserve(60).unwrap();
        let error = key.reserve(41).unwrap_err();
        assert_eq!(error.code, Some("insufficient_quota"));
        assert!(
            error.message.contains("0.000000004 DOT"),
            "{}",
            error.message
        );
        let second = key.reserve(40).unwrap();
        drop(second);
        first.settle(10);
        assert_eq!(key.spent(), 10);
        drop(key.reserve(90).unwrap());
        assert!(key.reserve(91).is_err());
    }

    // GIVEN a budget that is spent
    // WHEN a request costs nothing, and when the next day begins
    // THEN both are served, and the error before told how long that takes
    #[test]
    fn a_budget_is_renewed_at_midnight() {
        let key = budgeted(100);
        *key.spend() = Spend {
            day: 10,
            spent: 100,
            reserved: 0,
        };
        let error = key.reserve_at(1, 10 * DAY + DAY - 7).unwrap_err();
        assert_eq!(error.retry_after, Some(7));
        assert_eq!(error.should_retry, Some(false));
        assert!(key.reserve_at(0, 10 * DAY + DAY - 7).is_ok());
        assert!(key.reserve_at(1, 11 * DAY).is_ok());
    }

    // GIVEN a budget that is spent
    // WHEN the clock is set back over midnight and forth again, or was far ahead and is put right
    // THEN nobody gets another budget for the day, and the next one is renewed at its midnight
    #[test]
    fn a_clock_that_jumps_gives_no_budget_twice() {
        let spent = |day| Spend {
            day,
            spent: 100,
            reserved: 0,
        };
        let key = budgeted(100);
        *key.spend() = spent(10);
        for now in [10 * DAY + 5, 10 * DAY - 5, 10 * DAY + 6] {
            assert!(key.reserve_at(1, now).is_err(), "{now}");
        }
        assert!(key.reserve_at(1, 11 * DAY).is_ok());
        *key.spend() = spent(9_999);
        assert!(key.reserve_at(1, 10 * DAY).is_err());
        assert!(key.reserve_at(1, 11 * DAY).is_ok());
    }

    // GIVEN amounts as people write them
    // WHEN they are read and written
    // THEN they are the same; what is no amount is refused
    #[test]
    fn amounts_survive_the_round_trip() {
        for (text, planck) in [("0", 0), ("2.5", 25_000_000_000), ("0.0000000001", 1)] {
            assert_eq!(parse_dot(text), Some(planck));
            assert_eq!(format_dot(planck), format!("{text} DOT"));
        }
        for text in [
            "",
            "-1",
            "1e3",
            "0.00000000001",
            ".5",
            "1,5",
            "99999999999999999999999999999999",
        ] {
            assert_eq!(parse_dot(text), None, "{text}");
        }
    }
}
