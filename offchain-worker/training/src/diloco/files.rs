//! Files that are there whole or not at all, also after `kill -9` or a power cut.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Result, TrainingError};

/// Where a file is put together before it gets its name.
pub(crate) fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    path.with_file_name(name)
}

/// Writes `bytes` beside `path`, flushes them, and gives them the name; what was there before is replaced.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let draft = draft_of(path);
    let failed = |error| TrainingError::write(&draft, error);
    let mut file = File::create(&draft).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    publish(file, &draft, path)
}

/// Flushes the finished `file`, which lies at `draft`, and moves it to `path`.
pub(crate) fn publish(file: File, draft: &Path, path: &Path) -> Result<()> {
    file.sync_all()
        .map_err(|error| TrainingError::write(draft, error))?;
    drop(file);
    fs::rename(draft, path).map_err(|error| TrainingError::write(path, error))?;
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => sync_dir(dir),
        None => sync_dir(Path::new(".")),
    }
}

/// Makes a folder's entries durable.
fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| TrainingError::write(dir, error))
}

/// Makes the folder `dir` and those above it.
pub(crate) fn create_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|error| TrainingError::write(dir, error))
}

/// Removes a file, if it is there.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(TrainingError::write(path, error))
        }
        _ => Ok(()),
    }
}
