//! An adapter as the kernels read it: `A` row by row as in the file, `B` in panels, both in the file's type.

use std::sync::Arc;

use safetensors::Dtype;

use super::floats::{Floats, whole_panels};
use crate::{
    error::AdapterRejection,
    lora::{
        read::{FloatType, PlacedTensor, Side},
        read_verified,
    },
    model::{ModelConfig, Projection},
    request::AdapterFiles,
    runner::{AdapterLoader, ResidentAdapter},
};

/// A resident adapter.
pub struct CpuAdapter {
    layers: Vec<[Option<Delta>; 7]>,
    max_rank: usize,
    bytes: usize,
}

/// What an adapter adds to one projection: `x ↦ s · B (A x)`.
pub(super) struct Delta {
    /// `[rank, inputs]`.
    pub(super) a: Floats,
    /// `[outputs / 16][rank][16]`.
    pub(super) b: Floats,
    pub(super) rank: usize,
    pub(super) scale: f32,
}

impl ResidentAdapter for CpuAdapter {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

impl CpuAdapter {
    /// The highest rank in it.
    pub(super) fn max_rank(&self) -> usize {
        self.max_rank
    }

    /// What the adapter adds to one projection of one layer; nothing behind the last.
    #[inline]
    pub(super) fn delta(&self, layer: usize, projection: Projection) -> Option<&Delta> {
        self.layers.get(layer)?[projection.index()].as_ref()
    }
}

/// Loads adapters for one base.
pub(super) struct CpuLoader {
    pub(super) model: Arc<ModelConfig>,
    pub(super) max_rank: usize,
}

impl AdapterLoader for CpuLoader {
    type Adapter = CpuAdapter;

    fn load(&self, files: &AdapterFiles) -> Result<CpuAdapter, AdapterRejection> {
        let mut halves: Vec<[Half; 7]> = (0..self.model.layers).map(|_| Default::default()).collect();
        read_verified(files, (&self.model, self.max_rank), &mut |tensor, bytes| {
            halves[tensor.layer][tensor.projection.index()].take(tensor, bytes);
            Ok(())
        })?;
        let layers: Vec<_> = halves.into_iter().map(|layer| layer.map(Half::into_delta)).collect();
        let deltas = || layers.iter().flatten().flatten();
        let bytes = deltas().map(|delta| delta.a.bytes() + delta.b.bytes()).sum();
        let max_rank = deltas().map(|delta| delta.rank).max().unwrap_or(0);
        Ok(CpuAdapter { layers, max_rank, bytes })
    }

    /// The file's bytes, outputs filled up to whole panels, and a cache line for each tensor.
    fn resident_bytes(&self, file_bytes: u64) -> usize {
        let widening = |projection| {
            let (_, outputs) = self.model.projection_dims(projection);
            whole_panels(outputs) as f64 / outputs as f64
        };
        let widest = Projection::ALL.into_iter().map(widening).fold(1.0, f64::max);
        let lines = self.model.layers * Projection::ALL.len() * 2 * 64;
        (file_bytes as f64 * widest) as usize + lines
    }
}

/// A pair that is still incomplete while the file is read.
#[derive(Default)]
struct Half {
    a: Option<Floats>,
    b: Option<Floats>,
    rank: usize,
    scale: f32,
}

impl Half {
    fn take(&mut self, tensor: &PlacedTensor, bytes: &[u8]) {
        let dtype = match tensor.dtype {
            FloatType::F32 => Dtype::F32,
            FloatType::F16 => Dtype::F16,
            FloatType::Bf16 => Dtype::BF16,
        };
        (self.rank, self.scale) = (tensor.rank, tensor.scale as f32);
        match tensor.side {
            Side::A => self.a = Some(Floats::plain(dtype, bytes)),
            Side::B => self.b = Some(Floats::panels(dtype, bytes, tensor.shape)),
        }
    }

    fn into_delta(self) -> Option<Delta> {
        Some(Delta { a: self.a?, b: self.b?, rank: self.rank, scale: self.scale })
    }
}
