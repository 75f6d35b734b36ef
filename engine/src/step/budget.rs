//! How many prompt rows a step may take, so that it lasts about as long as it should. Learns what a row costs from the
//! steps that ran; knows no requests.
//!
//! Costs are counted in units: a row at position `p` is `1 + κ·p`, since attention reads `p` keys and values; κ follows
//! from the model's shape. The seconds of one unit are a moving average over steps with prompt rows, fixed costs
//! included: while a step is longer than its target, units look dearer and the next one gets fewer, until it fits.

use std::{ops::Range, time::Duration};

use crate::model::ModelConfig;

/// Prompt rows of a step before anything is known.
const FIRST_ROWS: f64 = 32.0;
/// Steps with less prompt than this say little about the cost of a row: reading the weights outweighs it.
const LEAST_UNITS: f64 = 8.0;
/// Weight of the newest step in the average.
const NEWEST: f64 = 0.25;
/// How far one step may be from the average and still be believed whole.
const BELIEVED: f64 = 4.0;
/// When nothing decodes, only newcomers wait for the end of a step: it may be this much longer.
const ALONE: f64 = 2.0;
/// Of the target, prompts get this much at least, whatever decodes take: else streams that end were not followed by
/// new ones, and batches ran empty.
const LEAST_SHARE: f64 = 0.5;

/// The cost of rows, and what a step has for prompts.
#[derive(Debug)]
pub(super) struct Budget {
    target_s: f64,
    context_weight: f64,
    unit_s: Option<f64>,
}

impl Budget {
    /// A budget that knows nothing yet. `context_weight` is κ.
    pub(super) fn new(target: Duration, context_weight: f64) -> Self {
        Self { target_s: target.as_secs_f64(), context_weight, unit_s: None }
    }

    /// κ: what attention computes for one key and value of one row, over what all weights compute for the row.
    pub(super) fn context_weight(model: &ModelConfig, parameters: u64) -> f64 {
        2.0 * (model.heads * model.head_dim * model.layers) as f64 / parameters.max(1) as f64
    }

    /// The cost of rows at these positions.
    pub(super) fn units(&self, positions: &Range<usize>) -> f64 {
        let rows = positions.len() as f64;
        rows + self.context_weight * rows * (positions.start as f64 + (rows - 1.0) / 2.0)
    }

    /// What so much time is worth; before anything is known, by the rows that a step is given then.
    pub(super) fn worth(&self, time: Duration) -> f64 {
        time.as_secs_f64() / self.unit_s.unwrap_or(self.target_s / FIRST_ROWS)
    }

    /// What prompts may cost in a step whose decodes cost this much.
    pub(super) fn for_prompts(&self, decode_units: f64) -> f64 {
        let Some(unit_s) = self.unit_s else { return FIRST_ROWS };
        let whole = self.target_s / unit_s;
        if decode_units == 0.0 { whole * ALONE } else { (whole - decode_units).max(whole * LEAST_SHARE) }
    }

    /// How many rows from this position on cost no more than `units`.
    pub(super) fn rows_within(&self, units: f64, position: usize) -> usize {
        // The solution of `units(position..position + rows) = units`.
        let half = self.context_weight / 2.0;
        let first = 1.0 + self.context_weight * position as f64 - half;
        let rows = 2.0 * units / (first + (first * first + 4.0 * half * units).sqrt());
        // A hair more, lest rounding take a row away.
        (rows + 1e-9) as usize
    }

    /// Learns from a step.
    pub(super) fn observe(&mut self, prompt_units: f64, all_units: f64, took: Duration) {
        if prompt_units < LEAST_UNITS {
            return;
        }
        let seen = (took.as_secs_f64() / all_units).max(1e-9);
        self.unit_s = Some(match self.unit_s {
            None => seen,
            Some(known) => known + NEWEST * (seen.clamp(known / BELIEVED, known * BELIEVED) - known),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine on which a step costs this, and a prompt that fills every step beside these decodes.
    fn settle(budget: &mut Budget, decodes: f64, cost: impl Fn(f64) -> f64) -> f64 {
        let mut last = 0.0;
        for _ in 0..200 {
            let rows = budget.rows_within(budget.for_prompts(decodes), 0) as f64;
            last = cost(decodes + rows);
            budget.observe(rows, decodes + rows, Duration::from_secs_f64(last));
        }
        last
    }

    #[test]
    fn steps_settle_at_the_target_whatever_a_row_costs() {
        for (fixed, row) in [(0.0, 0.002), (0.03, 0.001), (0.0, 0.0001), (0.04, 0.004)] {
            let mut budget = Budget::new(Duration::from_millis(100), 0.0);
            let step = settle(&mut budget, 4.0, |rows| fixed + row * rows);
            assert!((0.085..=0.105).contains(&step), "{fixed} s + {row} s a row: a step of {step} s");
            let alone = settle(&mut budget, 0.0, |rows| fixed + row * rows);
            assert!((0.17..=0.21).contains(&alone), "nothing decodes: a step of {alone} s");
        }
    }

    #[test]
    fn prompts_go_on_beside_decodes_that_take_the_whole_target() {
        let mut budget = Budget::new(Duration::from_millis(100), 0.0);
        let step = settle(&mut budget, 100.0, |rows| 0.002 * rows);
        assert!((0.24..=0.255).contains(&step), "200 ms of decodes and half a target: {step}");
    }

    #[test]
    fn rows_far_into_a_context_cost_more() {
        let budget = Budget::new(Duration::from_millis(100), 0.001);
        assert_eq!(budget.units(&(0..1)), 1.0);
        assert!((budget.units(&(1000..1010)) - 20.045).abs() < 1e-9);
        for (units, position) in [(1.0, 0), (50.0, 0), (50.0, 3000), (1000.0, 77)] {
            let rows = budget.rows_within(units, position);
            assert!(budget.units(&(position..position + rows)) <= units + 1e-6);
            assert!(budget.units(&(position..position + rows + 1)) > units);
        }
        assert_eq!(Budget::new(Duration::from_millis(100), 0.0).rows_within(32.0, 5), 32);
    }

    #[test]
    fn one_slow_step_is_not_believed_whole() {
        let mut budget = Budget::new(Duration::from_millis(100), 0.0);
        budget.observe(50.0, 50.0, Duration::from_millis(50));
        budget.observe(50.0, 50.0, Duration::from_secs(60));
        assert!(budget.for_prompts(0.0) > 100.0, "{}", budget.for_prompts(0.0));
        budget.observe(1.0, 1.0, Duration::from_secs(60));
        assert!(budget.for_prompts(0.0) > 100.0, "one row says nothing");
    }
}
