//! The largest logits of a step's rows, found on the device: how many, where they lie, and what they say here. Rows of a
//! vocabulary's size stay where they are.

use std::slice;

use tenora_kernels::abi::{RowSummary, TOP_K_MAX};

use super::numbers::{Plain, from_bytes};
use crate::{
    batch::Batch,
    logits::{TopLogits, Wanted},
};

const _: () = assert!(Wanted::MOST_TOP <= TOP_K_MAX);

/// How many rows want their largest logits, and how many of these are found for each: as many as any wants, rounded up, so
/// that there are few different numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Top {
    pub(super) rows: usize,
    pub(super) count: usize,
}

/// Where the tables begin: `[rows]` of [`RowSummary`], then tokens and logits, `[rows, count]` each, where summaries do not say
/// it all.
#[derive(Debug, Clone, Copy)]
pub(super) struct TopPlaces {
    pub(super) summaries: u64,
    pub(super) tokens: u64,
    pub(super) logits: u64,
}

impl Top {
    /// What a step's sequences want, of a vocabulary.
    pub(super) fn of<A>(batch: &Batch<A>, vocab_size: usize) -> Self {
        let wanted = batch.sequences.iter().filter_map(|sequence| match sequence.wanted {
            Wanted::Top(count) => Some(count),
            Wanted::Nothing | Wanted::Row => None,
        });
        let most = wanted.clone().max().unwrap_or(0);
        Self { rows: wanted.count(), count: most.next_power_of_two().min(vocab_size) }
    }

    /// Bytes of the most that a step may want.
    pub(super) fn most_bytes(sequences: usize) -> usize {
        Self { rows: sequences, count: Wanted::MOST_TOP }.bytes()
    }

    /// Whether a summary says it all.
    pub(super) fn is_greedy(self) -> bool {
        self.count == 1
    }

    /// Bytes of its tables.
    pub(super) fn bytes(self) -> usize {
        let places = self.places(0);
        if self.is_greedy() { places.tokens as usize } else { (2 * places.logits - places.tokens) as usize }
    }

    /// Where they lie, one after the other.
    pub(super) fn places(self, start: u64) -> TopPlaces {
        let tokens = start + (self.rows * size_of::<RowSummary>()) as u64;
        TopPlaces {
            summaries: start,
            tokens,
            logits: tokens + (self.rows * self.count * size_of::<u32>()) as u64,
        }
    }

    /// What the tables, in room for the most of them, say of each row.
    pub(super) fn read(self, tables: &[u8]) -> impl Iterator<Item = TopLogits<'_>> {
        let places = self.places(0);
        let summaries: &[RowSummary] = at(tables, places.summaries);
        let (tokens, logits) = (at(tables, places.tokens), at(tables, places.logits));
        summaries[..self.rows].iter().enumerate().map(move |(row, summary)| {
            let (tokens, logits) = match self.is_greedy() {
                true => (slice::from_ref(&summary.token), slice::from_ref(&summary.max)),
                false => {
                    let own = row * self.count..(row + 1) * self.count;
                    (&tokens[own.clone()], &logits[own])
                }
            };
            TopLogits { tokens, logits, log_sum_exp: summary.log_sum_exp, finite: summary.finite == 1 }
        })
    }
}

fn at<T: Plain>(bytes: &[u8], place: u64) -> &[T] {
    from_bytes(&bytes[place as usize..])
}
