//! What the tests share: both element types, reproducible numbers, launches that must succeed, and comparison.

use half::bf16;
use tenora_kernels::{
    abi::{Element, Launch},
    emulation::{self, GuardedMemory},
};

/// An element type of the kernels.
pub(crate) trait Number: Copy + PartialEq + std::fmt::Debug {
    const ELEMENT: Element;
    /// Relative error of one rounding.
    const ROUNDING: f64;
    fn of(value: f64) -> Self;
    fn value(self) -> f64;
}

impl Number for f32 {
    const ELEMENT: Element = Element::F32;
    const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

    fn of(value: f64) -> Self {
        value as f32
    }

    fn value(self) -> f64 {
        f64::from(self)
    }
}

impl Number for bf16 {
    const ELEMENT: Element = Element::Bf16;
    const ROUNDING: f64 = 1.0 / 256.0;

    fn of(value: f64) -> Self {
        Self::from_f64(value)
    }

    fn value(self) -> f64 {
        f64::from(self)
    }
}

/// Reproducible numbers (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Between -1 and 1.
    pub(crate) fn number(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    pub(crate) fn numbers<T: Number>(&mut self, count: usize) -> GuardedMemory<T> {
        memory(&(0..count).map(|_| T::of(self.number())).collect::<Vec<_>>())
    }

    /// The numbers `0..count` in any order.
    pub(crate) fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for i in (1..count).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

pub(crate) fn memory<T: Copy>(numbers: &[T]) -> GuardedMemory<T> {
    GuardedMemory::new(numbers).expect("there is memory")
}

/// Memory whose numbers nobody has written.
pub(crate) fn unwritten<T: Number>(count: usize) -> GuardedMemory<T> {
    memory(&vec![T::of(f64::NAN); count])
}

pub(crate) fn run<P: Copy>(launch: Launch, params: &P) {
    // SAFETY: tests pass memory of the shapes that the structs ask for, and it ends where the process may not go.
    unsafe { emulation::launch(&launch, params) }.expect("a launch succeeds");
}

/// Whether each number is the wanted one, give or take `roundings` of numbers of the size of `magnitude` or its own.
#[track_caller]
pub(crate) fn assert_close<T: Number>(got: &[T], want: &[f64], (roundings, magnitude): (f64, f64)) {
    assert_eq!(got.len(), want.len());
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        let slack = roundings * T::ROUNDING * (magnitude + want.abs());
        assert!((got.value() - want).abs() <= slack, "number {index}: {got:?} instead of {want}");
    }
}
