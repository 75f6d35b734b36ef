//! Numbers on cache lines, in the type that they are stored in.

use std::ops::{Deref, DerefMut, Range};

use half::{bf16, f16};
use safetensors::Dtype;

use super::lanes::Element;

/// Bytes of a cache line.
pub(super) const LINE_BYTES: usize = 64;

/// A slice that begins on a cache line.
pub(super) struct Aligned<T> {
    memory: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy> Aligned<T> {
    /// This many copies of a number.
    pub(super) fn filled(value: T, len: usize) -> Self {
        let memory = vec![value; len + LINE_BYTES / size_of::<T>()];
        let start = memory.as_ptr().align_offset(LINE_BYTES).min(memory.len() - len);
        Self { memory, start, len }
    }

    /// Bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.memory.len() * size_of::<T>()
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

/// Numbers in the type that the file has them in.
pub(super) enum Floats {
    F32(Aligned<f32>),
    Bf16(Aligned<bf16>),
    F16(Aligned<f16>),
}

/// Does the same with the numbers of whatever type.
macro_rules! with_floats {
    ($floats:expr, $name:ident => $body:expr) => {
        match $floats {
            $crate::runner::cpu::floats::Floats::F32($name) => $body,
            $crate::runner::cpu::floats::Floats::Bf16($name) => $body,
            $crate::runner::cpu::floats::Floats::F16($name) => $body,
        }
    };
}
pub(super) use with_floats;

impl Floats {
    /// Bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        with_floats!(self, numbers => numbers.bytes())
    }

    /// Where some of the numbers lie in memory, to be asked for ahead.
    pub(super) fn addresses(&self, numbers: Range<usize>) -> Range<usize> {
        with_floats!(self, all => {
            let bytes = all[numbers].as_ptr_range();
            bytes.start.addr()..bytes.end.addr()
        })
    }

    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        with_floats!(self, numbers => numbers.len())
    }

    /// Numbers of little-endian bytes, in their order.
    pub(super) fn plain(dtype: Dtype, bytes: &[u8]) -> Self {
        match dtype {
            Dtype::BF16 => Self::Bf16(plain(bytes)),
            Dtype::F16 => Self::F16(plain(bytes)),
            _ => Self::F32(plain(bytes)),
        }
    }

    /// A matrix of little-endian bytes, `[outputs, inputs]`, as panels.
    pub(super) fn panels(dtype: Dtype, bytes: &[u8], shape: [usize; 2]) -> Self {
        match dtype {
            Dtype::BF16 => Self::Bf16(panels(bytes, shape)),
            Dtype::F16 => Self::F16(panels(bytes, shape)),
            _ => Self::F32(panels(bytes, shape)),
        }
    }
}

/// Outputs of one panel.
pub(super) const PANEL: usize = 16;

/// A width that is whole panels.
pub(super) fn whole_panels(width: usize) -> usize {
    width.next_multiple_of(PANEL)
}

fn plain<T: Element>(bytes: &[u8]) -> Aligned<T> {
    let mut numbers = Aligned::filled(T::ZERO, bytes.len() / size_of::<T>());
    for (number, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(size_of::<T>())) {
        *number = T::from_le(bytes);
    }
    numbers
}

/// `[outputs / 16][inputs][16]`: what one step of a chain over the inputs needs lies side by side. The last panel is
/// filled up with zeros.
fn panels<T: Element>(bytes: &[u8], [outputs, inputs]: [usize; 2]) -> Aligned<T> {
    let mut numbers = Aligned::filled(T::ZERO, whole_panels(outputs) * inputs);
    let rows: Vec<&[u8]> = bytes.chunks_exact(inputs * size_of::<T>()).collect();
    for (panel, rows) in numbers.chunks_exact_mut(PANEL * inputs).zip(rows.chunks(PANEL)) {
        // A strip of inputs at a time, so that what is written stays in the first cache.
        for (strip, first) in panel.chunks_mut(PANEL * STRIP).zip((0..inputs).step_by(STRIP)) {
            for (lane, row) in rows.iter().enumerate() {
                let row = row[first * size_of::<T>()..].chunks_exact(size_of::<T>());
                for (number, bytes) in strip[lane..].iter_mut().step_by(PANEL).zip(row) {
                    *number = T::from_le(bytes);
                }
            }
        }
    }
    numbers
}

/// Inputs that are packed at a time.
const STRIP: usize = 64;
