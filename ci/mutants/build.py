"""Builds the tests of a package with changes in it."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import switch
from changes import Change


class BuildError(Exception):
    """What is built without changes, or with changes whose fault it cannot be, does not build."""


# The test programs, by the arguments of `cargo test` that build them.
Programs = dict[str, Path]

# Errors of types, which text has with a switch and without: a trait or a method is missing, or is private, an operator
# has no such operands, or the type is another.
_OF_TYPES = {"E0277", "E0308", "E0369", "E0599", "E0624"}


@dataclass(frozen=True)
class Built:
    """The test programs; which changes are not in them, and which of these would not compile without switches."""

    programs: Programs
    apart: set[int]
    unviable: set[int]


@dataclass(frozen=True)
class _Failure:
    text: str
    code: str
    # Files, relative to the tree, with the first and the last byte; the main ones first.
    spans: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Builder:
    """Builds one package in a copy of the tree, and puts back what it wrote there."""

    tree: Path
    package: str
    # The folder of the package in the tree.
    folder: str
    target_dir: Path
    log: Path

    def switched(self, changes: dict[int, Change], targets: tuple[str, ...]) -> Built:
        """All changes behind switches that build together."""
        apart: set[int] = set()
        unviable: set[int] = set()
        originals = {file: (self.tree / file).read_bytes() for file in sorted({c.file for c in changes.values()})}
        root = str(Path(self.folder, "src/lib.rs"))
        originals.setdefault(root, (self.tree / root).read_bytes())
        try:
            while True:
                files = {}
                for file, original in originals.items():
                    here = {n: change for n, change in changes.items() if change.file == file and n not in apart}
                    files[file] = written = switch.Switched(original, here)
                    apart |= written.unplaced
                    text = switch.ALLOWED + written.text + switch.MODULE if file == root else written.text
                    self._write(file, text)
                programs, failures = self._cargo(targets)
                if not failures:
                    return Built(programs, apart, unviable)
                at_fault = [(failure, region) for failure in failures if (region := self._region(failure, files, root))]
                before = len(apart)
                for failure, region in at_fault:
                    apart |= region.numbers
                    if region.typed and failure.code in _OF_TYPES:
                        unviable |= region.numbers
                if len(apart) == before:
                    raise BuildError(f"{self.package} does not build: {failures[0].text} (see {self.log})")
        finally:
            self._restore(originals)

    def alone(self, change: Change, targets: tuple[str, ...]) -> Programs | None:
        """The tests with one change that has no switch; none if it does not compile."""
        original = (self.tree / change.file).read_bytes()
        try:
            self._write(change.file, switch.plain(original, change))
            programs, failures = self._cargo(targets)
            return None if failures else programs
        finally:
            self._restore({change.file: original})

    def _region(self, failure: _Failure, files: dict[str, switch.Switched], root: str) -> switch.Region | None:
        for file, start, end in failure.spans:
            if file in files:
                shift = len(switch.ALLOWED) if file == root else 0
                if region := files[file].region_at(start - shift, end - shift, failure.code):
                    return region
        return None

    def _write(self, file: str, text: bytes) -> None:
        path = self.tree / file
        if path.read_bytes() != text:
            path.write_bytes(text)

    def _restore(self, originals: dict[str, bytes]) -> None:
        for file, text in originals.items():
            self._write(file, text)

    def _cargo(self, targets: tuple[str, ...]) -> tuple[Programs, list[_Failure]]:
        # What a feature hides would be missed by all tests.
        options = ["--all-features", "--no-run", "--quiet", "--message-format=json"]
        command = ["cargo", "test", "--package", self.package, *options, *targets]
        settings = {"CARGO_TARGET_DIR": str(self.target_dir), "CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_INCREMENTAL": "1"}
        with self.log.open("ab") as log:
            run = subprocess.run(command, cwd=self.tree, env=os.environ | settings, stdout=subprocess.PIPE, stderr=log)
            messages = [json.loads(line) for line in run.stdout.splitlines() if line.startswith(b"{")]
            failures = [f for m in messages if m["reason"] == "compiler-message" if (f := _failure(m["message"]))]
            for failure in failures:
                log.write(failure.text.encode() + b"\n")
        if run.returncode != 0 and not failures:
            raise BuildError(f"cargo could not build {self.package}: see {self.log}")
        programs = dict(p for m in messages if m["reason"] == "compiler-artifact" if (p := _program(m)))
        return programs, failures


def _failure(message: dict) -> _Failure | None:
    if message["level"] != "error" or not message["spans"]:
        return None
    spans = sorted(message["spans"], key=lambda span: not span["is_primary"])
    code = message["code"]["code"] if message["code"] else ""
    return _Failure(message["rendered"], code, tuple((s["file_name"], s["byte_start"], s["byte_end"]) for s in spans))


def _program(artifact: dict) -> tuple[str, Path] | None:
    if not artifact["profile"]["test"] or artifact["executable"] is None:
        return None
    kinds, name = artifact["target"]["kind"], artifact["target"]["name"]
    return f"--test={name}" if "test" in kinds else "--lib", Path(artifact["executable"])
