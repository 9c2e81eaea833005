//! What is checked before the model runs, and that no claim, however broken, is more than a verdict.

mod common;

use chasqui_audit::{
    claim::Commitment, rastic, AuditStatistics, HardReason, Position, Replay, Result, Scorer,
    Verdict,
};
use chasqui_primitives::{
    sampling::Sampling,
    trace::{trace_root, TraceLeaf},
    FinishReason,
};
use common::{sampling, thresholds, Claim, GENESIS, PANEL};
use proptest::prelude::*;
use sp_core::H256;

/// A made-up model of 32 tokens: the logits follow from the token before.
struct Toy;

impl Scorer for Toy {
    fn vocab_size(&self) -> usize {
        32
    }
    fn hidden_size(&self) -> usize {
        8
    }
    fn context_len(&self) -> usize {
        64
    }
    fn end_ids(&self) -> &[u32] {
        &[1]
    }
    fn score_at(
        &self,
        ids: &[u32],
        wanted: &[usize],
        visit: &mut dyn FnMut(Position<'_>) -> Result<()>,
    ) -> Result<()> {
        for &index in wanted {
            let id = ids[index] as usize;
            let mut logits = [0f32; 32];
            logits[(id * 7 + 3) % 32] = 5.0;
            let hidden = [id as f32 + 1.0, 1.0, -1.0, 2.0, 0.5, 0.0, 3.0, -2.0];
            visit(Position {
                index,
                hidden: &hidden,
                logits: &logits,
            })?;
        }
        Ok(())
    }
}

fn replay(claim: &Claim) -> Replay {
    chasqui_audit::replay(
        &Toy,
        &claim.commitment,
        &claim.opening(),
        &thresholds(),
        &PANEL,
    )
    .unwrap()
}

fn leaves(tokens: &[u32]) -> Vec<TraceLeaf> {
    tokens
        .iter()
        .map(|token| TraceLeaf {
            token: *token,
            fingerprint: [0; 14],
        })
        .collect()
}

fn claim(prompt: &[u32], output: &[u32]) -> Claim {
    Claim::made_of(
        prompt,
        sampling(0, 0, output.len().max(1) as u32),
        FinishReason::Length,
        leaves(output),
    )
}

// GIVEN a claim of which one part after the other is falsified
// WHEN it is replayed
// THEN the first false part, in the order of the protocol, is the reason, and the model is not run
#[test]
fn each_false_part_has_its_reason() {
    type Edit = fn(&mut Commitment);
    let edits: [(Edit, HardReason); 5] = [
        (|c| c.prompt_hash = H256::zero(), HardReason::PromptHash),
        (|c| c.prompt_tokens += 1, HardReason::PromptCount),
        (|c| c.output_hash = H256::zero(), HardReason::OutputHash),
        (|c| c.output_tokens += 1, HardReason::OutputCount),
        (|c| c.trace_root = H256::zero(), HardReason::TraceRoot),
    ];
    for first in 0..edits.len() {
        // This part and all later ones are false.
        let mut broken = claim(&[2, 3], &[4, 5, 6]);
        for (edit, _) in &edits[first..] {
            edit(&mut broken.commitment);
        }
        let replay = replay(&broken);
        assert_eq!(replay.verdict, Verdict::Hard(edits[first].1));
        assert!(replay.tokens.is_empty() && replay.evidence.is_empty());
        assert_eq!(replay.statistics, AuditStatistics::default());
    }
}

// GIVEN a trace that is rightly hashed but holds other tokens than the output, or fewer
// WHEN it is replayed
// THEN the trace is the reason
#[test]
fn the_trace_belongs_to_the_output() {
    for tokens in [&[4u32, 5, 7][..], &[4, 5], &[]] {
        let mut broken = claim(&[2, 3], &[4, 5, 6]);
        broken.trace = leaves(tokens);
        broken.commitment.trace_root = trace_root(&broken.trace);
        assert_eq!(
            replay(&broken).verdict,
            Verdict::Hard(HardReason::TraceRoot)
        );
    }
}

// GIVEN an output of no tokens
// WHEN it is replayed
// THEN its finish reason is false, whatever it says
#[test]
fn an_empty_output_is_condemned() {
    for finish in [FinishReason::Stop, FinishReason::Length] {
        let broken = Claim::made_of(&[2], sampling(0, 0, 4), finish, Vec::new());
        assert_eq!(replay(&broken).verdict, Verdict::Hard(HardReason::Finish));
    }
}

// GIVEN requests that an honest executor refuses
// WHEN one was answered all the same
// THEN the answer is false
#[test]
fn an_answer_to_an_impossible_request_is_condemned() {
    let answers = [
        // No prompt at all.
        (claim(&[], &[4]), HardReason::PromptCount),
        // More than the context.
        (claim(&[2; 62], &[4, 5, 6]), HardReason::PromptCount),
        // Ids that do not exist.
        (claim(&[32], &[4]), HardReason::Mismatch),
        (claim(&[2], &[4, u32::MAX, 5]), HardReason::Mismatch),
        // A temperature that no request may have.
        (
            Claim::made_of(
                &[2],
                Sampling {
                    temperature_milli: 7,
                    ..sampling(0, 0, 1)
                },
                FinishReason::Length,
                leaves(&[4]),
            ),
            HardReason::Mismatch,
        ),
    ];
    for (claim, reason) in answers {
        assert_eq!(replay(&claim).verdict, Verdict::Hard(reason));
        let cheap = rastic(
            &Toy,
            &claim.commitment,
            &claim.opening(),
            &thresholds(),
            &PANEL,
            8,
        )
        .unwrap();
        assert_eq!(cheap.verdict, Verdict::Hard(reason));
    }
}

// GIVEN a session's answer that the client broke off
// WHEN it is replayed
// THEN being short is no fault, a stop id inside is
#[test]
fn a_cancelled_answer_is_not_truncated() {
    let commitment = |output: &[u32]| Commitment {
        finish: FinishReason::Cancelled,
        ..Claim::made_of(
            &[2],
            sampling(0, 0, 9),
            FinishReason::Cancelled,
            leaves(output),
        )
        .commitment
    };
    assert_eq!(commitment(&[4, 5]).check_finish(&[4, 5], &[1]), Ok(()));
    assert_eq!(
        commitment(&[4, 1]).check_finish(&[4, 1], &[1]),
        Err(HardReason::Finish)
    );
}

// GIVEN one near-tie in a very short honest output
// WHEN its statistics are judged
// THEN the share of mismatches alone does not condemn it, and more of them do
#[test]
fn a_near_tie_in_a_short_output_is_no_offence() {
    let statistics = |tokens, mismatches| AuditStatistics {
        tokens,
        mismatches,
        ..Default::default()
    };
    let judge = |tokens, mismatches| {
        chasqui_primitives::audit::judge(&statistics(tokens, mismatches), &thresholds())
    };
    assert_eq!(judge(1, 1), Verdict::Valid);
    assert_eq!(judge(5, 2), Verdict::Valid);
    assert_eq!(judge(64, 4), Verdict::Soft);
    assert_eq!(judge(64, 40), Verdict::Hard(HardReason::Mismatch));
}

proptest! {
    // GIVEN any claim at all
    // WHEN it is replayed in full and in the cheap mode
    // THEN both give a verdict, and statistics cover no more tokens than there are
    #[test]
    fn no_claim_breaks_an_auditor(
        prompt in prop::collection::vec(0u32..40, 0..70),
        output in prop::collection::vec(0u32..40, 0..70),
        fingerprint in any::<[i16; 14]>(),
        temperature in prop::sample::select(vec![0u32, 50, 800, 10_000, 3, u32::MAX]),
        top_k in any::<u32>(),
        top_p_ppm in prop::sample::select(vec![0u32, 1, 500_000, 1_000_000, u32::MAX]),
        seed in any::<u64>(),
        max_tokens in prop::sample::select(vec![0u32, 1, 8, 69, u32::MAX]),
        ignore_eos in any::<bool>(),
        finish in prop::sample::select(vec![FinishReason::Stop, FinishReason::Length, FinishReason::Cancelled]),
        k in any::<u32>(),
    ) {
        let trace: Vec<TraceLeaf> = output.iter().map(|token| TraceLeaf { token: *token, fingerprint }).collect();
        let sampling = Sampling {
            temperature_milli: temperature, top_k, top_p_ppm, seed, stop_ids: vec![7].try_into().unwrap(), ignore_eos, max_tokens,
        };
        let claim = Claim::made_of(&prompt, sampling, finish, trace);
        let replay = replay(&claim);
        prop_assert!(replay.statistics.tokens as usize <= output.len());
        let cheap = rastic(&Toy, &claim.commitment, &claim.opening(), &thresholds(), &GENESIS, k).unwrap();
        prop_assert!(cheap.statistics.tokens as usize <= output.len());
        prop_assert!(cheap.fed_tokens as usize <= prompt.len() + output.len());
    }
}
