//! A pinned version → its verified files on local disk: one fetch per digest at a time, least recently used out first, nothing in use ever removed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::sync::OnceCell;
use tracing::Instrument;

use crate::blobs::{BlobKey, Blobs, File};
use crate::error::StoreError;
use crate::fingerprint::Hasher;
use crate::ids::{Digest, TenantId};
use crate::scratch::{Scratch, lock_whole};
use crate::staging::{MAX_STORED_CONFIG_BYTES, hash_file};

const INCOMING: &str = "incoming";
const WRITE_BUFFER_BYTES: usize = 1 << 20;

/// A version's files on local disk, verified, and kept there while the value (or a clone of it) lives.
#[derive(Debug, Clone)]
pub struct LocalAdapter {
    digest: Digest,
    config_path: PathBuf,
    weights_path: PathBuf,
    fetched: Option<Duration>,
    _pin: Arc<Slot>,
}

impl LocalAdapter {
    /// What the files are.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The canonical `adapter_config.json`.
    pub fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// The `adapter_model.safetensors`.
    pub fn weights_path(&self) -> &Path {
        &self.weights_path
    }

    /// How long the fetch from the blob store took, where this value is what it was for.
    pub fn fetched(&self) -> Option<Duration> {
        self.fetched
    }
}

/// The place of one adapter in the cache. Whoever holds its `Arc`, beside the map, uses it.
#[derive(Debug)]
struct Slot {
    bytes: u64,
    last_used: AtomicU64,
    /// Set once the files are there and were verified by this process.
    verified: OnceCell<()>,
}

#[derive(Default)]
struct Slots {
    by_key: HashMap<BlobKey, Arc<Slot>>,
    bytes: u64,
    clock: u64,
}

/// The cache. One process owns its folder.
pub(crate) struct LocalCache {
    dir: PathBuf,
    budget: u64,
    slots: Mutex<Slots>,
    _lock: fs::File,
}

impl LocalCache {
    /// Takes the folder and counts what an earlier process left there; it is verified before its first use.
    pub(crate) fn open(dir: &Path, budget: u64) -> Result<Self, StoreError> {
        let setup =
            |error| StoreError::Setup(format!("the cache folder {} cannot be used: {error}", dir.display()));
        let lock = lock_whole(dir).map_err(setup)?.ok_or_else(|| {
            StoreError::Setup(format!(
                "the cache folder {} belongs to another running server; stop it or choose another folder",
                dir.display()
            ))
        })?;
        let incoming = dir.join(INCOMING);
        if incoming.exists() {
            fs::remove_dir_all(&incoming).map_err(setup)?;
        }
        fs::create_dir(&incoming).map_err(setup)?;
        let slots = scan(dir).map_err(setup)?;
        let cache = Self { dir: dir.to_owned(), budget, slots: Mutex::new(slots), _lock: lock };
        drop(cache.make_room(&mut cache.slots(), 0)?);
        Ok(cache)
    }

    /// The files of a version, fetched when they are not here. `None` when the blob store has no such bytes.
    pub(crate) async fn get(
        &self,
        blobs: &Blobs,
        key: BlobKey,
        bytes: u64,
    ) -> Result<Option<LocalAdapter>, StoreError> {
        let slot = self.pin(key, bytes).await?;
        let mut fetched = None;
        let filled = slot.verified.get_or_try_init(|| self.fill(blobs, key, &mut fetched)).await;
        match filled {
            Ok(()) => {
                let folder = self.folder(&key);
                let (config_path, weights_path) =
                    (folder.join(File::Config.name()), folder.join(File::Weights.name()));
                let digest = key.digest;
                Ok(Some(LocalAdapter { digest, config_path, weights_path, fetched, _pin: slot }))
            }
            Err(failure) => {
                self.give_up(key, slot);
                match failure {
                    Failure::NoBlob => Ok(None),
                    Failure::Store(error) => Err(error),
                }
            }
        }
    }

    /// Drops the files of a deleted version, unless they are in use; then they go when others need the room.
    pub(crate) fn forget(&self, key: &BlobKey) -> Result<(), StoreError> {
        let mut slots = self.slots();
        if slots.by_key.get(key).is_some_and(|slot| Arc::strong_count(slot) == 1) {
            drop(self.discard(key)?);
            slots.remove(key);
        }
        Ok(())
    }

    /// Finds or makes the slot, with room for its bytes. While the slot is held it is not evicted.
    async fn pin(&self, key: BlobKey, bytes: u64) -> Result<Arc<Slot>, StoreError> {
        let (slot, evicted) = {
            let mut slots = self.slots();
            slots.clock += 1;
            let now = slots.clock;
            if let Some(slot) = slots.by_key.get(&key) {
                slot.last_used.store(now, Ordering::Relaxed);
                return Ok(slot.clone());
            }
            let evicted = self.make_room(&mut slots, bytes)?;
            let slot = Arc::new(Slot { bytes, last_used: AtomicU64::new(now), verified: OnceCell::new() });
            slots.by_key.insert(key, slot.clone());
            slots.bytes += bytes;
            (slot, evicted)
        };
        // Large files take a while to unlink.
        tokio::task::spawn_blocking(|| drop(evicted)).await.map_err(StoreError::internal)?;
        Ok(slot)
    }

    /// Takes the least recently used adapters out of the cache until `bytes` more fit. The files go when the result is dropped.
    fn make_room(&self, slots: &mut Slots, bytes: u64) -> Result<Vec<Scratch>, StoreError> {
        let mut evicted = Vec::new();
        while slots.bytes.saturating_add(bytes) > self.budget {
            let idle = slots.by_key.iter().filter(|(_, slot)| Arc::strong_count(slot) == 1);
            let oldest =
                idle.min_by_key(|(_, slot)| slot.last_used.load(Ordering::Relaxed)).map(|(key, _)| *key);
            let Some(oldest) = oldest else { return Err(StoreError::CacheFull { budget: self.budget }) };
            evicted.extend(self.discard(&oldest)?);
            slots.remove(&oldest);
        }
        Ok(evicted)
    }

    /// Moves the adapter's files, if there are any, out of the way at once.
    fn discard(&self, key: &BlobKey) -> Result<Option<Scratch>, StoreError> {
        let away = Scratch::within(&self.incoming())?;
        match fs::rename(self.folder(key), away.path().join("evicted")) {
            Ok(()) => Ok(Some(away)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::disk(error)),
        }
    }

    /// Verifies what an earlier process left, else fetches.
    async fn fill(&self, blobs: &Blobs, key: BlobKey, fetched: &mut Option<Duration>) -> Result<(), Failure> {
        let folder = self.folder(&key);
        if folder.exists() {
            if matches!(hash_folder(&folder).await, Ok(digest) if digest == key.digest) {
                return Ok(());
            }
            tracing::warn!(digest = %key.digest, "a cached adapter was damaged on disk and is fetched again");
            drop(self.discard(&key)?);
        }
        let begun = Instant::now();
        self.fetch(blobs, key).instrument(tracing::info_span!("fetch", tenora.load.tier = "blob")).await?;
        *fetched = Some(begun.elapsed());
        Ok(())
    }

    /// From the blob store, verified on its way.
    async fn fetch(&self, blobs: &Blobs, key: BlobKey) -> Result<(), Failure> {
        let folder = self.folder(&key);
        let incoming = Scratch::within(&self.incoming())?;
        let config = fetch_config(blobs, &key, &incoming).await?;
        let digest = fetch_weights(blobs, &key, &incoming, Hasher::new(&config)).await?;
        if digest != key.digest {
            return Err(StoreError::Corrupt { digest: key.digest }.into());
        }
        fs::create_dir_all(self.dir.join(key.tenant.to_string())).map_err(StoreError::disk)?;
        fs::rename(incoming.path(), &folder).map_err(StoreError::disk)?;
        Ok(())
    }

    /// Frees the room of a fetch that failed, unless another caller is trying again.
    fn give_up(&self, key: BlobKey, slot: Arc<Slot>) {
        let mut slots = self.slots();
        if Arc::strong_count(&slot) == 2 && !slot.verified.initialized() {
            slots.remove(&key);
        }
    }

    fn folder(&self, key: &BlobKey) -> PathBuf {
        self.dir.join(key.folder())
    }

    fn incoming(&self) -> PathBuf {
        self.dir.join(INCOMING)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    fn remove(&mut self, key: &BlobKey) {
        if let Entry::Occupied(entry) = self.by_key.entry(*key) {
            self.bytes -= entry.remove().bytes;
        }
    }
}

/// Why a slot could not be filled.
enum Failure {
    NoBlob,
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn fetch_config(blobs: &Blobs, key: &BlobKey, into: &Scratch) -> Result<Vec<u8>, Failure> {
    let mut chunks = blobs.get(key, File::Config).await?.ok_or(Failure::NoBlob)?;
    let mut config = Vec::new();
    while let Some(chunk) = chunks.try_next().await? {
        config.extend_from_slice(&chunk);
        // More is damage, and not worth the memory.
        if config.len() as u64 > MAX_STORED_CONFIG_BYTES {
            return Err(StoreError::Corrupt { digest: key.digest }.into());
        }
    }
    tokio::fs::write(into.path().join(File::Config.name()), &config).await.map_err(StoreError::disk)?;
    Ok(config)
}

async fn fetch_weights(
    blobs: &Blobs,
    key: &BlobKey,
    into: &Scratch,
    mut hasher: Hasher,
) -> Result<Digest, Failure> {
    let mut chunks = blobs.get(key, File::Weights).await?.ok_or(Failure::NoBlob)?;
    let file = tokio::fs::File::create_new(into.path().join(File::Weights.name()))
        .await
        .map_err(StoreError::disk)?;
    let mut file = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
    while let Some(chunk) = chunks.try_next().await? {
        hasher.update(&chunk);
        file.write_all(&chunk).await.map_err(StoreError::disk)?;
    }
    file.flush().await.map_err(StoreError::disk)?;
    Ok(hasher.finish())
}

async fn hash_folder(folder: &Path) -> Result<Digest, StoreError> {
    let config = tokio::fs::read(folder.join(File::Config.name())).await.map_err(StoreError::disk)?;
    hash_file(Hasher::new(&config), &folder.join(File::Weights.name())).await
}

/// What lies in the folder, by the names that the cache gives. Anything else there is not ours and is left alone.
fn scan(dir: &Path) -> std::io::Result<Slots> {
    let mut slots = Slots::default();
    for tenant_dir in fs::read_dir(dir)? {
        let tenant_dir = tenant_dir?;
        let Ok(tenant) = TenantId::parse(&tenant_dir.file_name().to_string_lossy()) else { continue };
        for folder in fs::read_dir(tenant_dir.path())? {
            let folder = folder?;
            let Ok(digest) = Digest::parse(&format!("sha256:{}", folder.file_name().to_string_lossy()))
            else {
                continue;
            };
            let mut bytes = 0;
            for file in fs::read_dir(folder.path())? {
                bytes += file?.metadata()?.len();
            }
            let slot = Slot { bytes, last_used: AtomicU64::new(0), verified: OnceCell::new() };
            slots.by_key.insert(BlobKey { tenant, digest }, Arc::new(slot));
            slots.bytes += bytes;
        }
    }
    Ok(slots)
}

#[cfg(test)]
mod tests;
