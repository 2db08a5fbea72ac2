#!/usr/bin/env bash
# Proves that no crate declares two types of one name, so that a reader who meets a name has one place to look. What
# counts are structs, enums, traits, unions and aliases in the sources of each crate. Tests are free, and so is one file:
# it may have a form of a type for each feature, or a sealed trait beside a public one. So are the programs, each of
# which has a command line of its own.
#
#   ci/names.sh        checks the workspace, after a self-test
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Packages that are programs, and no library.
programs=" benches examples fuzz "

# The sources of the crate in this folder, without what is for tests only.
sources() {
    find "$1/src" -name '*.rs' ! -path '*/testing/*' ! -path '*/tests/*' ! -path '*/bin/*' \
        ! -name tests.rs ! -name rules.rs ! -name testing.rs | sort
}

# Prints a line for each name that two of these files declare, with the places.
doubles() {
    awk '
        FNR == 1 { test = tests = 0 }
        # The tests of a file are its end.
        test && /^(pub.* )?mod [a-z_]+ \{/ { tests = 1 }
        { test = /^#\[cfg\(test\)\]/ }
        tests { next }
        # An alias within a trait or an impl is no type of the crate.
        match($0, /^ *(pub(\([^)]*\))? )?(struct|enum|trait|union) [A-Z][A-Za-z0-9]*/) ||
        match($0, /^(pub(\([^)]*\))? )?type [A-Z][A-Za-z0-9]*/) {
            words = split(substr($0, RSTART, RLENGTH), word, " ")
            name = word[words]
            if (!seen[name, FILENAME]++) {
                count[name]++
                places[name] = places[name] " " FILENAME ":" FNR
            }
        }
        END { for (name in count) if (count[name] > 1) print name " is declared in" places[name] }
    ' "$@" | sort
}

self_test() {
    local dir found expected
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' RETURN
    mkdir -p "$dir/src/testing"
    cat >"$dir/src/lib.rs" <<'END'
//! struct Twice.
pub struct Once;
pub(crate) struct Twice<T>(T);
impl Iterator for Once {
    type Item = u8;
}
type Alias = u8;
trait Asked {}
mod sealed {
    pub trait Asked {}
}
#[cfg(test)]
mod tests {
    struct InTests;
}
END
    cat >"$dir/src/other.rs" <<'END'
enum Twice {}
impl Iterator for Other {
    type Item = u8;
}
fn local() {
    struct Alias;
}
#[cfg(test)]
use super::Once;
#[cfg(feature = "a")]
struct Other;
#[cfg(not(feature = "a"))]
struct Other;
struct InTests;
END
    echo 'struct Once;' >"$dir/src/testing/host.rs"
    # shellcheck disable=SC2046 # the paths of the self-test have no blanks
    found=$(cd "$dir" && doubles $(sources .))
    expected="Alias is declared in ./src/lib.rs:7 ./src/other.rs:6
Twice is declared in ./src/lib.rs:3 ./src/other.rs:1"
    if ! diff <(echo "$found") <(echo "$expected"); then
        echo "names: the self-test failed: the check does not find what it must" >&2
        exit 1
    fi
}

self_test
failed="" crates=0
for manifest in */Cargo.toml; do
    crate=${manifest%/Cargo.toml}
    if [[ $programs == *" $crate "* || ! -d $crate/src ]]; then continue; fi
    crates=$((crates + 1))
    mapfile -t files < <(sources "$crate")
    found=$(doubles "${files[@]}")
    if [[ -n $found ]]; then
        echo "$found" >&2
        failed=1
    fi
done
if [[ -n $failed ]]; then
    echo "names: a crate has one type of a name" >&2
    exit 1
fi
echo "names: $crates crates, and in each of them a name is one type"
