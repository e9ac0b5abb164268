#!/bin/sh
# Runs the three functions by hand, without a cluster, on a few images of both videos, and checks what comes out:
# some image had a face to hide, no image shows a face afterwards, and people are found.
#
#     MASK_DETECTION_PYTHON=…/bin/python ./check.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export MASK_DETECTION_PYTHON="${MASK_DETECTION_PYTHON:-python3}" CPU_THREADS="${CPU_THREADS:-2}" FACE_SCALE=1.5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/input" "$work/frames" "$work/anonymised" "$work/results"
cd "$here"

"$MASK_DETECTION_PYTHON" make-input.py "$work/input"
FRAME_INTERVAL=20 INPUT_FILE_PATH=$work/input/vtest.avi TMP_OUTPUT_DIR=$work/frames sh frames.sh
FRAME_INTERVAL=3 INPUT_FILE_PATH=$work/input/faces.mp4 TMP_OUTPUT_DIR=$work/frames sh frames.sh
for image in "$work"/frames/*.jpg; do
    FACE_THRESHOLD=0.2 INPUT_FILE_PATH=$image TMP_OUTPUT_DIR=$work/anonymised sh anonymise.sh
    # The same image as it was, for comparison: the network must see faces there.
    mkdir -p "$work/before"
    FACE_THRESHOLD=0.3 INPUT_FILE_PATH=$image TMP_OUTPUT_DIR=$work/before sh detect.sh >/dev/null
done
for image in "$work"/anonymised/*.jpg; do
    FACE_THRESHOLD=0.3 INPUT_FILE_PATH=$image TMP_OUTPUT_DIR=$work/results sh detect.sh
done
"$MASK_DETECTION_PYTHON" contact-sheet.py "$work/results" "$work/sheet.jpg"
"$MASK_DETECTION_PYTHON" - "$work" <<'PYTHON'
import glob, json, sys

def count(folder, kind):
    reports = [json.load(open(path)) for path in glob.glob(f"{sys.argv[1]}/{folder}/*.json")]
    return len(reports), sum(len(report[kind]) for report in reports)

frames = len(glob.glob(f"{sys.argv[1]}/frames/*.jpg"))
_, before = count("before", "faces")
results, after = count("results", "faces")
_, people = count("results", "people")
good = results == frames and before >= 5 and after == 0 and people >= 5
verdict = "pass" if good else "FAIL"
print(f"{verdict}: {frames} images, {results} results, {before} faces before, {after} after, {people} people")
sys.exit(0 if good else 1)
PYTHON
if printf 'no image' >"$work/input/broken.jpg" &&
    INPUT_FILE_PATH=$work/input/broken.jpg TMP_OUTPUT_DIR=$work/results sh anonymise.sh 2>/dev/null; then
    echo "FAIL: anonymise accepts a file that is no image"
    exit 1
fi
echo "pass: a file that is no image is refused"
