//! Logits → one token. Pure: the same logits, settings and [`Draw`] give the same token, whatever else is in the batch
//! and however often the sequence was preempted.

use std::cmp::Ordering;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    logits::{NextLogits, TopLogits, Wanted},
    request::Sampling,
};

/// Which random number: a choice's token at a position, under a seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw {
    /// The request's seed.
    pub(crate) seed: u64,
    /// Which of the `n` answers.
    pub(crate) choice: u32,
    /// How many tokens come before, prompt included.
    pub(crate) position: usize,
}

impl Draw {
    /// A number in `[0, 1)`.
    fn number(self) -> f64 {
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        generator.set_stream(u64::from(self.choice) << 32 | self.position as u64);
        generator.random()
    }
}

/// A chosen token, with log probabilities where they were asked for: of itself, and of the likeliest, best first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chosen {
    /// The token.
    pub(crate) token: u32,
    /// `(token, natural logarithm of its probability)` of the unmodified distribution.
    pub(crate) logprobs: Option<(f32, Vec<(u32, f32)>)>,
}

/// Which tokens may be chosen: bit `t % 32` of word `t / 32`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Allowed(pub(crate) Vec<u32>);

impl Allowed {
    fn forbid_others(&self, logits: &mut [f32]) {
        // A word that is missing allows nothing.
        let words = self.0.iter().copied().chain(std::iter::repeat(0));
        for (logits, word) in logits.chunks_mut(32).zip(words) {
            if word == u32::MAX {
                continue;
            }
            for (bit, logit) in logits.iter_mut().enumerate() {
                if word >> bit & 1 == 0 {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
    }
}

/// Why no token was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoToken {
    /// The logits hold NaN or +infinity.
    NotFinite,
    /// They leave nothing to choose from.
    NothingLeft,
    /// They are not those that [`wanted`] asks for.
    TooFew,
}

/// What of a row of logits [`sample`] needs, for an answer that is `constrained` to some tokens or not.
pub(crate) fn wanted(sampling: &Sampling, constrained: bool) -> Wanted {
    let changed = constrained
        || !sampling.logit_bias.is_empty()
        || sampling.repetition_penalty != 1.0
        || sampling.presence_penalty != 0.0
        || sampling.frequency_penalty != 0.0;
    let count = candidates(sampling).map(|kept| kept.max(shown(sampling)));
    count.filter(|count| !changed && *count <= Wanted::MOST_TOP).map_or(Wanted::Row, Wanted::Top)
}

/// How many of the likeliest tokens one is chosen from; `None` = of all.
fn candidates(sampling: &Sampling) -> Option<usize> {
    if sampling.temperature == 0.0 { Some(1) } else { Some(sampling.top_k as usize).filter(|k| *k > 0) }
}

/// How many of the likeliest tokens are told.
fn shown(sampling: &Sampling) -> usize {
    sampling.logprobs.map_or(0, usize::from)
}

/// Chooses a token, and leaves changed logits behind; `prompt` and `output` are what penalties count. Without `allowed`
/// every token may be chosen.
///
/// # Errors
/// None can be chosen.
pub(crate) fn sample(
    logits: NextLogits<'_>,
    allowed: Option<&Allowed>,
    sampling: &Sampling,
    history: (&[u32], &[u32]),
    draw: Draw,
) -> Result<Chosen, NoToken> {
    match (logits, wanted(sampling, allowed.is_some())) {
        (NextLogits::Row(row), _) => sample_row(row, allowed, sampling, history, draw),
        (NextLogits::Top(top), Wanted::Top(_)) => sample_top(top, sampling, draw),
        (NextLogits::Top(_), _) => Err(NoToken::TooFew),
    }
}

fn sample_top(top: TopLogits<'_>, sampling: &Sampling, draw: Draw) -> Result<Chosen, NoToken> {
    if !top.finite {
        return Err(NoToken::NotFinite);
    }
    let ranked = top.tokens.iter().copied().zip(top.logits.iter().copied());
    let kept = ranked.clone().filter(is_possible).take(candidates(sampling).unwrap_or(0)).collect();
    let (token, logit) = draw_one(Ranked::of(kept), sampling, draw).ok_or(NoToken::NothingLeft)?;
    let logprob = |(token, logit): (u32, f32)| (token, logit - top.log_sum_exp);
    let logprobs = sampling
        .logprobs
        .map(|_| (logprob((token, logit)).1, ranked.take(shown(sampling)).map(logprob).collect()));
    Ok(Chosen { token, logprobs })
}

fn sample_row(
    logits: &mut [f32],
    allowed: Option<&Allowed>,
    sampling: &Sampling,
    (prompt, output): (&[u32], &[u32]),
    draw: Draw,
) -> Result<Chosen, NoToken> {
    // All are looked at, so that the compiler looks at several at a time. NaN is less than no number.
    if !logits.iter().fold(true, |finite, logit| finite & (*logit < f32::INFINITY)) {
        return Err(NoToken::NotFinite);
    }
    let unmodified = sampling.logprobs.map(|_| log_softmax(logits));
    penalise(logits, sampling, prompt, output);
    for &(token, bias) in &sampling.logit_bias {
        if let Some(logit) = logits.get_mut(token as usize) {
            *logit += bias;
        }
    }
    if let Some(allowed) = allowed {
        allowed.forbid_others(logits);
    }
    let numbered = (0..).zip(logits.iter().copied()).filter(is_possible);
    let kept = match candidates(sampling) {
        Some(1) => likeliest(logits).into_iter().collect(),
        Some(count) => Ranked::of(numbered.collect()).first(count).to_vec(),
        None => numbered.collect(),
    };
    let (token, _) = draw_one(Ranked::of(kept), sampling, draw).ok_or(NoToken::NothingLeft)?;
    let told = |all: Vec<f32>| {
        let own = all[token as usize];
        (own, Ranked::of((0..).zip(all).collect()).first(shown(sampling)).to_vec())
    };
    Ok(Chosen { token, logprobs: unmodified.map(told) })
}

fn penalise(logits: &mut [f32], sampling: &Sampling, prompt: &[u32], output: &[u32]) {
    if sampling.repetition_penalty != 1.0 {
        let mut seen: Vec<u32> = prompt.iter().chain(output).copied().collect();
        seen.sort_unstable();
        seen.dedup();
        for token in seen {
            let logit = &mut logits[token as usize];
            let penalty = sampling.repetition_penalty;
            *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
        }
    }
    if sampling.presence_penalty != 0.0 || sampling.frequency_penalty != 0.0 {
        let mut sorted = output.to_vec();
        sorted.sort_unstable();
        for run in sorted.chunk_by(|a, b| a == b) {
            logits[run[0] as usize] -=
                sampling.presence_penalty + sampling.frequency_penalty * run.len() as f32;
        }
    }
}

/// Whether a token has any probability.
fn is_possible((_, logit): &(u32, f32)) -> bool {
    *logit > f32::NEG_INFINITY
}

/// The likeliest token; of equal ones the first.
fn likeliest(logits: &[f32]) -> Option<(u32, f32)> {
    let (chunks, rest) = logits.as_chunks::<16>();
    // As above.
    let mut lanes = [f32::NEG_INFINITY; 16];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, logit)| *lane = lane.max(*logit));
    }
    let most = lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
    let token = logits.iter().position(|logit| *logit == most)?;
    Some((token as u32, most)).filter(is_possible)
}

/// Tokens and their logits, the likeliest first as far as somebody looked: a vocabulary is long, and hardly ever is more
/// than its beginning of interest.
struct Ranked {
    tokens: Vec<(u32, f32)>,
    sorted: usize,
}

impl Ranked {
    /// How many are sorted at least.
    const BEGINNING: usize = 64;

    fn of(tokens: Vec<(u32, f32)>) -> Self {
        Self { tokens, sorted: 0 }
    }

    /// So many of the likeliest, or all.
    fn first(&mut self, count: usize) -> &[(u32, f32)] {
        let count = count.min(self.tokens.len());
        if count > self.sorted {
            let end = count.max(16 * self.sorted).max(Self::BEGINNING).min(self.tokens.len());
            let (rest, more) = (&mut self.tokens[self.sorted..], end - self.sorted);
            if more < rest.len() {
                rest.select_nth_unstable_by(more, descending);
            }
            rest[..more].sort_unstable_by(descending);
            self.sorted = end;
        }
        &self.tokens[..count]
    }

    fn get(&mut self, rank: usize) -> Option<(u32, f32)> {
        self.first(rank + 1).get(rank).copied()
    }
}

/// One draw: temperature, then top-p and min-p, each on what the one before left. `None` = there is nothing to draw.
fn draw_one(mut ranked: Ranked, sampling: &Sampling, draw: Draw) -> Option<(u32, f32)> {
    let best = ranked.get(0)?;
    if ranked.tokens.len() == 1 {
        return Some(best);
    }
    let weigh = |(_, logit): (u32, f32)| f64::from(((logit - best.1) / sampling.temperature).exp());
    let all: f64 = ranked.tokens.iter().copied().map(weigh).sum();
    let (nucleus, likely) = (f64::from(sampling.top_p) * all, f64::from(sampling.min_p));
    let (mut kept, mut weight) = (ranked.tokens.len(), all);
    if sampling.top_p < 1.0 || sampling.min_p > 0.0 {
        (kept, weight) = (1, 1.0);
        while let Some(next) = ranked.get(kept).map(weigh).filter(|next| weight < nucleus && *next >= likely)
        {
            (kept, weight) = (kept + 1, weight + next);
        }
    }
    let (mut left, mut drawn) = (draw.number() * weight, Some(best));
    for rank in 0..kept {
        drawn = ranked.get(rank);
        left -= drawn.map_or(0.0, weigh);
        if left < 0.0 {
            break;
        }
    }
    drawn
}

/// By logit, the highest first; of equal ones the lower token id first.
fn descending(a: &(u32, f32), b: &(u32, f32)) -> Ordering {
    // Makes minus zero zero.
    (b.1 + 0.0).total_cmp(&(a.1 + 0.0)).then(a.0.cmp(&b.0))
}

fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - top).exp()).sum();
    let log_sum = sum.ln() as f32;
    logits.iter().map(|logit| logit - top - log_sum).collect()
}

#[cfg(test)]
mod tests;
