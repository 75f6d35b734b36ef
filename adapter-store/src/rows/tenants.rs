//! The table `tenants`.

use sqlx::FromRow;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::database::{Either, Transaction, execute, on};
use crate::error::StoreError;
use crate::ids::{DisplayName, TenantId, TenantSlug};
use crate::limits::LimitOverrides;
use crate::tenant::{Order, Page, Paging, Tenant, TenantStatus, Wanted};

/// A page after `$1`, in an order; `$2` is its length and `$3` the pattern.
macro_rules! select {
    ($after:literal, $order:literal) => {
        concat!(
            "SELECT id, slug, name, status, limits, created_at FROM tenants WHERE ($1 = '' OR ",
            $after,
            ") AND status <> 'deleted' AND (slug LIKE $3 ESCAPE '\\' OR lower(name) LIKE $3 ESCAPE '\\') ORDER BY ",
            $order,
            " LIMIT $2"
        )
    };
}

#[derive(FromRow)]
pub(super) struct TenantRow {
    id: TenantId,
    slug: TenantSlug,
    name: DisplayName,
    status: String,
    limits: Json<LimitOverrides>,
    created_at: OffsetDateTime,
}

impl TryFrom<TenantRow> for Tenant {
    type Error = StoreError;

    fn try_from(row: TenantRow) -> Result<Self, StoreError> {
        let status = TenantStatus::parse(&row.status)
            .ok_or_else(|| StoreError::internal(format!("the tenant status {:?}", row.status)))?;
        let TenantRow { id, slug, name, limits: Json(limits), created_at, .. } = row;
        Ok(Self { id, slug, name, status, limits, created_at })
    }
}

/// Adds the tenant, or returns `false` when its slug is taken.
pub(crate) async fn insert(transaction: &mut Transaction, tenant: &Tenant) -> Result<bool, StoreError> {
    const INSERT: &str = "INSERT INTO tenants (id, slug, name, status, limits, created_at) \
                          VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (slug) DO NOTHING";
    let inserted = execute!(
        transaction,
        sqlx::query(INSERT)
            .bind(tenant.id)
            .bind(&tenant.slug)
            .bind(&tenant.name)
            .bind(tenant.status.as_str())
            .bind(Json(tenant.limits))
            .bind(tenant.created_at)
    )?;
    Ok(inserted == 1)
}

/// Writes what may change of a tenant.
pub(crate) async fn update(transaction: &mut Transaction, tenant: &Tenant) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE tenants SET name = $2, status = $3, limits = $4 WHERE id = $1";
    execute!(
        transaction,
        sqlx::query(UPDATE)
            .bind(tenant.id)
            .bind(&tenant.name)
            .bind(tenant.status.as_str())
            .bind(Json(tenant.limits))
    )
    .map(drop)
}

/// Deleted ones too: their slugs stay taken.
pub(crate) async fn by_slug(
    transaction: &mut Transaction,
    slug: &TenantSlug,
) -> Result<Option<Tenant>, StoreError> {
    const SELECT: &str = "SELECT id, slug, name, status, limits, created_at FROM tenants WHERE slug = $1";
    let row: Option<TenantRow> =
        on!(transaction, t => sqlx::query_as(SELECT).bind(slug).fetch_optional(&mut **t))?;
    row.map(Tenant::try_from).transpose()
}

/// In the wanted order; deleted ones are left out.
pub(crate) async fn list(
    transaction: &mut Transaction,
    wanted: &Wanted,
    paging: &Paging<TenantSlug>,
) -> Result<Page<Tenant>, StoreError> {
    let select = match wanted.order {
        Order::Name => select!("slug > $1", "slug"),
        Order::NameDown => select!("slug < $1", "slug DESC"),
        Order::CreatedAt => {
            select!(
                "(created_at, slug) > (SELECT created_at, slug FROM tenants WHERE slug = $1)",
                "created_at, slug"
            )
        }
        Order::CreatedAtDown => {
            select!(
                "(created_at, slug) < (SELECT created_at, slug FROM tenants WHERE slug = $1)",
                "created_at DESC, slug DESC"
            )
        }
    };
    let after = paging.after.as_ref().map_or("", TenantSlug::as_str);
    let rows: Vec<TenantRow> = on!(transaction, t => sqlx::query_as(select)
        .bind(after)
        .bind(paging.rows())
        .bind(wanted.pattern())
        .fetch_all(&mut **t))?;
    let tenants = rows.into_iter().map(Tenant::try_from).collect::<Result<_, _>>()?;
    Ok(Page::new(tenants, paging.length()))
}

/// Makes changes to one tenant's adapters happen one after another, until the transaction ends.
pub(crate) async fn lock(transaction: &mut Transaction, tenant_id: TenantId) -> Result<(), StoreError> {
    // SQLite's write lock is already held. Postgres: NO KEY, so that rows which only refer to the tenant do not wait.
    const SQLITE: &str = "SELECT id FROM tenants WHERE id = $1 AND status <> 'deleted'";
    const POSTGRES: &str = "SELECT id FROM tenants WHERE id = $1 AND status <> 'deleted' FOR NO KEY UPDATE";
    let lock = match transaction {
        Either::Sqlite(_) => SQLITE,
        Either::Postgres(_) => POSTGRES,
    };
    let found: Option<(TenantId,)> =
        on!(transaction, t => sqlx::query_as(lock).bind(tenant_id).fetch_optional(&mut **t))?;
    found.map(drop).ok_or(StoreError::TenantNotFound)
}
