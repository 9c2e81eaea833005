//! Codecs: exact sizes, nothing lost, and bytes from strangers never trusted.

use chasqui_primitives::training::Codec;
use chasqui_training::diloco::Coder;
use proptest::prelude::*;

const SPARSE: Codec = Codec::Sparse {
    chunk: 4096,
    keep: 64,
    decay_ppm: 950_000,
};
const INT8: Codec = Codec::Int8 { block: 256 };

fn coder(codec: Codec, len: usize) -> Coder {
    Coder::new(codec, len).unwrap()
}

fn residual(coder: &Coder) -> Vec<f32> {
    vec![0.0; coder.residual_len()]
}

/// Values as gradients have them: many small, a few large.
fn values(len: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(
        prop_oneof![
            4 => -1e-3f32..1e-3,
            1 => -1.0f32..1.0,
            1 => Just(0.0f32),
            1 => prop::num::f32::NORMAL.prop_filter("bounded", |x| x.abs() < 1e30),
        ],
        len,
    )
}

fn codecs() -> impl Strategy<Value = Codec> {
    prop_oneof![
        Just(Codec::F32),
        (1u32..300).prop_map(|block| Codec::Int8 { block }),
        (2u32..600, 0u32..=1_000_000).prop_flat_map(|(chunk, decay_ppm)| {
            (1..=chunk).prop_map(move |keep| Codec::Sparse {
                chunk,
                keep,
                decay_ppm,
            })
        }),
    ]
}

// GIVEN a million parameters
// WHEN each codec's size is asked for
// THEN int8 is a quarter of f32 and a scale a block, sparse less than a hundredth
#[test]
fn sizes_are_those_of_the_format() {
    let len = 1 << 20;
    let f32 = coder(Codec::F32, len).encoded_len();
    assert_eq!(f32, 4 << 20);
    assert_eq!(coder(INT8, len).encoded_len(), (1 << 20) + 4 * 4096);
    // A chunk: two levels, 64 positions of 12 bits, 64 values of 2 bits.
    let sparse = coder(SPARSE, len).encoded_len();
    assert_eq!(sparse, 256 * (8 + 96 + 16));
    assert!(f32 > 100 * sparse, "{}", f32 as f64 / sparse as f64);
}

// GIVEN a vector that does not fill its last chunk
// WHEN it is encoded sparsely
// THEN the last chunk keeps its share, at least one value
#[test]
fn a_short_chunk_keeps_its_share() {
    for (len, kept) in [(1, 1), (64, 1), (65, 2), (4096, 64), (4097, 65)] {
        let coder = coder(SPARSE, len);
        let input: Vec<f32> = (1..=len).map(|x| x as f32).collect();
        let bytes = coder.encode(&input, &mut residual(&coder)).unwrap();
        let decoded = coder.decode(&bytes).unwrap();
        assert_eq!(decoded.iter().filter(|x| **x != 0.0).count(), kept);
    }
}

// GIVEN a vector with a few values that dwarf the others
// WHEN it is encoded sparsely
// THEN just these are sent, with their signs
#[test]
fn the_largest_values_are_kept() {
    let coder = coder(
        Codec::Sparse {
            chunk: 8,
            keep: 2,
            decay_ppm: 0,
        },
        8,
    );
    let input = [0.1, -5.0, 0.2, 0.0, 4.0, -0.3, 0.1, 0.2];
    let mut left = residual(&coder);
    let bytes = coder.encode(&input, &mut left).unwrap();
    let decoded = coder.decode(&bytes).unwrap();
    assert_eq!(decoded, [0.0, -5.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0]);
    assert_eq!(left, [0.1, 0.0, 0.2, 0.0, 0.0, -0.3, 0.1, 0.2]);
}

// GIVEN the same input every round
// WHEN it is encoded sparsely again and again
// THEN error feedback sends every value in the end: the mean of what is decoded nears the input
#[test]
fn error_feedback_sends_everything_in_the_end() {
    let codec = Codec::Sparse {
        chunk: 64,
        keep: 4,
        decay_ppm: 1_000_000,
    };
    let coder = coder(codec, 256);
    let input: Vec<f32> = (0..256)
        .map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0)
        .collect();
    let mut left = residual(&coder);
    let mut sum = vec![0f64; 256];
    const ROUNDS: usize = 400;
    for _ in 0..ROUNDS {
        let bytes = coder.encode(&input, &mut left).unwrap();
        for (sum, value) in sum.iter_mut().zip(coder.decode(&bytes).unwrap()) {
            *sum += f64::from(value);
        }
    }
    for (sum, input) in sum.iter().zip(&input) {
        let mean = sum / ROUNDS as f64;
        assert!((mean - f64::from(*input)).abs() < 0.1, "{mean} {input}");
    }
}

// GIVEN an input that is not finite, or of another length
// WHEN it is encoded
// THEN it is refused and the residual stays
#[test]
fn bad_input_changes_nothing() {
    let coder = coder(SPARSE, 100);
    let mut left = vec![0.5; 100];
    for bad in [f32::NAN, f32::INFINITY, f32::MAX] {
        let mut input = vec![1.0; 100];
        input[7] = bad;
        let mut left = vec![if bad == f32::MAX { f32::MAX } else { 0.5 }; 100];
        let before = left.clone();
        assert!(coder.encode(&input, &mut left).is_err());
        assert_eq!(left, before);
    }
    assert!(coder.encode(&[1.0; 99], &mut left).is_err());
    assert_eq!(left, vec![0.5; 100]);
}

// GIVEN settings that make no sense
// WHEN a coder is asked for
// THEN it is refused
#[test]
fn impossible_codecs_are_refused() {
    let sparse = |chunk, keep, decay_ppm| Codec::Sparse {
        chunk,
        keep,
        decay_ppm,
    };
    for codec in [
        Codec::Int8 { block: 0 },
        sparse(0, 1, 0),
        sparse(1, 1, 0),
        sparse(1 << 17, 1, 0),
        sparse(64, 0, 0),
        sparse(64, 65, 0),
        sparse(64, 1, 1_000_001),
    ] {
        assert!(Coder::new(codec, 10).is_err(), "{codec:?}");
    }
    assert!(Coder::new(Codec::F32, 0).is_err());
    assert!(Coder::new(Codec::F32, usize::MAX).is_err());
}

// GIVEN an encoding with one thing wrong
// WHEN it is decoded
// THEN it is refused
#[test]
fn forged_encodings_are_refused() {
    let sparse = coder(
        Codec::Sparse {
            chunk: 16,
            keep: 3,
            decay_ppm: 0,
        },
        20,
    );
    let input: Vec<f32> = (0..20).map(|x| x as f32 - 9.5).collect();
    let good = sparse.encode(&input, &mut residual(&sparse)).unwrap();
    assert!(sparse.decode(&good).is_ok());
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        sparse.decode(&bytes)
    };
    // A level that is not finite, negative, or above the higher one.
    assert!(with(&|b| b[0..4].copy_from_slice(&f32::NAN.to_le_bytes())).is_err());
    assert!(with(&|b| b[0..4].copy_from_slice(&(-1f32).to_le_bytes())).is_err());
    assert!(with(&|b| b[0..4].copy_from_slice(&1e9f32.to_le_bytes())).is_err());
    assert!(with(&|b| b[4..8].copy_from_slice(&f32::INFINITY.to_le_bytes())).is_err());
    // Positions that repeat; a position behind the end of the short chunk; bits behind the last value.
    assert!(with(&|b| b[8..10].fill(0)).is_err());
    let short = good.len() - 1;
    assert!(with(&|b| b[short] |= 0x0f).is_err());
    assert!(with(&|b| b[short] |= 0x80).is_err());
    // Another length.
    assert!(with(&|b| b.truncate(b.len() - 1)).is_err());
    assert!(with(&|b| b.push(0)).is_err());

    let int8 = coder(Codec::Int8 { block: 4 }, 6);
    let good = int8
        .encode(&[1.0, 2.0, 3.0, 4.0, 0.0, 0.0], &mut Vec::new())
        .unwrap();
    assert!(int8.decode(&good).is_ok());
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        int8.decode(&bytes)
    };
    for scale in [f32::NAN, f32::INFINITY, -1.0, -0.0, 1e-40, f32::MAX] {
        assert!(
            with(&|b| b[0..4].copy_from_slice(&scale.to_le_bytes())).is_err(),
            "{scale}"
        );
    }
    assert!(with(&|b| b[4] = 0x80).is_err());
    // A value where the scale is 0.
    assert!(with(&|b| b[12] = 1).is_err());

    let plain = coder(Codec::F32, 2);
    assert!(plain.decode(&[0, 0, 0xc0, 0x7f, 0, 0, 0, 0]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    // GIVEN any codec, input and residual
    // WHEN the input is encoded
    // THEN the bytes have the stated length, decode, and what was decoded together with the new residual is the input
    // together with the decayed old one, bit by bit in the defined order
    #[test]
    fn nothing_is_lost(
        codec in codecs(),
        (input, old) in (1usize..1500).prop_flat_map(|len| (values(len), values(len))),
    ) {
        let coder = coder(codec, input.len());
        let mut left = old[..coder.residual_len()].to_vec();
        let Ok(bytes) = coder.encode(&input, &mut left) else {
            // Together beyond the largest float.
            return Ok(());
        };
        prop_assert_eq!(bytes.len() as u64, coder.encoded_len());
        let decoded = coder.decode(&bytes).unwrap();
        match codec {
            Codec::F32 => prop_assert_eq!(decoded, input),
            Codec::Int8 { block } => {
                for (values, decoded) in input.chunks(block as usize).zip(decoded.chunks(block as usize)) {
                    let most = values.iter().fold(0f32, |most, x| most.max(x.abs()));
                    for (value, decoded) in values.iter().zip(decoded) {
                        let error = (f64::from(*value) - f64::from(*decoded)).abs();
                        prop_assert!(error <= f64::from(most) / 254.0 * 1.000_01 + 1e-35, "{} {}", value, decoded);
                    }
                }
            }
            Codec::Sparse { decay_ppm, .. } => {
                let decay = (f64::from(decay_ppm) / 1e6) as f32;
                for i in 0..input.len() {
                    let total = decay * old[i] + input[i];
                    prop_assert_eq!(left[i].to_bits(), (total - decoded[i]).to_bits());
                    prop_assert!(decoded[i] == 0.0 || decoded[i].is_sign_negative() == (total < 0.0));
                }
            }
        }
    }

    // GIVEN the same input twice
    // WHEN it is encoded
    // THEN bytes and residual are the same
    #[test]
    fn encoding_is_a_function(codec in codecs(), input in values(1..700)) {
        let coder = coder(codec, input.len());
        let (mut a, mut b) = (residual(&coder), residual(&coder));
        let first = coder.encode(&input, &mut a).ok();
        prop_assert_eq!(&first, &coder.encode(&input, &mut b).ok());
        prop_assert_eq!(a, b);
        // And what decodes encodes to something that decodes to the same values, where no value was rounded.
        if let (Codec::F32, Some(bytes)) = (codec, first) {
            let again = coder.encode(&coder.decode(&bytes).unwrap(), &mut Vec::new()).unwrap();
            prop_assert_eq!(again, bytes);
        }
    }

    // GIVEN bytes from anybody
    // WHEN they are decoded
    // THEN there is an error or finite values, never a panic
    #[test]
    fn hostile_bytes_never_panic(
        codec in codecs(),
        len in 1usize..400,
        noise in prop::collection::vec(any::<u8>(), 0..4000),
        fit in any::<bool>(),
    ) {
        let coder = coder(codec, len);
        let mut bytes = noise;
        if fit {
            bytes.resize(coder.encoded_len() as usize, 0);
        }
        if let Ok(values) = coder.decode(&bytes) {
            prop_assert_eq!(values.len(), len);
            prop_assert!(values.iter().all(|x| x.is_finite()));
        }
    }

    // GIVEN a good encoding with some bits flipped
    // WHEN it is decoded
    // THEN there is an error or finite values, never a panic
    #[test]
    fn flipped_bits_never_panic(
        codec in codecs(),
        input in values(1..300),
        flips in prop::collection::vec(any::<(usize, u8)>(), 1..8),
    ) {
        let coder = coder(codec, input.len());
        let mut bytes = coder.encode(&input, &mut residual(&coder)).unwrap();
        for (at, bits) in flips {
            let at = at % bytes.len();
            bytes[at] ^= bits;
        }
        if let Ok(values) = coder.decode(&bytes) {
            prop_assert!(values.iter().all(|x| x.is_finite()));
        }
    }
}
