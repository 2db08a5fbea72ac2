#!/usr/bin/env bash
# Runs a test program, and ends it when it takes too long: a hang is a failure that names its tests.
#
#   ci/time-limit.sh PROGRAM ARGUMENT...   as cargo's runner; test.sh makes it that
#   ci/time-limit.sh --self-test           proves of itself that it notices a hang
#
# TEST_TIME_LIMIT is how many seconds a test program may take, 600 unless it is set; with 0 there is no limit. On
# expiry the program and the processes that it has started are killed, and the exit status is 124.
set -euo pipefail

limited() {
    local limit=${TEST_TIME_LIMIT:-600}
    if [[ ! $limit =~ ^[0-9]+$ ]]; then
        echo "time-limit: TEST_TIME_LIMIT is a number of seconds, not '$limit'" >&2
        return 2
    fi
    if ((limit == 0)); then
        exec "$@"
    fi
    dir=$(mktemp -d)
    mkfifo "$dir/out"
    tee "$dir/log" <"$dir/out" &
    local reader=$!
    # In a process group of its own, so that what it starts can be ended with it.
    set -m
    "$@" <&0 >"$dir/out" &
    program=$!
    set +m
    trap 'end_group; rm -rf "$dir"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    sleep "$limit" &
    local sleeper=$! ended="" status=0
    wait -n -p ended "$program" "$sleeper" || status=$?
    if [[ $ended == "$sleeper" ]]; then
        report "$limit" "$@" >"$dir/report"
        end_group
        status=124
    else
        kill "$sleeper"
        # What the program has left behind holds its output open.
        end_group
    fi
    wait "$reader" || true
    if [[ -e $dir/report ]]; then
        cat "$dir/report" >&2
    fi
    return "$status"
}

end_group() {
    # The shell would tell of each that it ends.
    { kill -KILL -- "-$program" && wait "$program"; } &>/dev/null || true
}

# Says which tests of the program that still runs have hung.
report() {
    local limit=$1 name=$2
    shift
    printf '\ntime-limit: %s has run for %s s and was stopped; a test has hung.\n' "$name" "$limit"
    sed -n 's/^test \(.*\) \.\.\. .*$/\1/p' "$dir/log" | sed 's/ - should panic$//' | sort >"$dir/done"
    # After a minute libtest tells by itself.
    sed -n 's/^test \(.*\) has been running for over [0-9]* seconds$/\1/p' "$dir/log" | sort |
        comm -23 - "$dir/done" >"$dir/hung"
    # Before that, each test is a thread of its name, which the kernel cuts off behind 15 bytes.
    if [[ ! -s $dir/hung ]] && listed "$@"; then
        local task test
        for task in "/proc/$program/task"/*/comm; do
            cat "$task" 2>/dev/null || true
        done >"$dir/threads"
        while IFS= read -r test; do
            if grep -qxF -- "${test:0:15}" "$dir/threads"; then
                echo "$test"
            fi
        done < <(comm -23 "$dir/all" "$dir/done") >"$dir/hung"
    fi
    if [[ -s $dir/hung ]]; then
        printf 'time-limit: under way was: %s\n' "$(paste -sd ' ' "$dir/hung")"
    fi
}

# Writes down all tests of the program that were to be run.
listed() {
    # A program that is not of libtest, or a bundle of doc tests, would run once more instead.
    grep -qE '^running [0-9]+ tests?$' "$dir/log" || return 1
    timeout --signal=KILL 5 "$@" --list --format terse 2>/dev/null </dev/null |
        sed -n 's/: test$//p' | sort >"$dir/all" || return 1
    [[ -s $dir/all ]]
}

self_test() {
    local script
    script=$(realpath "${BASH_SOURCE[0]}")
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work/src"
    cat >"$work/src/lib.rs" <<'RUST'
//! ```
//! loop { std::thread::park() }
//! ```
#[cfg(test)]
mod tests {
    #[test]
    fn quick() {}

    #[test]
    fn fails() {
        panic!("on purpose");
    }

    #[test]
    fn hangs_on_purpose() {
        let mut child = std::process::Command::new("sleep").arg("54321.5").spawn().unwrap();
        child.wait().unwrap();
    }
}
RUST
    cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "hang"
edition = "2024"
[workspace]
TOML
    local host
    host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    local out="$work/out"
    # runs LIMIT EXPECTED ARGUMENT...: cargo test, with this script as its runner
    runs() {
        local limit=$1 expected=$2 status=0
        shift 2
        env "CARGO_TARGET_${host}_RUNNER=$script" TEST_TIME_LIMIT="$limit" RUST_BACKTRACE=0 \
            CARGO_TARGET_DIR="$work/target" \
            timeout 60 cargo test --offline --manifest-path "$work/Cargo.toml" "$@" >"$out" 2>&1 || status=$?
        if [[ $status != "$expected" ]]; then
            fails "cargo test $* ended with $status, not with $expected"
        fi
    }
    fails() {
        cat "$out" >&2
        echo "time-limit: the self-test failed: $1" >&2
        exit 1
    }
    says() {
        grep -qE -- "$1" "$out" || fails "it does not say '$1'"
    }
    runs 60 0 --lib quick
    says 'test result: ok. 1 passed'
    runs 60 101 --lib fails
    says 'on purpose'
    # Long enough for the other one to be done.
    runs 2 124 --lib -- quick hangs
    says 'has run for 2 s and was stopped'
    says 'under way was: tests::hangs_on_purpose$'
    if pgrep -f 'sleep 54321.5' >/dev/null; then
        fails "what the test had started is still there"
    fi
    runs 1 101 --doc
    says 'has run for 1 s and was stopped'
    echo "time-limit: a hang is noticed, in tests and in doc tests"
}

case ${1-} in
--self-test) self_test ;;
"")
    echo "time-limit: name the program to run" >&2
    exit 2
    ;;
*) limited "$@" ;;
esac
