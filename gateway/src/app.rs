//! The wired parts, built once, and the one translation between store and engine.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tenora_adapter_store::{
    AdapterName, AdapterStore, ModelRef, Staged, StoreError, Tenant, Version, VersionNumber,
};
use tenora_engine::{
    AdapterFiles, AdapterReport, BaseInfo, CacheDomain, Canary, Capacity, Engine, EngineError,
    GenerateRequest, Prepared, Prompt, Sampling, Stats,
};
use tenora_fleet::Fleet;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout_at},
};
use tracing::{Instrument, info_span};

use crate::{
    admission::{Admission, AdmittedStream, Demand, Permit},
    auth::{Caller, cache_domain},
    error::ApiError,
    telemetry::{
        Exports,
        generation::{self, Tracked},
        metrics::Metrics,
        record::{Asked, Operation},
    },
    wire::live::ResidentAdapter,
};

/// Adapter checks that run at the same time; each reads every value of its file.
const CONCURRENT_CHECKS: usize = 2;
/// Adapters that are tried at the same time: what many of them need in memory, running requests would have to give.
const CONCURRENT_CANARIES: usize = 1;
/// Uploads that are received or checked at the same time; each has a file on the disk.
const CONCURRENT_PUSHES: usize = 64;
/// How long an adapter waits for its first answer behind others' requests.
const CANARY_PATIENCE: Duration = Duration::from_secs(10 * 60);
/// Names of adapters that are remembered.
const MAX_NAMES: usize = 10_000;
const QUEUE_PAUSE: Duration = Duration::from_millis(500);

/// The server's parts.
pub struct App {
    /// Rows and blobs.
    pub store: AdapterStore,
    /// The gate.
    pub admission: Admission,
    /// When the base model became resident, in Unix seconds.
    pub started_at: i64,
    /// How long single usage events are kept.
    pub usage_events_kept: Duration,
    /// Private: a generation needs a [`Permit`].
    engine: Engine,
    fleet: Option<Arc<Fleet>>,
    told: Told,
    names: Mutex<HashMap<(CacheDomain, [u8; 32]), Known>>,
    checks: Semaphore,
    canaries: Semaphore,
    pushes: Arc<Semaphore>,
}

/// What answers.
pub struct Engines {
    /// Requests go here.
    pub engine: Engine,
    /// The servers behind it; `None` = it is in this process.
    pub fleet: Option<Arc<Fleet>>,
}

/// Who is told what happens.
pub struct Told {
    /// Where numbers are told.
    pub metrics: Arc<Metrics>,
    /// Deliveries to the collector; `None` = there is none.
    pub exports: Option<Arc<Exports>>,
    /// Whether traces hold prompts and answers.
    pub content: bool,
}

/// What an adapter that was handed to the engine is called.
#[derive(Clone)]
struct Known {
    tenant: String,
    adapter: String,
    version: Option<u64>,
}

/// What a `model` field stands for.
#[derive(Debug)]
pub struct ResolvedModel {
    /// What the answer names: `name@7`, or the base model's id.
    pub echo: String,
    /// The adapter's digest, for the `x-tenora-adapter-digest` header.
    pub digest: Option<String>,
    /// The adapter's files; `None` = the base model itself.
    pub adapter: Option<AdapterFiles>,
    /// Which version that is.
    pub version: Option<(AdapterName, VersionNumber)>,
}

impl ResolvedModel {
    /// What a prepared generation asks of the gate.
    pub fn demand(&self, prepared: &Prepared, tracked: Tracked) -> Demand {
        Demand { adapter: self.version.clone(), tokens: prepared.most_tokens(), tracked }
    }

    /// A generation with this model for the caller.
    pub fn request<S>(&self, caller: &Caller<S>, prompt: Prompt, sampling: Sampling) -> GenerateRequest {
        GenerateRequest {
            prompt,
            adapter: self.adapter.clone(),
            domain: caller.cache_domain(),
            sampling,
            weight: NonZeroU32::MIN,
            deadline: None,
        }
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(
        store: AdapterStore,
        Engines { engine, fleet }: Engines,
        admission: Admission,
        told: Told,
        usage_events_kept: Duration,
    ) -> Self {
        Self {
            store,
            admission,
            started_at: time::OffsetDateTime::now_utc().unix_timestamp(),
            usage_events_kept,
            engine,
            fleet,
            told,
            names: Mutex::default(),
            checks: Semaphore::new(CONCURRENT_CHECKS),
            canaries: Semaphore::new(CONCURRENT_CANARIES),
            pushes: Arc::new(Semaphore::new(CONCURRENT_PUSHES)),
        }
    }

    /// Where numbers are told.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.told.metrics
    }

    /// Whether traces and metrics reach the collector; `None` = there is none.
    pub fn delivers_telemetry(&self) -> Option<bool> {
        self.told.exports.as_ref().map(|exports| !exports.is_failing())
    }

    /// Whether anything can answer just now.
    pub fn engine_is_ready(&self) -> bool {
        self.engine.is_ready()
    }

    /// The servers behind the engine; `None` = it is in this process.
    pub fn fleet(&self) -> Option<&Fleet> {
        self.fleet.as_deref()
    }

    /// What the engine is doing.
    pub fn engine_stats(&self) -> Stats {
        self.engine.stats()
    }

    /// How large the engine's memory and queue are.
    pub fn capacity(&self) -> Capacity {
        self.engine.capacity()
    }

    /// A generation that traces and metrics are going to follow.
    pub fn track<S>(
        &self,
        operation: Operation,
        caller: &Caller<S>,
        model: &ResolvedModel,
        (prompt, sampling): (&Prompt, &Sampling),
    ) -> Tracked {
        let asked = Asked {
            tenant: caller.tenant().slug.to_string(),
            arrived: caller.arrived(),
            model: model.echo.clone(),
            base: self.base().id.clone(),
            digest: model.digest.clone(),
            content: self.told.content.then(|| generation::content(prompt)),
            ..Asked::new(operation, sampling)
        };
        Tracked::new(asked, Arc::clone(&self.told.metrics))
    }

    /// The resident base model.
    pub fn base(&self) -> &BaseInfo {
        self.engine.base()
    }

    /// Whether an adapter version was made for the resident base model.
    pub fn fits_base(&self, version: &Version) -> bool {
        version.base_fingerprint == self.base().fingerprint
    }

    /// The caller's `model` → the base model, or one pinned version of one of the caller's own adapters. Where versions
    /// share an alias, requests with one key get the same one.
    pub async fn resolve_model<S>(
        &self,
        caller: &Caller<S>,
        model: &str,
        key: Option<&str>,
    ) -> Result<ResolvedModel, ApiError> {
        self.resolve(caller, model, key).instrument(info_span!("resolve")).await
    }

    async fn resolve<S>(
        &self,
        caller: &Caller<S>,
        model: &str,
        key: Option<&str>,
    ) -> Result<ResolvedModel, ApiError> {
        if model == self.base().id {
            return Ok(ResolvedModel {
                echo: self.base().id.clone(),
                digest: None,
                adapter: None,
                version: None,
            });
        }
        let version = self.resolve_version(caller, model, key).await?;
        if let Some(reason) = &version.disabled {
            return Err(ApiError::VersionDisabled { model: pinned(&version), reason: reason.to_string() });
        }
        if !self.fits_base(&version) {
            return Err(ApiError::BaseMismatch { model: pinned(&version), base: self.base().id.clone() });
        }
        let files = self.store.tenant(caller.tenant().id).local_files(&version).await?;
        if let Some(took) = files.fetched() {
            self.told.metrics.fetched(took);
        }
        self.remember(caller.tenant(), *version.digest.as_bytes(), &version.adapter, Some(version.number));
        Ok(ResolvedModel {
            echo: pinned(&version),
            digest: Some(version.digest.to_string()),
            version: Some((version.adapter.clone(), version.number)),
            adapter: Some(AdapterFiles {
                digest: *version.digest.as_bytes(),
                config: files.config_path().to_owned(),
                weights: files.weights_path().to_owned(),
                pin: Arc::new(files),
            }),
        })
    }

    /// One of the caller's own versions; whatever else a name may be, it is an unknown model.
    pub async fn resolve_version<S>(
        &self,
        caller: &Caller<S>,
        model: &str,
        key: Option<&str>,
    ) -> Result<Version, ApiError> {
        let unknown = || ApiError::model_not_found(model);
        let reference = ModelRef::parse(model).map_err(|_| unknown())?;
        if !caller.identity().may_use(reference.name()) {
            return Err(unknown());
        }
        match self.store.tenant(caller.tenant().id).resolve(&reference, key).await {
            Err(StoreError::AdapterNotFound) => Err(unknown()),
            other => Ok(other?),
        }
    }

    /// Submits a generation that was let through. Its KV blocks belong to the tenant that was admitted, whatever the
    /// request says, and it ends when the server's time for one request is over.
    pub async fn generate(&self, permit: Permit, prepared: Prepared) -> Result<AdmittedStream, ApiError> {
        let prepared = prepared.admitted(permit.cache_domain(), permit.deadline());
        match self.engine.submit(prepared).await.map_err(ApiError::from) {
            Ok(tokens) => Ok(AdmittedStream::new(permit, tokens)),
            Err(error) => {
                permit.fail(&error);
                Err(error)
            }
        }
    }

    /// Checks and encodes a request: what it can cost is known then, before anything is taken for it.
    pub async fn prepare(&self, request: GenerateRequest) -> Result<Prepared, ApiError> {
        Ok(self.engine.prepare(request).instrument(info_span!("encode")).await?)
    }

    /// Room for one more upload.
    pub fn place_for_push(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.pushes).try_acquire_owned().map_err(|_| ApiError::QueueFull)
    }

    /// Whether staged files are an adapter for the resident base model, and what they are.
    pub async fn check(&self, staged: &Staged) -> Result<AdapterReport, ApiError> {
        let config = tokio::fs::read(staged.config_path()).await.map_err(ApiError::internal)?;
        let weights = staged.weights_path().to_owned();
        let _turn = self.checks.acquire().await.map_err(ApiError::internal)?;
        Ok(self.engine.check_adapter(config, weights).await?)
    }

    /// The adapters in memory, by the names under which their tenants asked for them.
    pub async fn residents(&self) -> Vec<ResidentAdapter> {
        let residents = self.engine.residents().await;
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |resident: tenora_engine::Resident| {
            let Known { tenant, adapter, version } = names.get(&(resident.owner, resident.digest))?.clone();
            let digest = format!("sha256:{}", hex::encode(resident.digest));
            let (bytes, in_use) = (resident.bytes, resident.in_use);
            Some(ResidentAdapter { tenant, adapter, version, digest, bytes, in_use })
        };
        residents.into_iter().filter_map(named).collect()
    }

    fn remember(
        &self,
        tenant: &Tenant,
        digest: [u8; 32],
        adapter: &AdapterName,
        version: Option<VersionNumber>,
    ) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        // A full map starts over: what is used is soon in it again.
        if names.len() >= MAX_NAMES {
            names.clear();
        }
        let known = names.entry((cache_domain(tenant), digest));
        known.or_insert_with(|| Known {
            tenant: tenant.slug.to_string(),
            adapter: adapter.to_string(),
            version: version.map(|version| version.get().into()),
        });
    }

    /// Has the engine answer once with staged files, on their owner's account. A full queue is others' traffic: it waits.
    pub async fn canary(
        &self,
        owner: &Tenant,
        name: &AdapterName,
        staged: &Arc<Staged>,
    ) -> Result<Canary, ApiError> {
        self.remember(owner, *staged.digest().as_bytes(), name, None);
        let deadline = Instant::now() + CANARY_PATIENCE;
        let turn = timeout_at(deadline.into(), self.canaries.acquire()).await;
        let _turn = turn.map_err(|_| ApiError::RequestTimeout)?.map_err(ApiError::internal)?;
        loop {
            let files = AdapterFiles {
                digest: *staged.digest().as_bytes(),
                config: staged.canonical_config_path().to_owned(),
                weights: staged.weights_path().to_owned(),
                pin: Arc::<Staged>::clone(staged),
            };
            match self.engine.canary(files, cache_domain(owner), deadline).await {
                Err(EngineError::QueueFull { .. }) if Instant::now() < deadline => sleep(QUEUE_PAUSE).await,
                answered => return Ok(answered?),
            }
        }
    }

    /// Stops the engine; what it still runs ends with an error.
    pub fn shutdown(&self) {
        self.engine.shutdown();
    }
}

/// What a client sends, and an answer names, for exactly this version: `name@7`.
pub fn pinned(version: &Version) -> String {
    format!("{}@{}", version.adapter, version.number)
}
