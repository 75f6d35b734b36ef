//! Which rows run next: one for every decoding sequence, so that no prompt holds one up; then prompts in chunks, as far
//! as the step's time, its rows, the places and the blocks reach. Tenants take turns by their counters (`fair.rs`), each
//! tenant's requests in order of arrival. One whose adapter is not there is passed over until it is. Who is ahead of the
//! others sits out, decodes too, but for rows that cost the others next to nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Place, Stepper, fair::Counter};
use crate::{
    active::{Active, Running},
    request::CacheDomain,
    runner::{ResidentAdapter, Runner},
};

/// A step with fewer rows takes hardly less time, since it reads all weights anyway: who is ahead may fill it up to here, and
/// a prompt has as many in any step.
const CHEAP_ROWS: usize = 8;

/// Rows of one choice in the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) place: Place,
    /// How many of its pending rows.
    pub(super) rows: usize,
}

/// The next step in the making.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) chunks: Vec<Chunk>,
    /// What decodes cost, and what prompts do.
    pub(super) units: (f64, f64),
    rows_left: usize,
    places_left: usize,
    short_of_blocks: bool,
    /// Tenants beyond this are ahead.
    ahead: Counter,
}

/// Where every choice stands before a step.
pub(super) struct Survey {
    /// What holds a place.
    pub(super) running: Vec<Place>,
    /// By tenant, in order of arrival: prompts in progress, and what could begin.
    pub(super) lines: BTreeMap<CacheDomain, VecDeque<Place>>,
    /// Who has rows that could run, or requests that could begin.
    pub(super) working: BTreeSet<CacheDomain>,
}

impl Plan {
    fn new(rows: usize, ahead: Counter) -> Self {
        Self {
            ahead,
            chunks: Vec::new(),
            units: (0.0, 0.0),
            rows_left: rows,
            places_left: 0,
            short_of_blocks: false,
        }
    }

    /// Whether a tenant that stands here has to sit out.
    fn passes_over(&self, counter: Counter) -> bool {
        let rows: usize = self.chunks.iter().map(|chunk| chunk.rows).sum();
        counter > self.ahead && rows >= CHEAP_ROWS
    }
}

impl<R: Runner> Stepper<R> {
    /// The next step's rows.
    pub(super) fn schedule(&mut self) -> Plan {
        loop {
            let mut survey = self.survey();
            self.fair.begin_step(&survey.working);
            self.rank(&mut survey.running);
            if self.make_way(&survey) {
                survey = self.survey();
                self.rank(&mut survey.running);
            }
            let slack = 2.0 * self.limits.sequences as f64;
            let mut plan = Plan::new(self.limits.rows, self.fair.ahead(&survey.working, slack));
            self.plan_decodes(survey.running.into(), &mut plan);
            self.plan_prompts(survey.lines, &mut plan);
            if !plan.chunks.is_empty() || !plan.short_of_blocks || !self.preempt_last() {
                return plan;
            }
        }
    }

    pub(super) fn survey(&self) -> Survey {
        let mut running = Vec::new();
        let mut lines = BTreeMap::<_, VecDeque<Place>>::new();
        let mut working = BTreeSet::new();
        for (&request, active) in &self.requests {
            let (awake, tenant) = (active.has_room(), active.submission.owner.domain);
            let may_begin = awake && self.has_adapter(request, active);
            for (choice, own) in active.choices.iter().enumerate().filter(|(_, own)| !own.finished) {
                let place = Place { request, choice };
                if own.running.is_some() {
                    running.push(place);
                    if awake {
                        working.insert(tenant);
                    }
                }
                let has_work = match own.running {
                    Some(_) => awake && own.pending() > 1,
                    None => may_begin && active.may_begin(choice),
                };
                if has_work {
                    working.insert(tenant);
                    lines.entry(tenant).or_default().push_back(place);
                }
            }
        }
        Survey { running, lines, working }
    }

    /// Who gives way, in the order from the last to the first: whose reader sleeps, then whose tenant is ahead, then the
    /// younger one.
    pub(super) fn rank(&self, running: &mut [Place]) {
        running.sort_by_cached_key(|place| {
            let request = self.at(*place).0;
            (!request.has_room(), self.fair.counter(request.submission.owner.domain), *place)
        });
    }

    fn has_adapter(&self, request: u64, active: &Active<R::Adapter>) -> bool {
        let files = active.submission.adapter.as_ref();
        files.is_none_or(|files| self.residency.get(&files.digest, request).is_some())
    }

    /// One row for every running sequence that has one token to go on from, unless its tenant sits out.
    fn plan_decodes(&mut self, mut running: VecDeque<Place>, plan: &mut Plan) {
        while let Some(place) = running.pop_front() {
            let (request, choice) = self.at(place);
            if plan.rows_left == 0 || !request.has_room() || choice.pending() != 1 {
                continue;
            }
            if plan.passes_over(self.fair.counter(request.submission.owner.domain)) {
                continue;
            }
            while !self.extend(place, 1) {
                match running.pop_back() {
                    Some(last) => self.preempt(last),
                    None => plan.short_of_blocks = true,
                }
                if plan.short_of_blocks {
                    break;
                }
            }
            if !plan.short_of_blocks {
                plan.units.0 += self.add(place, 1, plan);
            }
        }
    }

    /// Chunks of prompts: the tenant with the smallest counter has the next turn.
    fn plan_prompts(&mut self, mut lines: BTreeMap<CacheDomain, VecDeque<Place>>, plan: &mut Plan) {
        let taken = self.running();
        plan.places_left = self.limits.sequences.saturating_sub(taken);
        let mut units_left = self.budget.for_prompts(plan.units.0);
        let mut turns: BTreeSet<(Counter, CacheDomain)> =
            lines.keys().map(|tenant| (self.fair.counter(*tenant), *tenant)).collect();
        while let Some((counter, tenant)) = turns.pop_first() {
            if plan.passes_over(counter) {
                return;
            }
            let Some(place) = lines.get_mut(&tenant).and_then(VecDeque::pop_front) else { continue };
            if plan.rows_left == 0 {
                return;
            }
            if self.at(place).1.running.is_some() || self.begin(place, plan) {
                let choice = self.at(place).1;
                let affordable = self.budget.rows_within(units_left, choice.computed);
                // Where decodes take all of the step's time, or others take the processor, prompts still go on: these few
                // rows cost next to nothing.
                let least = if plan.units.1 == 0.0 { CHEAP_ROWS } else { 0 };
                let affordable = affordable.max(least);
                let rows = choice.pending().min(affordable).min(plan.rows_left);
                if rows == 0 {
                    return;
                }
                let units = self.add(place, rows, plan);
                plan.units.1 += units;
                units_left -= units;
            }
            turns.insert((self.fair.counter(tenant), tenant));
        }
    }

    /// Plans a choice's next rows, and charges its tenant for them. Returns what they cost of the step.
    fn add(&mut self, place: Place, rows: usize, plan: &mut Plan) -> f64 {
        plan.rows_left -= rows;
        plan.chunks.push(Chunk { place, rows });
        let (request, choice) = self.at(place);
        let positions = choice.computed..choice.computed + rows;
        let chosen = usize::from(choice.pending() == rows);
        let adapter = choice.running.as_ref().and_then(|running| running.adapter.as_ref());
        let dearer = 1.0 + adapter.map_or(0.0, |adapter| self.limits.adapter_share(adapter.as_ref()));
        let (tenant, weight) = (request.submission.owner.domain, request.submission.weight);
        let units = self.budget.units(&positions);
        self.fair.charge(tenant, (rows + chosen) as f64 * dearer, weight);
        units
    }

    /// Gives a waiting choice a place and the blocks for all its tokens, those already known of its prefix first.
    fn begin(&mut self, place: Place, plan: &mut Plan) -> bool {
        // Nobody overtakes a request that waits for blocks.
        if plan.short_of_blocks || plan.places_left == 0 {
            return false;
        }
        let Some(request) = self.requests.get_mut(&place.request) else { return false };
        let choice = &request.choices[place.choice];
        let (mut blocks, cached) = self.pool.begin(request.submission.owner, &choice.tokens);
        if !self.pool.extend(&mut blocks, choice.tokens.len()) {
            self.pool.release(blocks);
            plan.short_of_blocks = true;
            return false;
        }
        plan.places_left -= 1;
        let digest = request.submission.adapter.as_ref().map(|files| files.digest);
        let adapter = digest.and_then(|digest| self.residency.take(&digest, place.request));
        if let Some(adapter) = &adapter {
            request.submission.progress.answered_by(adapter.bytes());
        }
        let loaded_for_trial = request.submission.trial && !request.submission.progress.was_resident();
        if let Some(digest) = digest.filter(|_| loaded_for_trial) {
            let load = self.budget.worth(self.residency.load_time(&digest));
            self.fair.charge(request.submission.owner.domain, load, request.submission.weight);
        }
        let choice = &mut request.choices[place.choice];
        choice.computed = cached;
        choice.running = Some(Running { blocks, adapter });
        if let Some((prompt, cached)) = request.begun(place.choice, cached) {
            self.tokens.prompt += prompt as u64;
            self.tokens.cached += cached as u64;
        }
        true
    }

    fn extend(&mut self, place: Place, rows: usize) -> bool {
        let Self { requests, pool, .. } = self;
        let Some(request) = requests.get_mut(&place.request) else { return false };
        let choice = &mut request.choices[place.choice];
        let tokens = choice.computed + rows;
        choice.running.as_mut().is_some_and(|running| pool.extend(&mut running.blocks, tokens))
    }
}
