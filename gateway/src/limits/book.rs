//! The accounts of this process: checked and charged together, under one lock that is held for microseconds.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::{
    account::{Account, Ask, Share, Short},
    clock::{Clock, Now},
    month::Month,
    standing::{Refusal, Standing, is_longer},
    subject::{Demand, Subject},
};

/// Idle accounts are looked for when there are so many more than were left by the last look.
const SWEEP_AFTER: usize = 1024;

/// What became of a demand.
#[derive(Debug)]
pub(super) enum Decision<T> {
    Admitted(T),
    Refused(Refusal),
    /// Nothing was charged: the subject's counter for this month needs its first value.
    Unseeded(Subject, Month),
}

/// What was charged, to be settled once.
#[derive(Debug)]
pub(super) struct Charge {
    demand: Demand,
    made: Now,
    free_ms: u64,
    /// By subject, the count of the month that was charged; `None` = none was.
    paid: Vec<Option<u64>>,
}

impl Charge {
    pub(super) fn demand(&self) -> &Demand {
        &self.demand
    }

    pub(super) fn month(&self) -> Month {
        self.made.month
    }

    fn place(&self) -> (u64, Uuid) {
        (self.free_ms, self.demand.id)
    }
}

/// All subjects' accounts.
pub(super) struct Book {
    clock: Clock,
    accounts: Mutex<Accounts>,
}

#[derive(Default)]
struct Accounts {
    by_id: HashMap<Uuid, Account>,
    sweep_at: usize,
    /// Counts of months that have begun here.
    generations: u64,
}

impl Accounts {
    fn next_generation(&mut self) -> u64 {
        self.generations += 1;
        self.generations
    }

    fn of(&mut self, subject: &Subject, now: Now) -> &mut Account {
        if self.by_id.len() >= self.sweep_at.max(SWEEP_AFTER) {
            self.by_id.retain(|_, account| !account.is_idle(now));
            self.sweep_at = self.by_id.len() + SWEEP_AFTER;
        }
        self.by_id.entry(subject.id).or_default()
    }
}

impl Book {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, accounts: Mutex::default() }
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// What Redis is to take for now; `None` = its own time.
    pub(super) fn dictated_ms(&self) -> Option<u64> {
        self.clock.dictated_ms()
    }

    /// Charges all subjects, or none.
    pub(super) fn reserve(&self, demand: &Demand, share: Share) -> Decision<(Charge, Standing)> {
        let mut accounts = self.lock();
        let now = self.clock.now();
        let mut refused: Option<Refusal> = None;
        for subject in &demand.subjects {
            match accounts.of(subject, now).check(now, ask(subject, demand, share)) {
                Ok(()) => {}
                Err(Short::Unseeded) => return Decision::Unseeded(*subject, now.month),
                Err(Short::Of { bucket, limit, wait }) => {
                    if refused.as_ref().is_none_or(|refusal| is_longer(wait, refusal.retry_after)) {
                        let standing = Box::default();
                        refused =
                            Some(Refusal { bucket, kind: subject.kind, limit, retry_after: wait, standing });
                    }
                }
            }
        }
        if let Some(mut refusal) = refused {
            *refusal.standing = tightest(&mut accounts, now, demand, share);
            return Decision::Refused(refusal);
        }
        let mut charge = charge(&mut accounts, now, demand);
        for (subject, paid) in demand.subjects.iter().zip(&mut charge.paid) {
            *paid = accounts.of(subject, now).spend(ask(subject, demand, share));
        }
        let standing = tightest(&mut accounts, now, demand, share);
        Decision::Admitted((charge, standing))
    }

    /// Charges what Redis admitted, so that a fallback begins with the truth. `spent` is what all replicas have spent
    /// in the month, by subject.
    pub(super) fn follow(&self, demand: &Demand, spent: &[Option<(Month, u64)>]) -> Charge {
        let mut accounts = self.lock();
        let now = self.clock.now();
        let generation = accounts.next_generation();
        for (subject, spent) in demand.subjects.iter().zip(spent) {
            if let Some((month, tokens)) = *spent {
                accounts.of(subject, now).know(month, tokens, generation);
            }
        }
        charge(&mut accounts, now, demand)
    }

    /// Gives places back and corrects tokens.
    pub(super) fn settle(&self, charge: &Charge, tokens: u64) {
        let mut accounts = self.lock();
        let estimate = charge.demand.tokens;
        for (subject, paid) in charge.demand.subjects.iter().zip(&charge.paid) {
            let Some(account) = accounts.by_id.get_mut(&subject.id) else { continue };
            account.settle(&subject.limits, charge.made.ms, charge.place(), (estimate, tokens));
            if let Some(generation) = *paid {
                account.correct_month(charge.made.month, generation, estimate, tokens);
            }
        }
    }

    /// What the usage rows say, unless the month is counted already.
    pub(super) fn seed(&self, subject: &Subject, month: Month, tokens: u64) {
        let mut accounts = self.lock();
        let generation = accounts.next_generation();
        accounts.of(subject, self.clock.now()).seed(month, tokens, generation);
    }

    /// Counts the subject's month anew, from the usage rows.
    pub(super) fn recount(&self, id: Uuid) {
        if let Some(account) = self.lock().by_id.get_mut(&id) {
            account.recount();
        }
    }

    /// What is left; `None` while the month's counter needs its first value.
    pub(super) fn standing(&self, subject: &Subject, share: Share) -> Option<Standing> {
        let mut accounts = self.lock();
        let now = self.clock.now();
        accounts.of(subject, now).standing(now, &subject.limits, share)
    }

    fn lock(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ask<'a>(subject: &'a Subject, demand: &Demand, share: Share) -> Ask<'a> {
    Ask { limits: &subject.limits, tokens: demand.tokens, share }
}

fn charge(accounts: &mut Accounts, now: Now, demand: &Demand) -> Charge {
    let free_ms = now.ms.saturating_add(demand.longest_ms);
    let paid = vec![None; demand.subjects.len()];
    let charge = Charge { demand: demand.clone(), made: now, free_ms, paid };
    for subject in &demand.subjects {
        accounts.of(subject, now).charge(now, ask(subject, demand, Share::WHOLE), charge.place());
    }
    charge
}

fn tightest(accounts: &mut Accounts, now: Now, demand: &Demand, share: Share) -> Standing {
    let standings = demand
        .subjects
        .iter()
        .filter_map(|subject| accounts.of(subject, now).standing(now, &subject.limits, share));
    standings.fold(Standing::default(), Standing::tightest)
}
