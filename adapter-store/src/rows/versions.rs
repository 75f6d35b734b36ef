//! The table `adapter_versions`. The callers hold the tenant's lock while they change it.

use std::collections::BTreeSet;

use sqlx::FromRow;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::adapters;
use crate::adapter::{SHOWN_VERSIONS, Version, VersionRecord};
use crate::database::{Either, Transaction, execute, on};
use crate::error::StoreError;
use crate::ids::{AdapterName, Digest, Reason, TenantId, VersionNumber};
use crate::tenant::{Page, Paging};

/// What a request needs to know of a version.
macro_rules! version {
    () => {
        "v.adapter, v.number, v.digest, v.bytes, v.base_fingerprint, v.disabled, v.created_at"
    };
}

#[derive(FromRow)]
struct VersionRow {
    adapter: AdapterName,
    number: i64,
    digest: Digest,
    bytes: i64,
    base_fingerprint: String,
    disabled: Option<Reason>,
    created_at: OffsetDateTime,
}

#[derive(FromRow)]
struct RecordRow {
    #[sqlx(flatten)]
    version: VersionRow,
    report: Json<serde_json::Value>,
}

impl TryFrom<VersionRow> for Version {
    type Error = StoreError;

    fn try_from(row: VersionRow) -> Result<Self, StoreError> {
        Ok(Self {
            adapter: row.adapter,
            number: row.number.try_into().map_err(StoreError::internal)?,
            digest: row.digest,
            bytes: row.bytes.try_into().map_err(StoreError::internal)?,
            base_fingerprint: row.base_fingerprint,
            disabled: row.disabled,
            created_at: row.created_at,
        })
    }
}

impl TryFrom<RecordRow> for VersionRecord {
    type Error = StoreError;

    fn try_from(row: RecordRow) -> Result<Self, StoreError> {
        Ok(Self { version: row.version.try_into()?, report: row.report.0 })
    }
}

/// A live version, without its report.
pub(crate) async fn find(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    adapter: &AdapterName,
    number: VersionNumber,
) -> Result<Option<Version>, StoreError> {
    const SELECT: &str = concat!(
        "SELECT ",
        version!(),
        " FROM adapter_versions v WHERE v.tenant_id = $1 AND v.adapter = $2 AND v.number = $3 AND v.deleted_at IS NULL"
    );
    let row: Option<VersionRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(adapter)
        .bind(i64::from(number.get()))
        .fetch_optional(&mut **t))?;
    row.map(Version::try_from).transpose()
}

/// A live version with its report.
pub(crate) async fn show(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    adapter: &AdapterName,
    number: VersionNumber,
) -> Result<Option<VersionRecord>, StoreError> {
    const SELECT: &str = concat!(
        "SELECT ",
        version!(),
        ", v.report FROM adapter_versions v \
         WHERE v.tenant_id = $1 AND v.adapter = $2 AND v.number = $3 AND v.deleted_at IS NULL"
    );
    let row: Option<RecordRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(adapter)
        .bind(i64::from(number.get()))
        .fetch_optional(&mut **t))?;
    row.map(VersionRecord::try_from).transpose()
}

/// An adapter's live versions, newest first.
pub(crate) async fn list(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    adapter: &AdapterName,
    paging: &Paging<VersionNumber>,
) -> Result<Page<VersionRecord>, StoreError> {
    const SELECT: &str = concat!(
        "SELECT ",
        version!(),
        ", v.report FROM adapter_versions v WHERE v.tenant_id = $1 AND v.adapter = $2 AND v.number < $3 \
         AND v.deleted_at IS NULL ORDER BY v.number DESC LIMIT $4"
    );
    let rows: Vec<RecordRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(adapter)
        .bind(paging.after.map_or(i64::MAX, |after| i64::from(after.get())))
        .bind(paging.rows())
        .fetch_all(&mut **t))?;
    let records = rows.into_iter().map(VersionRecord::try_from).collect::<Result<_, _>>()?;
    Ok(Page::new(records, paging.length()))
}

/// The newest live versions of these adapters, newest first.
pub(crate) async fn newest(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    adapters: &[&AdapterName],
) -> Result<Vec<VersionRecord>, StoreError> {
    macro_rules! of {
        ($adapters:literal) => {
            concat!(
                "SELECT ",
                version!(),
                ", v.report FROM adapter_versions v JOIN adapters a ON a.tenant_id = v.tenant_id AND a.name = v.adapter WHERE ",
                $adapters,
                " AND v.deleted_at IS NULL AND v.number > a.last_number - $3 ORDER BY v.number DESC"
            )
        };
    }
    const SQLITE: &str = of!("v.tenant_id = $1 AND v.adapter IN (SELECT value FROM json_each($2))");
    const POSTGRES: &str = of!(
        "v.tenant_id = $1 AND v.adapter = ANY (ARRAY (SELECT n.name FROM jsonb_array_elements_text($2) AS n (name)))"
    );
    let select = match transaction {
        Either::Sqlite(_) => SQLITE,
        Either::Postgres(_) => POSTGRES,
    };
    let rows: Vec<RecordRow> = on!(transaction, t => sqlx::query_as(select)
        .bind(tenant_id)
        .bind(Json(adapters))
        .bind(i64::from(SHOWN_VERSIONS))
        .fetch_all(&mut **t))?;
    rows.into_iter().map(VersionRecord::try_from).collect()
}

/// The live version of an adapter with this content, checked against this base.
pub(crate) async fn same_content(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    candidate: &NewVersion,
) -> Result<Option<VersionRecord>, StoreError> {
    const SELECT: &str = concat!(
        "SELECT ",
        version!(),
        ", v.report FROM adapter_versions v WHERE v.tenant_id = $1 AND v.adapter = $2 AND v.digest = $3 \
         AND v.base_fingerprint = $4 AND v.deleted_at IS NULL"
    );
    let row: Option<RecordRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(&candidate.adapter)
        .bind(candidate.digest)
        .bind(&candidate.base_fingerprint)
        .fetch_optional(&mut **t))?;
    row.map(VersionRecord::try_from).transpose()
}

/// A version that has no number yet.
pub(crate) struct NewVersion {
    pub(crate) adapter: AdapterName,
    pub(crate) digest: Digest,
    pub(crate) bytes: u64,
    pub(crate) base_fingerprint: String,
    pub(crate) report: serde_json::Value,
    pub(crate) created_at: OffsetDateTime,
}

/// Gives the version the adapter's next number and adds its row.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    new: NewVersion,
) -> Result<VersionRecord, StoreError> {
    const INSERT: &str = "INSERT INTO adapter_versions \
                          (tenant_id, adapter, number, digest, bytes, base_fingerprint, report, created_at) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let number = adapters::next_number(transaction, tenant_id, &new.adapter, new.created_at).await?;
    execute!(
        transaction,
        sqlx::query(INSERT)
            .bind(tenant_id)
            .bind(&new.adapter)
            .bind(i64::from(number.get()))
            .bind(new.digest)
            .bind(new.bytes as i64)
            .bind(&new.base_fingerprint)
            .bind(Json(&new.report))
            .bind(new.created_at)
    )?;
    let NewVersion { adapter, digest, bytes, base_fingerprint, report, created_at } = new;
    let version = Version { adapter, number, digest, bytes, base_fingerprint, disabled: None, created_at };
    Ok(VersionRecord { version, report })
}

/// Takes a version out of service, or (without a reason) puts it back.
pub(crate) async fn disable(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    (adapter, number): (&AdapterName, VersionNumber),
    reason: Option<&Reason>,
) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE adapter_versions SET disabled = $4 \
                          WHERE tenant_id = $1 AND adapter = $2 AND number = $3 AND deleted_at IS NULL";
    let number = i64::from(number.get());
    execute!(transaction, sqlx::query(UPDATE).bind(tenant_id).bind(adapter).bind(number).bind(reason))
        .map(drop)
}

/// Turns one version into a tombstone.
pub(crate) async fn delete(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    (adapter, number): (&AdapterName, VersionNumber),
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    const DELETE: &str = "UPDATE adapter_versions SET deleted_at = $4 \
                          WHERE tenant_id = $1 AND adapter = $2 AND number = $3 AND deleted_at IS NULL";
    let number = i64::from(number.get());
    execute!(transaction, sqlx::query(DELETE).bind(tenant_id).bind(adapter).bind(number).bind(now)).map(drop)
}

/// Turns the versions of one adapter, or of all (`adapter` null), into tombstones; returns the digests they had.
pub(crate) async fn delete_all(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    adapter: Option<&AdapterName>,
    now: OffsetDateTime,
) -> Result<BTreeSet<Digest>, StoreError> {
    const DELETE: &str = "UPDATE adapter_versions SET deleted_at = $3 WHERE tenant_id = $1 \
                          AND ($2 IS NULL OR adapter = $2) AND deleted_at IS NULL RETURNING digest";
    let digests: Vec<(Digest,)> = on!(transaction, t => sqlx::query_as(DELETE)
        .bind(tenant_id)
        .bind(adapter)
        .bind(now)
        .fetch_all(&mut **t))?;
    Ok(digests.into_iter().map(|row| row.0).collect())
}

/// Bytes of all live versions of a tenant; the same content under two names counts twice.
pub(crate) async fn bytes(transaction: &mut Transaction, tenant_id: TenantId) -> Result<u64, StoreError> {
    const SUM: &str = "SELECT CAST(COALESCE(SUM(bytes), 0) AS bigint) FROM adapter_versions \
                       WHERE tenant_id = $1 AND deleted_at IS NULL";
    let (bytes,): (i64,) = on!(transaction, t => sqlx::query_as(SUM).bind(tenant_id).fetch_one(&mut **t))?;
    bytes.try_into().map_err(StoreError::internal)
}

/// Whether a live version of the tenant has this content.
pub(crate) async fn uses_digest(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    digest: Digest,
) -> Result<bool, StoreError> {
    const SELECT: &str = "SELECT number FROM adapter_versions WHERE tenant_id = $1 AND digest = $2 AND deleted_at IS NULL LIMIT 1";
    let found: Option<(i64,)> =
        on!(transaction, t => sqlx::query_as(SELECT).bind(tenant_id).bind(digest).fetch_optional(&mut **t))?;
    Ok(found.is_some())
}
