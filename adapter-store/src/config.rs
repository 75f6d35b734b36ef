//! The store's settings, already validated: it reads no environment.

mod blobs_url;

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

pub use self::blobs_url::{BlobsUrl, Bucket, S3Access, S3Credentials};

/// Everything the store needs to open.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where the rows are.
    pub database: DatabaseUrl,
    /// Where the blobs are.
    pub blobs: BlobsSettings,
    /// The local cache of verified files; one process at a time owns it.
    pub cache_dir: PathBuf,
    /// The local cache's budget in bytes; at least as large as the largest adapter.
    pub cache_bytes: u64,
    /// Where uploads wait for their check; several processes may share it.
    pub staging_dir: PathBuf,
    /// The most bytes that an `adapter_model.safetensors` may have.
    pub max_adapter_bytes: u64,
    /// Where replicas share the resolve cache; `None` = each process has its own.
    pub redis_url: Option<SecretString>,
    /// What every Redis key begins with.
    pub redis_prefix: String,
    /// The secret behind every stored key's hash; replicas must agree on it.
    pub pepper: SecretString,
    /// How long known keys and references go on working while the database does not answer.
    pub grace: Duration,
}

/// Where the blobs are, and how long what nobody needs may stay there.
#[derive(Debug, Clone)]
pub struct BlobsSettings {
    /// The place; replicas share it.
    pub url: BlobsUrl,
    /// How S3 is reached, where that is the place.
    pub s3: S3Access,
    /// How old bytes without a row, and leftovers of uploads, must be before the sweeper removes them.
    pub sweep_grace: Duration,
}

/// Which database holds the rows.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// A file, made when it is missing.
    Sqlite(PathBuf),
    /// A `postgres://` URL. `?options=-c%20search_path%3D<schema>` picks a schema.
    Postgres(SecretString),
}
