//! `gateway`: what everything around the engine adds to a request: the key, the limits, the account, the wire. Requests
//! come at a fixed rate whether earlier ones have been answered or not, each for one token, by turns to the server, to a
//! bare one that answers the same at once, and to another gateway if there is one. What the server says that its engine took
//! is taken off, and then what a client waits for the bare one: the client's own work, the kernel's and HTTP's. How late the
//! client was is told beside.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::spawn_blocking};

use crate::{
    client::{Client, Job},
    lab::Lab,
    machine, progress, prompts,
    report::{Section, Table, number},
    server::Bare,
    stats::percentile,
    world::World,
};

/// Limits that are kept count of and never reached.
const LIMIT: u64 = 1 << 40;
const WARM_UP: Duration = Duration::from_secs(2);
const PROMPT_TOKENS: usize = 4;
/// How often they take turns at one rate: all meet the machine in all of its moods.
const TURNS: u32 = 5;
/// Requests that are due and not sent yet, because the client has no time.
const MAX_TICKS: usize = 1 << 16;

/// One request: what a client waited, and what of it was the engine's, in milliseconds.
struct Sample {
    late_ms: f64,
    total_ms: f64,
    engine_ms: f64,
}

/// What one of them was asked and how it answered.
#[derive(Default)]
struct Side {
    asked: usize,
    samples: Vec<Sample>,
    cpu: Duration,
}

/// One of them.
struct Target {
    name: &'static str,
    client: Client,
    /// Its process, where it is one of ours.
    pid: Option<u32>,
}

pub(super) async fn run(lab: &mut Lab, world: &World) -> anyhow::Result<Section> {
    let limits = json!({
        "requests_per_minute": LIMIT, "tokens_per_minute": LIMIT, "concurrent_requests": LIMIT, "monthly_tokens": LIMIT,
    });
    world.server.operator.limit("bench", &limits).await?;
    let answer = job(lab, world, &world.tenant).example().await?;
    let binary = lab.ground.binary.clone();
    let bare = spawn_blocking(move || Bare::start(&binary, &answer)).await??;
    let target = |name, client, pid| Target { name, client, pid };
    let floor = target("floor", world.tenant.at(&bare.url), Some(bare.pid()));
    let mut targets = vec![target("tenora", world.tenant.clone(), Some(world.server.pid()))];
    let beside = lab.ground.options.beside.as_deref().map(|url| world.tenant.at(url.trim_end_matches('/')));
    targets.extend(beside.map(|client| target("beside", client, None)));
    let mut table = Table::new(1, &HEAD);
    let mut rows = Vec::new();
    for rate in lab.ground.options.rates.clone() {
        let (least, measured) = measure(lab, world, (&floor, &targets), rate).await;
        for (target, side, turns) in measured {
            table.row(cells(target.name, rate, &side, &least));
            rows.push(document(target.name, rate, (&side, &least), turns));
        }
    }
    Ok(Section {
        name: "gateway",
        title: "What the gateway adds".to_owned(),
        table,
        notes: vec![
            "With a key, four limits of the tenant, usage rows, and the client on the same machine. Added is the whole less \
             the engine, less the floor: the same client's wait for a bare server with the same answer."
                .to_owned(),
        ],
        json: json!({ "runs": rows }),
    })
}

/// What all turns at one rate brought: of the floor; and of each target, with what it added in each turn.
async fn measure<'t>(
    lab: &mut Lab,
    world: &World,
    (floor, targets): (&Target, &'t [Target]),
    rate: u32,
) -> (Side, Vec<(&'t Target, Side, Vec<Value>)>) {
    let seconds = lab.ground.options.rate_seconds;
    progress::say(&format!("gateway: {rate} requests/s for {seconds} s each"));
    for target in targets.iter().chain([floor]) {
        open_loop(lab, world, (target, rate), WARM_UP).await;
    }
    let mut least = Side::default();
    let mut measured: Vec<_> = targets.iter().map(|target| (target, Side::default(), Vec::new())).collect();
    for _ in 0..TURNS {
        let duration = Duration::from_secs_f64(seconds) / TURNS;
        let floor = open_loop(lab, world, (floor, rate), duration).await;
        for (target, all, turns) in &mut measured {
            let side = open_loop(lab, world, (target, rate), duration).await;
            turns.push(spread(added(&side, &floor)));
            all.extend(side);
        }
        least.extend(floor);
    }
    (least, measured)
}

const HEAD: [&str; 15] = [
    "",
    "requests/s",
    "answered",
    "failed",
    "added p50 ms",
    "p99 ms",
    "less engine p50 ms",
    "p99 ms",
    "floor p50 ms",
    "p99 ms",
    "whole p50 ms",
    "p99 ms",
    "engine p50 ms",
    "CPU µs (floor's)",
    "sent late p99",
];

fn cells(name: &str, rate: u32, side: &Side, floor: &Side) -> Vec<String> {
    let ms = |[p50, p99]: [f64; 2]| [number(p50, 2), number(p99, 2)];
    let mut cells =
        vec![name.to_owned(), rate.to_string(), side.samples.len().to_string(), side.failed().to_string()];
    let pairs = [added(side, floor), side.less_engine(), floor.whole(), side.whole()];
    cells.extend(pairs.map(ms).into_iter().flatten());
    cells.push(number(side.ends(|sample| sample.engine_ms)[0], 2));
    cells.push(format!("{} ({})", number(side.cpu_us(), 0), number(floor.cpu_us(), 0)));
    cells.push(number(side.ends(|sample| sample.late_ms)[1], 2));
    cells
}

fn document(name: &str, rate: u32, (side, floor): (&Side, &Side), turns: Vec<Value>) -> Value {
    json!({
        "of": name,
        "requests_per_s": rate,
        "failed": side.failed(),
        "added_ms": spread(added(side, floor)),
        "added_ms_by_turn": turns,
        "less_engine_ms": spread(side.less_engine()),
        "floor_ms": spread(floor.whole()),
        "whole_ms": spread(side.whole()),
        "engine_ms": spread(side.ends(|sample| sample.engine_ms)),
        "cpu_us": { "server": side.cpu_us(), "floor": floor.cpu_us() },
        "sent_late_ms": spread(side.ends(|sample| sample.late_ms)),
    })
}

fn spread([p50, p99]: [f64; 2]) -> Value {
    json!({ "p50": p50, "p99": p99 })
}

/// What one's requests took without the engine, at the median and at the 99th hundredth, less the bare server's.
fn added(side: &Side, floor: &Side) -> [f64; 2] {
    let (side, floor) = (side.less_engine(), floor.whole());
    [side[0] - floor[0], side[1] - floor[1]]
}

impl Side {
    fn extend(&mut self, other: Self) {
        self.asked += other.asked;
        self.samples.extend(other.samples);
        self.cpu += other.cpu;
    }

    fn failed(&self) -> usize {
        self.asked - self.samples.len()
    }

    fn ends(&self, of: impl Fn(&Sample) -> f64) -> [f64; 2] {
        let values: Vec<f64> = self.samples.iter().map(of).collect();
        [percentile(&values, 0.5), percentile(&values, 0.99)]
    }

    fn whole(&self) -> [f64; 2] {
        self.ends(|sample| sample.total_ms)
    }

    fn less_engine(&self) -> [f64; 2] {
        self.ends(|sample| sample.total_ms - sample.engine_ms)
    }

    /// Of the process, for each request, in microseconds; no number when that is not known.
    fn cpu_us(&self) -> f64 {
        if self.cpu.is_zero() { f64::NAN } else { self.cpu.as_secs_f64() * 1e6 / self.asked as f64 }
    }
}

fn job(lab: &mut Lab, world: &World, client: &Client) -> Job {
    let prompt = prompts::prompt(&mut lab.random, PROMPT_TOKENS);
    Job { client: client.clone(), ..world.job(&world.base, prompt, 1) }
}

/// Sends at a fixed rate, one request at least, and waits for all.
async fn open_loop(lab: &mut Lab, world: &World, (target, rate): (&Target, u32), duration: Duration) -> Side {
    let count = ((f64::from(rate) * duration.as_secs_f64()) as u32).max(1);
    let jobs: Vec<Job> = (0..count).map(|_| job(lab, world, &target.client)).collect();
    let cpu = || target.pid.map(machine::cpu_time).unwrap_or_default();
    let cpu_before = cpu();
    let mut clock = clock(count, rate);
    let one = async |(due, job): (Instant, Job)| {
        let sent = Instant::now();
        let engine = job.once().await?;
        let total = sent.elapsed();
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        anyhow::Ok(Sample { late_ms: ms(sent - due), total_ms: ms(total), engine_ms: ms(engine) })
    };
    let due = stream::poll_fn(|context| clock.poll_recv(context));
    let answers: Vec<_> =
        due.zip(stream::iter(jobs)).map(one).buffer_unordered(count as usize).collect().await;
    let mut side = Side { asked: answers.len(), cpu: cpu() - cpu_before, ..Side::default() };
    for answer in answers {
        match answer {
            Ok(sample) => side.samples.push(sample),
            // Another's failures are counted, and its own affair.
            Err(error) if target.pid.is_some() => lab.failures.push(format!("{error:#}")),
            Err(_) => {}
        }
    }
    side
}

/// Tells when each request is due, then. A thread, because the runtime's timers are a millisecond wide: at a thousand requests
/// a second they would send two at once, and none in the next.
fn clock(count: u32, rate: u32) -> mpsc::Receiver<Instant> {
    let (tick, ticks) = mpsc::channel(MAX_TICKS);
    let begun = Instant::now() + Duration::from_millis(50);
    std::thread::spawn(move || {
        for index in 0..count {
            let due = begun + Duration::from_secs(1) * index / rate;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if tick.blocking_send(due).is_err() {
                return;
            }
        }
    });
    ticks
}
