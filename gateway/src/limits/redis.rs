//! Limits that replicas enforce together, in Redis; and what one of them enforces alone while Redis is away.

mod keeper;
mod link;
mod outage;
mod script;

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use redis::RedisError;
use secrecy::SecretString;
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};
use uuid::Uuid;

use self::{
    link::{Away, BACKGROUND_WAIT, Link},
    outage::Outage,
    script::{Made, Scripts, Seed, Settlement},
};
use super::{
    LimiterStats, LimiterStatus,
    book::{Book, Charge, Decision},
    clock::Clock,
    month::Seeder,
    standing::{Refusal, Standing},
    subject::{Demand, Subject},
    unknown_budget,
};

/// A request waits this long for Redis. Long enough that a busy machine is not taken for an outage: one late answer sends the
/// whole replica to its share. Only those pay it who ask when Redis goes away.
pub(super) const RESERVE_WAIT: Duration = Duration::from_millis(250);
/// Settlements that may wait to be written. What finds no room stays charged as estimated.
const MAX_SETTLEMENTS: usize = 8192;

/// One replica's side of the limits in Redis.
pub(super) struct SharedLimiter {
    link: Link,
    scripts: Scripts,
    outage: Arc<Outage>,
    /// What this replica let through, with Redis and without: a fallback begins with the truth about itself.
    book: Book,
    seeder: Seeder,
    wait: Duration,
    settlements: mpsc::Sender<Settlement>,
    unwritten: watch::Sender<usize>,
}

impl SharedLimiter {
    /// Needs a running tokio runtime, for what is done in the background.
    pub(super) fn open(
        url: &SecretString,
        prefix: &str,
        seeder: Seeder,
        clock: Clock,
        wait: Duration,
    ) -> Result<Arc<Self>, RedisError> {
        let (settlements, queue) = mpsc::channel(MAX_SETTLEMENTS);
        let limiter = Arc::new(Self {
            link: Link::open(url)?,
            scripts: Scripts::new(prefix),
            outage: Arc::default(),
            book: Book::new(clock),
            seeder,
            wait,
            settlements,
            unwritten: watch::Sender::new(0),
        });
        tokio::spawn(keeper::beat(Arc::downgrade(&limiter)));
        tokio::spawn(keeper::settle(Arc::downgrade(&limiter), queue));
        Ok(limiter)
    }

    pub(super) fn status(&self) -> LimiterStatus {
        self.outage.status()
    }

    pub(super) fn stats(&self) -> LimiterStats {
        self.outage.stats()
    }

    pub(super) async fn reserve(self: &Arc<Self>, demand: Demand) -> Result<(Hold, Standing), Refusal> {
        if self.outage.is_over() {
            let mut claim =
                Claim { limiter: Arc::clone(self), settlement: Some(unsure(&demand)), charge: None };
            match self.decide(&demand, false).await {
                Ok(Ok((made, standing))) => {
                    claim.is_made(&demand, made);
                    return Ok((Hold::Exact(claim), standing));
                }
                Ok(Err(refusal)) => {
                    claim.settlement = None;
                    return Err(refusal);
                }
                Err(Away) => self.outage.begin(),
            }
        }
        self.reserve_alone(&demand).await
    }

    /// Redis' answer, after the usage rows' where it asks for them.
    async fn decide(&self, demand: &Demand, look: bool) -> Result<Result<(Made, Standing), Refusal>, Away> {
        let mut seeds: Vec<Seed> = Vec::new();
        let mut left = self.wait;
        // Each subject is asked for once, and once more if the month ends meanwhile.
        for _ in 0..=2 * demand.subjects.len() {
            let call = self.scripts.reserve(demand, look, &seeds, self.book.dictated_ms());
            let asked = Instant::now();
            let answer: Vec<i64> = self.link.ask(&call, left).await?;
            left = left.saturating_sub(asked.elapsed());
            match script::decision(demand, &answer).ok_or(Away)? {
                Decision::Admitted(admitted) => return Ok(Ok(admitted)),
                Decision::Refused(refusal) => return Ok(Err(refusal)),
                Decision::Unseeded(subject, month) => {
                    let Some(tokens) = self.seeder.spent(&subject, month).await else {
                        return Ok(Err(unknown_budget(&subject)));
                    };
                    seeds.retain(|seed| seed.subject != subject.id);
                    seeds.push(Seed { subject: subject.id, month, tokens });
                }
            }
        }
        Err(Away)
    }

    /// This replica's share of every limit.
    async fn reserve_alone(self: &Arc<Self>, demand: &Demand) -> Result<(Hold, Standing), Refusal> {
        let (charge, standing) =
            super::memory::reserve(&self.book, &self.seeder, demand, self.outage.share()).await?;
        self.outage.admit(demand, self.book.now().ms);
        Ok((Hold::Alone { limiter: Arc::clone(self), charge }, standing))
    }

    pub(super) async fn standing(&self, subject: &Subject) -> Option<Standing> {
        let demand = Demand::new(std::slice::from_ref(subject), 0, 0)?;
        if self.outage.is_over() {
            match self.decide(&demand, true).await {
                Ok(Ok((_, standing))) => return Some(standing),
                Ok(Err(refusal)) => return Some(*refusal.standing),
                Err(Away) => self.outage.begin(),
            }
        }
        super::memory::standing(&self.book, &self.seeder, subject, self.outage.share()).await
    }

    pub(super) async fn recount(&self, id: Uuid) -> bool {
        self.seeder.forget(id);
        self.book.recount(id);
        self.link.delete(self.scripts.month_key(id)).await.is_ok()
    }

    pub(super) async fn flush(&self) {
        // The sender lives as long as this.
        _ = self.unwritten.subscribe().wait_for(|unwritten| *unwritten == 0).await;
    }

    /// Never waits. It is sent by the connection of this thread, so that Redis has it before what the same client asks here
    /// next. With a full queue what was reserved stays charged until its window, its deadline and its month end.
    fn settle(self: &Arc<Self>, settlement: Settlement) {
        self.unwritten.send_modify(|unwritten| *unwritten += 1);
        let Ok(place) = self.settlements.clone().try_reserve_owned() else { return self.give_up(1) };
        let sending = Sending { limiter: Arc::clone(self), settlement: Some((place, settlement)) };
        if let (true, Ok(runtime)) = (self.outage.is_over(), Handle::try_current()) {
            runtime.spawn(sending.send());
        }
    }

    fn give_up(&self, settlements: usize) {
        tracing::warn!(settlements, "Settlements are given up: what was reserved stays charged");
        (0..settlements).for_each(|_| self.outage.count_unsettled());
        self.count_settled(settlements);
    }

    fn count_settled(&self, settlements: usize) {
        self.unwritten.send_modify(|unwritten| *unwritten = unwritten.saturating_sub(settlements));
    }
}

/// What a reservation holds.
pub(super) enum Hold {
    /// In Redis.
    Exact(Claim),
    /// Of this replica's share.
    Alone { limiter: Arc<SharedLimiter>, charge: Charge },
}

impl Hold {
    pub(super) fn settle(self, tokens: u64) {
        match self {
            Self::Exact(mut claim) => claim.end(tokens),
            Self::Alone { limiter, charge } => {
                limiter.book.settle(&charge, tokens);
                limiter.outage.spend(charge.demand(), charge.month(), tokens);
            }
        }
    }
}

/// Sees to it that whatever the script may have charged is settled, also when nobody waited for its answer.
pub(super) struct Claim {
    limiter: Arc<SharedLimiter>,
    settlement: Option<Settlement>,
    charge: Option<Charge>,
}

impl Claim {
    fn is_made(&mut self, demand: &Demand, made: Made) {
        let spent: Vec<_> = made.spent.iter().map(|spent| spent.map(|spent| (made.month, spent))).collect();
        self.charge = Some(self.limiter.book.follow(demand, &spent));
        self.settlement = Some(Settlement { demand: demand.clone(), made: Some(made), tokens: 0 });
    }

    fn end(&mut self, tokens: u64) {
        if let Some(charge) = self.charge.take() {
            self.limiter.book.settle(&charge, tokens);
        }
        if let Some(settlement) = self.settlement.take() {
            self.limiter.settle(Settlement { tokens, ..settlement });
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.end(0);
    }
}

/// A settlement on its way. Dropped before Redis has it, because Redis does not answer or the thread ends, it waits in its
/// place in the queue.
struct Sending {
    limiter: Arc<SharedLimiter>,
    settlement: Option<(mpsc::OwnedPermit<Settlement>, Settlement)>,
}

impl Sending {
    async fn send(mut self) {
        let Some((_, settlement)) = &self.settlement else { return };
        let call = self.limiter.scripts.settle(settlement);
        if self.limiter.link.ask::<i64>(&call, BACKGROUND_WAIT).await.is_ok() {
            self.settlement = None;
            self.limiter.count_settled(1);
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some((place, settlement)) = self.settlement.take() {
            place.send(settlement);
        }
    }
}

fn unsure(demand: &Demand) -> Settlement {
    Settlement { demand: demand.clone(), made: None, tokens: 0 }
}
