#!/usr/bin/env bash
# Changes single lines of the code that decides, and sees whether the tests of its room notice: a table of the rooms
# below, from cargo-mutants (https://mutants.rs). It is no part of CI, since it takes hours.
#
#   ci/mutants.sh                     a sample of 40 changes a room, drawn by seed 1
#   ci/mutants.sh --per-room 60       a sample of 60
#   ci/mutants.sh --seed 7            another sample
#   ci/mutants.sh --all               every change that cargo-mutants knows
#   ci/mutants.sh --room trust        this room only; may be given several times
#   ci/mutants.sh --shard 1/4         the first quarter of what would run, for several machines
#   ci/mutants.sh --table             runs nothing, and prints the table of what has run
#   ci/mutants.sh --rooms             names the rooms, their files, and the tests that judge them
#
# It judges the commit that is checked out, or the one that MUTANTS_COMMIT names, in a copy of its own below
# target/mutants. What has run for a commit is kept in target/mutants/COMMIT.tsv, so that a run that was ended goes on
# where it was. A change that no test notices
# has to stand in ci/mutants.accepted, with the reason why that is right. The exit status is 1 where a room notices
# fewer than 90 of 100 changes that compile, or where one that is not noticed has no reason.
set -euo pipefail
# The patterns of files below are for cargo-mutants, and not for the shell.
set -f
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A room: its name, its package, the files that decide, and the arguments of `cargo test` that run its quick tests.
rooms=(
    "engine    | pipeline-pool | pipeline-pool/src/engine/core/**/*.rs | --lib engine::core"
    "http1     | pipeline-pool | pipeline-pool/src/http1/**/*.rs | --lib http1"
    "dispatch  | aws-core | aws-core/src/dispatch/**/*.rs aws-core/src/classify.rs aws-core/src/retry.rs aws-core/src/idempotency/**/*.rs | --lib --test=dispatch"
    "trust     | cache-layer | cache-layer/src/through/trust/**/*.rs | --lib through"
    "debts     | cache-layer | cache-layer/src/memcached/node/**/*.rs cache-layer/src/memcached/ops/lease.rs cache-layer/src/memcached/health.rs | --lib --test=memcached"
    "signing   | aws-sigv2 | aws-sigv2/src/**/*.rs | --lib --test=vectors --test=independent"
    "signing4  | aws-core | aws-core/src/v4/**/*.rs | --lib --test=v4"
    "transfer  | s3-client | s3-client/src/multipart/**/*.rs s3-client/src/transfer/**/*.rs | --lib --test=it"
    "checksums | s3-client | s3-client/src/checksum/**/*.rs s3-client/src/digest.rs | --lib --test=it"
    "expiry    | aws-core | aws-core/src/credentials/**/*.rs | --lib --test=credentials"
)
# The world of the engine in virtual time runs this many courses instead of thousands.
export WORLD_RUNS=${WORLD_RUNS:-150}
# Tests that changes of these files cannot break only cost time, and tests are no rooms.
excluded=("**/testing/**" "**/tests.rs" "**/tests/**")
# How long the tests of one change may take, in seconds; one that takes longer hangs, which is noticed.
limit=${MUTANTS_TIME_LIMIT:-180}
batch=10

die() {
    echo "mutants: $*" >&2
    exit 2
}

field() {
    local value
    value=$(cut -d'|' -f"$2" <<<"$1")
    xargs <<<"$value"
}

per_room=40 seed=1 all="" shard=1/1 run=1
chosen=()
while (($#)); do
    case "$1" in
        --per-room) per_room=${2-} && shift ;;
        --seed) seed=${2-} && shift ;;
        --room) chosen+=("${2-}") && shift ;;
        --shard) shard=${2-} && shift ;;
        --all) all=1 ;;
        --table) run="" ;;
        --rooms)
            printf '%s\n' "${rooms[@]}"
            exit 0
            ;;
        --help | -h)
            sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
            exit 0
            ;;
        *) die "unknown argument '$1'; --help names those that there are" ;;
    esac
    shift
done
[[ $per_room =~ ^[0-9]+$ ]] || die "--per-room takes a number, not '$per_room'"
[[ $seed =~ ^[0-9]+$ ]] || die "--seed takes a number, not '$seed'"
[[ $shard =~ ^([0-9]+)/([0-9]+)$ ]] || die "--shard takes K/N, not '$shard'"
shard_k=${BASH_REMATCH[1]} shard_n=${BASH_REMATCH[2]}
((shard_k >= 1 && shard_k <= shard_n)) || die "--shard $shard: K is from 1 to N"
for name in "${chosen[@]}"; do
    grep -q "^$name *|" < <(printf '%s\n' "${rooms[@]}") || die "there is no room '$name'; --rooms names them"
done

work=$PWD/target/mutants
commit=$(git rev-parse --short=12 "${MUTANTS_COMMIT:-HEAD}")
results=$work/$commit.tsv
accepted=$PWD/ci/mutants.accepted
mkdir -p "$work"
touch "$results"

# What cargo-mutants may change in a room, one name a line.
changes_of() {
    local package=$1 options=() file
    for file in $2; do options+=(--file "$file"); done
    for file in "${excluded[@]}"; do options+=(--exclude "$file"); done
    cargo mutants --list --package "$package" "${options[@]}"
}

# A sample of the lines that come in, in an order that the seed alone decides.
sample() {
    if [[ -n $all ]]; then
        cat
    else
        # The order is that of digests of the seed and the name, so that a line keeps its place when others go.
        local line digest
        while read -r line; do
            digest=$(sha256sum <<<"$seed $line")
            printf '%s %s\n' "${digest:0:16}" "$line"
        done | sort | awk -v n="$per_room" 'NR <= n' | cut -d' ' -f2-
    fi
}

of_shard() {
    awk -v k="$shard_k" -v n="$shard_n" 'NR % n == k % n'
}

prepare() {
    command -v cargo-mutants >/dev/null || die "cargo-mutants is missing: cargo install --locked cargo-mutants"
    if [[ ! -d $work/tree ]]; then
        git worktree prune
        git worktree add --quiet --detach "$work/tree" "$commit"
    fi
    git -C "$work/tree" checkout --quiet --force --detach "$commit"
    export CARGO_TARGET_DIR=$work/build CARGO_INCREMENTAL=1 CARGO_PROFILE_DEV_DEBUG=0
}

# Runs the changes named on standard input against the tests of a room, and notes how each ended.
judge() {
    local room=$1 package=$2 tests=$3 files=$4 names=() part=() options filters name file baseline=run
    mapfile -t names
    local at
    for ((at = 0; at < ${#names[@]}; at += batch)); do
        part=("${names[@]:at:batch}")
        options=()
        for file in $files; do options+=(--file "$file"); done
        for name in "${part[@]}"; do
            # The name as a regular expression that matches only itself.
            # shellcheck disable=SC2001
            options+=(--re "^$(sed 's/[][\.*^$+?(){}|]/\\&/g' <<<"$name")\$")
        done
        # cargo-mutants takes all changes of this kind, whatever their names.
        if [[ "${part[*]}" != *"delete field"* ]]; then
            options+=(--exclude-re 'delete field')
        fi
        # Only the targets that judge are built, and not every test of the package.
        filters=()
        for name in $tests; do
            case "$name" in
                --*) options+=("--cargo-arg=$name") ;;
                *) filters+=("$name") ;;
            esac
        done
        rm -rf "$work/$room.out"
        (cd "$work/tree" && cargo mutants --in-place --no-times --colors never --package "$package" \
            --baseline "$baseline" --timeout "$limit" --build-timeout 900 --output "$work/$room.out" \
            "${options[@]}" -- "${filters[@]}") >"$work/$room.log" 2>&1 || true
        # A change that is noticed may leave a seed of proptest behind.
        git -C "$work/tree" checkout --quiet --force .
        git -C "$work/tree" clean -fdq
        local out=$work/$room.out/mutants.out kind
        [[ -e $out/caught.txt ]] || die "the tests of $room do not pass unchanged, or do not build: see $work/$room.log"
        for kind in caught missed timeout unviable; do
            while read -r name; do
                if printf '%s\n' "${part[@]}" | grep -qxF -- "$name"; then
                    printf '%s\t%s\t%s\n' "$room" "$kind" "$name"
                fi
            done <"$out/$kind.txt"
        done >>"$results"
        baseline=skip
        printf 'mutants: %s %s/%s: %s\n' "$room" "$((at + ${#part[@]}))" "${#names[@]}" \
            "$(awk -F'\t' -v r="$room" '$1 == r { n[$2]++ } END { for (k in n) printf "%s %d  ", k, n[k] }' "$results")"
    done
}

# The name without line and column, which move when other lines do.
place_free() {
    sed -E 's/^([^:]+):[0-9]+:[0-9]+: /\1: /'
}

# The reason why a change that is not noticed may stay so.
reason() {
    local free
    free=$(place_free <<<"$1")
    awk -v name="$free" '$0 == name { getline; sub(/^ +/, ""); print; exit }' "$accepted"
}

table() {
    local spec room failed=0 name kind n share bad=()
    printf '%-10s %7s %7s %9s %7s %8s %7s %8s\n' room run caught timeout missed reasons unviable share
    for spec in "${rooms[@]}"; do
        room=$(field "$spec" 1)
        local -A n=([caught]=0 [missed]=0 [timeout]=0 [unviable]=0)
        local reasons=0
        while IFS=$'\t' read -r _ kind name; do
            n[$kind]=$((n[$kind] + 1))
            if [[ $kind == missed ]]; then
                if [[ -n $(reason "$name") ]]; then reasons=$((reasons + 1)); else bad+=("$name"); fi
            fi
        done < <(awk -F'\t' -v r="$room" '$1 == r' "$results")
        local noticed=$((n[caught] + n[timeout])) compiled=$((n[caught] + n[timeout] + n[missed]))
        ((compiled)) || continue
        share=$((noticed * 1000 / compiled))
        printf '%-10s %7d %7d %9d %7d %8d %7d %6d.%d%%\n' "$room" $((compiled + n[unviable])) "${n[caught]}" "${n[timeout]}" \
            "${n[missed]}" "$reasons" "${n[unviable]}" $((share / 10)) $((share % 10))
        ((share >= 900)) || failed=1
    done
    if ((${#bad[@]})); then
        printf '\nNo test notices these, and ci/mutants.accepted has no reason for them:\n'
        printf '%s\n' "${bad[@]}"
        failed=1
    fi
    return "$failed"
}

if [[ -n $run ]]; then
    prepare
    for spec in "${rooms[@]}"; do
        room=$(field "$spec" 1)
        if ((${#chosen[@]})) && ! printf '%s\n' "${chosen[@]}" | grep -qx "$room"; then
            continue
        fi
        package=$(field "$spec" 2) files=$(field "$spec" 3) tests=$(field "$spec" 4)
        changes=$(changes_of "$package" "$files")
        wanted=$(sample <<<"$changes" | of_shard)
        done_before=$(awk -F'\t' -v r="$room" '$1 == r { print $3 }' "$results")
        left=$(grep -vxF -f <(printf '%s\n' "$done_before") <<<"$wanted" || true)
        if [[ -z $done_before ]]; then left=$wanted; fi
        echo "mutants: $room: $(wc -l <<<"$changes") changes, $(grep -c . <<<"$wanted" || true) in the sample, $(grep -c . <<<"$left" || true) to run"
        if [[ -n $left ]]; then
            judge "$room" "$package" "$tests" "$files" <<<"$left"
        fi
    done
fi
table
