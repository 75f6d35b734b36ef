//! What is said to a vLLM server over HTTP, and what it answers: its OpenAI routes, those for adapters, and its metrics.
//! Shapes of vLLM 0.32 (`vllm/entrypoints/openai/completion/protocol.py`, `models/serving.py`).

mod wire;

use std::{collections::HashSet, path::Path, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::{RequestBuilder, Response, StatusCode, redirect::Policy};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sse_stream::SseByteStream;

pub(crate) use self::wire::{Chunk, Completion, Gauges, Logprobs, News, StreamOptions};
use crate::{
    names::{self, Digest},
    settings::ServerUrl,
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a server may take to say how it is, or to take an adapter away.
const WORD: Duration = Duration::from_secs(5);
/// Bytes of an answer that is no stream.
const MAX_BODY: usize = 4 << 20;
/// How vLLM says that a name is taken.
const ALREADY_LOADED: &str = "already been loaded";
/// Characters of a refusal that are told on.
const MAX_MESSAGE: usize = 300;

/// A server could not do what it was asked.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// It cannot be reached, fails, or has no time: another may.
    Gone(String),
    /// It does not know the adapter.
    UnknownModel,
    /// It will not do this, and no other would.
    Wrong(String),
    /// It answered that it failed: 5xx.
    Failed(String),
}

/// One server's client.
#[derive(Debug)]
pub(crate) struct Vllm {
    http: reqwest::Client,
    url: ServerUrl,
    api_key: Option<SecretString>,
}

impl Vllm {
    /// # Errors
    /// The system's certificates cannot be read.
    pub(crate) fn new(url: ServerUrl, api_key: Option<SecretString>) -> Result<Self, reqwest::Error> {
        // Its answers are streams: dropping one must close its connection, which ends the request there.
        let builder = reqwest::Client::builder().connect_timeout(CONNECT).redirect(Policy::none());
        Ok(Self { http: builder.http1_only().no_proxy().build()?, url, api_key })
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.api_key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.authorised(self.http.get(self.url.join(path)).timeout(WORD))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.authorised(self.http.post(self.url.join(path)))
    }

    /// The adapters of ours that it has, and whether it has the base model.
    pub(crate) async fn models(&self, base: &str) -> Result<(HashSet<Digest>, bool), Refusal> {
        let body = text(send(self.get("v1/models")).await?).await?;
        let models: wire::Models = serde_json::from_str(&body)
            .map_err(|error| Refusal::Gone(format!("its list of models cannot be read: {error}")))?;
        let has_base = models.data.iter().any(|model| model.id == base);
        Ok((models.data.iter().filter_map(|model| names::parse(&model.id)).collect(), has_base))
    }

    /// How busy it is.
    pub(crate) async fn gauges(&self) -> Result<Gauges, Refusal> {
        Ok(Gauges::read(&text(send(self.get("metrics")).await?).await?))
    }

    /// Loads an adapter instead of whatever has its name. Not by `load_inplace`: vLLM 0.32 keeps that with the adapter and reads
    /// it again at every step.
    pub(crate) async fn load(&self, digest: &Digest, folder: &Path, within: Duration) -> Result<(), Refusal> {
        let body = json!({ "lora_name": names::of(digest), "lora_path": folder });
        let load =
            async || send(self.post("v1/load_lora_adapter").timeout(within).json(&body)).await.map(drop);
        match load().await {
            Err(Refusal::Wrong(message)) if message.contains(ALREADY_LOADED) => {
                self.unload(digest).await?;
                load().await
            }
            other => other,
        }
    }

    /// Takes an adapter away; one that is not there is gone.
    pub(crate) async fn unload(&self, digest: &Digest) -> Result<(), Refusal> {
        let body = json!({ "lora_name": names::of(digest) });
        match send(self.post("v1/unload_lora_adapter").timeout(WORD).json(&body)).await {
            Err(Refusal::UnknownModel) => Ok(()),
            other => other.map(drop),
        }
    }

    /// The chunks of an answer. What fails before the first is the error of this call, or of the first chunk.
    pub(crate) async fn complete(
        &self,
        completion: &Completion<'_>,
    ) -> Result<impl Stream<Item = Result<Chunk, Refusal>> + Send + Unpin + use<>, Refusal> {
        let response = send(self.post("v1/completions").json(completion)).await?;
        let bytes = response.bytes_stream().map(|part| part.map_err(std::io::Error::other));
        let events =
            SseByteStream::new(Box::pin(bytes) as std::pin::Pin<Box<dyn Stream<Item = Part> + Send>>);
        Ok(Box::pin(events.filter_map(async |event| match event {
            Ok(event) => event.data.map(|data| wire::chunk(&data)),
            Err(error) => Some(Err(Refusal::Gone(format!("its answer broke off: {error}")))),
        })))
    }
}

type Part = Result<Bytes, std::io::Error>;

async fn send(request: RequestBuilder) -> Result<Response, Refusal> {
    let response = request.send().await.map_err(|error| Refusal::Gone(reason(&error)))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = text(response).await.unwrap_or_default();
    let message = wire::message(&body).chars().take(MAX_MESSAGE).collect::<String>();
    Err(match status {
        StatusCode::NOT_FOUND => Refusal::UnknownModel,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Refusal::Wrong(message),
        _ if status.is_server_error() => Refusal::Failed(format!("it answered {status}: {message}")),
        _ => Refusal::Gone(format!("it answered {status}: {message}")),
    })
}

async fn text(mut response: Response) -> Result<String, Refusal> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| Refusal::Gone(reason(&error)))? {
        body.extend_from_slice(&part);
        if body.len() > MAX_BODY {
            return Err(Refusal::Gone(format!("its answer has more than {MAX_BODY} bytes")));
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// An error with its causes, without the address: that is the operator's.
fn reason(error: &reqwest::Error) -> String {
    let mut words = match () {
        () if error.is_timeout() => "no answer in time".to_owned(),
        () if error.is_connect() => "no connection".to_owned(),
        () => "the connection broke".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
