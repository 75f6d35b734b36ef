//! An adapter as candle tensors: read in one pass, and applied as `s · B (A x)`.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

use crate::{
    error::AdapterRejection,
    lora::{
        codes,
        read::{FloatType, PlacedTensor, Side},
        read_verified,
    },
    model::{ModelConfig, Projection},
    request::AdapterFiles,
    runner::{AdapterLoader, ResidentAdapter},
};

/// A resident adapter.
pub struct ReferenceAdapter {
    layers: Vec<[Option<Delta>; 7]>,
    bytes: usize,
}

impl ResidentAdapter for ReferenceAdapter {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

impl ReferenceAdapter {
    /// What the adapter adds to one projection of one layer.
    pub(super) fn delta(&self, (layer, projection): (usize, Projection)) -> Option<&Delta> {
        self.layers[layer][projection.index()].as_ref()
    }
}

/// `x ↦ s · B (A x)`.
pub(super) struct Delta {
    /// `[inputs, rank]`.
    a: Tensor,
    /// `[rank, outputs]`.
    b: Tensor,
    scale: f64,
}

impl Delta {
    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        (x.matmul(&self.a)? * self.scale)?.matmul(&self.b)
    }
}

/// Where adapters go: the base's type and device, and the base they must fit.
pub(super) struct AdapterSource {
    pub(super) model: Arc<ModelConfig>,
    pub(super) max_rank: usize,
    pub(super) dtype: DType,
    pub(super) device: Device,
}

impl AdapterLoader for AdapterSource {
    type Adapter = ReferenceAdapter;

    /// Reads both files once: hash, check, convert. Nothing is kept unless the digest is the promised one.
    fn load(&self, files: &AdapterFiles) -> std::result::Result<ReferenceAdapter, AdapterRejection> {
        let mut collected = Collected::new(self.model.layers);
        read_verified(files, (&self.model, self.max_rank), &mut |tensor, bytes| {
            collected.take(tensor, bytes, self)
        })?;
        Ok(collected.into_adapter())
    }

    /// The smallest numbers of a file have two bytes, and a tensor's at most four.
    fn resident_bytes(&self, file_bytes: u64) -> usize {
        usize::try_from(file_bytes).unwrap_or(usize::MAX).saturating_mul(2)
    }
}

/// Pairs that are still incomplete while the file is read.
struct Collected {
    layers: Vec<[Half; 7]>,
    bytes: usize,
}

#[derive(Default)]
struct Half {
    a: Option<Tensor>,
    b: Option<Tensor>,
    scale: f64,
}

impl Collected {
    fn new(layers: usize) -> Self {
        Self { layers: (0..layers).map(|_| Default::default()).collect(), bytes: 0 }
    }

    fn take(
        &mut self,
        tensor: &PlacedTensor,
        bytes: &[u8],
        source: &AdapterSource,
    ) -> std::result::Result<(), AdapterRejection> {
        let stored = match tensor.dtype {
            FloatType::F32 => DType::F32,
            FloatType::F16 => DType::F16,
            FloatType::Bf16 => DType::BF16,
        };
        let convert = || {
            let matrix = Tensor::from_raw_buffer(bytes, stored, &tensor.shape, &Device::Cpu)?;
            matrix.to_dtype(source.dtype)?.t()?.contiguous()?.to_device(&source.device)
        };
        let matrix = convert().map_err(|error| {
            tracing::error!(%error, tensor = %tensor.name, "The device did not take an adapter's tensor");
            AdapterRejection::whole(
                codes::NOT_LOADED,
                "the adapter could not be brought onto the device; try again",
            )
        })?;
        self.bytes += tensor.numbers() * source.dtype.size_in_bytes();
        let half = &mut self.layers[tensor.layer][tensor.projection.index()];
        half.scale = tensor.scale;
        match tensor.side {
            Side::A => half.a = Some(matrix),
            Side::B => half.b = Some(matrix),
        }
        Ok(())
    }

    fn into_adapter(self) -> ReferenceAdapter {
        let pair = |half: Half| Some(Delta { a: half.a?, b: half.b?, scale: half.scale });
        let layers = self.layers.into_iter().map(|layer| layer.map(pair)).collect();
        ReferenceAdapter { layers, bytes: self.bytes }
    }
}
