//! Limits as they are written and told: a number, `"unlimited"`, or nothing, which follows the server's defaults.

use serde::Serialize;
use tenora_adapter_store::{Cap, LimitOverrides};
use utoipa::ToSchema;

/// What a tenant or a key may use at most; null is no limit.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Limits {
    /// Generations in any minute.
    #[schema(required)]
    pub requests_per_minute: Option<u64>,
    /// Prompt and output tokens in any minute.
    #[schema(required)]
    pub tokens_per_minute: Option<u64>,
    /// Generations at the same time.
    #[schema(required)]
    pub concurrent_requests: Option<u64>,
    /// Prompt and output tokens in a calendar month, UTC.
    #[schema(required)]
    pub monthly_tokens: Option<u64>,
    /// Live adapters.
    #[schema(required)]
    pub adapters: Option<u64>,
    /// Bytes of all live versions.
    #[schema(required)]
    pub adapter_bytes: Option<u64>,
    /// Largest rank of an adapter.
    #[schema(required)]
    pub adapter_rank: Option<u64>,
}

impl From<LimitOverrides> for Limits {
    fn from(limits: LimitOverrides) -> Self {
        let most = |cap: Option<Cap>| cap.and_then(Cap::most);
        Self {
            requests_per_minute: most(limits.requests_per_minute),
            tokens_per_minute: most(limits.tokens_per_minute),
            concurrent_requests: most(limits.concurrent_requests),
            monthly_tokens: most(limits.monthly_tokens),
            adapters: most(limits.adapters),
            adapter_bytes: most(limits.adapter_bytes),
            adapter_rank: most(limits.adapter_rank),
        }
    }
}

/// `/admin/v1/limits`: what a tenant may use at most that has no limits of its own.
#[derive(Debug, Serialize, ToSchema)]
pub struct DefaultLimits {
    /// Always `limits`.
    pub object: &'static str,
    /// The server's defaults.
    pub limits: Limits,
}

/// `/v1/limits`: what the caller may use at most, and what is left of it now.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitsOfCaller {
    /// Always `limits`.
    pub object: &'static str,
    /// Of all the tenant's credentials together.
    pub tenant: Limits,
    /// What is left of these.
    pub tenant_left: Remaining,
    /// Of the presented key alone; null for a token.
    #[schema(required)]
    pub key: Option<Limits>,
    /// What is left of these.
    #[schema(required)]
    pub key_left: Option<Remaining>,
}

/// What is left now; null where nothing is limited, or where it cannot be known.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Remaining {
    /// Of the generations in a minute.
    #[schema(required)]
    pub requests_per_minute: Option<Left>,
    /// Of the tokens in a minute.
    #[schema(required)]
    pub tokens_per_minute: Option<Left>,
    /// Of the generations at the same time.
    #[schema(required)]
    pub concurrent_requests: Option<Left>,
    /// Of the month's tokens.
    #[schema(required)]
    pub monthly_tokens: Option<Left>,
}

/// What is left of one limit.
#[derive(Debug, Serialize, ToSchema)]
pub struct Left {
    /// This much.
    pub remaining: u64,
    /// Seconds until all of it is left again, if nothing more is used.
    pub reset_s: f64,
}

/// Limits that differ from the defaults, for the API document: each a whole number or `"unlimited"`.
#[derive(Debug, ToSchema)]
pub struct LimitOverridesSchema {
    /// Generations in any minute.
    pub requests_per_minute: Option<CapSchema>,
    /// Prompt and output tokens in any minute.
    pub tokens_per_minute: Option<CapSchema>,
    /// Generations at the same time.
    pub concurrent_requests: Option<CapSchema>,
    /// Prompt and output tokens in a calendar month, UTC.
    pub monthly_tokens: Option<CapSchema>,
    /// Live adapters; of a tenant only.
    pub adapters: Option<CapSchema>,
    /// Bytes of all live versions; of a tenant only.
    pub adapter_bytes: Option<CapSchema>,
    /// Largest rank of an adapter; of a tenant only.
    pub adapter_rank: Option<CapSchema>,
}

/// A whole number, or `"unlimited"`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum CapSchema {
    /// At most this many.
    Number(u64),
    /// `unlimited`.
    Word(String),
}
