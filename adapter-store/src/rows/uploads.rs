//! The table `uploads`.

use sqlx::FromRow;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::{now, versions};
use crate::database::{Either, Transaction, execute, on};
use crate::error::StoreError;
use crate::ids::{Digest, KeyId, PartId, ShortText, TenantId, UploadId};
use crate::tenant::{Page, Paging};
use crate::upload::{Upload, UploadState, UploadStatus};

#[derive(FromRow)]
struct UploadRow {
    id: UploadId,
    filename: ShortText,
    purpose: ShortText,
    mime_type: ShortText,
    bytes: i64,
    sha256: Option<Digest>,
    state: String,
    created_by: Option<KeyId>,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    completed_at: Option<OffsetDateTime>,
}

impl TryFrom<UploadRow> for Upload {
    type Error = StoreError;

    fn try_from(row: UploadRow) -> Result<Self, StoreError> {
        let state = UploadState::parse(&row.state)
            .ok_or_else(|| StoreError::internal(format!("the upload state {:?}", row.state)))?;
        // Its time is over whether or not anybody has cleaned up yet.
        let over = state.is_open() && row.expires_at <= now();
        Ok(Self {
            id: row.id,
            filename: row.filename,
            purpose: row.purpose,
            mime_type: row.mime_type,
            bytes: row.bytes.try_into().map_err(StoreError::internal)?,
            sha256: row.sha256,
            state: if over { UploadState::Expired } else { state },
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            completed_at: row.completed_at,
        })
    }
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    upload: &Upload,
) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO uploads (tenant_id, id, filename, purpose, mime_type, bytes, sha256, state, created_by, \
                          created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    execute!(
        transaction,
        sqlx::query(INSERT)
            .bind(tenant_id)
            .bind(upload.id)
            .bind(&upload.filename)
            .bind(&upload.purpose)
            .bind(&upload.mime_type)
            .bind(upload.bytes as i64)
            .bind(upload.sha256)
            .bind(upload.state.as_str())
            .bind(upload.created_by)
            .bind(upload.created_at)
            .bind(upload.expires_at)
    )
    .map(drop)
}

pub(crate) async fn find(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: UploadId,
) -> Result<Option<Upload>, StoreError> {
    const SELECT: &str = "SELECT id, filename, purpose, mime_type, bytes, sha256, state, created_by, created_at, expires_at, \
                          completed_at FROM uploads WHERE tenant_id = $1 AND id = $2";
    let row: Option<UploadRow> =
        on!(transaction, t => sqlx::query_as(SELECT).bind(tenant_id).bind(id).fetch_optional(&mut **t))?;
    row.map(Upload::try_from).transpose()
}

/// The upload, which nobody else changes until the transaction ends.
pub(crate) async fn lock(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: UploadId,
) -> Result<Option<Upload>, StoreError> {
    // SQLite's write lock is already held. Postgres: NO KEY, so that parts, which only refer to the upload, do not wait.
    const LOCK: &str = "SELECT id FROM uploads WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE";
    if let Either::Postgres(t) = transaction {
        let lock = sqlx::query(LOCK).bind(tenant_id).bind(id);
        crate::database::bounded(lock.execute(&mut **t)).await?;
    }
    find(transaction, tenant_id, id).await
}

/// Newest first: all, or those with this status.
pub(crate) async fn list(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    status: Option<UploadStatus>,
    paging: &Paging<UploadId>,
) -> Result<Page<Upload>, StoreError> {
    const SELECT: &str = "SELECT id, filename, purpose, mime_type, bytes, sha256, state, created_by, created_at, expires_at, \
                          completed_at FROM uploads WHERE tenant_id = $1 AND ($2 IS NULL OR id < $2) \
                          AND ($3 IS NULL OR $3 = CASE WHEN state IN ('pending', 'completed') AND expires_at <= $4 \
                          THEN 'expired' WHEN state = 'used' THEN 'completed' ELSE state END) ORDER BY id DESC LIMIT $5";
    let rows: Vec<UploadRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(paging.after)
        .bind(status.map(UploadStatus::as_str))
        .bind(now())
        .bind(paging.rows())
        .fetch_all(&mut **t))?;
    let uploads = rows.into_iter().map(Upload::try_from).collect::<Result<_, _>>()?;
    Ok(Page::new(uploads, paging.length()))
}

/// What a tenant has taken of what it may have.
pub(crate) struct Taken {
    /// Uploads with bytes.
    pub(crate) uploads: u64,
    /// Bytes of all live versions, and those reserved for uploads.
    pub(crate) bytes: u64,
}

/// What the tenant has taken, before another upload begins.
pub(crate) async fn taken(transaction: &mut Transaction, tenant_id: TenantId) -> Result<Taken, StoreError> {
    const RESERVED: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(bytes), 0) AS bigint) FROM uploads \
                            WHERE tenant_id = $1 AND state IN ('pending', 'completed') AND expires_at > $2";
    let (uploads, reserved): (i64, i64) = on!(transaction, t => sqlx::query_as(RESERVED)
        .bind(tenant_id)
        .bind(now())
        .fetch_one(&mut **t))?;
    Ok(Taken {
        uploads: uploads.try_into().map_err(StoreError::internal)?,
        bytes: versions::bytes(transaction, tenant_id).await?
            + u64::try_from(reserved).map_err(StoreError::internal)?,
    })
}

/// Makes a pending upload a completed one; `upload` says how it is then.
pub(crate) async fn complete(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    upload: &Upload,
    part_ids: &[PartId],
) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE uploads SET state = $3, sha256 = $4, completed_at = $5, part_ids = $6 \
                          WHERE tenant_id = $1 AND id = $2";
    execute!(
        transaction,
        sqlx::query(UPDATE)
            .bind(tenant_id)
            .bind(upload.id)
            .bind(upload.state.as_str())
            .bind(upload.sha256)
            .bind(upload.completed_at)
            .bind(Json(part_ids))
    )
    .map(drop)
}

/// The parts that the upload was completed with, in their order; none while it is not completed.
pub(crate) async fn part_ids(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: UploadId,
) -> Result<Vec<PartId>, StoreError> {
    const SELECT: &str = "SELECT part_ids FROM uploads WHERE tenant_id = $1 AND id = $2";
    let row: Option<(Option<Json<Vec<PartId>>>,)> =
        on!(transaction, t => sqlx::query_as(SELECT).bind(tenant_id).bind(id).fetch_optional(&mut **t))?;
    Ok(row.and_then(|row| row.0).map(|ids| ids.0).unwrap_or_default())
}

/// Ends the upload; its bytes are to be removed then.
pub(crate) async fn end(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: UploadId,
    state: UploadState,
) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE uploads SET state = $3 WHERE tenant_id = $1 AND id = $2";
    execute!(transaction, sqlx::query(UPDATE).bind(tenant_id).bind(id).bind(state.as_str())).map(drop)
}

/// Ends the upload as expired, and tells whether it had not ended before.
pub(crate) async fn expire(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: UploadId,
) -> Result<bool, StoreError> {
    const UPDATE: &str = "UPDATE uploads SET state = 'expired' \
                          WHERE tenant_id = $1 AND id = $2 AND state IN ('pending', 'completed')";
    Ok(execute!(transaction, sqlx::query(UPDATE).bind(tenant_id).bind(id))? == 1)
}

/// Forgets the upload, whose parts are gone.
pub(crate) async fn delete(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: UploadId,
) -> Result<(), StoreError> {
    const DELETE: &str = "DELETE FROM uploads WHERE tenant_id = $1 AND id = $2";
    execute!(transaction, sqlx::query(DELETE).bind(tenant_id).bind(id)).map(drop)
}

/// Uploads of all tenants, at most so many, whose time is over though they have not ended.
pub(crate) async fn overdue(
    transaction: &mut Transaction,
    limit: u32,
) -> Result<Vec<(TenantId, UploadId)>, StoreError> {
    const SELECT: &str = "SELECT u.tenant_id, u.id FROM uploads u JOIN tenants t ON t.id = u.tenant_id \
                          WHERE u.state IN ('pending', 'completed') AND (u.expires_at <= $1 OR t.status = 'deleted') LIMIT $2";
    on!(transaction, t => sqlx::query_as(SELECT).bind(now()).bind(i64::from(limit)).fetch_all(&mut **t))
}

/// Ended uploads of all tenants, at most so many, that still have parts.
pub(crate) async fn unreleased(
    transaction: &mut Transaction,
    limit: u32,
) -> Result<Vec<(TenantId, UploadId)>, StoreError> {
    const SELECT: &str = "SELECT DISTINCT p.tenant_id, p.upload_id FROM upload_parts p \
                          JOIN uploads u ON u.tenant_id = p.tenant_id AND u.id = p.upload_id \
                          WHERE u.state NOT IN ('pending', 'completed') LIMIT $1";
    on!(transaction, t => sqlx::query_as(SELECT).bind(i64::from(limit)).fetch_all(&mut **t))
}

/// Ended uploads of all tenants, at most so many, that would have expired before this.
pub(crate) async fn ended_before(
    transaction: &mut Transaction,
    before: OffsetDateTime,
    limit: u32,
) -> Result<Vec<(TenantId, UploadId)>, StoreError> {
    const SELECT: &str = "SELECT tenant_id, id FROM uploads \
                          WHERE state NOT IN ('pending', 'completed') AND expires_at < $1 LIMIT $2";
    on!(transaction, t => sqlx::query_as(SELECT).bind(before).bind(i64::from(limit)).fetch_all(&mut **t))
}
