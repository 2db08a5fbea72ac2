"""Proves on the crate `toy` that changes of each kind end as they have to, and that the table says so.

The list of changes is kept beside it, so that cargo-mutants is not needed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import changes
import switch
from build import Builder
from judge import CAUGHT, MISSED, TIMEOUT, UNVIABLE
from results import Result, table
from rooms import room
from run import Package

_TOY = Path(__file__).resolve().parent / "toy"
_ROOM = room("toy", "toy", "src/**/*.rs", "--lib")
# How all changes end that are not caught.
_OTHERS = {
    "src/lib.rs:7:7: replace < with <= in is_small": MISSED,
    "src/lib.rs:12:5: replace unused -> u32 with 0": MISSED,
    "src/lib.rs:12:5: replace unused -> u32 with 1": MISSED,
    "src/lib.rs:12:7: replace + with - in unused": MISSED,
    "src/lib.rs:12:7: replace + with * in unused": MISSED,
    # It divides by one, for ever.
    "src/lib.rs:19:11: replace -= with /= in steps": TIMEOUT,
    "src/lib.rs:34:16: replace > with >= in sign": MISSED,
    "src/lib.rs:55:5: replace turn -> Way with Default::default()": UNVIABLE,
}
# What stands where no call may, and what has a type of its own.
_ALONE = ("src/lib.rs:3:22:", "src/lib.rs:42:5:")


def check(what: str, found: object, right: object) -> None:
    if found != right:
        print(f"mutants: self-test: {what}: {found!r}, and not {right!r}", file=sys.stderr)
        sys.exit(1)


def runs(known: list[changes.Change]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "toy")
        shutil.copytree(_TOY, tree)
        builder = Builder(tree, "toy", ".", Path(folder, "build"), Path(folder, "log"))
        ended: dict[str, str] = {}
        Package(builder, 2, 10.0).run({_ROOM: known}, lambda _, change, kind: ended.update({change.name: kind}))
        check("the source is as before", (tree / "src/lib.rs").read_bytes(), (_TOY / "src/lib.rs").read_bytes())
        numbered = dict(enumerate(known, 1))
        built = builder.switched(numbered, ("--lib",))
    alone = {number for number, change in numbered.items() if change.name.startswith(_ALONE)}
    check("what is built alone", built.apart - built.unviable, alone)
    for change in known:
        check(change.name, ended.get(change.name), _OTHERS.get(change.name, CAUGHT))
    results = [Result("toy", kind, name) for name, kind in ended.items()]
    why = {result.place_free: "it is a toy" for result in results if result.kind == MISSED}
    text, good = table(results, (_ROOM,), {})
    check("a missed change without a reason", ("unused" in text, good), (True, False))
    text, good = table(results, (_ROOM,), why)
    check("too few noticed, though all have reasons", ("unused" in text, good), (False, False))
    noticed = [result for result in results if "unused" not in result.name]
    check("enough noticed", table(noticed, (_ROOM,), why)[1], True)


def refusals() -> None:
    """What cannot be told of is refused, in a sentence."""
    text, good = table([], (_ROOM,), {})
    check("nothing has run", ("no change has run" in text, good), (True, False))
    for arguments, settings in ((["--table"], {"MUTANTS_COMMIT": "no-such"}), (["--again", "no-such", "--table"], {})):
        command = [sys.executable, str(_TOY.parent / "main.py"), *arguments]
        run = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
        says = "no-such is no commit" in run.stderr and "Traceback" not in run.stderr
        check(f"a commit that is not there: {arguments}", (says, run.returncode), (True, 2))


def writes() -> None:
    """Neighbours bind as in the text that was changed, and what is inside a variant has no switches."""
    text = b"fn f(a: u32) -> u32 { a - a * 2 }\n"
    times = changes.Change("times", "", "BinaryOperator", "+", (1, 29), (1, 30))
    minus = changes.Change("minus", "", "BinaryOperator", "/", (1, 25), (1, 26))
    written = switch.Switched(text, {1: times, 2: minus}).text.decode()
    on = "crate::mutant_switch::on"
    variants = f"(if {on}(1) {{ a - a + 2 }} else if {on}(2) {{ a / a * 2 }} else {{ a - a * 2 }})"
    check("operators", written, f"fn f(a: u32) -> u32 {{ {variants} }}\n")


def samples(known: list[changes.Change]) -> None:
    drawn = changes.sample(known, 10, 1)
    without = [change for change in known if change != drawn[0]]
    check("a change keeps its place when others go", changes.sample(without, 9, 1), drawn[1:])
    shards = [changes.shard(drawn, k, 3) for k in (1, 2, 3)]
    check("the shards are the sample", sorted(c.name for s in shards for c in s), sorted(c.name for c in drawn))


def main() -> None:
    known = changes.parse((_TOY / "changes.json").read_text())
    samples(known)
    writes()
    refusals()
    runs(known)
    print(f"mutants: self-test: {len(known)} changes of a toy ended as they have to")


main()
