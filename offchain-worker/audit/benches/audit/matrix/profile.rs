//! One numeric profile: thresholds from honest pairs, then rates on other honest pairs and on cheats.

use std::ops::Range;

use anyhow::Result;
use chasqui_audit::{
    calibrate::{thresholds, Measured},
    AuditLimits, AuditStatistics, AuditThresholds, Verdict,
};
use chasqui_primitives::sampling::TOP_P_OFF;
use serde::Serialize;

use super::{
    cases::{Case, Cases},
    cheats::{forge, Cheat, Family},
    detect::{Detector, Finding},
    generate::{generate, Order},
    honest::{Pair, CHUNK},
    machine::Auditor,
    parallel,
    stats::{Share, Tail},
};

/// Output lengths at which detection is asked for.
pub const PREFIXES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Runs of a pair in a validator's own calibration: four prompts, two temperatures, two seeds.
const VALIDATOR: usize = 16;
/// What the chain adds to the worst calibration by default, in percent.
const MARGIN_PERCENT: u64 = 25;
/// Share of runs that a detector must find to count as sufficient.
const ENOUGH: f64 = 0.99;
/// Numbers of the requests that thresholds come from: disjoint from those that they are tried on.
const CALIBRATION: u64 = 1 << 32;
/// Numbers of the honest requests.
const HONEST: u64 = 1 << 33;
/// Runs of one ragged pass where a cheat generates.
const BATCH: usize = 16;

/// How much is run.
#[derive(Debug, Clone, Serialize)]
pub struct Effort {
    /// Runs of each pair and of each cheat.
    pub runs: usize,
    /// Runs of each pair that thresholds are made of.
    pub calibration: usize,
}

/// Told after every piece of work: what it belongs to, and how many runs it was.
pub type Progress<'a> = &'a (dyn Fn(&str, usize) + Sync);

/// Everything about one profile.
#[derive(Debug, Serialize)]
pub struct ProfileReport {
    /// Its name.
    pub name: &'static str,
    /// What the pairs of the calibration differ by.
    pub measured: Measured,
    /// The thresholds that follow, with the chain's margin: what it stores.
    pub thresholds: AuditThresholds,
    /// The same from so few runs of each pair as a validator makes.
    pub validator: AuditThresholds,
    /// Honest statistics beside their limits.
    pub limits: Vec<LimitReport>,
    /// Honest pairs.
    pub pairs: Vec<PairReport>,
    /// All honest runs together, per detector: flagged at all, flagged as hard.
    pub honest: Vec<Flagged>,
    /// Shares of all honest runs that are flagged by their first tokens alone: of short outputs.
    pub short: Vec<(usize, Vec<Flagged>)>,
    /// Cheats.
    pub cheats: Vec<CheatReport>,
}

/// One statistic over all honest runs.
#[derive(Debug, Serialize)]
pub struct LimitReport {
    /// Which.
    pub statistic: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Over the runs that the thresholds were not made of.
    pub tail: Tail,
    /// Above it a run is soft.
    pub soft: f64,
    /// Above it a run is hard.
    pub hard: f64,
}

/// Shares of runs that one detector flags.
#[derive(Debug, Clone, Serialize)]
pub struct Flagged {
    /// The detector.
    pub detector: String,
    /// Soft or hard.
    pub flagged: Share,
    /// Hard.
    pub hard: Share,
}

/// One honest pair.
#[derive(Debug, Serialize)]
pub struct PairReport {
    /// What differs.
    pub name: String,
    /// Output tokens.
    pub tokens: usize,
    /// Tokens that the replay would have chosen otherwise.
    pub mismatches: usize,
    /// The largest margin, logits.
    pub max_margin: f64,
    /// The largest mean fingerprint distance of a run.
    pub max_fingerprint: f64,
    /// Per detector.
    pub detectors: Vec<Flagged>,
}

/// One cheat.
#[derive(Debug, Serialize)]
pub struct CheatReport {
    /// Its name on the command line.
    pub key: &'static str,
    /// Its row.
    pub title: &'static str,
    /// Whether it is false at one place only.
    pub local: bool,
    /// Runs that are the very claim of an honest executor, by chance: they do not count.
    pub same: usize,
    /// Mean share of tokens that the replay would have chosen otherwise.
    pub mismatches: f64,
    /// Median of the runs' mean fingerprint distances.
    pub fingerprint: f64,
    /// Median of the runs' largest margins, logits.
    pub margin: f64,
    /// Per detector.
    pub detectors: Vec<CheatDetection>,
}

/// One cheat before one detector.
#[derive(Debug, Serialize)]
pub struct CheatDetection {
    /// At the whole output.
    pub whole: Flagged,
    /// At the first tokens of it.
    pub prefixes: Vec<(usize, Share)>,
    /// Tokens for 99%.
    pub needs: Needs,
}

/// How many tokens a detector needs to find 99% of all runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// The shortest tried length that was enough.
    Tokens(usize),
    /// Longer than what was run; estimated with a constant chance per token.
    Extrapolated(usize),
    /// Nothing was found.
    Never,
}

/// What the chain stores of a calibration: every limit looser by its default margin.
fn stored(calibrated: &AuditThresholds) -> AuditThresholds {
    let scale = |value: u32| (u64::from(value) * (100 + MARGIN_PERCENT)).div_ceil(100) as u32;
    let limits = |limits: &AuditLimits| AuditLimits {
        mean_margin_micro: scale(limits.mean_margin_micro),
        max_margin_micro: scale(limits.max_margin_micro),
        mismatch_ppm: scale(limits.mismatch_ppm),
        fingerprint_milli: scale(limits.fingerprint_milli),
    };
    AuditThresholds {
        boundary_micro: scale(calibrated.boundary_micro),
        clip_micro: calibrated.clip_micro,
        soft: limits(&calibrated.soft),
        hard: limits(&calibrated.hard),
        evidence_tau: scale(calibrated.evidence_tau),
    }
}

/// The requests `first..first + count`, in groups of `batch`.
fn groups(first: u64, count: usize, batch: usize) -> Vec<Vec<u64>> {
    let all: Vec<u64> = (first..first + count as u64).collect();
    all.chunks(batch.max(1)).map(<[u64]>::to_vec).collect()
}

/// What `pairs` differ by in the calibration's requests `from..to`, with candidate sets untruncated as in a validator's calibration.
///
/// # Errors
/// A machine's.
fn calibrate(
    pairs: &[Pair],
    cases: &Cases,
    requests: Range<usize>,
    progress: Progress<'_>,
) -> Result<Measured> {
    let mut measured = Measured::default();
    let first = CALIBRATION + requests.start as u64;
    for pair in pairs {
        let executor = Auditor {
            machine: &pair.executor,
            chunk: 1,
        };
        let auditor = Auditor {
            machine: &pair.auditor,
            chunk: pair.chunk,
        };
        let parts = parallel::map(&groups(first, requests.len(), pair.batch), |group| {
            let asked = group.iter().map(|index| {
                let mut case = cases.case(*index)?;
                case.sampling.top_p_ppm = TOP_P_OFF;
                Ok(case)
            });
            let asked = asked.collect::<Result<Vec<Case>>>()?;
            let orders: Vec<Order> = asked.iter().map(Case::order).collect();
            let mut part = Measured::default();
            for (case, trace) in asked.iter().zip(generate(&pair.executor, &orders)?) {
                let claim = case.claim(trace);
                part.add(&executor, &auditor, &claim.commitment, &claim.opening())?;
            }
            progress(&pair.name, group.len());
            Ok(part)
        })?;
        for part in &parts {
            measured.merge(part);
        }
    }
    Ok(measured)
}

/// Runs one profile.
///
/// # Errors
/// A machine's.
pub fn run(
    name: &'static str,
    pairs: &[Pair],
    family: &Family,
    cheats: &[Cheat],
    cases: &Cases,
    effort: &Effort,
    progress: Progress<'_>,
) -> Result<ProfileReport> {
    let few = VALIDATOR.min(effort.calibration);
    let validator = calibrate(pairs, cases, 0..few, progress)?;
    let mut measured = validator;
    measured.merge(&calibrate(pairs, cases, few..effort.calibration, progress)?);
    let validator = stored(&thresholds(&validator));
    let thresholds = stored(&thresholds(&measured));
    let mut all = Vec::new();
    let mut reports = Vec::new();
    for pair in pairs {
        let found = honest(pair, cases, effort, &thresholds, progress)?;
        reports.push(pair_report(pair, &found, &thresholds));
        all.extend(found);
    }
    let mut cheated = Vec::new();
    for cheat in cheats {
        let found = cheat_findings(*cheat, family, cases, effort, &thresholds, progress)?;
        cheated.push(CheatReport {
            same: effort.runs - found.len(),
            ..cheat_report(*cheat, &found, &thresholds)
        });
    }
    Ok(ProfileReport {
        name,
        measured,
        validator,
        limits: limits(&all, &thresholds),
        honest: flagged(&all, &thresholds),
        short: short(&all, &thresholds),
        thresholds,
        pairs: reports,
        cheats: cheated,
    })
}

fn honest(
    pair: &Pair,
    cases: &Cases,
    effort: &Effort,
    thresholds: &AuditThresholds,
    progress: Progress<'_>,
) -> Result<Vec<Finding>> {
    let auditor = Auditor {
        machine: &pair.auditor,
        chunk: pair.chunk,
    };
    let found = parallel::map(&groups(HONEST, effort.runs, pair.batch), |group| {
        let asked = group
            .iter()
            .map(|index| cases.case(*index))
            .collect::<Result<Vec<_>>>()?;
        let orders: Vec<Order> = asked.iter().map(Case::order).collect();
        let made = generate(&pair.executor, &orders)?;
        let found = asked
            .iter()
            .zip(made)
            .map(|(case, trace)| Finding::of(&auditor, &case.claim(trace), 0, thresholds))
            .collect::<Result<Vec<_>>>()?;
        progress(&pair.name, group.len());
        Ok(found)
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// What an auditor with our CPU kernels finds on the claims of `cheat`.
///
/// # Errors
/// A machine's.
pub fn cheat_findings(
    cheat: Cheat,
    family: &Family,
    cases: &Cases,
    effort: &Effort,
    thresholds: &AuditThresholds,
    progress: Progress<'_>,
) -> Result<Vec<Finding>> {
    let auditor = Auditor {
        machine: &family.right,
        chunk: CHUNK,
    };
    let found = parallel::map(&groups(0, effort.runs, BATCH), |group| {
        let claims = forge(cheat, family, cases, group)?;
        let found = claims
            .iter()
            .filter(|forged| !forged.honest)
            .map(|forged| Finding::of(&auditor, &forged.claim, forged.from, thresholds))
            .collect::<Result<Vec<_>>>()?;
        progress(cheat.title(), group.len());
        Ok(found)
    })?;
    Ok(found.into_iter().flatten().collect())
}

fn is_flagged(verdict: &Verdict) -> bool {
    *verdict != Verdict::Valid
}

fn is_hard(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Hard(_))
}

fn share(
    found: &[Finding],
    counts: fn(&Verdict) -> bool,
    verdict: impl Fn(&Finding) -> Verdict,
) -> Share {
    Share::count(found.iter().map(|one| counts(&verdict(one))))
}

fn short(found: &[Finding], thresholds: &AuditThresholds) -> Vec<(usize, Vec<Flagged>)> {
    let row = |count| {
        let cell = |detector: Detector| {
            let verdict = |one: &Finding| one.verdict_on(detector, thresholds, count);
            flagged_with(detector, found, verdict)
        };
        (count, Detector::ALL.into_iter().map(cell).collect())
    };
    PREFIXES.into_iter().map(row).collect()
}

fn flagged_by(detector: Detector, found: &[Finding], thresholds: &AuditThresholds) -> Flagged {
    flagged_with(detector, found, |one| one.verdict(detector, thresholds))
}

fn flagged_with(
    detector: Detector,
    found: &[Finding],
    verdict: impl Fn(&Finding) -> Verdict,
) -> Flagged {
    let verdict = &verdict;
    Flagged {
        detector: detector.name(),
        flagged: share(found, is_flagged, verdict),
        hard: share(found, is_hard, verdict),
    }
}

fn flagged(found: &[Finding], thresholds: &AuditThresholds) -> Vec<Flagged> {
    Detector::ALL
        .into_iter()
        .map(|detector| flagged_by(detector, found, thresholds))
        .collect()
}

fn pair_report(pair: &Pair, found: &[Finding], thresholds: &AuditThresholds) -> PairReport {
    let statistics: Vec<AuditStatistics> =
        found.iter().map(|one| one.statistics(thresholds)).collect();
    PairReport {
        name: pair.name.clone(),
        tokens: statistics.iter().map(|s| s.tokens as usize).sum(),
        mismatches: statistics.iter().map(|s| s.mismatches as usize).sum(),
        max_margin: statistics.iter().map(max_margin).fold(0.0, f64::max),
        max_fingerprint: statistics.iter().map(mean_fingerprint).fold(0.0, f64::max),
        detectors: flagged(found, thresholds),
    }
}

fn cheat_report(cheat: Cheat, found: &[Finding], thresholds: &AuditThresholds) -> CheatReport {
    let statistics: Vec<AuditStatistics> =
        found.iter().map(|one| one.statistics(thresholds)).collect();
    let of = |f: fn(&AuditStatistics) -> f64| -> Vec<f64> { statistics.iter().map(f).collect() };
    let shares = of(|s| f64::from(s.mismatches) / f64::from(s.tokens.max(1)));
    let detectors = Detector::ALL.into_iter().map(|detector| {
        let whole = flagged_by(detector, found, thresholds);
        let prefixes: Vec<(usize, Share)> = PREFIXES
            .into_iter()
            .map(|count| {
                let verdict = |one: &Finding| one.verdict_on(detector, thresholds, count);
                (count, share(found, is_flagged, verdict))
            })
            .collect();
        CheatDetection {
            needs: needs(&prefixes),
            whole,
            prefixes,
        }
    });
    CheatReport {
        key: cheat.key(),
        title: cheat.title(),
        local: cheat.is_local(),
        same: 0,
        mismatches: shares.iter().sum::<f64>() / shares.len().max(1) as f64,
        fingerprint: super::stats::median(&of(mean_fingerprint)),
        margin: super::stats::median(&of(max_margin)),
        detectors: detectors.collect(),
    }
}

fn needs(prefixes: &[(usize, Share)]) -> Needs {
    if let Some((count, _)) = prefixes.iter().find(|(_, share)| share.rate >= ENOUGH) {
        return Needs::Tokens(*count);
    }
    match prefixes.last() {
        Some((count, share)) if share.rate > 0.0 => {
            let tokens = *count as f64 * (1.0 - ENOUGH).ln() / (1.0 - share.rate).ln();
            Needs::Extrapolated(tokens.ceil() as usize)
        }
        _ => Needs::Never,
    }
}

fn max_margin(statistics: &AuditStatistics) -> f64 {
    statistics.max_margin_micro as f64 / 1e6
}

fn mean_margin(statistics: &AuditStatistics) -> f64 {
    statistics.margin_sum_micro as f64 / 1e6 / f64::from(statistics.tokens.max(1))
}

fn mismatch_share(statistics: &AuditStatistics) -> f64 {
    let free = chasqui_primitives::audit::FREE_MISMATCHES;
    f64::from(statistics.mismatches.saturating_sub(free)) / f64::from(statistics.tokens.max(1))
        * 100.0
}

fn mean_fingerprint(statistics: &AuditStatistics) -> f64 {
    statistics.fingerprint_sum as f64 / f64::from(statistics.tokens.max(1))
}

fn limits(found: &[Finding], thresholds: &AuditThresholds) -> Vec<LimitReport> {
    let statistics: Vec<AuditStatistics> =
        found.iter().map(|one| one.statistics(thresholds)).collect();
    let tail =
        |f: fn(&AuditStatistics) -> f64| Tail::of(&statistics.iter().map(f).collect::<Vec<_>>());
    let (soft, hard) = (&thresholds.soft, &thresholds.hard);
    let row = |statistic, unit, tail, soft: u32, hard: u32, scale: f64| LimitReport {
        statistic,
        unit,
        tail,
        soft: f64::from(soft) / scale,
        hard: f64::from(hard) / scale,
    };
    vec![
        row(
            "largest margin",
            "logits",
            tail(max_margin),
            soft.max_margin_micro,
            hard.max_margin_micro,
            1e6,
        ),
        row(
            "mean margin",
            "logits",
            tail(mean_margin),
            soft.mean_margin_micro,
            hard.mean_margin_micro,
            1e6,
        ),
        row(
            "mismatches beyond the free ones",
            "%",
            tail(mismatch_share),
            soft.mismatch_ppm,
            hard.mismatch_ppm,
            1e4,
        ),
        row(
            "mean fingerprint distance",
            "quanta",
            tail(mean_fingerprint),
            soft.fingerprint_milli,
            hard.fingerprint_milli,
            1e3,
        ),
    ]
}
