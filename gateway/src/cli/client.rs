//! The HTTP API as the command line sees it: one request, JSON back, failures in one readable line.

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header::HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which server.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// The server's address.
    #[arg(long, env = "TENORA_URL", default_value = "http://127.0.0.1:8080", global = true)]
    url: Url,
    /// Print the server's JSON instead of a table.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// A tenant's key.
#[derive(Debug, Args)]
pub(super) struct TenantKey {
    #[command(flatten)]
    pub(super) server: Server,
    /// The tenant's API key.
    #[arg(long, env = "TENORA_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: SecretString,
}

/// The operator's key.
#[derive(Debug, Args)]
pub(super) struct AdminKey {
    #[command(flatten)]
    pub(super) server: Server,
    /// The operator's key.
    #[arg(long, env = "TENORA_ADMIN_KEY", hide_env_values = true, value_name = "KEY")]
    admin_key: SecretString,
}

/// The operator's key, or a tenant's own.
#[derive(Debug, Args)]
pub(super) struct EitherKey {
    #[command(flatten)]
    pub(super) server: Server,
    /// The operator's key, where a tenant is named.
    #[arg(long, env = "TENORA_ADMIN_KEY", hide_env_values = true, value_name = "KEY")]
    admin_key: Option<SecretString>,
    /// A tenant's API key, where none is named.
    #[arg(long, env = "TENORA_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<SecretString>,
}

impl TenantKey {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.server, &self.api_key)
    }
}

impl AdminKey {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.server, &self.admin_key)
    }
}

impl EitherKey {
    /// The operator's client where a tenant is named, else a tenant's own.
    pub(super) fn client(&self, tenant: Option<&str>) -> anyhow::Result<Client> {
        let (key, missing) = match tenant {
            Some(_) => (
                &self.admin_key,
                "a named tenant is the operator's to look after: give --admin-key or TENORA_ADMIN_KEY, or leave the \
                 tenant out to use its own API key",
            ),
            None => (
                &self.api_key,
                "give the tenant's own key with --api-key or TENORA_API_KEY, or name the tenant and give the operator's",
            ),
        };
        Client::new(&self.server, key.as_ref().ok_or_else(|| anyhow!(missing))?)
    }
}

/// A server with a key to it.
pub(super) struct Client {
    url: Url,
    key: SecretString,
    http: reqwest::Client,
}

impl Client {
    fn new(server: &Server, key: &SecretString) -> anyhow::Result<Self> {
        let builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT);
        // A proxy cannot reach this machine's own loopback address.
        let local = matches!(server.url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let http = if local { builder.no_proxy() } else { builder }.build()?;
        Ok(Self { url: server.url.clone(), key: key.clone(), http })
    }

    /// A request to a path; its parts are encoded, so that a name cannot become a path.
    pub(super) fn request(&self, method: Method, path: &[&str]) -> anyhow::Result<RequestBuilder> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow!("{} cannot be a server's address", self.url))?
            .pop_if_empty()
            .extend(path);
        Ok(self.http.request(method, url).bearer_auth(self.key.expose_secret()))
    }

    pub(super) async fn get(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.send(self.request(Method::GET, path)?).await
    }

    pub(super) async fn delete(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.send(self.request(Method::DELETE, path)?).await
    }

    pub(super) async fn post(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.send(self.request(Method::POST, path)?.json(body)).await
    }

    pub(super) async fn put(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.send(self.request(Method::PUT, path)?.json(body)).await
    }

    pub(super) async fn patch(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.send(self.request(Method::PATCH, path)?.json(body)).await
    }

    pub(super) async fn query(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Value> {
        self.send(self.request(Method::GET, path)?.query(query)).await
    }

    /// Every page of usage.
    pub(super) async fn pages(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Vec<Value>> {
        let (mut items, mut next) = (Vec::new(), None::<String>);
        loop {
            let request =
                self.request(Method::GET, path)?.query(query).query(&next.map(|page| [("page", page)]));
            let mut page = self.send(request).await?;
            if let Value::Array(data) = page["data"].take() {
                items.extend(data);
            }
            next = page["next_page"].as_str().map(str::to_owned);
            if next.is_none() {
                return Ok(items);
            }
        }
    }

    /// Every page of a list.
    pub(super) async fn all(&self, path: &[&str]) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut request = self.request(Method::GET, path)?.query(&[("limit", "100")]);
            if let Some(after) = &after {
                request = request.query(&[("after", after)]);
            }
            let mut page = self.send(request).await?;
            after = page["last_id"].as_str().map(str::to_owned);
            if let Value::Array(data) = page["data"].take() {
                items.extend(data);
            }
            if page["has_more"] != true {
                return Ok(items);
            }
        }
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        Ok(self.attempt(request).await?)
    }

    /// The same, with what whoever sends it again must know.
    pub(super) async fn attempt(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let response = request.send().await.map_err(|error| Failure::passing(self.unreachable(error)))?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let body = response.bytes().await.map_err(|error| Failure::passing(self.unreachable(error)))?;
        Ok(serde_json::from_slice(&body).context("the server's answer is not JSON; is it Tenora?")?)
    }

    fn unreachable(&self, error: reqwest::Error) -> anyhow::Error {
        if error.is_connect() {
            return anyhow!(
                "no server answers at {}; start one with `tenora serve --demo`, or name another with --url",
                self.url
            );
        }
        anyhow!(error.without_url()).context(format!("the connection to {} broke off", self.url))
    }
}

/// Why a request did not succeed.
pub(super) struct Failure {
    pub(super) error: anyhow::Error,
    /// The refusal's stable code; empty when there was no answer.
    pub(super) code: String,
    pub(super) retry: Retry,
}

/// Whether the same request may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    Soon,
    /// When the server said that it is worth it.
    After(Duration),
}

impl Failure {
    /// A connection that could not be made, or broke off.
    fn passing(error: anyhow::Error) -> Self {
        Self { error, code: String::new(), retry: Retry::Soon }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { error, code: String::new(), retry: Retry::Never }
    }
}

impl From<Failure> for anyhow::Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// What the server says of it, or else its status.
fn retry(status: StatusCode, headers: &HeaderMap) -> Retry {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let passing = matches!(status.as_u16(), 408 | 429 | 500..=599);
    if !passing || header("x-should-retry") == Some("false") {
        return Retry::Never;
    }
    let ms = header("retry-after-ms").and_then(|text| text.parse().ok()).map(Duration::from_millis);
    let s = || header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
    ms.or_else(s).map_or(Retry::Soon, Retry::After)
}

/// The envelope's words, its code, and the id that the server's log has.
async fn refusal(response: Response) -> Failure {
    let status = response.status();
    let retry = retry(status, response.headers());
    let id =
        response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or("none").to_owned();
    let body: Value = response.json().await.unwrap_or_default();
    let (message, code) = (&body["error"]["message"], &body["error"]["code"]);
    let error = match (message.as_str(), code.as_str()) {
        (Some(message), Some(code)) => anyhow!("{message} ({code}, request {id})"),
        _ => anyhow!("the server answered {status} (request {id})"),
    };
    Failure { error, code: code.as_str().unwrap_or_default().to_owned(), retry }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn what_is_worth_sending_again_is_what_the_server_says_or_its_status() {
        let asked = |status: u16, said: &[(&'static str, &'static str)]| {
            let said = said
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            retry(StatusCode::from_u16(status).expect("a status"), &said.collect())
        };
        for status in [400, 401, 404, 409, 413] {
            assert_eq!(asked(status, &[("retry-after", "1")]), Retry::Never, "{status}");
        }
        for status in [408, 429, 500, 502, 503] {
            assert_eq!(asked(status, &[]), Retry::Soon, "{status}");
            assert_eq!(asked(status, &[("retry-after", "2")]), Retry::After(Duration::from_secs(2)));
            assert_eq!(asked(status, &[("x-should-retry", "false"), ("retry-after", "2")]), Retry::Never);
        }
        let exact = [("retry-after", "2"), ("retry-after-ms", "1500")];
        assert_eq!(asked(503, &exact), Retry::After(Duration::from_millis(1500)));
        assert_eq!(asked(503, &[("retry-after", "tomorrow")]), Retry::Soon);
    }
}
