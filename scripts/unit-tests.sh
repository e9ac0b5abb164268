#!/bin/bash
# Runs the unit tests, those in Swift as they are built already; what failed is told once more at the end, where one looks first.
set -euo pipefail
cd "$(dirname "$0")/.."
# What lies beside functions, and the examples of functions: their own languages test them.
"${PYTHON:-python3}" -m unittest discover -s Tests/FunctionHelpers
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Many tests run servers and scripts: more than a few at once on two cores only wait for each other.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:-4}
if "${SWIFT:-swift}" test --skip-build 2>&1 | tee "$log" | grep -v ' started\.$'; then exit 0; fi
printf '\nWhat failed:\n'
grep -E -A 2 'recorded an issue|: error:|^✘ Test .* failed' "$log" | grep -v ' started\.$' || tail -n 40 "$log"
exit 1
