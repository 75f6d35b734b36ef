//! What a caller asks of the engine and what comes back: the only nouns that cross its queue.
//! Knows no HTTP; the gateway translates the OpenAI wire into these.

use std::{
    any::Any,
    fmt,
    num::NonZeroU32,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

pub use self::progress::Progress;

mod check;
mod progress;

/// One generation: a prompt, the adapter that answers it, and how to sample.
#[derive(Debug)]
pub struct GenerateRequest {
    /// What to continue.
    pub prompt: Prompt,
    /// The adapter of every row of this request; `None` is the base model.
    pub adapter: Option<AdapterFiles>,
    /// Whose request this is: KV blocks are reused within one domain only.
    pub domain: CacheDomain,
    /// How tokens are chosen and when to stop.
    pub sampling: Sampling,
    /// The tenant's share of the engine beside other tenants that have work; 1 is the usual.
    pub weight: NonZeroU32,
    /// When the answer is of no use any more: what is unfinished by then ends with
    /// [`DeadlineExceeded`](crate::EngineError::DeadlineExceeded).
    pub deadline: Option<Instant>,
}

/// The text to continue.
#[derive(Debug, Clone)]
pub enum Prompt {
    /// Chat messages, rendered by the base model's chat template. User text never encodes to special tokens.
    Chat(Vec<ChatMessage>),
    /// Plain text, encoded with the tokenizer's own prefix (BOS) and without special tokens in it.
    Text(String),
    /// Token ids, taken as they are.
    Tokens(Vec<u32>),
}

/// One turn of a conversation.
#[derive(Debug, Clone)]
pub struct ChatMessage {
    /// `system`, `user`, `assistant`, …: whatever the template knows.
    pub role: String,
    /// The turn's text.
    pub content: String,
    /// An optional participant name; templates may use it.
    pub name: Option<String>,
}

/// The verified local files of one adapter version, and the digest that names it.
#[derive(Clone)]
pub struct AdapterFiles {
    /// SHA-256 over canonical config and weights: the adapter's identity in slots and KV blocks.
    pub digest: [u8; 32],
    /// `adapter_config.json`.
    pub config: PathBuf,
    /// `adapter_model.safetensors`.
    pub weights: PathBuf,
    /// Keeps the files in the disk cache while the request lives.
    pub pin: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for AdapterFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdapterFiles").field("digest", &hex::encode(self.digest)).finish_non_exhaustive()
    }
}

/// The tenant as the engine sees it: an opaque id, equal only for the same tenant. KV blocks are shared within it, and
/// the engine's time is shared between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheDomain(pub u128);

/// How tokens are chosen, in the terms of the OpenAI API and vLLM.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0 is greedy; `[0, 2]`.
    pub temperature: f32,
    /// Nucleus: keep the smallest set of tokens with this much probability; `(0, 1]`.
    pub top_p: f32,
    /// Keep the k likeliest tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep tokens with at least this share of the likeliest one's probability; `[0, 1]`.
    pub min_p: f32,
    /// Subtracted once from the logit of every token already generated; `[-2, 2]`.
    pub presence_penalty: f32,
    /// Subtracted per occurrence in the generated text; `[-2, 2]`.
    pub frequency_penalty: f32,
    /// Divides (or multiplies, when negative) the logits of tokens in prompt and output; `(0, 2]`, 1 is off.
    pub repetition_penalty: f32,
    /// Added to the logits of these token ids; at most [`Sampling::MAX_LOGIT_BIAS`] entries in `[-100, 100]`.
    pub logit_bias: Vec<(u32, f32)>,
    /// Same seed, same request, same tokens; left out = a fresh one.
    pub seed: Option<u64>,
    /// Log probabilities of this many likeliest tokens (0 = of the chosen one only); `None` = none at all.
    pub logprobs: Option<u8>,
    /// The text ends before the first of these; at most [`Sampling::MAX_STOPS`].
    pub stop: Vec<String>,
    /// Tokens to generate at most; `None` = what the context has left.
    pub max_tokens: Option<u32>,
    /// Answers to the same prompt; at most [`Sampling::MAX_CHOICES`].
    pub n: u32,
    /// Go on after an end-of-sequence token (benchmarks).
    pub ignore_eos: bool,
    /// What the text must be.
    pub format: ResponseFormat,
}

/// What an answer's text must be; no token is chosen that would lead elsewhere. An answer that ends at `max_tokens`, or
/// at a stop string, is only the beginning of such a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum ResponseFormat {
    /// Anything.
    #[default]
    Text,
    /// A JSON object.
    JsonObject,
    /// JSON that this JSON Schema describes.
    JsonSchema(serde_json::Value),
}

impl Sampling {
    /// Most answers to one prompt.
    pub const MAX_CHOICES: u32 = 8;
    /// Most stop strings.
    pub const MAX_STOPS: usize = 16;
    /// Longest stop string, in bytes.
    pub const MAX_STOP_BYTES: usize = 256;
    /// Most biased tokens.
    pub const MAX_LOGIT_BIAS: usize = 1024;
    /// Most alternatives per token in log probabilities.
    pub const MAX_LOGPROBS: u8 = 20;
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            repetition_penalty: 1.0,
            logit_bias: Vec::new(),
            seed: None,
            logprobs: None,
            stop: Vec::new(),
            max_tokens: None,
            n: 1,
            ignore_eos: false,
            format: ResponseFormat::Text,
        }
    }
}

/// One thing that happened to one choice of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Text became certain: whole characters that no stop string can still take back.
    Text {
        /// Which of the `n` answers.
        choice: u32,
        /// The new text; may be empty when only log probabilities arrive.
        text: String,
        /// One entry for each token behind this text, when asked for.
        logprobs: Vec<TokenLogprob>,
    },
    /// The choice has ended.
    Finished {
        /// Which of the `n` answers.
        choice: u32,
        /// Why.
        reason: FinishReason,
    },
    /// The last event of a request whose choices have all ended.
    Done(Usage),
}

/// Why a choice ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// End of sequence, or a stop string.
    Stop,
    /// `max_tokens`, or the end of the context.
    Length,
}

impl FinishReason {
    /// In the words of the OpenAI API, which vLLM uses too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
        }
    }
}

/// What a request really cost, in tokens and time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the rendered prompt.
    pub prompt_tokens: u32,
    /// Prompt tokens whose keys and values were reused.
    pub cached_tokens: u32,
    /// Tokens generated, over all choices.
    pub completion_tokens: u32,
    /// How long the request waited, loaded, prefilled and decoded.
    pub timing: Timing,
}

/// Where a request's time went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// From submission to the first scheduled row, less [`Timing::load`].
    pub queue: Duration,
    /// Waiting for the adapter to become resident.
    pub load: Duration,
    /// From the first scheduled row to the first token.
    pub prefill: Duration,
    /// From the first token to the last.
    pub decode: Duration,
}

/// The log probability of one generated token and of its rivals.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogprob {
    /// The chosen token.
    pub token: RankedToken,
    /// The likeliest tokens, best first.
    pub top: Vec<RankedToken>,
}

/// A token with its log probability (natural logarithm, of the unmodified distribution).
#[derive(Debug, Clone, PartialEq)]
pub struct RankedToken {
    /// Token id.
    pub id: u32,
    /// The token's own bytes: a piece of a character is not text yet.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability.
    pub logprob: f32,
}
