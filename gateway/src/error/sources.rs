//! The meanings of the other crates, brought into the catalogue.

use tenora_adapter_store::{StoreError, UploadError};
use tenora_engine::{AdapterRejection, EngineError, lora::codes};

use super::ApiError;
use crate::limits::{Bucket, Refusal};

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Adapter(rejection) => rejection.into(),
            EngineError::NoChatTemplate => Self::NoChatTemplate,
            EngineError::Template(problem) => Self::ChatTemplate(problem),
            EngineError::Invalid { field, problem } => Self::invalid(field, format!("`{field}` {problem}.")),
            EngineError::ContextLength { prompt, context } => Self::ContextLengthExceeded { prompt, context },
            EngineError::QueueFull { .. } => Self::QueueFull,
            EngineError::ShuttingDown => Self::ShuttingDown,
            EngineError::DeadlineExceeded => Self::RequestTimeout,
            away @ EngineError::Unavailable(_) => Self::EngineUnavailable(Box::new(away)),
            fault @ (EngineError::BaseModel { .. }
            | EngineError::NotFinite { .. }
            | EngineError::Fault(_)) => Self::internal(fault),
        }
    }
}

/// Whether waiting helps decides what a refusal is called.
impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match (refusal.bucket, refusal.retry_after) {
            (Bucket::MonthlyTokens, None) => Self::BudgetSpent(refusal),
            (Bucket::MonthlyTokens, Some(_)) => Self::BudgetUnknown,
            _ => Self::RateLimited(refusal),
        }
    }
}

/// A missing adapter or tenant becomes an answer only with the name that the client used: the handlers bring it.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyNotFound => Self::KeyNotFound,
            StoreError::Upload(problem) => Self::Upload(problem),
            StoreError::SlugTaken(slug) => Self::TenantExists { slug: slug.to_string() },
            StoreError::InvalidConfig(problem) => {
                let message = format!("adapter_config.json is not a JSON object: {problem}");
                let param = Some("adapter_config.json".to_owned());
                AdapterRejection { code: codes::CONFIG_INVALID_JSON, param, message }.into()
            }
            StoreError::OverQuota { what, limit } => Self::OverQuota { what, limit },
            StoreError::AliasNotFound(alias) => Self::AliasNotFound { alias: alias.to_string() },
            StoreError::AliasMoved { revision } => Self::AliasMoved { revision },
            wrong @ (StoreError::NoSuchVersion(_)
            | StoreError::VersionDisabled(_)
            | StoreError::InvalidTargets(_)) => {
                Self::invalid("targets", format!("The alias cannot name that: {wrong}."))
            }
            used @ StoreError::VersionInUse(_) => Self::VersionInUse(used.to_string()),
            StoreError::PushNotFound => Self::PushNotFound,
            StoreError::MissingFile(file) => Self::invalid(file, format!("{file} is missing.")),
            StoreError::TooLarge { file, limit } => {
                Self::TooLarge { what: "The file", param: Some(file), limit_bytes: limit }
            }
            StoreError::TooManyGroups { limit } => {
                let message = format!(
                    "`group_by` makes more than {limit} results in one bucket; group by less, name keys or models, or ask for the `top`."
                );
                Self::invalid("group_by", message)
            }
            away @ (StoreError::Unavailable { .. } | StoreError::CacheFull { .. }) => {
                Self::StorageUnavailable(Box::new(away))
            }
            fault => Self::internal(fault),
        }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        Self::Upload(error)
    }
}

/// What is wrong with our copy of the files, or with the device, is no mistake of their owner.
impl From<AdapterRejection> for ApiError {
    fn from(rejection: AdapterRejection) -> Self {
        match rejection.code {
            codes::DISABLED => Self::AdapterDisabled { reason: rejection.message },
            codes::DIGEST_MISMATCH | codes::UNREADABLE | codes::NOT_LOADED => Self::internal(rejection),
            _ => Self::AdapterRejected(rejection),
        }
    }
}
