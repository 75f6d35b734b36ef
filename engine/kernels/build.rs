//! Compiles the kernels for what the crate's features ask: for devices, for the host, or not at all.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Command,
};

/// Devices that get binary code; what comes after the last one gets portable code.
const ARCHITECTURES: [&str; 3] = ["80", "90", "100"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=cuda");
    println!("cargo::rerun-if-changed=emulation");
    if env::var_os("CARGO_FEATURE_EMULATION").is_some() {
        cc::Build::new()
            .cpp(true)
            .std("c++17")
            .opt_level(2)
            .flag_if_supported("-Wno-unknown-pragmas")
            .files(["emulation/emulation.cpp", "emulation/faults.cpp", "emulation/kernels.cpp"])
            .compile("tenora_kernels_emulation");
    }
    if env::var_os("CARGO_FEATURE_CUDA").is_some() {
        let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
        compile(&PathBuf::from(out).join("kernels.fatbin"))?;
    }
    Ok(())
}

/// Compiles the kernels for devices.
fn compile(output: &Path) -> io::Result<()> {
    for variable in ["CUDA_HOME", "CUDA_PATH", "PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let nvcc = nvcc();
    let mut command = Command::new(&nvcc);
    command.args(["-std=c++17", "-O3", "--threads", "0", "-fatbin", "-I", "cuda", "-o"]).arg(output);
    for architecture in ARCHITECTURES {
        command.arg("-gencode").arg(format!("arch=compute_{architecture},code=sm_{architecture}"));
    }
    let newest = ARCHITECTURES[ARCHITECTURES.len() - 1];
    command.arg("-gencode").arg(format!("arch=compute_{newest},code=compute_{newest}"));
    let status = command.arg("cuda/kernels.cu").status().map_err(|error| {
        io::Error::other(format!(
            "{} cannot be run: {error}. The feature `cuda` needs nvcc of CUDA 12.8 or newer: install NVIDIA's toolkit, \
             or run engine/kernels/toolkit.sh, and name its folder by CUDA_HOME",
            nvcc.display()
        ))
    })?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{} failed: {status}", nvcc.display()))),
    }
}

/// The compiler of the toolkit that the environment names, or the one in `PATH`.
fn nvcc() -> PathBuf {
    let named = ["CUDA_HOME", "CUDA_PATH"].iter().filter_map(env::var_os);
    named
        .map(|home| PathBuf::from(home).join("bin/nvcc"))
        .find(|nvcc| nvcc.is_file())
        .unwrap_or("nvcc".into())
}
