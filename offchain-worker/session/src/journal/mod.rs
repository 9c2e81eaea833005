//! What both sides write down before it counts.
//!
//! An embedded database (redb): a commit returns when it is on disk, and a file that was cut off at any moment opens as
//! of its last commit. Every row carries a checksum. The file names its format, chain, side and owner, and is refused
//! where one of them is another.

mod client;
mod executor;

pub use client::{Begun, ClientJournal, Conflict, Done};
pub use executor::{Accepted, Answer, Equivocation, ExecutorJournal, ExecutorLimits, Leaf, Voided};

use crate::AccountId;
use parity_scale_codec::{Decode, DecodeAll, Encode};
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction,
};
use sp_core::H256;
use std::{
    fs,
    panic::{catch_unwind, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

/// Format of the file and its rows.
const FORMAT: u32 = 1;
/// Bytes of a row's checksum.
const CHECK: usize = 8;
/// Memory for pages, in bytes.
const CACHE: usize = 16 << 20;
/// A file larger than this is compacted when it is opened, in bytes.
const COMPACT_ABOVE: u64 = 16 << 20;

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
/// A table in a transaction.
type Table<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;
/// A table in one that only looks.
type ReadTable = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

const META: Definition = TableDefinition::new("meta");

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be opened, read or written.
    #[error("journal {}: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        reason: String,
    },
    /// Another process, or another part of this one, has it open.
    #[error("journal {}: in use; end the other process, or give this one a file of its own", .0.display())]
    InUse(PathBuf),
    /// It belongs elsewhere.
    #[error("journal {}: field `{field}` is {found}, not {expected}; it belongs to another chain, side or key: give the path of the right file, or of none to begin a new one", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What differs.
        field: &'static str,
        /// What the file says.
        found: String,
        /// What it would have to say.
        expected: String,
    },
    /// Its bytes are not what was written.
    #[error("journal {}: damaged ({what}); restore it from a copy. Without one, do not go on with its channels: open new sessions", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        what: String,
    },
    /// The caller broke the order of things; nothing was written.
    #[error("journal: {0}")]
    Misuse(String),
}

/// Result of a journal's functions.
pub type Result<T> = std::result::Result<T, JournalError>;

/// Whose journal a file is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Identity {
    format: u32,
    side: String,
    genesis: H256,
    owner: AccountId,
}

/// The database with its rows.
pub(crate) struct Store {
    /// Not there while it could not be opened again after the disk failed.
    db: RwLock<Option<Database>>,
    path: PathBuf,
    identity: Identity,
}

impl Drop for Store {
    fn drop(&mut self) {
        let db = self
            .db
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // Closing a damaged file may panic too; everything that counts was committed before.
        if catch_unwind(AssertUnwindSafe(|| drop(db))).is_err() {
            tracing::error!(path = %self.path.display(), "the journal could not be closed: damaged");
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("path", &self.path).finish()
    }
}

/// Runs what may panic on a damaged file.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(JournalError::Damaged {
            path: path.to_path_buf(),
            what: "the database's structure".into(),
        })
    })
}

fn open_error(path: &Path, error: redb::DatabaseError) -> JournalError {
    let path = path.to_path_buf();
    match error {
        redb::DatabaseError::DatabaseAlreadyOpen => JournalError::InUse(path),
        redb::DatabaseError::Storage(redb::StorageError::Corrupted(what)) => {
            JournalError::Damaged { path, what }
        }
        redb::DatabaseError::Storage(redb::StorageError::Io(error))
            if matches!(
                error.kind(),
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
            ) =>
        {
            JournalError::Damaged {
                path,
                what: error.to_string(),
            }
        }
        other => JournalError::Io {
            path,
            reason: other.to_string(),
        },
    }
}

impl Store {
    /// Opens the journal of `owner`'s `side`, or begins one.
    fn open(
        path: &Path,
        side: &str,
        genesis: H256,
        owner: &AccountId,
        tables: &[Definition],
    ) -> Result<Self> {
        let expected = Identity {
            format: FORMAT,
            side: side.into(),
            genesis,
            owner: owner.clone(),
        };
        guarded(path, || match path.exists() {
            true => Self::open_existing(path, &expected),
            false => Self::begin(path, &expected, tables),
        })
    }

    /// Under another name first: a file under the right name is whole.
    fn begin(path: &Path, identity: &Identity, tables: &[Definition]) -> Result<Self> {
        let io = |reason: String| JournalError::Io {
            path: path.to_path_buf(),
            reason,
        };
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".new");
        let unborn = path.with_file_name(name);
        if unborn.exists() {
            fs::remove_file(&unborn).map_err(|error| io(error.to_string()))?;
        }
        let db = Database::builder()
            .set_cache_size(CACHE)
            .create(&unborn)
            .map_err(|error| open_error(path, error))?;
        let store = Self {
            db: RwLock::new(Some(db)),
            path: path.to_path_buf(),
            identity: identity.clone(),
        };
        store.write(|transaction| {
            for table in tables {
                transaction.table(*table)?;
            }
            transaction.put(META, b"identity", identity)
        })?;
        fs::rename(&unborn, path).map_err(|error| io(error.to_string()))?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| io(error.to_string()))?;
        Ok(store)
    }

    fn open_existing(path: &Path, expected: &Identity) -> Result<Self> {
        let mut db = Database::builder()
            .set_cache_size(CACHE)
            .open(path)
            .map_err(|error| open_error(path, error))?;
        let large = fs::metadata(path).is_ok_and(|meta| meta.len() > COMPACT_ABOVE);
        if large {
            db.compact().map_err(|error| JournalError::Io {
                path: path.to_path_buf(),
                reason: format!("compacting: {error}"),
            })?;
        }
        let store = Self {
            db: RwLock::new(Some(db)),
            path: path.to_path_buf(),
            identity: expected.clone(),
        };
        let found: Identity = store
            .write(|transaction| transaction.get(META, b"identity"))?
            .ok_or_else(|| store.damaged("no identity"))?;
        let foreign = |field, found: String, expected: String| {
            Err(JournalError::Foreign {
                path: path.to_path_buf(),
                field,
                found,
                expected,
            })
        };
        if found.format != expected.format {
            return foreign(
                "format",
                found.format.to_string(),
                expected.format.to_string(),
            );
        }
        if found.side != expected.side {
            return foreign("side", found.side, expected.side.clone());
        }
        if found.genesis != expected.genesis {
            let (found, expected) = (found.genesis, expected.genesis);
            return foreign("genesis", format!("{found:?}"), format!("{expected:?}"));
        }
        if found.owner != expected.owner {
            return foreign("owner", found.owner.to_string(), expected.owner.to_string());
        }
        Ok(store)
    }

    fn damaged(&self, what: impl ToString) -> JournalError {
        JournalError::Damaged {
            path: self.path.clone(),
            what: what.to_string(),
        }
    }

    fn failed(&self, error: impl Into<redb::Error>) -> JournalError {
        match error.into() {
            redb::Error::Corrupted(what) => self.damaged(what),
            error => JournalError::Io {
                path: self.path.clone(),
                reason: error.to_string(),
            },
        }
    }

    /// Bytes of the file.
    fn file_bytes(&self) -> Result<u64> {
        fs::metadata(&self.path)
            .map(|meta| meta.len())
            .map_err(|error| JournalError::Io {
                path: self.path.clone(),
                reason: error.to_string(),
            })
    }

    /// Runs `work` in a transaction, alone. What it wrote is on disk when this returns; after an error nothing is.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.write_if(work, |_| true)
    }

    /// Runs work that only looks, at what was committed last: it waits for no transaction that writes.
    fn look<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        guarded(&self.path, || {
            let inner = self.transaction(|db| {
                let begun = db.begin_read();
                begun.map_err(redb::Error::from)
            })?;
            work(&Transaction {
                inner: Inner::Look(&inner),
                store: self,
            })
        })
    }

    /// Begins a transaction. After a failure of the disk the database takes none before it is opened again, as of its last
    /// commit: that is tried here, so that a disk that was full for a while costs no more than the requests meanwhile.
    fn transaction<T>(
        &self,
        kind: impl Fn(&Database) -> std::result::Result<T, redb::Error>,
    ) -> Result<T> {
        let begin = |db: &Option<Database>| match db.as_ref().map(&kind) {
            Some(Ok(transaction)) => Ok(Some(transaction)),
            Some(Err(redb::Error::PreviousIo)) | None => Ok(None),
            Some(Err(error)) => Err(self.failed(error)),
        };
        if let Some(begun) = begin(&self.db.read().unwrap_or_else(PoisonError::into_inner))? {
            return Ok(begun);
        }
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have opened it meanwhile.
        if let Some(begun) = begin(&db)? {
            return Ok(begun);
        }
        // The file can be held once only.
        drop(db.take());
        let mut opened = Self::open_existing(&self.path, &self.identity)?;
        let opened = opened
            .db
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let opened = db.insert(opened.ok_or_else(|| self.damaged("it is closed"))?);
        kind(opened).map_err(|error| self.failed(error))
    }

    /// As [`Self::write`], where what was written stays only if `keep` says so of the outcome.
    fn write_if<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T>,
        keep: impl FnOnce(&T) -> bool,
    ) -> Result<T> {
        guarded(&self.path, || {
            let inner = self.transaction(|db| {
                let begun = db.begin_write();
                begun.map_err(redb::Error::from)
            })?;
            let outcome = work(&Transaction {
                inner: Inner::Write(&inner),
                store: self,
            });
            if outcome.as_ref().is_ok_and(keep) {
                inner.commit().map_err(|error| self.failed(error))?;
            } else {
                inner.abort().map_err(|error| self.failed(error))?;
            }
            outcome
        })
    }
}

/// What a transaction may do.
enum Inner<'a> {
    Write(&'a WriteTransaction),
    Look(&'a ReadTransaction),
}

/// A transaction: whole, or nothing.
struct Transaction<'a> {
    inner: Inner<'a>,
    store: &'a Store,
}

impl Transaction<'_> {
    fn table(&self, definition: Definition) -> Result<Table<'_>> {
        match self.inner {
            Inner::Write(inner) => inner
                .open_table(definition)
                .map_err(|error| self.store.failed(error)),
            Inner::Look(_) => Err(JournalError::Misuse(
                "a transaction that only looks cannot write".into(),
            )),
        }
    }

    fn table_to_read(&self, inner: &ReadTransaction, definition: Definition) -> Result<ReadTable> {
        inner
            .open_table(definition)
            .map_err(|error| self.store.failed(error))
    }

    fn open_row<T: Decode>(&self, definition: Definition, bytes: &[u8]) -> Result<T> {
        let name = redb::TableHandle::name(&definition).to_string();
        let sealed = bytes
            .len()
            .checked_sub(CHECK)
            .map(|len| bytes.split_at(len));
        let (row, check) = sealed.ok_or_else(|| self.store.damaged(&name))?;
        if checksum(row) != check {
            return Err(self.store.damaged(format!("checksum in `{name}`")));
        }
        T::decode_all(&mut &*row)
            .map_err(|error| self.store.damaged(format!("row in `{name}`: {error}")))
    }

    fn get<T: Decode>(&self, definition: Definition, key: &[u8]) -> Result<Option<T>> {
        match self.inner {
            Inner::Write(_) => self.get_from(&self.table(definition)?, definition, key),
            Inner::Look(inner) => {
                let table = self.table_to_read(inner, definition)?;
                self.get_from(&table, definition, key)
            }
        }
    }

    fn get_from<T: Decode>(
        &self,
        table: &impl ReadableTable<&'static [u8], &'static [u8]>,
        definition: Definition,
        key: &[u8],
    ) -> Result<Option<T>> {
        let row = table.get(key).map_err(|error| self.store.failed(error))?;
        row.map(|row| self.open_row(definition, row.value()))
            .transpose()
    }

    fn put(&self, definition: Definition, key: &[u8], row: &impl Encode) -> Result<()> {
        let mut bytes = row.encode();
        let check = checksum(&bytes);
        bytes.extend_from_slice(&check);
        self.table(definition)?
            .insert(key, bytes.as_slice())
            .map(drop)
            .map_err(|error| self.store.failed(error))
    }

    fn remove(&self, definition: Definition, key: &[u8]) -> Result<()> {
        self.table(definition)?
            .remove(key)
            .map(drop)
            .map_err(|error| self.store.failed(error))
    }

    /// Up to `most` rows with keys from `first` to `last`, in order.
    fn rows<T: Decode>(
        &self,
        definition: Definition,
        first: &[u8],
        last: &[u8],
        most: usize,
    ) -> Result<Vec<(Vec<u8>, T)>> {
        let keys = (first, last);
        match self.inner {
            Inner::Write(_) => self.rows_from(&self.table(definition)?, definition, keys, most),
            Inner::Look(inner) => {
                let table = self.table_to_read(inner, definition)?;
                self.rows_from(&table, definition, keys, most)
            }
        }
    }

    fn rows_from<T: Decode>(
        &self,
        table: &impl ReadableTable<&'static [u8], &'static [u8]>,
        definition: Definition,
        (first, last): (&[u8], &[u8]),
        most: usize,
    ) -> Result<Vec<(Vec<u8>, T)>> {
        let range = table
            .range::<&[u8]>(first..=last)
            .map_err(|error| self.store.failed(error))?;
        range
            .take(most)
            .map(|entry| {
                let (key, row) = entry.map_err(|error| self.store.failed(error))?;
                Ok((
                    key.value().to_vec(),
                    self.open_row(definition, row.value())?,
                ))
            })
            .collect()
    }

    /// Removes all rows with keys from `first` to `last`.
    fn clear(&self, definition: Definition, first: &[u8], last: &[u8]) -> Result<()> {
        self.table(definition)?
            .retain_in::<&[u8], _>(first..=last, |_, _| false)
            .map_err(|error| self.store.failed(error))
    }
}

fn checksum(row: &[u8]) -> [u8; CHECK] {
    let hash = sp_crypto_hashing::blake2_256(row);
    let mut check = [0; CHECK];
    check.copy_from_slice(&hash[..CHECK]);
    check
}
