//! `soak`: minutes of random traffic, in which models, lengths and patience vary, and the server's memory meanwhile.

use std::{cell::Cell, time::Duration};

use futures_util::{StreamExt, stream};
use rand::Rng;
use serde_json::json;
use tokio::time::{Instant, interval, timeout};

use crate::{
    client::Job,
    lab::Lab,
    progress, prompts,
    report::{Section, Table, number},
    stats::median,
    world::World,
};

const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// One request of these many hangs up early.
const HANG_UP_ONE_IN: u32 = 8;
/// One of these many is for the base model.
const BASE_ONE_IN: u32 = 5;
/// Longest patience of those that hang up.
const MOST_PATIENCE_MS: u64 = 2_000;
/// Points of the memory's curve that the document keeps.
const KEPT_SAMPLES: usize = 120;

#[derive(Default)]
struct Counts {
    ended: Cell<usize>,
    hung_up: Cell<usize>,
    tokens: Cell<u64>,
}

pub(super) async fn run(lab: &mut Lab, world: &World) -> anyhow::Result<Section> {
    let length = Duration::from_secs_f64(60.0 * lab.ground.options.soak_minutes);
    let streams = lab.ground.options.most_streams();
    let until = Instant::now() + length;
    let counts = Counts::default();
    let (failures, samples) = {
        let jobs = std::iter::from_fn(|| (Instant::now() < until).then(|| random_job(lab, world)));
        let asked = stream::iter(jobs)
            .map(|(job, patience)| ask(job, patience, &counts))
            .buffer_unordered(streams)
            .filter_map(std::future::ready)
            .collect::<Vec<String>>();
        let mut asked = std::pin::pin!(asked);
        let mut ticks = interval(SAMPLE_EVERY);
        let (mut samples, bar) = (Vec::new(), progress::things("soak: seconds", length.as_secs() as usize));
        let failures = loop {
            tokio::select! {
                ended = &mut asked => break ended,
                _ = ticks.tick() => {
                    samples.push(world.server.resident_bytes());
                    bar.set_position(length.saturating_sub(until.saturating_duration_since(Instant::now())).as_secs());
                }
            }
        };
        bar.finish_and_clear();
        (failures, samples)
    };
    let failed = failures.len();
    lab.failures.extend(failures);
    Ok(section(length, &samples, &counts, failed))
}

/// A request, and how long its client waits if it has little patience.
fn random_job(lab: &mut Lab, world: &World) -> (Job, Option<Duration>) {
    let options = &lab.ground.options;
    let random = &mut lab.random;
    let model = match random.random_ratio(1, BASE_ONE_IN) {
        true => &world.base,
        false => &world.adapters[random.random_range(0..world.adapters.len())],
    };
    let prompt_tokens = random.random_range(1..=2 * options.prompt_tokens);
    let output_tokens = random.random_range(1..=options.output_tokens);
    let patience = random
        .random_ratio(1, HANG_UP_ONE_IN)
        .then(|| Duration::from_millis(random.random_range(0..MOST_PATIENCE_MS)));
    (world.job(model, prompts::prompt(random, prompt_tokens), output_tokens), patience)
}

/// The words of a failure, if it was one.
async fn ask(job: Job, patience: Option<Duration>, counts: &Counts) -> Option<String> {
    let answer = job.run(|_| counts.tokens.set(counts.tokens.get() + 1));
    let answer = match patience {
        None => answer.await,
        Some(patience) => match timeout(patience, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                counts.hung_up.set(counts.hung_up.get() + 1);
                return None;
            }
        },
    };
    counts.ended.set(counts.ended.get() + 1);
    answer.err().map(|error| format!("{error:#}"))
}

fn section(length: Duration, samples: &[u64], counts: &Counts, failed: usize) -> Section {
    let quarter = samples.len() / 4;
    let middle = |part: &[u64]| median(&part.iter().map(|bytes| *bytes as f64).collect::<Vec<_>>());
    // The first quarter fills caches and pools.
    let (second, last) = (middle(&samples[quarter..2 * quarter]), middle(&samples[3 * quarter..]));
    let growth = last / second - 1.0;
    let most = samples.iter().copied().max().unwrap_or(0);
    let speed = counts.tokens.get() as f64 / length.as_secs_f64();
    let mut table = Table::new(
        0,
        &[
            "minutes",
            "requests",
            "hung up",
            "failed",
            "tokens/s",
            "2nd quarter MB",
            "last MB",
            "most MB",
            "growth %",
        ],
    );
    table.row(vec![
        number(length.as_secs_f64() / 60.0, 1),
        counts.ended.get().to_string(),
        counts.hung_up.get().to_string(),
        failed.to_string(),
        number(speed, 1),
        number(second / 1e6, 0),
        number(last / 1e6, 0),
        number(most as f64 / 1e6, 0),
        number(100.0 * growth, 2),
    ]);
    let every = samples.len().div_ceil(KEPT_SAMPLES).max(1);
    Section {
        name: "soak",
        title: "Random traffic, and the server's memory".to_owned(),
        table,
        notes: Vec::new(),
        json: json!({
            "seconds": length.as_secs_f64(),
            "requests": counts.ended.get(),
            "hung_up": counts.hung_up.get(),
            "failed": failed,
            "output_tokens": counts.tokens.get(),
            "resident_bytes": {
                "second_quarter": second,
                "last_quarter": last,
                "growth": growth,
                "most": most,
                "sample_seconds": SAMPLE_EVERY.as_secs_f64() * every as f64,
                "samples": samples.iter().step_by(every).collect::<Vec<_>>(),
            },
        }),
    }
}
