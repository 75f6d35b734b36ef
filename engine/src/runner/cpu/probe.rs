//! Single kernels on numbers of their own, for benchmarks: what a whole step cannot show apart. One thread.

use std::ops::Range;

use safetensors::{Dtype, tensor::TensorView};

use super::{
    feed::Feed,
    floats::{Aligned, Floats, PANEL, with_floats},
    kernels::{Rows, RowsMut, Start, chain, dots},
    lanes::{Instructions, Kernel, Lanes},
    linear::{Linear, SCRATCH, panel_ref},
    matrix::{Matrix, View},
};
use crate::config::{InstructionSet, Quantization};

/// How a base matrix is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// 32 bits.
    F32,
    /// 16 bits.
    Bf16,
    /// Quantised, 8 bits and a scale for 32.
    Q8_0,
}

/// What is computed.
enum Work {
    /// All panels of a base linear.
    Base(Linear),
    /// `A x` of one adapter for each row.
    Shrink(Vec<Floats>),
    /// `B x` of one adapter for each row.
    Expand(Vec<Floats>),
}

/// One kernel with its inputs and outputs.
pub struct Probe {
    work: Work,
    instructions: Instructions,
    /// `[rows, inputs]`.
    x: Matrix,
    /// `[rows, outputs]`.
    y: Matrix,
    sizes: [usize; 3],
    scratch: Aligned<f32>,
}

impl Probe {
    /// A base linear map for some rows; sizes are `[rows, inputs, outputs]`. `None`: the instructions are not on this
    /// machine, or the sizes cannot be stored so.
    pub fn base(sizes: [usize; 3], storage: Storage, set: InstructionSet) -> Option<Self> {
        let [_, inputs, outputs] = sizes;
        let (dtype, bytes) = match storage {
            Storage::Bf16 => (Dtype::BF16, vec![0; inputs * outputs * 2]),
            Storage::F32 | Storage::Q8_0 => (Dtype::F32, vec![0; inputs * outputs * 4]),
        };
        let weight = TensorView::new(dtype, vec![outputs, inputs], &bytes).ok()?;
        let quantization = (storage == Storage::Q8_0).then_some(Quantization::Q8_0);
        Self::new(Work::Base(Linear::pack(&weight, None, quantization).ok()?), sizes, set)
    }

    /// `A x` with an adapter of its own for each row; sizes are `[rows, inputs, rank]`.
    pub fn shrink(sizes: [usize; 3], set: InstructionSet) -> Option<Self> {
        let [rows, inputs, rank] = sizes;
        let bytes = vec![0; inputs * rank * 4];
        Self::new(Work::Shrink((0..rows).map(|_| Floats::plain(Dtype::F32, &bytes)).collect()), sizes, set)
    }

    /// `B x` with an adapter of its own for each row; sizes are `[rows, rank, outputs]`.
    pub fn expand(sizes: [usize; 3], set: InstructionSet) -> Option<Self> {
        let [rows, rank, outputs] = sizes;
        let bytes = vec![0; outputs * rank * 4];
        let b = || Floats::panels(Dtype::F32, &bytes, [outputs, rank]);
        Self::new(Work::Expand((0..rows).map(|_| b()).collect()), sizes, set)
    }

    fn new(work: Work, sizes: [usize; 3], set: InstructionSet) -> Option<Self> {
        let [rows, inputs, outputs] = sizes;
        Some(Self {
            work,
            instructions: Instructions::choose(Some(set))?,
            x: Matrix::new(rows, inputs),
            y: Matrix::new(rows, outputs),
            sizes,
            scratch: Aligned::filled(0.0, SCRATCH),
        })
    }

    /// Multiplications, each with an addition.
    pub fn multiply_adds(&self) -> usize {
        self.sizes.iter().product()
    }

    /// Computes once.
    pub fn run(&mut self) {
        let Self { work, instructions, x, y, sizes, scratch } = self;
        instructions.run(Once { work, x: x.view(), y: y.view(), sizes: *sizes, scratch });
    }
}

struct Once<'a> {
    work: &'a Work,
    x: View<'a>,
    y: View<'a>,
    sizes: [usize; 3],
    scratch: &'a mut [f32],
}

impl Kernel for Once<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let [rows, inputs, outputs] = self.sizes;
        let panels = 0..outputs.div_ceil(PANEL);
        let x = |rows: Range<usize>| Rows { start: self.x.place(rows, inputs), stride: self.x.stride() };
        let y = |rows: Range<usize>| RowsMut { start: self.y.place(rows, outputs), stride: self.y.stride() };
        // SAFETY of every call: `place` has seen that the rows are there, whole panels are part of every matrix, and
        // nobody else has the probe's numbers.
        match self.work {
            Work::Base(linear) => unsafe {
                linear.apply::<L>(
                    panels,
                    (x(0..rows), rows),
                    (y(0..rows), false),
                    (&mut Feed::none(), self.scratch),
                );
            },
            Work::Shrink(all) => {
                for (row, a) in all.iter().enumerate() {
                    let row = row..row + 1;
                    with_floats!(a, a => unsafe {
                        dots::<L, _>((x(row.clone()), 1), (a.as_ptr(), outputs), inputs, y(row), 1.0);
                    });
                }
            }
            Work::Expand(all) => {
                for (row, b) in all.iter().enumerate() {
                    let row = row..row + 1;
                    with_floats!(b, b => {
                        let (w, count) = panel_ref(b, inputs, panels.clone());
                        unsafe { chain::<L, _>((x(row.clone()), 1), (w, count), y(row), Start::Output, &mut Feed::none()) };
                    });
                }
            }
        }
    }
}
