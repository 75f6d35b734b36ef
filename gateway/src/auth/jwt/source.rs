//! One fetch of a JWK set, from a URL or a file: bounded in bytes and time, and how long the answer may be believed.
//! Knows nothing of when to fetch.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use jsonwebtoken::Algorithm;
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{ACCEPT, CACHE_CONTROL, HeaderMap},
    redirect::Policy,
};

use super::{
    issuers_file::{MAX_JWKS_BYTES, is_loopback},
    key_feed::Timing,
    key_set::KeySet,
};

/// What a fetch found.
pub(super) struct Fetched {
    /// The keys; `None` = the same as before.
    pub(super) keys: Option<KeySet>,
    /// How long they are not asked for again.
    pub(super) fresh_for: Duration,
    /// Why some keys were left out.
    pub(super) ignored: Vec<&'static str>,
}

/// Where a JWK set is.
pub(super) enum Source {
    /// At a URL.
    Url(Remote),
    /// In a file.
    File(Local),
}

/// A JWK set at a URL.
pub(super) struct Remote {
    client: Client,
    url: Url,
    algorithms: Vec<Algorithm>,
}

/// A JWK set in a file.
pub(super) struct Local {
    path: PathBuf,
    algorithms: Vec<Algorithm>,
    seen: Option<(SystemTime, u64)>,
}

impl Source {
    /// A URL's set: no redirect is followed, and TLS is left for this machine alone.
    pub(super) fn url(url: Url, algorithms: Vec<Algorithm>, timing: &Timing) -> Result<Self, String> {
        let local = is_loopback(&url);
        let builder = Client::builder()
            .timeout(timing.request_timeout)
            .connect_timeout(timing.request_timeout)
            .redirect(Policy::none())
            .https_only(url.scheme() == "https");
        let client = if local { builder.no_proxy() } else { builder }.build();
        let client = client.map_err(|error| format!("no HTTP client can be made: {error}"))?;
        Ok(Self::Url(Remote { client, url, algorithms }))
    }

    /// A file's set, which was read once already.
    pub(super) fn file(path: PathBuf, algorithms: Vec<Algorithm>) -> Self {
        Self::File(Local { path, algorithms, seen: None })
    }

    /// Fetches the keys, or says why it cannot.
    pub(super) async fn fetch(&mut self, timing: &Timing) -> Result<Fetched, String> {
        match self {
            Self::Url(remote) => remote.fetch(timing).await,
            Self::File(local) => local.fetch(timing).await,
        }
    }
}

impl Remote {
    async fn fetch(&self, timing: &Timing) -> Result<Fetched, String> {
        let request = self.client.get(self.url.clone());
        let request = request.header(ACCEPT, "application/jwk-set+json, application/json");
        let response = request.send().await.map_err(|error| chain(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answered {}", response.status()));
        }
        let fresh_for = timing.bounded(max_age(response.headers()));
        let body = bounded_body(response).await?;
        let mut ignored = Vec::new();
        let keys = KeySet::from_jwks(&body, &self.algorithms, &mut ignored)
            .map_err(|problem| format!("its answer {problem}"))?;
        Ok(Fetched { keys: Some(keys), fresh_for, ignored })
    }
}

impl Local {
    async fn fetch(&mut self, timing: &Timing) -> Result<Fetched, String> {
        let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", self.path.display());
        let metadata = tokio::fs::metadata(&self.path).await.map_err(unreadable)?;
        let now = (metadata.modified().map_err(unreadable)?, metadata.len());
        if self.seen == Some(now) {
            return Ok(Fetched { keys: None, fresh_for: timing.file_poll, ignored: Vec::new() });
        }
        if now.1 > MAX_JWKS_BYTES as u64 {
            return Err(format!("{} is larger than {MAX_JWKS_BYTES} bytes", self.path.display()));
        }
        let bytes = tokio::fs::read(&self.path).await.map_err(unreadable)?;
        let mut ignored = Vec::new();
        let keys = KeySet::from_jwks(&bytes, &self.algorithms, &mut ignored)
            .map_err(|problem| format!("{} {problem}", self.path.display()))?;
        self.seen = Some(now);
        Ok(Fetched { keys: Some(keys), fresh_for: timing.file_poll, ignored })
    }
}

async fn bounded_body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| chain(&error))? {
        if body.len() + chunk.len() > MAX_JWKS_BYTES {
            return Err(format!("its answer is larger than {MAX_JWKS_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// `max-age` of `Cache-Control` (RFC 9111, 5.2.2); zero when it forbids caching; `None` when it says nothing.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<String> =
        values.flat_map(|value| value.split(',')).map(|one| one.trim().to_ascii_lowercase()).collect();
    if directives.iter().any(|one| one == "no-store" || one == "no-cache") {
        return Some(Duration::ZERO);
    }
    let seconds = directives.iter().find_map(|one| one.strip_prefix("max-age="))?;
    Some(Duration::from_secs(seconds.trim_matches('"').parse().ok()?))
}

/// An error with its causes: reqwest's own words leave out why a connection failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, value.parse().expect("a header"));
        max_age(&headers)
    }

    #[test]
    fn the_age_is_read_from_cache_control() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(age("public, Max-Age=600, must-revalidate"), seconds(600));
        assert_eq!(age("no-store, max-age=600"), seconds(0));
        for silent in ["public", "max-age=", "max-age=-1", "max-age=soon", "s-maxage=5"] {
            assert_eq!(age(silent), None, "{silent}");
        }
    }
}
