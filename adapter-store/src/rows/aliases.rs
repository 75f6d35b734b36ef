//! The table `adapter_aliases`: what each alias means and ever meant. The callers hold the tenant's lock while they change it.

use sqlx::FromRow;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::alias::{Alias, Targets};
use crate::database::{Either, Transaction, execute, on};
use crate::error::StoreError;
use crate::ids::{AdapterName, AliasName, TenantId};

#[derive(FromRow)]
struct AliasRow {
    adapter: AdapterName,
    alias: AliasName,
    revision: i64,
    targets: Json<Targets>,
    moved_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
}

impl TryFrom<AliasRow> for Alias {
    type Error = StoreError;

    fn try_from(row: AliasRow) -> Result<Self, StoreError> {
        Ok(Self {
            adapter: row.adapter,
            name: row.alias,
            revision: row.revision.try_into().map_err(StoreError::internal)?,
            targets: row.targets.0,
            moved_at: row.moved_at,
            ended_at: row.ended_at,
        })
    }
}

/// What an alias means now, if it exists.
pub(crate) async fn find(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    adapter: &AdapterName,
    alias: &AliasName,
) -> Result<Option<Alias>, StoreError> {
    const SELECT: &str = "SELECT adapter, alias, revision, targets, moved_at, ended_at FROM adapter_aliases \
                          WHERE tenant_id = $1 AND adapter = $2 AND alias = $3 AND ended_at IS NULL";
    let row: Option<AliasRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(adapter)
        .bind(alias)
        .fetch_optional(&mut **t))?;
    row.map(Alias::try_from).transpose()
}

/// What the aliases of these adapters mean now, by their names.
pub(crate) async fn of(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    adapters: &[&AdapterName],
) -> Result<Vec<Alias>, StoreError> {
    const SQLITE: &str = "SELECT adapter, alias, revision, targets, moved_at, ended_at FROM adapter_aliases \
                          WHERE tenant_id = $1 AND adapter IN (SELECT value FROM json_each($2)) AND ended_at IS NULL \
                          ORDER BY adapter, alias";
    const POSTGRES: &str = "SELECT adapter, alias, revision, targets, moved_at, ended_at FROM adapter_aliases \
                            WHERE tenant_id = $1 AND adapter = ANY (ARRAY \
                            (SELECT n.name FROM jsonb_array_elements_text($2) AS n (name))) AND ended_at IS NULL \
                            ORDER BY adapter, alias";
    let select = match transaction {
        Either::Sqlite(_) => SQLITE,
        Either::Postgres(_) => POSTGRES,
    };
    let rows: Vec<AliasRow> = on!(transaction, t => sqlx::query_as(select)
        .bind(tenant_id)
        .bind(Json(adapters))
        .fetch_all(&mut **t))?;
    rows.into_iter().map(Alias::try_from).collect()
}

/// What an alias meant since it was first made, newest first.
pub(crate) async fn history(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    (adapter, alias): (&AdapterName, &AliasName),
    limit: u32,
) -> Result<Vec<Alias>, StoreError> {
    const SELECT: &str = "SELECT adapter, alias, revision, targets, moved_at, ended_at FROM adapter_aliases \
                          WHERE tenant_id = $1 AND adapter = $2 AND alias = $3 ORDER BY revision DESC LIMIT $4";
    let rows: Vec<AliasRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(adapter)
        .bind(alias)
        .bind(i64::from(limit))
        .fetch_all(&mut **t))?;
    rows.into_iter().map(Alias::try_from).collect()
}

/// What an alias meant at one of its revisions.
pub(crate) async fn at_revision(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    (adapter, alias): (&AdapterName, &AliasName),
    revision: u64,
) -> Result<Option<Alias>, StoreError> {
    const SELECT: &str = "SELECT adapter, alias, revision, targets, moved_at, ended_at FROM adapter_aliases \
                          WHERE tenant_id = $1 AND adapter = $2 AND alias = $3 AND revision = $4";
    let Ok(revision) = i64::try_from(revision) else { return Ok(None) };
    let row: Option<AliasRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(adapter)
        .bind(alias)
        .bind(revision)
        .fetch_optional(&mut **t))?;
    row.map(Alias::try_from).transpose()
}

/// Moves an alias, or makes it: what it meant until now ends.
pub(crate) async fn put(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    (adapter, alias): (&AdapterName, &AliasName),
    (targets, now): (Targets, OffsetDateTime),
) -> Result<Alias, StoreError> {
    const INSERT: &str = "INSERT INTO adapter_aliases (tenant_id, adapter, alias, revision, targets, moved_at) \
                          SELECT $1, $2, $3, COALESCE(MAX(revision), 0) + 1, $4, $5 FROM adapter_aliases \
                          WHERE tenant_id = $1 AND adapter = $2 AND alias = $3 RETURNING revision";
    end(transaction, tenant_id, (Some(adapter), Some(alias)), now).await?;
    let (revision,): (i64,) = on!(transaction, t => sqlx::query_as(INSERT)
        .bind(tenant_id)
        .bind(adapter)
        .bind(alias)
        .bind(Json(&targets))
        .bind(now)
        .fetch_one(&mut **t))?;
    Ok(Alias {
        adapter: adapter.clone(),
        name: alias.clone(),
        revision: revision.try_into().map_err(StoreError::internal)?,
        targets,
        moved_at: now,
        ended_at: None,
    })
}

/// Ends one alias, all of an adapter (`alias` null), or all of a tenant (both null).
pub(crate) async fn end(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    (adapter, alias): (Option<&AdapterName>, Option<&AliasName>),
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    const END: &str = "UPDATE adapter_aliases SET ended_at = $4 WHERE tenant_id = $1 \
                       AND ($2 IS NULL OR adapter = $2) AND ($3 IS NULL OR alias = $3) AND ended_at IS NULL";
    execute!(transaction, sqlx::query(END).bind(tenant_id).bind(adapter).bind(alias).bind(now)).map(drop)
}
