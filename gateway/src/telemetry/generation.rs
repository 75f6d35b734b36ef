//! One generation as traces and metrics see it: a span by the GenAI conventions, in which lie those of the engine's
//! phases, and its numbers when it has ended, however it ends.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use opentelemetry::{
    Array, StringValue, Value, global,
    trace::{Span as _, Status, TraceContextExt, Tracer},
};
use serde_json::json;
use tenora_adapter_store::Outcome;
use tenora_engine::{FinishReason, Progress, Prompt, Sampling};
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    metrics::{Ended, Metrics},
    names,
    pulse::Pulse,
    tenants::Counts,
};

/// Bytes of prompts and answers that a span holds at most, where it may hold any.
const MAX_CONTENT_BYTES: usize = 32 << 10;

/// Which of the two generations it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A chat completion.
    Chat,
    /// A text completion.
    TextCompletion,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::TextCompletion => "text_completion",
        }
    }
}

/// What was asked for, by whom.
pub struct Asked {
    /// Chat or text.
    pub operation: Operation,
    /// The tenant's slug.
    pub tenant: String,
    /// When the request's head was there.
    pub arrived: Instant,
    /// What answers: `name@7`, or the base model's id.
    pub model: String,
    /// The base model's id.
    pub base: String,
    /// The adapter version's digest.
    pub digest: Option<String>,
    /// Tokens to generate at most, of each answer.
    pub max_tokens: Option<u32>,
    /// Answers.
    pub n: u32,
    /// How tokens are drawn.
    pub temperature: f32,
    /// How tokens are drawn.
    pub top_p: f32,
    /// How tokens are drawn; 0 = from all.
    pub top_k: u32,
    /// The request's own seed.
    pub seed: Option<u64>,
    /// The prompt, where the operator wants it in spans.
    pub content: Option<String>,
}

impl Asked {
    /// How tokens are to be drawn; the rest is to be filled in.
    pub fn new(operation: Operation, sampling: &Sampling) -> Self {
        let Sampling { max_tokens, n, temperature, top_p, top_k, seed, .. } = *sampling;
        Self {
            operation,
            tenant: String::new(),
            arrived: Instant::now(),
            model: String::new(),
            base: String::new(),
            digest: None,
            max_tokens,
            n,
            temperature,
            top_p,
            top_k,
            seed,
            content: None,
        }
    }
}

/// A prompt as the conventions write it.
pub fn content(prompt: &Prompt) -> String {
    let message =
        |role: &str, text: &str| json!({"role": role, "parts": [{"type": "text", "content": text}]});
    let messages: Vec<_> = match prompt {
        Prompt::Chat(messages) => messages.iter().map(|said| message(&said.role, &said.content)).collect(),
        Prompt::Text(text) => vec![message("user", text)],
        Prompt::Tokens(_) => Vec::new(),
    };
    cut(json!(messages).to_string())
}

/// A generation from its admission to its end. Dropped without one, nobody is told of it.
pub struct Tracked {
    asked: Asked,
    metrics: Arc<Metrics>,
    span: Span,
    began: SystemTime,
    progress: Option<Arc<Progress>>,
    reasons: Vec<FinishReason>,
    answer: String,
    error: Option<&'static str>,
    /// Its tenant's, once it counts.
    counts: Option<Arc<Counts>>,
    /// When each of its answers had its last text.
    last: Vec<Option<Instant>>,
    told: (u64, u64),
}

impl Tracked {
    /// What is going to be asked of the engine.
    pub fn new(asked: Asked, metrics: Arc<Metrics>) -> Self {
        Self {
            asked,
            metrics,
            span: Span::none(),
            began: SystemTime::UNIX_EPOCH,
            progress: None,
            reasons: Vec::new(),
            answer: String::new(),
            error: None,
            counts: None,
            last: Vec::new(),
            told: (0, 0),
        }
    }

    /// It was let through, and counts from now on.
    pub(crate) fn admitted(&mut self) {
        let counts = self.metrics.counts_of(&self.asked.tenant);
        [self.metrics.pulse(), &counts.pulse].into_iter().for_each(Pulse::began);
        self.counts = Some(counts);
    }

    /// The engine has it: the span begins, within the request's.
    pub(crate) fn submitted(&mut self, progress: Arc<Progress>) {
        let since = progress.submitted().elapsed();
        self.began = SystemTime::now().checked_sub(since).unwrap_or(SystemTime::UNIX_EPOCH);
        self.metrics.submitted(self.asked.arrived.elapsed().saturating_sub(since));
        self.metrics.asked(self.asked.n, self.asked.max_tokens);
        self.progress = Some(progress);
        let name = format!("{} {}", self.asked.operation.as_str(), self.asked.model);
        self.span = info_span!("generation", otel.name = name, otel.kind = "client");
        self.describe();
    }

    /// One answer has ended.
    pub(crate) fn finished(&mut self, reason: FinishReason) {
        self.reasons.push(reason);
    }

    /// New text of an answer; kept only where spans may hold it.
    pub(crate) fn text(&mut self, choice: u32, text: &str) {
        let Some(counts) = &self.counts else { return };
        let (pulses, now) = ([self.metrics.pulse(), &counts.pulse], Instant::now());
        if self.last.is_empty() {
            pulses.iter().for_each(|pulse| pulse.first_token(now - self.asked.arrived));
        }
        let choice = choice as usize;
        if self.last.len() <= choice {
            self.last.resize(choice + 1, None);
        }
        if let Some(before) = self.last[choice].replace(now) {
            pulses.iter().for_each(|pulse| pulse.next_token(now - before));
        }
        if self.asked.content.is_some() && self.answer.len() < MAX_CONTENT_BYTES {
            self.answer.push_str(text);
        }
    }

    /// Its tokens so far.
    pub(crate) fn tokens(&mut self, input: u32, output: u32) {
        let now = (u64::from(input), u64::from(output));
        let before = std::mem::replace(&mut self.told, now);
        if let Some(counts) = &self.counts {
            let pulses = [self.metrics.pulse(), &counts.pulse];
            pulses.iter().for_each(|pulse| pulse.tokens(now.0 - before.0, now.1 - before.1));
        }
    }

    /// It is going to end because of this error.
    pub(crate) fn failed(&mut self, code: &'static str) {
        self.error = Some(code);
    }

    /// Where what belongs to its end is noted.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// It has ended.
    pub(crate) fn end(&mut self, outcome: Outcome) {
        let Some(counts) = self.counts.take() else { return };
        let had_begun = !self.last.is_empty();
        let failed = matches!(outcome, Outcome::Failed | Outcome::CutOff);
        let pulses = [self.metrics.pulse(), &counts.pulse];
        pulses.iter().for_each(|pulse| pulse.ended(had_begun, failed));
        let progress = self.progress.take();
        self.metrics.ended(&Ended {
            counts: &counts,
            outcome,
            reasons: &self.reasons,
            progress: progress.as_deref(),
            elapsed: self.asked.arrived.elapsed(),
            adapted: self.asked.digest.is_some(),
        });
        if let Some(progress) = progress {
            self.phases(&progress);
            self.conclude(outcome, &progress);
            self.span = Span::none();
        }
    }

    fn describe(&self) {
        let Asked { operation, tenant, model, base, digest, .. } = &self.asked;
        let span = &self.span;
        span.set_attribute(names::OPERATION, operation.as_str());
        span.set_attribute(names::PROVIDER, "tenora");
        span.set_attribute(names::REQUEST_MODEL, model.clone());
        span.set_attribute(names::BASE_MODEL, base.clone());
        span.set_attribute(names::TENANT, tenant.clone());
        span.set_attribute(names::REQUEST_CHOICES, i64::from(self.asked.n));
        span.set_attribute(names::REQUEST_TEMPERATURE, f64::from(self.asked.temperature));
        span.set_attribute(names::REQUEST_TOP_P, f64::from(self.asked.top_p));
        if self.asked.top_k > 0 {
            span.set_attribute(names::REQUEST_TOP_K, i64::from(self.asked.top_k));
        }
        if let Some(max_tokens) = self.asked.max_tokens {
            span.set_attribute(names::REQUEST_MAX_TOKENS, i64::from(max_tokens));
        }
        if let Some(seed) = self.asked.seed {
            span.set_attribute(names::REQUEST_SEED, seed.to_string());
        }
        if let Some(digest) = digest {
            span.set_attribute(names::ADAPTER_DIGEST, digest.clone());
        }
        if let Some(content) = &self.asked.content {
            span.set_attribute(names::INPUT_MESSAGES, content.clone());
        }
    }

    fn conclude(&mut self, outcome: Outcome, progress: &Progress) {
        let [input, cached, output] = progress.tokens().map(i64::from);
        let timing = progress.timing();
        let span = &self.span;
        span.set_attribute(names::RESPONSE_MODEL, self.asked.model.clone());
        span.set_attribute(names::INPUT_TOKENS, input);
        span.set_attribute(names::CACHED_TOKENS, cached);
        span.set_attribute(names::OUTPUT_TOKENS, output);
        span.set_attribute(names::OUTCOME, outcome.as_str());
        if output > 0 {
            let ttft = timing.queue + timing.load + timing.prefill;
            span.set_attribute(names::TIME_TO_FIRST_CHUNK, ttft.as_secs_f64());
        }
        let reasons: Vec<StringValue> = self.reasons.iter().map(|reason| reason.as_str().into()).collect();
        if !reasons.is_empty() {
            span.set_attribute(names::FINISH_REASONS, Value::Array(Array::String(reasons)));
        }
        if self.asked.content.is_some() {
            let said = json!([{
                "role": "assistant",
                "parts": [{"type": "text", "content": cut(std::mem::take(&mut self.answer))}],
            }]);
            span.set_attribute(names::OUTPUT_MESSAGES, said.to_string());
        }
        if outcome != Outcome::Finished {
            let error = self.error.unwrap_or(outcome.as_str());
            span.set_attribute(names::ERROR_TYPE, error);
            span.set_status(Status::error(error));
        }
    }

    /// The engine's phases, told when they are over: it knows times and no spans.
    fn phases(&self, progress: &Progress) {
        let parent = self.span.context();
        if !parent.span().span_context().is_sampled() {
            return;
        }
        let (tracer, timing) = (global::tracer("tenora"), progress.timing());
        let mut from = self.began;
        for (name, took) in [
            ("load", timing.load),
            ("queue", timing.queue),
            ("prefill", timing.prefill),
            ("decode", timing.decode),
        ] {
            if took == Duration::ZERO {
                continue;
            }
            let mut span =
                tracer.span_builder(name).with_start_time(from).start_with_context(&tracer, &parent);
            if name == "load" {
                span.set_attribute(opentelemetry::KeyValue::new(names::TIER, "disk"));
            }
            from += took;
            span.end_with_timestamp(from);
        }
    }
}

/// At most [`MAX_CONTENT_BYTES`] of it, and whole characters.
fn cut(mut text: String) -> String {
    if text.len() > MAX_CONTENT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_CONTENT_BYTES));
    }
    text
}
