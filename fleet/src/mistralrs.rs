//! mistral.rs in this process: whole models, each the base or the base with one adapter in its weights. For a tenant with a
//! machine of its own, and for base models that the shared engine does not compute. mistral.rs computes logits; what becomes
//! of them is the engine's, as everywhere.

mod model;

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use tenora_engine::{
    AdapterFiles, Answerer, Answers, Backend, CacheDomain, Capacity, EngineError, Frontend, Observer,
    Prepared, Queue, Resident, Stats, TokenStream,
};
use tokio::sync::watch;

use self::model::Model;
use crate::{
    counts::Counts,
    names::Digest,
    shelf::{Carrier, Lease, Shelf, Shelved},
};

/// The place of the base model among the adapters' merged ones: no file has this digest.
const BASE: Digest = [0; 32];

/// What models may take.
#[derive(Debug, Clone)]
pub struct MistralrsSettings {
    /// An empty folder of this process alone: a merged model lies there while it is loaded.
    pub folder: PathBuf,
    /// Models in memory; the base is one, and each adapter that is merged into it is one.
    pub models: usize,
    /// Sequences of one model that are computed at the same time; on a CPU one, whatever this says.
    pub max_sequences: usize,
    /// Requests that may wait for their first token.
    pub queue_limit: usize,
    /// How long a model that could not be loaded is not tried again.
    pub load_rest: Duration,
    /// Whether to compute on the CPU, in 32 bits; otherwise mistral.rs chooses the device and the type of numbers.
    pub cpu: bool,
}

/// A handle to the models.
pub struct Mistralrs {
    inner: Arc<Inner>,
}

struct Inner {
    frontend: Frontend,
    answerer: Answerer,
    settings: MistralrsSettings,
    shelf: Arc<Shelf>,
    models: Mutex<HashMap<Digest, Arc<Model>>>,
    queue: Queue,
    counts: Counts,
    running: AtomicUsize,
    waiting: AtomicUsize,
    observer: Arc<dyn Observer>,
    stopping: watch::Sender<bool>,
}

impl Mistralrs {
    /// Loads the base model, so that what is wrong with it is known at the start.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`]: mistral.rs does not take the model. [`EngineError::Fault`]: the folder cannot be written.
    pub async fn start(
        frontend: Frontend,
        settings: MistralrsSettings,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, EngineError> {
        let prepared = || {
            if settings.folder.exists() {
                std::fs::remove_dir_all(&settings.folder)?;
            }
            std::fs::create_dir_all(&settings.folder)
        };
        prepared().map_err(|error: io::Error| {
            EngineError::Fault(format!("{} cannot be written: {error}", settings.folder.display()))
        })?;
        let inner = Arc::new(Inner {
            answerer: Answerer::new(frontend.clone())?,
            shelf: Shelf::new(settings.models, settings.load_rest),
            queue: Queue::new(settings.queue_limit),
            models: Mutex::default(),
            counts: Counts::default(),
            running: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            stopping: watch::Sender::new(false),
            frontend,
            settings,
            observer,
        });
        inner.lease(None, CacheDomain(0)).await?;
        Ok(Self { inner })
    }
}

#[async_trait]
impl Backend for Mistralrs {
    async fn submit(&self, prepared: Prepared) -> Result<TokenStream, EngineError> {
        let inner = &self.inner;
        if *inner.stopping.borrow() {
            return Err(EngineError::ShuttingDown);
        }
        let (answers, stream) = inner.answerer.begin(prepared, &inner.queue).await?;
        tokio::spawn(Arc::clone(inner).serve(answers));
        Ok(stream)
    }

    async fn residents(&self) -> Vec<Resident> {
        let mut all = self.inner.shelf.look();
        all.retain(|shelved| shelved.ready && shelved.digest != BASE);
        all.sort_by_key(|shelved| std::cmp::Reverse(shelved.last_used));
        let resident = |shelved: Shelved| Resident {
            digest: shelved.digest,
            owner: shelved.owner,
            bytes: shelved.bytes as usize,
            in_use: shelved.in_use,
        };
        all.into_iter().map(resident).collect()
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }

    fn capacity(&self) -> Capacity {
        let MistralrsSettings { queue_limit, max_sequences, .. } = self.inner.settings;
        Capacity { queue_limit, adapter_bytes: 0, block_tokens: 0, max_batch_sequences: max_sequences }
    }

    fn shutdown(&self) {
        self.inner.stopping.send_replace(true);
    }
}

impl Inner {
    /// Answers a request, until its reader is gone, its time is over, or the server stops.
    async fn serve(self: Arc<Self>, answers: Answers) {
        let waiting = Gauge::enter(&self.waiting);
        let (left, deadline, progress) = (answers.left(), answers.deadline(), answers.progress());
        let late = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let answers = Arc::new(Mutex::new(answers));
        let mut stopping = self.stopping.subscribe();
        let answered = tokio::select! {
            answered = self.answer(&answers, waiting) => answered,
            () = left => Ok(()),
            () = late => Err(EngineError::DeadlineExceeded),
            _ = stopping.wait_for(|stopping| *stopping) => Err(EngineError::ShuttingDown),
        };
        self.counts.add(&progress);
        if let Err(error) = answered {
            answers.lock().unwrap_or_else(PoisonError::into_inner).fail(error);
        }
    }

    /// Each choice is a sequence of its own to mistral.rs.
    async fn answer(
        self: &Arc<Self>,
        answers: &Arc<Mutex<Answers>>,
        waiting: Gauge<'_>,
    ) -> Result<(), EngineError> {
        let (adapter, domain, choices, progress) = {
            let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            (answers.adapter().cloned(), answers.domain(), answers.choices(), answers.progress())
        };
        let digest = adapter.as_ref().map_or(BASE, |files| files.digest);
        let lease = self.lease(adapter, domain).await?;
        if digest != BASE {
            let count = if lease.was_there() { &self.counts.hits } else { &self.counts.misses };
            count.fetch_add(1, Relaxed);
            progress.arrived(lease.was_there());
        }
        progress.adapter_is_ready();
        drop(waiting);
        let _running = Gauge::enter(&self.running);
        let model = self.models().get(&digest).cloned();
        let model = model.ok_or_else(|| EngineError::Fault("a model is on its shelf and gone".to_owned()))?;
        try_join_all((0..choices).map(|choice| model.answer(Arc::clone(answers), choice))).await.map(drop)
    }

    /// Has a model in memory, and keeps it there for as long as the lease lives.
    async fn lease(
        self: &Arc<Self>,
        adapter: Option<AdapterFiles>,
        domain: CacheDomain,
    ) -> Result<Lease, EngineError> {
        let digest = adapter.as_ref().map_or(BASE, |files| files.digest);
        let bytes = self.frontend.base().parameters * 4;
        let carrier = Arc::new(Bring { inner: Arc::clone(self), adapter });
        self.shelf.acquire((digest, domain, bytes), carrier).await
    }

    fn stats(&self) -> Stats {
        let adapters = self.shelf.look().into_iter().filter(|shelved| shelved.digest != BASE);
        let (running, waiting) = (self.running.load(Relaxed), self.waiting.load(Relaxed));
        Stats { running, waiting, ..self.counts.stats(adapters) }
    }

    fn models(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Model>>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings one model into memory.
struct Bring {
    inner: Arc<Inner>,
    /// `None` = the base as it is.
    adapter: Option<AdapterFiles>,
}

impl Carrier for Bring {
    async fn load(&self) -> Result<(), EngineError> {
        let begun = Instant::now();
        let Inner { settings, counts, observer, .. } = &*self.inner;
        let loaded = self.load_model().await;
        let digest = self.adapter.as_ref().map_or(BASE, |files| files.digest);
        match loaded {
            Ok(model) => {
                self.inner.models().insert(digest, Arc::new(model));
                if self.adapter.is_some() {
                    counts.loads.fetch_add(1, Relaxed);
                    observer.loaded(begun.elapsed());
                }
                tracing::info!(models = settings.models, took = ?begun.elapsed(), "mistral.rs has loaded a model");
                Ok(())
            }
            Err(error) => {
                counts.load_failures.fetch_add(1, Relaxed);
                Err(error)
            }
        }
    }

    async fn unload(&self, digest: &Digest) -> Result<(), EngineError> {
        self.inner.models().remove(digest);
        self.inner.counts.unloads.fetch_add(1, Relaxed);
        Ok(())
    }
}

impl Bring {
    async fn load_model(&self) -> Result<Model, EngineError> {
        let Inner { frontend, settings, .. } = &*self.inner;
        let Some(files) = self.adapter.clone() else {
            return Model::load(frontend.clone(), frontend.folder(), settings).await;
        };
        let folder = tempfile::Builder::new().prefix("merged-").tempdir_in(&settings.folder);
        let folder = folder.map_err(|error| {
            EngineError::Fault(format!("{} cannot be written: {error}", settings.folder.display()))
        })?;
        let (writer, to) = (frontend.clone(), folder.path().to_owned());
        let merged = tokio::task::spawn_blocking(move || writer.write_merged(&files, &to, &|_| ())).await;
        merged.map_err(|error| EngineError::Fault(format!("an adapter was not merged: {error}")))??;
        Model::load(frontend.clone(), folder.path(), settings).await
    }
}

/// One more for as long as it lives.
struct Gauge<'a>(&'a AtomicUsize);

impl<'a> Gauge<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Gauge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
