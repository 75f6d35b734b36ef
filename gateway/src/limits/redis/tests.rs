//! Replicas that share Redis: one limit for all of them, Redis going away in every way, and coming back.

mod connections;
#[path = "../../../../adapter-store/tests/contract/proxy.rs"]
mod proxy;
mod together;

use futures_util::future::join_all;
use redis::{AsyncCommands, aio::MultiplexedConnection};

use self::proxy::{Proxy, Wire};
use super::*;
use crate::limits::{
    Backend, Bucket, Limiter, Limits, Reservation,
    contract::{
        rig::{LONGEST, MONDAY, PATIENT, Rig, Rows, connection, prefix, remove, tenant},
        services,
    },
};

/// Longest that a reserve may take with Redis away: its 250 ms, and what a busy machine adds.
const BOUND: Duration = Duration::from_millis(400);
/// Long enough for a busy machine, short enough for a test.
const UNHURRIED: Duration = Duration::from_secs(1);
/// Longest until limits are exact again.
const BACK: Duration = Duration::from_secs(10);

/// Replicas with one Redis, by its own clock.
struct Fleet {
    url: String,
    prefix: String,
    rows: Arc<Rows>,
}

impl Fleet {
    fn open() -> Option<Self> {
        let url = services::url(services::REDIS)?;
        Some(Self { url, prefix: prefix(), rows: Arc::default() })
    }

    fn replica_at(&self, url: &str, wait: Duration) -> Limiter {
        let seeder = Seeder::new(self.rows.clone());
        let shared =
            SharedLimiter::open(&url.to_owned().into(), &self.prefix, seeder, Clock::system(), wait).unwrap();
        Limiter { backend: Backend::Redis(shared) }
    }

    /// One that takes a busy machine for no outage.
    fn replica(&self) -> Limiter {
        self.replica_at(&self.url, PATIENT)
    }

    /// One behind a wire.
    async fn replica_by_wire(&self, wait: Duration) -> (Limiter, Proxy) {
        let address = self.url.trim_start_matches("redis://").trim_end_matches('/');
        let proxy = Proxy::to(address).await;
        let limiter = self.replica_at(&format!("redis://{}", proxy.address), wait);
        until(|| matches!(limiter.status(), LimiterStatus::Exact { .. })).await;
        (limiter, proxy)
    }

    async fn connection(&self) -> MultiplexedConnection {
        connection(&self.url).await
    }

    async fn close(self) {
        remove(&self.url, &self.prefix).await;
    }
}

async fn until(holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < BACK, "not within {BACK:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn left(limiter: &Limiter, subject: &Subject) -> [Option<u64>; 4] {
    let standing = limiter.standing(subject).await;
    [standing.requests, standing.tokens, standing.concurrent_requests, standing.monthly_tokens]
        .map(|meter| meter.map(|meter| meter.remaining))
}

fn is_away(limiter: &Limiter) -> bool {
    matches!(limiter.status(), LimiterStatus::Fallback { .. })
}

/// Asks until it is refused.
async fn take_all(limiter: &Limiter, subject: Subject, tokens: u64) -> Vec<Reservation> {
    let mut taken = Vec::new();
    while let Ok(held) = limiter.reserve(&[subject], tokens, LONGEST).await {
        taken.push(held);
        assert!(taken.len() < 1000, "no limit");
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_under_load_admit_exactly_the_limit() {
    let Some(fleet) = Fleet::open() else { return };
    let replicas = [fleet.replica(), fleet.replica()];
    for (limits, tokens, exactly) in [
        (Limits { requests_per_minute: Some(137), ..Limits::default() }, 5, 137),
        (Limits { tokens_per_minute: Some(5000), ..Limits::default() }, 37, 135),
        (Limits { concurrent_requests: Some(41), ..Limits::default() }, 1, 41),
        (Limits { monthly_tokens: Some(9999), ..Limits::default() }, 100, 99),
    ] {
        let acme = tenant(limits);
        let started = Instant::now();
        let asked = (0..600).map(|number| {
            let limiter = replicas[number % 2].clone();
            tokio::spawn(async move { limiter.reserve(&[acme], tokens, LONGEST).await.ok() })
        });
        let held: Vec<Reservation> =
            join_all(asked).await.into_iter().filter_map(|asked| asked.unwrap()).collect();
        assert!(started.elapsed() < Duration::from_secs(50), "the machine is too busy to say");
        assert_eq!(held.len(), exactly, "{limits:?}");
        // Half of it is used: the other half is there again, and not more.
        held.into_iter().for_each(|held| held.settle(tokens / 2));
        join_all(replicas.iter().map(Limiter::flush)).await;
        let used = exactly as u64 * (tokens / 2);
        let standing = left(&replicas[1], &acme).await;
        assert_eq!(standing[1], limits.tokens_per_minute.map(|limit| limit - used));
        assert_eq!(standing[2], limits.concurrent_requests);
        assert_eq!(standing[3], limits.monthly_tokens.map(|limit| limit - used));
    }
    assert!(replicas.iter().all(|replica| replica.stats() == LimiterStats::default()));
    until(|| replicas[0].status() == LimiterStatus::Exact { replicas: 2 }).await;
    drop(replicas);
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_lone_replica_keeps_the_limit_and_tells_later() {
    let Some(fleet) = Fleet::open() else { return };
    let (one, proxy) = fleet.replica_by_wire(UNHURRIED).await;
    let watcher = fleet.replica();
    let limits = Limits {
        requests_per_minute: Some(20),
        tokens_per_minute: Some(2000),
        concurrent_requests: Some(12),
        monthly_tokens: Some(10_000),
    };
    for outage in [Wire::Stalled, Wire::Cut] {
        // Both are counted: the share is half.
        until(|| one.status() == LimiterStatus::Exact { replicas: 2 }).await;
        let acme = tenant(limits);
        let before = one.reserve(&[acme], 100, LONGEST).await.unwrap();
        let running = one.reserve(&[acme], 100, LONGEST).await.unwrap();
        proxy.set(outage);
        let alone = take_all(&one, acme, 100).await;
        assert!(is_away(&one));
        assert_eq!(alone.len(), 4, "{outage:?}: six places, of which two were taken");
        alone.into_iter().for_each(|held| held.settle(60));
        before.settle(10);
        for _ in 0..4 {
            // Ten requests, of which six were used.
            one.reserve(&[acme], 100, LONGEST).await.unwrap().settle(60);
        }
        let refusal = one.reserve(&[acme], 100, LONGEST).await.err().unwrap();
        assert_eq!(refusal.bucket, Bucket::Requests, "{refusal:?}");

        proxy.set(Wire::Open);
        until(|| !is_away(&one)).await;
        one.flush().await;
        let (requests, tokens) = (20 - 10, 2000 - 10 - 100 - 8 * 100);
        let month = 10_000 - 10 - 100 - 8 * 60;
        assert_eq!(
            left(&watcher, &acme).await,
            [Some(requests), Some(tokens), Some(11), Some(month)],
            "{outage:?}"
        );
        drop(running);
        one.flush().await;
        assert_eq!(left(&watcher, &acme).await[3], Some(month + 100));
    }
    assert_eq!((one.stats().fallbacks, one.stats().unsettled), (2, 0));
    drop((one, watcher));
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_waits_long_for_a_redis_that_is_away() {
    let Some(fleet) = Fleet::open() else { return };
    let (one, proxy) = fleet.replica_by_wire(RESERVE_WAIT).await;
    for outage in [Wire::Stalled, Wire::Cut, Wire::Stalled] {
        let acme = tenant(Limits { requests_per_minute: Some(1000), ..Limits::default() });
        proxy.set(outage);
        for _ in 0..50 {
            let started = Instant::now();
            one.reserve(&[acme], 1, LONGEST).await.unwrap().settle(1);
            assert!(started.elapsed() < BOUND, "{outage:?} took {:?}", started.elapsed());
        }
        assert!(is_away(&one), "{outage:?}");
        proxy.set(Wire::Open);
        until(|| !is_away(&one)).await;
        one.flush().await;
        let told = fleet.replica();
        assert_eq!(left(&told, &acme).await[0], Some(950), "{outage:?}");
    }
    assert_eq!(one.stats().unsettled, 0);
    drop(one);
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_while_redis_stalls_leaves_nothing_charged() {
    let Some(fleet) = Fleet::open() else { return };
    let (one, proxy) = fleet.replica_by_wire(PATIENT).await;
    let watcher = fleet.replica();
    let limits = Limits { tokens_per_minute: Some(100), concurrent_requests: Some(1), ..Limits::default() };
    let acme = tenant(Limits { monthly_tokens: Some(100), ..limits });
    assert_eq!(left(&watcher, &acme).await[3], Some(100), "the month is counted");
    proxy.set(Wire::Stalled);
    {
        let subjects = [acme];
        let asked = one.reserve(&subjects, 100, LONGEST);
        let gone = tokio::time::timeout(Duration::from_millis(10), asked).await;
        assert!(gone.is_err(), "the client hangs up");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    proxy.set(Wire::Open);
    one.flush().await;
    until(|| !is_away(&one)).await;
    assert_eq!(left(&watcher, &acme).await, [None, Some(100), Some(1), Some(100)]);
    drop((one, watcher));
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_redis_is_no_obstacle() {
    let fleet = Fleet { url: "redis://127.0.0.1:9".to_owned(), prefix: prefix(), rows: Arc::default() };
    let alone = fleet.replica_at(&fleet.url, RESERVE_WAIT);
    let acme = tenant(Limits { requests_per_minute: Some(3), monthly_tokens: Some(50), ..Limits::default() });
    fleet.rows.set(&acme, time::OffsetDateTime::now_utc(), 30);
    let started = Instant::now();
    assert_eq!(take_all(&alone, acme, 10).await.len(), 2, "the budget of the usage rows");
    assert!(started.elapsed() < 3 * BOUND, "{:?}", started.elapsed());
    let other = tenant(acme.limits);
    fleet.rows.fail(true);
    let refusal = alone.reserve(&[other], 10, LONGEST).await.err().unwrap();
    assert_eq!((refusal.bucket, refusal.retry_after.is_some()), (Bucket::MonthlyTokens, true));
    assert!(is_away(&alone));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_in_redis_is_overwritten() {
    let Some(rig) = Rig::redis().await else { return };
    let Some(fleet) = Fleet::open() else { return };
    let limits = Limits {
        requests_per_minute: Some(5),
        tokens_per_minute: Some(50),
        concurrent_requests: Some(5),
        monthly_tokens: Some(500),
    };
    let mut redis = fleet.connection().await;
    for kind in 0..4 {
        let acme = tenant(limits);
        let held = rig.reserve(&[acme], 10).await.unwrap();
        for key in rig.keys(&format!("*{}", acme.id.simple())).await {
            match kind {
                0 => redis.set::<_, _, ()>(&key, "garbage").await.unwrap(),
                1 => {
                    let _: () = redis.del(&key).await.unwrap();
                    let _: () = redis.rpush(&key, "garbage").await.unwrap();
                }
                2 if key.contains(":places:") => {
                    let _: () = redis.zadd(&key, "nobody", "inf").await.unwrap();
                }
                _ if key.contains(":places:") => {}
                _ => {
                    let value = if kind == 2 { "-7" } else { "99999999999999999999999999" };
                    let fields: Vec<String> = redis.hkeys(&key).await.unwrap();
                    for field in fields.iter().map(String::as_str).chain(["r:", "t:9x", "odd"]) {
                        let _: () = redis.hset(&key, field, value).await.unwrap();
                    }
                }
            }
        }
        rig.settle(held, 10).await;
        rig.advance(1000);
        assert!(rig.reserve(&[acme], 10).await.is_ok(), "kind {kind}");
        rig.advance(61_000);
        assert_eq!(rig.tokens_left(&acme).await, 50, "kind {kind}");
    }
    assert_eq!(rig.limiter.stats(), LimiterStats::default());
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_redis_has_lost_its_data_months_begin_with_the_usage_rows() {
    let Some(rig) = Rig::redis().await else { return };
    let Some(fleet) = Fleet::open() else { return };
    let acme = tenant(Limits { monthly_tokens: Some(1000), ..Limits::default() });
    rig.rows.set(&acme, MONDAY, 300);
    let running = rig.reserve(&[acme], 100).await.unwrap();
    assert_eq!(rig.month_left(&acme).await, 600);
    let mut redis = fleet.connection().await;
    for key in rig.keys("*").await {
        let _: () = redis.del(key).await.unwrap();
    }
    assert_eq!(rig.month_left(&acme).await, 700);
    rig.settle(running, 50).await;
    assert_eq!(rig.month_left(&acme).await, 650);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_and_a_deposit_count_once() {
    let Some(rig) = Rig::redis().await else { return };
    let Backend::Redis(shared) = &rig.limiter.backend else { panic!("in Redis") };
    let acme = tenant(Limits {
        tokens_per_minute: Some(1000),
        monthly_tokens: Some(1000),
        concurrent_requests: Some(1),
        ..Limits::default()
    });
    let demand = Demand::new(&[acme], 100, 60_000).unwrap();
    let made = shared.decide(&demand, false).await.made();
    // The same for another, so that a second refund would find something to take.
    let other = Demand::new(
        &[Subject { limits: Limits { concurrent_requests: None, ..acme.limits }, ..acme }],
        100,
        60_000,
    );
    shared.decide(&other.unwrap(), false).await.made();
    let settlement = Settlement { demand, made: Some(made), tokens: 30 };
    for _ in 0..3 {
        let call = shared.scripts.settle(&settlement);
        let _: i64 = shared.link.ask(&call, PATIENT).await.ok().unwrap();
    }
    assert_eq!(left(&rig.limiter, &acme).await, [None, Some(870), Some(1), Some(870)]);

    let month = crate::limits::Month::of(MONDAY);
    let deposit = script::Deposit {
        id: Uuid::new_v4(),
        subject: acme.id,
        months: vec![(month, 20)],
        slots: vec![(59, 1, 100), (0, 1, 10)],
    };
    for _ in 0..3 {
        let call = shared.scripts.deposit(&deposit, Some(rig.now_ms()));
        let _: i64 = shared.link.ask(&call, PATIENT).await.ok().unwrap();
    }
    assert_eq!(left(&rig.limiter, &acme).await, [None, Some(760), Some(1), Some(850)]);
    rig.advance(2000);
    // What was given up before it arrived is not charged when it does.
    let late = Demand::new(&[acme], 100, 60_000).unwrap();
    let call = shared.scripts.settle(&unsure(&late));
    let _: i64 = shared.link.ask(&call, PATIENT).await.ok().unwrap();
    assert!(shared.decide(&late, false).await.is_err());
    assert_eq!(left(&rig.limiter, &acme).await, [None, Some(860), Some(1), Some(850)], "in its slot");
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_gives_nothing_away() {
    let Some(rig) = Rig::redis().await else { return };
    for (back_s, frees_after_s) in [(30, 91), (3600, 61)] {
        rig.set(MONDAY);
        let acme = tenant(Limits { requests_per_minute: Some(1), ..Limits::default() });
        drop(rig.reserve(&[acme], 0).await.unwrap());
        rig.set(MONDAY - Duration::from_secs(back_s));
        rig.refused(&[acme], 0).await;
        rig.advance((frees_after_s - 1) * 1000);
        rig.refused(&[acme], 0).await;
        rig.advance(1000);
        drop(rig.reserve(&[acme], 0).await.expect("has left the window"));
    }
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_of_a_busy_subject_is_bounded() {
    let Some(rig) = Rig::redis().await else { return };
    let acme = tenant(Limits {
        requests_per_minute: Some(10_000),
        concurrent_requests: Some(9),
        ..Limits::default()
    });
    for _ in 0..200 {
        let held = rig.reserve(&[acme], 1).await.unwrap();
        rig.settle(held, 1).await;
        rig.advance(1000);
    }
    let Some(fleet) = Fleet::open() else { return };
    let mut redis = fleet.connection().await;
    let found = rig.keys("*").await;
    let window = found.iter().find(|key| key.contains(":window:")).unwrap();
    let fields: usize = redis.hlen(window).await.unwrap();
    assert!(fields <= 2 * 61 + 4, "{fields} fields");
    assert!(found.iter().all(|key| !key.contains(":open:") && !key.contains(":places:")), "{found:?}");
    for key in found {
        let ttl: i64 = redis.ttl(key).await.unwrap();
        assert!(ttl > 0, "every key ends by itself");
    }
    rig.close().await;
}

/// What was decided, in a test that knows how.
trait Decided {
    fn made(self) -> Made;
}

impl Decided for Result<Result<(Made, Standing), Refusal>, Away> {
    fn made(self) -> Made {
        self.expect("Redis answers").expect("within the limits").0
    }
}
