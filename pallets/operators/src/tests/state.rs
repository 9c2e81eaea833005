//! `try_state` finds what is wrong.

use crate::{mock::*, *};
use frame_support::assert_ok;
use sp_core::H256;

/// Spoils a sound state, and checks that it is found.
fn found(spoil: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        server(1, BOTH, 10);
        server(2, BOTH, 10);
        next_epoch();
        assert_ok!(OperatorsPallet::do_try_state());
        spoil();
        assert!(OperatorsPallet::do_try_state().is_err());
    });
}

#[test]
fn try_state_should_detect_corruption() {
    found(|| Parameters::<Test>::mutate(|p| p.epoch_blocks = 0));
    found(|| HotKeys::<Test>::remove(hot(1)));
    found(|| HotKeys::<Test>::insert(99, 1));
    found(|| HotKeys::<Test>::insert(hot(1), 2));
    found(|| OperatorsOfOwner::<Test>::remove(1, 1));
    found(|| OperatorsOfOwner::<Test>::insert(7, 1, ()));
    found(|| Servers::<Test>::remove(MODEL, 1));
    found(|| Servers::<Test>::insert(OTHER_MODEL, 1, ()));
    found(|| ServerCount::<Test>::insert(MODEL, 3));
    found(|| ServerCount::<Test>::remove(MODEL));
    found(|| ServerCount::<Test>::insert(H256::repeat_byte(7), 0));
    found(|| Indices::<Test>::remove((1, Role::Validate, MODEL)));
    found(|| {
        Indices::<Test>::insert((7, Role::Validate, MODEL), IndexOf::<Test>::default());
    });
    found(|| {
        let flat = IndexOf::<Test>::truncate_from(vec![(1, 5), (2, 5)]);
        Indices::<Test>::insert((1, Role::Validate, MODEL), flat);
    });
    found(|| OldestIndex::<Test>::put(2));
    found(|| {
        let _ = OperatorsPallet::try_mutate(&1, |record| {
            record.roles = Roles {
                compute: false,
                validate: false,
            };
            Ok(())
        });
    });
}
