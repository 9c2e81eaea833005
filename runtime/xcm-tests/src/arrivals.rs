//! DOT comes in from Asset Hub.

use crate::network::*;
use chasqui_runtime::config::STAKING_POT;
use parachains_common::AccountId;
use sp_runtime::traits::AccountIdConversion;

#[test]
fn dot_comes_in_by_a_reserve_transfer_from_asset_hub() {
    // GIVEN a chain on which nobody has DOT
    begin_again();
    assert_eq!((issuance(), reserve()), (POTS, POTS));
    // WHEN Alice sends ten to Bob
    bring_in(10 * DOT, local(&bob()));
    // THEN Asset Hub keeps them, and Bob has them less a small fee
    assert_eq!(take_verdicts(), [Verdict::Ran]);
    assert_eq!(reserve(), POTS + 10 * DOT);
    let got = balance(&bob());
    assert!(got < 10 * DOT && got > 10 * DOT - 10 * CENT, "{got}");
    check_reserve();
}

#[test]
fn the_fee_of_an_arrival_goes_to_the_collators() {
    // GIVEN collators whose pot exists
    begin_again();
    let pot: AccountId = STAKING_POT.into_account_truncating();
    bring_in(DOT, local(&pot));
    let (before, issued) = (balance(&pot), issuance());
    // WHEN more DOT comes in
    bring_in(5 * DOT, local(&bob()));
    // THEN the pot has what Bob has not, and all that came in is there
    assert_eq!(balance(&pot) - before, 5 * DOT - balance(&bob()));
    assert_eq!(issuance() - issued, 5 * DOT);
    check_reserve();
}

#[test]
fn what_cannot_pay_for_its_arrival_is_nobodys() {
    // GIVEN a chain on which nobody has DOT
    begin_again();
    // WHEN less comes in than an arrival costs
    bring_in(1_000, local(&bob()));
    // THEN Bob has nothing, and what is nobody's has a reserve like all else
    assert_eq!(take_verdicts(), [Verdict::Failed]);
    assert_eq!(balance(&bob()), 0);
    assert_eq!(issuance(), POTS + 1_000);
    assert_eq!(reserve(), POTS + 1_000);
}

#[test]
fn the_default_genesis_issues_the_deposits_of_two_pots_and_no_more() {
    // GIVEN what presets are patches of
    use sp_runtime::BuildStorage;
    let storage = chasqui_runtime::RuntimeGenesisConfig::default()
        .build_storage()
        .unwrap();
    sp_io::TestExternalities::new(storage).execute_with(|| {
        // THEN what has to be put aside before a launch is known, and little
        assert_eq!(chasqui_runtime::Balances::total_issuance(), POTS);
        assert_eq!(POTS, 2 * CENT);
    });
}
