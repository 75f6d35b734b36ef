//! A request on the engine's thread: its answers in progress, what was sent of them, and what it cost so far.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use crate::{
    error::EngineError,
    grammar::Grammar,
    kv_pool::{BlockTable, Owner},
    logits::{NextLogits, Wanted},
    queue::QueuePlace,
    request::{AdapterFiles, Event, FinishReason, Progress, RankedToken, Sampling, TokenLogprob, Usage},
    sampler::{Chosen, Draw, NoToken, sample, wanted},
    stop::StopMatcher,
    tokenizer::{Detokenizer, TextCodec},
};

/// Events that a reader may leave unread before its request pauses.
pub(crate) const EVENT_BUFFER: usize = 128;

/// What a request is made of when it enters the queue: checked, encoded, with its way back.
pub(crate) struct Submission {
    /// The prompt's tokens; at least one, and fewer than the context holds.
    pub(crate) prompt: Vec<u32>,
    pub(crate) adapter: Option<AdapterFiles>,
    pub(crate) owner: Owner,
    pub(crate) sampling: Sampling,
    /// What every answer must be, at its beginning; `None` is any text.
    pub(crate) grammar: Option<Grammar>,
    /// The sampling seed: the request's own, or a fresh one.
    pub(crate) seed: u64,
    pub(crate) events: mpsc::Sender<Result<Event, EngineError>>,
    /// What it cost so far, for whoever has to know when it is cut off.
    pub(crate) progress: Arc<Progress>,
    /// Its place in the waiting queue, given back when the first row is scheduled.
    pub(crate) place: Option<QueuePlace>,
    /// The tenant's share beside other tenants.
    pub(crate) weight: NonZeroU32,
    pub(crate) deadline: Option<Instant>,
    /// Whether its adapter is on trial: then its tenant pays for the load too, and a fault is told as what it is.
    pub(crate) trial: bool,
}

/// A request in progress.
pub(crate) struct Active<A> {
    pub(crate) submission: Submission,
    pub(crate) choices: Vec<Choice<A>>,
    cached_tokens: usize,
}

/// One of a request's answers: a sequence of tokens, of which some have keys and values.
pub(crate) struct Choice<A> {
    /// Prompt and output.
    pub(crate) tokens: Vec<u32>,
    /// Tokens whose keys and values are in the blocks.
    pub(crate) computed: usize,
    /// While it runs: its blocks, and its adapter, pinned.
    pub(crate) running: Option<Running<A>>,
    pub(crate) finished: bool,
    /// Where the answer is in what it must be. Follows the generated tokens, so that recomputing them leaves it alone.
    grammar: Option<Grammar>,
    detokenizer: Detokenizer,
    stops: StopMatcher,
    logprobs: Vec<TokenLogprob>,
    last_token: Option<Instant>,
}

pub(crate) struct Running<A> {
    pub(crate) blocks: BlockTable,
    pub(crate) adapter: Option<Arc<A>>,
}

/// What the model's own limits say about the end of an answer.
pub(crate) struct Ends<'a> {
    pub(crate) codec: &'a TextCodec,
    pub(crate) eos: &'a [u32],
    pub(crate) context_length: usize,
}

impl<A> Choice<A> {
    /// Rows until the next token can be chosen.
    pub(crate) fn pending(&self) -> usize {
        self.tokens.len() - self.computed
    }
}

impl<A> Active<A> {
    pub(crate) fn new(submission: Submission) -> Self {
        let choice = |_| Choice {
            tokens: submission.prompt.clone(),
            computed: 0,
            running: None,
            finished: false,
            grammar: submission.grammar.clone(),
            detokenizer: Detokenizer::default(),
            stops: StopMatcher::new(&submission.sampling.stop),
            logprobs: Vec::new(),
            last_token: None,
        };
        let choices = (0..submission.sampling.n.max(1)).map(choice).collect();
        Self { submission, choices, cached_tokens: 0 }
    }

    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.submission.events.is_closed()
    }

    pub(crate) fn is_late(&self, now: Instant) -> bool {
        self.submission.deadline.is_some_and(|deadline| deadline <= now)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.choices.iter().all(|choice| choice.finished)
    }

    /// Whether the reader has room for whatever one step can bring: text and an end for each choice, and the sum.
    pub(crate) fn has_room(&self) -> bool {
        self.submission.events.capacity() > 2 * self.choices.len()
    }

    /// Whether a choice may begin: the others find the first one's prompt in the cache.
    pub(crate) fn may_begin(&self, choice: usize) -> bool {
        choice == 0 || self.choices[0].tokens.len() > self.submission.prompt.len() || self.choices[0].finished
    }

    /// Notes that a choice runs from now on, and how many of its tokens came from the cache. Returns the tokens of the
    /// prompt and those of them that were reused, once for each request.
    pub(crate) fn begun(&mut self, choice: usize, cached: usize) -> Option<(usize, usize)> {
        let progress = &self.submission.progress;
        if progress.has_begun() {
            return None;
        }
        progress.adapter_is_ready();
        self.submission.place = None;
        let prompt = self.submission.prompt.len();
        if choice == 0 {
            self.cached_tokens = cached.min(prompt);
        }
        progress.begun(prompt, self.cached_tokens);
        Some((prompt, self.cached_tokens))
    }

    /// What of the logits that follow a choice's tokens [`Active::advance`] needs.
    pub(crate) fn wanted(&self, choice: usize) -> Wanted {
        wanted(&self.submission.sampling, self.choices[choice].grammar.is_some())
    }

    /// Takes the logits that follow a choice's tokens: chooses, and sends what became certain. Returns the time since the
    /// choice's token before.
    ///
    /// # Errors
    /// [`EngineError::NotFinite`]: the logits are no numbers. [`EngineError::Fault`]: the token has no text.
    /// [`EngineError::Invalid`]: the answer's format became too complex to follow.
    pub(crate) fn advance(
        &mut self,
        choice: usize,
        logits: NextLogits<'_>,
        ends: &Ends<'_>,
    ) -> Result<Option<Duration>, EngineError> {
        let prompt_len = self.submission.prompt.len();
        let sampling = &self.submission.sampling;
        let own = &mut self.choices[choice];
        let draw = Draw { seed: self.submission.seed, choice: choice as u32, position: own.tokens.len() };
        let allowed = own.grammar.as_mut().map(Grammar::allowed).transpose()?;
        let history = own.tokens.split_at(prompt_len);
        let chosen = sample(logits, allowed.as_ref(), sampling, history, draw);
        let fault = |problem: &str| EngineError::Fault(problem.to_owned());
        let chosen = chosen.map_err(|why| match why {
            NoToken::NotFinite => EngineError::NotFinite { position: own.tokens.len() },
            NoToken::NothingLeft => fault("the answer's format leaves no token that the model allows"),
            NoToken::TooFew => fault("the runner returned fewer logits than were wanted"),
        })?;
        let now = Instant::now();
        let gap = own.last_token.replace(now).map(|before| now.saturating_duration_since(before));
        own.tokens.push(chosen.token);
        self.submission.progress.generated();
        let generated = own.tokens.len() - prompt_len;
        let most = sampling.max_tokens.map_or(usize::MAX, |most| most as usize);
        let ended = ends.eos.contains(&chosen.token) && !sampling.ignore_eos;
        if !ended {
            own.logprobs.extend(ranked(&chosen, ends.codec));
        }
        let complete = match &mut own.grammar {
            Some(grammar) if !ended => grammar.take(chosen.token)?,
            _ => ended,
        };
        let reason = if complete {
            Some(FinishReason::Stop)
        } else {
            (generated >= most || own.tokens.len() >= ends.context_length).then_some(FinishReason::Length)
        };
        // The text of an end-of-sequence token is not part of the answer.
        let text = if ended { String::new() } else { own.detokenizer.push(ends.codec, chosen.token)? };
        self.emit(choice, &text, reason, ends.codec)?;
        Ok(gap)
    }

    /// Sends new text, as far as no stop string can take it back, and the end.
    fn emit(
        &mut self,
        choice: usize,
        text: &str,
        reason: Option<FinishReason>,
        codec: &TextCodec,
    ) -> Result<(), EngineError> {
        let own = &mut self.choices[choice];
        let (mut certain, mut stopped) = own.stops.push(text);
        if reason.is_some() && !stopped {
            let (more, met) = own.stops.push(&own.detokenizer.finish(codec)?);
            certain += &more;
            stopped = met;
            if !stopped {
                certain += &own.stops.finish();
            }
        }
        let reason = if stopped { Some(FinishReason::Stop) } else { reason };
        if !certain.is_empty() || (reason.is_some() && !own.logprobs.is_empty()) {
            let logprobs = std::mem::take(&mut own.logprobs);
            self.send(Event::Text { choice: choice as u32, text: certain, logprobs });
        }
        if let Some(reason) = reason {
            self.choices[choice].finished = true;
            self.send(Event::Finished { choice: choice as u32, reason });
        }
        if self.is_finished() {
            self.send(Event::Done(self.usage()));
        }
        Ok(())
    }

    /// Ends the request with an error; nobody need be there to read it.
    pub(crate) fn fail(self, error: EngineError) {
        _ = self.submission.events.try_send(Err(error));
    }

    /// [`Active::has_room`] was asked before the step, so the only failure is that the reader is gone.
    fn send(&self, event: Event) {
        _ = self.submission.events.try_send(Ok(event));
    }

    fn usage(&self) -> Usage {
        let prompt = self.submission.prompt.len();
        let generated: usize = self.choices.iter().map(|choice| choice.tokens.len() - prompt).sum();
        Usage {
            prompt_tokens: prompt as u32,
            cached_tokens: self.cached_tokens as u32,
            completion_tokens: generated as u32,
            timing: self.submission.progress.timing(),
        }
    }
}

fn ranked(chosen: &Chosen, codec: &TextCodec) -> Option<TokenLogprob> {
    let rank = |id: u32, logprob: f32| RankedToken { id, bytes: codec.token_bytes(id), logprob };
    let (own, top) = chosen.logprobs.as_ref()?;
    let top = top.iter().map(|&(id, logprob)| rank(id, logprob)).collect();
    Some(TokenLogprob { token: rank(chosen.token, *own), top })
}
