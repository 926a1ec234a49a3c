#!/usr/bin/env bash
# Makes the static page: crates/ipcgan-web/build.sh FOLDER. Any web server may serve the folder.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
out="$(mkdir -p "${1:?usage: build.sh FOLDER}" && cd "$1" && pwd)"
cd "$here/../.."
target="${CARGO_TARGET_DIR:-target}/web"

rustup target add wasm32-unknown-unknown
version="$(cargo pkgid --quiet wasm-bindgen | sed 's/.*@//')"
if [ "$("$target/tools/bin/wasm-bindgen" --version 2>/dev/null)" != "wasm-bindgen $version" ]; then
    cargo install --quiet --root "$target/tools" --target-dir "$target/tools-build" wasm-bindgen-cli --version "$version"
fi
cargo build --locked --release --package ipcgan-web --target wasm32-unknown-unknown --target-dir "$target"
"$target/tools/bin/wasm-bindgen" --target web --no-typescript --out-dir "$out" \
    "$target/wasm32-unknown-unknown/release/ipcgan_web.wasm"
page=crates/ipcgan-cli/src/serve/page
cp "$page/page.html" "$out/index.html"
cp "$page/page.css" "$page/page.js" "$page/photo.js" crates/ipcgan-web/page/service.js crates/ipcgan-web/page/worker.js "$out"
