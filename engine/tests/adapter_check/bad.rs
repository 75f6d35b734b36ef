//! Bad adapters: what each has wrong, and what its owner must be told.

// The paths are said, because tests/tests/bad_uploads.rs sends the same files to a server.
#[path = "bad/config.rs"]
mod config;
#[path = "bad/file.rs"]
mod file;
#[path = "bad/tensors.rs"]
mod tensors;

use crate::adapter::{Adapter, Files};

/// One bad adapter: made from the good one `llama/rank4` (rank 4 on q and v of three layers, hidden size 48).
pub(crate) struct Bad {
    pub(crate) name: &'static str,
    pub(crate) code: &'static str,
    /// The field or (part of) the tensor's name that must be named.
    pub(crate) param: Option<&'static str>,
    pub(crate) files: Files,
}

fn bad(
    name: &'static str,
    code: &'static str,
    param: impl Into<Option<&'static str>>,
    spoil: impl FnOnce(&mut Adapter),
) -> Bad {
    let mut adapter = Adapter::good("llama/rank4");
    spoil(&mut adapter);
    Bad { name, code, param: param.into(), files: adapter.files() }
}

/// A config field with a bad value, which is also what must be named.
fn field(name: &'static str, code: &'static str, value: serde_json::Value) -> Bad {
    bad(name, code, name, |a| a.set(name, value))
}

/// Other bytes for the weights file.
fn weights(
    name: &'static str,
    code: &'static str,
    param: impl Into<Option<&'static str>>,
    spoil: impl FnOnce(&mut Vec<u8>),
) -> Bad {
    let mut files = Adapter::good("llama/rank4").files();
    spoil(&mut files.weights);
    Bad { name, code, param: param.into(), files }
}

/// Another header before the same tensors.
fn header(
    name: &'static str,
    code: &'static str,
    param: impl Into<Option<&'static str>>,
    spoil: impl FnOnce(String) -> String,
) -> Bad {
    let adapter = Adapter::good("llama/rank4");
    let spoilt = spoil(adapter.header());
    assert_ne!(spoilt, adapter.header(), "{name}");
    Bad { name, code, param: param.into(), files: adapter.files_with_header(&spoilt) }
}

fn config(
    name: &'static str,
    code: &'static str,
    param: Option<&'static str>,
    text: impl Into<Vec<u8>>,
) -> Bad {
    let mut files = Adapter::good("llama/rank4").files();
    files.config = text.into();
    Bad { name, code, param, files }
}

/// Every bad adapter.
pub(crate) fn all() -> Vec<Bad> {
    [file::all(), config::all(), tensors::all()].into_iter().flatten().collect()
}
