//! Adapters: checkpoints that do not hold the files of their base.

use crate::{mock::*, *};
use chasqui_primitives::{traits::TrainedCheckpoint, CheckpointRoot};
use frame_support::{assert_noop, assert_ok};
use sp_core::H256;

const ADAPTER: CheckpointRoot = H256([10; 32]);
const SECOND: CheckpointRoot = H256([11; 32]);

fn propose_adapter(
    root: CheckpointRoot,
    parent: Option<CheckpointRoot>,
    base: CheckpointRoot,
) -> sp_runtime::DispatchResult {
    let info = CheckpointInfo {
        parent,
        base: Some(base),
        ..info()
    };
    Checkpoints::propose(RuntimeOrigin::signed(1), root, info)
}

#[test]
fn adapter_names_its_base_and_the_base_stays_what_it_was() {
    build_and_execute(|| {
        accepted();
        let base = Checkpoints::checkpoint(ROOT);
        assert_ok!(propose_adapter(ADAPTER, Some(ROOT), ROOT));
        let adapter = Checkpoints::checkpoint(ADAPTER).unwrap();
        assert_eq!(adapter.info.base, Some(ROOT));
        assert_eq!(Checkpoints::checkpoint(ROOT), base);
    });
}

#[test]
fn adapter_may_be_made_from_an_adapter_of_the_same_base() {
    build_and_execute(|| {
        accepted();
        assert_ok!(propose_adapter(ADAPTER, Some(ROOT), ROOT));
        assert_ok!(propose_adapter(SECOND, Some(ADAPTER), ROOT));
    });
}

#[test]
fn base_that_does_not_fit_is_refused() {
    build_and_execute(|| {
        accepted();
        assert_ok!(propose_adapter(ADAPTER, Some(ROOT), ROOT));
        let invalid = Error::<Test>::InvalidBase;
        // An adapter of an adapter: its own base would be missing.
        assert_noop!(propose_adapter(SECOND, Some(ADAPTER), ADAPTER), invalid);
        // A base that nobody registered, or that is no ancestor.
        let invalid = Error::<Test>::InvalidBase;
        assert_noop!(propose_adapter(SECOND, Some(ROOT), H256::zero()), invalid);
        assert_ok!(Checkpoints::propose(
            RuntimeOrigin::signed(PROPOSER),
            SECOND,
            info()
        ));
        let invalid = Error::<Test>::InvalidBase;
        assert_noop!(
            propose_adapter(H256::repeat_byte(12), Some(SECOND), ROOT),
            invalid
        );
        // No parent at all.
        assert_noop!(
            propose_adapter(H256::repeat_byte(12), None, ROOT),
            Error::<Test>::InvalidInfo
        );
        // Another vocabulary, or another precision.
        let changes: [fn(&mut CheckpointInfo); 2] = [
            |info| info.vocabulary = 513,
            |info| info.profile = chasqui_primitives::NumericProfile::Int8,
        ];
        for change in changes {
            let mut other = CheckpointInfo {
                parent: Some(ROOT),
                base: Some(ROOT),
                ..info()
            };
            change(&mut other);
            assert_noop!(
                Checkpoints::propose(RuntimeOrigin::signed(1), H256::repeat_byte(12), other),
                Error::<Test>::InvalidBase
            );
        }
    });
}

#[test]
fn run_that_trains_an_adapter_registers_it_on_its_base() {
    build_and_execute(|| {
        accepted();
        let adapter = |root, parent| TrainedCheckpoint {
            base: Some(ROOT),
            ..trained(root, Some(parent))
        };
        assert_ok!(register(adapter(ADAPTER, ROOT)));
        let registered = Checkpoints::checkpoint(ADAPTER).unwrap();
        assert_eq!(registered.info.base, Some(ROOT));
        assert_eq!(registered.status, Status::Calibrating);
        // The next run goes on from the adapter, on the same base.
        assert_ok!(register(adapter(SECOND, ADAPTER)));
        let line = Checkpoints::lineage(SECOND, 10);
        assert_eq!(line.len(), 3);
        assert_eq!(line[0].lineage.as_ref().unwrap().base, Some(ROOT));
        // An adapter of nothing is none.
        assert_noop!(
            register(TrainedCheckpoint {
                base: Some(ROOT),
                ..trained(H256::repeat_byte(12), None)
            }),
            Error::<Test>::InvalidBase
        );
    });
}

#[test]
fn adapter_whose_base_is_retired_meanwhile_waits_for_its_registrar() {
    build_and_execute(|| {
        accepted();
        assert_ok!(Checkpoints::retire(RuntimeOrigin::root(), ROOT));
        assert_ok!(register(TrainedCheckpoint {
            base: Some(ROOT),
            ..trained(ADAPTER, Some(ROOT))
        }));
        // Its lineage is kept; it is not registered while nobody can serve it.
        assert_eq!(Checkpoints::checkpoint(ADAPTER), None);
        assert_eq!(Checkpoints::lineage(ADAPTER, 10).len(), 2);
        let of_it = CheckpointInfo {
            parent: Some(ROOT),
            base: Some(ROOT),
            ..info()
        };
        let describe = || {
            let registrar = RuntimeOrigin::signed(REGISTRAR);
            Checkpoints::describe_trained(registrar, ADAPTER, of_it.clone())
        };
        assert_noop!(describe(), Error::<Test>::InvalidBase);
        assert_ok!(propose());
        assert_ok!(describe());
    });
}
