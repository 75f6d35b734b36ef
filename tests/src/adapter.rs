//! Adapters to upload: a demo adapter, and whatever can be wrong with one.

use std::fs;

use serde_json::Value;

use crate::tree::repository;

/// The two files of an adapter, to be bent.
#[derive(Clone)]
pub struct Adapter {
    /// `adapter_config.json`.
    pub config: Value,
    /// `adapter_model.safetensors`.
    pub weights: Vec<u8>,
}

impl Adapter {
    /// A demo adapter as it lies in the repository.
    pub fn demo(name: &str) -> Self {
        let folder = repository().join("demo/adapters").join(name);
        let config = fs::read_to_string(folder.join("adapter_config.json")).expect("the demo is there");
        Self {
            config: serde_json::from_str(&config).expect("JSON"),
            weights: fs::read(folder.join("adapter_model.safetensors")).expect("the demo is there"),
        }
    }

    /// The config as it is sent.
    pub(crate) fn config_bytes(&self) -> Vec<u8> {
        self.config.to_string().into_bytes()
    }

    /// Sets a field of the config.
    #[must_use]
    pub fn config(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.config[field] = value.into();
        self
    }

    /// Other weights with the same answers: the last bit of a few numbers differs, and with it the digest.
    #[must_use]
    pub fn variant(mut self, number: u8) -> Self {
        let data = self.data();
        for bit in 0..8 {
            // f16, little endian: every second byte holds the low bits.
            self.weights[data + 2 * bit] ^= number >> bit & 1;
        }
        self
    }

    /// The first number becomes NaN.
    #[must_use]
    pub fn not_a_number(mut self) -> Self {
        let data = self.data();
        self.weights[data..data + 2].copy_from_slice(&0x7e00_u16.to_le_bytes());
        self
    }

    /// Without the last byte.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        self.weights.pop();
        self
    }

    /// The first matrix lies on its side: as many numbers, another shape.
    #[must_use]
    pub fn turned(mut self) -> Self {
        let data = self.data();
        let mut header: Value = serde_json::from_slice(&self.weights[8..data]).expect("a header");
        let tensors = header.as_object_mut().expect("an object");
        let (_, tensor) = tensors.iter_mut().find(|(name, _)| *name != "__metadata__").expect("a tensor");
        tensor["shape"].as_array_mut().expect("a shape").reverse();
        let mut text = header.to_string().into_bytes();
        text.resize(text.len().next_multiple_of(8), b' ');
        let length = u64::try_from(text.len()).expect("short").to_le_bytes();
        self.weights = [&length[..], &text, &self.weights[data..]].concat();
        self
    }

    /// Where the numbers begin.
    fn data(&self) -> usize {
        let length = self.weights[..8].try_into().expect("a header's length");
        8 + usize::try_from(u64::from_le_bytes(length)).expect("short")
    }
}
