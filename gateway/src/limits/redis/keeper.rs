//! What is done in the background: settlements that could not be written at once are written, the replica says that it
//! lives, and when Redis is back it is told what was let through without it.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    SharedLimiter,
    link::{Away, BACKGROUND_WAIT},
    script::{Deposit, Settlement},
};

/// How often a replica says that it lives.
const BEAT: Duration = Duration::from_secs(2);
/// For how long its word holds.
const ALIVE: Duration = Duration::from_secs(10);
/// How often Redis is tried while it is away.
const PROBE: Duration = Duration::from_millis(250);
/// Failed tries in a row after which a new connection is made.
const TRIES_PER_CONNECTION: u32 = 4;
/// How often a settlement fails, with Redis back each time, before it is given up.
const MAX_TRIES: u32 = 20;
/// Settlements and deposits that are on their way at the same time.
const BATCH: usize = 64;

/// Beats until the limiter is gone.
pub(super) async fn beat(limiter: Weak<SharedLimiter>) {
    let replica = Uuid::new_v4();
    let mut failed = 0;
    let mut owed = Vec::new();
    loop {
        let Some(limiter) = limiter.upgrade() else { return };
        match once(&limiter, replica, &mut owed).await {
            Ok(()) => {
                failed = 0;
                if !limiter.outage.is_over() {
                    // Those of other threads may not know yet that they lead nowhere.
                    limiter.link.reconnect();
                    limiter.outage.end();
                }
            }
            Err(Away) => {
                failed += 1;
                limiter.outage.begin();
                if failed % TRIES_PER_CONNECTION == 0 {
                    limiter.link.reconnect();
                }
            }
        }
        let (outage, pause) = (Arc::clone(&limiter.outage), if failed == 0 { BEAT } else { PROBE });
        drop(limiter);
        if failed == 0 {
            _ = tokio::time::timeout(pause, outage.noticed.notified()).await;
            // What has just failed is not asked again at once.
            if !outage.is_over() {
                tokio::time::sleep(PROBE).await;
            }
        } else {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Counts the replicas and pays what is owed; only then are limits exact.
async fn once(limiter: &SharedLimiter, replica: Uuid, owed: &mut Vec<Deposit>) -> Result<(), Away> {
    let call = limiter.scripts.beat(replica, ALIVE, limiter.book.dictated_ms());
    let alive: i64 = limiter.link.ask(&call, BACKGROUND_WAIT).await?;
    limiter.outage.count_replicas(u64::try_from(alive).unwrap_or(1));
    owed.extend(limiter.outage.take_debts(limiter.book.now().ms));
    while !owed.is_empty() {
        let batch = owed.len().min(BATCH);
        let paid = join_all(owed.iter().take(batch).map(async |deposit| {
            let call = limiter.scripts.deposit(deposit, limiter.book.dictated_ms());
            limiter.link.ask::<i64>(&call, BACKGROUND_WAIT).await
        }));
        for result in paid.await {
            result?;
        }
        owed.drain(..batch);
    }
    Ok(())
}

/// Writes settlements until the limiter is gone. While Redis is away they wait, in the order in which they came.
pub(super) async fn settle(limiter: Weak<SharedLimiter>, mut queue: mpsc::Receiver<Settlement>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let mut failed = 0;
        while !batch.is_empty() {
            let Some(limiter) = limiter.upgrade() else { return };
            if limiter.outage.is_over() {
                write(&limiter, &mut batch).await;
            }
            if batch.is_empty() {
                break;
            }
            if limiter.outage.is_over() {
                failed += 1;
                limiter.outage.begin();
            }
            if failed >= MAX_TRIES {
                limiter.give_up(batch.len());
                batch.clear();
            }
            drop(limiter);
            tokio::time::sleep(PROBE).await;
        }
    }
}

/// Takes out of the batch what could be written.
async fn write(limiter: &SharedLimiter, batch: &mut Vec<Settlement>) {
    let results = join_all(batch.iter().map(async |settlement| {
        let call = limiter.scripts.settle(settlement);
        limiter.link.ask::<i64>(&call, BACKGROUND_WAIT).await
    }));
    let mut results = results.await.into_iter();
    let before = batch.len();
    batch.retain(|_| results.next().is_none_or(|result| result.is_err()));
    limiter.count_settled(before - batch.len());
}
