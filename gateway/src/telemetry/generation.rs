//! One generation as it is told of: counted at once, and when it has ended told to metrics and traces, however it ended and
//! behind its answer, which waits for none of that.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use serde_json::json;
use tenora_adapter_store::Outcome;
use tenora_engine::{FinishReason, Progress, Prompt};
use tracing::Span;

use super::{
    later,
    metrics::Metrics,
    pulse::Pulse,
    record::{Asked, Ended, Submitted},
    spans,
    tenants::Counts,
};

/// Bytes of prompts and answers that a span holds at most, where it may hold any.
const MAX_CONTENT_BYTES: usize = 32 << 10;

/// A prompt as the conventions write it.
pub fn content(prompt: &Prompt) -> String {
    let message =
        |role: &str, text: &str| json!({"role": role, "parts": [{"type": "text", "content": text}]});
    let messages: Vec<_> = match prompt {
        Prompt::Chat(messages) => messages.iter().map(|said| message(&said.role, &said.content)).collect(),
        Prompt::Text(text) => vec![message("user", text)],
        Prompt::Tokens(_) => Vec::new(),
    };
    let mut content = json!(messages).to_string();
    cut(&mut content);
    content
}

/// A generation from its admission to its end. Dropped without one, nobody is told of it.
pub struct Tracked {
    asked: Asked,
    metrics: Arc<Metrics>,
    /// Its request's.
    span: Span,
    submitted: Option<Submitted>,
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
    /// What is going to be asked of the engine, within the current span.
    pub fn new(asked: Asked, metrics: Arc<Metrics>) -> Self {
        Self {
            asked,
            metrics,
            span: Span::current(),
            submitted: None,
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

    /// The engine has it.
    pub(crate) fn submitted(&mut self, progress: Arc<Progress>) {
        let since = progress.submitted().elapsed();
        self.submitted = Some(Submitted {
            progress,
            at: SystemTime::now().checked_sub(since).unwrap_or(SystemTime::UNIX_EPOCH),
            overhead: self.asked.arrived.elapsed().saturating_sub(since),
        });
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

    /// It has ended, with a settlement that took so long. It is counted at once; the rest is told when its answer is on its
    /// way.
    pub(crate) fn end(self, outcome: Outcome, settling: Duration) {
        let Self { asked, metrics, span, submitted, reasons, mut answer, error, counts, last, .. } = self;
        let Some(counts) = counts else { return };
        let failed = matches!(outcome, Outcome::Failed | Outcome::CutOff);
        for pulse in [metrics.pulse(), &counts.pulse] {
            pulse.ended(!last.is_empty(), failed);
        }
        let progress = submitted.as_ref().map(|submitted| &submitted.progress);
        let queue = progress.map(|progress| progress.timing().queue).unwrap_or_default();
        counts.ended(outcome, progress.map_or([0; 3], |progress| progress.tokens()), queue);
        cut(&mut answer);
        let (at, elapsed) = (SystemTime::now(), asked.arrived.elapsed());
        let ended = Ended { asked, span, submitted, reasons, answer, error, outcome, at, elapsed, settling };
        later(move || {
            metrics.ended(&ended);
            spans::tell(&ended);
        });
    }
}

/// At most [`MAX_CONTENT_BYTES`] of it, and whole characters.
fn cut(text: &mut String) {
    if text.len() > MAX_CONTENT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_CONTENT_BYTES));
    }
}
