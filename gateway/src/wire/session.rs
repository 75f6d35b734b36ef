//! `/session`: a browser signs in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A credential to sign in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// A tenant's API key, or one of the operator's.
    pub key: String,
}

/// Who is signed in, and what they may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    /// Always `session`.
    pub object: &'static str,
    /// `admin`, `viewer` or `tenant`.
    pub role: &'static str,
    /// What requests that change something repeat in `x-csrf-token`.
    pub csrf: String,
    /// When it ends, in Unix seconds.
    pub expires_at: i64,
    /// Whose key it is; null for an operator.
    #[schema(required)]
    pub tenant: Option<SessionTenant>,
    /// What the key may do; empty for an operator.
    pub scopes: Vec<String>,
    /// The key; null for an operator.
    #[schema(required)]
    pub key: Option<SessionKey>,
    /// The base model served here.
    pub base_model: String,
}

/// The tenant that is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionTenant {
    /// Its short name.
    pub slug: String,
    /// Its name for people.
    pub name: String,
}

/// The key that is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionKey {
    /// Its id.
    pub id: String,
    /// What it is for; null where that cannot be read just now.
    #[schema(required)]
    pub name: Option<String>,
    /// The adapters that it may use; null is all of the tenant's.
    #[schema(required)]
    pub adapters: Option<Vec<String>>,
}
