# Sourced by what runs foreign clients against Apus: where the program and the clients are, and what clients may know.
#
# Needs `root`, the repository. Sets `python`; exports `APUS`, empty where there is none.
python=$root/.venv/bin/python3

if [ -z "${APUS:-}" ]; then
    for build in release debug; do
        if [ -x "$root/.build/$build/apus" ]; then
            APUS=$root/.build/$build/apus
            break
        fi
    done
fi

# need_apus: ends where there is no binary.
need_apus() {
    if [ ! -x "${APUS:-}" ]; then
        echo "run.sh: no binary; build it (make build) or name it: APUS=/path/to/apus $0" >&2
        exit 2
    fi
    APUS=$(realpath "$APUS")
}

# need_clients PART: ends where scripts/install-deps.sh PART is still to be run.
need_clients() {
    if [ ! -x "$python" ]; then
        echo "run.sh: the clients are not installed; run scripts/install-deps.sh $1" >&2
        exit 3
    fi
}

export APUS="${APUS:-}" PYTHONDONTWRITEBYTECODE=1
# The clients must take their settings from the tests only, and talk to loopback directly.
unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL 2>/dev/null || true
export AWS_EC2_METADATA_DISABLED=true NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}"
export no_proxy="$NO_PROXY"
