//! Completions as vLLM streams them.

use std::{num::NonZeroU32, sync::Arc};

use actix_web::{HttpResponse, web::Bytes};
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tenora_engine::{
    AdapterFiles, CacheDomain, Engine, Event, GenerateRequest, Prompt, ResponseFormat, Sampling,
    TokenLogprob, TokenStream,
};

use super::{Faults, State, routes::text};

/// The engine's events for a request, or what is wrong with it.
pub(super) async fn generate(
    engine: &Engine,
    body: &Value,
    adapter: Option<AdapterFiles>,
) -> Result<TokenStream, String> {
    let salt = Sha256::digest(text(body, "cache_salt"));
    let domain = CacheDomain(u128::from_le_bytes(salt[..16].try_into().expect("16 bytes")));
    let tokens = body["prompt"].as_array().ok_or("`prompt` must be token ids")?;
    let tokens = tokens.iter().map(|token| token.as_u64().unwrap_or_default() as u32).collect();
    let request = GenerateRequest {
        prompt: Prompt::Tokens(tokens),
        adapter,
        domain,
        sampling: sampling(body),
        weight: NonZeroU32::MIN,
        deadline: None,
    };
    engine.generate(request).await.map_err(|error| error.to_string())
}

fn sampling(body: &Value) -> Sampling {
    let number = |field: &str, default: f64| body[field].as_f64().unwrap_or(default) as f32;
    let bias = body["logit_bias"].as_object().into_iter().flatten();
    let format = match body["response_format"]["type"].as_str() {
        Some("json_object") => ResponseFormat::JsonObject,
        Some("json_schema") => {
            ResponseFormat::JsonSchema(body["response_format"]["json_schema"]["schema"].clone())
        }
        _ => ResponseFormat::Text,
    };
    Sampling {
        temperature: number("temperature", 1.0),
        top_p: number("top_p", 1.0),
        top_k: number("top_k", 0.0) as u32,
        min_p: number("min_p", 0.0),
        presence_penalty: number("presence_penalty", 0.0),
        frequency_penalty: number("frequency_penalty", 0.0),
        repetition_penalty: number("repetition_penalty", 1.0),
        logit_bias: bias
            .map(|(id, bias)| (id.parse().unwrap_or_default(), bias.as_f64().unwrap_or_default() as f32))
            .collect(),
        seed: body["seed"].as_i64().map(|seed| seed as u64),
        logprobs: body["logprobs"].as_u64().map(|top| top as u8),
        stop: body["stop"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|stop| stop.as_str().unwrap_or_default().into())
            .collect(),
        // What vLLM does when nobody says.
        max_tokens: Some(body["max_tokens"].as_u64().unwrap_or(16) as u32),
        n: body["n"].as_u64().unwrap_or(1) as u32,
        ignore_eos: body["ignore_eos"] == true,
        format,
    }
}

/// Chunks, as long as the process lives.
pub(super) fn stream(
    state: Arc<State>,
    events: TokenStream,
    body: &Value,
    (faults, life): (Faults, u64),
) -> HttpResponse {
    let progress = events.progress();
    let told = body["return_token_ids"] == true;
    let mut counted = 0;
    let mut number = 0;
    let chunks = events.flat_map(move |event| {
        let mut chunks = Vec::new();
        let all = progress.tokens()[2].max(counted);
        let before = std::mem::replace(&mut counted, all);
        // Which tokens they were is not known here; only their number is looked at.
        let ids = told.then(|| vec![7_u32; (counted - before) as usize]);
        match event {
            Ok(Event::Text { choice, text, logprobs }) => {
                let logprobs = (!logprobs.is_empty()).then(|| shape(&logprobs));
                chunks.push(json!({"choices": [{"index": choice, "text": text, "token_ids": ids, "logprobs": logprobs, "finish_reason": null}]}).to_string());
            }
            Ok(Event::Finished { choice, reason }) => {
                chunks.push(json!({"choices": [{"index": choice, "text": "", "token_ids": ids, "logprobs": null, "finish_reason": reason.as_str()}]}).to_string());
            }
            Ok(Event::Done(usage)) if !faults.no_end => {
                let usage = json!({
                    "prompt_tokens": usage.prompt_tokens,
                    "completion_tokens": usage.completion_tokens,
                    "total_tokens": usage.prompt_tokens + usage.completion_tokens,
                    "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
                });
                chunks.push(json!({"choices": [], "usage": usage}).to_string());
                chunks.push("[DONE]".to_owned());
            }
            Ok(Event::Done(_)) => {}
            Err(error) => chunks.push(json!({"error": {"message": error.to_string()}}).to_string()),
        }
        stream::iter(chunks)
    });
    let parts = chunks.then(move |chunk| {
        number += 1;
        let broken = faults.break_after.is_some_and(|most| number > most);
        let (pause, state) = (faults.pause, Arc::clone(&state));
        async move {
            tokio::time::sleep(pause).await;
            let died = state.now().life != life;
            if broken || died {
                return Err(std::io::Error::other("the process is gone"));
            }
            Ok(Bytes::from(format!("data: {chunk}\n\n")))
        }
    });
    HttpResponse::Ok().content_type("text/event-stream").streaming(parts)
}

fn shape(logprobs: &[TokenLogprob]) -> Value {
    let name = |id: u32| format!("token_id:{id}");
    let top = |one: &TokenLogprob| {
        let rivals = one.top.iter().chain(std::iter::once(&one.token));
        rivals.map(|token| (name(token.id), json!(token.logprob))).collect::<Map<String, Value>>()
    };
    json!({
        "tokens": logprobs.iter().map(|one| name(one.token.id)).collect::<Vec<_>>(),
        "token_logprobs": logprobs.iter().map(|one| one.token.logprob).collect::<Vec<_>>(),
        "top_logprobs": logprobs.iter().map(top).collect::<Vec<_>>(),
        "text_offset": logprobs.iter().map(|_| 0).collect::<Vec<_>>(),
    })
}
