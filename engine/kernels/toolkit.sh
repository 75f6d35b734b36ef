#!/usr/bin/env bash
# Fetches nvcc and CUDA's headers and libraries as Python wheels, for machines without a system toolkit:
#     engine/kernels/toolkit.sh FOLDER [--libraries]
# makes FOLDER/cuda, to be named by CUDA_HOME. Kernels need no more than that; `--libraries` adds what candle links against
# (cuBLAS, cuRAND, NVRTC) and a stub of the driver's library, FOLDER/cuda/lib64/stubs/libcuda.so, for linking only.
set -euo pipefail

folder="${1:?a folder to put the toolkit in}"
release="${CUDA_RELEASE:-13.0.88}"
packages=("nvidia-cuda-nvcc==$release" "nvidia-nvvm==$release" "nvidia-cuda-crt==$release" nvidia-cuda-cccl
    nvidia-cuda-runtime==13.0.96)
if [ "${2:-}" = --libraries ]; then
    packages+=("nvidia-cuda-nvrtc==$release" nvidia-cublas==13.1.1.3 nvidia-curand==10.4.0.35)
fi

mkdir -p "$folder"
[ -x "$folder/python/bin/pip" ] || python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
wheels=$(echo "$folder"/python/lib/python3*/site-packages/nvidia/cu13)
wheels=$(cd "$wheels" && pwd)

# Linkers want unversioned names, and some builds the folder lib64.
cuda="$folder/cuda"
rm -rf "$cuda"
mkdir -p "$cuda"
cp -rs "$wheels"/. "$cuda"/
ln -sfn lib "$cuda/lib64"
for library in "$cuda"/lib/lib*.so.*; do
    unversioned="${library%%.so.*}.so"
    [ -e "$unversioned" ] || ln -s "$(basename "$library")" "$unversioned"
done

if [ "${2:-}" = --libraries ]; then
    mkdir -p "$cuda/lib/stubs"
    stub="$cuda/lib/stubs/libcuda.c"
    grep -ohE '\bcu[A-Z][A-Za-z0-9_]*\(' "$cuda/include/cuda.h" | tr -d '(' | sort -u |
        sed 's/.*/int &(void) { return 999; }/' >"$stub"
    # Newer names of the same functions are macros in cuda.h.
    grep -oE '^ *#define +cu[A-Z][A-Za-z0-9]* +cu[A-Z][A-Za-z0-9_]*_v[0-9]+' "$cuda/include/cuda.h" |
        awk '{print $3}' | sort -u | sed 's/.*/int &(void) { return 999; }/' >>"$stub"
    sort -u -o "$stub" "$stub"
    cc -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$cuda/lib/stubs/libcuda.so" "$stub"
fi
echo "CUDA_HOME=$(cd "$cuda" && pwd)"
