//! Parameters, at genesis and later.

use super::*;
use sp_runtime::BuildStorage;

#[test]
fn only_the_admin_sets_parameters_within_their_ranges() {
    build_and_execute(|| {
        let other = Params {
            committee: 1,
            ..params()
        };
        let set = |params: ParamsOf<Test>, origin: RuntimeOrigin| {
            RuntimeCall::from(Call::set_params { params })
                .dispatch(origin)
                .map_err(|error| error.error)
        };
        assert_eq!(
            set(other.clone(), RuntimeOrigin::signed(alice())),
            Err(DispatchError::BadOrigin)
        );
        set(other.clone(), RuntimeOrigin::root()).unwrap();
        assert_eq!(Pallet::<Test>::params(), other);
        let bad: [fn(&mut ParamsOf<Test>); 8] = [
            |params| params.committee = 0,
            |params| params.committee = MAX_COMMITTEE + 1,
            |params| params.close_blocks = 0,
            |params| params.close_blocks = 10_000_001,
            |params| params.expiry_blocks = 0,
            |params| params.min_deposit = 0,
            |params| params.report_deposit = 0,
            |params| params.max_settlements = 0,
        ];
        for spoil in bad {
            let mut params = params();
            spoil(&mut params);
            assert_eq!(
                set(params, RuntimeOrigin::root()),
                Err(Error::<Test>::InvalidParams.into())
            );
        }
    });
}

#[test]
#[should_panic(expected = "out of range")]
fn a_chain_does_not_begin_with_bad_parameters() {
    let bad = Params {
        committee: 0,
        ..params()
    };
    let _ = GenesisConfig::<Test> { params: bad }.build_storage();
}

#[test]
fn the_default_parameters_are_good() {
    assert!(ParamsOf::<Test>::default().validate());
}

#[test]
fn views_tell_what_clients_and_workers_ask() {
    build_and_execute(|| {
        let id = drawn(DEPOSIT);
        assert_eq!(Pallet::<Test>::session(id), Some(session(id)));
        assert_eq!(Pallet::<Test>::session(H256::zero()), None);
        assert_eq!(Pallet::<Test>::channels(id).len(), 3);
        assert_eq!(Pallet::<Test>::sessions_of(alice(), 0), vec![]);
        assert_eq!(Pallet::<Test>::plancks(0), Vec::<Balance>::new());
    });
}
