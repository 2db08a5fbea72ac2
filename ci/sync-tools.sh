#!/usr/bin/env bash
# Compares s3-sync with s5cmd, rclone, s3cmd and aws-cli on the same server in the same run: files a second, CPU seconds of the
# whole process, connections, peak memory; many small files up, down, and once more unchanged. Tools that are not installed are
# left out.
#
#   ci/sync-tools.sh                       10,000 files of 4 KiB on an emulator that it starts
#   FILES=2000 SIZE=1024 ci/sync-tools.sh  others
#   ENDPOINT=http://... AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... ci/sync-tools.sh    a server of yours
#   TOOLS="s3-sync s5cmd" ci/sync-tools.sh only these; S5CMD=path, RCLONE=path and so on say where they are
#
# Files are an hour old, so that no tool takes them for young ones. CPU is user and system time of the tool alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

FILES=${FILES:-10000} SIZE=${SIZE:-4096}
TOOLS=${TOOLS:-s3-sync s5cmd rclone s3cmd aws}
S3_SYNC=${S3_SYNC:-target/release/s3-sync} EMULATOR=${EMULATOR:-target/release/emulator}
work=$(mktemp -d)
server=
cleanup() {
    if [[ -n $server ]]; then
        kill "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT

if [[ ! -x $S3_SYNC || ! -x $EMULATOR ]]; then
    cargo build --quiet --release --package s3-sync --package emulator
fi
if [[ -z ${ENDPOINT:-} ]]; then
    export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
    # It ends when its standard input does.
    mkfifo "$work/alive"
    "$EMULATOR" --listen 127.0.0.1:0 --exit-with-parent --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" <"$work/alive" >"$work/server" 2>&1 &
    server=$!
    exec 9>"$work/alive"
    for _ in $(seq 100); do
        ENDPOINT=$(grep -oE 'http://[0-9.:]+' "$work/server" | head -n 1 || true)
        [[ -n $ENDPOINT ]] && break
        sleep 0.1
    done
    [[ -n $ENDPOINT ]] || { cat "$work/server" >&2; exit 1; }
fi
export AWS_ENDPOINT_URL_S3=$ENDPOINT AWS_REGION=${AWS_REGION:-us-east-1} AWS_DEFAULT_REGION=${AWS_REGION:-us-east-1}
# A bundle of certificates of this machine's is nothing for a server without TLS, and rclone refuses to begin with one.
unset AWS_CA_BUNDLE
export AWS_EC2_METADATA_DISABLED=true HOME=$work XDG_CACHE_HOME=$work/cache
host=${ENDPOINT#*://}

python3 - "$work/tree" "$FILES" "$SIZE" <<'PYTHON'
import os, random, sys, time
root, files, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(7)
old = time.time() - 3600
for n in range(files):
    folder = f"{root}/{n // 100:03}"
    if n % 100 == 0:
        os.makedirs(folder)
    path = f"{folder}/{n:06}.bin"
    with open(path, "wb") as file:
        file.write(random.randbytes(size))
    os.utime(path, (old, old))
PYTHON

which_of() {
    case $1 in
    s3-sync) echo "$S3_SYNC" ;;
    s5cmd) echo "${S5CMD:-s5cmd}" ;;
    rclone) echo "${RCLONE:-rclone}" ;;
    s3cmd) echo "${S3CMD:-s3cmd}" ;;
    aws) echo "${AWS:-aws}" ;;
    esac
}

# The command of a tool that brings $3 level with $2.
command_of() {
    local tool=$1 from=$2 to=$3 program
    program=$(which_of "$tool")
    case $tool in
    s3-sync) command=("$program" -q sync "$from" "$to") ;;
    s5cmd) command=("$program" --endpoint-url "$ENDPOINT" --log error sync) &&
        if [[ $from == s3://* ]]; then command+=("$from/*" "$to/"); else command+=("$from/" "$to/"); fi ;;
    rclone) command=("$program" --config /dev/null --s3-provider Other --s3-env-auth --s3-endpoint "$ENDPOINT" --transfers 64
        --checkers 64 -q sync "${from/s3:\/\//:s3:}" "${to/s3:\/\//:s3:}") ;;
    s3cmd) command=("$program" --no-ssl --host "$host" --host-bucket "$host" --access_key "$AWS_ACCESS_KEY_ID" --secret_key
        "$AWS_SECRET_ACCESS_KEY" --region us-east-1 -q sync "$from/" "$to/") ;;
    aws) command=("$program" --endpoint-url "$ENDPOINT" s3 sync --only-show-errors "$from" "$to") ;;
    esac
}

# Runs it: seconds, CPU seconds, KiB of memory, connections at most.
run() {
    python3 - "$@" <<'PYTHON'
import os, resource, subprocess, sys, threading, time
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
most, over = 0, False
def watch():
    global most
    while not over:
        try:
            links = [os.readlink(f"/proc/{child.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{child.pid}/fd")]
            most = max(most, sum(link.startswith("socket:") for link in links))
        except OSError:
            pass
        time.sleep(0.02)
begun = time.time()
thread = threading.Thread(target=watch)
thread.start()
_, status, used = os.wait4(child.pid, 0)
seconds = time.time() - begun
over = True
thread.join()
print(f"{seconds:.3f} {used.ru_utime + used.ru_stime:.3f} {used.ru_maxrss} {most} {os.waitstatus_to_exitcode(status)}")
PYTHON
}

printf '%-8s %-10s %9s %8s %8s %8s\n' tool what files/s CPU-s sockets MiB
number=0
for tool in $TOOLS; do
    command -v "$(which_of "$tool")" >/dev/null || { echo "$tool: not installed" >&2; continue; }
    number=$((number + 1))
    # Of this run alone: on a server of yours another run finds what it has left.
    bucket=sync-tools-$$-$number
    curl -sf -o /dev/null -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' --aws-sigv4 "aws:amz:$AWS_REGION:s3" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -X PUT "$ENDPOINT/$bucket"
    mkdir -p "$work/down-$tool"
    for what in up unchanged down level; do
        case $what in
        up | unchanged) command_of "$tool" "$work/tree" "s3://$bucket" ;;
        down | level) command_of "$tool" "s3://$bucket" "$work/down-$tool" ;;
        esac
        read -r seconds cpu memory sockets code < <(run "${command[@]}")
        if [[ $code != 0 ]]; then
            echo "$tool $what: exit code $code" >&2
        fi
        awk -v t="$tool" -v w="$what" -v n="$FILES" -v s="$seconds" -v c="$cpu" -v m="$memory" -v k="$sockets" \
            'BEGIN { printf "%-8s %-10s %9.0f %8.2f %8d %8.0f\n", t, w, n / s, c, k, m / 1024 }'
    done
    if ! diff -rq "$work/tree" "$work/down-$tool" >/dev/null; then
        echo "$tool: what came down is not what went up" >&2
    fi
    rm -rf "$work/down-$tool"
done
