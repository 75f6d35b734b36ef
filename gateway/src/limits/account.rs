//! What one subject has used: pure counting, without clocks, locks or waits.

use std::{collections::BTreeSet, time::Duration};

use uuid::Uuid;

use super::{
    clock::Now,
    month::Month,
    standing::{Bucket, Meter, Standing, Usage, is_longer},
    subject::Limits,
    window::Window,
};

/// A place may be free at any moment.
const PLACE_RETRY: Duration = Duration::from_secs(1);
/// What is within the limit but not within a replica's share of it is worth another try when Redis may be back.
const SHARE_RETRY: Duration = Duration::from_secs(5);

/// The part of every limit that this process may give away: one of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share(pub(super) u64);

impl Share {
    pub(super) const WHOLE: Self = Self(1);

    /// Rounded down, so that the shares stay within the limit; at least 1 of what is not 0.
    pub(super) fn of(self, limit: u64) -> u64 {
        (limit / self.0.max(1)).max(limit.min(1))
    }
}

/// What is asked of one subject.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) limits: &'a Limits,
    pub(super) tokens: u64,
    pub(super) share: Share,
}

/// Why it cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Short {
    /// The month's counter needs its first value.
    Unseeded,
    /// There is too little left.
    Of { bucket: Bucket, limit: u64, wait: Option<Duration> },
}

/// One subject's counters.
#[derive(Debug, Default)]
pub(super) struct Account {
    requests: Window,
    tokens: Window,
    /// Requests that run, by the moment (ms) at which their place counts as free.
    places: BTreeSet<(u64, Uuid)>,
    spent: Option<Spent>,
}

/// Tokens of a month.
#[derive(Debug, Clone, Copy)]
struct Spent {
    month: Month,
    total: u64,
    /// The part of the total that all replicas knew when it was last read: what is beyond it is this process' own.
    known: u64,
    /// Tells this count from one that began anew, and knows nothing of what was charged before.
    generation: u64,
}

impl Account {
    /// Whether all of it can be had now; of what cannot, that which takes longest to come back. Changes nothing.
    pub(super) fn check(&mut self, now: Now, ask: Ask<'_>) -> Result<(), Short> {
        let mut short = self.short_of_month(now, ask)?;
        for next in [self.short_of_tokens(now, ask), self.short_of_requests(now, ask)] {
            short = longest(short, next);
        }
        longest(short, self.short_of_places(now, ask)).map_or(Ok(()), Err)
    }

    fn short_of_month(&mut self, now: Now, ask: Ask<'_>) -> Result<Option<Short>, Short> {
        let Some(limit) = ask.limits.monthly_tokens else { return Ok(None) };
        let Some(spent) = self.this_month(now) else { return Err(Short::Unseeded) };
        let left = left_of_month(spent, limit, ask.share);
        if ask.tokens <= left && spent.total <= limit {
            return Ok(None);
        }
        let for_the_month = spent.total.saturating_add(ask.tokens) > limit;
        let wait = (!for_the_month).then_some(SHARE_RETRY);
        Ok(Some(Short::Of { bucket: Bucket::MonthlyTokens, limit, wait }))
    }

    fn short_of_tokens(&mut self, now: Now, ask: Ask<'_>) -> Option<Short> {
        let limit = ask.limits.tokens_per_minute?;
        short_of(Bucket::Tokens, &mut self.tokens, now, (limit, ask.share, ask.tokens))
    }

    fn short_of_requests(&mut self, now: Now, ask: Ask<'_>) -> Option<Short> {
        let limit = ask.limits.requests_per_minute?;
        short_of(Bucket::Requests, &mut self.requests, now, (limit, ask.share, 1))
    }

    fn short_of_places(&mut self, now: Now, ask: Ask<'_>) -> Option<Short> {
        let limit = ask.limits.concurrent_requests?;
        let full = self.taken_places(now.ms) >= ask.share.of(limit);
        full.then_some(Short::Of {
            bucket: Bucket::Concurrency,
            limit,
            wait: (limit > 0).then_some(PLACE_RETRY),
        })
    }

    /// Charges what was checked, or what was admitted elsewhere.
    pub(super) fn charge(&mut self, now: Now, ask: Ask<'_>, place: (u64, Uuid)) {
        if ask.limits.by_minute() {
            self.requests.add(now.ms, 1);
            self.tokens.add(now.ms, ask.tokens);
        }
        if ask.limits.concurrent_requests.is_some() {
            self.places.insert(place);
        }
    }

    /// Charges the month; says to which count.
    pub(super) fn spend(&mut self, ask: Ask<'_>) -> Option<u64> {
        ask.limits.monthly_tokens?;
        let spent = self.spent.as_mut()?;
        spent.total = spent.total.saturating_add(ask.tokens);
        Some(spent.generation)
    }

    /// Gives the place back and corrects the window's tokens where they were charged.
    pub(super) fn settle(&mut self, limits: &Limits, made_ms: u64, place: (u64, Uuid), tokens: (u64, u64)) {
        if limits.by_minute() {
            self.tokens.correct(made_ms, tokens.0, tokens.1);
        }
        self.places.remove(&place);
    }

    /// Corrects the month's tokens. A count that began after the charge does not have it, and is charged the truth:
    /// twice, if the usage rows had it already, but never not at all.
    pub(super) fn correct_month(&mut self, month: Month, generation: u64, from: u64, to: u64) {
        if let Some(spent) = self.spent.as_mut().filter(|spent| spent.month == month) {
            let from = if spent.generation == generation { from } else { 0 };
            spent.total = spent.total.saturating_add(to).saturating_sub(from);
        }
    }

    /// What the usage rows say, unless the month is counted already.
    pub(super) fn seed(&mut self, month: Month, tokens: u64, generation: u64) {
        if self.spent.is_none_or(|spent| spent.month < month) {
            self.know(month, tokens, generation);
        }
    }

    /// What all replicas have spent, whatever was counted here.
    pub(super) fn know(&mut self, month: Month, tokens: u64, generation: u64) {
        self.spent = Some(Spent { month, total: tokens, known: tokens, generation });
    }

    /// Counts the month anew, from the usage rows.
    pub(super) fn recount(&mut self) {
        self.spent = None;
    }

    /// What is left; `None` while the month's counter needs its first value.
    pub(super) fn standing(&mut self, now: Now, limits: &Limits, share: Share) -> Option<Standing> {
        let spent = self.this_month(now);
        if limits.monthly_tokens.is_some() && spent.is_none() {
            return None;
        }
        let usage = Usage {
            requests: self.requests.sum(now.ms),
            tokens: self.tokens.sum(now.ms),
            window_reset: self.requests.reset(now.ms).max(self.tokens.reset(now.ms)),
            places: self.taken_places(now.ms),
            spent: spent.map(|spent| spent.total),
            month_left: now.month.left(now.ms),
        };
        let whole = usage.standing(limits);
        let shared = |meter: Option<Meter>, used: u64| {
            meter.map(|meter| meter.at_most(share.of(meter.limit).saturating_sub(used)))
        };
        Some(Standing {
            requests: shared(whole.requests, usage.requests),
            tokens: shared(whole.tokens, usage.tokens),
            concurrent_requests: shared(whole.concurrent_requests, usage.places),
            monthly_tokens: whole
                .monthly_tokens
                .zip(spent)
                .map(|(meter, spent)| meter.at_most(left_of_month(spent, meter.limit, share))),
        })
    }

    /// Whether forgetting it changes nothing: the usage rows know a month that is not counted here.
    pub(super) fn is_idle(&mut self, now: Now) -> bool {
        self.requests.sum(now.ms) == 0
            && self.tokens.sum(now.ms) == 0
            && self.taken_places(now.ms) == 0
            && self.this_month(now).is_none()
    }

    fn this_month(&self, now: Now) -> Option<Spent> {
        self.spent.filter(|spent| spent.month == now.month)
    }

    fn taken_places(&mut self, now_ms: u64) -> u64 {
        while self.places.first().is_some_and(|(free_ms, _)| *free_ms <= now_ms) {
            self.places.pop_first();
        }
        self.places.len() as u64
    }
}

fn short_of(bucket: Bucket, window: &mut Window, now: Now, ask: (u64, Share, u64)) -> Option<Short> {
    let (limit, share, more) = ask;
    let mine = share.of(limit);
    if window.sum(now.ms).saturating_add(more) <= mine {
        return None;
    }
    let wait = window.wait(now.ms, mine, more).or((more <= limit).then_some(SHARE_RETRY));
    Some(Short::Of { bucket, limit, wait })
}

/// What is left for this process: its share of what was left when all that was spent was last known.
fn left_of_month(spent: Spent, limit: u64, share: Share) -> u64 {
    let own = spent.total.saturating_sub(spent.known);
    share.of(limit.saturating_sub(spent.known)).saturating_sub(own).min(limit.saturating_sub(spent.total))
}

fn longest(one: Option<Short>, two: Option<Short>) -> Option<Short> {
    match (one, two) {
        (Some(Short::Of { wait: first, .. }), Some(Short::Of { wait: second, .. }))
            if is_longer(second, first) =>
        {
            two
        }
        (one, two) => one.or(two),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_stay_within_the_limit_but_nobody_starves() {
        for (limit, replicas, share) in [(10, 1, 10), (10, 3, 3), (2, 3, 1), (0, 3, 0), (7, 0, 7)] {
            assert_eq!(Share(replicas).of(limit), share, "{limit} among {replicas}");
        }
    }

    #[test]
    fn of_what_is_short_the_longest_wait_is_told() {
        let of = |seconds: Option<u64>| {
            let wait = seconds.map(Duration::from_secs);
            Some(Short::Of { bucket: Bucket::Tokens, limit: 1, wait })
        };
        assert_eq!(longest(of(Some(1)), of(Some(2))), of(Some(2)));
        assert_eq!(longest(of(None), of(Some(2))), of(None));
        assert_eq!(longest(None, of(Some(2))), of(Some(2)));
        assert_eq!(longest(of(Some(2)), None), of(Some(2)));
    }
}
