//! The simulation behind `scripts/bench economy`: at the default parameters honesty pays most, and it can tell when it
//! does not.

#[path = "../benches/economy/sim/mod.rs"]
mod sim;

use sim::{
    params::Params,
    play,
    strategy::{Scenario, SCENARIOS},
};
use sp_arithmetic::Perbill;

const EPOCHS: u32 = 400;

fn scenario(name: &str) -> &'static Scenario {
    SCENARIOS
        .iter()
        .find(|scenario| scenario.name == name)
        .unwrap_or_else(|| panic!("no scenario {name:?}"))
}

fn ratio(params: &Params, name: &str) -> f64 {
    play(params, scenario(name), EPOCHS, 7).ratio()
}

#[test]
fn at_default_parameters_no_attack_returns_more_than_honesty() {
    // GIVEN every attack of the bench
    let params = Params::default();
    for scenario in SCENARIOS {
        let is_subsidised = (scenario.change)(params.clone()).programme.is_some();
        // WHEN it is played
        let returns = play(&params, scenario, EPOCHS, 7);
        // THEN the same operators would have got more honestly; a single vote on the price may change nothing
        assert!(returns.honest > 0.0, "{}", scenario.name);
        assert!(!scenario.answer.is_empty(), "{}", scenario.name);
        let most = if scenario.name.starts_with("price") || is_subsidised {
            1.001
        } else {
            0.99
        };
        assert!(
            returns.ratio() < most,
            "{}: {}",
            scenario.name,
            returns.ratio()
        );
    }
}

#[test]
fn without_audits_cheats_return_more_than_honesty() {
    let params = Params {
        audits: Perbill::zero(),
        ..Params::default()
    };
    for name in [
        "free rider",
        "cheater, 10%",
        "session liar, 5% of value",
        "session liar, dust",
    ] {
        let ratio = ratio(&params, name);
        assert!(ratio > 1.0, "{name}: {ratio}");
    }
}

#[test]
fn a_point_that_counts_as_more_than_a_replay_makes_self_dealing_pay() {
    // GIVEN a programme in its first batch, and operators whose reputation has grown
    let play = |units| {
        let params = Params {
            units_per_point: units,
            // Where the median of the epoch's own units bounds credit, too, it does not matter.
            epoch_rho: false,
            ..Params::default()
        };
        play(
            &params,
            scenario("top-up of a short day, batch 1"),
            EPOCHS,
            7,
        )
        .ratio()
    };
    // THEN audits that count as many jobs make room for credit that nobody earned; counted as what they are, they do not
    assert!(play(1_000) > 1.1, "{}", play(1_000));
    assert!(play(64) < 1.001, "{}", play(64));
}

#[test]
fn credit_by_the_median_of_the_epoch_too_answers_every_attack_on_the_subsidy() {
    let params = |epoch_rho| Params {
        epoch_rho,
        ..Params::default()
    };
    // GIVEN attacks that the window's median alone leaves room for
    for name in [
        "steered self-dealing, batch 1",
        "newcomer's top-up, batch 1",
        "dead days, batch 1",
        "least issuance on dead days, batch 5",
    ] {
        let ratio = ratio(&params(false), name);
        assert!(ratio > 1.001, "{name}: {ratio}");
    }
    // WHEN an epoch is credited by the median of its own units, too
    for scenario in SCENARIOS {
        // THEN none pays
        let ratio = play(&params(true), scenario, EPOCHS, 7).ratio();
        assert!(ratio < 1.001, "{}: {ratio}", scenario.name);
    }
}

#[test]
fn a_bloc_of_less_than_half_moves_the_price_no_further_than_what_others_vote() {
    let price = |name| play(&Params::default(), scenario(name), EPOCHS, 7).price;
    // GIVEN honest votes that differ by a tenth, so that hardly one is a quarter off
    let (up, down) = (
        price("price bloc of 45%, up"),
        price("price bloc of 45%, down"),
    );
    // THEN votes for a thousand times the price, or for nothing, do no more than that
    assert!(up > 1.0 && up < 1.3, "{up}");
    assert!(down < 1.0 && down > 0.75, "{down}");
}

#[test]
fn equal_seeds_give_equal_games() {
    let game = |seed| {
        play(
            &Params::default(),
            scenario("sleeper, 300 epochs"),
            EPOCHS,
            seed,
        )
        .honest
    };
    assert_eq!(game(3).to_bits(), game(3).to_bits());
    assert_ne!(game(3).to_bits(), game(4).to_bits());
}
