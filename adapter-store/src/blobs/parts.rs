//! Parts of resumable uploads: objects under `<tenant id>/uploads/<upload id>/<part id>`, all of it names that are made here.

use std::path::Path;

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::{ANSWER_TIMEOUT, Blobs, UPLOADS, bounded, timely};
use crate::error::StoreError;
use crate::ids::{PartId, TenantId, UploadId};

const REMOVALS_IN_FLIGHT: usize = 8;

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
    /// Stores a part that lies on local disk.
    pub(crate) async fn put_part(&self, key: PartsKey, part: PartId, from: &Path) -> Result<(), StoreError> {
        self.put_file(&key.object(part), from).await
    }

    /// The part's bytes as they come, or `None` when there is no such object.
    pub(crate) async fn get_part(
        &self,
        key: PartsKey,
        part: PartId,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, StoreError>>>, StoreError> {
        let found = bounded(ANSWER_TIMEOUT, self.0.get(&key.object(part))).await?;
        Ok(found.map(|found| timely(found.into_stream())))
    }

    /// Removes one part; one that is not there is removed already.
    pub(crate) async fn remove_part(&self, key: PartsKey, part: PartId) -> Result<(), StoreError> {
        bounded(ANSWER_TIMEOUT, self.0.delete(&key.object(part))).await.map(drop)
    }

    /// Removes whatever lies where the upload's parts are, known or not.
    pub(crate) async fn remove_parts(&self, key: PartsKey) -> Result<(), StoreError> {
        let remove = |object: ObjectMeta| async move {
            bounded(ANSWER_TIMEOUT, self.0.delete(&object.location)).await.map(drop)
        };
        let found = timely(self.0.list(Some(&key.folder())));
        found.map_ok(remove).try_buffer_unordered(REMOVALS_IN_FLIGHT).try_collect().await
    }
}
