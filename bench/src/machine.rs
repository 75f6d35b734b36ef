//! What a number was measured on: the processor, its memory and how fast it is read, the revision of the source.

use std::{
    fs,
    hint::black_box,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

/// Larger than any cache, in bytes.
const READ_BYTES: usize = 512 << 20;
const READ_PASSES: usize = 3;
/// Places at which a core reads by turns.
const STREAMS: [usize; 4] = [1, 2, 4, 8];
/// Numbers that are read at a place before the next one's turn: two cache lines.
const LANES: usize = 16;
/// Instruction sets that matter to the kernels, as Linux writes them.
/// How often a second Linux counts, for programs, what a process used of the processor.
const TICKS_PER_S: f64 = 100.0;
const FLAGS: [&str; 6] = ["avx2", "fma", "f16c", "avx512f", "avx512_bf16", "asimd"];

/// The machine.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) instruction_sets: Vec<&'static str>,
    pub(crate) ram_bytes: u64,
    /// Over the minute before the start: what else ran.
    pub(crate) load_average: f64,
    pub(crate) os: &'static str,
    pub(crate) git_revision: Option<String>,
    /// Bytes a second that all cores together read from memory, the best of several passes and ways to read.
    pub(crate) read_bytes_per_s: f64,
}

impl Machine {
    /// Looks, and measures for a second or two. Blocks.
    pub(crate) fn look() -> Self {
        let load_average = first_number(&read("/proc/loadavg")).unwrap_or(f64::NAN);
        let cpu = read("/proc/cpuinfo");
        let flags = field(&cpu, "flags").or_else(|| field(&cpu, "Features")).unwrap_or_default();
        let has = |name: &&str| flags.split_whitespace().any(|flag| flag == *name);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            cpu: field(&cpu, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores,
            instruction_sets: FLAGS.into_iter().filter(has).collect(),
            ram_bytes: field(&read("/proc/meminfo"), "MemTotal").map_or(0, |text| kilobytes(&text)),
            load_average,
            os: std::env::consts::OS,
            git_revision: git_revision(),
            read_bytes_per_s: read_bytes_per_s(cores),
        }
    }
}

/// Resident memory of a process, in bytes; 0 when it is gone or the system does not tell.
pub(crate) fn resident_bytes(pid: u32) -> u64 {
    field(&read(&format!("/proc/{pid}/status")), "VmRSS").map_or(0, |text| kilobytes(&text))
}

/// What a process has used of the processor, for itself and in the kernel; 0 when the system does not tell.
pub(crate) fn cpu_time(pid: u32) -> Duration {
    Duration::from_secs_f64(ticks(&read(&format!("/proc/{pid}/stat"))) / TICKS_PER_S)
}

/// The fields 14 and 15 of proc_pid_stat(5). The second, the program's name in brackets, may have spaces.
fn ticks(stat: &str) -> f64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().skip(11).take(2).filter_map(first_number).sum()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first `name : value` of such a list.
fn field(text: &str, name: &str) -> Option<String> {
    let value = |line: &str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    };
    text.lines().find_map(value)
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

/// `16316412 kB` in bytes.
fn kilobytes(text: &str) -> u64 {
    text.trim_end_matches("kB").trim().parse::<u64>().map_or(0, |kilobytes| kilobytes << 10)
}

/// Of the folder it runs in, if that is a checkout.
fn git_revision() -> Option<String> {
    let output =
        Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Every core reads its part of a buffer from end to end; what it finds is used, so that nothing is skipped.
fn read_bytes_per_s(cores: usize) -> f64 {
    let part = READ_BYTES / 8 / cores;
    let parts: Vec<Vec<u64>> = (0..cores).map(|core| vec![core as u64 + 1; part]).collect();
    let pass = |streams: usize| {
        let started = Instant::now();
        thread::scope(|scope| {
            for numbers in &parts {
                scope.spawn(move || black_box(fold(numbers, streams)));
            }
        });
        (cores * part * 8) as f64 / started.elapsed().as_secs_f64()
    };
    STREAMS.into_iter().flat_map(|streams| [streams; READ_PASSES]).map(pass).fold(0.0, f64::max)
}

/// Exclusive or of all numbers, read at several places by turns: how many keep the memory busiest differs
/// between machines.
fn fold(numbers: &[u64], streams: usize) -> u64 {
    let stretches: Vec<&[u64]> = numbers.chunks(numbers.len().div_ceil(streams).max(1)).collect();
    let mut lanes = [0u64; LANES];
    let longest = stretches.first().map_or(0, |stretch| stretch.len());
    for start in (0..longest).step_by(LANES) {
        for stretch in &stretches {
            let row = &stretch[start.min(stretch.len())..(start + LANES).min(stretch.len())];
            match row.as_array::<LANES>() {
                Some(row) => lanes.iter_mut().zip(row).for_each(|(lane, number)| *lane ^= number),
                None => lanes.iter_mut().zip(row).for_each(|(lane, number)| *lane ^= number),
            }
        }
    }
    lanes.iter().fold(0, |all, number| all ^ number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "VmRSSx:\t1 kB\nVmRSS:\t  2048 kB\n";
        assert_eq!(field(text, "VmRSS").map(|text| kilobytes(&text)), Some(2 << 20));
        assert_eq!(field(text, "RSS"), None);
    }

    #[test]
    fn no_number_is_left_out_of_a_fold() {
        let numbers: Vec<u64> = (0..1003).map(|n| 1 << (n % 64)).collect();
        for streams in [1, 2, 8] {
            assert_eq!(fold(&numbers, streams), numbers.iter().fold(0, |all, n| all ^ n));
        }
    }

    #[test]
    fn a_processs_time_is_found_whatever_its_name_is() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 500 0 0 0 120 30 9 9 20 0 1 0 100 1000 50";
        assert_eq!(ticks(stat), 150.0);
        assert_eq!(ticks(""), 0.0);
    }

    #[test]
    fn a_running_process_has_memory() {
        assert!(resident_bytes(std::process::id()) > 1 << 20);
        assert_eq!(resident_bytes(u32::MAX), 0);
    }
}
