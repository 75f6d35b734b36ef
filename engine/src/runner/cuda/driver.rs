//! A CUDA device through cudarc, in the version that candle has it: one stream that computes, and one for adapters.

use std::{
    collections::HashMap,
    ffi::{CString, c_void},
    ops::{Deref, DerefMut},
    ptr::NonNull,
    sync::{Arc, Mutex, PoisonError},
};

use candle_core::cuda_backend::cudarc::{
    cublas::{self, CudaBlas, sys as blas},
    driver::{CudaContext, CudaEvent, CudaStream, result, sys},
};
use tenora_kernels::{
    FATBIN,
    abi::{Element, Launch, launch::KERNELS},
};

use super::gpu::{DeviceMemory, Gpu, GpuError, Product};
use crate::config::DeviceChoice;

/// cuBLAS's own memory, as NVIDIA recommends for Hopper. Given once, so that no product allocates.
const BLAS_BYTES: usize = 32 << 20;
/// Bytes of an upload that are in flight at a time; there are two of them, one filled while the other is sent.
const STAGING_BYTES: usize = 8 << 20;

/// A device.
pub struct Device {
    functions: HashMap<&'static str, Function>,
    blas: CudaBlas,
    /// Held for cuBLAS.
    _blas_memory: Memory,
    uploads: Mutex<Uploads>,
    compute: Arc<CudaStream>,
    beside: Arc<CudaStream>,
    context: Arc<CudaContext>,
}

/// A kernel in the loaded module, which stays loaded as long as the process.
struct Function(sys::CUfunction);

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

/// The way for what is brought in beside the steps.
struct Uploads {
    stream: Arc<CudaStream>,
    halves: [(Pinned, CudaEvent); 2],
}

fn failed<E: std::fmt::Display>(task: &'static str) -> impl Fn(E) -> GpuError {
    move |error| GpuError { task, problem: error.to_string() }
}

impl Device {
    /// Opens the device, loads the kernels, and makes streams.
    ///
    /// # Errors
    /// It is not there, or the kernels were not built for it.
    pub fn open(choice: DeviceChoice) -> Result<Self, GpuError> {
        let ordinal = match choice {
            DeviceChoice::Auto => 0,
            DeviceChoice::Cuda(ordinal) => ordinal,
            DeviceChoice::Cpu => {
                let problem =
                    "the settings name the CPU; name a CUDA device, or choose another runner".to_owned();
                return Err(GpuError { task: "open", problem });
            }
        };
        let context = CudaContext::new(ordinal).map_err(failed("open"))?;
        keep_freed_memory(&context).map_err(failed("set its memory pool up"))?;
        let functions = load_kernels()?;
        let stream = |_| context.new_stream().map_err(failed("make a stream"));
        let (compute, beside) = (stream(0)?, stream(1)?);
        let half = || {
            let event = context.new_event(None).map_err(failed("make an event"))?;
            Ok((Pinned::new(&context, STAGING_BYTES)?, event))
        };
        let halves = [half()?, half()?];
        let uploads = Mutex::new(Uploads { stream: Arc::clone(&beside), halves });
        let blas_memory = Memory::new((&beside, &compute), BLAS_BYTES)?;
        let blas = open_blas(&compute, &blas_memory)?;
        Ok(Self { functions, blas, _blas_memory: blas_memory, uploads, compute, beside, context })
    }

    /// The device's name.
    ///
    /// # Errors
    /// The driver failed.
    pub fn name(&self) -> Result<String, GpuError> {
        self.context.name().map_err(failed("tell its name"))
    }

    fn bind(&self) -> Result<(), GpuError> {
        self.context.bind_to_thread().map_err(failed("be used from a thread"))
    }
}

/// Adapters come and go: what one leaves behind is for the next, without asking the system each time.
fn keep_freed_memory(context: &CudaContext) -> Result<(), result::DriverError> {
    if !context.has_async_alloc() {
        return Ok(());
    }
    let mut threshold = u64::MAX;
    // SAFETY: the device has a pool, and the attribute is a `u64`.
    unsafe {
        let pool = result::device::get_default_mem_pool(context.cu_device())?;
        result::mem_pool::set_attribute(
            pool,
            sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
            (&raw mut threshold).cast(),
        )
    }
}

fn load_kernels() -> Result<HashMap<&'static str, Function>, GpuError> {
    // SAFETY: it is a whole image, as nvcc wrote it.
    let module = unsafe { result::module::load_data(FATBIN.as_ptr().cast()) };
    let module = module.map_err(failed("load the kernels"))?;
    let function = |name: &'static str| {
        let symbol = CString::new(name).map_err(failed("find a kernel"))?;
        // SAFETY: the module was loaded, and is never unloaded.
        let function = unsafe { result::module::get_function(module, symbol) };
        Ok((name, Function(function.map_err(failed("find a kernel"))?)))
    };
    KERNELS.into_iter().map(function).collect()
}

/// cuBLAS on the stream that computes, in memory of ours, with all sums in f32.
fn open_blas(compute: &Arc<CudaStream>, memory: &Memory) -> Result<CudaBlas, GpuError> {
    let opened = CudaBlas::new(Arc::clone(compute)).map_err(failed("open cuBLAS"))?;
    let math = blas::cublasMath_t::CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    // SAFETY: the handle was opened, and the memory lives as long as it.
    let set = unsafe {
        blas::cublasSetWorkspace_v2(*opened.handle(), memory.address as *mut c_void, BLAS_BYTES)
            .result()
            .and_then(|()| blas::cublasSetMathMode(*opened.handle(), math).result())
    };
    set.map_err(failed("set cuBLAS up"))?;
    Ok(opened)
}

/// Bytes on the device.
pub struct Memory {
    address: sys::CUdeviceptr,
    /// Where it is freed: after whatever was asked for before.
    compute: Arc<CudaStream>,
}

impl Memory {
    /// Taken beside what is computed, and there for every stream on return.
    fn new((beside, compute): (&Arc<CudaStream>, &Arc<CudaStream>), bytes: usize) -> Result<Self, GpuError> {
        let context = compute.context();
        let allocate = || {
            context.bind_to_thread()?;
            if !context.has_async_alloc() {
                // SAFETY: any size but 0 is allowed.
                return unsafe { result::malloc_sync(bytes.max(1)) };
            }
            // SAFETY: the stream exists, and is waited for before another one meets the memory.
            let address = unsafe { result::malloc_async(beside.cu_stream(), bytes.max(1)) }?;
            beside.synchronize()?;
            Ok(address)
        };
        let problem = |error: result::DriverError| GpuError {
            task: "give memory",
            problem: format!("{bytes} bytes are wanted: {error}"),
        };
        Ok(Self { address: allocate().map_err(problem)?, compute: Arc::clone(compute) })
    }
}

impl DeviceMemory for Memory {
    fn address(&self) -> u64 {
        self.address
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let context = self.compute.context();
        let free = || {
            context.bind_to_thread()?;
            // SAFETY: it was allocated in the same way, and nobody will ask for it any more.
            unsafe {
                match context.has_async_alloc() {
                    true => result::free_async(self.address, self.compute.cu_stream()),
                    false => result::free_sync(self.address),
                }
            }
        };
        if let Err(error) = free() {
            tracing::error!(%error, "The GPU did not take memory back");
        }
    }
}

/// Page-locked memory of the host.
pub struct Pinned {
    start: NonNull<u8>,
    bytes: usize,
    context: Arc<CudaContext>,
}

// SAFETY: it owns its memory as a `Vec` does.
unsafe impl Send for Pinned {}

impl Pinned {
    fn new(context: &Arc<CudaContext>, bytes: usize) -> Result<Self, GpuError> {
        let task = "page-lock memory of the host";
        context.bind_to_thread().map_err(failed(task))?;
        // SAFETY: any size but 0 is allowed.
        let start = unsafe { result::malloc_host(bytes.max(1), 0) }.map_err(failed(task))?.cast::<u8>();
        let start = NonNull::new(start).ok_or_else(|| failed(task)("none was given"))?;
        // SAFETY: the memory is new and has this size.
        unsafe { start.write_bytes(0, bytes) };
        Ok(Self { start, bytes, context: Arc::clone(context) })
    }
}

impl Deref for Pinned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the memory has this size and was filled with zeros.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }
}

impl DerefMut for Pinned {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let free = || {
            self.context.bind_to_thread()?;
            // SAFETY: it was allocated by `malloc_host`.
            unsafe { result::free_host(self.start.as_ptr().cast()) }
        };
        if let Err(error) = free() {
            tracing::error!(%error, "The GPU's driver did not take page-locked memory back");
        }
    }
}

impl Uploads {
    /// Copies by way of both halves, one filled while the other is sent.
    fn send(&mut self, from: &[u8], to: u64) -> Result<(), result::DriverError> {
        for (index, chunk) in from.chunks(STAGING_BYTES).enumerate() {
            let (half, sent) = &mut self.halves[index % 2];
            sent.synchronize()?;
            half[..chunk.len()].copy_from_slice(chunk);
            let address = to + (index * STAGING_BYTES) as u64;
            // SAFETY: the caller answers for the address; the half is not touched before its event.
            unsafe { result::memcpy_htod_async(address, &half[..chunk.len()], self.stream.cu_stream()) }?;
            sent.record(&self.stream)?;
        }
        self.halves.iter().try_for_each(|(_, sent)| sent.synchronize())
    }
}

impl Gpu for Device {
    type Memory = Memory;
    type Host = Pinned;

    fn free_bytes(&self) -> Result<usize, GpuError> {
        let (free, _) = self.context.mem_get_info().map_err(failed("tell how much memory is free"))?;
        Ok(free)
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, GpuError> {
        Memory::new((&self.beside, &self.compute), bytes)
    }

    fn allocate_host(&self, bytes: usize) -> Result<Pinned, GpuError> {
        Pinned::new(&self.context, bytes)
    }

    unsafe fn upload(&self, from: &[u8], to: u64) -> Result<(), GpuError> {
        self.bind()?;
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.send(from, to).map_err(failed("take an upload"))
    }

    unsafe fn copy_in(&self, from: &Pinned, bytes: usize, to: u64) -> Result<(), GpuError> {
        self.bind()?;
        // SAFETY: the caller answers for it.
        let copied = unsafe { result::memcpy_htod_async(to, &from[..bytes], self.compute.cu_stream()) };
        copied.map_err(failed("take a step's tables"))
    }

    unsafe fn copy_out(&self, from: u64, to: &mut Pinned, bytes: usize) -> Result<(), GpuError> {
        self.bind()?;
        // SAFETY: the caller answers for it.
        let copied = unsafe { result::memcpy_dtoh_async(&mut to[..bytes], from, self.compute.cu_stream()) };
        copied.map_err(failed("give the logits back"))
    }

    unsafe fn launch<P: Copy>(&self, launch: &Launch, params: &P) -> Result<(), GpuError> {
        if launch.is_empty() {
            return Ok(());
        }
        self.bind()?;
        let unknown = || failed("find a kernel")(launch.name);
        let function = self.functions.get(launch.name).ok_or_else(unknown)?;
        let ([gx, gy, gz], [bx, by, bz]) = (launch.grid, launch.block);
        let mut arguments = [std::ptr::from_ref(params).cast_mut().cast::<c_void>()];
        // SAFETY: the caller answers for the parameters, which the driver copies before it returns.
        let launched = unsafe {
            result::launch_kernel(
                function.0,
                (gx, gy, gz),
                (bx, by, bz),
                launch.shared_bytes,
                self.compute.cu_stream(),
                &mut arguments,
            )
        };
        launched.map_err(|error| GpuError {
            task: "launch a kernel",
            problem: format!("{}: {error}", launch.name),
        })
    }

    unsafe fn multiply(&self, product: &Product) -> Result<(), GpuError> {
        self.bind()?;
        // cuBLAS counts by columns: our rows are its columns, so what it computes is yᵀ = w · xᵀ.
        let Product { x, x_stride, w, y, y_stride, rows, inputs, outputs, element, result } = *product;
        let (one, zero) = (1.0f32, 0.0f32);
        // SAFETY: the caller answers for addresses and sizes.
        let asked = unsafe {
            cublas::result::gemm_ex(
                *self.blas.handle(),
                blas::cublasOperation_t::CUBLAS_OP_T,
                blas::cublasOperation_t::CUBLAS_OP_N,
                outputs as i32,
                rows as i32,
                inputs as i32,
                (&raw const one).cast(),
                w as *const c_void,
                data_type(element),
                inputs as i32,
                x as *const c_void,
                data_type(element),
                x_stride as i32,
                (&raw const zero).cast(),
                y as *mut c_void,
                data_type(result),
                y_stride as i32,
                blas::cublasComputeType_t::CUBLAS_COMPUTE_32F,
                blas::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        };
        asked.map_err(|error| GpuError { task: "multiply matrices", problem: format!("{error:?}") })
    }

    fn wait(&self) -> Result<(), GpuError> {
        self.compute.synchronize().map_err(failed("finish a step"))
    }
}

fn data_type(element: Element) -> blas::cudaDataType {
    match element {
        Element::F32 => blas::cudaDataType::CUDA_R_32F,
        Element::Bf16 => blas::cudaDataType::CUDA_R_16BF,
    }
}
