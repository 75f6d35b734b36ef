//! Folders that end with the value, or with the process, that owns them; and locks that say whether that process lives.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::StoreError;

const LOCK: &str = "lock";

/// A folder of its own, removed with all that is in it when the value is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn within(parent: &Path) -> Result<Self, StoreError> {
        let path = parent.join(Uuid::now_v7().simple().to_string());
        fs::create_dir(&path).map_err(StoreError::disk)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.0.display(), "a scratch folder could not be removed");
        }
    }
}

/// This process's part of a folder that several processes share. Locked while it lives, so that others can tell.
#[derive(Debug)]
pub(crate) struct ProcessDir {
    dir: Scratch,
    _lock: File,
}

impl ProcessDir {
    /// Removes what dead processes left in the shared folder, then makes this process's own part of it.
    pub(crate) fn open(shared: &Path) -> io::Result<Self> {
        fs::create_dir_all(shared)?;
        // Nobody looks for leftovers between the making of a folder and its locking.
        let entrance = File::create(shared.join(LOCK))?;
        entrance.lock()?;
        for entry in fs::read_dir(shared)? {
            let path = entry?.path();
            if path.is_dir() && is_dead(&path) {
                fs::remove_dir_all(&path)?;
            }
        }
        let path = shared.join(Uuid::now_v7().simple().to_string());
        fs::create_dir(&path)?;
        let lock = File::create(path.join(LOCK))?;
        lock.lock()?;
        Ok(Self { dir: Scratch(path), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Takes the whole folder for this process, or tells that another one has it.
pub(crate) fn lock_whole(dir: &Path) -> io::Result<Option<File>> {
    fs::create_dir_all(dir)?;
    let lock = File::create(dir.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn is_dead(process_dir: &Path) -> bool {
    match File::open(process_dir.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_keep_their_part_and_the_dead_lose_it() {
        let shared = tempfile::tempdir().unwrap();
        let first = ProcessDir::open(shared.path()).unwrap();
        let upload = Scratch::within(first.path()).unwrap();
        let dead = shared.path().join("left-by-a-crash");
        fs::create_dir_all(dead.join("upload")).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();

        let second = ProcessDir::open(shared.path()).unwrap();
        assert!(upload.path().is_dir() && second.path().is_dir());
        assert!(!dead.exists());

        let path = first.path().to_owned();
        drop((upload, first));
        assert!(!path.exists());
    }

    #[test]
    fn a_whole_folder_has_one_owner() {
        let dir = tempfile::tempdir().unwrap();
        let owner = lock_whole(dir.path()).unwrap();
        assert!(owner.is_some());
        assert!(lock_whole(dir.path()).unwrap().is_none());
        drop(owner);
        assert!(lock_whole(dir.path()).unwrap().is_some());
    }
}
