//! The table `api_keys`.

use sqlx::FromRow;
use time::OffsetDateTime;

use crate::api_key::{AuthenticatedKey, CreatedKey, KeyInfo, SHOWN_KEYS};
use crate::database::{Database, Transaction, execute, on};
use crate::error::StoreError;
use crate::ids::{DisplayName, KeyId, TenantId, TenantSlug};
use crate::scope::ScopeSet;
use crate::tenant::Tenant;

/// A key as the start of a request needs it, with what decides whether it is still good.
pub(crate) struct StoredKey {
    pub(crate) mac: Vec<u8>,
    pub(crate) expires_at: Option<OffsetDateTime>,
    pub(crate) revoked_at: Option<OffsetDateTime>,
    pub(crate) speaks_for: AuthenticatedKey,
}

#[derive(FromRow)]
struct KeyRow {
    id: KeyId,
    name: DisplayName,
    scopes: String,
    created_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
}

#[derive(FromRow)]
struct OwnedKeyRow {
    mac: Vec<u8>,
    scopes: String,
    expires_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
    tenant_id: TenantId,
    slug: TenantSlug,
    name: DisplayName,
    created_at: OffsetDateTime,
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    key: &CreatedKey,
    mac: [u8; 32],
) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO api_keys (id, tenant_id, name, mac, scopes, created_at, expires_at) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7)";
    execute!(
        transaction,
        sqlx::query(INSERT)
            .bind(key.id)
            .bind(tenant_id)
            .bind(&key.name)
            .bind(mac.to_vec())
            .bind(key.scopes.to_string())
            .bind(key.created_at)
            .bind(key.expires_at)
    )
    .map(drop)
}

/// The key and its tenant. The one look-up that starts from no tenant: it is what finds the tenant.
pub(crate) async fn with_tenant(database: &Database, id: KeyId) -> Result<Option<StoredKey>, StoreError> {
    const SELECT: &str = "SELECT k.mac, k.scopes, k.expires_at, k.revoked_at, k.tenant_id, t.slug, t.name, t.created_at \
                          FROM api_keys k JOIN tenants t ON t.id = k.tenant_id WHERE k.id = $1";
    let row: Option<OwnedKeyRow> =
        on!(database, pool => sqlx::query_as(SELECT).bind(id).fetch_optional(pool))?;
    row.map(|row| {
        let tenant = Tenant { id: row.tenant_id, slug: row.slug, name: row.name, created_at: row.created_at };
        let speaks_for = AuthenticatedKey { key_id: id, tenant, scopes: scopes(&row.scopes)? };
        Ok(StoredKey { mac: row.mac, expires_at: row.expires_at, revoked_at: row.revoked_at, speaks_for })
    })
    .transpose()
}

pub(crate) async fn list(database: &Database, tenant_id: TenantId) -> Result<Vec<KeyInfo>, StoreError> {
    const SELECT: &str = "SELECT id, name, scopes, created_at, expires_at, revoked_at FROM api_keys \
                          WHERE tenant_id = $1 ORDER BY id DESC LIMIT $2";
    let limit = i64::from(SHOWN_KEYS);
    let rows: Vec<KeyRow> =
        on!(database, pool => sqlx::query_as(SELECT).bind(tenant_id).bind(limit).fetch_all(pool))?;
    rows.into_iter().map(KeyRow::into_info).collect()
}

/// Revokes the key, and tells whether that was new.
pub(crate) async fn revoke(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: KeyId,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    const SELECT: &str = "SELECT revoked_at FROM api_keys WHERE tenant_id = $1 AND id = $2";
    const UPDATE: &str =
        "UPDATE api_keys SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL";
    let found: Option<(Option<OffsetDateTime>,)> =
        on!(transaction, t => sqlx::query_as(SELECT).bind(tenant_id).bind(id).fetch_optional(&mut **t))?;
    found.ok_or(StoreError::KeyNotFound)?;
    let revoked = execute!(transaction, sqlx::query(UPDATE).bind(tenant_id).bind(id).bind(now))?;
    Ok(revoked == 1)
}

impl KeyRow {
    fn into_info(self) -> Result<KeyInfo, StoreError> {
        Ok(KeyInfo {
            id: self.id,
            name: self.name,
            scopes: scopes(&self.scopes)?,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
        })
    }
}

fn scopes(column: &str) -> Result<ScopeSet, StoreError> {
    ScopeSet::parse(column.split_whitespace()).map_err(StoreError::internal)
}
