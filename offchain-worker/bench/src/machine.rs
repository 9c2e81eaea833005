//! What the figures were measured on and with.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// Machine, build and versions.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Name of the CPU.
    pub cpu: String,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// Vector instructions that the CPU has, among those that engines ask for.
    pub simd: Vec<&'static str>,
    /// Memory in bytes, where the system tells.
    pub memory_bytes: Option<u64>,
    /// Operating system and architecture.
    pub system: String,
    /// Compiler.
    pub rustc: &'static str,
    /// Compiler flags beyond the profile.
    pub rustflags: &'static str,
    /// Name and version of the libraries that compute.
    pub libraries: Vec<String>,
    /// Date in UTC.
    pub date: String,
}

impl Machine {
    /// Looks around.
    pub fn detect() -> Self {
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".into()),
            cpus: std::thread::available_parallelism().map_or(1, |n| n.get()),
            simd: simd(),
            memory_bytes: kib("/proc/meminfo", "MemTotal"),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            rustc: env!("BENCH_RUSTC"),
            rustflags: env!("BENCH_RUSTFLAGS"),
            libraries: [
                "candle-core",
                "candle-transformers",
                "burn",
                "burn-flex",
                "gemm",
            ]
            .into_iter()
            .filter_map(|name| locked_version(name).map(|version| format!("{name} {version}")))
            .collect(),
            date: today(),
        }
    }
}

/// Most memory that this process ever held, in bytes: resident pages, mapped files included.
pub fn peak_memory() -> Option<u64> {
    kib("/proc/self/status", "VmHWM")
}

/// Processes that were running or waiting over the last minute, on average.
pub fn load_average() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let value = |line: &str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_string())
    };
    text.lines().find_map(value)
}

fn kib(path: &str, name: &str) -> Option<u64> {
    let value = field(path, name)?;
    let number: u64 = value.strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1024)
}

#[cfg(target_arch = "x86_64")]
fn simd() -> Vec<&'static str> {
    macro_rules! present {
        ($($name:tt),*) => {
            [$(($name, is_x86_feature_detected!($name))),*]
        };
    }
    let all = present!(
        "avx2",
        "fma",
        "f16c",
        "avxvnni",
        "avx512f",
        "avx512bw",
        "avx512vnni",
        "avx512bf16"
    );
    all.into_iter()
        .filter_map(|(name, has)| has.then_some(name))
        .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn simd() -> Vec<&'static str> {
    Vec::new()
}

/// The version of a package in the lock file that this program was built with.
fn locked_version(package: &str) -> Option<&'static str> {
    let lock = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    let rest = &lock[lock.find(&name)? + name.len()..];
    rest.split('"').next()
}

fn today() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |t| t.as_secs());
    date(seconds / 86_400)
}

/// The Gregorian date `days` after 1 January 1970.
fn date(mut days: u64) -> String {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    // GIVEN days counted from the epoch, leap days among them
    // WHEN they become dates
    // THEN they are those of the Gregorian calendar
    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(11_017), "2000-03-01");
        assert_eq!(date(20_453), "2025-12-31");
    }

    // GIVEN the lock file
    // WHEN candle's version is looked up
    // THEN it is the one that the comparison names
    #[test]
    fn versions() {
        assert!(locked_version("candle-core").unwrap().starts_with("0.11."));
        assert!(locked_version("no-such-package").is_none());
    }
}
