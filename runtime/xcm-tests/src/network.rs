//! The four chains, and what tests do on them.

use crate::{neighbour, relay};
use chasqui_runtime::{
    genesis, Balances, Runtime, RuntimeCall, RuntimeEvent, RuntimeGenesisConfig, RuntimeOrigin,
    System,
};
use cumulus_primitives_core::AggregateMessageOrigin;
use frame_support::traits::{fungible::Inspect, ProcessMessageError};
use parachains_common::{AccountId, Balance};
use parity_scale_codec::Encode;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{traits::Dispatchable, BuildStorage, DispatchError};
use sp_storage::Storage;
use xcm::{latest::prelude::*, VersionedAssetId, VersionedAssets, VersionedLocation, VersionedXcm};
use xcm_emulator::{
    decl_test_networks, decl_test_parachains, decl_test_relay_chains, Network, OnInitialize,
    TestExt,
};
use xcm_executor::traits::{ConvertLocation, TransferType};

pub use chasqui_runtime::constants::money::{CENT, DOT, EXISTENTIAL_DEPOSIT};

pub const ASSET_HUB: u32 = 1_000;
/// A parachain that nobody knows.
pub const STRANGER: u32 = 1_001;
pub const CHASQUI: u32 = chasqui_runtime::constants::consensus::DEV_PARA_ID;
/// What genesis issues: the existential deposits of two pots. Whoever launches a network puts as much aside on Asset Hub.
pub const POTS: Balance = 2 * EXISTENTIAL_DEPOSIT;
/// What Alice and Bob hold on Asset Hub, and on the stranger's chain, at first.
pub const FUNDS: Balance = 1_000 * DOT;

decl_test_relay_chains! {
    #[api_version(5)]
    pub struct Relay {
        genesis = relay::genesis(),
        on_init = (),
        runtime = relay,
        core = {
            SovereignAccountOf: relay::SovereignAccountOf,
        },
        pallets = {
            System: relay::System,
        }
    }
}

decl_test_parachains! {
    pub struct Chasqui {
        genesis = chasqui_genesis(),
        on_init = (),
        runtime = chasqui_runtime,
        core = {
            XcmpMessageHandler: chasqui_runtime::XcmpQueue,
            LocationToAccountId: chasqui_runtime::config::xcm::LocationToAccountId,
            ParachainInfo: chasqui_runtime::ParachainInfo,
            MessageOrigin: AggregateMessageOrigin,
        },
        pallets = {
            Balances: chasqui_runtime::Balances,
        }
    },
    pub struct AssetHub {
        genesis = neighbour::genesis(ASSET_HUB, vec![(alice(), FUNDS), (bob(), FUNDS), (account_on_hub(), POTS)]),
        on_init = (),
        runtime = neighbour,
        core = {
            XcmpMessageHandler: neighbour::XcmpQueue,
            LocationToAccountId: neighbour::LocationToAccountId,
            ParachainInfo: neighbour::ParachainInfo,
            MessageOrigin: AggregateMessageOrigin,
            BlockProducer: EmptyDigests,
        },
        pallets = {
            Balances: neighbour::Balances,
        }
    },
    pub struct Stranger {
        genesis = neighbour::genesis(STRANGER, vec![(alice(), FUNDS), (bob(), FUNDS)]),
        on_init = (),
        runtime = neighbour,
        core = {
            XcmpMessageHandler: neighbour::XcmpQueue,
            LocationToAccountId: neighbour::LocationToAccountId,
            ParachainInfo: neighbour::ParachainInfo,
            MessageOrigin: AggregateMessageOrigin,
            BlockProducer: EmptyDigests,
        },
        pallets = {
            Balances: neighbour::Balances,
        }
    },
}

decl_test_networks! {
    pub struct World {
        relay_chain = Relay,
        parachains = vec![Chasqui, AssetHub, Stranger,],
        bridge = ()
    }
}

/// Blocks without authors.
pub struct EmptyDigests;

impl xcm_emulator::BlockProducer for EmptyDigests {
    fn slot_duration() -> u64 {
        6_000
    }

    fn pre_runtime_digest(_: u32) -> sp_runtime::Digest {
        Default::default()
    }
}

/// The genesis of collators on a relay chain, without those whom it endows: as on a network with an Asset Hub, all DOT but
/// [`POTS`] is yet to come.
fn chasqui_genesis() -> Storage {
    let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
    let preset = genesis::preset(&genesis::COLLATORS.into()).unwrap();
    merge(&mut config, serde_json::from_slice(&preset).unwrap());
    config["balances"]["balances"] = serde_json::json!([]);
    serde_json::from_value::<RuntimeGenesisConfig>(config)
        .unwrap()
        .build_storage()
        .unwrap()
}

fn merge(into: &mut serde_json::Value, patch: serde_json::Value) {
    match (into, patch) {
        (serde_json::Value::Object(into), serde_json::Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

pub fn alice() -> AccountId {
    Sr25519Keyring::Alice.to_account_id()
}

pub fn bob() -> AccountId {
    Sr25519Keyring::Bob.to_account_id()
}

/// An account as a location on its own chain.
pub fn local(account: &AccountId) -> Location {
    AccountId32 {
        network: None,
        id: account.clone().into(),
    }
    .into()
}

/// An account of parachain `id` as another parachain sees it.
pub fn remote(id: u32, account: &AccountId) -> Location {
    Location::new(
        1,
        [
            Parachain(id),
            AccountId32 {
                network: Some(NetworkId::Polkadot),
                id: account.clone().into(),
            },
        ],
    )
}

/// A parachain as another sees it.
pub fn sibling(id: u32) -> Location {
    Location::new(1, [Parachain(id)])
}

/// `amount` planck of DOT.
pub fn dot(amount: Balance) -> Asset {
    (Location::parent(), amount).into()
}

/// The account on Chasqui of `location`.
pub fn account_of(location: &Location) -> AccountId {
    Chasqui::<World>::ext_wrapper(|| {
        chasqui_runtime::config::xcm::LocationToAccountId::convert_location(location).unwrap()
    })
}

/// What `account` holds on Chasqui.
pub fn balance(account: &AccountId) -> Balance {
    Chasqui::<World>::ext_wrapper(|| Balances::total_balance(account))
}

/// All DOT on Chasqui.
pub fn issuance() -> Balance {
    Chasqui::<World>::ext_wrapper(Balances::total_issuance)
}

/// What `account` holds on Asset Hub.
pub fn balance_on_hub(account: &AccountId) -> Balance {
    AssetHub::<World>::ext_wrapper(|| neighbour::Balances::total_balance(account))
}

/// Chasqui's account on Asset Hub.
fn account_on_hub() -> AccountId {
    neighbour::LocationToAccountId::convert_location(&sibling(CHASQUI)).unwrap()
}

/// What Asset Hub keeps for Chasqui.
pub fn reserve() -> Balance {
    balance_on_hub(&account_on_hub())
}

/// # Panics
/// When there is more DOT on Chasqui than Asset Hub keeps for it.
pub fn check_reserve() {
    let (issued, kept) = (issuance(), reserve());
    assert!(issued <= kept, "{issued} planck issued, {kept} kept");
}

/// Alice sends `amount` from Asset Hub to `beneficiary` on Chasqui.
pub fn bring_in(amount: Balance, beneficiary: Location) {
    AssetHub::<World>::execute_with(|| {
        neighbour::PolkadotXcm::transfer_assets_using_type_and_then(
            neighbour::RuntimeOrigin::signed(alice()),
            Box::new(VersionedLocation::from(sibling(CHASQUI))),
            Box::new(VersionedAssets::from(Assets::from(dot(amount)))),
            Box::new(TransferType::LocalReserve),
            Box::new(VersionedAssetId::from(AssetId(Location::parent()))),
            Box::new(TransferType::LocalReserve),
            Box::new(VersionedXcm::from(to(beneficiary))),
            Unlimited,
        )
        .unwrap()
    });
}

/// `account` sends `amount` from Chasqui to `beneficiary` on Asset Hub.
pub fn send_back(
    account: &AccountId,
    amount: Balance,
    beneficiary: &AccountId,
) -> Result<(), DispatchError> {
    let dest = sibling(ASSET_HUB);
    let by = TransferType::DestinationReserve;
    call_as(account, transfer(dest, by, amount, local(beneficiary)))
}

/// The call that sends `amount` to `dest` in the way `by`, for `beneficiary` there.
pub fn transfer(
    dest: Location,
    by: TransferType,
    amount: Balance,
    beneficiary: Location,
) -> pallet_xcm::Call<Runtime> {
    pallet_xcm::Call::transfer_assets_using_type_and_then {
        dest: Box::new(VersionedLocation::from(dest)),
        assets: Box::new(VersionedAssets::from(Assets::from(dot(amount)))),
        assets_transfer_type: Box::new(by.clone()),
        remote_fees_id: Box::new(VersionedAssetId::from(AssetId(Location::parent()))),
        fees_transfer_type: Box::new(by),
        custom_xcm_on_dest: Box::new(VersionedXcm::from(to(beneficiary))),
        weight_limit: Unlimited,
    }
}

/// Gives all that has arrived to `beneficiary`.
fn to(beneficiary: Location) -> Xcm<()> {
    Xcm(vec![DepositAsset {
        assets: Wild(AllCounted(1)),
        beneficiary,
    }])
}

/// `account` makes `call` on Chasqui.
pub fn call_as(account: &AccountId, call: impl Into<RuntimeCall>) -> Result<(), DispatchError> {
    let origin = RuntimeOrigin::signed(account.clone());
    dispatch(origin, call)
}

/// `origin` makes `call` on Chasqui; like a transaction, a call that fails changes nothing.
pub fn dispatch(origin: RuntimeOrigin, call: impl Into<RuntimeCall>) -> Result<(), DispatchError> {
    let call = call.into();
    Chasqui::<World>::execute_with(|| {
        frame_support::storage::with_storage_layer(|| {
            call.dispatch(origin).map(drop).map_err(|e| e.error)
        })
    })
}

/// A block of Chasqui, at whose end it sends what messages made it send.
pub fn next_block() {
    Chasqui::<World>::execute_with(|| ());
}

/// Who sends a message to Chasqui.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sender {
    Relay,
    AssetHub,
    Stranger,
}

impl Sender {
    /// Where it is, seen from Chasqui.
    pub fn location(self) -> Location {
        match self {
            Sender::Relay => Location::parent(),
            Sender::AssetHub => sibling(ASSET_HUB),
            Sender::Stranger => sibling(STRANGER),
        }
    }
}

/// `sender` itself sends `message`; what Chasqui made of it.
pub fn tell(sender: Sender, message: Vec<Instruction<()>>) -> Verdict {
    World::init();
    take_verdicts();
    let message = Xcm(message);
    match sender {
        Sender::Relay => Relay::<World>::execute_with(|| relay::send_down(CHASQUI, message)),
        Sender::AssetHub => AssetHub::<World>::execute_with(|| send_to_chasqui(Here, message)),
        Sender::Stranger => Stranger::<World>::execute_with(|| send_to_chasqui(Here, message)),
    }
    last_verdict()
}

/// `account` of Asset Hub sends `message`; what Chasqui made of it.
pub fn tell_as(account: &AccountId, message: Vec<Instruction<()>>) -> Verdict {
    World::init();
    take_verdicts();
    let message = Xcm(message);
    AssetHub::<World>::execute_with(|| {
        let interior = AccountId32 {
            network: Some(NetworkId::Polkadot),
            id: account.clone().into(),
        };
        send_to_chasqui(interior.into(), message)
    });
    last_verdict()
}

fn send_to_chasqui(interior: Junctions, message: Xcm<()>) {
    neighbour::PolkadotXcm::send_xcm(interior, sibling(CHASQUI), message).unwrap();
}

/// What Chasqui made of a message.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// It ran to its end.
    Ran,
    /// It began and failed.
    Failed,
    /// It did not begin.
    Refused(ProcessMessageError),
}

/// What became of the messages since this was asked last.
pub fn take_verdicts() -> Vec<Verdict> {
    Chasqui::<World>::ext_wrapper(|| {
        let events = System::events();
        System::reset_events();
        events
            .into_iter()
            .filter_map(|record| match record.event {
                RuntimeEvent::MessageQueue(event) => Some(event),
                _ => None,
            })
            .filter_map(|event| match event {
                pallet_message_queue::Event::Processed { success: true, .. } => Some(Verdict::Ran),
                pallet_message_queue::Event::Processed { .. } => Some(Verdict::Failed),
                pallet_message_queue::Event::ProcessingFailed { error, .. } => {
                    Some(Verdict::Refused(error))
                }
                _ => None,
            })
            .collect()
    })
}

fn last_verdict() -> Verdict {
    take_verdicts().pop().expect("no message arrived")
}

/// A message that buys `call` for `fees` out of the account of `payer`, who gets back what is left.
pub fn paid_call(
    payer: Location,
    fees: Balance,
    origin_kind: OriginKind,
    call: impl Into<RuntimeCall>,
) -> Vec<Instruction<()>> {
    vec![
        WithdrawAsset(dot(fees).into()),
        BuyExecution {
            fees: dot(fees),
            weight_limit: Unlimited,
        },
        SetAppendix(Xcm(vec![
            RefundSurplus,
            DepositAsset {
                assets: Wild(All),
                beneficiary: payer,
            },
        ])),
        Transact {
            origin_kind,
            fallback_max_weight: None,
            call: call.into().encode().into(),
        },
        ExpectTransactStatus(MaybeErrorCode::Success),
    ]
}

/// All chains anew.
pub fn begin_again() {
    World::reset();
    relay::take_upward();
    World::init();
}
