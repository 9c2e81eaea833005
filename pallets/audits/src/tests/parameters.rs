//! Parameters and their ranges.

use crate::{mock::*, *};
use chasqui_primitives::traits::Cases as _;
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{BuildStorage, DispatchError::BadOrigin};

#[test]
fn the_admin_sets_parameters_within_their_ranges() {
    build_and_execute(|| {
        // GIVEN other parameters
        let changed = Params {
            seats: 5,
            ..params()
        };

        // WHEN anybody sets them, THEN it is refused
        assert_noop!(
            Audits::set_params(RuntimeOrigin::signed(1), changed.clone()),
            BadOrigin
        );
        // WHEN the admin sets impossible ones, THEN nothing changes
        for wrong in [
            Params {
                seats: 0,
                ..params()
            },
            Params {
                seats: 9,
                ..params()
            },
            Params {
                commit_blocks: 0,
                ..params()
            },
            Params {
                vote_reveal_blocks: 0,
                ..params()
            },
            Params {
                opening_blocks: Params::MAX_WINDOW + 1,
                ..params()
            },
        ] {
            assert_noop!(
                Audits::set_params(RuntimeOrigin::root(), wrong),
                Error::<Test>::InvalidParams
            );
        }
        // WHEN the admin sets possible ones, THEN panels follow
        assert_ok!(Audits::set_params(RuntimeOrigin::root(), changed.clone()));
        assert_eq!(Audits::params(), changed);
        assert_eq!(Audits::seats(), 5);
        assert_eq!(open().1.len(), 5);
    });
}

#[test]
fn open_cases_keep_their_windows() {
    build_and_execute(|| {
        // GIVEN an open case
        let (id, _) = open();
        let before = case(id);

        // WHEN the parameters change
        let changed = Params {
            commit_blocks: 1,
            seats: 1,
            ..params()
        };
        assert_ok!(Audits::set_params(RuntimeOrigin::root(), changed));

        // THEN its panel and its window do not
        assert_eq!(case(id), before);
    });
}

#[test]
#[should_panic(expected = "audit parameters out of range")]
fn genesis_refuses_impossible_parameters() {
    // GIVEN a genesis without seats, WHEN it is built, THEN it says so
    let _ = RuntimeGenesisConfig {
        audits: GenesisConfig {
            params: Params {
                seats: 0,
                ..params()
            },
            ..Default::default()
        },
        ..Default::default()
    }
    .build_storage();
}

#[test]
fn default_parameters_are_valid_and_survive_json() {
    // GIVEN the defaults, THEN they are in range
    let params = Params::default();
    assert!(params.is_valid(3));
    // AND every case ends within three panels, three votes, an opening and a redraw
    assert_eq!(
        params.longest_case(),
        3 * (50 + 25 + 100 + 50) + 50 + 50 + 16
    );
}
