//! An adapter written anew for engines that know less of PEFT than its config may say: one rank, one scale, the standard
//! names. What the model computes with it is the same.

use std::{collections::BTreeSet, path::Path};

use safetensors::{Dtype, tensor::TensorView};
use serde_json::json;

use super::{
    read::{FloatType, PlacedTensor, Side},
    verified::read_verified,
};
use crate::{error::EngineError, model::ModelConfig, request::AdapterFiles};

/// Writes `adapter_config.json` and `adapter_model.safetensors` into a folder. Blocks; holds the whole adapter.
///
/// # Errors
/// [`EngineError::Adapter`]: the files are not those of the digest. [`EngineError::Fault`]: the folder cannot be written.
pub(crate) fn write_plain(
    files: &AdapterFiles,
    (model, max_rank): (&ModelConfig, usize),
    folder: &Path,
) -> Result<(), EngineError> {
    let mut tensors = Vec::new();
    read_verified(files, (model, max_rank), &mut |tensor, bytes| {
        tensors.push(Tensor::new(tensor, bytes));
        Ok(())
    })?;
    let form = Form::of(&tensors);
    if let Form::Unified { rank } = form {
        tensors.iter_mut().for_each(|tensor| tensor.unify(rank));
    }
    let fault = |error: &dyn std::error::Error| {
        EngineError::Fault(format!("{} cannot be written: {error}", folder.display()))
    };
    let targets: BTreeSet<&str> = tensors.iter().map(|tensor| tensor.module).collect();
    let (rank, scale) = match form {
        Form::AsItIs { rank, scale } => (rank, scale),
        Form::Unified { rank } => (rank, 1.0),
    };
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": null,
        "r": rank,
        "lora_alpha": number(scale * rank as f64),
        "lora_dropout": 0.0,
        "bias": "none",
        "use_rslora": false,
        "target_modules": targets,
    });
    std::fs::write(folder.join("adapter_config.json"), config.to_string()).map_err(|e| fault(&e))?;
    let views = tensors.iter().map(Tensor::view).collect::<Result<Vec<_>, _>>().map_err(|e| fault(&e))?;
    let weights = folder.join("adapter_model.safetensors");
    safetensors::serialize_to_file(views, None, &weights).map_err(|e| fault(&e))
}

/// How an adapter is written.
enum Form {
    /// All modules have one rank and one scale.
    AsItIs { rank: usize, scale: f64 },
    /// Ranks are filled up with zeros, and each module's scale is in its `B`.
    Unified { rank: usize },
}

impl Form {
    fn of(tensors: &[Tensor]) -> Self {
        let rank = tensors.iter().map(|tensor| tensor.rank).max().unwrap_or(1);
        let scale = tensors.first().map_or(1.0, |tensor| tensor.scale);
        match tensors.iter().all(|tensor| tensor.rank == rank && tensor.scale == scale) {
            true => Self::AsItIs { rank, scale },
            false => Self::Unified { rank },
        }
    }
}

struct Tensor {
    name: String,
    module: &'static str,
    side: Side,
    dtype: FloatType,
    shape: [usize; 2],
    bytes: Vec<u8>,
    rank: usize,
    scale: f64,
}

impl Tensor {
    fn new(tensor: &PlacedTensor, bytes: &[u8]) -> Self {
        let PlacedTensor { layer, projection, side, dtype, shape, rank, scale, .. } = *tensor;
        let side_name = match side {
            Side::A => "lora_A",
            Side::B => "lora_B",
        };
        let name = format!("base_model.model.{}.{side_name}.weight", projection.path(layer));
        Self { name, module: projection.name(), side, dtype, shape, bytes: bytes.to_owned(), rank, scale }
    }

    /// Zeros up to a rank, and the scale in `B`, as 32-bit numbers: a scale may not be a power of two.
    fn unify(&mut self, rank: usize) {
        let numbers = self.dtype.numbers(&self.bytes);
        let [rows, columns] = self.shape;
        let numbers: Vec<f32> = match self.side {
            // `[rank, inputs]`: more rows.
            Side::A => {
                self.shape = [rank, columns];
                numbers.into_iter().chain(std::iter::repeat_n(0.0, (rank - rows) * columns)).collect()
            }
            // `[outputs, rank]`: longer rows.
            Side::B => {
                self.shape = [rows, rank];
                let scaled = |row: &[f32]| {
                    let scaled: Vec<f32> =
                        row.iter().map(|number| (f64::from(*number) * self.scale) as f32).collect();
                    scaled.into_iter().chain(std::iter::repeat_n(0.0, rank - columns))
                };
                numbers.chunks_exact(columns).flat_map(scaled).collect()
            }
        };
        self.dtype = FloatType::F32;
        self.bytes = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
    }

    fn view(&self) -> Result<(&str, TensorView<'_>), safetensors::SafeTensorError> {
        let dtype = match self.dtype {
            FloatType::F32 => Dtype::F32,
            FloatType::F16 => Dtype::F16,
            FloatType::Bf16 => Dtype::BF16,
        };
        Ok((&self.name, TensorView::new(dtype, self.shape.to_vec(), &self.bytes)?))
    }
}

/// A whole number without a fraction: some readers want an integer.
fn number(value: f64) -> serde_json::Value {
    if value.fract() == 0.0 { json!(value as u64) } else { json!(value) }
}
