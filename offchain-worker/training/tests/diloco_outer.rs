//! The outer step: what it computes, and that everybody computes the same.

use std::cell::RefCell;

use burn::tensor::Device;
use chasqui_primitives::training::Outer;
use chasqui_training::diloco::outer::{clip_scales, pseudo_gradient, OuterState};
use chasqui_training::flat::Layout;
use chasqui_training::recipe::Size;
use chasqui_training::Result;
use proptest::prelude::*;

const OUTER: Outer = Outer {
    rate_ppm: 700_000,
    momentum_ppm: 900_000,
    nesterov: true,
};

fn step(state: &mut OuterState, outer: &Outer, clip: u32, gradients: &[Vec<f32>]) -> Result<()> {
    state
        .step(outer, clip, gradients.len(), |i| Ok(gradients[i].clone()))
        .map(|_| ())
}

// GIVEN weights and two rounds of gradients
// WHEN Nesterov's steps are taken
// THEN weights and momentum are those of the formula
#[test]
fn two_steps_follow_the_formula() {
    let mut state = OuterState::new(vec![1.0, -2.0]);
    let gradients = [vec![0.5, 1.0], vec![1.5, -1.0]];
    step(&mut state, &OUTER, 0, &gradients).unwrap();
    // The mean is (1, 0): m = 1, the step 0.9 + 1.
    assert_eq!(state.momentum, [1.0, 0.0]);
    assert_eq!(state.params, [1.0f32 - 0.7f32 * (0.9f32 * 1.0 + 1.0), -2.0]);
    step(&mut state, &OUTER, 0, &gradients).unwrap();
    assert_eq!(state.momentum[0], 0.9f32 * 1.0 + 1.0);
}

// GIVEN an outer step without momentum at rate 1
// WHEN there is one member
// THEN the agreed model is that member's own
#[test]
fn rate_one_without_momentum_takes_the_members_model() {
    let outer = Outer {
        rate_ppm: 1_000_000,
        momentum_ppm: 0,
        nesterov: false,
    };
    let (agreed, own) = (vec![1.0f32, 0.5, -0.25], vec![0.75f32, 0.5, -1.0]);
    let gradient = pseudo_gradient(&agreed, &own).unwrap();
    let mut state = OuterState::new(agreed);
    step(&mut state, &outer, 0, &[gradient]).unwrap();
    assert_eq!(state.params, own);
}

// GIVEN members of whom one sends a gradient a thousand times too large
// WHEN the step is taken with a clip of twice the median
// THEN that one counts as twice the median, the others whole
#[test]
fn a_large_gradient_is_clipped_to_the_median() {
    assert_eq!(
        clip_scales(&[1.0, 2.0, 1000.0], 2_000_000),
        [1.0, 1.0, 0.004]
    );
    // Of an even number the lower of the middle ones is the median.
    assert_eq!(clip_scales(&[1.0, 8.0], 2_000_000), [1.0, 0.25]);
    assert_eq!(clip_scales(&[0.0, 0.0, 5.0], 2_000_000), [1.0, 1.0, 0.0]);
    assert_eq!(clip_scales(&[1.0, 1000.0], 0), [1.0, 1.0]);
    assert!(clip_scales(&[], 2_000_000).is_empty());

    let mut clipped = OuterState::new(vec![0.0; 2]);
    let gradients = [vec![1.0, 0.0], vec![0.0, 1.0], vec![1000.0, 0.0]];
    let shares = clipped
        .step(&OUTER, 2_000_000, 3, |i| Ok(gradients[i].clone()))
        .unwrap();
    assert_eq!(
        shares.iter().map(|share| share.norm).collect::<Vec<_>>(),
        [1.0, 1.0, 1000.0]
    );
    assert!((clipped.momentum[0] - 1.0).abs() < 1e-6, "{:?}", clipped);
}

// GIVEN gradients that cannot be used: none, another length, a failing source, a sum beyond the largest float
// WHEN the step is taken
// THEN it is refused and nothing moves
#[test]
fn a_bad_round_moves_nothing() {
    let mut state = OuterState::new(vec![1.0, 2.0]);
    let before = state.clone();
    assert!(step(&mut state, &OUTER, 0, &[]).is_err());
    assert!(step(&mut state, &OUTER, 0, &[vec![1.0, 1.0], vec![1.0]]).is_err());
    let huge = vec![f32::MAX, 0.0];
    assert!(step(&mut state, &OUTER, 0, &[huge.clone(), huge]).is_err());
    let asked = RefCell::new(0);
    let failing = state.step(&OUTER, 0, 2, |i| {
        *asked.borrow_mut() += 1;
        match i {
            0 => Ok(vec![1.0, 1.0]),
            _ => pseudo_gradient(&[1.0], &[]),
        }
    });
    assert!(failing.is_err());
    assert_eq!(*asked.borrow(), 2);
    assert_eq!(state, before);
    assert!(pseudo_gradient(&[1.0], &[1.0, 2.0]).is_err());
}

// GIVEN a model between two rounds
// WHEN a weight or the momentum changes by its last bit
// THEN the hash is another
#[test]
fn the_hash_covers_weights_and_momentum() {
    let size = Size {
        hidden: 16,
        layers: 1,
        heads: 2,
        kv_heads: 1,
        intermediate: 24,
    };
    let model = size.config(40).init(1, &Device::flex());
    let layout = Layout::of(&model);
    let state = OuterState::new(layout.read(&model).unwrap());
    let hash = state.hash(&layout);
    assert_eq!(state.clone().hash(&layout), hash);
    let flip = |x: &mut f32| *x = f32::from_bits(x.to_bits() ^ 1);
    let mut other = state.clone();
    flip(&mut other.params[3]);
    assert_ne!(other.hash(&layout), hash);
    let mut other = state;
    flip(&mut other.momentum[3]);
    assert_ne!(other.hash(&layout), hash);
}

proptest! {
    // GIVEN any gradients in rank order
    // WHEN two members take the step, one keeping all gradients, one decoding them again each time
    // THEN their models agree to the bit; the order of ranks is a part of the result, not of chance
    #[test]
    fn members_agree_to_the_bit(
        gradients in (1usize..6, 1usize..60).prop_flat_map(|(members, len)| {
            prop::collection::vec(prop::collection::vec(-1e3f32..1e3, len), members)
        }),
        clip in 0u32..5_000_000,
        nesterov in any::<bool>(),
    ) {
        let len = gradients[0].len();
        let outer = Outer { nesterov, ..OUTER };
        let mut a = OuterState::new(vec![0.5; len]);
        let mut b = a.clone();
        for _ in 0..3 {
            step(&mut a, &outer, clip, &gradients).unwrap();
            let bytes: Vec<Vec<u8>> = gradients
                .iter()
                .map(|g| g.iter().flat_map(|x| x.to_le_bytes()).collect())
                .collect();
            b.step(&outer, clip, bytes.len(), |i| {
                Ok(bytes[i].chunks(4).map(|w| f32::from_le_bytes(w.try_into().unwrap())).collect())
            })
            .unwrap();
        }
        let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&a.params), bits(&b.params));
        prop_assert_eq!(bits(&a.momentum), bits(&b.momentum));
    }
}
