//! There is never more DOT here than Asset Hub keeps, whatever anybody sends.

use crate::network::*;
use parachains_common::{AccountId, Balance};
use proptest::prelude::*;
use sp_runtime::MultiAddress;
use xcm::latest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// Alice sends DOT here, to one of several.
    In(Balance, u8),
    /// One of them sends DOT back.
    Out(u8, Balance),
    /// A chain itself claims, in one of several ways, that there is DOT.
    Mint(u8, u8, Balance),
    /// A chain's own account drops DOT, or sends it out, by message.
    Message(u8, u8, Balance),
    /// A transfer here.
    Transfer(u8, u8, Balance),
}

fn step() -> impl Strategy<Value = Step> {
    let amount = prop_oneof![0..2 * CENT, 0..20 * DOT, Just(Balance::MAX)];
    let small = prop_oneof![1..2 * CENT, CENT..20 * DOT];
    prop_oneof![
        3 => (small, 0..5u8).prop_map(|(amount, to)| Step::In(amount, to)),
        3 => (0..2u8, amount.clone()).prop_map(|(from, amount)| Step::Out(from, amount)),
        2 => (0..3u8, 0..4u8, amount.clone()).prop_map(|(by, how, amount)| Step::Mint(by, how, amount)),
        2 => (0..3u8, 0..4u8, amount.clone()).prop_map(|(by, how, amount)| Step::Message(by, how, amount)),
        1 => (0..2u8, 0..5u8, amount).prop_map(|(from, to, amount)| Step::Transfer(from, to, amount)),
    ]
}

fn person(n: u8) -> AccountId {
    [alice(), bob()][usize::from(n % 2)].clone()
}

fn place(n: u8) -> Location {
    match n {
        0 | 1 => local(&person(n)),
        2 => Location::parent(),
        3 => sibling(ASSET_HUB),
        _ => sibling(STRANGER),
    }
}

fn sender(n: u8) -> Sender {
    [Sender::Relay, Sender::AssetHub, Sender::Stranger][usize::from(n % 3)]
}

fn play(step: &Step) {
    match *step {
        Step::In(amount, to) => bring_in(amount, place(to)),
        Step::Out(from, amount) => {
            let _ = send_back(&person(from), amount, &person(from));
        }
        Step::Mint(by, how, amount) => {
            let claim = match how {
                0 => ReceiveTeleportedAsset(dot(amount).into()),
                1 => ClaimAsset {
                    assets: dot(amount).into(),
                    ticket: Here.into(),
                },
                // What Asset Hub vouches for is there: its word is what the chain goes by.
                _ if sender(by) == Sender::AssetHub => return,
                _ => ReserveAssetDeposited(dot(amount).into()),
            };
            let message = vec![
                claim,
                BuyExecution {
                    fees: dot(amount),
                    weight_limit: Unlimited,
                },
                DepositAsset {
                    assets: Wild(All),
                    beneficiary: local(&alice()),
                },
            ];
            tell(sender(by), message);
        }
        Step::Message(by, how, amount) => {
            let sender = sender(by);
            let mut message = vec![
                WithdrawAsset(dot(amount).into()),
                BuyExecution {
                    fees: dot(amount / 2),
                    weight_limit: Unlimited,
                },
                RefundSurplus,
            ];
            message.push(match how {
                0 => Trap(1),
                1 => BurnAsset(dot(amount / 3).into()),
                2 => DepositAsset {
                    assets: Wild(All),
                    beneficiary: local(&bob()),
                },
                _ => InitiateReserveWithdraw {
                    assets: Wild(All),
                    reserve: sibling(ASSET_HUB),
                    xcm: Xcm(vec![
                        BuyExecution {
                            fees: dot(CENT),
                            weight_limit: Unlimited,
                        },
                        DepositAsset {
                            assets: Wild(All),
                            beneficiary: local(&bob()),
                        },
                    ]),
                },
            });
            tell(sender, message);
        }
        Step::Transfer(from, to, value) => {
            let dest = MultiAddress::Id(account_of(&place(to)));
            let call = pallet_balances::Call::transfer_allow_death { dest, value };
            let _ = call_as(&person(from), call);
        }
    }
}

proptest! {
    // 8 sequences, or a thirty-second of PROPTEST_CASES.
    #![proptest_config({
        let default = ProptestConfig::default();
        ProptestConfig {
            cases: (default.cases / 32).max(1),
            max_shrink_iters: 32,
            failure_persistence: None,
            ..default
        }
    })]

    #[test]
    fn issuance_never_exceeds_the_reserve(steps in proptest::collection::vec(step(), 10..40)) {
        begin_again();
        // GIVEN some DOT for everybody
        for to in 0..5 {
            bring_in(10 * DOT, place(to));
        }
        check_reserve();
        for step in &steps {
            // WHEN anybody does anything
            play(step);
            next_block();
            // THEN what is here is there
            let (issued, kept) = (issuance(), reserve());
            prop_assert!(issued <= kept, "{issued} issued, {kept} kept after {step:?}");
        }
    }
}
