#!/usr/bin/env bash
# Prints what one GET of 1,024 bytes, and one PUT of 4 KiB, costs in instructions of the client's process, by callgrind, and what a GET
# costs in allocations: 256 tasks on 8 connections, with 32 requests in flight on each, which is set and not learnt meanwhile. The
# allocations are the same on any machine. The instructions depend on how many requests go out in one write, and so on
# whether the server gets its share of the processor: on a busy machine two runs differ by a quarter.
#
#   benches/counts.sh           the table; it needs valgrind, and takes some minutes
#   benches/counts.sh 2000      with so many requests instead of 20,000: quicker, and rougher
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

gets=${1:-20000}
[[ $gets =~ ^[1-9][0-9]*$ ]] || { echo "counts: '$gets' is no number of requests" >&2; exit 2; }
command -v valgrind >/dev/null || { echo "counts: valgrind is missing" >&2; exit 2; }

cargo build --quiet --release -p benches --bin bench_server --bin pool_once --bin pool_allocs
bin=${CARGO_TARGET_DIR:-target}/release
out=$(mktemp -d)
exec 3< <(exec "$bin/bench_server" --addr 127.0.0.1:0)
server=$!
trap 'kill "$server"; rm -rf "$out"' EXIT
# It says where it listens.
read -r line <&3
address=$(grep -oE '[0-9.]+:[0-9]+' <<<"$line" | head -n 1)
[[ -n $address ]] || { echo "counts: the server says '$line' instead of its address" >&2; exit 1; }

# The instructions of a run of so many requests.
instructions() {
    local total=$1
    shift
    valgrind --tool=callgrind --callgrind-out-file="$out/run" "$bin/pool_once" --endpoint "http://$address" \
        --gets "$total" "$@" >"$out/log" 2>&1
    grep -m 1 '^summary:' "$out/run" | cut -d' ' -f2
}

printf '%-34s %s\n' "one request" "instructions"
for client in "" --s3 "--s3 --put 4096"; do
    # What a run costs before its first request and after its last is in both.
    # shellcheck disable=SC2086 # an empty client must add no argument
    few=$(instructions 5000 $client)
    # shellcheck disable=SC2086
    many=$(instructions $((5000 + gets)) $client)
    case $client in
        "") name="GET through the pool" ;;
        --s3) name="GET through the S3 client" ;;
        *) name="PUT through the S3 client" ;;
    esac
    printf '%-34s %d\n' "$name" $(((many - few) / gets))
done
echo
"$bin/pool_allocs"
