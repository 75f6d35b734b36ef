//! `/v1/chat/completions`: shapes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenora_engine::{ChatMessage, FinishReason, Prompt, Sampling, TokenLogprob};
use utoipa::ToSchema;

use super::generation::{
    Answer, Head, OneOrMany, Piece, Shape, StreamOptions, Usage, at_least_one, generation_request, refuse,
};
use crate::error::ApiError;

/// Most messages of one conversation.
const MAX_MESSAGES: usize = 1024;

generation_request! {
    /// A conversation to continue.
    ChatRequest {
        /// The conversation so far.
        #[schema(min_items = 1, max_items = 1024)]
        messages: Vec<Message>,
        /// The newer name of `max_tokens`.
        #[schema(minimum = 1)]
        max_completion_tokens: Option<u32>,
        /// Whether to tell each token's log probability.
        logprobs: Option<bool>,
        /// Also of this many likeliest tokens; at most 20.
        #[schema(maximum = 20)]
        top_logprobs: Option<u8>,
        /// Not supported.
        tools: Option<Value>,
        /// Not supported; `none` and `auto` are harmless.
        tool_choice: Option<Value>,
        /// Harmless without tools.
        parallel_tool_calls: Option<Value>,
        /// Not supported.
        functions: Option<Value>,
        /// Not supported.
        function_call: Option<Value>,
        /// `["text"]` only.
        modalities: Option<Vec<String>>,
        /// Not supported.
        audio: Option<Value>,
    }
}

/// One turn of a conversation. What SDKs put beside these fields is not looked at.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Message {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    pub role: String,
    /// The turn's text.
    pub content: Option<Content>,
    /// Who speaks, where the chat template knows names.
    pub name: Option<String>,
    /// Not supported.
    pub tool_calls: Option<Value>,
}

/// A turn's text, whole or in parts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a string or a list of text parts")]
pub enum Content {
    /// Whole.
    Text(String),
    /// In parts.
    Parts(Vec<Part>),
}

/// A part of a turn's text.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Part {
    /// `text`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text.
    pub text: Option<String>,
}

impl ChatRequest {
    /// The conversation and its sampling, or what of it cannot be honoured.
    pub(crate) fn check(mut self) -> Result<(Prompt, Sampling), ApiError> {
        self.refuse_unsupported()?;
        if self.messages.is_empty() || self.messages.len() > MAX_MESSAGES {
            let message = format!("`messages` must hold 1 to {MAX_MESSAGES} messages.");
            return Err(ApiError::invalid("messages", message));
        }
        let newer = at_least_one("max_completion_tokens", self.max_completion_tokens)?;
        let max_tokens = newer.or(at_least_one("max_tokens", self.max_tokens)?);
        let logprobs = match (self.logprobs.unwrap_or(false), self.top_logprobs) {
            (true, top) => Some(top.unwrap_or(0)),
            (false, None | Some(0)) => None,
            (false, Some(_)) => {
                return Err(ApiError::invalid("top_logprobs", "`top_logprobs` needs `logprobs` to be true."));
            }
        };
        let sampling = self.take_sampling().sampling(max_tokens, logprobs)?;
        let messages = self.messages.into_iter().enumerate().map(Message::check).collect::<Result<_, _>>()?;
        Ok((Prompt::Chat(messages), sampling))
    }

    fn refuse_unsupported(&self) -> Result<(), ApiError> {
        refuse("tools", self.tools.as_ref())?;
        refuse("functions", self.functions.as_ref())?;
        refuse("audio", self.audio.as_ref())?;
        let harmless = |choice: &&Value| !matches!(choice.as_str(), Some("none" | "auto"));
        refuse("tool_choice", self.tool_choice.as_ref().filter(harmless))?;
        refuse("function_call", self.function_call.as_ref().filter(harmless))?;
        if self.modalities.iter().flatten().any(|modality| modality != "text") {
            return Err(ApiError::invalid("modalities", "`modalities` can only be [\"text\"] here."));
        }
        Ok(())
    }
}

impl Message {
    fn check((index, message): (usize, Self)) -> Result<ChatMessage, ApiError> {
        let at = |field: &str| format!("messages[{index}].{field}");
        // Templates of models made before 2025 know no developer; OpenAI treats it as system, too.
        let role = match message.role.as_str() {
            "developer" => "system",
            known @ ("system" | "user" | "assistant" | "tool") => known,
            other => {
                let message = format!(
                    "`{}` is `{}`; it must be system, developer, user, assistant or tool.",
                    at("role"),
                    ApiError::echo(other)
                );
                return Err(ApiError::invalid(at("role"), message));
            }
        };
        refuse("tool_calls", message.tool_calls.as_ref())?;
        let content = match message.content {
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => parts
                .into_iter()
                .enumerate()
                .map(|(p, part)| part.check(&at(&format!("content[{p}]"))))
                .collect::<Result<_, _>>()?,
            None => {
                let message = format!("`{}` is missing; it must be a string.", at("content"));
                return Err(ApiError::invalid(at("content"), message));
            }
        };
        Ok(ChatMessage { role: role.to_owned(), content, name: message.name })
    }
}

impl Part {
    fn check(self, at: &str) -> Result<String, ApiError> {
        match (self.kind.as_str(), self.text) {
            ("text", Some(text)) => Ok(text),
            ("text", None) => Err(ApiError::invalid(at.to_owned(), format!("`{at}` has no `text`."))),
            (other, _) => {
                let message =
                    format!("`{at}` is of type `{}`, and this model reads text only.", ApiError::echo(other));
                Err(ApiError::invalid(at.to_owned(), message))
            }
        }
    }
}

/// The whole answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatCompletion {
    /// `chatcmpl-…`.
    pub id: String,
    /// Always `chat.completion`.
    pub object: &'static str,
    /// Unix seconds.
    pub created: i64,
    /// What answered: `name@7`, or the base model.
    pub model: String,
    /// The answers.
    pub choices: Vec<ChatChoice>,
    /// What it cost.
    pub usage: Usage,
    /// Names the base model's weights.
    pub system_fingerprint: String,
}

/// One answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatChoice {
    /// Which of the `n`.
    pub index: u32,
    /// What was said.
    pub message: AssistantMessage,
    /// Log probabilities, when asked for.
    #[schema(required)]
    pub logprobs: Option<ChatLogprobs>,
    /// `stop` or `length`.
    pub finish_reason: &'static str,
}

/// What was said.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssistantMessage {
    /// Always `assistant`.
    pub role: &'static str,
    /// The text.
    pub content: String,
    /// Always null.
    #[schema(required)]
    pub refusal: Option<String>,
}

/// One event of a stream.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatChunk {
    /// The same in every chunk.
    pub id: String,
    /// Always `chat.completion.chunk`.
    pub object: &'static str,
    /// Unix seconds.
    pub created: i64,
    /// What answers.
    pub model: String,
    /// One choice's news; empty in the chunk with the usage.
    pub choices: Vec<ChatDelta>,
    /// In the last chunk, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Names the base model's weights.
    pub system_fingerprint: String,
}

/// One choice's news.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatDelta {
    /// Which of the `n`.
    pub index: u32,
    /// What is new.
    pub delta: Delta,
    /// Log probabilities, when asked for.
    #[schema(required)]
    pub logprobs: Option<ChatLogprobs>,
    /// `stop` or `length` at the end.
    #[schema(required)]
    pub finish_reason: Option<&'static str>,
}

/// What is new.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Delta {
    /// In the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// New text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// Log probabilities of an answer's tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatLogprobs {
    /// Token by token.
    pub content: Vec<ChatLogprob>,
}

/// One token's log probability, and its rivals'.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatLogprob {
    /// The token's text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// The token's bytes: a piece of a character is not text yet.
    pub bytes: Vec<u8>,
    /// The likeliest tokens, best first.
    pub top_logprobs: Vec<TopLogprob>,
}

/// A rival.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopLogprob {
    /// The token's text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// The token's bytes.
    pub bytes: Vec<u8>,
}

fn logprobs(tokens: Option<Vec<TokenLogprob>>) -> Option<ChatLogprobs> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let content = tokens?.into_iter().map(|TokenLogprob { token, top }| ChatLogprob {
        token: text(&token.bytes),
        logprob: token.logprob,
        bytes: token.bytes,
        top_logprobs: top
            .into_iter()
            .map(|rival| TopLogprob { token: text(&rival.bytes), logprob: rival.logprob, bytes: rival.bytes })
            .collect(),
    });
    Some(ChatLogprobs { content: content.collect() })
}

impl ChatChunk {
    fn new(head: &Head, choices: Vec<ChatDelta>, usage: Option<Usage>) -> Self {
        let Head { id, created, model, system_fingerprint } = head.clone();
        Self { id, object: "chat.completion.chunk", created, model, choices, usage, system_fingerprint }
    }
}

/// The chat endpoint's way of writing.
pub struct Chat;

impl Shape for Chat {
    const ID_PREFIX: &'static str = "chatcmpl";
    type Whole = ChatCompletion;
    type Chunk = ChatChunk;

    fn whole(head: Head, answers: Vec<Answer>, usage: Usage) -> ChatCompletion {
        let choice = |(index, answer): (u32, Answer)| ChatChoice {
            index,
            message: AssistantMessage { role: "assistant", content: answer.text, refusal: None },
            logprobs: logprobs(answer.logprobs),
            finish_reason: answer.reason.map_or("stop", FinishReason::as_str),
        };
        let choices = (0..).zip(answers).map(choice).collect();
        let Head { id, created, model, system_fingerprint } = head;
        ChatCompletion { id, object: "chat.completion", created, model, choices, usage, system_fingerprint }
    }

    fn opening(head: &Head, choice: u32) -> Option<ChatChunk> {
        let delta = Delta { role: Some("assistant"), content: Some(String::new()) };
        let choice = ChatDelta { index: choice, delta, logprobs: None, finish_reason: None };
        Some(ChatChunk::new(head, vec![choice], None))
    }

    fn piece(head: &Head, piece: Piece) -> ChatChunk {
        let delta = Delta { role: None, content: Some(piece.text) };
        let logprobs = logprobs(piece.logprobs);
        let choice = ChatDelta { index: piece.choice, delta, logprobs, finish_reason: None };
        ChatChunk::new(head, vec![choice], None)
    }

    fn ending(head: &Head, choice: u32, reason: FinishReason) -> ChatChunk {
        let finish_reason = Some(reason.as_str());
        let choice = ChatDelta { index: choice, delta: Delta::default(), logprobs: None, finish_reason };
        ChatChunk::new(head, vec![choice], None)
    }

    fn sum(head: &Head, usage: Usage) -> ChatChunk {
        ChatChunk::new(head, Vec::new(), Some(usage))
    }
}

#[cfg(test)]
mod tests;
