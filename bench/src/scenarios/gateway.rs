//! `gateway`: what everything around the engine adds to a request: the key, the limits, the account, the wire. Requests
//! come at a fixed rate whether earlier ones have been answered or not, each for one token. What the server says that its
//! engine took is taken off; the client's own work is not. How late the client itself was is told beside it.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::{
    client::Job,
    lab::Lab,
    progress, prompts,
    report::{Section, Table, number},
    stats::percentile,
    world::World,
};

/// Limits that are kept count of and never reached.
const LIMIT: u64 = 1 << 40;
const WARM_UP: Duration = Duration::from_secs(2);
const PROMPT_TOKENS: usize = 4;

/// One request: what a client waited, and what of it was the engine's, in milliseconds.
struct Sample {
    late_ms: f64,
    total_ms: f64,
    engine_ms: f64,
}

pub(super) async fn run(lab: &mut Lab, world: &World) -> anyhow::Result<Section> {
    let limits = json!({
        "requests_per_minute": LIMIT, "tokens_per_minute": LIMIT, "concurrent_requests": LIMIT, "monthly_tokens": LIMIT,
    });
    world.server.operator.limit("bench", &limits).await?;
    let head = [
        "requests/s",
        "answered",
        "failed",
        "added p50 ms",
        "p99 ms",
        "whole p50 ms",
        "p99 ms",
        "engine p50 ms",
        "sent late p99",
    ];
    let (mut table, mut rows) = (Table::new(0, &head), Vec::new());
    for rate in lab.ground.options.rates.clone() {
        open_loop(lab, world, rate, WARM_UP).await;
        let duration = Duration::from_secs_f64(lab.ground.options.rate_seconds);
        progress::say(&format!("gateway: {rate} requests/s for {} s", duration.as_secs_f64()));
        let answers = open_loop(lab, world, rate, duration).await;
        let asked = answers.len();
        let mut samples = Vec::with_capacity(asked);
        for answer in answers {
            match answer {
                Ok(sample) => samples.push(sample),
                Err(error) => lab.failures.push(format!("{error:#}")),
            }
        }
        let failed = asked - samples.len();
        let ends = |of: fn(&Sample) -> f64| {
            let values: Vec<f64> = samples.iter().map(of).collect();
            [percentile(&values, 0.5), percentile(&values, 0.99)]
        };
        let added = ends(|sample| sample.total_ms - sample.engine_ms);
        let late = ends(|sample| sample.late_ms);
        let (whole, engine) = (ends(|sample| sample.total_ms), ends(|sample| sample.engine_ms));
        let words = [rate.to_string(), samples.len().to_string(), failed.to_string()];
        let numbers = [added[0], added[1], whole[0], whole[1], engine[0], late[1]].map(|ms| number(ms, 2));
        table.row(words.into_iter().chain(numbers).collect());
        let spread = |[p50, p99]: [f64; 2]| json!({ "p50": p50, "p99": p99 });
        rows.push(json!({
            "requests_per_s": rate,
            "failed": failed,
            "added_ms": spread(added),
            "whole_ms": spread(whole),
            "engine_ms": spread(engine),
            "sent_late_ms": spread(late),
        }));
    }
    Ok(Section {
        name: "gateway",
        title: "What the gateway adds".to_owned(),
        table,
        notes: vec![
            "With a key, four limits of the tenant, usage rows, and the client on the same machine."
                .to_owned(),
        ],
        json: json!({ "runs": rows }),
    })
}

/// Sends at a fixed rate, waits for all.
async fn open_loop(
    lab: &mut Lab,
    world: &World,
    rate: u32,
    duration: Duration,
) -> Vec<anyhow::Result<Sample>> {
    let count = (f64::from(rate) * duration.as_secs_f64()) as u32;
    let mut job = |_| world.job(&world.base, prompts::prompt(&mut lab.random, PROMPT_TOKENS), 1);
    let jobs: Vec<Job> = (0..count).map(&mut job).collect();
    let begun = Instant::now() + Duration::from_millis(50);
    let one = |(index, job): (u32, Job)| async move {
        let due = begun + Duration::from_secs(1) * index / rate;
        sleep_until(due).await;
        let sent = Instant::now();
        let engine = job.once().await?;
        let total = sent.elapsed();
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        Ok(Sample { late_ms: ms(sent - due), total_ms: ms(total), engine_ms: ms(engine) })
    };
    join_all((0..count).zip(jobs).map(one)).await
}
