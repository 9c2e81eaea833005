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
    }
}

#[test]
fn genesis_checkpoints_take_payment() {
    // GIVEN a genesis with a checkpoint
    let storage = with(entry()).build_storage().unwrap();
    sp_io::TestExternalities::from(storage).execute_with(|| {
        // THEN it has terms from the start
        let terms = Checkpoints::terms(&H256::repeat_byte(3)).unwrap();
        assert_eq!(terms.thresholds, mock::thresholds(5));
        check();
    });
}

#[test]
#[should_panic(expected = "a checkpoint of genesis is not valid")]
fn genesis_refuses_checkpoints_that_make_no_sense() {
    // GIVEN a genesis with a description out of range, WHEN it is built, THEN it says so
    let mut entry = entry();
    entry.info.units_per_output_token = 0;
    let _ = with(entry).build_storage();
}
