//! The table `upload_parts`. The callers hold the upload's lock while they change it.

use sqlx::FromRow;
use time::OffsetDateTime;

use crate::database::{Transaction, execute, on};
use crate::error::StoreError;
use crate::ids::{Digest, PartId, TenantId, UploadId};
use crate::tenant::{Page, Paging};
use crate::upload::{MAX_PARTS, UploadPart};

#[derive(FromRow)]
struct PartRow {
    id: PartId,
    number: Option<i64>,
    bytes: i64,
    sha256: Digest,
    created_at: OffsetDateTime,
}

impl TryFrom<PartRow> for UploadPart {
    type Error = StoreError;

    fn try_from(row: PartRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            number: row.number.map(u32::try_from).transpose().map_err(StoreError::internal)?,
            bytes: row.bytes.try_into().map_err(StoreError::internal)?,
            sha256: row.sha256,
            created_at: row.created_at,
        })
    }
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    upload: UploadId,
    part: &UploadPart,
) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO upload_parts (tenant_id, upload_id, id, number, bytes, sha256, created_at) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7)";
    execute!(
        transaction,
        sqlx::query(INSERT)
            .bind(tenant_id)
            .bind(upload)
            .bind(part.id)
            .bind(part.number.map(i64::from))
            .bind(part.bytes as i64)
            .bind(part.sha256)
            .bind(part.created_at)
    )
    .map(drop)
}

/// Every part, in the order in which they arrived.
pub(crate) async fn all(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    upload: UploadId,
) -> Result<Vec<UploadPart>, StoreError> {
    select(transaction, tenant_id, upload, None, i64::from(MAX_PARTS)).await
}

/// Some of the parts, in the order in which they arrived.
pub(crate) async fn list(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    upload: UploadId,
    paging: &Paging<PartId>,
) -> Result<Page<UploadPart>, StoreError> {
    let parts = select(transaction, tenant_id, upload, paging.after, paging.rows()).await?;
    Ok(Page::new(parts, paging.length()))
}

async fn select(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    upload: UploadId,
    after: Option<PartId>,
    limit: i64,
) -> Result<Vec<UploadPart>, StoreError> {
    const SELECT: &str = "SELECT id, number, bytes, sha256, created_at FROM upload_parts WHERE tenant_id = $1 \
                          AND upload_id = $2 AND ($3 IS NULL OR id > $3) ORDER BY id LIMIT $4";
    let rows: Vec<PartRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(upload)
        .bind(after)
        .bind(limit)
        .fetch_all(&mut **t))?;
    rows.into_iter().map(UploadPart::try_from).collect()
}

/// The part with this number, if there is one.
pub(crate) async fn numbered(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    upload: UploadId,
    number: u32,
) -> Result<Option<UploadPart>, StoreError> {
    const SELECT: &str = "SELECT id, number, bytes, sha256, created_at FROM upload_parts \
                          WHERE tenant_id = $1 AND upload_id = $2 AND number = $3";
    let row: Option<PartRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(upload)
        .bind(i64::from(number))
        .fetch_optional(&mut **t))?;
    row.map(UploadPart::try_from).transpose()
}

/// How many parts there are, and their bytes.
pub(crate) async fn sums(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    upload: UploadId,
) -> Result<(u64, u64), StoreError> {
    const SELECT: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(bytes), 0) AS bigint) FROM upload_parts \
                          WHERE tenant_id = $1 AND upload_id = $2";
    let (parts, bytes): (i64, i64) =
        on!(transaction, t => sqlx::query_as(SELECT).bind(tenant_id).bind(upload).fetch_one(&mut **t))?;
    Ok((parts.try_into().map_err(StoreError::internal)?, bytes.try_into().map_err(StoreError::internal)?))
}

pub(crate) async fn delete(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    upload: UploadId,
    id: PartId,
) -> Result<(), StoreError> {
    const DELETE: &str = "DELETE FROM upload_parts WHERE tenant_id = $1 AND upload_id = $2 AND id = $3";
    execute!(transaction, sqlx::query(DELETE).bind(tenant_id).bind(upload).bind(id)).map(drop)
}

pub(crate) async fn delete_all(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    upload: UploadId,
) -> Result<(), StoreError> {
    const DELETE: &str = "DELETE FROM upload_parts WHERE tenant_id = $1 AND upload_id = $2";
    execute!(transaction, sqlx::query(DELETE).bind(tenant_id).bind(upload)).map(drop)
}
