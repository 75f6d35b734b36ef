//! `mix`: the four popularities of the literature beside no adapter at all, at each number of streams. The base-only run
//! comes three times in between, so that the noise of the machine can be seen.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::Zipf;
use serde::Serialize;
use serde_json::json;

use crate::{
    lab::Lab,
    load::Measured,
    report::{Section, Table, number},
    stats::{median, relative_range},
    world::World,
};

/// Whose adapters the requests of a run are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mix {
    /// None.
    BaseOnly,
    /// One for all.
    Identical,
    /// As many as there are streams, in turn.
    Distinct,
    /// Any, each as likely.
    Uniform,
    /// Any, by Zipf's law with exponent 1.
    Skewed,
}

/// The order of runs; at one stream the last ones say nothing more.
const ORDER: [Mix; 7] =
    [Mix::BaseOnly, Mix::Identical, Mix::BaseOnly, Mix::Distinct, Mix::Uniform, Mix::BaseOnly, Mix::Skewed];
const ORDER_OF_ONE_STREAM: [Mix; 4] = [Mix::BaseOnly, Mix::Identical, Mix::BaseOnly, Mix::BaseOnly];

/// One run.
#[derive(Serialize)]
struct Row {
    streams: usize,
    mix: Mix,
    /// Output tokens a second, as a part of the median of the base-only runs on as many streams.
    ratio_to_base_only: f64,
    #[serde(flatten)]
    measured: Measured,
}

pub(super) async fn run(lab: &mut Lab, world: &World) -> anyhow::Result<Section> {
    lab.warm(world, &world.adapters).await;
    let mut table = Table::new(
        1,
        &["mix", "streams", "tokens/s", "of base", "TTFT p50", "p99 ms", "token p50", "p99 ms", "failed"],
    );
    let (mut rows, mut spreads, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for streams in lab.ground.options.streams() {
        let order: &[Mix] = if streams == 1 { &ORDER_OF_ONE_STREAM } else { &ORDER };
        let mut runs = Vec::new();
        // The first batch of a new size meets cold threads, buffers and connections.
        let first = vec![world.base.clone(); streams];
        let jobs = lab.jobs(world, &first);
        lab.unmeasured(jobs, streams).await;
        for mix in order {
            let count = lab.ground.options.requests(streams);
            let models = models(*mix, world, (count, streams), &mut lab.random);
            let jobs = lab.jobs(world, &models);
            let label = format!("mix: {streams} streams, {}", mix.words());
            runs.push((*mix, lab.measure(&label, jobs, streams).await));
        }
        let base: Vec<f64> = runs
            .iter()
            .filter(|(mix, _)| *mix == Mix::BaseOnly)
            .map(|(_, measured)| measured.output_tokens_per_s)
            .collect();
        let middle = median(&base);
        for (mix, measured) in runs {
            let row =
                Row { streams, mix, ratio_to_base_only: measured.output_tokens_per_s / middle, measured };
            table.row(cells(&row));
            rows.push(row);
        }
        let spread = relative_range(&base);
        notes.push(format!(
            "{streams} streams: base-only runs lie within {:.1} % of their median",
            100.0 * spread
        ));
        spreads.push(json!({
            "streams": streams,
            "median_output_tokens_per_s": middle,
            "relative_range": spread,
        }));
    }
    Ok(Section {
        name: "mix",
        title: "Mixes of adapters".to_owned(),
        table,
        notes,
        json: json!({ "runs": rows, "base_only": spreads }),
    })
}

impl Mix {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::BaseOnly => "base only",
            Self::Identical => "identical",
            Self::Distinct => "distinct",
            Self::Uniform => "uniform",
            Self::Skewed => "skewed",
        }
    }
}

/// The model of each request.
pub(super) fn models(
    mix: Mix,
    world: &World,
    (count, streams): (usize, usize),
    random: &mut ChaCha8Rng,
) -> Vec<String> {
    let adapters = world.adapters.len();
    let choose = |index: usize| match mix {
        Mix::BaseOnly => world.base.clone(),
        Mix::Identical => world.adapters[0].clone(),
        Mix::Distinct => world.adapters[index % streams.min(adapters)].clone(),
        Mix::Uniform => world.adapters[random.random_range(0..adapters)].clone(),
        Mix::Skewed => world.adapters[zipf(random, adapters)].clone(),
    };
    (0..count).map(choose).collect()
}

/// An index below `count`, the first the likeliest: 1/(index + 1) of each other.
fn zipf(random: &mut ChaCha8Rng, count: usize) -> usize {
    let law = Zipf::new(count as f64, 1.0);
    // Refused only for no choice at all, and a sample is from 1 to count.
    law.map_or(0, |law| (random.sample(law) as usize).clamp(1, count) - 1)
}

fn cells(row: &Row) -> Vec<String> {
    let Row { streams, mix, ratio_to_base_only, measured } = row;
    vec![
        mix.words().to_owned(),
        streams.to_string(),
        number(measured.output_tokens_per_s, 1),
        number(*ratio_to_base_only, 2),
        number(measured.ttft_ms.p50, 0),
        number(measured.ttft_ms.p99, 0),
        number(measured.inter_token_ms.p50, 1),
        number(measured.inter_token_ms.p99, 1),
        measured.failed.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn popularity_falls_as_one_over_rank() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut counts = [0usize; 100];
        for _ in 0..100_000 {
            counts[zipf(&mut random, 100)] += 1;
        }
        // The 100th harmonic number is 5.187.
        let expected = |rank: f64| 100_000.0 / 5.187 / rank;
        for (index, rank) in [(0, 1.0), (1, 2.0), (9, 10.0)] {
            let (found, wanted) = (counts[index] as f64, expected(rank));
            assert!((found - wanted).abs() < 0.1 * wanted, "rank {rank}: {found} instead of {wanted}");
        }
    }
}
