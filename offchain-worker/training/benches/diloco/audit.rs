//! What the audit of a round costs beside the round.

use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::{ensure, Result};
use chasqui_primitives::audit::Verdict;
use chasqui_primitives::training::{picked_segments, AuditTerms, Codec, Recipe};
use chasqui_training::diloco::segment::{audit, Claim, Rules};
use chasqui_training::diloco::{FolderBlobs, Member, OuterState};
use serde::{Deserialize, Serialize};
use sp_core::H256;

use crate::lab::{threads, Lab, MEMBERS};

/// Seeds over which the replayed share is averaged.
const SEEDS: u64 = 1_000;

/// One recipe's rounds and their audits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditRow {
    pub inner_steps: u32,
    pub codec: String,
    /// Segments of a round, and how many of them are replayed.
    pub segments: u32,
    pub audited: u32,
    /// Replayed steps as a share of the round's, mean over many seeds.
    pub replayed: f64,
    /// Replayed steps of the rounds measured, as a share of theirs.
    pub replayed_here: f64,
    /// Medians, seconds: a member's round with everything that it keeps, one validator's audit of it, and of that what is
    /// not replay.
    pub round: f64,
    pub audit: f64,
    pub checks: f64,
    /// Bytes that a member keeps for a round.
    pub kept_bytes: u64,
}

/// Trains `rounds` rounds of one member of four as the worker does, and audits each.
///
/// # Errors
/// Something cannot be read or written, or an honest round is not found valid.
pub fn cost(
    lab: &Lab,
    rate: f64,
    inner_steps: u32,
    (name, codec): (&str, Codec),
    (segments, audited): (u32, u32),
    rounds: u32,
) -> Result<AuditRow> {
    let recipe = Recipe {
        codec,
        segments,
        ..lab.recipe(
            rate,
            inner_steps,
            lab.protocol().batch,
            inner_steps * rounds,
        )
    };
    let dir = tempfile::tempdir()?;
    let mut inner = lab.inner(&recipe, threads())?;
    let blobs = FolderBlobs::open(dir.path().join("blobs"))?;
    let begin = || Ok(OuterState::new(lab.base().to_vec()));
    let mut member = Member::open(dir.path(), lab.run_root(), blobs, &inner, begin)?;
    let (mut trained, mut audited_s, mut checked) = (Vec::new(), Vec::new(), Vec::new());
    let mut replayed = 0;
    for round in 0..rounds {
        let first = u64::from(round) * recipe.sequences_per_round(MEMBERS);
        let mut plan = lab.plan(round, MEMBERS, 0, first);
        plan.seed = seed(u64::from(round));
        let agreed = member.settled().model.params;
        let previous = member.settled().own;
        let start = Instant::now();
        member.begin(plan)?;
        let report = member.train(&mut inner, lab.data(), |_| ControlFlow::Continue(()))?;
        trained.push(start.elapsed().as_secs_f64());
        let kept = plan.kept_steps(&recipe);
        let claim = Claim {
            plan,
            report,
            agreed,
            previous,
        };
        let mut rules = Rules {
            picked: picked_segments(&seed(!u64::from(round)), 0, &kept, audited),
            same_class: true,
            terms: AuditTerms {
                segments: audited,
                soft_ppm: 0,
                hard_ppm: 0,
                evidence_tau: 0,
            },
            before: Default::default(),
            seed: H256::zero(),
        };
        replayed += steps(&kept, &rules.picked);
        for times in [&mut audited_s, &mut checked] {
            let start = Instant::now();
            let found = audit(&mut inner, lab.data(), &claim, &rules, member.blobs())?;
            times.push(start.elapsed().as_secs_f64());
            ensure!(found.verdict == Verdict::Valid, "honest work: {found:?}");
            // The second time without replay.
            rules.picked.clear();
        }
        member.finish(round, &[report.gradient], true, &inner)?;
    }
    let all = u64::from(rounds) * u64::from(inner_steps);
    let expected: u64 = (0..SEEDS)
        .map(|number| {
            let kept = recipe.kept_steps(&seed(number));
            steps(&kept, &picked_segments(&seed(!number), 0, &kept, audited))
        })
        .sum();
    let (params, residual) = (inner.shape().params, inner.shape().residual);
    Ok(AuditRow {
        inner_steps,
        codec: name.into(),
        segments,
        audited,
        replayed: expected as f64 / (SEEDS * u64::from(inner_steps)) as f64,
        replayed_here: replayed as f64 / all as f64,
        round: median(trained),
        audit: median(audited_s),
        checks: median(checked),
        // Equal vectors are one blob; the residual changes at the end only.
        kept_bytes: 4 * (u64::from(segments + 1) * 3 * params as u64 + 2 * residual as u64),
    })
}

/// Steps of the segments `picked`.
fn steps(kept: &[u32], picked: &[u32]) -> u64 {
    picked
        .iter()
        .filter_map(|&segment| kept.get(segment as usize..)?.get(..2))
        .map(|ends| u64::from(ends[1] - ends[0]))
        .sum()
}

fn seed(number: u64) -> H256 {
    H256::from_low_u64_be(number)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
