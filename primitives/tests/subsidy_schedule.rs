//! The subsidy: its published schedule, and what an epoch is paid.

use chasqui_primitives::subsidy::{self, Epoch, BATCHES};
use proptest::prelude::*;

const COIN: u128 = 10_000_000_000;
/// The programme that the published tables are about: 1,000,000,000 coins.
const PROGRAMME: u128 = 1_000_000_000 * COIN;
const BATCH: u128 = 50_000_000 * COIN;

fn coins(planck: u128) -> u128 {
    (planck + COIN / 2) / COIN
}

fn epoch() -> Epoch {
    Epoch {
        programme: PROGRAMME,
        paid: 0,
        pot: PROGRAMME,
        budget: PROGRAMME,
        least: 0,
        fees: 0,
    }
}

#[test]
fn twelve_batches_are_those_of_the_published_table() {
    // Share in hundredths of a percent, fees, total; in coins.
    const TABLE: [(u128, u128, u128); 12] = [
        (9_000, 5_555_556, 55_555_556),
        (7_200, 19_444_444, 69_444_444),
        (5_760, 36_805_556, 86_805_556),
        (4_608, 58_506_944, 108_506_944),
        (3_686, 85_633_681, 135_633_681),
        (2_949, 119_542_101, 169_542_101),
        (2_359, 161_927_626, 211_927_626),
        (1_887, 214_909_532, 264_909_532),
        (1_510, 281_136_915, 331_136_915),
        (1_208, 363_921_144, 413_921_144),
        (966, 467_401_430, 517_401_430),
        (773, 596_751_788, 646_751_788),
    ];
    for (batch, (share, fees, total)) in (1..).zip(TABLE) {
        let (numerator, denominator) = subsidy::share(batch).unwrap();
        let hundredths = (numerator * 20_000 + denominator) / (2 * denominator);
        assert_eq!(hundredths, share, "share of batch {batch}");
        assert_eq!(
            coins(subsidy::batch_fees(PROGRAMME, batch).unwrap()),
            fees,
            "fees of batch {batch}"
        );
        assert_eq!(
            coins(subsidy::batch_total(PROGRAMME, batch).unwrap()),
            total,
            "total of batch {batch}"
        );
    }
    assert_eq!(subsidy::share(0), None);
    assert_eq!(subsidy::share(BATCHES + 1), None);
}

#[test]
fn least_issuance_of_a_day_halves_every_year() {
    let day = |year| {
        coins(subsidy::least_of_epoch(
            PROGRAMME,
            year,
            14_400,
            365 * 14_400,
        ))
    };
    assert_eq!([day(0), day(1), day(2)], [136_986, 68_493, 34_247]);
    assert_eq!(day(200), 0);
}

#[test]
fn first_batch_pays_nine_for_one() {
    // GIVEN fees of one coin in the first batch
    let epoch = Epoch {
        fees: COIN,
        ..epoch()
    };
    // THEN nine are scheduled; and three are paid, because no subsidy is more than three times the fees
    assert_eq!(subsidy::scheduled(PROGRAMME, 0, COIN), 9 * COIN);
    assert_eq!(epoch.subsidy(), 3 * COIN);
}

#[test]
fn fees_that_cross_a_border_are_paid_by_both_batches() {
    // GIVEN 9 coins before the end of the first batch
    let paid = BATCH - 9 * COIN;
    // WHEN two coins of fees come in: one ends the batch, one meets the next, whose share is 72%
    let scheduled = subsidy::scheduled(PROGRAMME, paid, 2 * COIN);
    // THEN
    assert_eq!(scheduled, 9 * COIN + COIN * 72 / 28);
}

#[test]
fn a_day_without_fees_is_paid_nothing() {
    let dead = Epoch {
        least: 136_986 * COIN,
        ..epoch()
    };
    assert_eq!(dead.subsidy(), 0);
    // AND one with hardly any is paid three times that, not the least issuance
    assert_eq!(Epoch { fees: COIN, ..dead }.subsidy(), 3 * COIN);
}

#[test]
fn the_least_issuance_is_a_floor_beneath_the_schedule() {
    // GIVEN the twelfth batch, where fees of 1,000 bring 84
    let late = Epoch {
        paid: 11 * BATCH,
        fees: 1_000 * COIN,
        least: 500 * COIN,
        ..epoch()
    };
    assert_eq!(late.subsidy(), 500 * COIN);
    assert_eq!(coins(Epoch { least: 0, ..late }.subsidy()), 84);
}

#[test]
fn pot_and_budget_end_it() {
    let epoch = Epoch {
        fees: 1_000 * COIN,
        ..epoch()
    };
    assert_eq!(Epoch { pot: 7, ..epoch }.subsidy(), 7);
    assert_eq!(Epoch { budget: 8, ..epoch }.subsidy(), 8);
    assert_eq!(Epoch { pot: 0, ..epoch }.subsidy(), 0);
    // AND the programme itself
    assert_eq!(
        Epoch {
            paid: PROGRAMME - 5,
            least: 100,
            ..epoch
        }
        .subsidy(),
        5
    );
}

#[test]
fn after_twelve_batches_only_the_least_issuance_is_left() {
    let over = Epoch {
        paid: 12 * BATCH,
        fees: 1_000 * COIN,
        ..epoch()
    };
    assert_eq!(subsidy::running_batch(PROGRAMME, over.paid), None);
    assert_eq!(over.subsidy(), 0);
    assert_eq!(
        Epoch {
            least: COIN,
            ..over
        }
        .subsidy(),
        COIN
    );
}

proptest! {
    /// Fees in one go or in two bring the same, to a planck for each border and rounding: nobody gains by cutting them up.
    #[test]
    fn cutting_fees_up_brings_nothing(
        paid in 0..12 * BATCH,
        first in 0..BATCH,
        second in 0..BATCH,
    ) {
        let whole = subsidy::scheduled(PROGRAMME, paid, first + second);
        let one = subsidy::scheduled(PROGRAMME, paid, first);
        let other = subsidy::scheduled(PROGRAMME, paid + one, second);
        prop_assert!(whole.abs_diff(one + other) <= 10 * 14, "{whole} and {}", one + other);
    }

    #[test]
    fn no_subsidy_exceeds_any_of_its_bounds(
        paid in 0..2 * PROGRAMME,
        pot in 0..PROGRAMME,
        budget in 0..PROGRAMME,
        least in 0..BATCH,
        fees in any::<u128>(),
    ) {
        let epoch = Epoch { programme: PROGRAMME, paid, pot, budget, least, fees };
        let subsidy = epoch.subsidy();
        prop_assert!(subsidy <= pot && subsidy <= budget);
        prop_assert!(subsidy <= fees.saturating_mul(3));
        prop_assert!(subsidy + paid.min(PROGRAMME) <= PROGRAMME);
    }

    #[test]
    fn programmes_of_any_size_do_not_overflow(programme in any::<u128>(), paid in any::<u128>(), fees in any::<u128>()) {
        subsidy::scheduled(programme, paid, fees);
        for batch in 0..14 {
            subsidy::batch_total(programme, batch);
        }
    }
}
