//! What is known of one generation: what was asked for, when the engine had it, how it ended.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tenora_adapter_store::Outcome;
use tenora_engine::{FinishReason, Progress, Sampling};
use tracing::Span;

/// Which of the two generations it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A chat completion.
    Chat,
    /// A text completion.
    TextCompletion,
}

impl Operation {
    pub(super) fn as_str(self) -> &'static str {
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

/// What is known from when the engine has it.
pub(super) struct Submitted {
    pub(super) progress: Arc<Progress>,
    pub(super) at: SystemTime,
    /// Since its request arrived.
    pub(super) overhead: Duration,
}

/// A generation that has ended, and all that is told of it.
pub(super) struct Ended {
    pub(super) asked: Asked,
    /// Its request's.
    pub(super) span: Span,
    /// `None` = the engine did not take it.
    pub(super) submitted: Option<Submitted>,
    /// Why its answers ended, of those that did.
    pub(super) reasons: Vec<FinishReason>,
    /// What was said, where spans may hold it.
    pub(super) answer: String,
    pub(super) error: Option<&'static str>,
    pub(super) outcome: Outcome,
    pub(super) at: SystemTime,
    /// Since its request arrived.
    pub(super) elapsed: Duration,
    /// How much of that was its settlement, at the end.
    pub(super) settling: Duration,
}
