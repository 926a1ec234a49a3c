#!/usr/bin/env bash
# Writes docs/backends.md from what `cargo bench --bench devices` measured on this machine, and what is known of others:
#
#   docs/backends.sh NAME MACHINE           the folder docs/backends/NAME; MACHINE says what was measured, as
#                                           "NVIDIA H200, driver 580.159"
#   docs/backends.sh NAME MACHINE FOLDER    measured elsewhere: FOLDER has devices.md and devices.svg of
#                                           `cargo run --release --example compare_devices -- FOLDER`
#   docs/backends.sh                        the page alone
set -euo pipefail
cd "$(dirname "$0")/.."

if (($# == 1 || $# > 3)); then
    echo "usage: docs/backends.sh [NAME MACHINE [FOLDER]]" >&2
    exit 2
fi
if (($# >= 2)); then
    name="$1" machine="$2"
    if [[ ! "$name" =~ ^[a-z0-9-]+$ || "$machine" == *[\"\\]* ]]; then
        echo "NAME is a folder: a-z, 0-9 and hyphens; MACHINE has no quotes and no backslashes" >&2
        exit 2
    fi
    folder="docs/backends/$name"
    mkdir -p "$folder"
    if (($# == 3)); then
        cp "$3/devices.md" "$3/devices.svg" "$folder"
    else
        cargo run --release --example compare_devices -- "$folder"
    fi
    preset="${IPCGAN_BENCH_PRESET:+IPCGAN_BENCH_PRESET=$IPCGAN_BENCH_PRESET }"
    cat >"$folder/machine.toml" <<END
title = "${machine%%,*}"
machine = "$machine, measured on $(date -I)"
command = "${preset}cargo bench --bench devices"
END
fi
python3 docs/site/backends.py
