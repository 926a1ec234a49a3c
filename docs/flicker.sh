#!/usr/bin/env bash
# Prints the tables of docs/videos.md: how much the change between a clip and its aged frames flickers, without and with
# temporal smoothing, and the frames per second of both passes: docs/flicker.sh
# Needs ffmpeg, and a built program: `cargo build --release`, or its path in IPCGAN. Clips are made of assets/photos.
set -euo pipefail
cd "$(dirname "$0")/.."

target="$(realpath -m "${CARGO_TARGET_DIR:-target}")"
program="${IPCGAN:-$target/release/ipcgan}"
photo=assets/photos/eileen-collins.jpg
folder="$(mktemp -d)"
trap 'rm -r "$folder"' EXIT

quiet_ffmpeg() {
    ffmpeg -nostdin -v error -y "$@"
}

# Mean over the frames of the mean absolute difference, in levels of 255, between the change (aged minus source) of a
# frame and that of the frame before.
flicker() {
    quiet_ffmpeg -framerate 25 -i "$1/%05d.png" -framerate 25 -i "$2/%05d-60.png" -f null - -lavfi \
        "[0]format=gray[source];[1]format=gray[aged];[aged][source]blend=all_mode=grainextract,tblend=all_mode=difference,\
signalstats,metadata=mode=print:key=lavfi.signalstats.YAVG:file=-" |
        awk -F= '/YAVG/ { sum += $2; count++ } END { printf "%.3f", sum / count }'
}

make_clip() {
    quiet_ffmpeg -loop 1 -framerate 25 -i "$photo" -t 4 \
        -vf "$1,noise=alls=10:allf=t:all_seed=1,format=yuv420p" -c:v libx264 -crf 18 "$2"
}

make_clip "scale=512:512" "$folder/still.mp4"
# A head that nods and turns a little in front of a shaking camera.
make_clip "scale=-2:800,rotate=0.08*sin(2*PI*t/3):fillcolor=gray,crop=512:512:(iw-512)/2+30*sin(2*PI*t/2.5):\
40+15*sin(2*PI*t/1.7)" "$folder/moving.mp4"

echo "| clip | each frame by itself | smoothed |"
echo "|---|---|---|"
for clip in still moving; do
    frames="$folder/$clip"
    mkdir "$frames"
    quiet_ffmpeg -i "$frames.mp4" "$frames/%05d.png"
    "$program" --quiet age "$frames" --to 60 --device cpu --out "$frames-single" >/dev/null
    "$program" --quiet age "$frames" --video --to 60 --device cpu --out "$frames-smooth" >/dev/null
    echo "| $clip | $(flicker "$frames" "$frames-single") | $(flicker "$frames" "$frames-smooth") |"
done

echo
echo "| size | ages | frames per second |"
echo "|---|---|---|"
for size in 512 1080; do
    quiet_ffmpeg -i "$folder/moving.mp4" -vf "scale=$size:$size" -c:v libx264 -crf 18 "$folder/$size.mp4"
    for ages in 60 15,60; do
        start="$(date +%s.%N)"
        "$program" --quiet age "$folder/$size.mp4" --to "$ages" --device cpu --out "$folder/clips" >/dev/null
        end="$(date +%s.%N)"
        awk "BEGIN { printf \"| %d x %d | %s | %.1f |\\n\", $size, $size, \"$ages\", 100 / ($end - $start) }"
    done
done
