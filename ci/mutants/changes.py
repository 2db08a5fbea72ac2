"""The changes that cargo-mutants knows, and the sample that a seed draws of them."""

import hashlib
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rooms import EXCLUDED, Room


@dataclass(frozen=True)
class Change:
    """One change of a source file, as `cargo mutants --list --json` tells of it. Lines and columns count from 1."""

    name: str
    file: str
    genre: str
    replacement: str
    start: tuple[int, int]
    end: tuple[int, int]

    @property
    def place_free(self) -> str:
        """The name without line and column, which move when other lines do."""
        return re.sub(r"^([^:]+):\d+:\d+: ", r"\1: ", self.name)


def parse(listing: str) -> list[Change]:
    changes = []
    for item in json.loads(listing):
        start, end = item["span"]["start"], item["span"]["end"]
        changes.append(
            Change(
                item["name"],
                item["file"],
                item["genre"],
                item["replacement"],
                (start["line"], start["column"]),
                (end["line"], end["column"]),
            )
        )
    return changes


def of_room(room: Room, tree: Path) -> list[Change]:
    options = ["--package", room.package]
    for pattern in room.files:
        options += ["--file", pattern]
    for pattern in EXCLUDED:
        options += ["--exclude", pattern]
    command = ["cargo", "mutants", "--list", "--json", *options]
    return parse(subprocess.run(command, cwd=tree, check=True, stdout=subprocess.PIPE, text=True).stdout)


def sample(changes: list[Change], per_room: int | None, seed: int) -> list[Change]:
    """The first `per_room` changes (all, if that is None) in an order that the seed alone decides.

    The order is that of digests of the seed and the name, so that a change keeps its place when others go.
    """
    if per_room is None:
        return changes

    def digest(change: Change) -> tuple[str, str]:
        return hashlib.sha256(f"{seed} {change.name}\n".encode()).hexdigest()[:16], change.name

    return sorted(changes, key=digest)[:per_room]


def shard(changes: list[Change], k: int, n: int) -> list[Change]:
    return [change for at, change in enumerate(changes, 1) if at % n == k % n]
