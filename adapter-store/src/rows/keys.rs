//! The table `api_keys`.

use sqlx::FromRow;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::tenants::TenantRow;
use crate::api_key::{AuthenticatedKey, KeyInfo, SHOWN_KEYS};
use crate::database::{Transaction, execute, on};
use crate::error::StoreError;
use crate::ids::{AdapterName, DisplayName, KeyId, TenantId};
use crate::limits::LimitOverrides;
use crate::scope::ScopeSet;

/// A key as the start of a request needs it, with what decides whether it is still good.
pub(crate) struct StoredKey {
    pub(crate) mac: Vec<u8>,
    pub(crate) revoked_at: Option<OffsetDateTime>,
    pub(crate) speaks_for: AuthenticatedKey,
}

#[derive(FromRow)]
struct KeyRow {
    id: KeyId,
    name: DisplayName,
    scopes: String,
    limits: Json<LimitOverrides>,
    adapters: Option<Json<Vec<AdapterName>>>,
    created_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
    last_used_at: Option<OffsetDateTime>,
}

#[derive(FromRow)]
struct OwnedKeyRow {
    mac: Vec<u8>,
    scopes: String,
    key_limits: Json<LimitOverrides>,
    adapters: Option<Json<Vec<AdapterName>>>,
    expires_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
    #[sqlx(flatten)]
    tenant: TenantRow,
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    key: &KeyInfo,
    mac: [u8; 32],
) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO api_keys (id, tenant_id, name, mac, scopes, limits, adapters, created_at, expires_at) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    execute!(
        transaction,
        sqlx::query(INSERT)
            .bind(key.id)
            .bind(tenant_id)
            .bind(&key.name)
            .bind(mac.to_vec())
            .bind(key.scopes.to_string())
            .bind(Json(key.limits))
            .bind(key.adapters.as_ref().map(Json))
            .bind(key.created_at)
            .bind(key.expires_at)
    )
    .map(drop)
}

/// The key and its tenant. The one look-up that starts from no tenant: it is what finds the tenant.
pub(crate) async fn with_tenant(
    transaction: &mut Transaction,
    id: KeyId,
) -> Result<Option<StoredKey>, StoreError> {
    const SELECT: &str = "SELECT k.mac, k.scopes, k.limits AS key_limits, k.adapters, k.expires_at, k.revoked_at, \
                          k.tenant_id AS id, t.slug, t.name, t.status, t.limits, t.created_at \
                          FROM api_keys k JOIN tenants t ON t.id = k.tenant_id WHERE k.id = $1";
    let row: Option<OwnedKeyRow> =
        on!(transaction, t => sqlx::query_as(SELECT).bind(id).fetch_optional(&mut **t))?;
    row.map(|row| {
        let speaks_for = AuthenticatedKey {
            key_id: id,
            tenant: row.tenant.try_into()?,
            scopes: scopes(&row.scopes)?,
            limits: row.key_limits.0,
            adapters: row.adapters.map(|names| names.0),
            expires_at: row.expires_at,
        };
        Ok(StoredKey { mac: row.mac, revoked_at: row.revoked_at, speaks_for })
    })
    .transpose()
}

/// Newest first.
pub(crate) async fn list(
    transaction: &mut Transaction,
    tenant_id: TenantId,
) -> Result<Vec<KeyInfo>, StoreError> {
    const SELECT: &str = "SELECT id, name, scopes, limits, adapters, created_at, expires_at, revoked_at, last_used_at \
                          FROM api_keys WHERE tenant_id = $1 ORDER BY id DESC LIMIT $2";
    let limit = i64::from(SHOWN_KEYS);
    let rows: Vec<KeyRow> =
        on!(transaction, t => sqlx::query_as(SELECT).bind(tenant_id).bind(limit).fetch_all(&mut **t))?;
    rows.into_iter().map(KeyInfo::try_from).collect()
}

pub(crate) async fn find(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: KeyId,
) -> Result<Option<KeyInfo>, StoreError> {
    const SELECT: &str = "SELECT id, name, scopes, limits, adapters, created_at, expires_at, revoked_at, last_used_at \
                          FROM api_keys WHERE tenant_id = $1 AND id = $2";
    let row: Option<KeyRow> =
        on!(transaction, t => sqlx::query_as(SELECT).bind(tenant_id).bind(id).fetch_optional(&mut **t))?;
    row.map(KeyInfo::try_from).transpose()
}

/// Revokes the key, and tells whether that was new.
pub(crate) async fn revoke(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: KeyId,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    const UPDATE: &str =
        "UPDATE api_keys SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL";
    let revoked = execute!(transaction, sqlx::query(UPDATE).bind(tenant_id).bind(id).bind(now))?;
    Ok(revoked == 1)
}

/// Revokes every key of the tenant.
pub(crate) async fn revoke_all(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE api_keys SET revoked_at = $2 WHERE tenant_id = $1 AND revoked_at IS NULL";
    execute!(transaction, sqlx::query(UPDATE).bind(tenant_id).bind(now)).map(drop)
}

/// Lets the key end at this time.
pub(crate) async fn expire(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: KeyId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE api_keys SET expires_at = $3 WHERE tenant_id = $1 AND id = $2";
    execute!(transaction, sqlx::query(UPDATE).bind(tenant_id).bind(id).bind(at)).map(drop)
}

/// Notes when a key was last used.
pub(crate) async fn used(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: KeyId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE api_keys SET last_used_at = $3 WHERE tenant_id = $1 AND id = $2 \
                          AND (last_used_at IS NULL OR last_used_at < $3)";
    execute!(transaction, sqlx::query(UPDATE).bind(tenant_id).bind(id).bind(at)).map(drop)
}

impl TryFrom<KeyRow> for KeyInfo {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            name: row.name,
            scopes: scopes(&row.scopes)?,
            limits: row.limits.0,
            adapters: row.adapters.map(|names| names.0),
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        })
    }
}

fn scopes(column: &str) -> Result<ScopeSet, StoreError> {
    ScopeSet::parse(column.split_whitespace()).map_err(StoreError::internal)
}
