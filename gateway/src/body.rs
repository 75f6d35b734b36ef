//! JSON bodies, queries and paths as arguments: bounded in bytes and time, with errors that name the place.

use std::{fmt::Display, time::Duration};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap},
    web::{PathConfig, QueryConfig},
};
use bytes::BytesMut;
use futures_util::{StreamExt, future::LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::error::ApiError;

/// Longest JSON body, in bytes.
pub const MAX_JSON_BYTES: usize = 4 << 20;
/// Longest pause within a body.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

const JSON: &str = "application/json";

/// A JSON body, parsed.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            expect_json(request.headers())?;
            let body = read(payload).await?;
            parse(&body).map(Self)
        })
    }
}

/// The next chunk of a body, or an error when it stops arriving.
pub async fn next_chunk<S: StreamExt + Unpin>(body: &mut S) -> Result<Option<S::Item>, ApiError> {
    tokio::time::timeout(BODY_IDLE_TIMEOUT, body.next())
        .await
        .map_err(|_| ApiError::BodyTimeout { idle_s: BODY_IDLE_TIMEOUT.as_secs() })
}

/// Queries that do not parse, in our envelope.
pub fn query_config() -> QueryConfig {
    QueryConfig::default().error_handler(|error, _| invalid("query", &error).into())
}

/// Paths that do not parse, in our envelope.
pub fn path_config() -> PathConfig {
    PathConfig::default().error_handler(|error, _| invalid("path", &error).into())
}

/// A part of the request that does not parse.
pub(crate) fn invalid(place: &'static str, problem: &dyn Display) -> ApiError {
    ApiError::invalid(place, format!("The {place} is not valid: {}.", ApiError::echo(&problem.to_string())))
}

/// Whether the body says that it is JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JSON)
}

fn expect_json(headers: &HeaderMap) -> Result<(), ApiError> {
    if is_json(headers) && !headers.contains_key(CONTENT_ENCODING) {
        return Ok(());
    }
    Err(ApiError::UnsupportedMediaType { expected: JSON })
}

async fn read(mut payload: Payload) -> Result<BytesMut, ApiError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = next_chunk(&mut payload).await? {
        let chunk = chunk
            .map_err(|error| ApiError::InvalidJson { problem: format!("the body broke off ({error})") })?;
        if body.len() + chunk.len() > MAX_JSON_BYTES {
            let limit_bytes = MAX_JSON_BYTES as u64;
            return Err(ApiError::TooLarge { what: "The request body", param: None, limit_bytes });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        describe(&path, error.inner())
    })?;
    deserializer.end().map_err(|error| describe("", &error))?;
    Ok(value)
}

/// Broken syntax is told by its place; a wrong value by its field.
fn describe(path: &str, error: &serde_json::Error) -> ApiError {
    let problem = ApiError::echo(&error.to_string());
    if error.classify() != Category::Data {
        return ApiError::InvalidJson { problem };
    }
    let parent = if path == "." { "" } else { path };
    let field = ["missing field `", "unknown field `"]
        .iter()
        .find_map(|opening| error.to_string().strip_prefix(opening)?.split('`').next().map(str::to_owned));
    let param = match field {
        // serde_path_to_error already ends the path with an unknown field, not with a missing one.
        Some(field) if parent.is_empty() => field,
        Some(field) if parent != field && !parent.ends_with(&format!(".{field}")) => {
            format!("{parent}.{field}")
        }
        _ if parent.is_empty() => "body".to_owned(),
        _ => parent.to_owned(),
    };
    let param = ApiError::echo(&param);
    let message = format!("`{param}` is not valid: {problem}.");
    ApiError::invalid(param, message)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its parsing is looked at")]
    struct Chat {
        model: String,
        messages: Vec<Message>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its parsing is looked at")]
    struct Message {
        content: String,
    }

    fn failure(body: &str) -> (String, Option<String>) {
        let error = parse::<Chat>(body.as_bytes()).expect_err(body);
        (error.entry().code.to_owned(), error.param())
    }

    #[test]
    fn a_wrong_value_names_its_field() {
        let invalid = |param: &str| ("invalid_value".to_owned(), Some(param.to_owned()));
        assert_eq!(failure(r#"{"model":1,"messages":[]}"#), invalid("model"));
        assert_eq!(failure(r#"{"messages":[]}"#), invalid("model"));
        assert_eq!(failure(r#"{"model":"m","messages":[{"content":null}]}"#), invalid("messages[0].content"));
        assert_eq!(failure(r#"{"model":"m","messages":[{}]}"#), invalid("messages[0].content"));
        assert_eq!(failure(r#"{"model":"m","messages":[],"x":1}"#), invalid("x"));
        assert_eq!(failure(r#"{"model":"m","messages":[{"content":"c","x":1}]}"#), invalid("messages[0].x"));
        assert_eq!(failure("[]"), invalid("body"));
    }

    #[test]
    fn broken_json_names_its_place() {
        for broken in ["", "{", r#"{"model":"m",}"#, r#"{"model":"m","messages":[]} x"#, "\u{0}"] {
            let error = parse::<Chat>(broken.as_bytes()).expect_err(broken);
            assert_eq!(error.entry().code, "invalid_json", "{broken}");
            assert!(error.to_string().contains("line 1 column"), "{error}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(failure(&deep).0, "invalid_value", "a wrong type at once, without following the depth");
    }
}
