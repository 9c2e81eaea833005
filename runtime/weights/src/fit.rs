//! Lines through what was measured.

use anyhow::Result;
use frame_benchmarking::{Analysis, BenchmarkResult, BenchmarkSelector};
use frame_support::traits::StorageInfo;
use std::collections::{BTreeMap, BTreeSet};

/// Entries that a map without a bound is taken to have, for the depth of its trie.
const ENTRIES_OF_AN_UNBOUNDED_MAP: u32 = 1_000_000;
/// Layers of the trie above a pallet's storage.
const LAYERS_ABOVE: u32 = 2;
/// Bytes of a proof for each layer of the trie: fifteen siblings of 33 bytes.
const LAYER_BYTES: u32 = 15 * 33;
/// Bytes of the hashes that begin a storage item's keys.
const PREFIX_BYTES: usize = 32;

/// A cost that grows linearly with a benchmark's components.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// What it costs with all components at zero.
    pub base: u128,
    /// What one more of each component costs, in the components' order.
    pub slopes: Vec<(String, u128)>,
}

impl Line {
    /// The cost at these values, in the components' order.
    pub fn at(&self, values: &[u32]) -> u128 {
        let grown = self.slopes.iter().zip(values);
        grown.fold(self.base, |sum, ((_, slope), value)| {
            sum.saturating_add(slope.saturating_mul(u128::from(*value)))
        })
    }

    /// A line that is nowhere below either.
    fn above(self, other: Line) -> Line {
        // Both have the same components, or none of their own.
        let slope = |of: &Line, index: usize| of.slopes.get(index).map_or(0, |(_, slope)| *slope);
        let names = if self.slopes.is_empty() {
            &other.slopes
        } else {
            &self.slopes
        };
        Line {
            base: self.base.max(other.base),
            slopes: names
                .iter()
                .enumerate()
                .map(|(index, (name, _))| {
                    (name.clone(), slope(&self, index).max(slope(&other, index)))
                })
                .collect(),
        }
    }
}

/// What a benchmark costs.
pub struct Cost {
    /// The benchmark.
    pub name: String,
    /// Its components, with the ends of their ranges.
    pub components: Vec<(String, u32, u32)>,
    /// The shortest run, in nanoseconds.
    pub minimum: u128,
    /// In picoseconds, without what the database costs.
    pub time: Line,
    /// Keys that are read.
    pub reads: Line,
    /// Keys that are written.
    pub writes: Line,
    /// Bytes of the storage proof.
    pub proof: Line,
}

impl Cost {
    /// In one line, at the components' highest.
    pub fn in_words(&self) -> String {
        let highest: Vec<u32> = self.components.iter().map(|(_, _, high)| *high).collect();
        let at: String = self
            .components
            .iter()
            .map(|(name, _, high)| format!(" {name}={high}"))
            .collect();
        format!(
            "{}:{at} {} µs, {} reads, {} writes, {} bytes of proof",
            if at.is_empty() { "always" } else { "at most" },
            self.time.at(&highest) / 1_000_000,
            self.reads.at(&highest),
            self.writes.at(&highest),
            self.proof.at(&highest)
        )
    }
}

/// The line of least squares through `results`, lifted until no step's mean lies above it: a call must never be
/// charged less than it was seen to cost, wherever in its range.
pub fn line(results: &[BenchmarkResult], what: BenchmarkSelector) -> Result<Line> {
    let results = results.to_vec();
    let fit = Analysis::min_squares_iqr(&results, what)?;
    let scale = match what {
        BenchmarkSelector::ExtrinsicTime => 1_000,
        _ => 1,
    };
    let mut line = Line {
        base: fit.base,
        slopes: fit.names.into_iter().zip(fit.slopes).collect(),
    };
    // Two results are too few for squares, and come without means.
    let steps = fit.value_dists.unwrap_or_else(|| {
        let steps = results.iter().filter(|run| !run.components.is_empty());
        steps.map(|run| (values(run), of(run, what), 0)).collect()
    });
    let short = |(values, mean, _): &(Vec<u32>, u128, u128)| {
        mean.saturating_mul(scale).saturating_sub(line.at(values))
    };
    line.base = line
        .base
        .saturating_add(steps.iter().map(short).max().unwrap_or(0));
    Ok(line)
}

fn values(run: &BenchmarkResult) -> Vec<u32> {
    run.components.iter().map(|(_, value)| *value).collect()
}

fn of(run: &BenchmarkResult, what: BenchmarkSelector) -> u128 {
    match what {
        BenchmarkSelector::ExtrinsicTime => run.extrinsic_time,
        BenchmarkSelector::StorageRootTime => run.storage_root_time,
        BenchmarkSelector::Reads => run.reads.into(),
        BenchmarkSelector::Writes => run.writes.into(),
        BenchmarkSelector::ProofSize => run.proof_size.into(),
    }
}

/// The size of the storage proof: the costliest storage item, as if every value were as long as it may be and every
/// map full; but never less than the proof that was recorded.
///
/// It is the costliest and not the sum, as in the SDK's own tool: items share the upper layers, and the runtime counts
/// the proof's true size after each transaction.
pub fn proof(results: &[BenchmarkResult], items: &[StorageInfo]) -> Result<Line> {
    let items: BTreeMap<&[u8], &StorageInfo> = items
        .iter()
        .map(|item| (item.prefix.as_slice(), item))
        .collect();
    let touched: BTreeSet<&[u8]> = results
        .iter()
        .flat_map(|run| run.keys.iter().map(|(key, ..)| prefix(key)))
        .collect();
    let mut proof = line(results, BenchmarkSelector::ProofSize)?;
    for item in touched {
        let info = items.get(item).copied();
        let estimates: Vec<BenchmarkResult> = results
            .iter()
            .map(|run| BenchmarkResult {
                proof_size: estimate(run, item, info),
                ..run.clone()
            })
            .collect();
        proof = proof.above(line(&estimates, BenchmarkSelector::ProofSize)?);
    }
    Ok(proof)
}

fn prefix(key: &[u8]) -> &[u8] {
    key.get(..PREFIX_BYTES).unwrap_or(key)
}

/// Bytes of proof for what one run reads of a storage item.
fn estimate(run: &BenchmarkResult, item: &[u8], info: Option<&StorageInfo>) -> u32 {
    let of_item = run.keys.iter().filter(|(key, ..)| prefix(key) == item);
    let reads: u32 = of_item
        .filter(|(_, _, _, whitelisted)| !whitelisted)
        .fold(0, |sum, (_, reads, _, _)| sum.saturating_add(*reads));
    if reads == 0 {
        return 0;
    }
    let entries = info
        .and_then(|info| info.max_values)
        .unwrap_or(ENTRIES_OF_AN_UNBOUNDED_MAP);
    let path = layers(entries).saturating_mul(LAYER_BYTES);
    let values = match info.and_then(|info| info.max_size) {
        Some(longest) => path.saturating_add(longest).saturating_mul(reads),
        // What has no bound counts as it was recorded.
        None => path.saturating_mul(reads).saturating_add(run.proof_size),
    };
    values.saturating_add(LAYERS_ABOVE * LAYER_BYTES)
}

/// Layers of a trie with this many entries, sixteen to a node.
fn layers(entries: u32) -> u32 {
    let mut layers = 0;
    let mut reach = 1u64;
    while reach < u64::from(entries) {
        reach = reach.saturating_mul(16);
        layers += 1;
    }
    // A single entry has a node of its own.
    layers.max(u32::from(entries > 0))
}
