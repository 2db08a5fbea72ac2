#!/usr/bin/env bash
# Packs what a machine needs to be a node, beside Debian's ejabberd: the program, the shims and the scripts.
#
#   scripts/package.sh FILE.tar.gz
#
# The program is built for release, on a machine like those that are to run it (Debian 12); or it is the one that PROGRAM names.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if (($# != 1)); then
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
fi
if [[ -z ${PROGRAM-} ]]; then
    cargo build --locked --release --package ejabberd-cloud --manifest-path "$here/Cargo.toml"
    PROGRAM=${CARGO_TARGET_DIR:-$here/../target}/release/ejabberd-cloud
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/ejabberd-cloud/bin"
cp "$PROGRAM" "$folder/ejabberd-cloud/bin/ejabberd-cloud"
cp -R "$here/erlang" "$here/scripts" "$folder/ejabberd-cloud/"
tar --create --gzip --owner root --group root --mode u=rwX,go=rX --file "$1" --directory "$folder" ejabberd-cloud
