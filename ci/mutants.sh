#!/usr/bin/env bash
# Changes single lines of the code that decides, and sees whether the tests of its room notice: a table of the rooms,
# from cargo-mutants (https://mutants.rs). Only its self-test is part of CI, since a run takes an hour or two.
#
#   ci/mutants.sh                     a sample of 40 changes a room, drawn by seed 1
#   ci/mutants.sh --per-room 60       a sample of 60
#   ci/mutants.sh --seed 7            another sample
#   ci/mutants.sh --all               every change that cargo-mutants knows
#   ci/mutants.sh --room trust        this room only; may be given several times
#   ci/mutants.sh --shard 1/4         the first quarter of what would run, for several machines
#   ci/mutants.sh --again COMMIT      what no test noticed in the run of that commit
#   ci/mutants.sh --jobs 4            four changes at a time, and not two
#   ci/mutants.sh --table             runs nothing, and prints the table of what has run
#   ci/mutants.sh --rooms             names the rooms, their packages, files, and the tests that judge them
#   ci/mutants.sh --setup             installs what Python needs, into target/python
#   ci/mutants.sh --self-test         proves on a crate of a few lines that it tells the kinds of changes apart
#
# cargo-mutants only lists the changes. All those of a package are written into one copy of it, each behind a switch
# that the variable MUTANT turns on, so that they are built once: ci/mutants/switch.py tells how. What cannot be
# switched is built alone. Nothing is said of a change but by tests that ran with it, or by a compiler that refused it.
#
# It judges the commit that is checked out, or the one that MUTANTS_COMMIT names, in a copy of its own below
# target/mutants. What has run for a commit is kept in target/mutants/COMMIT.tsv, so that a run that was ended goes on
# where it was. A change hangs when its tests take six times as long as without it, and at least 20 seconds (three times
# that while other programs have the processor); it counts as noticed, in a column of its own. One that no test notices
# has to stand in ci/mutants.accepted, with the reason why that is right. The exit status is 1 where a room notices fewer
# than 90 of 100 changes that compile, or where one that is not noticed has no reason; it is 2 where it could not run.
#
# It needs cargo-mutants (cargo install --locked cargo-mutants) and Python 3.11 with tree-sitter and tree-sitter-rust
# (--setup). Builds link with what Cargo's configuration says; mold makes them quicker.
# WORLD_RUNS is how many courses the world of the engine in virtual time runs, 150 unless it is set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() {
    echo "mutants: $*" >&2
    exit 2
}

has_grammar() {
    command -v "$1" >/dev/null && "$1" -c 'import tree_sitter, tree_sitter_rust' &>/dev/null
}

find_python() {
    local python
    for python in target/python/bin/python3 python3; do
        if has_grammar "$python"; then
            echo "$python"
            return
        fi
    done
    return 1
}

case "${1-}" in
    --help | -h)
        sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    --setup)
        if ! find_python >/dev/null; then
            [[ -x target/python/bin/pip ]] || python3 -m venv target/python ||
                die "Python 3 with venv is missing (on Debian the package python3-venv)"
            # Of a folder that was copied, pip names the interpreter of the other.
            target/python/bin/python3 -m pip install --quiet --disable-pip-version-check 'tree-sitter>=0.25' 'tree-sitter-rust>=0.24' ||
                die "tree-sitter and tree-sitter-rust cannot be installed: it takes a package index that pip reaches"
            find_python >/dev/null || die "tree-sitter and tree-sitter-rust were installed, and Python does not find them"
        fi
        exit 0
        ;;
esac

python=$(find_python) || die "tree-sitter and tree-sitter-rust are missing for Python: ci/mutants.sh --setup"
export PYTHONDONTWRITEBYTECODE=1
if [[ ${1-} == --self-test ]]; then
    exec "$python" ci/mutants/self_test.py
fi
command -v cargo-mutants >/dev/null || die "cargo-mutants is missing: cargo install --locked cargo-mutants"
exec "$python" ci/mutants/main.py "$@"
