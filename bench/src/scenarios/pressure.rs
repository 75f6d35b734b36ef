//! `pressure`: twice as many adapters in use as fit into memory, beside as many as fit, on the same server. On half the
//! streams every request could run at once; on all of them half must wait for a place in memory.

use serde_json::json;

use super::mix::{Mix, models};
use crate::{
    lab::Lab,
    load::Measured,
    report::{Section, Table, number},
    world::World,
};

pub(super) async fn run(lab: &mut Lab, world: &World, resident: usize) -> anyhow::Result<Section> {
    let mut table = Table::new(
        1,
        &[
            "adapters in use",
            "streams",
            "tokens/s",
            "TTFT p50",
            "p99 ms",
            "of resident",
            "longest silence ms",
            "failed",
        ],
    );
    let mut rows = Vec::new();
    let twice = world.adapters.len();
    // Every file has been used once: what is cold is in memory, not on disk.
    lab.warm(world, &world.adapters).await;
    for streams in [resident, twice] {
        let mut all_resident = f64::NAN;
        for adapters in [resident, twice] {
            let measured = one(lab, world, (adapters, streams)).await;
            if adapters == resident {
                all_resident = measured.ttft_ms.p50;
            }
            let ratio = measured.ttft_ms.p50 / all_resident;
            table.row(vec![
                if adapters == resident {
                    format!("{adapters}, all resident")
                } else {
                    format!("{adapters}, half resident")
                },
                streams.to_string(),
                number(measured.output_tokens_per_s, 1),
                number(measured.ttft_ms.p50, 0),
                number(measured.ttft_ms.p99, 0),
                number(ratio, 2),
                number(measured.longest_silence_ms, 0),
                measured.failed.to_string(),
            ]);
            rows.push(json!({
                "adapters": adapters,
                "resident_budget": resident,
                "streams": streams,
                "ttft_p50_ratio_to_all_resident": ratio,
                "measured": measured,
            }));
        }
    }
    Ok(Section {
        name: "pressure",
        title: format!("Adapters beyond memory (room for {resident})"),
        table,
        notes: Vec::new(),
        json: json!({ "runs": rows }),
    })
}

/// A run in which the first `adapters` take turns; those that fit are in memory when it begins.
async fn one(lab: &mut Lab, world: &World, (adapters, streams): (usize, usize)) -> Measured {
    let turn = models(Mix::Distinct, world, (adapters, adapters), &mut lab.random);
    lab.warm(world, &turn).await;
    let count = lab.ground.options.requests(streams).max(adapters);
    let models = models(Mix::Distinct, world, (count, adapters), &mut lab.random);
    let jobs = lab.jobs(world, &models);
    lab.measure(&format!("pressure: {adapters} adapters, {streams} streams"), jobs, streams).await
}
