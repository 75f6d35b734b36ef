//! The table: failure → status, type, code, parameter, retry advice.

use actix_web::http::StatusCode;

use tenora_adapter_store::UploadError;

use super::ApiError;
use crate::limits::{Bucket, Refusal};

/// One row of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The HTTP status.
    pub status: StatusCode,
    /// The envelope's `type`.
    pub kind: Kind,
    /// The envelope's `code`: stable, for programs.
    pub code: &'static str,
    /// Whether trying again can help.
    pub retry: Retry,
}

/// Who is at fault, in OpenAI's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request.
    InvalidRequest,
    /// Too many requests.
    Requests,
    /// Too many tokens.
    Tokens,
    /// The budget.
    InsufficientQuota,
    /// The server.
    Server,
}

impl Kind {
    /// The envelope's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request_error",
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InsufficientQuota => "insufficient_quota",
            Self::Server => "server_error",
        }
    }
}

/// What the SDKs are told about trying again; left alone they retry 408, 409, 429 and all of 5xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The status says enough.
    ClientDecides,
    /// The same request will fail again.
    Never,
    /// It is worth waiting this long.
    After {
        /// Milliseconds.
        ms: u64,
    },
}

const fn refused(status: StatusCode, code: &'static str) -> Entry {
    Entry { status, kind: Kind::InvalidRequest, code, retry: Retry::ClientDecides }
}

const fn refused_for_good(status: StatusCode, code: &'static str) -> Entry {
    Entry { status, kind: Kind::InvalidRequest, code, retry: Retry::Never }
}

const fn later(code: &'static str, seconds: u64) -> Entry {
    Entry {
        status: StatusCode::SERVICE_UNAVAILABLE,
        kind: Kind::Server,
        code,
        retry: Retry::After { ms: seconds * 1000 },
    }
}

/// Waiting helps, unless the request alone is more than the limit.
fn rate_limited(refusal: &Refusal) -> Entry {
    let kind = if refusal.bucket == Bucket::Tokens { Kind::Tokens } else { Kind::Requests };
    let retry = refusal.retry_after.map_or(Retry::Never, |after| Retry::After {
        ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX).max(1),
    });
    Entry { status: StatusCode::TOO_MANY_REQUESTS, kind, code: "rate_limit_exceeded", retry }
}

/// The rows of resumable uploads.
fn upload(problem: &UploadError) -> Entry {
    use StatusCode as S;
    match problem {
        UploadError::NotFound => refused(S::NOT_FOUND, "upload_not_found"),
        UploadError::NotPending { .. } => refused_for_good(S::CONFLICT, "upload_not_pending"),
        UploadError::NotCompleted { .. } => refused_for_good(S::CONFLICT, "upload_not_completed"),
        UploadError::Used => refused_for_good(S::CONFLICT, "upload_used"),
        UploadError::Expired => refused_for_good(S::CONFLICT, "upload_expired"),
        UploadError::TooMany { .. } => refused_for_good(S::CONFLICT, "too_many_uploads"),
        UploadError::Full { .. } => refused_for_good(S::CONFLICT, "upload_full"),
        UploadError::Busy { .. } => Entry {
            status: S::TOO_MANY_REQUESTS,
            kind: Kind::Requests,
            code: "too_many_parts",
            retry: Retry::After { ms: 1000 },
        },
        UploadError::PartTooLarge { .. } => refused(S::PAYLOAD_TOO_LARGE, "part_too_large"),
        UploadError::EmptyPart => refused(S::BAD_REQUEST, "part_empty"),
        UploadError::PartNotFound(_) => refused(S::BAD_REQUEST, "part_not_found"),
        UploadError::PartRepeated(_) => refused(S::BAD_REQUEST, "part_repeated"),
        UploadError::WrongSize { .. } => refused(S::BAD_REQUEST, "upload_size_mismatch"),
        UploadError::WrongDigest { .. } => refused(S::BAD_REQUEST, "digest_mismatch"),
    }
}

/// The field that is at fault with a resumable upload.
fn upload_param(problem: &UploadError) -> Option<&'static str> {
    match problem {
        UploadError::PartTooLarge { .. } | UploadError::EmptyPart => Some("data"),
        UploadError::PartNotFound(_) | UploadError::PartRepeated(_) | UploadError::WrongSize { .. } => {
            Some("part_ids")
        }
        UploadError::WrongDigest { which, .. } => Some(which),
        _ => None,
    }
}

impl ApiError {
    /// This failure's row.
    pub fn entry(&self) -> Entry {
        use StatusCode as S;
        match self {
            Self::MissingKey => refused(S::UNAUTHORIZED, "invalid_api_key"),
            Self::SessionEnded => refused(S::UNAUTHORIZED, "session_ended"),
            Self::CsrfTokenMissing => refused(S::FORBIDDEN, "csrf_token_missing"),
            Self::MalformedKey(_) => refused(S::UNAUTHORIZED, "invalid_api_key"),
            Self::WrongKey => refused(S::UNAUTHORIZED, "invalid_api_key"),
            Self::InsufficientScope { .. } => refused(S::FORBIDDEN, "insufficient_scope"),
            Self::TenantSuspended => refused(S::FORBIDDEN, "tenant_suspended"),
            Self::CredentialRevoked => refused(S::UNAUTHORIZED, "credential_revoked"),
            Self::GrantExceeded { .. } => refused(S::FORBIDDEN, "grant_exceeded"),
            Self::RateLimited(refusal) => rate_limited(refusal),
            Self::BudgetSpent(_) => Entry {
                status: S::TOO_MANY_REQUESTS,
                kind: Kind::InsufficientQuota,
                code: "insufficient_quota",
                retry: Retry::Never,
            },
            Self::BudgetUnknown => later("budget_unknown", 2),
            Self::OverQuota { .. } => refused(S::FORBIDDEN, "quota_exceeded"),
            Self::InvalidJson { .. } => refused(S::BAD_REQUEST, "invalid_json"),
            Self::InvalidValue { .. } => refused(S::BAD_REQUEST, "invalid_value"),
            Self::UnsupportedMediaType { .. } => refused(S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::InvalidMultipart { .. } => refused(S::BAD_REQUEST, "invalid_multipart"),
            Self::TooLarge { .. } => refused(S::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::HeadersTooLarge { .. } => refused(S::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large"),
            Self::BodyTimeout { .. } => refused_for_good(S::REQUEST_TIMEOUT, "body_timeout"),
            Self::RouteNotFound { .. } => refused(S::NOT_FOUND, "route_not_found"),
            Self::MethodNotAllowed { .. } => refused(S::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::ModelNotFound { .. } => refused(S::NOT_FOUND, "model_not_found"),
            Self::BaseMismatch { .. } => refused_for_good(S::CONFLICT, "adapter_base_mismatch"),
            Self::AdapterRejected(rejection) => refused(S::BAD_REQUEST, rejection.code),
            Self::Upload(problem) => upload(problem),
            Self::ContextLengthExceeded { .. } => refused(S::BAD_REQUEST, "context_length_exceeded"),
            Self::NoChatTemplate => refused(S::BAD_REQUEST, "no_chat_template"),
            Self::ChatTemplate(_) => refused(S::BAD_REQUEST, "chat_template_refused"),
            Self::TenantNotFound { .. } => refused(S::NOT_FOUND, "tenant_not_found"),
            Self::TenantExists { .. } => refused_for_good(S::CONFLICT, "tenant_exists"),
            Self::KeyNotFound => refused(S::NOT_FOUND, "key_not_found"),
            Self::AdapterDisabled { .. } => refused_for_good(S::CONFLICT, "adapter_disabled"),
            Self::VersionDisabled { .. } => refused_for_good(S::CONFLICT, "adapter_version_disabled"),
            Self::AliasNotFound { .. } => refused(S::NOT_FOUND, "alias_not_found"),
            Self::AliasMoved { .. } => refused_for_good(S::CONFLICT, "alias_moved"),
            Self::VersionInUse(_) => refused_for_good(S::CONFLICT, "adapter_version_in_use"),
            Self::PushNotFound => refused(S::NOT_FOUND, "push_not_found"),
            Self::PushRefused { cause, .. } => cause.entry(),
            Self::RequestTimeout => Entry {
                status: S::GATEWAY_TIMEOUT,
                kind: Kind::Server,
                code: "request_timeout",
                retry: Retry::Never,
            },
            Self::QueueFull => later("queue_full", 1),
            Self::ShuttingDown => later("shutting_down", 2),
            Self::MeteringUnavailable => later("metering_unavailable", 5),
            Self::IssuerUnavailable(_) => later("identity_provider_unavailable", 2),
            Self::StorageUnavailable(_) => later("storage_unavailable", 2),
            Self::EngineUnavailable(_) => later("engine_unavailable", 1),
            Self::Internal(_) => Entry {
                status: S::INTERNAL_SERVER_ERROR,
                kind: Kind::Server,
                code: "internal_error",
                retry: Retry::ClientDecides,
            },
        }
    }

    /// The field at fault, when there is one.
    pub fn param(&self) -> Option<String> {
        match self {
            Self::InvalidValue { param, .. } => Some(param.to_string()),
            Self::TooLarge { param, .. } => param.map(str::to_owned),
            Self::AdapterRejected(rejection) => rejection.param.clone(),
            Self::Upload(problem) => upload_param(problem).map(str::to_owned),
            Self::ModelNotFound { .. }
            | Self::BaseMismatch { .. }
            | Self::AdapterDisabled { .. }
            | Self::VersionDisabled { .. } => Some("model".into()),
            Self::AliasMoved { .. } => Some("expected_revision".into()),
            Self::PushRefused { cause, .. } => cause.param(),
            Self::ChatTemplate(_) => Some("messages".into()),
            Self::TenantExists { .. } => Some("slug".into()),
            _ => None,
        }
    }
}
