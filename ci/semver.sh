#!/usr/bin/env bash
# Compares the API of each library with that of an earlier revision, by cargo-semver-checks: what may not change without
# another second number of the version. It is no part of CI, since it builds the documentation of each crate twice.
#
#   ci/semver.sh REVISION [CRATE...]    for example: ci/semver.sh v0.1.0 s3-client
#
# Exit code 0: nothing breaks; 1: something does, or cannot be compared; 2: wrong use.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if (($# == 0)) || [[ $1 == -* ]]; then
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
revision=$1
shift
if ! git rev-parse --quiet --verify "$revision^{commit}" >/dev/null; then
    echo "ci/semver.sh: $revision is no revision of this repository" >&2
    exit 2
fi
if (($# == 0)); then
    mapfile -t crates < <(ci/package.sh --names)
    set -- "${crates[@]}"
fi
if ! cargo semver-checks --version >/dev/null 2>&1; then
    cargo install --quiet --locked cargo-semver-checks
fi

failed=0
for crate in "$@"; do
    printf '\n== %s\n' "$crate"
    # The version is that of the next release: a change that breaks is told whatever number it has got already.
    cargo semver-checks --package "$crate" --baseline-rev "$revision" --release-type minor || failed=1
done
exit "$failed"
