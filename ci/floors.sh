#!/usr/bin/env bash
# Proves that no crate depends on one of its own floor or of a higher one, and that some never
# reach what they must do without. Development dependencies are free: tests may use anything.
#
#   ci/floors.sh        checks the workspace, after a self-test
#   ci/floors.sh -v     prints what each crate reaches, too
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A crate may reach those of lower floors only; the two of one floor do not reach each other.
declare -A floor=(
    [aws-sigv2]=0
    [pipeline-pool]=1
    [cache-layer]=2
    [aws-core]=3
    [s3-client]=4 [sdb-client]=4 [ec2-client]=4
    [s3-object-store]=5 [keys]=5
    [examples]=9 [benches]=9
)
# An oracle is only worth something if it shares no code with what it judges.
apart=" emulator "
# Who may be built on the emulator.
top=9

# What a crate must not reach, as "crate dependency"; * stands for every library of ours.
forbidden=(
    "aws-sigv2 tokio"
    "aws-sigv2 http"
    "* openssl" "* openssl-sys" "* native-tls"
    "* aws-lc-rs" "* aws-lc-sys"
)
# What nobody gets who did not ask for a feature.
heavy=("* hyper" "* reqwest" "* serde" "* clap")

# Reads "crate dependency" lines, prints one line for each that breaks a rule of the floors or one of
# those given.
violations() {
    local crate dep rule who what
    while read -r crate dep; do
        [[ $crate != "$dep" ]] || continue
        if [[ $apart == *" $crate "* ]]; then
            if [[ -n ${floor[$dep]-} ]]; then
                echo "$crate must stand apart, and depends on $dep"
            fi
            continue
        fi
        if [[ -z ${floor[$crate]-} ]]; then
            echo "$crate has no floor: give it one in ci/floors.sh"
            continue
        fi
        if [[ $apart == *" $dep "* ]] && ((${floor[$crate]} < top)); then
            echo "$crate (floor ${floor[$crate]}) depends on $dep"
        elif [[ -n ${floor[$dep]-} ]] && ((${floor[$dep]} >= ${floor[$crate]})); then
            echo "$crate (floor ${floor[$crate]}) depends on $dep (floor ${floor[$dep]})"
        fi
        for rule in "$@"; do
            who=${rule%% *} what=${rule##* }
            if [[ $dep == "$what" ]] && { [[ $who == "$crate" ]] || { [[ $who == "*" ]] && ((${floor[$crate]} < top)); }; }; then
                echo "$crate must do without $dep"
            fi
        done
    done
}

self_test() {
    local graph="aws-core pipeline-pool
aws-core aws-core
s3-client sdb-client
sdb-client aws-core
pipeline-pool aws-core
aws-sigv2 sha2
aws-sigv2 tokio
emulator hyper
emulator aws-sigv2
s3-client emulator
s3-client openssl
examples emulator
examples hyper
examples s3-client
newcomer bytes
sdb-client serde"
    local expected="s3-client (floor 4) depends on sdb-client (floor 4)
pipeline-pool (floor 1) depends on aws-core (floor 3)
aws-sigv2 must do without tokio
emulator must stand apart, and depends on aws-sigv2
s3-client (floor 4) depends on emulator
s3-client must do without openssl
newcomer has no floor: give it one in ci/floors.sh
sdb-client must do without serde"
    if ! diff <(violations "${forbidden[@]}" "${heavy[@]}" <<<"$graph") <(echo "$expected"); then
        echo "floors: the self-test failed: the check does not find what it must" >&2
        exit 1
    fi
}

# All that a crate's normal and build dependencies reach on every platform; further arguments go to
# cargo tree.
reach() {
    local tree
    tree=$(cargo tree --locked --quiet --package "$@" --target all \
        --edges normal,build --prefix none --format '{p}')
    awk -v crate="$1" '{ print crate, $1 }' <<<"$tree" | sort -u
}

self_test

# In its own step, so that an error of cargo's ends the script.
members=$(cargo tree --locked --quiet --workspace --depth 0 --prefix none --format '{p}')
members=$(awk 'NF { print $1 }' <<<"$members" | sort -u)
all="" default=""
for member in $members; do
    all+="$(reach "$member" --all-features)"$'\n'
    default+="$(reach "$member")"$'\n'
done
if [[ "${1-}" == -v ]]; then
    printf '%s' "$all"
fi
for crate in "${!floor[@]}" $apart; do
    if ! grep -qx "$crate" <<<"$members"; then
        echo "floors: $crate is no member of the workspace: take it out of ci/floors.sh" >&2
        exit 1
    fi
done
found=$(
    grep . <<<"$all" | violations "${forbidden[@]}"
    grep . <<<"$default" | violations "${heavy[@]}"
)
if [[ -n $found ]]; then
    echo "$found" >&2
    exit 1
fi
echo "floors: $(wc -w <<<"$members") crates, each on lower ones only"
