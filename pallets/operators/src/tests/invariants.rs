//! Random sequences of every call and every hook of other pallets, by honest and hostile accounts: after each step the
//! state is sound and no planck has appeared or vanished.

use crate::{mock::*, *};
use chasqui_primitives::{
    traits::{AuditRecord, Operators as OperatorsApi},
    DOT,
};
use frame_support::traits::Hooks;
use proptest::prelude::*;
use sp_core::H256;
use sp_runtime::Perbill;

/// One step. Accounts are 1 to 8 and their hot keys; whatever is refused must change nothing.
#[derive(Clone, Debug)]
enum Step {
    Register {
        who: AccountId,
        bond: Balance,
        hot_key: AccountId,
        capacity: u32,
        owner: Option<AccountId>,
    },
    Approve {
        owner: AccountId,
        operator: Option<AccountId>,
    },
    BondExtra {
        who: AccountId,
        amount: Balance,
    },
    SetHotKey {
        who: AccountId,
        hot_key: AccountId,
    },
    ResignHotKey {
        who: AccountId,
    },
    Serve {
        who: AccountId,
        model: u8,
    },
    Unserve {
        who: AccountId,
        model: u8,
    },
    SetCapacity {
        who: AccountId,
        capacity: u32,
    },
    SetRoles {
        who: AccountId,
        compute: bool,
        validate: bool,
    },
    Unbond {
        who: AccountId,
    },
    Withdraw {
        who: AccountId,
    },
    Unjail {
        who: AccountId,
    },
    SetParams {
        who: AccountId,
        epoch: u32,
        bond: Balance,
    },
    Slash {
        who: AccountId,
        offence: u8,
        victim: Option<(AccountId, Balance)>,
        reporter: Option<AccountId>,
        auditors: Vec<AccountId>,
    },
    Lien {
        who: AccountId,
        amount: Balance,
        to: Vec<AccountId>,
    },
    Duty {
        who: AccountId,
        kept: bool,
    },
    Audit {
        who: AccountId,
        verdict: u8,
        units: u64,
    },
    Liability {
        who: AccountId,
        add: bool,
    },
    Transfer {
        who: AccountId,
        to: AccountId,
        amount: Balance,
    },
    Draw {
        model: u8,
        n: u32,
        count: u32,
    },
    Blocks {
        count: u64,
        idle: bool,
    },
}

fn person() -> impl Strategy<Value = AccountId> {
    prop_oneof![8 => 1..=8u64, 2 => (1..=8u64).prop_map(hot)]
}

fn amount() -> impl Strategy<Value = Balance> {
    prop_oneof![
        Just(0),
        1..ExistentialDeposit::get(),
        DOT..(300 * DOT),
        Just(ENDOWMENT),
        Just(Balance::MAX),
    ]
}

fn bond_amount() -> impl Strategy<Value = Balance> {
    prop_oneof![4 => (100 * DOT)..(2_000 * DOT), 1 => amount()]
}

fn step() -> impl Strategy<Value = Step> {
    let people = || prop::collection::vec(person(), 0..4);
    prop_oneof![
        6 => (person(), bond_amount(), person(), 0..200u32, prop::option::weighted(0.3, person()))
            .prop_map(|(who, bond, hot_key, capacity, owner)| Step::Register { who, bond, hot_key, capacity, owner }),
        6 => (1..=8u64, bond_amount(), 1..200u32)
            .prop_map(|(who, bond, capacity)| Step::Register { who, bond, hot_key: hot(who), capacity, owner: None }),
        2 => (person(), prop::option::weighted(0.9, person()))
            .prop_map(|(owner, operator)| Step::Approve { owner, operator }),
        2 => (person(), amount()).prop_map(|(who, amount)| Step::BondExtra { who, amount }),
        2 => (person(), person()).prop_map(|(who, hot_key)| Step::SetHotKey { who, hot_key }),
        1 => person().prop_map(|who| Step::ResignHotKey { who }),
        5 => (person(), 0..4u8).prop_map(|(who, model)| Step::Serve { who, model }),
        2 => (person(), 0..4u8).prop_map(|(who, model)| Step::Unserve { who, model }),
        1 => (person(), 0..200u32).prop_map(|(who, capacity)| Step::SetCapacity { who, capacity }),
        1 => (person(), any::<bool>(), any::<bool>())
            .prop_map(|(who, compute, validate)| Step::SetRoles { who, compute, validate }),
        2 => person().prop_map(|who| Step::Unbond { who }),
        3 => person().prop_map(|who| Step::Withdraw { who }),
        2 => person().prop_map(|who| Step::Unjail { who }),
        1 => (0..=1u64, 1..6u32, (50 * DOT)..(300 * DOT))
            .prop_map(|(who, epoch, bond)| Step::SetParams { who, epoch, bond }),
        3 => (person(), 0..3u8, prop::option::of((person(), amount())), prop::option::of(person()), people())
            .prop_map(|(who, offence, victim, reporter, auditors)| Step::Slash { who, offence, victim, reporter, auditors }),
        2 => (person(), amount(), people()).prop_map(|(who, amount, to)| Step::Lien { who, amount, to }),
        4 => (person(), any::<bool>()).prop_map(|(who, kept)| Step::Duty { who, kept }),
        3 => (person(), 0..3u8, 0..300u64).prop_map(|(who, verdict, units)| Step::Audit { who, verdict, units }),
        2 => (person(), any::<bool>()).prop_map(|(who, add)| Step::Liability { who, add }),
        2 => (person(), person(), amount()).prop_map(|(who, to, amount)| Step::Transfer { who, to, amount }),
        2 => (0..4u8, any::<u32>(), 0..5u32).prop_map(|(model, n, count)| Step::Draw { model, n, count }),
        6 => (1..25u64, any::<bool>()).prop_map(|(count, idle)| Step::Blocks { count, idle }),
    ]
}

fn root(model: u8) -> CheckpointRoot {
    // 0 is the zero checkpoint, which nobody may serve.
    H256::repeat_byte(model)
}

fn signed(who: AccountId) -> RuntimeOrigin {
    RuntimeOrigin::signed(who)
}

/// Does one step; `Some` is the outcome of a call, which must have been without effect where it failed.
fn perform(step: Step) -> Option<DispatchResult> {
    match step {
        Step::Register {
            who,
            bond,
            hot_key,
            capacity,
            owner,
        } => Some(OperatorsPallet::register(
            signed(who),
            bond,
            hot_key,
            BOTH,
            capacity,
            endpoint(),
            owner,
        )),
        Step::Approve { owner, operator } => {
            Some(OperatorsPallet::approve_operator(signed(owner), operator))
        }
        Step::BondExtra { who, amount } => Some(OperatorsPallet::bond_extra(signed(who), amount)),
        Step::SetHotKey { who, hot_key } => {
            Some(OperatorsPallet::set_hot_key(signed(who), hot_key))
        }
        Step::ResignHotKey { who } => Some(OperatorsPallet::resign_hot_key(signed(who))),
        Step::Serve { who, model } => Some(OperatorsPallet::serve(signed(who), root(model))),
        Step::Unserve { who, model } => Some(OperatorsPallet::unserve(signed(who), root(model))),
        Step::SetCapacity { who, capacity } => {
            Some(OperatorsPallet::set_capacity(signed(who), capacity))
        }
        Step::SetRoles {
            who,
            compute,
            validate,
        } => Some(OperatorsPallet::set_roles(
            signed(who),
            Roles { compute, validate },
        )),
        Step::Unbond { who } => Some(OperatorsPallet::unbond(signed(who))),
        Step::Withdraw { who } => Some(
            OperatorsPallet::withdraw(signed(who))
                .map(|_| ())
                .map_err(|e| e.error),
        ),
        Step::Unjail { who } => Some(OperatorsPallet::unjail(signed(who))),
        Step::SetParams { who, epoch, bond } => {
            let params = Params {
                epoch_blocks: epoch,
                minimum_bond: bond,
                ..params()
            };
            let origin = if who == 0 {
                RuntimeOrigin::root()
            } else {
                signed(who)
            };
            Some(OperatorsPallet::set_params(origin, params))
        }
        Step::Slash {
            who,
            offence,
            victim,
            reporter,
            auditors,
        } => {
            let offence = match offence {
                0 => Offence::FalseResult,
                1 => Offence::RepeatedSoft,
                _ => Offence::MissedDuties,
            };
            let slashable = OperatorsPallet::slashable(&who, offence);
            let had = bond(who);
            let victim = victim.as_ref().map(|(who, loss)| (who, *loss));
            let taken = OperatorsPallet::slash(&who, offence, victim, reporter.as_ref(), &auditors);
            // The reserve exists, so everything slashable can be delivered.
            assert_eq!(had - bond(who), taken);
            assert!(taken == slashable || !Operators::<Test>::contains_key(who));
            None
        }
        Step::Lien { who, amount, to } => {
            let had = bond(who);
            let taken = OperatorsPallet::forfeit_lien(&who, amount, &to);
            assert_eq!(had - bond(who), taken);
            assert_eq!(taken, amount.min(had));
            None
        }
        Step::Duty { who, kept } => {
            OperatorsPallet::record_duty(&who, kept);
            None
        }
        Step::Audit {
            who,
            verdict,
            units,
        } => {
            let record = match verdict {
                0 => AuditRecord::Valid { units },
                1 => AuditRecord::Soft,
                _ => AuditRecord::Hard,
            };
            OperatorsPallet::record_audit(&who, record);
            None
        }
        Step::Liability { who, add: true } => {
            Some(<OperatorsPallet as OperatorsApi<_>>::add_liability(&who))
        }
        Step::Liability { who, add: false } => {
            <OperatorsPallet as OperatorsApi<_>>::remove_liability(&who);
            None
        }
        Step::Transfer { who, to, amount } => {
            let _ = Balances::transfer_allow_death(signed(who), to, amount);
            None
        }
        Step::Draw { model, n, count } => {
            let drawn =
                OperatorsPallet::draw(Role::Validate, &root(model), &seed(n), count, &|who| {
                    *who != 1
                });
            assert!(drawn.len() <= count as usize);
            for who in drawn {
                let info = OperatorsPallet::operator(who).unwrap();
                assert!(who != 1 && info.active && info.record.roles.validate);
            }
            None
        }
        Step::Blocks { count, idle } => {
            for _ in 0..count {
                run_blocks(1);
                if idle {
                    OperatorsPallet::on_idle(System::block_number(), Weight::MAX);
                }
            }
            None
        }
    }
}

fn check(issuance: Balance, held_before: &[(AccountId, Balance)]) {
    // I1: every invariant of the registry.
    OperatorsPallet::do_try_state().unwrap();
    // I2: no money appeared or vanished.
    assert_eq!(Balances::total_issuance(), issuance);
    // I3: whoever has a bond is an operator; a bond never goes back without `withdraw`.
    for (who, _) in held_before {
        assert!(bond(*who) == 0 || Operators::<Test>::contains_key(who));
    }
    // I4: reputation never leaves its range.
    for who in Operators::<Test>::iter_keys() {
        assert!(OperatorsPallet::reputation_of(&who) <= Perbill::one());
    }
}

proptest! {
    // 64 cases, or a quarter of PROPTEST_CASES.
    #![proptest_config({
        let default = ProptestConfig::default();
        ProptestConfig { cases: default.cases / 4, ..default }
    })]

    #[test]
    fn random_steps_should_keep_every_invariant(
        steps in prop::collection::vec(step(), 1..120),
        index_step in 1..20u32,
    ) {
        new_test_ext().execute_with(|| {
            IndexStep::set(index_step);
            let issuance = Balances::total_issuance();
            for step in &steps {
                let held: Vec<_> =
                    Operators::<Test>::iter_keys().map(|who| (who, bond(who))).collect();
                let open: Vec<_> = Operators::<Test>::iter()
                    .filter(|(_, record)| record.liabilities > 0)
                    .map(|(who, _)| who)
                    .collect();
                // A call is a transaction, as it is in a block.
                let _ = frame_support::storage::with_storage_layer(|| {
                    perform(step.clone()).unwrap_or(Ok(()))
                });
                check(issuance, &held);
                // I5: nobody leaves while a matter is open.
                for who in open {
                    assert!(Operators::<Test>::contains_key(who));
                }
            }
            IndexStep::set(16);
        });
    }
}
