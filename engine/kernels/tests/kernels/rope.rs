//! Rotation, norms of heads, biases, and the way into the pool.

use half::bf16;
use tenora_kernels::{
    abi::{BLOCK_TOKENS, NO_SLOT, RopeAndStoreParams, RopeAnglesParams, launch},
    emulation::GuardedMemory,
};

use crate::support::{Number, Random, assert_close, memory, run, unwritten};

fn angles(positions: &[u32], frequencies: &[f32]) -> GuardedMemory<f32> {
    let (positions, frequencies) = (memory(positions), memory(frequencies));
    let angles = unwritten::<f32>(positions.len() * 2 * frequencies.len());
    let params = RopeAnglesParams {
        positions: positions.address(),
        frequencies: frequencies.address(),
        angles: angles.address(),
        rows: positions.len() as u32,
        half: frequencies.len() as u32,
    };
    run(launch::rope_angles(&params), &params);
    angles
}

fn frequencies(head_dim: usize) -> Vec<f32> {
    (0..head_dim / 2).map(|i| 10000f32.powf(-2.0 * i as f32 / head_dim as f32)).collect()
}

#[test]
fn angles_are_those_of_the_positions() {
    let (positions, frequencies) = ([0, 1, 77, 100_000], frequencies(20));
    let angles = angles(&positions, &frequencies);
    for (row, position) in positions.iter().enumerate() {
        for (i, frequency) in frequencies.iter().enumerate() {
            let angle = f64::from(*position as f32 * frequency);
            let got = [angles[row * 20 + i], angles[row * 20 + 10 + i]];
            assert_close(&got, &[angle.cos(), angle.sin()], (4.0, 1.0));
        }
    }
}

struct Shape {
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    biased: bool,
    normed: bool,
}

const EPSILON: f32 = 1e-6;

/// Bias, norm and rotation of one head.
fn turned(head: &[f64], bias: Option<&[f64]>, norm: Option<&[f64]>, angles: Option<&[f32]>) -> Vec<f64> {
    let mut head: Vec<f64> = head.iter().enumerate().map(|(i, x)| x + bias.map_or(0.0, |b| b[i])).collect();
    if let Some(weight) = norm {
        let mean = head.iter().map(|x| x * x).sum::<f64>() / head.len() as f64;
        let scale = 1.0 / (mean + f64::from(EPSILON)).sqrt();
        head.iter_mut().zip(weight).for_each(|(x, w)| *x *= scale * w);
    }
    if let Some(angles) = angles {
        let half = head.len() / 2;
        for i in 0..half {
            let (a, b) = (head[i], head[i + half]);
            let (cos, sin) = (f64::from(angles[i]), f64::from(angles[half + i]));
            head[i] = a * cos - b * sin;
            head[i + half] = b * cos + a * sin;
        }
    }
    head
}

fn values<T: Number>(numbers: &[T]) -> Vec<f64> {
    numbers.iter().map(|x| x.value()).collect()
}

/// Fused queries, keys and values of three rows; the middle row is not stored.
fn turns_and_stores<T: Number>(shape: &Shape) {
    let Shape { heads, kv_heads, head_dim, biased, normed } = *shape;
    let mut random = Random::new((heads * 1000 + head_dim) as u64);
    let columns = (heads + 2 * kv_heads) * head_dim;
    let before = random.numbers::<T>(3 * columns);
    let qkv = memory(&before);
    let bias = random.numbers::<T>(columns);
    let norms = random.numbers::<T>(2 * head_dim);
    let angles = angles(&[5, 6, 300], &frequencies(head_dim));
    let slots = memory(&[2 * BLOCK_TOKENS as u32 + 7, NO_SLOT, 15]);
    let pool_numbers = 4 * kv_heads * BLOCK_TOKENS * head_dim;
    let pools = [unwritten::<T>(pool_numbers), unwritten::<T>(pool_numbers)];
    let bytes = size_of::<T>();
    let part = |base: u64, number: usize| base + (number * bytes) as u64;
    let bias_of = |number: usize| if biased { part(bias.address(), number) } else { 0 };
    let norm_of = |number: usize| if normed { part(norms.address(), number) } else { 0 };
    let params = RopeAndStoreParams {
        q: qkv.address(),
        k: part(qkv.address(), heads * head_dim),
        v: part(qkv.address(), (heads + kv_heads) * head_dim),
        q_bias: bias_of(0),
        k_bias: bias_of(heads * head_dim),
        v_bias: bias_of((heads + kv_heads) * head_dim),
        q_norm: norm_of(0),
        k_norm: norm_of(head_dim),
        angles: angles.address(),
        slots: slots.address(),
        key_pool: pools[0].address(),
        value_pool: pools[1].address(),
        rows: 3,
        heads: heads as u32,
        kv_heads: kv_heads as u32,
        head_dim: head_dim as u32,
        q_stride: columns as u32,
        k_stride: columns as u32,
        v_stride: columns as u32,
        epsilon: EPSILON,
    };
    run(launch::rope_and_store(&params, T::ELEMENT), &params);

    let mut stored = [0, 0];
    for (row, slot) in slots.iter().enumerate() {
        for head in 0..heads + 2 * kv_heads {
            let place = row * columns + head * head_dim;
            let kind = if head < heads { 0 } else { 1 + (head - heads) / kv_heads };
            let bias = biased.then(|| values(&bias[head * head_dim..][..head_dim]));
            let norm = (normed && kind < 2).then(|| values(&norms[kind * head_dim..][..head_dim]));
            let angles = (kind < 2).then(|| &angles[row * head_dim..][..head_dim]);
            let want =
                turned(&values(&before[place..][..head_dim]), bias.as_deref(), norm.as_deref(), angles);
            if kind == 0 {
                assert_close(&qkv[place..][..head_dim], &want, (8.0, 0.5));
                continue;
            }
            assert_eq!(qkv[place..][..head_dim], before[place..][..head_dim]);
            if *slot != NO_SLOT {
                let (block, token) = (*slot as usize / BLOCK_TOKENS, *slot as usize % BLOCK_TOKENS);
                let kv_head = (head - heads) % kv_heads;
                let place = ((block * kv_heads + kv_head) * BLOCK_TOKENS + token) * head_dim;
                assert_close(&pools[kind - 1][place..][..head_dim], &want, (8.0, 0.5));
                stored[kind - 1] += head_dim;
            }
        }
    }
    for (pool, stored) in pools.iter().zip(stored) {
        let written = pool.iter().filter(|number| !number.value().is_nan()).count();
        assert_eq!(written, stored, "nothing else is written");
    }
}

#[test]
fn heads_turn_and_find_their_slots() {
    let shapes =
        [(4, 2, 8, false, false), (3, 1, 64, true, false), (8, 2, 128, false, true), (2, 2, 256, true, true)];
    for (heads, kv_heads, head_dim, biased, normed) in shapes {
        let shape = Shape { heads, kv_heads, head_dim, biased, normed };
        turns_and_stores::<f32>(&shape);
        turns_and_stores::<bf16>(&shape);
    }
    turns_and_stores::<f32>(&Shape { heads: 6, kv_heads: 3, head_dim: 22, biased: true, normed: true });
}
