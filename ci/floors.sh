#!/usr/bin/env bash
# Proves that no crate depends on one of its own floor or of a higher one, and that some never
# reach what they must do without. Development dependencies are free: tests may use anything.
# Proves too that the code of aws-core has no word of a single service in it but those that
# ci/service-words.allowed names, each with its reason; comments and tests are free.
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
    [s3-client]=4 [simpledb-client]=4 [ec2-client]=4
    [s3-object-store]=5 [keys]=5 [cloud-stores]=5
    [s3-sync]=9
    [ejabberd-cloud]=9
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

# What belongs to one service: its name, what it keeps, its header fields and elements.
service_words='[A-Za-z0-9_:-]*([Ss]3|[Ss]imple[Dd][Bb]|[Ss]db|SDB|[Ee][Cc]2|[Bb]ucket|BUCKET|[Dd]ynamo|[Bb]ox_?[Uu]sage|[Ii]tem_?[Nn]ame|[Xx]-[Aa]mzn?-)[A-Za-z0-9_:-]*'

# Prints "file:line word" for each such word in the Rust files below a directory, without comments, modules of tests, and
# what the list given allows.
service_words_in() {
    local dir=$1 list=$2 file
    while read -r file; do
        awk -v file="${file#"$dir"/}" -v words="$service_words" '
            /^[[:space:]]*#\[cfg\(test\)\]/ { test = 1; next }
            test && /^[[:space:]]*(pub(\([a-z]+\))? )?mod [a-z_0-9]+ \{/ { exit }
            { test = 0; sub(/(^|[[:space:]])\/\/.*/, "") }
            {
                while (match($0, words)) {
                    print file ":" FNR, substr($0, RSTART, RLENGTH)
                    $0 = substr($0, RSTART + RLENGTH)
                }
            }' "$file"
    done < <(find "$dir" -name '*.rs' ! -name tests.rs ! -path '*/testing/*' ! -path '*/tests/*' | sort) |
        while read -r at word; do
            allowed "${at%%:*}" "$word" "$list" || echo "$at $word"
        done
}

# Whether the list allows this word in this file.
allowed() {
    local path pattern reason
    while read -r path pattern reason; do
        # shellcheck disable=SC2053 # the path is a pattern
        if [[ $path != \#* && -n $reason && $1 == $path && $2 =~ ^($pattern)$ ]]; then
            return 0
        fi
    done <"$3"
    return 1
}

# What of the list allows nothing that is there.
idle_allowances() {
    local dir=$1 list=$2 line all
    all=$(service_words_in "$dir" /dev/null)
    while read -r line; do
        [[ -n $line && $line != \#* ]] || continue
        while read -r at word; do
            if allowed "${at%%:*}" "$word" <(echo "$line"); then
                continue 2
            fi
        done <<<"$all"
        echo "$list: nothing needs this any more: $line"
    done <"$list"
}

self_test_of_words() {
    local dir
    dir=$(mktemp -d)
    mkdir -p "$dir/v4" "$dir/testing"
    cat >"$dir/a.rs" <<'RUST'
//! S3 is named here.
const TOKEN: &str = "x-amz-date"; // of S3
fn place(bucket: &str) -> S3Host { "http://x//y" }
/// `BoxUsage`
const A: [&str; 2] = ["BoxUsage", "x-amz-bucket-region"];
fn domain(item: Item) -> Object {}
#[cfg(test)]
use s3_tests::Bucket;
#[cfg(test)]
mod tests {
    const BUCKET: &str = "s3";
}
RUST
    echo 'const DATE: &str = "x-amz-date";' >"$dir/v4/a.rs"
    echo 'const S3: &str = "s3";' >"$dir/tests.rs"
    echo 'const S3: &str = "s3";' >"$dir/testing/a.rs"
    printf '%s\n' '# v4/* x' 'v4/* x-(amz|b)-date because' 'b.rs x-amz-date because' '* x-amz-date' >"$dir/list"
    local expected="a.rs:2 x-amz-date
a.rs:3 bucket:
a.rs:3 S3Host
a.rs:5 BoxUsage
a.rs:5 x-amz-bucket-region
a.rs:8 s3_tests::Bucket"
    if ! diff <(service_words_in "$dir" "$dir/list") <(echo "$expected") ||
        ! diff <(idle_allowances "$dir" "$dir/list" | cut -d' ' -f7-) <(printf '%s\n' 'b.rs x-amz-date because' '* x-amz-date'); then
        echo "floors: the self-test failed: the check does not find the words that it must" >&2
        exit 1
    fi
    rm -r "$dir"
}

self_test() {
    local graph="aws-core pipeline-pool
aws-core aws-core
s3-client simpledb-client
simpledb-client aws-core
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
simpledb-client serde"
    local expected="s3-client (floor 4) depends on simpledb-client (floor 4)
pipeline-pool (floor 1) depends on aws-core (floor 3)
aws-sigv2 must do without tokio
emulator must stand apart, and depends on aws-sigv2
s3-client (floor 4) depends on emulator
s3-client must do without openssl
newcomer has no floor: give it one in ci/floors.sh
simpledb-client must do without serde"
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
self_test_of_words
found=$(
    service_words_in aws-core/src ci/service-words.allowed
    idle_allowances aws-core/src ci/service-words.allowed
)
if [[ -n $found ]]; then
    echo "aws-core knows no single service: these belong to the crate of theirs, or need a reason in ci/service-words.allowed" >&2
    echo "$found" >&2
    exit 1
fi

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
