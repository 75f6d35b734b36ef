//! The fleet as the engine holds it: a request finds a server, its adapter is brought there, and its answer told on.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
};

use async_trait::async_trait;
use secrecy::SecretString;
use tenora_engine::{
    AdapterFiles, Backend, CacheDomain, Capacity, EngineError, Frontend, GenerateRequest, Observer, Prepared,
    Progress, Queue, QueuePlace, Resident, Stats, TokenStream, lora::codes,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    counts::Counts,
    folder::SharedFolder,
    generation::{Ended, Listener, Question, unavailable},
    names::{self, Salts},
    router,
    server::{Common, Server, ServerStatus},
    settings::{FleetSettings, ServerUrl},
    shelf::Shelf,
    vllm::{Refusal, Vllm},
};

/// Events that a reader may be behind; then its server waits.
const EVENTS: usize = 64;
/// Servers that are asked for one request at most.
const ATTEMPTS: usize = 3;

/// A handle to the servers; they are watched for as long as it lives.
pub struct Fleet {
    inner: Arc<Inner>,
    _watches: JoinSet<()>,
}

struct Inner {
    servers: Vec<Arc<Server>>,
    common: Arc<Common>,
    queue: Queue,
    queue_limit: usize,
    stopping: watch::Sender<bool>,
}

impl Fleet {
    /// Looks at every server once, and goes on looking. Servers may come later. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The shared folder cannot be written, or the system's certificates not be read.
    pub async fn start(
        frontend: Frontend,
        settings: FleetSettings,
        observer: Arc<dyn Observer>,
    ) -> io::Result<Self> {
        let folders = (settings.folder, settings.folder_there);
        let common = Arc::new(Common {
            folder: SharedFolder::open(folders, settings.folder_bytes, frontend.clone())?,
            frontend,
            salts: Salts::new(settings.salt_key),
            model: settings.model,
            load_timeout: settings.load_timeout,
            observer,
            counts: Counts::default(),
            shelves: OnceLock::new(),
        });
        let server = |url: ServerUrl| {
            let client = Vllm::new(url.clone(), settings.api_key.clone()).map_err(io::Error::other)?;
            Ok(Server::new(
                url,
                client,
                Shelf::new(settings.adapters_per_server, settings.load_rest),
                Arc::clone(&common),
            ))
        };
        let servers = settings.servers.into_iter().map(server).collect::<io::Result<Vec<_>>>()?;
        _ = common.shelves.set(servers.iter().map(|server| Arc::clone(&server.shelf)).collect());
        futures_util::future::join_all(servers.iter().map(|server| server.look())).await;
        let mut watches = JoinSet::new();
        for server in &servers {
            watches.spawn(Arc::clone(server).watch());
        }
        let inner = Inner {
            servers,
            common,
            queue: Queue::new(settings.queue_limit),
            queue_limit: settings.queue_limit,
            stopping: watch::Sender::new(false),
        };
        Ok(Self { inner: Arc::new(inner), _watches: watches })
    }

    /// The servers and how they are.
    pub fn servers(&self) -> Vec<ServerStatus> {
        self.inner.servers.iter().map(|server| server.status()).collect()
    }

    /// Gives a server of this process no more requests, or some again; `false` = there is no such server.
    pub fn drain(&self, url: &ServerUrl, draining: bool) -> bool {
        let server = self.inner.servers.iter().find(|server| server.url == *url);
        server.inspect(|server| server.drain(draining)).is_some()
    }
}

/// Whether a server answers, takes the key, and has the base model.
///
/// # Errors
/// What is wrong, in words.
pub async fn probe(url: &ServerUrl, api_key: Option<SecretString>, base: &str) -> Result<(), String> {
    let client = Vllm::new(url.clone(), api_key).map_err(|error| error.to_string())?;
    let (_, has_base) = client.models(base).await.map_err(|refusal| unavailable(refusal).to_string())?;
    client.gauges().await.map_err(|refusal| format!("its /metrics: {}", unavailable(refusal)))?;
    match has_base {
        true => Ok(()),
        false => {
            Err(format!("does not serve `{base}`: set TENORA_VLLM_MODEL to what it calls the base model"))
        }
    }
}

#[async_trait]
impl Backend for Fleet {
    async fn submit(&self, prepared: Prepared) -> Result<TokenStream, EngineError> {
        if *self.inner.stopping.borrow() {
            return Err(EngineError::ShuttingDown);
        }
        let (tokens, request) = prepared.into_parts();
        let place = self.inner.queue.enter(request.domain)?;
        let (events, stream) = mpsc::channel(EVENTS);
        let progress = Arc::new(Progress::submitted_now());
        let listener = Listener {
            events,
            progress: Arc::clone(&progress),
            frontend: self.inner.common.frontend.clone(),
        };
        tokio::spawn(Arc::clone(&self.inner).serve((tokens, request), listener, place));
        Ok(TokenStream::new(stream, progress))
    }

    async fn residents(&self) -> Vec<Resident> {
        let mut all = HashMap::new();
        for shelved in self.inner.servers.iter().flat_map(|server| server.shelf.look()) {
            if !shelved.ready {
                continue;
            }
            let key = (shelved.digest, shelved.owner);
            let known = all.entry(key).or_insert((shelved.last_used, false, 0));
            known.0 = shelved.last_used.max(known.0);
            known.1 |= shelved.in_use;
            known.2 += shelved.bytes;
        }
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_by_key(|(_, (last_used, ..))| std::cmp::Reverse(*last_used));
        let resident =
            |((digest, owner), (_, in_use, bytes))| Resident { digest, owner, bytes: bytes as usize, in_use };
        all.into_iter().map(resident).collect()
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }

    fn capacity(&self) -> Capacity {
        let block_tokens = self.inner.servers.iter().map(|server| server.gauges().block_tokens).max();
        Capacity {
            queue_limit: self.inner.queue_limit,
            adapter_bytes: 0,
            block_tokens: block_tokens.unwrap_or(0),
            max_batch_sequences: 0,
        }
    }

    fn is_ready(&self) -> bool {
        self.inner.servers.iter().any(|server| server.candidate().open)
    }

    fn shutdown(&self) {
        self.inner.stopping.send_replace(true);
    }
}

/// A request on its way to its answer.
struct Job<'a> {
    question: Question,
    adapter: Option<AdapterFiles>,
    domain: CacheDomain,
    listener: &'a Listener,
    /// Its place in the queue, until its first token.
    place: Option<QueuePlace>,
}

/// No server would load them.
fn is_of_the_files(error: &EngineError) -> bool {
    matches!(error, EngineError::Adapter(rejection) if rejection.code == codes::DIGEST_MISMATCH)
        || matches!(error, EngineError::Fault(_))
}

impl Inner {
    /// Answers a request, until its reader is gone, its time is over, or the server stops.
    async fn serve(
        self: Arc<Self>,
        (tokens, request): (Vec<u32>, GenerateRequest),
        listener: Listener,
        place: QueuePlace,
    ) {
        let GenerateRequest { adapter, domain, sampling, deadline, .. } = request;
        let salt = self.common.salts.of(domain);
        let question = Question { tokens, sampling, salt };
        let mut job = Job { question, adapter, domain, listener: &listener, place: Some(place) };
        let mut stopping = self.stopping.subscribe();
        let answered = {
            let late = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                answered = self.answer(&mut job) => answered,
                () = listener.events.closed() => Ok(()),
                () = late => Err(EngineError::DeadlineExceeded),
                _ = stopping.wait_for(|stopping| *stopping) => Err(EngineError::ShuttingDown),
            }
        };
        self.common.counts.add(&listener.progress);
        if let Err(error) = answered {
            // The reader may be gone.
            _ = listener.events.send(Err(error)).await;
        }
    }

    async fn answer(&self, job: &mut Job<'_>) -> Result<(), EngineError> {
        let mut tried = HashSet::new();
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let Some(server) = self.choose(job.adapter.as_ref(), &tried) else { break };
            let in_flight = server.enter();
            let ended = self.attempt(&server, job).await;
            drop(in_flight);
            match ended {
                Ok(Ended::Well) => {
                    server.answered();
                    return Ok(());
                }
                Ok(Ended::Broken(error)) => {
                    server.failed(&error.to_string());
                    return Err(error);
                }
                Ok(Ended::Unheard(Refusal::Wrong(message))) => {
                    server.answered();
                    let problem = format!("was refused by the engine: {message}");
                    return Err(EngineError::Invalid { field: "request", problem });
                }
                // It was asked for an adapter that it had lost: it gets it again.
                Ok(Ended::Unheard(Refusal::UnknownModel)) => match &job.adapter {
                    Some(files) => {
                        server.answered();
                        server.shelf.forget(&files.digest);
                        let words = "it loses the adapter again and again";
                        last = Some(EngineError::Unavailable(words.to_owned()));
                    }
                    None => {
                        tried.insert(server.url.clone());
                        last = Some(EngineError::Unavailable("it does not know the base model".to_owned()));
                    }
                },
                Ok(Ended::Unheard(Refusal::Gone(reason) | Refusal::Failed(reason))) => {
                    server.failed(&reason);
                    tried.insert(server.url.clone());
                    last = Some(EngineError::Unavailable(reason));
                }
                // Its adapter cannot be there: that says nothing of the server, and another may have it.
                Err(error) if is_of_the_files(&error) => return Err(error),
                Err(error) => {
                    tried.insert(server.url.clone());
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| EngineError::Unavailable("no server can be asked".to_owned())))
    }

    /// The adapter is brought to the server, and the server asked.
    async fn attempt(&self, server: &Arc<Server>, job: &mut Job<'_>) -> Result<Ended, EngineError> {
        let Job { question, adapter, domain, listener, place } = job;
        let mut name = self.common.model.clone();
        let _lease = match adapter {
            None => None,
            Some(files) => {
                let lease = server.lease(files, *domain).await?;
                let counts = &self.common.counts;
                let count = if lease.was_there() { &counts.hits } else { &counts.misses };
                count.fetch_add(1, Relaxed);
                listener.progress.arrived(lease.was_there());
                name = names::of(&files.digest);
                Some(lease)
            }
        };
        listener.progress.adapter_is_ready();
        Ok(listener.ask(&server.client, &name, question, place).await)
    }

    fn choose(&self, adapter: Option<&AdapterFiles>, tried: &HashSet<ServerUrl>) -> Option<Arc<Server>> {
        let candidates: Vec<_> = self
            .servers
            .iter()
            .map(|server| {
                let mut candidate = server.candidate();
                candidate.open &= !tried.contains(&server.url);
                candidate
            })
            .collect();
        let at = router::choose(adapter.map(|files| &files.digest), &candidates)?;
        Some(Arc::clone(&self.servers[at]))
    }

    fn stats(&self) -> Stats {
        let shelved = self.servers.iter().flat_map(|server| server.shelf.look());
        let mut stats = self.common.counts.stats(shelved);
        for server in &self.servers {
            let gauges = server.gauges();
            stats.running += gauges.running;
            stats.waiting += gauges.waiting;
            stats.kv_blocks += gauges.kv_blocks;
            stats.kv_blocks_free += (gauges.kv_blocks as f64 * (1.0 - gauges.kv_used)) as usize;
        }
        stats
    }
}
