//! What each tenant uses, as metrics: a bounded number of names, and no longer than the tenant is there.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry::{KeyValue, metrics::Meter};
use tenora_adapter_store::Outcome;

use super::pulse::Pulse;

/// Tenants that are told apart; the others are one, named [`OTHER`].
const MAX_TENANTS: usize = 1000;
/// Not a slug that a tenant could have: slugs begin with a letter or digit.
const OTHER: &str = "_other";

/// Counters by tenant, and what happens just now with all of them together.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    counts: Mutex<HashMap<Box<str>, Arc<Counts>>>,
    pub(super) all: Pulse,
}

/// Counters of one tenant since the process began.
#[derive(Debug, Default)]
pub(super) struct Counts {
    outcomes: [AtomicU64; 4],
    tokens: [AtomicU64; 3],
    queue_us: AtomicU64,
    pub(super) pulse: Pulse,
}

const OUTCOMES: [Outcome; 4] = [Outcome::Finished, Outcome::Failed, Outcome::Cancelled, Outcome::CutOff];
const TOKENS: [&str; 3] = ["input", "cached", "output"];

impl Counts {
    /// A generation has ended.
    pub(super) fn ended(&self, outcome: Outcome, tokens: [u32; 3], queue: Duration) {
        for (known, count) in OUTCOMES.iter().zip(&self.outcomes) {
            count.fetch_add(u64::from(*known == outcome), Relaxed);
        }
        for (count, tokens) in self.tokens.iter().zip(tokens) {
            count.fetch_add(tokens.into(), Relaxed);
        }
        self.queue_us.fetch_add(u64::try_from(queue.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }
}

impl Tenants {
    pub(super) fn of(&self, slug: &str) -> Arc<Counts> {
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let slug = if all.contains_key(slug) || all.len() < MAX_TENANTS { slug } else { OTHER };
        Arc::clone(all.entry(slug.into()).or_default())
    }

    pub(super) fn forget(&self, slug: &str) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(slug);
    }

    /// Those that are told apart now.
    pub(super) fn now(&self) -> HashMap<Box<str>, Arc<Counts>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn each(&self, mut tell: impl FnMut(&KeyValue, &Counts)) {
        self.now().iter().for_each(|(slug, counts)| tell(&KeyValue::new("tenant", slug.to_string()), counts));
    }

    /// Shows them.
    pub(super) fn register(self: &Arc<Self>, meter: &Meter) {
        let tenants = Arc::clone(self);
        meter
            .u64_observable_counter("tenora_requests")
            .with_description("Generations that have ended, by tenant and outcome")
            .with_callback(move |told| {
                tenants.each(|tenant, counts| {
                    for (outcome, count) in OUTCOMES.iter().zip(&counts.outcomes) {
                        let outcome = KeyValue::new("outcome", outcome.as_str());
                        told.observe(count.load(Relaxed), &[tenant.clone(), outcome]);
                    }
                });
            })
            .build();
        let tenants = Arc::clone(self);
        meter
            .u64_observable_counter("tenora_tokens")
            .with_description("Tokens of ended generations, by tenant: of prompts, those of them that were reused, and generated")
            .with_callback(move |told| {
                tenants.each(|tenant, counts| {
                    for (kind, count) in TOKENS.iter().zip(&counts.tokens) {
                        told.observe(count.load(Relaxed), &[tenant.clone(), KeyValue::new("kind", *kind)]);
                    }
                });
            })
            .build();
        let tenants = Arc::clone(self);
        meter
            .f64_observable_counter("tenora_queue_seconds")
            .with_description("Time that generations waited in the engine's queue, by tenant")
            .with_callback(move |told| {
                tenants.each(|tenant, counts| {
                    told.observe(counts.queue_us.load(Relaxed) as f64 / 1e6, std::slice::from_ref(tenant));
                });
            })
            .build();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_go_with_their_tenants() {
        let tenants = Tenants::default();
        for number in 0..2 * MAX_TENANTS {
            tenants.of(&format!("tenant-{number}")).ended(Outcome::Finished, [1, 0, 1], Duration::ZERO);
        }
        let names = || tenants.counts.lock().expect("no panic").len();
        assert_eq!(names(), MAX_TENANTS + 1, "and one for all others");
        let others = tenants.of("tenant-1999").outcomes[0].load(Relaxed);
        assert_eq!(others, MAX_TENANTS as u64);
        tenants.forget("tenant-3");
        assert_eq!(names(), MAX_TENANTS);
    }
}
