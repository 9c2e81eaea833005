//! A run's terms are refused where a number is out of range, and its root binds all of them.

use chasqui_primitives::training::{
    AdapterTargets, AuditTerms, Codec, InnerOptimizer, Outer, Recipe, RunTerms, Schedule, Start,
    TermsError, Timing, Trains,
};
use parity_scale_codec::{Decode, Encode, MaxEncodedLen};
use sp_core::H256;

fn recipe() -> Recipe {
    Recipe {
        inner_steps: 20,
        batch: 4,
        micro_batch: 2,
        sequence: 64,
        optimizer: InnerOptimizer::default(),
        schedule: Schedule {
            peak_nano: 1_000_000,
            warmup_steps: 10,
            total_steps: 100,
            floor_ppm: 100_000,
        },
        clip_milli: 1_000,
        outer: Outer::default(),
        codec: Codec::F32,
        norm_clip_ppm: 4_000_000,
        segments: 4,
        trains: Trains::Full,
    }
}

fn terms() -> RunTerms {
    RunTerms {
        start: Start::Fresh {
            config: H256::repeat_byte(1),
            seed: 2,
        },
        dataset: H256::repeat_byte(3),
        sequences: 1_000,
        recipe: recipe(),
        rounds: 5,
        round_pay: 1_000,
        min_members: 2,
        max_members: 8,
        timing: Timing {
            forming_blocks: 0,
            warmup_blocks: 1,
            train_blocks: 1,
            grace_blocks: 0,
            spread_percent: 0,
            exchange_blocks: 1,
            attest_blocks: 1,
            audit_blocks: 1,
            agree_blocks: 1,
            challenge_blocks: 1,
            idle_blocks: 1,
            max_missed: 1,
            max_void: 1,
        },
        audit: AuditTerms {
            segments: 1,
            soft_ppm: 1,
            hard_ppm: 2,
            evidence_tau: 0,
        },
    }
}

#[test]
fn terms_in_range_are_accepted() {
    assert_eq!(terms().validate(), Ok(()));
    assert_eq!(terms().budget(), Some(5_000));
    assert_eq!(recipe().tokens_per_round(), 20 * 4 * 64);
    assert_eq!(recipe().sequences_per_round(3), 20 * 4 * 3);
}

#[test]
fn every_number_out_of_range_is_refused() {
    type Change = fn(&mut RunTerms);
    let sparse = |chunk, keep, decay_ppm| Codec::Sparse {
        chunk,
        keep,
        decay_ppm,
    };
    assert!(recipe_with(sparse(4_096, 64, 950_000)).validate().is_ok());
    for codec in [
        sparse(1, 1, 0),
        sparse(8, 9, 0),
        sparse(8, 0, 0),
        sparse(8, 1, 1_000_001),
    ] {
        assert_eq!(recipe_with(codec).validate(), Err(TermsError::Codec));
    }
    let cases: &[(Change, TermsError)] = &[
        (|t| t.recipe.inner_steps = 0, TermsError::InnerSteps),
        (|t| t.recipe.inner_steps = 100_001, TermsError::InnerSteps),
        (|t| t.recipe.batch = 0, TermsError::Batch),
        (|t| t.recipe.micro_batch = 0, TermsError::MicroBatch),
        (|t| t.recipe.micro_batch = 5, TermsError::MicroBatch),
        (|t| t.recipe.sequence = 0, TermsError::Sequence),
        (|t| t.recipe.schedule.peak_nano = 0, TermsError::Schedule),
        (
            |t| t.recipe.schedule.floor_ppm = 1_000_001,
            TermsError::Schedule,
        ),
        (|t| t.recipe.clip_milli = 0, TermsError::Clip),
        (
            |t| t.recipe.outer.momentum_ppm = 1_000_000,
            TermsError::Outer,
        ),
        (|t| t.recipe.outer.rate_ppm = 0, TermsError::Outer),
        (
            |t| t.recipe.codec = Codec::Int8 { block: 0 },
            TermsError::Codec,
        ),
        (|t| t.recipe.norm_clip_ppm = 999_999, TermsError::NormClip),
        (|t| t.recipe.segments = 0, TermsError::Segments),
        (|t| t.recipe.segments = 21, TermsError::Segments),
        (|t| t.sequences = 0, TermsError::Sequence),
        (|t| t.rounds = 0, TermsError::Rounds),
        (|t| t.rounds = 100_001, TermsError::Rounds),
        (|t| t.min_members = 0, TermsError::Members),
        (|t| t.min_members = 9, TermsError::Members),
        (|t| t.max_members = 513, TermsError::Members),
        (|t| t.timing.train_blocks = 0, TermsError::Timing),
        (|t| t.timing.idle_blocks = u32::MAX, TermsError::Timing),
        (|t| t.timing.max_missed = 0, TermsError::Timing),
        (|t| t.audit.segments = 0, TermsError::Audit),
        (|t| t.audit.segments = 5, TermsError::Audit),
        (|t| t.audit.soft_ppm = 3, TermsError::Audit),
        (|t| t.round_pay = 0, TermsError::Pay),
        (|t| t.round_pay = u128::MAX, TermsError::Pay),
    ];
    for (index, (change, error)) in cases.iter().enumerate() {
        let mut changed = terms();
        change(&mut changed);
        assert_eq!(changed.validate(), Err(*error), "case {index}");
    }
}

fn recipe_with(codec: Codec) -> Recipe {
    Recipe { codec, ..recipe() }
}

#[test]
fn an_adapter_needs_a_base_and_known_targets() {
    let adapter = |targets| Trains::Adapter {
        rank: 8,
        alpha_milli: 16_000,
        targets,
    };
    let mut run = terms();
    // GIVEN an adapter on fresh weights, THEN there is nothing to add it to
    run.recipe.trains = adapter(AdapterTargets::ATTENTION);
    assert_eq!(run.validate(), Err(TermsError::Start));
    // GIVEN a base, THEN it is accepted, but for unknown matrices or none
    run.start = Start::Checkpoint(H256::repeat_byte(4));
    assert_eq!(run.validate(), Ok(()));
    run.recipe.trains = adapter(AdapterTargets(0));
    assert_eq!(run.validate(), Err(TermsError::Trains));
    run.recipe.trains = adapter(AdapterTargets(1 << 9));
    assert_eq!(run.validate(), Err(TermsError::Trains));
    assert!(AdapterTargets::ALL.contains(AdapterTargets::QUERY.with(AdapterTargets::DOWN)));
}

#[test]
fn the_root_binds_terms_number_and_chain() {
    let genesis = H256::repeat_byte(9);
    let root = terms().root(&genesis, 0);
    let mut other = terms();
    other.recipe.outer.rate_ppm += 1;
    assert_ne!(root, other.root(&genesis, 0));
    assert_ne!(root, terms().root(&genesis, 1));
    assert_ne!(root, terms().root(&H256::zero(), 0));
}

#[test]
fn terms_survive_their_encoding() {
    let bytes = terms().encode();
    assert!(bytes.len() <= RunTerms::max_encoded_len());
    assert_eq!(RunTerms::decode(&mut &bytes[..]), Ok(terms()));
}
