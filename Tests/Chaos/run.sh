#!/bin/sh
# Runs a chaos campaign (campaign.py) against three clusters of Apus. Arguments: see run.sh --help.
#
#     APUS=.build/release/apus Tests/Chaos/run.sh --seconds 120 --seed 1
#
# As root it runs in namespaces of its own for mounts and processes: whatever ends it, nothing of it stays behind.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
python=$root/.venv/bin/python3

if [ -z "${APUS:-}" ]; then
    for build in release debug; do
        if [ -x "$root/.build/$build/apus" ]; then
            APUS=$root/.build/$build/apus
            break
        fi
    done
fi
if [ ! -x "${APUS:-}" ]; then
    echo "run.sh: no binary; build it (make build) or name it: APUS=/path/to/apus $0" >&2
    exit 2
fi
if [ ! -x "$python" ]; then
    echo "run.sh: the clients are not installed; run scripts/install-deps.sh chaos" >&2
    exit 3
fi
APUS=$(realpath "$APUS")
export APUS PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here:$root/Compatibility"
# The clients must take their settings from the campaign only, and talk to loopback directly.
unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL 2>/dev/null || true
export AWS_EC2_METADATA_DISABLED=true NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}"
export no_proxy="$NO_PROXY"
if [ "$(id -u)" -eq 0 ] && unshare --mount --pid --fork --mount-proc true 2>/dev/null; then
    # The shell is process 1 there and takes in orphans; therefore it must not become the campaign.
    # shellcheck disable=SC2016 # for the inner shell
    exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
        sh -c '"$@"; exit $?' sh "$python" "$here/campaign.py" "$@"
fi
exec "$python" "$here/campaign.py" "$@"
