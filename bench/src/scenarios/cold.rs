//! `cold`: time to first token by where an adapter is: in memory, in a verified local file, or in the blob store only.
//! Requests come one at a time. The server has room for half of the adapters; walking round all of them, the next one is
//! always the one that was evicted longest ago.

use indicatif::ProgressBar;
use serde_json::json;

use crate::{
    lab::{Lab, SHORT_OUTPUT},
    progress,
    report::{Section, Table, number},
    stats::{median, percentile},
    world::World,
};

/// Samples of each tier at least, unless `--requests` says otherwise.
const SAMPLES: usize = 16;
/// What a load may take: a rate of reading and checking, and a wait for the loader.
const LIMIT_BYTES_PER_MS: f64 = 500e6 / 1e3;
const LIMIT_MS: f64 = 10.0;

/// Times to first token, in milliseconds.
#[derive(Default)]
struct Tiers {
    base: Vec<f64>,
    resident: Vec<f64>,
    local_file: Vec<f64>,
    blob_store: Vec<f64>,
}

pub(super) async fn run(lab: &mut Lab, world: &World) -> anyhow::Result<Section> {
    let (mut tiers, samples) = (Tiers::default(), lab.ground.options.requests.unwrap_or(SAMPLES));
    // A first request pays for more than its adapter.
    lab.warm(world, &[world.base.clone(), world.base.clone()]).await;
    let bar = progress::things("cold: single requests", world.adapters.len() + 3 * samples);
    for adapter in &world.adapters {
        tiers.blob_store.extend(first_ms(lab, world, adapter, &bar).await);
    }
    for adapter in world.adapters.iter().cycle().take(samples) {
        tiers.base.extend(first_ms(lab, world, &world.base, &bar).await);
        tiers.local_file.extend(first_ms(lab, world, adapter, &bar).await);
        tiers.resident.extend(first_ms(lab, world, adapter, &bar).await);
    }
    bar.finish_and_clear();
    Ok(section(lab, &tiers))
}

async fn first_ms(lab: &mut Lab, world: &World, model: &str, bar: &ProgressBar) -> Vec<f64> {
    let job = world.job(model, lab.prompt(), SHORT_OUTPUT);
    lab.run(vec![job], 1, bar).await.ttft_ms()
}

fn section(lab: &Lab, tiers: &Tiers) -> Section {
    let options = &lab.ground.options;
    let adapters = options.adapters();
    let bytes: usize = (0..adapters).map(|adapter| lab.ground.adapter_bytes(options.rank(adapter))).sum();
    let file_bytes = bytes as f64 / adapters as f64;
    let limit_ms = file_bytes / LIMIT_BYTES_PER_MS + LIMIT_MS;
    let mut table = Table::new(1, &["adapter", "samples", "TTFT p50", "p99 ms", "more than resident ms"]);
    let (resident, mut rows) = (median(&tiers.resident), Vec::new());
    for (name, words, values) in [
        ("base_only", "none", &tiers.base),
        ("resident", "resident", &tiers.resident),
        ("local_file", "local file", &tiers.local_file),
        ("blob_store", "first use (blob store)", &tiers.blob_store),
    ] {
        let (middle, late) = (median(values), percentile(values, 0.99));
        table.row(vec![
            words.to_owned(),
            values.len().to_string(),
            number(middle, 1),
            number(late, 1),
            number(middle - resident, 1),
        ]);
        rows.push(json!({
            "tier": name,
            "samples": values.len(),
            "ttft_ms": { "p50": middle, "p99": late },
            "more_than_resident_ms": middle - resident,
        }));
    }
    Section {
        name: "cold",
        title: "Cold start by tier".to_owned(),
        table,
        notes: vec![format!(
            "A file of {:.1} MB may add {limit_ms:.1} ms: its bytes at 500 MB/s, and 10 ms.",
            file_bytes / 1e6
        )],
        json: json!({ "tiers": rows, "file_bytes": file_bytes, "limit_ms": limit_ms }),
    }
}
