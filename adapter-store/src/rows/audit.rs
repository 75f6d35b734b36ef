//! The table `audit_log`: who changed what, written in the transaction of the change itself.

use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::now;
use crate::audit::{AuditQuery, AuditRecord};
use crate::database::{Transaction, execute, on};
use crate::error::StoreError;
use crate::ids::TenantId;
use crate::tenant::{Actor, ActorKind, Page};

/// What was done to what.
pub(crate) struct Entry {
    /// Such as `adapter.delete`.
    pub(crate) action: &'static str,
    /// The thing's name within the tenant.
    pub(crate) subject: String,
    /// What else is worth knowing; an object.
    pub(crate) detail: Value,
}

pub(crate) async fn record(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    actor: &Actor,
    entry: Entry,
) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO audit_log (id, tenant_id, actor, actor_key, actor_ip, action, subject, detail, created_at, actor_subject) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let (kind, key, token) = match &actor.kind {
        ActorKind::Admin => ("admin", None, None),
        ActorKind::Key(id) => ("key", Some(*id), None),
        ActorKind::Token(subject) => ("token", None, Some(subject.as_ref())),
        ActorKind::System => ("system", None, None),
    };
    execute!(
        transaction,
        sqlx::query(INSERT)
            .bind(Uuid::now_v7())
            .bind(tenant_id)
            .bind(kind)
            .bind(key)
            .bind(actor.ip.map(|ip| ip.to_string()))
            .bind(entry.action)
            .bind(&entry.subject)
            .bind(Json(&entry.detail))
            .bind(now())
            .bind(token)
    )
    .map(drop)
}

/// Newest first: of one tenant, or of all (`tenant_id` null).
pub(crate) async fn list(
    transaction: &mut Transaction,
    tenant_id: Option<TenantId>,
    query: &AuditQuery,
) -> Result<Page<AuditRecord>, StoreError> {
    const SELECT: &str = "SELECT l.id, t.slug AS tenant, l.actor, l.actor_key, l.actor_subject, l.actor_ip, l.action, l.subject, \
                          l.detail, l.created_at FROM audit_log l JOIN tenants t ON t.id = l.tenant_id \
                          WHERE ($1 IS NULL OR l.tenant_id = $1) AND ($2 IS NULL OR l.action = $2) \
                          AND ($3 IS NULL OR l.id < $3) AND ($4 IS NULL OR l.created_at >= $4) \
                          AND ($5 IS NULL OR l.created_at < $5) ORDER BY l.id DESC LIMIT $6";
    let records: Vec<AuditRecord> = on!(transaction, t => sqlx::query_as(SELECT)
        .bind(tenant_id)
        .bind(query.action.as_deref())
        .bind(query.paging.after)
        .bind(query.since)
        .bind(query.until)
        .bind(query.paging.rows())
        .fetch_all(&mut **t))?;
    Ok(Page::new(records, query.paging.length()))
}
