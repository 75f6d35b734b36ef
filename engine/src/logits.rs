//! What the sampler wants of a row of logits, and what a runner gives: rows are long, and few answers need all of theirs.

/// What of a row of logits is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: a prefill chunk before the last.
    Nothing,
    /// The so many largest, from 1 to [`Wanted::MOST_TOP`].
    Top(usize),
    /// All of it.
    Row,
}

impl Wanted {
    /// Most of the largest logits that are worth less than their row.
    pub const MOST_TOP: usize = 64;
}

/// What a sequence's next token is chosen from, in the runner's memory until its next step.
pub enum NextLogits<'a> {
    /// All logits, `[vocab_size]`, free to be changed.
    Row(&'a mut [f32]),
    /// The largest.
    Top(TopLogits<'a>),
}

/// The largest logits of a row, and what there is to know of the others.
#[derive(Debug, Clone, Copy)]
pub struct TopLogits<'a> {
    /// Tokens by their logits, the largest first; of equal ones the lower first.
    pub tokens: &'a [u32],
    /// Their logits.
    pub logits: &'a [f32],
    /// `ln Σ exp(logit)` over the row.
    pub log_sum_exp: f32,
    /// Whether no logit of the row is NaN or +infinity.
    pub finite: bool,
}

impl<'a> NextLogits<'a> {
    /// Rows that begin every `stride` numbers.
    pub fn rows(numbers: &'a mut [f32], stride: usize, vocab_size: usize) -> Vec<Self> {
        numbers.chunks_exact_mut(stride).map(|row| Self::Row(&mut row[..vocab_size])).collect()
    }
}
