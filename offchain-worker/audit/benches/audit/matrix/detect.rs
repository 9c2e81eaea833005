//! What each detector says of a claim.

use anyhow::Result;
use chasqui_audit::{
    rastic::positions,
    replay::{replay, summarise, TokenCheck},
    AuditStatistics, AuditThresholds, HardReason, Scorer, Verdict,
};
use chasqui_primitives::{audit::judge, FinishReason};
use sp_core::H256;

use super::cases::{Claim, PANEL};

/// A way of auditing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detector {
    /// Margins and mismatches of all output tokens; the trace's fingerprints are not looked at.
    Tokens,
    /// All of it: the network's audit.
    Full,
    /// The cheap mode with so many interior positions.
    Rastic(u32),
}

impl Detector {
    /// In the order of the tables.
    pub const ALL: [Self; 5] = [
        Self::Tokens,
        Self::Full,
        Self::Rastic(3),
        Self::Rastic(8),
        Self::Rastic(32),
    ];

    /// Its heading.
    pub fn name(self) -> String {
        match self {
            Self::Tokens => "tokens".into(),
            Self::Full => "tokens + fingerprint".into(),
            Self::Rastic(k) => format!("RASTiC k = {k}"),
        }
    }
}

/// What a replay of one claim found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// A check that needs no model failed.
    pub structure: Option<HardReason>,
    /// Every output token.
    pub tokens: Vec<TokenCheck>,
    /// The first token that is not what the right model would have said; 0 for an honest run.
    pub from: usize,
    stops: bool,
    /// Seed of the cheap mode's positions.
    seed: H256,
}

impl Finding {
    /// Replays `claim`.
    ///
    /// # Errors
    /// The scorer's.
    pub fn of<S: Scorer + ?Sized>(
        scorer: &S,
        claim: &Claim,
        from: usize,
        thresholds: &AuditThresholds,
    ) -> Result<Self> {
        let found = replay(
            scorer,
            &claim.commitment,
            &claim.opening(),
            thresholds,
            &PANEL,
        )?;
        Ok(Self {
            structure: match found.verdict {
                Verdict::Hard(reason) if found.tokens.is_empty() => Some(reason),
                _ => None,
            },
            tokens: found.tokens,
            from,
            stops: claim.commitment.finish == FinishReason::Stop,
            // Drawn after the commitment; here it follows from it.
            seed: claim.commitment.trace_root,
        })
    }

    /// The verdict of `detector` on the whole output.
    pub fn verdict(&self, detector: Detector, thresholds: &AuditThresholds) -> Verdict {
        if let Some(reason) = self.structure {
            return Verdict::Hard(reason);
        }
        self.judge(detector, thresholds, &self.tokens, self.stops)
    }

    /// The verdict on the first `count` tokens alone: from the first false one on for those who look at all of them,
    /// from the output's first one for the cheap mode.
    pub fn verdict_on(
        &self,
        detector: Detector,
        thresholds: &AuditThresholds,
        count: usize,
    ) -> Verdict {
        let from = match detector {
            Detector::Rastic(_) => 0,
            _ => self.from.min(self.tokens.len()),
        };
        let end = (from + count).min(self.tokens.len());
        let stops = self.stops && end == self.tokens.len();
        self.judge(detector, thresholds, &self.tokens[from..end], stops)
    }

    fn judge(
        &self,
        detector: Detector,
        thresholds: &AuditThresholds,
        tokens: &[TokenCheck],
        stops: bool,
    ) -> Verdict {
        let looked: Vec<TokenCheck> = match detector {
            Detector::Tokens | Detector::Full => tokens.to_vec(),
            Detector::Rastic(k) => positions(&self.seed, tokens.len(), stops, k)
                .into_iter()
                .filter_map(|index| tokens.get(index).copied())
                .collect(),
        };
        let statistics = summarise(&looked, thresholds.clip_micro);
        let statistics = match detector {
            Detector::Tokens => AuditStatistics {
                fingerprint_sum: 0,
                max_fingerprint: 0,
                ..statistics
            },
            _ => statistics,
        };
        judge(&statistics, thresholds)
    }

    /// The statistics of the whole output.
    pub fn statistics(&self, thresholds: &AuditThresholds) -> AuditStatistics {
        summarise(&self.tokens, thresholds.clip_micro)
    }
}
