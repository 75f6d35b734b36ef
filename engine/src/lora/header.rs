//! The header of a safetensors file, read more strictly than the format's own library does: the file is exactly the
//! header and its tensors, each byte belongs to one tensor, and nothing is said twice.
//! Format: <https://github.com/huggingface/safetensors#format>.

use std::io::Read;

use half::{bf16, f16};
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
/// Most text in `__metadata__`, in bytes; PEFT writes `{"format": "pt"}`.
const MAX_METADATA_BYTES: usize = 64 << 10;
/// Objects and lists within each other: the header, a tensor, its shape.
const MAX_DEPTH: usize = 3;
/// Most rows or columns of a tensor.
const MAX_SIDE: u64 = u32::MAX as u64;
/// The header's one key that is no tensor.
const METADATA: &str = "__metadata__";
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

    /// Little-endian numbers, as 32-bit ones.
    pub(crate) fn numbers(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect(),
            Self::F16 => {
                bytes.as_chunks().0.iter().map(|number| f16::from_le_bytes(*number).to_f32()).collect()
            }
            Self::Bf16 => {
                bytes.as_chunks().0.iter().map(|number| bf16::from_le_bytes(*number).to_f32()).collect()
            }
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

/// What a file that is no safetensors file seems to be, by its first bytes, and what to upload instead.
fn sniff(start: &[u8; 8]) -> Option<(&'static str, &'static str)> {
    const SAVE: &str =
        "save the adapter as safetensors: `model.save_pretrained(folder, safe_serialization=True)`";
    match start {
        [b'P', b'K', ..] => Some(("a zip archive (as torch.save writes)", SAVE)),
        [0x80, 2..=5, ..] => Some(("a Python pickle", SAVE)),
        [0x1f, 0x8b, ..] => Some(("a gzip archive", "upload the file that is in it")),
        [0x7f, b'E', b'L', b'F', ..] => Some(("a program", SAVE)),
        [b'G', b'G', b'U', b'F', ..] => {
            Some(("a GGUF file", "upload the adapter that PEFT saved and that it was converted from"))
        }
        b"version " => Some(("a Git LFS pointer, not the file it points to", "run `git lfs pull` first")),
        [b'<', ..] => Some(("an HTML or XML page", "download the file itself")),
        _ => None,
    }
}

fn not_safetensors((what, fix): (&str, &str)) -> AdapterRejection {
    AdapterRejection::whole(codes::NOT_SAFETENSORS, format!("the weights file is {what}; {fix}"))
}

/// Refuses a checkpoint of a whole model, or of a model with an adapter still in it.
fn refuse_whole_model(names: &[&String]) -> Result<(), AdapterRejection> {
    let any = |found: fn(&str) -> bool| names.iter().find(|name| found(name));
    let lora = any(|name| name.to_ascii_lowercase().contains("lora_"));
    let (name, problem) = match (any(|name| name.contains(".base_layer.")), lora) {
        (Some(name), _) => (
            name,
            "is of the base model itself: save with `model.save_pretrained(folder)`, which leaves the base out",
        ),
        (None, Some(_)) => return Ok(()),
        (None, None) => match any(|name| name.ends_with("_proj.weight") || name.contains("embed")) {
            Some(name) => (name, "makes this a whole model: upload the adapter, from before it was merged"),
            None => return Ok(()),
        },
    };
    let name = shown(name);
    Err(AdapterRejection::new(codes::WHOLE_MODEL, &name, format!("tensor `{name}` {problem}")))
}

/// What to do when the numbers of a sharded model were not brought together before it was saved.
const GATHER: &str = "under DeepSpeed ZeRO-3 or FSDP gather the weights before saving \
                      (`stage3_gather_16bit_weights_on_model_save`, or a full state dict)";

fn invalid(problem: &str) -> AdapterRejection {
    AdapterRejection::whole(codes::HEADER_INVALID, format!("not a safetensors file: {problem}"))
}

fn parse(header: &[u8]) -> Result<Vec<TensorInfo>, AdapterRejection> {
    let entries = match json::parse(header, MAX_DEPTH) {
        Ok(Value::Object(entries)) => entries,
        Ok(_) => return Err(invalid("the header is no JSON object")),
        Err(JsonError::Duplicate(key)) => {
            let message = format!("the header names `{}` twice; save the adapter again", shown(&key));
            return Err(AdapterRejection::new(codes::HEADER_DUPLICATE_KEY, shown(&key), message));
        }
        Err(JsonError::TooDeep) => return Err(invalid("its header has values within values")),
        Err(JsonError::Invalid(problem)) => return Err(invalid(&problem)),
    };
    if entries.len() > MAX_TENSORS {
        let message = format!("the file has {} tensors, and {MAX_TENSORS} are the most", entries.len());
        return Err(AdapterRejection::whole(codes::TOO_MANY_TENSORS, message));
    }
    refuse_whole_model(&entries.keys().collect::<Vec<_>>())?;
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        if name == METADATA {
            check_metadata(&value)?;
        } else {
            tensors.push(parse_tensor(name, &value)?);
        }
    }
    match tensors.is_empty() {
        true => {
            let message = format!("the weights file has no tensors; {GATHER}");
            Err(AdapterRejection::whole(codes::EMPTY_TENSOR, message))
        }
        false => Ok(tensors),
    }
}

fn check_metadata(value: &Value) -> Result<(), AdapterRejection> {
    let strings = value.as_object().filter(|entries| entries.values().all(Value::is_string));
    let entries = strings.ok_or_else(|| invalid("`__metadata__` is not an object of strings"))?;
    let bytes: usize = entries.iter().map(|(key, text)| key.len() + text.as_str().map_or(0, str::len)).sum();
    if bytes <= MAX_METADATA_BYTES {
        return Ok(());
    }
    let message =
        format!("`{METADATA}` has {bytes} bytes of text, and {MAX_METADATA_BYTES} are the most; remove it");
    Err(AdapterRejection::new(codes::METADATA_TOO_LARGE, METADATA, message))
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
    if shape.contains(&0) {
        let shape = shown(&format!("{shape:?}"));
        return Err(refuse(codes::EMPTY_TENSOR, format!("has shape {shape}, so no numbers; {GATHER}")));
    }
    let &[rows @ ..=MAX_SIDE, columns @ ..=MAX_SIDE] = shape.as_slice() else {
        let fix = if shape.len() == 1 { GATHER } else { "upload the file that PEFT saved" };
        let shape = shown(&format!("{shape:?}"));
        let problem =
            format!("has shape {shape}, and a LoRA weight is a matrix with rows and columns; {fix}");
        return Err(refuse(codes::WRONG_SHAPE, problem));
    };
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
