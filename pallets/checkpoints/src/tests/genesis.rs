//! Checkpoints that are accepted from the start.

use crate::{mock::*, *};
use chasqui_primitives::traits::Checkpoints as _;
use sp_core::H256;
use sp_runtime::BuildStorage;

fn with(entry: GenesisCheckpoint) -> RuntimeGenesisConfig {
    RuntimeGenesisConfig {
        checkpoints: GenesisConfig {
            params: params(),
            checkpoints: vec![entry],
            ..Default::default()
        },
        ..Default::default()
    }
}

fn entry() -> GenesisCheckpoint {
    GenesisCheckpoint {
        root: H256::repeat_byte(3),
        info: info(),
        thresholds: mock::thresholds(5),
        unit_price: 11,
    }
}

#[test]
fn genesis_checkpoints_take_payment() {
    // GIVEN a genesis with a checkpoint
    let storage = with(entry()).build_storage().unwrap();
    sp_io::TestExternalities::from(storage).execute_with(|| {
        // THEN it has terms from the start
        let terms = Checkpoints::terms(&H256::repeat_byte(3)).unwrap();
        assert_eq!(
            (terms.unit_price, terms.thresholds),
            (11, mock::thresholds(5))
        );
        check();
    });
}

#[test]
#[should_panic(expected = "a checkpoint of genesis is not valid")]
fn genesis_refuses_checkpoints_for_nothing() {
    // GIVEN a genesis with a price of zero, WHEN it is built, THEN it says so
    let _ = with(GenesisCheckpoint {
        unit_price: 0,
        ..entry()
    })
    .build_storage();
}
