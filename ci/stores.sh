#!/usr/bin/env bash
# Asks servers of S3 that others wrote what they take: starts each one, runs examples/any_store.rs against it with the
# client's default settings, and prints how requests were signed and what each operation answered. STORES.md has the
# table of the last run.
#
#   ci/stores.sh                      all that can be installed here
#   ci/stores.sh s3rver moto          these
#   STORE_ENDPOINT=http://host:port AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... ci/stores.sh own
#                                     a server that runs already, for example Ceph RGW; STORE_BUCKET names a bucket in it
#
# It takes some 600 MB in target/stores, so that no other test asks for it. Everything listens on 127.0.0.1 only. The exit
# code is 1 if a server that could be started has refused what it should do, or differs from what is expected here.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

here=$PWD/target/stores
key=AKIDSTORES secret=secret-of-the-stores
mkdir -p "$here"
failed=0 pid=""

# What a server is expected to be signed by. Those that take both versions are signed by the one that is tried first.
declare -A expected=(
    [emulator]="Version 2" [emulator-v2]="Version 2"
    [emulator-v4]="Version 4, region us-east-1" [emulator-region]="Version 4, region garage"
    [s3s-fs]="Version 2" [s3rver]="Version 2" [moto]="Version 2"
    [swift]="Version 2" [garage]="Version 4, region garage"
)
# What those answer to the first request that do not take it; how that is mended, STORES.md says.
declare -A refuses=([s3rver]="403 SignatureDoesNotMatch")
all="emulator emulator-v2 emulator-v4 emulator-region s3s-fs s3rver moto swift garage"

say() { printf '%s\n' "$*"; }

stop() {
    if [[ -n $pid ]]; then
        # Swift's servers leave the group, and stay children.
        local child
        for child in $(ps -o pid= --ppid "$pid"); do
            kill "$child" 2>/dev/null
        done
        kill -- "-$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
        pid=""
    fi
}
trap stop EXIT
trap 'exit 130' INT TERM

# Starts a command in a process group of its own, with what it prints in a file.
begin() {
    local log=$1
    shift
    set -m
    "$@" >"$log" 2>&1 &
    pid=$!
    set +m
}

# A port of 127.0.0.1 that nobody listens on.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Waits until something listens on a port, for a minute at most.
until_open() {
    local port=$1
    for ((i = 0; i < 600; i++)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            return 0
        fi
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# Each of these installs a server if it is not there yet, starts it on a port, and sets `version`. What fails in it says
# that this machine cannot have the server.

start_emulator() {
    version="of this workspace"
    cargo build --quiet --package emulator --bin emulator || return 1
    begin "$here/emulator.log" target/debug/emulator --listen "127.0.0.1:$port" --user "$key:$secret" "${@:2}"
}
start_emulator-v2() { start_emulator "$1" --s3-refuse-v4; }
start_emulator-v4() { start_emulator "$1" --s3-refuse-v2; }
start_emulator-region() { start_emulator "$1" --s3-refuse-v2 --s3-region garage; }

start_s3s-fs() {
    local root=$here/s3s-fs
    [[ -x $root/bin/s3s-fs ]] ||
        cargo install --quiet --debug s3s-fs@0.14.1 --locked --features binary --root "$root" || return 1
    version=$("$root/bin/s3s-fs" --version | awk '{ print $2 }')
    mkdir -p "$root/data"
    begin "$root/log" "$root/bin/s3s-fs" --host 127.0.0.1 --port "$port" --access-key "$key" --secret-key "$secret" "$root/data"
}

npm_package() {
    [[ -d $here/npm/node_modules/$1 ]] || npm install --silent --no-audit --no-fund --prefix "$here/npm" "$1" || return 1
    version=$(node -p "require('$here/npm/node_modules/$1/package.json').version")
}

start_s3rver() {
    npm_package s3rver || return 1
    # Its one user is fixed.
    AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER
    begin "$here/s3rver.log" node "$here/npm/node_modules/s3rver/bin/s3rver.js" --address 127.0.0.1 --port "$port" \
        --directory "$here/s3rver-data" --silent
}

start_moto() {
    local python=$here/moto/bin/python3
    if ! "$python" -c 'import moto.server' &>/dev/null; then
        python3 -m venv "$here/moto" || return 1
        "$here/moto/bin/pip" install --quiet --disable-pip-version-check 'moto[s3,server]' || return 1
    fi
    version=$("$python" -c 'import moto; print(moto.__version__)')
    begin "$here/moto.log" "$here/moto/bin/moto_server" --host 127.0.0.1 --port "$port"
}

# OpenStack Swift with its s3api, from Debian: rings of one device each, and memcached, which its tempauth needs.
start_swift() {
    local root=$here/swift kind ring rings=()
    if ! command -v swift-proxy-server memcached >/dev/null; then
        [[ $EUID == 0 ]] || return 1
        apt-get install -y -qq --no-install-recommends \
            swift-proxy swift-account swift-container swift-object memcached &>"$here/apt.log" || return 1
    fi
    version=$(dpkg-query -Wf '${Version}' swift-proxy)
    rm -rf "$root"
    mkdir -p "$root/devices/d1"
    printf '[swift-hash]\nswift_hash_path_suffix = stores\n' >"$root/swift.conf"
    local servers="memcached -u nobody -l 127.0.0.1 -p $((memory = $(free_port))) & "
    for kind in account container object; do
        ring=$(free_port)
        rings+=("$ring")
        (
            cd "$root" &&
                swift-ring-builder $kind.builder create 4 1 1 &&
                swift-ring-builder $kind.builder add "r1z1-127.0.0.1:$ring/d1" 1 &&
                swift-ring-builder $kind.builder rebalance
        ) &>>"$root/rings.log" || return 1
        cat >"$root/$kind.conf" <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $ring
user = $(id -un)
swift_dir = $root
devices = $root/devices
mount_check = false
fallocate_reserve = 0
workers = 0
[pipeline:main]
pipeline = $kind-server
[app:$kind-server]
use = egg:swift#$kind
CONF
        servers+="swift-$kind-server $root/$kind.conf & "
    done
    cat >"$root/proxy.conf" <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
user = $(id -un)
swift_dir = $root
workers = 0
[pipeline:main]
pipeline = catch_errors cache listing_formats bulk s3api tempauth slo copy proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$memory
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
[filter:tempauth]
use = egg:swift#tempauth
user_stores_user = $secret .admin
[filter:slo]
use = egg:swift#slo
[filter:copy]
use = egg:swift#copy
CONF
    AWS_ACCESS_KEY_ID=stores:user
    begin "$root/log" bash -c "${servers}exec swift-proxy-server $root/proxy.conf"
    for ring in "$memory" "${rings[@]}"; do
        until_open "$ring" || return 1
    done
}

# Garage, which takes Version 4 only, in a region of its own: a node of its own cluster. It is built from its source, which
# takes long.
start_garage() {
    local root=$here/garage rpc node
    [[ -x $root/bin/garage ]] ||
        cargo install --quiet --debug garage@2.5.0 --locked --no-default-features \
            --features sqlite,bundled-libs --root "$root" || return 1
    version=$("$root/bin/garage" --version | awk '{ print $2 }')
    rm -rf "$root/meta" "$root/data"
    mkdir -p "$root/meta" "$root/data"
    rpc=$(free_port)
    # The forms that it has for keys.
    AWS_ACCESS_KEY_ID=GK$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
    AWS_SECRET_ACCESS_KEY=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
    cat >"$root/garage.toml" <<CONF
metadata_dir = "$root/meta"
data_dir = "$root/data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:$rpc"
rpc_public_addr = "127.0.0.1:$rpc"
rpc_secret = "$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')"
[s3_api]
s3_region = "garage"
api_bind_addr = "127.0.0.1:$port"
CONF
    begin "$root/log" "$root/bin/garage" -c "$root/garage.toml" server
    until_open "$rpc" && until_open "$port" || return 1
    run() { "$root/bin/garage" -c "$root/garage.toml" "$@" &>>"$root/setup.log"; }
    node=$("$root/bin/garage" -c "$root/garage.toml" node id -q 2>>"$root/setup.log") || return 1
    run layout assign -z here -c 1G "${node%@*}" && run layout apply --version 1 &&
        run key import --yes -n stores "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" &&
        run key allow --create-bucket "$AWS_ACCESS_KEY_ID"
}

ask() {
    local store=$1
    local endpoint=$2 out status
    out=$(S3_ENDPOINT=$endpoint AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY \
        target/debug/examples/any_store ${STORE_BUCKET:+--bucket "$STORE_BUCKET"} 2>&1)
    status=$?
    say "$out" | sed 's/^/    /'
    if [[ -n ${refuses[$store]-} ]]; then
        if ! grep -q "^create a bucket .*failed: ${refuses[$store]}\$" <<<"$out"; then
            say "$store: it was expected to answer ${refuses[$store]}"
            failed=1
        fi
    elif ((status != 0)); then
        say "$store: an operation has failed"
        failed=1
    elif [[ -n ${expected[$store]-} ]] && ! grep -q "takes ${expected[$store]}\$" <<<"$out"; then
        say "$store: it was expected to be signed by ${expected[$store]}"
        failed=1
    fi
}

cargo build --quiet --package examples --example any_store || exit 1
stores=${*:-$all}
for store in $stores; do
    if [[ $store == own ]]; then
        say "== own"
        ask own "${STORE_ENDPOINT:?names the server}"
        continue
    fi
    if [[ -z ${expected[$store]-} ]]; then
        echo "stores: there is no $store: it is one of own $all" >&2
        exit 2
    fi
    export AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret
    port=$(free_port) version=""
    if "start_$store" "$port" && until_open "$port"; then
        say "== $store $version"
        ask "$store" "http://127.0.0.1:$port"
    else
        say "== $store: not here, or it does not start; target/stores has what it printed"
    fi
    stop
done
exit $failed
