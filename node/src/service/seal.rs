//! The Aura seal of blocks that this node makes.

use super::common::{Client, SLOT_DURATION};
use chasqui_runtime::{Header, OpaqueBlock as Block};
use sc_consensus::BlockImportParams;
use sc_consensus_aura::standalone::{seal, slot_author};
use sc_consensus_manual_seal::{ConsensusDataProvider, Error};
use sp_api::{ProvideRuntimeApi, StorageProof};
use sp_consensus_aura::{
    digests::CompatibleDigestItem,
    sr25519::{AuthorityId, AuthorityPair, AuthoritySignature},
    AuraApi, Slot,
};
use sp_inherents::InherentData;
use sp_keystore::KeystorePtr;
use sp_runtime::{Digest, DigestItem};
use sp_timestamp::TimestampInherentData;
use std::sync::Arc;

/// Claims the slot of a block's timestamp and signs the block with the slot's key, so that other
/// nodes can verify it as they would any block of Aura.
pub struct AuraSeal {
    client: Arc<Client>,
    keystore: KeystorePtr,
}

impl AuraSeal {
    /// Signs with keys out of `keystore`.
    pub fn new(client: Arc<Client>, keystore: KeystorePtr) -> Self {
        Self { client, keystore }
    }
}

fn slot_of(inherents: &InherentData) -> Result<Slot, Error> {
    let timestamp = inherents
        .timestamp_inherent_data()?
        .ok_or_else(|| Error::StringError("the block has no timestamp".into()))?;
    Ok(Slot::from_timestamp(timestamp, SLOT_DURATION))
}

impl ConsensusDataProvider<Block> for AuraSeal {
    fn create_digest(&self, _parent: &Header, inherents: &InherentData) -> Result<Digest, Error> {
        let item = <DigestItem as CompatibleDigestItem<AuthoritySignature>>::aura_pre_digest(
            slot_of(inherents)?,
        );
        Ok(Digest { logs: vec![item] })
    }

    fn append_block_import(
        &self,
        parent: &Header,
        params: &mut BlockImportParams<Block>,
        inherents: &InherentData,
        _proof: StorageProof,
    ) -> Result<(), Error> {
        let authorities: Vec<AuthorityId> = self
            .client
            .runtime_api()
            .authorities(parent.hash())
            .map_err(|error| Error::StringError(format!("no authorities: {error}")))?;
        let author = slot_author::<AuthorityPair>(slot_of(inherents)?, &authorities)
            .ok_or_else(|| Error::StringError("the chain has no authorities".into()))?;
        let item = seal::<_, AuthorityPair>(&params.header.hash(), author, &self.keystore)?;
        params.post_digests.push(item);
        Ok(())
    }
}
