//! What changes from step to step, in tables that one copy brings onto the device: tokens, positions, where keys go, what
//! each block of a kernel works on. Addresses follow from the tables' lengths alone.

use tenora_kernels::{
    abi::{AttentionTile, BLOCK_TOKENS, CombineRow, LORA_MAX_RANK, LORA_SHRINK_RANKS, LoraTile},
    plan::{Attention, SPLIT_TOKENS, SequenceRows, lora_tiles},
};

use super::{
    adapter::CudaAdapter,
    gpu::{DeviceMemory, Gpu, GpuError},
    numbers::{Plain, as_bytes},
    top::Top,
};
use crate::{
    batch::{Batch, BatchSequence},
    config::EngineConfig,
    error::EngineError,
    logits::Wanted,
    model::ModelConfig,
};

/// Bytes for attention over parts of long pasts. A step that needs more is done in several waves.
const PARTIAL_BYTES: usize = 64 << 20;
/// Tables begin at multiples of this.
const ALIGNMENT: usize = 16;
/// Tables of a step at most: five, and three for each wave, of which there are no more than sequences.
const FIXED_TABLES: usize = 5;
const WAVE_TABLES: usize = 3;

/// The largest step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) rows: usize,
    pub(super) sequences: usize,
    /// Parts of long pasts that are attended at a time.
    pub(super) partials: usize,
    /// Highest rank of an adapter, as [`Tables::fill`] rounds it.
    pub(super) max_rank: usize,
    vocabulary: usize,
    context: usize,
    /// Query heads that share a key head.
    group: usize,
}

impl Limits {
    pub(super) fn of(model: &ModelConfig, config: &EngineConfig) -> Self {
        let sequences = config.max_batch_sequences.min(config.max_batch_rows);
        let longest = model.context_length.div_ceil(SPLIT_TOKENS);
        let affordable = PARTIAL_BYTES / (model.heads * (model.head_dim + 2) * size_of::<f32>());
        Self {
            rows: config.max_batch_rows,
            sequences,
            partials: longest.max(affordable.min(sequences * longest)),
            max_rank: rounded_rank(config.max_rank),
            vocabulary: model.vocab_size,
            context: model.context_length,
            group: model.heads / model.kv_heads,
        }
    }

    /// Bytes of the longest tables.
    fn table_bytes(&self) -> usize {
        let parts = self.sequences * self.context.div_ceil(SPLIT_TOKENS);
        let numbers =
            3 * self.rows + self.sequences * (1 + rounded_blocks(self.context.div_ceil(BLOCK_TOKENS)));
        numbers * size_of::<u32>()
            + (self.rows + parts) * size_of::<AttentionTile>()
            + self.sequences * size_of::<CombineRow>()
            + self.rows * size_of::<LoraTile>()
            + (FIXED_TABLES + WAVE_TABLES * self.sequences) * ALIGNMENT
    }
}

/// Blocks of a row of the block tables: few different numbers, so that few graphs would have to be captured.
fn rounded_blocks(blocks: usize) -> usize {
    blocks.next_power_of_two()
}

/// A launch's highest rank: few different numbers, too.
fn rounded_rank(rank: usize) -> usize {
    rank.next_power_of_two().clamp(LORA_SHRINK_RANKS, LORA_MAX_RANK)
}

/// A table on the device.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Table {
    pub(super) address: u64,
    pub(super) len: u32,
}

/// Sequences whose partial results find room at the same time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wave {
    /// Of [`AttentionTile`].
    pub(super) tiles: Table,
    /// Of [`CombineRow`].
    pub(super) combined: Table,
    /// `[sequences, max_blocks]` of `u32`.
    pub(super) block_tables: u64,
}

/// Where one step's tables lie on the device.
#[derive(Debug)]
pub(super) struct StepTables {
    pub(super) rows: usize,
    /// `[rows]` of `u32`.
    pub(super) tokens: u64,
    /// `[rows]` of `u32`.
    pub(super) positions: u64,
    /// Where a row's key and value go, `[rows]` of `u32`.
    pub(super) slots: u64,
    /// Rows whose logits are wanted, of `u32`: those first of which only the largest are.
    pub(super) last: Table,
    /// Of the first of these.
    pub(super) top: Top,
    /// Of [`LoraTile`]; none when no row has an adapter.
    pub(super) lora: Table,
    /// The highest rank among the step's adapters, rounded up.
    pub(super) max_rank: usize,
    pub(super) max_blocks: usize,
    pub(super) waves: Vec<Wave>,
    /// All tables together.
    pub(super) bytes: usize,
}

/// Room for the tables of a step, here and on the device.
pub(super) struct Tables<G: Gpu> {
    host: G::Host,
    device: G::Memory,
    limits: Limits,
}

impl<G: Gpu> Tables<G> {
    /// Bytes on the device.
    pub(super) fn bytes(limits: &Limits) -> usize {
        limits.table_bytes()
    }

    pub(super) fn new(gpu: &G, limits: Limits) -> Result<Self, GpuError> {
        let bytes = Self::bytes(&limits);
        Ok(Self { host: gpu.allocate_host(bytes)?, device: gpu.allocate(bytes)?, limits })
    }

    /// Writes a step's tables down, here.
    ///
    /// # Errors
    /// [`EngineError::Fault`]: the batch is larger than what was promised.
    pub(super) fn fill(&mut self, batch: &Batch<CudaAdapter<G>>) -> Result<StepTables, EngineError> {
        let Limits { rows, sequences, .. } = self.limits;
        if batch.rows() > rows || batch.sequences.len() > sequences {
            return Err(malformed(&format!("over {rows} rows or {sequences} sequences")));
        }
        let mut writer = Writer { bytes: &mut self.host, used: 0, device: self.device.address() };
        let top = Top::of(batch, self.limits.vocabulary);
        let adapters = || batch.segments.iter().map(|segment| (&segment.rows, segment.adapter.as_deref()));
        let lora = lora_tiles(
            adapters().map(|(rows, adapter)| (rows.clone(), adapter.map_or(0, CudaAdapter::sites))),
        );
        let ranks = adapters().filter_map(|(_, adapter)| adapter).map(CudaAdapter::max_rank);
        let blocks = batch.sequences.iter().map(|sequence| sequence.blocks.len()).max();
        let mut tables = StepTables {
            rows: batch.rows(),
            tokens: writer.put(&batch.tokens)?.address,
            positions: writer.put(&batch.positions)?.address,
            slots: writer.put(&slots(batch))?.address,
            last: writer.put(&last_rows(batch))?,
            top,
            lora: writer.put(&lora)?,
            max_rank: rounded_rank(ranks.max().unwrap_or(0)),
            max_blocks: rounded_blocks(blocks.unwrap_or(1)),
            waves: Vec::new(),
            bytes: 0,
        };
        for wave in waves(batch, self.limits.partials) {
            let wave = write_wave(&mut writer, batch, wave, (self.limits.group, tables.max_blocks))?;
            tables.waves.push(wave);
        }
        tables.bytes = writer.used;
        Ok(tables)
    }

    /// Sends them off.
    ///
    /// # Safety
    /// [`Tables::fill`] is not called again before [`Gpu::wait`].
    pub(super) unsafe fn send(&self, gpu: &G, bytes: usize) -> Result<(), GpuError> {
        // SAFETY: both have this size, and the caller waits before either changes.
        unsafe { gpu.copy_in(&self.host, bytes, self.device.address()) }
    }
}

fn malformed(what: &str) -> EngineError {
    EngineError::Fault(format!("malformed batch: {what}"))
}

/// The rows whose logits are wanted, those first of which only the largest are.
fn last_rows<A>(batch: &Batch<A>) -> Vec<u32> {
    let rows = |wanted: fn(Wanted) -> bool| {
        let sequences = batch.sequences.iter().filter(move |sequence| wanted(sequence.wanted));
        sequences.map(|sequence| sequence.rows.end as u32 - 1)
    };
    rows(|wanted| matches!(wanted, Wanted::Top(_))).chain(rows(|wanted| wanted == Wanted::Row)).collect()
}

fn position<A>(batch: &Batch<A>, sequence: &BatchSequence) -> usize {
    batch.positions[sequence.rows.start] as usize
}

/// Where each row's key and value go.
fn slots<A>(batch: &Batch<A>) -> Vec<u32> {
    let of_sequence = |sequence: &BatchSequence| {
        let start = position(batch, sequence);
        let slot = |position: usize| {
            sequence.blocks[position / BLOCK_TOKENS].0 * BLOCK_TOKENS as u32
                + (position % BLOCK_TOKENS) as u32
        };
        (start..start + sequence.rows.len()).map(slot).collect::<Vec<_>>()
    };
    batch.sequences.iter().flat_map(of_sequence).collect()
}

/// Runs of sequences whose partial results find room at the same time. How a sequence is cut does not depend on it.
fn waves<A>(batch: &Batch<A>, most: usize) -> Vec<&[BatchSequence]> {
    let (mut waves, mut begin, mut partials) = (Vec::new(), 0, 0);
    for (index, sequence) in batch.sequences.iter().enumerate() {
        let parts = match sequence.rows.len() {
            1 => (position(batch, sequence) + 1).div_ceil(SPLIT_TOKENS),
            _ => 0,
        };
        if partials + parts > most {
            waves.push(&batch.sequences[begin..index]);
            (begin, partials) = (index, 0);
        }
        partials += parts;
    }
    waves.push(&batch.sequences[begin..]);
    waves
}

fn write_wave<A>(
    writer: &mut Writer<'_>,
    batch: &Batch<A>,
    sequences: &[BatchSequence],
    (group, max_blocks): (usize, usize),
) -> Result<Wave, EngineError> {
    let rows = |sequence: &BatchSequence| SequenceRows {
        rows: sequence.rows.clone(),
        position: position(batch, sequence),
    };
    let plan = Attention::new(sequences.iter().map(rows), group);
    let mut blocks = Vec::with_capacity(sequences.len() * max_blocks);
    for sequence in sequences {
        let end = blocks.len() + max_blocks;
        blocks.extend(sequence.blocks.iter().map(|block| block.0));
        blocks.resize(end, 0);
    }
    Ok(Wave {
        tiles: writer.put(&plan.tiles)?,
        combined: writer.put(&plan.combined)?,
        block_tables: writer.put(&blocks)?.address,
    })
}

/// Writes tables one after the other.
struct Writer<'a> {
    bytes: &'a mut [u8],
    used: usize,
    device: u64,
}

impl Writer<'_> {
    fn put<T: Plain>(&mut self, values: &[T]) -> Result<Table, EngineError> {
        let (start, bytes) = (self.used.next_multiple_of(ALIGNMENT), as_bytes(values));
        let place = self.bytes.get_mut(start..start + bytes.len());
        place.ok_or_else(|| malformed("its tables are longer than any"))?.copy_from_slice(bytes);
        self.used = start + bytes.len();
        Ok(Table { address: self.device + start as u64, len: values.len() as u32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv_pool::BlockId;

    /// Sequences of so many rows each, whose first rows have these positions.
    fn batch(sequences: &[(usize, usize)]) -> Batch<()> {
        let mut batch =
            Batch { tokens: Vec::new(), positions: Vec::new(), sequences: Vec::new(), segments: Vec::new() };
        for &(rows, position) in sequences {
            let start = batch.positions.len();
            batch.positions.extend((position..position + rows).map(|position| position as u32));
            let blocks = (position + rows).div_ceil(BLOCK_TOKENS) as u32;
            batch.sequences.push(BatchSequence {
                rows: start..batch.positions.len(),
                blocks: (0..blocks).rev().map(BlockId).collect(),
                wanted: Wanted::Row,
            });
        }
        batch.tokens = vec![0; batch.positions.len()];
        batch
    }

    #[test]
    fn waves_hold_every_sequence_once_and_no_more_parts_than_there_is_room_for() {
        // Three parts, none, one, two, three.
        let batch = batch(&[(1, 700), (8, 900), (1, 3), (1, 300), (1, 767)]);
        let lengths = |most| waves(&batch, most).iter().map(|wave| wave.len()).collect::<Vec<_>>();
        assert_eq!(lengths(100), [5]);
        assert_eq!(lengths(4), [3, 1, 1]);
        assert_eq!(lengths(5), [3, 2]);
    }

    #[test]
    fn slots_follow_positions_through_blocks() {
        // Blocks are in descending order: 1, 0.
        assert_eq!(slots(&batch(&[(3, 14)])), [30, 31, 0]);
    }

    #[test]
    fn the_largest_step_finds_room() {
        let limits = Limits {
            rows: 40,
            sequences: 8,
            partials: 4,
            max_rank: 16,
            vocabulary: 9,
            context: 1024,
            group: 64,
        };
        // Each row a tile, each sequence a wave.
        for batch in [batch(&[(1, 1023); 8]), batch(&[(5, 1019); 8])] {
            let mut bytes = vec![0; limits.table_bytes()];
            let mut writer = Writer { bytes: &mut bytes, used: 0, device: 1 << 20 };
            for numbers in [&batch.tokens, &batch.positions, &slots(&batch), &vec![0; 8]] {
                writer.put(numbers).unwrap();
            }
            let tiles = vec![LoraTile { sites: 0, row: 0, rows: 1 }; batch.rows()];
            assert_eq!(writer.put(&tiles).unwrap().address % ALIGNMENT as u64, 0);
            for wave in waves(&batch, limits.partials) {
                write_wave(&mut writer, &batch, wave, (limits.group, rounded_blocks(64))).unwrap();
            }
        }
    }
}
