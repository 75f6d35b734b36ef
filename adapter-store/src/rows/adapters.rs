//! The table `adapters`: names, with what stands under them. The callers hold the tenant's lock while they change it.

use std::collections::HashMap;

use sqlx::FromRow;
use time::OffsetDateTime;

use super::{aliases, versions};
use crate::adapter::Adapter;
use crate::database::{Transaction, execute, on};
use crate::error::StoreError;
use crate::ids::{AdapterName, TenantId, VersionNumber};
use crate::tenant::{Order, Page, Paging, Wanted};

#[derive(FromRow)]
struct AdapterRow {
    name: AdapterName,
    created_at: OffsetDateTime,
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
    let adapters = filled(transaction, tenant_id, row.into_iter().collect()).await?;
    Ok(adapters.into_iter().next())
}

/// A page after the adapter `$2`, in an order; `$3` is its length and `$4` the pattern.
macro_rules! select {
    ($after:literal, $order:literal) => {
        concat!(
            "SELECT name, created_at FROM adapters WHERE tenant_id = $1 AND ($2 = '' OR ",
            $after,
            ") AND deleted_at IS NULL AND name LIKE $4 ESCAPE '\\' ORDER BY ",
            $order,
            " LIMIT $3"
        )
    };
}

pub(crate) async fn list(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    wanted: &Wanted,
    paging: &Paging<AdapterName>,
) -> Result<Page<Adapter>, StoreError> {
    let select = match wanted.order {
        Order::Name => select!("name > $2", "name"),
        Order::NameDown => select!("name < $2", "name DESC"),
        Order::CreatedAt => {
            select!(
                "(created_at, name) > (SELECT created_at, name FROM adapters WHERE tenant_id = $1 AND name = $2)",
                "created_at, name"
            )
        }
        Order::CreatedAtDown => {
            select!(
                "(created_at, name) < (SELECT created_at, name FROM adapters WHERE tenant_id = $1 AND name = $2)",
                "created_at DESC, name DESC"
            )
        }
    };
    let after = paging.after.as_ref().map_or("", AdapterName::as_str);
    let rows: Vec<AdapterRow> = on!(transaction, t => sqlx::query_as(select)
        .bind(tenant_id)
        .bind(after)
        .bind(paging.rows())
        .bind(wanted.pattern())
        .fetch_all(&mut **t))?;
    let page = Page::new(rows, paging.length());
    Ok(Page { has_more: page.has_more, items: filled(transaction, tenant_id, page.items).await? })
}

/// Adds their newest versions and their aliases to adapters.
async fn filled(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    adapters: Vec<AdapterRow>,
) -> Result<Vec<Adapter>, StoreError> {
    let names: Vec<&AdapterName> = adapters.iter().map(|row| &row.name).collect();
    let versions = versions::newest(transaction, tenant_id, &names).await?;
    let aliases = aliases::of(transaction, tenant_id, &names).await?;
    let places: HashMap<AdapterName, usize> = names.into_iter().cloned().zip(0..).collect();
    let empty = |row: AdapterRow| {
        let (versions, aliases) = (Vec::new(), Vec::new());
        Adapter { name: row.name, created_at: row.created_at, versions, aliases }
    };
    let mut adapters: Vec<Adapter> = adapters.into_iter().map(empty).collect();
    for record in versions {
        adapters[places[&record.version.adapter]].versions.push(record);
    }
    for alias in aliases {
        adapters[places[&alias.adapter]].aliases.push(alias);
    }
    // Deleted between the statements.
    adapters.retain(|adapter| !adapter.versions.is_empty());
    Ok(adapters)
}

/// Makes the adapter live, new or again, and counts on from its last number.
pub(crate) async fn next_number(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    adapter: &AdapterName,
    now: OffsetDateTime,
) -> Result<VersionNumber, StoreError> {
    const UPSERT: &str = "INSERT INTO adapters (tenant_id, name, last_number, created_at) VALUES ($1, $2, 1, $3) \
                          ON CONFLICT (tenant_id, name) DO UPDATE SET last_number = adapters.last_number + 1, \
                          created_at = CASE WHEN adapters.deleted_at IS NULL THEN adapters.created_at \
                          ELSE excluded.created_at END, deleted_at = NULL RETURNING last_number";
    let (number,): (i64,) = on!(transaction, t => sqlx::query_as(UPSERT)
        .bind(tenant_id)
        .bind(adapter)
        .bind(now)
        .fetch_one(&mut **t))?;
    number.try_into().map_err(StoreError::internal)
}

/// Turns one adapter, or all (`name` null), into tombstones; returns how many there were.
pub(crate) async fn delete(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    name: Option<&AdapterName>,
    now: OffsetDateTime,
) -> Result<u64, StoreError> {
    const DELETE: &str = "UPDATE adapters SET deleted_at = $3 \
                          WHERE tenant_id = $1 AND ($2 IS NULL OR name = $2) AND deleted_at IS NULL";
    execute!(transaction, sqlx::query(DELETE).bind(tenant_id).bind(name).bind(now))
}

/// Live adapters of a tenant, apart from one.
pub(crate) async fn others(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    name: &AdapterName,
) -> Result<u64, StoreError> {
    const COUNT: &str =
        "SELECT COUNT(*) FROM adapters WHERE tenant_id = $1 AND name <> $2 AND deleted_at IS NULL";
    let (others,): (i64,) = on!(transaction, t => sqlx::query_as(COUNT)
        .bind(tenant_id)
        .bind(name)
        .fetch_one(&mut **t))?;
    others.try_into().map_err(StoreError::internal)
}
