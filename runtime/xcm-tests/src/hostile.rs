//! Messages that want what they must not get.

use crate::network::*;
use chasqui_runtime::{Runtime, RuntimeCall};
use sp_runtime::MultiAddress;
use xcm::latest::prelude::*;

const ALL: [Sender; 3] = [Sender::Relay, Sender::AssetHub, Sender::Stranger];

/// Instructions that pay for what follows out of holding and give the rest to Bob.
fn then_give_to_bob(first: Instruction<()>) -> Vec<Instruction<()>> {
    vec![
        first,
        BuyExecution {
            fees: dot(DOT),
            weight_limit: Unlimited,
        },
        DepositAsset {
            assets: Wild(All),
            beneficiary: local(&bob()),
        },
    ]
}

#[test]
fn nobody_teleports_dot() {
    begin_again();
    for sender in ALL {
        // WHEN a chain says that it has destroyed DOT of its own, to have it made here
        let message = then_give_to_bob(ReceiveTeleportedAsset(dot(100 * DOT).into()));
        // THEN none is made
        assert_eq!(tell(sender, message), Verdict::Failed, "{sender:?}");
        assert_eq!((issuance(), balance(&bob())), (POTS, 0));
    }
}

#[test]
fn nobody_but_asset_hub_vouches_for_dot() {
    begin_again();
    for sender in [Sender::Relay, Sender::Stranger] {
        // WHEN another chain says that it has put DOT aside
        let message = then_give_to_bob(ReserveAssetDeposited(dot(100 * DOT).into()));
        // THEN none is made
        assert_eq!(tell(sender, message), Verdict::Failed, "{sender:?}");
        assert_eq!((issuance(), balance(&bob())), (POTS, 0));
    }
    // AND an account of Asset Hub is not Asset Hub
    let message = then_give_to_bob(ReserveAssetDeposited(dot(100 * DOT).into()));
    assert_eq!(tell_as(&alice(), message), Verdict::Failed);
    assert_eq!((issuance(), balance(&bob())), (POTS, 0));
}

#[test]
fn nobody_speaks_as_asset_hub() {
    // GIVEN a stranger who can pay
    begin_again();
    bring_in(20 * DOT, sibling(STRANGER));
    let before = issuance();
    for disguise in [
        AliasOrigin(sibling(ASSET_HUB)),
        UniversalOrigin(Parachain(ASSET_HUB)),
        UniversalOrigin(GlobalConsensus(NetworkId::Polkadot)),
    ] {
        // WHEN it puts on another origin and then vouches for DOT
        let message = vec![
            WithdrawAsset(dot(DOT).into()),
            BuyExecution {
                fees: dot(DOT),
                weight_limit: Unlimited,
            },
            disguise.clone(),
            ReserveAssetDeposited(dot(100 * DOT).into()),
            DepositAsset {
                assets: Wild(All),
                beneficiary: local(&bob()),
            },
        ];
        // THEN none is made
        assert_eq!(tell(Sender::Stranger, message), Verdict::Failed);
        assert!(issuance() <= before, "{disguise:?}");
        assert_eq!(balance(&bob()), 0);
    }
    // AND an origin put on before the payment keeps the message from starting
    let message = vec![
        AliasOrigin(sibling(ASSET_HUB)),
        ReserveAssetDeposited(dot(100 * DOT).into()),
        BuyExecution {
            fees: dot(DOT),
            weight_limit: Unlimited,
        },
    ];
    assert_eq!(tell(Sender::Stranger, message), Verdict::Failed);
    assert_eq!(balance(&bob()), 0);
    check_reserve();
}

#[test]
fn nothing_runs_unpaid() {
    // GIVEN senders who have DOT here
    begin_again();
    for sender in ALL {
        bring_in(20 * DOT, sender.location());
    }
    let before = issuance();
    for sender in ALL {
        for message in [
            // WHEN a message says that it does not pay
            vec![
                UnpaidExecution {
                    weight_limit: Unlimited,
                    check_origin: None,
                },
                WithdrawAsset(dot(DOT).into()),
            ],
            // OR does not say how it pays
            vec![WithdrawAsset(dot(DOT).into()), RefundSurplus],
            vec![Transact {
                origin_kind: OriginKind::Superuser,
                fallback_max_weight: None,
                call: vec![0, 0, 0].into(),
            }],
            // OR buys less weight than it needs
            vec![
                WithdrawAsset(dot(DOT).into()),
                BuyExecution {
                    fees: dot(DOT),
                    weight_limit: Limited(Weight::from_parts(1, 1)),
                },
                RefundSurplus,
            ],
        ] {
            // THEN it is refused, and takes nothing
            let account = account_of(&sender.location());
            let held = balance(&account);
            let verdict = tell(sender, message.clone());
            assert_eq!(verdict, Verdict::Failed, "{sender:?} {message:?}");
            assert_eq!(balance(&account), held, "{sender:?} {message:?}");
        }
    }
    assert_eq!(issuance(), before);
}

#[test]
fn no_message_makes_a_call_that_is_not_for_messages() {
    // GIVEN senders who can pay
    begin_again();
    for sender in ALL {
        bring_in(20 * DOT, sender.location());
    }
    let to_bob = || -> RuntimeCall {
        pallet_balances::Call::transfer_allow_death {
            dest: MultiAddress::Id(bob()),
            value: DOT,
        }
        .into()
    };
    let calls: Vec<RuntimeCall> = vec![
        pallet_sudo::Call::sudo {
            call: Box::new(to_bob()),
        }
        .into(),
        pallet_utility::Call::batch {
            calls: vec![to_bob()],
        }
        .into(),
        frame_system::Call::set_code { code: vec![1] }.into(),
        frame_system::Call::set_storage { items: vec![] }.into(),
        pallet_balances::Call::force_set_balance {
            who: MultiAddress::Id(bob()),
            new_free: 100 * DOT,
        }
        .into(),
        pallet_jobs::Call::set_params {
            params: Default::default(),
        }
        .into(),
        pallet_xcm::Call::<Runtime>::force_default_xcm_version {
            maybe_xcm_version: None,
        }
        .into(),
    ];
    for sender in ALL {
        for kind in [
            OriginKind::SovereignAccount,
            OriginKind::Superuser,
            OriginKind::Native,
            OriginKind::Xcm,
        ] {
            for call in &calls {
                // WHEN a message makes such a call, as whoever it can
                let message = paid_call(sender.location(), DOT, kind, call.clone());
                // THEN it fails
                assert_eq!(
                    tell(sender, message),
                    Verdict::Failed,
                    "{sender:?} {kind:?} {call:?}"
                );
                assert_eq!(balance(&bob()), 0);
            }
            // AND what is for messages is made as the sender's own account, or not at all
            let message = paid_call(sender.location(), DOT, kind, to_bob());
            let expected = match kind {
                OriginKind::SovereignAccount => Verdict::Ran,
                _ => Verdict::Failed,
            };
            let account = account_of(&sender.location());
            let before = balance(&account);
            assert_eq!(tell(sender, message), expected, "{sender:?} {kind:?}");
            if expected == Verdict::Ran {
                assert!(balance(&account) < before - DOT);
                call_as(
                    &bob(),
                    pallet_balances::Call::transfer_all {
                        dest: MultiAddress::Id(alice()),
                        keep_alive: false,
                    },
                )
                .unwrap();
            }
            assert_eq!(balance(&bob()), 0);
        }
    }
    check_reserve();
}

#[test]
fn no_message_has_more_instructions_than_the_limit() {
    // GIVEN a relay chain that can pay for much, and does not look at what it hands on
    begin_again();
    bring_in(100 * DOT, Location::parent());
    let of = |count: usize| {
        let mut message = vec![
            WithdrawAsset(dot(50 * DOT).into()),
            BuyExecution {
                fees: dot(50 * DOT),
                weight_limit: Unlimited,
            },
        ];
        message.resize(count - 1, RefundSurplus);
        message.push(DepositAsset {
            assets: Wild(All),
            beneficiary: Location::parent(),
        });
        message
    };
    let limit = chasqui_runtime::constants::xcm::MAX_INSTRUCTIONS as usize;
    // WHEN a message is longer THEN it is refused
    let verdict = tell(Sender::Relay, of(limit + 1));
    assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
    // AND also when it hides the surplus in an appendix
    let mut nested = of(10);
    nested.insert(2, SetAppendix(Xcm(of(limit - 5))));
    let verdict = tell(Sender::Relay, nested);
    assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
    // AND one at the limit runs
    assert_eq!(tell(Sender::Relay, of(limit)), Verdict::Ran);
    check_reserve();
}

#[test]
fn nothing_leaves_by_message_except_to_asset_hub() {
    // GIVEN an account of Asset Hub with DOT here
    begin_again();
    let alice_there = remote(ASSET_HUB, &alice());
    bring_in(20 * DOT, alice_there.clone());
    let account = account_of(&alice_there);
    let before = balance(&account);
    let inner = || {
        Xcm(vec![DepositAsset {
            assets: Wild(All),
            beneficiary: local(&bob()),
        }])
    };
    let leave = |exit: Instruction<()>| {
        vec![
            WithdrawAsset(dot(5 * DOT).into()),
            BuyExecution {
                fees: dot(5 * DOT),
                weight_limit: Unlimited,
            },
            exit,
        ]
    };
    let assets: AssetFilter = Wild(All);
    for exit in [
        // WHEN a message sends DOT out by any other way
        InitiateReserveWithdraw {
            assets: assets.clone(),
            reserve: Location::parent(),
            xcm: inner(),
        },
        InitiateReserveWithdraw {
            assets: assets.clone(),
            reserve: sibling(STRANGER),
            xcm: inner(),
        },
        DepositReserveAsset {
            assets: assets.clone(),
            dest: sibling(STRANGER),
            xcm: inner(),
        },
        TransferReserveAsset {
            assets: dot(DOT).into(),
            dest: Location::parent(),
            xcm: inner(),
        },
        InitiateTeleport {
            assets: assets.clone(),
            dest: sibling(ASSET_HUB),
            xcm: inner(),
        },
        InitiateTransfer {
            destination: Location::parent(),
            remote_fees: None,
            preserve_origin: false,
            assets: Default::default(),
            remote_xcm: inner(),
        },
        // OR hides it in an appendix
        SetAppendix(Xcm(vec![InitiateReserveWithdraw {
            assets: assets.clone(),
            reserve: Location::parent(),
            xcm: inner(),
        }])),
    ] {
        // THEN it is refused, and nothing is lost
        let verdict = tell_as(&alice(), leave(exit.clone()));
        assert_eq!(verdict, Verdict::Failed, "{exit:?}");
        assert_eq!(balance(&account), before);
    }
    // AND the way to Asset Hub is open to it
    let there = balance_on_hub(&bob());
    let exit = InitiateReserveWithdraw {
        assets,
        reserve: sibling(ASSET_HUB),
        xcm: Xcm(vec![
            BuyExecution {
                fees: dot(DOT),
                weight_limit: Unlimited,
            },
            DepositAsset {
                assets: Wild(All),
                beneficiary: local(&bob()),
            },
        ]),
    };
    assert_eq!(tell_as(&alice(), leave(exit)), Verdict::Ran);
    next_block();
    assert!(balance_on_hub(&bob()) > there + 4 * DOT);
    check_reserve();
}
