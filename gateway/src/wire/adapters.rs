//! `/v1/adapters`: adapters and their immutable versions.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::list::Listed;

/// An adapter: a name, and the versions uploaded under it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Adapter {
    /// Its name: what to send as `model` for the latest version.
    pub id: String,
    /// Always `adapter`.
    pub object: &'static str,
    /// Its name.
    pub name: String,
    /// Unix seconds.
    pub created_at: i64,
    /// The newest version's number: the one that the plain name answers with.
    pub latest: u32,
    /// Its versions, newest first; of a long history the 100 newest.
    pub versions: Vec<AdapterVersion>,
}

impl Listed for Adapter {
    fn list_id(&self) -> String {
        self.id.clone()
    }
}

/// One immutable version of an adapter.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdapterVersion {
    /// Always `adapter.version`.
    pub object: &'static str,
    /// The adapter.
    pub name: String,
    /// Its number: 1, 2, …, never reused.
    pub version: u32,
    /// What to send as `model` for exactly this version, such as `ticket-triage@1`.
    pub model: String,
    /// SHA-256 over the canonical config and the weights.
    pub digest: String,
    /// Size of its files.
    pub bytes: u64,
    /// Unix seconds.
    pub created_at: i64,
    /// Whether it was made for the base model that is resident now.
    pub routable: bool,
    /// What the checks found: rank, modules, tensors, …
    #[schema(value_type = Object)]
    pub report: serde_json::Value,
}

/// The answer to a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedAdapter {
    /// The adapter's name.
    pub id: String,
    /// Always `adapter`.
    pub object: &'static str,
    /// Always true.
    pub deleted: bool,
}

/// The parts of an upload, in any order.
#[derive(Debug, ToSchema)]
pub struct AdapterUpload {
    /// The adapter's name: `^[a-z0-9][a-z0-9._-]{0,63}$`.
    pub name: String,
    /// PEFT's `adapter_config.json`.
    #[schema(rename = "adapter_config.json", format = Binary)]
    pub config: String,
    /// PEFT's `adapter_model.safetensors`.
    #[schema(rename = "adapter_model.safetensors", format = Binary)]
    pub weights: String,
}

/// An adapter whose weights were sent as a resumable upload.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdapterFromUpload {
    /// The adapter's name: `^[a-z0-9][a-z0-9._-]{0,63}$`.
    pub name: String,
    /// What PEFT's `adapter_config.json` holds; kept as it is sent.
    #[schema(value_type = Object)]
    pub config: Box<RawValue>,
    /// The completed upload of PEFT's `adapter_model.safetensors`, or its file.
    pub weights_upload_id: String,
}
