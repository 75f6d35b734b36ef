//! `/admin/v1/tenants`: tenants and their API keys, as the operator sees them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::list::Listed;

/// A new tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// Its short name in paths: `^[a-z0-9][a-z0-9-]{0,62}$`.
    pub slug: String,
    /// Its name for people; the slug when left out.
    pub name: Option<String>,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// Always `tenant`.
    pub object: &'static str,
    /// Its short name in paths.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Unix seconds.
    pub created_at: i64,
}

impl Listed for Tenant {
    fn list_id(&self) -> String {
        self.slug.clone()
    }
}

/// A new API key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What it is for.
    pub name: String,
    /// What it may do; left out: `chat`, `models:read`, `adapters:read`, `adapters:write`.
    pub scopes: Option<Vec<String>>,
    /// Unix seconds after which it is refused; left out: never.
    pub expires_at: Option<i64>,
}

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct Key {
    /// Its id: what revoking takes.
    pub id: String,
    /// Always `api_key`.
    pub object: &'static str,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    #[schema(required)]
    pub expires_at: Option<i64>,
    /// Unix seconds; null while it works.
    #[schema(required)]
    pub revoked_at: Option<i64>,
}

impl Listed for Key {
    fn list_id(&self) -> String {
        self.id.clone()
    }
}

/// A key just made: the only time that its secret is shown.
#[derive(Serialize, ToSchema)]
pub struct CreatedKey {
    /// The key's record.
    #[serde(flatten)]
    pub record: Key,
    /// The key itself. Keep it: it cannot be shown again.
    pub key: String,
}

/// The answer to a revocation.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedKey {
    /// The key's id.
    pub id: String,
    /// Always `api_key`.
    pub object: &'static str,
    /// Always true.
    pub deleted: bool,
}
