//! Random sequences of everything that proposers, validators and the admin can do. After every step
//! the pallet's own checks hold; a calibration always ends or rests.

use crate::{mock::*, *};
use chasqui_primitives::traits::TrainedCheckpoint;
use proptest::prelude::*;
use sp_core::H256;

#[derive(Clone, Debug)]
enum Step {
    Propose { who: u64, root: u8 },
    Calibrate { who: u64, root: u8, value: u16 },
    Diligence,
    Restart { root: u8 },
    Withdraw { root: u8 },
    Reject { root: u8 },
    Accept { root: u8 },
    Retire { root: u8 },
    Train { root: u8, parent: u8, adapter: bool },
    Describe { who: Option<u64>, root: u8 },
    Serve { who: u64, serves: bool },
    Seeds { come: bool },
    Blocks(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let root = 1..4u8;
    let who = 1..=7u64;
    let step = prop_oneof![
        4 => (prop_oneof![Just(PROPOSER), Just(1)], root.clone())
            .prop_map(|(who, root)| Step::Propose { who, root }),
        6 => (who.clone(), root.clone(), any::<u16>())
            .prop_map(|(who, root, value)| Step::Calibrate { who, root, value }),
        3 => Just(Step::Diligence),
        1 => root.clone().prop_map(|root| Step::Restart { root }),
        1 => root.clone().prop_map(|root| Step::Withdraw { root }),
        1 => root.clone().prop_map(|root| Step::Reject { root }),
        3 => root.clone().prop_map(|root| Step::Accept { root }),
        1 => root.clone().prop_map(|root| Step::Retire { root }),
        2 => (root.clone(), 0..4u8, any::<bool>())
            .prop_map(|(root, parent, adapter)| Step::Train { root, parent, adapter }),
        2 => (prop::option::of(prop_oneof![Just(REGISTRAR), Just(1)]), root)
            .prop_map(|(who, root)| Step::Describe { who, root }),
        1 => (who, any::<bool>()).prop_map(|(who, serves)| Step::Serve { who, serves }),
        1 => any::<bool>().prop_map(|come| Step::Seeds { come }),
        6 => (1..15u32).prop_map(Step::Blocks),
    ];
    prop::collection::vec(step, 1..100)
}

fn take(step: Step) {
    let root_of = H256::repeat_byte;
    let signed = RuntimeOrigin::signed;
    let _ = match step {
        Step::Propose { who, root } => Checkpoints::propose(signed(who), root_of(root), info()),
        Step::Calibrate { who, root, value } => {
            let thresholds = thresholds(u32::from(value));
            Checkpoints::calibrate(signed(who), root_of(root), thresholds)
                .map(|_| ())
                .map_err(|error| error.error)
        }
        Step::Diligence => {
            for who in 1..=6 {
                for root in Checkpoints::calibration_duties_of(who) {
                    Checkpoints::calibrate(signed(who), root, thresholds(7)).expect("a duty");
                }
            }
            Ok(())
        }
        Step::Restart { root } => Checkpoints::restart_calibration(signed(PROPOSER), root_of(root)),
        Step::Withdraw { root } => Checkpoints::withdraw_proposal(signed(PROPOSER), root_of(root)),
        Step::Reject { root } => Checkpoints::reject(RuntimeOrigin::root(), root_of(root)),
        Step::Accept { root } => Checkpoints::accept(RuntimeOrigin::root(), root_of(root)),
        Step::Retire { root } => Checkpoints::retire(RuntimeOrigin::root(), root_of(root)),
        Step::Train {
            root,
            parent,
            adapter,
        } => {
            let parent = (parent > 0).then(|| root_of(parent));
            register(TrainedCheckpoint {
                base: parent.filter(|_| adapter),
                ..trained(root_of(root), parent)
            })
        }
        Step::Describe { who, root } => {
            let origin = who.map_or(RuntimeOrigin::root(), signed);
            let lineage = Lineages::<Test>::get(root_of(root));
            let info = CheckpointInfo {
                parent: lineage.as_ref().and_then(|lineage| lineage.parent),
                base: lineage.as_ref().and_then(|lineage| lineage.base),
                ..info()
            };
            Checkpoints::describe_trained(origin, root_of(root), info)
        }
        Step::Serve { who, serves } => {
            if who <= 6 {
                World::change(who, |operator| operator.serves = serves);
            }
            Ok(())
        }
        Step::Seeds { come } => {
            World::with(|world| world.seeds_come = come);
            Ok(())
        }
        Step::Blocks(blocks) => {
            run_for(blocks);
            Ok(())
        }
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..Default::default() })]

    #[test]
    fn any_sequence_keeps_the_state_consistent(steps in steps()) {
        build_and_execute(|| {
            for step in steps {
                take(step);
                check();
            }
            // With seeds and without answers, every calibration comes to rest.
            World::with(|world| world.seeds_come = true);
            run_for(params().max_rounds * (params().calibrate_blocks + 8) + 8);
            assert_eq!(Agenda::<Test>::iter().count(), 0);
            assert_eq!(CalibrationDuties::<Test>::iter().count(), 0);

            // Money only moves between free and held.
            assert_eq!(Balances::total_issuance(), 2 * FUNDS);
        });
    }
}
