#!/usr/bin/env bash
# Programs for any Linux, with no library beside them: scripts/static-linux.sh [x86_64|aarch64]...
# Without an argument, for this machine's processor. They compute on CPUs alone, because drivers of GPUs are libraries
# that are loaded. The last lines name the files, in target/static (or CARGO_TARGET_DIR/static), with their checksums.
set -euo pipefail
cd "$(dirname "$0")/.."

target="$(realpath -m "${CARGO_TARGET_DIR:-target}")"
folder="$target/static"

failed() {
    printf '%s\n' "$@" >&2
    exit 1
}

for architecture in "${@:-$(uname -m)}"; do
    if [[ "$architecture" != x86_64 && "$architecture" != aarch64 ]]; then
        echo "unknown architecture $architecture; usage: scripts/static-linux.sh [x86_64|aarch64]..." >&2
        exit 2
    fi
done

# The standard library for the target, of the toolchain that compiles.
has_standard_library() {
    [[ -n "$(compgen -G "$(rustc --print target-libdir --target "$1")/libstd-*.rlib")" ]]
}

# Prints the path of the program.
build() {
    local architecture="$1" triple="$1-unknown-linux-musl"
    if ! has_standard_library "$triple"; then
        command -v rustup >/dev/null || failed "Rust has no standard library for $triple, and there is no rustup to add it." \
            "Install rustup (rustup.rs), or the package of your distribution with this target."
        rustup target add "$triple" >&2 ||
            failed "rustup could not add $triple: see its message above. It needs the network once for each toolchain."
    fi
    # Rust brings this linker and the objects of musl. No dependency compiles C, so that no cross compiler is needed.
    local linker="CARGO_TARGET_${architecture^^}_UNKNOWN_LINUX_MUSL_LINKER"
    export "$linker=${!linker:-rust-lld}"
    CARGO_PROFILE_RELEASE_STRIP=symbols cargo build --release --target "$triple" --target-dir "$target" \
        --package ipcgan-cli --no-default-features >&2 ||
        failed "$triple: the build failed, see above. If the linker ${!linker} is missing (some distributions package Rust" \
            "without it), name another one: $linker=$architecture-linux-musl-gcc"
    echo "$target/$triple/release/ipcgan"
}

# Runs the program if this machine can: directly, or by QEMU.
check() {
    local architecture="$1" program="$2"
    if readelf --program-headers "$program" | grep -q INTERP; then
        failed "$program is not static: it asks for a dynamic loader"
    fi
    if [[ "$architecture" == "$(uname -m)" ]]; then
        "$program" age assets/photos/eileen-collins-face.png --aligned --to 51+ --out "$folder/check-$architecture" >&2
    elif command -v "qemu-$architecture" >/dev/null; then
        "qemu-$architecture" "$program" --version >&2
    else
        echo "$program was not run: this machine is $(uname -m), and qemu-$architecture (Debian: qemu-user) is missing" >&2
    fi
}

command -v readelf >/dev/null || failed "readelf is missing (Debian: binutils); it checks that the programs are static"
mkdir -p "$folder"
for architecture in "${@:-$(uname -m)}"; do
    program="$(build "$architecture")"
    check "$architecture" "$program"
    cp "$program" "$folder/ipcgan-$architecture-linux"
    (cd "$folder" && sha256sum "ipcgan-$architecture-linux")
done
echo "$folder"
