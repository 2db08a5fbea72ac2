#!/usr/bin/env bash
# Runs one node of ejabberd or several, which join each other, in the foreground, on addresses of the loopback network.
#
#   SHIMS=FOLDER scripts/cluster.sh RUN [COUNT]
#
# RUN is a folder for what the nodes write, none of which has to be kept. COUNT is how many nodes there are, 1 to 9; 2. They are
# called a@127.0.0.1, b@127.0.0.2 and so on, and listen on 127.0.0.1, 127.0.0.2 and so on, at C2S_PORT and HTTP_PORT.
#
# The stores are those that EJABBERD_CLOUD_S3_ENDPOINT, EJABBERD_CLOUD_SDB_ENDPOINT and EJABBERD_CLOUD_BUCKET name. Without the
# first one, the emulator is started for them, with their things in RUN/emulator, so that they are there the next time.
#
# SHIMS          where erlang/build.sh has put the shims
# EMULATOR       the program of the emulator; emulator, as PATH has it
# EMULATOR_PORT  the port that it listens on, at 127.0.0.1; 7480
# CONFIGURATION  ejabberd's, by default ejabberd.yml beside this script
#
# Everything else is as scripts/node.sh says. All of it ends on SIGINT and SIGTERM. A node that is killed is started again by
#   NAME=a ADDRESS=127.0.0.1 COOKIE=loopback DIST_PORT=14369 scripts/node.sh RUN/again
# with the same SHIMS and PATH, and with the variables of the stores and the keys that the others have. With the emulator these are
#   AWS_ACCESS_KEY_ID=id AWS_SECRET_ACCESS_KEY=secret EJABBERD_CLOUD_BUCKET=chat
#   EJABBERD_CLOUD_S3_ENDPOINT=http://127.0.0.1:7480 EJABBERD_CLOUD_SDB_ENDPOINT=http://127.0.0.1:7480
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if (($# < 1 || $# > 2)) || [[ ! ${2:-2} =~ ^[1-9]$ ]]; then
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
fi
: "${SHIMS:?is not set; it names the folder that erlang/build.sh was given}"
run=$1 count=${2:-2}
mkdir -p "$run"

children=()
finish() {
    trap - EXIT INT TERM
    # Nodes first: they take their leave by the stores.
    local child
    for ((child = ${#children[@]} - 1; child >= 0; child--)); do
        kill "${children[child]}" 2>/dev/null || true
        wait "${children[child]}" 2>/dev/null || true
    done
}
trap finish EXIT
trap 'exit 0' INT TERM

if [[ -z ${EJABBERD_CLOUD_S3_ENDPOINT-} ]]; then
    emulator=${EMULATOR:-emulator} port=${EMULATOR_PORT:-7480}
    if ! command -v "$emulator" >/dev/null; then
        echo "$0: $emulator is missing: cargo build -p emulator, and put it on PATH, or name it by EMULATOR" >&2
        exit 1
    fi
    export AWS_ACCESS_KEY_ID=id AWS_SECRET_ACCESS_KEY=secret
    "$emulator" --listen "127.0.0.1:$port" --user id:secret --dir "$run/emulator" >"$run/emulator.log" 2>&1 &
    children+=($!)
    export EJABBERD_CLOUD_S3_ENDPOINT=http://127.0.0.1:$port EJABBERD_CLOUD_SDB_ENDPOINT=http://127.0.0.1:$port
    export EJABBERD_CLOUD_BUCKET=${EJABBERD_CLOUD_BUCKET:-chat} EJABBERD_CLOUD_CREATE_BUCKET=true
fi
export COOKIE=${COOKIE:-loopback} DIST_PORT=${DIST_PORT:-14369}
names=(a b c d e f g h i)
nodes=()
for ((n = 1; n <= count; n++)); do
    name=${names[n - 1]}
    # A node keeps nothing.
    rm -rf "${run:?}/$name"
    NAME=$name ADDRESS=127.0.0.$n "$here/node.sh" "$run/$name" ${CONFIGURATION:+"$CONFIGURATION"} \
        >"$run/$name.log" 2>&1 </dev/null &
    children+=($!)
    nodes+=($!)
    echo "$name@127.0.0.$n: process $!, clients at 127.0.0.$n:${C2S_PORT:-5222}, log in $run/$name.log"
done
# It ends when all nodes have ended, or when it is told to.
wait "${nodes[@]}" || true
