//! An upload on its way in: streamed to disk, measured and hashed as it comes. Dropping it at any point removes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};

use crate::blobs::File;
use crate::error::StoreError;
use crate::fingerprint::{Hasher, canonical};
use crate::ids::Digest;
use crate::scratch::{ProcessDir, Scratch};

/// The most bytes that an `adapter_config.json` may have.
pub const MAX_CONFIG_BYTES: u64 = 64 << 10;

/// The most bytes of a stored config: canonical numbers may be longer than what was uploaded (`1e15`), but not by more.
pub(crate) const MAX_STORED_CONFIG_BYTES: u64 = 8 * MAX_CONFIG_BYTES;

const WRITE_BUFFER_BYTES: usize = 1 << 20;
/// The canonical config, beside the one that came.
const CANONICAL_CONFIG: &str = "canonical_config.json";

/// An upload that is being received. The two files may come in either order; with the config first, the weights are hashed as they come.
pub struct Staging {
    dir: Scratch,
    process: Arc<ProcessDir>,
    max_weights_bytes: u64,
    canonical_config: Option<Vec<u8>>,
    weights: Option<Weights>,
}

struct Weights {
    file: BufWriter<tokio::fs::File>,
    bytes: u64,
    /// Present when the config was there before the weights began; otherwise they are read once more.
    hasher: Option<Hasher>,
}

impl Staging {
    pub(crate) fn begin(process: Arc<ProcessDir>, max_weights_bytes: u64) -> Result<Self, StoreError> {
        let dir = Scratch::within(process.path())?;
        Ok(Self { dir, process, max_weights_bytes, canonical_config: None, weights: None })
    }

    /// The most bytes that the weights may have.
    pub fn max_bytes(&self) -> u64 {
        self.max_weights_bytes
    }

    /// Takes the whole `adapter_config.json`: one JSON object of at most [`MAX_CONFIG_BYTES`].
    pub async fn write_config(&mut self, config: Bytes) -> Result<(), StoreError> {
        if config.len() as u64 > MAX_CONFIG_BYTES {
            return Err(StoreError::TooLarge { file: File::Config.name(), limit: MAX_CONFIG_BYTES });
        }
        self.canonical_config = Some(canonical(&config)?);
        if let Some(weights) = &mut self.weights {
            weights.hasher = None;
        }
        tokio::fs::write(self.dir.path().join(File::Config.name()), &config).await.map_err(StoreError::disk)
    }

    /// Takes the next chunk of `adapter_model.safetensors`, hashes it and writes it to disk.
    pub async fn write_weights(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        let limit = self.max_weights_bytes;
        let weights = self.weights().await?;
        weights.bytes = weights.bytes.saturating_add(chunk.len() as u64);
        if weights.bytes > limit {
            return Err(StoreError::TooLarge { file: File::Weights.name(), limit });
        }
        if let Some(hasher) = &mut weights.hasher {
            hasher.update(&chunk);
        }
        weights.file.write_all(&chunk).await.map_err(StoreError::disk)
    }

    /// Ends the upload: both files are there, safe on disk, and have a digest.
    pub async fn finish(self) -> Result<Staged, StoreError> {
        let canonical_config = self.canonical_config.ok_or(StoreError::MissingFile(File::Config.name()))?;
        let mut weights = self.weights.ok_or(StoreError::MissingFile(File::Weights.name()))?;
        weights.file.flush().await.map_err(StoreError::disk)?;
        weights.file.get_ref().sync_all().await.map_err(StoreError::disk)?;

        let config_path = self.dir.path().join(File::Config.name());
        let weights_path = self.dir.path().join(File::Weights.name());
        let digest = match weights.hasher {
            Some(hasher) => hasher.finish(),
            None => hash_file(Hasher::new(&canonical_config), &weights_path).await?,
        };
        let canonical_config_path = self.dir.path().join(CANONICAL_CONFIG);
        tokio::fs::write(&canonical_config_path, &canonical_config).await.map_err(StoreError::disk)?;
        let bytes = weights.bytes + canonical_config.len() as u64;
        Ok(Staged {
            config_path,
            canonical_config_path,
            weights_path,
            canonical_config,
            digest,
            bytes,
            _dir: self.dir,
            _process: self.process,
        })
    }

    async fn weights(&mut self) -> Result<&mut Weights, StoreError> {
        if self.weights.is_none() {
            let path = self.dir.path().join(File::Weights.name());
            let file = tokio::fs::File::create_new(path).await.map_err(StoreError::disk)?;
            let file = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
            let hasher = self.canonical_config.as_deref().map(Hasher::new);
            self.weights = Some(Weights { file, bytes: 0, hasher });
        }
        self.weights.as_mut().ok_or_else(|| StoreError::internal("the weights were just begun"))
    }
}

/// Hashes a file of weights in pieces, off the async threads' budget but not off their pool of memory.
pub(crate) async fn hash_file(mut hasher: Hasher, path: &Path) -> Result<Digest, StoreError> {
    let mut file = tokio::fs::File::open(path).await.map_err(StoreError::disk)?;
    let mut buffer = vec![0; WRITE_BUFFER_BYTES];
    loop {
        match file.read(&mut buffer).await.map_err(StoreError::disk)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// A whole upload, waiting for its check. Its files live as long as the value.
#[derive(Debug)]
pub struct Staged {
    config_path: PathBuf,
    canonical_config_path: PathBuf,
    weights_path: PathBuf,
    canonical_config: Vec<u8>,
    digest: Digest,
    bytes: u64,
    _dir: Scratch,
    _process: Arc<ProcessDir>,
}

impl Staged {
    /// The `adapter_config.json`, byte for byte as it came.
    pub fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// The `adapter_config.json` that the digest is of, and that the version will have.
    pub fn canonical_config_path(&self) -> &Path {
        &self.canonical_config_path
    }

    /// The `adapter_model.safetensors`, byte for byte as it came.
    pub fn weights_path(&self) -> &Path {
        &self.weights_path
    }

    /// SHA-256 over the canonical config and the weights.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes of the canonical config and the weights together.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn canonical_config(&self) -> &[u8] {
        &self.canonical_config
    }
}
