//! The cached keys of one issuer and when they are fetched again: by one task, whose cached answer everybody reads.
//!
//! Nobody waits for a fetch but those who name a key that is not there, and they cause one fetch in
//! [`Timing::refetch_interval`] at most, however many they are.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::Algorithm;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    key_set::{KeySet, VerifyingKey},
    source::{Fetched, Source},
};

/// How long keys are believed, and how often they may be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// Bounds on what `Cache-Control` may say.
    pub(super) min_age: Duration,
    /// The upper one: the longest that a removed key goes on working while its URL answers.
    pub(super) max_age: Duration,
    /// Where `Cache-Control` says nothing.
    pub(super) default_age: Duration,
    /// How often unknown keys may cause a fetch; also the longest wait between two tries that fail.
    pub(super) refetch_interval: Duration,
    /// The first wait after a try that failed; it doubles.
    pub(super) first_retry: Duration,
    /// How long keys are used beyond their age when no new ones can be had.
    pub(super) stale_if_error: Duration,
    /// How long one fetch may take.
    pub(super) request_timeout: Duration,
    /// How often a file is looked at.
    pub(super) file_poll: Duration,
}

impl Timing {
    /// What a server uses.
    pub(super) const DEFAULT: Self = Self {
        min_age: Duration::from_secs(5 * 60),
        max_age: Duration::from_secs(24 * 60 * 60),
        default_age: Duration::from_secs(15 * 60),
        refetch_interval: Duration::from_secs(30),
        first_retry: Duration::from_secs(1),
        stale_if_error: Duration::from_secs(4 * 60 * 60),
        request_timeout: Duration::from_secs(5),
        file_poll: Duration::from_secs(3),
    };

    /// The age of a fetched set.
    pub(super) fn bounded(&self, told: Option<Duration>) -> Duration {
        told.unwrap_or(self.default_age).clamp(self.min_age, self.max_age)
    }

    fn retry_after(&self, failures: u32) -> Duration {
        self.first_retry.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(self.refetch_interval)
    }
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer does not publish it.
    Unknown,
    /// The issuer's keys cannot be had, so that nobody knows.
    Unavailable,
}

/// What the task last found.
#[derive(Debug)]
struct Snapshot {
    keys: Arc<KeySet>,
    /// Until when `keys` count; `None` = there are none.
    usable_until: Option<Instant>,
    fetching: bool,
    /// Fetches that have ended.
    fetches: u64,
    last: Option<Fetch>,
}

#[derive(Debug, Clone, Copy)]
struct Fetch {
    ended: Instant,
    failed: bool,
}

impl Snapshot {
    fn usable(&self) -> Option<&KeySet> {
        self.usable_until.filter(|until| Instant::now() < *until).map(|_| self.keys.as_ref())
    }

    fn may_refetch(&self, timing: &Timing) -> bool {
        self.last.is_none_or(|last| last.ended.elapsed() >= timing.refetch_interval)
    }
}

/// The keys of one issuer, as fetched last. The task behind it ends with the last feed.
pub(super) struct KeyFeed {
    snapshot: watch::Receiver<Snapshot>,
    wake: mpsc::Sender<()>,
    timing: Timing,
}

impl KeyFeed {
    /// Begins to fetch, within a Tokio runtime. `known` are keys that were read before.
    pub(super) fn start(issuer: String, source: Source, timing: Timing, known: Option<KeySet>) -> Self {
        let usable_until = known.as_ref().map(|_| Instant::now() + timing.stale_if_error);
        let keys = Arc::new(known.unwrap_or_default());
        let first = Snapshot { keys, usable_until, fetching: true, fetches: 0, last: None };
        let (sender, snapshot) = watch::channel(first);
        let (wake, woken) = mpsc::channel(1);
        let refresher = Refresher { issuer, source, timing, snapshot: sender, failures: 0 };
        tokio::spawn(refresher.run(woken));
        Self { snapshot, wake, timing }
    }

    /// The key that a token's header means.
    pub(super) async fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Arc<VerifyingKey>, NoKey> {
        if let Ok(key) = self.cached(id, algorithm) {
            return Ok(key);
        }
        self.refetched().await;
        self.cached(id, algorithm)
    }

    fn cached(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Arc<VerifyingKey>, NoKey> {
        let snapshot = self.snapshot.borrow();
        let keys = snapshot.usable().ok_or(NoKey::Unavailable)?;
        let last_failed = snapshot.last.is_some_and(|last| last.failed);
        let missing = if last_failed { NoKey::Unavailable } else { NoKey::Unknown };
        keys.find(id, algorithm).ok_or(missing)
    }

    /// Waits for the fetch that is under way, or for one that may begin; else returns at once.
    async fn refetched(&self) {
        let mut snapshot = self.snapshot.clone();
        let seen = {
            let now = snapshot.borrow();
            if !now.fetching {
                if !now.may_refetch(&self.timing) {
                    return;
                }
                // A full channel holds somebody else's wish for the same fetch.
                _ = self.wake.try_send(());
            }
            now.fetches
        };
        let ended = snapshot.wait_for(|now| now.fetches > seen);
        _ = timeout(self.timing.request_timeout * 2, ended).await;
    }
}

/// The one task that fetches.
struct Refresher {
    issuer: String,
    source: Source,
    timing: Timing,
    snapshot: watch::Sender<Snapshot>,
    failures: u32,
}

impl Refresher {
    async fn run(mut self, mut woken: mpsc::Receiver<()>) {
        loop {
            let wait = self.fetch().await;
            let due = Instant::now() + wait;
            loop {
                tokio::select! {
                    () = sleep_until(due) => break,
                    wish = woken.recv() => match wish {
                        None => return,
                        Some(()) if self.snapshot.borrow().may_refetch(&self.timing) => break,
                        Some(()) => {}
                    },
                }
            }
        }
    }

    /// Fetches once, publishes what was found, and says how long to wait.
    async fn fetch(&mut self) -> Duration {
        self.snapshot.send_modify(|now| now.fetching = true);
        let outcome = self.source.fetch(&self.timing).await;
        self.log(&outcome);
        self.failures = if outcome.is_ok() { 0 } else { self.failures + 1 };
        let wait = match &outcome {
            Ok(fetched) => fetched.fresh_for,
            Err(_) => self.timing.retry_after(self.failures),
        };
        let ended = Instant::now();
        let stale = self.timing.stale_if_error;
        self.snapshot.send_modify(|now| {
            now.fetching = false;
            now.fetches += 1;
            now.last = Some(Fetch { ended, failed: outcome.is_err() });
            if let Ok(fetched) = outcome {
                now.usable_until = Some(ended + fetched.fresh_for + stale);
                now.keys = fetched.keys.map_or(now.keys.clone(), Arc::new);
            }
        });
        wait
    }

    /// An outage is told once, and its end.
    fn log(&self, outcome: &Result<Fetched, String>) {
        let issuer = self.issuer.as_str();
        match outcome {
            Ok(Fetched { keys: Some(keys), ignored, .. }) => {
                if let Some(reason) = ignored.first() {
                    tracing::warn!(
                        issuer,
                        ignored = ignored.len(),
                        reason,
                        "Some of an issuer's keys are not used"
                    );
                }
                tracing::info!(issuer, keys = keys.len(), "An issuer's keys are loaded");
            }
            Ok(_) if self.failures > 0 => tracing::info!(issuer, "An issuer's keys can be had again"),
            Err(cause) if self.failures == 0 => {
                tracing::warn!(
                    issuer,
                    cause,
                    "An issuer's keys cannot be fetched; those cached go on for a while"
                );
            }
            Ok(_) => {}
            Err(cause) => tracing::debug!(issuer, cause, "An issuer's keys still cannot be fetched"),
        }
    }
}
