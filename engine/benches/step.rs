//! One step of the cpu runner on random weights of SmolLM2-135M's shape, 32,000 tokens: decoding and prefill, alone and in
//! batches, with no adapter, one, or one for each row. Reported as rows per second.
//!
//! `cargo bench -p tenora-engine --bench step -- FILTER`; a shape's files are made once, in the target folder.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot make its files has nothing to measure")]

#[path = "../tests/support/files.rs"]
mod files;
#[path = "support/synthetic.rs"]
mod synthetic;

use std::{path::PathBuf, sync::Arc};

use self::synthetic::{Stored, adapter, base, batch};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use tenora_engine::{
    config::EngineConfig,
    model::Projection,
    runner::{
        Runner,
        cpu::{CpuAdapter, CpuRunner},
    },
};

const RANK: usize = 16;
const ADAPTERS: usize = 16;
const CONTEXT: usize = 512;
/// Decoding goes on after a prompt.
const DECODE: (usize, usize) = (1, 100);
const CONFIG: &str = r#"{"architectures":["LlamaForCausalLM"],"hidden_size":576,"intermediate_size":1536,
"num_hidden_layers":30,"num_attention_heads":9,"num_key_value_heads":3,"head_dim":64,"vocab_size":32000,
"max_position_embeddings":2048,"rms_norm_eps":1e-5,"rope_theta":100000.0,"tie_word_embeddings":true}"#;

fn steps(criterion: &mut Criterion) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("smollm2-135m");
    let folder = base(folder, CONFIG, Stored::F32);
    let mut config = EngineConfig::new(&folder);
    config.context_length = Some(CONTEXT);
    let mut runner = CpuRunner::load(&config, &|_| ()).unwrap();
    let model = Arc::clone(&runner.base().model);
    // Adapters that nobody uses cost nothing: the same number of instructions as before there were any.
    let alone = batch(16, DECODE, &[None]);
    criterion.bench_function("no adapters yet", |bencher| bencher.iter(|| runner.run(&alone).unwrap().len()));
    let load = |_| {
        Arc::new(
            runner.loader().load(&adapter(&model, &folder, (RANK, &Projection::ALL), Stored::F32)).unwrap(),
        )
    };
    let adapters: Vec<_> = (0..ADAPTERS).map(load).collect();
    let (none, one) = ([None], [adapters.first()]);
    let distinct: Vec<_> = adapters.iter().map(Some).collect();
    let mixes: [(&str, &[Option<&Arc<CpuAdapter>>]); 3] =
        [("base", &none), ("identical", &one), ("distinct", &distinct)];
    for (name, sequences, rows) in [
        ("decode 1", 1, DECODE),
        ("decode 4", 4, DECODE),
        ("decode 16", 16, DECODE),
        ("decode 32", 32, DECODE),
        ("prefill 64", 1, (64, 0)),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat).sample_size(20);
        group.throughput(Throughput::Elements((sequences * rows.0) as u64));
        for (mix, adapters) in mixes {
            let batch = batch(sequences, rows, adapters);
            group.bench_function(mix, |bencher| bencher.iter(|| runner.run(&batch).unwrap().len()));
        }
        group.finish();
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
