//! Kernels against plain loops in f64, and one instruction set against the other, bit by bit.

use half::{bf16, f16};
use proptest::prelude::*;

use super::*;
use crate::{
    config::InstructionSet::{Avx2, Portable},
    runner::cpu::{
        feed::{Feed, Piece},
        floats::{Floats, whole_panels, with_floats},
        lanes::{Instructions, Kernel},
        linear::panel_ref,
    },
};

/// Numbers that repeat for a seed.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn available() -> Vec<Instructions> {
    [Avx2, Portable].into_iter().filter_map(|set| Instructions::choose(Some(set))).collect()
}

fn stored(dtype: safetensors::Dtype, numbers: &[f32]) -> Vec<u8> {
    match dtype {
        safetensors::Dtype::BF16 => numbers.iter().flat_map(|n| bf16::from_f32(*n).to_le_bytes()).collect(),
        safetensors::Dtype::F16 => numbers.iter().flat_map(|n| f16::from_f32(*n).to_le_bytes()).collect(),
        _ => numbers.iter().flat_map(|n| n.to_le_bytes()).collect(),
    }
}

struct Chains<'a> {
    x: (&'a [f32], usize),
    weights: &'a Floats,
    depth: usize,
    panels: usize,
    y: &'a mut [f32],
    start: Start,
}

impl Kernel for Chains<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { x: (x, rows), weights, depth, panels, y, start } = self;
        assert!(x.len() == rows * depth && y.len() == rows * panels * 16);
        // More than the chains have steps for, or fewer: whatever is asked for changes nothing.
        let bytes = x.as_ptr_range();
        let pieces: Vec<_> = Piece::of(bytes.start.addr()..bytes.end.addr()).collect();
        let (x, y) = (
            Rows { start: x.as_ptr(), stride: depth },
            RowsMut { start: y.as_mut_ptr(), stride: panels * 16 },
        );
        with_floats!(weights, numbers => {
            let (w, count) = panel_ref(numbers, depth, 0..panels);
            // SAFETY: the slices have the sizes asked for.
            unsafe { chain::<L, _>((x, rows), (w, count), y, start, &mut Feed::new(&pieces)) };
        });
    }
}

struct Dots<'a> {
    x: (&'a [f32], usize),
    a: &'a Floats,
    depth: usize,
    count: usize,
    y: &'a mut [f32],
}

impl Kernel for Dots<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { x: (x, rows), a, depth, count, y } = self;
        assert!(x.len() == rows * depth && y.len() == rows * count);
        let (x, y) =
            (Rows { start: x.as_ptr(), stride: depth }, RowsMut { start: y.as_mut_ptr(), stride: count });
        with_floats!(a, numbers => {
            assert_eq!(numbers.len(), count * depth);
            // SAFETY: the slices have the sizes asked for.
            unsafe { dots::<L, _>((x, rows), (numbers.as_ptr(), count), depth, y, 0.5) };
        });
    }
}

/// `x Aᵀ` in f64.
fn product(x: &[f32], rows: usize, a: &[f32], depth: usize) -> Vec<f64> {
    let dot = |x: &[f32], a: &[f32]| x.iter().zip(a).map(|(x, a)| f64::from(*x) * f64::from(*a)).sum::<f64>();
    (0..rows).flat_map(|r| a.chunks(depth).map(move |a| dot(&x[r * depth..(r + 1) * depth], a))).collect()
}

fn near(found: &[f32], expected: impl Iterator<Item = f64>, depth: usize) {
    let tolerance = 1e-6 * (depth as f64).sqrt().max(1.0) * 4.0;
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*found) - expected).abs() <= tolerance, "{index}: {found} and {expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chains_are_products_and_the_same_bits_everywhere(
        seed: u64, rows in 1usize..20, depth in 1usize..80, outputs in 1usize..70, dtype in 0usize..3,
    ) {
        let dtype = [safetensors::Dtype::F32, safetensors::Dtype::BF16, safetensors::Dtype::F16][dtype];
        let bytes = stored(dtype, &numbers(seed, outputs * depth));
        let exact: Vec<f32> = with_floats!(Floats::plain(dtype, &bytes), n => n.iter().map(|n| n.widen()).collect());
        let weights = Floats::panels(dtype, &bytes, [outputs, depth]);
        let (width, x) = (whole_panels(outputs), numbers(seed ^ 1, rows * depth));
        let (before, bias) = (numbers(seed ^ 2, rows * width), numbers(seed ^ 3, width));
        let expected = product(&x, rows, &exact, depth);
        let mut bits: Option<Vec<u32>> = None;
        for instructions in available() {
            let mut y = before.clone();
            let run = |y: &mut [f32], x: &[f32], rows: usize, start| {
                let panels = width / 16;
                instructions.run(Chains { x: (x, rows), weights: &weights, depth, panels, y, start });
            };
            run(&mut y, &x, rows, Start::OutputAndBias(bias.as_ptr()));
            let sums = (0..rows * width).map(|i| {
                let (row, output) = (i / width, i % width);
                let product = if output < outputs { expected[row * outputs + output] } else { 0.0 };
                product + f64::from(before[i]) + f64::from(bias[output])
            });
            near(&y, sums, depth);
            // Row by row gives the same bits as all at once.
            for row in 0..rows {
                let mut alone = before[row * width..(row + 1) * width].to_vec();
                run(&mut alone, &x[row * depth..(row + 1) * depth], 1, Start::OutputAndBias(bias.as_ptr()));
                prop_assert_eq!(&alone[..], &y[row * width..(row + 1) * width]);
            }
            let found: Vec<u32> = y.iter().map(|n| n.to_bits()).collect();
            prop_assert_eq!(bits.get_or_insert_with(|| found.clone()), &found);
        }
    }

    #[test]
    fn dots_are_products_and_the_same_bits_everywhere(
        seed: u64, rows in 1usize..9, depth in 1usize..80, count in 1usize..20, dtype in 0usize..3,
    ) {
        let dtype = [safetensors::Dtype::F32, safetensors::Dtype::BF16, safetensors::Dtype::F16][dtype];
        let a = Floats::plain(dtype, &stored(dtype, &numbers(seed, count * depth)));
        let exact: Vec<f32> = with_floats!(&a, n => n.iter().map(|n| n.widen()).collect());
        let x = numbers(seed ^ 1, rows * depth);
        let expected = product(&x, rows, &exact, depth);
        let mut bits: Option<Vec<u32>> = None;
        for instructions in available() {
            let mut y = vec![f32::NAN; rows * count];
            instructions.run(Dots { x: (&x, rows), a: &a, depth, count, y: &mut y });
            near(&y, expected.iter().map(|sum| 0.5 * sum), depth);
            let found: Vec<u32> = y.iter().map(|n| n.to_bits()).collect();
            prop_assert_eq!(bits.get_or_insert_with(|| found.clone()), &found);
        }
    }
}

struct Exponentials<'a>(&'a mut [f32]);

impl Kernel for Exponentials<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        for at in (0..self.0.len()).step_by(LANES) {
            put(self.0, at, exp::<L>(eight(self.0, at, 0.0)));
        }
    }
}

#[test]
fn exponentials_are_near_and_the_same_bits_everywhere() {
    let inputs: Vec<f32> = (-8700..8800).map(|hundredths| hundredths as f32 / 100.0).collect();
    let mut bits: Option<Vec<u32>> = None;
    for instructions in available() {
        let mut found = inputs.clone();
        instructions.run(Exponentials(&mut found));
        for (x, found) in inputs.iter().zip(&found) {
            let expected = f64::from(*x).exp();
            assert!((f64::from(*found) - expected).abs() <= 3e-7 * expected, "e^{x}: {found} and {expected}");
        }
        let found: Vec<u32> = found.iter().map(|n| n.to_bits()).collect();
        assert_eq!(bits.get_or_insert_with(|| found.clone()), &found);
    }
}

struct Rest<'a> {
    scores: &'a mut [f32],
    norm: &'a mut [f32],
    gate: &'a mut [f32],
    share: &'a mut f32,
}

impl Kernel for Rest<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let weight: Vec<f32> = (0..self.norm.len()).map(|i| 1.0 + i as f32 / 8.0).collect();
        let x = self.norm.to_vec();
        rms_norm::<L>(&x, &weight, 1e-5, self.norm);
        gated::<L>(self.gate, &x);
        *self.share = softmax_weights::<L>(self.scores);
    }
}

#[test]
fn norm_gate_and_softmax_are_their_formulas() {
    for length in [1, 7, 8, 13, 64] {
        let (x, gate, scores) = (numbers(1, length), numbers(2, length), numbers(3, length));
        let mut bits: Option<Vec<u32>> = None;
        for instructions in available() {
            let (mut norm, mut gated, mut weights, mut share) =
                (x.clone(), gate.clone(), scores.clone(), 0.0);
            instructions.run(Rest {
                scores: &mut weights,
                norm: &mut norm,
                gate: &mut gated,
                share: &mut share,
            });
            let wide = |n: &f32| f64::from(*n);
            let mean = x.iter().map(|n| wide(n).powi(2)).sum::<f64>() / length as f64;
            let normed =
                x.iter().enumerate().map(|(i, n)| wide(n) / (mean + 1e-5).sqrt() * (1.0 + i as f64 / 8.0));
            near(&norm, normed, length);
            let product = gate.iter().zip(&x).map(|(g, u)| wide(g) / (1.0 + (-wide(g)).exp()) * wide(u));
            near(&gated, product, 1);
            let total: f64 = scores.iter().map(|n| wide(n).exp()).sum();
            let shares: Vec<f32> = weights.iter().map(|w| w * share).collect();
            near(&shares, scores.iter().map(|n| wide(n).exp() / total), 1);
            let found = norm.iter().chain(&gated).chain(&shares).map(|n| n.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits.get_or_insert_with(|| found.clone()), &found);
        }
    }
}
