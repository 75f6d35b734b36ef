//! Where scenarios work: fresh prompts, runs with a bar, and a count of what failed.

use indicatif::ProgressBar;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{
    client::Job,
    load::{Measured, Run, closed_loop},
    progress, prompts,
    world::{Ground, World},
};

/// Output of a request that only brings something into memory, or is only asked for its first token.
pub(crate) const SHORT_OUTPUT: usize = 2;
/// Streams on which adapters are brought into memory.
const WARMING_STREAMS: usize = 4;

/// What scenarios share.
pub(crate) struct Lab {
    pub(crate) ground: Ground,
    pub(crate) random: ChaCha8Rng,
    /// Requests that failed in all runs so far.
    pub(crate) failures: Vec<String>,
}

impl Lab {
    pub(crate) fn new(ground: Ground) -> Self {
        let random = ChaCha8Rng::seed_from_u64(ground.options.seed);
        Self { ground, random, failures: Vec::new() }
    }

    /// A prompt that was never sent before, so that nothing of it is in any cache.
    pub(crate) fn prompt(&mut self) -> String {
        prompts::prompt(&mut self.random, self.ground.options.prompt_tokens)
    }

    /// A request of the usual size for each of these models.
    pub(crate) fn jobs(&mut self, world: &World, models: &[String]) -> Vec<Job> {
        let output = self.ground.options.output_tokens;
        models.iter().map(|model| world.job(model, self.prompt(), output)).collect()
    }

    /// Runs jobs and moves a bar.
    pub(crate) async fn run(&mut self, jobs: Vec<Job>, streams: usize, bar: &ProgressBar) -> Run {
        let run = closed_loop(jobs, streams, &|_| bar.inc(1), &|_| ()).await;
        self.failures.extend(run.errors.iter().cloned());
        run
    }

    /// A run in numbers, with a line that stays.
    pub(crate) async fn measure(&mut self, label: &str, jobs: Vec<Job>, streams: usize) -> Measured {
        let bar = progress::run(label, jobs.len());
        let measured = self.run(jobs, streams, &bar).await.measured();
        bar.finish_and_clear();
        progress::say(&format!(
            "{label}: {:.1} tokens/s, first token {:.0} ms, then {:.1} ms each, {} failed",
            measured.output_tokens_per_s, measured.ttft_ms.p50, measured.inter_token_ms.p50, measured.failed
        ));
        measured
    }

    /// Brings models into memory; not measured.
    pub(crate) async fn warm(&mut self, world: &World, models: &[String]) {
        let jobs = models.iter().map(|model| world.job(model, self.prompt(), SHORT_OUTPUT)).collect();
        self.unmeasured(jobs, WARMING_STREAMS).await;
    }

    /// A run whose numbers do not count.
    pub(crate) async fn unmeasured(&mut self, jobs: Vec<Job>, streams: usize) {
        let bar = progress::things("Warming up", jobs.len());
        self.run(jobs, streams, &bar).await;
        bar.finish_and_clear();
    }
}
