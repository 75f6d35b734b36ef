//! Names of adapters in paths: one that cannot exist, or that the credential may not use, is answered like one that does not.

use tenora_adapter_store::{AdapterName, StoreError};

use crate::{auth::Caller, error::ApiError};

/// The adapter that a path names.
pub(super) fn name<S>(caller: &Caller<S>, text: &str) -> Result<AdapterName, ApiError> {
    let name = AdapterName::parse(text).ok().filter(|name| caller.identity().may_use(name));
    name.ok_or_else(|| ApiError::model_not_found(text))
}

/// A store's "no such adapter" with the name that was asked for.
pub(super) fn not_found(name: &AdapterName, error: StoreError) -> ApiError {
    match error {
        StoreError::AdapterNotFound => ApiError::model_not_found(name.as_str()),
        other => other.into(),
    }
}
