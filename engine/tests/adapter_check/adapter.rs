//! An adapter in pieces, to be spoilt and written.

use std::{fs, path::PathBuf};

use safetensors::SafeTensors;
use serde_json::{Value, json};

/// The folder of the fixtures.
pub(crate) fn fixtures() -> PathBuf {
    // Beside this package when another one's tests use this file.
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/fixtures")
}

/// One tensor, as the header will describe it.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dtype: &'static str,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl Tensor {
    /// Overwrites one number of an f32 tensor.
    pub(crate) fn set(&mut self, row: usize, column: usize, value: f32) {
        let at = (row * self.shape[1] + column) * 4;
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Gives the tensor another shape, with numbers that are fine.
    pub(crate) fn reshape(&mut self, shape: &[usize]) {
        self.shape = shape.to_vec();
        self.bytes = 0.5f32.to_le_bytes().repeat(shape.iter().product());
    }
}

/// A good adapter until somebody changes it.
#[derive(Clone)]
pub(crate) struct Adapter {
    pub(crate) config: Value,
    pub(crate) tensors: Vec<Tensor>,
}

impl Adapter {
    /// An f32 adapter of the fixtures, such as `llama/rank4`.
    pub(crate) fn good(name: &str) -> Self {
        let folder = fixtures().join(name);
        let config = serde_json::from_slice(&fs::read(folder.join("adapter_config.json")).unwrap()).unwrap();
        let bytes = fs::read(folder.join("adapter_model.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors: Vec<_> = file
            .tensors()
            .into_iter()
            .map(|(name, view)| {
                assert_eq!(view.dtype(), safetensors::Dtype::F32);
                Tensor { name, dtype: "F32", shape: view.shape().to_vec(), bytes: view.data().to_vec() }
            })
            .collect();
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Self { config, tensors }
    }

    /// Sets a field of the config.
    pub(crate) fn set(&mut self, field: &str, value: Value) {
        self.config[field] = value;
    }

    /// The tensor whose name holds `part`; the first of several.
    pub(crate) fn tensor(&mut self, part: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|t| t.name.contains(part)).expect("the adapter has this tensor")
    }

    /// Adds a copy of the first tensor under another name.
    pub(crate) fn add(&mut self, name: &str) {
        let tensor = Tensor { name: name.to_owned(), ..self.tensors[0].clone() };
        self.tensors.push(tensor);
    }

    /// Removes the tensors whose names hold `part`.
    pub(crate) fn remove(&mut self, part: &str) {
        let before = self.tensors.len();
        self.tensors.retain(|t| !t.name.contains(part));
        assert!(self.tensors.len() < before, "no tensor is called {part}");
    }

    /// Renames tensors.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        assert!(self.tensors.iter().any(|t| t.name.contains(from)), "no tensor is called {from}");
        for tensor in &mut self.tensors {
            tensor.name = tensor.name.replace(from, to);
        }
    }

    /// The header's text.
    pub(crate) fn header(&self) -> String {
        let mut at = 0;
        let entries = self.tensors.iter().map(|t| {
            let (start, end) = (at, at + t.bytes.len());
            at = end;
            let entry = json!({"dtype": t.dtype, "shape": t.shape, "data_offsets": [start, end]});
            format!("\"{}\":{entry}", t.name)
        });
        let entries: Vec<_> = entries.collect();
        format!("{{\"__metadata__\":{{\"format\":\"pt\"}},{}}}", entries.join(","))
    }

    /// The two files.
    pub(crate) fn files(&self) -> Files {
        self.files_with_header(&self.header())
    }

    /// The two files with another header before the same tensors.
    pub(crate) fn files_with_header(&self, header: &str) -> Files {
        let mut weights = (header.len() as u64).to_le_bytes().to_vec();
        weights.extend(header.as_bytes());
        self.tensors.iter().for_each(|t| weights.extend(&t.bytes));
        Files { config: self.config.to_string().into_bytes(), weights }
    }
}

/// What is uploaded.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) config: Vec<u8>,
    pub(crate) weights: Vec<u8>,
}
