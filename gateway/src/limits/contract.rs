//! What the limiter promises, run in this process and in Redis; the time is the test's own.

pub(super) mod rig;
#[path = "../../../adapter-store/tests/contract/services.rs"]
pub(super) mod services;

use std::time::Duration;

use time::{OffsetDateTime, macros::datetime};

use self::rig::{LONGEST, MONDAY, Rig, key, tenant};
use super::*;

/// Runs each test against each backend.
macro_rules! on_both_backends {
    ($($test:ident),+ $(,)?) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&super::Rig::memory()).await;
            })+
        }
        mod in_redis {
            $(#[tokio::test]
            async fn $test() {
                if let Some(rig) = super::Rig::redis().await {
                    super::$test(&rig).await;
                    assert_eq!(rig.limiter.stats(), super::LimiterStats::default());
                    rig.close().await;
                }
            })+
        }
    };
}

on_both_backends!(
    requests_in_any_minute_stay_within_the_limit,
    tokens_are_reserved_and_settled_with_the_truth,
    what_was_used_beyond_the_estimate_is_charged,
    a_settlement_after_its_minute_changes_nothing,
    places_are_given_back,
    a_place_outlives_its_request_until_the_deadline_only,
    all_subjects_are_charged_or_none,
    the_longest_wait_is_told,
    what_can_never_be_had_says_so,
    a_request_without_limits_asks_nobody,
    a_month_begins_with_the_usage_rows,
    a_month_that_is_over_is_settled_apart,
    months_end_when_the_calendar_says,
    an_unknown_budget_refuses_and_recovers,
    a_month_is_counted_anew_without_losing_what_runs,
    standings_are_of_the_tightest_subject,
);

fn limits() -> Limits {
    Limits::default()
}

async fn requests_in_any_minute_stay_within_the_limit(rig: &Rig) {
    let acme = tenant(Limits { requests_per_minute: Some(3), ..limits() });
    rig.advance(700);
    for remaining in [2, 1, 0] {
        let admitted = rig.reserve(&[acme], 0).await.expect("within");
        assert_eq!(admitted.standing().requests.expect("limited").remaining, remaining);
        rig.advance(1000);
    }
    // The three began at 0.7, 1.7 and 2.7; the first leaves with its second, at 61.
    let refusal = rig.refused(&[acme], 0).await;
    assert_eq!((refusal.bucket, refusal.limit), (Bucket::Requests, 3));
    assert_eq!(refusal.retry_after, Some(Duration::from_millis(57_300)));
    rig.advance(57_299);
    assert_eq!(rig.refused(&[acme], 0).await.retry_after, Some(Duration::from_millis(1)));
    rig.advance(1);
    drop(rig.reserve(&[acme], 0).await.expect("the first has left"));
    assert_eq!(rig.refused(&[acme], 0).await.retry_after, Some(Duration::from_secs(1)));
    // A pause longer than the window forgets everything.
    rig.advance(3_600_000);
    assert_eq!(rig.limiter.standing(&acme).await.requests.expect("limited").remaining, 3);
}

async fn tokens_are_reserved_and_settled_with_the_truth(rig: &Rig) {
    let acme = tenant(Limits { tokens_per_minute: Some(100), ..limits() });
    let first = rig.reserve(&[acme], 60).await.expect("within");
    let refusal = rig.refused(&[acme], 41).await;
    assert_eq!((refusal.bucket, refusal.limit), (Bucket::Tokens, 100));
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(61)));
    assert_eq!(refusal.standing.tokens.expect("limited").remaining, 40);

    rig.settle(first, 10).await;
    assert_eq!(rig.tokens_left(&acme).await, 90);
    let second = rig.reserve(&[acme], 90).await.expect("refunded");
    rig.advance(10_000);
    assert_eq!(rig.refused(&[acme], 1).await.retry_after, Some(Duration::from_secs(51)));
    rig.drop(second).await;
    assert_eq!(rig.tokens_left(&acme).await, 90, "a dropped request is refunded whole");
}

async fn what_was_used_beyond_the_estimate_is_charged(rig: &Rig) {
    let limited = Limits { tokens_per_minute: Some(100), monthly_tokens: Some(1000), ..limits() };
    let acme = tenant(limited);
    let held = rig.reserve(&[acme], 50).await.expect("within");
    rig.settle(held, 130).await;
    let standing = rig.limiter.standing(&acme).await;
    assert_eq!(standing.tokens.expect("limited").remaining, 0);
    assert_eq!(standing.monthly_tokens.expect("limited").remaining, 870);
    rig.advance(61_000);
    assert_eq!(rig.tokens_left(&acme).await, 100);
}

async fn a_settlement_after_its_minute_changes_nothing(rig: &Rig) {
    let acme = tenant(Limits { tokens_per_minute: Some(100), ..limits() });
    let long = rig.reserve(&[acme], 80).await.expect("within");
    rig.advance(61_000);
    let other = rig.reserve(&[acme], 70).await.expect("the first has left");
    rig.settle(long, 10).await;
    assert_eq!(rig.tokens_left(&acme).await, 30);
    rig.settle(other, 70).await;
    assert_eq!(rig.tokens_left(&acme).await, 30);
}

async fn places_are_given_back(rig: &Rig) {
    let acme = tenant(Limits { concurrent_requests: Some(2), ..limits() });
    let one = rig.reserve(&[acme], 5).await.expect("within");
    let two = rig.reserve(&[acme], 5).await.expect("within");
    let refusal = rig.refused(&[acme], 5).await;
    assert_eq!((refusal.bucket, refusal.retry_after), (Bucket::Concurrency, Some(Duration::from_secs(1))));
    assert_eq!(refusal.standing.concurrent_requests.expect("limited").remaining, 0);
    rig.settle(one, 5).await;
    let three = rig.reserve(&[acme], 5).await.expect("given back by the end");
    rig.drop(two).await;
    let four = rig.reserve(&[acme], 5).await.expect("given back by a drop");
    rig.refused(&[acme], 5).await;
    rig.drop(three).await;
    rig.drop(four).await;
    assert_eq!(rig.limiter.standing(&acme).await.concurrent_requests.expect("limited").remaining, 2);
}

async fn a_place_outlives_its_request_until_the_deadline_only(rig: &Rig) {
    let acme = tenant(Limits { concurrent_requests: Some(1), ..limits() });
    let crashed = rig.reserve(&[acme], 0).await.expect("within");
    rig.advance(LONGEST.as_millis() as u64 - 1);
    rig.refused(&[acme], 0).await;
    rig.advance(1);
    let next = rig.reserve(&[acme], 0).await.expect("counts as free");
    rig.drop(crashed).await;
    rig.refused(&[acme], 0).await;
    rig.drop(next).await;
}

async fn all_subjects_are_charged_or_none(rig: &Rig) {
    let all = Limits {
        requests_per_minute: Some(10),
        tokens_per_minute: Some(1000),
        concurrent_requests: Some(10),
        monthly_tokens: Some(5000),
    };
    let (acme, small) = (tenant(all), key(Limits { tokens_per_minute: Some(100), ..limits() }));
    let held = rig.reserve(&[acme, small], 60).await.expect("within");
    let before = rig.limiter.standing(&acme).await;
    let refusal = rig.refused(&[acme, small], 60).await;
    assert_eq!((refusal.kind, refusal.bucket, refusal.limit), (SubjectKind::Key, Bucket::Tokens, 100));
    assert_eq!(rig.limiter.standing(&acme).await, before);
    // The same with the tenant's limit, and in the other order.
    let large = key(Limits { tokens_per_minute: Some(10_000), ..limits() });
    for subjects in [[acme, large], [large, acme]] {
        assert_eq!(rig.refused(&subjects, 950).await.kind, SubjectKind::Tenant);
        assert_eq!(rig.tokens_left(&large).await, 10_000);
    }
    rig.settle(held, 10).await;
    let after = rig.limiter.standing(&acme).await;
    assert_eq!(after.requests.expect("limited").remaining, 9);
    assert_eq!(after.tokens.expect("limited").remaining, 990);
    assert_eq!(after.concurrent_requests.expect("limited").remaining, 10);
    assert_eq!(after.monthly_tokens.expect("limited").remaining, 4990);
    assert_eq!(rig.tokens_left(&small).await, 90);
}

async fn the_longest_wait_is_told(rig: &Rig) {
    let acme = tenant(Limits { requests_per_minute: Some(1), concurrent_requests: Some(1), ..limits() });
    let small = key(Limits { tokens_per_minute: Some(10), ..limits() });
    let held = rig.reserve(&[acme, small], 10).await.expect("within");
    rig.advance(5_000);
    assert_eq!(rig.refused(&[acme, small], 1).await.retry_after, Some(Duration::from_secs(56)));
    let refusal = rig.refused(&[acme, small], 11).await;
    assert_eq!((refusal.bucket, refusal.retry_after), (Bucket::Tokens, None));
    rig.drop(held).await;
}

async fn what_can_never_be_had_says_so(rig: &Rig) {
    let tokens = tenant(Limits { tokens_per_minute: Some(10), ..limits() });
    assert_eq!(rig.refused(&[tokens], 11).await.retry_after, None);
    assert_eq!(rig.refused(&[tokens], u64::MAX).await.retry_after, None);
    for (limited, bucket) in [
        (Limits { requests_per_minute: Some(0), ..limits() }, Bucket::Requests),
        (Limits { tokens_per_minute: Some(0), ..limits() }, Bucket::Tokens),
        (Limits { concurrent_requests: Some(0), ..limits() }, Bucket::Concurrency),
        (Limits { monthly_tokens: Some(0), ..limits() }, Bucket::MonthlyTokens),
    ] {
        let refusal = rig.refused(&[tenant(limited)], 1).await;
        assert_eq!((refusal.bucket, refusal.limit, refusal.retry_after), (bucket, 0, None));
    }
    let vast = tenant(Limits { tokens_per_minute: Some(u64::MAX), ..limits() });
    drop(rig.reserve(&[vast], 1_000_000).await.expect("within"));
}

async fn a_request_without_limits_asks_nobody(rig: &Rig) {
    let free = rig.reserve(&[tenant(limits()), key(limits())], u64::MAX).await.expect("free");
    assert_eq!(*free.standing(), Standing::default());
    free.settle(5);
    drop(rig.reserve(&[], 5).await.expect("free"));
    let counted = tenant(Limits { requests_per_minute: Some(1), ..limits() });
    drop(rig.reserve(&[counted], 5).await.expect("within"));
    assert_eq!(rig.rows.asked(), 0, "nor are the usage rows asked without a monthly budget");
    assert!(rig.keys("*").await.iter().all(|key| key.contains(&counted.id.simple().to_string())
        || key.contains(":open:")
        || key.ends_with(":replicas")));
}

async fn a_month_begins_with_the_usage_rows(rig: &Rig) {
    let acme = tenant(Limits { monthly_tokens: Some(1000), ..limits() });
    rig.rows.set(&acme, MONDAY, 900);
    let refusal = rig.refused(&[acme], 101).await;
    assert_eq!((refusal.bucket, refusal.limit, refusal.retry_after), (Bucket::MonthlyTokens, 1000, None));
    assert_eq!(refusal.standing.monthly_tokens.expect("limited").remaining, 100);
    let held = rig.reserve(&[acme], 100).await.expect("within");
    rig.refused(&[acme], 1).await;
    rig.settle(held, 40).await;
    let held = rig.reserve(&[acme], 60).await.expect("refunded");
    rig.drop(held).await;
    let meter = rig.limiter.standing(&acme).await.monthly_tokens.expect("limited");
    assert_eq!((meter.limit, meter.remaining), (1000, 60));
    assert_eq!(rig.rows.asked(), 1, "the counter counts on by itself");
}

async fn a_month_that_is_over_is_settled_apart(rig: &Rig) {
    let acme = tenant(Limits { monthly_tokens: Some(1000), ..limits() });
    let end = datetime!(2026-11-30 23:59:59.900 UTC);
    rig.set(end);
    let late = rig.reserve(&[acme], 1000).await.expect("within");
    let reset = rig.limiter.standing(&acme).await.monthly_tokens.expect("limited").reset;
    assert!(reset <= Duration::from_secs(1), "{reset:?}");
    rig.advance(200);
    let next = rig.reserve(&[acme], 700).await.expect("a new month");
    rig.settle(late, 5).await;
    assert_eq!(rig.month_left(&acme).await, 300);
    rig.settle(next, 5).await;
    assert_eq!(rig.month_left(&acme).await, 995);
    assert_eq!(rig.rows.asked(), 2);
}

async fn months_end_when_the_calendar_says(rig: &Rig) {
    for (at, year, month) in [
        (datetime!(2026-12-31 23:59:59 UTC), 2026, 12),
        (datetime!(2027-01-01 0:00 UTC), 2027, 1),
        (datetime!(2027-02-28 23:59:59 UTC), 2027, 2),
        (datetime!(2027-03-01 0:00 UTC), 2027, 3),
        (datetime!(2028-02-29 12:00 UTC), 2028, 2),
        (datetime!(2028-03-01 0:00 UTC), 2028, 3),
        (datetime!(2100-02-28 23:59:59 UTC), 2100, 2),
        (datetime!(2100-03-01 0:00 UTC), 2100, 3),
    ] {
        rig.set(at);
        let acme = tenant(Limits { monthly_tokens: Some(10), ..limits() });
        drop(rig.reserve(&[acme], 1).await.expect("within"));
        let asked = rig.rows.last_month().expect("asked");
        assert_eq!((asked.year(), asked.number()), (year, month), "{at}");
    }
}

async fn an_unknown_budget_refuses_and_recovers(rig: &Rig) {
    let all = Limits { requests_per_minute: Some(5), monthly_tokens: Some(10), ..limits() };
    let acme = tenant(all);
    rig.rows.fail(true);
    let refusal = rig.refused(&[acme], 1).await;
    assert_eq!((refusal.bucket, refusal.retry_after), (Bucket::MonthlyTokens, Some(UNKNOWN_RETRY)));
    assert_eq!(rig.limiter.standing(&acme).await.monthly_tokens, None);
    // Who has no budget is not concerned.
    drop(
        rig.reserve(&[tenant(Limits { requests_per_minute: Some(1), ..limits() })], 1).await.expect("within"),
    );
    rig.rows.fail(false);
    let held = rig.reserve(&[acme], 1).await.expect("known");
    assert_eq!(held.standing().requests.expect("limited").remaining, 4, "the refused one was not charged");
    // What is known needs no rows.
    rig.rows.fail(true);
    rig.settle(held, 1).await;
    drop(rig.reserve(&[acme], 1).await.expect("known"));
}

async fn a_month_is_counted_anew_without_losing_what_runs(rig: &Rig) {
    let acme = tenant(Limits { monthly_tokens: Some(1000), ..limits() });
    let running = rig.reserve(&[acme], 100).await.expect("within");
    rig.rows.set(&acme, MONDAY, 500);
    assert!(rig.limiter.recount(acme.id).await);
    assert_eq!(rig.month_left(&acme).await, 500, "as the rows say");
    rig.settle(running, 30).await;
    assert_eq!(rig.month_left(&acme).await, 470, "and what was running");
}

async fn standings_are_of_the_tightest_subject(rig: &Rig) {
    let acme = tenant(Limits { requests_per_minute: Some(100), tokens_per_minute: Some(50), ..limits() });
    let ci = key(Limits { requests_per_minute: Some(2), tokens_per_minute: Some(5000), ..limits() });
    rig.advance(300);
    let held = rig.reserve(&[acme, ci], 10).await.expect("within");
    let reset = Duration::from_millis(60_700);
    let standing = Standing {
        requests: Some(Meter { limit: 2, remaining: 1, reset }),
        tokens: Some(Meter { limit: 50, remaining: 40, reset }),
        ..Standing::default()
    };
    assert_eq!(*held.standing(), standing);
    rig.drop(held).await;
    let standing = rig.limiter.standing(&acme).await;
    assert_eq!(standing.requests, Some(Meter { limit: 100, remaining: 99, reset }));
    assert_eq!(standing.tokens, Some(Meter { limit: 50, remaining: 50, reset: Duration::ZERO }));
    assert_eq!(rig.limiter.standing(&tenant(limits())).await, Standing::default());
}

/// Checks the tests' own clock.
#[test]
fn the_clock_begins_on_a_full_second() {
    assert_eq!(MONDAY.unix_timestamp_nanos() % 1_000_000_000, 0);
    assert!(MONDAY > OffsetDateTime::UNIX_EPOCH);
}
