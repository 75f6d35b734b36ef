//! What parts of the server count themselves, shown when somebody asks: the engine's numbers, the limiter's, the usage
//! rows', and whether what the server stands on answers.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI8, Ordering::Relaxed},
    },
    time::Duration,
};

use actix_web::web::Data;
use opentelemetry::{KeyValue, metrics::Meter};
use tenora_engine::Stats;

use crate::{
    app::App,
    limits::LimiterStatus,
    readiness,
    telemetry::{Exports, Signal, metrics::model_labels},
    wire::health::State,
};

/// How often dependencies are asked how they are.
const HEALTH_INTERVAL: Duration = Duration::from_secs(5);
/// Adapters that a label names at most, and characters of the digest that name each.
const MAX_NAMED: usize = 256;
const DIGEST_CHARS: usize = 12;

/// Shows them all from now on.
pub fn register(meter: &Meter, app: &Data<App>, exports: Option<Arc<Exports>>) {
    let shown = Shown { meter, app, model: model_labels(&app.base().id) };
    shown.vllm();
    shown.adapters();
    shown.limiter();
    shown.rest();
    if let Some(exports) = exports {
        meter
            .u64_observable_counter("tenora_telemetry_exports")
            .with_description("Deliveries of traces and metrics to the collector")
            .with_callback(move |told| {
                for signal in Signal::ALL {
                    let deliveries = exports.of(signal);
                    for (outcome, count) in
                        [("delivered", &deliveries.delivered), ("failed", &deliveries.failed)]
                    {
                        let labels =
                            [KeyValue::new("signal", signal.as_str()), KeyValue::new("outcome", outcome)];
                        told.observe(count.load(Relaxed), &labels);
                    }
                }
            })
            .build();
    }
}

struct Shown<'a> {
    meter: &'a Meter,
    app: &'a Data<App>,
    model: [KeyValue; 2],
}

impl Shown<'_> {
    /// The names that boards and routers made for vLLM know.
    fn vllm(&self) {
        self.engine_gauge("vllm:num_requests_running", "Sequences that run", |stats| stats.running as f64);
        self.engine_gauge("vllm:num_requests_waiting", "Sequences that wait", |stats| stats.waiting as f64);
        self.engine_gauge(
            "vllm:kv_cache_usage_perc",
            "Share of the KV blocks that are in use, from 0 to 1",
            |stats| 1.0 - stats.kv_blocks_free as f64 / stats.kv_blocks.max(1) as f64,
        );
        self.engine_counter(
            "vllm:num_preemptions",
            "Sequences whose KV blocks were taken from them, to be computed again",
            |stats| stats.preemptions,
        );
        self.engine_counter(
            "vllm:prompt_tokens",
            "Tokens of prompts, those that were reused included",
            |stats| stats.tokens.prompt,
        );
        self.engine_counter("vllm:generation_tokens", "Tokens generated", |stats| stats.tokens.generated);
        self.engine_counter("vllm:prefix_cache_queries", "Tokens of prompts that were looked up", |stats| {
            stats.tokens.prompt
        });
        self.engine_counter(
            "vllm:prefix_cache_hits",
            "Tokens of prompts whose keys and values were reused",
            |stats| stats.tokens.cached,
        );
        let (app, [name, engine]) = (self.app.clone(), self.model.clone());
        let labels = [
            name.clone(),
            engine.clone(),
            KeyValue::new("block_size", app.capacity().block_tokens.to_string()),
            KeyValue::new("num_gpu_blocks", app.engine_stats().kv_blocks.to_string()),
        ];
        self.meter
            .u64_observable_gauge("vllm:cache_config_info")
            .with_description("The KV pool: tokens of a block, and blocks")
            .with_callback(move |told| told.observe(1, &labels))
            .build();
        self.meter
            .f64_observable_gauge("vllm:lora_requests_info")
            .with_description("Adapters of running and of waiting sequences, by the beginnings of their digests; the value is the time")
            .with_callback(move |told| {
                let stats = app.engine_stats().adapters;
                let labels = [
                    name.clone(),
                    engine.clone(),
                    KeyValue::new("max_lora", app.capacity().max_batch_sequences.to_string()),
                    KeyValue::new("running_lora_adapters", named(&stats.running)),
                    KeyValue::new("waiting_lora_adapters", named(&stats.wanted)),
                ];
                told.observe(time::OffsetDateTime::now_utc().unix_timestamp_nanos() as f64 / 1e9, &labels);
            })
            .build();
    }

    fn adapters(&self) {
        self.counter("tenora_adapter_hits", "Requests that came while their adapter was in memory", |app| {
            app.engine_stats().adapters.hits
        });
        self.counter("tenora_adapter_misses", "Requests that came while it was not", |app| {
            app.engine_stats().adapters.misses
        });
        self.counter("tenora_adapter_load_failures", "Loads that failed", |app| {
            app.engine_stats().adapters.load_failures
        });
        self.counter("tenora_deadlines_missed", "Generations that ended at their deadlines", |app| {
            app.engine_stats().late
        });
        self.gauge("tenora_adapter_memory_bytes", "Memory that adapters take", |app| {
            app.engine_stats().adapters.bytes as f64
        });
        self.gauge("tenora_adapter_memory_limit_bytes", "Memory that adapters may take", |app| {
            app.capacity().adapter_bytes as f64
        });
        let app = self.app.clone();
        self.meter
            .u64_observable_counter("tenora_adapter_evictions")
            .with_description("Adapters that left memory: idle = nobody wanted it just then, share = its tenant had more than its share, fault = it proved faulty")
            .with_callback(move |told| {
                let evictions = app.engine_stats().adapters.evictions;
                for (reason, count) in
                    [("idle", evictions.idle), ("share", evictions.share), ("fault", evictions.fault)]
                {
                    told.observe(count, &[KeyValue::new("reason", reason)]);
                }
            })
            .build();
        let app = self.app.clone();
        self.meter
            .u64_observable_gauge("tenora_adapters")
            .with_description("Adapters: resident in memory, loading, waiting for their load to begin, or disabled because they proved faulty")
            .with_callback(move |told| {
                let stats = app.engine_stats().adapters;
                for (state, count) in [
                    ("resident", stats.resident - stats.loading),
                    ("loading", stats.loading),
                    ("waiting", stats.waiting),
                    ("disabled", stats.disabled.len()),
                ] {
                    told.observe(count as u64, &[KeyValue::new("state", state)]);
                }
            })
            .build();
    }

    fn limiter(&self) {
        self.gauge(
            "tenora_limiter_fallback",
            "1 while Redis is away and this server enforces its share of every limit",
            |app| f64::from(u8::from(matches!(app.admission.status().0, LimiterStatus::Fallback { .. }))),
        );
        self.gauge("tenora_limiter_replicas", "Servers that share the limits", |app| {
            match app.admission.status().0 {
                LimiterStatus::Memory => 1.0,
                LimiterStatus::Exact { replicas } | LimiterStatus::Fallback { replicas, .. } => {
                    replicas as f64
                }
            }
        });
        self.counter("tenora_limiter_fallbacks", "Times that Redis went away", |app| {
            app.admission.limiter_stats().fallbacks
        });
        self.counter(
            "tenora_limiter_fallback_admissions",
            "Generations that were let through without Redis",
            |app| app.admission.limiter_stats().fallback_admissions,
        );
        self.counter(
            "tenora_limiter_unsettled",
            "Generations that stay charged with their estimates",
            |app| app.admission.limiter_stats().unsettled,
        );
    }

    fn rest(&self) {
        self.gauge("tenora_queue_limit", "Requests that may wait in the engine's queue", |app| {
            app.capacity().queue_limit as f64
        });
        self.gauge(
            "tenora_usage_pending_events",
            "Usage rows on this server's disk that are not in the database yet",
            |app| app.admission.status().1.pending_rows as f64,
        );
        self.gauge("tenora_usage_healthy", "1 while usage rows reach the database", |app| {
            f64::from(u8::from(app.admission.status().1.healthy))
        });
        self.gauge("tenora_usage_oldest_seconds", "How long the oldest of them has waited", |app| {
            app.admission.status().1.oldest_age.as_secs_f64()
        });
        self.gauge(
            "tenora_usage_accepting",
            "1 while usage can be written down, without which nothing is served",
            |app| f64::from(u8::from(app.admission.status().1.accepting)),
        );
        self.counter(
            "tenora_usage_unreadable_lines",
            "Lines of usage files that could not be read back",
            |app| app.admission.status().1.unreadable_lines,
        );
        self.gauge("tenora_draining", "1 while the server stops", |app| {
            f64::from(u8::from(app.admission.is_draining()))
        });
        let version = [KeyValue::new("version", env!("CARGO_PKG_VERSION"))];
        self.meter
            .u64_observable_gauge("tenora_build_info")
            .with_description("The program")
            .with_callback(move |told| told.observe(1, &version))
            .build();
        self.dependencies();
    }

    /// Asked at intervals: whoever scrapes does not wait for a database that hangs.
    fn dependencies(&self) {
        const NAMES: [&str; 3] = ["database", "redis", "blobs"];
        let ready = Arc::new(AtomicI8::new(-1));
        let up = Arc::new([const { AtomicI8::new(-1) }; 3]);
        let (app, known) = (self.app.clone(), (Arc::clone(&ready), Arc::clone(&up)));
        tokio::spawn(async move {
            loop {
                let (status, now) = readiness::of(&app).await;
                known.0.store(i8::from(status.is_success()), Relaxed);
                for (known, state) in
                    known.1.iter().zip([now.checks.database, now.checks.redis, now.checks.blobs])
                {
                    known.store(
                        if state == State::Unused { -1 } else { i8::from(state == State::Ok) },
                        Relaxed,
                    );
                }
                tokio::time::sleep(HEALTH_INTERVAL).await;
            }
        });
        self.meter
            .u64_observable_gauge("tenora_ready")
            .with_description(
                "1 while the server should be sent requests, as /readyz says; asked every five seconds",
            )
            .with_callback(move |told| {
                if let Ok(ready) = u64::try_from(ready.load(Relaxed)) {
                    told.observe(ready, &[]);
                }
            })
            .build();
        self.meter
            .u64_observable_gauge("tenora_dependency_up")
            .with_description("1 while it answers; asked every five seconds")
            .with_callback(move |told| {
                for (dependency, known) in NAMES.into_iter().zip(up.iter()) {
                    if let Ok(up) = u64::try_from(known.load(Relaxed)) {
                        told.observe(up, &[KeyValue::new("dependency", dependency)]);
                    }
                }
            })
            .build();
    }

    fn engine_gauge(
        &self,
        name: &'static str,
        about: &'static str,
        read: impl Fn(&Stats) -> f64 + Send + Sync + 'static,
    ) {
        let (app, labels) = (self.app.clone(), self.model.clone());
        let callback = move |told: &dyn opentelemetry::metrics::AsyncInstrument<f64>| {
            told.observe(read(&app.engine_stats()), &labels);
        };
        self.meter.f64_observable_gauge(name).with_description(about).with_callback(callback).build();
    }

    fn engine_counter(
        &self,
        name: &'static str,
        about: &'static str,
        read: impl Fn(&Stats) -> u64 + Send + Sync + 'static,
    ) {
        let (app, labels) = (self.app.clone(), self.model.clone());
        let callback = move |told: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            told.observe(read(&app.engine_stats()), &labels);
        };
        self.meter.u64_observable_counter(name).with_description(about).with_callback(callback).build();
    }

    fn gauge(
        &self,
        name: &'static str,
        about: &'static str,
        read: impl Fn(&App) -> f64 + Send + Sync + 'static,
    ) {
        let app = self.app.clone();
        let callback = move |told: &dyn opentelemetry::metrics::AsyncInstrument<f64>| {
            told.observe(read(&app), &[]);
        };
        self.meter.f64_observable_gauge(name).with_description(about).with_callback(callback).build();
    }

    fn counter(
        &self,
        name: &'static str,
        about: &'static str,
        read: impl Fn(&App) -> u64 + Send + Sync + 'static,
    ) {
        let app = self.app.clone();
        let callback = move |told: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            told.observe(read(&app), &[]);
        };
        self.meter.u64_observable_counter(name).with_description(about).with_callback(callback).build();
    }
}

/// Adapters as a label: tenants' names for them stay out of it.
fn named(digests: &BTreeSet<[u8; 32]>) -> String {
    let names = digests.iter().take(MAX_NAMED).map(|digest| hex::encode(digest)[..DIGEST_CHARS].to_owned());
    names.collect::<Vec<_>>().join(",")
}
