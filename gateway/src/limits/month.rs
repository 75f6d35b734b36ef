//! Calendar months, and where a month's counter gets its first value.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use time::{Date, OffsetDateTime};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::subject::{MAX_AMOUNT, Subject, SubjectKind};

/// A calendar month, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: time::Month,
}

impl Month {
    /// The month of this moment.
    pub fn of(at: OffsetDateTime) -> Self {
        let at = at.to_offset(time::UtcOffset::UTC);
        Self { year: at.year(), month: at.month() }
    }

    /// The year, such as 2026.
    pub fn year(self) -> i32 {
        self.year
    }

    /// The month's number, from 1 for January.
    pub fn number(self) -> u8 {
        self.month.into()
    }

    #[cfg(test)]
    pub(super) fn at_ms(ms: u64) -> Self {
        Self::of(moment(ms))
    }

    /// As in Redis: 202611 for November 2026.
    pub(super) fn code(self) -> i64 {
        i64::from(self.year) * 100 + i64::from(self.number())
    }

    pub(super) fn from_code(code: i64) -> Option<Self> {
        let month = u8::try_from(code % 100).ok()?;
        Some(Self { year: i32::try_from(code / 100).ok()?, month: month.try_into().ok()? })
    }

    /// From this moment to the month's end; zero when it is over.
    pub(super) fn left(self, ms: u64) -> Duration {
        let year = if self.month == time::Month::December { self.year + 1 } else { self.year };
        let Ok(next) = Date::from_calendar_date(year, self.month.next(), 1) else { return Duration::ZERO };
        Duration::try_from(next.midnight().assume_utc() - moment(ms)).unwrap_or(Duration::ZERO)
    }
}

fn moment(ms: u64) -> OffsetDateTime {
    let seconds = i64::try_from(ms / 1000).unwrap_or(0);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Why the usage rows did not answer.
pub type SpendError = Box<dyn Error + Send + Sync>;

/// What the usage rows say was spent. Asked when a month's counter is missing: at a month's start, or after Redis
/// lost its data.
pub trait MonthlySpend: Send + Sync {
    /// Tokens, of prompts and answers, that the subject has spent in the month.
    fn spent(&self, kind: SubjectKind, id: Uuid, month: Month) -> BoxFuture<'_, Result<u64, SpendError>>;
}

/// The usage rows are asked by this many requests at a time.
const TURNS: usize = 4;
/// A request waits this long for them.
const WAIT: Duration = Duration::from_secs(1);
/// For this long an answer serves all who asked the same, so that a busy tenant's month begins with one query.
const FRESH: Duration = Duration::from_secs(1);
const MAX_KEPT: usize = 1024;

/// Asks the usage rows, in bounded time and numbers.
pub(super) struct Seeder {
    spend: Arc<dyn MonthlySpend>,
    turns: Semaphore,
    kept: Mutex<HashMap<(Uuid, Month), (Instant, u64)>>,
}

impl Seeder {
    pub(super) fn new(spend: Arc<dyn MonthlySpend>) -> Self {
        Self { spend, turns: Semaphore::new(TURNS), kept: Mutex::default() }
    }

    /// Tokens spent; `None` when that cannot be known now.
    pub(super) async fn spent(&self, subject: &Subject, month: Month) -> Option<u64> {
        let Ok(answer) = tokio::time::timeout(WAIT, self.ask(subject, month)).await else {
            tracing::warn!(subject = %subject.id, "The usage rows did not answer in time; the monthly budget is unknown");
            return None;
        };
        match answer {
            Ok(spent) => Some(spent.min(MAX_AMOUNT)),
            Err(error) => {
                tracing::warn!(subject = %subject.id, %error, "The usage rows failed; the monthly budget is unknown");
                None
            }
        }
    }

    async fn ask(&self, subject: &Subject, month: Month) -> Result<u64, SpendError> {
        let _turn = self.turns.acquire().await?;
        if let Some(spent) = self.fresh(subject.id, month) {
            return Ok(spent);
        }
        let asked = Instant::now();
        let spent = self.spend.spent(subject.kind, subject.id, month).await?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert((subject.id, month), (asked, spent));
        Ok(spent)
    }

    /// The next question goes to the rows.
    pub(super) fn forget(&self, id: Uuid) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(other, _), _| *other != id);
    }

    fn fresh(&self, id: Uuid, month: Month) -> Option<u64> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(id, month)).filter(|(asked, _)| asked.elapsed() < FRESH).map(|(_, spent)| *spent)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn months_have_codes_and_ends() {
        let november = Month::of(datetime!(2026-11-30 23:59:30 UTC));
        assert_eq!((november.code(), november.year(), november.number()), (202_611, 2026, 11));
        assert_eq!(Month::from_code(202_611), Some(november));
        assert_eq!(Month::of(datetime!(2026-12-01 00:30 +1)), november);
        for code in [-1, 0, 202_600, 202_613, i64::MAX] {
            assert_eq!(Month::from_code(code), None, "{code}");
        }
        let left = |at: OffsetDateTime| Month::of(at).left(at.unix_timestamp() as u64 * 1000).as_secs();
        assert_eq!(left(datetime!(2026-11-30 23:59:30 UTC)), 30);
        assert_eq!(left(datetime!(2026-12-31 23:00 UTC)), 3600);
    }
}
