//! DOT that a message drops waits for its owner.

use crate::network::*;
use chasqui_runtime::config::STAKING_POT;
use sp_runtime::traits::AccountIdConversion;
use xcm::latest::prelude::*;

/// A message that takes three DOT from the sender's account, and ends before it does anything with them. The fees that
/// it bought are spent.
fn drop_three() -> Vec<Instruction<()>> {
    vec![
        WithdrawAsset(dot(3 * DOT).into()),
        BuyExecution {
            fees: dot(DOT),
            weight_limit: Unlimited,
        },
        Trap(1),
    ]
}

fn claim(amount: u128) -> Vec<Instruction<()>> {
    vec![
        ClaimAsset {
            assets: dot(amount).into(),
            ticket: Here.into(),
        },
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
fn only_its_owner_claims_what_a_message_dropped() {
    // GIVEN Alice's account of Asset Hub, whose message drops DOT
    begin_again();
    // (and a pot for the fees)
    let pot = STAKING_POT.into_account_truncating();
    bring_in(DOT, local(&pot));
    let alice_there = remote(ASSET_HUB, &alice());
    bring_in(20 * DOT, alice_there.clone());
    bring_in(20 * DOT, sibling(STRANGER));
    let before = (balance(&account_of(&alice_there)), balance(&pot));
    assert_eq!(tell_as(&alice(), drop_three()), Verdict::Failed);
    assert_eq!(before.0 - balance(&account_of(&alice_there)), 3 * DOT);
    let dropped = 3 * DOT - (balance(&pot) - before.1);
    assert!(dropped > 2 * DOT && dropped < 3 * DOT, "{dropped}");
    check_reserve();
    // WHEN others claim it
    for claimer in [Sender::Stranger, Sender::AssetHub, Sender::Relay] {
        // THEN they get nothing
        assert_eq!(tell(claimer, claim(dropped)), Verdict::Failed);
    }
    assert_eq!(tell_as(&bob(), claim(dropped)), Verdict::Failed);
    assert_eq!(balance(&bob()), 0);
    // WHEN she claims more THEN she gets nothing
    assert_eq!(tell_as(&alice(), claim(dropped + 1)), Verdict::Failed);
    // WHEN she claims it THEN it is where she wants it
    assert_eq!(tell_as(&alice(), claim(dropped)), Verdict::Ran);
    let got = balance(&bob());
    assert!(got > dropped - 10 * CENT && got <= dropped, "{got}");
    // AND not twice
    assert_eq!(tell_as(&alice(), claim(dropped)), Verdict::Failed);
    assert_eq!(balance(&bob()), got);
    check_reserve();
}
