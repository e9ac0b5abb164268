#!/bin/sh
# Runs a chaos campaign (campaign.py) against three clusters of Apus. Arguments: see run.sh --help.
#
#     APUS=.build/release/apus Tests/Chaos/run.sh --seconds 120 --seed 1
#
# As root it runs in namespaces of its own for mounts and processes: whatever ends it, nothing of it stays behind.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
. "$root/Compatibility/clients.sh"
need_apus
need_clients chaos
export PYTHONPATH="$here:$root/Compatibility"
if [ "$(id -u)" -eq 0 ] && unshare --mount --pid --fork --mount-proc true 2>/dev/null; then
    # The shell is process 1 there and takes in orphans; therefore it must not become the campaign.
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
        sh -c '"$@"; exit $?' sh "$python" "$here/campaign.py" "$@" &
    # unshare(1) itself does not end by other signals.
    trap 'kill -KILL $! 2>/dev/null || true; exit 143' INT TERM HUP
    wait $!
    exit $?
fi
exec "$python" "$here/campaign.py" "$@"
