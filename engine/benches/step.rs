//! One step of the cpu runner on random weights of SmolLM2-135M's shape, 32,000 tokens: decoding and prefill, alone and in
//! batches, with no adapter, one, or one for each row. Reported as rows per second.
//!
//! `cargo bench -p tenora-engine --bench step -- FILTER`; a shape's files are made once, in the target folder.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot make its files has nothing to measure")]

#[path = "../tests/support/files.rs"]
mod files;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::files::adapter_files;
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::{Dtype, serialize_to_file, tensor::TensorView};
use tenora_engine::{
    batch::{Batch, BatchSequence, Segment},
    config::EngineConfig,
    kv_pool::BlockId,
    model::{ModelConfig, Projection},
    request::AdapterFiles,
    runner::{
        Runner,
        cpu::{CpuAdapter, CpuRunner},
    },
};

const RANK: usize = 16;
const ADAPTERS: usize = 16;
const CONTEXT: usize = 512;
const CONFIG: &str = r#"{"architectures":["LlamaForCausalLM"],"hidden_size":576,"intermediate_size":1536,
"num_hidden_layers":30,"num_attention_heads":9,"num_key_value_heads":3,"head_dim":64,"vocab_size":32000,
"max_position_embeddings":2048,"rms_norm_eps":1e-5,"rope_theta":100000.0,"tie_word_embeddings":true}"#;

/// A tensor's name and its shape.
type Named = (String, Vec<usize>);

fn write(path: &Path, tensors: &[Named], seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut bytes = |shape: &[usize]| -> Vec<u8> {
        // Uniform with the spread of a normal(0, 0.02).
        let count = shape.iter().product::<usize>();
        (0..count).flat_map(|_| random.random_range(-0.0346f32..0.0346).to_le_bytes()).collect()
    };
    let data: Vec<_> = tensors.iter().map(|(name, shape)| (name, shape, bytes(shape))).collect();
    let views = data
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()));
    serialize_to_file(views, None, path).unwrap();
}

fn base() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("smollm2-135m");
    if !folder.join("model.safetensors").exists() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.json"), CONFIG).unwrap();
        let model = ModelConfig::read(&folder).unwrap();
        let tensors: Vec<Named> = model.expected_tensors().into_iter().map(|t| (t.name, t.shape)).collect();
        write(&folder.join("model.safetensors"), &tensors, 0);
    }
    folder
}

fn adapter(model: &ModelConfig, base: &Path, number: usize) -> AdapterFiles {
    let folder = base.join(format!("adapter-{number}"));
    let (config, weights) = (folder.join("adapter_config.json"), folder.join("adapter_model.safetensors"));
    if !weights.exists() {
        fs::create_dir_all(&folder).unwrap();
        let text = format!(
            r#"{{"peft_type":"LORA","r":{RANK},"lora_alpha":{},"target_modules":"all-linear","bias":"none"}}"#,
            2 * RANK
        );
        fs::write(&config, text).unwrap();
        let mut tensors = Vec::new();
        for layer in 0..model.layers {
            for projection in Projection::ALL {
                let (inputs, outputs) = model.projection_dims(projection);
                let path = format!("base_model.model.{}", projection.path(layer));
                tensors.push((format!("{path}.lora_A.weight"), vec![RANK, inputs]));
                tensors.push((format!("{path}.lora_B.weight"), vec![outputs, RANK]));
            }
        }
        write(&weights, &tensors, 1 + number as u64);
    }
    adapter_files(&folder)
}

/// Sequences of a batch: how many, rows of each, and whose adapter each has.
fn batch(sequences: usize, rows: usize, adapters: &[Option<&Arc<CpuAdapter>>]) -> Batch<CpuAdapter> {
    let mut batch =
        Batch { tokens: Vec::new(), positions: Vec::new(), sequences: Vec::new(), segments: Vec::new() };
    // Decoding goes on after a prompt; prefill begins.
    let first = if rows == 1 { 100 } else { 0 };
    let blocks = (first + rows).div_ceil(16);
    for sequence in 0..sequences {
        let start = batch.tokens.len();
        batch.tokens.extend((0..rows).map(|row| (sequence * 997 + row * 31) as u32 % 32_000));
        batch.positions.extend((first..first + rows).map(|position| position as u32));
        let own = (0..blocks).map(|block| BlockId((sequence * blocks + block) as u32)).collect();
        let range = start..batch.tokens.len();
        batch.sequences.push(BatchSequence { rows: range.clone(), blocks: own, wants_logits: true });
        let adapter = adapters[sequence % adapters.len()];
        match batch.segments.last_mut() {
            Some(last) if last.adapter.as_ref().map(Arc::as_ptr) == adapter.map(Arc::as_ptr) => {
                last.rows.end = range.end;
            }
            _ => batch.segments.push(Segment { rows: range, adapter: adapter.cloned() }),
        }
    }
    batch
}

fn steps(criterion: &mut Criterion) {
    let folder = base();
    let mut config = EngineConfig::new(&folder);
    config.context_length = Some(CONTEXT);
    let mut runner = CpuRunner::load(&config, &|_| ()).unwrap();
    let model = Arc::clone(&runner.base().model);
    // Adapters that nobody uses cost nothing: the same number of instructions as before there were any.
    let alone = batch(16, 1, &[None]);
    criterion.bench_function("no adapters yet", |bencher| {
        bencher.iter(|| runner.run(&alone).unwrap().into_rows().count())
    });
    let load = |number| Arc::new(runner.loader().load(&adapter(&model, &folder, number)).unwrap());
    let adapters: Vec<_> = (0..ADAPTERS).map(load).collect();
    let (none, one) = ([None], [adapters.first()]);
    let distinct: Vec<_> = adapters.iter().map(Some).collect();
    let mixes: [(&str, &[Option<&Arc<CpuAdapter>>]); 3] =
        [("base", &none), ("identical", &one), ("distinct", &distinct)];
    for (name, sequences, rows) in [
        ("decode 1", 1, 1),
        ("decode 4", 4, 1),
        ("decode 16", 16, 1),
        ("decode 32", 32, 1),
        ("prefill 64", 1, 64),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat).sample_size(20);
        group.throughput(Throughput::Elements((sequences * rows) as u64));
        for (mix, adapters) in mixes {
            let batch = batch(sequences, rows, adapters);
            group.bench_function(mix, |bencher| {
                bencher.iter(|| runner.run(&batch).unwrap().into_rows().count())
            });
        }
        group.finish();
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
