//! The meanings of the other crates, brought into the catalogue.

use tenora_adapter_store::StoreError;
use tenora_engine::{AdapterRejection, EngineError};

use super::ApiError;

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
            fault @ (EngineError::BaseModel { .. } | EngineError::Fault(_)) => Self::internal(fault),
        }
    }
}

/// A missing adapter or tenant becomes an answer only with the name that the client used: the handlers bring it.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyNotFound => Self::KeyNotFound,
            StoreError::SlugTaken(slug) => Self::TenantExists { slug: slug.to_string() },
            StoreError::InvalidConfig(problem) => {
                Self::invalid("adapter_config.json", format!("adapter_config.json is not valid: {problem}."))
            }
            StoreError::MissingFile(file) => Self::invalid(file, format!("{file} is missing.")),
            StoreError::TooLarge { file, limit } => {
                Self::TooLarge { what: "The file", param: Some(file), limit_bytes: limit }
            }
            away @ (StoreError::Unavailable { .. } | StoreError::CacheFull { .. }) => {
                Self::StorageUnavailable(Box::new(away))
            }
            fault => Self::internal(fault),
        }
    }
}

impl From<AdapterRejection> for ApiError {
    fn from(rejection: AdapterRejection) -> Self {
        Self::AdapterRejected(rejection)
    }
}
