//! `single`: one stream alone, beside the time that reading every weight once takes on this machine.

use serde_json::json;

use crate::{
    lab::Lab,
    machine::Machine,
    report::{Section, Table, number},
    world::World,
};

pub(super) async fn run(lab: &mut Lab, world: &World, machine: &Machine) -> anyhow::Result<Section> {
    let adapter = world.adapters[0].clone();
    lab.warm(world, std::slice::from_ref(&adapter)).await;
    let ground = &lab.ground;
    let base_bytes = ground.shape.parameters() * ground.options.weights.bytes();
    let adapter_bytes = ground.adapter_bytes(ground.options.rank(0));
    let cases =
        [("base only", world.base.clone(), base_bytes), ("one adapter", adapter, base_bytes + adapter_bytes)];
    let mut table =
        Table::new(1, &["one stream", "tokens/s", "ms a token", "MB a token", "floor ms", "of floor"]);
    let mut rows = Vec::new();
    for (words, model, bytes) in cases {
        let models = vec![model; lab.ground.options.requests(1)];
        let jobs = lab.jobs(world, &models);
        let measured = lab.measure(&format!("single: {words}"), jobs, 1).await;
        let floor_ms = bytes as f64 / machine.read_bytes_per_s * 1e3;
        let token_ms = measured.inter_token_ms.p50;
        table.row(vec![
            words.to_owned(),
            number(1e3 / token_ms, 1),
            number(token_ms, 2),
            number(bytes as f64 / 1e6, 0),
            number(floor_ms, 2),
            number(token_ms / floor_ms, 2),
        ]);
        rows.push(json!({
            "case": words,
            "bytes_a_token": bytes,
            "floor_ms": floor_ms,
            "ratio_to_floor": token_ms / floor_ms,
            "decode_tokens_per_s": 1e3 / token_ms,
            "measured": measured,
        }));
    }
    Ok(Section {
        name: "single",
        title: "One stream alone".to_owned(),
        table,
        notes: vec![format!(
            "The floor is the weights' bytes at {:.1} GB/s.",
            machine.read_bytes_per_s / 1e9
        )],
        json: json!({ "runs": rows }),
    })
}
