//! What the presets promise.

use super::{genesis_of, world::check_state};
use crate::{constants::money::*, genesis, pacing, randomness, Balances, Runtime};
use sp_keyring::Sr25519Keyring;

#[test]
fn well_known_accounts_hold_plenty() {
    for preset in [genesis::DEVELOPMENT, genesis::LOCAL, genesis::COLLATORS] {
        // GIVEN the genesis of a preset
        genesis_of(preset).execute_with(|| {
            // THEN every well-known account can pay for a long demonstration
            for key in Sr25519Keyring::well_known() {
                assert!(Balances::free_balance(key.to_account_id()) >= 100_000 * DOT);
            }
        });
    }
}

#[test]
fn alice_is_sole_collator_and_root() {
    for preset in [genesis::DEVELOPMENT, genesis::LOCAL] {
        genesis_of(preset).execute_with(|| {
            let alice = Sr25519Keyring::Alice;
            let authorities = pallet_aura::Authorities::<Runtime>::get().into_inner();
            assert_eq!(authorities, vec![alice.public().into()]);
            assert_eq!(
                pallet_sudo::Key::<Runtime>::get(),
                Some(alice.to_account_id())
            );
        });
    }
}

#[test]
fn networks_without_relay_chain_declare_it() {
    for preset in [genesis::DEVELOPMENT, genesis::LOCAL] {
        genesis_of(preset).execute_with(|| {
            assert!(pacing::FastBlocks::<Runtime>::get());
            assert!(randomness::Insecure::<Runtime>::get());
        });
    }
}

#[test]
fn collators_of_a_relay_chain_make_one_block_a_slot() {
    // GIVEN the genesis of collators on a relay chain for tests
    genesis_of(genesis::COLLATORS).execute_with(|| {
        // THEN Alice and Bob collate, a block a slot, and their seeds, which come soon, are declared insecure
        let authorities = pallet_aura::Authorities::<Runtime>::get().into_inner();
        assert_eq!(authorities.len(), 2);
        for key in [Sr25519Keyring::Alice, Sr25519Keyring::Bob] {
            assert!(authorities.contains(&key.public().into()));
        }
        assert!(!pacing::FastBlocks::<Runtime>::get());
        assert!(randomness::Insecure::<Runtime>::get());
    });
}

#[test]
fn unknown_preset_is_refused() {
    assert!(genesis::preset(&"mainnet".into()).is_none());
}

#[test]
fn every_pallets_state_is_sound_from_the_start() {
    for preset in [genesis::DEVELOPMENT, genesis::LOCAL, genesis::COLLATORS] {
        // GIVEN the genesis of a preset
        genesis_of(preset).execute_with(|| {
            // THEN what must always hold does, in every pallet
            check_state();
        });
    }
}
