//! The store's settings, already validated: it reads no environment.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::SecretString;

use crate::error::ParseError;

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
}

impl StoreConfig {
    /// The embedded default: everything in one folder, nothing shared.
    pub fn embedded(data_dir: &Path, pepper: SecretString) -> Self {
        Self {
            database: DatabaseUrl::Sqlite(data_dir.join("tenora.db")),
            blobs_dir: data_dir.join("blobs"),
            cache_dir: data_dir.join("cache"),
            cache_bytes: 10 << 30,
            staging_dir: data_dir.join("staging"),
            max_adapter_bytes: 2 << 30,
            redis_url: None,
            redis_prefix: "tenora:".to_owned(),
            pepper,
        }
    }
}

/// Which database holds the rows.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// A file, made when it is missing.
    Sqlite(PathBuf),
    /// A `postgres://` URL. `?options=-c%20search_path%3D<schema>` picks a schema.
    Postgres(SecretString),
}

impl FromStr for DatabaseUrl {
    type Err = ParseError;

    /// Reads `sqlite:<path>` (`sqlite://<path>` too) or `postgres://…`. An error never repeats the URL: it may hold a password.
    fn from_str(url: &str) -> Result<Self, ParseError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.into()));
        }
        let path = url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        match path {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            _ => Err(ParseError::new("database URL", "expected postgres://… or sqlite:<path>")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_by_its_scheme_and_passwords_stay_hidden() {
        let postgres: DatabaseUrl = "postgres://u:hunter2@db/x".parse().unwrap();
        assert!(!format!("{postgres:?}").contains("hunter2"));
        for url in ["sqlite:/data/t.db", "sqlite:///data/t.db"] {
            let Ok(DatabaseUrl::Sqlite(path)) = url.parse() else { panic!("{url}") };
            assert_eq!(path, Path::new("/data/t.db"));
        }
        let error = "mysql://u:hunter2@db/x".parse::<DatabaseUrl>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert!("sqlite:".parse::<DatabaseUrl>().is_err());
    }
}
