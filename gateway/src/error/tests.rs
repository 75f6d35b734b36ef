//! The whole catalogue, as clients match on it.

use tenora_adapter_store::PartId;
use tenora_engine::AdapterRejection;

use super::*;
use crate::limits::{Bucket, SubjectKind};

fn refusal(bucket: Bucket, retry_after_ms: Option<u64>) -> Refusal {
    let retry_after = retry_after_ms.map(std::time::Duration::from_millis);
    Refusal { bucket, kind: SubjectKind::Tenant, limit: 60, retry_after, standing: Box::default() }
}

fn every_error() -> Vec<ApiError> {
    let text = || "x".to_owned();
    let part = PartId::parse(&format!("part_{}", "0".repeat(32))).expect("an id");
    vec![
        ApiError::MissingKey,
        ApiError::MalformedKey("it holds no key"),
        ApiError::WrongKey,
        ApiError::SessionEnded,
        ApiError::CsrfTokenMissing,
        ApiError::InsufficientScope { scope: "chat" },
        ApiError::TenantSuspended,
        ApiError::CredentialRevoked,
        ApiError::GrantExceeded { what: text() },
        ApiError::RateLimited(refusal(Bucket::Requests, Some(1500))),
        ApiError::RateLimited(refusal(Bucket::Tokens, Some(20))),
        ApiError::RateLimited(refusal(Bucket::Tokens, None)),
        ApiError::RateLimited(refusal(Bucket::Concurrency, Some(1000))),
        ApiError::BudgetSpent(refusal(Bucket::MonthlyTokens, None)),
        ApiError::BudgetUnknown,
        ApiError::OverQuota { what: "adapters", limit: 1 },
        ApiError::InvalidJson { problem: text() },
        ApiError::invalid("messages[0].content", "x"),
        ApiError::UnsupportedMediaType { expected: "application/json" },
        ApiError::InvalidMultipart { problem: text() },
        ApiError::TooLarge { what: "The file", param: Some("adapter_model.safetensors"), limit_bytes: 1 },
        ApiError::HeadersTooLarge { limit_bytes: 1 },
        ApiError::BodyTimeout { idle_s: 30 },
        ApiError::RouteNotFound { path: text() },
        ApiError::MethodNotAllowed { path: text(), method: text(), allow: text() },
        ApiError::model_not_found("x"),
        ApiError::BaseMismatch { model: text(), base: text() },
        ApiError::AdapterRejected(AdapterRejection::new("adapter_not_finite", "tensor", "x")),
        ApiError::Upload(UploadError::NotFound),
        ApiError::Upload(UploadError::NotPending { status: "cancelled" }),
        ApiError::Upload(UploadError::NotCompleted { status: "pending" }),
        ApiError::Upload(UploadError::Used),
        ApiError::Upload(UploadError::Expired),
        ApiError::Upload(UploadError::TooMany { limit: 16 }),
        ApiError::Upload(UploadError::Busy { limit: 16 }),
        ApiError::Upload(UploadError::Full { what: "parts", limit: 1 }),
        ApiError::Upload(UploadError::PartTooLarge { limit: 1 }),
        ApiError::Upload(UploadError::EmptyPart),
        ApiError::Upload(UploadError::PartNotFound(part)),
        ApiError::Upload(UploadError::PartRepeated(part)),
        ApiError::Upload(UploadError::WrongSize { declared: 2, got: 1 }),
        ApiError::Upload(UploadError::WrongDigest { which: "md5", got: text() }),
        ApiError::ContextLengthExceeded { prompt: 2, context: 1 },
        ApiError::NoChatTemplate,
        ApiError::ChatTemplate(text()),
        ApiError::TenantNotFound { slug: text() },
        ApiError::TenantExists { slug: text() },
        ApiError::KeyNotFound,
        ApiError::AdapterDisabled { reason: text() },
        ApiError::QueueFull,
        ApiError::RequestTimeout,
        ApiError::ShuttingDown,
        ApiError::MeteringUnavailable,
        ApiError::IssuerUnavailable("secret".into()),
        ApiError::StorageUnavailable("secret".into()),
        ApiError::EngineUnavailable("secret".into()),
        ApiError::internal("secret"),
    ]
}

#[test]
fn status_code_parameter_and_retry_of_every_error() {
    let errors = every_error();
    let lines = errors.iter().map(|error| {
        let entry = error.entry();
        let retry = match entry.retry {
            Retry::ClientDecides => String::new(),
            Retry::Never => " never".to_owned(),
            Retry::After { ms } => format!(" after {ms} ms"),
        };
        let param = error.param().map_or_else(String::new, |param| format!(" [{param}]"));
        format!("{} {} {}{param}{retry}", entry.status.as_u16(), entry.kind.as_str(), entry.code)
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn no_cause_is_told_to_a_client() {
    for error in every_error() {
        let told = serde_json::to_string(&error.envelope()).expect("JSON");
        assert!(!told.contains("secret"), "{told}");
        assert_eq!(error.error_response().status(), error.entry().status);
    }
}
