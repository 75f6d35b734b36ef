//! Logits → one token. Pure: the same logits, settings and [`Draw`] give the same token, whatever else is in the batch
//! and however often the sequence was preempted.

use std::cmp::Ordering;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::request::Sampling;

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

/// Chooses a token, and leaves changed logits behind; `prompt` and `output` are what penalties count. Without `allowed`
/// every token may be chosen. `None` when the logits hold NaN or +infinity, or leave nothing to choose.
pub(crate) fn sample(
    logits: &mut [f32],
    allowed: Option<&Allowed>,
    sampling: &Sampling,
    (prompt, output): (&[u32], &[u32]),
    draw: Draw,
) -> Option<Chosen> {
    if logits.iter().any(|logit| logit.is_nan() || *logit == f32::INFINITY) {
        return None;
    }
    let unmodified = sampling.logprobs.map(|count| (log_softmax(logits), usize::from(count)));
    penalise(logits, sampling, prompt, output);
    for &(token, bias) in &sampling.logit_bias {
        if let Some(logit) = logits.get_mut(token as usize) {
            *logit += bias;
        }
    }
    if let Some(allowed) = allowed {
        allowed.forbid_others(logits);
    }
    let token = if sampling.temperature == 0.0 { greedy(logits) } else { draw_one(logits, sampling, draw) };
    if logits.get(token as usize).is_none_or(|logit| *logit == f32::NEG_INFINITY) {
        return None;
    }
    let logprobs = unmodified.map(|(all, count)| (all[token as usize], likeliest(&all, count)));
    Some(Chosen { token, logprobs })
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

/// The likeliest token; of equal ones the first.
fn greedy(logits: &[f32]) -> u32 {
    let better = |best: usize, index: usize| if logits[index] > logits[best] { index } else { best };
    (0..logits.len()).reduce(better).unwrap_or_default() as u32
}

/// Temperature, then top-k, top-p and min-p, each on what the one before left; then one draw.
fn draw_one(logits: &[f32], sampling: &Sampling, draw: Draw) -> u32 {
    let possible = |(_, logit): &(u32, f32)| *logit > f32::NEG_INFINITY;
    let mut candidates: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).filter(possible).collect();
    if candidates.is_empty() {
        return 0;
    }
    let keep = match sampling.top_k as usize {
        0 => candidates.len(),
        k => k.min(candidates.len()),
    };
    if keep < candidates.len() {
        candidates.select_nth_unstable_by(keep, descending);
        candidates.truncate(keep);
    }
    candidates.sort_unstable_by(descending);
    let top = candidates.first().map_or(0.0, |best| best.1);
    let weigh = |logit: f32| f64::from((logit - top) / sampling.temperature).exp();
    let mut weights: Vec<f64> = candidates.iter().map(|(_, logit)| weigh(*logit)).collect();
    let total: f64 = weights.iter().sum();
    let mut before = 0.0;
    let nucleus = weights.iter().take_while(|weight| {
        let inside = before < f64::from(sampling.top_p) * total;
        before += **weight;
        inside
    });
    let likely = weights.iter().take_while(|weight| **weight >= f64::from(sampling.min_p) * weights[0]);
    let kept = nucleus.count().min(likely.count()).max(1);
    weights.truncate(kept);
    let mut left = draw.number() * weights.iter().sum::<f64>();
    let drawn = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    candidates[drawn.unwrap_or(kept - 1)].0
}

/// By logit, the highest first; of equal ones the lower token id first.
fn descending(a: &(u32, f32), b: &(u32, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - top).exp()).sum();
    let log_sum = sum.ln() as f32;
    logits.iter().map(|logit| logit - top - log_sum).collect()
}

fn likeliest(logprobs: &[f32], count: usize) -> Vec<(u32, f32)> {
    let mut all: Vec<(u32, f32)> = (0..).zip(logprobs.iter().copied()).collect();
    let count = count.min(all.len());
    if count == 0 {
        return Vec::new();
    }
    all.select_nth_unstable_by(count - 1, descending);
    all.truncate(count);
    all.sort_unstable_by(descending);
    all
}

#[cfg(test)]
mod tests;
