//! `/admin/v1/audit`: who changed what.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::list::Listed;

/// One change.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEvent {
    /// Sorts by time.
    pub id: String,
    /// Always `audit_event`.
    pub object: &'static str,
    /// Such as `key.revoke`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Unix seconds.
    pub effective_at: i64,
    /// Whose things were changed: the tenant's slug.
    pub tenant: String,
    /// Who did it.
    pub actor: AuditActor,
    /// The thing's name within the tenant.
    pub subject: String,
    /// `before` and `after` of a change, or what else is worth knowing.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

/// Who did something, and from where.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditActor {
    /// `admin`, `key`, `token` or `system`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The key's id, if it was one.
    #[schema(required)]
    pub key_id: Option<String>,
    /// The token's issuer and subject, if it was one.
    #[schema(required)]
    pub subject: Option<String>,
    /// The client's address.
    #[schema(required)]
    pub ip_address: Option<String>,
}

impl Listed for AuditEvent {
    fn list_id(&self) -> String {
        self.id.clone()
    }
}

/// Which changes: newest first.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditParams {
    /// Of this tenant only.
    pub tenant: Option<String>,
    /// Of this type only, such as `key.revoke`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Not before this, in Unix seconds.
    pub since: Option<i64>,
    /// Before this, in Unix seconds.
    pub until: Option<i64>,
    /// Continue after this id: the last page's `last_id`.
    pub after: Option<String>,
    /// How many, from 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
}
