//! The table `adapter_versions` by content: which bytes are needed, and by which versions.

use std::collections::HashSet;

use sqlx::types::Json;

use crate::database::{Either, Transaction, on};
use crate::error::StoreError;
use crate::ids::{AdapterName, Digest, TenantId, VersionNumber};

/// The bytes of one or more live versions of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) digest: Digest,
    /// Live versions that are this.
    pub(crate) versions: u64,
    /// Bytes of config and weights together.
    pub(crate) bytes: u64,
}

/// The bytes of all tenants' contents.
pub(crate) async fn total_bytes(transaction: &mut Transaction) -> Result<u64, StoreError> {
    const SELECT: &str = "SELECT CAST(COALESCE(SUM(bytes), 0) AS bigint) FROM \
                          (SELECT tenant_id, digest, MAX(bytes) AS bytes FROM adapter_versions \
                          WHERE deleted_at IS NULL GROUP BY tenant_id, digest) AS contents";
    let (bytes,): (i64,) = on!(transaction, t => sqlx::query_as(SELECT).fetch_one(&mut **t))?;
    unsigned(bytes)
}

/// The tenant's contents in the order of their digests, `limit` at most.
pub(crate) async fn page(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    after: Option<Digest>,
    limit: u32,
) -> Result<Vec<Content>, StoreError> {
    const SELECT: &str = "SELECT digest, COUNT(*), MAX(bytes) FROM adapter_versions \
                          WHERE tenant_id = $1 AND digest > $2 AND deleted_at IS NULL \
                          GROUP BY digest ORDER BY digest LIMIT $3";
    // Nothing is less than every digest.
    let after = after.map_or_else(Vec::new, |digest| digest.as_bytes().to_vec());
    let rows: Vec<(Digest, i64, i64)> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&mut **t))?;
    let content = |(digest, versions, bytes)| {
        Ok(Content { digest, versions: unsigned(versions)?, bytes: unsigned(bytes)? })
    };
    rows.into_iter().map(content).collect()
}

/// The live versions that are this content, `limit` at most.
pub(crate) async fn versions(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    digest: Digest,
    limit: u32,
) -> Result<Vec<(AdapterName, VersionNumber)>, StoreError> {
    const SELECT: &str = "SELECT adapter, number FROM adapter_versions \
                          WHERE tenant_id = $1 AND digest = $2 AND deleted_at IS NULL \
                          ORDER BY adapter, number LIMIT $3";
    let rows: Vec<(AdapterName, i64)> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(digest)
        .bind(i64::from(limit))
        .fetch_all(&mut **t))?;
    let version = |(adapter, number): (AdapterName, i64)| {
        Ok((adapter, VersionNumber::try_from(number).map_err(StoreError::internal)?))
    };
    rows.into_iter().map(version).collect()
}

/// Those of these digests that a live version of the tenant has.
pub(crate) async fn in_use(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    digests: &[Digest],
) -> Result<HashSet<Digest>, StoreError> {
    const SQLITE: &str = "SELECT DISTINCT digest FROM adapter_versions \
                          WHERE tenant_id = $1 AND deleted_at IS NULL \
                          AND digest IN (SELECT unhex(value) FROM json_each($2))";
    const POSTGRES: &str = "SELECT DISTINCT digest FROM adapter_versions \
                            WHERE tenant_id = $1 AND deleted_at IS NULL \
                            AND digest IN (SELECT decode(hex, 'hex') FROM jsonb_array_elements_text($2) AS hex)";
    let select = match transaction {
        Either::Sqlite(_) => SQLITE,
        Either::Postgres(_) => POSTGRES,
    };
    let hex: Vec<String> = digests.iter().map(Digest::to_hex).collect();
    let rows: Vec<(Digest,)> = on!(transaction, t => sqlx::query_as(select)
        .bind(tenant_id)
        .bind(Json(&hex))
        .fetch_all(&mut **t))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    number.try_into().map_err(StoreError::internal)
}
