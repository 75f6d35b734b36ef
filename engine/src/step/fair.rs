//! Who is served next: one counter per tenant of what it was given, divided by its weight; the smallest goes first.
//! Virtual token counters, after "Fairness in Serving Large Language Models" (arXiv:2401.00588), charged step by step
//! rather than at admission. Knows tenants and numbers only.
//!
//! *What is charged*, when it is planned: 1 for a row that is really computed (a prompt's row found in the cache costs
//! nothing; one computed again after a preemption costs again), and 1 more for a token that is chosen, both times
//! `1 + ρ` where ρ is the adapter's bytes over the base model's. A prompt of `p` tokens and an answer of `o` cost
//! `p + 2·o - 1`. A trial (`canary.rs`) of an adapter that had to be loaded pays for the load as well: as many rows as
//! could have been computed meanwhile.
//!
//! *What it decides*: whose waiting request begins, whose prompt gets the step's rows, who gives way when places or KV
//! blocks run out, and who sits a step out: a tenant that is ahead of the least served one by more than twice `S`, `S`
//! being `max_batch_sequences`, gets rows only up to the few (`CHEAP_ROWS`) that make no step longer. So a tenant with
//! many sequences does not slow down the tokens of one with few.
//!
//! *Bound.* Let two tenants have rows that could run in every step of an interval. The one that is ahead begins nothing
//! new and its prompts get no row that the other could use; beyond the slack its counter grows only by cheap rows of what
//! it has running, at most `S` sequences of at most `L` tokens each. So the counters never differ by more than
//! `2·S·L·(1 + ρ) ÷ w`, `w` being the weight of the one ahead, and what they are given in any interval by no more than
//! twice that, whatever the sizes of their requests; where each has `CHEAP_ROWS` to run, they stay within the slack and
//! one step's rows.
//!
//! *No burst.* A tenant without anything to run saves nothing up: when it has again, its counter is lifted to the
//! smallest of those that had work all along. Steps in which nobody has work owe nobody anything: then all are lifted to
//! the largest. *Work-conserving*: whoever is alone gets everything.

use std::{
    collections::{BTreeSet, HashMap},
    num::NonZeroU32,
};

use crate::request::CacheDomain;

/// Counted in these parts of a unit, so that counters are exact and ordered.
const PARTS: f64 = 1_048_576.0;

/// A tenant's service so far, weighted: ordered, and comparable between tenants alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Counter(u64);

/// The tenants' counters.
#[derive(Debug, Default)]
pub(super) struct Fair {
    accounts: HashMap<CacheDomain, Account>,
    /// Where those begin who had nothing to run.
    level: Counter,
}

#[derive(Debug)]
struct Account {
    counter: Counter,
    /// Whether it had work that could run in the latest step.
    has_work: bool,
}

impl Counter {
    #[cfg(test)]
    pub(super) fn units(self) -> f64 {
        self.0 as f64 / PARTS
    }
}

impl Fair {
    /// Begins a step in which these tenants have rows that could run, or requests that could begin.
    pub(super) fn begin_step(&mut self, working: &BTreeSet<CacheDomain>) {
        let stayed = |(tenant, account): (&CacheDomain, &Account)| {
            (account.has_work && working.contains(tenant)).then_some(account.counter)
        };
        let level = match self.accounts.iter().filter_map(stayed).min() {
            Some(smallest) => smallest,
            None => self.accounts.values().map(|account| account.counter).max().unwrap_or_default(),
        };
        self.level = self.level.max(level);
        // What is not ahead of the level would come back at the level: it need not be remembered.
        self.accounts.retain(|tenant, account| {
            let works = working.contains(tenant);
            if !(works && account.has_work) {
                account.counter = account.counter.max(self.level);
            }
            account.has_work = works;
            works || account.counter > self.level
        });
        for tenant in working {
            let account = self.accounts.entry(*tenant);
            account.or_insert(Account { counter: self.level, has_work: true });
        }
    }

    /// Notes what a tenant is given.
    pub(super) fn charge(&mut self, tenant: CacheDomain, units: f64, weight: NonZeroU32) {
        let account = self.accounts.entry(tenant);
        let account = account.or_insert(Account { counter: self.level, has_work: false });
        let parts = (units * PARTS / f64::from(weight.get())).ceil() as u64;
        account.counter.0 = account.counter.0.saturating_add(parts);
    }

    /// Beyond what a tenant is ahead of others: this much more than the least served of those that work.
    pub(super) fn ahead(&self, working: &BTreeSet<CacheDomain>, slack: f64) -> Counter {
        let least = working.iter().map(|tenant| self.counter(*tenant)).min().unwrap_or(self.level);
        Counter(least.0.saturating_add((slack * PARTS) as u64))
    }

    /// Where a tenant stands.
    pub(super) fn counter(&self, tenant: CacheDomain) -> Counter {
        self.accounts.get(&tenant).map_or(self.level, |account| account.counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    fn set(tenants: &[u128]) -> BTreeSet<CacheDomain> {
        tenants.iter().copied().map(CacheDomain).collect()
    }

    fn units(fair: &Fair, tenant: u128) -> f64 {
        fair.counter(CacheDomain(tenant)).units()
    }

    #[test]
    fn who_returns_from_idling_has_saved_nothing_up() {
        let mut fair = Fair::default();
        fair.begin_step(&set(&[1, 2]));
        fair.charge(CacheDomain(1), 10.0, ONE);
        fair.charge(CacheDomain(2), 10.0, ONE);
        for _ in 0..100 {
            fair.begin_step(&set(&[1]));
            fair.charge(CacheDomain(1), 10.0, ONE);
        }
        fair.begin_step(&set(&[1, 2, 3]));
        assert_eq!((units(&fair, 1), units(&fair, 2), units(&fair, 3)), (1010.0, 1010.0, 1010.0));
    }

    #[test]
    fn who_was_given_more_while_others_had_work_still_owes_it_after_a_pause() {
        let mut fair = Fair::default();
        fair.begin_step(&set(&[1, 2]));
        fair.charge(CacheDomain(1), 500.0, ONE);
        fair.begin_step(&set(&[2]));
        fair.charge(CacheDomain(2), 20.0, ONE);
        fair.begin_step(&set(&[1, 2]));
        assert_eq!((units(&fair, 1), units(&fair, 2)), (500.0, 20.0));
    }

    #[test]
    fn when_nobody_waits_nobody_owes() {
        let mut fair = Fair::default();
        fair.begin_step(&set(&[1, 2]));
        fair.charge(CacheDomain(1), 500.0, ONE);
        fair.begin_step(&set(&[]));
        // What still runs is charged meanwhile.
        fair.charge(CacheDomain(2), 30.0, ONE);
        fair.begin_step(&set(&[1, 2, 3]));
        assert_eq!((units(&fair, 1), units(&fair, 2), units(&fair, 3)), (530.0, 530.0, 530.0));
    }

    #[test]
    fn a_weight_divides_what_is_charged() {
        let mut fair = Fair::default();
        fair.begin_step(&set(&[1, 2]));
        fair.charge(CacheDomain(1), 30.0, NonZeroU32::new(3).unwrap());
        fair.charge(CacheDomain(2), 10.0, ONE);
        assert_eq!(fair.counter(CacheDomain(1)), fair.counter(CacheDomain(2)));
    }

    #[test]
    fn tenants_who_owe_nothing_are_forgotten() {
        let mut fair = Fair::default();
        for tenant in 0..1000 {
            fair.begin_step(&set(&[tenant]));
            fair.charge(CacheDomain(tenant), 1.0, ONE);
        }
        fair.begin_step(&set(&[]));
        assert!(fair.accounts.is_empty(), "{}", fair.accounts.len());
    }
}
