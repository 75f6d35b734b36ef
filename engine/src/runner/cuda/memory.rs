//! How device memory is divided: one allocation cut into places, and free memory shared between keys and adapters.

use tenora_kernels::abi::{BLOCK_TOKENS, Element};

use crate::{config::EngineConfig, model::ModelConfig};

/// Where a place begins: what vectorised loads and matrix products ask for at most.
const ALIGNMENT: u64 = 256;
/// What is left free on a device, for the driver, other processes and memory that allocations are rounded up to.
pub(super) const RESERVE_BYTES: usize = 1 << 30;
/// Adapters get one part in so many of what is free, unless the settings say how much; keys and values get the rest.
const ADAPTER_PART: usize = 5;

/// Cuts an allocation into places. Cutting from address 0 first tells how many bytes it needs.
pub(super) struct Layout {
    start: u64,
    next: u64,
}

impl Layout {
    /// An allocation that begins here.
    pub(super) fn at(start: u64) -> Self {
        Self { start, next: start }
    }

    /// A place for so many bytes.
    pub(super) fn take(&mut self, bytes: usize) -> u64 {
        let place = self.next.next_multiple_of(ALIGNMENT);
        self.next = place + bytes as u64;
        place
    }

    /// Bytes up to the end of the last place.
    pub(super) fn bytes(&self) -> usize {
        (self.next - self.start) as usize
    }
}

/// Bytes for keys and values, and for adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    pub(crate) kv_bytes: usize,
    pub(crate) adapter_bytes: usize,
}

impl Shares {
    /// What the settings say, and of the rest of what is free (weights and workspace are not) what they leave open.
    pub(crate) fn of(config: &EngineConfig, free_bytes: usize) -> Self {
        let usable = free_bytes.saturating_sub(RESERVE_BYTES);
        let beside_keys = usable.saturating_sub(config.kv_bytes.unwrap_or(0));
        let adapter_bytes = config.adapter_bytes.unwrap_or(beside_keys / ADAPTER_PART);
        let kv_bytes = config.kv_bytes.unwrap_or(usable.saturating_sub(adapter_bytes));
        Self { kv_bytes, adapter_bytes }
    }
}

/// Bytes of a KV block over all layers.
pub(crate) fn block_bytes(model: &ModelConfig, element: Element) -> usize {
    2 * model.layers * layer_side_numbers(model, 1) * element.bytes()
}

/// Numbers of one layer's keys, or of its values, in so many blocks.
pub(super) fn layer_side_numbers(model: &ModelConfig, blocks: usize) -> usize {
    blocks * model.kv_heads * BLOCK_TOKENS * model.head_dim
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_aligned_and_follow_each_other() {
        let cut = |start| {
            let mut layout = Layout::at(start);
            let places = [5, 256, 1].map(|bytes| layout.take(bytes) - start);
            (places, layout.bytes())
        };
        assert_eq!(cut(0), ([0, 256, 512], 513));
        assert_eq!(cut(0), cut(1 << 20));
    }

    #[test]
    fn settings_are_obeyed_and_the_rest_is_shared() {
        let shares = |kv_bytes, adapter_bytes| {
            let mut config = EngineConfig::new("model");
            (config.kv_bytes, config.adapter_bytes) = (kv_bytes, adapter_bytes);
            let Shares { kv_bytes, adapter_bytes } = Shares::of(&config, 11 << 30);
            (kv_bytes >> 20, adapter_bytes >> 20)
        };
        assert_eq!(shares(None, None), (8 << 10, 2 << 10));
        assert_eq!(shares(Some(5 << 30), None), (5 << 10, 1 << 10));
        assert_eq!(shares(None, Some(3 << 30)), (7 << 10, 3 << 10));
        assert_eq!(shares(Some(20 << 30), Some(30 << 30)), (20 << 10, 30 << 10));
        assert_eq!(shares(Some(20 << 30), None).1, 0);
    }
}
