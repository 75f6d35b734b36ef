//! The little that the runner needs of a device: memory, copies, kernels, one matrix product. Knows no model.
//!
//! A device computes on one stream, in the order in which it is asked; only [`Gpu::upload`] has another stream. Nothing
//! but [`Gpu::upload`] and [`Gpu::wait`] waits for the device.

use std::ops::DerefMut;

use tenora_kernels::abi::{Element, Launch};
use thiserror::Error;

/// A device failed, in its own words.
#[derive(Debug, Clone, Error)]
#[error("the GPU failed to {task}: {problem}")]
pub struct GpuError {
    /// What it was asked for.
    pub task: &'static str,
    /// What it said.
    pub problem: String,
}

/// Bytes on a device, freed when dropped, after whatever was asked of the device before.
pub trait DeviceMemory: Send + Sync + 'static {
    /// Where they begin, at a multiple of 256.
    fn address(&self) -> u64;
}

/// `y = x · wᵀ`, summed in f32: `x` is `[rows, inputs]`, `w` `[outputs, inputs]`, `y` `[rows, outputs]`.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// Address of `x`, of [`Product::element`].
    pub x: u64,
    /// Numbers from one row of `x` to the next.
    pub x_stride: usize,
    /// Address of `w`, of [`Product::element`], rows without gaps.
    pub w: u64,
    /// Address of `y`, of [`Product::result`].
    pub y: u64,
    /// Numbers from one row of `y` to the next.
    pub y_stride: usize,
    /// Rows of `x` and `y`.
    pub rows: usize,
    /// Columns of `x` and `w`.
    pub inputs: usize,
    /// Rows of `w`, columns of `y`.
    pub outputs: usize,
    /// What `x` and `w` are made of.
    pub element: Element,
    /// What `y` is made of: the same, or f32.
    pub result: Element,
}

/// A device, or what stands for one.
pub trait Gpu: Send + Sync + 'static {
    /// Memory on it.
    type Memory: DeviceMemory;
    /// Memory of the host from which and to which it copies fast: page-locked, aligned for every number.
    type Host: DerefMut<Target = [u8]> + Send + 'static;

    /// Bytes that could be allocated now.
    ///
    /// # Errors
    /// The device failed.
    fn free_bytes(&self) -> Result<usize, GpuError>;

    /// Takes memory; what lies in it is not defined.
    ///
    /// # Errors
    /// There is not so much of it.
    fn allocate(&self, bytes: usize) -> Result<Self::Memory, GpuError>;

    /// Takes memory of the host.
    ///
    /// # Errors
    /// There is not so much of it.
    fn allocate_host(&self, bytes: usize) -> Result<Self::Host, GpuError>;

    /// Copies to the device beside what it computes, from any thread, and returns when the bytes are there.
    ///
    /// # Safety
    /// `to` is memory of this device with room for them, which nothing else uses meanwhile.
    ///
    /// # Errors
    /// The device failed.
    unsafe fn upload(&self, from: &[u8], to: u64) -> Result<(), GpuError>;

    /// Copies the first bytes of `from` to the device.
    ///
    /// # Safety
    /// `to` has room for them, and `from` is neither changed nor dropped before [`Gpu::wait`].
    ///
    /// # Errors
    /// The device failed.
    unsafe fn copy_in(&self, from: &Self::Host, bytes: usize, to: u64) -> Result<(), GpuError>;

    /// Copies to the beginning of `to`, which holds the bytes after [`Gpu::wait`].
    ///
    /// # Safety
    /// `from` has so many bytes, and `to` is neither read nor dropped before [`Gpu::wait`].
    ///
    /// # Errors
    /// The device failed.
    unsafe fn copy_out(&self, from: u64, to: &mut Self::Host, bytes: usize) -> Result<(), GpuError>;

    /// Has a kernel run; one without blocks is no work.
    ///
    /// # Safety
    /// `P` is what the kernel of this name takes, the launch was made from it, and its addresses are memory of this device
    /// as the kernel's parameters are documented.
    ///
    /// # Errors
    /// The device failed, perhaps at something that it was asked for before.
    unsafe fn launch<P: Copy>(&self, launch: &Launch, params: &P) -> Result<(), GpuError>;

    /// Has a product computed.
    ///
    /// # Safety
    /// Its addresses are memory of this device of the sizes that it names.
    ///
    /// # Errors
    /// The device failed, perhaps at something that it was asked for before.
    unsafe fn multiply(&self, product: &Product) -> Result<(), GpuError>;

    /// Returns when all is done that the device was asked for.
    ///
    /// # Errors
    /// Some of it failed.
    fn wait(&self) -> Result<(), GpuError>;
}
