//! OTLP over our own HTTP client. The SDK's threads collect and wait; what cannot be delivered is dropped there and
//! counted here, and no request ever waits for any of it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    metrics::PeriodicReader,
    trace::{Sampler, SdkTracerProvider},
};
use secrecy::ExposeSecret;
use tokio::runtime::Handle;

use crate::config::OtlpSettings;

/// How long one delivery may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A collector's answer is a few bytes; more of it is not read.
const MAX_ANSWER_BYTES: u64 = 64 << 10;

/// What is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    pub(crate) const ALL: [Self; 2] = [Self::Traces, Self::Metrics];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}

/// Deliveries of one signal since the start.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    pub(crate) delivered: AtomicU64,
    pub(crate) failed: AtomicU64,
    failing: AtomicBool,
}

/// Deliveries of both.
#[derive(Debug, Default)]
pub struct Exports([Deliveries; 2]);

impl Exports {
    pub(crate) fn of(&self, signal: Signal) -> &Deliveries {
        &self.0[signal as usize]
    }

    /// Whether the last delivery of any signal failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.0.iter().any(|deliveries| deliveries.failing.load(Relaxed))
    }

    /// Counts, and says in the log when deliveries begin to fail and when they succeed again.
    fn note(&self, signal: Signal, failure: Option<&HttpError>) {
        let deliveries = self.of(signal);
        let count = if failure.is_some() { &deliveries.failed } else { &deliveries.delivered };
        count.fetch_add(1, Relaxed);
        let was_failing = deliveries.failing.swap(failure.is_some(), Relaxed);
        let signal = signal.as_str();
        match (was_failing, failure) {
            (false, Some(error)) => {
                tracing::warn!(signal, %error, "Telemetry is not delivered; what does not fit into its queue is dropped");
            }
            (true, None) => tracing::info!(signal, "Telemetry is delivered again"),
            _ => {}
        }
    }
}

/// What this process says of itself.
pub(super) fn resource(settings: &OtlpSettings) -> Resource {
    let own = [("service.version", env!("CARGO_PKG_VERSION"))];
    let own = own.into_iter().map(|(name, value)| KeyValue::new(name, value));
    let given = settings.resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes(own.chain(given))
        .with_service_name(settings.service_name.clone())
        .build()
}

/// Traces: the caller's decision to keep one counts, else the share that is kept.
pub(super) fn traces(settings: &OtlpSettings, exports: &Arc<Exports>) -> anyhow::Result<SdkTracerProvider> {
    let client = Client::new(Signal::Traces, settings, exports)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(settings.endpoint.join("v1/traces")?.as_str())
        .with_timeout(TIMEOUT)
        .build()
        .context("cannot prepare to send traces")?;
    Ok(SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sampled))))
        .with_resource(resource(settings))
        .with_batch_exporter(exporter)
        .build())
}

/// Metrics, at intervals.
pub(super) fn metrics(
    settings: &OtlpSettings,
    exports: &Arc<Exports>,
) -> anyhow::Result<PeriodicReader<MetricExporter>> {
    let client = Client::new(Signal::Metrics, settings, exports)?;
    let exporter = MetricExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(settings.endpoint.join("v1/metrics")?.as_str())
        .with_timeout(TIMEOUT)
        .build()
        .context("cannot prepare to send metrics")?;
    Ok(PeriodicReader::builder(exporter).with_interval(settings.metric_interval).build())
}

/// Our reqwest, on our runtime: the SDK's threads have none.
struct Client {
    http: reqwest::Client,
    runtime: Handle,
    signal: Signal,
    exports: Arc<Exports>,
}

impl Client {
    fn new(signal: Signal, settings: &OtlpSettings, exports: &Arc<Exports>) -> anyhow::Result<Self> {
        let mut headers = reqwest::header::HeaderMap::new();
        for (name, value) in &settings.headers {
            let wrong = || format!("OTEL_EXPORTER_OTLP_HEADERS: `{name}` and its value are not a header");
            let name = reqwest::header::HeaderName::try_from(name).with_context(wrong)?;
            let mut value =
                reqwest::header::HeaderValue::try_from(value.expose_secret()).with_context(wrong)?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot make a client for the collector")?;
        Ok(Self { http, runtime: Handle::current(), signal, exports: Arc::clone(exports) })
    }
}

/// Nothing secret.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("signal", &self.signal).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sending = self.runtime.spawn(send(self.http.clone(), request));
        let sent = sending.await.unwrap_or_else(|stopped| Err(stopped.into()));
        let failure = match &sent {
            Ok(response) if !response.status().is_success() => {
                Some(format!("the collector answered {}", response.status()).into())
            }
            Ok(_) => None,
            Err(error) => Some(error.to_string().into()),
        };
        self.exports.note(self.signal, failure.as_ref());
        sent
    }
}

async fn send(http: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut answer = http.execute(request.try_into()?).await.map_err(reqwest::Error::without_url)?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if (body.len() + chunk.len()) as u64 > MAX_ANSWER_BYTES {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(response.body(body.into())?)
}
