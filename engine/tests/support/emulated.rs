//! A GPU that the host plays: kernels are the CUDA sources compiled as C++, memory is the process's own, and whatever is
//! asked for is done at once. It counts what it is asked for.

use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    ptr,
    sync::Mutex,
};

use half::bf16;
use tenora_engine::runner::cuda::{DeviceMemory, Gpu, GpuError, Product};
use tenora_kernels::{
    abi::{Element, Launch},
    emulation,
};

/// What it says it has free.
const FREE_BYTES: usize = 4 << 30;
/// Memory begins as NaN, in every type: who reads what nobody wrote is found out.
const UNSET: u8 = 0xff;

/// The GPU.
#[derive(Default)]
pub(crate) struct EmulatedGpu {
    /// How often each kernel was launched; products are one of them.
    launches: Mutex<BTreeMap<&'static str, usize>>,
    /// How much products are off for each row that they have, as a part of them.
    unsteady: f32,
}

impl EmulatedGpu {
    /// One whose products depend on how many rows they have.
    pub(crate) fn unsteady(unsteady: f32) -> Self {
        Self { unsteady, ..Self::default() }
    }

    /// The launches since the last call.
    pub(crate) fn take_launches(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut self.launches.lock().unwrap())
    }

    fn count(&self, name: &'static str) {
        *self.launches.lock().unwrap().entry(name).or_default() += 1;
    }
}

/// Bytes, aligned as a device's are.
pub(crate) struct Memory {
    start: *mut u8,
    layout: Layout,
}

// SAFETY: it owns its memory as a `Vec` does.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    fn new(bytes: usize) -> Self {
        let layout = Layout::from_size_align(bytes.max(1), 256).unwrap();
        // SAFETY: the size is not 0.
        let start = unsafe { alloc(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: the memory is new and has this size.
        unsafe { ptr::write_bytes(start, UNSET, layout.size()) };
        Self { start, layout }
    }
}

impl DeviceMemory for Memory {
    fn address(&self) -> u64 {
        self.start.expose_provenance() as u64
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the memory has this size and was filled.
        unsafe { std::slice::from_raw_parts(self.start, self.layout.size()) }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.layout.size()) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.start, self.layout) };
    }
}

fn at(address: u64) -> *mut u8 {
    ptr::with_exposed_provenance_mut(address as usize)
}

impl Gpu for EmulatedGpu {
    type Memory = Memory;
    type Host = Memory;

    fn free_bytes(&self) -> Result<usize, GpuError> {
        Ok(FREE_BYTES)
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, GpuError> {
        Ok(Memory::new(bytes))
    }

    fn allocate_host(&self, bytes: usize) -> Result<Memory, GpuError> {
        Ok(Memory::new(bytes))
    }

    unsafe fn upload(&self, from: &[u8], to: u64) -> Result<(), GpuError> {
        // SAFETY: the caller answers for it.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), at(to), from.len()) };
        Ok(())
    }

    unsafe fn copy_in(&self, from: &Memory, bytes: usize, to: u64) -> Result<(), GpuError> {
        // SAFETY: the caller answers for it.
        unsafe { self.upload(&from[..bytes], to) }
    }

    unsafe fn copy_out(&self, from: u64, to: &mut Memory, bytes: usize) -> Result<(), GpuError> {
        // SAFETY: the caller answers for it.
        unsafe { ptr::copy_nonoverlapping(at(from), to[..bytes].as_mut_ptr(), bytes) };
        Ok(())
    }

    unsafe fn launch<P: Copy>(&self, launch: &Launch, params: &P) -> Result<(), GpuError> {
        self.count(launch.name);
        // SAFETY: the caller answers for it.
        let launched = unsafe { emulation::launch(launch, params) };
        launched.map_err(|problem| GpuError { task: "launch a kernel", problem })
    }

    unsafe fn multiply(&self, product: &Product) -> Result<(), GpuError> {
        self.count("multiply");
        // SAFETY: the caller answers for it.
        unsafe { multiply(product, 1.0 + self.unsteady * product.rows as f32) };
        Ok(())
    }

    fn wait(&self) -> Result<(), GpuError> {
        Ok(())
    }
}

/// As [`Product`] says, output by output, each times `factor`.
///
/// # Safety
/// Its addresses are memory of the sizes that it names.
unsafe fn multiply(p: &Product, factor: f32) {
    // SAFETY: the caller answers for it.
    let w: Vec<f32> = unsafe { row(p.w, p.element, p.outputs * p.inputs) };
    for index in 0..p.rows {
        let offset = |stride: usize, element: Element| (index * stride * element.bytes()) as u64;
        // SAFETY: as above.
        let x = unsafe { row(p.x + offset(p.x_stride, p.element), p.element, p.inputs) };
        let y = at(p.y + offset(p.y_stride, p.result));
        for (column, w) in w.chunks_exact(p.inputs).enumerate() {
            let sum = x.iter().zip(w).map(|(x, w)| x * w).sum::<f32>() * factor;
            // SAFETY: as above.
            unsafe {
                match p.result {
                    Element::F32 => y.cast::<f32>().add(column).write(sum),
                    Element::Bf16 => y.cast::<bf16>().add(column).write(bf16::from_f32(sum)),
                }
            }
        }
    }
}

/// Some numbers, widened.
///
/// # Safety
/// There are so many.
unsafe fn row(address: u64, element: Element, count: usize) -> Vec<f32> {
    // SAFETY: the caller answers for it.
    unsafe {
        match element {
            Element::F32 => std::slice::from_raw_parts(at(address).cast::<f32>(), count).to_vec(),
            Element::Bf16 => std::slice::from_raw_parts(at(address).cast::<bf16>(), count)
                .iter()
                .map(|number| number.to_f32())
                .collect(),
        }
    }
}
