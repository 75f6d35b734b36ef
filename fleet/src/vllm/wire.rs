//! The JSON and the text that a vLLM server reads and writes.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Refusal;

/// `POST /v1/completions`. Every number is said: what is left out would be the default of the model's folder there.
#[derive(Debug, Serialize)]
pub(crate) struct Completion<'a> {
    pub(crate) model: &'a str,
    /// Token ids.
    pub(crate) prompt: &'a [u32],
    pub(crate) max_tokens: u64,
    pub(crate) n: u32,
    pub(crate) temperature: f32,
    pub(crate) top_p: f32,
    pub(crate) top_k: u32,
    pub(crate) min_p: f32,
    pub(crate) presence_penalty: f32,
    pub(crate) frequency_penalty: f32,
    pub(crate) repetition_penalty: f32,
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    pub(crate) logit_bias: HashMap<u32, f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logprobs: Option<u8>,
    pub(crate) stop: &'a [String],
    pub(crate) ignore_eos: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_format: Option<Value>,
    /// Keys and values are shared by requests with the same salt alone.
    pub(crate) cache_salt: &'a str,
    pub(crate) stream: bool,
    pub(crate) stream_options: StreamOptions,
    /// Each chunk says its tokens.
    pub(crate) return_token_ids: bool,
    /// Log probabilities name tokens by `token_id:7`.
    pub(crate) return_tokens_as_token_ids: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct StreamOptions {
    pub(crate) include_usage: bool,
}

/// One event of an answer.
#[derive(Debug)]
pub(crate) enum Chunk {
    /// What is new.
    News(News),
    /// The last event.
    Done,
}

/// A part of an answer.
#[derive(Debug, Deserialize)]
pub(crate) struct News {
    #[serde(default)]
    pub(crate) choices: Vec<Choice>,
    #[serde(default)]
    pub(crate) usage: Option<Usage>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    pub(crate) index: u32,
    #[serde(default)]
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) token_ids: Option<Vec<u32>>,
    #[serde(default)]
    pub(crate) logprobs: Option<Logprobs>,
    #[serde(default)]
    pub(crate) finish_reason: Option<String>,
}

/// One entry for each token.
#[derive(Debug, Deserialize)]
pub(crate) struct Logprobs {
    pub(crate) tokens: Vec<String>,
    pub(crate) token_logprobs: Vec<Option<f32>>,
    #[serde(default)]
    pub(crate) top_logprobs: Vec<Option<HashMap<String, f32>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: u32,
    #[serde(default)]
    pub(crate) completion_tokens: u32,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Debug, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u32>,
}

impl Usage {
    /// 0 where the server does not tell (`--enable-prompt-tokens-details`).
    pub(crate) fn cached_tokens(&self) -> u32 {
        self.prompt_tokens_details.as_ref().and_then(|details| details.cached_tokens).unwrap_or(0)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Models {
    pub(super) data: Vec<Model>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Model {
    pub(super) id: String,
}

/// The data of one server-sent event.
pub(super) fn chunk(data: &str) -> Result<Chunk, Refusal> {
    if data == "[DONE]" {
        return Ok(Chunk::Done);
    }
    let news: News = serde_json::from_str(data)
        .map_err(|error| Refusal::Gone(format!("its answer cannot be read: {error}")))?;
    match &news.error {
        None => Ok(Chunk::News(news)),
        Some(error) => Err(Refusal::Gone(format!("its answer ended with an error: {}", told(error)))),
    }
}

/// What a refusal says, in any of the shapes that vLLM has had.
pub(super) fn message(body: &str) -> String {
    match serde_json::from_str::<Value>(body) {
        Ok(value) => told(value.get("error").unwrap_or(&value)),
        Err(_) => body.trim().to_owned(),
    }
}

fn told(error: &Value) -> String {
    let words = error.as_str().or_else(|| error.get("message")?.as_str());
    words.map_or_else(|| error.to_string(), str::to_owned)
}

/// How busy a server is, from its metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Gauges {
    pub(crate) running: usize,
    pub(crate) waiting: usize,
    /// Part of the KV blocks that are in use, from 0 to 1.
    pub(crate) kv_used: f64,
    pub(crate) kv_blocks: usize,
    pub(crate) block_tokens: usize,
    /// When the process began, in Unix seconds; 0 = it does not say.
    pub(crate) started: f64,
}

impl Gauges {
    /// From the text that Prometheus reads; what is not there is 0. Several engines behind one address are one.
    pub(crate) fn read(text: &str) -> Self {
        let mut gauges = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            match series.split_once('{').map_or(series, |(name, _)| name) {
                "vllm:num_requests_running" => gauges.running += value as usize,
                "vllm:num_requests_waiting" => gauges.waiting += value as usize,
                "vllm:kv_cache_usage_perc" | "vllm:gpu_cache_usage_perc" => {
                    gauges.kv_used = gauges.kv_used.max(value);
                }
                "vllm:cache_config_info" => {
                    gauges.kv_blocks += label(series, "num_gpu_blocks").unwrap_or(0);
                    gauges.block_tokens = label(series, "block_size").unwrap_or(0);
                }
                "process_start_time_seconds" => gauges.started = value,
                _ => {}
            }
        }
        gauges
    }
}

fn label(series: &str, name: &str) -> Option<usize> {
    let (_, rest) = series.split_once(&format!("{name}=\""))?;
    rest.split_once('"')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_and_what_is_missing_is_nothing() {
        let text = "# HELP vllm:num_requests_running Number\n\
                    vllm:num_requests_running{engine=\"0\",model_name=\"base\"} 3.0\n\
                    vllm:num_requests_running{engine=\"1\",model_name=\"base\"} 2.0\n\
                    vllm:num_requests_waiting{engine=\"0\"} 1.0\n\
                    vllm:kv_cache_usage_perc{engine=\"0\"} 0.25\n\
                    vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"910\",sliding_window=\"None\"} 1.0\n\
                    process_start_time_seconds 1.7643e+09\n\
                    vllm:num_requests_waiting_by_reason NaN\n\
                    broken";
        let gauges = Gauges::read(text);
        let expected = Gauges {
            running: 5,
            waiting: 1,
            kv_used: 0.25,
            kv_blocks: 910,
            block_tokens: 16,
            started: 1.7643e9,
        };
        assert_eq!(gauges, expected);
        assert_eq!(Gauges::read(""), Gauges::default());
    }

    #[test]
    fn refusals_are_told_in_their_own_words() {
        for body in [
            r#"{"error": {"message": "too long", "type": "BadRequestError", "code": 400}}"#,
            r#"{"object": "error", "message": "too long", "code": 400}"#,
            r#"{"error": "too long"}"#,
            "too long\n",
        ] {
            assert_eq!(message(body), "too long");
        }
        let broken = chunk(r#"{"error": {"message": "the engine is dead"}}"#);
        assert!(matches!(broken, Err(Refusal::Gone(words)) if words.contains("the engine is dead")));
        assert!(matches!(chunk("[DONE]"), Ok(Chunk::Done)));
        assert!(matches!(chunk("{"), Err(Refusal::Gone(_))));
    }
}
