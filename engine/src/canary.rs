//! Proof before traffic: one fixed prompt, answered by an adapter and by the base model, through the queue that everybody's
//! requests go through. What no look at the files shows shows here: numbers that overflow on the way, and an adapter that
//! changes nothing. Knows no queue and no runner; it is handed a way to ask.

use std::{collections::HashMap, time::Duration};

use tokio::sync::OnceCell;

use crate::{
    backend::TokenStream,
    error::{AdapterRejection, EngineError},
    frontend::Frontend,
    lora::codes,
    request::{AdapterFiles, Event, RankedToken, Sampling, Usage},
};

/// What the models continue: letters, digits, code and another language, since an adapter may have learned any of it.
const TEXT: &str = "Order 4711 was paid twice on 3 May. SELECT total FROM orders WHERE id = 4711; \
                    Guten Tag, wie kann ich helfen? The answer in one word is";
/// Tokens of the prompt, at most.
const PROMPT_TOKENS: usize = 32;

/// What an adapter's first answer showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Canary {
    /// How far it moves the answer of the base model: the largest change of a log probability among the
    /// [`Sampling::MAX_LOGPROBS`] likeliest tokens of either. A token that is among those of one alone counts with the
    /// least by which it must have changed.
    pub effect: f32,
    /// How long it waited for the adapter to become resident; nothing when it was.
    pub load: Duration,
    /// From the first row of the prompt to the answer.
    pub run: Duration,
    /// Bytes that the adapter takes while it is resident.
    pub resident_bytes: u64,
}

/// The likeliest next tokens with their log probabilities, best first.
type Likeliest = Vec<(u32, f32)>;

/// An answer to the prompt.
#[derive(Debug)]
pub struct Answer {
    likeliest: Likeliest,
    usage: Usage,
    adapter_bytes: usize,
}

impl Answer {
    /// The whole answer to a trial.
    ///
    /// # Errors
    /// Those of the stream.
    pub async fn read(mut stream: TokenStream) -> Result<Self, EngineError> {
        let mut likeliest = Vec::new();
        while let Some(event) = stream.next_event().await {
            match event? {
                Event::Text { logprobs, .. } => {
                    likeliest = logprobs.first().map_or(likeliest, |first| self::likeliest(&first.top));
                }
                Event::Finished { .. } => {}
                Event::Done(usage) => {
                    return Ok(Self { likeliest, usage, adapter_bytes: stream.progress().adapter_bytes() });
                }
            }
        }
        Err(EngineError::ShuttingDown)
    }
}

/// The prompt, and the base model's answer to it once somebody has asked.
pub struct Trials {
    prompt: Vec<u32>,
    base: OnceCell<Likeliest>,
    /// What a log probability may change by though nothing is different.
    noise: f32,
}

impl Trials {
    /// For one engine behind a frontend; a log probability moves by at most twice what a logit does.
    pub fn of(frontend: &Frontend) -> Self {
        let model = frontend.model();
        let text = frontend.codec().encode_text(TEXT).ok().filter(|tokens| !tokens.is_empty());
        let mut prompt = text.unwrap_or_else(|| (0..PROMPT_TOKENS as u32).collect());
        prompt.retain(|token| (*token as usize) < model.vocab_size);
        prompt.truncate(PROMPT_TOKENS.min(model.context_length.saturating_sub(1)));
        Self { prompt, base: OnceCell::new(), noise: 2.0 * frontend.noise() }
    }

    /// The prompt's tokens.
    pub fn prompt(&self) -> Vec<u32> {
        self.prompt.clone()
    }

    /// One token, the likeliest, whatever it is, with its rivals.
    pub fn sampling() -> Sampling {
        Sampling {
            temperature: 0.0,
            logprobs: Some(Sampling::MAX_LOGPROBS),
            max_tokens: Some(1),
            ignore_eos: true,
            ..Sampling::default()
        }
    }

    /// Has both answer; the base once in the life of the engine.
    ///
    /// # Errors
    /// Those of asking. [`EngineError::Adapter`] with [`codes::DOES_NOTHING`]: the answers are the same.
    pub async fn judge<A>(
        &self,
        files: AdapterFiles,
        ask: impl Fn(Option<AdapterFiles>) -> A,
    ) -> Result<Canary, EngineError>
    where
        A: Future<Output = Result<Answer, EngineError>>,
    {
        let base = ask(None);
        let base = self.base.get_or_try_init(|| async { base.await.map(|answer| answer.likeliest) }).await?;
        let Answer { likeliest, usage, adapter_bytes } = ask(Some(files)).await?;
        let effect = effect(base, &likeliest);
        // Where answers have one value to the bit, any difference is an effect.
        if likeliest == *base || effect < self.noise {
            return Err(self.does_nothing(effect).into());
        }
        let timing = usage.timing;
        Ok(Canary {
            effect,
            load: timing.load,
            run: timing.prefill + timing.decode,
            resident_bytes: adapter_bytes as u64,
        })
    }

    fn does_nothing(&self, effect: f32) -> AdapterRejection {
        let measured = match effect {
            0.0 => "to the bit".to_owned(),
            _ => format!("within {:e}, which is this device's rounding", self.noise),
        };
        let message = format!(
            "with the adapter the model answers as without it ({measured}): its numbers are too small to matter; was it \
             trained long enough, and is `lora_alpha` the one that it was trained with?"
        );
        AdapterRejection::whole(codes::DOES_NOTHING, message)
    }
}

/// The likeliest tokens of an answer's one token.
fn likeliest(top: &[RankedToken]) -> Likeliest {
    top.iter().map(|token| (token.id, token.logprob)).collect()
}

/// The largest change of a log probability between two answers.
fn effect(a: &[(u32, f32)], b: &[(u32, f32)]) -> f32 {
    let changes = |from: &[(u32, f32)], to: &[(u32, f32)]| {
        let known: HashMap<u32, f32> = to.iter().copied().collect();
        // What is not among the likeliest is at most as likely as the last of them.
        let least = to.last().map_or(f32::NEG_INFINITY, |last| last.1);
        let change = |(token, logprob): &(u32, f32)| match known.get(token) {
            Some(other) => (logprob - other).abs(),
            None => (logprob - least).max(0.0),
        };
        from.iter().map(change).fold(0.0, f32::max)
    };
    changes(a, b).max(changes(b, a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_is_the_largest_change_of_either_answers_likeliest() {
        let base = [(1, -0.5), (2, -1.0), (3, -3.0)];
        assert_eq!(effect(&base, &base), 0.0);
        assert_eq!(effect(&base, &[(2, -0.75), (1, -1.0), (3, -3.25)]), 0.5);
        // Token 3 gave way to 4: from -3 to no more than -2, which is no certain change; 4 came from at most -3.
        assert_eq!(effect(&base, &[(1, -0.5), (2, -1.0), (4, -2.0)]), 1.0);
        assert_eq!(effect(&[(1, -0.5), (2, -1.0), (4, -2.0)], &base), 1.0, "either way");
    }
}
