#!/usr/bin/env bash
# Sets a machine up and runs every test. Arguments go to `cargo test`; --setup stops after the set-up.
# TEST_TIME_LIMIT is how many seconds each test program may take: see ci/time-limit.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# What the tests start or link with, and the Debian package that has it.
declare -A package=([cc]=gcc [erlc]=erlang-base [git]=git [memcached]=memcached [python3]=python3 [tmux]=tmux)

absent() {
    local tool
    for tool in "${!package[@]}"; do
        command -v "$tool" >/dev/null || printf '%s\n' "${package[$tool]}"
    done | sort
    # Tests compile a program with it, to compare.
    [[ -e /usr/include/libmemcached/memcached.h ]] || echo libmemcached-dev
    # Its commands are where only root looks.
    compgen -G '/usr/lib/*/ejabberd-*/ebin/ejabberd.beam' >/dev/null || echo ejabberd
}

# apt-get, which waits up to five minutes for another package manager to be done: for dpkg's lock by itself, for that of
# the package lists by trying again.
apt() {
    local said tries=60
    while ! said=$(DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@" 2>&1 >/dev/null); do
        if [[ $said != *'Could not get lock'* ]] || ((--tries == 0)); then
            printf '%s\n' "$said" >&2
            return 1
        fi
        sleep 5
    done
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
    apt update -qq
    # Tests start the servers that they need themselves: those of the packages are not to run as well.
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    apt install -y -qq --no-install-recommends "${missing[@]}" libc6-dev >/dev/null
    if [[ -n $(trap -p EXIT) ]]; then
        rm -f "$policy"
        trap - EXIT
    fi
    mapfile -t missing < <(absent)
fi
if ((${#missing[@]})); then
    echo "test.sh: missing: ${missing[*]}; install them with your package manager" \
        "(on Debian, as root, this script does it: apt-get install ${missing[*]})" >&2
    exit 1
fi

# A folder for Python's packages, with the means to install them.
python_folder() {
    if ! python3 -c 'import ensurepip, venv' &>/dev/null && ((EUID == 0)) && command -v apt-get >/dev/null; then
        apt update -qq
        apt install -y -qq --no-install-recommends python3-venv >/dev/null
    fi
    [[ -x target/python/bin/pip ]] || python3 -m venv target/python
}

# Clients of SimpleDB and EC2 that others wrote judge the emulator. They come from Python's package index into a
# folder of the project, unless a Python that is here has them; boto needs no compiler and no version of
# Python in particular.
# It asks for all clients; SimpleDB's tests use some of them.
clients=emulator/tests/ec2/clients.py
if ! target/python/bin/python3 "$clients" --check &>/dev/null &&
    ! python3 "$clients" --check &>/dev/null &&
    ! /usr/bin/python3 "$clients" --check &>/dev/null; then
    echo "test.sh: installing boto, boto3 and Libcloud into target/python"
    if ! { python_folder &&
        target/python/bin/pip install --quiet --disable-pip-version-check boto==2.49.0 boto3 six apache-libcloud; }; then
        echo "test.sh: boto, boto3 and Libcloud cannot be installed: it takes Python 3 with venv (on Debian the package" \
            "python3-venv) and a package index that pip reaches" >&2
        exit 1
    fi
    target/python/bin/python3 "$clients" --check
fi

# A client of XMPP that others wrote, which talks to the real ejabberd of the tests.
if ! target/python/bin/python3 -c 'import slixmpp' &>/dev/null && ! python3 -c 'import slixmpp' &>/dev/null; then
    echo "test.sh: installing slixmpp into target/python"
    if ! { python_folder && target/python/bin/pip install --quiet --disable-pip-version-check 'slixmpp>=1.10,<2'; }; then
        echo "test.sh: slixmpp cannot be installed: it takes Python 3 with venv (on Debian the package python3-venv) and a" \
            "package index that pip reaches" >&2
        exit 1
    fi
fi

if [[ "${1-}" == --setup ]]; then
    exit 0
fi
# Cargo starts each test program by this one, those of doc tests too. Whoever has a runner keeps it within.
host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
runner="CARGO_TARGET_${host}_RUNNER"
export "$runner=$PWD/ci/time-limit.sh ${!runner-}"
exec cargo test --locked --workspace "$@"
