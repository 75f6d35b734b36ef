//! The scripts, what they are asked, and what they answer: no answer is believed to have the right shape.

use std::time::Duration;

use redis::{Script, ScriptInvocation};
use uuid::Uuid;

use crate::limits::{
    book::Decision,
    month::Month,
    standing::{Bucket, Refusal, Standing, Usage},
    subject::{Demand, MAX_AMOUNT, Subject},
    window::WINDOW_S,
};

/// Part of every key. Another version of the scripts gets another one, so that both can run during a rolling update,
/// each counting what its own replicas let through.
const VERSION: &str = "v1";
/// Numbers in an answer before those of the subjects, and of each subject.
const HEAD: usize = 6;
const PER_SUBJECT: usize = 6;

macro_rules! script {
    ($name:literal) => {
        Script::new(concat!(include_str!("v1/common.lua"), "\n", include_str!(concat!("v1/", $name, ".lua"))))
    };
}

/// All scripts, and the names of the keys.
pub(super) struct Scripts {
    prefix: String,
    reserve: Script,
    settle: Script,
    deposit: Script,
    beat: Script,
}

/// What is to be settled.
#[derive(Debug, Clone)]
pub(super) struct Settlement {
    pub(super) demand: Demand,
    /// `None` when it is not known whether the reservation was made.
    pub(super) made: Option<Made>,
    /// The truth; less than the estimate is a refund.
    pub(super) tokens: u64,
}

/// What Redis said when it made a reservation.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) month: Month,
    /// By subject: the count of the month that was charged, 0 = none.
    pub(super) generations: Vec<u64>,
    /// By subject: the month's tokens.
    pub(super) spent: Vec<Option<u64>>,
}

/// What a replica let through on its own, for one subject.
#[derive(Debug, Clone)]
pub(super) struct Deposit {
    /// So that it counts once, however often it is sent.
    pub(super) id: Uuid,
    pub(super) subject: Uuid,
    pub(super) months: Vec<(Month, u64)>,
    /// Age in seconds, requests, tokens.
    pub(super) slots: Vec<(u64, u64, u64)>,
}

/// The first value of a subject's month.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed {
    pub(super) subject: Uuid,
    pub(super) month: Month,
    pub(super) tokens: u64,
}

impl Scripts {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: format!("{prefix}limits:{VERSION}:"),
            reserve: script!("reserve"),
            settle: script!("settle"),
            deposit: script!("deposit"),
            beat: script!("beat"),
        }
    }

    fn key(&self, kind: &str, id: Uuid) -> String {
        [&self.prefix, kind, ":", id.simple().encode_lower(&mut Uuid::encode_buffer())].concat()
    }

    pub(super) fn month_key(&self, id: Uuid) -> String {
        self.key("month", id)
    }

    fn keys(&self, call: &mut ScriptInvocation<'_>, demand: &Demand) {
        call.key(self.key("open", demand.id));
        for subject in &demand.subjects {
            call.key(self.key("window", subject.id));
            call.key(self.key("places", subject.id));
            call.key(self.month_key(subject.id));
        }
    }

    /// `look` = only say what is left.
    pub(super) fn reserve(
        &self,
        demand: &Demand,
        look: bool,
        seeds: &[Seed],
        now_ms: Option<u64>,
    ) -> ScriptInvocation<'_> {
        let mut call = self.reserve.prepare_invoke();
        self.keys(&mut call, demand);
        call.arg(demand.id.simple().to_string()).arg(demand.tokens).arg(demand.longest_ms);
        call.arg(u8::from(look)).arg(number_or_nothing(now_ms)).arg(new_generation());
        for subject in &demand.subjects {
            let limits = &subject.limits;
            let each = [
                limits.requests_per_minute,
                limits.tokens_per_minute,
                limits.concurrent_requests,
                limits.monthly_tokens,
            ];
            for limit in each {
                call.arg(number_or_nothing(limit.map(|limit| limit.min(MAX_AMOUNT))));
            }
            let seed = seeds.iter().find(|seed| seed.subject == subject.id);
            call.arg(number_or_nothing(seed.map(|seed| seed.tokens)));
            call.arg(seed.map_or_else(String::new, |seed| seed.month.code().to_string()));
        }
        call
    }

    pub(super) fn settle(&self, settlement: &Settlement) -> ScriptInvocation<'_> {
        let Settlement { demand, made, tokens } = settlement;
        let mut call = self.settle.prepare_invoke();
        self.keys(&mut call, demand);
        call.arg(demand.id.simple().to_string()).arg(demand.tokens).arg(*tokens.min(&MAX_AMOUNT));
        call.arg(u8::from(made.is_none()));
        call.arg(made.as_ref().map_or(0, |made| made.month.code()));
        for index in 0..demand.subjects.len() {
            call.arg(made.as_ref().and_then(|made| made.generations.get(index).copied()).unwrap_or(0));
        }
        call
    }

    pub(super) fn deposit(&self, deposit: &Deposit, now_ms: Option<u64>) -> ScriptInvocation<'_> {
        let mut call = self.deposit.prepare_invoke();
        call.key(self.key("deposit", deposit.id));
        call.key(self.key("window", deposit.subject));
        call.key(self.month_key(deposit.subject));
        call.arg(number_or_nothing(now_ms)).arg(deposit.months.len());
        for (month, tokens) in &deposit.months {
            call.arg(month.code()).arg(*tokens);
        }
        for (age, requests, tokens) in &deposit.slots {
            call.arg(*age).arg(*requests).arg(*tokens);
        }
        call
    }

    pub(super) fn beat(&self, replica: Uuid, holds: Duration, now_ms: Option<u64>) -> ScriptInvocation<'_> {
        let mut call = self.beat.prepare_invoke();
        call.key(format!("{}replicas", self.prefix));
        call.arg(replica.simple().to_string()).arg(holds.as_millis() as u64).arg(number_or_nothing(now_ms));
        call
    }
}

/// What the reserve script answered; `None` = nothing that can be believed.
pub(super) fn decision(demand: &Demand, answer: &[i64]) -> Option<Decision<(Made, Standing)>> {
    let (head, rest) = answer.split_at_checked(HEAD)?;
    let [verdict, subject, bucket, wait, now_ms, month] = *<&[i64; HEAD]>::try_from(head).ok()?;
    let month = Month::from_code(month)?;
    if verdict == UNSEEDED {
        let subject = demand.subjects.get(usize::try_from(subject).ok()?)?;
        return Some(Decision::Unseeded(*subject, month));
    }
    if rest.len() != PER_SUBJECT * demand.subjects.len() {
        return None;
    }
    let now_ms = u64::try_from(now_ms).ok()?;
    let mut made = Made { month, generations: Vec::new(), spent: Vec::new() };
    let mut standing = Standing::default();
    for (subject, told) in demand.subjects.iter().zip(rest.chunks_exact(PER_SUBJECT)) {
        let (usage, generation) = usage(told, now_ms, month)?;
        made.generations.push(generation);
        made.spent.push(usage.spent);
        standing = standing.tightest(usage.standing(&subject.limits));
    }
    match verdict {
        ADMITTED => Some(Decision::Admitted((made, standing))),
        REFUSED => {
            let subject = demand.subjects.get(usize::try_from(subject).ok()?)?;
            let (bucket, limit) = bucket_of(bucket, subject)?;
            Some(Decision::Refused(Refusal {
                bucket,
                kind: subject.kind,
                limit,
                retry_after: u64::try_from(wait).ok().map(Duration::from_millis),
                standing: Box::new(standing),
            }))
        }
        _ => None,
    }
}

const ADMITTED: i64 = 0;
const REFUSED: i64 = 1;
const UNSEEDED: i64 = 2;

fn usage(told: &[i64], now_ms: u64, month: Month) -> Option<(Usage, u64)> {
    let [requests, tokens, last, places, spent, generation] = *<&[i64; PER_SUBJECT]>::try_from(told).ok()?;
    let leaves_s = u64::try_from(last).ok()?.saturating_add(WINDOW_S + 1);
    let usage = Usage {
        requests: u64::try_from(requests).ok()?,
        tokens: u64::try_from(tokens).ok()?,
        window_reset: Duration::from_millis(leaves_s.saturating_mul(1000).saturating_sub(now_ms)),
        places: u64::try_from(places).ok()?,
        spent: u64::try_from(spent).ok(),
        month_left: month.left(now_ms),
    };
    Some((usage, u64::try_from(generation).ok()?))
}

fn bucket_of(code: i64, subject: &Subject) -> Option<(Bucket, u64)> {
    let limits = &subject.limits;
    let (bucket, limit) = match code {
        0 => (Bucket::Requests, limits.requests_per_minute),
        1 => (Bucket::Tokens, limits.tokens_per_minute),
        2 => (Bucket::Concurrency, limits.concurrent_requests),
        3 => (Bucket::MonthlyTokens, limits.monthly_tokens),
        _ => return None,
    };
    Some((bucket, limit?))
}

fn number_or_nothing(number: Option<u64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// 40 random bits that are not 0: as many as Lua writes exactly.
fn new_generation() -> u64 {
    (Uuid::new_v4().as_u128() as u64 & ((1 << 40) - 1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::subject::{Limits, SubjectKind};

    #[test]
    fn no_answer_is_believed_to_have_the_right_shape() {
        let limits = Limits { requests_per_minute: Some(5), ..Limits::default() };
        let subject = Subject { id: Uuid::new_v4(), kind: SubjectKind::Key, limits };
        let demand = Demand::new(&[subject], 1, 1000).expect("limited");
        let good = [0, 0, 0, 0, 1_700_000_000_000, 202_311, 1, 1, 1_700_000_000, 0, -1, 0];
        assert!(matches!(decision(&demand, &good), Some(Decision::Admitted(_))));
        for wrong in [
            &good[..0],
            &good[..7],
            &[7, 0, 0, 0, 1, 202_311, 1, 1, 1, 0, -1, 0],
            &[1, 9, 0, 0, 1, 202_311, 1, 1, 1, 0, -1, 0],
            &[1, 0, 3, 0, 1, 202_311, 1, 1, 1, 0, -1, 0],
            &[0, 0, 0, 0, 1, 202_311, -1, 1, 1, 0, -1, 0],
            &[0, 0, 0, 0, 1, 202_313, 1, 1, 1, 0, -1, 0],
            &[2, -1, 0, 0, 1, 202_311],
        ] {
            assert!(decision(&demand, wrong).is_none(), "{wrong:?}");
        }
    }
}
