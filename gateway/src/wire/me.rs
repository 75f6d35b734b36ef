//! `/v1/me`: what a credential says of itself.

use serde::Serialize;
use utoipa::ToSchema;

/// Whom the presented credential speaks for, and what it may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// Always `me`.
    pub object: &'static str,
    /// The tenant's short name.
    pub tenant: String,
    /// The tenant's name for people.
    pub tenant_name: String,
    /// `api_key` or `token`.
    pub credential: &'static str,
    /// The key's id; null for a token.
    #[schema(required)]
    pub key_id: Option<String>,
    /// The token's issuer and subject; null for a key.
    #[schema(required)]
    pub subject: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The adapters that it may use; null is all of the tenant's.
    #[schema(required)]
    pub adapters: Option<Vec<String>>,
    /// The base model served here.
    pub base_model: String,
}
