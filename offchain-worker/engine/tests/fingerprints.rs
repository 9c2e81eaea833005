//! Fingerprints tell precision and models apart, and nothing else.

use chasqui_engine::fingerprint::{distance, Fingerprinter, Projector};
use chasqui_engine::philox::{key_from_u64, normal_pair};
use proptest::prelude::*;

fn state(seed: u64, width: usize) -> Vec<f32> {
    let pair = |index| normal_pair(key_from_u64(seed), index);
    (0..width as u64 / 2)
        .flat_map(pair)
        .map(|x| x as f32)
        .collect()
}

// GIVEN a state and its copies with the error of f32, f16, bf16 and 4-bit arithmetic
// WHEN their fingerprints are compared
// THEN the distance grows with the error, from nothing to far
#[test]
fn distance_measures_precision() {
    let fingerprinter = Fingerprinter::new(&[3; 32], 512);
    let honest = state(1, 512);
    let noise = state(2, 512);
    let apart = |error: f32| {
        let other: Vec<f32> = honest
            .iter()
            .zip(&noise)
            .map(|(x, e)| x + x.abs() * e * error)
            .collect();
        distance(
            &fingerprinter.fingerprint(&honest).unwrap(),
            &fingerprinter.fingerprint(&other).unwrap(),
        )
    };
    assert!(apart(1e-6) <= 2);
    assert!(apart(5e-4) <= 100);
    assert!(apart(4e-3) > apart(5e-4));
    assert!(apart(0.1) > 1_000);
    let other = fingerprinter.fingerprint(&state(5, 512)).unwrap();
    assert!(distance(&fingerprinter.fingerprint(&honest).unwrap(), &other) > 10_000);
}

// GIVEN another seed
// WHEN the same state is fingerprinted
// THEN nothing can be reused from the first
#[test]
fn seeds_are_independent() {
    let state = state(1, 512);
    let print = |seed| {
        Fingerprinter::new(&[seed; 32], 512)
            .fingerprint(&state)
            .unwrap()
    };
    assert!(distance(&print(1), &print(2)) > 10_000);
}

// GIVEN the definition of signs and quanta
// WHEN a state with one element is projected
// THEN each projection is plus or minus the quanta, as the hash's bits say
#[test]
fn definition() {
    use blake2::digest::consts::U32;
    use blake2::{Blake2b, Digest};
    let seed = [9u8; 32];
    let projector = Projector::new(&seed, 4, 600);
    for at in [0usize, 7, 255, 256, 599] {
        let mut hidden = vec![0f32; 600];
        hidden[at] = 2.5;
        let expected: Vec<i16> = (0..4u32)
            .map(|j| {
                let bits = Blake2b::<U32>::new()
                    .chain_update(b"chasqui/signs")
                    .chain_update(seed)
                    .chain_update(j.to_le_bytes())
                    .chain_update((at as u32 / 256).to_le_bytes())
                    .finalize();
                let bit = bits[at % 256 / 8] >> (at % 8) & 1;
                if bit == 1 {
                    4096
                } else {
                    -4096
                }
            })
            .collect();
        assert_eq!(projector.project(&hidden).unwrap(), expected);
    }
}

// GIVEN states without direction, without numbers, or of another width
// WHEN they are projected
// THEN the zero state gives zeros and the others are errors
#[test]
fn degenerate_states() {
    let projector = Projector::new(&[0; 32], 3, 4);
    assert_eq!(projector.project(&[0.0; 4]).unwrap(), [0; 3]);
    assert!(projector.project(&[0.0, f32::NAN, 0.0, 0.0]).is_err());
    assert!(projector.project(&[0.0, f32::INFINITY, 0.0, 0.0]).is_err());
    assert!(projector.project(&[1.0; 5]).is_err());
}

proptest! {
    // GIVEN any state
    // WHEN it is scaled
    // THEN its fingerprint stays within rounding
    #[test]
    fn scale_does_not_matter(seed in any::<u64>(), scale in 1e-3f32..1e3) {
        let fingerprinter = Fingerprinter::new(&[1; 32], 64);
        let plain = state(seed, 64);
        let scaled: Vec<f32> = plain.iter().map(|x| x * scale).collect();
        let apart = distance(
            &fingerprinter.fingerprint(&plain).unwrap(),
            &fingerprinter.fingerprint(&scaled).unwrap(),
        );
        prop_assert!(apart <= 14);
    }
}
