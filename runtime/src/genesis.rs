//! Genesis presets: `development` for one node, `local` for one author with followers, `collators` for Alice and Bob
//! on a relay chain for tests.
//!
//! A network that is to deal with Asset Hub begins without DOT: the default genesis, of which these are patches, issues the
//! existential deposits of two pots, for which its launcher puts as much aside on Asset Hub, and all other DOT comes in as
//! [`crate::config::xcm`] says. What these networks endow has no reserve anywhere: none of them may ever have a channel
//! to the real Asset Hub.
//!
//! In all of them well-known accounts hold plenty of DOT and Alice holds root. The first two run without a relay
//! chain: Alice is the only collator, blocks are fast, and seeds are declared insecure, because the author makes up the
//! relay chain that they come from. With a relay chain seeds are real, but those of `collators` come too soon to be
//! safe: they too are declared insecure.

use crate::{
    config::{RESERVE, STAKING_POT, SUBSIDY_POT, TRAINING_FUND},
    constants::{consensus::DEV_PARA_ID, money::*, xcm::SAFE_VERSION},
    AccountId, AuditsConfig, Balance, BalancesConfig, CheckpointsConfig, CollatorSelectionConfig,
    DatasetsConfig, EconomyConfig, JobsConfig, OperatorsConfig, PacingConfig, ParachainInfoConfig,
    PolkadotXcmConfig, RandomnessConfig, RuntimeGenesisConfig, SessionConfig, SessionKeys,
    SessionsConfig, SudoConfig, TrainingConfig,
};
use alloc::{vec, vec::Vec};
use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_genesis_builder::PresetId;
use sp_keyring::Sr25519Keyring;
use sp_runtime::traits::AccountIdConversion;

/// The preset of `--dev`.
pub const DEVELOPMENT: &str = sp_genesis_builder::DEV_RUNTIME_PRESET;
/// The preset of `--chain local`.
pub const LOCAL: &str = "local";

/// The preset of `--chain collators`.
pub const COLLATORS: &str = "collators";

/// What each well-known account holds at genesis, in planck.
const ENDOWMENT: Balance = 1_000_000 * DOT;

/// What a unit of compute costs at first, in planck.
const UNIT_PRICE: Balance = DOT / 10_000;

/// The genesis of preset `id`, as a patch of the default one.
pub fn preset(id: &PresetId) -> Option<Vec<u8>> {
    let patch = match id.as_ref() {
        DEVELOPMENT | LOCAL => for_tests(
            &[Sr25519Keyring::Alice],
            // Every block gets a relay parent of its own, so a draw happens three blocks after it was announced.
            Pace {
                fast_blocks: true,
                delay: 1,
            },
        ),
        COLLATORS => for_tests(
            &[Sr25519Keyring::Alice, Sr25519Keyring::Bob],
            Pace {
                fast_blocks: false,
                delay: 2,
            },
        ),
        _ => return None,
    };
    serde_json::to_string(&patch).ok().map(Into::into)
}

/// The presets there are.
pub fn preset_names() -> Vec<PresetId> {
    vec![
        PresetId::from(DEVELOPMENT),
        PresetId::from(LOCAL),
        PresetId::from(COLLATORS),
    ]
}

/// How fast a network is.
struct Pace {
    /// Whether a relay chain slot carries several blocks.
    fast_blocks: bool,
    /// Relay chain blocks between an announcement and its draw.
    delay: u32,
}

/// A network of well-known accounts, with parameters that suit small models and little patience.
fn for_tests(collators: &[Sr25519Keyring], pace: Pace) -> Value {
    let pot: AccountId = STAKING_POT.into_account_truncating();
    let mut balances: Vec<(AccountId, Balance)> = Sr25519Keyring::well_known()
        .map(|key| (key.to_account_id(), ENDOWMENT))
        .collect();
    // Fees below the existential deposit would be lost if their account did not exist.
    balances.push((pot, EXISTENTIAL_DEPOSIT));
    // The pot of the subsidy is filled by whoever wants to try it.
    for id in [TRAINING_FUND, RESERVE, SUBSIDY_POT] {
        balances.push((id.into_account_truncating(), EXISTENTIAL_DEPOSIT));
    }
    build_struct_json_patch!(RuntimeGenesisConfig {
        balances: BalancesConfig { balances },
        parachain_info: ParachainInfoConfig {
            parachain_id: DEV_PARA_ID.into()
        },
        collator_selection: CollatorSelectionConfig {
            invulnerables: collators.iter().map(|key| key.to_account_id()).collect(),
            candidacy_bond: 100 * DOT,
            desired_candidates: 0,
        },
        session: SessionConfig {
            keys: collators
                .iter()
                .map(|key| {
                    let keys = SessionKeys {
                        aura: key.public().into(),
                    };
                    (key.to_account_id(), key.to_account_id(), keys)
                })
                .collect(),
        },
        polkadot_xcm: PolkadotXcmConfig {
            safe_xcm_version: Some(SAFE_VERSION)
        },
        sudo: SudoConfig {
            key: Some(Sr25519Keyring::Alice.to_account_id())
        },
        pacing: PacingConfig {
            fast_blocks: pace.fast_blocks
        },
        randomness: RandomnessConfig {
            delay: pace.delay,
            parents_per_seed: 1,
            insecure: true
        },
        operators: OperatorsConfig {
            params: pallet_operators::Params {
                // Longer than the longest case, in epochs.
                index_retention: 40,
                unbonding_blocks: 400,
                ..pallet_operators::Params::development()
            },
        },
        checkpoints: CheckpointsConfig {
            params: pallet_checkpoints::Params {
                calibrators: 3,
                calibrate_blocks: 60,
                ..Default::default()
            },
        },
        jobs: JobsConfig {
            params: pallet_jobs::Params {
                acknowledge_blocks: 15,
                compute_base_blocks: 30,
                dispute_blocks: 10,
                ..Default::default()
            },
        },
        sessions: SessionsConfig {
            params: pallet_sessions::Params {
                // Two epochs, and half an hour of blocks every second.
                close_blocks: 20,
                expiry_blocks: 1_800,
                // Answers of the small models cost little: every takings are audited.
                min_settlement: 1_000,
                audit_from: 1_000,
                ..Default::default()
            },
        },
        datasets: DatasetsConfig {
            params: pallet_datasets::Params {
                deposit: DOT,
                deposit_per_gib: DOT / 10,
                fee: DOT / 100,
                pause_blocks: 20,
                // Runs of the small models are short and cheap.
                units_per_point: 1_000,
                planck_per_point: DOT / 100,
                ..Default::default()
            },
        },
        economy: EconomyConfig {
            params: pallet_economy::Params {
                programme: 100_000 * DOT,
                year_blocks: 365 * 20,
                units_per_point: 100,
                ..Default::default()
            },
            price: UNIT_PRICE,
        },
        training: TrainingConfig {
            params: pallet_training::Params {
                member_deposit: DOT / 10,
                challenge_deposit: DOT,
                evaluation_deposit: DOT / 100,
            },
        },
        audits: AuditsConfig {
            // Windows close early once everybody has acted: these are for those who do not.
            params: pallet_audits::Params {
                commit_blocks: 30,
                reveal_blocks: 15,
                vote_commit_blocks: 30,
                vote_reveal_blocks: 15,
                opening_blocks: 15,
                redraw_blocks: 15,
                ..Default::default()
            },
        },
    })
}
