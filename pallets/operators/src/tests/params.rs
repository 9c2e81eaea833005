//! Governed parameters.

use crate::{mock::*, *};
use chasqui_primitives::DOT;
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, Perbill};

#[test]
fn set_params_should_be_for_the_admin() {
    build_and_execute(|| {
        let new = Params {
            max_capacity: 7,
            ..params()
        };
        assert_noop!(
            OperatorsPallet::set_params(RuntimeOrigin::signed(1), new.clone()),
            DispatchError::BadOrigin
        );
        assert_ok!(OperatorsPallet::set_params(
            RuntimeOrigin::root(),
            new.clone()
        ));
        assert_eq!(OperatorsPallet::params(), new);
        assert!(happened(Event::ParamsSet { params: new }));
    });
}

#[test]
fn set_params_should_refuse_what_does_not_fit_together() {
    build_and_execute(|| {
        let bad: Vec<fn(&mut Params)> = vec![
            |p| p.epoch_blocks = 1,
            |p| p.minimum_bond = 0,
            |p| p.minimum_bond = DOT / 2,
            |p| p.bond_per_unit = 0,
            |p| p.max_capacity = 0,
            |p| p.unbonding_blocks = 29,
            |p| p.false_result.jail_epochs = MAX_JAIL_EPOCHS + 1,
            |p| p.duty_alpha_ppb = 0,
            // One slip would be significant.
            |p| p.duty_rate = Perbill::from_parts(999),
            |p| p.soft_alpha_ppb = 1_000_001,
            |p| p.reputation_cap = 0,
            |p| p.units_per_step = 0,
            |p| p.minimum_owners = 0,
            |p| p.index_retention = 0,
            |p| p.index_retention = MAX_INDEX_RETENTION + 1,
        ];
        for spoil in bad {
            let mut spoilt = params();
            spoil(&mut spoilt);
            assert_noop!(
                OperatorsPallet::set_params(RuntimeOrigin::root(), spoilt),
                Error::<Test>::InvalidParams
            );
        }
    });
}

#[test]
fn shipped_parameters_should_be_valid() {
    for shipped in [Params::default(), Params::development(), params()] {
        assert!(shipped.is_valid(ExistentialDeposit::get()));
    }
}

#[test]
fn weight_should_be_the_least_of_capacity_and_what_the_bond_covers() {
    let p = Params {
        bond_per_unit: 2 * DOT,
        max_capacity: 50,
        ..params()
    };
    assert_eq!(p.weight(10, 100 * DOT), 10);
    assert_eq!(p.weight(10, 19 * DOT), 9);
    assert_eq!(p.weight(80, 1_000 * DOT), 50);
    assert_eq!(p.weight(80, Balance::MAX), 50);
    assert_eq!(p.weight(80, 0), 0);
}

#[test]
#[should_panic(expected = "do not fit together")]
fn genesis_should_refuse_invalid_parameters() {
    use sp_runtime::BuildStorage;
    let params = Params {
        epoch_blocks: 0,
        ..params()
    };
    let _ = GenesisConfig::<Test> {
        params,
        ..Default::default()
    }
    .build_storage();
}
