//! A part on its way in: streamed to local disk and hashed as it comes, then stored as a whole. Dropping it before leaves
//! nothing.

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::sync::OwnedSemaphorePermit;

use super::UploadStore;
use crate::error::StoreError;
use crate::fault;
use crate::ids::{Digest, PartId, UploadId};
use crate::rows::{now, upload_parts};
use crate::scratch::Scratch;
use crate::upload::{MAX_PART_BYTES, MAX_PARTS, Upload, UploadPart};
use crate::upload_error::UploadError;

const FILE: &str = "part";
const WRITE_BUFFER_BYTES: usize = 256 << 10;

/// A part that is being received.
pub struct IncomingPart {
    store: UploadStore,
    upload: UploadId,
    most_bytes: u64,
    file: BufWriter<tokio::fs::File>,
    bytes: u64,
    hasher: Sha256,
    dir: Scratch,
    _turn: OwnedSemaphorePermit,
}

impl IncomingPart {
    pub(super) async fn begin(
        store: UploadStore,
        upload: &Upload,
        turn: OwnedSemaphorePermit,
    ) -> Result<Self, StoreError> {
        let dir = Scratch::within(store.parts.staging.path())?;
        let file = tokio::fs::File::create_new(dir.path().join(FILE)).await.map_err(StoreError::disk)?;
        Ok(Self {
            store,
            upload: upload.id,
            most_bytes: upload.bytes.min(MAX_PART_BYTES),
            file: BufWriter::with_capacity(WRITE_BUFFER_BYTES, file),
            bytes: 0,
            hasher: Sha256::new(),
            dir,
            _turn: turn,
        })
    }

    /// Takes the next chunk, hashes it and writes it to disk.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        self.bytes = self.bytes.saturating_add(chunk.len() as u64);
        if self.bytes > self.most_bytes {
            return Err(UploadError::PartTooLarge { limit: self.most_bytes }.into());
        }
        self.hasher.update(chunk);
        self.file.write_all(chunk).await.map_err(StoreError::disk)
    }

    /// Ends the part. The same bytes under the same number are the part that they are already; others take its place.
    ///
    /// Once all bytes are here, the part is made even if nobody waits for the answer any more.
    pub async fn finish(mut self, number: Option<u32>) -> Result<UploadPart, StoreError> {
        if self.bytes == 0 {
            return Err(UploadError::EmptyPart.into());
        }
        self.file.flush().await.map_err(StoreError::disk)?;
        let sha256 = Digest::from_bytes(std::mem::take(&mut self.hasher).finalize().into());
        let part =
            UploadPart { id: PartId::generate(), number, bytes: self.bytes, sha256, created_at: now() };
        tokio::spawn(self.settle(part)).await.map_err(StoreError::internal)?
    }

    async fn settle(self, part: UploadPart) -> Result<UploadPart, StoreError> {
        let Self { store, upload, dir, .. } = &self;
        if let Some(same) = store.same_part(*upload, &part).await? {
            return Ok(same);
        }
        let key = store.key(*upload);
        fault::point("upload.part-received");
        {
            let _turn = store.parts.turns.store().await?;
            store.parts.blobs.put_part(key, part.id, &dir.path().join(FILE)).await?;
        }
        fault::point("upload.part-bytes");
        // Bytes before row; without a row they are nobody's.
        let id = part.id;
        let (obsolete, settled) = match store.insert_part(*upload, part).await {
            Ok((settled, replaced)) => (replaced, Ok(settled)),
            Err(error) => (Some(id), Err(error)),
        };
        fault::point("upload.part-row");
        if let Some(obsolete) = obsolete
            && let Err(error) = store.parts.blobs.remove_part(key, obsolete).await
        {
            tracing::warn!(part = %obsolete, error = &error as &dyn std::error::Error, "the bytes of an abandoned part stay until its upload ends");
        }
        settled
    }
}

impl UploadStore {
    /// What has arrived under the part's number already, if it is the same.
    async fn same_part(&self, upload: UploadId, part: &UploadPart) -> Result<Option<UploadPart>, StoreError> {
        let Some(number) = part.number else { return Ok(None) };
        let mut transaction = self.read().await?;
        let there = upload_parts::numbered(&mut transaction, self.tenant, upload, number).await?;
        Ok(there.filter(|there| is_same(there, part)))
    }

    /// Adds the part's row, unless the upload has ended or has no room. The part whose bytes nobody needs then, too.
    async fn insert_part(
        &self,
        upload: UploadId,
        part: UploadPart,
    ) -> Result<(UploadPart, Option<PartId>), StoreError> {
        let mut transaction = self.begin().await?;
        let locked = self.lock(&mut transaction, upload).await?.pending()?;
        let there = match part.number {
            Some(number) => upload_parts::numbered(&mut transaction, self.tenant, upload, number).await?,
            None => None,
        };
        let replaced = match there {
            // Sent twice at the same time.
            Some(there) if is_same(&there, &part) => return Ok((there, Some(part.id))),
            there => there.map(|there| there.id),
        };
        if let Some(replaced) = replaced {
            upload_parts::delete(&mut transaction, self.tenant, upload, replaced).await?;
        }
        let (parts, bytes) = upload_parts::sums(&mut transaction, self.tenant, upload).await?;
        if parts >= u64::from(MAX_PARTS) {
            return Err(UploadError::Full { what: "parts", limit: u64::from(MAX_PARTS) }.into());
        }
        if bytes + part.bytes > locked.room() {
            return Err(UploadError::Full { what: "bytes", limit: locked.room() }.into());
        }
        upload_parts::insert(&mut transaction, self.tenant, upload, &part).await?;
        transaction.commit().await?;
        Ok((part, replaced))
    }
}

fn is_same(one: &UploadPart, other: &UploadPart) -> bool {
    (one.bytes, one.sha256) == (other.bytes, other.sha256)
}
