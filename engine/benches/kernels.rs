//! The cpu runner's kernels one by one, on one thread, with each instruction set: what limits them when nothing waits for
//! anything else. Reported as multiplications (each with an addition) a second; twice that is FLOP/s.
//!
//! `cargo bench -p tenora-engine --bench kernels -- FILTER`
#![expect(clippy::unwrap_used, reason = "a benchmark without its kernel has nothing to measure")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tenora_engine::{
    config::InstructionSet::{Avx2, Portable},
    runner::cpu::probe::{Probe, Storage},
};

/// Of the gate and the way up in SmolLM2-135M, as are the outputs.
const INPUTS: usize = 576;
/// See there.
const OUTPUTS: usize = 1536;
const RANK: usize = 16;

fn kernels(criterion: &mut Criterion) {
    for set in [Avx2, Portable] {
        let Some(_) = Probe::base([1, INPUTS, OUTPUTS], Storage::F32, set) else { continue };
        let mut measure = |name: &str, mut probe: Probe| {
            let mut group = criterion.benchmark_group(format!("{set:?}"));
            group.sample_size(30).throughput(Throughput::Elements(probe.multiply_adds() as u64));
            group.bench_function(name, |bencher| bencher.iter(|| probe.run()));
        };
        for storage in [Storage::F32, Storage::Bf16, Storage::Q8_0] {
            for rows in [1, 4, 16, 64] {
                let probe = Probe::base([rows, INPUTS, OUTPUTS], storage, set).unwrap();
                measure(&format!("base {storage:?} {rows}"), probe);
            }
        }
        measure("shrink 16 adapters", Probe::shrink([16, INPUTS, RANK], set).unwrap());
        measure("expand 16 adapters", Probe::expand([16, RANK, OUTPUTS], set).unwrap());
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);
