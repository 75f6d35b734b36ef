//! The end of resumable uploads: whose time is over ends, what has ended loses its bytes, and what ended long ago its row.

use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::blobs::parts::PartsKey;
use crate::database::Whose;
use crate::error::StoreError;
use crate::ids::{TenantId, UploadId};
use crate::parts::Parts;
use crate::rows::audit::{self, Entry};
use crate::rows::{now, upload_parts, uploads};
use crate::tenant::Actor;

/// How long an upload that has ended is remembered, counted from when it would have expired. Far longer than any request
/// that could still bring it a part.
const REMEMBERED: Duration = Duration::days(7);
/// Uploads that are looked up together.
const BATCH: u32 = 100;

/// Ends what is over and removes what has ended, until nothing is left to do or something fails. Several servers may do so
/// at once.
pub(crate) async fn expire_uploads(parts: &Parts) -> Result<(), StoreError> {
    while expire_some(parts).await? == BATCH as usize {}
    while release_some(parts).await? == BATCH as usize {}
    while forget_some(parts, now() - REMEMBERED).await? == BATCH as usize {}
    Ok(())
}

async fn expire_some(parts: &Parts) -> Result<usize, StoreError> {
    let found = uploads::overdue(&mut parts.database.read(Whose::Operator).await?, BATCH).await?;
    for (tenant, id) in &found {
        expire(parts, *tenant, *id).await?;
    }
    Ok(found.len())
}

async fn expire(parts: &Parts, tenant: TenantId, id: UploadId) -> Result<(), StoreError> {
    let mut transaction = parts.database.begin(Whose::Tenant(tenant)).await?;
    if uploads::expire(&mut transaction, tenant, id).await? {
        let entry = Entry { action: "upload.expire", subject: id.to_string(), detail: json!({}) };
        audit::record(&mut transaction, tenant, &Actor::SYSTEM, entry).await?;
        transaction.commit().await?;
    }
    Ok(())
}

async fn release_some(parts: &Parts) -> Result<usize, StoreError> {
    let found = uploads::unreleased(&mut parts.database.read(Whose::Operator).await?, BATCH).await?;
    for (tenant, id) in &found {
        release(parts, *tenant, *id).await?;
    }
    Ok(found.len())
}

/// Removes the bytes of an ended upload, and then the rows that say that there may be some.
pub(crate) async fn release(parts: &Parts, tenant: TenantId, upload: UploadId) -> Result<(), StoreError> {
    parts.blobs.remove_parts(PartsKey { tenant, upload }).await?;
    let mut transaction = parts.database.begin(Whose::Tenant(tenant)).await?;
    upload_parts::delete_all(&mut transaction, tenant, upload).await?;
    transaction.commit().await
}

async fn forget_some(parts: &Parts, before: OffsetDateTime) -> Result<usize, StoreError> {
    let ended =
        uploads::ended_before(&mut parts.database.read(Whose::Operator).await?, before, BATCH).await?;
    for (tenant, id) in &ended {
        // Bytes of a part whose server died before it wrote the row are nowhere else known.
        release(parts, *tenant, *id).await?;
        let mut transaction = parts.database.begin(Whose::Tenant(*tenant)).await?;
        uploads::delete(&mut transaction, *tenant, *id).await?;
        transaction.commit().await?;
    }
    Ok(ended.len())
}
