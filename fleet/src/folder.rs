//! The folder that servers read adapters from: one folder an adapter, named like it, written whole or not at all.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tenora_engine::{AdapterFiles, EngineError, Frontend};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::names::{self, Digest};

/// How folders begin whose writing was broken off.
const UNFINISHED: &str = ".unfinished-";
/// Age from which on nobody is writing them any more.
const ABANDONED: Duration = Duration::from_secs(3_600);

/// The folder that all servers share.
pub(crate) struct SharedFolder {
    here: PathBuf,
    there: PathBuf,
    most_bytes: u64,
    frontend: Frontend,
    /// One adapter is written after the other: each is held in memory for that.
    writing: Mutex<()>,
}

impl SharedFolder {
    /// # Errors
    /// The folder cannot be made or written.
    pub(crate) fn open(
        (here, there): (PathBuf, PathBuf),
        most_bytes: u64,
        frontend: Frontend,
    ) -> io::Result<Arc<Self>> {
        fs::create_dir_all(&here)?;
        let probe = here.join(format!("{UNFINISHED}{}", Uuid::new_v4().simple()));
        fs::create_dir(&probe)?;
        fs::remove_dir(&probe)?;
        Ok(Arc::new(Self { here, there, most_bytes, frontend, writing: Mutex::default() }))
    }

    /// Has the adapter in the folder, and says where servers find it. `loaded` are those that no server must lose.
    ///
    /// # Errors
    /// [`EngineError::Adapter`]: the files are not those of the digest. [`EngineError::Fault`]: the folder cannot be written.
    pub(crate) async fn place(
        self: &Arc<Self>,
        files: AdapterFiles,
        loaded: HashSet<Digest>,
    ) -> Result<PathBuf, EngineError> {
        let _turn = self.writing.lock().await;
        let folder = Arc::clone(self);
        let placed = tokio::task::spawn_blocking(move || folder.write(&files, &loaded)).await;
        placed.map_err(|error| EngineError::Fault(format!("an adapter was not written: {error}")))?
    }

    fn write(&self, files: &AdapterFiles, loaded: &HashSet<Digest>) -> Result<PathBuf, EngineError> {
        let name = names::of(&files.digest);
        let (whole, there) = (self.here.join(&name), self.there.join(&name));
        let fault = |what: &str, error: &io::Error| {
            EngineError::Fault(format!("{what} {}: {error}", whole.display()))
        };
        if whole.exists() {
            // Its age says what goes first.
            let touched = fs::File::open(&whole).and_then(|folder| folder.set_modified(SystemTime::now()));
            touched.map_err(|error| fault("cannot touch", &error))?;
            return Ok(there);
        }
        let unfinished = self.here.join(format!("{UNFINISHED}{}", Uuid::new_v4().simple()));
        fs::create_dir(&unfinished).map_err(|error| fault("cannot make", &error))?;
        let written = self.frontend.write_plain(files, &unfinished).and_then(|()| {
            let synced = sync(&unfinished).and_then(|()| fs::rename(&unfinished, &whole));
            match synced {
                // Another process was faster: its files are the same.
                Err(_) if whole.exists() => Ok(()),
                other => other.map_err(|error| fault("cannot write", &error)),
            }
        });
        if written.is_err() || unfinished.exists() {
            // Left where it cannot be removed: the next sweep tries again.
            _ = fs::remove_dir_all(&unfinished);
        }
        written?;
        let mut kept = loaded.clone();
        kept.insert(files.digest);
        if let Err(error) = self.sweep(&kept) {
            tracing::warn!(%error, folder = %self.here.display(), "Old adapters could not be removed");
        }
        Ok(there)
    }

    /// Removes what was not loaded for the longest time, down to the limit, and what a process left that ended while it wrote.
    fn sweep(&self, kept: &HashSet<Digest>) -> io::Result<()> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.here)? {
            let entry = entry?;
            let (name, modified) = (entry.file_name(), entry.metadata()?.modified()?);
            let Some(name) = name.to_str() else { continue };
            if name.starts_with(UNFINISHED) && modified.elapsed().is_ok_and(|age| age > ABANDONED) {
                fs::remove_dir_all(entry.path())?;
            }
            let Some(digest) = names::parse(name) else { continue };
            all.push((modified, digest, entry.path(), bytes(&entry.path())?));
        }
        let mut bytes: u64 = all.iter().map(|(.., bytes)| bytes).sum();
        all.sort();
        for (_, digest, path, size) in all {
            if bytes <= self.most_bytes {
                break;
            }
            if !kept.contains(&digest) {
                fs::remove_dir_all(path)?;
                bytes -= size;
            }
        }
        Ok(())
    }
}

fn bytes(folder: &Path) -> io::Result<u64> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

fn sync(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        fs::File::open(entry?.path())?.sync_all()?;
    }
    fs::File::open(folder)?.sync_all()
}
