//! From settings to a running server: listen → secrets → store → base model → app → serve.

use std::{io::Write, path::PathBuf, sync::Arc, time::Duration};

use actix_web::web::Data;
use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use tenora_adapter_store::{
    AdapterStore, BlobsSettings, BlobsUrl, DatabaseUrl, Maintenance, RoleName, StoreConfig,
};
#[cfg(feature = "mistralrs")]
use tenora_engine::DeviceChoice;
use tenora_engine::{Engine, EngineConfig, EngineError, Frontend, LoadProgress, Observer};
use tenora_fleet::{Fleet, FleetSettings};
#[cfg(feature = "mistralrs")]
use tenora_fleet::{Mistralrs, MistralrsSettings};

use crate::{
    admission::Admission,
    app::{App, Engines, Told},
    auth::{Authenticator, OperatorKeys, jwt::Issuers, session::Sessions},
    config::{Answering, Config, EngineSettings, Mode, VllmSettings},
    demo, gauges, hub,
    limits::Limiter,
    live::Live,
    metering::{Meter, MeterSettings, delete_old_events},
    ops::Ops,
    progress, secrets,
    server::{self, Parts},
    telemetry::{self, Telemetry, metrics::Metrics},
};

/// How long a stopping server tries to bring usage rows to the database; those that are left wait for the next start.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it tries to deliver the last traces and metrics.
const TELEMETRY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a vLLM server is not asked again for an adapter that it could not load.
const LOAD_REST: Duration = Duration::from_secs(5);

/// Serves until the process is asked to stop.
pub async fn serve(mode: Mode) -> anyhow::Result<()> {
    let mut config = Config::from_env(&mode)?;
    let telemetry = Telemetry::start(&config.server.log, &config.telemetry)?;
    config.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    let listener = server::bind(config.server.listen)?;
    let ops = config.telemetry.ops_listen.map(server::bind).transpose()?;
    let ops = ops.map(|listener| Ops::start(listener, &telemetry)).transpose()?;
    let url = format!("http://{}", listener.local_addr()?);
    let data_dir = config.server.data_dir.clone();
    secrets::private_dir(&data_dir)?;
    let admin_key_made = config.server.admin_key.is_none();
    let admin_key = secrets::given_or_kept(config.server.admin_key.clone(), &data_dir.join("admin-key"))?;
    let pepper = secrets::given_or_kept(config.server.pepper.clone(), &data_dir.join("pepper"))?;
    let store = AdapterStore::open(store_config(&config, pepper.clone()))
        .await
        .context("cannot open the adapter store")?;
    let model = hub::folder(&config.engine, &data_dir).await?;
    let metrics = Arc::new(Metrics::new(&telemetry.meter(), &config.engine.model.id()));
    let engines = start_engines(&mut config, model, &pepper, metrics.clone()).await?;
    let authenticator = Data::new(Authenticator::new(
        store.clone(),
        OperatorKeys { admin: admin_key.clone(), viewer: config.server.viewer_key.clone() },
        Issuers::load(&config.jwt)?,
        Sessions::new(&pepper)?,
        config.server.trusted_proxies.clone(),
    ));
    let admission = admission(&config, &store).await?;
    let retention = tokio::spawn(delete_old_events(store.clone(), config.store.usage_events_kept));
    let told =
        Told { metrics: metrics.clone(), exports: telemetry.exports(), content: config.telemetry.content };
    let app = Data::new(App::new(store, engines, admission, told, config.store.usage_events_kept));
    gauges::register(&telemetry.meter(), &app, telemetry.exports());
    let review = tokio::spawn({
        let app = app.clone().into_inner();
        async move { app.admission.review(&app.store).await }
    });
    let welcome = match &mode {
        Mode::Demo(dir) => {
            demo::seed(&app.clone().into_inner(), dir, &data_dir, &demo::Server { url, admin_key })
                .await?
                .to_string()
        }
        Mode::Serve | Mode::Maintain => welcome(&app, &url, admin_key_made.then_some(&admin_key)),
    };
    std::io::stdout().write_all(welcome.as_bytes())?;
    if let Some(ops) = &ops {
        writeln!(std::io::stdout(), "  metrics    http://{}/metrics\n", ops.address())?;
        ops.ready(&app);
    }
    let origins = Data::new(config.server.cors_origins);
    let live = Data::new(Live::default());
    let watch = tokio::spawn({
        let (app, live) = (app.clone(), live.clone());
        async move { live.watch(&app).await }
    });
    let parts = Parts { app: app.clone(), authenticator, origins, metrics: metrics.into(), live };
    let served = server::serve(listener, parts, config.server.drain_timeout).await;
    review.abort();
    watch.abort();
    retention.abort();
    app.shutdown();
    app.admission.flush(FLUSH_TIMEOUT).await;
    app.store.flush().await;
    telemetry.stop(TELEMETRY_TIMEOUT).await;
    if let Some(ops) = ops {
        ops.stop().await;
    }
    served
}

/// Brings the configured Postgres to the newest schema, and gives a role what a server needs.
pub async fn migrate(app_role: Option<RoleName>) -> anyhow::Result<()> {
    let config = Config::from_env(&Mode::Maintain)?;
    telemetry::init(&config.server.log)?;
    secrets::private_dir(&config.server.data_dir)?;
    AdapterStore::migrate(&database(&config)).await.context("cannot migrate the database")?;
    std::io::stdout().write_all(b"The database is up to date.\n")?;
    if let Some(role) = app_role {
        AdapterStore::grant(&database(&config), &role).await.context("cannot give the role its rights")?;
        writeln!(std::io::stdout(), "The role {role} may serve, and is held to one tenant at a time.")?;
    }
    Ok(())
}

/// The configured rows and blobs, for work on them beside running servers.
pub async fn maintenance() -> anyhow::Result<Maintenance> {
    let config = Config::from_env(&Mode::Maintain)?;
    telemetry::init(&config.server.log)?;
    secrets::private_dir(&config.server.data_dir)?;
    Maintenance::open(&database(&config), blobs(&config)).await.context("cannot open the adapter store")
}

/// The gate: limits in Redis where there is one, usage by way of files in the data folder.
async fn admission(config: &Config, store: &AdapterStore) -> anyhow::Result<Admission> {
    let spend = Arc::new(store.clone());
    let limiter = match &config.store.redis_url {
        Some(url) => Limiter::redis(url, &config.store.redis_prefix, spend)?,
        None => Limiter::in_memory(spend),
    };
    let usage = MeterSettings::within(config.server.data_dir.join("usage"));
    let meter =
        Meter::start(store.clone(), usage).await.context("cannot write usage to the data directory")?;
    Ok(Admission::open(limiter, meter, config.default_limits, config.server.request_timeout))
}

/// What the settings name to answer requests.
async fn start_engines(
    config: &mut Config,
    model: PathBuf,
    pepper: &SecretString,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<Engines> {
    let model = engine_config(&config.engine, model);
    match std::mem::take(&mut config.answering) {
        Answering::Shared => Ok(Engines { engine: start_engine(model, observer).await?, fleet: None }),
        Answering::Vllm(vllm) => {
            start_fleet(model, fleet_settings(*vllm, &config.engine, pepper), observer).await
        }
        #[cfg(feature = "mistralrs")]
        Answering::Mistralrs { models } => {
            let folder = config.server.data_dir.join("merged");
            Ok(Engines { engine: start_mistralrs(model, (folder, models), observer).await?, fleet: None })
        }
        // Not to be had from the settings of such a binary.
        #[cfg(not(feature = "mistralrs"))]
        Answering::Mistralrs { .. } => anyhow::bail!("this binary was built without mistral.rs"),
    }
}

async fn start_engine(config: EngineConfig, observer: Arc<dyn Observer>) -> anyhow::Result<Engine> {
    let engine = reading(config, |config, progress| Engine::start(config, observer, progress)).await?;
    let base = engine.base();
    tracing::info!(model = base.id, parameters = base.parameters, "The base model is resident");
    Ok(engine)
}

/// An engine whose requests vLLM servers answer: here are the model's tokenizer, its template and its name.
async fn start_fleet(
    config: EngineConfig,
    settings: FleetSettings,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<Engines> {
    let open = |config: EngineConfig, progress: &dyn Fn(LoadProgress)| {
        Frontend::open(&config, tenora_fleet::NOISE, progress)
    };
    let frontend = reading(config, open).await?;
    let fleet = Fleet::start(frontend.clone(), settings, observer).await;
    let fleet = Arc::new(fleet.context("cannot use TENORA_VLLM_ADAPTER_DIR")?);
    for server in fleet.servers() {
        tracing::info!(server = %server.url, state = ?server.state, "A vLLM server");
    }
    Ok(Engines { engine: Engine::new(frontend, fleet.clone()), fleet: Some(fleet) })
}

/// mistral.rs in this process.
#[cfg(feature = "mistralrs")]
async fn start_mistralrs(
    config: EngineConfig,
    (folder, models): (PathBuf, usize),
    observer: Arc<dyn Observer>,
) -> anyhow::Result<Engine> {
    let settings = MistralrsSettings {
        folder,
        models,
        max_sequences: config.max_batch_sequences,
        queue_limit: config.queue_limit,
        load_rest: LOAD_REST,
        cpu: config.device == DeviceChoice::Cpu || !cfg!(feature = "cuda"),
    };
    let open = |config: EngineConfig, progress: &dyn Fn(LoadProgress)| {
        Frontend::open(&config, tenora_fleet::NOISE, progress)
    };
    let frontend = reading(config, open).await?;
    let backend = Mistralrs::start(frontend.clone(), settings, observer).await?;
    Ok(Engine::new(frontend, Arc::new(backend)))
}

/// Reads a model's folder on a thread of its own, and shows how far it has come.
async fn reading<T: Send + 'static>(
    config: EngineConfig,
    read: impl FnOnce(EngineConfig, &dyn Fn(LoadProgress)) -> Result<T, EngineError> + Send + 'static,
) -> anyhow::Result<T> {
    tracing::info!(folder = %config.model.display(), "Loading the base model");
    let bar = progress::bytes("Loading the base model");
    let loading = bar.clone();
    let started = tokio::task::spawn_blocking(move || {
        read(config, &move |progress| {
            loading.set_length(progress.total);
            loading.set_position(progress.done);
        })
    });
    let started = started.await?.context("cannot start the engine")?;
    bar.finish_and_clear();
    Ok(started)
}

fn fleet_settings(vllm: VllmSettings, engine: &EngineSettings, pepper: &SecretString) -> FleetSettings {
    FleetSettings {
        servers: vllm.servers,
        api_key: vllm.api_key,
        model: vllm.model.unwrap_or_else(|| engine.model.id()),
        folder: vllm.folder,
        folder_there: vllm.folder_there,
        folder_bytes: vllm.folder_bytes,
        adapters_per_server: vllm.adapters_per_server,
        queue_limit: engine.queue_limit,
        load_timeout: vllm.load_timeout,
        load_rest: LOAD_REST,
        // The pepper is the same in all processes that share a database.
        salt_key: pepper.expose_secret().as_bytes().to_vec().into(),
    }
}

pub(crate) fn engine_config(settings: &EngineSettings, model: PathBuf) -> EngineConfig {
    EngineConfig {
        device: settings.device,
        runner: settings.runner,
        threads: settings.threads,
        quantization: settings.quantization,
        kv_bytes: settings.kv_cache_bytes,
        adapter_bytes: settings.adapter_memory_bytes,
        max_rank: settings.max_rank,
        context_length: settings.context_length,
        max_batch_rows: settings.max_batch_rows,
        max_batch_sequences: settings.max_batch_sequences,
        step_target_ms: settings.step_target_ms,
        queue_limit: settings.queue_limit,
        model_id: settings.model.id(),
        ..EngineConfig::new(model)
    }
}

fn store_config(config: &Config, pepper: SecretString) -> StoreConfig {
    let data_dir = &config.server.data_dir;
    StoreConfig {
        database: database(config),
        blobs: blobs(config),
        cache_dir: data_dir.join("cache"),
        cache_bytes: config.store.adapter_cache_bytes,
        staging_dir: data_dir.join("staging"),
        max_adapter_bytes: config.store.max_adapter_bytes,
        redis_url: config.store.redis_url.clone(),
        redis_prefix: config.store.redis_prefix.clone(),
        pepper,
        grace: config.store.outage_grace,
    }
}

pub(crate) fn blobs(config: &Config) -> BlobsSettings {
    let beside_the_rows = || BlobsUrl::Local(config.server.data_dir.join("blobs"));
    BlobsSettings {
        url: config.store.blobs_url.clone().unwrap_or_else(beside_the_rows),
        s3: config.store.s3.clone(),
        sweep_grace: config.store.sweep_grace,
    }
}

pub(crate) fn database(config: &Config) -> DatabaseUrl {
    match &config.store.database_url {
        Some(url) => DatabaseUrl::Postgres(url.clone()),
        None => DatabaseUrl::Sqlite(config.server.data_dir.join("tenora.db")),
    }
}

fn welcome(app: &App, url: &str, made: Option<&SecretString>) -> String {
    let admin = match made {
        Some(key) => format!("\n  admin key  {} (kept in the data directory)", key.expose_secret()),
        None => String::new(),
    };
    format!("\nTenora serves {} at {url}{admin}\n\n", app.base().id)
}
