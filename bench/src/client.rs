//! Tenora's HTTP API as a client sees it: tenants, keys, uploads, and a streamed completion with the moment of each token.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::{
    Body, RequestBuilder, Response,
    header::{HeaderName, HeaderValue},
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use sse_stream::SseByteStream;

use crate::{adapter::Adapter, bare};

/// No answer takes longer.
const TIMEOUT: Duration = Duration::from_secs(900);
/// Shorter than the server keeps a connection, so that none is used that is about to close.
const IDLE: Duration = Duration::from_secs(30);

/// A server and a key to it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// What to complete.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) client: Client,
    pub(crate) model: String,
    pub(crate) prompt: String,
    pub(crate) output_tokens: usize,
}

/// A completion that came whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) sent: Instant,
    /// When each event with text came.
    pub(crate) tokens: Vec<Instant>,
    pub(crate) prompt_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) output_tokens: u64,
}

impl Client {
    pub(crate) fn new(url: &str, key: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).pool_idle_timeout(IDLE).no_proxy().build()?;
        Ok(Self { http, url: url.to_owned(), key: key.to_owned() })
    }

    /// The operator's client makes a tenant and returns that tenant's.
    pub(crate) async fn create_tenant(&self, slug: &str) -> anyhow::Result<Self> {
        self.send(self.post("/admin/v1/tenants").json(&json!({ "slug": slug }))).await?;
        let keys = format!("/admin/v1/tenants/{slug}/keys");
        let created = self.send(self.post(&keys).json(&json!({ "name": "bench" }))).await?;
        let key = created["key"].as_str().context("the server made no key")?;
        Ok(Self { key: key.to_owned(), ..self.clone() })
    }

    /// The same key and connections of the same kind to another server.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// Uploads an adapter; it is routable then.
    pub(crate) async fn upload(&self, name: &str, adapter: Adapter) -> anyhow::Result<()> {
        let part = |bytes: Vec<u8>, file: &'static str| Part::bytes(bytes).file_name(file);
        let form = Form::new()
            .text("name", name.to_owned())
            .part("adapter_config.json", part(adapter.config, "adapter_config.json"))
            .part("adapter_model.safetensors", part(adapter.weights, "adapter_model.safetensors"));
        self.send(self.post("/v1/adapters").multipart(form)).await.map(drop)
    }

    /// Uploads an adapter that differs from others of its kind in its last four bytes alone, so that all share their memory.
    /// Returns the version.
    pub(crate) async fn upload_variant(
        &self,
        name: &str,
        config: &Bytes,
        weights: &Bytes,
        variant: u8,
    ) -> anyhow::Result<Value> {
        // Small numbers, whether these are one of 32 bits or two of 16.
        let last = Bytes::copy_from_slice(&[variant, 0x3c, 0, 0x3c]);
        let most = weights.slice(..weights.len() - last.len());
        let pieces = [Ok::<_, std::convert::Infallible>(most), Ok(last)];
        let body = Body::wrap_stream(futures_util::stream::iter(pieces));
        let file = Part::stream_with_length(body, weights.len() as u64);
        let form = Form::new()
            .text("name", name.to_owned())
            .part("adapter_config.json", Part::bytes(config.to_vec()).file_name("adapter_config.json"))
            .part("adapter_model.safetensors", file.file_name("adapter_model.safetensors"));
        self.send(self.post("/v1/adapters").multipart(form)).await
    }

    /// The operator's client sets a tenant's limits.
    pub(crate) async fn limit(&self, slug: &str, limits: &Value) -> anyhow::Result<()> {
        let url = format!("{}/admin/v1/tenants/{slug}", self.url);
        let request = self.http.patch(url).bearer_auth(&self.key).json(&json!({ "limits": limits }));
        self.send(request).await.map(drop)
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = request.send().await.context("the server cannot be reached")?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "the server answered {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}

impl Job {
    /// Sends the request and reads the stream to its end; `on_token` is told of each event with text.
    pub(crate) async fn run(&self, mut on_token: impl FnMut(Instant)) -> anyhow::Result<Answer> {
        let mut body = self.body();
        body["stream"] = json!(true);
        body["stream_options"] = json!({ "include_usage": true });
        let sent = Instant::now();
        let response = self.client.post("/v1/completions").json(&body).send().await?;
        let status = response.status();
        if !status.is_success() {
            bail!("the server answered {status}: {}", response.text().await?);
        }
        let mut events = SseByteStream::new(response.bytes_stream());
        let (mut tokens, mut usage) = (Vec::with_capacity(self.output_tokens), Value::Null);
        while let Some(event) = events.next().await {
            let Some(data) = event.map_err(|error| anyhow!("the stream broke off: {error}"))?.data else {
                continue;
            };
            if data == "[DONE]" {
                return self.whole(sent, tokens, &usage);
            }
            let mut event: Value = serde_json::from_str(&data)?;
            ensure!(event["error"].is_null(), "the stream ended with {}", event["error"]);
            if event["choices"][0]["text"].as_str().is_some_and(|text| !text.is_empty()) {
                let now = Instant::now();
                tokens.push(now);
                on_token(now);
            }
            if event["usage"].is_object() {
                usage = event["usage"].take();
            }
        }
        bail!("the stream ended without [DONE]")
    }

    /// Sends the request and reads its answer at once; returns how long the server says that its engine took.
    pub(crate) async fn once(&self) -> anyhow::Result<Duration> {
        let response = self.ask().await?;
        let status = response.status();
        let timing = response.headers().get("server-timing").and_then(|value| value.to_str().ok());
        let engine = timing.map(server_ms).unwrap_or_default();
        let text = response.text().await?;
        ensure!(status.is_success(), "the server answered {status}: {text}");
        Ok(Duration::from_secs_f64(engine / 1e3))
    }

    /// The same, for the answer itself.
    pub(crate) async fn example(&self) -> anyhow::Result<bare::Answer> {
        let response = self.ask().await?.error_for_status()?;
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            anyhow::Ok((name.to_string(), value.to_str()?.to_owned()))
        };
        let headers = response.headers().iter().map(text).collect::<anyhow::Result<_>>()?;
        Ok(bare::Answer { headers, body: response.text().await? })
    }

    async fn ask(&self) -> reqwest::Result<Response> {
        self.client.post("/v1/completions").json(&self.body()).send().await
    }

    fn body(&self) -> Value {
        json!({
            "model": self.model,
            "prompt": self.prompt,
            "max_tokens": self.output_tokens,
            "temperature": 0,
            "ignore_eos": true,
        })
    }

    /// The answer, if it is as long as it must be.
    fn whole(&self, sent: Instant, tokens: Vec<Instant>, usage: &Value) -> anyhow::Result<Answer> {
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        let output_tokens = count(&usage["completion_tokens"]);
        ensure!(
            output_tokens == self.output_tokens as u64 && !tokens.is_empty(),
            "{} tokens were asked for, {output_tokens} came in {} events",
            self.output_tokens,
            tokens.len()
        );
        Ok(Answer {
            sent,
            tokens,
            prompt_tokens: count(&usage["prompt_tokens"]),
            cached_tokens: count(&usage["prompt_tokens_details"]["cached_tokens"]),
            output_tokens,
        })
    }
}

/// The sum of the parts of a `Server-Timing` header, in milliseconds.
fn server_ms(timing: &str) -> f64 {
    let part = |part: &str| part.split_once("dur=").and_then(|(_, ms)| ms.trim().parse::<f64>().ok());
    timing.split(',').filter_map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_servers_timing_are_added_up() {
        assert!(
            (server_ms("queue;dur=0.1, load;dur=0.0, prefill;dur=1.5, decode;dur=0.2") - 1.8).abs() < 1e-9
        );
        assert!(server_ms("").abs() < 1e-9);
    }
}
