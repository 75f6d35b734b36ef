//! `uploads`: many large uploads at the same time while requests run: what the requests notice, and what memory it takes.

use std::{cell::Cell, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use futures_util::{StreamExt, future::join, stream};
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use crate::{
    adapter,
    client::Job,
    lab::Lab,
    load::{Measured, closed_loop},
    progress,
    report::{Section, Table, number},
    stats::median,
    world::World,
};

const SAMPLE_EVERY: Duration = Duration::from_millis(250);

pub(super) async fn run(lab: &mut Lab, world: &World) -> anyhow::Result<Section> {
    let streams = lab.ground.options.most_streams();
    let models = world.adapters.clone();
    lab.warm(world, &models).await;
    let most = Cell::new(0);
    let alone = lab.jobs(world, &models.iter().cycle().take(3 * streams).cloned().collect::<Vec<_>>());
    let before = sampled(world, &most, closed_loop(alone, streams, &|_| (), &|_| ())).await.measured();
    let quiet_bytes = most.take();

    let rank = rank_of(lab, lab.ground.options.upload_mb << 20);
    progress::say("Making a large adapter");
    let large = adapter::make(&lab.ground.shape, rank, lab.ground.source(u32::MAX))?;
    let file_bytes = large.weights.len();
    let (config, weights) = (Bytes::from(large.config), Bytes::from(large.weights));
    let count = lab.ground.options.uploads;
    let (bar, uploading) = (progress::things("Uploading beside requests", count), Cell::new(true));
    let began = Instant::now();
    let upload = async {
        let each = stream::iter(0..count).map(|number| {
            let (tenant, bar, config, weights) = (&world.tenant, &bar, &config, &weights);
            async move {
                let name = format!("large-{number}");
                let sent = tenant.upload_variant(&name, config, weights, number as u8);
                let version = sent.await.with_context(|| format!("upload {number} failed"))?;
                bar.inc(1);
                anyhow::Ok(version["report"].clone())
            }
        });
        let ends = each.buffer_unordered(count).collect::<Vec<_>>().await;
        uploading.set(false);
        ends
    };
    let jobs = std::iter::from_fn(|| uploading.get().then(|| random_job(lab, world)));
    let traffic = closed_loop(jobs, streams, &|_| (), &|_| ());
    let (run, ends) = sampled(world, &most, join(traffic, upload)).await;
    bar.finish_and_clear();
    let took = began.elapsed();
    let reports = ends.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    lab.failures.extend(run.errors.iter().cloned());
    let during = run.measured();
    let memory = [quiet_bytes, most.take()];
    Ok(section(&Outcome { reports, file_bytes, took, memory, before, during }))
}

struct Outcome {
    /// What each upload's version says.
    reports: Vec<Value>,
    file_bytes: usize,
    took: Duration,
    /// The most that was resident, before and during.
    memory: [u64; 2],
    before: Measured,
    during: Measured,
}

/// A request of the usual size for one of the adapters, in turn.
fn random_job(lab: &mut Lab, world: &World) -> Job {
    let prompt = lab.prompt();
    let model = &world.adapters[prompt.len() % world.adapters.len()];
    world.job(model, prompt, lab.ground.options.output_tokens)
}

/// The rank at which an adapter has at least so many bytes.
fn rank_of(lab: &Lab, bytes: usize) -> usize {
    bytes.div_ceil(lab.ground.adapter_bytes(1)).max(1)
}

/// Does something, and notes the most memory that the server had resident meanwhile.
async fn sampled<T>(world: &World, most: &Cell<u64>, work: impl Future<Output = T>) -> T {
    let (mut work, mut ticks) = (std::pin::pin!(work), interval(SAMPLE_EVERY));
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => most.set(most.get().max(world.server.resident_bytes())),
        }
    }
}

fn section(outcome: &Outcome) -> Section {
    let Outcome { reports, file_bytes, took, memory, before, during } = outcome;
    let count = reports.len();
    let middle = |pointer: &str| {
        let times = reports.iter().filter_map(|report| report.pointer(pointer)?.as_f64());
        median(&times.collect::<Vec<_>>())
    };
    let [check, load, run] = ["/check_ms", "/canary/load_ms", "/canary/run_ms"].map(middle);
    let mut table = Table::new(
        1,
        &["requests", "tokens/s", "TTFT p50", "token p50", "token p99", "longest ms", "failed", "most MB"],
    );
    for (when, measured, bytes) in [("alone", before, memory[0]), ("beside uploads", during, memory[1])] {
        table.row(vec![
            when.to_owned(),
            number(measured.output_tokens_per_s, 1),
            number(measured.ttft_ms.p50, 0),
            number(measured.inter_token_ms.p50, 1),
            number(measured.inter_token_ms.p99, 1),
            number(measured.longest_silence_ms, 0),
            measured.failed.to_string(),
            number(bytes as f64 / 1e6, 0),
        ]);
    }
    let (megabytes, seconds) = (*file_bytes as f64 / 1e6, took.as_secs_f64());
    Section {
        name: "uploads",
        title: format!("{count} uploads of {megabytes:.0} MB at the same time"),
        table,
        notes: vec![format!(
            "All were routable after {seconds:.1} s: {:.0} MB/s, each hashed, checked ({check:.0} ms, the median), brought \
             into memory ({load:.0} ms), tried ({run:.0} ms) and stored.",
            megabytes * count as f64 / seconds
        )],
        json: json!({
            "uploads": count,
            "file_bytes": file_bytes,
            "seconds": seconds,
            "median_ms": { "check": check, "load": load, "run": run },
            "before": before,
            "during": during,
            "resident_bytes": { "before": memory[0], "during": memory[1] },
        }),
    }
}
