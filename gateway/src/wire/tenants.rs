//! `/admin/v1/tenants`: tenants and their API keys, as the operator sees them.

use serde::{Deserialize, Serialize};
use tenora_adapter_store::LimitOverrides;
use utoipa::{IntoParams, ToSchema};

use super::{limits::LimitOverridesSchema, list::Listed};

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
    /// `active` or `suspended`.
    pub status: &'static str,
    /// What it may use at most, where that differs from the server's defaults.
    #[schema(value_type = LimitOverridesSchema)]
    pub limits: LimitOverrides,
    /// Unix seconds.
    pub created_at: i64,
}

/// What to change of a tenant; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantUpdate {
    /// Its name for people.
    pub name: Option<String>,
    /// `active` or `suspended`.
    pub status: Option<String>,
    /// All limits that are to differ from the server's defaults: they replace those from before.
    #[schema(value_type = Option<LimitOverridesSchema>)]
    pub limits: Option<LimitOverrides>,
}

/// The answer to a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedTenant {
    /// The tenant's slug.
    pub id: String,
    /// Always `tenant`.
    pub object: &'static str,
    /// Always true.
    pub deleted: bool,
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
    /// What it may do; left out: `chat`, `models:read`, `adapters:read`, `adapters:write`, as far as its maker may.
    pub scopes: Option<Vec<String>>,
    /// The adapters that it may use; left out: all that its maker may.
    pub adapters: Option<Vec<String>>,
    /// What it may use at most, beside its tenant's limits.
    #[schema(value_type = Option<LimitOverridesSchema>)]
    pub limits: Option<LimitOverrides>,
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
    /// The adapters that it may use; null is all of its tenant's.
    #[schema(required)]
    pub adapters: Option<Vec<String>>,
    /// What it may use at most, beside its tenant's limits.
    #[schema(value_type = LimitOverridesSchema)]
    pub limits: LimitOverrides,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds; null while it was not used. Up to half a minute late.
    #[schema(required)]
    pub last_used_at: Option<i64>,
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

/// How a key is replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// For how many seconds the old key goes on working; 0 when left out, and 30 days at most.
    #[schema(maximum = 2_592_000)]
    pub grace_s: Option<u32>,
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

/// Which tenants, and in which order.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TenantsQuery {
    /// Continue after this tenant: the last page's `last_id`.
    pub after: Option<String>,
    /// How many, from 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// Only those whose slug or name holds this text, whatever its case.
    #[param(max_length = 100)]
    pub q: Option<String>,
    /// By slug or by age; `-` turns it round.
    pub order: Option<TenantsOrder>,
}

/// An order of tenants.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub enum TenantsOrder {
    /// By slug.
    #[serde(rename = "slug")]
    Slug,
    /// By slug, from the end.
    #[serde(rename = "-slug")]
    SlugDown,
    /// The oldest first.
    #[serde(rename = "created_at")]
    CreatedAt,
    /// The newest first.
    #[serde(rename = "-created_at")]
    CreatedAtDown,
}

impl From<TenantsOrder> for tenora_adapter_store::Order {
    fn from(order: TenantsOrder) -> Self {
        match order {
            TenantsOrder::Slug => Self::Name,
            TenantsOrder::SlugDown => Self::NameDown,
            TenantsOrder::CreatedAt => Self::CreatedAt,
            TenantsOrder::CreatedAtDown => Self::CreatedAtDown,
        }
    }
}
