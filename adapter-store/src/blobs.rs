//! Content-addressed objects: an adapter's two files under `<tenant id>/<digest>/`. Both names are made here, never by a client.
//!
//! Every wait is bounded, whatever lies behind: what hangs is [`StoreError::Unavailable`] after one of the times below.

mod http;
mod leftovers;
pub(crate) mod parts;
mod s3;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryFutureExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, WriteMultipart};
use time::OffsetDateTime;
use tokio::io::AsyncReadExt;

pub(crate) use self::leftovers::remove_leftovers;
use crate::config::{BlobsSettings, BlobsUrl};
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

/// An object, by whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// One of the two files of an adapter.
    Adapter(BlobKey),
    /// Below `<tenant id>/uploads/`: part of an upload in progress.
    Upload,
    /// Nothing of this store.
    Foreign,
}

/// What a listing says of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed {
    pub(crate) place: Place,
    pub(crate) bytes: u64,
    pub(crate) modified: OffsetDateTime,
}

/// The folder of uploads in progress within a tenant's; no digest is written like it.
const UPLOADS: &str = "uploads";

const PART_BYTES: usize = 8 << 20;
const PARTS_IN_FLIGHT: usize = 2;

/// What is never there; whoever says so, is.
const PING: &str = "ping";
/// How long a sign of life may take.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long [`PART_BYTES`] may take to be stored.
const PART_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the next bytes of a file, or the next page of a listing, may take to come.
const STALL_TIMEOUT: Duration = Duration::from_secs(20);

/// The blob store.
#[derive(Clone)]
pub(crate) struct Blobs(Arc<dyn ObjectStore>);

impl Blobs {
    /// Opens the place, and finds out whether it can be used.
    pub(crate) async fn open(settings: &BlobsSettings) -> Result<Self, StoreError> {
        match &settings.url {
            BlobsUrl::Local(dir) => {
                let dir = dir.clone();
                let open = move || Self::local(&dir);
                tokio::task::spawn_blocking(open).await.map_err(StoreError::internal)?
            }
            BlobsUrl::S3(bucket) => s3::open(bucket, &settings.s3).await.map(Self),
        }
    }

    fn local(dir: &Path) -> Result<Self, StoreError> {
        let setup = |error: &dyn std::error::Error| {
            StoreError::Setup(format!("the blob folder {} cannot be used: {error}", dir.display()))
        };
        std::fs::create_dir_all(dir).map_err(|error| setup(&error))?;
        let store = LocalFileSystem::new_with_prefix(dir).map_err(|error| setup(&error))?;
        Ok(Self(Arc::new(store.with_fsync(true).with_automatic_cleanup(true))))
    }

    #[cfg(test)]
    pub(crate) fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self(store)
    }

    /// Whether the place answers, soon.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let nothing = ObjectPath::from(PING);
        bounded(PING_TIMEOUT, self.0.head(&nothing)).await.map(drop)
    }

    /// Whether both files are there.
    pub(crate) async fn holds(&self, key: &BlobKey) -> Result<bool, StoreError> {
        for file in [File::Config, File::Weights] {
            if bounded(ANSWER_TIMEOUT, self.0.head(&key.object(file))).await?.is_none() {
                return Ok(false);
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
        done(PART_TIMEOUT, self.0.put(&key.object(File::Config), config.into())).await
    }

    /// Stores a file, of which a few parts are in memory at a time.
    async fn put_file(&self, object: &ObjectPath, from: &Path) -> Result<(), StoreError> {
        let mut file = tokio::fs::File::open(from).await.map_err(StoreError::disk)?;
        let mut part = next_part(&mut file).await?;
        if part.len() < PART_BYTES {
            return done(PART_TIMEOUT, self.0.put(object, part.into())).await;
        }
        let mut upload = Upload::begin(&self.0, object).await?;
        while !part.is_empty() {
            upload.write(part).await?;
            part = next_part(&mut file).await?;
        }
        upload.finish().await
    }

    /// The file's bytes as they come, or `None` when there is no such object.
    pub(crate) async fn get(
        &self,
        key: &BlobKey,
        file: File,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, StoreError>>>, StoreError> {
        let found = bounded(ANSWER_TIMEOUT, self.0.get(&key.object(file))).await?;
        Ok(found.map(|found| timely(found.into_stream())))
    }

    /// Removes both files, the config first: what has no config is not there.
    pub(crate) async fn remove(&self, key: &BlobKey) -> Result<(), StoreError> {
        for file in [File::Config, File::Weights] {
            bounded(ANSWER_TIMEOUT, self.0.delete(&key.object(file))).await?;
        }
        Ok(())
    }

    /// Every object, as it comes; those of one adapter one after another.
    pub(crate) fn list(&self) -> BoxStream<'static, Result<Listed, StoreError>> {
        timely(self.0.list(None)).map(|object| Ok(listed(&object?))).boxed()
    }
}

/// A file on its way in parts. Dropped unfinished, it gives up what is stored of it already, which some stores would keep for ever.
struct Upload(Option<WriteMultipart>);

impl Upload {
    async fn begin(store: &dyn ObjectStore, object: &ObjectPath) -> Result<Self, StoreError> {
        let begun = store.put_multipart(object).map_err(unavailable);
        let upload = tokio::time::timeout(ANSWER_TIMEOUT, begun).await.map_err(unavailable)??;
        Ok(Self(Some(WriteMultipart::new_with_chunk_size(upload, PART_BYTES))))
    }

    async fn write(&mut self, part: Vec<u8>) -> Result<(), StoreError> {
        let Some(upload) = &mut self.0 else { return Ok(()) };
        done(PART_TIMEOUT, upload.wait_for_capacity(PARTS_IN_FLIGHT)).await?;
        upload.put(part.into());
        Ok(())
    }

    async fn finish(mut self) -> Result<(), StoreError> {
        if let Some(upload) = &mut self.0 {
            done(PART_TIMEOUT, upload.wait_for_capacity(1)).await?;
        }
        match self.0.take() {
            Some(upload) => done(PART_TIMEOUT, upload.finish()).await,
            None => Ok(()),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(upload), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn(async move {
            if let Err(error) = done(PART_TIMEOUT, upload.abort()).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "parts of an upload stay behind");
            }
        });
    }
}

/// The next [`PART_BYTES`]; fewer at the end, and then none.
async fn next_part(file: &mut tokio::fs::File) -> Result<Vec<u8>, StoreError> {
    let mut part = Vec::with_capacity(PART_BYTES);
    file.take(PART_BYTES as u64).read_to_end(&mut part).await.map_err(StoreError::disk)?;
    Ok(part)
}

fn listed(object: &ObjectMeta) -> Listed {
    // Seconds are as exact as S3 tells.
    let seconds = object.last_modified.timestamp();
    let modified = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    Listed { place: place(&object.location), bytes: object.size, modified }
}

/// Whose an object is. Only a name that we would give is one of ours.
fn place(object: &ObjectPath) -> Place {
    let parts: Vec<&str> = object.as_ref().split('/').collect();
    let [tenant, folder, _, ..] = parts[..] else { return Place::Foreign };
    let Ok(tenant) = TenantId::parse(tenant) else { return Place::Foreign };
    let digest = match folder {
        UPLOADS => return Place::Upload,
        hex => Digest::parse(&format!("sha256:{hex}")),
    };
    let Ok(digest) = digest else { return Place::Foreign };
    let key = BlobKey { tenant, digest };
    let ours = [File::Config, File::Weights].into_iter().any(|file| key.object(file) == *object);
    if ours { Place::Adapter(key) } else { Place::Foreign }
}

/// The answer within the time, or `None` when there is no such object.
async fn bounded<T>(
    limit: Duration,
    answer: impl Future<Output = object_store::Result<T>>,
) -> Result<Option<T>, StoreError> {
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(found)) => Ok(Some(found)),
        Ok(Err(object_store::Error::NotFound { .. })) => Ok(None),
        Ok(Err(error)) => Err(unavailable(error)),
        Err(elapsed) => Err(unavailable(elapsed)),
    }
}

/// Waits for something to be stored; that a place for it is missing is a failure as well.
async fn done<T>(
    limit: Duration,
    stored: impl Future<Output = object_store::Result<T>>,
) -> Result<(), StoreError> {
    let stored = tokio::time::timeout(limit, stored).await.map_err(unavailable)?;
    stored.map(drop).map_err(unavailable)
}

/// A stream whose next item comes in time, or an error in its place.
fn timely<T: Send + 'static>(
    items: BoxStream<'static, object_store::Result<T>>,
) -> BoxStream<'static, Result<T, StoreError>> {
    let next = |mut items: BoxStream<'static, object_store::Result<T>>| async move {
        match tokio::time::timeout(STALL_TIMEOUT, items.next()).await {
            Ok(Some(item)) => Ok(Some((item.map_err(unavailable)?, items))),
            Ok(None) => Ok(None),
            Err(elapsed) => Err(unavailable(elapsed)),
        }
    };
    stream::try_unfold(items, next).boxed()
}

fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::unavailable("the blob store", cause)
}

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod faults;
