//! What happens just now and in the last hour: read from the pulses of the tenants once a second, for pages that show it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    app::App,
    readiness,
    telemetry::{Pulse, Reading},
    wire::{
        health::Readiness,
        live::{AdaptersNow, BatchNow, History, KvNow, Now, Point, ResidentAdapter, Spread, TenantNow},
    },
};

const SECOND: Duration = Duration::from_secs(1);
/// Seconds of a point of the history, and points of an hour.
const POINT_S: u32 = 10;
const POINTS: usize = 360;
/// Seconds that rates are means of, and readings of ten seconds that times are taken from.
const RATE_S: usize = 10;
const TIMES_POINTS: usize = 6;
/// Seconds between two looks at whether the server can serve.
const READY_S: u64 = 5;
/// Tenants that are shown as the busiest.
const MAX_BUSIEST: usize = 10;

/// Everything that live pages show.
#[derive(Default)]
pub struct Live {
    state: Mutex<State>,
    /// Rises with each second.
    ticks: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    all: Track,
    tenants: HashMap<String, Track>,
    steps: VecDeque<[u64; 3]>,
    batch: Option<BatchNow>,
    residents: Vec<ResidentAdapter>,
    /// Asked for all who watch, and not every second: it asks the database, Redis and the blob store.
    ready: Option<Readiness>,
    seconds: u64,
}

/// One tenant's last seconds, minute and hour, or those of all.
#[derive(Default)]
struct Track {
    /// Requests, errors, tokens in and out by second, the newest last.
    counts: VecDeque<[u64; 4]>,
    /// By ten seconds.
    readings: VecDeque<Reading>,
    points: VecDeque<Point>,
    in_flight: (u64, u64),
    /// In the last minute.
    ttft: Spread,
    gaps: Spread,
}

impl Live {
    /// Looks once a second for as long as the server runs.
    pub async fn watch(&self, app: &App) {
        let mut second = tokio::time::interval(SECOND);
        second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for number in 0u64.. {
            second.tick().await;
            if number.is_multiple_of(READY_S) {
                let (_, ready) = readiness::of(app).await;
                self.state().ready = Some(ready);
            }
            let residents = app.residents().await;
            self.look(app, residents);
            self.ticks.send_modify(|ticks| *ticks += 1);
        }
    }

    /// Rises with each second.
    pub fn ticks(&self) -> watch::Receiver<u64> {
        self.ticks.subscribe()
    }

    /// The last hour, of one tenant or of all.
    pub fn history(&self, tenant: Option<&str>) -> History {
        let state = self.state();
        let points = state.track(tenant).map(|track| track.points.iter().cloned().collect());
        History { points: points.unwrap_or_default() }
    }

    /// This second, of one tenant or of all.
    pub async fn now(&self, app: &App, tenant: Option<&str>) -> Now {
        let known = self.state().ready.clone();
        let ready = match known {
            Some(ready) => ready,
            None => readiness::of(app).await.1,
        };
        let (stats, capacity) = (app.engine_stats(), app.capacity());
        let state = self.state();
        let nobody = Track::default();
        let track = state.track(tenant).unwrap_or(&nobody);
        let [requests_per_s, errors_per_s, input_tokens_per_s, output_tokens_per_s] = track.rates();
        let (running, waiting) = match tenant {
            Some(_) => track.in_flight,
            None => (stats.running as u64, stats.waiting as u64),
        };
        let own = |resident: &&ResidentAdapter| tenant.is_none_or(|slug| resident.tenant == slug);
        Now {
            at: time::OffsetDateTime::now_utc().unix_timestamp(),
            requests_per_s,
            errors_per_s,
            input_tokens_per_s,
            output_tokens_per_s,
            ttft_ms: track.ttft,
            gap_ms: track.gaps,
            running,
            waiting,
            batch: if tenant.is_none() { state.batch } else { None },
            kv: KvNow {
                blocks: stats.kv_blocks,
                used: tenant.is_none().then(|| stats.kv_blocks - stats.kv_blocks_free),
                block_tokens: capacity.block_tokens,
            },
            adapters: AdaptersNow {
                bytes: tenant.is_none().then_some(stats.adapters.bytes),
                limit_bytes: capacity.adapter_bytes,
                loading: stats.adapters.loading,
                waiting: stats.adapters.waiting,
                resident: state.residents.iter().filter(own).cloned().collect(),
            },
            tenants: if tenant.is_none() { state.busiest() } else { Vec::new() },
            ready,
        }
    }

    fn look(&self, app: &App, residents: Vec<ResidentAdapter>) {
        let at = time::OffsetDateTime::now_utc().unix_timestamp();
        let mut state = self.state();
        state.seconds += 1;
        let ends_point = state.seconds.is_multiple_of(u64::from(POINT_S));
        let metrics = app.metrics();
        state.residents = residents;
        state.look_at_steps(metrics.step_sums());
        let stats = app.engine_stats();
        state.all.look(metrics.pulse(), ends_point.then_some(at));
        state.all.in_flight = (stats.running as u64, stats.waiting as u64);
        let mut there = Vec::new();
        metrics.each_pulse(|slug, pulse| {
            state.tenants.entry(slug.to_owned()).or_default().look(pulse, ends_point.then_some(at));
            there.push(slug.to_owned());
        });
        if there.len() < state.tenants.len() {
            state.tenants.retain(|slug, _| there.contains(slug));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn track(&self, tenant: Option<&str>) -> Option<&Track> {
        match tenant {
            None => Some(&self.all),
            Some(slug) => self.tenants.get(slug),
        }
    }

    /// Means over the steps of the last seconds.
    fn look_at_steps(&mut self, sums: [u64; 3]) {
        keep(&mut self.steps, sums, RATE_S + 1);
        let before = self.steps.front().copied().unwrap_or(sums);
        let [steps, rows, adapters] = std::array::from_fn(|sum| sums[sum].saturating_sub(before[sum]) as f64);
        self.batch = (steps > 0.0).then(|| BatchNow { rows: rows / steps, adapters: adapters / steps });
    }

    fn busiest(&self) -> Vec<TenantNow> {
        let mut tenants: Vec<_> = self
            .tenants
            .iter()
            .map(|(slug, track)| {
                let [requests_per_s, _, _, output_tokens_per_s] = track.rates();
                let (running, waiting) = track.in_flight;
                TenantNow { slug: slug.clone(), requests_per_s, output_tokens_per_s, running, waiting }
            })
            .collect();
        tenants.sort_by(|a, b| {
            let busy = |tenant: &TenantNow| (tenant.output_tokens_per_s, tenant.requests_per_s);
            busy(b)
                .partial_cmp(&busy(a))
                .unwrap_or(std::cmp::Ordering::Equal)
                .then_with(|| a.slug.cmp(&b.slug))
        });
        tenants.truncate(MAX_BUSIEST);
        tenants
    }
}

impl Track {
    /// Takes a second in; `ends_point` is the time when it ends a point of the history.
    fn look(&mut self, pulse: &Pulse, ends_point: Option<i64>) {
        let reading = pulse.read();
        self.in_flight = pulse.in_flight();
        let counts = [reading.requests, reading.errors, reading.input, reading.output];
        // A tenant that is new began with nothing.
        if self.counts.is_empty() {
            self.counts.push_back([0; 4]);
            self.readings.push_back(Pulse::default().read());
        }
        keep(&mut self.counts, counts, RATE_S + 1);
        if let Some(oldest) = self.readings.front() {
            self.ttft = spread(|share| reading.ttft.quantile_since(&oldest.ttft, share));
            self.gaps = spread(|share| reading.gaps.quantile_since(&oldest.gaps, share));
        }
        let Some(at) = ends_point else { return };
        if let Some(before) = self.readings.back() {
            let point = Point {
                at,
                seconds: POINT_S,
                // A tenant that went and came back within a second counts from nothing again.
                requests: reading.requests.saturating_sub(before.requests),
                errors: reading.errors.saturating_sub(before.errors),
                input_tokens: reading.input.saturating_sub(before.input),
                output_tokens: reading.output.saturating_sub(before.output),
                ttft_ms: spread(|share| reading.ttft.quantile_since(&before.ttft, share)),
                gap_ms: spread(|share| reading.gaps.quantile_since(&before.gaps, share)),
                running: self.in_flight.0,
                waiting: self.in_flight.1,
            };
            keep(&mut self.points, point, POINTS);
        }
        keep(&mut self.readings, reading, TIMES_POINTS);
    }

    /// A second's part of what came in the last ten.
    fn rates(&self) -> [f64; 4] {
        let (Some(first), Some(last)) = (self.counts.front(), self.counts.back()) else { return [0.0; 4] };
        let seconds = (self.counts.len() - 1).max(1) as f64;
        std::array::from_fn(|count| last[count].saturating_sub(first[count]) as f64 / seconds)
    }
}

fn spread(quantile: impl Fn(f64) -> Option<f64>) -> Spread {
    Spread { p50: quantile(0.5), p99: quantile(0.99) }
}

/// Adds the newest and lets the oldest go.
fn keep<T>(queue: &mut VecDeque<T>, newest: T, most: usize) {
    queue.push_back(newest);
    if queue.len() > most {
        queue.pop_front();
    }
}
