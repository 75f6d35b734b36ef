//! What lies in the blob store, adapter by adapter, as it is listed: a batch at a time, never all of it in memory.

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use time::OffsetDateTime;

use crate::blobs::{BlobKey, Blobs, Listed, Place};
use crate::database::{Database, Whose};
use crate::error::StoreError;
use crate::rows::contents;

/// An adapter's bytes, whole or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdapterBytes {
    pub(crate) key: BlobKey,
    pub(crate) bytes: u64,
    /// When the last of its objects was written.
    pub(crate) newest: OffsetDateTime,
}

pub(crate) struct Inventory {
    objects: BoxStream<'static, Result<Listed, StoreError>>,
    /// The adapter whose objects are being listed.
    open: Option<AdapterBytes>,
    foreign: u64,
}

impl Inventory {
    pub(crate) fn of(blobs: &Blobs) -> Self {
        Self { objects: blobs.list(), open: None, foreign: 0 }
    }

    /// Objects seen until now that are nothing of this store.
    pub(crate) fn foreign(&self) -> u64 {
        self.foreign
    }

    /// The next adapters' bytes, `most` at most; none at the end.
    pub(crate) async fn batch(&mut self, most: usize) -> Result<Vec<AdapterBytes>, StoreError> {
        let mut batch = Vec::new();
        while batch.len() < most
            && let Some(next) = self.next().await?
        {
            batch.push(next);
        }
        Ok(batch)
    }

    async fn next(&mut self) -> Result<Option<AdapterBytes>, StoreError> {
        while let Some(object) = self.objects.try_next().await? {
            let key = match object.place {
                Place::Adapter(key) => key,
                Place::Upload => continue,
                Place::Foreign => {
                    self.foreign += 1;
                    continue;
                }
            };
            match &mut self.open {
                Some(open) if open.key == key => {
                    open.bytes += object.bytes;
                    open.newest = open.newest.max(object.modified);
                }
                open => {
                    let begun = AdapterBytes { key, bytes: object.bytes, newest: object.modified };
                    if let Some(whole) = open.replace(begun) {
                        return Ok(Some(whole));
                    }
                }
            }
        }
        Ok(self.open.take())
    }
}

/// Those of the bytes that no live version has.
pub(crate) async fn without_row(
    database: &Database,
    batch: &[AdapterBytes],
) -> Result<Vec<AdapterBytes>, StoreError> {
    let mut unused = Vec::new();
    for of_tenant in batch.chunk_by(|one, next| one.key.tenant == next.key.tenant) {
        let Some(first) = of_tenant.first() else { continue };
        let tenant = first.key.tenant;
        let digests: Vec<_> = of_tenant.iter().map(|bytes| bytes.key.digest).collect();
        let mut transaction = database.read(Whose::Tenant(tenant)).await?;
        let used = contents::in_use(&mut transaction, tenant, &digests).await?;
        unused.extend(of_tenant.iter().filter(|bytes| !used.contains(&bytes.key.digest)));
    }
    Ok(unused)
}
