//! What adapters and versions are to the rest of the program: plain values, no rows and no files.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::alias::Alias;
use crate::ids::{AdapterName, Digest, PushId, Reason, VersionNumber};
use crate::limits::LimitOverrides;

/// One immutable version of an adapter: the bytes named by its digest, for ever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The adapter's name within its tenant.
    pub adapter: AdapterName,
    /// Its place in the adapter's history, never reused.
    pub number: VersionNumber,
    /// SHA-256 over the canonical config and the weights.
    pub digest: Digest,
    /// Bytes of config and weights together.
    pub bytes: u64,
    /// The base model that it was checked against.
    pub base_fingerprint: String,
    /// Why it is out of service; `None` = it is not.
    pub disabled: Option<Reason>,
    /// When it became routable.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A version with what was found when it was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionRecord {
    /// What it is.
    pub version: Version,
    /// What the check found; opaque to the store.
    pub report: serde_json::Value,
}

/// A live adapter with its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// Its name within its tenant.
    pub name: AdapterName,
    /// When the name was first pushed (since it was last deleted).
    pub created_at: OffsetDateTime,
    /// Newest first, never empty; of a longer history the [`SHOWN_VERSIONS`] newest.
    pub versions: Vec<VersionRecord>,
    /// What its aliases mean now, by their names; never without `latest`.
    pub aliases: Vec<Alias>,
}

/// The most versions that an [`Adapter`] shows. Older ones still resolve by number.
pub const SHOWN_VERSIONS: u32 = 100;

/// What the upload check says of staged files, kept with the version.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What the check found; opaque to the store.
    pub report: serde_json::Value,
    /// The base model that the adapter was checked against.
    pub base_fingerprint: String,
    /// What the tenant may have at most; no limits where nothing is said.
    pub limits: LimitOverrides,
    /// Whether the alias `latest` moves to the version. An adapter's first version always gets it.
    pub moves_latest: bool,
    /// The push that ends with the version.
    pub push: Option<PushId>,
}
