//! The pool of KV blocks.

/// One block of the pool, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockId(pub u32);
