//! Externalities for running benchmarks inside a test.

use sp_externalities::{
    set_and_run_with_externalities, Error, Extension, ExtensionStore, Externalities,
    MultiRemovalResults,
};
use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
use sp_runtime::StateVersion;
use sp_state_machine::BasicExternalities;
use sp_storage::{ChildInfo, Storage, TrackedStorageKey};
use std::any::{Any, TypeId};

/// A state in memory that a benchmark can wipe: it is the genesis again then. It counts no accesses.
pub struct BenchState {
    genesis: Storage,
    current: BasicExternalities,
}

impl BenchState {
    /// A state that begins at `genesis`, with a key store.
    pub fn new(genesis: Storage) -> Self {
        let mut state = Self {
            genesis,
            current: BasicExternalities::new_empty(),
        };
        state.wipe();
        state
    }

    /// Runs `test` on this state.
    pub fn execute_with<R>(&mut self, test: impl FnOnce() -> R) -> R {
        set_and_run_with_externalities(self, test)
    }
}

impl Externalities for BenchState {
    fn set_offchain_storage(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.current.set_offchain_storage(key, value)
    }

    fn storage(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        self.current.storage(key)
    }

    fn storage_hash(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        self.current.storage_hash(key)
    }

    fn child_storage_hash(&mut self, child: &ChildInfo, key: &[u8]) -> Option<Vec<u8>> {
        self.current.child_storage_hash(child, key)
    }

    fn child_storage(&mut self, child: &ChildInfo, key: &[u8]) -> Option<Vec<u8>> {
        self.current.child_storage(child, key)
    }

    fn next_storage_key(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        self.current.next_storage_key(key)
    }

    fn next_child_storage_key(&mut self, child: &ChildInfo, key: &[u8]) -> Option<Vec<u8>> {
        self.current.next_child_storage_key(child, key)
    }

    fn kill_child_storage(
        &mut self,
        child: &ChildInfo,
        limit: Option<u32>,
        cursor: Option<&[u8]>,
    ) -> MultiRemovalResults {
        self.current.kill_child_storage(child, limit, cursor)
    }

    fn clear_prefix(
        &mut self,
        prefix: &[u8],
        limit: Option<u32>,
        cursor: Option<&[u8]>,
    ) -> MultiRemovalResults {
        self.current.clear_prefix(prefix, limit, cursor)
    }

    fn clear_child_prefix(
        &mut self,
        child: &ChildInfo,
        prefix: &[u8],
        limit: Option<u32>,
        cursor: Option<&[u8]>,
    ) -> MultiRemovalResults {
        self.current
            .clear_child_prefix(child, prefix, limit, cursor)
    }

    fn place_storage(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.current.place_storage(key, value)
    }

    fn place_child_storage(&mut self, child: &ChildInfo, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.current.place_child_storage(child, key, value)
    }

    fn storage_root(&mut self, version: StateVersion) -> Vec<u8> {
        self.current.storage_root(version)
    }

    fn child_storage_root(&mut self, child: &ChildInfo, version: StateVersion) -> Vec<u8> {
        self.current.child_storage_root(child, version)
    }

    fn storage_append(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.current.storage_append(key, value)
    }

    fn storage_start_transaction(&mut self) {
        self.current.storage_start_transaction()
    }

    fn storage_rollback_transaction(&mut self) -> Result<(), ()> {
        self.current.storage_rollback_transaction()
    }

    fn storage_commit_transaction(&mut self) -> Result<(), ()> {
        self.current.storage_commit_transaction()
    }

    fn wipe(&mut self) {
        self.current = BasicExternalities::new(self.genesis.clone());
        self.current
            .register_extension(KeystoreExt::new(MemoryKeystore::new()));
    }

    fn commit(&mut self) {}

    fn read_write_count(&self) -> (u32, u32, u32, u32) {
        (0, 0, 0, 0)
    }

    fn reset_read_write_count(&mut self) {}

    fn get_whitelist(&self) -> Vec<TrackedStorageKey> {
        Vec::new()
    }

    fn set_whitelist(&mut self, _: Vec<TrackedStorageKey>) {}

    fn get_read_and_written_keys(&self) -> Vec<(Vec<u8>, u32, u32, bool)> {
        Vec::new()
    }
}

impl ExtensionStore for BenchState {
    fn extension_by_type_id(&mut self, id: TypeId) -> Option<&mut dyn Any> {
        self.current.extension_by_type_id(id)
    }

    fn register_extension_with_type_id(
        &mut self,
        id: TypeId,
        extension: Box<dyn Extension>,
    ) -> Result<(), Error> {
        self.current.register_extension_with_type_id(id, extension)
    }

    fn deregister_extension_by_type_id(&mut self, id: TypeId) -> Result<(), Error> {
        self.current.deregister_extension_by_type_id(id)
    }
}
