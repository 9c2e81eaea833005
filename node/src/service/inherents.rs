//! What a block needs from a relay chain, made up for chains that have none.

use super::common::{Client, SLOT_DURATION};
use chasqui_runtime::{
    constants::time::RELAY_CHAIN_SLOT_MILLIS, Hash, Header, OpaqueBlock as Block,
};
use cumulus_primitives_core::{
    relay_chain::{well_known_keys::CURRENT_BLOCK_RANDOMNESS, HeadData, UpgradeGoAhead},
    rpsr_digest::extract_relay_parent_storage_root,
    CollectCollationInfo, ParaId, PersistedValidationData,
};
use cumulus_primitives_parachain_inherent::ParachainInherentData;
use cumulus_test_relay_sproof_builder::RelayStateSproofBuilder;
use parity_scale_codec::Encode;
use sc_consensus_aura::standalone::find_pre_digest;
use sp_api::ProvideRuntimeApi;
use sp_consensus_aura::sr25519::AuthoritySignature;
use sp_inherents::CreateInherentDataProviders;
use sp_timestamp::Timestamp;
use std::sync::Arc;

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Largest runtime that may be set, in bytes. The relay chain's own limit concerns compressed
/// release builds; a development build is larger.
const MAX_CODE_SIZE: u32 = 64 * 1024 * 1024;
/// Largest proof of a block, in bytes.
const MAX_POV_SIZE: u32 = 10 * 1024 * 1024;
/// Slots in a relay chain epoch.
const RELAY_CHAIN_EPOCH_SLOTS: u64 = 2_400;

/// Makes up a relay parent for each block.
///
/// The relay chain's slot follows the wall clock, as the runtime demands of the parachain's slot.
/// Its block number is the last one plus one: so every block has a relay parent of its own and
/// brings randomness of its own, however many share a slot.
pub struct RelayChainless {
    client: Arc<Client>,
    para_id: ParaId,
}

impl RelayChainless {
    /// For the parachain `para_id`.
    pub fn new(client: Arc<Client>, para_id: ParaId) -> Self {
        Self { client, para_id }
    }

    /// The time of a block on `parent`: the wall clock's, but never in a slot before the parent's.
    fn time_after(&self, parent: &Header) -> Timestamp {
        let now = Timestamp::current();
        match find_pre_digest::<Block, AuthoritySignature>(parent) {
            Ok(slot) => now.max(Timestamp::new(u64::from(slot) * SLOT_DURATION.as_millis())),
            // Genesis has no slot.
            Err(_) => now,
        }
    }

    fn relay_parent(
        &self,
        parent: &Header,
        time: Timestamp,
    ) -> Result<ParachainInherentData, BoxedError> {
        let number = extract_relay_parent_storage_root(&parent.digest)
            .map_or(0, |(_, number)| number)
            .checked_add(1)
            .ok_or("out of relay chain block numbers")?;
        let slot = time.as_millis() / u64::from(RELAY_CHAIN_SLOT_MILLIS);
        // A runtime that waits for the relay chain's permission gets it in the next block.
        let upgrades = self
            .client
            .runtime_api()
            .collect_collation_info(parent.hash(), parent)?
            .new_validation_code
            .is_some();
        let mut randomness = [0u8; 32];
        getrandom::getrandom(&mut randomness)?;

        let head = HeadData(parent.encode());
        let mut relay_chain = RelayStateSproofBuilder {
            para_id: self.para_id,
            current_slot: slot.into(),
            current_epoch: slot / RELAY_CHAIN_EPOCH_SLOTS,
            included_para_head: Some(head.clone()),
            upgrade_go_ahead: upgrades.then_some(UpgradeGoAhead::GoAhead),
            additional_key_values: vec![(
                CURRENT_BLOCK_RANDOMNESS.to_vec(),
                Some(randomness).encode(),
            )],
            num_authorities: 0,
            ..Default::default()
        };
        relay_chain.host_config.max_code_size = MAX_CODE_SIZE;
        let (relay_parent_storage_root, relay_chain_state) =
            relay_chain.into_state_root_and_proof();

        Ok(ParachainInherentData {
            validation_data: PersistedValidationData {
                parent_head: head,
                relay_parent_number: number,
                relay_parent_storage_root,
                max_pov_size: MAX_POV_SIZE,
            },
            relay_chain_state,
            downward_messages: Default::default(),
            horizontal_messages: Default::default(),
            relay_parent_descendants: Default::default(),
            collator_peer_id: None,
        })
    }
}

#[async_trait::async_trait]
impl CreateInherentDataProviders<Block, ()> for RelayChainless {
    type InherentDataProviders = (sp_timestamp::InherentDataProvider, ParachainInherentData);

    async fn create_inherent_data_providers(
        &self,
        parent: Hash,
        _: (),
    ) -> Result<Self::InherentDataProviders, BoxedError> {
        let parent = self
            .client
            .header(parent)?
            .ok_or("the parent block is gone")?;
        let time = self.time_after(&parent);
        Ok((
            sp_timestamp::InherentDataProvider::new(time),
            self.relay_parent(&parent, time)?,
        ))
    }
}
