//! The table `audit_log`: who changed what, written in the transaction of the change itself.

use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::now;
use crate::database::{Transaction, execute};
use crate::error::StoreError;
use crate::ids::TenantId;
use crate::tenant::{Actor, ActorKind};

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
    const INSERT: &str = "INSERT INTO audit_log (id, tenant_id, actor, actor_key, actor_ip, action, subject, detail, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let (kind, key) = match actor.kind {
        ActorKind::Admin => ("admin", None),
        ActorKind::Key(id) => ("key", Some(id)),
        ActorKind::System => ("system", None),
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
    )
    .map(drop)
}
