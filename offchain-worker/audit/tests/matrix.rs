//! The program behind `scripts/bench audit` with a few runs: the matrix is made, nothing honest is flagged, and what
//! must be caught is.

#[allow(dead_code)]
#[path = "../benches/audit/matrix/mod.rs"]
mod matrix;

use chasqui_audit::{default_thresholds, rastic, Verdict};
use matrix::{
    cases::Cases,
    cheats::{forge, Cheat, Family},
    detect::{Detector, Finding},
    honest::{self, CHUNK},
    machine::Auditor,
    models::{self, Models, Rounding},
    profile::{self, Effort, ProfileReport},
};

fn cases(models: &Models) -> Cases {
    Cases {
        tokenizer: models.tokenizer.clone(),
        seed: 3,
        tokens: 64,
    }
}

const EFFORT: Effort = Effort {
    runs: 8,
    calibration: 8,
};

fn nothing_honest_is_flagged(report: &ProfileReport) {
    for pair in &report.pairs {
        for detector in &pair.detectors {
            assert_eq!(detector.flagged.hits, 0, "{}: {detector:?}", pair.name);
        }
    }
}

// GIVEN honest pairs in f32 and every cheat
// WHEN a few runs of each are audited
// THEN no honest one is flagged, every cheat that stands in more than one token is, and all but another temperature, under
//      which tokens may differ by near-ties only, are hard
#[test]
fn f32_cheats_are_caught() {
    let models = Models::load().unwrap();
    let pairs = honest::f32_pairs(&models.right).unwrap();
    let family = Family::new(&models, &models.right, None).unwrap();
    let report = profile::run(
        "f32",
        &pairs,
        &family,
        &Cheat::ALL,
        &cases(&models),
        &EFFORT,
        &|_, _| {},
    )
    .unwrap();
    nothing_honest_is_flagged(&report);
    for cheat in &report.cheats {
        let full = &cheat.detectors[1].whole;
        assert_eq!(full.detector, Detector::Full.name());
        // Runs that gave the honest answer after all are not among the findings.
        let runs = EFFORT.runs - cheat.same;
        match cheat.key {
            // A second choice may be a near-tie, which is within the tolerance.
            "runner-up" => {}
            "wrong-temperature" => assert_eq!(full.flagged.hits, runs, "{}", cheat.title),
            _ => assert_eq!(full.hard.hits, runs, "{}", cheat.title),
        }
    }
}

// GIVEN machines that compute in bf16 and in f32, and models of another size, precision and prompt
// WHEN a few runs of each are audited by the profile's own thresholds
// THEN no honest one is flagged, and the coarse cheats are caught
#[test]
fn bf16_profile_admits_bf16_and_catches_coarse_cheats() {
    let models = Models::load().unwrap();
    let rounded = models::rounded(&models.right, Rounding::Bf16).unwrap();
    let pairs = honest::mixed_pairs(&rounded).unwrap();
    let family = Family::new(&models, &rounded, Some(Rounding::Bf16)).unwrap();
    let cheats = [
        Cheat::SmallModel,
        Cheat::FourBits,
        Cheat::ShortPrompt,
        Cheat::Filler,
    ];
    let report = profile::run(
        "bf16",
        &pairs,
        &family,
        &cheats,
        &cases(&models),
        &EFFORT,
        &|_, _| {},
    )
    .unwrap();
    nothing_honest_is_flagged(&report);
    for cheat in &report.cheats {
        assert_eq!(
            cheat.detectors[1].whole.flagged.hits, EFFORT.runs,
            "{}",
            cheat.title
        );
    }
}

// GIVEN claims of cheats
// WHEN the matrix derives the cheap mode's verdict from a full replay
// THEN it is what the cheap mode itself says
#[test]
fn the_cheap_mode_is_derived_rightly() {
    let models = Models::load().unwrap();
    let family = Family::new(&models, &models.right, None).unwrap();
    let (cases, thresholds) = (cases(&models), default_thresholds());
    let auditor = Auditor {
        machine: &family.right,
        chunk: CHUNK,
    };
    for cheat in [
        Cheat::Filler,
        Cheat::EarlyStop,
        Cheat::RunnerUp,
        Cheat::CopiedFingerprint,
    ] {
        for forged in forge(cheat, &family, &cases, &[0, 1, 2, 3]).unwrap() {
            let found = Finding::of(&auditor, &forged.claim, forged.from, &thresholds).unwrap();
            for k in [3, 8, 32] {
                let seed = forged.claim.commitment.trace_root;
                let (claim, opening) = (&forged.claim.commitment, forged.claim.opening());
                let cheap = rastic(&auditor, claim, &opening, &thresholds, &seed, k).unwrap();
                assert_eq!(
                    cheap.verdict,
                    found.verdict(Detector::Rastic(k), &thresholds)
                );
                assert_ne!(cheap.verdict, Verdict::NoModel);
            }
        }
    }
}

// GIVEN one seed
// WHEN the same cheat is made twice, in other groups
// THEN the claims are the same
#[test]
fn runs_follow_from_the_seed() {
    let models = Models::load().unwrap();
    let family = Family::new(&models, &models.right, None).unwrap();
    let cases = cases(&models);
    for cheat in [Cheat::Int8, Cheat::InsertedSentence, Cheat::ShortPrompt] {
        let together = forge(cheat, &family, &cases, &[5, 6, 7]).unwrap();
        let alone = forge(cheat, &family, &cases, &[6]).unwrap();
        assert_eq!(together[1].claim.commitment, alone[0].claim.commitment);
        assert_ne!(together[0].claim.commitment, alone[0].claim.commitment);
    }
}
