//! Answers to one request whose logits another engine computes. Everything but the numbers is as in the shared engine:
//! which token is chosen, what its text is, where the answer ends, what it cost.

use std::{sync::Arc, time::Instant};

use tokio::sync::mpsc;

use crate::{
    active::{Active, Ends, Submission},
    backend::TokenStream,
    error::EngineError,
    frontend::{Frontend, Prepared},
    grammar::Compilers,
    kv_pool::Owner,
    logits::NextLogits,
    queue::Queue,
    request::{AdapterFiles, CacheDomain, Event, GenerateRequest, Progress, Sampling},
    step::overflows,
};

/// A request with its grammar and a place in the queue, and its reader's end, which may be `room` events behind.
///
/// # Errors
/// What is wrong with its answer's format; [`EngineError::QueueFull`].
pub(crate) async fn enter(
    prepared: Prepared,
    (compilers, queue): (&Compilers, &Queue),
    room: usize,
) -> Result<(Submission, TokenStream), EngineError> {
    let Prepared { tokens: prompt, request, trial, .. } = prepared;
    let GenerateRequest { adapter, domain, mut sampling, weight, deadline, .. } = request;
    let grammar = compilers.compile(std::mem::take(&mut sampling.format)).await?;
    let place = queue.enter(domain)?;
    let progress = Arc::new(Progress::submitted_now());
    let (events, stream) = mpsc::channel(room);
    let submission = Submission {
        prompt,
        owner: Owner { domain, adapter: adapter.as_ref().map(|files| files.digest) },
        adapter,
        seed: sampling.seed.unwrap_or_else(rand::random),
        sampling,
        grammar,
        events,
        progress: Arc::clone(&progress),
        place: Some(place),
        weight,
        deadline,
        trial,
    };
    Ok((submission, TokenStream::new(stream, progress)))
}

/// Begins answers for one base model.
pub struct Answerer {
    frontend: Frontend,
    compilers: Compilers,
}

impl Answerer {
    /// For the base model of a frontend.
    ///
    /// # Errors
    /// [`EngineError::Fault`]: its vocabulary cannot be arranged for structured output.
    pub fn new(frontend: Frontend) -> Result<Self, EngineError> {
        let model = frontend.model();
        let compilers = Compilers::new(frontend.codec(), model.vocab_size, &model.eos_tokens)?;
        Ok(Self { frontend, compilers })
    }

    /// A request that waits for its first logits, with a place in the queue until then. Its reader may be as slow as it
    /// likes: all that can be said finds room, as the engine that computes it cannot let one of its sequences pause.
    ///
    /// # Errors
    /// What is wrong with its answer's format; [`EngineError::QueueFull`].
    pub async fn begin(
        &self,
        prepared: Prepared,
        queue: &Queue,
    ) -> Result<(Answers, TokenStream), EngineError> {
        // A text for each token, an end for each choice, and the sum or an error.
        let room = prepared.most_tokens() as usize + Sampling::MAX_CHOICES as usize + 2;
        let (submission, stream) = enter(prepared, (&self.compilers, queue), room).await?;
        let answers =
            Answers { active: Active::new(submission), frontend: self.frontend.clone(), failed: false };
        Ok((answers, stream))
    }
}

/// A request's answers in progress.
pub struct Answers {
    active: Active<()>,
    frontend: Frontend,
    failed: bool,
}

impl Answers {
    /// The prompt's tokens.
    pub fn prompt(&self) -> &[u32] {
        &self.active.submission.prompt
    }

    /// How many answers to the prompt are wanted.
    pub fn choices(&self) -> usize {
        self.active.choices.len()
    }

    /// The adapter that is asked for.
    pub fn adapter(&self) -> Option<&AdapterFiles> {
        self.active.submission.adapter.as_ref()
    }

    /// Whose request it is.
    pub fn domain(&self) -> CacheDomain {
        self.active.submission.owner.domain
    }

    /// Tokens of each answer at most; `None` = what the context has left.
    pub fn max_tokens(&self) -> Option<u32> {
        self.active.submission.sampling.max_tokens
    }

    /// Whether an answer goes on after an end-of-sequence token.
    pub fn ignores_eos(&self) -> bool {
        self.active.submission.sampling.ignore_eos
    }

    /// When its answer is of no use any more.
    pub fn deadline(&self) -> Option<Instant> {
        self.active.submission.deadline
    }

    /// What it cost so far.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.active.submission.progress)
    }

    /// Comes when nobody reads it any more.
    pub fn left(&self) -> impl Future<Output = ()> + Send + use<> {
        let events = self.active.submission.events.clone();
        async move { events.closed().await }
    }

    /// The logits that follow one choice's tokens so far, `[vocab_size]` or more: the token that is chosen, whose logits are
    /// wanted next. `None` = the choice has ended, or all have: by a failure, or as nobody reads them. Frees its place in the queue.
    ///
    /// # Errors
    /// [`EngineError::NotFinite`]: the base model's logits are no numbers. [`EngineError::Adapter`]: with the adapter they are
    /// none. Otherwise a fault, or a format that became too complex.
    pub fn next(&mut self, choice: usize, logits: &mut [f32]) -> Result<Option<u32>, EngineError> {
        self.active.begun(choice, 0);
        let model = self.frontend.model();
        let vocab_size = model.vocab_size;
        let logits = logits.get_mut(..vocab_size).ok_or_else(|| {
            EngineError::Fault(format!("fewer logits than the vocabulary's {vocab_size} came"))
        })?;
        if self.failed || self.active.is_abandoned() || self.active.choices[choice].finished {
            return Ok(None);
        }
        let ends = Ends {
            codec: self.frontend.codec(),
            eos: &model.eos_tokens,
            context_length: model.context_length,
        };
        let advanced = self.active.advance(choice, NextLogits::Row(logits), &ends);
        advanced.map_err(|error| match error {
            EngineError::NotFinite { .. } if self.adapter().is_some() => overflows().into(),
            other => other,
        })?;
        let choice = &self.active.choices[choice];
        Ok(choice.tokens.last().copied().filter(|_| !choice.finished))
    }

    /// Ends it with an error; nobody need be there to read it.
    pub fn fail(&mut self, error: EngineError) {
        self.failed = true;
        let events: &mpsc::Sender<Result<Event, EngineError>> = &self.active.submission.events;
        _ = events.try_send(Err(error));
    }
}
