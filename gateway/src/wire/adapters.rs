//! `/v1/adapters`: adapters, their immutable versions, and the aliases that move between them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

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
    /// The version that the plain name answers with: what the alias `latest` names.
    pub latest: u32,
    /// What its aliases name now.
    pub aliases: Vec<Alias>,
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
    /// `ready`, or `disabled` by its owner.
    pub status: &'static str,
    /// Why it is disabled, in its owner's words.
    #[schema(required)]
    pub disabled_reason: Option<String>,
    /// Whether it answers: it is ready, and was made for the base model that is resident now.
    pub routable: bool,
    /// What the checks found: rank, modules, tensors, …
    #[schema(value_type = Object)]
    pub report: serde_json::Value,
}

impl Listed for AdapterVersion {
    fn list_id(&self) -> String {
        self.version.to_string()
    }
}

/// What to change of a version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionUpdate {
    /// `ready` or `disabled`.
    pub status: String,
    /// Why it is disabled; shown to whoever asks for it.
    pub reason: Option<String>,
}

/// The part of an alias's requests that one version answers.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The version's number.
    pub version: u32,
    /// Its part is this over the sum of all weights; 1 when left out.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 1000, default = 1)]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

/// What an alias names now: `name@alias` as `model` asks for it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alias {
    /// Always `adapter.alias`.
    pub object: &'static str,
    /// The adapter.
    pub name: String,
    /// The alias.
    pub alias: String,
    /// What to send as `model`, such as `ticket-triage@prod`.
    pub model: String,
    /// Counts its moves: send it back as `expected_revision`, and nobody's move is overwritten unseen.
    pub revision: u64,
    /// The versions that share its requests.
    pub targets: Vec<Share>,
    /// When it was moved here; Unix seconds.
    pub moved_at: i64,
}

impl Listed for Alias {
    fn list_id(&self) -> String {
        self.alias.clone()
    }
}

/// An alias with what it named before.
#[derive(Debug, Serialize, ToSchema)]
pub struct AliasDetail {
    /// What it names now.
    #[serde(flatten)]
    pub now: Alias,
    /// Its moves, newest first, at most 100.
    pub history: Vec<AliasMove>,
}

/// What an alias named from one move to the next.
#[derive(Debug, Serialize, ToSchema)]
pub struct AliasMove {
    /// Which move, from 1.
    pub revision: u64,
    /// The versions that shared its requests.
    pub targets: Vec<Share>,
    /// Unix seconds.
    pub moved_at: i64,
    /// When the next move came; null = this is what it names now.
    #[schema(required)]
    pub ended_at: Option<i64>,
}

/// Where an alias is to point: one version, or several with weights.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasUpdate {
    /// All requests to this version.
    pub version: Option<u32>,
    /// Or shared by these; put the newcomer last, so that callers who are on it stay on it while its share grows.
    pub targets: Option<Vec<Share>>,
    /// The revision that the alias must be at, 0 = it must not exist yet; left out: move it wherever it is.
    pub expected_revision: Option<u64>,
}

/// Where an alias goes back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasRollback {
    /// What it named at this revision; left out: before its last move.
    pub to_revision: Option<u64>,
    /// The revision that the alias must be at.
    pub expected_revision: Option<u64>,
}

/// The answer to the deletion of an alias.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedAlias {
    /// What it was asked for by: `name@alias`.
    pub id: String,
    /// Always `adapter.alias`.
    pub object: &'static str,
    /// Always true.
    pub deleted: bool,
}

/// The answer to the deletion of a version.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedVersion {
    /// What it was asked for by: `name@7`.
    pub id: String,
    /// Always `adapter.version`.
    pub object: &'static str,
    /// Always true.
    pub deleted: bool,
}

/// How to push.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PushQuery {
    /// Whether to answer when the version is ready or refused (true), or at once with the push to follow (false).
    #[param(default = true)]
    pub wait: Option<bool>,
    /// Whether the alias `latest`, which the plain name means, moves to the version.
    #[param(default = true)]
    pub latest: Option<bool>,
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

/// Which adapters, and in which order.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AdaptersQuery {
    /// Continue after this adapter: the last page's `last_id`.
    pub after: Option<String>,
    /// How many, from 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// Only those whose name holds this text, whatever its case.
    #[param(max_length = 100)]
    pub q: Option<String>,
    /// By name or by age; `-` turns it round.
    pub order: Option<AdaptersOrder>,
}

/// An order of adapters.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub enum AdaptersOrder {
    /// By name.
    #[serde(rename = "name")]
    Name,
    /// By name, from the end.
    #[serde(rename = "-name")]
    NameDown,
    /// The oldest first.
    #[serde(rename = "created_at")]
    CreatedAt,
    /// The newest first.
    #[serde(rename = "-created_at")]
    CreatedAtDown,
}

impl From<AdaptersOrder> for tenora_adapter_store::Order {
    fn from(order: AdaptersOrder) -> Self {
        match order {
            AdaptersOrder::Name => Self::Name,
            AdaptersOrder::NameDown => Self::NameDown,
            AdaptersOrder::CreatedAt => Self::CreatedAt,
            AdaptersOrder::CreatedAtDown => Self::CreatedAtDown,
        }
    }
}
