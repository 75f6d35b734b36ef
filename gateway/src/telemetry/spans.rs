//! The spans of one generation, made when it has ended: one by the GenAI conventions, within that of its request, and in it
//! the engine's phases and the settlement.

use std::time::{Duration, SystemTime};

use opentelemetry::{
    Array, Context, KeyValue, StringValue, Value, global,
    trace::{Span as _, SpanKind, Status, TraceContextExt, Tracer},
};
use serde_json::json;
use tenora_adapter_store::Outcome;
use tenora_engine::Progress;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    names,
    record::{Ended, Submitted},
};

/// Tells a generation that the engine took, where its request's trace is kept.
pub(super) fn tell(ended: &Ended) {
    let Some(submitted) = &ended.submitted else { return };
    let request = ended.span.context();
    if !request.span().span_context().is_sampled() {
        return;
    }
    let tracer = global::tracer("tenora");
    let mut attributes = asked(ended);
    attributes.extend(answered(ended, &submitted.progress));
    let generation = tracer
        .span_builder(format!("{} {}", ended.asked.operation.as_str(), ended.asked.model))
        .with_kind(SpanKind::Client)
        .with_start_time(submitted.at)
        .with_attributes(attributes)
        .start_with_context(&tracer, &request);
    let generation = request.with_span(generation);
    for phase in phases(ended, submitted) {
        phase.tell(&tracer, &generation);
    }
    let span = generation.span();
    if let Some(error) = error(ended) {
        span.set_status(Status::error(error));
    }
    span.end_with_timestamp(ended.at);
}

/// A part of a generation's time.
struct Phase {
    name: &'static str,
    from: SystemTime,
    took: Duration,
}

impl Phase {
    fn tell(self, tracer: &impl Tracer, generation: &Context) {
        let mut builder = tracer.span_builder(self.name).with_start_time(self.from);
        if self.name == "load" {
            builder = builder.with_attributes([KeyValue::new(names::TIER, "disk")]);
        }
        builder.start_with_context(tracer, generation).end_with_timestamp(self.from + self.took);
    }
}

/// The engine's phases, one after the other, which knows times and no spans; then the settlement.
fn phases(ended: &Ended, submitted: &Submitted) -> Vec<Phase> {
    let timing = submitted.progress.timing();
    let mut from = submitted.at;
    let mut phases = Vec::with_capacity(5);
    for (name, took) in [
        ("load", timing.load),
        ("queue", timing.queue),
        ("prefill", timing.prefill),
        ("decode", timing.decode),
    ] {
        if took > Duration::ZERO {
            phases.push(Phase { name, from, took });
        }
        from += took;
    }
    let from = ended.at.checked_sub(ended.settling).unwrap_or(ended.at);
    phases.push(Phase { name: "settle", from, took: ended.settling });
    phases
}

fn asked(ended: &Ended) -> Vec<KeyValue> {
    let asked = &ended.asked;
    let mut attributes = vec![
        KeyValue::new(names::OPERATION, asked.operation.as_str()),
        KeyValue::new(names::PROVIDER, "tenora"),
        KeyValue::new(names::REQUEST_MODEL, asked.model.clone()),
        KeyValue::new(names::BASE_MODEL, asked.base.clone()),
        KeyValue::new(names::TENANT, asked.tenant.clone()),
        KeyValue::new(names::REQUEST_CHOICES, i64::from(asked.n)),
        KeyValue::new(names::REQUEST_TEMPERATURE, f64::from(asked.temperature)),
        KeyValue::new(names::REQUEST_TOP_P, f64::from(asked.top_p)),
    ];
    let top_k = (asked.top_k > 0).then(|| i64::from(asked.top_k));
    attributes.extend(top_k.map(|top_k| KeyValue::new(names::REQUEST_TOP_K, top_k)));
    let max_tokens = asked.max_tokens.map(i64::from);
    attributes.extend(max_tokens.map(|most| KeyValue::new(names::REQUEST_MAX_TOKENS, most)));
    attributes.extend(asked.seed.map(|seed| KeyValue::new(names::REQUEST_SEED, seed.to_string())));
    let digest = asked.digest.clone();
    attributes.extend(digest.map(|digest| KeyValue::new(names::ADAPTER_DIGEST, digest)));
    let content = asked.content.clone();
    attributes.extend(content.map(|content| KeyValue::new(names::INPUT_MESSAGES, content)));
    attributes
}

fn answered(ended: &Ended, progress: &Progress) -> Vec<KeyValue> {
    let ([input, cached, output], timing) = (progress.tokens().map(i64::from), progress.timing());
    let mut attributes = vec![
        KeyValue::new(names::RESPONSE_MODEL, ended.asked.model.clone()),
        KeyValue::new(names::INPUT_TOKENS, input),
        KeyValue::new(names::CACHED_TOKENS, cached),
        KeyValue::new(names::OUTPUT_TOKENS, output),
        KeyValue::new(names::OUTCOME, ended.outcome.as_str()),
    ];
    if output > 0 {
        let ttft = timing.queue + timing.load + timing.prefill;
        attributes.push(KeyValue::new(names::TIME_TO_FIRST_CHUNK, ttft.as_secs_f64()));
    }
    if !ended.reasons.is_empty() {
        let reasons: Vec<StringValue> = ended.reasons.iter().map(|reason| reason.as_str().into()).collect();
        attributes.push(KeyValue::new(names::FINISH_REASONS, Value::Array(Array::String(reasons))));
    }
    if ended.asked.content.is_some() {
        let parts = json!([{ "type": "text", "content": ended.answer }]);
        let said = json!([{ "role": "assistant", "parts": parts }]);
        attributes.push(KeyValue::new(names::OUTPUT_MESSAGES, said.to_string()));
    }
    attributes.extend(error(ended).map(|error| KeyValue::new(names::ERROR_TYPE, error)));
    attributes
}

fn error(ended: &Ended) -> Option<&'static str> {
    (ended.outcome != Outcome::Finished).then(|| ended.error.unwrap_or(ended.outcome.as_str()))
}
