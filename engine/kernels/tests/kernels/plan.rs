//! How rows are divided: everything once, within the limits of the kernels, and independent of neighbours.

use proptest::prelude::*;
use tenora_kernels::{
    abi::{ATTENTION_TILE_VECTORS, BLOCK_TOKENS, LORA_TILE_ROWS, NO_PARTIAL},
    plan::{Attention, SequenceRows, lora_tiles, lora_tiles_bound},
};

fn sequences(shapes: &[(usize, usize)]) -> Vec<SequenceRows> {
    let mut start = 0;
    let mut sequence = |&(rows, position): &(usize, usize)| {
        start += rows;
        SequenceRows { rows: start - rows..start, position }
    };
    shapes.iter().map(&mut sequence).collect()
}

proptest! {
    #[test]
    fn every_row_looks_at_its_whole_past_once(
        shapes in prop::collection::vec((1usize..100, 0usize..2000), 1..6),
        group in 1usize..17,
    ) {
        let sequences = sequences(&shapes);
        let plan = Attention::new(sequences.clone(), group);
        for (index, sequence) in sequences.iter().enumerate() {
            for row in sequence.rows.clone() {
                let own = plan.tiles.iter().filter(|t| (t.row..t.row + t.rows).contains(&(row as u32)));
                let mut next = 0;
                for tile in own {
                    prop_assert_eq!(tile.sequence as usize, index);
                    prop_assert_eq!(tile.position as usize, sequence.position + tile.row as usize - sequence.rows.start);
                    prop_assert_eq!(tile.key_from, next);
                    prop_assert!(tile.rows == 1 || tile.rows as usize * group <= ATTENTION_TILE_VECTORS);
                    prop_assert_eq!(tile.key_from as usize % BLOCK_TOKENS, 0);
                    prop_assert!(tile.key_to <= tile.position + tile.rows);
                    next = tile.key_to;
                }
                prop_assert!(next as usize > sequence.position + row - sequence.rows.start);
            }
        }
        let mut partial = 0;
        for row in &plan.combined {
            prop_assert_eq!(row.first, partial);
            partial += row.count;
        }
        prop_assert_eq!(plan.partials, partial as usize);
        let partials: Vec<u32> = plan.tiles.iter().map(|t| t.partial).filter(|p| *p != NO_PARTIAL).collect();
        prop_assert_eq!(partials, (0..partial).collect::<Vec<_>>());
    }

    #[test]
    fn every_row_with_an_adapter_is_in_one_tile(lengths in prop::collection::vec((1usize..100, 0u64..4), 1..8)) {
        let mut start = 0;
        let segments: Vec<_> = lengths.iter().map(|&(rows, sites)| {
            start += rows;
            (start - rows..start, sites)
        }).collect();
        let tiles = lora_tiles(segments.clone());
        let covered: Vec<_> = tiles.iter().flat_map(|t| (t.row..t.row + t.rows).map(|row| (row as usize, t.sites))).collect();
        let wanted: Vec<_> = segments.iter().filter(|s| s.1 != 0)
            .flat_map(|(rows, sites)| rows.clone().map(|row| (row, *sites))).collect();
        prop_assert_eq!(covered, wanted);
        prop_assert!(tiles.iter().all(|t| t.rows as usize <= LORA_TILE_ROWS));
        prop_assert!(tiles.len() <= lora_tiles_bound(start, segments.len()));
    }
}
