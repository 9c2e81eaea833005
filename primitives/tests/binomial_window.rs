//! The rolling window and its binomial test: exact, and never on one slip.

use chasqui_primitives::window::*;
use parity_scale_codec::{Decode, Encode, MaxEncodedLen};
use proptest::prelude::*;
use sp_arithmetic::Perbill;

/// The honest rate of a soft finding: 1e-3.
const SOFT_RATE: Perbill = Perbill::from_parts(1_000_000);

fn window(good: u32, bad: u32) -> Window {
    let mut window = Window::default();
    (0..good).for_each(|_| window.push(false));
    (0..bad).for_each(|_| window.push(true));
    window
}

/// `(n, k, p in parts per billion, ceiling of P(X >= k) * 1e18)`, from Python's exact rationals.
const EXACT: &[(u32, u32, u32, u128)] = &[
    (100, 1, 1_000_000, 95_207_852_886_290_958),
    (100, 2, 1_000_000, 4_638_068_390_424_187),
    (100, 3, 1_000_000, 150_376_365_854_212),
    (100, 4, 1_000_000, 3_631_681_700_773),
    (100, 5, 1_000_000, 69_560_989_341),
    (100, 6, 1_000_000, 1_099_810_502),
    (100, 10, 1_000_000, 16),
    (100, 5, 10_000_000, 3_432_321_587_754_516),
    (100, 10, 10_000_000, 76_315_875_323),
    (100, 9, 10_000_000, 838_510_967_305),
    (100, 8, 10_000_000, 8_220_204_738_567),
    (100, 20, 50_000_000, 105_229_534_202),
    (100, 50, 500_000_000, 539_794_618_693_589_381),
    (100, 51, 500_000_000, 460_205_381_306_410_620),
    (100, 75, 500_000_000, 281_814_101_711),
    (100, 99, 900_000_000, 321_688_053_194_115),
    (100, 100, 999_999_999, 999_999_900_000_004_950),
    (100, 100, 1_000_000_000, 1_000_000_000_000_000_000),
    (100, 1, 0, 0),
    (1, 1, 1_000_000, 1_000_000_000_000_000),
    (2, 2, 1_000_000, 1_000_000_000_000),
    (3, 3, 1_000_000, 1_000_000_000),
    (20, 3, 1_000_000, 1_125_557_637_561),
    (20, 4, 1_000_000, 4_783_370_054),
    (30, 3, 1_000_000, 3_978_634_128_665),
    (10, 3, 1_000_000, 119_371_509_902),
    (50, 4, 1_000_000, 221_981_887_964),
    (50, 5, 1_000_000, 2_040_786_150),
    (37, 11, 123_456_789, 3_989_369_634_364_645),
    (1000, 30, 10_000_000, 205_998_885_098),
    (1000, 500, 500_000_000, 512_612_509_089_180_401),
    (1000, 1000, 999_999_999, 999_999_000_000_499_500),
    (1000, 1, 1, 999_999_500_501),
];

#[test]
fn tails_equal_exact_rationals_to_one_unit_and_never_fall_below() {
    for (n, k, parts, exact) in EXACT {
        let tail = binomial_upper_tail(*n, *k, Perbill::from_parts(*parts));
        assert!(
            tail >= *exact && tail - exact <= 1,
            "n {n}, k {k}, p {parts}e-9: {tail}, exactly {exact}"
        );
    }
}

#[test]
fn the_ends_of_the_range_have_defined_answers() {
    let half = Perbill::from_percent(50);
    assert_eq!(binomial_upper_tail(100, 0, half), TAIL_ONE);
    assert_eq!(binomial_upper_tail(0, 0, half), TAIL_ONE);
    assert_eq!(binomial_upper_tail(0, 1, half), 0);
    assert_eq!(binomial_upper_tail(100, 101, Perbill::one()), 0);
    assert_eq!(binomial_upper_tail(100, u32::MAX, half), 0);
    // More trials than are computed accuse nobody, and cost nothing.
    assert_eq!(binomial_upper_tail(MAX_TRIALS + 1, 5, half), TAIL_ONE);
    assert_eq!(binomial_upper_tail(u32::MAX, u32::MAX, half), TAIL_ONE);
}

#[test]
fn five_soft_findings_of_a_hundred_are_significant_and_four_are_not() {
    assert!(!is_significant(
        &window(96, 4),
        SOFT_RATE,
        DEFAULT_ALPHA_PPB
    ));
    assert!(is_significant(&window(95, 5), SOFT_RATE, DEFAULT_ALPHA_PPB));
    // At an honest rate of 1% it takes nine.
    let one_percent = Perbill::from_percent(1);
    assert!(!is_significant(
        &window(92, 8),
        one_percent,
        DEFAULT_ALPHA_PPB
    ));
    assert!(is_significant(
        &window(91, 9),
        one_percent,
        DEFAULT_ALPHA_PPB
    ));
}

#[test]
fn short_windows_need_fewer_but_never_one() {
    // (window length, bad outcomes that first suffice), from exact rationals
    for (len, least) in [(10, 3), (20, 4), (30, 4), (50, 4), (70, 4), (100, 5)] {
        for bad in 0..=len {
            assert_eq!(
                is_significant(&window(len - bad, bad), SOFT_RATE, DEFAULT_ALPHA_PPB),
                bad >= least,
                "{bad} of {len}"
            );
        }
    }
    // Two of two at 1e-3 are exactly 1e-6, which is not below it.
    assert!(!is_significant(&window(0, 1), SOFT_RATE, DEFAULT_ALPHA_PPB));
    assert!(!is_significant(&window(0, 2), SOFT_RATE, DEFAULT_ALPHA_PPB));
    assert!(is_significant(&window(0, 3), SOFT_RATE, DEFAULT_ALPHA_PPB));
}

#[test]
fn a_clean_or_empty_window_accuses_nobody_at_any_significance() {
    for clean in [window(0, 0), window(1, 0), window(100, 0)] {
        assert!(!is_significant(&clean, Perbill::zero(), u32::MAX));
    }
    // An honest rate of zero makes any bad outcome impossible, hence significant; an alpha of
    // zero finds nothing.
    assert!(is_significant(&window(99, 1), Perbill::zero(), 1));
    assert!(!is_significant(&window(0, 100), SOFT_RATE, 0));
}

#[test]
fn a_penalty_wipes_the_window() {
    let mut window = window(95, 5);
    window.reset();
    assert_eq!(
        (window.len(), window.bad(), window.is_empty()),
        (0, 0, true)
    );
    assert!(!is_significant(&window, SOFT_RATE, DEFAULT_ALPHA_PPB));
}

#[test]
fn a_window_with_impossible_contents_is_read_within_bounds() {
    // GIVEN stored bytes that no sequence of outcomes makes
    let broken = Window {
        bits: u128::MAX,
        len: 255,
    };
    // WHEN read THEN at most a full window is seen, and one more outcome repairs it
    assert_eq!((broken.len(), broken.bad()), (100, 100));
    let mut repaired = broken;
    repaired.push(false);
    assert_eq!((repaired.len, repaired.bad()), (100, 99));
    assert_eq!(
        Window {
            bits: u128::MAX,
            len: 3
        }
        .bad(),
        3
    );
    assert_eq!(
        Window {
            bits: u128::MAX,
            len: 0
        }
        .bad(),
        0
    );
}

/// The tail by summing the smaller side's terms in floating point.
fn reference(n: u32, k: u32, p: f64) -> f64 {
    let term = |i: u32| {
        let choose: f64 = (0..i)
            .map(|j| f64::from(n - j).ln() - f64::from(i - j).ln())
            .sum();
        (choose + f64::from(i) * p.ln() + f64::from(n - i) * (1.0 - p).ln()).exp()
    };
    (k..=n).map(term).sum()
}

proptest! {
    #[test]
    fn tails_agree_with_floating_point(n in 1u32..=100, k in 1u32..=100, parts in 1u32..1_000_000_000) {
        prop_assume!(k <= n);
        let tail = binomial_upper_tail(n, k, Perbill::from_parts(parts)) as f64 / 1e18;
        let expected = reference(n, k, f64::from(parts) / 1e9);
        prop_assert!((tail - expected).abs() <= 2e-18 + 1e-9 * expected, "{} {}", tail, expected);
    }

    #[test]
    fn tails_fall_with_k_and_rise_with_p_and_n(
        n in 1u32..120, k in 1u32..120, a in 0u32..=1_000_000_000, b in 0u32..=1_000_000_000,
    ) {
        let (low, high) = (Perbill::from_parts(a.min(b)), Perbill::from_parts(a.max(b)));
        let tail = binomial_upper_tail(n, k, low);
        prop_assert!(tail <= TAIL_ONE);
        // One unit of slack: the bound of the rounding.
        prop_assert!(binomial_upper_tail(n, k + 1, low) <= tail + 1);
        prop_assert!(binomial_upper_tail(n, k, high) + 1 >= tail);
        prop_assert!(binomial_upper_tail(n + 1, k, low) + 1 >= tail);
    }

    #[test]
    fn the_window_equals_a_list_of_the_last_hundred(
        outcomes in prop::collection::vec(prop::bool::weighted(0.3), 0..350),
    ) {
        let mut window = Window::default();
        for (done, bad) in outcomes.iter().enumerate() {
            window.push(*bad);
            let last = &outcomes[(done + 1).saturating_sub(100)..=done];
            prop_assert_eq!(window.len() as usize, last.len());
            prop_assert_eq!(window.bad() as usize, last.iter().filter(|bad| **bad).count());
        }
        prop_assert_eq!(Window::decode(&mut &window.encode()[..]), Ok(window));
        prop_assert_eq!(Window::max_encoded_len(), 17);
    }
}
