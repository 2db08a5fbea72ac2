#!/usr/bin/env bash
# Runs one ejabberd node in the foreground, as whoever calls, without systemd, and with all that it writes in one folder.
#
#   SHIMS=FOLDER scripts/node.sh RUN [CONFIGURATION]
#
# RUN is a folder for logs and for Mnesia's tables, none of which has to be kept. CONFIGURATION is ejabberd's, by default
# ejabberd.yml beside this script; @ADDRESS@, @C2S_PORT@ and @HTTP_PORT@ in it stand for ADDRESS, C2S_PORT and HTTP_PORT.
#
# SHIMS      where erlang/build.sh has put the shims; other modules in it are found, too
# ADDRESS    the address to listen on; 127.0.0.1
# C2S_PORT   the port for clients; 5222
# HTTP_PORT  the port for administration; 5280
# NAME       the name of a node that joins those that have the same stores, NAME@ADDRESS; without it the node is alone
# COOKIE     what nodes that join each other have in common; it has no default
# DIST_PORT  the port on which nodes talk to each other, the same for all of them, each at its own ADDRESS; 4369
# ERL_EXTRA  more arguments for erl
#
# The program ejabberd-cloud is looked for on PATH, and has its settings from EJABBERD_CLOUD_* and its keys from AWS_*.
# The node ends on SIGTERM, and the program with it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if (($# < 1 || $# > 2)); then
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
fi
: "${SHIMS:?is not set; it names the folder that erlang/build.sh was given}"
: "${ADDRESS:=127.0.0.1}" "${C2S_PORT:=5222}" "${HTTP_PORT:=5280}" "${DIST_PORT:=4369}" "${NAME=}" "${ERL_EXTRA=}"
if ! command -v erl >/dev/null; then
    echo "$0: Erlang is missing: apt-get install --no-install-recommends ejabberd" >&2
    exit 1
fi
if ! grep -q '^[^#]*program:' "${2:-$here/ejabberd.yml}" && [[ -z $(type -P ejabberd-cloud) ]]; then
    echo "$0: ejabberd-cloud is not on PATH: cargo build --release -p ejabberd-cloud, and add target/release to PATH" >&2
    exit 1
fi
if [[ ! -e $SHIMS/cloud.beam ]]; then
    echo "$0: $SHIMS has no shims: run erlang/build.sh $SHIMS" >&2
    exit 1
fi
mkdir -p "$1/db" "$1/log"
run=$(cd "$1" && pwd)
sed -e "s/@ADDRESS@/$ADDRESS/g; s/@C2S_PORT@/$C2S_PORT/g; s/@HTTP_PORT@/$HTTP_PORT/g" \
    "${2:-$here/ejabberd.yml}" >"$run/ejabberd.yml"

if [[ -z ${ERL_LIBS-} ]]; then
    beam=$(ls -1 /usr/lib/*/ejabberd-*/ebin/ejabberd.beam 2>/dev/null | head -n 1 || true)
    if [[ -z $beam ]]; then
        echo "$0: ejabberd is missing: apt-get install --no-install-recommends ejabberd" >&2
        exit 1
    fi
    ERL_LIBS=$(cd "$(dirname "$beam")/../.." && pwd)
fi
# Keys of whoever calls are in his home, which Erlang is about to have another of.
[[ -n ${AWS_SHARED_CREDENTIALS_FILE-} || ! -r ~/.aws/credentials ]] || export AWS_SHARED_CREDENTIALS_FILE=~/.aws/credentials
[[ -n ${AWS_CONFIG_FILE-} || ! -r ~/.aws/config ]] || export AWS_CONFIG_FILE=~/.aws/config
export ERL_LIBS HOME=$run
export EJABBERD_CONFIG_PATH=$run/ejabberd.yml EJABBERD_LOG_PATH=$run/log/ejabberd.log
export CONTRIB_MODULES_PATH=$run/contrib ERL_CRASH_DUMP_BYTES=0

# Without these, erl starts a daemon of its own for names, which would outlive it. With one address for each node, one port
# for all of them is enough.
distribution=()
if [[ -n $NAME ]]; then
    # In a file, since arguments can be read by every user of the machine.
    rm -f "$run/.erlang.cookie"
    (umask 077 && printf %s "${COOKIE:?is needed with NAME}" >"$run/.erlang.cookie")
    unset COOKIE
    distribution=(-name "$NAME@$ADDRESS" -start_epmd false -erl_epmd_port "$DIST_PORT" -kernel inet_dist_use_interface "{${ADDRESS//./,}}"
        -s cloud_node)
fi
# shellcheck disable=SC2086 # Several arguments.
exec erl -noshell -pa "$SHIMS" $ERL_EXTRA "${distribution[@]}" +K true +P 100000 +sbwt none +sbwtdcpu none +sbwtdio none \
    -mnesia dir "\"$run/db\"" -s ejabberd
