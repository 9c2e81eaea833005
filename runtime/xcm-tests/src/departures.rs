//! DOT goes back to Asset Hub, and nowhere else.

use crate::{network::*, relay};
use chasqui_runtime::{config::ProxyType, Runtime, RuntimeCall, RuntimeOrigin};
use frame_support::traits::InstanceFilter;
use parity_scale_codec::DecodeAll;
use sp_runtime::DispatchError;
use xcm::{latest::prelude::*, VersionedAssets, VersionedLocation, VersionedXcm};
use xcm_executor::traits::TransferType;

#[test]
fn dot_goes_back_to_an_account_on_asset_hub() {
    // GIVEN Bob with DOT that came in
    begin_again();
    bring_in(10 * DOT, local(&bob()));
    let (here, issued, there) = (balance(&bob()), issuance(), balance_on_hub(&bob()));
    // WHEN he sends four of them to his account on Asset Hub
    send_back(&bob(), 4 * DOT, &bob()).unwrap();
    // THEN they leave the chain and the reserve, and are there less that chain's fee
    assert_eq!(reserve(), POTS + 6 * DOT);
    let got = balance_on_hub(&bob()) - there;
    assert!(got <= 4 * DOT && got > 4 * DOT - CENT, "{got}");
    assert!(issuance() <= issued - 4 * DOT);
    // AND beside them he paid for the delivery
    let paid = here - balance(&bob()) - 4 * DOT;
    assert!(paid > 0 && paid < 10 * CENT, "{paid}");
    check_reserve();
}

#[test]
fn more_than_one_has_does_not_leave() {
    // GIVEN Bob with DOT
    begin_again();
    bring_in(10 * DOT, local(&bob()));
    let before = (balance(&bob()), issuance(), reserve());
    // WHEN he sends more
    let result = send_back(&bob(), 11 * DOT, &bob());
    // THEN nothing happens
    assert!(result.is_err());
    assert_eq!((balance(&bob()), issuance(), reserve()), before);
}

#[test]
fn no_transfer_goes_anywhere_but_to_asset_hub() {
    // GIVEN Bob with DOT
    begin_again();
    bring_in(10 * DOT, local(&bob()));
    let before = (balance(&bob()), issuance(), reserve());
    let hub = sibling(ASSET_HUB);
    for (dest, kind) in [
        // WHEN he sends DOT to another parachain with this one as the reserve, or to the relay chain
        (sibling(STRANGER), TransferType::LocalReserve),
        (Location::parent(), TransferType::LocalReserve),
        // OR as if the relay chain or a stranger were the reserve
        (Location::parent(), TransferType::DestinationReserve),
        (sibling(STRANGER), TransferType::DestinationReserve),
        (
            hub.clone(),
            TransferType::RemoteReserve(Location::parent().into()),
        ),
        // OR as a teleport
        (hub.clone(), TransferType::Teleport),
        (Location::parent(), TransferType::Teleport),
        (hub.clone(), TransferType::LocalReserve),
    ] {
        let call = transfer(dest.clone(), kind.clone(), DOT, local(&bob()));
        let result = call_as(&bob(), call);
        // THEN it fails, and he keeps what he has
        assert!(result.is_err(), "{dest:?} {kind:?}");
        assert_eq!(
            (balance(&bob()), issuance(), reserve()),
            before,
            "{dest:?} {kind:?}"
        );
    }
    // AND the call that guesses the way refuses to guess one
    for dest in [Location::parent(), sibling(STRANGER), hub] {
        let call = pallet_xcm::Call::limited_reserve_transfer_assets {
            dest: Box::new(VersionedLocation::from(dest)),
            beneficiary: Box::new(VersionedLocation::from(local(&bob()))),
            assets: Box::new(VersionedAssets::from(Assets::from(dot(DOT)))),
            fee_asset_item: 0,
            weight_limit: Unlimited,
        };
        assert!(call_as(&bob(), call).is_err());
        assert_eq!((balance(&bob()), issuance(), reserve()), before);
    }
}

#[test]
fn only_governance_sends_messages_of_its_own_making() {
    // GIVEN a message to the relay chain, as channels need it
    begin_again();
    bring_in(10 * DOT, local(&bob()));
    let message = Xcm::<()>(vec![
        UnpaidExecution {
            weight_limit: Unlimited,
            check_origin: None,
        },
        Trap(7),
    ]);
    let call = pallet_xcm::Call::<Runtime>::send {
        dest: Box::new(VersionedLocation::from(Location::parent())),
        message: Box::new(VersionedXcm::from(message)),
    };
    // WHEN an account sends it
    let result = call_as(&bob(), call.clone());
    // THEN it is refused
    assert_eq!(result, Err(DispatchError::BadOrigin));
    assert!(relay::take_upward().is_empty());
    // WHEN root sends it
    dispatch(RuntimeOrigin::root(), call).unwrap();
    // THEN it arrives, free of charge
    let upward = relay::take_upward();
    assert_eq!(upward.len(), 1);
    let arrived = VersionedXcm::<()>::decode_all(&mut &upward[0][..]).unwrap();
    let arrived: Xcm<()> = arrived.try_into().unwrap();
    assert!(arrived.0.contains(&Trap(7)));
}

#[test]
fn nobody_runs_a_message_of_its_own_making_here() {
    // GIVEN Bob with DOT
    begin_again();
    bring_in(10 * DOT, local(&bob()));
    // WHEN he asks the chain to run a message
    let call = pallet_xcm::Call::<Runtime>::execute {
        message: Box::new(VersionedXcm::from(Xcm(vec![ClearOrigin]))),
        max_weight: Weight::from_parts(1_000_000_000_000, 1_000_000),
    };
    // THEN it refuses
    assert!(call_as(&bob(), call).is_err());
}

#[test]
fn a_proxy_that_may_not_move_money_may_not_send_it_away() {
    // GIVEN a call that sends DOT to Asset Hub
    let call: RuntimeCall = transfer(
        sibling(ASSET_HUB),
        TransferType::DestinationReserve,
        DOT,
        local(&bob()),
    )
    .into();
    // THEN it is a matter of proxies for everything only
    assert!(ProxyType::Any.filter(&call));
    for proxy in [
        ProxyType::NonTransfer,
        ProxyType::CancelProxy,
        ProxyType::Collator,
    ] {
        assert!(!proxy.filter(&call), "{proxy:?}");
    }
}
