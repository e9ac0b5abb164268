#!/bin/sh
# Runs foreign clients (oscar-python, boto3, aws-cli, minio, rclone) against a live Apus. Arguments: see run.py --help.
#
#     APUS=.build/release/apus Compatibility/run.sh [SUITE...]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
python=$root/.venv/bin/python3

if [ -z "${APUS:-}" ]; then
    for build in release debug; do
        if [ -x "$root/.build/$build/apus" ]; then
            APUS=$root/.build/$build/apus
            break
        fi
    done
fi
case " $* " in
*" --s3 "* | *" --help "* | *" -h "*) ;;
*)
    if [ ! -x "${APUS:-}" ]; then
        echo "run.sh: no binary; build it (make build) or name it: APUS=/path/to/apus $0" >&2
        exit 2
    fi
    APUS=$(realpath "$APUS")
    ;;
esac
if [ ! -x "$python" ]; then
    echo "run.sh: the clients are not installed; run scripts/install-deps.sh test" >&2
    exit 3
fi
export APUS="${APUS:-}" PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here"
# The clients must take their settings from the suites only, and talk to loopback directly.
unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL 2>/dev/null || true
export AWS_EC2_METADATA_DISABLED=true NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}"
export no_proxy="$NO_PROXY"
exec "$python" "$here/run.py" "$@"
