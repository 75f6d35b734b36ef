//! The numbers that reports are made of: percentiles, Jain's index, fair shares, service gaps. Pure.

/// The value below which this share of the values lies, as `values[share · n]` of the sorted list; NaN of none.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (share * sorted.len() as f64) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// The middle value; of an even count the mean of the two middle ones. NaN of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match (sorted.get(half), sorted.len() % 2) {
        (Some(middle), 1) => *middle,
        (Some(upper), _) => f64::midpoint(*upper, sorted[half - 1]),
        (None, _) => f64::NAN,
    }
}

/// How far apart the extremes are, as a share of the median: the noise of a repeated measurement.
pub(crate) fn relative_range(values: &[f64]) -> f64 {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (most - least) / median(values)
}

/// Jain's fairness index, (Σx)² / (n Σx²): 1 when all are equal, 1/n when one has everything (Jain, Chiu and Hawe 1984).
pub(crate) fn jain(values: &[f64]) -> f64 {
    let sum: f64 = values.iter().sum();
    let squares: f64 = values.iter().map(|value| value * value).sum();
    sum * sum / (values.len() as f64 * squares)
}

/// What each gets of a capacity when nobody gets more than it demands and what is left goes to the others in equal
/// parts (max-min fairness).
pub(crate) fn fair_shares(demands: &[f64], capacity: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..demands.len()).collect();
    order.sort_by(|&a, &b| demands[a].total_cmp(&demands[b]));
    let mut shares = vec![0.0; demands.len()];
    let (mut left, mut open) = (capacity, demands.len());
    for index in order {
        shares[index] = demands[index].min(left / open as f64);
        left -= shares[index];
        open -= 1;
    }
    shares
}

/// The most by which one of two got ahead of the other within any interval, in units of service: the range of the
/// difference of their counts over time. The lists are moments of service, each sorted.
pub(crate) fn service_gap(one: &[f64], other: &[f64]) -> usize {
    let (mut difference, mut least, mut most) = (0i64, 0i64, 0i64);
    let (mut i, mut j) = (0, 0);
    while i < one.len() || j < other.len() {
        let now = match (one.get(i), other.get(j)) {
            (Some(a), Some(b)) => a.min(*b),
            (Some(only), None) | (None, Some(only)) => *only,
            (None, None) => break,
        };
        // What happens at the same moment counts together.
        while one.get(i).is_some_and(|moment| *moment <= now) {
            (difference, i) = (difference + 1, i + 1);
        }
        while other.get(j).is_some_and(|moment| *moment <= now) {
            (difference, j) = (difference - 1, j + 1);
        }
        (least, most) = (least.min(difference), most.max(difference));
    }
    usize::try_from(most - least).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_are_values_of_the_list() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(
            [0.0, 0.5, 0.75, 0.99, 1.0].map(|share| percentile(&values, share)),
            [1.0, 3.0, 4.0, 4.0, 4.0]
        );
        assert!(percentile(&[], 0.5).is_nan());
        assert_eq!((median(&values), median(&[5.0]), median(&[1.0, 9.0, 2.0])), (2.5, 5.0, 2.0));
        assert_eq!(relative_range(&[9.0, 10.0, 11.0]), 0.2);
    }

    #[test]
    fn jain_is_1_for_equals_and_one_nth_for_a_monopoly() {
        assert_eq!(jain(&[3.0, 3.0, 3.0, 3.0]), 1.0);
        assert_eq!(jain(&[8.0, 0.0, 0.0, 0.0]), 0.25);
    }

    #[test]
    fn what_the_modest_leave_goes_to_the_others() {
        assert_eq!(fair_shares(&[10.0, f64::INFINITY, 40.0], 100.0), [10.0, 50.0, 40.0]);
        assert_eq!(fair_shares(&[50.0, f64::INFINITY], 60.0), [30.0, 30.0]);
    }

    #[test]
    fn a_gap_is_found_in_the_middle_of_a_run() {
        // Equal in the end, and three ahead in between.
        assert_eq!(service_gap(&[1.0, 2.0, 3.0, 7.0], &[4.0, 5.0, 6.0, 7.0]), 3);
        // One ahead by two, then the other by two: four within the interval between.
        assert_eq!(service_gap(&[1.0, 2.0], &[3.0, 4.0, 5.0, 6.0]), 4);
        assert_eq!(service_gap(&[1.0, 2.0], &[1.0, 2.0]), 0);
    }

    proptest! {
        #[test]
        fn shares_never_exceed_demand_or_capacity(demands in proptest::collection::vec(0.0f64..100.0, 1..8), capacity in 0.0f64..300.0) {
            let shares = fair_shares(&demands, capacity);
            prop_assert!(shares.iter().zip(&demands).all(|(share, demand)| share <= demand));
            let given: f64 = shares.iter().sum();
            let wanted: f64 = demands.iter().sum();
            // Work-conserving: all of the capacity, or all that is wanted.
            prop_assert!((given - capacity.min(wanted)).abs() < 1e-6);
        }

        #[test]
        fn jain_lies_between_one_nth_and_1(values in proptest::collection::vec(0.1f64..100.0, 1..8)) {
            let index = jain(&values);
            prop_assert!(index <= 1.0 + 1e-9 && index >= 1.0 / values.len() as f64 - 1e-9);
        }
    }
}
