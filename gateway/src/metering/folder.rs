//! Folders of write-ahead files: each process has its own, locked while it lives, and takes over those of dead ones.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::segment;

const LOCK: &str = "lock";

/// A folder that is this process's, its own or taken over. Removed with the value when no file is left in it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    shared: PathBuf,
    _lock: File,
}

impl Folder {
    /// A new folder for this process.
    pub(super) fn make(shared: &Path) -> io::Result<Self> {
        fs::create_dir_all(shared)?;
        let _entrance = enter(shared)?;
        let path = shared.join(Uuid::now_v7().simple().to_string());
        fs::create_dir(&path)?;
        let lock = File::create(path.join(LOCK))?;
        lock.lock()?;
        File::open(shared)?.sync_all()?;
        Ok(Self { path, shared: shared.to_owned(), _lock: lock })
    }

    /// Takes over the folders whose process is dead, oldest first.
    pub(super) fn take_over(shared: &Path) -> io::Result<Vec<Self>> {
        let _entrance = enter(shared)?;
        let mut taken = Vec::new();
        for entry in fs::read_dir(shared)? {
            let path = entry?.path();
            if !path.is_dir() {
                continue;
            }
            let lock = File::options().create(true).truncate(false).write(true).open(path.join(LOCK))?;
            match lock.try_lock() {
                Ok(()) => taken.push(Self { path, shared: shared.to_owned(), _lock: lock }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        taken.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(taken)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn remove_if_empty(&self) -> io::Result<()> {
        let _entrance = enter(&self.shared)?;
        if segment::paths(&self.path)?.is_empty() {
            fs::remove_dir_all(&self.path)?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = self.remove_if_empty()
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "An empty folder of usage files could not be removed");
        }
    }
}

/// Nobody looks for dead processes between the making of a folder and its locking, or while one is removed.
fn enter(shared: &Path) -> io::Result<File> {
    let entrance = File::create(shared.join(LOCK))?;
    entrance.lock()?;
    Ok(entrance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_keep_their_folder_and_the_dead_leave_it_to_one() {
        let shared = tempfile::tempdir().expect("a folder");
        let living = Folder::make(shared.path()).expect("made");
        let dead = Folder::make(shared.path()).expect("made");
        let file = segment::path(dead.path(), 1);
        fs::write(&file, "x").expect("written");
        drop(dead);
        assert!(file.exists(), "a folder with files stays");

        let taken = Folder::take_over(shared.path()).expect("taken");
        assert_eq!(taken.iter().map(Folder::path).collect::<Vec<_>>(), [file.parent().expect("a folder")]);
        assert!(Folder::take_over(shared.path()).expect("looked").is_empty());

        fs::remove_file(&file).expect("removed");
        drop(taken);
        assert!(!file.parent().expect("a folder").exists(), "an empty one goes");
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }
}
