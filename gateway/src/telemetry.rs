//! Logs, traces and metrics. Logs go to standard error: text on a terminal, JSON otherwise. Traces and metrics go to a
//! collector, where one is named, and metrics to whoever asks for them. Secrets are never given to any of it, prompts and
//! answers only to traces, and only where the operator says so.

pub mod generation;
pub mod metrics;
pub mod record;

mod names;
mod otlp;
mod pulse;
mod request;
mod spans;
mod tenants;

use std::{
    io::{IsTerminal, stderr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use opentelemetry::{
    global,
    metrics::{Meter, MeterProvider},
    trace::TracerProvider,
};
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use prometheus::{Registry, TextEncoder};
use tokio::runtime::Handle;
use tracing_subscriber::{
    EnvFilter, Layer, filter, fmt, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt,
};

pub use self::otlp::Exports;
pub(crate) use self::{
    otlp::Signal,
    pulse::{Pulse, Reading},
    request::{answered, of_tenant, request_span},
};
use crate::config::{LogFormat, LogSettings, OtlpSettings, TelemetrySettings};

/// Tenants, times what is counted of each, with some to spare: beyond it the SDK would count them as one.
const MAX_STREAMS: usize = 8192;

/// What is sent and shown of this process.
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: SdkMeterProvider,
    registry: Registry,
    exports: Arc<Exports>,
}

/// Runs this when what the thread does just now is done, such as writing an answer that should not wait for it.
fn later(work: impl FnOnce() + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(async { work() })),
        Err(_) => work(),
    }
}

/// Starts logging, once for the process, of a command that is not a server.
pub fn init(settings: &LogSettings) -> anyhow::Result<()> {
    tracing_subscriber::registry().with(log(settings)?).try_init()?;
    Ok(())
}

impl Telemetry {
    /// Starts logs, traces and metrics, once for the process. To be called within the runtime that is to deliver them.
    pub fn start(log_settings: &LogSettings, settings: &TelemetrySettings) -> anyhow::Result<Self> {
        let exports = Arc::<Exports>::default();
        let registry = Registry::new();
        let otlp = settings.otlp.as_ref();
        let traces = otlp.map(|otlp| otlp::traces(otlp, &exports)).transpose()?;
        let metrics = meter_provider(settings, otlp, (&registry, &exports))?;
        let spans = traces.as_ref().map(|traces| {
            global::set_tracer_provider(traces.clone());
            tracing_opentelemetry::layer()
                .with_tracer(traces.tracer("tenora"))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_tracked_inactivity(false)
                // Nothing here asks for the current context; spans know their parents without it.
                .with_context_activation(false)
                // Our own spans: neither events, nor what libraries do, least of all those that deliver this.
                .with_filter(filter::filter_fn(|met| met.is_span() && met.target().starts_with("tenora_")))
        });
        tracing_subscriber::registry().with(spans).with(log(log_settings)?).try_init()?;
        Ok(Self { traces, metrics, registry, exports })
    }

    /// Where instruments are made.
    pub fn meter(&self) -> Meter {
        self.metrics.meter("tenora")
    }

    /// Deliveries to the collector; `None` = there is none.
    pub(crate) fn exports(&self) -> Option<Arc<Exports>> {
        self.traces.is_some().then(|| Arc::clone(&self.exports))
    }

    /// Every metric's value now, as a function of its own: who shows them need know nothing else.
    pub fn scrape(&self) -> impl Fn() -> anyhow::Result<String> + Send + Sync + Clone + use<> {
        let registry = self.registry.clone();
        move || Ok(TextEncoder::new().encode_to_string(&registry.gather())?)
    }

    /// Delivers what is left, at most this long, and ends.
    pub async fn stop(self, timeout: Duration) {
        // The SDK waits on this thread for deliveries that the runtime makes.
        let work = move || {
            if let Some(traces) = &self.traces {
                _ = traces.shutdown_with_timeout(timeout);
                _ = self.metrics.shutdown_with_timeout(timeout);
            }
        };
        _ = tokio::time::timeout(timeout, tokio::task::spawn_blocking(work)).await;
    }
}

fn meter_provider(
    settings: &TelemetrySettings,
    otlp: Option<&OtlpSettings>,
    (registry, exports): (&Registry, &Arc<Exports>),
) -> anyhow::Result<SdkMeterProvider> {
    let mut metrics =
        SdkMeterProvider::builder().with_view(|instrument: &opentelemetry_sdk::metrics::Instrument| {
            let stream = opentelemetry_sdk::metrics::Stream::builder().with_cardinality_limit(MAX_STREAMS);
            instrument.name().starts_with("tenora_").then(|| stream.build().ok()).flatten()
        });
    if let Some(otlp) = otlp {
        metrics = metrics.with_resource(otlp::resource(otlp)).with_reader(otlp::metrics(otlp, exports)?);
    }
    if settings.ops_listen.is_some() {
        let shown = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .without_target_info()
            .without_units()
            .build()
            .context("cannot prepare to show metrics")?;
        metrics = metrics.with_reader(shown);
    }
    Ok(metrics.build())
}

/// The log, filtered as the operator wants it. What the SDK says of itself is told by what it does instead.
fn log<S>(settings: &LogSettings) -> anyhow::Result<Box<dyn Layer<S> + Send + Sync>>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = EnvFilter::try_new(&settings.filter)?.add_directive("opentelemetry=off".parse()?);
    let text = match settings.format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    if text {
        let text = fmt::layer().with_writer(stderr).with_target(false).with_ansi(stderr().is_terminal());
        return Ok(text.with_filter(filter).boxed());
    }
    // The outermost span has the request's ids, whatever is done for it just then.
    let json = fmt::layer().json().with_writer(stderr).with_current_span(false).with_span_list(true);
    Ok(json.with_filter(filter).boxed())
}
