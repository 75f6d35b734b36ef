//! What several replicas let through together while Redis is away for all of them, and a queue of settlements that is full.

use super::*;

/// Two replicas behind wires, each of which knows of both.
async fn two(fleet: &Fleet) -> ([Limiter; 2], [Proxy; 2]) {
    let (one, first) = fleet.replica_by_wire(UNHURRIED).await;
    let (two, second) = fleet.replica_by_wire(UNHURRIED).await;
    ([one, two], [first, second])
}

async fn know_each_other(replicas: &[Limiter; 2]) {
    until(|| replicas.iter().all(|replica| replica.status() == LimiterStatus::Exact { replicas: 2 })).await;
}

/// Both replicas are asked at once, far more often than the limit allows; how many each let through.
async fn press(replicas: &[Limiter; 2], subject: Subject, tokens: u64) -> [Vec<Reservation>; 2] {
    let ask = |number: usize| {
        let limiter = replicas[number % 2].clone();
        tokio::spawn(async move { (number % 2, limiter.reserve(&[subject], tokens, LONGEST).await.ok()) })
    };
    let mut held = [Vec::new(), Vec::new()];
    for asked in join_all((0..200).map(ask)).await {
        let (replica, reservation) = asked.unwrap();
        held[replica].extend(reservation);
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_fall_back_together_add_at_most_one_limit() {
    let Some(fleet) = Fleet::open() else { return };
    let (replicas, wires) = two(&fleet).await;
    let none = Limits::default();
    for outage in [Wire::Stalled, Wire::Cut] {
        know_each_other(&replicas).await;
        let requests = Limits { requests_per_minute: Some(41), ..none };
        let tokens = Limits { tokens_per_minute: Some(410), ..none };
        let places = Limits { concurrent_requests: Some(41), ..none };
        let month = Limits { monthly_tokens: Some(410), ..none };
        // Of each, one replica has let 30 through before, and they run.
        let busy = [requests, tokens, places, month].map(tenant);
        let mut before = Vec::new();
        for subject in busy {
            for _ in 0..30 {
                before.push(replicas[0].reserve(&[subject], 10, LONGEST).await.unwrap());
            }
        }
        let fresh = [requests, tokens, places, month].map(tenant);
        let tiny = tenant(Limits { requests_per_minute: Some(1), ..none });
        wires.iter().for_each(|wire| wire.set(outage));

        for subject in fresh {
            let [one, two] = press(&replicas, subject, 10).await;
            assert_eq!((one.len(), two.len()), (20, 20), "{outage:?}: shares, of {:?}", subject.limits);
        }
        for subject in &busy[..3] {
            // The one has given more than its share before, and gives nothing; the other has not.
            let [one, two] = press(&replicas, *subject, 10).await;
            assert_eq!((one.len(), two.len()), (0, 20), "{outage:?}: {:?}", subject.limits);
        }
        // The one knows that 110 were left, and gives half of them; the other asks the rows, which know of none yet.
        let [one, two] = press(&replicas, busy[3], 10).await;
        assert_eq!((one.len(), two.len()), (5, 20), "{outage:?}: {:?}", busy[3].limits);
        let [one, two] = press(&replicas, tiny, 10).await;
        assert_eq!((one.len(), two.len()), (1, 1), "{outage:?}: no replica starves");

        wires.iter().for_each(|wire| wire.set(Wire::Open));
        know_each_other(&replicas).await;
        join_all(replicas.iter().map(Limiter::flush)).await;
        // Both have told what they let through: nothing more is given, by either.
        for (subject, more) in [(fresh[0], 1), (fresh[1], 10), (busy[0], 0), (busy[1], 0), (tiny, 0)] {
            for replica in &replicas {
                let [requests, tokens, ..] = left(replica, &subject).await;
                assert_eq!(requests.or(tokens), Some(more), "{outage:?}: {:?}", subject.limits);
            }
        }
    }
    drop(replicas);
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finds_the_queue_of_settlements_full_stays_charged_and_holds_nobody_up() {
    const BEYOND: usize = 100;
    /// What the keeper has taken out of the queue to write.
    const TAKEN: usize = 64;
    let Some(fleet) = Fleet::open() else { return };
    let (one, wire) = fleet.replica_by_wire(PATIENT).await;
    let limits = Limits {
        requests_per_minute: Some(1_000_000),
        tokens_per_minute: Some(1_000_000),
        concurrent_requests: Some(1_000_000),
        monthly_tokens: Some(1_000_000),
    };
    let acme = tenant(limits);
    let (began, mut held) = (Instant::now(), Vec::new());
    while held.len() < MAX_SETTLEMENTS + TAKEN + BEYOND {
        let asked = (0..512).map(|_| {
            let limiter = one.clone();
            tokio::spawn(async move { limiter.reserve(&[acme], 10, LONGEST).await.unwrap() })
        });
        held.extend(join_all(asked).await.into_iter().map(Result::unwrap));
    }
    assert_eq!(one.stats(), LimiterStats::default(), "all were let through by Redis");
    let all = held.len();
    wire.set(Wire::Stalled);
    let started = Instant::now();
    held.into_iter().for_each(|held| held.settle(3));
    assert!(started.elapsed() < Duration::from_secs(2), "nobody waits for room: {:?}", started.elapsed());
    let given_up = usize::try_from(one.stats().unsettled).unwrap();
    let beyond = all - MAX_SETTLEMENTS;
    assert!((beyond - TAKEN..=beyond).contains(&given_up), "{given_up} of {beyond} beyond the queue");

    wire.set(Wire::Open);
    until(|| !is_away(&one)).await;
    one.flush().await;
    assert_eq!(one.stats().unsettled, given_up as u64, "everything that waited was written");
    let watcher = fleet.replica();
    let [requests, tokens, places, month] = left(&watcher, &acme).await.map(|left| 1_000_000 - left.unwrap());
    let charged = (3 * (all - given_up) + 10 * given_up) as u64;
    assert_eq!((places, month), (given_up as u64, charged), "estimates stay charged, and their places taken");
    // On a busy machine the window may have gone on.
    if began.elapsed() < Duration::from_secs(50) {
        assert_eq!((requests, tokens), (all as u64, charged));
    }
    drop((one, watcher));
    fleet.close().await;
}
