//! `fair`: three normal tenants, first alone, then beside a greedy one with ten times their streams and requests. What
//! counts is the time until the first normal tenant has had all its answers: until then all of them always want more.

use std::{cell::RefCell, time::Instant};

use futures_util::{FutureExt, future::join_all};
use indicatif::ProgressBar;
use serde_json::json;

use crate::{
    client::{Answer, Client, Job},
    lab::Lab,
    load::{Run, Spread, closed_loop},
    progress,
    report::{Section, Table, number},
    stats::{fair_shares, jain, service_gap},
    world::World,
};

const NORMAL: usize = 3;
/// How many times the streams and requests of a normal tenant the greedy one has.
const GREED: usize = 10;
/// A normal tenant's part of the streams of the largest run of `mix`.
const STREAMS_DIVISOR: usize = 4;

/// A tenant, and what comes of its requests.
struct Contestant {
    client: Client,
    streams: usize,
    /// The seconds since the start at which tokens came.
    tokens: RefCell<Vec<f64>>,
    failures: RefCell<Vec<String>>,
}

/// What a contest brought.
struct Outcome {
    /// Output tokens a second of each tenant within the window, the greedy one last.
    speeds: Vec<f64>,
    /// Each tenant's tokens within the window.
    tokens: Vec<Vec<f64>>,
    /// Of the normal tenants, over their whole runs.
    ttft_ms: Spread,
    window_s: f64,
    /// Of all tenants.
    failed: usize,
}

pub(super) async fn run(lab: &mut Lab, world: &World) -> anyhow::Result<Section> {
    let streams = (lab.ground.options.most_streams() / STREAMS_DIVISOR).max(1);
    let mut normal = Vec::new();
    for number in 1..=NORMAL {
        normal.push(contestant(lab, world, &format!("normal-{number}"), streams).await?);
    }
    let greedy = contestant(lab, world, "greedy", GREED * streams).await?;
    let alone = contest(lab, &normal, None).await;
    let beside = contest(lab, &normal, Some(&greedy)).await;
    Ok(section(&alone, &beside))
}

/// A tenant with one adapter, in memory.
async fn contestant(lab: &mut Lab, world: &World, slug: &str, streams: usize) -> anyhow::Result<Contestant> {
    let client = world.server.operator.create_tenant(slug).await?;
    lab.ground.upload(&client, &[0], &[lab.ground.options.rank(0)]).await?;
    let contestant = Contestant { client, streams, tokens: RefCell::default(), failures: RefCell::default() };
    let warm = jobs(lab, &contestant, 1);
    lab.unmeasured(warm, 1).await;
    Ok(contestant)
}

fn jobs(lab: &mut Lab, contestant: &Contestant, count: usize) -> Vec<Job> {
    let output_tokens = lab.ground.options.output_tokens;
    let job = |_| Job {
        client: contestant.client.clone(),
        model: crate::adapter::name(0),
        prompt: lab.prompt(),
        output_tokens,
    };
    (0..count).map(job).collect()
}

/// The normal tenants ask until all have their answers; the greedy one hangs up then.
async fn contest(lab: &mut Lab, normal: &[Contestant], greedy: Option<&Contestant>) -> Outcome {
    let all: Vec<&Contestant> = normal.iter().chain(greedy).collect();
    let count = lab.ground.options.requests(normal[0].streams);
    let label = if greedy.is_some() { "fair: with a greedy tenant" } else { "fair: three tenants" };
    let bar = progress::things(label, count * normal.len());
    let lists: Vec<Vec<Job>> = all
        .iter()
        .zip((0..).map(|place| if place < normal.len() { count } else { GREED * count }))
        .map(|(contestant, count)| jobs(lab, contestant, count))
        .collect();
    let started = Instant::now();
    let mut runs: Vec<_> = all
        .iter()
        .zip(lists)
        .enumerate()
        .map(|(place, (contestant, jobs))| {
            ask(contestant, jobs, started, (place < normal.len()).then_some(&bar)).boxed_local()
        })
        .collect();
    let greedy_run = if greedy.is_some() { runs.pop() } else { None };
    let normal_runs = join_all(runs);
    let ended: Vec<Run> = match greedy_run {
        None => normal_runs.await,
        Some(greedy_run) => beside(normal_runs, greedy_run).await,
    };
    bar.finish_and_clear();
    let outcome = outcome(&all, &ended);
    all.iter().for_each(|contestant| lab.failures.extend(contestant.failures.borrow_mut().drain(..)));
    outcome
}

/// One tenant's closed loop, with the moments of its tokens.
async fn ask(contestant: &Contestant, jobs: Vec<Job>, started: Instant, bar: Option<&ProgressBar>) -> Run {
    contestant.tokens.borrow_mut().clear();
    let on_token = |moment: Instant| {
        contestant.tokens.borrow_mut().push(moment.duration_since(started).as_secs_f64());
    };
    let ended = |result: &anyhow::Result<Answer>| {
        bar.into_iter().for_each(|bar| bar.inc(1));
        contestant.failures.borrow_mut().extend(result.as_ref().err().map(|error| format!("{error:#}")));
    };
    closed_loop(jobs, contestant.streams, &ended, &on_token).await
}

/// The normal tenants' runs, with the greedy one's for as long as they last.
async fn beside(
    normal: impl Future<Output = Vec<Run>>,
    greedy: impl Future<Output = Run> + Unpin,
) -> Vec<Run> {
    let mut normal = std::pin::pin!(normal);
    tokio::select! {
        ended = &mut normal => ended,
        // It had too little to ask for: the measured part of the time is over by then or shows it.
        _ = greedy => normal.await,
    }
}

fn outcome(all: &[&Contestant], normal: &[Run]) -> Outcome {
    let window_s = normal.iter().map(|run| run.seconds).fold(f64::INFINITY, f64::min);
    let within = |contestant: &&Contestant| -> Vec<f64> {
        contestant.tokens.borrow().iter().copied().filter(|moment| *moment <= window_s).collect()
    };
    let tokens: Vec<Vec<f64>> = all.iter().map(within).collect();
    let ttft: Vec<f64> = normal.iter().flat_map(Run::ttft_ms).collect();
    Outcome {
        speeds: tokens.iter().map(|moments| moments.len() as f64 / window_s).collect(),
        tokens,
        ttft_ms: Spread::of(&ttft),
        window_s,
        failed: all.iter().map(|contestant| contestant.failures.borrow().len()).sum(),
    }
}

fn section(alone: &Outcome, beside: &Outcome) -> Section {
    // What a normal tenant takes when nobody is greedy is what it demands; the greedy one takes all it gets.
    let demands: Vec<f64> = alone.speeds.iter().copied().chain([f64::INFINITY]).collect();
    let capacity: f64 = beside.speeds.iter().sum();
    let fair = fair_shares(&demands, capacity);
    let kept: Vec<f64> = beside.speeds.iter().zip(&fair).map(|(speed, share)| speed / share).collect();
    let index = jain(&kept);
    let least = kept.iter().take(NORMAL).copied().fold(f64::INFINITY, f64::min);
    let gap = |pairs: &[(usize, usize)]| {
        pairs.iter().map(|(a, b)| service_gap(&beside.tokens[*a], &beside.tokens[*b])).max().unwrap_or(0)
    };
    let (between_normal, to_greedy) =
        (gap(&[(0, 1), (0, 2), (1, 2)]), gap(&[(0, NORMAL), (1, NORMAL), (2, NORMAL)]));
    let ttft_ratio = beside.ttft_ms.p99 / alone.ttft_ms.p99;
    let mut table = Table::new(1, &["tenant", "alone tokens/s", "beside greedy", "fair share", "of fair"]);
    for (tenant, speed) in beside.speeds.iter().enumerate() {
        table.row(vec![
            if tenant < NORMAL { format!("normal-{}", tenant + 1) } else { "greedy".to_owned() },
            number(alone.speeds.get(tenant).copied().unwrap_or(f64::NAN), 1),
            number(*speed, 1),
            number(fair[tenant], 1),
            number(kept[tenant], 2),
        ]);
    }
    Section {
        name: "fair",
        title: "One greedy tenant and three normal ones".to_owned(),
        table,
        notes: vec![
            format!(
                "Jain's index {index:.3}; the least a normal tenant gets is {least:.2} of its fair share."
            ),
            format!(
                "Largest service gap: {between_normal} tokens between normal tenants, {to_greedy} to the greedy one."
            ),
            format!(
                "TTFT p99 of the normal tenants: {:.0} ms alone, {:.0} ms beside the greedy one, {ttft_ratio:.2} times.",
                alone.ttft_ms.p99, beside.ttft_ms.p99
            ),
        ],
        json: json!({
            "jain": index,
            "least_of_fair_share": least,
            "largest_gap_tokens": { "between_normal": between_normal, "to_greedy": to_greedy },
            "ttft_p99_ratio": ttft_ratio,
            "fair_shares_tokens_per_s": fair,
            "alone": json_of(alone),
            "beside_greedy": json_of(beside),
        }),
    }
}

fn json_of(outcome: &Outcome) -> serde_json::Value {
    json!({
        "tokens_per_s": outcome.speeds,
        "ttft_ms": outcome.ttft_ms,
        "window_s": outcome.window_s,
        "failed": outcome.failed,
    })
}
