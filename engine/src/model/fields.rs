//! Typed reading of a JSON object's fields, with errors that name the file and the field.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::error::EngineError;

/// Largest JSON file that is read from a model folder, in bytes; a shard index of a large model has about 100 KiB.
const MAX_JSON_BYTES: u64 = 16 << 20;

/// One JSON object of a model folder.
#[derive(Debug)]
pub(super) struct Fields {
    path: PathBuf,
    object: Map<String, Value>,
}

impl Fields {
    /// Reads a file that must hold one JSON object.
    pub(super) fn read(path: &Path) -> Result<Self, EngineError> {
        let bytes = read_bounded(path).map_err(|problem| fault(path, problem))?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Ok(Self { path: path.to_owned(), object }),
            Ok(_) => Err(fault(path, "is not a JSON object".to_owned())),
            Err(e) => Err(fault(path, format!("is not valid JSON: {e}"))),
        }
    }

    /// An object inside this one; `None` when absent or null.
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, EngineError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(o)) => Ok(Some(Self { path: self.path.clone(), object: o.clone() })),
            Some(other) => Err(self.wrong(name, other, "an object")),
        }
    }

    /// The raw value; `None` when absent or null.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.object.get(name).filter(|v| !v.is_null())
    }

    /// A positive whole number that must be there.
    pub(super) fn size(&self, name: &str) -> Result<usize, EngineError> {
        self.optional_size(name)?.ok_or_else(|| self.problem(name, "is missing"))
    }

    /// A positive whole number; `None` when absent or null.
    pub(super) fn optional_size(&self, name: &str) -> Result<Option<usize>, EngineError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value
            .as_u64()
            .and_then(|v| usize::try_from(v).ok())
            .filter(|&v| v > 0 && v <= u32::MAX as usize)
            .map(Some)
            .ok_or_else(|| self.wrong(name, value, "a positive whole number"))
    }

    /// A finite positive number; `None` when absent or null.
    pub(super) fn optional_number(&self, name: &str) -> Result<Option<f64>, EngineError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value
            .as_f64()
            .filter(|v| v.is_finite() && *v > 0.0)
            .map(Some)
            .ok_or_else(|| self.wrong(name, value, "a positive number"))
    }

    /// A finite positive number that must be there.
    pub(super) fn number(&self, name: &str) -> Result<f64, EngineError> {
        self.optional_number(name)?.ok_or_else(|| self.problem(name, "is missing"))
    }

    /// A flag; `default` when absent or null.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, EngineError> {
        let Some(value) = self.get(name) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.wrong(name, value, "true or false"))
    }

    /// A string; `None` when absent or null.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, EngineError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(name, value, "a string"))
    }

    /// Token ids written as one number or a list; `None` when absent or null.
    pub(super) fn token_ids(&self, name: &str) -> Result<Option<Vec<u32>>, EngineError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let id = |v: &Value| v.as_u64().and_then(|v| u32::try_from(v).ok());
        match value {
            Value::Array(ids) => ids.iter().map(id).collect(),
            one => id(one).map(|id| vec![id]),
        }
        .map(Some)
        .ok_or_else(|| self.wrong(name, value, "a token id or a list of token ids"))
    }

    /// The names of the fields and their values.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.object.iter()
    }

    /// An error about one field.
    pub(super) fn problem(&self, name: &str, problem: &str) -> EngineError {
        fault(&self.path, format!("`{name}` {problem}"))
    }

    fn wrong(&self, name: &str, value: &Value, wanted: &str) -> EngineError {
        let mut shown = value.to_string();
        if shown.len() > 80 {
            shown = shown.chars().take(77).collect::<String>() + "...";
        }
        self.problem(name, &format!("is {shown}, and {wanted} is wanted"))
    }
}

/// An error about a file or folder of the base model.
pub(super) fn fault(path: &Path, problem: String) -> EngineError {
    EngineError::BaseModel { path: path.to_owned(), problem }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = fs::metadata(path).map_err(|e| format!("cannot be read: {e}"))?.len();
    if bytes > MAX_JSON_BYTES {
        return Err(format!("has {bytes} bytes, and {MAX_JSON_BYTES} are the most that are read"));
    }
    fs::read(path).map_err(|e| format!("cannot be read: {e}"))
}
