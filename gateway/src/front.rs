//! The first and the last thing that every request meets: its id, the limit on its headers, the headers of every
//! answer, and one log line when the answer has been sent.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use actix_web::{
    Error, HttpMessage, ResponseError,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use bytes::Bytes;
use tracing::{Instrument, Span, info};
use uuid::Uuid;

use crate::{
    cors,
    error::ApiError,
    telemetry::{self, metrics::Metrics},
};

/// All header names and values together, in bytes. Far beyond it the HTTP parser itself gives up, without our words.
const MAX_HEADER_BYTES: usize = 16 << 10;
/// Longest request id that is taken from a client.
const MAX_REQUEST_ID_CHARS: usize = 128;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");

/// A request's id, for handlers that put it into their answers.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// The middleware around every route.
pub async fn front<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = known(request.method());
    let span = telemetry::request_span(&id, method, request.headers());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = answer(request, next).instrument(span.clone()).await?;
    let route = response.request().match_pattern().unwrap_or_else(|| "none".to_owned());
    let status = response.status().as_u16();
    telemetry::answered(&span, method, &route, status);
    finish_headers(response.headers_mut(), &id, started);
    let request = response.request().clone();
    cors::open(&request, response.headers_mut());
    let metrics = request.app_data::<Data<Metrics>>().cloned();
    let log = LogLine { span, started, status, method, route, metrics, bytes: 0, complete: false };
    Ok(response.map_body(|_, body| BoxBody::new(LoggedBody { body: body.boxed(), log })))
}

async fn answer<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if header_bytes(request.headers()) > MAX_HEADER_BYTES {
        let refused = ApiError::HeadersTooLarge { limit_bytes: MAX_HEADER_BYTES };
        return Ok(request.into_response(refused.error_response()));
    }
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}

/// The methods there are; whatever else a client writes is one.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

/// A client's own id when it is short and plain, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let plain = |id: &&str| {
        (1..=MAX_REQUEST_ID_CHARS).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(plain)
        .map_or_else(|| format!("req_{}", Uuid::now_v7().simple()), str::to_owned)
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

fn finish_headers(headers: &mut HeaderMap, id: &str, started: Instant) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    headers.insert(PROCESSING_MS, HeaderValue::from(elapsed_ms));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"));
    let cache = HeaderName::from_static("cache-control");
    if !headers.contains_key(&cache) {
        headers.insert(cache, HeaderValue::from_static("no-store"));
    }
}

/// A body that writes the request's log line when it has been sent or given up.
struct LoggedBody {
    body: BoxBody,
    log: LogLine,
}

impl MessageBody for LoggedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let span = self.log.span.clone();
        let polled = span.in_scope(|| Pin::new(&mut self.body).poll_next(context));
        match &polled {
            Poll::Ready(Some(Ok(chunk))) => self.log.bytes += chunk.len(),
            Poll::Ready(None) => self.log.complete = true,
            _ => {}
        }
        polled
    }
}

struct LogLine {
    span: Span,
    started: Instant,
    method: &'static str,
    route: String,
    status: u16,
    metrics: Option<Data<Metrics>>,
    bytes: usize,
    complete: bool,
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        if let Some(metrics) = &self.metrics {
            metrics.answered(self.method, &self.route, self.status, elapsed);
        }
        let elapsed_ms = elapsed.as_secs_f64() * 1e3;
        let (status, bytes, complete) = (self.status, self.bytes, self.complete || self.bytes == 0);
        self.span.in_scope(|| info!(status, bytes, complete, elapsed_ms, "Request answered"));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(id: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_bytes(id).expect("a header value"));
        headers
    }

    #[test]
    fn a_plain_id_is_kept_and_any_other_replaced() {
        assert_eq!(request_id(&with(b"trace-1.a_B")), "trace-1.a_B");
        assert!(request_id(&HeaderMap::new()).starts_with("req_"));
        for hostile in [b"".as_slice(), b"a b", b"a\"b", b"a{b}", b"\xff", &[b'a'; MAX_REQUEST_ID_CHARS + 1]]
        {
            assert!(request_id(&with(hostile)).starts_with("req_"), "{hostile:?}");
        }
    }

    proptest! {
        #[test]
        fn an_id_is_always_short_and_plain(id in "[ -~]{0,200}") {
            let id = request_id(&with(id.as_bytes()));
            prop_assert!(id.len() <= MAX_REQUEST_ID_CHARS);
            prop_assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
        }
    }
}
