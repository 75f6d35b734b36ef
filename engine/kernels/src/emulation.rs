//! The same kernels on the host, for tests without a GPU: the CUDA sources compiled as C++, a block's threads as fibers.
//! Addresses are those of the process. It finds wrong indices, missing barriers and threads that wait for each other; it
//! says nothing about speed, nor about a device's memory model beyond barriers.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use crate::abi::Launch;

#[link(name = "tenora_kernels_emulation", kind = "static")]
unsafe extern "C" {
    fn tenora_emulate(
        name: *const c_char,
        grid: *const [u32; 3],
        block: *const [u32; 3],
        shared_bytes: usize,
        params: *const c_void,
        params_bytes: usize,
        message: *mut c_char,
        message_bytes: usize,
    ) -> c_int;
    fn tenora_guarded_memory(bytes: usize) -> *mut c_void;
    fn tenora_free_guarded_memory(memory: *mut c_void, bytes: usize);
    fn tenora_abi_layout(numbers: *mut *const usize) -> usize;
}

/// Runs one launch to its end. A launch without blocks does nothing.
///
/// # Errors
/// What a device would have refused, or have hung or gone astray on.
///
/// # Safety
/// `params` is the struct of the launch's kernel, and its addresses are memory of this process with the shapes that the
/// struct says.
pub unsafe fn launch<P: Copy>(launch: &Launch, params: &P) -> Result<(), String> {
    if launch.is_empty() {
        return Ok(());
    }
    let name = CString::new(launch.name).map_err(|error| error.to_string())?;
    let mut message: [c_char; 256] = [0; 256];
    // SAFETY: the caller answers for what `params` points to; everything else is passed with its size.
    let code = unsafe {
        tenora_emulate(
            name.as_ptr(),
            &raw const launch.grid,
            &raw const launch.block,
            launch.shared_bytes as usize,
            std::ptr::from_ref(params).cast(),
            size_of::<P>(),
            message.as_mut_ptr(),
            message.len(),
        )
    };
    match code {
        0 => Ok(()),
        // SAFETY: the message ends with a zero within its array.
        _ => {
            Err(format!("{}: {}", launch.name, unsafe { CStr::from_ptr(message.as_ptr()) }.to_string_lossy()))
        }
    }
}

/// Sizes and offsets of the structs as the C++ side has them, in an order that the test of the ABI knows.
pub fn abi_layout() -> &'static [usize] {
    let mut numbers = std::ptr::null();
    // SAFETY: the numbers are a static array of the length that is returned.
    unsafe {
        let count = tenora_abi_layout(&raw mut numbers);
        std::slice::from_raw_parts(numbers, count)
    }
}

/// Numbers for kernels to read and write. It ends where the process may not go: a kernel that reads or writes beyond its
/// last 16 bytes is ended by a signal. It begins as zeros.
pub struct GuardedMemory<T: Copy> {
    start: NonNull<T>,
    count: usize,
}

// SAFETY: it owns its memory as a `Vec` does.
unsafe impl<T: Copy + Send> Send for GuardedMemory<T> {}
// SAFETY: as above.
unsafe impl<T: Copy + Sync> Sync for GuardedMemory<T> {}

impl<T: Copy> GuardedMemory<T> {
    /// A copy of numbers; `T` is a plain number, or a struct of them.
    ///
    /// # Errors
    /// The system gives no memory.
    pub fn new(numbers: &[T]) -> Result<Self, String> {
        // SAFETY: any size is allowed.
        let start = unsafe { tenora_guarded_memory(size_of_val(numbers)) }.cast::<T>();
        let start = NonNull::new(start).ok_or("the system gives no memory")?;
        // SAFETY: the memory is new and large enough, and begins at a multiple of 16 bytes.
        unsafe { start.copy_from_nonoverlapping(NonNull::from(numbers).cast(), numbers.len()) };
        Ok(Self { start, count: numbers.len() })
    }

    /// Its address, as kernels take it.
    pub fn address(&self) -> u64 {
        self.start.as_ptr().addr() as u64
    }
}

impl<T: Copy> Deref for GuardedMemory<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the memory holds so many numbers, and kernels are not at work between launches.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl<T: Copy> DerefMut for GuardedMemory<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and nobody else borrows it.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.count) }
    }
}

impl<T: Copy> Drop for GuardedMemory<T> {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this size.
        unsafe { tenora_free_guarded_memory(self.start.as_ptr().cast(), self.count * size_of::<T>()) };
    }
}
