//! Names of spans' attributes, in one place because they still change: OpenTelemetry's GenAI conventions
//! (semantic-conventions-genai 1.42.0-dev, in development), its HTTP conventions (stable), and our own.

/// `chat` or `text_completion`.
pub(super) const OPERATION: &str = "gen_ai.operation.name";
/// Who generates.
pub(super) const PROVIDER: &str = "gen_ai.provider.name";
/// The model that was asked for, as it was resolved: `name@7`, or the base model's id.
pub(super) const REQUEST_MODEL: &str = "gen_ai.request.model";
pub(super) const REQUEST_MAX_TOKENS: &str = "gen_ai.request.max_tokens";
pub(super) const REQUEST_TEMPERATURE: &str = "gen_ai.request.temperature";
pub(super) const REQUEST_TOP_P: &str = "gen_ai.request.top_p";
pub(super) const REQUEST_TOP_K: &str = "gen_ai.request.top_k";
pub(super) const REQUEST_SEED: &str = "gen_ai.request.seed";
pub(super) const REQUEST_CHOICES: &str = "gen_ai.request.choice.count";
pub(super) const RESPONSE_MODEL: &str = "gen_ai.response.model";
pub(super) const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// Seconds from the submission to the first token.
pub(super) const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
pub(super) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
pub(super) const CACHED_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
pub(super) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Only where the operator has switched content on.
pub(super) const INPUT_MESSAGES: &str = "gen_ai.input.messages";
/// Only where the operator has switched content on.
pub(super) const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";

/// What ended the operation, when that was an error: a code of the catalogue, or an outcome.
pub(super) const ERROR_TYPE: &str = "error.type";
pub(super) const HTTP_METHOD: &str = "http.request.method";
pub(super) const HTTP_ROUTE: &str = "http.route";
pub(super) const HTTP_STATUS: &str = "http.response.status_code";

/// The tenant's slug.
pub(super) const TENANT: &str = "tenora.tenant";
/// The base model's id.
pub(super) const BASE_MODEL: &str = "tenora.base_model";
/// The adapter version's digest.
pub(super) const ADAPTER_DIGEST: &str = "tenora.adapter.digest";
/// Where a load came from: `blob` (the blob store) or `disk` (local files).
pub(super) const TIER: &str = "tenora.load.tier";
/// `finished`, `failed`, `cancelled` or `cut_off`.
pub(super) const OUTCOME: &str = "tenora.outcome";
/// The request's id, as in `x-request-id`.
pub(super) const REQUEST_ID: &str = "tenora.request_id";
