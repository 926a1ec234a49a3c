#!/usr/bin/env bash
# A program for any Linux on x86-64, with no library beside it: scripts/static-linux.sh [TARGET_DIR]
# It computes on CPUs alone, because drivers of GPUs are libraries that are loaded.
set -euo pipefail
cd "$(dirname "$0")/.."

target=x86_64-unknown-linux-musl
folder="${1:-${CARGO_TARGET_DIR:-target}}"
rustup target add "$target"
CARGO_PROFILE_RELEASE_STRIP=symbols cargo build --release --target "$target" --target-dir "$folder" \
    --package ipcgan-cli --no-default-features
echo "$folder/$target/release/ipcgan"
