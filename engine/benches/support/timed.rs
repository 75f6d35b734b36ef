//! A GPU that can say how long each of its kernels takes, when it is made to wait for each.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tenora_engine::runner::cuda::{
    Gpu, GpuError, Product,
    driver::{Device, Memory, Pinned},
};
use tenora_kernels::abi::Launch;

/// By kernel: launches, and their time in all.
pub(crate) type Times = BTreeMap<String, (usize, Duration)>;

/// The GPU.
pub(crate) struct Timed {
    device: Device,
    on: AtomicBool,
    times: Mutex<Times>,
}

impl Timed {
    pub(crate) fn new(device: Device) -> Self {
        Self { device, on: AtomicBool::new(false), times: Mutex::default() }
    }

    /// From now on, each kernel is waited for.
    pub(crate) fn begin(&self) {
        self.on.store(true, Relaxed);
    }

    /// What they took since.
    pub(crate) fn end(&self) -> Times {
        self.on.store(false, Relaxed);
        std::mem::take(&mut self.times.lock().unwrap())
    }

    fn time(&self, name: &str, ask: impl FnOnce() -> Result<(), GpuError>) -> Result<(), GpuError> {
        if !self.on.load(Relaxed) {
            return ask();
        }
        let begun = Instant::now();
        ask()?;
        self.device.wait()?;
        let mut times = self.times.lock().unwrap();
        let (launches, time) = times.entry(name.to_owned()).or_default();
        (*launches, *time) = (*launches + 1, *time + begun.elapsed());
        Ok(())
    }
}

impl Gpu for Timed {
    type Memory = Memory;
    type Host = Pinned;

    fn free_bytes(&self) -> Result<usize, GpuError> {
        self.device.free_bytes()
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, GpuError> {
        self.device.allocate(bytes)
    }

    fn allocate_host(&self, bytes: usize) -> Result<Pinned, GpuError> {
        self.device.allocate_host(bytes)
    }

    unsafe fn upload(&self, from: &[u8], to: u64) -> Result<(), GpuError> {
        // SAFETY: the caller answers for it.
        unsafe { self.device.upload(from, to) }
    }

    unsafe fn copy_in(&self, from: &Pinned, bytes: usize, to: u64) -> Result<(), GpuError> {
        // SAFETY: the caller answers for it.
        self.time("copy of the tables", || unsafe { self.device.copy_in(from, bytes, to) })
    }

    unsafe fn copy_out(&self, from: u64, to: &mut Pinned, bytes: usize) -> Result<(), GpuError> {
        // SAFETY: the caller answers for it.
        self.time("copy of the logits", || unsafe { self.device.copy_out(from, to, bytes) })
    }

    unsafe fn launch<P: Copy>(&self, launch: &Launch, params: &P) -> Result<(), GpuError> {
        // SAFETY: the caller answers for it.
        self.time(launch.name, || unsafe { self.device.launch(launch, params) })
    }

    unsafe fn multiply(&self, product: &Product) -> Result<(), GpuError> {
        let name = format!("product {} → {}", product.inputs, product.outputs);
        // SAFETY: the caller answers for it.
        self.time(&name, || unsafe { self.device.multiply(product) })
    }

    fn wait(&self) -> Result<(), GpuError> {
        self.device.wait()
    }
}
