//! Which rows run next. Decoding sequences first, one row each, so that a long prompt never holds them up; then prompts
//! in chunks, in order of arrival, as far as the step's rows, the sequences and the blocks reach. When blocks run out,
//! the youngest gives way and is computed again later.

use super::Stepper;
use crate::{active::Running, error::EngineError, runner::Runner};

/// Rows of one choice in the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Index of the request.
    pub(super) request: usize,
    /// Index of its answer.
    pub(super) choice: usize,
    /// How many of its pending rows.
    pub(super) rows: usize,
}

/// The next step in the making.
#[derive(Debug)]
pub(super) struct Plan {
    chunks: Vec<Chunk>,
    rows_left: usize,
    short_of_blocks: bool,
}

impl Plan {
    fn new(rows: usize) -> Self {
        Self { chunks: Vec::new(), rows_left: rows, short_of_blocks: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(super) fn into_chunks(self) -> Vec<Chunk> {
        self.chunks
    }

    fn add(&mut self, (request, choice): Place, rows: usize) {
        self.rows_left -= rows;
        self.chunks.push(Chunk { request, choice, rows });
    }
}

/// A request and one of its choices, by index: arrival order is the order of these pairs.
type Place = (usize, usize);
type Failed = Vec<(usize, EngineError)>;

impl<R: Runner> Stepper<R> {
    /// The next step's rows, and the requests whose adapters turned out unusable.
    pub(super) fn schedule(&mut self) -> (Plan, Failed) {
        loop {
            let mut plan = Plan::new(self.limits.rows);
            self.plan_decodes(&mut plan);
            let failed = self.plan_prefills(&mut plan);
            if !plan.is_empty() || !failed.is_empty() || !plan.short_of_blocks || !self.preempt_youngest() {
                return (plan, failed);
            }
        }
    }

    /// One row for every running sequence that has one token to go on from.
    fn plan_decodes(&mut self, plan: &mut Plan) {
        for place in self.places() {
            if plan.rows_left == 0 {
                return;
            }
            if self.is_ready(place) && self.choice(place).pending() == 1 {
                let mut holds = self.extend(place, 1);
                while !holds && self.preempt_younger_than(place) {
                    holds = self.extend(place, 1);
                }
                if holds {
                    plan.add(place, 1);
                } else {
                    plan.short_of_blocks = true;
                }
            }
        }
    }

    /// Chunks of prompts: of those that run, and of those that can begin.
    fn plan_prefills(&mut self, plan: &mut Plan) -> Failed {
        let mut failed = Vec::new();
        for place in self.places() {
            if self.choice(place).running.is_none() {
                match self.begin(place, plan) {
                    Ok(()) => {}
                    Err(error) => failed.push((place.0, error)),
                }
            }
            let rows = self.choice(place).pending().min(plan.rows_left);
            if rows == 0
                || !self.is_ready(place)
                || plan.chunks.iter().any(|c| (c.request, c.choice) == place)
            {
                continue;
            }
            if self.extend(place, rows) {
                plan.add(place, rows);
            } else {
                plan.short_of_blocks = true;
            }
        }
        failed
    }

    /// Gives a waiting choice its adapter and its first blocks, if they are to be had. Its adapter is wanted even while
    /// there is no room for it: its load begins, and it is not evicted for one that came later.
    fn begin(&mut self, place: Place, plan: &mut Plan) -> Result<(), EngineError> {
        let request = &self.requests[place.0];
        if request.choices[place.1].finished || !request.may_begin(place.1) || !request.has_room() {
            return Ok(());
        }
        let adapter =
            match request.submission.adapter.as_ref().map(|files| self.residency.want(files)).transpose()? {
                Some(None) => return Ok(()),
                Some(resident) => resident,
                None => None,
            };
        // Nobody overtakes a request that waits for blocks.
        if plan.short_of_blocks || plan.rows_left == 0 || self.running() >= self.limits.sequences {
            return Ok(());
        }
        let choice = &request.choices[place.1];
        let (blocks, cached) = self.pool.begin(request.submission.owner, &choice.tokens);
        let missing = self.pool.blocks_for(choice.tokens.len()) - blocks.blocks().len();
        if missing > self.pool.available() {
            self.pool.release(blocks);
            plan.short_of_blocks = true;
            return Ok(());
        }
        let request = &mut self.requests[place.0];
        let choice = &mut request.choices[place.1];
        choice.computed = cached;
        choice.running = Some(Running { blocks, adapter });
        request.begun(place.1, cached);
        Ok(())
    }

    fn places(&self) -> Vec<Place> {
        let choices = |(request, active): (usize, &crate::active::Active<R::Adapter>)| {
            (0..active.choices.len()).map(move |choice| (request, choice))
        };
        self.requests.iter().enumerate().flat_map(choices).collect()
    }

    fn choice(&self, (request, choice): Place) -> &crate::active::Choice<R::Adapter> {
        &self.requests[request].choices[choice]
    }

    fn running(&self) -> usize {
        self.requests.iter().flat_map(|r| &r.choices).filter(|choice| choice.running.is_some()).count()
    }

    /// Whether it runs and its reader has room for what comes.
    fn is_ready(&self, place: Place) -> bool {
        let choice = self.choice(place);
        choice.running.is_some() && !choice.finished && self.requests[place.0].has_room()
    }

    fn extend(&mut self, (request, choice): Place, rows: usize) -> bool {
        let choice = &mut self.requests[request].choices[choice];
        let tokens = choice.computed + rows;
        choice.running.as_mut().is_some_and(|running| self.pool.extend(&mut running.blocks, tokens))
    }

    /// Takes the blocks of the youngest running choice that is younger than this one.
    fn preempt_younger_than(&mut self, place: Place) -> bool {
        let younger = self.places().into_iter().rfind(|&p| p > place && self.choice(p).running.is_some());
        younger.is_some_and(|victim| self.preempt(victim))
    }

    /// Takes the blocks of the youngest running choice, of one whose reader sleeps before any other.
    fn preempt_youngest(&mut self) -> bool {
        let running: Vec<Place> =
            self.places().into_iter().filter(|&p| self.choice(p).running.is_some()).collect();
        let asleep = running.iter().rfind(|(request, _)| !self.requests[*request].has_room());
        asleep.or(running.last()).copied().is_some_and(|victim| self.preempt(victim))
    }

    /// Puts a choice back to waiting: what it had computed is computed again, or found in the cache.
    fn preempt(&mut self, (request, choice): Place) -> bool {
        let choice = &mut self.requests[request].choices[choice];
        choice.computed = 0;
        let running = choice.running.take();
        running.is_some_and(|running| {
            self.pool.release(running.blocks);
            true
        })
    }
}
