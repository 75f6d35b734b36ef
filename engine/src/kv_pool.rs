//! The pool of KV blocks: who holds which, and which full blocks can be used again. Knows numbers only; what lies in a
//! block is the runner's.
//!
//! A full block is found again by *what it continues* and *its own tokens*, compared and not only hashed. A first block
//! continues an [`Owner`], any other the block before it, so by induction a match means: same tenant, same adapter
//! digest (or none), same tokens from position 0 on. Names take no part.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::request::CacheDomain;

/// One block of the pool, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockId(pub u32);

/// Whose keys and values these are: within one owner, blocks may be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The tenant.
    pub domain: CacheDomain,
    /// The adapter's digest; `None` = the base model.
    pub adapter: Option<[u8; 32]>,
}

/// What a block continues. Serials are never given twice, so a reused block number cannot be mistaken for its past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parent {
    /// Nothing: this is a first block.
    Owner(Owner),
    /// The registered block with this serial.
    Block(u64),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    parent: Parent,
    tokens: Box<[u32]>,
}

#[derive(Debug, Default)]
struct Block {
    holders: u32,
    registered: Option<(u64, Key)>,
    /// When it was put down, while nobody holds it.
    idle_since: Option<u64>,
}

/// All blocks. A block is *held*, *idle* (nobody's, its content findable) or *empty*.
#[derive(Debug)]
pub struct KvPool {
    block_tokens: usize,
    blocks: Vec<Block>,
    empty: Vec<BlockId>,
    /// By when they were put down; the first is taken first.
    idle: BTreeMap<u64, BlockId>,
    found: HashMap<Key, BlockId>,
    clock: u64,
}

/// A sequence's blocks from position 0 on, and what the next one would continue.
#[derive(Debug)]
pub struct BlockTable {
    blocks: Vec<BlockId>,
    registered: usize,
    parent: Parent,
}

impl BlockTable {
    /// Block numbers in order of position.
    pub fn blocks(&self) -> &[BlockId] {
        &self.blocks
    }
}

impl KvPool {
    /// A pool of empty blocks.
    pub fn new(blocks: usize, block_tokens: usize) -> Self {
        Self {
            block_tokens,
            blocks: (0..blocks).map(|_| Block::default()).collect(),
            empty: (0..blocks as u32).rev().map(BlockId).collect(),
            idle: BTreeMap::new(),
            found: HashMap::new(),
            clock: 0,
        }
    }

    /// Blocks that a sequence of this many tokens needs.
    pub fn blocks_for(&self, tokens: usize) -> usize {
        tokens.div_ceil(self.block_tokens)
    }

    /// Blocks that could be taken now.
    pub fn available(&self) -> usize {
        self.empty.len() + self.idle.len()
    }

    /// Blocks in all.
    pub fn total(&self) -> usize {
        self.blocks.len()
    }

    /// A table for a sequence, beginning with the blocks already known of its prefix, and how many tokens those hold.
    /// At least one token is left to compute: without it there would be no logits.
    pub fn begin(&mut self, owner: Owner, tokens: &[u32]) -> (BlockTable, usize) {
        let mut table = BlockTable { blocks: Vec::new(), registered: 0, parent: Parent::Owner(owner) };
        let usable = tokens.len().saturating_sub(1) / self.block_tokens;
        for tokens in tokens.chunks(self.block_tokens).take(usable) {
            let key = Key { parent: table.parent, tokens: tokens.into() };
            let Some(&id) = self.found.get(&key) else { break };
            self.hold(id);
            table.blocks.push(id);
            table.registered += 1;
            if let Some((serial, _)) = &self.blocks[id.0 as usize].registered {
                table.parent = Parent::Block(*serial);
            }
        }
        let cached = table.registered * self.block_tokens;
        (table, cached)
    }

    /// Extends a table to hold this many tokens; `false`, and nothing taken, when the pool is too full.
    #[must_use]
    pub fn extend(&mut self, table: &mut BlockTable, tokens: usize) -> bool {
        let missing = self.blocks_for(tokens).saturating_sub(table.blocks.len());
        if missing > self.available() {
            return false;
        }
        table.blocks.extend((0..missing).filter_map(|_| self.take()));
        true
    }

    /// Makes the blocks that `tokens`, all of them computed, fill findable.
    pub fn register(&mut self, table: &mut BlockTable, tokens: &[u32]) {
        let full = tokens.chunks_exact(self.block_tokens).skip(table.registered);
        for tokens in full {
            let id = table.blocks[table.registered];
            let key = Key { parent: table.parent, tokens: tokens.into() };
            // The same content may be findable under another block already; then this one's children continue that one.
            let serial = match self.found.get(&key).map(|twin| &self.blocks[twin.0 as usize].registered) {
                Some(Some((serial, _))) => *serial,
                _ => self.publish(id, key),
            };
            table.parent = Parent::Block(serial);
            table.registered += 1;
        }
    }

    /// Puts a sequence's blocks down, the last first, so that a prefix outlives what continues it.
    pub fn release(&mut self, table: BlockTable) {
        for id in table.blocks.into_iter().rev() {
            let block = &mut self.blocks[id.0 as usize];
            block.holders -= 1;
            if block.holders > 0 {
                continue;
            }
            if block.registered.is_some() {
                self.clock += 1;
                block.idle_since = Some(self.clock);
                self.idle.insert(self.clock, id);
            } else {
                self.empty.push(id);
            }
        }
    }

    /// Makes whatever was computed with an adapter unfindable. Who holds such blocks still keeps them.
    pub fn forget(&mut self, adapter: [u8; 32]) {
        let mut known: Vec<(u64, BlockId, Parent)> = self
            .found
            .values()
            .filter_map(|id| {
                self.blocks[id.0 as usize].registered.as_ref().map(|known| (known.0, *id, known.1.parent))
            })
            .collect();
        // A block is registered after what it continues.
        known.sort_unstable_by_key(|(serial, ..)| *serial);
        let mut gone = HashSet::new();
        for (serial, id, parent) in known {
            let goes = match parent {
                Parent::Owner(owner) => owner.adapter == Some(adapter),
                Parent::Block(parent) => gone.contains(&parent),
            };
            if goes {
                gone.insert(serial);
                self.unregister(id);
            }
        }
    }

    /// Every block is held, idle or empty, once; what is findable is registered.
    ///
    /// # Errors
    /// Says which of it is not so.
    pub fn check_integrity(&self, held: usize) -> Result<(), String> {
        let holding = self.blocks.iter().filter(|block| block.holders > 0).count();
        let holders: u32 = self.blocks.iter().map(|block| block.holders).sum();
        if holding + self.available() != self.total() || holders as usize != held {
            return Err(format!(
                "{holding} held + {} available of {}; {holders} holds, {held} in tables",
                self.available(),
                self.total()
            ));
        }
        let lost = self.found.iter().find(|(key, id)| {
            !matches!(&self.blocks[id.0 as usize].registered, Some((_, registered)) if registered == *key)
        });
        lost.map_or(Ok(()), |(_, id)| Err(format!("block {} is found as what it is not", id.0)))
    }

    fn publish(&mut self, id: BlockId, key: Key) -> u64 {
        self.clock += 1;
        self.found.insert(key.clone(), id);
        self.blocks[id.0 as usize].registered = Some((self.clock, key));
        self.clock
    }

    fn hold(&mut self, id: BlockId) {
        let block = &mut self.blocks[id.0 as usize];
        block.holders += 1;
        if let Some(since) = block.idle_since.take() {
            self.idle.remove(&since);
        }
    }

    fn take(&mut self) -> Option<BlockId> {
        let id = self.empty.pop().or_else(|| self.idle.first_key_value().map(|(_, id)| *id))?;
        self.hold(id);
        self.unregister(id);
        Some(id)
    }

    /// Makes a block's content unfindable; an idle block is empty then.
    fn unregister(&mut self, id: BlockId) {
        let block = &mut self.blocks[id.0 as usize];
        if let Some((_, key)) = block.registered.take() {
            self.found.remove(&key);
        }
        if let Some(since) = block.idle_since.take() {
            self.idle.remove(&since);
            self.empty.push(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(domain: u128, adapter: Option<u8>) -> Owner {
        Owner { domain: CacheDomain(domain), adapter: adapter.map(|byte| [byte; 32]) }
    }

    /// Computes `tokens` for an owner, puts them down, and tells how many came from the cache.
    fn run(pool: &mut KvPool, owner: Owner, tokens: &[u32]) -> usize {
        let (mut table, cached) = pool.begin(owner, tokens);
        assert!(pool.extend(&mut table, tokens.len()));
        pool.register(&mut table, tokens);
        pool.check_integrity(table.blocks.len()).unwrap();
        pool.release(table);
        pool.check_integrity(0).unwrap();
        cached
    }

    #[test]
    fn a_prefix_is_found_by_its_owner_alone() {
        let mut pool = KvPool::new(64, 4);
        let tokens: Vec<u32> = (0..13).collect();
        assert_eq!(run(&mut pool, owner(1, Some(1)), &tokens), 0);
        assert_eq!(run(&mut pool, owner(1, Some(1)), &tokens), 12);
        for other in [owner(2, Some(1)), owner(1, Some(2)), owner(1, None)] {
            assert_eq!(run(&mut pool, other, &tokens), 0, "{other:?}");
        }
        let mut changed = tokens.clone();
        changed[5] = 99;
        assert_eq!(run(&mut pool, owner(1, Some(1)), &changed), 4, "the first block only");
        assert_eq!(run(&mut pool, owner(1, Some(1)), &tokens[4..]), 0, "tokens at other positions");
    }

    #[test]
    fn one_token_is_always_left_to_compute() {
        let mut pool = KvPool::new(8, 4);
        run(&mut pool, owner(1, None), &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(run(&mut pool, owner(1, None), &[1, 2, 3, 4, 5, 6, 7, 8]), 4);
        assert_eq!(run(&mut pool, owner(1, None), &[1]), 0);
    }

    #[test]
    fn idle_blocks_make_room_oldest_first_and_a_full_pool_says_so() {
        let mut pool = KvPool::new(4, 2);
        run(&mut pool, owner(1, None), &[1, 2, 3]);
        run(&mut pool, owner(2, None), &[1, 2, 3]);
        let (mut large, _) = pool.begin(owner(3, None), &[9; 8]);
        assert!(!pool.extend(&mut large, 9), "five blocks of four");
        assert!(pool.extend(&mut large, 6));
        assert_eq!(pool.available(), 1);
        let (kept, cached) = pool.begin(owner(2, None), &[1, 2, 3]);
        assert_eq!(cached, 2, "the younger one stayed");
        pool.check_integrity(4).unwrap();
        pool.release(kept);
        pool.release(large);
        pool.check_integrity(0).unwrap();
    }

    #[test]
    fn a_reused_block_number_is_not_mistaken_for_its_past() {
        let mut pool = KvPool::new(2, 2);
        run(&mut pool, owner(1, None), &[1, 2, 3, 4, 5][..4]);
        // Evicts both blocks, then the first block's number holds other content.
        run(&mut pool, owner(2, None), &[7, 8, 9, 9]);
        let (table, cached) = pool.begin(owner(1, None), &[1, 2, 3, 4, 5]);
        assert_eq!(cached, 0);
        pool.release(table);
    }

    #[test]
    fn what_an_adapter_computed_can_be_forgotten_and_nothing_else() {
        let mut pool = KvPool::new(64, 4);
        let tokens: Vec<u32> = (0..13).collect();
        for adapter in [None, Some(1), Some(2)] {
            run(&mut pool, owner(1, adapter), &tokens);
        }
        let (held, cached) = pool.begin(owner(1, Some(2)), &tokens);
        assert_eq!(cached, 12);
        pool.forget([2; 32]);
        pool.check_integrity(3).unwrap();
        pool.release(held);
        pool.check_integrity(0).unwrap();
        for (adapter, cached) in [(None, 12), (Some(1), 12), (Some(2), 0)] {
            assert_eq!(run(&mut pool, owner(1, adapter), &tokens), cached, "{adapter:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn blocks_are_never_lost(runs in proptest::collection::vec((0u128..3, 1usize..30, 0u32..2), 1..40)) {
            let mut pool = KvPool::new(24, 4);
            let mut held: Vec<BlockTable> = Vec::new();
            for (index, (domain, length, seed)) in runs.into_iter().enumerate() {
                let tokens: Vec<u32> = (0..length as u32).map(|t| t * seed).collect();
                let (mut table, cached) = pool.begin(owner(domain, Some(domain as u8)), &tokens);
                proptest::prop_assert!(cached < length);
                if pool.extend(&mut table, length) {
                    pool.register(&mut table, &tokens);
                    held.push(table);
                } else {
                    pool.release(table);
                }
                if index % 3 == 2 && !held.is_empty() {
                    pool.release(held.swap_remove(index % held.len()));
                }
                let holds = held.iter().map(|table| table.blocks.len()).sum();
                if index % 5 == 4 {
                    pool.forget([domain as u8; 32]);
                    let (table, cached) = pool.begin(owner(domain, Some(domain as u8)), &tokens);
                    proptest::prop_assert_eq!(cached, 0);
                    pool.release(table);
                }
                proptest::prop_assert_eq!(pool.check_integrity(holds), Ok(()));
            }
        }
    }
}
