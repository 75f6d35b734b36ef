//! One answer of one server, as the engine's events.

use std::{collections::HashMap, sync::Arc};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tenora_engine::{
    EngineError, Event, FinishReason, Frontend, Progress, QueuePlace, RankedToken, ResponseFormat, Sampling,
    TokenLogprob, Usage,
};
use tokio::sync::mpsc;

use crate::vllm::{Chunk, Completion, Logprobs, News, Refusal, StreamOptions, Vllm};

/// What a server is asked.
pub(crate) struct Question {
    pub(crate) tokens: Vec<u32>,
    pub(crate) sampling: Sampling,
    pub(crate) salt: String,
}

/// How an attempt at an answer ended.
pub(crate) enum Ended {
    /// It is complete, or its reader is gone.
    Well,
    /// Nothing was told yet: another server may be asked.
    Unheard(Refusal),
    /// In the middle.
    Broken(EngineError),
}

/// Where an answer goes.
pub(crate) struct Listener {
    pub(crate) events: mpsc::Sender<Result<Event, EngineError>>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) frontend: Frontend,
}

/// An answer as it comes.
struct Answer<'a> {
    listener: &'a Listener,
    prompt: usize,
    /// Most alternatives of a token.
    top: Option<usize>,
    tokens: u32,
    open: Vec<bool>,
    usage: Option<Usage>,
    heard: bool,
}

/// Its reader is gone.
struct Left;

impl Listener {
    /// Asks a server and tells on what it answers.
    /// With the first token its place in the queue is free.
    pub(crate) async fn ask(
        &self,
        server: &Vllm,
        model: &str,
        question: &Question,
        place: &mut Option<QueuePlace>,
    ) -> Ended {
        let completion = question.completion(model, self.frontend.base().context_length);
        let mut chunks = match server.complete(&completion).await {
            Ok(chunks) => chunks,
            Err(refusal) => return Ended::Unheard(refusal),
        };
        let mut answer = Answer {
            listener: self,
            prompt: question.tokens.len(),
            top: question.sampling.logprobs.map(usize::from),
            tokens: 0,
            open: vec![true; question.sampling.n.max(1) as usize],
            usage: None,
            heard: false,
        };
        loop {
            let told = match chunks.next().await {
                Some(Ok(Chunk::News(news))) => {
                    let told = answer.tell(news).await;
                    if answer.tokens > 0 {
                        place.take();
                    }
                    told
                }
                Some(Ok(Chunk::Done)) => return answer.end().await,
                Some(Err(refusal)) => Ok(Err(refusal)),
                None => Ok(Err(Refusal::Gone("its answer broke off".to_owned()))),
            };
            match told {
                Ok(Ok(())) => {}
                Ok(Err(refusal)) if !answer.heard => return Ended::Unheard(refusal),
                Ok(Err(refusal)) => return Ended::Broken(unavailable(refusal)),
                Err(Left) => return Ended::Well,
            }
        }
    }
}

/// What a refusal is to a client.
pub(crate) fn unavailable(refusal: Refusal) -> EngineError {
    match refusal {
        Refusal::Gone(reason) | Refusal::Failed(reason) => EngineError::Unavailable(reason),
        Refusal::UnknownModel => EngineError::Unavailable("it does not know the adapter".to_owned()),
        Refusal::Wrong(message) => EngineError::Invalid {
            field: "request",
            problem: format!("was refused by the engine: {message}"),
        },
    }
}

impl Question {
    fn completion<'a>(&'a self, model: &'a str, context: usize) -> Completion<'a> {
        let Sampling { temperature, top_p, top_k, min_p, n, .. } = self.sampling;
        let room = (context - self.tokens.len()) as u64;
        Completion {
            model,
            prompt: &self.tokens,
            max_tokens: self.sampling.max_tokens.map_or(room, |most| room.min(u64::from(most))),
            n: n.max(1),
            temperature,
            top_p,
            top_k,
            min_p,
            presence_penalty: self.sampling.presence_penalty,
            frequency_penalty: self.sampling.frequency_penalty,
            repetition_penalty: self.sampling.repetition_penalty,
            logit_bias: self.sampling.logit_bias.iter().copied().collect(),
            seed: self.sampling.seed.map(|seed| seed as i64),
            logprobs: self.sampling.logprobs,
            stop: &self.sampling.stop,
            ignore_eos: self.sampling.ignore_eos,
            response_format: format(&self.sampling.format),
            cache_salt: &self.salt,
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            return_token_ids: true,
            return_tokens_as_token_ids: true,
        }
    }
}

fn format(format: &ResponseFormat) -> Option<Value> {
    match format {
        ResponseFormat::Text => None,
        ResponseFormat::JsonObject => Some(json!({ "type": "json_object" })),
        ResponseFormat::JsonSchema(schema) => {
            Some(json!({ "type": "json_schema", "json_schema": { "name": "answer", "schema": schema } }))
        }
    }
}

impl Answer<'_> {
    async fn tell(&mut self, news: News) -> Result<Result<(), Refusal>, Left> {
        let progress = &self.listener.progress;
        if let Some(usage) = news.usage {
            progress.begun(usage.prompt_tokens as usize, usage.cached_tokens() as usize);
            self.usage = Some(Usage {
                prompt_tokens: usage.prompt_tokens,
                cached_tokens: usage.cached_tokens(),
                completion_tokens: usage.completion_tokens,
                timing: progress.timing(),
            });
        }
        for choice in news.choices {
            let index = choice.index as usize;
            if index >= self.open.len() {
                return Ok(Err(Refusal::Gone("its answer has a choice that was not asked for".to_owned())));
            }
            let tokens = choice.token_ids.as_ref().map_or(0, |ids| ids.len() as u32);
            if tokens > 0 {
                if self.tokens == 0 {
                    progress.begun(self.prompt, 0);
                }
                self.tokens += tokens;
                progress.generated_in_all(self.tokens);
            }
            let logprobs = match choice.logprobs {
                Some(logprobs) if self.top.is_some() => match self.logprobs(&logprobs) {
                    Some(logprobs) => logprobs,
                    None => return Ok(Err(Refusal::Gone("its log probabilities cannot be read".to_owned()))),
                },
                _ => Vec::new(),
            };
            let reason = match choice.finish_reason.as_deref() {
                None => None,
                Some("stop") => Some(FinishReason::Stop),
                Some("length") => Some(FinishReason::Length),
                Some(other) => return Ok(Err(Refusal::Gone(format!("its answer ended by `{other}`")))),
            };
            self.open[index] &= reason.is_none();
            if !choice.text.is_empty() || !logprobs.is_empty() {
                self.send(Event::Text { choice: choice.index, text: choice.text, logprobs }).await?;
            }
            if let Some(reason) = reason {
                self.send(Event::Finished { choice: choice.index, reason }).await?;
            }
        }
        Ok(Ok(()))
    }

    async fn send(&mut self, event: Event) -> Result<(), Left> {
        self.heard = true;
        self.listener.events.send(Ok(event)).await.map_err(|_| Left)
    }

    async fn end(mut self) -> Ended {
        let Some(usage) = self.usage.filter(|_| !self.open.contains(&true)) else {
            let broken = Refusal::Gone("its answer ended before its end".to_owned());
            return if self.heard { Ended::Broken(unavailable(broken)) } else { Ended::Unheard(broken) };
        };
        self.listener.progress.generated_in_all(usage.completion_tokens);
        _ = self.send(Event::Done(Usage { timing: self.listener.progress.timing(), ..usage })).await;
        Ended::Well
    }

    /// `None` = they are not what was asked for.
    fn logprobs(&self, logprobs: &Logprobs) -> Option<Vec<TokenLogprob>> {
        let none = HashMap::new();
        let each = logprobs.tokens.iter().zip(&logprobs.token_logprobs).enumerate();
        let one = |(at, (token, logprob)): (usize, (&String, &Option<f32>))| {
            let rivals = logprobs.top_logprobs.get(at).and_then(Option::as_ref).unwrap_or(&none);
            let mut top = rivals
                .iter()
                .map(|(token, logprob)| self.ranked(token, *logprob))
                .collect::<Option<Vec<_>>>()?;
            top.sort_by(|a, b| b.logprob.total_cmp(&a.logprob).then(a.id.cmp(&b.id)));
            // The chosen token is among them even when it is not one of the likeliest.
            top.truncate(self.top?);
            Some(TokenLogprob { token: self.ranked(token, (*logprob)?)?, top })
        };
        each.map(one).collect()
    }

    fn ranked(&self, token: &str, logprob: f32) -> Option<RankedToken> {
        let id = token.strip_prefix("token_id:")?.parse().ok()?;
        Some(RankedToken { id, bytes: self.listener.frontend.token_bytes(id), logprob })
    }
}
