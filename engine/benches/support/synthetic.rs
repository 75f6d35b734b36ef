//! Models, adapters and batches of random numbers, for benchmarks of single steps.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use half::bf16;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use tenora_engine::{
    batch::{Batch, BatchSequence, Segment},
    kv_pool::BlockId,
    logits::Wanted,
    model::{ModelConfig, Projection},
    request::AdapterFiles,
};

use super::files::adapter_files;

/// Numbers that are drawn; a larger tensor repeats them, since speed does not depend on them.
const DRAWN: usize = 16 << 20;
/// Tokens per KV block of every runner.
const BLOCK_TOKENS: usize = 16;

/// How numbers are stored.
#[derive(Clone, Copy)]
#[expect(dead_code, reason = "a benchmark has one of them")]
pub(crate) enum Stored {
    F32,
    Bf16,
}

/// A tensor's name and its shape.
type Named = (String, Vec<usize>);

/// Writes safetensors, uniform with the spread of a normal(0, 0.02), a piece at a time.
fn write(path: &Path, tensors: &[Named], stored: Stored, seed: u64) {
    let (dtype, width) = match stored {
        Stored::F32 => ("F32", 4),
        Stored::Bf16 => ("BF16", 2),
    };
    let numbers = |shape: &[usize]| shape.iter().product::<usize>();
    let most = tensors.iter().map(|(_, shape)| numbers(shape)).max().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let drawn = (0..most.min(DRAWN)).map(|_| random.random_range(-0.0346f32..0.0346));
    let drawn: Vec<u8> = match stored {
        Stored::F32 => drawn.flat_map(f32::to_le_bytes).collect(),
        Stored::Bf16 => drawn.flat_map(|number| bf16::from_f32(number).to_le_bytes()).collect(),
    };
    let (mut header, mut end) = (Map::new(), 0);
    for (name, shape) in tensors {
        let bytes = numbers(shape) * width;
        header.insert(
            name.clone(),
            json!({ "dtype": dtype, "shape": shape, "data_offsets": [end, end + bytes] }),
        );
        end += bytes;
    }
    let mut header = Value::Object(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    for (_, shape) in tensors {
        let mut left = numbers(shape) * width;
        while left > 0 {
            let piece = &drawn[..left.min(drawn.len())];
            file.write_all(piece).unwrap();
            left -= piece.len();
        }
    }
    file.flush().unwrap();
}

/// The folder of a base model with this `config.json`, made if it is not there.
pub(crate) fn base(folder: PathBuf, config: &str, stored: Stored) -> PathBuf {
    if !folder.join("model.safetensors").exists() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.json"), config).unwrap();
        let model = ModelConfig::read(&folder).unwrap();
        let tensors: Vec<Named> = model.expected_tensors().into_iter().map(|t| (t.name, t.shape)).collect();
        let unfinished = folder.join("unfinished");
        write(&unfinished, &tensors, stored, 0);
        fs::rename(unfinished, folder.join("model.safetensors")).unwrap();
    }
    folder
}

/// An adapter of these projections, made if it is not there.
pub(crate) fn adapter(
    model: &ModelConfig,
    base: &Path,
    (rank, projections): (usize, &[Projection]),
    stored: Stored,
) -> AdapterFiles {
    let folder = base.join(format!("adapter-of-{}-rank{rank}", projections.len()));
    let (config, weights) = (folder.join("adapter_config.json"), folder.join("adapter_model.safetensors"));
    if !weights.exists() {
        fs::create_dir_all(&folder).unwrap();
        let text = json!({
            "peft_type": "LORA",
            "r": rank,
            "lora_alpha": 2 * rank,
            "target_modules": projections.iter().map(|projection| projection.name()).collect::<Vec<_>>(),
            "bias": "none",
        });
        fs::write(&config, text.to_string()).unwrap();
        let mut tensors = Vec::new();
        for layer in 0..model.layers {
            for &projection in projections {
                let (inputs, outputs) = model.projection_dims(projection);
                let path = format!("base_model.model.{}", projection.path(layer));
                tensors.push((format!("{path}.lora_A.weight"), vec![rank, inputs]));
                tensors.push((format!("{path}.lora_B.weight"), vec![outputs, rank]));
            }
        }
        write(&weights, &tensors, stored, 1);
    }
    adapter_files(&folder)
}

/// Sequences of a batch: how many, rows of each and the position of the first, and whose adapter each has; those with one
/// adapter follow each other.
pub(crate) fn batch<A>(
    sequences: usize,
    (rows, first): (usize, usize),
    adapters: &[Option<&Arc<A>>],
) -> Batch<A> {
    let mut batch =
        Batch { tokens: Vec::new(), positions: Vec::new(), sequences: Vec::new(), segments: Vec::new() };
    let blocks = (first + rows).div_ceil(BLOCK_TOKENS);
    for sequence in 0..sequences {
        let start = batch.tokens.len();
        batch.tokens.extend((0..rows).map(|row| (sequence * 997 + row * 31) as u32 % 32_000));
        batch.positions.extend((first..first + rows).map(|position| position as u32));
        let own = (0..blocks).map(|block| BlockId((sequence * blocks + block) as u32)).collect();
        let range = start..batch.tokens.len();
        batch.sequences.push(BatchSequence { rows: range.clone(), blocks: own, wanted: Wanted::Row });
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
