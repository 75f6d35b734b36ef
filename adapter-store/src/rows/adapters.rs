//! The tables `adapters` and `adapter_versions`. The callers hold the tenant's lock while they change them.

use std::collections::BTreeSet;

use sqlx::FromRow;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::adapter::{Adapter, SHOWN_VERSIONS, Version};
use crate::database::{Transaction, execute, on};
use crate::error::StoreError;
use crate::ids::{AdapterName, Digest, ModelRef, Selector, TenantId, VersionNumber};
use crate::tenant::{Page, Paging};

#[derive(FromRow)]
struct VersionRow {
    adapter: AdapterName,
    number: i64,
    digest: Digest,
    bytes: i64,
    base_fingerprint: String,
    report: Json<serde_json::Value>,
    created_at: OffsetDateTime,
}

#[derive(FromRow)]
struct AdapterRow {
    name: AdapterName,
    created_at: OffsetDateTime,
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
            report: row.report.0,
            created_at: row.created_at,
        })
    }
}

/// The live version that a reference means, if there is one.
pub(crate) async fn find(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    model: &ModelRef,
) -> Result<Option<Version>, StoreError> {
    const LATEST: &str = "SELECT adapter, number, digest, bytes, base_fingerprint, report, created_at \
                          FROM adapter_versions WHERE tenant_id = $1 AND adapter = $2 AND deleted_at IS NULL \
                          ORDER BY number DESC LIMIT 1";
    const NUMBERED: &str = "SELECT adapter, number, digest, bytes, base_fingerprint, report, created_at \
                            FROM adapter_versions WHERE tenant_id = $1 AND adapter = $2 AND deleted_at IS NULL \
                            AND number = $3";
    let row: Option<VersionRow> = match model.selector() {
        Selector::Latest => {
            on!(transaction, t => sqlx::query_as(LATEST).bind(tenant_id).bind(model.name()).fetch_optional(&mut **t))?
        }
        Selector::Version(number) => on!(transaction, t => sqlx::query_as(NUMBERED)
            .bind(tenant_id)
            .bind(model.name())
            .bind(i64::from(number.get()))
            .fetch_optional(&mut **t))?,
    };
    row.map(Version::try_from).transpose()
}

pub(crate) async fn show(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    name: &AdapterName,
) -> Result<Option<Adapter>, StoreError> {
    const SELECT: &str =
        "SELECT name, created_at FROM adapters WHERE tenant_id = $1 AND name = $2 AND deleted_at IS NULL";
    let row: Option<AdapterRow> =
        on!(transaction, t => sqlx::query_as(SELECT).bind(tenant_id).bind(name).fetch_optional(&mut **t))?;
    let adapters = with_versions(transaction, tenant_id, row.into_iter().collect()).await?;
    Ok(adapters.into_iter().next())
}

pub(crate) async fn list(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    paging: &Paging<AdapterName>,
) -> Result<Page<Adapter>, StoreError> {
    const SELECT: &str = "SELECT name, created_at FROM adapters \
                          WHERE tenant_id = $1 AND name > $2 AND deleted_at IS NULL ORDER BY name LIMIT $3";
    let after = paging.after.as_ref().map_or("", AdapterName::as_str);
    let rows: Vec<AdapterRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(after)
        .bind(paging.rows())
        .fetch_all(&mut **t))?;
    let page = Page::new(rows, paging.length());
    Ok(Page { has_more: page.has_more, items: with_versions(transaction, tenant_id, page.items).await? })
}

/// Adds the newest versions to adapters that stand in the order of their names.
async fn with_versions(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    adapters: Vec<AdapterRow>,
) -> Result<Vec<Adapter>, StoreError> {
    const SELECT: &str = "SELECT v.adapter, v.number, v.digest, v.bytes, v.base_fingerprint, v.report, v.created_at \
                          FROM adapter_versions v \
                          JOIN adapters a ON a.tenant_id = v.tenant_id AND a.name = v.adapter \
                          WHERE v.tenant_id = $1 AND v.adapter >= $2 AND v.adapter <= $3 AND v.deleted_at IS NULL \
                          AND v.number > a.last_number - $4 ORDER BY v.number DESC";
    let (Some(first), Some(last)) = (adapters.first(), adapters.last()) else { return Ok(Vec::new()) };
    let rows: Vec<VersionRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(&first.name)
        .bind(&last.name)
        .bind(i64::from(SHOWN_VERSIONS))
        .fetch_all(&mut **t))?;
    let mut adapters: Vec<Adapter> = adapters
        .into_iter()
        .map(|row| Adapter { name: row.name, created_at: row.created_at, versions: Vec::new() })
        .collect();
    for row in rows {
        if let Ok(at) = adapters.binary_search_by(|adapter| adapter.name.cmp(&row.adapter)) {
            adapters[at].versions.push(row.try_into()?);
        }
    }
    // Deleted between the two statements.
    adapters.retain(|adapter| !adapter.versions.is_empty());
    Ok(adapters)
}

/// The live version of an adapter with this content, checked against this base.
pub(crate) async fn same_content(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    candidate: &NewVersion,
) -> Result<Option<Version>, StoreError> {
    const SELECT: &str = "SELECT adapter, number, digest, bytes, base_fingerprint, report, created_at \
                          FROM adapter_versions WHERE tenant_id = $1 AND adapter = $2 AND digest = $3 \
                          AND base_fingerprint = $4 AND deleted_at IS NULL";
    let row: Option<VersionRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(&candidate.adapter)
        .bind(candidate.digest)
        .bind(&candidate.base_fingerprint)
        .fetch_optional(&mut **t))?;
    row.map(Version::try_from).transpose()
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
) -> Result<Version, StoreError> {
    const INSERT: &str = "INSERT INTO adapter_versions \
                          (tenant_id, adapter, number, digest, bytes, base_fingerprint, report, created_at) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let number = next_number(transaction, tenant_id, &new).await?;
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
    Ok(Version { adapter, number, digest, bytes, base_fingerprint, report, created_at })
}

/// Makes the adapter live, new or again, and counts on from its last number.
async fn next_number(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    new: &NewVersion,
) -> Result<VersionNumber, StoreError> {
    const UPSERT: &str = "INSERT INTO adapters (tenant_id, name, last_number, created_at) VALUES ($1, $2, 1, $3) \
                          ON CONFLICT (tenant_id, name) DO UPDATE SET last_number = adapters.last_number + 1, \
                          created_at = CASE WHEN adapters.deleted_at IS NULL THEN adapters.created_at \
                          ELSE excluded.created_at END, deleted_at = NULL RETURNING last_number";
    let (number,): (i64,) = on!(transaction, t => sqlx::query_as(UPSERT)
        .bind(tenant_id)
        .bind(&new.adapter)
        .bind(new.created_at)
        .fetch_one(&mut **t))?;
    number.try_into().map_err(StoreError::internal)
}

/// Turns the adapter and its versions into tombstones; returns the digests they had, or `None` when there is no such adapter.
pub(crate) async fn delete(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    name: &AdapterName,
    now: OffsetDateTime,
) -> Result<Option<BTreeSet<Digest>>, StoreError> {
    const ADAPTER: &str = "UPDATE adapters SET deleted_at = $3 \
                           WHERE tenant_id = $1 AND name = $2 AND deleted_at IS NULL RETURNING name";
    const VERSIONS: &str = "UPDATE adapter_versions SET deleted_at = $3 \
                            WHERE tenant_id = $1 AND adapter = $2 AND deleted_at IS NULL RETURNING digest";
    let adapter: Option<(AdapterName,)> = on!(transaction, t => sqlx::query_as(ADAPTER)
        .bind(tenant_id)
        .bind(name)
        .bind(now)
        .fetch_optional(&mut **t))?;
    if adapter.is_none() {
        return Ok(None);
    }
    let digests: Vec<(Digest,)> = on!(transaction, t => sqlx::query_as(VERSIONS)
        .bind(tenant_id)
        .bind(name)
        .bind(now)
        .fetch_all(&mut **t))?;
    Ok(Some(digests.into_iter().map(|row| row.0).collect()))
}

/// Turns all of a tenant's adapters into tombstones; returns the digests they had.
pub(crate) async fn delete_all(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    now: OffsetDateTime,
) -> Result<BTreeSet<Digest>, StoreError> {
    const ADAPTERS: &str = "UPDATE adapters SET deleted_at = $2 WHERE tenant_id = $1 AND deleted_at IS NULL";
    const VERSIONS: &str = "UPDATE adapter_versions SET deleted_at = $2 \
                            WHERE tenant_id = $1 AND deleted_at IS NULL RETURNING digest";
    execute!(transaction, sqlx::query(ADAPTERS).bind(tenant_id).bind(now))?;
    let digests: Vec<(Digest,)> = on!(transaction, t => sqlx::query_as(VERSIONS)
        .bind(tenant_id)
        .bind(now)
        .fetch_all(&mut **t))?;
    Ok(digests.into_iter().map(|row| row.0).collect())
}

/// What a tenant has already.
pub(crate) struct Held {
    /// Live adapters, apart from the one that gets a version.
    pub(crate) other_adapters: u64,
    /// Bytes of all live versions; the same content under two names counts twice.
    pub(crate) bytes: u64,
}

/// What the tenant has, before `adapter` gets a version.
pub(crate) async fn held(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    adapter: &AdapterName,
) -> Result<Held, StoreError> {
    const ADAPTERS: &str =
        "SELECT COUNT(*) FROM adapters WHERE tenant_id = $1 AND name <> $2 AND deleted_at IS NULL";
    const BYTES: &str = "SELECT CAST(COALESCE(SUM(bytes), 0) AS bigint) FROM adapter_versions \
                         WHERE tenant_id = $1 AND deleted_at IS NULL";
    let (others,): (i64,) = on!(transaction, t => sqlx::query_as(ADAPTERS)
        .bind(tenant_id)
        .bind(adapter)
        .fetch_one(&mut **t))?;
    let (bytes,): (i64,) = on!(transaction, t => sqlx::query_as(BYTES).bind(tenant_id).fetch_one(&mut **t))?;
    Ok(Held {
        other_adapters: others.try_into().map_err(StoreError::internal)?,
        bytes: bytes.try_into().map_err(StoreError::internal)?,
    })
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
