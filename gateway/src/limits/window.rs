//! A sliding window over the last 60 seconds, counted in slots of one second.
//!
//! A charge counts until its whole slot is older than the window, thus for 60 to 61 seconds: what is admitted by this
//! count is within the limit in every 60 seconds, wherever they begin. A fixed window, or a bucket that may be full at
//! its start, would let twice the limit through.

use std::{collections::VecDeque, time::Duration};

/// Length of the window.
pub(super) const WINDOW_S: u64 = 60;

/// At most 61 slots and their sum.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Second and charge, oldest first.
    slots: VecDeque<(u64, u64)>,
    sum: u64,
}

impl Window {
    /// All that counts now.
    pub(super) fn sum(&mut self, now_ms: u64) -> u64 {
        while let Some((second, charge)) = self.slots.front().copied()
            && second + WINDOW_S < now_ms / 1000
        {
            self.slots.pop_front();
            self.sum = self.sum.saturating_sub(charge);
        }
        self.sum
    }

    pub(super) fn add(&mut self, now_ms: u64, charge: u64) {
        self.sum(now_ms);
        let now = now_ms / 1000;
        self.sum = self.sum.saturating_add(charge);
        match self.slots.back_mut() {
            // A charge is never earlier than the one before it.
            Some((second, slot)) if *second >= now => *slot = slot.saturating_add(charge),
            _ => self.slots.push_back((now, charge)),
        }
    }

    /// Corrects a charge where it was made; one that has left the window stays forgotten.
    pub(super) fn correct(&mut self, made_ms: u64, from: u64, to: u64) {
        let Ok(found) = self.slots.binary_search_by_key(&(made_ms / 1000), |(second, _)| *second) else {
            return;
        };
        let Some((_, charge)) = self.slots.get_mut(found) else { return };
        let corrected = charge.saturating_add(to).saturating_sub(from);
        self.sum = self.sum.saturating_add(corrected).saturating_sub(*charge);
        *charge = corrected;
    }

    /// How long until this much more is within the limit; `None` = never.
    pub(super) fn wait(&self, now_ms: u64, limit: u64, more: u64) -> Option<Duration> {
        if more > limit {
            return None;
        }
        let mut excess = (self.sum + more).saturating_sub(limit);
        for (second, charge) in &self.slots {
            excess = excess.saturating_sub(*charge);
            if excess == 0 {
                return Some(until_it_leaves(*second, now_ms));
            }
        }
        Some(Duration::from_secs(WINDOW_S + 1))
    }

    /// How long until nothing of it counts.
    pub(super) fn reset(&self, now_ms: u64) -> Duration {
        self.slots.back().map_or(Duration::ZERO, |(second, _)| until_it_leaves(*second, now_ms))
    }

    /// The charges by their age in seconds.
    pub(super) fn by_age(&mut self, now_ms: u64) -> impl Iterator<Item = (u64, u64)> {
        self.sum(now_ms);
        self.slots.iter().map(move |(second, charge)| ((now_ms / 1000).saturating_sub(*second), *charge))
    }
}

fn until_it_leaves(second: u64, now_ms: u64) -> Duration {
    Duration::from_millis(((second + WINDOW_S + 1) * 1000).saturating_sub(now_ms).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_counts_for_its_window_and_no_more_than_a_second_longer() {
        let mut window = Window::default();
        window.add(5_999, 3);
        window.add(6_000, 4);
        assert_eq!(window.sum(65_999), 7, "60 seconds after 5.999");
        assert_eq!(window.sum(66_000), 4);
        assert_eq!(window.sum(66_999), 4);
        assert_eq!(window.sum(67_000), 0);
        assert_eq!(window.slots.len(), 0);
    }

    #[test]
    fn waits_are_as_long_as_it_takes() {
        let mut window = Window::default();
        window.add(1_000, 5);
        window.add(3_000, 5);
        assert_eq!(window.wait(10_000, 10, 1), Some(Duration::from_secs(52)));
        assert_eq!(window.wait(10_000, 10, 6), Some(Duration::from_secs(54)));
        assert_eq!(window.wait(10_000, 10, 11), None);
        assert_eq!(window.reset(10_000), Duration::from_secs(54));
    }

    #[test]
    fn a_correction_finds_its_slot_or_nothing() {
        let mut window = Window::default();
        window.add(1_000, 5);
        window.add(2_000, 5);
        window.correct(1_500, 5, 2);
        assert_eq!(window.sum(2_000), 7);
        window.correct(9_000, 5, 0);
        window.correct(2_000, 100, 0);
        assert_eq!(window.sum(2_000), 2);
        window.sum(63_000);
        window.correct(1_000, 2, 0);
        assert_eq!(window.sum(63_000), 0);
    }
}
