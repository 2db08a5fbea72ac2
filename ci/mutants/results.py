"""What has run for a commit, the reasons for what no test notices, and the table of both."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from changes import Change
from judge import CAUGHT, MISSED, TIMEOUT, UNVIABLE
from rooms import Room

# Of 100 changes of a room that compile, so many are to be noticed.
SHARE = 90


@dataclass(frozen=True)
class Result:
    room: str
    kind: str
    name: str

    @property
    def place_free(self) -> str:
        return Change(self.name, "", "", "", (0, 0), (0, 0)).place_free


@dataclass(frozen=True)
class Results:
    """The file of a commit: a line for each change that has run, with its room and how it ended, between tabs."""

    path: Path

    def all(self) -> list[Result]:
        if not self.path.exists():
            return []
        return [Result(*line.split("\t")) for line in self.path.read_text().splitlines()]

    def add(self, result: Result) -> None:
        with self.path.open("a") as file:
            file.write(f"{result.room}\t{result.kind}\t{result.name}\n")

    def names(self, room: Room) -> set[str]:
        return {result.name for result in self.all() if result.room == room.name}


def reasons(accepted: Path) -> dict[str, str]:
    """The reasons of `mutants.accepted`, by the names of changes without their places."""
    found, name = {}, None
    for line in accepted.read_text().splitlines():
        if line.startswith(" ") and name is not None:
            found[name] = line.strip()
        elif line and not line.startswith("#"):
            name = line
    return found


def table(results: list[Result], rooms: tuple[Room, ...], why: dict[str, str]) -> tuple[str, bool]:
    """The table, and whether each room holds what it has to; rooms of which nothing has run hold nothing."""
    row = "{:10} {:>7} {:>7} {:>9} {:>7} {:>8} {:>7} {:>8}"
    lines = [row.format("room", "run", "caught", "timeout", "missed", "reasons", "unviable", "share")]
    good, bare = True, []
    total: Counter[str] = Counter()
    for room in rooms:
        own = [result for result in results if result.room == room.name]
        count = Counter(result.kind for result in own)
        missed = [result for result in own if result.kind == MISSED]
        reasoned = [result for result in missed if result.place_free in why]
        bare += [result.name for result in missed if result.place_free not in why]
        count["reasons"] = len(reasoned)
        if noticed := count[CAUGHT] + count[TIMEOUT] + count[MISSED]:
            lines.append(_row(row, room.name, count))
            good = good and (count[CAUGHT] + count[TIMEOUT]) * 100 >= SHARE * noticed
            total += count
    if not total:
        return "There is no table: no change has run that compiles.", False
    lines.append(_row(row, "all", total))
    if bare:
        lines += ["", "No test notices these, and ci/mutants.accepted has no reason for them:", *bare]
    return "\n".join(lines), good and not bare


def _row(row: str, name: str, count: Counter[str]) -> str:
    compiled = count[CAUGHT] + count[TIMEOUT] + count[MISSED]
    share = (count[CAUGHT] + count[TIMEOUT]) * 1000 // compiled
    return row.format(
        name,
        compiled + count[UNVIABLE],
        count[CAUGHT],
        count[TIMEOUT],
        count[MISSED],
        count["reasons"],
        count[UNVIABLE],
        f"{share // 10}.{share % 10}%",
    )
