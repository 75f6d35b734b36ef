//! The arithmetic, written once for any [`Lanes`]. Every number that comes out is a fixed expression of its inputs,
//! whatever the tile it was computed in:
//!
//! - *chain*: an output of a panel is one chain of fused multiply-adds over ascending inputs;
//! - *dot*: eight chains, input `k` in chain `k mod 8`, added up in a fixed tree;
//! - sums over a row are dots too.
//!
//! So a row's results are the same bits alone, in any batch, in any chunk, on any number of threads, and with any
//! instruction set.

use super::{
    feed::{Feed, STEPS},
    lanes::{Element, LANES, Lanes, ROUNDER},
};

/// Most rows of one chain tile: 6 rows × 2 registers, two for weights and one for the input fill the 16 of AVX2.
const TILE_ROWS: usize = 6;

/// A block of rows to read: row `i` begins `i · stride` numbers after `start`.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub(super) start: *const f32,
    pub(super) stride: usize,
}

/// The same to write.
#[derive(Clone, Copy)]
pub(super) struct RowsMut {
    pub(super) start: *mut f32,
    pub(super) stride: usize,
}

/// What a chain begins with.
#[derive(Clone, Copy)]
pub(super) enum Start {
    /// Zero.
    Zero,
    /// What the output holds.
    Output,
    /// A bias, one number for each output of the panels.
    Bias(*const f32),
    /// The sum of both.
    OutputAndBias(*const f32),
}

impl Start {
    /// The same for outputs further right.
    pub(super) fn right(self, columns: usize) -> Self {
        match self {
            Self::Bias(bias) => Self::Bias(bias.wrapping_add(columns)),
            Self::OutputAndBias(bias) => Self::OutputAndBias(bias.wrapping_add(columns)),
            other => other,
        }
    }
}

/// Panels side by side: panel `p` begins `p · stride` numbers after `start` and has `depth` steps of 16.
#[derive(Clone, Copy)]
pub(super) struct PanelRef<E> {
    pub(super) start: *const E,
    pub(super) stride: usize,
    pub(super) depth: usize,
}

/// Steps of a panel that all rows pass before the next ones: 12 KiB of f32 weights, which stay in the first cache from the
/// first tile of rows to the last.
const STRIP: usize = 192;

/// `y[r][o] = start + Σ_k x[r][k] · w[o][k]`, ascending `k`, for `rows` rows and `panels` panels. Asks for the feed's pieces
/// on the way.
///
/// # Safety
/// `x` has `rows` rows of `depth` numbers, `y` as many of `16 · panels`, weights and bias are as said, and nobody
/// else touches `y`.
#[inline(always)]
pub(super) unsafe fn chain<L: Lanes, E: Element>(
    (x, rows): (Rows, usize),
    (weights, panels): (PanelRef<E>, usize),
    y: RowsMut,
    start: Start,
    feed: &mut Feed<'_>,
) {
    // SAFETY of every call: a part of what the caller promises.
    unsafe {
        if rows <= 2 {
            // Few rows: several panels at once, for chains enough to hide the latency of one.
            let mut panel = 0;
            while panel < panels {
                let (w, y) = (weights.right(panel), y.right(panel * 16));
                let (start, ahead) = (start.right(panel * 16), Ahead::stream(w));
                panel += match (rows, panels - panel) {
                    (1, 4..) => tile::<L, E, 1, 4>(x, w, y, start, (ahead, &mut *feed)),
                    (1, 2..) => tile::<L, E, 1, 2>(x, w, y, start, (ahead, &mut *feed)),
                    (1, _) => tile::<L, E, 1, 1>(x, w, y, start, (ahead, &mut *feed)),
                    (_, 2..) => tile::<L, E, 2, 2>(x, w, y, start, (ahead, &mut *feed)),
                    (_, _) => tile::<L, E, 2, 1>(x, w, y, start, (ahead, &mut *feed)),
                };
            }
            return;
        }
        // Tiles of nearly equal height: 16 rows are 6 + 5 + 5.
        let tiles = rows.div_ceil(TILE_ROWS);
        for panel in 0..panels {
            let (w, y) = (weights.right(panel), y.right(panel * 16));
            let mut first = 0;
            while first < weights.depth {
                let strip = w.down(first, STRIP);
                let start = if first == 0 { start.right(panel * 16) } else { Start::Output };
                let mut row = 0;
                for index in 0..tiles {
                    let height = (rows - row).div_ceil(tiles - index);
                    let (x, y) = (x.down(row).right(first), y.down(row));
                    let ahead = Ahead::strip(strip, (index, tiles));
                    match height {
                        6 => tile::<L, E, 6, 1>(x, strip, y, start, (ahead, &mut *feed)),
                        5 => tile::<L, E, 5, 1>(x, strip, y, start, (ahead, &mut *feed)),
                        4 => tile::<L, E, 4, 1>(x, strip, y, start, (ahead, &mut *feed)),
                        3 => tile::<L, E, 3, 1>(x, strip, y, start, (ahead, &mut *feed)),
                        2 => tile::<L, E, 2, 1>(x, strip, y, start, (ahead, &mut *feed)),
                        _ => tile::<L, E, 1, 1>(x, strip, y, start, (ahead, &mut *feed)),
                    };
                    row += height;
                }
                first += STRIP;
            }
        }
    }
}

/// Which weights a tile asks for while it computes: `stride` bytes further at every step, so that the tiles of a strip
/// together have asked for the whole next one, and memory is never waited for in a burst.
#[derive(Clone, Copy)]
struct Ahead {
    start: *const u8,
    stride: usize,
}

impl Ahead {
    /// A single pass: a few lines ahead of where it reads.
    #[inline(always)]
    fn stream<E>(w: PanelRef<E>) -> Self {
        const DISTANCE_BYTES: usize = 1024;
        Self { start: w.start.cast::<u8>().wrapping_add(DISTANCE_BYTES), stride: 16 * size_of::<E>() }
    }

    /// One tile's part of the next strip, which lies right behind this one.
    #[inline(always)]
    fn strip<E>(strip: PanelRef<E>, (tile, tiles): (usize, usize)) -> Self {
        let step_bytes = 16 * size_of::<E>();
        let bytes = step_bytes * strip.depth;
        let start = strip.start.cast::<u8>().wrapping_add(bytes + bytes / tiles * tile);
        Self { start, stride: step_bytes.div_ceil(tiles) }
    }
}

impl Rows {
    #[inline(always)]
    pub(super) fn down(self, rows: usize) -> Self {
        Self { start: self.start.wrapping_add(rows * self.stride), ..self }
    }

    #[inline(always)]
    fn right(self, columns: usize) -> Self {
        Self { start: self.start.wrapping_add(columns), ..self }
    }
}

impl RowsMut {
    #[inline(always)]
    pub(super) fn down(self, rows: usize) -> Self {
        Self { start: self.start.wrapping_add(rows * self.stride), ..self }
    }

    #[inline(always)]
    pub(super) fn right(self, columns: usize) -> Self {
        Self { start: self.start.wrapping_add(columns), ..self }
    }
}

impl<E> PanelRef<E> {
    #[inline(always)]
    pub(super) fn right(self, panels: usize) -> Self {
        Self { start: self.start.wrapping_add(panels * self.stride), ..self }
    }

    /// At most this many steps from one on.
    #[inline(always)]
    fn down(self, first: usize, steps: usize) -> Self {
        Self { start: self.start.wrapping_add(first * 16), depth: steps.min(self.depth - first), ..self }
    }
}

/// One tile of a chain: `ROWS` rows × `PANELS` panels in registers over the whole depth. Returns `PANELS`.
///
/// Pointers are made before the loop and only moved in it: index arithmetic there would be checked for overflow.
#[expect(clippy::needless_range_loop, reason = "one index walks through several arrays of registers")]
#[inline(always)]
unsafe fn tile<L: Lanes, E: Element, const ROWS: usize, const PANELS: usize>(
    x: Rows,
    weights: PanelRef<E>,
    y: RowsMut,
    start: Start,
    (ahead, feed): (Ahead, &mut Feed<'_>),
) -> usize {
    let inputs: [*const f32; ROWS] = std::array::from_fn(|r| x.start.wrapping_add(r * x.stride));
    let outputs: [*mut f32; ROWS] = std::array::from_fn(|r| y.start.wrapping_add(r * y.stride));
    let mut panels: [*const E; PANELS] =
        std::array::from_fn(|p| weights.start.wrapping_add(p * weights.stride));
    let Ahead { start: mut next, stride } = ahead;
    // SAFETY of every access: within the rows and panels that the caller of `chain` promises. A prefetch may go anywhere.
    unsafe {
        let mut sums = [[[L::splat(0.0); 2]; PANELS]; ROWS];
        for r in 0..ROWS {
            for p in 0..PANELS {
                for half in 0..2 {
                    let column = p * 16 + half * LANES;
                    sums[r][p][half] = match start {
                        Start::Zero => L::splat(0.0),
                        Start::Output => L::load(outputs[r].add(column)),
                        Start::Bias(bias) => L::load(bias.add(column)),
                        Start::OutputAndBias(bias) => {
                            L::load(outputs[r].add(column)).add(L::load(bias.add(column)))
                        }
                    };
                }
            }
        }
        let mut first = 0;
        while first < weights.depth {
            let steps = STEPS.min(weights.depth - first);
            let (mut also, also_stride) = feed.next(steps, next);
            for k in first..first + steps {
                prefetch(next);
                prefetch_later(also);
                next = next.wrapping_add(stride);
                also = also.wrapping_add(also_stride);
                let mut w = [[L::splat(0.0); 2]; PANELS];
                for p in 0..PANELS {
                    w[p] = [E::load(panels[p]), E::load(panels[p].add(LANES))];
                    panels[p] = panels[p].add(16);
                }
                for r in 0..ROWS {
                    let input = L::splat(*inputs[r].add(k));
                    for p in 0..PANELS {
                        for half in 0..2 {
                            sums[r][p][half] = input.mul_add(w[p][half], sums[r][p][half]);
                        }
                    }
                }
            }
            first += steps;
        }
        for r in 0..ROWS {
            for p in 0..PANELS {
                for half in 0..2 {
                    sums[r][p][half].store(outputs[r].add(p * 16 + half * LANES));
                }
            }
        }
    }
    PANELS
}

/// Asks for a cache line that will be read soon, into the first cache; the address need not be valid.
#[inline(always)]
fn prefetch<T>(from: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch accesses nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(from.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// The same for a line that will be read later, into the second cache.
#[inline(always)]
fn prefetch_later<T>(from: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch accesses nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(from.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// `y[r][j] = scale · a[j] · x[r]` for every row `r` and every vector `j` of `a`, each a dot of `depth` numbers.
///
/// # Safety
/// `a` has `count` vectors of `depth` numbers one after the other, `x` has `rows` rows of as many, `y` has room for
/// `count` numbers in as many rows, and nobody else touches `y`.
#[inline(always)]
pub(super) unsafe fn dots<L: Lanes, E: Element>(
    (x, rows): (Rows, usize),
    (a, count): (*const E, usize),
    depth: usize,
    y: RowsMut,
    scale: f32,
) {
    // SAFETY: parts of what the caller promises.
    unsafe {
        let mut j = 0;
        while j < count {
            let vectors = a.add(j * depth);
            let mut row = 0;
            while row < rows {
                let (x, y) = (x.down(row), y.down(row).right(j));
                let tile = (vectors, depth);
                match (count - j, rows - row) {
                    (4.., 3..) => dot_tile::<L, E, 4, 3>(x, tile, y, scale),
                    (4.., 2) => dot_tile::<L, E, 4, 2>(x, tile, y, scale),
                    (4.., _) => dot_tile::<L, E, 4, 1>(x, tile, y, scale),
                    (_, 3..) => dot_tile::<L, E, 1, 3>(x, tile, y, scale),
                    (_, 2) => dot_tile::<L, E, 1, 2>(x, tile, y, scale),
                    (_, _) => dot_tile::<L, E, 1, 1>(x, tile, y, scale),
                }
                row += (rows - row).min(3);
            }
            j += if count - j >= 4 { 4 } else { 1 };
        }
    }
}

#[expect(clippy::needless_range_loop, reason = "one index walks through several arrays of registers")]
#[inline(always)]
unsafe fn dot_tile<L: Lanes, E: Element, const VECTORS: usize, const ROWS: usize>(
    x: Rows,
    (a, depth): (*const E, usize),
    y: RowsMut,
    scale: f32,
) {
    let inputs: [*const f32; ROWS] = std::array::from_fn(|r| x.start.wrapping_add(r * x.stride));
    let vectors: [*const E; VECTORS] = std::array::from_fn(|j| a.wrapping_add(j * depth));
    let whole = depth / LANES * LANES;
    // SAFETY: parts of what the caller of `dots` promises.
    unsafe {
        let mut sums = [[L::splat(0.0); ROWS]; VECTORS];
        for k in (0..whole).step_by(LANES) {
            let mut x = [L::splat(0.0); ROWS];
            for r in 0..ROWS {
                x[r] = L::load(inputs[r].add(k));
            }
            for j in 0..VECTORS {
                let weights: L = E::load(vectors[j].add(k));
                for r in 0..ROWS {
                    sums[j][r] = x[r].mul_add(weights, sums[j][r]);
                }
            }
        }
        if whole < depth {
            // The rest, filled up with zeros: a product of zeros changes no sum.
            for j in 0..VECTORS {
                let mut weights = [0.0; LANES];
                (whole..depth).for_each(|i| weights[i - whole] = (*vectors[j].add(i)).widen());
                for r in 0..ROWS {
                    let mut x = [0.0; LANES];
                    (whole..depth).for_each(|i| x[i - whole] = *inputs[r].add(i));
                    sums[j][r] = L::load(x.as_ptr()).mul_add(L::load(weights.as_ptr()), sums[j][r]);
                }
            }
        }
        for j in 0..VECTORS {
            for r in 0..ROWS {
                *y.start.wrapping_add(r * y.stride + j) = scale * total(sums[j][r]);
            }
        }
    }
}

/// The lanes' sum, in a fixed tree.
#[inline(always)]
fn total<L: Lanes>(lanes: L) -> f32 {
    let l = lanes.to_array();
    ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

// Loops over slices call `eight` and `put` rather than taking closures: a closure is not inlined into the function that
// has the instructions.

/// Eight numbers of a slice from `at`, filled up past its end.
#[inline(always)]
fn eight<L: Lanes>(numbers: &[f32], at: usize, fill: f32) -> L {
    match numbers.get(at..at + LANES) {
        // SAFETY: there are eight numbers.
        Some(group) => unsafe { L::load(group.as_ptr()) },
        None => {
            let mut group = [fill; LANES];
            let rest = &numbers[at..];
            group[..rest.len()].copy_from_slice(rest);
            // SAFETY: a group has eight numbers.
            unsafe { L::load(group.as_ptr()) }
        }
    }
}

/// Puts eight numbers back, as far as the slice reaches.
#[inline(always)]
fn put<L: Lanes>(numbers: &mut [f32], at: usize, lanes: L) {
    match numbers.get_mut(at..at + LANES) {
        // SAFETY: there is room for eight numbers.
        Some(group) => unsafe { lanes.store(group.as_mut_ptr()) },
        None => {
            let rest = &mut numbers[at..];
            let len = rest.len();
            rest.copy_from_slice(&lanes.to_array()[..len]);
        }
    }
}

/// RMS norm (arXiv:1910.07467): `out = x / sqrt(mean(x²) + epsilon) · weight`; slices of one length.
#[inline(always)]
pub(super) fn rms_norm<L: Lanes>(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let mut squares = L::splat(0.0);
    for at in (0..x.len()).step_by(LANES) {
        let group: L = eight(x, at, 0.0);
        squares = group.mul_add(group, squares);
    }
    let scale = L::splat(1.0 / (total(squares) / x.len() as f32 + epsilon).sqrt());
    for at in (0..x.len()).step_by(LANES) {
        put(out, at, eight::<L>(x, at, 0.0).mul(scale).mul(eight(weight, at, 0.0)));
    }
}

/// `gate = silu(gate) · up` (SwiGLU, arXiv:2002.05202), `silu(z) = z / (1 + e^-z)`; slices of one length.
#[inline(always)]
pub(super) fn gated<L: Lanes>(gate: &mut [f32], up: &[f32]) {
    for at in (0..gate.len()).step_by(LANES) {
        let z: L = eight(gate, at, 0.0);
        let silu = z.div(L::splat(1.0).add(exp(z.mul(L::splat(-1.0)))));
        put(gate, at, silu.mul(eight(up, at, 0.0)));
    }
}

/// Turns scores into weights, in place: `e^(score - largest)`; returns one over their sum.
#[inline(always)]
pub(super) fn softmax_weights<L: Lanes>(scores: &mut [f32]) -> f32 {
    let mut largest = L::splat(f32::MIN);
    for at in (0..scores.len()).step_by(LANES) {
        largest = largest.max(eight(scores, at, f32::MIN));
    }
    let mut top = f32::MIN;
    for lane in largest.to_array() {
        top = if lane > top { lane } else { top };
    }
    let (offset, mut sum) = (L::splat(-top), L::splat(0.0));
    for at in (0..scores.len()).step_by(LANES) {
        put(scores, at, exp(eight::<L>(scores, at, f32::MIN).add(offset)));
        sum = sum.add(eight(scores, at, 0.0));
    }
    1.0 / total(sum)
}

/// `e^x` within 2 units in the last place between -87 and 88, and held at the ends: `2^n · e^r` with `n` the integer
/// nearest to `x / ln 2`, and the Taylor polynomial of degree 7 for `e^r`, |r| ≤ ln 2 / 2.
#[inline(always)]
pub(super) fn exp<L: Lanes>(x: L) -> L {
    /// ln 2 in two parts, the first with zeros at its end, so that `n` times it is exact.
    const LN2: [f32; 2] = [0.693_145_75, 1.428_606_8e-6];
    /// 1/7!, 1/6!, … 1/2!.
    const TERMS: [f32; 6] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];
    let x = x.max(L::splat(-87.0)).min(L::splat(88.0));
    let rounded = x.mul_add(L::splat(std::f32::consts::LOG2_E), L::splat(ROUNDER));
    let n = rounded.add(L::splat(-ROUNDER));
    let r = n.mul_add(L::splat(-LN2[0]), x);
    let r = n.mul_add(L::splat(-LN2[1]), r);
    let mut sum = L::splat(TERMS[0]);
    for term in &TERMS[1..] {
        sum = sum.mul_add(r, L::splat(*term));
    }
    let sum = sum.mul_add(r, L::splat(1.0)).mul_add(r, L::splat(1.0));
    sum.scale_by_power(rounded)
}

#[cfg(test)]
mod tests;
