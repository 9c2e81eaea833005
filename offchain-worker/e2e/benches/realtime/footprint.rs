//! What requests brought onto the chain, read from its blocks.

use chasqui_e2e::blocks::Block;
use serde_json::{json, Value};
use std::collections::BTreeMap;

/// Transactions of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    pub count: usize,
    /// Encoded, as they lie in the blocks.
    pub bytes: usize,
    /// Picoseconds, as charged.
    pub ref_time: u128,
    /// Bytes of proof, as charged.
    pub proof_size: u128,
    pub failed: usize,
}

impl std::ops::AddAssign for Part {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
        self.ref_time += other.ref_time;
        self.proof_size += other.proof_size;
        self.failed += other.failed;
    }
}

/// By call.
pub struct Footprint {
    pub parts: BTreeMap<String, Part>,
}

impl Footprint {
    /// All transactions of sessions, and of the audits of what they settled, in these blocks. Nothing else may have
    /// been audited in them.
    pub fn of(blocks: &[Block]) -> Self {
        let mut parts: BTreeMap<String, Part> = BTreeMap::new();
        for transaction in blocks.iter().flat_map(|block| &block.transactions) {
            let ours = ["Sessions.", "Audits."];
            if ours
                .iter()
                .any(|pallet| transaction.call.starts_with(pallet))
            {
                *parts.entry(transaction.call.clone()).or_default() += Part {
                    count: 1,
                    bytes: transaction.bytes,
                    ref_time: u128::from(transaction.ref_time),
                    proof_size: u128::from(transaction.proof_size),
                    failed: usize::from(!transaction.succeeded),
                };
            }
        }
        Self { parts }
    }

    /// The sum over the calls that `wanted` takes.
    pub fn sum(&self, wanted: impl Fn(&str) -> bool) -> Part {
        let mut sum = Part::default();
        for (call, part) in &self.parts {
            if wanted(call) {
                sum += *part;
            }
        }
        sum
    }

    /// As JSON, also for each of so many requests.
    pub fn json(&self, requests: usize) -> Value {
        let each = |part: &Part| {
            let of = |whole: f64| whole / requests.max(1) as f64;
            json!({
                "transactions": part.count,
                "failed": part.failed,
                "bytes": part.bytes,
                "bytes_per_request": of(part.bytes as f64),
                "ref_time_ps_per_request": of(part.ref_time as f64),
                "proof_bytes_per_request": of(part.proof_size as f64),
            })
        };
        let calls: BTreeMap<&String, Value> = self
            .parts
            .iter()
            .map(|(call, part)| (call, each(part)))
            .collect();
        json!({
            "requests": requests,
            "all": each(&self.sum(|_| true)),
            "settle": each(&self.sum(|call| call == "Sessions.settle")),
            "sessions": each(&self.sum(|call| call.starts_with("Sessions."))),
            "audits": each(&self.sum(|call| call.starts_with("Audits."))),
            "calls": calls,
        })
    }
}
