//! Gathering, norms, biases and the gate.

use half::bf16;
use tenora_kernels::{
    abi::{AddBiasParams, AddRmsNormParams, GatherRowsParams, RmsNormParams, SiluMulParams, launch},
    emulation::GuardedMemory,
};

use crate::support::{Number, Random, assert_close, memory, run, unwritten};

/// Widths that are read 16 bytes at a time, and such as are not; with more than one round of a block.
const WIDTHS: [usize; 6] = [8, 20, 37, 576, 2051, 4096];

fn gathers<T: Number>() {
    let mut random = Random::new(1);
    for width in WIDTHS {
        let table = random.numbers::<T>(7 * width);
        let index = memory(&[3u32, 0, 6, 3]);
        let out = unwritten::<T>(4 * width);
        let params = GatherRowsParams {
            table: table.address(),
            index: index.address(),
            out: out.address(),
            rows: 4,
            width: width as u32,
        };
        run(launch::gather_rows(&params, T::ELEMENT), &params);
        for (row, from) in index.iter().enumerate() {
            assert_eq!(out[row * width..][..width], table[*from as usize * width..][..width]);
        }
    }
}

#[test]
fn rows_are_gathered() {
    gathers::<f32>();
    gathers::<bf16>();
}

const EPSILON: f32 = 1e-5;

fn normed(row: &[f64], weight: &[f64]) -> Vec<f64> {
    let mean = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
    let scale = 1.0 / (mean + f64::from(EPSILON)).sqrt();
    row.iter().zip(weight).map(|(x, w)| x * scale * w).collect()
}

fn values<T: Number>(numbers: &[T]) -> Vec<f64> {
    numbers.iter().map(|x| x.value()).collect()
}

fn norms<T: Number>() {
    let mut random = Random::new(2);
    for width in WIDTHS {
        let (x, weight) = (random.numbers::<T>(5 * width), random.numbers::<T>(width));
        for index in [None, Some(memory(&[4u32, 1]))] {
            let rows = index.as_ref().map_or(5, |index| index.len());
            let out = unwritten::<T>(rows * width);
            let params = RmsNormParams {
                x: x.address(),
                weight: weight.address(),
                out: out.address(),
                index: index.as_ref().map_or(0, GuardedMemory::address),
                rows: rows as u32,
                width: width as u32,
                epsilon: EPSILON,
            };
            run(launch::rms_norm(&params, T::ELEMENT), &params);
            for row in 0..rows {
                let from = index.as_ref().map_or(row, |index| index[row] as usize);
                let want = normed(&values(&x[from * width..][..width]), &values(&weight));
                assert_close(&out[row * width..][..width], &want, (4.0, 0.1));
            }
        }
    }
}

#[test]
fn rows_are_normed() {
    norms::<f32>();
    norms::<bf16>();
}

fn adds_and_norms<T: Number>() {
    let mut random = Random::new(3);
    for width in WIDTHS {
        let (delta, weight) = (random.numbers::<T>(5 * width), random.numbers::<T>(width));
        let before = random.numbers::<T>(5 * width);
        for index in [None, Some(memory(&[4u32, 1]))] {
            let rows = index.as_ref().map_or(5, |index| index.len());
            let (residual, out) = (memory(&before), unwritten::<T>(rows * width));
            let address =
                |index: &Option<GuardedMemory<u32>>| index.as_ref().map_or(0, GuardedMemory::address);
            let params = AddRmsNormParams {
                residual: residual.address(),
                delta: delta.address(),
                weight: weight.address(),
                out: out.address(),
                index: address(&index),
                rows: rows as u32,
                width: width as u32,
                epsilon: EPSILON,
            };
            run(launch::add_rms_norm(&params, T::ELEMENT), &params);
            let named = |row: u32| index.as_ref().is_none_or(|index| index.contains(&row));
            for i in 0..5 * width {
                let sum = T::of(before[i].value() + delta[i].value());
                let want = if named((i / width) as u32) { sum } else { before[i] };
                assert_eq!(residual[i], want);
            }
            let alone = unwritten::<T>(rows * width);
            let norm = RmsNormParams {
                x: residual.address(),
                weight: weight.address(),
                out: alone.address(),
                index: address(&index),
                rows: rows as u32,
                width: width as u32,
                epsilon: EPSILON,
            };
            run(launch::rms_norm(&norm, T::ELEMENT), &norm);
            assert_eq!(out[..], alone[..], "an addition and a norm are the same bits in one kernel");
        }
    }
}

#[test]
fn residuals_are_added_and_normed() {
    adds_and_norms::<f32>();
    adds_and_norms::<bf16>();
}

fn biases<T: Number>() {
    let mut random = Random::new(4);
    for (width, stride) in [(64, 64), (64, 72), (20, 33), (2051, 2051), (4096, 4100)] {
        let (before, bias) = (random.numbers::<T>(3 * stride), random.numbers::<T>(width));
        let y = memory(&before);
        let params = AddBiasParams {
            y: y.address(),
            bias: bias.address(),
            rows: 3,
            width: width as u32,
            y_stride: stride as u32,
        };
        run(launch::add_bias(&params, T::ELEMENT), &params);
        for (i, number) in y.iter().enumerate() {
            let changed = bias.get(i % stride).map(|bias| T::of(before[i].value() + bias.value()));
            assert_eq!(*number, changed.unwrap_or(before[i]));
        }
    }
}

#[test]
fn biases_are_added() {
    biases::<f32>();
    biases::<bf16>();
}

fn gates<T: Number>() {
    let mut random = Random::new(5);
    for (width, strides) in
        [(64, [64; 3]), (96, [192, 200, 96]), (37, [37, 40, 41]), (4104, [8208, 8208, 4104])]
    {
        let [gate, up] = [0, 1].map(|i| random.numbers::<T>(2 * strides[i]));
        let out = unwritten::<T>(2 * strides[2]);
        let params = SiluMulParams {
            gate: gate.address(),
            up: up.address(),
            out: out.address(),
            rows: 2,
            width: width as u32,
            gate_stride: strides[0] as u32,
            up_stride: strides[1] as u32,
            out_stride: strides[2] as u32,
        };
        run(launch::silu_mul(&params, T::ELEMENT), &params);
        for row in 0..2 {
            let want: Vec<f64> = (0..width)
                .map(|i| {
                    let x = gate[row * strides[0] + i].value() * 1.0;
                    x / (1.0 + (-x).exp()) * up[row * strides[1] + i].value()
                })
                .collect();
            assert_close(&out[row * strides[2]..][..width], &want, (4.0, 0.1));
        }
    }
}

#[test]
fn gates_open() {
    gates::<f32>();
    gates::<bf16>();
}

#[test]
fn gates_far_from_zero_are_finite() {
    let gate = memory(&[-1e4f32, 1e4, -100.0, 0.0]);
    let up = memory(&[1f32; 4]);
    let out = unwritten::<f32>(4);
    let params = SiluMulParams {
        gate: gate.address(),
        up: up.address(),
        out: out.address(),
        rows: 1,
        width: 4,
        gate_stride: 4,
        up_stride: 4,
        out_stride: 4,
    };
    run(launch::silu_mul(&params, f32::ELEMENT), &params);
    assert_close(&out, &[0.0, 1e4, 0.0, 0.0], (4.0, 1.0));
}
