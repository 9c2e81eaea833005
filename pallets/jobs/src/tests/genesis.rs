//! The chain begins with parameters in range, or not at all.

use super::*;
use sp_runtime::BuildStorage;

#[test]
fn genesis_sets_the_parameters() {
    build_and_execute(|| assert_eq!(Pallet::<Test>::params(), params()));
}

#[test]
fn the_defaults_are_in_range() {
    assert!(ParamsOf::<Test>::default().validate());
}

#[test]
#[should_panic(expected = "out of range")]
fn genesis_refuses_parameters_out_of_range() {
    let params = ParamsOf::<Test> {
        max_tokens: 0,
        ..params()
    };
    let _ = crate::GenesisConfig::<Test> { params }.build_storage();
}

#[test]
fn a_block_has_weight_for_one_draw_and_one_deadline_at_least() {
    use frame_support::traits::Hooks;
    new_test_ext().execute_with(Pallet::<Test>::integrity_test);
}

#[test]
#[should_panic(expected = "does not suffice")]
fn too_little_weight_is_found_before_the_chain_starts() {
    use frame_support::traits::Hooks;
    new_test_ext().execute_with(|| {
        ServiceWeight::set(Pallet::<Test>::base_weight());
        Pallet::<Test>::integrity_test();
    });
}
