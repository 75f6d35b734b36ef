//! The header of a safetensors file, read more strictly than the format's own library does: the file is exactly the
//! header and its tensors, each byte belongs to one tensor, and nothing is said twice.
//! Format: <https://github.com/huggingface/safetensors#format>.

use std::io::Read;

use serde_json::{Map, Value};

use super::{
    codes,
    json::{self, JsonError},
};
use crate::error::AdapterRejection;

/// Longest header, in bytes; an adapter of 7 modules on 100 layers has about 200 KiB.
const MAX_HEADER_BYTES: u64 = 4 << 20;
/// Most tensors: A and B of seven modules on more than a thousand layers.
const MAX_TENSORS: usize = 16_384;
/// Longest tensor name, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// Bytes of the header's length at the start of the file.
const PREFIX_BYTES: u64 = 8;

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FloatType {
    F32,
    F16,
    Bf16,
}

impl FloatType {
    /// Bytes of one number.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The format's own name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::F32, Self::F16, Self::Bf16].into_iter().find(|t| t.name() == name)
    }
}

/// One tensor of the file: a matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorInfo {
    pub(super) name: String,
    pub(super) dtype: FloatType,
    /// Rows and columns, neither zero.
    pub(super) shape: [usize; 2],
    start: u64,
    end: u64,
}

impl TensorInfo {
    /// Bytes of the tensor in the file.
    pub(super) fn bytes(&self) -> u64 {
        self.end - self.start
    }
}

/// Reads the header from a file of `file_bytes` bytes, and leaves the reader at the first tensor. The tensors come in the
/// order in which they lie in the file.
pub(super) fn read(file: &mut impl Read, file_bytes: u64) -> Result<Vec<TensorInfo>, AdapterRejection> {
    let truncated =
        |what: &str| AdapterRejection::whole(codes::TRUNCATED, format!("the weights file ends {what}"));
    if file_bytes < PREFIX_BYTES {
        return Err(truncated("before its header; upload it again"));
    }
    let mut prefix = [0; PREFIX_BYTES as usize];
    read_exact(file, &mut prefix)?;
    let header_bytes = u64::from_le_bytes(prefix);
    let foreign = sniff(&prefix);
    if header_bytes > MAX_HEADER_BYTES {
        return Err(foreign.map(not_safetensors).unwrap_or_else(|| {
            let message =
                format!("the header says it has {header_bytes} bytes, and {MAX_HEADER_BYTES} are the most");
            AdapterRejection::whole(codes::HEADER_TOO_LARGE, message)
        }));
    }
    let data_bytes = (file_bytes - PREFIX_BYTES).checked_sub(header_bytes).ok_or_else(|| {
        foreign.map_or_else(|| truncated("inside its header; upload it again"), not_safetensors)
    })?;
    let mut header = vec![0; header_bytes as usize];
    read_exact(file, &mut header)?;
    if header.first() != Some(&b'{') {
        return Err(foreign
            .map(not_safetensors)
            .unwrap_or_else(|| invalid("the header does not begin with `{`")));
    }
    let mut tensors = parse(&header)?;
    tensors.sort_by_key(|t| t.start);
    check_offsets(&tensors, data_bytes)?;
    Ok(tensors)
}

fn read_exact(file: &mut impl Read, buffer: &mut [u8]) -> Result<(), AdapterRejection> {
    file.read_exact(buffer).map_err(|_| {
        AdapterRejection::whole(codes::TRUNCATED, "the weights file ends early; upload it again")
    })
}

/// What a file that is no safetensors file seems to be, by its first bytes.
fn sniff(start: &[u8; 8]) -> Option<&'static str> {
    match start {
        [b'P', b'K', ..] => Some("a zip archive (as torch.save writes)"),
        [0x80, 2..=5, ..] => Some("a Python pickle"),
        [0x1f, 0x8b, ..] => Some("a gzip archive"),
        [0x7f, b'E', b'L', b'F', ..] => Some("a program"),
        [b'G', b'G', b'U', b'F', ..] => Some("a GGUF file"),
        b"version " => Some("a Git LFS pointer, not the file it points to"),
        [b'<', ..] => Some("an HTML or XML page"),
        _ => None,
    }
}

fn not_safetensors(what: &str) -> AdapterRejection {
    let fix = "save the adapter as safetensors: `model.save_pretrained(folder, safe_serialization=True)`";
    AdapterRejection::whole(codes::NOT_SAFETENSORS, format!("the weights file is {what}; {fix}"))
}

fn invalid(problem: &str) -> AdapterRejection {
    AdapterRejection::whole(codes::HEADER_INVALID, format!("not a safetensors file: {problem}"))
}

fn parse(header: &[u8]) -> Result<Vec<TensorInfo>, AdapterRejection> {
    let entries = match json::parse(header) {
        Ok(Value::Object(entries)) => entries,
        Ok(_) => return Err(invalid("the header is no JSON object")),
        Err(JsonError::Duplicate(key)) => {
            let message = format!("the header names `{}` twice; save the adapter again", shown(&key));
            return Err(AdapterRejection::new(codes::HEADER_DUPLICATE_KEY, shown(&key), message));
        }
        Err(JsonError::Invalid(problem)) => return Err(invalid(&problem)),
    };
    if entries.len() > MAX_TENSORS {
        let message = format!("the file has {} tensors, and {MAX_TENSORS} are the most", entries.len());
        return Err(AdapterRejection::whole(codes::TOO_MANY_TENSORS, message));
    }
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        if name == "__metadata__" {
            check_metadata(&value)?;
        } else {
            tensors.push(parse_tensor(name, &value)?);
        }
    }
    match tensors.is_empty() {
        true => Err(invalid("it has no tensors")),
        false => Ok(tensors),
    }
}

fn check_metadata(value: &Value) -> Result<(), AdapterRejection> {
    match value.as_object() {
        Some(entries) if entries.values().all(Value::is_string) => Ok(()),
        _ => Err(invalid("`__metadata__` is not an object of strings")),
    }
}

fn parse_tensor(name: String, value: &Value) -> Result<TensorInfo, AdapterRejection> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(plain) {
        let message = format!(
            "tensor name `{}` is not made of at most {MAX_NAME_BYTES} letters, digits, `.`, `_` and `-`",
            shown(&name)
        );
        return Err(AdapterRejection::new(codes::TENSOR_NAME_INVALID, shown(&name), message));
    }
    let refuse =
        |code, problem: String| AdapterRejection::new(code, &name, format!("tensor `{name}` {problem}"));
    let malformed = || {
        let problem = "needs exactly `dtype`, `shape` and `data_offsets` in the header";
        refuse(codes::HEADER_INVALID, problem.to_owned())
    };
    let entry = value.as_object().filter(|entry| entry.len() == 3).ok_or_else(malformed)?;
    let dtype = entry.get("dtype").and_then(Value::as_str).ok_or_else(malformed)?;
    let shape = numbers(entry, "shape").ok_or_else(malformed)?;
    let offsets = numbers(entry, "data_offsets").ok_or_else(malformed)?;
    let dtype = FloatType::parse(dtype).ok_or_else(|| {
        let problem = format!("has type {}; convert it to F32, F16 or BF16", shown(dtype));
        refuse(codes::UNSUPPORTED_DTYPE, problem)
    })?;
    let wrong_shape = || {
        let problem = format!("has shape {shape:?}; a LoRA weight is a matrix with rows and columns");
        refuse(codes::WRONG_SHAPE, problem)
    };
    let &[rows, columns] = shape.as_slice() else { return Err(wrong_shape()) };
    if rows == 0 || columns == 0 || rows > u64::from(u32::MAX) || columns > u64::from(u32::MAX) {
        return Err(wrong_shape());
    }
    let &[start, end] = offsets.as_slice() else { return Err(malformed()) };
    let bytes = rows.checked_mul(columns).and_then(|n| n.checked_mul(dtype.bytes() as u64));
    if bytes.is_none() || end.checked_sub(start) != bytes {
        let problem = format!("lies at {start}..{end}, which is not what its shape and type take");
        return Err(refuse(codes::OFFSETS_INVALID, problem));
    }
    Ok(TensorInfo { name, dtype, shape: [rows as usize, columns as usize], start, end })
}

fn numbers(entry: &Map<String, Value>, field: &str) -> Option<Vec<u64>> {
    entry.get(field)?.as_array()?.iter().map(Value::as_u64).collect()
}

/// The tensors follow each other without holes and end where the file ends.
fn check_offsets(tensors: &[TensorInfo], data_bytes: u64) -> Result<(), AdapterRejection> {
    let mut next = 0;
    for tensor in tensors {
        if tensor.start != next {
            let name = &tensor.name;
            let message =
                format!("tensor `{name}` begins at {}, and {next} is where it must begin", tensor.start);
            return Err(AdapterRejection::new(codes::OFFSETS_INVALID, name, message));
        }
        next = tensor.end;
    }
    if next > data_bytes {
        let message =
            format!("the tensors take {next} bytes, and the file has {data_bytes}; upload it again");
        return Err(AdapterRejection::whole(codes::TRUNCATED, message));
    }
    if next < data_bytes {
        let message = format!("{} bytes follow the last tensor; save the adapter again", data_bytes - next);
        return Err(AdapterRejection::whole(codes::TRAILING_BYTES, message));
    }
    Ok(())
}

/// A name from the file, short enough for a message.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 120;
    let clean: String = text.chars().filter(|c| !c.is_control()).take(MOST).collect();
    if clean.len() < text.len() { clean + "…" } else { clean }
}
