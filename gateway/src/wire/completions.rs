//! `/v1/completions`: shapes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenora_engine::{FinishReason, Prompt, Sampling, TokenLogprob};
use utoipa::ToSchema;

use super::generation::{
    Answer, Head, OneOrMany, Piece, Shape, StreamOptions, Usage, at_least_one, generation_request, refuse,
};
use crate::error::ApiError;

/// Tokens to generate when `max_tokens` is left out, as OpenAI's endpoint has it.
const DEFAULT_MAX_TOKENS: u32 = 16;

generation_request! {
    /// A text to continue.
    CompletionRequest {
        /// A string, a list of one string, or a list of token ids.
        prompt: PromptField,
        /// Log probabilities of this many likeliest tokens; at most 20.
        #[schema(maximum = 20)]
        logprobs: Option<u8>,
        /// Not supported.
        echo: Option<Value>,
        /// Not supported.
        suffix: Option<Value>,
        /// 1 only.
        #[schema(minimum = 1, maximum = 1)]
        best_of: Option<u32>,
    }
}

/// What to continue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a string, a list of one string, or a list of token ids")]
pub enum PromptField {
    /// A text.
    Text(String),
    /// A list of one text.
    Texts(Vec<String>),
    /// Token ids.
    Tokens(Vec<u32>),
}

impl CompletionRequest {
    /// The prompt and its sampling, or what of it cannot be honoured.
    pub(crate) fn check(mut self) -> Result<(Prompt, Sampling), ApiError> {
        refuse("echo", self.echo.as_ref())?;
        refuse("suffix", self.suffix.as_ref())?;
        if self.best_of.is_some_and(|best_of| best_of != 1) {
            return Err(ApiError::invalid("best_of", "`best_of` can only be 1 here; use `n`."));
        }
        if self.logprobs.is_some_and(|count| count > Sampling::MAX_LOGPROBS) {
            let message = format!("`logprobs` must be from 0 to {}.", Sampling::MAX_LOGPROBS);
            return Err(ApiError::invalid("logprobs", message));
        }
        let max_tokens = at_least_one("max_tokens", self.max_tokens)?.unwrap_or(DEFAULT_MAX_TOKENS);
        let sampling = self.take_sampling().sampling(Some(max_tokens), self.logprobs)?;
        let prompt = match self.prompt {
            PromptField::Text(text) => Prompt::Text(text),
            PromptField::Tokens(tokens) => Prompt::Tokens(tokens),
            PromptField::Texts(texts) => match <[String; 1]>::try_from(texts) {
                Ok([text]) => Prompt::Text(text),
                Err(texts) => {
                    let message = match texts.len() {
                        0 => "`prompt` is empty; there is nothing to continue.".to_owned(),
                        count => format!(
                            "`prompt` holds {count} prompts; send one in each request: they are batched all the same."
                        ),
                    };
                    return Err(ApiError::invalid("prompt", message));
                }
            },
        };
        Ok((prompt, sampling))
    }
}

/// An answer, or one event of a stream.
#[derive(Debug, Serialize, ToSchema)]
pub struct Completion {
    /// `cmpl-…`.
    pub id: String,
    /// Always `text_completion`.
    pub object: &'static str,
    /// Unix seconds.
    pub created: i64,
    /// What answered: `name@7`, or the base model.
    pub model: String,
    /// The answers, or what is new of one.
    pub choices: Vec<CompletionChoice>,
    /// What it cost; in a stream in the last chunk, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Names the base model's weights.
    pub system_fingerprint: String,
}

/// One answer, or what is new of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompletionChoice {
    /// Which of the `n`.
    pub index: u32,
    /// The text.
    pub text: String,
    /// Log probabilities, when asked for.
    #[schema(required)]
    pub logprobs: Option<CompletionLogprobs>,
    /// `stop` or `length` at the end.
    #[schema(required)]
    pub finish_reason: Option<&'static str>,
}

/// Log probabilities, one entry a token in each list.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompletionLogprobs {
    /// The tokens' texts.
    pub tokens: Vec<String>,
    /// Natural logarithms of their probabilities.
    pub token_logprobs: Vec<f32>,
    /// The likeliest tokens at each place.
    #[schema(value_type = Vec<Object>)]
    pub top_logprobs: Vec<serde_json::Map<String, Value>>,
    /// Where each token begins in this text, in characters.
    pub text_offset: Vec<usize>,
}

fn logprobs(tokens: Option<Vec<TokenLogprob>>, offset: usize) -> Option<CompletionLogprobs> {
    let tokens = tokens?;
    let offsets = tokens.iter().scan(offset, |next, entry| {
        let here = *next;
        *next += String::from_utf8_lossy(&entry.token.bytes).chars().count();
        Some(here)
    });
    Some(CompletionLogprobs {
        text_offset: offsets.collect(),
        tokens: tokens.iter().map(|entry| token_text(&entry.token.bytes)).collect(),
        token_logprobs: tokens.iter().map(|entry| entry.token.logprob).collect(),
        top_logprobs: tokens
            .iter()
            .map(|entry| {
                entry.top.iter().map(|rival| (token_text(&rival.bytes), rival.logprob.into())).collect()
            })
            .collect(),
    })
}

/// The token's text; a piece of a character is written as OpenAI writes it here: `bytes:\xe2\x80`.
fn token_text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| {
        let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        format!("bytes:{escaped}")
    })
}

/// The completion endpoint's way of writing.
pub struct Text;

impl Text {
    fn completion(head: &Head, choices: Vec<CompletionChoice>, usage: Option<Usage>) -> Completion {
        let Head { id, created, model, system_fingerprint } = head.clone();
        Completion { id, object: "text_completion", created, model, choices, usage, system_fingerprint }
    }
}

impl Shape for Text {
    const ID_PREFIX: &'static str = "cmpl";
    type Whole = Completion;
    type Chunk = Completion;

    fn whole(head: Head, answers: Vec<Answer>, usage: Usage) -> Completion {
        let choice = |(index, answer): (u32, Answer)| CompletionChoice {
            index,
            text: answer.text,
            logprobs: logprobs(answer.logprobs, 0),
            finish_reason: answer.reason.map(FinishReason::as_str),
        };
        Self::completion(&head, (0..).zip(answers).map(choice).collect(), Some(usage))
    }

    fn opening(_: &Head, _: u32) -> Option<Completion> {
        None
    }

    fn piece(head: &Head, piece: Piece) -> Completion {
        let Piece { choice: index, text, logprobs: tokens, offset } = piece;
        let choice =
            CompletionChoice { index, text, logprobs: logprobs(tokens, offset), finish_reason: None };
        Self::completion(head, vec![choice], None)
    }

    fn ending(head: &Head, choice: u32, reason: FinishReason) -> Completion {
        let finish_reason = Some(reason.as_str());
        let choice = CompletionChoice { index: choice, text: String::new(), logprobs: None, finish_reason };
        Self::completion(head, vec![choice], None)
    }

    fn sum(head: &Head, usage: Usage) -> Completion {
        Self::completion(head, Vec::new(), Some(usage))
    }
}

#[cfg(test)]
mod tests;
