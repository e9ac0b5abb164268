#!/bin/sh
# The demonstration: two clusters on this machine, `edge` and `cloud`, a workflow of three functions over both, and
# two videos.
# Shows every file's way live and ends with a table and a contact sheet. `make demo` builds first and then runs this.
#
# Settings:
#   APUS          the binary (default .build/release/apus)
#   DEMO_SANDBOX  process (default) or container; the container image is built here once, which takes some minutes
#   DEMO_DIR      where data, logs and results go; wiped at every start (default .demo)
#   DEMO_TIMEOUT  seconds after which the demonstration gives up (default 900)
#   DEMO_KEEP     1: the clusters go on until Ctrl-C
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
apus=$(realpath -m "${APUS:-$root/.build/release/apus}")
demo=$(realpath -m "${DEMO_DIR:-$root/.demo}")
sandbox=${DEMO_SANDBOX:-process}
example=$root/Examples/mask-detection
image=localhost/mask-detection:1
python=$root/.venv/bin/python3
config=$demo/config/apus.yaml

say() { printf '\n== %s\n' "$*"; }
fail() {
    echo "demo: $*" >&2
    exit 1
}

case $sandbox in
process | container) ;;
*) fail "DEMO_SANDBOX must be process or container, not $sandbox" ;;
esac
[ -x "$apus" ] || fail "there is no binary $apus; run make demo, or make build first"
"$root/scripts/install-deps.sh" demo

# is_ours PID: whether it is a server of this demonstration, and not another process that got the number later.
is_ours() {
    [ -r "/proc/$1/cmdline" ] && tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF -- "serve --data $demo/"
}

# stop_clusters: SIGTERM to both, SIGKILL to what is still there after 20 seconds.
stop_clusters() {
    pids=""
    for cluster in edge cloud; do
        pid=$(cat "$demo/$cluster.pid" 2>/dev/null || true)
        if [ -n "$pid" ] && is_ours "$pid"; then
            kill -TERM "$pid" 2>/dev/null || true
            pids="$pids $pid"
        fi
    done
    for pid in $pids; do
        waited=0
        while is_ours "$pid" && [ "$waited" -lt 200 ]; do
            sleep 0.1
            waited=$((waited + 1))
        done
        ! is_ours "$pid" || kill -KILL "$pid" 2>/dev/null || true
    done
    rm -f "$demo/edge.pid" "$demo/cloud.pid"
}

# A directory that something else uses is never wiped: only one that an earlier run has marked.
if [ -d "$demo" ] && [ -n "$(ls -A "$demo")" ] && [ ! -e "$demo/.apus-demo" ]; then
    fail "$demo is not empty and not from an earlier demonstration; name another directory with DEMO_DIR"
fi
stop_clusters
rm -rf "$demo"
mkdir -p "$demo/config" "$demo/workflow" "$demo/results"
touch "$demo/.apus-demo"
chmod 700 "$demo"
watch=""
trap '[ -z "$watch" ] || kill "$watch" 2>/dev/null || true; stop_clusters' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Ports and keys of this run; a preferred port that is busy is replaced by a free one.
"$python" - "$demo/settings" <<'PYTHON'
import secrets, socket, sys

taken = set()

def port(preferred):
    for candidate in (preferred, 0):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            number = listener.getsockname()[1]
            if number not in taken:
                taken.add(number)
                return number
    return port(0)

with open(sys.argv[1], "w") as file:
    for cluster, api, store in (("edge", 18080, 19000), ("cloud", 18081, 19001)):
        file.write(f"{cluster}_api={port(api)}\n{cluster}_s3={port(store)}\n")
        file.write(f"{cluster}_password={secrets.token_hex(12)}\n")
        file.write(f"{cluster}_access_key=demo-{cluster}\n{cluster}_secret_key={secrets.token_hex(20)}\n")
PYTHON
# shellcheck disable=SC1091 # written above
. "$demo/settings"

# start_cluster NAME API-PORT S3-PORT PASSWORD ACCESS-KEY SECRET-KEY
start_cluster() {
    APUS_USERNAME=admin APUS_PASSWORD=$4 APUS_S3_ACCESS_KEY=$5 APUS_S3_SECRET_KEY=$6 \
        "$apus" serve --data "$demo/$1" --listen "127.0.0.1:$2" --s3-listen "127.0.0.1:$3" --sandbox "$sandbox" \
        </dev/null >"$demo/$1.log" 2>&1 &
    echo $! >"$demo/$1.pid"
    "$python" "$root/scripts/demo_watch.py" --wait "http://127.0.0.1:$2" --pid "$(cat "$demo/$1.pid")" || {
        tail -n 20 "$demo/$1.log" >&2
        fail "cluster $1 did not start; its log is $demo/$1.log"
    }
    printf '%s\n' "$4" | apus cluster add "$1" "http://127.0.0.1:$2" admin --password-stdin --config "$config" >/dev/null
    echo "$1: API http://127.0.0.1:$2, object store http://127.0.0.1:$3, log $demo/$1.log"
}

# The command line reads this run's configuration only, never the user's own.
apus() {
    env -u APUS_ENDPOINT -u APUS_TOKEN XDG_CONFIG_HOME="$demo/config" XDG_DATA_HOME="$demo/config" "$apus" "$@"
}

if [ "$sandbox" = container ]; then
    key=$(cat "$example/build-image.sh" "$example"/requirements*.txt | sha256sum | cut -c 1-12)
    archive=$root/.work/mask-detection-$key.tar
    if [ ! -e "$archive" ]; then
        say "building the container image (once)"
        "$example/build-image.sh" "$archive"
    fi
fi

say "two clusters on this machine; sandbox: $sandbox"
if [ "$sandbox" = process ]; then
    echo "(the scripts run as plain processes of this machine; DEMO_SANDBOX=container runs them in containers)"
fi
start_cluster edge "$edge_api" "$edge_s3" "$edge_password" "$edge_access_key" "$edge_secret_key"
start_cluster cloud "$cloud_api" "$cloud_s3" "$cloud_password" "$cloud_access_key" "$cloud_secret_key"

if [ "$sandbox" = container ]; then
    say "the image, to both clusters"
    apus image add "$archive" "$image" --quiet --cluster edge --config "$config"
    apus image add "$archive" "$image" --quiet --cluster cloud --config "$config"
    inside_python=python3
else
    inside_python=$python
fi

say "the workflow: apus apply mask-detection.yaml"
cp "$example/frames.sh" "$example/anonymise.sh" "$example/detect.sh" "$demo/workflow/"
sed -e "s#^\( *endpoint:\) http://127.0.0.1:19001\$#\1 http://127.0.0.1:$cloud_s3#" \
    -e "s#^\( *access_key:\) cloud-access-key\$#\1 $cloud_access_key#" \
    -e "s#^\( *secret_key:\) cloud-secret-key\$#\1 $cloud_secret_key#" \
    -e "s#^\( *MASK_DETECTION_PYTHON:\) python3\$#\1 \"$inside_python\"#" \
    "$example/mask-detection.yaml" >"$demo/workflow/mask-detection.yaml"
chmod 600 "$demo/workflow/mask-detection.yaml"
apus apply "$demo/workflow/mask-detection.yaml" --config "$config"

say "the input: a surveillance clip, and a travel over photographs with faces"
"$python" "$example/make-input.py" "$demo/input"

say "upload to the edge: apus put …"
apus put "$demo/input/vtest.avi" "$demo/input/faces.mp4" mask-detection/videos/ --cluster edge --config "$config"

say "every file's way"
status=0
# In the background, because a shell answers signals only between commands and in `wait`.
EDGE_PASSWORD=$edge_password CLOUD_PASSWORD=$cloud_password "$python" "$root/scripts/demo_watch.py" \
    --edge "http://127.0.0.1:$edge_api" --cloud "http://127.0.0.1:$cloud_api" --bucket mask-detection \
    --videos vtest.avi faces.mp4 --timeout "${DEMO_TIMEOUT:-900}" &
watch=$!
wait "$watch" || status=$?
watch=""

say "results: apus get -r mask-detection/results"
apus get -r mask-detection/results "$demo/results" --quiet --cluster cloud --config "$config"
"$python" "$example/contact-sheet.py" "$demo/results" "$demo/contact-sheet.jpg"
"$python" - "$demo/results" <<'PYTHON'
import glob, json, sys

reports = [json.load(open(path)) for path in glob.glob(f"{sys.argv[1]}/**/*.json", recursive=True)]
faces = sum(len(report["faces"]) for report in reports)
people = sum(len(report["people"]) for report in reports)
print(f"{len(reports)} frames: {people} people marked, {faces} faces still visible")
PYTHON

say "done; sandbox: $sandbox"
echo "results:       $demo/results"
echo "contact sheet: $demo/contact-sheet.jpg"
if [ "$status" -ne 0 ]; then
    echo "demo: not everything went well; logs: $demo/edge.log $demo/cloud.log" >&2
fi
if [ "${DEMO_KEEP:-0}" = 1 ]; then
    echo "the clusters go on; try: $apus ls mask-detection/ --cluster cloud --config $config   (Ctrl-C ends)"
    while :; do sleep 1; done
fi
exit "$status"
