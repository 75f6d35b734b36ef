//! Closed-loop load: a number of streams, each of which sends its next request when its last has ended; and what came of it.

use std::time::Instant;

use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::{
    client::{Answer, Job},
    stats::percentile,
};

/// Failures whose words are kept.
const KEPT_ERRORS: usize = 3;

/// Everything that a run brought.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) answers: Vec<Answer>,
    pub(crate) errors: Vec<String>,
    /// From the first request sent to the last answer's end.
    pub(crate) seconds: f64,
}

/// Runs the jobs in order on this many streams; `ended` is told of each end, `on_token` of each token.
pub(crate) async fn closed_loop(
    jobs: impl IntoIterator<Item = Job>,
    streams: usize,
    ended: &dyn Fn(&anyhow::Result<Answer>),
    on_token: &dyn Fn(Instant),
) -> Run {
    let started = Instant::now();
    let results = stream::iter(jobs)
        .map(|job| async move {
            let result = job.run(on_token).await;
            ended(&result);
            result
        })
        .buffer_unordered(streams)
        .collect::<Vec<_>>()
        .await;
    let mut run = Run { seconds: started.elapsed().as_secs_f64(), ..Run::default() };
    for result in results {
        match result {
            Ok(answer) => run.answers.push(answer),
            Err(error) => run.errors.push(format!("{error:#}")),
        }
    }
    run
}

/// A run in numbers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measured {
    pub(crate) requests: usize,
    pub(crate) failed: usize,
    pub(crate) first_errors: Vec<String>,
    pub(crate) prompt_tokens: u64,
    /// Prompt tokens that were not computed; 0 unless a prompt came twice.
    pub(crate) cached_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) seconds: f64,
    pub(crate) output_tokens_per_s: f64,
    /// From the request to its first text.
    pub(crate) ttft_ms: Spread,
    /// Between one token and the next of the same answer.
    pub(crate) inter_token_ms: Spread,
    /// The longest that a stream waited for a token, its first or a later one.
    pub(crate) longest_silence_ms: f64,
}

/// How values are spread.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Self {
        Self { p50: percentile(values, 0.5), p99: percentile(values, 0.99), max: percentile(values, 1.0) }
    }
}

impl Run {
    pub(crate) fn measured(&self) -> Measured {
        let sum = |count: fn(&Answer) -> u64| self.answers.iter().map(count).sum::<u64>();
        let output_tokens = sum(|answer| answer.output_tokens);
        let ttft_ms = Spread::of(&self.ttft_ms());
        let gaps: Vec<f64> = self.answers.iter().flat_map(gaps_ms).collect();
        let inter_token_ms = Spread::of(&gaps);
        Measured {
            requests: self.answers.len() + self.errors.len(),
            failed: self.errors.len(),
            first_errors: self.errors.iter().take(KEPT_ERRORS).cloned().collect(),
            prompt_tokens: sum(|answer| answer.prompt_tokens),
            cached_tokens: sum(|answer| answer.cached_tokens),
            output_tokens,
            seconds: self.seconds,
            output_tokens_per_s: output_tokens as f64 / self.seconds,
            longest_silence_ms: ttft_ms.max.max(inter_token_ms.max),
            ttft_ms,
            inter_token_ms,
        }
    }

    pub(crate) fn ttft_ms(&self) -> Vec<f64> {
        self.answers.iter().filter_map(first_ms).collect()
    }
}

fn first_ms(answer: &Answer) -> Option<f64> {
    answer.tokens.first().map(|first| ms(answer.sent, *first))
}

fn gaps_ms(answer: &Answer) -> impl Iterator<Item = f64> {
    answer.tokens.windows(2).map(|pair| ms(pair[0], pair[1]))
}

fn ms(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn silence_is_the_wait_for_any_token() {
        let sent = Instant::now();
        let after = |milliseconds| sent + Duration::from_millis(milliseconds);
        let answer = |moments: &[u64]| Answer {
            sent,
            tokens: moments.iter().map(|moment| after(*moment)).collect(),
            prompt_tokens: 5,
            cached_tokens: 0,
            output_tokens: moments.len() as u64,
        };
        let run = Run {
            answers: vec![answer(&[100, 110, 120]), answer(&[50, 250, 260])],
            errors: vec!["broken".to_owned()],
            seconds: 2.0,
        };
        let measured = run.measured();
        assert_eq!((measured.requests, measured.failed, measured.output_tokens), (3, 1, 6));
        assert_eq!(measured.output_tokens_per_s, 3.0);
        assert_eq!((measured.ttft_ms.p50, measured.ttft_ms.max), (100.0, 100.0));
        assert_eq!((measured.inter_token_ms.p50, measured.longest_silence_ms), (10.0, 200.0));
    }
}
