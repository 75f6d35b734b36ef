//! `/v1/live`, `/admin/v1/live`: what happens just now, as events.

use serde::Serialize;
use utoipa::ToSchema;

use super::health::Readiness;

/// A median and what one in a hundred exceeds, in milliseconds; null when nothing came.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub struct Spread {
    /// The median.
    #[schema(required)]
    pub p50: Option<f64>,
    /// One in a hundred is above it.
    #[schema(required)]
    pub p99: Option<f64>,
}

/// The last hour, the first event.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// The oldest first.
    pub points: Vec<Point>,
}

/// Some seconds of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Point {
    /// When they were over, in Unix seconds.
    pub at: i64,
    /// How many.
    pub seconds: u32,
    /// Generations that ended.
    pub requests: u64,
    /// Those of them that failed, or were cut off.
    pub errors: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens generated.
    pub output_tokens: u64,
    /// Time to the first token.
    pub ttft_ms: Spread,
    /// From one token to the next.
    pub gap_ms: Spread,
    /// Generations with a token, at the end.
    pub running: u64,
    /// Generations without one, at the end.
    pub waiting: u64,
}

/// This second, each second.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Now {
    /// When, in Unix seconds.
    pub at: i64,
    /// Generations that ended, a second, of the last ten.
    pub requests_per_s: f64,
    /// Those of them that failed, or were cut off.
    pub errors_per_s: f64,
    /// Tokens of prompts.
    pub input_tokens_per_s: f64,
    /// Tokens generated.
    pub output_tokens_per_s: f64,
    /// Time to the first token, of the last minute.
    pub ttft_ms: Spread,
    /// From one token to the next, of the last minute.
    pub gap_ms: Spread,
    /// Generations with a token.
    pub running: u64,
    /// Generations without one.
    pub waiting: u64,
    /// Steps of the last ten seconds; null for a tenant, and when there were none.
    #[schema(required)]
    pub batch: Option<BatchNow>,
    /// The KV pool.
    pub kv: KvNow,
    /// Adapters in memory.
    pub adapters: AdaptersNow,
    /// The busiest; empty for a tenant.
    pub tenants: Vec<TenantNow>,
    /// Whether the server can serve, as `/readyz` says.
    pub ready: Readiness,
}

/// Means over steps.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct BatchNow {
    /// Rows of a step.
    pub rows: f64,
    /// Different adapters in it; the base alone counts as one.
    pub adapters: f64,
}

/// The KV pool.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct KvNow {
    /// Blocks.
    pub blocks: usize,
    /// Those in use; null for a tenant.
    #[schema(required)]
    pub used: Option<usize>,
    /// Tokens of a block.
    pub block_tokens: usize,
}

/// Adapters in memory.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AdaptersNow {
    /// Bytes they take; null for a tenant.
    #[schema(required)]
    pub bytes: Option<usize>,
    /// Bytes they may take.
    pub limit_bytes: usize,
    /// On their way.
    pub loading: usize,
    /// Waiting for their load to begin.
    pub waiting: usize,
    /// The last wanted first; of a tenant its own.
    pub resident: Vec<ResidentAdapter>,
}

/// One of them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ResidentAdapter {
    /// Whose.
    pub tenant: String,
    /// Its name.
    pub adapter: String,
    /// Which version; null while it is being tried.
    #[schema(required)]
    pub version: Option<u64>,
    /// Its digest.
    pub digest: String,
    /// Bytes it takes.
    pub bytes: usize,
    /// Whether sequences run with it.
    pub in_use: bool,
}

/// A tenant's part.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantNow {
    /// Its short name; `_other` = all beyond the first thousand.
    pub slug: String,
    /// Generations that ended, a second, of the last ten.
    pub requests_per_s: f64,
    /// Tokens generated.
    pub output_tokens_per_s: f64,
    /// Generations with a token.
    pub running: u64,
    /// Generations without one.
    pub waiting: u64,
}
