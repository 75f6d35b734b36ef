//! What the steps so far have come to, in numbers.

use std::collections::BTreeSet;

use super::Stepper;
use crate::{
    active::{Active, Choice},
    residency::Digest,
    runner::Runner,
    stats::{AdapterStats, Stats},
};

impl<R: Runner> Stepper<R> {
    /// What the engine is doing, in numbers.
    pub(crate) fn stats(&self) -> Stats {
        let choices = self.requests.values().flat_map(|request| &request.choices);
        let unfinished = choices.filter(|choice| !choice.finished).count();
        let running = self.running();
        Stats {
            steps: self.steps,
            running,
            waiting: unfinished - running,
            largest_mix: self.largest_mix,
            kv_blocks: self.pool.total(),
            kv_blocks_free: self.pool.available(),
            preemptions: self.preemptions,
            late: self.late,
            tokens: self.tokens,
            adapters: AdapterStats {
                running: self.adapters_of(|choice| choice.running.is_some()),
                wanted: self.adapters_of(|choice| choice.running.is_none()),
                ..self.residency.stats()
            },
        }
    }

    /// Adapters of the unfinished sequences for which this holds.
    fn adapters_of(&self, which: impl Fn(&Choice<R::Adapter>) -> bool) -> BTreeSet<Digest> {
        let asked = |request: &&Active<R::Adapter>| {
            request.choices.iter().any(|choice| !choice.finished && which(choice))
        };
        self.requests.values().filter(asked).filter_map(|request| request.submission.owner.adapter).collect()
    }
}
