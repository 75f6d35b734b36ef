//! A client in one role: a key or none, and short words for what the suites ask.

use std::time::Duration;

use reqwest::{
    Method, RequestBuilder,
    header::{AUTHORIZATION, HeaderMap},
    multipart::{Form, Part},
};
use serde_json::Value;

use crate::{adapter::Adapter, stream::Stream};

/// No answer takes longer, even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(180);

/// A client in one role.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    authorization: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; null when it is none.
    pub body: Value,
}

impl Client {
    pub(crate) fn new(url: &str, key: Option<&str>) -> Self {
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build().expect("a client");
        let authorization = key.map(|key| format!("Bearer {key}"));
        Self { http, url: url.to_owned(), authorization }
    }

    /// The same client with this `Authorization` header.
    #[must_use]
    pub fn with_authorization(&self, authorization: Option<&str>) -> Self {
        Self { authorization: authorization.map(str::to_owned), ..self.clone() }
    }

    /// A request in this role, to be filled.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        Reply::to(self.request(Method::GET, path)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Reply {
        Reply::to(self.request(Method::DELETE, path)).await
    }

    /// `PATCH` with JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        Reply::to(self.request(Method::PATCH, path).json(body)).await
    }

    /// `POST` with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        Reply::to(self.request(Method::POST, path).json(body)).await
    }

    /// An upload form.
    pub fn upload_request(&self, name: &str, adapter: &Adapter) -> RequestBuilder {
        self.upload_request_to("/v1/adapters", name, adapter)
    }

    /// An upload form to a path with a query of its own.
    pub fn upload_request_to(&self, path: &str, name: &str, adapter: &Adapter) -> RequestBuilder {
        let part = |bytes: Vec<u8>, file: &'static str| Part::bytes(bytes).file_name(file);
        let form = Form::new()
            .text("name", name.to_owned())
            .part("adapter_config.json", part(adapter.config_bytes(), "adapter_config.json"))
            .part("adapter_model.safetensors", part(adapter.weights.clone(), "adapter_model.safetensors"));
        self.request(Method::POST, path).multipart(form)
    }

    /// Uploads an adapter.
    pub async fn upload(&self, name: &str, adapter: &Adapter) -> Reply {
        Reply::to(self.upload_request(name, adapter)).await
    }

    /// `POST /v1/chat/completions`.
    pub async fn chat(&self, body: &Value) -> Reply {
        self.post("/v1/chat/completions", body).await
    }

    /// The text of an answer that must be given.
    pub async fn text(&self, body: &Value) -> String {
        let reply = self.chat(body).await;
        assert_eq!(reply.status, 200, "{:?}", reply.body);
        reply.body["choices"][0]["message"]["content"].as_str().expect("a text").to_owned()
    }

    /// Opens a stream that must begin.
    pub async fn stream(&self, path: &str, body: &Value) -> Stream {
        let mut body = body.clone();
        body["stream"] = true.into();
        let response = self.request(Method::POST, path).json(&body).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        Stream::new(response)
    }
}

impl Reply {
    /// Sends a request and reads the answer.
    pub async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or_default() }
    }

    /// The error's stable code; empty for a success.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// The error's words.
    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    /// Fails unless this is an error in the envelope, with this status and code.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.body);
        let keys = self.body["error"].as_object().expect("an envelope").keys().collect::<Vec<_>>();
        let (always, sometimes) = keys.split_at(4);
        assert_eq!(always, ["message", "type", "param", "code"]);
        assert!(sometimes.iter().all(|key| *key == "push"), "{sometimes:?}");
        assert!(self.headers.contains_key("x-request-id"), "every answer has an id");
    }
}
