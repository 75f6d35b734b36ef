//! An adapter on the device: a table of what it adds to each projection, and behind it all matrices as the file has them, in
//! the base's type. One allocation, brought in beside the steps, and handed out when its last byte is there.

use std::sync::Arc;

use safetensors::Dtype;
use tenora_kernels::abi::{Element, LoraSite};

use super::{
    gpu::{DeviceMemory, Gpu, GpuError},
    memory::Layout,
    numbers::{as_bytes, convert},
};
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

/// Two matrices of a site begin at multiples of 256.
const ALIGNMENT_BYTES: usize = 2 * 256;

/// A resident adapter.
pub struct CudaAdapter<G: Gpu> {
    memory: G::Memory,
    max_rank: usize,
    bytes: usize,
}

impl<G: Gpu> ResidentAdapter for CudaAdapter<G> {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<G: Gpu> CudaAdapter<G> {
    /// Address of its table, `[layers · 7]` of [`LoraSite`].
    pub(super) fn sites(&self) -> u64 {
        self.memory.address()
    }

    /// The highest rank in it.
    pub(super) fn max_rank(&self) -> usize {
        self.max_rank
    }
}

/// Loads adapters for one base onto one device.
pub(super) struct CudaLoader<G> {
    pub(super) gpu: Arc<G>,
    pub(super) model: Arc<ModelConfig>,
    pub(super) max_rank: usize,
    pub(super) element: Element,
}

impl<G: Gpu> AdapterLoader for CudaLoader<G> {
    type Adapter = CudaAdapter<G>;

    /// Reads both files once: hash, check, convert. Nothing goes to the device unless the digest is the promised one.
    fn load(&self, files: &AdapterFiles) -> Result<CudaAdapter<G>, AdapterRejection> {
        let mut image = Image::new(self.model.layers);
        read_verified(files, (&self.model, self.max_rank), &mut |tensor, bytes| {
            image.take(tensor, bytes, self.element);
            Ok(())
        })?;
        self.bring(image).map_err(|error| {
            tracing::error!(%error, "The device did not take an adapter");
            AdapterRejection::whole(
                codes::NOT_LOADED,
                "the adapter could not be brought onto the device; try again",
            )
        })
    }

    /// The smallest numbers of a file have two bytes.
    fn resident_bytes(&self, file_bytes: u64) -> usize {
        let sites = self.model.layers * Projection::ALL.len();
        let numbers = usize::try_from(file_bytes / 2).unwrap_or(usize::MAX);
        let bytes = numbers.saturating_mul(self.element.bytes());
        bytes.saturating_add(sites * (size_of::<LoraSite>() + ALIGNMENT_BYTES))
    }
}

impl<G: Gpu> CudaLoader<G> {
    fn bring(&self, image: Image) -> Result<CudaAdapter<G>, GpuError> {
        let memory = self.gpu.allocate(image.bytes.len())?;
        let (max_rank, bytes) = (image.max_rank(), image.finish(memory.address()));
        // SAFETY: the memory has the image's size, and nobody else knows it yet.
        unsafe { self.gpu.upload(&bytes, memory.address()) }?;
        Ok(CudaAdapter { memory, max_rank, bytes: bytes.len() })
    }
}

/// What the device's memory will hold, while the file is read: addresses count from its beginning.
struct Image {
    sites: Vec<LoraSite>,
    bytes: Vec<u8>,
}

impl Image {
    fn new(layers: usize) -> Self {
        let sites = vec![LoraSite::default(); layers * Projection::ALL.len()];
        Self { bytes: as_bytes(&sites).to_vec(), sites }
    }

    fn take(&mut self, tensor: &PlacedTensor, bytes: &[u8], element: Element) {
        let stored = match tensor.dtype {
            FloatType::F32 => Dtype::F32,
            FloatType::F16 => Dtype::F16,
            FloatType::Bf16 => Dtype::BF16,
        };
        let mut layout = Layout::at(0);
        layout.take(self.bytes.len());
        let place = layout.take(0);
        self.bytes.resize(place as usize, 0);
        convert(stored, bytes, element, &mut self.bytes);
        let site = &mut self.sites[tensor.layer * Projection::ALL.len() + tensor.projection.index()];
        (site.rank, site.scale) = (tensor.rank as u32, tensor.scale as f32);
        match tensor.side {
            Side::A => site.a = place,
            Side::B => site.b = place,
        }
    }

    fn max_rank(&self) -> usize {
        self.sites.iter().map(|site| site.rank as usize).max().unwrap_or(0)
    }

    /// The bytes for memory that begins at an address.
    fn finish(mut self, address: u64) -> Vec<u8> {
        for site in self.sites.iter_mut().filter(|site| site.rank > 0) {
            site.a += address;
            site.b += address;
        }
        let table = as_bytes(&self.sites);
        self.bytes[..table.len()].copy_from_slice(table);
        self.bytes
    }
}
