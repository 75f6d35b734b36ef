//! Who gives way: places and blocks go from tenants that hold more than their share of places to those that hold less
//! and wait. What was computed is computed again later, or found in the cache, where it mostly still is.
//!
//! A tenant's share of the places is by its weight among the tenants that have requests, and one place at least. One that waits, stays within its
//! share with one place more, and is not ahead by its counter, takes the place of another tenant's youngest sequence: of
//! the one that is ahead most among those above their shares. Whoever lost a place holds its share still, so it cannot
//! take it back. A sleeping reader's place is anybody's who waits.

use std::collections::HashMap;

use super::{Place, Stepper, schedule::Survey};
use crate::{request::CacheDomain, runner::Runner};

/// Who holds how many places, and who is owed how many.
struct Places {
    held: HashMap<CacheDomain, u64>,
    weights: HashMap<CacheDomain, u64>,
    all_weights: u64,
    all: u64,
}

impl Places {
    fn held(&self, tenant: CacheDomain) -> u64 {
        self.held.get(&tenant).copied().unwrap_or(0)
    }

    /// Whether so many places are more than the tenant's share; one never is, or a small tenant's work would be thrown away
    /// again and again.
    fn are_more(&self, places: u64, tenant: CacheDomain) -> bool {
        let weight = self.weights.get(&tenant).copied().unwrap_or(0);
        places > 1 && places * self.all_weights > self.all * weight
    }
}

impl<R: Runner> Stepper<R> {
    /// Frees places, and blocks, for those who wait and have less than their share; true when somebody gave way.
    /// Whoever is last in `running` gives way first.
    pub(super) fn make_way(&mut self, Survey { running, lines, .. }: &Survey) -> bool {
        let (mut running, before) = (running.clone(), running.len());
        let mut places = self.places();
        let mut free = self.limits.sequences.saturating_sub(running.len());
        let mut tenants: Vec<_> =
            lines.iter().map(|(tenant, line)| (self.fair.counter(*tenant), *tenant, line)).collect();
        tenants.sort_unstable_by_key(|(counter, tenant, _)| (*counter, *tenant));
        'tenants: for (_, tenant, line) in tenants {
            let waits = |place: &&Place| self.at(**place).1.running.is_none();
            let waiting: Vec<Place> =
                line.iter().filter(waits).copied().take(self.limits.sequences).collect();
            for place in waiting {
                while free == 0 || self.lacks_blocks(place) {
                    let Some(victim) = self.who_gives_way(tenant, &running, &places) else {
                        continue 'tenants;
                    };
                    running.retain(|place| *place != victim);
                    places.held.entry(self.tenant(victim)).and_modify(|held| *held -= 1);
                    self.preempt(victim);
                    free += 1;
                }
                free -= 1;
                *places.held.entry(tenant).or_default() += 1;
            }
        }
        running.len() < before
    }

    /// The sequence whose place this tenant may have.
    fn who_gives_way(&self, tenant: CacheDomain, running: &[Place], places: &Places) -> Option<Place> {
        let last = *running.last()?;
        if !self.at(last).0.has_room() {
            return Some(last);
        }
        if places.are_more(places.held(tenant) + 1, tenant) {
            return None;
        }
        let own = self.fair.counter(tenant);
        // `running` has those who are ahead most, and their youngest, at its end.
        running.iter().rev().copied().find(|place| {
            let holder = self.tenant(*place);
            holder != tenant
                && places.are_more(places.held(holder), holder)
                && self.fair.counter(holder) >= own
        })
    }

    fn places(&self) -> Places {
        let (mut held, mut weights) = (HashMap::<_, u64>::new(), HashMap::new());
        for request in self.requests.values() {
            let tenant = request.submission.owner.domain;
            weights.insert(tenant, u64::from(request.submission.weight.get()));
            let running = request.choices.iter().filter(|choice| choice.running.is_some()).count();
            *held.entry(tenant).or_default() += running as u64;
        }
        let all_weights = weights.values().sum();
        Places { held, weights, all_weights, all: self.limits.sequences as u64 }
    }

    /// Whether there are too few blocks for a waiting choice.
    fn lacks_blocks(&mut self, place: Place) -> bool {
        let Some(request) = self.requests.get(&place.request) else { return false };
        let tokens = &request.choices[place.choice].tokens;
        let (known, _) = self.pool.begin(request.submission.owner, tokens);
        let missing = self.pool.blocks_for(tokens.len()) - known.blocks().len();
        let lacking = missing > self.pool.available();
        self.pool.release(known);
        lacking
    }

    fn tenant(&self, place: Place) -> CacheDomain {
        self.requests[&place.request].submission.owner.domain
    }

    /// Takes the blocks of the running choice that is last in line for them.
    pub(super) fn preempt_last(&mut self) -> bool {
        let mut running = self.survey().running;
        self.rank(&mut running);
        running.last().is_some_and(|last| {
            self.preempt(*last);
            true
        })
    }

    /// Puts a choice back to waiting: what it had computed is computed again, or found in the cache.
    pub(super) fn preempt(&mut self, place: Place) {
        let Some(request) = self.requests.get_mut(&place.request) else { return };
        let choice = &mut request.choices[place.choice];
        choice.computed = 0;
        if let Some(running) = choice.running.take() {
            self.pool.release(running.blocks);
            self.preemptions += 1;
        }
    }
}
