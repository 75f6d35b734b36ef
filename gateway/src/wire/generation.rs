//! What `/v1/chat/completions` and `/v1/completions` have in common: the sampling fields, usage, and how an answer's
//! head is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tenora_engine::{FinishReason, Sampling};
use utoipa::ToSchema;

use super::response_format::ResponseFormatField;
use crate::error::ApiError;

/// A string or several.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// How a stream is told.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct StreamOptions {
    /// Whether a last chunk tells the usage.
    #[serde(default)]
    pub include_usage: Option<bool>,
}

/// One event of a stream.
#[derive(Debug, ToSchema)]
pub struct StreamEvent {
    /// A chunk as JSON, perhaps an error's envelope as the last one, or `[DONE]`.
    pub data: String,
}

/// The sampling fields of a request, as both endpoints have them.
#[derive(Debug, Default)]
pub struct SamplingFields {
    pub(crate) temperature: Option<f32>,
    pub(crate) top_p: Option<f32>,
    pub(crate) top_k: Option<i64>,
    pub(crate) min_p: Option<f32>,
    pub(crate) presence_penalty: Option<f32>,
    pub(crate) frequency_penalty: Option<f32>,
    pub(crate) repetition_penalty: Option<f32>,
    pub(crate) logit_bias: Option<BTreeMap<String, f32>>,
    pub(crate) seed: Option<i64>,
    pub(crate) stop: Option<OneOrMany>,
    pub(crate) n: Option<u32>,
    pub(crate) ignore_eos: Option<bool>,
    pub(crate) response_format: Option<ResponseFormatField>,
}

impl SamplingFields {
    /// In the engine's terms; the engine checks the ranges.
    pub(crate) fn sampling(
        self,
        max_tokens: Option<u32>,
        logprobs: Option<u8>,
    ) -> Result<Sampling, ApiError> {
        let none = Sampling::default();
        Ok(Sampling {
            temperature: self.temperature.unwrap_or(none.temperature),
            top_p: self.top_p.unwrap_or(none.top_p),
            top_k: top_k(self.top_k)?,
            min_p: self.min_p.unwrap_or(none.min_p),
            presence_penalty: self.presence_penalty.unwrap_or(none.presence_penalty),
            frequency_penalty: self.frequency_penalty.unwrap_or(none.frequency_penalty),
            repetition_penalty: self.repetition_penalty.unwrap_or(none.repetition_penalty),
            logit_bias: self.logit_bias.unwrap_or_default().iter().map(bias).collect::<Result<_, _>>()?,
            seed: self.seed.map(i64::cast_unsigned),
            logprobs,
            stop: match self.stop {
                None => Vec::new(),
                Some(OneOrMany::One(stop)) => vec![stop],
                Some(OneOrMany::Many(stops)) => stops,
            },
            max_tokens,
            n: self.n.unwrap_or(1),
            ignore_eos: self.ignore_eos.unwrap_or(false),
            format: self.response_format.map(ResponseFormatField::check).transpose()?.unwrap_or_default(),
        })
    }
}

/// -1 means "all" to vLLM's users, and 0 to others.
fn top_k(value: Option<i64>) -> Result<u32, ApiError> {
    match value {
        None | Some(-1) => Ok(0),
        Some(k) => u32::try_from(k).map_err(|_| {
            ApiError::invalid(
                "top_k",
                format!("`top_k` is {k}; it must be from 1 to {}, or 0 or -1 for all.", u32::MAX),
            )
        }),
    }
}

/// A count of tokens under the name that the client used for it.
pub(crate) fn at_least_one(field: &'static str, value: Option<u32>) -> Result<Option<u32>, ApiError> {
    match value {
        Some(0) => Err(ApiError::invalid(field, format!("`{field}` must be at least 1."))),
        other => Ok(other),
    }
}

fn bias((token, bias): (&String, &f32)) -> Result<(u32, f32), ApiError> {
    let id = token.parse().map_err(|_| {
        let message =
            format!("`logit_bias` has the key `{}`; its keys are token ids.", ApiError::echo(token));
        ApiError::invalid("logit_bias", message)
    })?;
    Ok((id, *bias))
}

/// A field that is known and cannot be honoured.
pub(crate) fn refuse(field: &'static str, value: Option<&serde_json::Value>) -> Result<(), ApiError> {
    use serde_json::Value;
    match value {
        None | Some(Value::Null | Value::Bool(false)) => Ok(()),
        Some(Value::Array(list)) if list.is_empty() => Ok(()),
        Some(Value::String(text)) if text.is_empty() => Ok(()),
        Some(_) => {
            let message = format!("`{field}` is not supported by this server; leave it out.");
            Err(ApiError::invalid(field, message))
        }
    }
}

/// Declares a request: its own fields, then those that both endpoints have.
macro_rules! generation_request {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The base model's id, an adapter's name (its latest version), `name@7` (exactly that version), or `name@prod`
            /// (what that alias names).
            pub model: String,
            $($(#[$field_doc])* pub $field: $type,)*
            /// Tokens to generate at most; left out: what the context has left.
            #[schema(minimum = 1)]
            pub max_tokens: Option<u32>,
            /// 0 is greedy; from 0 to 2, 1 when left out.
            #[schema(minimum = 0, maximum = 2, default = 1)]
            pub temperature: Option<f32>,
            /// Keep the smallest set of tokens with this much probability.
            pub top_p: Option<f32>,
            /// Keep the k likeliest tokens; 0 or -1 keeps all.
            pub top_k: Option<i64>,
            /// Keep tokens with at least this share of the likeliest one's probability.
            pub min_p: Option<f32>,
            /// Subtracted from the logit of every token already generated; from -2 to 2.
            pub presence_penalty: Option<f32>,
            /// Subtracted for every time a token was generated; from -2 to 2.
            pub frequency_penalty: Option<f32>,
            /// Divides the logits of tokens in prompt and answer; 1 is off.
            pub repetition_penalty: Option<f32>,
            /// Added to the logits of these token ids; from -100 to 100 each.
            pub logit_bias: Option<BTreeMap<String, f32>>,
            /// The same seed and request give the same answer.
            pub seed: Option<i64>,
            /// The answer ends before the first of these.
            pub stop: Option<OneOrMany>,
            /// Answers to the same prompt; at most 8.
            #[schema(minimum = 1, maximum = 8, default = 1)]
            pub n: Option<u32>,
            /// Go on after an end-of-sequence token.
            pub ignore_eos: Option<bool>,
            /// What the answer's text must be; anything when left out.
            pub response_format: Option<crate::wire::response_format::ResponseFormatField>,
            /// Whether to send the answer as server-sent events while it is generated.
            pub stream: Option<bool>,
            /// How the stream is told.
            pub stream_options: Option<StreamOptions>,
            /// Your user: where versions share an alias, a user's requests get one of them as long as it keeps its share.
            /// The key, not this, says whose request it is.
            pub user: Option<String>,
            /// The same as `user`, in OpenAI's newer words; it wins over `user`.
            pub safety_identifier: Option<String>,
            /// Decides in place of `user` where neither is given. Prompts are cached by their tokens without it.
            pub prompt_cache_key: Option<String>,
            /// Accepted and not used.
            pub metadata: Option<serde_json::Value>,
            /// Accepted and not used: nothing is stored.
            pub store: Option<serde_json::Value>,
            /// Accepted and not used.
            pub service_tier: Option<serde_json::Value>,
        }

        impl $name {
            fn take_sampling(&mut self) -> crate::wire::generation::SamplingFields {
                crate::wire::generation::SamplingFields {
                    temperature: self.temperature,
                    top_p: self.top_p,
                    top_k: self.top_k,
                    min_p: self.min_p,
                    presence_penalty: self.presence_penalty,
                    frequency_penalty: self.frequency_penalty,
                    repetition_penalty: self.repetition_penalty,
                    logit_bias: self.logit_bias.take(),
                    seed: self.seed,
                    stop: self.stop.take(),
                    n: self.n,
                    ignore_eos: self.ignore_eos,
                    response_format: self.response_format.take(),
                }
            }

            /// What the requests of one user have in common.
            pub(crate) fn sticky_key(&self) -> Option<String> {
                let given = [&self.safety_identifier, &self.user, &self.prompt_cache_key];
                given.into_iter().flatten().next().cloned()
            }

            /// How the answer is to be told: at once, or as a stream.
            pub(crate) fn telling(&self) -> crate::wire::generation::Telling {
                let include_usage = self.stream_options.as_ref().and_then(|o| o.include_usage);
                crate::wire::generation::Telling {
                    stream: self.stream.unwrap_or(false),
                    include_usage: include_usage.unwrap_or(false),
                }
            }
        }
    };
}
pub(crate) use generation_request;

/// How an answer is told.
#[derive(Debug, Clone, Copy)]
pub struct Telling {
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
}

/// What a request cost, in tokens.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Usage {
    /// Tokens of the prompt, as the model read it.
    pub prompt_tokens: u32,
    /// Tokens generated, over all choices.
    pub completion_tokens: u32,
    /// The sum.
    pub total_tokens: u32,
    /// What of the prompt was not computed again.
    pub prompt_tokens_details: PromptTokens,
}

/// Details of the prompt's tokens.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct PromptTokens {
    /// Tokens whose keys and values were still there.
    pub cached_tokens: u32,
}

impl From<tenora_engine::Usage> for Usage {
    fn from(usage: tenora_engine::Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens + usage.completion_tokens,
            prompt_tokens_details: PromptTokens { cached_tokens: usage.cached_tokens },
        }
    }
}

/// What every chunk and answer of one response begins with.
#[derive(Debug, Clone)]
pub struct Head {
    pub(crate) id: String,
    pub(crate) created: i64,
    /// `name@7`, or the base model's id.
    pub(crate) model: String,
    /// Names the base model's weights.
    pub(crate) system_fingerprint: String,
}

/// One finished answer.
#[derive(Debug, Default)]
pub struct Answer {
    pub(crate) text: String,
    pub(crate) logprobs: Option<Vec<tenora_engine::TokenLogprob>>,
    pub(crate) reason: Option<FinishReason>,
}

/// A piece of one answer's text.
#[derive(Debug)]
pub struct Piece {
    pub(crate) choice: u32,
    pub(crate) text: String,
    pub(crate) logprobs: Option<Vec<tenora_engine::TokenLogprob>>,
    /// Characters of this answer that came before.
    pub(crate) offset: usize,
}

/// How one endpoint writes what the engine tells.
pub trait Shape: 'static {
    /// What the endpoint's ids begin with.
    const ID_PREFIX: &'static str;
    /// The whole answer.
    type Whole: Serialize;
    /// One event of a stream.
    type Chunk: Serialize;

    /// All answers at once.
    fn whole(head: Head, answers: Vec<Answer>, usage: Usage) -> Self::Whole;
    /// What comes before a choice's first text, if anything.
    fn opening(head: &Head, choice: u32) -> Option<Self::Chunk>;
    /// New text of a choice.
    fn piece(head: &Head, piece: Piece) -> Self::Chunk;
    /// The end of a choice.
    fn ending(head: &Head, choice: u32, reason: FinishReason) -> Self::Chunk;
    /// The last chunk, where it was asked for.
    fn sum(head: &Head, usage: Usage) -> Self::Chunk;
}
