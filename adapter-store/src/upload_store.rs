//! One tenant's resumable uploads, in the name of one actor: begin → parts → complete → used for a version, or given up.
//!
//! An upload's row is there before its first byte and goes after its last one, so whatever lies in its folder belongs to a
//! row. A part's bytes are there before its own row, so a row always has bytes.

mod completion;
mod incoming;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::blobs::parts::PartsKey;
use crate::database::{Transaction, Whose};
use crate::error::StoreError;
use crate::ids::{Digest, PartId, TenantId, UploadId};
use crate::limits::{Cap, LimitOverrides};
use crate::parts::Parts;
use crate::rows::audit::{self, Entry};
use crate::rows::{exact, now, tenants, upload_parts, uploads};
use crate::staging::Staging;
use crate::tenant::{Actor, ActorKind, Page, Paging};
use crate::upload::{
    MAX_OPEN_UPLOADS, NewUpload, UPLOAD_LIFETIME, Upload, UploadPart, UploadState, UploadStatus,
};
use crate::upload_error::UploadError;
use crate::upload_expiry;

pub use self::incoming::IncomingPart;

/// One tenant's resumable uploads.
#[derive(Clone)]
pub struct UploadStore {
    parts: Arc<Parts>,
    tenant: TenantId,
    actor: Actor,
}

impl UploadStore {
    pub(crate) fn new(parts: Arc<Parts>, tenant: TenantId, actor: Actor) -> Self {
        Self { parts, tenant, actor }
    }

    /// Begins an upload, and reserves its bytes among those that the tenant may have.
    pub async fn create(&self, new: NewUpload, limits: &LimitOverrides) -> Result<Upload, StoreError> {
        let limit = self.parts.max_adapter_bytes;
        if new.bytes > limit {
            return Err(StoreError::TooLarge { file: "bytes", limit });
        }
        let created_at = now();
        let upload = Upload {
            id: UploadId::generate(),
            filename: new.filename,
            purpose: new.purpose,
            mime_type: new.mime_type,
            bytes: new.bytes,
            sha256: new.sha256,
            state: UploadState::Pending,
            created_by: match self.actor.kind {
                ActorKind::Key(key) => Some(key),
                _ => None,
            },
            created_at,
            expires_at: exact(created_at + new.lifetime.unwrap_or(UPLOAD_LIFETIME)),
            completed_at: None,
        };
        let mut transaction = self.begin().await?;
        tenants::lock(&mut transaction, self.tenant).await?;
        let taken = uploads::taken(&mut transaction, self.tenant).await?;
        if taken.uploads >= MAX_OPEN_UPLOADS {
            return Err(UploadError::TooMany { limit: MAX_OPEN_UPLOADS }.into());
        }
        let most = limits.adapter_bytes.and_then(Cap::most);
        if let Some(limit) = most.filter(|most| taken.bytes + upload.bytes > *most) {
            return Err(StoreError::OverQuota { what: "bytes of adapters and of uploads", limit });
        }
        uploads::insert(&mut transaction, self.tenant, &upload).await?;
        let detail = json!({ "filename": upload.filename, "bytes": upload.bytes });
        self.record(
            &mut transaction,
            Entry { action: "upload.create", subject: upload.id.to_string(), detail },
        )
        .await?;
        transaction.commit().await?;
        Ok(upload)
    }

    /// One upload, or [`UploadError::NotFound`].
    pub async fn show(&self, id: UploadId) -> Result<Upload, StoreError> {
        let mut transaction = self.read().await?;
        Ok(uploads::find(&mut transaction, self.tenant, id).await?.ok_or(UploadError::NotFound)?)
    }

    /// The uploads, newest first: all that are remembered, or those with this status.
    pub async fn list(
        &self,
        status: Option<UploadStatus>,
        paging: &Paging<UploadId>,
    ) -> Result<Page<Upload>, StoreError> {
        uploads::list(&mut self.read().await?, self.tenant, status, paging).await
    }

    /// The upload's parts, in the order in which they arrived; none when it has ended.
    pub async fn list_parts(
        &self,
        id: UploadId,
        paging: &Paging<PartId>,
    ) -> Result<Page<UploadPart>, StoreError> {
        let mut transaction = self.read().await?;
        let upload = uploads::find(&mut transaction, self.tenant, id).await?.ok_or(UploadError::NotFound)?;
        if !upload.state.is_open() {
            return Ok(Page { items: Vec::new(), has_more: false });
        }
        upload_parts::list(&mut transaction, self.tenant, id, paging).await
    }

    /// Begins to receive a part, after waiting for the tenant's turn.
    pub async fn begin_part(&self, id: UploadId) -> Result<IncomingPart, StoreError> {
        let upload = self.show(id).await?.pending()?;
        let turn = self.parts.turns.receive(self.tenant).await?;
        IncomingPart::begin(self.clone(), &upload, turn).await
    }

    /// Gives an upload up, pending or completed; its bytes go. Giving it up again changes nothing.
    pub async fn cancel(&self, id: UploadId) -> Result<Upload, StoreError> {
        let mut transaction = self.begin().await?;
        let mut upload = self.lock(&mut transaction, id).await?;
        if upload.state == UploadState::Cancelled {
            return Ok(upload);
        }
        if upload.state != UploadState::Completed {
            upload = upload.pending()?;
        }
        upload.state = UploadState::Cancelled;
        uploads::end(&mut transaction, self.tenant, id, upload.state).await?;
        let entry = Entry { action: "upload.cancel", subject: id.to_string(), detail: json!({}) };
        self.record(&mut transaction, entry).await?;
        transaction.commit().await?;
        self.release(id).await;
        Ok(upload)
    }

    /// Ends a completed upload that a version was made of: its own bytes go. The version is there whatever happens here.
    pub async fn consume(&self, id: UploadId) {
        match self.mark_used(id).await {
            Ok(()) => self.release(id).await,
            Err(error) => {
                tracing::warn!(upload = %id, error = &error as &dyn std::error::Error, "the bytes of a used upload stay until it expires");
            }
        }
    }

    async fn mark_used(&self, id: UploadId) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        // Another request may have used it, too.
        if self.lock(&mut transaction, id).await?.state == UploadState::Completed {
            uploads::end(&mut transaction, self.tenant, id, UploadState::Used).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Copies a completed upload's bytes into a staging area and proves once more that they are what they were.
    pub(crate) async fn copy_into(&self, id: UploadId, staging: &mut Staging) -> Result<(), StoreError> {
        let mut transaction = self.read().await?;
        let upload = uploads::find(&mut transaction, self.tenant, id).await?.ok_or(UploadError::NotFound)?;
        let digest = upload.completed()?.sha256;
        let part_ids = uploads::part_ids(&mut transaction, self.tenant, id).await?;
        drop(transaction);

        let mut hasher = Sha256::new();
        for part in part_ids {
            let Some(mut bytes) = self.bytes_of(id, part).await? else {
                // Used or given up meanwhile, or lost.
                return match self.show(id).await?.completed()?.sha256 {
                    Some(digest) => Err(StoreError::Corrupt { digest }),
                    None => Err(StoreError::internal("a completed upload has no digest")),
                };
            };
            while let Some(chunk) = bytes.try_next().await? {
                hasher.update(&chunk);
                staging.write_weights(chunk).await?;
            }
        }
        let found = Digest::from_bytes(hasher.finalize().into());
        if digest == Some(found) { Ok(()) } else { Err(StoreError::Corrupt { digest: found }) }
    }

    async fn bytes_of(
        &self,
        id: UploadId,
        part: PartId,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, StoreError>>>, StoreError> {
        self.parts.blobs.get_part(self.key(id), part).await
    }

    /// Removes what an ended upload leaves behind. What cannot be removed now, the next sweep removes.
    async fn release(&self, id: UploadId) {
        if let Err(error) = upload_expiry::release(&self.parts, self.tenant, id).await {
            tracing::warn!(upload = %id, error = &error as &dyn std::error::Error, "the parts of an ended upload stay for a while");
        }
    }

    /// The upload, which nobody else changes until the transaction ends.
    async fn lock(&self, transaction: &mut Transaction, id: UploadId) -> Result<Upload, StoreError> {
        Ok(uploads::lock(transaction, self.tenant, id).await?.ok_or(UploadError::NotFound)?)
    }

    async fn begin(&self) -> Result<Transaction, StoreError> {
        self.parts.database.begin(Whose::Tenant(self.tenant)).await
    }

    async fn read(&self) -> Result<Transaction, StoreError> {
        self.parts.database.read(Whose::Tenant(self.tenant)).await
    }

    async fn record(&self, transaction: &mut Transaction, entry: Entry) -> Result<(), StoreError> {
        audit::record(transaction, self.tenant, &self.actor, entry).await
    }

    fn key(&self, upload: UploadId) -> PartsKey {
        PartsKey { tenant: self.tenant, upload }
    }
}
