//! Drives a runner by hand: allocates blocks, sorts rows by adapter, builds batches.

use std::{collections::HashMap, sync::Arc};

use sha2::{Digest, Sha256};
use tenora_engine::{
    batch::{Batch, BatchSequence, Segment},
    config::{DeviceChoice, EngineConfig},
    kv_pool::BlockId,
    request::AdapterFiles,
    runner::{
        Runner,
        reference::{ReferenceAdapter, ReferenceRunner},
    },
};

use crate::fixture::{Case, Fixture, folder};

/// One runner with its free blocks and its adapters.
pub(crate) struct Driver {
    runner: ReferenceRunner,
    free: Vec<BlockId>,
    adapters: HashMap<String, Arc<ReferenceAdapter>>,
}

/// One sequence.
pub(crate) struct Row {
    adapter: Option<(String, Arc<ReferenceAdapter>)>,
    blocks: Vec<BlockId>,
    position: usize,
}

impl Row {
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn adapter(&self) -> Option<&Arc<ReferenceAdapter>> {
        self.adapter.as_ref().map(|(_, adapter)| adapter)
    }
}

impl Driver {
    pub(crate) fn load(model: &str) -> Self {
        let mut config = EngineConfig::new(folder(model).join("base"));
        config.kv_bytes = 8 << 20;
        config.device = DeviceChoice::Cpu;
        let runner = ReferenceRunner::load(&config, &|_| ()).unwrap();
        // Every third block first, so that no sequence's blocks lie side by side.
        let blocks = runner.kv_blocks() as u32;
        let free = (0..3).flat_map(|offset| (offset..blocks).step_by(3)).map(BlockId).collect();
        Self { runner, free, adapters: HashMap::new() }
    }

    pub(crate) fn row(&mut self, fixture: &Fixture, case: &Case) -> Row {
        let adapter = case.adapter.clone().map(|name| {
            let load = || Arc::new(self.runner.loader().load(&files(fixture.model, &name)).unwrap());
            let adapter = Arc::clone(self.adapters.entry(name.clone()).or_insert_with(load));
            (name, adapter)
        });
        Row { adapter, blocks: Vec::new(), position: 0 }
    }

    pub(crate) fn release(&mut self, row: Row) {
        self.free.extend(row.blocks);
    }

    /// One step: each row's tokens, and whether the logits of the last are wanted. Logits come back in the order of `work`.
    pub(crate) fn step(&mut self, work: &mut [(&mut Row, Vec<u32>, bool)]) -> Vec<Vec<f32>> {
        let mut order: Vec<usize> = (0..work.len()).collect();
        order.sort_by_key(|&i| work[i].0.adapter.as_ref().map(|(name, _)| name.clone()));
        let mut batch =
            Batch { tokens: Vec::new(), positions: Vec::new(), sequences: Vec::new(), segments: Vec::new() };
        for &i in &order {
            let (row, tokens, wants_logits) = &mut work[i];
            let start = batch.tokens.len();
            batch.positions.extend((row.position..row.position + tokens.len()).map(|p| p as u32));
            batch.tokens.extend(tokens.iter());
            row.position += tokens.len();
            while row.blocks.len() * self.runner.block_tokens() < row.position {
                row.blocks.push(self.free.pop().expect("enough blocks"));
            }
            let rows = start..batch.tokens.len();
            extend_segments(&mut batch.segments, rows.clone(), row.adapter());
            let (blocks, wants_logits) = (row.blocks.clone(), *wants_logits);
            batch.sequences.push(BatchSequence { rows, blocks, wants_logits });
        }
        let logits: Vec<Vec<f32>> =
            self.runner.run(&batch).unwrap().into_rows().map(|row| row.to_vec()).collect();
        assert_eq!(logits.len(), batch.logits_rows());
        let mut numbered: Vec<_> = order.into_iter().filter(|&i| work[i].2).zip(logits).collect();
        numbered.sort_by_key(|(i, _)| *i);
        numbered.into_iter().map(|(_, logits)| logits).collect()
    }
}

fn extend_segments(
    segments: &mut Vec<Segment<ReferenceAdapter>>,
    rows: std::ops::Range<usize>,
    adapter: Option<&Arc<ReferenceAdapter>>,
) {
    match segments.last_mut() {
        Some(last) if last.adapter.as_ref().map(Arc::as_ptr) == adapter.map(Arc::as_ptr) => {
            last.rows.end = rows.end;
        }
        _ => segments.push(Segment { rows, adapter: adapter.cloned() }),
    }
}

/// A fixture adapter's files, with their true digest.
fn files(model: &str, adapter: &str) -> AdapterFiles {
    let folder = folder(model).join(adapter);
    let (config, weights) = (folder.join("adapter_config.json"), folder.join("adapter_model.safetensors"));
    let bytes = std::fs::read(&config).unwrap();
    let digest = Sha256::new()
        .chain_update((bytes.len() as u64).to_le_bytes())
        .chain_update(&bytes)
        .chain_update(std::fs::read(&weights).unwrap())
        .finalize();
    AdapterFiles { digest: digest.into(), config, weights, pin: Arc::new(()) }
}
