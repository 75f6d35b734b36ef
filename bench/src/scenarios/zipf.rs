//! `zipf1000`: a thousand registered adapters, asked for by Zipf's law, beside sixteen of them. Their rank is low, because
//! a thousand files of rank 16 would fill a disk; the memory for them is cut down in the same measure, so that as many
//! are resident as would be of rank 16 in the server's default.

use serde_json::json;

use super::mix::{Mix, models};
use crate::{
    lab::Lab,
    load::Measured,
    report::{Section, Table, number},
    stats::median,
    world::{Ground, Stock, World},
};

/// The adapters that the thousand are compared with.
const FEW: usize = 16;
/// The server's default memory for adapters, and the rank that it is meant for here.
const DEFAULT_BYTES: usize = 1 << 30;
const USUAL_RANK: usize = 16;

/// The registered adapters, and how many of them stay in memory: never all, and never fewer than the few.
pub(super) fn stock(ground: &Ground) -> Stock {
    let options = &ground.options;
    let resident = DEFAULT_BYTES / ground.adapter_bytes(USUAL_RANK);
    let most = options.registered / 2;
    Stock {
        ranks: vec![options.registered_rank; options.registered],
        resident: resident.clamp(FEW.min(most), most),
    }
}

pub(super) async fn run(lab: &mut Lab, world: &World, resident: usize) -> anyhow::Result<Section> {
    let streams = lab.ground.options.most_streams();
    let count = 2 * lab.ground.options.requests(streams);
    let zipf = models(Mix::Skewed, world, (count, streams), &mut lab.random);
    lab.warm(world, &zipf).await;
    let mut runs: Vec<(&str, Measured)> = Vec::new();
    for case in ["registered", "sixteen", "registered", "sixteen"] {
        let models = match case {
            "registered" => models(Mix::Skewed, world, (count, streams), &mut lab.random),
            _ => models(Mix::Distinct, world, (count, FEW), &mut lab.random),
        };
        if case == "sixteen" {
            lab.warm(world, &models[..FEW.min(count)]).await;
        }
        let jobs = lab.jobs(world, &models);
        runs.push((case, lab.measure(&format!("zipf1000: {case}"), jobs, streams).await));
    }
    let speed = |wanted: &str| {
        let speeds: Vec<f64> = runs
            .iter()
            .filter(|(case, _)| *case == wanted)
            .map(|(_, measured)| measured.output_tokens_per_s)
            .collect();
        median(&speeds)
    };
    let ratio = speed("registered") / speed("sixteen");
    let registered = world.adapters.len();
    let mut table = Table::new(1, &["adapters", "streams", "tokens/s", "TTFT p50", "p99 ms", "failed"]);
    for (case, measured) in &runs {
        table.row(vec![
            if *case == "registered" { format!("{registered}, Zipf") } else { format!("{FEW}, in turn") },
            streams.to_string(),
            number(measured.output_tokens_per_s, 1),
            number(measured.ttft_ms.p50, 0),
            number(measured.ttft_ms.p99, 0),
            measured.failed.to_string(),
        ]);
    }
    let rank = lab.ground.options.registered_rank;
    let rows: Vec<_> = runs.iter().map(|(case, run)| json!({ "case": case, "measured": run })).collect();
    Ok(Section {
        name: "zipf1000",
        title: format!("{registered} registered adapters of rank {rank}, room for {resident}"),
        table,
        notes: vec![format!("{registered} by Zipf's law reach {ratio:.2} of the speed with {FEW}.")],
        json: json!({
            "registered": registered,
            "rank": rank,
            "resident_budget": resident,
            "ratio_to_sixteen": ratio,
            "runs": rows,
        }),
    })
}
