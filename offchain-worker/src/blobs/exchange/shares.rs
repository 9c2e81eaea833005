//! Which blobs are shared: groups of roots, each a file of the state folder.
//!
//! A root is shared while any group has it, so whoever shares a blob for one reason does not unshare it for another.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sp_core::H256;

use chasqui_blobs::{remove_leftovers, BlobError, Result, Staged};

/// Longest name of a group, in bytes.
pub const MAX_GROUP_BYTES: usize = 96;
const SUFFIX: &str = "roots";

/// The roots that this worker hands out. What a function returned is on disk.
#[derive(Debug)]
pub struct Shares {
    dir: PathBuf,
    staging: PathBuf,
    groups: Mutex<Groups>,
}

#[derive(Debug, Default)]
struct Groups {
    roots: BTreeMap<String, BTreeSet<H256>>,
    /// How many groups have a root.
    count: HashMap<H256, usize>,
}

impl Groups {
    fn put(&mut self, group: &str, roots: BTreeSet<H256>) {
        for root in &roots {
            *self.count.entry(*root).or_default() += 1;
        }
        let before = match roots.is_empty() {
            true => self.roots.remove(group),
            false => self.roots.insert(group.to_owned(), roots),
        };
        for root in before.unwrap_or_default() {
            if let Some(count) = self.count.get_mut(&root) {
                *count -= 1;
                if *count == 0 {
                    self.count.remove(&root);
                }
            }
        }
    }
}

impl Shares {
    /// Those of the folder `dir`, which is created if need be.
    ///
    /// # Errors
    /// The folder cannot be made or read, or a file in it is no list of roots.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        let staging = dir.join("tmp");
        fs::create_dir_all(&staging).map_err(BlobError::io("create", &staging))?;
        remove_leftovers(&staging)?;
        let mut groups = Groups::default();
        for entry in fs::read_dir(&dir).map_err(BlobError::io("list", &dir))? {
            let path = entry.map_err(BlobError::io("list", &dir))?.path();
            let group = path.file_stem().and_then(|stem| stem.to_str());
            if path.extension().is_none_or(|suffix| suffix != SUFFIX) {
                continue;
            }
            let group = group.ok_or_else(|| BlobError::corrupt(&path, "its name is no text"))?;
            groups.put(group, read(&path)?);
        }
        Ok(Self {
            dir,
            staging,
            groups: Mutex::new(groups),
        })
    }

    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any group has the root.
    pub fn contains(&self, root: &H256) -> bool {
        self.groups().count.contains_key(root)
    }

    /// The roots of a group.
    pub fn group(&self, group: &str) -> BTreeSet<H256> {
        self.groups().roots.get(group).cloned().unwrap_or_default()
    }

    /// The roots of all groups.
    pub fn all(&self) -> BTreeSet<H256> {
        self.groups().count.keys().copied().collect()
    }

    /// The names of all groups.
    pub fn names(&self) -> Vec<String> {
        self.groups().roots.keys().cloned().collect()
    }

    /// Makes `roots` the roots of a group; what was in it before is unshared, unless another group has it.
    ///
    /// # Errors
    /// `group` is no name (letters, digits, `-`, `_`), or the disk refuses: nothing has changed then.
    pub fn put(&self, group: &str, roots: impl IntoIterator<Item = H256>) -> Result<()> {
        let roots: BTreeSet<H256> = roots.into_iter().collect();
        let path = self.path(group)?;
        let mut groups = self.groups();
        if roots.is_empty() {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(BlobError::io("remove", &path)(error))
                }
                _ => {}
            }
        } else if groups.roots.get(group) != Some(&roots) {
            let mut file = Staged::create(&self.staging)?;
            let lines: String = roots.iter().map(|root| format!("{root:?}\n")).collect();
            file.append(lines.as_bytes())?;
            file.publish(&path)?;
        }
        groups.put(group, roots);
        Ok(())
    }

    /// Adds roots to a group.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn add(&self, group: &str, roots: impl IntoIterator<Item = H256>) -> Result<()> {
        let mut all = self.group(group);
        all.extend(roots);
        self.put(group, all)
    }

    /// Unshares a group.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn drop_group(&self, group: &str) -> Result<()> {
        self.put(group, [])
    }

    fn path(&self, group: &str) -> Result<PathBuf> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = (1..=MAX_GROUP_BYTES).contains(&group.len()) && group.bytes().all(plain);
        let path = self.dir.join(format!("{group}.{SUFFIX}"));
        match fits {
            true => Ok(path),
            false => Err(BlobError::corrupt(
                &self.dir,
                format!(
                    "no group can be named `{}`: letters, digits, - and _",
                    group.escape_debug()
                ),
            )),
        }
    }
}

fn read(path: &Path) -> Result<BTreeSet<H256>> {
    let text = fs::read_to_string(path).map_err(BlobError::io("read", path))?;
    text.lines()
        .map(|line| {
            H256::from_str(line)
                .map_err(|_| BlobError::corrupt(path, "a line is no root; share the group again"))
        })
        .collect()
}
