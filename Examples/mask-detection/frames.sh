#!/bin/sh
# Stage 1, at the edge: sample a video into images.
#
# In:  INPUT_FILE_PATH   the video, any format that ffmpeg reads
# Out: TMP_OUTPUT_DIR    <video>-00001.jpg, <video>-00002.jpg, …
# Settings:
#   FRAME_INTERVAL  seconds between two images (default 5)
#   FRAME_WIDTH     greatest width in pixels; larger videos are scaled down (default 960)
#   FRAME_LIMIT     greatest number of images, 0 = no limit (default 0)
#   CPU_THREADS     threads, as many as the service has cpus (default 1)
set -eu

interval=${FRAME_INTERVAL:-5}
width=${FRAME_WIDTH:-960}
limit=${FRAME_LIMIT:-0}
name=$(basename "$INPUT_FILE_PATH")
stem=${name%.*}

if ! command -v ffmpeg >/dev/null 2>&1; then
    echo "frames: ffmpeg is not installed (Debian package: ffmpeg)" >&2
    exit 3
fi
set --
[ "$limit" -gt 0 ] && set -- -frames:v "$limit"

cd "$TMP_OUTPUT_DIR"
# Plain numbered names while ffmpeg writes: a % in the video's own name would be taken for a pattern.
ffmpeg -hide_banner -loglevel error -nostdin -threads "${CPU_THREADS:-1}" -i "$INPUT_FILE_PATH" -an -sn \
    -vf "select='isnan(prev_selected_t)+gte(t-prev_selected_t,$interval)',scale='min(iw,$width)':-2" \
    -fps_mode vfr -q:v 2 "$@" frame-%05d.jpg

count=0
for image in frame-*.jpg; do
    [ -f "$image" ] || break
    mv "$image" "$stem${image#frame}"
    count=$((count + 1))
done
if [ "$count" -eq 0 ]; then
    echo "frames: no image could be taken from $name" >&2
    exit 1
fi
echo "frames: $count images from $name, one every $interval s"
