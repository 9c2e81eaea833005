//! What this node hands out of its folder of blobs, and what it may throw away.
//!
//! The folder may be a worker's too ([`chasqui_blobs`]), and most of what lies in one is nobody else's business. So a blob
//! is handed out only when it is marked: an empty file under `node/pinned` or `node/cached`, named by the root. Pinned is
//! what somebody gave or pinned; it stays. Cached is what the node fetched; the longest unused goes when the quota is
//! reached. A mark is made before a blob appears and moved by one rename, so a crash leaves at most a mark without a blob,
//! which the next start clears away. What is not marked is neither counted nor touched.

use chasqui_blobs::{sync_dir, travels, BlobError, BlobReader, BlobStore};
use chasqui_primitives::blob::{BlobInfo, CHUNK_BYTES};
use sp_core::H256;
use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::sync::watch;

const LOG_TARGET: &str = "blobs";
/// How many blobs are kept open.
const MAX_OPEN: usize = 16;
/// A use is written down once in so long.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// Why the shelf refuses.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The folder's own trouble, a full disk among it.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The quota is spent.
    #[error(
        "{len} bytes do not fit: of the quota of {quota} bytes, {spared} are pinned or on their way in; raise --blob-quota, \
         or unpin something"
    )]
    Full { len: u64, quota: u64, spared: u64 },
    /// No name of a file in the inbox.
    #[error("'{0}' is no name of a file in the inbox: letters, digits, '.', '_', '-', not beginning with a dot")]
    Name(String),
    /// Something in the inbox is no file.
    #[error("{} is no regular file", .0.display())]
    NotAFile(PathBuf),
    /// The blob is not here.
    #[error("blob {0:?} is not in the node's folder")]
    Missing(H256),
    /// It is of a shape that does not travel.
    #[error("blob {0:?} has chunks that are too large or too many to be sent")]
    Shape(H256),
}

/// A blob that is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Length in bytes.
    pub len: u64,
    /// Whether it stays.
    pub pinned: bool,
    /// When somebody last asked for it.
    pub used: SystemTime,
}

#[derive(Default)]
struct Index {
    entries: HashMap<H256, Entry>,
    /// Bytes of blobs on their way in.
    reserved: HashMap<u64, u64>,
    next: u64,
    open: VecDeque<(H256, Arc<BlobReader>)>,
}

impl Index {
    fn spared(&self) -> u64 {
        let pinned = self.entries.values().filter(|entry| entry.pinned);
        let all = pinned
            .map(|entry| entry.len)
            .chain(self.reserved.values().copied());
        all.fold(0, u64::saturating_add)
    }

    fn used(&self) -> u64 {
        let cached = self.entries.values().filter(|entry| !entry.pinned);
        cached.fold(self.spared(), |sum, entry| sum.saturating_add(entry.len))
    }

    fn close(&mut self, root: &H256) {
        self.open.retain(|(open, _)| open != root);
    }
}

/// The shelf. Its functions may block on the disk.
pub struct Shelf {
    store: BlobStore,
    pinned: PathBuf,
    cached: PathBuf,
    inbox: PathBuf,
    quota: u64,
    index: Mutex<Index>,
    changes: watch::Sender<u64>,
}

/// Room for a blob on its way in; given back when dropped.
pub struct Room {
    shelf: Arc<Shelf>,
    id: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shelf.index().reserved.remove(&self.id);
    }
}

fn name_of(root: &H256) -> String {
    hex::encode(root.as_bytes())
}

impl Shelf {
    /// Opens the folder `dir`, which is created if need be, with room for `quota` bytes of marked blobs.
    pub fn open(dir: &Path, quota: u64) -> Result<Arc<Self>, ShelfError> {
        let store = BlobStore::open_dir(dir)?;
        let (pinned, cached) = (dir.join("node/pinned"), dir.join("node/cached"));
        let inbox = dir.join("inbox");
        for folder in [&pinned, &cached, &inbox] {
            fs::create_dir_all(folder).map_err(BlobError::io("create", folder))?;
        }
        let mut index = Index::default();
        for (folder, is_pinned) in [(&cached, false), (&pinned, true)] {
            for mark in fs::read_dir(folder).map_err(BlobError::io("list", folder))? {
                let mark = mark.map_err(BlobError::io("list", folder))?;
                let name = mark.file_name();
                let Some(root) = name.to_str().and_then(|name| H256::from_str(name).ok()) else {
                    continue;
                };
                let Ok(blob) = fs::metadata(store.data_path(&root)) else {
                    // A crash, or the folder's other user removed it.
                    let _ = fs::remove_file(mark.path());
                    continue;
                };
                let used = mark.metadata().and_then(|mark| mark.modified());
                index.entries.insert(
                    root,
                    Entry {
                        len: blob.len(),
                        pinned: is_pinned,
                        used: used.unwrap_or(SystemTime::UNIX_EPOCH),
                    },
                );
            }
        }
        Ok(Arc::new(Self {
            store,
            pinned,
            cached,
            inbox,
            quota,
            index: Mutex::new(index),
            changes: watch::Sender::new(0),
        }))
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder itself.
    pub fn store(&self) -> &BlobStore {
        &self.store
    }

    /// Where files are put that are to be taken in.
    pub fn inbox(&self) -> &Path {
        &self.inbox
    }

    /// Counts up whenever what is handed out changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The blob as it is handed out, if it is.
    pub fn entry(&self, root: &H256) -> Option<Entry> {
        self.index().entries.get(root).copied()
    }

    /// All that is handed out: what was used last first.
    pub fn entries(&self) -> Vec<(H256, Entry)> {
        let index = self.index();
        let mut all: Vec<_> = index
            .entries
            .iter()
            .map(|(root, entry)| (*root, *entry))
            .collect();
        drop(index);
        all.sort_by_key(|(root, entry)| (std::cmp::Reverse(entry.used), *root));
        all
    }

    /// Bytes on the shelf and on their way there, and how many at most.
    pub fn usage(&self) -> (u64, u64) {
        (self.index().used(), self.quota)
    }

    /// Opens a blob that is handed out; `None` when it is not.
    pub fn read(&self, root: &H256) -> Result<Option<Arc<BlobReader>>, ShelfError> {
        let now = SystemTime::now();
        let note = {
            let mut index = self.index();
            let Some(entry) = index.entries.get_mut(root) else {
                return Ok(None);
            };
            let before = entry.used;
            entry.used = now;
            let old = now.duration_since(before).is_ok_and(|age| age > NOTE_EVERY);
            let pinned = entry.pinned;
            if let Some((_, reader)) = index.open.iter().find(|(open, _)| open == root) {
                return Ok(Some(reader.clone()));
            }
            (old && !pinned).then(|| self.cached.join(name_of(root)))
        };
        if let Some(mark) = note {
            // Only the order of going depends on it.
            let _ = File::options()
                .write(true)
                .open(mark)
                .and_then(|mark| mark.set_modified(now));
        }
        match self.store.open(root) {
            Ok(reader) if travels(reader.info()) => {
                let reader = Arc::new(reader);
                let mut index = self.index();
                index.open.push_back((*root, reader.clone()));
                if index.open.len() > MAX_OPEN {
                    index.open.pop_front();
                }
                Ok(Some(reader))
            }
            Ok(_) => Err(ShelfError::Shape(*root)),
            // The folder's other user removed it.
            Err(BlobError::Missing { .. }) => {
                self.withdraw(root)?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes room for `len` bytes: the longest unused of what is cached goes. Nothing goes where that is not enough.
    pub fn reserve(self: &Arc<Self>, len: u64) -> Result<Room, ShelfError> {
        let gone = {
            let mut index = self.index();
            let spared = index.spared();
            if spared.saturating_add(len) > self.quota {
                return Err(ShelfError::Full {
                    len,
                    quota: self.quota,
                    spared,
                });
            }
            let mut cached: Vec<(SystemTime, H256)> = index
                .entries
                .iter()
                .filter(|(_, entry)| !entry.pinned)
                .map(|(root, entry)| (entry.used, *root))
                .collect();
            cached.sort_unstable();
            let mut gone = Vec::new();
            for (_, root) in cached {
                if index.used().saturating_add(len) <= self.quota {
                    break;
                }
                index.entries.remove(&root);
                index.close(&root);
                gone.push(root);
            }
            let id = index.next;
            index.next = id.wrapping_add(1);
            index.reserved.insert(id, len);
            (gone, id)
        };
        let (gone, id) = gone;
        let room = Room {
            shelf: self.clone(),
            id,
        };
        for root in &gone {
            log::info!(target: LOG_TARGET, "blob {root:?} goes: the quota is reached");
            self.store.remove(root)?;
            self.unmark(root)?;
        }
        if !gone.is_empty() {
            self.changed();
        }
        Ok(room)
    }

    fn unmark(&self, root: &H256) -> Result<(), ShelfError> {
        for folder in [&self.cached, &self.pinned] {
            let mark = folder.join(name_of(root));
            match fs::remove_file(&mark) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(BlobError::io("remove", &mark)(error).into())
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes a mark, durably.
    fn mark(&self, root: &H256, pinned: bool) -> Result<(), ShelfError> {
        let (to, from) = match pinned {
            true => (&self.pinned, &self.cached),
            false => (&self.cached, &self.pinned),
        };
        let (mark, other) = (to.join(name_of(root)), from.join(name_of(root)));
        match fs::rename(&other, &mark) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                File::create(&mark).map_err(BlobError::io("create", &mark))?;
            }
            Err(error) => return Err(BlobError::io("move a mark to", &mark)(error).into()),
            Ok(()) => sync_dir(from)?,
        }
        sync_dir(to)?;
        Ok(())
    }

    /// Marks a blob that is about to be published by `publish`, which uses up its room.
    pub fn take_in(
        &self,
        root: &H256,
        len: u64,
        pinned: bool,
        room: Room,
        publish: impl FnOnce() -> Result<(), BlobError>,
    ) -> Result<(), ShelfError> {
        self.mark(root, pinned)?;
        if let Err(error) = publish() {
            // The next start clears it away if this does not.
            let _ = self.unmark(root);
            return Err(error.into());
        }
        let entry = Entry {
            len,
            pinned,
            used: SystemTime::now(),
        };
        {
            let mut index = self.index();
            index.close(root);
            index.entries.insert(*root, entry);
        }
        drop(room);
        self.changed();
        Ok(())
    }

    /// Hands out a blob of the folder and keeps it whatever the quota.
    pub fn pin(self: &Arc<Self>, root: &H256) -> Result<Entry, ShelfError> {
        self.put_up(root, true)
    }

    /// Lets a blob go when the quota is reached; it is handed out until then.
    pub fn unpin(self: &Arc<Self>, root: &H256) -> Result<Entry, ShelfError> {
        match self.entry(root) {
            Some(_) => self.put_up(root, false),
            None => Err(ShelfError::Missing(*root)),
        }
    }

    fn put_up(self: &Arc<Self>, root: &H256, pinned: bool) -> Result<Entry, ShelfError> {
        let info = match self.store.open(root) {
            Ok(reader) => *reader.info(),
            Err(BlobError::Missing { .. }) => return Err(ShelfError::Missing(*root)),
            Err(error) => return Err(error.into()),
        };
        if !travels(&info) {
            return Err(ShelfError::Shape(*root));
        }
        let known = {
            let mut index = self.index();
            let (spared, quota) = (index.spared(), self.quota);
            match index.entries.get_mut(root) {
                Some(entry) if entry.pinned == pinned => return Ok(*entry),
                Some(entry) => {
                    if pinned && spared.saturating_add(entry.len) > quota {
                        return Err(ShelfError::Full {
                            len: entry.len,
                            quota,
                            spared,
                        });
                    }
                    entry.pinned = pinned;
                    true
                }
                None => false,
            }
        };
        if known {
            self.mark(root, pinned)?;
        } else {
            let room = self.reserve(info.len)?;
            self.take_in(root, info.len, pinned, room, || Ok(()))?;
        }
        self.entry(root).ok_or(ShelfError::Missing(*root))
    }

    /// Hands out a blob no more. Its bytes stay.
    pub fn withdraw(&self, root: &H256) -> Result<bool, ShelfError> {
        let was = {
            let mut index = self.index();
            index.close(root);
            index.entries.remove(root).is_some()
        };
        self.unmark(root)?;
        if was {
            self.changed();
        }
        Ok(was)
    }

    /// Takes in the file `name` of the inbox, pins it, and removes it from there. With `expected` only if that is its root.
    pub fn put(
        self: &Arc<Self>,
        name: &str,
        expected: Option<H256>,
    ) -> Result<BlobInfo, ShelfError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > 255 || name.starts_with('.') || !name.bytes().all(plain)
        {
            return Err(ShelfError::Name(name.escape_debug().take(64).collect()));
        }
        let path = self.inbox.join(name);
        let found = fs::symlink_metadata(&path).map_err(BlobError::io("inspect", &path))?;
        if !found.is_file() {
            return Err(ShelfError::NotAFile(path));
        }
        let room = self.reserve(found.len())?;
        let info = self.store.put_file_as(&path, CHUNK_BYTES, expected)?;
        let root = info.root();
        // Its bytes are there already: the mark comes last.
        self.take_in(&root, info.len, true, room, || Ok(()))?;
        fs::remove_file(&path).map_err(BlobError::io("remove", &path))?;
        Ok(info)
    }

    /// Forgets what the folder's other user removed.
    pub fn look(&self) -> Result<(), ShelfError> {
        let roots: Vec<H256> = self.index().entries.keys().copied().collect();
        for root in roots {
            if !self.store.contains(&root) {
                self.withdraw(&root)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tempfile::TempDir;

    fn put(shelf: &Arc<Shelf>, name: &str, bytes: &[u8]) -> Result<H256, ShelfError> {
        fs::write(shelf.inbox().join(name), bytes).unwrap();
        shelf.put(name, None).map(|info| info.root())
    }

    #[test]
    fn what_is_put_is_handed_out_also_after_a_restart() {
        // GIVEN a file in the inbox
        let dir = TempDir::new().unwrap();
        let shelf = Shelf::open(dir.path(), 1 << 20).unwrap();
        let root = put(&shelf, "model.bin", b"weights").unwrap();
        // THEN it is a blob, pinned, and no longer in the inbox
        assert!(shelf.entry(&root).unwrap().pinned);
        assert!(!shelf.inbox().join("model.bin").exists());
        // AND after a restart
        drop(shelf);
        let shelf = Shelf::open(dir.path(), 1 << 20).unwrap();
        assert_eq!(
            shelf.read(&root).unwrap().unwrap().chunk(0).unwrap(),
            b"weights"
        );
        assert_eq!(shelf.usage(), (7, 1 << 20));
    }

    #[test]
    fn only_plain_files_of_the_inbox_are_taken() {
        let dir = TempDir::new().unwrap();
        let shelf = Shelf::open(dir.path(), 1 << 20).unwrap();
        fs::write(dir.path().join("secret"), b"secret").unwrap();
        for name in [
            "",
            "../secret",
            "/etc/passwd",
            ".hidden",
            "a/b",
            "a\0b",
            &"x".repeat(300),
        ] {
            assert!(
                matches!(shelf.put(name, None), Err(ShelfError::Name(_))),
                "{name}"
            );
        }
        std::os::unix::fs::symlink(dir.path().join("secret"), shelf.inbox().join("link")).unwrap();
        fs::create_dir(shelf.inbox().join("folder")).unwrap();
        for name in ["link", "folder"] {
            assert!(matches!(
                shelf.put(name, None),
                Err(ShelfError::NotAFile(_))
            ));
        }
        assert!(matches!(
            shelf.put("absent", None),
            Err(ShelfError::Blob(_))
        ));
        // AND a file with another root than expected stays where it is
        fs::write(shelf.inbox().join("file"), b"bytes").unwrap();
        let wrong = shelf.put("file", Some(H256::zero()));
        assert!(matches!(
            wrong,
            Err(ShelfError::Blob(BlobError::WrongRoot { .. }))
        ));
        assert!(shelf.inbox().join("file").exists() && shelf.entries().is_empty());
    }

    #[test]
    fn a_workers_own_blobs_are_neither_handed_out_nor_counted_nor_touched() {
        // GIVEN a blob that a worker put into the same folder
        let dir = TempDir::new().unwrap();
        let store = BlobStore::open_dir(dir.path()).unwrap();
        let root = store
            .put_bytes(b"a client's prompt", CHUNK_BYTES)
            .unwrap()
            .root();
        let shelf = Shelf::open(dir.path(), 20).unwrap();
        assert!(shelf.read(&root).unwrap().is_none());
        assert_eq!(shelf.usage().0, 0);
        // WHEN the quota is used up
        put(&shelf, "other", &[1; 20]).unwrap();
        // THEN it is still there; it is pinned only where it fits
        assert!(store.contains(&root));
        assert!(matches!(shelf.pin(&root), Err(ShelfError::Full { .. })));
        assert!(matches!(shelf.unpin(&root), Err(ShelfError::Missing(_))));
        // AND withdrawn blobs leave their bytes
        let other = shelf.entries()[0].0;
        assert!(shelf.withdraw(&other).unwrap() && store.contains(&other));
        assert!(shelf.pin(&root).is_ok());
    }

    #[test]
    fn what_the_folders_other_user_removed_is_forgotten() {
        let dir = TempDir::new().unwrap();
        let shelf = Shelf::open(dir.path(), 1 << 20).unwrap();
        let (a, b) = (
            put(&shelf, "a", b"a").unwrap(),
            put(&shelf, "b", b"b").unwrap(),
        );
        shelf.store().remove(&a).unwrap();
        shelf.store().remove(&b).unwrap();
        assert!(shelf.read(&a).unwrap().is_none());
        shelf.look().unwrap();
        assert!(shelf.entries().is_empty());
        assert!(fs::read_dir(dir.path().join("node/pinned"))
            .unwrap()
            .next()
            .is_none());
    }

    #[test]
    fn the_longest_unused_goes_first_and_what_is_pinned_stays() {
        // GIVEN a shelf full of three blobs, one of them pinned and the oldest of the others just used
        let dir = TempDir::new().unwrap();
        let shelf = Shelf::open(dir.path(), 30).unwrap();
        let roots: Vec<H256> = (0..3u8)
            .map(|n| put(&shelf, "file", &[n; 10]).unwrap())
            .collect();
        shelf.unpin(&roots[0]).unwrap();
        shelf.unpin(&roots[1]).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        shelf.read(&roots[0]).unwrap().unwrap();
        // WHEN room is made for one more
        let room = shelf.reserve(10).unwrap();
        // THEN the longest unused has gone
        assert!(shelf.entry(&roots[1]).is_none() && !shelf.store().contains(&roots[1]));
        assert!(shelf.entry(&roots[0]).is_some() && shelf.entry(&roots[2]).is_some());
        // AND what would not fit even so takes nothing away
        assert!(matches!(
            shelf.reserve(15),
            Err(ShelfError::Full { spared: 20, .. })
        ));
        assert!(shelf.entry(&roots[0]).is_some());
        drop(room);
        assert_eq!(shelf.usage().0, 20);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_quota_holds_and_pinned_blobs_stay(
            steps in proptest::collection::vec((0u8..5, 0u8..6, 1usize..12), 1..40)
        ) {
            const QUOTA: u64 = 30;
            let dir = TempDir::new().unwrap();
            let mut shelf = Shelf::open(dir.path(), QUOTA).unwrap();
            let mut seen: Vec<H256> = Vec::new();
            for (what, which, len) in steps {
                let pinned: Vec<H256> = shelf.entries().into_iter().filter(|(_, e)| e.pinned).map(|(r, _)| r).collect();
                let at = seen.get(which as usize).copied();
                match (what, at) {
                    (0, _) => if let Ok(root) = put(&shelf, "file", &vec![which; len]) { seen.push(root) },
                    (1, Some(root)) => { let _ = shelf.pin(&root); }
                    (2, Some(root)) => { let _ = shelf.unpin(&root); }
                    (3, _) => shelf = Shelf::open(dir.path(), QUOTA).unwrap(),
                    _ => drop(shelf.reserve(len as u64)),
                }
                prop_assert!(shelf.usage().0 <= QUOTA);
                for root in pinned {
                    // Only its owner's word takes a pin away.
                    if !(what == 2 && at == Some(root)) {
                        prop_assert!(shelf.entry(&root).is_some_and(|entry| entry.pinned));
                    }
                }
                for (root, entry) in shelf.entries() {
                    prop_assert_eq!(shelf.store().verify(&root).unwrap().len, entry.len);
                }
            }
        }
    }
}
