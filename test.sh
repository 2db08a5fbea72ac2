#!/usr/bin/env bash
# Sets a machine up and runs every test. Arguments go to `cargo test`; --setup stops after the set-up.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# What the tests start or link with, and the Debian package that has it.
declare -A package=([cc]=gcc [git]=git [memcached]=memcached)

absent() {
    local tool
    for tool in "${!package[@]}"; do
        command -v "$tool" >/dev/null || printf '%s\n' "${package[$tool]}"
    done | sort
}

if ! command -v cargo >/dev/null; then
    echo "test.sh: cargo is missing: install Rust from https://rustup.rs" >&2
    exit 1
fi

mapfile -t missing < <(absent)
if ((${#missing[@]})) && ((EUID == 0)) && command -v apt-get >/dev/null; then
    echo "test.sh: installing ${missing[*]}"
    # One word of output per package is enough; an error still shows.
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" libc6-dev >/dev/null
    mapfile -t missing < <(absent)
fi
if ((${#missing[@]})); then
    echo "test.sh: missing: ${missing[*]}; install them with your package manager" \
        "(on Debian, as root, this script does it: apt-get install ${missing[*]})" >&2
    exit 1
fi

if [[ "${1-}" == --setup ]]; then
    exit 0
fi
exec cargo test --locked --workspace "$@"
