"""The command line of ci/mutants.sh, which has its help."""

import argparse
import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import changes
from build import Builder, BuildError
from changes import Change
from judge import LEAST, MISSED, JudgeError
from results import Result, Results, reasons, table
from rooms import ROOMS, Room
from run import Package

_HOME = Path(__file__).resolve().parent.parent.parent
_WORK = _HOME / "target" / "mutants"


def say(text: str) -> None:
    print(f"mutants: {text}", flush=True)


def die(text: str) -> None:
    print(f"mutants: {text}", file=sys.stderr)
    sys.exit(2)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ci/mutants.sh", add_help=False, allow_abbrev=False)
    parser.add_argument("--per-room", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--room", action="append", choices=[room.name for room in ROOMS])
    parser.add_argument("--shard", type=_shard, default=(1, 1))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--again")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--rooms", action="store_true")
    return parser.parse_args()


def _shard(text: str) -> tuple[int, int]:
    k, _, n = text.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise argparse.ArgumentTypeError(f"K/N with K from 1 to N, not '{text}'")
    return int(k), int(n)


def git(*words: str, folder: Path = _HOME) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def commit_of(revision: str) -> str:
    command = ["git", "rev-parse", "--quiet", "--verify", "--short=12", "--end-of-options", revision + "^{commit}"]
    found = subprocess.run(command, cwd=_HOME, capture_output=True, text=True)
    if found.returncode != 0:
        die(f"{revision} is no commit of this repository")
    return found.stdout.strip()


def checked_out(commit: str) -> Path:
    """A copy of the commit, of this tool's own."""
    tree = _WORK / "tree"
    if not tree.exists():
        git("worktree", "prune")
        git("worktree", "add", "--quiet", "--detach", str(tree), commit)
    git("checkout", "--quiet", "--force", "--detach", commit, folder=tree)
    git("clean", "-fdq", folder=tree)
    return tree


def wanted(room: Room, tree: Path, given: argparse.Namespace, results: Results) -> list[Change]:
    """What is to run in a room, without what has run."""
    known = changes.of_room(room, tree)
    if given.again is None:
        drawn = changes.sample(known, None if given.all else given.per_room, given.seed)
    else:
        before = {r.name for r in results_of(given.again).all() if r.room == room.name and r.kind == MISSED}
        drawn = [change for change in known if change.name in before]
        for gone in sorted(before - {change.name for change in drawn}):
            say(f"{room.name}: there is no such change any more: {gone}")
    mine = changes.shard(drawn, *given.shard)
    before = results.names(room)
    left = [change for change in mine if change.name not in before]
    say(f"{room.name}: {len(known)} changes, {len(mine)} in the sample, {len(left)} to run")
    return left


def results_of(commit: str) -> Results:
    return Results(_WORK / f"{commit}.tsv")


def run(given: argparse.Namespace, commit: str, results: Results) -> None:
    tree = checked_out(commit)
    chosen = [room for room in ROOMS if not given.room or room.name in given.room]
    for package, rooms in groupby(chosen, key=lambda room: room.package):
        todo = {room: left for room in rooms if (left := wanted(room, tree, given, results))}
        if not todo:
            continue
        folder = next(iter(todo)).files[0].split("/")[0]
        builder = Builder(tree, package, folder, _WORK / "build", _WORK / f"{package}.log")
        builder.log.write_bytes(b"")

        def ended(room: Room, change: Change, kind: str) -> None:
            results.add(Result(room.name, kind, change.name))
            say(f"{room.name}: {kind}: {change.name}")

        Package(builder, given.jobs, LEAST).run(todo, ended)


def main() -> int:
    given = arguments()
    if given.rooms:
        print(*ROOMS, sep="\n")
        return 0
    commit = commit_of(os.environ.get("MUTANTS_COMMIT", "HEAD"))
    if given.again is not None:
        given.again = commit_of(given.again)
    _WORK.mkdir(parents=True, exist_ok=True)
    results = results_of(commit)
    if not given.table:
        os.environ.setdefault("WORLD_RUNS", "150")
        try:
            run(given, commit, results)
        except (BuildError, JudgeError) as error:
            die(str(error))
    text, good = table(results.all(), ROOMS, reasons(_HOME / "ci" / "mutants.accepted"))
    print(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
