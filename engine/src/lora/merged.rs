//! A base model written anew with one adapter in its weights, for engines that know no adapters: `W + s · B A`, with the
//! ranks, alphas and patterns that the config says. What the model computes with it is what a runner computes.

use std::{collections::HashMap, fs, ops::Range, path::Path, thread};

use safetensors::{Dtype, tensor::TensorView};

use super::{
    read::{FloatType, PlacedTensor, Side},
    verified::read_verified,
};
use crate::{
    config::LoadProgress,
    error::EngineError,
    model::{ModelConfig, Shard},
    request::AdapterFiles,
};

/// What a model folder has beside its weights, by the ends of names.
const COMPANIONS: [&str; 4] = ["json", "jinja", "model", "txt"];

/// Writes a model folder, which exists and is empty: the base model in another folder, with an adapter of `max_rank` at most
/// in its weights. The weights that change are written in 32 bits, so that small changes
/// are not rounded away; the others stay as they are. Blocks; holds the whole adapter and the changed weights of one file.
///
/// # Errors
/// [`EngineError::Adapter`]: the files are not those of the digest. [`EngineError::BaseModel`]: a weight that the adapter
/// changes is not there, or has another shape. [`EngineError::Fault`]: the folder cannot be written.
pub fn write_merged(
    files: &AdapterFiles,
    (model, max_rank): (&ModelConfig, usize),
    (base, folder): (&Path, &Path),
    progress: &dyn Fn(LoadProgress),
) -> Result<(), EngineError> {
    let mut deltas = HashMap::<String, Delta>::new();
    read_verified(files, (model, max_rank), &mut |tensor, bytes| {
        deltas
            .entry(format!("{}.weight", tensor.projection.path(tensor.layer)))
            .or_default()
            .take(tensor, bytes);
        Ok(())
    })?;
    let fault = |error: &dyn std::fmt::Display| {
        EngineError::Fault(format!("the merged model cannot be written to {}: {error}", folder.display()))
    };
    copy_companions(base, folder).map_err(|error| fault(&error))?;
    let shards = Shard::all_of(base)?;
    let total = shards.iter().map(Shard::bytes).sum();
    let mut done = 0;
    for shard in &shards {
        let tensors = shard.tensors();
        let mut merged = HashMap::new();
        for (name, view) in &tensors {
            if let Some(delta) = deltas.remove(name) {
                merged.insert(
                    name.as_str(),
                    delta.merged(view).map_err(|problem| shard.fault(name, &problem))?,
                );
            }
            done += view.data().len() as u64;
            progress(LoadProgress { done, total });
        }
        let views = tensors.iter().map(|(name, view)| match merged.get(name.as_str()) {
            Some(bytes) => Ok((name, TensorView::new(Dtype::F32, view.shape().to_vec(), bytes)?)),
            None => Ok((name, TensorView::new(view.dtype(), view.shape().to_vec(), view.data())?)),
        });
        let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
        let written = views
            .and_then(|views| safetensors::serialize_to_file(views, None, &folder.join(shard.file_name())));
        written.map_err(|error| fault(&error))?;
    }
    match deltas.into_keys().min() {
        None => Ok(()),
        Some(name) => {
            let problem = format!("has no tensor `{name}`, which the adapter changes");
            Err(EngineError::BaseModel { path: base.to_owned(), problem })
        }
    }
}

/// Configuration, tokenizer and template; no weights, and nothing of folders below.
fn copy_companions(base: &Path, folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(base)? {
        let path = entry?.path();
        let companion = path.extension().is_some_and(|end| COMPANIONS.iter().any(|known| end == *known));
        if let (true, true, Some(name)) = (companion, path.is_file(), path.file_name()) {
            fs::copy(&path, folder.join(name))?;
        }
    }
    Ok(())
}

/// What an adapter adds to one weight: `s · B A`.
#[derive(Default)]
struct Delta {
    /// `[rank, inputs]`.
    a: Vec<f32>,
    /// `[outputs, rank]`.
    b: Vec<f32>,
    rank: usize,
    scale: f64,
}

impl Delta {
    fn take(&mut self, tensor: &PlacedTensor, bytes: &[u8]) {
        (self.rank, self.scale) = (tensor.rank, tensor.scale);
        let numbers = tensor.dtype.numbers(bytes);
        match tensor.side {
            Side::A => self.a = numbers,
            Side::B => self.b = numbers,
        }
    }

    /// `W + s · B A`, in 32 bits, rows by all cores.
    fn merged(&self, weight: &TensorView<'_>) -> Result<Vec<u8>, String> {
        let (inputs, outputs) = (self.a.len() / self.rank, self.b.len() / self.rank);
        if weight.shape() != [outputs, inputs] {
            return Err(format!(
                "has shape {:?}, and the adapter's are for [{outputs}, {inputs}]",
                weight.shape()
            ));
        }
        let dtype = match weight.dtype() {
            Dtype::F32 => FloatType::F32,
            Dtype::F16 => FloatType::F16,
            Dtype::BF16 => FloatType::Bf16,
            other => return Err(format!("is {other:?}; an adapter is merged into f32, f16 and bf16")),
        };
        let rows_each = outputs.div_ceil(thread::available_parallelism().map_or(1, usize::from));
        let starts = (0..outputs).step_by(rows_each);
        let rows = starts.map(|start| start..(start + rows_each).min(outputs));
        let row_bytes = inputs * dtype.bytes();
        let parts = thread::scope(|scope| {
            let work = |rows: Range<usize>| {
                let bytes = &weight.data()[rows.start * row_bytes..rows.end * row_bytes];
                scope.spawn(move || self.merge_rows(rows, dtype.numbers(bytes)))
            };
            let workers: Vec<_> = rows.map(work).collect();
            workers.into_iter().map(thread::ScopedJoinHandle::join).collect::<Result<Vec<_>, _>>()
        });
        parts.map(|parts| parts.concat()).map_err(|_| "could not be merged".to_owned())
    }

    fn merge_rows(&self, rows: Range<usize>, mut weights: Vec<f32>) -> Vec<u8> {
        let inputs = self.a.len() / self.rank;
        let mut added = vec![0.0; inputs];
        for (output, row) in rows.zip(weights.chunks_exact_mut(inputs)) {
            added.fill(0.0);
            let factors = &self.b[output * self.rank..][..self.rank];
            for (factor, a) in factors.iter().zip(self.a.chunks_exact(inputs)) {
                let factor = (f64::from(*factor) * self.scale) as f32;
                added.iter_mut().zip(a).for_each(|(sum, a)| *sum += factor * a);
            }
            row.iter_mut().zip(&added).for_each(|(weight, added)| *weight += added);
        }
        weights.into_iter().flat_map(f32::to_le_bytes).collect()
    }
}
