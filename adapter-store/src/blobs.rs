//! Content-addressed objects: an adapter's two files under `<tenant id>/<digest>/`. Both names are made here, never by a client.

pub(crate) mod parts;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use tokio::io::AsyncReadExt;

use crate::error::StoreError;
use crate::fault;
use crate::ids::{Digest, TenantId};

/// One of an adapter's two files, by its PEFT name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum File {
    Config,
    Weights,
}

impl File {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Config => "adapter_config.json",
            Self::Weights => "adapter_model.safetensors",
        }
    }
}

/// Where an adapter's bytes are: the tenant's own, under what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BlobKey {
    pub(crate) tenant: TenantId,
    pub(crate) digest: Digest,
}

impl BlobKey {
    /// `<tenant id>/<digest hex>`, for folders as for objects.
    pub(crate) fn folder(&self) -> String {
        format!("{}/{}", self.tenant, self.digest.to_hex())
    }

    fn object(&self, file: File) -> ObjectPath {
        ObjectPath::from_iter([&self.tenant.to_string(), &self.digest.to_hex(), file.name()])
    }
}

const PART_BYTES: usize = 8 << 20;
const PARTS_IN_FLIGHT: usize = 2;

/// The blob store.
#[derive(Clone)]
pub(crate) struct Blobs(Arc<dyn ObjectStore>);

impl Blobs {
    pub(crate) fn local(dir: &Path) -> Result<Self, StoreError> {
        let setup =
            |error| StoreError::Setup(format!("the blob folder {} cannot be used: {error}", dir.display()));
        let store = LocalFileSystem::new_with_prefix(dir).map_err(setup)?;
        Ok(Self(Arc::new(store.with_fsync(true).with_automatic_cleanup(true))))
    }

    #[cfg(test)]
    pub(crate) fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self(store)
    }

    /// Whether both files are there.
    pub(crate) async fn holds(&self, key: &BlobKey) -> Result<bool, StoreError> {
        for file in [File::Config, File::Weights] {
            match self.0.head(&key.object(file)).await {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => return Ok(false),
                Err(error) => return Err(meaning(error)),
            }
        }
        Ok(true)
    }

    /// Stores both files; bytes that are there already are left alone.
    pub(crate) async fn put(&self, key: &BlobKey, config: Bytes, weights: &Path) -> Result<(), StoreError> {
        if self.holds(key).await? {
            return Ok(());
        }
        self.put_file(&key.object(File::Weights), weights).await?;
        fault::point("push.half-bytes");
        self.0.put(&key.object(File::Config), config.into()).await.map(drop).map_err(meaning)
    }

    async fn put_file(&self, object: &ObjectPath, from: &Path) -> Result<(), StoreError> {
        let mut file = tokio::fs::File::open(from).await.map_err(StoreError::disk)?;
        let upload = self.0.put_multipart(object).await.map_err(meaning)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        loop {
            let mut part = Vec::with_capacity(PART_BYTES);
            let read =
                (&mut file).take(PART_BYTES as u64).read_to_end(&mut part).await.map_err(StoreError::disk)?;
            if read == 0 {
                return upload.finish().await.map(drop).map_err(meaning);
            }
            upload.wait_for_capacity(PARTS_IN_FLIGHT).await.map_err(meaning)?;
            upload.put(part.into());
        }
    }

    /// The file's bytes as they come, or `None` when there is no such object.
    pub(crate) async fn get(
        &self,
        key: &BlobKey,
        file: File,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, StoreError>>>, StoreError> {
        match self.0.get(&key.object(file)).await {
            Ok(found) => Ok(Some(found.into_stream().map(|chunk| chunk.map_err(meaning)).boxed())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(meaning(error)),
        }
    }

    /// Removes both files, the config first: what has no config is not there.
    pub(crate) async fn remove(&self, key: &BlobKey) -> Result<(), StoreError> {
        for file in [File::Config, File::Weights] {
            match self.0.delete(&key.object(file)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(meaning(error)),
            }
        }
        Ok(())
    }
}

fn meaning(error: object_store::Error) -> StoreError {
    StoreError::unavailable("the blob store", error)
}
