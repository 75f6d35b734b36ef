//! Opens the device that the settings name.

use candle_core::Device;

use crate::config::DeviceChoice;

/// Opens a device, or says in words why it cannot.
pub(super) fn open(choice: DeviceChoice) -> Result<Device, String> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Auto if cfg!(feature = "cuda") => Ok(Device::new_cuda(0).unwrap_or_else(|error| {
            tracing::warn!(%error, "No CUDA device: computing on the CPU");
            Device::Cpu
        })),
        DeviceChoice::Auto => Ok(Device::Cpu),
        DeviceChoice::Cuda(n) if cfg!(feature = "cuda") => {
            Device::new_cuda(n).map_err(|e| format!("CUDA device {n} cannot be opened: {e}"))
        }
        DeviceChoice::Cuda(n) => Err(format!(
            "CUDA device {n} is asked for, and this build has no CUDA; build with `cargo build --release --features \
             cuda`, or choose the CPU"
        )),
    }
}

/// Whether a choice comes down to the CPU on this machine.
pub(in super::super) fn is_cpu(choice: DeviceChoice) -> bool {
    match choice {
        DeviceChoice::Cpu => true,
        DeviceChoice::Auto => !cfg!(feature = "cuda") || Device::new_cuda(0).is_err(),
        DeviceChoice::Cuda(_) => false,
    }
}
