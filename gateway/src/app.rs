//! The wired parts, built once, and the one translation between store and engine.

use std::{num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use tenora_adapter_store::{
    Actor, AdapterName, AdapterStore, Cap, Checked, ModelRef, Staged, StoreError, Tenant, Version,
    VersionNumber,
};
use tenora_engine::{
    AdapterFiles, AdapterReport, BaseInfo, Engine, GenerateRequest, Prepared, Prompt, Sampling,
};
use tokio::sync::Semaphore;
use tracing::{Instrument, info_span};

use crate::{
    admission::{Admission, AdmittedStream, Demand, Permit},
    auth::Caller,
    error::ApiError,
};

/// Adapter checks that run at the same time; each reads every value of its file.
const CONCURRENT_CHECKS: usize = 2;

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
    checks: Semaphore,
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
    pub fn demand(&self, prepared: &Prepared) -> Demand {
        Demand { adapter: self.version.clone(), tokens: prepared.most_tokens() }
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
        engine: Engine,
        admission: Admission,
        usage_events_kept: Duration,
    ) -> Self {
        Self {
            store,
            admission,
            started_at: time::OffsetDateTime::now_utc().unix_timestamp(),
            usage_events_kept,
            engine,
            checks: Semaphore::new(CONCURRENT_CHECKS),
        }
    }

    /// The resident base model.
    pub fn base(&self) -> &BaseInfo {
        self.engine.base()
    }

    /// Whether an adapter version was made for the resident base model.
    pub fn fits_base(&self, version: &Version) -> bool {
        version.base_fingerprint == self.base().fingerprint
    }

    /// The caller's `model` → the base model, or one pinned version of one of the caller's own adapters.
    pub async fn resolve_model<S>(&self, caller: &Caller<S>, model: &str) -> Result<ResolvedModel, ApiError> {
        self.resolve(caller, model).instrument(info_span!("resolve")).await
    }

    async fn resolve<S>(&self, caller: &Caller<S>, model: &str) -> Result<ResolvedModel, ApiError> {
        if model == self.base().id {
            return Ok(ResolvedModel {
                echo: self.base().id.clone(),
                digest: None,
                adapter: None,
                version: None,
            });
        }
        let version = self.resolve_version(caller, model).await?;
        if !self.fits_base(&version) {
            return Err(ApiError::BaseMismatch { model: pinned(&version), base: self.base().id.clone() });
        }
        let files = self.store.tenant(caller.tenant().id).local_files(&version).await?;
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
    pub async fn resolve_version<S>(&self, caller: &Caller<S>, model: &str) -> Result<Version, ApiError> {
        let unknown = || ApiError::model_not_found(model);
        let reference = ModelRef::parse(model).map_err(|_| unknown())?;
        if !caller.identity().may_use(reference.name()) {
            return Err(unknown());
        }
        match self.store.tenant(caller.tenant().id).resolve(&reference).await {
            Err(StoreError::AdapterNotFound) => Err(unknown()),
            other => Ok(other?),
        }
    }

    /// Submits a generation that was let through. Its KV blocks belong to the tenant that was admitted, whatever the
    /// request says, and it ends when the server's time for one request is over.
    pub async fn generate(&self, permit: Permit, prepared: Prepared) -> Result<AdmittedStream, ApiError> {
        let prepared = prepared.admitted(permit.cache_domain(), permit.deadline());
        match self.engine.submit(prepared).instrument(info_span!("generate")).await.map_err(ApiError::from) {
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

    /// Staged files → a version that is routable, or the reason why not.
    pub async fn add_version(
        &self,
        owner: &Tenant,
        name: &AdapterName,
        staged: Staged,
        actor: &Actor,
    ) -> Result<Version, ApiError> {
        if name.as_str() == self.base().id {
            let message = format!("`{name}` is the base model's own id; choose another name.");
            return Err(ApiError::invalid("name", message));
        }
        let config = tokio::fs::read(staged.config_path()).await.map_err(ApiError::internal)?;
        let report =
            self.check(config, staged.weights_path().to_owned()).instrument(info_span!("check")).await?;
        let limits = self.admission.limits_of(owner);
        if let Some(limit) = limits.adapter_rank.and_then(Cap::most).filter(|most| report.rank as u64 > *most)
        {
            return Err(ApiError::OverQuota { what: "for an adapter's rank", limit });
        }
        let checked = Checked {
            report: serde_json::to_value(report).map_err(ApiError::internal)?,
            base_fingerprint: self.base().fingerprint.clone(),
            limits,
        };
        Ok(self
            .store
            .tenant(owner.id)
            .commit(name, staged, checked, actor)
            .instrument(info_span!("commit"))
            .await?)
    }

    async fn check(&self, config: Vec<u8>, weights: PathBuf) -> Result<AdapterReport, ApiError> {
        let _turn = self.checks.acquire().await.map_err(ApiError::internal)?;
        let engine = self.engine.clone();
        let checked = tokio::task::spawn_blocking(move || engine.check_adapter(&config, &weights));
        Ok(checked.await.map_err(ApiError::internal)??)
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
