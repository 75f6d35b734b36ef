#!/usr/bin/env bash
# Checks and measures the cuda runner on a machine with a GPU, all in one go; results go to ./cuda-results.
#     bench/cuda.sh                  build here, and run here
#     bench/cuda.sh build DIR        build the three programs into DIR, on a machine with a compiler and CUDA's toolkit
#     bench/cuda.sh run DIR          run them, in a checkout on a machine with a GPU, its driver and cuBLAS
# SHAPES chooses among llama-3.2-1b and llama-3.1-8b (for steps alone also tiny), STREAMS among numbers of streams, PARTS
# among contract, steps, peft and server. TENORA_BENCH_DIR keeps models and adapters: 3 GB for the 1B, 17 GB for the 8B, twice
# if steps and server are both measured.
set -euo pipefail
cd "$(dirname "$0")/.."

shapes=${SHAPES:-llama-3.2-1b llama-3.1-8b}
streams=${STREAMS:-1,4,16,32,64,256}
parts=${PARTS:-contract steps peft server}
results=cuda-results

# Where cargo put what it made: the last executable of this name.
made() {
    python3 -c '
import json, sys
found = [m["executable"] for m in map(json.loads, sys.stdin)
         if m.get("executable") and m["target"]["name"] == sys.argv[1]]
print(found[-1])' "$1"
}

build() {
    local folder="$1" messages
    mkdir -p "$folder"
    messages=$(mktemp)
    cargo build --release --workspace --features tenora-gateway/cuda --bin tenora --test golden --bench gpu \
        --message-format=json-render-diagnostics >"$messages"
    for program in tenora golden gpu; do
        # Without tables of lines they are a third as large.
        strip --strip-debug -o "$folder/$program" "$(made "$program" <"$messages")"
    done
    rm "$messages"
}

run() {
    local programs
    programs=$(cd "$1" && pwd)
    mkdir -p "$results"
    export TENORA_BENCH_DIR="${TENORA_BENCH_DIR:-$PWD/.tenora/bench}"
    mkdir -p "$TENORA_BENCH_DIR"
    {
        date -u +%FT%TZ
        git rev-parse HEAD 2>/dev/null || true
        nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,pcie.link.gen.max,power.limit \
            --format=csv
        grep -m1 'model name' /proc/cpuinfo || true
        nproc
    } | tee "$results/machine.txt"
    for part in $parts; do "run_$part" "$programs"; done
}

# PEFT's results on the device, in f32 and in bf16.
run_contract() {
    TENORA_TEST_CUDA=1 CARGO_MANIFEST_DIR="$PWD/engine" "$1/golden" 2>&1 | tee "$results/contract.txt"
}

run_steps() {
    for shape in $shapes; do "$1/gpu" "$shape" | tee "$results/steps-$shape.md"; done
}

# PEFT's own mixed batches, on what the steps were measured with.
run_peft() {
    if ! python3 -c 'import peft, torch, transformers; assert torch.cuda.is_available()' 2>/dev/null; then
        echo "SKIPPED: PEFT beside it (needs Python's torch with CUDA, transformers and peft)" | tee "$results/peft.md"
        return
    fi
    for shape in $shapes; do
        bench/peft_batches.py "$TENORA_BENCH_DIR/gpu-$shape" --streams "${PEFT_STREAMS:-1,4,16,32,64}" |
            tee "$results/peft-$shape.md"
    done
}

run_server() {
    for shape in $shapes; do
        "$1/tenora" bench --shape "$shape" --weights bf16 --adapter-weights bf16 --ranks 8,16,32,64 \
            --scenarios mix,single,cold --streams "$streams" --work-dir "$TENORA_BENCH_DIR" \
            --set TENORA_DEVICE=cuda:0 --set TENORA_MAX_BATCH_ROWS=2048 --set TENORA_MAX_BATCH_SEQUENCES=256 \
            --set TENORA_STEP_TARGET_MS=30 --set TENORA_QUEUE_LIMIT=1024 \
            --json "$results/server-$shape.json" | tee "$results/server-$shape.md"
    done
}

case "${1:-all}" in
build) build "${2:?a folder for the programs}" ;;
run) run "${2:?the folder of the programs}" ;;
all)
    build target/cuda-programs
    run target/cuda-programs
    ;;
*)
    echo "bench/cuda.sh [build DIR | run DIR]" >&2
    exit 2
    ;;
esac
