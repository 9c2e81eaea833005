//! `audit`: replay a recorded output and judge it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use chasqui_audit::{
    default_thresholds,
    rastic::{rastic, DEFAULT_K},
    replay, AuditStatistics, AuditThresholds, TokenCheck, TraceFile, Verdict,
};
use chasqui_engine::Engine;
use clap::{Args, ValueEnum};
use serde_json::json;
use sp_core::H256;

use super::{
    generate::hash_option,
    options::{read_text, JsonOption},
    EXIT_NOT_VALID,
};

/// Longest trace file that is read, in bytes.
const MAX_TRACE_FILE_BYTES: u64 = 256 << 20;
/// Longest file of thresholds that is read, in bytes.
const MAX_THRESHOLDS_BYTES: u64 = 1 << 20;

/// How much to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Every output token.
    Full,
    /// The first output token, K random interior ones, and the end.
    Rastic,
}

/// Options of `audit`. Exit status 0: valid; 3: soft or hard; 1: the audit itself failed.
#[derive(Debug, Args)]
pub struct Audit {
    /// Model folder in the Hugging Face layout.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// The claim and its trace, as `generate --trace` writes them.
    #[arg(long, value_name = "FILE")]
    pub trace: PathBuf,
    /// How much to look at.
    #[arg(long, value_enum, default_value_t = Mode::Full)]
    pub mode: Mode,
    /// Interior tokens of the cheap mode.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_K)]
    pub k: u32,
    /// Seed of the drawn positions or of the evidence; without it each run draws its own.
    #[arg(long, value_name = "HEX", value_parser = hash_option)]
    pub audit_seed: Option<H256>,
    /// Thresholds as JSON (see `model calibrate`); without it those in the trace file, else the floors for f32.
    #[arg(long, value_name = "FILE")]
    pub thresholds: Option<PathBuf>,
    /// Where to compute: cpu, or cuda:N, an NVIDIA GPU.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    #[command(flatten)]
    pub json: JsonOption,
}

impl Audit {
    /// Runs the command.
    ///
    /// # Errors
    /// The model does not load, a file is not what it should be, or the replay fails. A false output is none.
    pub fn run(self) -> Result<ExitCode> {
        let text = read_text("--trace", &self.trace, MAX_TRACE_FILE_BYTES)?;
        let file = TraceFile::from_json(&text)
            .with_context(|| format!("--trace: {}", self.trace.display()))?;
        let thresholds = self.thresholds(&file)?;
        let engine = Engine::load(&self.model, &self.device)?;
        let (commitment, leaves) = (file.commitment()?, file.leaves());
        let opening = file.opening(&leaves);
        let seed = self.audit_seed.unwrap_or_else(fresh_seed);
        let (verdict, statistics, tokens, extra) = match self.mode {
            Mode::Full => {
                let found = replay(&engine, &commitment, &opening, &thresholds, &seed)?;
                let evidence: &[i32] = &found.evidence;
                let extra = json!({ "evidence": evidence });
                (found.verdict, found.statistics, found.tokens, extra)
            }
            Mode::Rastic => {
                let found = rastic(&engine, &commitment, &opening, &thresholds, &seed, self.k)?;
                let checks: Vec<_> = found.tokens.iter().map(|(check, _)| check).collect();
                let extra = json!({ "checks": checks, "fed_tokens": found.fed_tokens });
                let tokens = found.tokens.iter().map(|(_, token)| *token).collect();
                (found.verdict, found.statistics, tokens, extra)
            }
        };
        let worst = worst(&tokens);
        let mut value = json!({
            "verdict": name(&verdict),
            "reason": reason(&verdict),
            "mode": if self.mode == Mode::Full { "full" } else { "rastic" },
            "statistics": statistics,
            "thresholds": thresholds,
            "worst": worst,
            "audit_seed": seed,
        });
        if let (Some(value), Some(extra)) = (value.as_object_mut(), extra.as_object()) {
            value.extend(extra.clone());
        }
        self.json
            .print(&value, || show(&verdict, &statistics, worst));
        Ok(match verdict {
            Verdict::Valid => ExitCode::SUCCESS,
            _ => ExitCode::from(EXIT_NOT_VALID),
        })
    }

    fn thresholds(&self, file: &TraceFile) -> Result<AuditThresholds> {
        let Some(path) = &self.thresholds else {
            return Ok(file.thresholds.unwrap_or_else(default_thresholds));
        };
        let text = read_text("--thresholds", path, MAX_THRESHOLDS_BYTES)?;
        let mut value: serde_json::Value = serde_json::from_str(&text)
            .with_context(|| format!("--thresholds: {} is not JSON", path.display()))?;
        // The whole answer of `model calibrate --json` will do.
        if let Some(inner) = value.get_mut("thresholds") {
            value = inner.take();
        }
        serde_json::from_value(value).with_context(|| {
            format!(
                "--thresholds: {}: not thresholds; write some with `model calibrate --json`",
                path.display()
            )
        })
    }
}

fn show(verdict: &Verdict, statistics: &AuditStatistics, worst: Option<&TokenCheck>) {
    match reason(verdict) {
        Some(reason) => println!("{} ({reason})", name(verdict)),
        None => println!("{}", name(verdict)),
    }
    println!(
        "{} tokens checked, {} mismatches, largest margin {} logits, largest fingerprint distance {}",
        statistics.tokens,
        statistics.mismatches,
        logits(statistics.max_margin_micro),
        statistics.max_fingerprint,
    );
    if let Some(token) = worst {
        println!(
            "worst: output token {}: {} claimed, {} expected, margin {} logits, fingerprint distance {}",
            token.index,
            token.token,
            token.expected,
            logits(token.margin_micro),
            token.fingerprint_distance,
        );
    }
}

fn logits(micro: u64) -> String {
    match micro {
        u64::MAX => "infinite".into(),
        micro => format!("{}", micro as f64 / 1e6),
    }
}

/// The token that misses by most, if any misses at all.
fn worst(tokens: &[TokenCheck]) -> Option<&TokenCheck> {
    tokens
        .iter()
        .max_by_key(|token| (token.margin_micro, token.fingerprint_distance))
        .filter(|token| token.margin_micro > 0 || token.fingerprint_distance > 0)
}

fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::Soft => "soft",
        Verdict::Hard(_) => "hard",
        Verdict::NoModel => "no-model",
        Verdict::Withheld => "withheld",
    }
}

fn reason(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Hard(reason) => Some(format!("{reason:?}").to_lowercase()),
        _ => None,
    }
}

/// A seed that nobody knew before: positions that an executor could foresee prove nothing.
fn fresh_seed() -> H256 {
    use std::hash::{BuildHasher, RandomState};
    let mut seed = [0u8; 32];
    for (part, word) in seed.chunks_exact_mut(8).enumerate() {
        // The standard library keys each `RandomState` from the operating system's generator.
        word.copy_from_slice(&RandomState::new().hash_one(part).to_le_bytes());
    }
    H256(seed)
}
