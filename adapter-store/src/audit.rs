//! The audit log as the rest of the program reads it: plain values.

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ids::{KeyId, TenantSlug};
use crate::tenant::Paging;

/// One change: who, from where, what, to what, and how it was before and after.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct AuditRecord {
    /// Sorts by time.
    pub id: Uuid,
    /// Whose things were changed.
    pub tenant: TenantSlug,
    /// `admin`, `key`, `token` or `system`.
    pub actor: String,
    /// The key that was used, if it was one.
    pub actor_key: Option<KeyId>,
    /// The token's issuer and subject, if it was one.
    pub actor_subject: Option<String>,
    /// The client's address.
    pub actor_ip: Option<String>,
    /// Such as `key.revoke`.
    pub action: String,
    /// The thing's name within the tenant.
    pub subject: String,
    /// `before` and `after` of a change, or what else is worth knowing; an object.
    #[sqlx(json)]
    pub detail: Value,
    /// When.
    pub created_at: OffsetDateTime,
}

/// Which records: newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// One action only.
    pub action: Option<String>,
    /// Not before this.
    pub since: Option<OffsetDateTime>,
    /// Before this.
    pub until: Option<OffsetDateTime>,
    /// Which page; `after` is the last record's id of the page before.
    pub paging: Paging<Uuid>,
}
