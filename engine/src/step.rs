//! One step, in one sentence: *schedule → run → commit*. Owns the runner, the KV pool, the resident adapters and every
//! request in progress; nothing here is shared with another thread.

mod intake;
mod numbers;
mod schedule;
mod turns;

mod budget;
mod fair;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use self::{
    budget::Budget,
    fair::Fair,
    intake::Intake,
    schedule::{Chunk, Plan},
};
use crate::{
    active::{Active, Choice, Ends, Submission},
    batch::{Batch, BatchSequence, Segment},
    config::EngineConfig,
    error::{AdapterRejection, EngineError},
    kv_pool::KvPool,
    logits::{NextLogits, Wanted},
    lora::codes,
    observer::{Observer, Step},
    residency::{Digest, Residency, Waiter},
    runner::{BaseFacts, ResidentAdapter, Runner},
    stats::{Resident, TokenStats},
    tokenizer::TextCodec,
};

/// The engine's state between two steps.
pub(crate) struct Stepper<R: Runner> {
    runner: R,
    pool: KvPool,
    residency: Residency<R::Adapter>,
    /// By number, which is their order of arrival.
    requests: BTreeMap<u64, Active<R::Adapter>>,
    arrivals: u64,
    fair: Fair,
    budget: Budget,
    limits: Limits,
    codec: Arc<TextCodec>,
    steps: u64,
    largest_mix: usize,
    preemptions: u64,
    late: u64,
    tokens: TokenStats,
    observer: Arc<dyn Observer>,
}

/// One answer of one request. Their order is that of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    request: u64,
    choice: usize,
}

/// Requests that cannot go on, and why.
type Failed = Vec<(u64, EngineError)>;

/// What bounds a step and an answer.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) rows: usize,
    pub(crate) sequences: usize,
    pub(crate) context_length: usize,
    pub(crate) eos: Vec<u32>,
    /// How long a step with decoding sequences should take.
    pub(crate) target: Duration,
    /// What a key and value that a row reads costs, in rows.
    pub(crate) context_weight: f64,
    /// Bytes of the base model, were it stored in f32 as adapters are computed.
    pub(crate) base_bytes: u64,
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
    pub(crate) fn new(config: &EngineConfig, base: &BaseFacts) -> Self {
        Self {
            rows: config.max_batch_rows,
            sequences: config.max_batch_sequences.min(config.max_batch_rows),
            context_length: base.model.context_length,
            eos: base.model.eos_tokens.clone(),
            target: Duration::from_millis(config.step_target_ms),
            context_weight: Budget::context_weight(&base.model, base.parameters),
            base_bytes: base.parameters * size_of::<f32>() as u64,
            paranoid: config.paranoid,
        }
    }

    /// ρ: what an adapter adds to the cost of a row.
    fn adapter_share(&self, adapter: &impl ResidentAdapter) -> f64 {
        adapter.bytes() as f64 / self.base_bytes.max(1) as f64
    }
}

impl<R: Runner> Stepper<R> {
    pub(crate) fn new(
        runner: R,
        residency: Residency<R::Adapter>,
        limits: Limits,
        codec: Arc<TextCodec>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let pool = KvPool::new(runner.kv_blocks(), runner.block_tokens());
        let budget = Budget::new(limits.target, limits.context_weight);
        Self {
            runner,
            pool,
            residency,
            requests: BTreeMap::new(),
            arrivals: 0,
            fair: Fair::default(),
            budget,
            limits,
            codec,
            steps: 0,
            largest_mix: 0,
            preemptions: 0,
            late: 0,
            tokens: TokenStats::default(),
            observer,
        }
    }

    /// Takes a request in.
    pub(crate) fn accept(&mut self, submission: Submission) {
        let Self { requests, residency, arrivals, .. } = self;
        Intake { requests, residency, arrivals }.accept(submission);
    }

    /// The adapters in memory.
    pub(crate) fn residents(&self) -> Vec<Resident> {
        self.residency.residents()
    }

    /// Puts an adapter that proved faulty back into service.
    pub(crate) fn enable(&mut self, digest: &Digest) {
        self.residency.enable(digest);
    }

    #[cfg(test)]
    pub(crate) fn step(&mut self) -> Progress {
        self.step_with(&mut || None)
    }

    /// Drops what nobody waits for, sees to the adapters, then *schedule → run → commit*. Requests that `inbox` has while
    /// the step runs are taken in at once, so that their adapters' loads begin then.
    pub(crate) fn step_with(&mut self, inbox: &mut dyn FnMut() -> Option<Submission>) -> Progress {
        self.drop_the_unwanted();
        self.see_to_adapters();
        let plan = self.schedule();
        let progress = match (plan.chunks.is_empty(), self.requests.is_empty()) {
            (false, _) => Progress::Worked,
            (true, false) => Progress::Waiting,
            (true, true) => Progress::Idle,
        };
        if progress == Progress::Worked {
            self.run_and_commit(plan, inbox);
        }
        if self.limits.paranoid {
            assert_eq!(self.check_integrity(), Ok(()));
        }
        progress
    }

    /// Ends what nobody reads, and what is not ready by its deadline.
    fn drop_the_unwanted(&mut self) {
        self.retire(Active::is_abandoned);
        let now = Instant::now();
        let late: Failed = self
            .requests
            .iter()
            .filter(|(_, request)| request.is_late(now))
            .map(|(&number, _)| (number, EngineError::DeadlineExceeded))
            .collect();
        self.late += late.len() as u64;
        self.fail(late);
    }

    /// Takes in the adapters that have come, asks for those that are missing, and ends the requests of those that cannot
    /// be had.
    fn see_to_adapters(&mut self) {
        self.residency.begin_step();
        let came = self.residency.settle();
        self.fail_with_adapter(came);
        let mut refused = Failed::new();
        for (&number, request) in &self.requests {
            let Some(digest) = request.submission.adapter.as_ref().map(|files| files.digest) else {
                continue;
            };
            let (tenant, weight) = (request.submission.owner.domain, request.submission.weight);
            match self.residency.want(&digest, Waiter { request: number, tenant, weight }) {
                Ok(true) => request.submission.progress.adapter_is_ready(),
                Ok(false) => {}
                Err(rejection) => refused.push((number, rejection.into())),
            }
        }
        self.fail(refused);
        let requests = &self.requests;
        let impossible =
            self.residency.start_loads(|number| requests.get(&number)?.submission.adapter.as_ref());
        self.fail_with_adapter(impossible);
    }

    /// Ends every request of these adapters.
    fn fail_with_adapter(&mut self, faulty: Vec<(Digest, AdapterRejection)>) {
        for (digest, rejection) in faulty {
            let failed = self
                .requests
                .iter()
                .filter(|(_, request)| request.submission.owner.adapter == Some(digest))
                .map(|(&number, _)| (number, rejection.clone().into()))
                .collect();
            self.fail(failed);
        }
    }

    fn run_and_commit(&mut self, plan: Plan, inbox: &mut dyn FnMut() -> Option<Submission>) {
        let begun = Instant::now();
        let (decode_units, prompt_units) = plan.units;
        let chunks = self.by_adapter(plan.chunks);
        let batch = self.batch(&chunks);
        self.steps += 1;
        self.largest_mix = self.largest_mix.max(batch.segments.len());
        let Self { runner, pool, requests, residency, arrivals, limits, codec, .. } = self;
        let mut faulty = Vec::new();
        let ran = {
            let mut intake = Intake { requests, residency, arrivals };
            run_caught(runner, &batch, &mut || faulty.extend(intake.meanwhile(inbox)))
        };
        match ran {
            Ok(logits) => {
                let ends = Ends { codec, eos: &limits.eos, context_length: limits.context_length };
                let mut gaps = Vec::with_capacity(chunks.len());
                let failed = commit(requests, pool, (&chunks, logits), &ends, &mut gaps);
                let took = begun.elapsed();
                self.budget.observe(prompt_units, decode_units + prompt_units, took);
                self.tokens.generated += gaps.len() as u64;
                let token_gaps: Vec<_> = gaps.into_iter().flatten().collect();
                let (rows, adapters) = (batch.tokens.len(), batch.segments.len());
                self.observer.stepped(&Step { rows, adapters, took, token_gaps: &token_gaps });
                self.end(failed);
            }
            Err(error) => {
                tracing::error!(%error, "A step failed; its requests end");
                self.fail(chunks.iter().map(|chunk| (chunk.place.request, error.clone())).collect());
            }
        }
        self.fail_with_adapter(faulty);
        self.retire(Active::is_finished);
    }

    /// Ends requests that failed by themselves. Logits that are no numbers are the adapter's fault where there is one:
    /// it goes out of service, and what it has computed is forgotten.
    fn end(&mut self, failed: Failed) {
        let digest = |(number, error): &(u64, EngineError)| match error {
            EngineError::NotFinite { .. } => self.requests.get(number)?.submission.owner.adapter,
            _ => None,
        };
        let faulty: BTreeSet<Digest> = failed.iter().filter_map(digest).collect();
        // Whoever tries an adapter is told what it does, and not only that it is out of service now.
        let tries_it = |(number, error): &(u64, EngineError)| {
            let own = self.requests.get(number).map(|request| &request.submission);
            matches!(error, EngineError::NotFinite { .. })
                && own.is_some_and(|own| own.trial && own.adapter.is_some())
        };
        let (tried, failed): (Failed, Failed) = failed.into_iter().partition(tries_it);
        self.fail(tried.into_iter().map(|(number, _)| (number, overflows().into())).collect());
        for digest in faulty {
            let rejection =
                self.residency.disable(digest, "it makes the model's numbers overflow (NaN or infinity)");
            self.fail_with_adapter(vec![(digest, rejection)]);
            self.pool.forget(digest);
        }
        self.fail(failed);
    }

    /// Chunks with one adapter side by side, those without first.
    fn by_adapter(&self, mut chunks: Vec<Chunk>) -> Vec<Chunk> {
        chunks.sort_by_key(|chunk| self.adapter(chunk).map_or(0, |adapter| Arc::as_ptr(adapter).addr()));
        chunks
    }

    fn adapter(&self, chunk: &Chunk) -> Option<&Arc<R::Adapter>> {
        self.at(chunk.place).1.running.as_ref()?.adapter.as_ref()
    }

    fn at(&self, place: Place) -> (&Active<R::Adapter>, &Choice<R::Adapter>) {
        let request = &self.requests[&place.request];
        (request, &request.choices[place.choice])
    }

    fn running(&self) -> usize {
        self.requests.values().flat_map(|r| &r.choices).filter(|choice| choice.running.is_some()).count()
    }

    fn batch(&self, chunks: &[Chunk]) -> Batch<R::Adapter> {
        let mut batch =
            Batch { tokens: Vec::new(), positions: Vec::new(), sequences: Vec::new(), segments: Vec::new() };
        for chunk in chunks {
            let (request, choice) = self.at(chunk.place);
            let Some(running) = &choice.running else { continue };
            let start = batch.tokens.len();
            let positions = choice.computed..choice.computed + chunk.rows;
            batch.tokens.extend(&choice.tokens[positions.clone()]);
            batch.positions.extend(positions.map(|position| position as u32));
            let rows = start..batch.tokens.len();
            extend_segments(&mut batch.segments, rows.clone(), running.adapter.as_ref());
            let wanted = match choice.pending() == chunk.rows {
                true => request.wanted(chunk.place.choice),
                false => Wanted::Nothing,
            };
            batch.sequences.push(BatchSequence { rows, blocks: running.blocks.blocks().to_vec(), wanted });
        }
        batch
    }

    /// Ends requests with errors; the first counts.
    fn fail(&mut self, failed: Failed) {
        for (number, error) in failed {
            if let Some(request) = self.requests.remove(&number) {
                self.free(request).fail(error);
            }
        }
    }

    fn retire(&mut self, ended: impl Fn(&Active<R::Adapter>) -> bool) {
        let gone: Vec<_> = self.requests.extract_if(.., |_, request| ended(request)).collect();
        for (_, request) in gone {
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
        let all = self.requests.keys().map(|number| (*number, EngineError::ShuttingDown)).collect();
        self.fail(all);
    }

    /// Every block is where the requests say it is, places and adapters are within their limits.
    fn check_integrity(&self) -> Result<(), String> {
        let places = self.running();
        if places > self.limits.sequences {
            return Err(format!("{places} places of {} are taken", self.limits.sequences));
        }
        self.residency.check_integrity()?;
        let running = self.requests.values().flat_map(|r| &r.choices).filter_map(|c| c.running.as_ref());
        self.pool.check_integrity(running.map(|running| running.blocks.blocks().len()).sum())
    }
}

pub(crate) fn overflows() -> AdapterRejection {
    let message = "with this adapter the model's numbers overflow (NaN or infinity): its values are finite, and too large \
                   together; was its training stable, and is `lora_alpha` the one that it was trained with?";
    AdapterRejection::whole(codes::NOT_FINITE, message)
}

/// A step in which a panic is a fault like any other.
fn run_caught<'a, R: Runner>(
    runner: &'a mut R,
    batch: &Batch<R::Adapter>,
    between: &mut dyn FnMut(),
) -> Result<Vec<NextLogits<'a>>, EngineError> {
    let work = AssertUnwindSafe((runner, batch, between));
    let outcome = catch_unwind(move || {
        let AssertUnwindSafe((runner, batch, between)) = { work };
        runner.run_with(batch, between)
    });
    outcome.unwrap_or_else(|_| Err(EngineError::Fault("the runner panicked".to_owned())))
}

/// Notes what was computed, and lets every sequence that has its logits choose its token. `gaps` gets, for each token, the
/// time since its answer's token before.
fn commit<A>(
    requests: &mut BTreeMap<u64, Active<A>>,
    pool: &mut KvPool,
    (chunks, logits): (&[Chunk], Vec<NextLogits<'_>>),
    ends: &Ends<'_>,
    gaps: &mut Vec<Option<Duration>>,
) -> Failed {
    let mut logits = logits.into_iter();
    let mut failed = Vec::new();
    for &Chunk { place: Place { request: number, choice: index }, rows } in chunks {
        let Some(request) = requests.get_mut(&number) else { continue };
        let choice = &mut request.choices[index];
        choice.computed += rows;
        if let Some(running) = &mut choice.running {
            pool.register(&mut running.blocks, &choice.tokens[..choice.computed]);
        }
        if choice.pending() > 0 {
            continue;
        }
        let advanced = match logits.next() {
            Some(logits) => request.advance(index, logits, ends),
            None => Err(EngineError::Fault("the runner returned too few logits".to_owned())),
        };
        match advanced {
            Ok(gap) => gaps.push(gap),
            Err(error) => {
                tracing::error!(%error, "A sequence failed");
                failed.push((number, error));
                continue;
            }
        }
        let choice = &mut request.choices[index];
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
