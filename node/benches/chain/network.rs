//! A chain of real blocks: built natively, imported by the WASM runtime.

use chasqui_runtime::{
    constants::{consensus::DEV_PARA_ID, time::RELAY_CHAIN_SLOT_MILLIS},
    genesis, AccountId, Address, Block, Executive, Hash, Header, Runtime, RuntimeCall,
    RuntimeGenesisConfig, SignedPayload, System, TxExtension, UncheckedExtrinsic, VERSION,
    WASM_BINARY,
};
use cumulus_primitives_core::{
    relay_chain::{well_known_keys::CURRENT_BLOCK_RANDOMNESS, HeadData},
    PersistedValidationData,
};
use cumulus_primitives_parachain_inherent::ParachainInherentData;
use cumulus_test_relay_sproof_builder::RelayStateSproofBuilder;
use parity_scale_codec::Encode;
use sc_executor::WasmExecutor;
use sp_block_builder::runtime_decl_for_block_builder::BlockBuilder;
use sp_consensus_aura::AURA_ENGINE_ID;
use sp_core::{
    sr25519,
    traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode},
    Pair, H256,
};
use sp_inherents::{InherentData, InherentDataProvider};
use sp_io::TestExternalities;
use sp_runtime::{
    generic::{Digest, Era},
    traits::{BlakeTwo256, Block as _, Hash as _, Header as _},
    transaction_validity::{InvalidTransaction, TransactionValidityError},
    BuildStorage, DigestItem, MultiSignature, StateVersion,
};
use std::time::{Duration, Instant};

type HostFunctions = (
    sp_io::SubstrateHostFunctions,
    cumulus_primitives_proof_size_hostfunction::storage_proof_size::HostFunctions,
);

/// The slot of the first block.
const FIRST_SLOT: u64 = 300_000_000;

/// A key that signs transactions.
pub fn key(name: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(&format!("//{name}"), None).expect("a derivation path")
}

/// The account of a key.
pub fn account(key: &sr25519::Pair) -> AccountId {
    key.public().into()
}

/// One block, with what it holds and leaves.
pub struct BlockReport {
    pub block: Block,
    /// The state that it was built on.
    before: (Vec<(Vec<u8>, (Vec<u8>, i32))>, H256),
    /// How many of the wanted transactions fitted.
    pub included: usize,
    /// Encoded bytes of the transactions that fitted.
    pub transaction_bytes: usize,
    /// Encoded bytes of all its events.
    pub event_bytes: usize,
}

/// A chain with its newest state.
pub struct Chain {
    state: TestExternalities,
    head: Header,
    genesis: Hash,
    executor: WasmExecutor<HostFunctions>,
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

impl Chain {
    /// The development chain at its genesis.
    pub fn new() -> Self {
        let mut config =
            serde_json::to_value(RuntimeGenesisConfig::default()).expect("it serialises");
        let preset = genesis::preset(&genesis::DEVELOPMENT.into()).expect("there is such a preset");
        merge(&mut config, serde_json::from_slice(&preset).expect("JSON"));
        let storage = serde_json::from_value::<RuntimeGenesisConfig>(config)
            .expect("a genesis")
            .build_storage()
            .expect("a sound genesis");
        let mut state = TestExternalities::new_with_state_version(storage, StateVersion::V1);
        state.commit_all().expect("genesis can be committed");
        let (raw, root) = state.into_raw_snapshot();
        let state = TestExternalities::from_raw_snapshot(raw, root, StateVersion::V1);
        let head = Header::new(
            0,
            BlakeTwo256::trie_root(Vec::new(), StateVersion::V0),
            root,
            Default::default(),
            Default::default(),
        );
        Self {
            state,
            genesis: head.hash(),
            head,
            executor: WasmExecutor::builder().build(),
        }
    }

    /// Reads the newest state.
    pub fn read<R>(&mut self, question: impl FnOnce() -> R) -> R {
        self.state.execute_with(question)
    }

    fn signed(
        genesis: Hash,
        key: &sr25519::Pair,
        nonce: u32,
        call: RuntimeCall,
    ) -> UncheckedExtrinsic {
        let extension = TxExtension::new((
            frame_system::AuthorizeCall::new(),
            frame_system::CheckNonZeroSender::new(),
            frame_system::CheckSpecVersion::new(),
            frame_system::CheckTxVersion::new(),
            frame_system::CheckGenesis::new(),
            frame_system::CheckMortality::from(Era::Immortal),
            frame_system::CheckNonce::from(nonce),
            frame_system::CheckWeight::new(),
            pallet_transaction_payment::ChargeTransactionPayment::from(0),
        ));
        let implicit = (
            (),
            (),
            VERSION.spec_version,
            VERSION.transaction_version,
            genesis,
            genesis,
            (),
            (),
            (),
        );
        let payload = SignedPayload::from_raw(call.clone(), extension.clone(), implicit);
        let signature = payload.using_encoded(|bytes| key.sign(bytes));
        UncheckedExtrinsic::new_signed(
            call,
            Address::Id(account(key)),
            MultiSignature::Sr25519(signature),
            extension,
        )
    }

    fn inherent_data(&self, slot: u64) -> InherentData {
        let head = HeadData(self.head.encode());
        let number = self.head.number + 1;
        let relay_chain = RelayStateSproofBuilder {
            para_id: DEV_PARA_ID.into(),
            current_slot: slot.into(),
            included_para_head: Some(head.clone()),
            additional_key_values: vec![(
                CURRENT_BLOCK_RANDOMNESS.to_vec(),
                Some(sp_io::hashing::blake2_256(&number.encode())).encode(),
            )],
            num_authorities: 0,
            ..Default::default()
        };
        let (relay_parent_storage_root, relay_chain_state) =
            relay_chain.into_state_root_and_proof();
        let parachain = ParachainInherentData {
            validation_data: PersistedValidationData {
                parent_head: head,
                relay_parent_number: number,
                relay_parent_storage_root,
                max_pov_size: 10 * 1024 * 1024,
            },
            relay_chain_state,
            downward_messages: Default::default(),
            horizontal_messages: Default::default(),
            relay_parent_descendants: Default::default(),
            collator_peer_id: None,
        };
        let millis = slot * u64::from(RELAY_CHAIN_SLOT_MILLIS);
        let time = sp_timestamp::InherentDataProvider::new(millis.into());
        let mut data = InherentData::new();
        futures::executor::block_on(async {
            time.provide_inherent_data(&mut data).await?;
            parachain.provide_inherent_data(&mut data).await
        })
        .expect("inherent data encodes");
        data
    }

    /// Builds the next block with as many of `calls` as it holds; each must succeed.
    pub fn build(&mut self, calls: Vec<(sr25519::Pair, RuntimeCall)>) -> BlockReport {
        let slot = FIRST_SLOT + u64::from(self.head.number);
        let data = self.inherent_data(slot);
        let digest = Digest {
            logs: vec![DigestItem::PreRuntime(AURA_ENGINE_ID, slot.encode())],
        };
        let header = Header::new(
            self.head.number + 1,
            Default::default(),
            Default::default(),
            self.head.hash(),
            digest,
        );
        let state = std::mem::replace(&mut self.state, TestExternalities::new_empty());
        let before = state.into_raw_snapshot();
        self.state =
            TestExternalities::from_raw_snapshot(before.0.clone(), before.1, StateVersion::V1);
        let genesis = self.genesis;
        let (block, included, transaction_bytes, event_bytes) = self.state.execute_with(|| {
            Executive::initialize_block(&header);
            let mut body =
                <Runtime as BlockBuilder<chasqui_runtime::Block>>::inherent_extrinsics(data);
            for inherent in &body {
                Executive::apply_extrinsic(inherent.clone())
                    .expect("inherents are valid")
                    .expect("inherents succeed");
            }
            let (mut included, mut bytes) = (0, 0);
            for (key, call) in calls {
                let nonce = System::account_nonce(account(&key));
                let transaction = Self::signed(genesis, &key, nonce, call);
                // What does not fit leaves no trace.
                sp_io::storage::start_transaction();
                match Executive::apply_extrinsic(transaction.clone()) {
                    Ok(outcome) => outcome.expect("the call succeeds"),
                    Err(TransactionValidityError::Invalid(
                        InvalidTransaction::ExhaustsResources,
                    )) => {
                        sp_io::storage::rollback_transaction();
                        break;
                    }
                    Err(error) => panic!("a transaction is not valid: {error:?}"),
                }
                sp_io::storage::commit_transaction();
                included += 1;
                bytes += transaction.encoded_size();
                body.push(transaction);
            }
            let events = System::read_events_no_consensus()
                .map(|event| event.encoded_size())
                .sum();
            let header = Executive::finalize_block();
            (Block::new(header, body), included, bytes, events)
        });
        self.state.commit_all().expect("a block can be committed");
        self.head = block.header.clone();
        BlockReport {
            block,
            before,
            included,
            transaction_bytes,
            event_bytes,
        }
    }

    /// Executes a block by the WASM runtime on the state that it was built on, which checks the
    /// state's root too. Returns how long that took.
    pub fn import(&self, report: &BlockReport) -> Duration {
        let code = WASM_BINARY.expect("the runtime was built with its WASM");
        let fetcher = WrappedRuntimeCode(code.into());
        let code = RuntimeCode {
            code_fetcher: &fetcher,
            heap_pages: None,
            hash: vec![1],
        };
        let (raw, root) = report.before.clone();
        let mut state = TestExternalities::from_raw_snapshot(raw, root, StateVersion::V1);
        let block = report.block.encode();
        let begun = Instant::now();
        let (result, _) = self.executor.call(
            &mut state.ext(),
            &code,
            "Core_execute_block",
            &block,
            CallContext::Onchain { import: true },
        );
        result.expect("the block is valid");
        begun.elapsed()
    }

    /// Bytes of keys and values under the pallets `names`.
    pub fn storage_bytes(&mut self, names: &[&str]) -> usize {
        self.read(|| {
            names
                .iter()
                .map(|name| {
                    let prefix = sp_io::hashing::twox_128(name.as_bytes()).to_vec();
                    let (mut key, mut bytes) = (prefix.clone(), 0);
                    while let Some(next) = sp_io::storage::next_key(&key) {
                        if !next.starts_with(&prefix) {
                            break;
                        }
                        let value = sp_io::storage::get(&next).unwrap_or_default();
                        bytes += next.len() + value.len();
                        key = next;
                    }
                    bytes
                })
                .sum()
        })
    }

    /// The chain's genesis hash.
    pub fn genesis(&self) -> Hash {
        self.genesis
    }
}
