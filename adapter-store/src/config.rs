//! The store's settings, already validated: it reads no environment.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// Everything the store needs to open.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where the rows are.
    pub database: DatabaseUrl,
    /// Where the blobs are; replicas share it.
    pub blobs_dir: PathBuf,
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

/// Which database holds the rows.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// A file, made when it is missing.
    Sqlite(PathBuf),
    /// A `postgres://` URL. `?options=-c%20search_path%3D<schema>` picks a schema.
    Postgres(SecretString),
}
