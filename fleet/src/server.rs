//! One server: whether it may be asked, how busy it is, and which adapters it has.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tenora_engine::{
    AdapterFiles, AdapterRejection, Answer, CacheDomain, EngineError, Frontend, Observer, Progress,
    TokenStream, Trials, lora::codes,
};
use tokio::sync::mpsc;

use crate::{
    counts::Counts,
    folder::SharedFolder,
    generation::{Ended, Listener, Question, unavailable},
    names::{self, Digest, Salts},
    router::{self, Candidate},
    settings::ServerUrl,
    shelf::{Carrier, Lease, Shelf},
    vllm::{Gauges, Refusal, Vllm},
};

/// Time between two looks at a server.
const LOOK: Duration = Duration::from_secs(1);
/// Looks that must fail before a server is left out.
const MISSED_LOOKS: u32 = 2;
/// Failures in a row after which a server is left out for a while.
const FAILURES: u32 = 3;
/// How long: the first time, and at most.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Part of the KV blocks in use from which on a server is asked last.
const FULL: f64 = 0.95;
/// Events of a trial: all of them.
const TRIAL_EVENTS: usize = 16;

/// What all servers share.
pub(crate) struct Common {
    pub(crate) frontend: Frontend,
    pub(crate) folder: Arc<SharedFolder>,
    pub(crate) salts: Salts,
    /// What they call the base model.
    pub(crate) model: String,
    pub(crate) load_timeout: Duration,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) counts: Counts,
    /// Of all servers: no file of theirs is removed.
    pub(crate) shelves: OnceLock<Vec<Arc<Shelf>>>,
}

/// One server.
pub(crate) struct Server {
    pub(crate) url: ServerUrl,
    pub(crate) client: Vllm,
    pub(crate) shelf: Arc<Shelf>,
    id: u64,
    common: Arc<Common>,
    health: Mutex<Health>,
    in_flight: AtomicUsize,
    draining: AtomicBool,
}

struct Health {
    /// Looks that failed in a row; it begins unknown.
    missed: u32,
    has_base: bool,
    /// Requests that failed in a row.
    failures: u32,
    /// When it may be tried again.
    closed_until: Option<Instant>,
    gauges: Gauges,
    /// Requests of others at the last look.
    others: usize,
    /// The base's answer to the trial is one of this life of the server.
    trials: Arc<Trials>,
}

/// What can be said of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerState {
    /// It is asked.
    Ok,
    /// It ends what it has and gets no more.
    Draining,
    /// It does not answer.
    Unreachable,
    /// It has failed several times, and is left out for a while.
    Failing,
    /// It does not serve the base model.
    OtherModel,
}

/// A server, for those who look.
#[derive(Debug, Clone)]
pub struct ServerStatus {
    /// Its address.
    pub url: ServerUrl,
    /// Whether it is asked.
    pub state: ServerState,
    /// Requests of this process that it answers.
    pub in_flight: usize,
    /// Requests that it runs, of everybody.
    pub running: usize,
    /// Requests that wait there, of everybody.
    pub waiting: usize,
    /// Part of its KV blocks that are in use, from 0 to 1.
    pub kv_used: f64,
    /// Adapters that this process knows to be there.
    pub adapters: usize,
}

/// A request on its way through a server.
pub(crate) struct InFlight(Arc<Server>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Server {
    pub(crate) fn new(url: ServerUrl, client: Vllm, shelf: Arc<Shelf>, common: Arc<Common>) -> Arc<Self> {
        let health = Health {
            missed: MISSED_LOOKS,
            has_base: false,
            failures: 0,
            closed_until: None,
            gauges: Gauges::default(),
            others: 0,
            trials: Arc::new(Trials::of(&common.frontend)),
        };
        Arc::new(Self {
            id: router::id_of(&url.to_string()),
            shelf,
            health: Mutex::new(health),
            in_flight: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            url,
            client,
            common,
        })
    }

    /// Looks at the server once a second.
    pub(crate) async fn watch(self: Arc<Self>) {
        loop {
            self.look().await;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Asks the server how it is and what it has.
    pub(crate) async fn look(&self) {
        let known: HashSet<Digest> = self
            .shelf
            .look()
            .into_iter()
            .filter(|shelved| shelved.ready)
            .map(|shelved| shelved.digest)
            .collect();
        let told = tokio::try_join!(self.client.models(&self.common.model), self.client.gauges());
        let (there, has_base, gauges) = match told {
            Ok(((there, has_base), gauges)) => (there, has_base, gauges),
            Err(refusal) => return self.missed(&refusal),
        };
        let mut health = self.health();
        let before = self.state_of(&health);
        let began_anew = health.gauges.started != 0.0 && health.gauges.started != gauges.started;
        if began_anew || (health.missed >= MISSED_LOOKS && there.is_disjoint(&known)) {
            health.trials = Arc::new(Trials::of(&self.common.frontend));
        }
        if began_anew {
            tracing::info!(server = %self.url, "A server has begun anew");
            self.shelf.forget_all();
        }
        self.shelf.compare(&known, &there);
        (health.missed, health.has_base) = (0, has_base);
        health.gauges = gauges;
        health.others = (gauges.running + gauges.waiting).saturating_sub(self.in_flight.load(Relaxed));
        self.tell_change(before, self.state_of(&health));
    }

    fn missed(&self, refusal: &Refusal) {
        let mut health = self.health();
        let before = self.state_of(&health);
        health.missed = health.missed.saturating_add(1);
        tracing::debug!(server = %self.url, ?refusal, "A server does not say how it is");
        self.tell_change(before, self.state_of(&health));
    }

    fn tell_change(&self, before: ServerState, now: ServerState) {
        if before != now {
            tracing::info!(server = %self.url, ?before, ?now, "A server's state has changed");
        }
    }

    /// As the router sees it.
    pub(crate) fn candidate(&self) -> Candidate {
        let health = self.health();
        Candidate {
            id: self.id,
            open: self.state_of(&health) == ServerState::Ok,
            load: self.in_flight.load(Relaxed) + health.others,
            full: health.gauges.kv_used >= FULL,
        }
    }

    /// As the operator sees it.
    pub(crate) fn status(&self) -> ServerStatus {
        let health = self.health();
        ServerStatus {
            url: self.url.clone(),
            state: self.state_of(&health),
            in_flight: self.in_flight.load(Relaxed),
            running: health.gauges.running,
            waiting: health.gauges.waiting,
            kv_used: health.gauges.kv_used,
            adapters: self.shelf.look().iter().filter(|shelved| shelved.ready).count(),
        }
    }

    pub(crate) fn gauges(&self) -> Gauges {
        self.health().gauges
    }

    fn state_of(&self, health: &Health) -> ServerState {
        match () {
            () if self.draining.load(Relaxed) => ServerState::Draining,
            () if health.missed >= MISSED_LOOKS => ServerState::Unreachable,
            () if !health.has_base => ServerState::OtherModel,
            () if health.closed_until.is_some_and(|until| Instant::now() < until) => ServerState::Failing,
            () => ServerState::Ok,
        }
    }

    /// Gives it no more requests, or some again.
    pub(crate) fn drain(&self, draining: bool) {
        self.draining.store(draining, Relaxed);
    }

    /// Counts a request. While the server is on probation, the next ones go elsewhere.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        let mut health = self.health();
        if health.closed_until.is_some() {
            health.closed_until = Some(Instant::now() + pause(health.failures));
        }
        InFlight(Arc::clone(self))
    }

    /// A request was answered.
    pub(crate) fn answered(&self) {
        let mut health = self.health();
        (health.failures, health.closed_until) = (0, None);
    }

    /// A request failed, and not by its own fault.
    pub(crate) fn failed(&self, reason: &str) {
        tracing::warn!(server = %self.url, reason, "A server failed");
        let mut health = self.health();
        health.failures = health.failures.saturating_add(1);
        if health.failures >= FAILURES {
            health.closed_until = Some(Instant::now() + pause(health.failures));
        }
    }

    /// Has an adapter there.
    ///
    /// # Errors
    /// Why it cannot be there.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        files: &AdapterFiles,
        owner: CacheDomain,
    ) -> Result<Lease, EngineError> {
        let bytes = tokio::fs::metadata(&files.weights).await.map_or(0, |file| file.len());
        let carrier = Arc::new(To { server: Arc::clone(self), files: files.clone() });
        self.shelf.acquire((files.digest, owner, bytes), carrier).await
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a server is left out.
fn pause(failures: u32) -> Duration {
    LONGEST_PAUSE.min(PAUSE * 2_u32.saturating_pow(failures.saturating_sub(FAILURES).min(5)))
}

/// An adapter on its way to a server.
struct To {
    server: Arc<Server>,
    files: AdapterFiles,
}

impl Carrier for To {
    async fn load(&self) -> Result<(), EngineError> {
        let begun = Instant::now();
        let Common { observer, counts, .. } = &*self.server.common;
        match self.load_and_try().await {
            Ok(()) => {
                counts.loads.fetch_add(1, Relaxed);
                observer.loaded(begun.elapsed());
                Ok(())
            }
            Err(error) => {
                counts.load_failures.fetch_add(1, Relaxed);
                tracing::warn!(server = %self.server.url, %error, "An adapter could not be loaded");
                Err(error)
            }
        }
    }

    async fn unload(&self, digest: &Digest) -> Result<(), EngineError> {
        self.server.client.unload(digest).await.map_err(unavailable)?;
        self.server.common.counts.unloads.fetch_add(1, Relaxed);
        Ok(())
    }
}

impl To {
    async fn load_and_try(&self) -> Result<(), EngineError> {
        let Common { folder, load_timeout, shelves, .. } = &*self.server.common;
        let all = shelves.get().into_iter().flatten().flat_map(|shelf| shelf.look());
        let loaded = all.map(|shelved| shelved.digest).collect();
        let path = folder.place(self.files.clone(), loaded).await?;
        let digest = &self.files.digest;
        self.server.client.load(digest, &path, *load_timeout).await.map_err(|refusal| match refusal {
            Refusal::UnknownModel => EngineError::Unavailable(format!(
                "it does not see {}: is the shared folder mounted there?",
                path.display()
            )),
            // A rank that is too high is a failure of its own to vLLM (500).
            Refusal::Wrong(message) | Refusal::Failed(message) => {
                let message = format!("the engine does not take the adapter: {message}");
                AdapterRejection::whole(codes::ENGINE_REFUSED, message).into()
            }
            gone => unavailable(gone),
        })?;
        let tried = self.trial().await;
        if tried.is_err() {
            // Whatever it is that answers by this name, nobody is to be answered by it.
            _ = self.server.client.unload(digest).await;
        }
        tried
    }

    /// The adapter's answer to one prompt must not be the base's.
    async fn trial(&self) -> Result<(), EngineError> {
        let trials = Arc::clone(&self.server.health().trials);
        let ask = |adapter: Option<AdapterFiles>| {
            let tokens = trials.prompt();
            async move {
                let Common { frontend, salts, model, .. } = &*self.server.common;
                let (events, stream) = mpsc::channel(TRIAL_EVENTS);
                let progress = Arc::new(Progress::submitted_now());
                let stream = TokenStream::new(stream, Arc::clone(&progress));
                let listener = Listener { events, progress, frontend: frontend.clone() };
                let question =
                    Question { tokens, sampling: Trials::sampling(), salt: salts.of(CacheDomain(0)) };
                let name = adapter.as_ref().map_or_else(|| model.clone(), |files| names::of(&files.digest));
                match listener.ask(&self.server.client, &name, &question, &mut None).await {
                    Ended::Well => Answer::read(stream).await,
                    Ended::Unheard(refusal) => Err(unavailable(refusal)),
                    Ended::Broken(error) => Err(error),
                }
            }
        };
        trials.judge(self.files.clone(), ask).await.map(drop)
    }
}
