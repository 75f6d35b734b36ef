//! Adapters: many of them, of any rank, in one shrink and one expand.

use half::bf16;
use proptest::prelude::*;
use tenora_kernels::{
    abi::{LoraExpandParams, LoraShrinkParams, LoraSite, LoraTile, launch},
    emulation::GuardedMemory,
    plan::{lora_scratch, lora_splits, lora_tiles},
};

use crate::support::{Number, Random, assert_close, memory, run, unwritten};

/// Linears that share an input.
struct Group {
    inputs: usize,
    outputs: Vec<usize>,
    /// Index of the first linear in a table of sites.
    site: usize,
}

impl Group {
    fn sites(&self) -> usize {
        self.site + self.outputs.len()
    }
}

/// An adapter's matrices for a group's linears, and its table.
struct Adapter<T: Number> {
    matrices: Vec<Option<[GuardedMemory<T>; 2]>>,
    table: GuardedMemory<LoraSite>,
}

impl<T: Number> Adapter<T> {
    /// Rank 0: the adapter does not target the linear.
    fn new(group: &Group, ranks: &[usize], seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut table = vec![LoraSite::default(); group.site];
        let mut matrices = Vec::new();
        for (rank, outputs) in ranks.iter().zip(&group.outputs) {
            let pair = [rank * group.inputs, outputs * rank].map(|count| random.numbers::<T>(count));
            let scale = 0.5 + random.number().abs() as f32;
            let site = LoraSite { a: pair[0].address(), b: pair[1].address(), rank: *rank as u32, scale };
            table.push(if *rank > 0 { site } else { LoraSite::default() });
            matrices.push((*rank > 0).then_some(pair));
        }
        assert_eq!(table.len(), group.sites());
        Self { matrices, table: memory(&table) }
    }

    /// What it adds to a linear for one row, and how far off that may be for each rounding of T, in f64.
    fn delta(&self, (group, member): (&Group, usize), x: &[T]) -> Option<(Vec<f64>, f64)> {
        let [a, b] = self.matrices[member].as_ref()?;
        let scale = f64::from(self.table[group.site + member].scale);
        let dot = |row: &[T], x: &[f64]| row.iter().zip(x).map(|(a, x)| a.value() * x).sum::<f64>();
        let x: Vec<f64> = x.iter().map(|x| x.value()).collect();
        let h: Vec<f64> = a.chunks_exact(group.inputs).map(|a| scale * dot(a, &x)).collect();
        // With bf16 the roundings of `h` outweigh all others; with f32 there are only those of the sums.
        let size = match size_of::<T>() {
            2 => h.iter().map(|h| h.abs()).sum::<f64>(),
            _ => h.len() as f64 * scale * x.iter().map(|x| x.abs()).sum::<f64>(),
        };
        Some((b.chunks_exact(h.len()).map(|b| dot(b, &h)).collect(), size))
    }
}

/// The outputs `[rows, stride]` of each linear after both launches.
fn apply<T: Number>(
    group: &Group,
    x: &[T],
    before: &[Vec<T>],
    segments: &[(std::ops::Range<usize>, Option<&Adapter<T>>)],
    max_rank: usize,
) -> Vec<Vec<T>> {
    let rows = x.len() / group.inputs;
    let (x, y): (_, Vec<_>) = (memory(x), before.iter().map(|y| memory(y)).collect());
    let table = |adapter: &Option<&Adapter<T>>| adapter.map_or(0, |adapter| adapter.table.address());
    let mut tiles = lora_tiles(segments.iter().map(|(rows, adapter)| (rows.clone(), table(adapter))));
    tiles.extend([LoraTile::default(); 2]);
    let tiles = memory(&tiles);
    let members = group.outputs.len();
    let h = unwritten::<f32>(lora_scratch(rows, members, max_rank, group.inputs));
    let splits = lora_splits(group.inputs) as u32;
    let params = LoraShrinkParams {
        x: x.address(),
        h: h.address(),
        tiles: tiles.address(),
        tile_count: tiles.len() as u32,
        site: group.site as u32,
        members: members as u32,
        inputs: group.inputs as u32,
        x_stride: group.inputs as u32,
        h_rows: rows as u32,
        max_rank: max_rank as u32,
        splits,
    };
    run(launch::lora_shrink(&params, T::ELEMENT), &params);
    let mut params = LoraExpandParams {
        h: h.address(),
        tiles: tiles.address(),
        y: [0; 3],
        outputs: [0; 3],
        y_stride: [0; 3],
        tile_count: tiles.len() as u32,
        site: group.site as u32,
        members: members as u32,
        h_rows: rows as u32,
        max_rank: max_rank as u32,
        splits,
    };
    for (member, y) in y.iter().enumerate() {
        params.y[member] = y.address();
        params.outputs[member] = group.outputs[member] as u32;
        params.y_stride[member] = (y.len() / rows) as u32;
    }
    run(launch::lora_expand(&params, T::ELEMENT), &params);
    y.iter().map(|y| y.to_vec()).collect()
}

/// Runs of rows with these ranks for each linear (`None`: no adapter), against the plain computation and, bit for bit,
/// against each row alone.
fn check<T: Number>(group: &Group, runs: &[(usize, Option<Vec<usize>>)], spare: usize) {
    let mut random = Random::new(group.inputs as u64);
    let rows: usize = runs.iter().map(|(rows, _)| rows).sum();
    let x = random.numbers::<T>(rows * group.inputs);
    let before: Vec<Vec<T>> =
        group.outputs.iter().map(|outputs| random.numbers::<T>(rows * (outputs + spare)).to_vec()).collect();
    let adapters: Vec<Option<Adapter<T>>> = runs
        .iter()
        .enumerate()
        .map(|(index, (_, ranks))| ranks.as_ref().map(|ranks| Adapter::new(group, ranks, index as u64 + 50)))
        .collect();
    let max_rank = runs.iter().flat_map(|(_, ranks)| ranks.iter().flatten()).copied().max().unwrap_or(1);
    let mut segments = Vec::new();
    let mut next = 0;
    for ((rows, _), adapter) in runs.iter().zip(&adapters) {
        segments.push((next..next + rows, adapter.as_ref()));
        next += rows;
    }
    let got = apply(group, &x, &before, &segments, max_rank);

    for (range, adapter) in &segments {
        for row in range.clone() {
            let input = &x[row * group.inputs..][..group.inputs];
            let mine: Vec<Vec<T>> = (0..before.len())
                .map(|member| {
                    before[member][row * (group.outputs[member] + spare)..][..group.outputs[member] + spare]
                        .to_vec()
                })
                .collect();
            let alone = (row % 5 == 0).then(|| apply(group, input, &mine, &[(0..1, *adapter)], max_rank + 3));
            for (member, outputs) in group.outputs.iter().enumerate() {
                let got = &got[member][row * (outputs + spare)..][..outputs + spare];
                let delta = adapter.and_then(|adapter| adapter.delta((group, member), input));
                match delta {
                    Some((delta, size)) => {
                        let want: Vec<f64> =
                            delta.iter().zip(&mine[member]).map(|(d, y)| d + y.value()).collect();
                        // `h` and the output are rounded once each, and the f32 sums hardly add to that.
                        let roundings = if size_of::<T>() == 2 { 1.05 } else { 4.0 };
                        assert_close(&got[..*outputs], &want, (roundings, size + 1.0));
                        assert_eq!(got[*outputs..], mine[member][*outputs..], "beyond the outputs");
                    }
                    None => assert_eq!(got, mine[member], "a row without an adapter"),
                }
                if let Some(alone) = &alone {
                    assert_eq!(got, alone[member], "row {row} alone");
                }
            }
        }
    }
}

fn both(group: &Group, runs: &[(usize, Option<Vec<usize>>)], spare: usize) {
    check::<f32>(group, runs, spare);
    check::<bf16>(group, runs, spare);
}

#[test]
fn one_adapter_serves_decode_rows_and_chunks() {
    let group = Group { inputs: 64, outputs: vec![64], site: 3 };
    for rows in [1, 8, 9, 31, 32, 33, 70] {
        both(&group, &[(rows, Some(vec![16]))], 0);
    }
}

#[test]
fn ranks_of_all_sizes() {
    let group = Group { inputs: 96, outputs: vec![80], site: 0 };
    for rank in [1, 2, 3, 7, 8, 12, 15, 16, 17, 24, 31, 32, 33, 64, 100, 128, 256] {
        both(&group, &[(3, Some(vec![rank]))], 0);
    }
}

#[test]
fn many_adapters_of_mixed_ranks_and_rows_without() {
    let group = Group { inputs: 128, outputs: vec![136, 40, 64], site: 7 };
    let runs = [
        (5, None),
        (1, Some(vec![16, 16, 16])),
        (40, Some(vec![8, 0, 64])),
        (1, Some(vec![0, 0, 0])),
        (2, Some(vec![1, 5, 3])),
        (1, Some(vec![64, 128, 8])),
        (17, Some(vec![256, 4, 32])),
    ];
    both(&group, &runs, 0);
    both(&group, &runs, 8);
}

#[test]
fn widths_that_are_no_multiples() {
    for (inputs, outputs, spare) in [(20, 37, 0), (100, 12, 1), (33, 258, 3), (72, 300, 4)] {
        both(
            &Group { inputs, outputs: vec![outputs, 3], site: 4 },
            &[(4, Some(vec![8, 5])), (9, Some(vec![3, 16]))],
            spare,
        );
    }
}

#[test]
fn wide_inputs_are_split() {
    for inputs in [2048, 2056, 4096 + 100, 6144] {
        both(
            &Group { inputs, outputs: vec![520], site: 6 },
            &[(2, None), (3, Some(vec![16])), (1, Some(vec![8]))],
            0,
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_batch(
        inputs in 1usize..150,
        outputs in prop::collection::vec(1usize..280, 1..4),
        site in 0usize..9,
        runs in prop::collection::vec((1usize..36, prop::option::weighted(0.8, [0usize..40, 0usize..20, 0usize..70])), 1..6),
        spare in 0usize..9,
    ) {
        let runs: Vec<_> = runs.into_iter()
            .map(|(rows, ranks)| (rows, ranks.map(|ranks| ranks[..outputs.len()].to_vec())))
            .collect();
        both(&Group { inputs, outputs, site }, &runs, spare);
    }
}
