//! Every number that is told where it happens. What other parts count themselves is read from them when somebody asks:
//! see [`gauges`](crate::gauges). Names are what Prometheus shows, less the `_total` of counters; those with a colon are
//! vLLM's, so that boards and routers made for it work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};
use tenora_adapter_store::Outcome;
use tenora_engine::{FinishReason, Observer, Step};

use super::{
    pulse::Pulse,
    record::{Ended, Submitted},
    tenants::{Counts, Tenants},
};

const TTFT_S: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0,
    80.0, 160.0, 640.0, 2560.0,
];
const GAP_S: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
    40.0, 80.0,
];
const REQUEST_S: &[f64] = &[
    0.05, 0.1, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0,
    240.0, 480.0, 960.0, 1920.0, 7680.0,
];
const SHORT_S: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const LOAD_S: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const TOKENS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5];
const ROWS: &[f64] =
    &[1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0];
const FEW: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// The instruments.
pub struct Metrics {
    model: [KeyValue; 2],
    tenants: Arc<Tenants>,
    http_requests: Counter<u64>,
    http_seconds: Histogram<f64>,
    overhead: Histogram<f64>,
    cold_wait: Histogram<f64>,
    loads: Histogram<f64>,
    step_seconds: Histogram<f64>,
    step_adapters: Histogram<u64>,
    pushes: Counter<u64>,
    push_seconds: Histogram<f64>,
    request: RequestMetrics,
    steps: StepSums,
}

/// Sums over the steps since the start.
#[derive(Debug, Default)]
struct StepSums {
    steps: AtomicU64,
    rows: AtomicU64,
    adapters: AtomicU64,
}

/// vLLM's, of single requests and steps.
struct RequestMetrics {
    ended: Counter<u64>,
    ttft: Histogram<f64>,
    gap: Histogram<f64>,
    per_token: Histogram<f64>,
    e2e: Histogram<f64>,
    queue: Histogram<f64>,
    prefill: Histogram<f64>,
    decode: Histogram<f64>,
    inference: Histogram<f64>,
    prompt_tokens: Histogram<u64>,
    generation_tokens: Histogram<u64>,
    iteration_tokens: Histogram<u64>,
    n: Histogram<u64>,
    max_tokens: Histogram<u64>,
}

impl Metrics {
    /// All instruments, for the base model with this id.
    pub fn new(meter: &Meter, model: &str) -> Self {
        let tenants = Arc::<Tenants>::default();
        tenants.register(meter);
        let seconds = |name, about, bounds| histogram(meter, name, about, bounds);
        Self {
            model: model_labels(model),
            tenants,
            http_requests: counter(meter, "tenora_http_requests", "HTTP requests, by route and status"),
            http_seconds: seconds(
                "tenora_http_request_seconds",
                "HTTP requests, from the head to the last byte of the answer",
                REQUEST_S,
            ),
            overhead: seconds(
                "tenora_gateway_overhead_seconds",
                "From a generation's head to its submission to the engine: all that is not the engine, the reading of the body included",
                SHORT_S,
            ),
            cold_wait: seconds(
                "tenora_adapter_cold_wait_seconds",
                "How long generations waited for their adapters, of those that had to",
                LOAD_S,
            ),
            loads: seconds(
                "tenora_adapter_load_seconds",
                "Loads of adapters: tier blob = from the blob store to local disk, tier disk = from there into memory",
                LOAD_S,
            ),
            step_seconds: seconds("tenora_step_seconds", "One step of the engine", SHORT_S),
            step_adapters: counts(
                meter,
                "tenora_step_adapters",
                "Different adapters in one step; the base alone counts as one",
                FEW,
            ),
            pushes: counter(meter, "tenora_pushes", "Uploaded adapters, by what became of them"),
            push_seconds: seconds(
                "tenora_push_seconds",
                "Check, canary and commit of an uploaded adapter",
                REQUEST_S,
            ),
            request: RequestMetrics::new(meter),
            steps: StepSums::default(),
        }
    }

    /// An HTTP request was answered. `route` is its pattern.
    pub(crate) fn answered(&self, method: &'static str, route: &str, status: u16, elapsed: Duration) {
        let (method, route) = (KeyValue::new("method", method), KeyValue::new("route", route.to_owned()));
        self.http_seconds.record(elapsed.as_secs_f64(), &[method.clone(), route.clone()]);
        self.http_requests.add(1, &[method, route, KeyValue::new("code", i64::from(status))]);
    }

    /// A generation has ended.
    pub(super) fn ended(&self, ended: &Ended) {
        if let Some(Submitted { progress, overhead, .. }) = &ended.submitted {
            self.overhead.record(overhead.as_secs_f64(), &self.model);
            let load = progress.timing().load;
            if ended.asked.digest.is_some() && load > Duration::ZERO {
                self.cold_wait.record(load.as_secs_f64(), &[]);
            }
        }
        self.request.ended(&self.model, ended);
    }

    /// An adapter's files were fetched from the blob store.
    pub(crate) fn fetched(&self, took: Duration) {
        self.loads.record(took.as_secs_f64(), &[KeyValue::new("tier", "blob")]);
    }

    /// A push has ended.
    pub(crate) fn pushed(&self, ready: bool, took: Duration) {
        let outcome = if ready { "ready" } else { "refused" };
        self.pushes.add(1, &[KeyValue::new("outcome", outcome)]);
        self.push_seconds.record(took.as_secs_f64(), &[]);
    }

    /// A tenant's counters, kept for as long as somebody counts.
    pub(super) fn counts_of(&self, tenant: &str) -> Arc<Counts> {
        self.tenants.of(tenant)
    }

    /// What happens just now with all tenants together.
    pub(crate) fn pulse(&self) -> &Pulse {
        &self.tenants.all
    }

    /// And with each that is told apart.
    pub(crate) fn each_pulse(&self, mut tell: impl FnMut(&str, &Pulse)) {
        self.tenants.now().iter().for_each(|(slug, counts)| tell(slug, &counts.pulse));
    }

    /// Steps, their rows, and the adapters mixed in them, since the start.
    pub(crate) fn step_sums(&self) -> [u64; 3] {
        [&self.steps.steps, &self.steps.rows, &self.steps.adapters].map(|sum| sum.load(Relaxed))
    }

    /// A tenant is gone: its numbers go too.
    pub(crate) fn forget_tenant(&self, slug: &str) {
        self.tenants.forget(slug);
    }
}

/// The engine's own thread and its loaders tell these.
impl Observer for Metrics {
    fn stepped(&self, step: &Step<'_>) {
        self.steps.steps.fetch_add(1, Relaxed);
        self.steps.rows.fetch_add(step.rows as u64, Relaxed);
        self.steps.adapters.fetch_add(step.adapters as u64, Relaxed);
        self.step_seconds.record(step.took.as_secs_f64(), &[]);
        self.step_adapters.record(step.adapters as u64, &[]);
        self.request.iteration_tokens.record(step.rows as u64, &self.model);
        step.token_gaps.iter().for_each(|gap| self.request.gap.record(gap.as_secs_f64(), &self.model));
    }

    fn loaded(&self, took: Duration) {
        self.loads.record(took.as_secs_f64(), &[KeyValue::new("tier", "disk")]);
    }
}

impl RequestMetrics {
    fn new(meter: &Meter) -> Self {
        let seconds = |name, about, bounds| histogram(meter, name, about, bounds);
        Self {
            ended: counter(meter, "vllm:request_success", "Generations that have ended, by reason"),
            ttft: seconds(
                "vllm:time_to_first_token_seconds",
                "From the request's arrival to its first token",
                TTFT_S,
            ),
            gap: seconds(
                "vllm:inter_token_latency_seconds",
                "From one token of an answer to the next",
                GAP_S,
            ),
            per_token: seconds(
                "vllm:request_time_per_output_token_seconds",
                "Decoding time of a request for each token after the first",
                GAP_S,
            ),
            e2e: seconds(
                "vllm:e2e_request_latency_seconds",
                "From the request's arrival to its end",
                REQUEST_S,
            ),
            queue: seconds("vllm:request_queue_time_seconds", "Time in the engine's queue", REQUEST_S),
            prefill: seconds(
                "vllm:request_prefill_time_seconds",
                "From the first scheduled row to the first token",
                REQUEST_S,
            ),
            decode: seconds(
                "vllm:request_decode_time_seconds",
                "From the first token to the last",
                REQUEST_S,
            ),
            inference: seconds(
                "vllm:request_inference_time_seconds",
                "From the first scheduled row to the last token",
                REQUEST_S,
            ),
            prompt_tokens: counts(
                meter,
                "vllm:request_prompt_tokens",
                "Tokens of a request's prompt",
                TOKENS,
            ),
            generation_tokens: counts(
                meter,
                "vllm:request_generation_tokens",
                "Tokens generated for a request",
                TOKENS,
            ),
            iteration_tokens: counts(
                meter,
                "vllm:iteration_tokens_total",
                "Rows of one step: tokens of prompts, and one for each sequence that decodes",
                ROWS,
            ),
            n: counts(meter, "vllm:request_params_n", "The parameter n of a request", FEW),
            max_tokens: counts(
                meter,
                "vllm:request_params_max_tokens",
                "The parameter max_tokens of a request",
                TOKENS,
            ),
        }
    }

    fn ended(&self, model: &[KeyValue; 2], ended: &Ended) {
        let (asked, elapsed) = (&ended.asked, ended.elapsed);
        let finished_reason = match (ended.outcome, ended.reasons.last()) {
            (Outcome::Finished, Some(FinishReason::Length)) => "length",
            (Outcome::Finished, _) => "stop",
            (Outcome::Failed, _) => "error",
            _ => "abort",
        };
        let [model_name, engine] = model.clone();
        self.ended.add(1, &[model_name, engine, KeyValue::new("finished_reason", finished_reason)]);
        self.e2e.record(elapsed.as_secs_f64(), model);
        let Some(Submitted { progress, overhead, .. }) = &ended.submitted else { return };
        self.n.record(asked.n.into(), model);
        if let Some(max_tokens) = asked.max_tokens {
            self.max_tokens.record(max_tokens.into(), model);
        }
        let (timing, [input, _, output]) = (progress.timing(), progress.tokens());
        if input == 0 {
            return;
        }
        self.queue.record(timing.queue.as_secs_f64(), model);
        self.prompt_tokens.record(input.into(), model);
        self.generation_tokens.record(output.into(), model);
        if output == 0 {
            return;
        }
        let ttft = *overhead + timing.queue + timing.load + timing.prefill;
        self.ttft.record(ttft.as_secs_f64(), model);
        self.prefill.record(timing.prefill.as_secs_f64(), model);
        self.decode.record(timing.decode.as_secs_f64(), model);
        self.inference.record((timing.prefill + timing.decode).as_secs_f64(), model);
        if output > 1 {
            self.per_token.record(timing.decode.as_secs_f64() / f64::from(output - 1), model);
        }
    }
}

/// The labels of all that vLLM names.
pub(crate) fn model_labels(model: &str) -> [KeyValue; 2] {
    [KeyValue::new("model_name", model.to_owned()), KeyValue::new("engine", "0")]
}

fn counter(meter: &Meter, name: &'static str, about: &'static str) -> Counter<u64> {
    meter.u64_counter(name).with_description(about).build()
}

fn histogram(meter: &Meter, name: &'static str, about: &'static str, bounds: &[f64]) -> Histogram<f64> {
    meter.f64_histogram(name).with_description(about).with_boundaries(bounds.to_vec()).build()
}

fn counts(meter: &Meter, name: &'static str, about: &'static str, bounds: &[f64]) -> Histogram<u64> {
    meter.u64_histogram(name).with_description(about).with_boundaries(bounds.to_vec()).build()
}
