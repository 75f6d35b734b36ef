//! The span of one HTTP request: it goes on with the caller's trace, where a `traceparent` tells of one.

use actix_web::http::header::HeaderMap;
use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator},
    trace::{Status, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::names;

/// A span for a request that has just come.
pub(crate) fn request_span(request_id: &str, method: &str, headers: &HeaderMap) -> Span {
    let span = info_span!(
        "request",
        request_id,
        trace_id = Empty,
        method,
        route = Empty,
        tenant = Empty,
        otel.kind = Empty
    );
    let caller = TraceContextPropagator::new().extract(&Headers(headers));
    let caller = if caller.has_active_span() { caller } else { Context::new() };
    let mut trace = caller.span().span_context().trace_id();
    if span.set_parent(caller).is_ok() {
        span.record("otel.kind", "server");
        trace = span.context().span().span_context().trace_id();
        span.set_attribute(names::REQUEST_ID, request_id.to_owned());
        span.set_attribute(names::HTTP_METHOD, method.to_owned());
    }
    if trace != opentelemetry::TraceId::INVALID {
        span.record("trace_id", trace.to_string());
    }
    span
}

/// Notes where the request went and how it was answered.
pub(crate) fn answered(span: &Span, method: &str, route: &str, status: u16) {
    span.record("route", route);
    span.set_attribute(names::HTTP_ROUTE, route.to_owned());
    span.set_attribute(names::HTTP_STATUS, i64::from(status));
    span.context().span().update_name(format!("{method} {route}"));
    if status >= 500 {
        span.set_attribute(names::ERROR_TYPE, status.to_string());
        span.set_status(Status::error(""));
    }
}

/// Notes whose request it is.
pub(crate) fn of_tenant(span: &Span, slug: &str) {
    span.record("tenant", slug);
    span.set_attribute(names::TENANT, slug.to_owned());
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
