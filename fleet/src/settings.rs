//! The fleet's settings, already validated: it reads no environment.

use std::{fmt, path::PathBuf, time::Duration};

use reqwest::Url;
use secrecy::{SecretSlice, SecretString};

/// Everything the fleet needs to start.
#[derive(Debug)]
pub struct FleetSettings {
    /// The vLLM servers, all with the same base model.
    pub servers: Vec<ServerUrl>,
    /// What the servers want as a bearer token (`--api-key`); `None` = nothing.
    pub api_key: Option<SecretString>,
    /// What the servers call the base model (`--served-model-name`).
    pub model: String,
    /// A folder that all servers share, as this process sees it.
    pub folder: PathBuf,
    /// The same folder as the servers see it.
    pub folder_there: PathBuf,
    /// Bytes of adapters in that folder; those that were not loaded for the longest time go first.
    pub folder_bytes: u64,
    /// Adapters that a server holds at the same time: its `--max-cpu-loras`.
    pub adapters_per_server: usize,
    /// Requests that may wait for their first token.
    pub queue_limit: usize,
    /// How long a server may take to load an adapter.
    pub load_timeout: Duration,
    /// How long a server is not asked again for an adapter that it could not load.
    pub load_rest: Duration,
    /// What cache domains are salted with: the same in all processes that share the servers, and known to nobody else.
    pub salt_key: SecretSlice<u8>,
}

/// A server's address: `http` or `https`, without a query.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerUrl(Url);

impl ServerUrl {
    /// Parses an address.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut url = Url::parse(text).map_err(|error| format!("`{text}` is no address: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(format!("`{text}` is not http://host:port or https://host:port"));
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err(format!("`{text}` has more than a scheme, a host, a port and a path"));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }

    /// An address below this one.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_whole_or_refused() {
        for (text, shown) in [
            ("http://10.0.0.7:8000", "http://10.0.0.7:8000"),
            ("https://gpu-1.internal/vllm/", "https://gpu-1.internal/vllm"),
        ] {
            let url = ServerUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.join("v1/models"), format!("{shown}/v1/models"));
        }
        for wrong in ["", "gpu-1:8000", "ftp://gpu-1", "http://", "http://user@gpu-1", "http://gpu-1?x=1"] {
            assert!(ServerUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
