#!/bin/sh
# Runs foreign clients (oscar-python, boto3, aws-cli, minio, rclone) against a live Apus. Arguments: see run.py --help.
#
#     APUS=.build/release/apus Compatibility/run.sh [SUITE...]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
. "$here/clients.sh"
case " $* " in
*" --s3 "* | *" --help "* | *" -h "*) ;;
*) need_apus ;;
esac
need_clients test
export PYTHONPATH="$here"
exec "$python" "$here/run.py" "$@"
