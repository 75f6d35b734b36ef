#!/usr/bin/env bash
# Compiles the kernels for devices without cargo, and lists each one's registers, spills and shared memory:
#     CUDA_HOME=… engine/kernels/compile.sh [OUTPUT]
set -euo pipefail
cd "$(dirname "$0")"

nvcc="${CUDA_HOME:+$CUDA_HOME/bin/}nvcc"
output="${1:-$(mktemp -d)/kernels.fatbin}"
# Binary code for these, and portable code for what comes after the last.
architectures=(80 90 100)
codes=()
for architecture in "${architectures[@]}"; do
    codes+=(-gencode "arch=compute_$architecture,code=sm_$architecture")
done
codes+=(-gencode "arch=compute_${architectures[-1]},code=compute_${architectures[-1]}")
"$nvcc" -std=c++17 -O3 --threads 0 -fatbin "${codes[@]}" -Xptxas -v -I cuda -o "$output" cuda/kernels.cu 2>&1 |
    awk '/Compiling entry/ { gsub("\047", ""); for (i = 1; i <= NF; i++) if ($i ~ /^sm_/) { architecture = $i; name = $(i - 2) } }
         /bytes stack frame/ { stack = $1 " stack, " $5 " spilled" }
         /Used [0-9]+ registers/ { smem = 0; for (i = 1; i <= NF; i++) if ($i == "smem" || $i == "smem,") smem = $(i - 2)
             printf "%-8s %-28s %4s registers, %6s shared, %s\n", architecture, name, $5, smem, stack; next }
         /error|warning/ { print }' | sort
ls -l "$output"
