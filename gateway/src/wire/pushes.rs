//! `/v1/pushes`: what became of each try to make a version.

use serde::Serialize;
use utoipa::ToSchema;

use super::list::Listed;

/// One try to make a version.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct Push {
    /// Names it: `push_…`.
    pub id: String,
    /// Always `adapter.push`.
    pub object: &'static str,
    /// The adapter's name.
    pub name: String,
    /// `validating`, then `ready`, `rejected` (the files are at fault) or `failed` (the server is; push again).
    pub status: &'static str,
    /// SHA-256 over the canonical config and the weights.
    pub digest: String,
    /// Size of its files.
    pub bytes: u64,
    /// The version that it became, such as `ticket-triage@1`.
    #[schema(required)]
    pub model: Option<String>,
    /// Why it became none.
    #[schema(required)]
    pub error: Option<PushError>,
    /// What the checks found, as far as they came: rank, modules, norms, warnings, …
    #[schema(required, value_type = Option<Object>)]
    pub report: Option<serde_json::Value>,
    /// When its bytes were here; Unix seconds.
    pub created_at: i64,
    /// When it ended; Unix seconds.
    #[schema(required)]
    pub finished_at: Option<i64>,
}

/// Why a push made no version.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct PushError {
    /// Stable, for programs.
    pub code: String,
    /// The field or tensor at fault.
    #[schema(required)]
    pub param: Option<String>,
    /// What was wrong, where, and what would fix it.
    pub message: String,
}

impl Listed for Push {
    fn list_id(&self) -> String {
        self.id.clone()
    }
}
