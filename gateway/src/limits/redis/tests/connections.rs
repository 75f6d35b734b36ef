//! Connections of threads: what order they keep, what outlives them, and what their end is not taken for.

use super::*;

#[tokio::test]
async fn who_comes_after_an_answer_finds_its_place_free() {
    let Some(fleet) = Fleet::open() else { return };
    let limiter = fleet.replica();
    let acme = tenant(Limits { concurrent_requests: Some(1), ..Limits::default() });
    for number in 0..200 {
        let held = limiter.reserve(&[acme], 1, LONGEST).await;
        held.unwrap_or_else(|refusal| panic!("request {number}: {refusal:?}")).settle(1);
        // As long as an answer takes at least to be written and another request to be read.
        tokio::task::yield_now().await;
    }
    limiter.flush().await;
    drop(limiter);
    fleet.close().await;
}

#[test]
fn a_settlement_outlives_the_thread_that_made_it() {
    let Some(fleet) = Fleet::open() else { return };
    let keeping = tokio::runtime::Runtime::new().unwrap();
    let (limiter, proxy) = keeping.block_on(fleet.replica_by_wire(UNHURRIED));
    let acme =
        tenant(Limits { tokens_per_minute: Some(100), concurrent_requests: Some(1), ..Limits::default() });
    let serving = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    serving.block_on(async {
        let held = limiter.reserve(&[acme], 100, LONGEST).await.unwrap();
        proxy.set(Wire::Stalled);
        held.settle(30);
        tokio::task::yield_now().await;
    });
    drop(serving);
    proxy.set(Wire::Open);
    keeping.block_on(async {
        limiter.flush().await;
        let watcher = fleet.replica();
        assert_eq!(left(&watcher, &acme).await, [None, Some(70), Some(1), None]);
        assert_eq!(limiter.stats().unsettled, 0);
        drop((limiter, watcher));
        fleet.close().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_were_closed_while_nobody_asked_are_no_outage() {
    let Some(fleet) = Fleet::open() else { return };
    let (one, proxy) = fleet.replica_by_wire(PATIENT).await;
    let acme = tenant(Limits { requests_per_minute: Some(1000), ..Limits::default() });
    for _ in 0..3 {
        for _ in 0..10 {
            let one = one.clone();
            let asked =
                tokio::spawn(async move { one.reserve(&[acme], 1, LONGEST).await.unwrap().settle(1) });
            asked.await.unwrap();
        }
        one.flush().await;
        proxy.set(Wire::Cut);
        // Long enough to be noticed by the wire, too short for the replica to ask anything.
        tokio::time::sleep(Duration::from_millis(20)).await;
        proxy.set(Wire::Open);
    }
    assert_eq!(left(&one, &acme).await[0], Some(970));
    assert_eq!(one.stats(), LimiterStats::default());
    drop(one);
    fleet.close().await;
}
