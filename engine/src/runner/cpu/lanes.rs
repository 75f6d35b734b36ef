//! Eight numbers side by side, in two forms that give the same bits: AVX2 registers, and plain arrays for every other
//! machine. Kernels are written once, for any [`Lanes`]; [`Instructions::run`] chooses at run time.
//!
//! Every operation is one IEEE 754 operation with one rounding (fused multiply-add included), so a kernel's result does
//! not depend on the form.

use std::fmt;

use half::{bf16, f16};

use crate::config::InstructionSet;

/// Numbers in a [`Lanes`].
pub(super) const LANES: usize = 8;

/// Eight `f32` side by side.
pub(super) trait Lanes: Copy {
    /// The same number in every lane.
    fn splat(value: f32) -> Self;
    /// Reads eight numbers.
    ///
    /// # Safety
    /// `from` points to eight readable numbers.
    unsafe fn load(from: *const f32) -> Self;
    /// Reads and widens eight numbers.
    ///
    /// # Safety
    /// `from` points to eight readable numbers.
    unsafe fn load_bf16(from: *const bf16) -> Self;
    /// Reads and widens eight numbers.
    ///
    /// # Safety
    /// `from` points to eight readable numbers.
    unsafe fn load_f16(from: *const f16) -> Self;
    /// Reads and widens eight integers.
    ///
    /// # Safety
    /// `from` points to eight readable integers.
    unsafe fn load_i8(from: *const i8) -> Self;
    /// Writes eight numbers.
    ///
    /// # Safety
    /// `to` points to eight writable numbers.
    unsafe fn store(self, to: *mut f32);
    /// `self · b + c`, rounded once.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// Sum.
    fn add(self, other: Self) -> Self;
    /// Product.
    fn mul(self, other: Self) -> Self;
    /// Quotient.
    fn div(self, other: Self) -> Self;
    /// The larger; neither may be NaN.
    fn max(self, other: Self) -> Self;
    /// The smaller; neither may be NaN.
    fn min(self, other: Self) -> Self;
    /// The lowest bits of each lane's representation, moved up into the exponent: with [`ROUNDER`] + n this is `2^n - 1`
    /// in units of the exponent, to be added to a number's bits.
    fn scale_by_power(self, rounded: Self) -> Self;
    /// The lanes.
    fn to_array(self) -> [f32; LANES];
}

/// Added to a number below 2^22, it leaves the nearest integer in the lowest bits of the mantissa.
pub(super) const ROUNDER: f32 = 12_582_912.0;

/// A stored number that kernels widen on the way in.
pub(super) trait Element: Copy + Send + Sync + 'static {
    /// Reads and widens eight numbers.
    ///
    /// # Safety
    /// `from` points to eight readable numbers.
    unsafe fn load<L: Lanes>(from: *const Self) -> L;
    /// The number of these little-endian bytes.
    fn from_le(bytes: &[u8]) -> Self;
    /// Widened; exact.
    fn widen(self) -> f32;
    /// Zero.
    const ZERO: Self;
}

macro_rules! element {
    ($type:ty, $load:ident, $zero:expr, $widen:expr) => {
        impl Element for $type {
            #[inline(always)]
            unsafe fn load<L: Lanes>(from: *const Self) -> L {
                // SAFETY: the same promise.
                unsafe { L::$load(from) }
            }

            #[inline(always)]
            fn from_le(bytes: &[u8]) -> Self {
                bytes.try_into().map_or($zero, Self::from_le_bytes)
            }

            #[inline(always)]
            fn widen(self) -> f32 {
                $widen(self)
            }

            const ZERO: Self = $zero;
        }
    };
}

element!(f32, load, 0.0, |number| number);
element!(bf16, load_bf16, bf16::ZERO, bf16::to_f32);
element!(f16, load_f16, f16::ZERO, f16::to_f32);

/// Plain arrays; the compiler makes of them what the machine has.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, combine: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| combine(self.0[lane], other.0[lane])))
    }
}

impl Lanes for Portable {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises eight numbers; an array of them has the same alignment.
        Self(unsafe { *from.cast() })
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Self {
        // SAFETY: as above.
        let stored: [bf16; LANES] = unsafe { *from.cast() };
        Self(stored.map(bf16::to_f32))
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> Self {
        // SAFETY: as above.
        let stored: [f16; LANES] = unsafe { *from.cast() };
        Self(stored.map(f16::to_f32))
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Self {
        // SAFETY: as above.
        let stored: [i8; LANES] = unsafe { *from.cast() };
        Self(stored.map(f32::from))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises room for eight numbers.
        unsafe { *to.cast() = self.0 }
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane].mul_add(b.0[lane], c.0[lane])))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn scale_by_power(self, rounded: Self) -> Self {
        self.zip(rounded, |number, n| f32::from_bits(number.to_bits().wrapping_add(n.to_bits() << 23)))
    }

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        self.0
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use self::avx2::Avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{LANES, Lanes, bf16, f16};

    /// One AVX2 register. Its methods are sound only where AVX2, FMA and F16C are: inside
    /// [`super::Instructions::run`], which alone names this type.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(__m256);

    // SAFETY of every block below: the instruction is there (see the type), and pointers are as the caller promised.
    impl Lanes for Avx2 {
        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(unsafe { _mm256_set1_ps(value) })
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Self(unsafe { _mm256_loadu_ps(from) })
        }

        #[inline(always)]
        unsafe fn load_bf16(from: *const bf16) -> Self {
            let words = unsafe { _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast())) };
            Self(unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<16>(words)) })
        }

        #[inline(always)]
        unsafe fn load_f16(from: *const f16) -> Self {
            Self(unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) })
        }

        #[inline(always)]
        unsafe fn load_i8(from: *const i8) -> Self {
            let bytes = unsafe { _mm_loadl_epi64(from.cast()) };
            Self(unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)) })
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm256_storeu_ps(to, self.0) }
        }

        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            Self(unsafe { _mm256_fmadd_ps(self.0, b.0, c.0) })
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(unsafe { _mm256_add_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            Self(unsafe { _mm256_mul_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn div(self, other: Self) -> Self {
            Self(unsafe { _mm256_div_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn max(self, other: Self) -> Self {
            Self(unsafe { _mm256_max_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn min(self, other: Self) -> Self {
            Self(unsafe { _mm256_min_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn scale_by_power(self, rounded: Self) -> Self {
            unsafe {
                let power = _mm256_slli_epi32::<23>(_mm256_castps_si256(rounded.0));
                Self(_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(self.0), power)))
            }
        }

        #[inline(always)]
        fn to_array(self) -> [f32; LANES] {
            let mut lanes = [0.0; LANES];
            unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), self.0) };
            lanes
        }
    }
}

/// What a chosen instruction set runs.
pub(super) trait Kernel {
    /// The work, for any form of lanes; inlined into the function that has the instructions.
    fn run<L: Lanes>(self);
}

/// An instruction set that this machine has been seen to have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instructions(InstructionSet);

impl fmt::Display for Instructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            InstructionSet::Avx2 => "AVX2",
            InstructionSet::Portable => "portable",
        })
    }
}

impl Instructions {
    /// The wanted one, or the best; `None` when the machine lacks the wanted one.
    pub(super) fn choose(wanted: Option<InstructionSet>) -> Option<Self> {
        let best = || match InstructionSet::Avx2 {
            avx2 if avx2.is_available() => avx2,
            _ => InstructionSet::Portable,
        };
        let chosen = wanted.unwrap_or_else(best);
        chosen.is_available().then_some(Self(chosen))
    }

    /// Runs a kernel.
    #[inline]
    pub(super) fn run(self, kernel: impl Kernel) {
        match self.0 {
            InstructionSet::Portable => kernel.run::<Portable>(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `choose` has seen that the machine has these instructions.
            InstructionSet::Avx2 => unsafe { run_avx2(kernel) },
            #[cfg(not(target_arch = "x86_64"))]
            InstructionSet::Avx2 => kernel.run::<Portable>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn run_avx2(kernel: impl Kernel) {
    kernel.run::<Avx2>();
}
