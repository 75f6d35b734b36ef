//! The error envelope of the OpenAI API: all four keys, always.

use serde::Serialize;
use utoipa::ToSchema;

/// What every failure looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorEnvelope {
    /// The failure.
    pub error: ErrorBody,
}

/// The failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What was wrong, where, and what would fix it; for people.
    pub message: String,
    /// `invalid_request_error` or `server_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The field at fault.
    #[schema(required)]
    pub param: Option<String>,
    /// Stable, for programs.
    pub code: String,
    /// The push that made no version; its report is at `/v1/pushes/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push: Option<String>,
}
