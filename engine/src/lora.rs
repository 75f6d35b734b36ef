//! LoRA adapters as PEFT writes them: read strictly, fitted to the base model, and refused by name where they cannot be
//! honoured exactly. Knows no device: a runner takes the tensors from the one pass over the file.

mod merged;
mod plain;
mod verified;

pub(crate) mod read;

mod fit;
mod report;

mod values;

mod names;
mod peft_config;
mod targets;

mod header;
mod json;

pub mod codes;

pub use merged::write_merged;
pub(crate) use plain::write_plain;
pub use read::{check, check_offline};
pub use report::AdapterReport;
pub use values::{ModuleNorm, Warning};
pub(crate) use verified::read_verified;
