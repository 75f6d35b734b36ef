//! The gate: a [`Permit`] is the only way for a request to reach the engine, and only [`Admission`] makes one.
//! It also counts what is in flight, so that a stopping server knows when it is done.

mod running;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::Stream;
use tenora_adapter_store::AdapterStore;
use tenora_engine::{CacheDomain, Event, TokenStream};
use tokio::sync::watch;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::info_span;

use self::running::{Run, Running};
use crate::{auth::Caller, error::ApiError, scope};

/// How often running credentials are looked at again when nobody reported a change.
const REVIEW: Duration = Duration::from_secs(1);

/// Who may go on to the engine, and what is in flight.
#[derive(Clone)]
pub struct Admission {
    load: Arc<watch::Sender<Load>>,
    running: Running,
}

#[derive(Debug, Default)]
struct Load {
    in_flight: usize,
    draining: bool,
}

impl Admission {
    /// An open gate.
    pub fn open() -> Self {
        Self { load: Arc::new(watch::Sender::new(Load::default())), running: Running::default() }
    }

    /// Lets a caller's generation through, or says when to come back.
    pub fn admit(&self, caller: &Caller<scope::Chat>) -> Result<Permit, ApiError> {
        let _stage = info_span!("admit").entered();
        let in_flight = self.enter()?;
        Ok(Permit {
            domain: caller.cache_domain(),
            run: self.running.enter(caller.identity()),
            _in_flight: in_flight,
        })
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

/// Proof that a generation passed authentication, ownership and limits. It lives inside the answer's stream.
pub struct Permit {
    domain: CacheDomain,
    run: Run,
    _in_flight: InFlight,
}

impl Permit {
    /// The tenant that was admitted: the only one whose KV blocks the generation may share.
    pub(crate) fn cache_domain(&self) -> CacheDomain {
        self.domain
    }
}

/// The engine's answer with the permit it runs under: dropping it cancels the one and releases the other.
pub struct AdmittedStream {
    tokens: TokenStream,
    revoked: Pin<Box<WaitForCancellationFutureOwned>>,
    _permit: Permit,
}

impl AdmittedStream {
    pub(crate) fn new(permit: Permit, tokens: TokenStream) -> Self {
        Self { tokens, revoked: Box::pin(permit.run.revoked().cancelled_owned()), _permit: permit }
    }
}

impl Stream for AdmittedStream {
    type Item = Result<Event, ApiError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.revoked.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(ApiError::CredentialRevoked)));
        }
        Pin::new(&mut self.tokens).poll_next(context).map_err(ApiError::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_drain_waits_for_what_is_in_flight_and_lets_nothing_in() {
        let gate = Admission::open();
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

    #[tokio::test(start_paused = true)]
    async fn a_drain_gives_up_after_its_timeout_and_says_what_is_left() {
        let gate = Admission::open();
        let _running = (gate.enter().expect("open"), gate.enter().expect("open"));
        assert_eq!(gate.drain(Duration::from_secs(1)).await, 2);
    }
}
