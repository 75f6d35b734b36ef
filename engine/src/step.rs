//! One step, in one sentence: *schedule → run → commit*. Owns the runner, the KV pool, the resident adapters and every
//! request in progress; nothing here is shared with another thread.

mod schedule;

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use self::schedule::{Chunk, Plan};
use crate::{
    active::{Active, Ends, Submission},
    batch::{Batch, BatchSequence, Segment},
    config::EngineConfig,
    error::EngineError,
    kv_pool::KvPool,
    residency::Residency,
    runner::{Logits, Runner},
    stats::Stats,
    tokenizer::TextCodec,
};

/// The engine's state between two steps.
pub(crate) struct Stepper<R: Runner> {
    runner: R,
    pool: KvPool,
    residency: Residency<R::Adapter>,
    /// In order of arrival.
    requests: Vec<Active<R::Adapter>>,
    limits: Limits,
    codec: Arc<TextCodec>,
    steps: u64,
    largest_mix: usize,
}

/// What bounds a step and an answer.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) rows: usize,
    pub(crate) sequences: usize,
    pub(crate) context_length: usize,
    pub(crate) eos: Vec<u32>,
    pub(crate) paranoid: bool,
}

/// What a step could do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It ran a batch.
    Worked,
    /// Requests wait, for an adapter or for their readers.
    Waiting,
    /// There is nothing to do.
    Idle,
}

impl Limits {
    pub(crate) fn new(config: &EngineConfig, context_length: usize, eos: &[u32]) -> Self {
        Self {
            rows: config.max_batch_rows,
            sequences: config.max_batch_sequences.min(config.max_batch_rows),
            context_length,
            eos: eos.to_vec(),
            paranoid: config.paranoid,
        }
    }
}

impl<R: Runner> Stepper<R> {
    pub(crate) fn new(
        runner: R,
        residency: Residency<R::Adapter>,
        limits: Limits,
        codec: Arc<TextCodec>,
    ) -> Self {
        let pool = KvPool::new(runner.kv_blocks(), runner.block_tokens());
        Self { runner, pool, residency, requests: Vec::new(), limits, codec, steps: 0, largest_mix: 0 }
    }

    /// Takes a request in; its adapter's load begins now, if it is not there.
    pub(crate) fn accept(&mut self, submission: Submission) {
        let mut request = Active::new(submission);
        match request.submission.adapter.as_ref().map(|files| self.residency.want(files)) {
            Some(Err(rejection)) => return request.fail(rejection.into()),
            Some(Ok(None)) => {}
            None | Some(Ok(Some(_))) => request.times.was_resident = true,
        }
        self.requests.push(request);
    }

    /// Drops what nobody waits for, then *schedule → run → commit*.
    pub(crate) fn step(&mut self) -> Progress {
        self.residency.begin_step();
        self.retire(|request| request.is_abandoned());
        for (digest, rejection) in self.residency.settle() {
            let waits = |files: &crate::request::AdapterFiles| files.digest == digest;
            let failed = (0..self.requests.len())
                .filter(|&r| self.requests[r].submission.adapter.as_ref().is_some_and(waits))
                .map(|r| (r, EngineError::from(rejection.clone())))
                .collect();
            self.fail(failed);
        }
        let (plan, failed) = self.schedule();
        let progress = match (plan.is_empty(), self.requests.is_empty()) {
            (false, _) => Progress::Worked,
            (true, false) => Progress::Waiting,
            (true, true) => Progress::Idle,
        };
        if progress == Progress::Worked {
            self.run_and_commit(plan, failed);
        } else {
            self.fail(failed);
        }
        if self.limits.paranoid {
            assert_eq!(self.check_integrity(), Ok(()));
        }
        progress
    }

    fn run_and_commit(&mut self, plan: Plan, mut failed: Vec<(usize, EngineError)>) {
        let chunks = self.by_adapter(plan.into_chunks());
        let batch = self.batch(&chunks);
        self.steps += 1;
        self.largest_mix = self.largest_mix.max(batch.segments.len());
        let Self { runner, pool, requests, limits, codec, .. } = self;
        match run_caught(runner, &batch) {
            Ok(logits) => {
                let ends = Ends { codec, eos: &limits.eos, context_length: limits.context_length };
                failed.extend(commit(requests, pool, (&chunks, logits), &ends));
            }
            Err(error) => {
                tracing::error!(%error, "A step failed; its requests end");
                failed.extend(chunks.iter().map(|chunk| (chunk.request, error.clone())));
            }
        }
        self.fail(failed);
        self.retire(Active::is_finished);
    }

    /// Chunks with one adapter side by side, those without first.
    fn by_adapter(&self, mut chunks: Vec<Chunk>) -> Vec<Chunk> {
        chunks.sort_by_key(|chunk| self.adapter(chunk).map_or(0, |adapter| Arc::as_ptr(adapter).addr()));
        chunks
    }

    fn adapter(&self, chunk: &Chunk) -> Option<&Arc<R::Adapter>> {
        self.requests[chunk.request].choices[chunk.choice].running.as_ref()?.adapter.as_ref()
    }

    fn batch(&self, chunks: &[Chunk]) -> Batch<R::Adapter> {
        let mut batch =
            Batch { tokens: Vec::new(), positions: Vec::new(), sequences: Vec::new(), segments: Vec::new() };
        for chunk in chunks {
            let choice = &self.requests[chunk.request].choices[chunk.choice];
            let Some(running) = &choice.running else { continue };
            let start = batch.tokens.len();
            let positions = choice.computed..choice.computed + chunk.rows;
            batch.tokens.extend(&choice.tokens[positions.clone()]);
            batch.positions.extend(positions.map(|position| position as u32));
            let rows = start..batch.tokens.len();
            extend_segments(&mut batch.segments, rows.clone(), running.adapter.as_ref());
            let blocks = running.blocks.blocks().to_vec();
            batch.sequences.push(BatchSequence {
                rows,
                blocks,
                wants_logits: choice.pending() == chunk.rows,
            });
        }
        batch
    }

    /// Ends requests with errors; several for one request count once.
    fn fail(&mut self, mut failed: Vec<(usize, EngineError)>) {
        failed.sort_by_key(|(request, _)| std::cmp::Reverse(*request));
        failed.dedup_by_key(|(request, _)| *request);
        for (request, error) in failed {
            let request = self.requests.remove(request);
            self.free(request).fail(error);
        }
    }

    fn retire(&mut self, ended: impl Fn(&Active<R::Adapter>) -> bool) {
        let gone: Vec<_> = self.requests.extract_if(.., |request| ended(request)).collect();
        for request in gone {
            self.free(request);
        }
    }

    /// Puts down everything that a request holds.
    fn free(&mut self, mut request: Active<R::Adapter>) -> Active<R::Adapter> {
        for choice in &mut request.choices {
            if let Some(running) = choice.running.take() {
                self.pool.release(running.blocks);
            }
        }
        request
    }

    /// Ends everything that is in progress.
    pub(crate) fn stop(mut self) {
        let all = (0..self.requests.len()).map(|request| (request, EngineError::ShuttingDown)).collect();
        self.fail(all);
    }

    /// What the engine is doing, in numbers.
    pub(crate) fn stats(&self) -> Stats {
        let choices = || self.requests.iter().flat_map(|request| &request.choices);
        let running = choices().filter(|choice| choice.running.is_some()).count();
        let unfinished = choices().filter(|choice| !choice.finished).count();
        let (adapters, adapter_bytes) = self.residency.taken();
        Stats {
            steps: self.steps,
            running,
            waiting: unfinished - running,
            largest_mix: self.largest_mix,
            kv_blocks: self.pool.total(),
            kv_blocks_free: self.pool.available(),
            adapters,
            adapter_bytes,
        }
    }

    /// Every block is where the requests say it is.
    fn check_integrity(&self) -> Result<(), String> {
        let running = self.requests.iter().flat_map(|r| &r.choices).filter_map(|c| c.running.as_ref());
        self.pool.check_integrity(running.map(|running| running.blocks.blocks().len()).sum())
    }
}

/// A step in which a panic is a fault like any other.
fn run_caught<'a, R: Runner>(
    runner: &'a mut R,
    batch: &Batch<R::Adapter>,
) -> Result<Logits<'a>, EngineError> {
    let work = AssertUnwindSafe((runner, batch));
    let outcome = catch_unwind(move || {
        let AssertUnwindSafe((runner, batch)) = { work };
        runner.run(batch)
    });
    outcome.unwrap_or_else(|_| Err(EngineError::Fault("the runner panicked".to_owned())))
}

/// Notes what was computed, and lets every sequence that has its logits choose its token.
fn commit<A>(
    requests: &mut [Active<A>],
    pool: &mut KvPool,
    (chunks, logits): (&[Chunk], Logits<'_>),
    ends: &Ends<'_>,
) -> Vec<(usize, EngineError)> {
    let mut logits = logits.into_rows();
    let mut failed = Vec::new();
    for chunk in chunks {
        let request = &mut requests[chunk.request];
        let choice = &mut request.choices[chunk.choice];
        choice.computed += chunk.rows;
        if let Some(running) = &mut choice.running {
            pool.register(&mut running.blocks, &choice.tokens[..choice.computed]);
        }
        if choice.pending() > 0 {
            continue;
        }
        let advanced = match logits.next() {
            Some(logits) => request.advance(chunk.choice, logits, ends),
            None => Err(EngineError::Fault("the runner returned too few logits".to_owned())),
        };
        if let Err(error) = advanced {
            tracing::error!(%error, "A sequence failed");
            failed.push((chunk.request, error));
            continue;
        }
        let choice = &mut request.choices[chunk.choice];
        if choice.finished
            && let Some(running) = choice.running.take()
        {
            pool.release(running.blocks);
        }
    }
    failed
}

fn extend_segments<A>(segments: &mut Vec<Segment<A>>, rows: Range<usize>, adapter: Option<&Arc<A>>) {
    match segments.last_mut() {
        Some(last) if last.adapter.as_ref().map(Arc::as_ptr) == adapter.map(Arc::as_ptr) => {
            last.rows.end = rows.end;
        }
        _ => segments.push(Segment { rows, adapter: adapter.cloned() }),
    }
}

#[cfg(test)]
mod tests;
