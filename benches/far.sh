#!/usr/bin/env bash
# Measures the pool on 64 connections beside hyper with 256, against a server that is far away.
#
#   benches/far.sh [--server nginx|rgw|rgw-nodelay] HOST:PORT [options of pool_bench]
#
# --server says what answers there, and with it how many requests the pool must get through beside
# hyper: 0.97 of hyper's for nginx (the default), as many for Ceph RGW as shipped, 0.65 for RGW with
# tcp_nodelay=1, whose own work grows with the requests that come at once. The target is
# /bench/object, with a body of 1,024 bytes, or what --target and --body say. With ACCESS:SECRET in
# BENCH_KEYS the whole S3 client takes part, and --upload makes the bucket and the object.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    sed -n '2,12s/^# \{0,1\}//p' benches/far.sh >&2
    exit 2
}

server=nginx
if [[ ${1-} == --server ]]; then
    server=${2-}
    shift 2 || usage
fi
declare -A wanted=([nginx]=0.97 [rgw]=1.0 [rgw-nodelay]=0.65)
[[ -n ${wanted[$server]-} && ${1-} == *:* ]] || usage
endpoint=${1#http://}
shift

# The round trip, as the opening of a connection shows it: the fastest of five.
host=${endpoint%:*} port=${endpoint##*:}
fastest=
for _ in 1 2 3 4 5; do
    before=${EPOCHREALTIME/[.,]/}
    if ! exec 3<>"/dev/tcp/$host/$port"; then
        echo "far.sh: nothing answers at $endpoint" >&2
        exit 1
    fi
    took=$((${EPOCHREALTIME/[.,]/} - before))
    exec 3>&-
    if [[ -z $fastest ]] || ((took < fastest)); then
        fastest=$took
    fi
done
awk -v us="$fastest" -v at="$endpoint" \
    'BEGIN { printf "%s: a round trip of about %.2f ms\n", at, us / 1e3 }'

exec cargo run --release --quiet -p benches --bin pool_bench -- --scenario far \
    --endpoint "$endpoint" --wanted "${wanted[$server]}" "$@"
