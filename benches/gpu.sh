#!/usr/bin/env bash
# Measures a GPU in one go, in at most eight minutes: whether the results are right, launches and speed of a training step,
# and PyTorch on the same card.
#
#   benches/gpu.sh build [cuda|vulkan|wgpu]   compiles and packs gpu-bench.tar.xz, on a machine with or without a GPU
#   benches/gpu.sh run DEVICE [OUT]           unpacks it in a checkout on the machine with the GPU and measures DEVICE, such
#                                             as cuda, vulkan or wgpu:software; results are in OUT (gpu-bench-results)
#
# The machine with the GPU needs no Rust; PyTorch is compared if `python3` has it. Every result is written as soon as it is
# known, so that a run that is cut off leaves what it had.
set -euo pipefail
cd "$(dirname "$0")/.."
package=gpu-bench.tar.xz

build() {
    local feature="${1:-vulkan}" folder
    folder="$(mktemp -d)"
    # The paths of test and benchmark programs, as cargo tells them.
    programs() {
        cargo "$@" --features "$feature" --no-run --message-format=json |
            python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line) if line.startswith("{") else {}
    if message.get("executable"):
        print(message["target"]["name"], message["executable"])'
    }
    programs test --release --workspace --lib --test specification --test half_precision --test kernel_launches \
        --test captured_step >"$folder/list"
    programs bench --workspace --bench devices --bench compare >>"$folder/list"
    cargo build --release --workspace --bins --features "$feature"
    cp "${CARGO_TARGET_DIR:-target}/release/ipcgan" "$folder/ipcgan"
    while read -r name path; do
        case "$name" in ipcgan_model | specification | half_precision | kernel_launches | captured_step | devices | compare)
            cp "$path" "$folder/$name"
            ;;
        esac
    done <"$folder/list"
    rm "$folder/list"
    strip "$folder"/*
    # Tests look for their files where they were compiled.
    pwd >"$folder/root"
    tar --create --xz --file "$package" --directory "$folder" .
    rm -r "$folder"
    ls -l "$package"
}

run() {
    local device="$1" out="${2:-gpu-bench-results}" folder root
    folder="$(mktemp -d)"
    mkdir -p "$out"
    tar --extract --xz --file "$package" --directory "$folder"
    root="$(<"$folder/root")"
    if [[ ! -e "$root" ]]; then
        mkdir -p "$(dirname "$root")"
        ln -s "$PWD" "$root"
    fi
    export IPCGAN_TEST_DEVICE="$device" IPCGAN_BENCH_DEVICES="$device"
    measure() { # NAME SECONDS COMMAND...
        local name="$1" seconds="$2" status=0
        shift 2
        echo "== $name"
        timeout "$seconds" "$@" >"$out/$name.txt" 2>"$out/$name.log" || status=$?
        echo "exit status $status after $SECONDS s" | tee -a "$out/$name.log"
        tail -n 40 "$out/$name.txt"
    }
    if command -v nvidia-smi >/dev/null; then
        measure card 10 nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,memory.total --format=csv
    fi
    measure devices 30 "$folder/ipcgan" devices
    # The step first: it is what a short loan is for.
    measure step 100 "$folder/devices" --bench "training step"
    IPCGAN_BENCH_PRESET=paper measure step-paper 60 "$folder/devices" --bench "training step"
    measure launches 30 "$folder/kernel_launches" --nocapture
    measure captured-step 60 "$folder/captured_step"
    measure kernels 60 "$folder/ipcgan_model" gpu
    measure specification 90 "$folder/specification" \
        tiny_ alexnet_sees published_generator published_discriminator two_steps detection
    measure half-precision 30 "$folder/half_precision"
    if [[ "$device" != *software && "$device" != cpu ]] && python3 -c "import torch" 2>/dev/null; then
        measure pytorch 120 python3 benches/compare/compare.py --program "$folder/compare" --device "$device" \
            --rounds 3 --only step:4 step:32
    fi
    rm -r "$folder"
    echo "results are in $out"
}

case "${1:-}" in
build) build "${2:-vulkan}" ;;
run) run "${2:?which device}" "${3:-gpu-bench-results}" ;;
*)
    sed -n '2,11s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
