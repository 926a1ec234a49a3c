#!/usr/bin/env bash
# Writes docs/gallery.md and docs/images/gallery, and the pictures of the packages' front pages, from assets/photos with
# the embedded weights: docs/gallery.sh
# Needs `pip install pillow` and a built program: `cargo build --release`, or its path in IPCGAN. PYTHON names the Python.
set -euo pipefail
cd "$(dirname "$0")/.."

target="$(realpath -m "${CARGO_TARGET_DIR:-target}")"
export IPCGAN="${IPCGAN:-$target/release/ipcgan}"
python="${PYTHON:-python3}"

if [[ ! -x "$IPCGAN" ]]; then
    echo "$IPCGAN is missing: run cargo build --release first, or set IPCGAN to the path of the program" >&2
    exit 1
fi
if ! "$python" -c "import PIL"; then
    echo "$python has no Pillow: $python -m pip install pillow" >&2
    exit 1
fi
"$python" docs/site/gallery.py
