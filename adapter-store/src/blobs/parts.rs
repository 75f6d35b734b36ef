//! Parts of resumable uploads: objects under `<tenant id>/uploads/<upload id>/<part id>`, all of it names that are made here.

use std::path::Path;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use tokio::io::AsyncReadExt;

use super::{Blobs, meaning};
use crate::error::StoreError;
use crate::ids::{PartId, TenantId, UploadId};

/// What is between a tenant's id and its uploads; no digest is written like it.
const UPLOADS: &str = "uploads";
/// What a part is sent to the store in, when it has more.
const CHUNK_BYTES: usize = 8 << 20;

/// Where an upload's parts are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartsKey {
    pub(crate) tenant: TenantId,
    pub(crate) upload: UploadId,
}

impl PartsKey {
    fn folder(&self) -> ObjectPath {
        ObjectPath::from_iter([&self.tenant.to_string(), UPLOADS, &self.upload.to_hex()])
    }

    fn object(&self, part: PartId) -> ObjectPath {
        ObjectPath::from_iter([&self.tenant.to_string(), UPLOADS, &self.upload.to_hex(), &part.to_hex()])
    }
}

impl Blobs {
    /// Stores a part that lies on local disk, with two chunks in memory at most.
    pub(crate) async fn put_part(&self, key: PartsKey, part: PartId, from: &Path) -> Result<(), StoreError> {
        let object = key.object(part);
        let mut file = tokio::fs::File::open(from).await.map_err(StoreError::disk)?;
        let first = next_chunk(&mut file).await?;
        if first.len() < CHUNK_BYTES {
            return self.0.put(&object, first.into()).await.map(drop).map_err(meaning);
        }
        let upload = self.0.put_multipart(&object).await.map_err(meaning)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, CHUNK_BYTES);
        let sent = send(&mut upload, first, &mut file).await;
        match sent {
            Ok(()) => upload.finish().await.map(drop).map_err(meaning),
            Err(error) => {
                _ = upload.abort().await;
                Err(error)
            }
        }
    }

    /// The part's bytes as they come, or `None` when there is no such object.
    pub(crate) async fn get_part(
        &self,
        key: PartsKey,
        part: PartId,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, StoreError>>>, StoreError> {
        match self.0.get(&key.object(part)).await {
            Ok(found) => Ok(Some(found.into_stream().map_err(meaning).boxed())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(meaning(error)),
        }
    }

    /// Removes one part; one that is not there is removed already.
    pub(crate) async fn remove_part(&self, key: PartsKey, part: PartId) -> Result<(), StoreError> {
        gone(self.0.delete(&key.object(part)).await)
    }

    /// Removes whatever lies where the upload's parts are, known or not.
    pub(crate) async fn remove_parts(&self, key: PartsKey) -> Result<(), StoreError> {
        let found = self.0.list(Some(&key.folder())).map_ok(|object| object.location).boxed();
        let mut removed = self.0.delete_stream(found);
        while let Some(removed) = removed.next().await {
            gone(removed.map(drop))?;
        }
        Ok(())
    }
}

async fn send(
    upload: &mut WriteMultipart,
    first: Vec<u8>,
    file: &mut tokio::fs::File,
) -> Result<(), StoreError> {
    let mut chunk = first;
    while !chunk.is_empty() {
        upload.wait_for_capacity(1).await.map_err(meaning)?;
        upload.put(chunk.into());
        chunk = next_chunk(file).await?;
    }
    Ok(())
}

async fn next_chunk(file: &mut tokio::fs::File) -> Result<Vec<u8>, StoreError> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    file.take(CHUNK_BYTES as u64).read_to_end(&mut chunk).await.map_err(StoreError::disk)?;
    Ok(chunk)
}

fn gone(deleted: object_store::Result<()>) -> Result<(), StoreError> {
    match deleted {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(meaning(error)),
    }
}
