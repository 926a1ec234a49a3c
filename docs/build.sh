#!/usr/bin/env bash
# Builds the documentation as a site and checks its links: docs/build.sh [FOLDER]
# The site is written to FOLDER/html, by default target/site/html; the tool is compiled once, to target/tools.
set -euo pipefail
cd "$(dirname "$0")/.."

target="$(realpath -m "${CARGO_TARGET_DIR:-target}")"
folder="${1:-$target/site}"
version=0.5.4
mdbook="$target/tools/bin/mdbook"

if [[ "$("$mdbook" --version 2>/dev/null)" != "mdbook v$version" ]]; then
    # Unoptimised, it compiles in a third of the time and builds the site in seconds.
    cargo install mdbook --version "$version" --locked --debug --no-default-features --features search \
        --root "$target/tools" --target-dir "$target/tools/build"
    rm -r "$target/tools/build"
fi
python3 docs/site/stage.py "$folder"
"$mdbook" build "$folder"
python3 docs/site/check.py "$folder/html"
echo "$folder/html/index.html"
