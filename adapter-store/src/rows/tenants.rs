//! The table `tenants`.

use crate::database::{Database, Either, Transaction, execute, on};
use crate::error::StoreError;
use crate::ids::{TenantId, TenantSlug};
use crate::tenant::{Page, Paging, Tenant};

/// Adds the tenant, or returns `false` when its slug is taken.
pub(crate) async fn insert(transaction: &mut Transaction, tenant: &Tenant) -> Result<bool, StoreError> {
    const INSERT: &str = "INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (slug) DO NOTHING";
    let inserted = execute!(
        transaction,
        sqlx::query(INSERT).bind(tenant.id).bind(&tenant.slug).bind(&tenant.name).bind(tenant.created_at)
    )?;
    Ok(inserted == 1)
}

pub(crate) async fn by_slug(database: &Database, slug: &TenantSlug) -> Result<Option<Tenant>, StoreError> {
    const SELECT: &str = "SELECT id, slug, name, created_at FROM tenants WHERE slug = $1";
    on!(database, pool => sqlx::query_as(SELECT).bind(slug).fetch_optional(pool))
}

pub(crate) async fn list(
    database: &Database,
    paging: &Paging<TenantSlug>,
) -> Result<Page<Tenant>, StoreError> {
    const SELECT: &str =
        "SELECT id, slug, name, created_at FROM tenants WHERE slug > $1 ORDER BY slug LIMIT $2";
    let after = paging.after.as_ref().map_or("", TenantSlug::as_str);
    let rows = on!(database, pool => sqlx::query_as(SELECT).bind(after).bind(paging.rows()).fetch_all(pool))?;
    Ok(Page::new(rows, paging.length()))
}

/// Makes changes to one tenant's adapters happen one after another, until the transaction ends.
pub(crate) async fn lock(transaction: &mut Transaction, tenant_id: TenantId) -> Result<(), StoreError> {
    // SQLite's write lock is already held. Postgres: NO KEY, so that rows which only refer to the tenant do not wait.
    const SQLITE: &str = "SELECT id FROM tenants WHERE id = $1";
    const POSTGRES: &str = "SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE";
    let lock = match transaction {
        Either::Sqlite(_) => SQLITE,
        Either::Postgres(_) => POSTGRES,
    };
    let found: Option<(TenantId,)> =
        on!(transaction, t => sqlx::query_as(lock).bind(tenant_id).fetch_optional(&mut **t))?;
    found.map(drop).ok_or(StoreError::TenantNotFound)
}
