//! From what a replay found to a verdict: a pure function.

use chasqui_primitives::audit::{HardReason, Verdict};
use chasqui_primitives::training::AuditTerms;

/// What cannot happen to an honest member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The kept states are not those of the report, or not at the steps that the seed names.
    Opening,
    /// The round does not begin at the agreed model with the member's own moments and residual.
    FirstLeaf,
    /// A stored state is no state.
    State,
    /// A segment ends in numbers that are not finite.
    Diverged,
    /// What was sent is not the encoding of where the round ended.
    Encoding,
    /// Tokens, units or norm of the report are not what the round gives.
    Report,
}

impl Fault {
    /// What the chain is told.
    pub fn reason(self) -> HardReason {
        match self {
            Self::Opening | Self::State => HardReason::TraceRoot,
            Self::FirstLeaf => HardReason::PromptHash,
            Self::Diverged => HardReason::Mismatch,
            Self::Encoding => HardReason::OutputHash,
            Self::Report => HardReason::OutputCount,
        }
    }
}

/// Distances of one vector, summed over segments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    /// Between where the member and the auditor ended.
    pub apart: f64,
    /// Between where the member began and ended.
    pub moved: f64,
}

impl Part {
    /// Of a segment that `claimed` ends and `own` replays, both from `start`.
    pub fn measure(claimed: &[f32], own: &[f32], start: &[f32]) -> Self {
        Self {
            apart: distance(claimed, own),
            moved: distance(claimed, start),
        }
    }

    /// Of a segment on which both agree.
    pub fn exact(end: &[f32], start: &[f32]) -> Self {
        Self {
            apart: 0.0,
            moved: distance(end, start),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            apart: self.apart + other.apart,
            moved: self.moved + other.moved,
        }
    }

    /// Parts per million; whatever differs without moving is infinitely far.
    fn ppm(self) -> f64 {
        match (self.apart > 0.0, self.moved > 0.0) {
            (false, _) => 0.0,
            (true, false) => f64::INFINITY,
            (true, true) => 1e6 * self.apart / self.moved,
        }
    }
}

/// Euclidean distance, summed in order in f64.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(x, y)| {
            let d = f64::from(*x) - f64::from(*y);
            d * d
        })
        .sum::<f64>()
        .sqrt()
}

/// Distances over segments, for each part of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drift {
    /// Weights.
    pub params: Part,
    /// First moments.
    pub first: Part,
    /// Second moments.
    pub second: Part,
}

impl Drift {
    /// Both together: the budget is over all audited segments of a run, so that small steps in one direction add up.
    pub fn plus(self, other: Self) -> Self {
        Self {
            params: self.params.plus(other.params),
            first: self.first.plus(other.first),
            second: self.second.plus(other.second),
        }
    }

    /// The worst part's distance, parts per million of its movement.
    pub fn ppm(&self) -> f64 {
        [self.params, self.first, self.second]
            .into_iter()
            .map(Part::ppm)
            .fold(0.0, f64::max)
    }
}

/// One replayed segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentFinding {
    /// Which.
    pub segment: u32,
    /// Whether every bit agrees.
    pub exact: bool,
    /// How far apart.
    pub drift: Drift,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// The auditor lacks the base model or the dataset.
    pub no_model: bool,
    /// A blob that the member must serve was not to be had.
    pub withheld: bool,
    /// The first thing that is plainly false.
    pub fault: Option<Fault>,
    /// Segments that were replayed.
    pub segments: Vec<SegmentFinding>,
}

impl Findings {
    /// All segments' drift.
    pub fn drift(&self) -> Drift {
        self.segments
            .iter()
            .fold(Drift::default(), |sum, segment| sum.plus(segment.drift))
    }
}

/// The verdict: within one class every bit must agree; across classes the run's drift so far, `before` and these segments
/// together, must be within `terms`. Something false outweighs something missing.
pub fn judge(findings: &Findings, same_class: bool, before: &Drift, terms: &AuditTerms) -> Verdict {
    if findings.no_model {
        return Verdict::NoModel;
    }
    if let Some(fault) = findings.fault {
        return Verdict::Hard(fault.reason());
    }
    let inexact = findings.segments.iter().any(|segment| !segment.exact);
    let ppm = before.plus(findings.drift()).ppm();
    if inexact && (same_class || ppm > f64::from(terms.hard_ppm)) {
        Verdict::Hard(HardReason::Mismatch)
    } else if findings.withheld {
        Verdict::Withheld
    } else if inexact && ppm > f64::from(terms.soft_ppm) {
        Verdict::Soft
    } else {
        Verdict::Valid
    }
}
