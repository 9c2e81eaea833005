//! Intervals, bounds and quantiles.

use serde::Serialize;

/// The standard normal quantile of a two-sided 95% interval.
const Z: f64 = 1.959_964;

/// A share of runs with its 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// Runs that count.
    pub hits: usize,
    /// All runs.
    pub runs: usize,
    /// `hits / runs`.
    pub rate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Share {
    /// With Wilson's score interval; where nothing or everything was hit, the end that says something is the
    /// one-sided 95% bound (the rule of three).
    pub fn of(hits: usize, runs: usize) -> Self {
        let (h, n) = (hits as f64, runs.max(1) as f64);
        let rate = h / n;
        let z2 = Z * Z;
        let middle = (rate + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z / (1.0 + z2 / n) * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n)).sqrt();
        let three = (3.0 / n).min(1.0);
        Self {
            hits,
            runs,
            rate,
            low: match hits {
                0 => 0.0,
                _ if hits == runs => 1.0 - three,
                _ => middle - half,
            },
            high: match hits {
                0 => three,
                _ if hits == runs => 1.0,
                _ => middle + half,
            },
        }
    }

    /// How many of `flags` are set.
    pub fn count(flags: impl IntoIterator<Item = bool>) -> Self {
        let (mut hits, mut runs) = (0, 0);
        for flag in flags {
            runs += 1;
            hits += usize::from(flag);
        }
        Self::of(hits, runs)
    }
}

/// The middle value, or the mean of the two in the middle; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(middle)) {
        (1, Some(value)) => *value,
        (0, Some(value)) => (sorted[middle - 1] + value) / 2.0,
        _ => 0.0,
    }
}

/// The tail of one statistic over honest runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tail {
    /// Half of all runs are below.
    pub median: f64,
    /// 99% of all runs are below.
    pub p99: f64,
    /// The largest.
    pub worst: f64,
    /// What one run in a thousand exceeds, by the fit.
    pub one_in_1e3: f64,
    /// What one run in 10^9 exceeds, by the fit: far beyond what was seen, so no more than a hint.
    pub one_in_1e9: f64,
}

impl Tail {
    /// Of `values`; all zero of nothing.
    ///
    /// The fit takes the excesses over the 95% quantile as exponential with their mean as scale (peaks over
    /// threshold with shape 0). A tail that falls faster, as a normal one does, stays below it; one that falls as a
    /// power does not.
    pub fn of(values: &[f64]) -> Self {
        let sorted = sorted(values);
        let at = |q: f64| {
            let index = ((sorted.len() as f64 - 1.0).max(0.0) * q).round() as usize;
            sorted.get(index).copied().unwrap_or(0.0)
        };
        let threshold = at(0.95);
        let above: Vec<f64> = sorted
            .iter()
            .filter(|v| **v > threshold)
            .map(|v| v - threshold)
            .collect();
        let scale = above.iter().sum::<f64>() / above.len().max(1) as f64;
        let share = above.len() as f64 / sorted.len().max(1) as f64;
        let beyond = |rate: f64| match share > rate {
            true => threshold + scale * (share / rate).ln(),
            false => threshold,
        };
        Self {
            median: at(0.5),
            p99: at(0.99),
            worst: at(1.0),
            one_in_1e3: beyond(1e-3),
            one_in_1e9: beyond(1e-9),
        }
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}
