//! The table `pushes`.

use sqlx::FromRow;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::database::{Transaction, execute, on};
use crate::error::StoreError;
use crate::ids::{AdapterName, Digest, PushId, TenantId, VersionNumber};
use crate::push::{Ending, Push, PushState, Refusal};
use crate::tenant::{Page, Paging};

#[derive(FromRow)]
struct PushRow {
    id: PushId,
    adapter: AdapterName,
    state: String,
    digest: Digest,
    bytes: i64,
    version: Option<i64>,
    report: Option<Json<serde_json::Value>>,
    refusal: Option<Json<Refusal>>,
    created_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
}

impl TryFrom<PushRow> for Push {
    type Error = StoreError;

    fn try_from(row: PushRow) -> Result<Self, StoreError> {
        let unknown = || StoreError::internal(format!("a push has the unknown state {}", row.state));
        Ok(Self {
            id: row.id,
            adapter: row.adapter,
            state: PushState::parse(&row.state).ok_or_else(unknown)?,
            digest: row.digest,
            bytes: row.bytes.try_into().map_err(StoreError::internal)?,
            version: row.version.map(VersionNumber::try_from).transpose().map_err(StoreError::internal)?,
            report: row.report.map(|report| report.0),
            refusal: row.refusal.map(|refusal| refusal.0),
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}

/// Adds a push that is being validated.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    push: &Push,
) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO pushes (id, tenant_id, adapter, state, digest, bytes, created_at, touched_at) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $7)";
    execute!(
        transaction,
        sqlx::query(INSERT)
            .bind(push.id)
            .bind(tenant_id)
            .bind(&push.adapter)
            .bind(push.state.as_str())
            .bind(push.digest)
            .bind(push.bytes as i64)
            .bind(push.created_at)
    )
    .map(drop)
}

/// Notes that somebody is at work on it.
pub(crate) async fn touch(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: PushId,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    const TOUCH: &str =
        "UPDATE pushes SET touched_at = $3 WHERE tenant_id = $1 AND id = $2 AND finished_at IS NULL";
    execute!(transaction, sqlx::query(TOUCH).bind(tenant_id).bind(id).bind(now)).map(drop)
}

/// It became a version.
pub(crate) async fn became(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: PushId,
    (version, report): (VersionNumber, &serde_json::Value),
) -> Result<(), StoreError> {
    const READY: &str = "UPDATE pushes SET state = 'ready', version = $3, report = $4, finished_at = $5 \
                         WHERE tenant_id = $1 AND id = $2 AND finished_at IS NULL";
    execute!(
        transaction,
        sqlx::query(READY)
            .bind(tenant_id)
            .bind(id)
            .bind(i64::from(version.get()))
            .bind(Json(report))
            .bind(super::now())
    )
    .map(drop)
}

/// It became none.
pub(crate) async fn end(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: PushId,
    ending: &Ending,
) -> Result<(), StoreError> {
    const END: &str = "UPDATE pushes SET state = $3, refusal = $4, report = $5, finished_at = $6 \
                       WHERE tenant_id = $1 AND id = $2 AND finished_at IS NULL";
    let state = if ending.worth_another_try { PushState::Failed } else { PushState::Rejected };
    execute!(
        transaction,
        sqlx::query(END)
            .bind(tenant_id)
            .bind(id)
            .bind(state.as_str())
            .bind(Json(&ending.refusal))
            .bind(ending.report.as_ref().map(Json))
            .bind(super::now())
    )
    .map(drop)
}

pub(crate) async fn find(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    id: PushId,
) -> Result<Option<Push>, StoreError> {
    const SELECT: &str = "SELECT id, adapter, state, digest, bytes, version, report, refusal, created_at, finished_at \
                          FROM pushes WHERE tenant_id = $1 AND id = $2";
    let row: Option<PushRow> =
        on!(transaction, t => sqlx::query_as(SELECT).bind(tenant_id).bind(id).fetch_optional(&mut **t))?;
    row.map(Push::try_from).transpose()
}

/// Newest first.
pub(crate) async fn list(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    paging: &Paging<PushId>,
) -> Result<Page<Push>, StoreError> {
    const SELECT: &str = "SELECT id, adapter, state, digest, bytes, version, report, refusal, created_at, finished_at \
                          FROM pushes WHERE tenant_id = $1 AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
    let rows: Vec<PushRow> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(paging.after)
        .bind(paging.rows())
        .fetch_all(&mut **t))?;
    let pushes = rows.into_iter().map(Push::try_from).collect::<Result<_, _>>()?;
    Ok(Page::new(pushes, paging.length()))
}
