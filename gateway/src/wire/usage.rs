//! `/v1/usage` and `/admin/v1/usage`: the shapes of OpenAI's usage API.

mod query;

use serde::Serialize;
use utoipa::ToSchema;

pub use self::query::{GroupBy, UsageQuery, Width};
pub(crate) use self::query::{page_text, wrong_page};

/// Some buckets, in the order of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsagePage {
    /// Always `page`.
    pub object: &'static str,
    /// The buckets, those without usage too.
    pub data: Vec<UsageBucket>,
    /// Whether more follow.
    pub has_more: bool,
    /// The next page's `page`; null on the last.
    #[schema(required)]
    pub next_page: Option<String>,
}

/// What was used within one stretch of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageBucket {
    /// Always `bucket`.
    pub object: &'static str,
    /// Unix seconds.
    pub start_time: i64,
    /// The second after the last, in Unix seconds.
    pub end_time: i64,
    /// One per group that has usage.
    pub results: Vec<UsageResult>,
}

/// What one group used. A request counts in the bucket in which it began, however it ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageResult {
    /// Always `organization.usage.completions.result`.
    pub object: &'static str,
    /// Tokens of prompts, the cached ones among them.
    pub input_tokens: u64,
    /// Tokens of prompts that were reused and not computed.
    pub input_cached_tokens: u64,
    /// Tokens generated.
    pub output_tokens: u64,
    /// Requests.
    pub num_model_requests: u64,
    /// Those of them that ended with an error, or that the server cut off.
    pub num_failed_requests: u64,
    /// Whether this is the sum of all groups beyond `top`, which are not told apart.
    pub others: bool,
    /// The tenant's slug, when grouped by `project_id`.
    #[schema(required)]
    pub project_id: Option<String>,
    /// The API key, when grouped by `api_key_id`; null then for callers with a token.
    #[schema(required)]
    pub api_key_id: Option<String>,
    /// The base model's id or `name@7`, when grouped by `model`.
    #[schema(required)]
    pub model: Option<String>,
}
