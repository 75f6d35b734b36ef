//! Base weights in panels, and what one task of a linear does with some of them.

use std::ops::Range;

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor},
};
use half::f16;
use safetensors::tensor::TensorView;

use super::{
    feed::Feed,
    floats::{Aligned, Floats, PANEL, whole_panels, with_floats},
    kernels::{PanelRef, Rows, RowsMut, Start, chain},
    lanes::{Element, LANES, Lanes},
};
use crate::config::Quantization;

/// A base linear map, `y = W x (+ b)`.
pub(super) struct Linear {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    weights: Weights,
    bias: Option<Aligned<f32>>,
}

enum Weights {
    Floats(Floats),
    Q8(Q8Panels),
}

impl Linear {
    /// Packs a stored matrix, `[outputs, inputs]`; quantises it where asked.
    ///
    /// # Errors
    /// In words: the quantised form does not fit these weights.
    pub(super) fn pack(
        weight: &TensorView<'_>,
        bias: Option<&TensorView<'_>>,
        quantization: Option<Quantization>,
    ) -> Result<Self, String> {
        let &[outputs, inputs] = weight.shape() else {
            return Err("a weight is no matrix".to_owned());
        };
        let weights = match quantization {
            None => Weights::Floats(Floats::panels(weight.dtype(), weight.data(), [outputs, inputs])),
            Some(Quantization::Q8_0) => Weights::Q8(Q8Panels::quantize(weight, [outputs, inputs])?),
        };
        let bias = bias.map(|bias| {
            let mut numbers = Aligned::filled(0.0, whole_panels(outputs));
            numbers[..outputs].copy_from_slice(&widened(bias));
            numbers
        });
        Ok(Self { inputs, outputs, weights, bias })
    }

    /// Panels in all.
    pub(super) fn panels(&self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    /// Bytes of the weights in memory.
    pub(super) fn bytes(&self) -> usize {
        match &self.weights {
            Weights::Floats(floats) => floats.bytes(),
            Weights::Q8(q8) => q8.quants.bytes() + q8.scales.bytes(),
        }
    }

    /// Some panels' outputs for some rows, added to what `y` holds where `accumulate` says so.
    ///
    /// # Safety
    /// `x` has `rows` rows of `inputs` numbers, `y` begins at the first panel's column and has as many rows of
    /// `16 · panels`, and nobody else touches `y`.
    #[inline(always)]
    pub(super) unsafe fn apply<L: Lanes>(
        &self,
        panels: Range<usize>,
        (x, rows): (Rows, usize),
        (y, accumulate): (RowsMut, bool),
        (feed, scratch): (&mut Feed<'_>, &mut [f32]),
    ) {
        let bias = self.bias.as_ref().map(|bias| bias[panels.start * PANEL..].as_ptr());
        let start = match (accumulate, bias) {
            (false, None) => Start::Zero,
            (false, Some(bias)) => Start::Bias(bias),
            (true, None) => Start::Output,
            (true, Some(bias)) => Start::OutputAndBias(bias),
        };
        // SAFETY: the caller's promise; the panels are there, because `panels` is within this linear's.
        unsafe {
            match &self.weights {
                Weights::Floats(floats) => with_floats!(floats, numbers => {
                    let (w, count) = panel_ref(numbers, self.inputs, panels);
                    chain::<L, _>((x, rows), (w, count), y, start, feed);
                }),
                Weights::Q8(q8) => q8.apply::<L>(panels, (x, rows), (y, start), (feed, scratch)),
            }
        }
    }

    /// One output's weights, widened: a row of the stored matrix.
    pub(super) fn weights_of(&self, output: usize, into: &mut [f32]) {
        let first = output / PANEL * PANEL * self.inputs + output % PANEL;
        match &self.weights {
            Weights::Floats(floats) => with_floats!(floats, numbers => {
                for (number, stored) in into.iter_mut().zip(numbers[first..].iter().step_by(PANEL)) {
                    *number = stored.widen();
                }
            }),
            Weights::Q8(q8) => {
                let scales = output / PANEL * PANEL * (self.inputs / Q8_GROUP) + output % PANEL;
                for (k, number) in into.iter_mut().enumerate().take(self.inputs) {
                    let scale = q8.scales[scales + k / Q8_GROUP * PANEL].to_f32();
                    *number = f32::from(q8.quants[first + k * PANEL]) * scale;
                }
            }
        }
    }
}

/// Some panels of a packed matrix, and how many.
pub(super) fn panel_ref<E: Element>(
    numbers: &Aligned<E>,
    depth: usize,
    panels: Range<usize>,
) -> (PanelRef<E>, usize) {
    let stride = depth * PANEL;
    let start = numbers[panels.start * stride..panels.end * stride].as_ptr();
    (PanelRef { start, stride, depth }, panels.len())
}

/// A stored vector, widened.
pub(super) fn widened(view: &TensorView<'_>) -> Vec<f32> {
    with_floats!(Floats::plain(view.dtype(), view.data()), numbers => numbers.iter().map(|n| n.widen()).collect())
}

/// Numbers of one scale in Q8_0, along a row's inputs (llama.cpp, `block_q8_0`).
const Q8_GROUP: usize = 32;
/// Bytes of a block of Q8_0: an f16 scale and 32 signed bytes.
const Q8_BLOCK_BYTES: usize = 2 + Q8_GROUP;
/// Inputs that are widened at a time, so that they stay in the first cache.
const Q8_STRIP: usize = 128;

/// Numbers of scratch space that a task needs.
pub(super) const SCRATCH: usize = Q8_STRIP * PANEL;

/// Q8_0 in panels: the quantiser's own blocks, laid out for chains.
struct Q8Panels {
    /// `[panels][inputs][16]`.
    quants: Aligned<i8>,
    /// `[panels][inputs / 32][16]`.
    scales: Aligned<f16>,
    inputs: usize,
}

impl Q8Panels {
    fn quantize(weight: &TensorView<'_>, [outputs, inputs]: [usize; 2]) -> Result<Self, String> {
        if !inputs.is_multiple_of(Q8_GROUP) {
            return Err(format!(
                "q8_0 needs widths that are multiples of {Q8_GROUP}, and this model has one of {inputs}; serve it \
                 unquantised"
            ));
        }
        let blocks = || {
            let numbers = widened(weight);
            let matrix = Tensor::from_vec(numbers, (outputs, inputs), &Device::Cpu)?;
            QTensor::quantize(&matrix, GgmlDType::Q8_0)?.data().map(|data| data.into_owned())
        };
        let blocks = blocks().map_err(|error| format!("the quantiser failed: {error}"))?;
        let groups = inputs / Q8_GROUP;
        let mut quants = Aligned::filled(0, whole_panels(outputs) * inputs);
        let mut scales = Aligned::filled(f16::ZERO, whole_panels(outputs) * groups);
        for (index, block) in blocks.chunks_exact(Q8_BLOCK_BYTES).enumerate() {
            let (output, group) = (index / groups, index % groups);
            let (panel, lane) = (output / PANEL, output % PANEL);
            scales[(panel * groups + group) * PANEL + lane] = f16::from_le_bytes([block[0], block[1]]);
            let first = (panel * inputs + group * Q8_GROUP) * PANEL + lane;
            for (quant, byte) in quants[first..].iter_mut().step_by(PANEL).zip(&block[2..]) {
                *quant = byte.cast_signed();
            }
        }
        Ok(Self { quants, scales, inputs })
    }

    /// As [`Linear::apply`]: strips of a panel are widened, exactly, and multiplied as f32.
    #[inline(always)]
    unsafe fn apply<L: Lanes>(
        &self,
        panels: Range<usize>,
        (x, rows): (Rows, usize),
        (y, start): (RowsMut, Start),
        (feed, scratch): (&mut Feed<'_>, &mut [f32]),
    ) {
        let scratch = &mut scratch[..SCRATCH];
        for (index, panel) in panels.enumerate() {
            for first in (0..self.inputs).step_by(Q8_STRIP) {
                let depth = Q8_STRIP.min(self.inputs - first);
                self.widen::<L>(panel, first..first + depth, scratch);
                let w = PanelRef { start: scratch.as_ptr(), stride: SCRATCH, depth };
                let start = if first == 0 { start.right(index * PANEL) } else { Start::Output };
                let x = Rows { start: x.start.wrapping_add(first), ..x };
                // SAFETY: the caller's promise, for a part of the inputs and one panel.
                unsafe { chain::<L, _>((x, rows), (w, 1), y.right(index * PANEL), start, feed) };
            }
        }
    }

    #[inline(always)]
    fn widen<L: Lanes>(&self, panel: usize, inputs: Range<usize>, into: &mut [f32]) {
        let quants = &self.quants[(panel * self.inputs + inputs.start) * PANEL..][..inputs.len() * PANEL];
        let groups = self.inputs / Q8_GROUP;
        let scales = &self.scales[panel * groups * PANEL..][..groups * PANEL];
        for (step, k) in inputs.enumerate() {
            for half in [0, LANES] {
                let scale = scales[k / Q8_GROUP * PANEL + half..][..LANES].as_ptr();
                let (quant, into) =
                    (&quants[step * PANEL + half..][..LANES], &mut into[step * PANEL + half..][..LANES]);
                // SAFETY: each slice has eight numbers.
                unsafe { L::load_i8(quant.as_ptr()).mul(L::load_f16(scale)).store(into.as_mut_ptr()) };
            }
        }
    }
}
