//! Random tensors, the same for the same seed on every machine, written as safetensors one tensor at a time.

use std::{borrow::Cow, path::Path};

use clap::ValueEnum;
use half::bf16;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use safetensors::{Dtype, View};
use serde::Serialize;

/// Standard deviation of every random number, as fresh models and LoRA benchmarks have it.
const DEVIATION: f32 = 0.02;

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// 32 bits.
    F32,
    /// 16 bits.
    Bf16,
}

impl Storage {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }

    /// The name in `config.json`.
    pub(crate) fn torch_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::Bf16 => "bfloat16",
        }
    }
}

/// A tensor to be made.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) fill: Fill,
}

/// What a tensor holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fill {
    /// Ones, as the weights of norms begin.
    Ones,
    /// Normal(0, 0.02).
    Normal,
}

impl Tensor {
    pub(crate) fn numbers(&self) -> usize {
        self.shape.iter().product()
    }
}

/// What makes one file's numbers differ from another's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub(crate) seed: u64,
    /// The file's number: 0 for the base model, from 1 on for adapters.
    pub(crate) file: u32,
    pub(crate) storage: Storage,
}

/// Writes a file, a tensor at a time; `written` is told each tensor's bytes.
pub(crate) fn write(
    tensors: Vec<Tensor>,
    source: Source,
    path: &Path,
    written: &dyn Fn(u64),
) -> anyhow::Result<()> {
    Ok(safetensors::serialize_to_file(views(tensors, source, written), None, path)?)
}

/// The file in memory.
pub(crate) fn bytes(tensors: Vec<Tensor>, source: Source) -> anyhow::Result<Vec<u8>> {
    Ok(safetensors::serialize(views(tensors, source, &|_| ()), None)?)
}

fn views(
    tensors: Vec<Tensor>,
    source: Source,
    written: &dyn Fn(u64),
) -> impl Iterator<Item = (String, Lazy<'_>)> {
    let lazy = move |(tensor, index): (Tensor, u64)| {
        let name = tensor.name.clone();
        // Every tensor of every file draws from a stream of its own: order does not matter.
        (name, Lazy { tensor, source, stream: u64::from(source.file) << 32 | index, written })
    };
    tensors.into_iter().zip(0..).map(lazy)
}

/// A tensor whose numbers are made when they are asked for.
struct Lazy<'a> {
    tensor: Tensor,
    source: Source,
    stream: u64,
    written: &'a dyn Fn(u64),
}

impl View for Lazy<'_> {
    fn dtype(&self) -> Dtype {
        match self.source.storage {
            Storage::F32 => Dtype::F32,
            Storage::Bf16 => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.tensor.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut random = ChaCha8Rng::seed_from_u64(self.source.seed);
        random.set_stream(self.stream);
        // A deviation that is finite is never refused.
        let normal = Normal::new(0.0, DEVIATION).ok();
        let mut number = || match (self.tensor.fill, normal) {
            (Fill::Normal, Some(normal)) => normal.sample(&mut random),
            _ => 1.0f32,
        };
        let mut bytes = Vec::with_capacity(self.data_len());
        for _ in 0..self.tensor.numbers() {
            match self.source.storage {
                Storage::F32 => bytes.extend_from_slice(&number().to_le_bytes()),
                Storage::Bf16 => bytes.extend_from_slice(&bf16::from_f32(number()).to_le_bytes()),
            }
        }
        (self.written)(bytes.len() as u64);
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        self.tensor.numbers() * self.source.storage.bytes()
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    fn tensor(name: &str, shape: [usize; 2]) -> Tensor {
        Tensor { name: name.to_owned(), shape: shape.to_vec(), fill: Fill::Normal }
    }

    fn source(file: u32, storage: Storage) -> Source {
        Source { seed: 1, file, storage }
    }

    #[test]
    fn the_same_seed_gives_the_same_file_and_another_number_another() {
        let file = |number| bytes(vec![tensor("a", [4, 8])], source(number, Storage::F32)).unwrap();
        assert_eq!(file(1), file(1));
        assert_ne!(file(1), file(2));
    }

    #[test]
    fn numbers_have_the_deviation_that_was_asked_for() {
        for storage in [Storage::F32, Storage::Bf16] {
            let file = bytes(vec![tensor("a", [100, 100])], source(0, storage)).unwrap();
            let read = SafeTensors::deserialize(&file).unwrap();
            let data = read.tensor("a").unwrap();
            let numbers: Vec<f64> = match storage {
                Storage::F32 => {
                    data.data().as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
                }
                Storage::Bf16 => {
                    data.data().as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f64()).collect()
                }
            };
            assert_eq!(numbers.len(), 10_000);
            let variance = numbers.iter().map(|x| x * x).sum::<f64>() / numbers.len() as f64;
            assert!((variance.sqrt() - 0.02).abs() < 0.001, "{storage:?}: {variance}");
        }
    }
}
