#!/bin/sh
# Installs what a part of the project needs and does not find: Debian packages by name, and PyPI packages in .venv.
# Does nothing, quickly, where everything is there.
#
#     scripts/install-deps.sh [build|lint|demo|test|chaos|bench]...     (default: test)
#
# Exit status 3: something is missing that only an administrator can install; the message says what to run.
# Settings:
#   PYTHON         the Python that makes .venv (default python3, 3.11 or newer)
#   DEBIAN_MIRROR  where MinIO's client is fetched from (default http://deb.debian.org/debian)
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/.venv
python=${PYTHON:-python3}
missing=""
# Debian puts runc and debootstrap where an ordinary user's PATH does not look.
PATH=$PATH:/usr/sbin:/sbin

# need PACKAGE PROBE WHY: notes the Debian package where the probe (a shell command) fails.
need() {
    if eval "$2" >/dev/null 2>&1; then
        return
    fi
    case " $missing " in
    *" $1 "*) return ;;
    esac
    echo "install-deps: $1 is missing: $3"
    missing="$missing $1"
}

need_build() {
    need libsqlite3-dev 'test -e /usr/include/sqlite3.h' "SQLite, where Apus keeps its state"
}

need_containers() {
    need crun 'command -v crun' "OCI runtime of the container sandbox"
    need runc 'command -v runc' "OCI runtime where crun refuses the machine's cgroup layout"
    need skopeo 'command -v skopeo' "fetches container images"
    need umoci 'command -v umoci' "unpacks container images"
    need slirp4netns 'command -v slirp4netns' "gives containers connections to the outside"
    need iproute2 'command -v ip' "sets up their network"
    need zstd 'command -v zstd' "reads compressed root file systems"
}

need_python() {
    need python3 'command -v "$python"' "runs the example and the foreign clients"
    need python3-venv '"$python" -c "import ensurepip"' "makes .venv for packages from PyPI"
}

need_lint() {
    need python3 'command -v "$python"' "checks the rules of the house"
}

need_demo() {
    need_build
    need_python
    need ffmpeg 'command -v ffmpeg' "samples the example's videos into images"
    need opencv-doc 'test -e /usr/share/doc/opencv-doc/examples/data/vtest.avi' "carries vtest.avi, a surveillance clip"
    if [ "${DEMO_SANDBOX:-process}" = container ]; then
        need_containers
        need debootstrap 'command -v debootstrap' "builds the example's image without a registry"
    fi
}

need_test() {
    need_build
    need_python
    need_containers
    need busybox-static 'test -x /bin/busybox || test -x /usr/bin/busybox' "a root file system for the sandboxes' tests"
    need util-linux 'command -v unshare' "keeps the chaos campaign in namespaces of its own"
}

need_chaos() {
    need_test
    need gcc 'command -v cc || command -v clang || command -v gcc' "compiles the clock that jumps"
}

need_bench() {
    need_build
    need_containers
    need busybox-static 'test -x /bin/busybox || test -x /usr/bin/busybox' "a root file system for the measurements"
    need_python
    need gcc 'command -v cc || command -v clang || command -v gcc' "compiles the load generator"
    need fio 'command -v fio' "measures the disk alone"
    need strace 'command -v strace' "shows what a server syncs"
    need e2fsprogs 'command -v chattr' "makes the other servers' files synchronous"
    need nginx-light 'command -v nginx' "is measured beside the object store and warm functions"
    need wrk 'command -v wrk' "loads warm functions"
}

install_packages() {
    if [ -z "$missing" ]; then
        return
    fi
    if [ "$(id -u)" -eq 0 ]; then
        sudo=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo="sudo"
    else
        sudo=none
    fi
    if [ "$sudo" = none ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "install-deps: cannot install them here; run this as administrator, then start again:" >&2
        echo "    apt-get update && apt-get install -y --no-install-recommends$missing" >&2
        echo "(these are Debian's names; other systems name some of them differently)" >&2
        exit 3
    fi
    echo "install-deps: installing Debian packages:$missing"
    log=$(mktemp)
    # shellcheck disable=SC2086 # a list of words on purpose
    if ! { $sudo apt-get -o DPkg::Lock::Timeout=300 update &&
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y \
            --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        echo "install-deps: apt-get failed; run this yourself, then start again:" >&2
        echo "    apt-get update && apt-get install -y --no-install-recommends$missing" >&2
        exit 3
    fi
    rm -f "$log"
    # Debian starts nginx with its package; nobody asked for a web server here.
    case "$missing " in
    *" nginx-light "*) $sudo systemctl disable --now nginx >/dev/null 2>&1 || true ;;
    esac
}

# Somebody else's .venv is neither replaced nor half filled.
require_writable_venv() {
    if ! { mkdir -p "$venv" && [ -w "$venv" ]; } 2>/dev/null; then
        echo "install-deps: cannot write $venv; run this as the owner of the checkout" >&2
        exit 3
    fi
}

# What .venv has to hold: the wanted lists, for its Python. An upgrade of that asks for the packages again.
stamp() {
    # shellcheck disable=SC2086 # a list of words on purpose
    { "$venv/bin/python3" -V; cat $lists; } 2>&1 | sha256sum | cut -d ' ' -f 1
}

# python_packages PART LIST... [--no-deps LIST...]: installs requirement lists into .venv unless the stamp of an
# earlier run shows the same lists.
python_packages() {
    part=$1
    shift
    lists=""
    for argument in "$@"; do
        [ "$argument" = --no-deps ] || lists="$lists $root/$argument"
    done
    if [ -x "$venv/bin/python3" ] && [ "$(cat "$venv/.stamp-$part" 2>/dev/null)" = "$(stamp)" ]; then
        return
    fi
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "install-deps: $python is older than 3.11; name a newer one: PYTHON=/path/to/python3" >&2
        exit 3
    fi
    if ! "$venv/bin/python3" -c 'import pip' >/dev/null 2>&1; then
        require_writable_venv
        echo "install-deps: making .venv"
        if ! "$python" -m venv --clear "$venv"; then
            echo "install-deps: $python could not make $venv; name another Python: PYTHON=/path/to/python3" >&2
            exit 3
        fi
    fi
    require_writable_venv
    echo "install-deps: installing PyPI packages in .venv for $part (once; takes a minute):"
    # shellcheck disable=SC2086
    sed -n 's/^\([A-Za-z0-9].*\)/    \1/p' $lists
    mode=""
    for argument in "$@"; do
        if [ "$argument" = --no-deps ]; then
            mode=--no-deps
            continue
        fi
        if ! "$venv/bin/python3" -m pip install --quiet --disable-pip-version-check $mode -r "$root/$argument"; then
            echo "install-deps: pip could not install $argument; where no package index is reachable, set" >&2
            echo "    PIP_INDEX_URL (a mirror) or PIP_FIND_LINKS (a directory of wheels), then start again" >&2
            exit 3
        fi
    done
    stamp >"$venv/.stamp-$part"
}

# minio_client: puts MinIO's client into .venv where the machine has none. Debian has it from version 13 on; its package
# runs on older ones too, so it is fetched from there, verified by apt with Debian's own keys, and only unpacked: neither
# the machine's sources nor its packages change. Where it cannot be had, its suite is left out; all else goes on.
minio_client_version='0.0~20250403-3+b3'
minio_client() {
    for name in "$venv/bin/minio-client" minio-client mcli mc; do
        # `mc` alone is often another program, a file manager.
        if command -v "$name" >/dev/null 2>&1 && "$name" --version </dev/null 2>&1 | grep -q -e MinIO -e RELEASE; then
            return
        fi
    done
    folder=$(mktemp -d)
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/root"
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keys] ${DEBIAN_MIRROR:-http://deb.debian.org/debian} trixie main" >"$folder/sources.list"
    if (
        set -- -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null \
            -o Dir::State::lists="$folder/lists" -o Dir::Cache="$folder/cache" -o APT::Sandbox::User=
        cd "$folder" &&
            timeout 120 apt-get "$@" -o APT::Update::Error-Mode=any update &&
            timeout 120 apt-get "$@" download "minio-client=$minio_client_version" &&
            dpkg-deb -x minio-client_*.deb root &&
            install -m 0755 root/usr/bin/minio-client "$venv/bin/minio-client" &&
            "$venv/bin/minio-client" --version
    ) >"$folder/log" 2>&1; then
        echo "install-deps: fetched MinIO's client $minio_client_version of Debian 13 into .venv"
    else
        echo "install-deps: ==================================================================================" >&2
        echo "install-deps: WARNING: MinIO's client could not be fetched; the suite \"mc\" WILL BE SKIPPED:" >&2
        tail -n 3 "$folder/log" | sed 's/^/install-deps:     /' >&2
        echo "install-deps: To run it, install minio-client of Debian 13 or newer, or put \"mcli\" into your PATH." >&2
        echo "install-deps: ==================================================================================" >&2
    fi
    rm -rf "$folder"
}

[ $# -gt 0 ] || set -- test
for part in "$@"; do
    case $part in
    build | lint | demo | test | chaos | bench) "need_$part" ;;
    *)
        echo "usage: scripts/install-deps.sh [build|lint|demo|test|chaos|bench]..." >&2
        exit 2
        ;;
    esac
done
install_packages
example=Examples/mask-detection
for part in "$@"; do
    case $part in
    demo)
        python_packages demo $example/requirements.txt \
            --no-deps $example/requirements-nodeps.txt $example/requirements-input.txt
        ;;
    test)
        python_packages test Compatibility/requirements.txt
        minio_client
        ;;
    chaos) python_packages test Compatibility/requirements.txt ;;
    bench) python_packages bench Benchmarks/store/requirements.txt ;;
    esac
done
