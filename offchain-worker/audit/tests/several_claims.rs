//! Several claims replayed as one case.

mod common;

use chasqui_audit::{replay::replay_all, Commitment, Opening, Verdict};
use chasqui_engine::Engine;
use chasqui_primitives::audit::Evidence;
use common::*;
use sp_core::H256;

const PANEL: H256 = H256::repeat_byte(0x33);

fn judge(engine: &Engine, claims: &[Claim]) -> (Verdict, Evidence) {
    let claims: Vec<(Commitment, Opening<'_>)> = claims
        .iter()
        .map(|claim| (claim.commitment.clone(), claim.opening()))
        .collect();
    replay_all(engine, &claims, &thresholds(), &PANEL).unwrap()
}

fn runs(engine: &Engine) -> Vec<Claim> {
    (0..4u64)
        .map(|seed| honest(engine, &[0, 5, 9 + seed as u32], sampling(800, seed, 12)))
        .collect()
}

// GIVEN honest answers to several requests
// WHEN they are judged as one
// THEN all are valid, and the evidence needs every one of them
#[test]
fn honest_ones_are_valid_and_all_of_them_count() {
    let engine = golden("llama-mha-tied");
    let claims = runs(&engine);
    let (verdict, evidence) = judge(&engine, &claims);
    assert_eq!(verdict, Verdict::Valid);
    assert_eq!(judge(&engine, &claims).1, evidence);
    let (_, fewer) = judge(&engine, &claims[1..]);
    assert_ne!(fewer, evidence);
    assert_eq!(judge(&engine, &[]).0, Verdict::Valid);
}

// GIVEN the same with one token of one answer replaced, wherever it stands
// WHEN they are judged as one
// THEN the whole case is hard
#[test]
fn one_false_answer_condemns_all() {
    let engine = golden("llama-mha-tied");
    for at in 0..4 {
        let mut claims = runs(&engine);
        claims[at] = claims[at].edited(|trace| trace[3].token = (trace[3].token + 101) % 300);
        let (verdict, evidence) = judge(&engine, &claims);
        assert!(matches!(verdict, Verdict::Hard(_)), "{at}: {verdict:?}");
        assert!(evidence.is_empty());
    }
}
