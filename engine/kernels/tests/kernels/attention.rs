//! Attention over paged keys and values: decode rows and prefill chunks in one launch, and their sums.

use half::bf16;
use proptest::prelude::*;
use tenora_kernels::{
    abi::{AttentionCombineParams, AttentionTile, BLOCK_TOKENS, CombineRow, PagedAttentionParams, launch},
    emulation::GuardedMemory,
    plan::{Attention, SequenceRows, attention_scratch},
};

use crate::support::{Number, Random, assert_close, memory, run, unwritten};

#[derive(Clone, Copy)]
struct Heads {
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
}

/// A sequence's past and present: `[context, kv_heads, head_dim]` keys and values, `[rows, heads, head_dim]` queries.
struct Sequence<T: Number> {
    position: usize,
    rows: usize,
    keys: Vec<T>,
    values: Vec<T>,
    queries: Vec<T>,
}

impl<T: Number> Sequence<T> {
    fn new(heads: Heads, (position, rows): (usize, usize), seed: u64) -> Self {
        let mut random = Random::new(seed);
        let kv = (position + rows) * heads.kv_heads * heads.head_dim;
        let mut numbers = |count: usize, factor: f64| -> Vec<T> {
            (0..count).map(|_| T::of(random.number() * factor)).collect()
        };
        let queries = rows * heads.heads * heads.head_dim;
        Self {
            position,
            rows,
            keys: numbers(kv, 2.0),
            values: numbers(kv, 1.0),
            queries: numbers(queries, 2.0),
        }
    }

    /// The answer in f64, `[rows, heads, head_dim]`.
    fn answer(&self, heads: Heads) -> Vec<f64> {
        let Heads { heads, kv_heads, head_dim } = heads;
        let mut out = Vec::new();
        for (index, query) in self.queries.chunks_exact(head_dim).enumerate() {
            let (row, head) = (index / heads, index % heads);
            let kv_head = head / (heads / kv_heads);
            let of = |numbers: &[T], key: usize, d: usize| {
                numbers[(key * kv_heads + kv_head) * head_dim + d].value()
            };
            let seen = self.position + row + 1;
            let score = |key: usize| {
                let dot: f64 = (0..head_dim).map(|d| query[d].value() * of(&self.keys, key, d)).sum();
                dot / (head_dim as f64).sqrt()
            };
            let scores: Vec<f64> = (0..seen).map(score).collect();
            let largest = scores.iter().copied().fold(f64::MIN, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
            let total: f64 = weights.iter().sum();
            out.extend((0..head_dim).map(|d| {
                weights.iter().enumerate().map(|(key, w)| w * of(&self.values, key, d)).sum::<f64>() / total
            }));
        }
        out
    }
}

/// What sequences leave behind in one step, `[rows, heads, head_dim]`. Blocks lie in any order in a pool of NaN, and tables
/// name blocks outside the pool where nothing may be read.
fn attend<T: Number>(heads: Heads, sequences: &[&Sequence<T>], padding: usize) -> Vec<T> {
    let Heads { heads: query_heads, kv_heads, head_dim } = heads;
    let blocks_of = |s: &Sequence<T>| (s.position + s.rows).div_ceil(BLOCK_TOKENS);
    let blocks: usize = sequences.iter().map(|s| blocks_of(s)).sum();
    let max_blocks = sequences.iter().map(|s| blocks_of(s)).max().expect("there are sequences") + 1;
    let mut order = Random::new(blocks as u64).permutation(blocks).into_iter();
    let mut tables = vec![u32::MAX; sequences.len() * max_blocks];
    let pool = blocks * kv_heads * BLOCK_TOKENS * head_dim;
    let (mut keys, mut values) = (unwritten::<T>(pool), unwritten::<T>(pool));
    let mut rows = Vec::new();
    let mut queries = Vec::new();
    let mut next = 0;
    for (index, sequence) in sequences.iter().enumerate() {
        let table: Vec<usize> = order.by_ref().take(blocks_of(sequence)).collect();
        for (entry, block) in tables[index * max_blocks..].iter_mut().zip(&table) {
            *entry = *block as u32;
        }
        for key in 0..sequence.position + sequence.rows {
            for head in 0..kv_heads {
                let block = table[key / BLOCK_TOKENS];
                let to = ((block * kv_heads + head) * BLOCK_TOKENS + key % BLOCK_TOKENS) * head_dim;
                let from = (key * kv_heads + head) * head_dim;
                keys[to..][..head_dim].copy_from_slice(&sequence.keys[from..][..head_dim]);
                values[to..][..head_dim].copy_from_slice(&sequence.values[from..][..head_dim]);
            }
        }
        rows.push(SequenceRows { rows: next..next + sequence.rows, position: sequence.position });
        next += sequence.rows;
        queries.extend_from_slice(&sequence.queries);
    }
    let (queries, tables) = (memory(&queries), memory(&tables));
    let plan = Attention::new(rows, query_heads / kv_heads);
    let step = Step { heads, plan, padding, max_blocks };
    step.run([&queries, &keys, &values], &tables, next)
}

struct Step {
    heads: Heads,
    plan: Attention,
    /// Tiles and rows without work behind the others.
    padding: usize,
    max_blocks: usize,
}

impl Step {
    fn run<T: Number>(
        mut self,
        [queries, keys, values]: [&GuardedMemory<T>; 3],
        tables: &GuardedMemory<u32>,
        rows: usize,
    ) -> Vec<T> {
        let Heads { heads, kv_heads, head_dim } = self.heads;
        self.plan.tiles.extend(vec![AttentionTile::default(); self.padding]);
        self.plan.combined.extend(vec![CombineRow::default(); self.padding]);
        let (tiles, combined) = (memory(&self.plan.tiles), memory(&self.plan.combined));
        let [partial_out, partial_stats] = attention_scratch(self.plan.partials, heads, head_dim);
        let (partial_out, partial_stats) = (unwritten::<f32>(partial_out), unwritten::<f32>(partial_stats));
        let out = unwritten::<T>(rows * heads * head_dim);
        let params = PagedAttentionParams {
            q: queries.address(),
            out: out.address(),
            key_pool: keys.address(),
            value_pool: values.address(),
            block_tables: tables.address(),
            tiles: tiles.address(),
            partial_out: partial_out.address(),
            partial_stats: partial_stats.address(),
            tile_count: tiles.len() as u32,
            heads: heads as u32,
            kv_heads: kv_heads as u32,
            head_dim: head_dim as u32,
            q_stride: (heads * head_dim) as u32,
            out_stride: (heads * head_dim) as u32,
            max_blocks: self.max_blocks as u32,
            scale: 1.0 / (head_dim as f32).sqrt(),
        };
        run(launch::paged_attention(&params, T::ELEMENT), &params);
        let params = AttentionCombineParams {
            rows: combined.address(),
            partial_out: partial_out.address(),
            partial_stats: partial_stats.address(),
            out: out.address(),
            row_count: combined.len() as u32,
            heads: heads as u32,
            head_dim: head_dim as u32,
            out_stride: (heads * head_dim) as u32,
        };
        run(launch::attention_combine(&params, T::ELEMENT), &params);
        out.to_vec()
    }
}

/// `(position, rows)` of sequences: decode rows at ends of blocks, tiles and splits, and chunks of all kinds.
const SHAPES: [(usize, usize); 14] = [
    (0, 1),
    (4, 1),
    (15, 1),
    (16, 1),
    (63, 1),
    (255, 1),
    (256, 1),
    (700, 1),
    (0, 2),
    (0, 33),
    (5, 20),
    (64, 64),
    (100, 70),
    (300, 17),
];

fn equals_the_plain_computation<T: Number>(heads: Heads) {
    let of = |(index, shape): (usize, &(usize, usize))| Sequence::new(heads, *shape, 100 + index as u64);
    let sequences: Vec<Sequence<T>> = SHAPES.iter().enumerate().map(of).collect();
    let got = attend(heads, &sequences.iter().collect::<Vec<_>>(), 3);
    let want: Vec<f64> = sequences.iter().flat_map(|s| s.answer(heads)).collect();
    // Weights are rounded to T before the product with values where tensor cores are used; f32 sums are of up to 700 terms.
    let roundings = if size_of::<T>() == 2 { 2.0 } else { 64.0 };
    assert_close(&got, &want, (roundings, 1.0));
}

fn heads(heads: usize, kv_heads: usize, head_dim: usize) -> Heads {
    Heads { heads, kv_heads, head_dim }
}

#[test]
fn plain_attention_is_right_for_any_head() {
    for shape in [heads(2, 2, 8), heads(4, 2, 22), heads(3, 1, 64), heads(8, 1, 32), heads(5, 1, 256)] {
        equals_the_plain_computation::<f32>(shape);
    }
    for shape in [heads(4, 2, 8), heads(3, 1, 80), heads(17, 1, 16), heads(2, 1, 256)] {
        equals_the_plain_computation::<bf16>(shape);
    }
}

#[test]
fn tensor_attention_is_right_for_all_groups() {
    for group in [1, 2, 3, 4, 5, 6, 7, 8, 16] {
        equals_the_plain_computation::<bf16>(heads(group, 1, 64));
    }
    for shape in [
        heads(17, 1, 64),
        heads(65, 1, 64),
        heads(4, 2, 64),
        heads(2, 2, 128),
        heads(8, 2, 128),
        heads(7, 1, 128),
    ] {
        equals_the_plain_computation::<bf16>(shape);
    }
}

/// A sequence's rows are the same bits beside others, and a chunk's rows in another chunk.
fn does_not_depend_on_neighbours<T: Number>(heads: Heads) {
    let of = |(index, shape): (usize, &(usize, usize))| Sequence::<T>::new(heads, *shape, 7 + index as u64);
    let sequences: Vec<Sequence<T>> = SHAPES.iter().enumerate().map(of).collect();
    let together = attend(heads, &sequences.iter().collect::<Vec<_>>(), 0);
    let alone: Vec<T> = sequences.iter().flat_map(|sequence| attend(heads, &[sequence], 0)).collect();
    assert_eq!(together, alone);

    let whole = &sequences[12];
    let row = heads.heads * heads.head_dim;
    let kv = heads.kv_heads * heads.head_dim;
    let part = |rows: std::ops::Range<usize>| {
        let keys = (whole.position + rows.end) * kv;
        let part = Sequence {
            position: whole.position + rows.start,
            rows: rows.len(),
            keys: whole.keys[..keys].to_vec(),
            values: whole.values[..keys].to_vec(),
            queries: whole.queries[rows.start * row..rows.end * row].to_vec(),
        };
        attend(heads, &[&part], 0)
    };
    let parts: Vec<T> = [0..23, 23..70].into_iter().flat_map(part).collect();
    assert_eq!(parts, attend(heads, &[whole], 0));
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    does_not_depend_on_neighbours::<f32>(heads(4, 2, 16));
    does_not_depend_on_neighbours::<bf16>(heads(6, 2, 32));
    does_not_depend_on_neighbours::<bf16>(heads(6, 2, 64));
    does_not_depend_on_neighbours::<bf16>(heads(4, 1, 128));
}

/// One key far above all others, first or last, or all alike: the base of weights moves.
#[test]
fn large_scores_do_not_overflow() {
    fn check<T: Number>(heads: Heads) {
        for loud in [0, 200, 299] {
            let mut sequence = Sequence::<T>::new(heads, (290, 10), 5);
            let kv = heads.kv_heads * heads.head_dim;
            for key in &mut sequence.keys[loud * kv..][..kv] {
                *key = T::of(key.value() * 100.0);
            }
            let want = sequence.answer(heads);
            assert_close(
                &attend(heads, &[&sequence], 0),
                &want,
                (2.0 + 1e3 * f64::from(u8::from(size_of::<T>() == 4)), 1.0),
            );
        }
    }
    check::<f32>(heads(2, 1, 16));
    check::<bf16>(heads(2, 1, 64));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_step(
        group in 1usize..9,
        kv_heads in 1usize..4,
        head_dim in prop::sample::select(vec![8usize, 30, 64, 128]),
        shapes in prop::collection::vec((0usize..300, prop_oneof![Just(1usize), 1usize..60]), 1..4),
    ) {
        let heads = Heads { heads: group * kv_heads, kv_heads, head_dim };
        let of = |(index, shape): (usize, &(usize, usize))| Sequence::<bf16>::new(heads, *shape, 40 + index as u64);
        let sequences: Vec<_> = shapes.iter().enumerate().map(of).collect();
        let got = attend(heads, &sequences.iter().collect::<Vec<_>>(), 1);
        let want: Vec<f64> = sequences.iter().flat_map(|sequence| sequence.answer(heads)).collect();
        assert_close(&got, &want, (2.0, 1.0));
    }
}
