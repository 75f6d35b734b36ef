//! The gate: a [`Permit`] is the only way for a request to reach the engine, and only [`Admission`] makes one.
//! A permit holds what the request reserved at its limits and the tab that it is metered on, and is inside the answer's
//! stream: however that ends, both are settled with what was really used. The gate also counts what is in flight, so that
//! a stopping server knows when it is done.

mod account;
mod running;
mod spend;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::Stream;
use tenora_adapter_store::{AdapterName, AdapterStore, Cap, LimitOverrides, Outcome, Tenant, VersionNumber};
use tenora_engine::{CacheDomain, Event, TokenStream};
use tokio::sync::watch;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::{Instrument, info_span};

use self::{
    account::Account,
    running::{Run, Running},
};
use crate::{
    auth::{Caller, Identity},
    error::ApiError,
    limits::{Limiter, LimiterStats, LimiterStatus, Limits, Standing, Subject, SubjectKind},
    metering::{Meter, MeterStatus},
    scope,
    telemetry::generation::Tracked,
};

/// How often running credentials are looked at again when nobody reported a change.
const REVIEW: Duration = Duration::from_secs(1);

/// Who may go on to the engine, and what is in flight.
#[derive(Clone)]
pub struct Admission {
    load: Arc<watch::Sender<Load>>,
    running: Running,
    limiter: Limiter,
    meter: Meter,
    default_limits: LimitOverrides,
    longest: Duration,
}

/// What a generation asks for.
pub struct Demand {
    /// The adapter version that is to answer; `None` = the base model.
    pub adapter: Option<(AdapterName, VersionNumber)>,
    /// Tokens of prompt and answers at most.
    pub tokens: u64,
    /// Whom to tell how it goes.
    pub tracked: Tracked,
}

#[derive(Debug, Default)]
struct Load {
    in_flight: usize,
    draining: bool,
}

impl Admission {
    /// An open gate. `longest` is how long a generation may take.
    pub fn open(limiter: Limiter, meter: Meter, default_limits: LimitOverrides, longest: Duration) -> Self {
        let (load, running) = (Arc::new(watch::Sender::new(Load::default())), Running::default());
        Self { load, running, limiter, meter, default_limits, longest }
    }

    /// Lets a caller's generation through, or says when to come back.
    pub async fn admit(&self, caller: &Caller<scope::Chat>, demand: Demand) -> Result<Permit, ApiError> {
        let in_flight = self.enter()?;
        let (identity, tenant) = (caller.identity(), caller.tenant().id);
        let subjects = self.subjects(identity);
        let reserve = self.limiter.reserve(&subjects, demand.tokens, self.longest);
        let reservation = reserve.instrument(info_span!("admit")).await.map_err(ApiError::from)?;
        let mut tab = self.meter.open_tab(tenant, identity.credential())?;
        if let Some((adapter, version)) = demand.adapter {
            tab.answered_by(adapter, version);
        }
        Ok(Permit {
            domain: caller.cache_domain(),
            deadline: Instant::now() + self.longest,
            account: Account::open(reservation, tab, demand.tracked),
            run: self.running.enter(identity),
            in_flight,
        })
    }

    /// The limits of a tenant: its own, and the server's defaults.
    pub fn limits_of(&self, tenant: &Tenant) -> LimitOverrides {
        tenant.limits.or(self.default_limits)
    }

    /// What a tenant may use at most that has no limits of its own.
    pub fn default_limits(&self) -> LimitOverrides {
        self.default_limits
    }

    /// What is left now for the tenant, and for the key where it has limits of its own.
    pub async fn standing(&self, identity: &Identity) -> Vec<(SubjectKind, Standing)> {
        let mut all = Vec::new();
        for subject in self.subjects(identity) {
            all.push((subject.kind, self.limiter.standing(&subject).await));
        }
        all
    }

    /// How limits are enforced, and how far the usage rows are behind.
    pub fn status(&self) -> (LimiterStatus, MeterStatus) {
        (self.limiter.status(), self.meter.status())
    }

    /// What happened to limits while Redis was away.
    pub(crate) fn limiter_stats(&self) -> LimiterStats {
        self.limiter.stats()
    }

    /// Counts a tenant's or a key's month anew from the usage rows: nothing is counted while there is no budget.
    pub async fn recount(&self, id: uuid::Uuid) {
        if !self.limiter.recount(id).await {
            tracing::warn!(%id, "The month's counter is not begun anew: Redis did not answer");
        }
    }

    /// Settles what is left to settle and brings what was metered to the database, at most this long each.
    pub async fn flush(&self, timeout: Duration) {
        if tokio::time::timeout(timeout, self.limiter.flush()).await.is_err() {
            tracing::warn!("Some requests stay charged with their estimates: Redis did not answer");
        }
        self.meter.flush(timeout).await;
    }

    fn subjects(&self, identity: &Identity) -> Vec<Subject> {
        let tenant = Subject {
            id: identity.tenant().id.as_uuid(),
            kind: SubjectKind::Tenant,
            limits: of_requests(self.limits_of(identity.tenant())),
        };
        let key = identity.key_id().map(|id| Subject {
            id: id.as_uuid(),
            kind: SubjectKind::Key,
            limits: of_requests(identity.limits()),
        });
        [Some(tenant), key].into_iter().flatten().collect()
    }

    /// Ends the answers of credentials that were revoked, for as long as the server runs.
    pub async fn review(&self, store: &AdapterStore) {
        let mut changes = store.credential_changes();
        loop {
            // Also without a change: a request may have been let through just before one was known.
            _ = tokio::time::timeout(REVIEW, changes.changed()).await;
            self.running.review(store).await;
        }
    }

    /// Counts a request as in flight until the guard is dropped; refused while the server stops.
    pub fn enter(&self) -> Result<InFlight, ApiError> {
        let entered = self.load.send_if_modified(|load| {
            load.in_flight += usize::from(!load.draining);
            !load.draining
        });
        if entered { Ok(InFlight { load: Arc::clone(&self.load) }) } else { Err(ApiError::ShuttingDown) }
    }

    /// Whether the server is stopping.
    pub fn is_draining(&self) -> bool {
        self.load.borrow().draining
    }

    /// Closes the gate and waits until nothing is in flight, at most this long; returns how many are left.
    pub async fn drain(&self, timeout: Duration) -> usize {
        let mut load = self.load.subscribe();
        self.load.send_modify(|load| load.draining = true);
        let empty = load.wait_for(|load| load.in_flight == 0);
        match tokio::time::timeout(timeout, empty).await {
            Ok(_) => 0,
            Err(_) => self.load.borrow().in_flight,
        }
    }
}

/// Something in flight, for as long as this lives.
pub struct InFlight {
    load: Arc<watch::Sender<Load>>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.load.send_modify(|load| load.in_flight -= 1);
    }
}

/// The limits that a generation meets.
fn of_requests(limits: LimitOverrides) -> Limits {
    let most = |cap: Option<Cap>| cap.and_then(Cap::most);
    Limits {
        requests_per_minute: most(limits.requests_per_minute),
        tokens_per_minute: most(limits.tokens_per_minute),
        concurrent_requests: most(limits.concurrent_requests),
        monthly_tokens: most(limits.monthly_tokens),
    }
}

/// Proof that a generation passed authentication, ownership, limits and budget. It lives inside the answer's stream.
pub struct Permit {
    domain: CacheDomain,
    deadline: Instant,
    account: Account,
    run: Run,
    in_flight: InFlight,
}

impl Permit {
    /// The tenant that was admitted: the only one whose KV blocks the generation may share.
    pub(crate) fn cache_domain(&self) -> CacheDomain {
        self.domain
    }

    /// When its answer is of no use any more.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The engine did not take it.
    pub(crate) fn fail(mut self, error: &ApiError) {
        self.account.fail(error);
    }
}

/// The engine's answer with the permit it runs under: dropping it cancels the one and releases the other.
pub struct AdmittedStream {
    tokens: TokenStream,
    account: Account,
    revoked: Pin<Box<WaitForCancellationFutureOwned>>,
    _held: (Run, InFlight),
}

impl AdmittedStream {
    pub(crate) fn new(permit: Permit, tokens: TokenStream) -> Self {
        let Permit { mut account, run, in_flight, .. } = permit;
        account.follow(tokens.progress());
        Self { tokens, account, revoked: Box::pin(run.revoked().cancelled_owned()), _held: (run, in_flight) }
    }

    /// What was left of the limits when it was let through.
    pub(crate) fn standing(&self) -> Option<&Standing> {
        self.account.standing()
    }
}

impl Stream for AdmittedStream {
    type Item = Result<Event, ApiError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = match self.revoked.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(ApiError::CredentialRevoked))),
            Poll::Pending => Pin::new(&mut self.tokens).poll_next(context).map_err(ApiError::from),
        };
        match &polled {
            Poll::Ready(Some(Ok(Event::Done(_)))) => self.account.end(Outcome::Finished),
            Poll::Ready(Some(Ok(event))) => self.account.note(event),
            Poll::Ready(Some(Err(error))) => self.account.fail(error),
            Poll::Ready(None) => self.account.fail(&ApiError::ShuttingDown),
            Poll::Pending => {}
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gate without limits; nothing is metered in these tests.
    async fn gate() -> (Admission, tempfile::TempDir) {
        struct Nowhere;
        impl crate::metering::Sink for Nowhere {
            fn record<'a>(
                &'a self,
                _: &'a [tenora_adapter_store::UsageEvent],
            ) -> futures_util::future::BoxFuture<'a, Result<(), tenora_adapter_store::StoreError>>
            {
                Box::pin(async { Ok(()) })
            }
        }
        struct Nothing;
        impl crate::limits::MonthlySpend for Nothing {
            fn spent(
                &self,
                _: SubjectKind,
                _: uuid::Uuid,
                _: crate::limits::Month,
            ) -> futures_util::future::BoxFuture<'_, Result<u64, crate::limits::SpendError>> {
                Box::pin(async { Ok(0) })
            }
        }
        let dir = tempfile::tempdir().expect("a folder");
        let settings = crate::metering::MeterSettings::within(dir.path().to_owned());
        let meter = Meter::start(Nowhere, settings).await.expect("it starts");
        let limiter = Limiter::in_memory(Arc::new(Nothing));
        (Admission::open(limiter, meter, LimitOverrides::default(), Duration::from_secs(60)), dir)
    }

    #[tokio::test]
    async fn a_drain_waits_for_what_is_in_flight_and_lets_nothing_in() {
        let (gate, _dir) = gate().await;
        let running = gate.enter().expect("open");
        let drain = tokio::spawn({
            let gate = gate.clone();
            async move { gate.drain(Duration::from_secs(60)).await }
        });
        while !gate.is_draining() {
            tokio::task::yield_now().await;
        }
        assert!(matches!(gate.enter(), Err(ApiError::ShuttingDown)));
        assert!(!drain.is_finished());
        drop(running);
        assert_eq!(drain.await.expect("no panic"), 0);
    }

    #[tokio::test]
    async fn a_drain_gives_up_after_its_timeout_and_says_what_is_left() {
        let (gate, _dir) = gate().await;
        let _running = (gate.enter().expect("open"), gate.enter().expect("open"));
        assert_eq!(gate.drain(Duration::from_millis(100)).await, 2);
    }
}
