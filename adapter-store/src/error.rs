//! Everything that can go wrong in the store, by meaning. Knows no HTTP: the gateway's catalogue gives status and code.

use std::error::Error as StdError;

use thiserror::Error;

use crate::ids::{AliasName, Digest, TenantSlug, VersionNumber};
use crate::upload_error::UploadError;

type Cause = Box<dyn StdError + Send + Sync>;

/// What the store could not do, and why.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Unknown, deleted, or another tenant's: the three are never told apart.
    #[error("no such adapter or version")]
    AdapterNotFound,
    /// The adapter has no such alias. Safe for the client.
    #[error("the adapter has no alias \"{0}\"")]
    AliasNotFound(AliasName),
    /// The alias has moved since it was looked at. Safe for the client.
    #[error("the alias is at revision {revision} by now; look at it again")]
    AliasMoved {
        /// Where it is; 0 = it does not exist.
        revision: u64,
    },
    /// An alias would name a version that is not there. Safe for the client.
    #[error("there is no version {0}; it was deleted or never made")]
    NoSuchVersion(VersionNumber),
    /// An alias would name a version that is out of service. Safe for the client.
    #[error("version {0} is disabled; enable it first")]
    VersionDisabled(VersionNumber),
    /// What an alias would name is not what it may. Safe for the client.
    #[error("{0}")]
    InvalidTargets(&'static str),
    /// A version that aliases name cannot be deleted. Safe for the client.
    #[error("the version is what {} names; move the alias first", .0.iter().map(|alias| format!("\"{alias}\"")).collect::<Vec<_>>().join(" and "))]
    VersionInUse(Vec<AliasName>),
    /// Unknown, forgotten, or another tenant's.
    #[error("no such push")]
    PushNotFound,
    /// No tenant has this slug or id.
    #[error("no such tenant")]
    TenantNotFound,
    /// The tenant has no key with this id.
    #[error("no such key")]
    KeyNotFound,
    /// Another tenant has this slug.
    #[error("the slug \"{0}\" is taken; choose another")]
    SlugTaken(TenantSlug),
    /// `adapter_config.json` is not one JSON object. Safe for the client.
    #[error("adapter_config.json: {0}")]
    InvalidConfig(String),
    /// An upload ended without one of its two files. Safe for the client.
    #[error("{0} is missing; an adapter is adapter_config.json and adapter_model.safetensors")]
    MissingFile(&'static str),
    /// A file of an upload is larger than the store takes. Safe for the client.
    #[error("{file} is larger than {limit} bytes")]
    TooLarge {
        /// The file, by its PEFT name.
        file: &'static str,
        /// The most bytes it may have.
        limit: u64,
    },
    /// A resumable upload does not go on. Safe for the client.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The tenant would have more than it may. Safe for the client.
    #[error("the limit of {limit} {what} would be exceeded")]
    OverQuota {
        /// More of what.
        what: &'static str,
        /// The most that it may have.
        limit: u64,
    },
    /// A dependency did not answer in bounded time: come back later. Never means "unknown".
    #[error("{what} is unavailable")]
    Unavailable {
        /// Which dependency: the database, the blob store or the disk.
        what: &'static str,
        /// For the log.
        #[source]
        cause: Cause,
    },
    /// Adapters in use pin too much of the local cache: come back later.
    #[error(
        "the local adapter cache ({budget} bytes) has no room: it is full of adapters in use, or smaller than this one"
    )]
    CacheFull {
        /// The cache's budget in bytes.
        budget: u64,
    },
    /// One bucket of usage has more groups than an answer holds. Safe for the client.
    #[error("one bucket has more than {limit} groups")]
    TooManyGroups {
        /// The most groups that an answer holds.
        limit: usize,
    },
    /// The Postgres schema is older than this program.
    #[error("the database schema is not up to date; run `tenora migrate` and start again")]
    NotMigrated,
    /// Stored bytes are missing or are not what their digest says.
    #[error(
        "the stored bytes of {digest} are missing or damaged; push the adapter again, and let all servers share one blob store"
    )]
    Corrupt {
        /// The digest that the bytes should have.
        digest: Digest,
    },
    /// The store cannot be opened with these settings; for the operator.
    #[error("{0}")]
    Setup(String),
    /// A fault of ours; for the log, not for a client.
    #[error("store fault")]
    Internal(#[source] Cause),
}

impl StoreError {
    pub(crate) fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(cause.into())
    }

    pub(crate) fn unavailable(what: &'static str, cause: impl Into<Cause>) -> Self {
        Self::Unavailable { what, cause: cause.into() }
    }

    /// A failure to read or write local files: a full disk passes, anything else is a fault.
    pub(crate) fn disk(cause: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match cause.kind() {
            StorageFull | QuotaExceeded => Self::unavailable("disk space", cause),
            _ => Self::internal(cause),
        }
    }
}
