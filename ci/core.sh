#!/usr/bin/env bash
# Proves that the core of the pool's engine decides without a socket, a clock or a task: it looks
# through pipeline-pool/src/engine/core for what would bring one of them in.
#
#   ci/core.sh        checks the core, after a self-test
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

core=pipeline-pool/src/engine/core

# What must be nowhere in the core, nor in its tests, as extended regular expressions.
nowhere=(
    '\btokio\b'
    '\bsocket2\b'
    '\bstd::(net|fs|process|thread)\b'
    '\b(Tcp|Udp|Unix)(Stream|Listener|Socket|Datagram)\b'
    '\bSystemTime\b'
    '\bcrate::connect\b'
    '\bengine::shell\b'
    '\bsuper::shell\b'
)
# What may be in tests only: they choose an instant to begin at.
tests_only=(
    '\bInstant::now\b'
    '\.elapsed\(\)'
)

# The lines of a file with their numbers, without texts and comments; with "code", without its tests
# either.
lines() {
    awk -v what="$2" '
        { bare = $0; gsub(/"[^"]*"/, "\"\"", bare); sub(/\/\/.*/, "", bare) }
        # The tests of a file are its end.
        what == "code" && test && /^(pub.* )?mod [a-z_]+ \{/ { exit }
        { test = /^#\[cfg\(test\)\]/ }
        bare ~ /[^ ]/ { print FNR ": " bare }
    ' "$1"
}

# Prints a line for each place below this folder that breaks a rule.
violations() {
    local file pattern
    while read -r file; do
        for pattern in "${nowhere[@]}"; do
            lines "$file" all | grep -E "$pattern" | sed "s|^|$file:|" || true
        done
        case ${file#"$1"/} in
            tests.rs | */tests.rs | */tests/* | */rules.rs | testing.rs | */testing.rs | testing/*) continue ;;
        esac
        for pattern in "${tests_only[@]}"; do
            lines "$file" code | grep -E "$pattern" | sed "s|^|$file:|" || true
        done
    done < <(find "$1" -name '*.rs' | sort)
}

self_test() {
    local dir found expected
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' RETURN
    mkdir -p "$dir/pipeline/tests" "$dir/testing"
    cat >"$dir/bad.rs" <<'END'
//! No tokio here, and no std::net.
use tokio::time::sleep;
use std::net::SocketAddr;
use crate::engine::shell::endpoint::Endpoint;
fn now() -> Instant {
    std::time::Instant::now()
}
fn wall() -> u64 {
    SystemTime::now().secs() + started.elapsed().secs()
}
fn open() -> TcpStream {
    socket2::Socket::new()
}
END
    cat >"$dir/good.rs" <<'END'
use std::time::Instant; // tokio's would not do

const TEXT: &str = "a tokio runtime, as http://docs.rs/tokio says"; // no socket2

#[cfg(test)]
use super::phase;

fn later(now: Instant) -> Instant {
    now
}

#[cfg(test)]
mod tests {
    fn begin() -> Instant {
        Instant::now()
    }
}
END
    printf 'fn begin() -> Instant {\n    Instant::now()\n}\n' >"$dir/testing/host.rs"
    printf 'use tokio::spawn;\nfn begin() -> Instant {\n    Instant::now()\n}\n' >"$dir/pipeline/tests.rs"
    printf 'use tokio::spawn;\nfn begin() -> Instant {\n    Instant::now()\n}\n' >"$dir/pipeline/tests/more.rs"
    printf '#[cfg(test)]\nmod tests;\nfn begin() -> Instant {\n    Instant::now()\n}\n' >"$dir/after.rs"
    found=$(violations "$dir" | sed "s|^$dir/||" | sort)
    expected="after.rs:4:     Instant::now()
bad.rs:11: fn open() -> TcpStream {
bad.rs:12:     socket2::Socket::new()
bad.rs:2: use tokio::time::sleep;
bad.rs:3: use std::net::SocketAddr;
bad.rs:4: use crate::engine::shell::endpoint::Endpoint;
bad.rs:6:     std::time::Instant::now()
bad.rs:9:     SystemTime::now().secs() + started.elapsed().secs()
bad.rs:9:     SystemTime::now().secs() + started.elapsed().secs()
pipeline/tests.rs:1: use tokio::spawn;
pipeline/tests/more.rs:1: use tokio::spawn;"
    if ! diff <(echo "$found") <(sort <<<"$expected"); then
        echo "core: the self-test failed: the check does not find what it must" >&2
        exit 1
    fi
}

self_test
if [[ ! -d $core ]]; then
    echo "core: there is no $core: name its place in ci/core.sh" >&2
    exit 1
fi
found=$(violations "$core")
if [[ -n $found ]]; then
    echo "$found" >&2
    echo "core: what decides must do without a socket, a clock and a task" >&2
    exit 1
fi
echo "core: $(find "$core" -name '*.rs' | wc -l) files, without a socket, a clock or a task"
