//! Two gateways and two (stand-ins for) vLLM servers as processes, on one Postgres and one Redis: each is killed in turn, then
//! Redis is cut; what clients notice, how soon it is over, and whether limits and usage are exact after all.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use tenora_tests::{ADMIN_KEY, Adapter, Client, Outage, Production, Server, Settings, binary};

/// Requests at the same time.
const CLIENTS: usize = 8;
/// Output tokens of each.
const TOKENS: u64 = 8;

/// A stand-in for a vLLM server, as a process.
struct Vllm {
    child: Child,
    address: String,
}

impl Vllm {
    fn start(address: &str) -> Self {
        let mut command = Command::new(binary().with_file_name("vllm-stand-in"));
        let mut child =
            command.arg(address).stdout(Stdio::piped()).spawn().expect("make build-tests builds it");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped"))
            .read_line(&mut line)
            .expect("it says where");
        Self { child, address: line.trim().trim_start_matches("http://").to_owned() }
    }

    fn kill(mut self) -> String {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        self.address.clone()
    }
}

impl Drop for Vllm {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// What the clients saw.
#[derive(Default)]
struct Seen {
    answered: Vec<(Instant, u64)>,
    failed: Vec<(Instant, String)>,
}

impl Seen {
    fn saw(&mut self, answer: Result<u64, (bool, String)>) {
        match answer {
            Ok(tokens) => self.answered.push((Instant::now(), tokens)),
            Err((_, words)) => self.failed.push((Instant::now(), words)),
        }
    }

    /// What failed from then to then, and how long after the first the last did.
    fn between(&self, began: Instant, ended: Instant) -> (usize, Duration) {
        let within = self.failed.iter().filter(|(at, _)| (began..ended).contains(at));
        let last = within.clone().map(|(at, _)| *at - began).max();
        (within.count(), last.unwrap_or_default())
    }
}

/// How large the drill is.
struct Drill {
    adapters: usize,
    redis_away: Duration,
    between: Duration,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_and_gateways_die_and_everything_is_counted() {
    let drill = Drill { adapters: 12, redis_away: Duration::from_secs(3), between: Duration::from_secs(3) };
    drill.run().await;
}

/// As large as issue trackers ask for; `cargo nextest run --run-ignored only -E 'test(with_200_adapters)' --no-capture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes two minutes: a drill to be read, not a test"]
async fn with_200_adapters() {
    let drill =
        Drill { adapters: 200, redis_away: Duration::from_secs(20), between: Duration::from_secs(10) };
    drill.run().await;
}

/// What runs.
struct Scene {
    production: Production,
    servers: Vec<Vllm>,
    settings: [Settings; 2],
    gateways: [Option<Server>; 2],
    ports: [u16; 2],
    _folders: [tempfile::TempDir; 2],
}

impl Scene {
    async fn set() -> Option<Self> {
        let production = Production::make().await?;
        let folders = [(), ()].map(|()| tempfile::tempdir().expect("a folder"));
        let servers = vec![Vllm::start("127.0.0.1:0"), Vllm::start("127.0.0.1:0")];
        let urls =
            servers.iter().map(|server| format!("http://{}", server.address)).collect::<Vec<_>>().join(",");
        // A gateway that comes back has to be where it was.
        let ports = [free_port(), free_port()];
        let settings = ports.map(|port| {
            production
                .settings(&["serve"])
                .with("TENORA_LISTEN", &format!("127.0.0.1:{port}"))
                .with("TENORA_BLOBS_URL", &format!("file://{}", folders[0].path().display()))
                .with("TENORA_ENGINE", "vllm")
                .with("TENORA_VLLM_SERVERS", &urls)
                .with("TENORA_VLLM_MODEL", tenora_tests::vllm::BASE)
                .with("TENORA_VLLM_ADAPTER_DIR", &folders[1].path().to_string_lossy())
                .with("TENORA_VLLM_ADAPTERS", "32")
        });
        let gateways = [0, 1].map(|number: usize| Some(settings[number].start()));
        Some(Self { production, servers, settings, gateways, ports, _folders: folders })
    }

    fn gateway(&self, number: usize) -> &Server {
        self.gateways[number].as_ref().expect("it runs")
    }
}

impl Drill {
    async fn run(&self) {
        let Some(mut scene) = Scene::set().await else { return };
        let key = tenant(scene.gateway(0), "acme", json!({})).await;
        let names = self.upload(&scene.gateway(0).client(Some(&key))).await;
        let (seen, stop) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let urls = scene.ports.map(|port| format!("http://127.0.0.1:{port}"));
                tokio::spawn(ask_on(number, urls, key.clone(), names.clone(), (seen.clone(), stop.clone())))
            })
            .collect();
        let times = self.disasters(&mut scene).await;
        stop.store(true, Relaxed);
        join_all(clients).await;
        let [answered, failed, tokens] = self.judge(&seen.lock().expect("no panic"), times);
        let rows = used(scene.gateway(0), "acme", answered).await;
        // What ended well and was not heard of: its client, or its gateway, was gone by then.
        assert!(
            (answered..=answered + failed).contains(&rows[0]),
            "{rows:?}: {answered} answers, {failed} failures"
        );
        assert!(
            (tokens..=tokens + failed * (TOKENS + 100)).contains(&rows[1]),
            "{rows:?}: {tokens} tokens were heard of"
        );
        self.limits_are_exact([scene.gateway(0), scene.gateway(1)], &names).await;
    }

    /// A server is killed and comes back, a gateway is killed and comes back, Redis is cut and comes back.
    async fn disasters(&self, scene: &mut Scene) -> [Instant; 3] {
        let wait = || tokio::time::sleep(self.between);
        wait().await;
        let server_died = Instant::now();
        let address = scene.servers.remove(0).kill();
        wait().await;
        scene.servers.push(Vllm::start(&address));
        wait().await;
        let gateway_died = Instant::now();
        scene.gateways[1].take().expect("it runs").kill();
        wait().await;
        scene.gateways[1] = Some(scene.settings[1].start());
        wait().await;
        let redis_left = Instant::now();
        scene.production.redis(Outage::Cut);
        tokio::time::sleep(self.redis_away).await;
        scene.production.redis(Outage::Over);
        wait().await;
        [server_died, gateway_died, redis_left]
    }

    /// Says what clients noticed, and whether it is more than it must be. Returns answers, failures, and tokens that were heard
    /// of.
    fn judge(&self, seen: &Seen, [server_died, gateway_died, redis_left]: [Instant; 3]) -> [u64; 3] {
        let calm = seen.failed.iter().filter(|(at, _)| *at < server_died).count();
        let (by_server, server_time) = seen.between(server_died, gateway_died);
        let (by_gateway, gateway_time) = seen.between(gateway_died, redis_left);
        let (by_redis, redis_time) = seen.between(redis_left, Instant::now());
        let (answered, failed) = (seen.answered.len() as u64, seen.failed.len() as u64);
        let report = format!(
            "{} adapters, {CLIENTS} clients: {answered} answers, {failed} failures ({calm} before anything happened)\n\
             vLLM server killed: {by_server} failures, the last {server_time:?} after it\n\
             gateway killed: {by_gateway} failures, the last {gateway_time:?} after it\n\
             Redis cut for {:?}: {by_redis} failures, the last {redis_time:?} after it\n{:?}",
            self.adapters,
            self.redis_away,
            kinds(seen),
        );
        writeln!(std::io::stdout(), "{report}").expect("standard output");
        assert_eq!(calm, 0, "{report}");
        assert!(by_server <= CLIENTS, "only what was being answered there: {report}");
        assert!(by_gateway <= CLIENTS, "only what was being answered there: {report}");
        assert_eq!(by_redis, 0, "Redis is missed by nobody: {report}");
        [answered, failed, seen.answered.iter().map(|(_, tokens)| tokens).sum()]
    }

    /// Variants of the demo's adapters, which the first gateway checks and tries on the servers.
    async fn upload(&self, client: &Client) -> Vec<String> {
        let names: Vec<String> = (0..self.adapters).map(|number| format!("adapter-{number}")).collect();
        let demo = ["ticket-triage", "text-to-sql", "brand-voice"].map(Adapter::demo);
        let upload = |(number, name): (usize, &String)| {
            let adapter = demo[number % 3].clone().variant((number / 3) as u8);
            let request = client.upload_request(name, &adapter);
            async move {
                let answer = request.send().await.expect("an answer");
                let status = answer.status();
                assert_eq!(status, 201, "{}", answer.text().await.unwrap_or_default());
            }
        };
        stream::iter(names.iter().enumerate()).map(upload).buffer_unordered(4).collect::<Vec<()>>().await;
        names
    }

    /// Both gateways together let through what one may.
    async fn limits_are_exact(&self, gateways: [&Server; 2], names: &[String]) {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let key = tenant(gateways[0], "limited", json!({"requests_per_minute": 40})).await;
        let clients = gateways.map(|gateway| gateway.client(Some(&key)));
        let adapter = Adapter::demo("ticket-triage");
        let pushed = clients[0].upload_request("own", &adapter).send().await.expect("an answer");
        assert_eq!(pushed.status(), 201);
        assert_eq!(clients[0].get("/v1/models").await.body["data"].as_array().map(Vec::len), Some(2));
        let foreign = clients[1].post("/v1/completions", &question(&names[0])).await;
        foreign.expect_error(404, "model_not_found");
        let own = question("own");
        let replies = join_all((0..120).map(|at| clients[at % 2].post("/v1/completions", &own))).await;
        let granted = replies.iter().filter(|reply| reply.status == 200).count();
        let refused = replies.iter().filter(|reply| reply.status == 429).count();
        assert_eq!((granted, refused), (40, 80), "not one more, and not one less");
    }
}

fn question(model: &str) -> Value {
    json!({"model": model, "prompt": "Hello", "max_tokens": TOKENS, "temperature": 0, "ignore_eos": true})
}

/// Asks one adapter after the other at one gateway after the other, until it is told to stop.
async fn ask_on(
    number: usize,
    urls: [String; 2],
    key: String,
    names: Vec<String>,
    (seen, stop): (Arc<Mutex<Seen>>, Arc<AtomicBool>),
) {
    let http =
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a client");
    for turn in 0.. {
        if stop.load(Relaxed) {
            return;
        }
        // A few are asked for often, and all at some time.
        let random = (turn * CLIENTS + number).wrapping_mul(2_654_435_761) >> 8;
        let name = &names[(random % names.len()) * (random / 7 % names.len()) / names.len()];
        let mut url = &urls[(turn + number) % 2];
        let ask = async |url: &str| {
            let request = http.post(format!("{url}/v1/completions")).bearer_auth(&key).json(&question(name));
            let answer =
                request.send().await.map_err(|error| (error.is_connect(), format!("no answer: {error}")))?;
            let status = answer.status();
            let body: Value =
                answer.json().await.map_err(|error| (false, format!("half an answer: {error}")))?;
            if status == 200 {
                return Ok(body["usage"]["total_tokens"].as_u64().unwrap_or_default());
            }
            Err((false, format!("{status} {}", body["error"]["code"])))
        };
        let mut answer = ask(url).await;
        // What a load balancer does: a gateway that takes no connection is left out.
        if matches!(answer, Err((true, _))) {
            url = &urls[(turn + number + 1) % 2];
            answer = ask(url).await;
        }
        seen.lock().expect("no panic").saw(answer);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn kinds(seen: &Seen) -> std::collections::BTreeMap<&str, usize> {
    let mut kinds = std::collections::BTreeMap::new();
    seen.failed.iter().for_each(|(_, words)| *kinds.entry(words.as_str()).or_default() += 1);
    kinds
}

/// A tenant with these limits; its key.
async fn tenant(server: &Server, slug: &str, limits: Value) -> String {
    let admin = server.client(Some(ADMIN_KEY));
    assert_eq!(admin.post("/admin/v1/tenants", &json!({"slug": slug})).await.status, 201);
    let path = format!("/admin/v1/tenants/{slug}");
    assert_eq!(admin.patch(&path, &json!({"limits": limits})).await.status, 200);
    let made = admin.post(&format!("{path}/keys"), &json!({"name": "k"})).await;
    made.body["key"].as_str().expect("a key").to_owned()
}

/// Requests that did not fail, and all tokens, when the rows are there.
async fn used(server: &Server, slug: &str, requests: u64) -> [u64; 2] {
    let admin = server.client(Some(ADMIN_KEY));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let path = format!("/admin/v1/usage?start_time={}&project_ids={slug}", now - 86_400);
    let started = Instant::now();
    loop {
        let body = admin.get(&path).await.body;
        let buckets = body["data"].as_array().cloned().unwrap_or_default();
        let results =
            buckets.iter().flat_map(|bucket| bucket["results"].as_array().cloned().unwrap_or_default());
        let sum = results.fold([0; 2], |sum, result| {
            let of = |name: &str| result[name].as_u64().expect("a number");
            let well = of("num_model_requests") - of("num_failed_requests");
            [sum[0] + well, sum[1] + of("input_tokens") + of("output_tokens")]
        });
        if sum[0] >= requests || started.elapsed() > Duration::from_secs(30) {
            return sum;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
