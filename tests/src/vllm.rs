//! A stand-in for vLLM: its routes, its words and its faults, with the shared engine behind them.
//! Shapes of vLLM 0.32 (`vllm/entrypoints/openai/completion/protocol.py`, `models/serving.py`).

mod answers;
mod faults;
mod routes;

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use actix_web::{App, HttpServer, dev::ServerHandle, web::Data};
use tenora_engine::{AdapterFiles, DeviceChoice, Engine, EngineConfig};

pub use self::faults::Faults;
use crate::tree::repository;

/// What the stand-in calls the base model.
pub const BASE: &str = "standin-base";

/// A server that can be stopped and started again at its address.
pub struct StandIn {
    state: Data<State>,
    address: SocketAddr,
    running: Option<ServerHandle>,
}

/// What the routes see.
struct State {
    engine: Engine,
    api_key: Option<String>,
    now: Mutex<Now>,
}

/// What a start of the process begins anew.
#[derive(Default)]
struct Now {
    started: f64,
    /// Starts; a stream of an earlier one is broken.
    life: u64,
    adapters: BTreeMap<String, AdapterFiles>,
    faults: Faults,
    seen: Seen,
}

/// What was asked, over all starts.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Most adapters at the same time.
    pub most_adapters: usize,
    /// Names that were loaded, in order.
    pub loads: Vec<String>,
    /// Models that were asked, in order.
    pub asked: Vec<String>,
    /// Salts, in order.
    pub salts: Vec<String>,
    /// Every request's body.
    pub bodies: Vec<String>,
}

impl StandIn {
    /// On this address (port 0 = a free one), with the demo's base model.
    pub fn start(address: &str, api_key: Option<&str>) -> Self {
        let mut config = EngineConfig::new(base());
        config.kv_bytes = Some(32 << 20);
        config.device = DeviceChoice::Cpu;
        config.threads = Some(1);
        let engine = Engine::start(config, Arc::new(()), &|_| ()).expect("the demo's base model is there");
        let api_key = api_key.map(str::to_owned);
        let state = Data::new(State { engine, api_key, now: Mutex::default() });
        let mut stand_in = Self { state, address: address.parse().expect("an address"), running: None };
        stand_in.start_again();
        stand_in
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What happens to it.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state.now().faults);
    }

    /// What was asked.
    pub fn seen(&self) -> Seen {
        self.state.now().seen.clone()
    }

    /// The adapters that it has, by name.
    pub fn adapters(&self) -> Vec<String> {
        self.state.now().adapters.keys().cloned().collect()
    }

    /// Adapters that it has without being asked, such as those of an earlier owner.
    pub fn lend(&self, name: &str, folder: PathBuf) {
        let files = routes::adapter(&folder).expect("an adapter");
        self.state.now().adapters.insert(name.to_owned(), files);
    }

    /// Loses every adapter without a word.
    pub fn unload_all(&self) {
        self.state.now().adapters.clear();
    }

    /// Sequences that its engine runs or has waiting.
    pub fn busy(&self) -> usize {
        let stats = self.state.engine.stats();
        stats.running + stats.waiting
    }

    /// Ends as a process that is killed: nothing is answered to the end, and its address refuses.
    pub async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            self.state.begin_anew();
            running.stop(false).await;
        }
    }

    /// Begins anew at its address, without any adapter.
    pub fn start_again(&mut self) {
        let listener = listen(self.address);
        self.address = listener.local_addr().expect("an address");
        let mut now = self.state.now();
        now.started = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs_f64();
        drop(now);
        let state = self.state.clone();
        let server = HttpServer::new(move || App::new().app_data(state.clone()).configure(routes::mount))
            .workers(1)
            .disable_signals()
            .listen(listener)
            .expect("a socket")
            .run();
        self.running = Some(server.handle());
        tokio::spawn(server);
    }
}

/// The port may be taken for a moment by what was there before.
fn listen(address: SocketAddr) -> TcpListener {
    let started = Instant::now();
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(10), "{address}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The demo's base model.
pub fn base() -> PathBuf {
    repository().join("demo/base")
}

impl State {
    /// Whatever runs is of an earlier life.
    fn begin_anew(&self) {
        let mut now = self.now();
        now.life += 1;
        now.adapters.clear();
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
