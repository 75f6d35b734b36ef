//! Bytes of one type of numbers into bytes of another, on their way to a device.

use half::{bf16, f16};
use safetensors::Dtype;
use tenora_kernels::abi::{AttentionTile, CombineRow, Element, LoraSite, LoraTile, RowSummary};

/// A number of a file or of a device.
trait Number: Copy {
    const BYTES: usize;
    fn read(bytes: &[u8]) -> f32;
}

impl Number for f32 {
    const BYTES: usize = 4;
    fn read(bytes: &[u8]) -> f32 {
        Self::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

impl Number for bf16 {
    const BYTES: usize = 2;
    fn read(bytes: &[u8]) -> f32 {
        Self::from_le_bytes([bytes[0], bytes[1]]).to_f32()
    }
}

impl Number for f16 {
    const BYTES: usize = 2;
    fn read(bytes: &[u8]) -> f32 {
        Self::from_le_bytes([bytes[0], bytes[1]]).to_f32()
    }
}

/// Appends numbers of a file (f32, f16 or bf16, little-endian) to `out`, as a device wants them; rounded to nearest.
pub(super) fn convert(stored: Dtype, bytes: &[u8], element: Element, out: &mut Vec<u8>) {
    match (stored, element) {
        (Dtype::F32, Element::F32) | (Dtype::BF16, Element::Bf16) => out.extend_from_slice(bytes),
        (Dtype::F16, _) => convert_from::<f16>(bytes, element, out),
        (Dtype::BF16, _) => convert_from::<bf16>(bytes, element, out),
        _ => convert_from::<f32>(bytes, element, out),
    }
}

fn convert_from<N: Number>(bytes: &[u8], element: Element, out: &mut Vec<u8>) {
    out.reserve(bytes.len() / N::BYTES * element.bytes());
    let numbers = bytes.chunks_exact(N::BYTES).map(N::read);
    match element {
        Element::F32 => out.extend(numbers.flat_map(f32::to_le_bytes)),
        Element::Bf16 => out.extend(numbers.flat_map(|number| bf16::from_f32(number).to_le_bytes())),
    }
}

/// What a table may be made of: no padding, and any bytes are a value.
///
/// # Safety
/// Both are so.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: a number.
unsafe impl Plain for u32 {}
// SAFETY: a number.
unsafe impl Plain for f32 {}
// SAFETY: eight `u32`.
unsafe impl Plain for AttentionTile {}
// SAFETY: four `u32`.
unsafe impl Plain for CombineRow {}
// SAFETY: a `u64` and two `u32`.
unsafe impl Plain for LoraTile {}
// SAFETY: two `u64`, a `u32` and an `f32`.
unsafe impl Plain for LoraSite {}

// SAFETY: two `u32` and two `f32`.
unsafe impl Plain for RowSummary {}

/// Values as they lie in memory.
pub(super) fn as_bytes<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: a `Plain` type has no padding, so every byte is initialised.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The values in some bytes, which begin where such values may.
pub(super) fn from_bytes<T: Plain>(bytes: &[u8]) -> &[T] {
    // SAFETY: any bits are a `Plain` type.
    unsafe { bytes.align_to() }.1
}

/// The whole numbers in some bytes, which begin at a multiple of 4.
pub(super) fn as_floats_mut(bytes: &mut [u8]) -> &mut [f32] {
    // SAFETY: any bits are an `f32`.
    unsafe { bytes.align_to_mut() }.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_values_as_far_as_the_type_holds_them() {
        let values = [1.0f32, -0.5, 3.140_625, 65280.0];
        let stored = |dtype| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| match dtype {
                    Dtype::F16 => f16::from_f32(*value).to_le_bytes().to_vec(),
                    Dtype::BF16 => bf16::from_f32(*value).to_le_bytes().to_vec(),
                    _ => value.to_le_bytes().to_vec(),
                })
                .collect()
        };
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            for (element, wanted) in [(Element::F32, Dtype::F32), (Element::Bf16, Dtype::BF16)] {
                let mut out = vec![7];
                convert(dtype, &stored(dtype), element, &mut out);
                assert_eq!(out[1..], stored(wanted), "{dtype:?} to {element:?}");
            }
        }
    }
}
