"""Runs the tests of a room with one change, and says how that ended."""

import os
import re
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from build import Programs
from rooms import Room, Step

CAUGHT, MISSED, TIMEOUT, UNVIABLE = "caught", "missed", "timeout", "unviable"

# A change hangs whose tests take so many times as long as without it, and at least so many seconds.
TIMES, LEAST = 6, 20.0
# The unchanged tests of a room are quick, or they are not fit to judge.
_UNCHANGED_LIMIT = 900.0
# What uses no processor for so many seconds waits for something that does not come.
_IDLE = 5.0
# A line of the harness of tests, in the first bytes of its output.
_FAILED = re.compile(rb"^test .* \.\.\. FAILED$", re.MULTILINE)
_OUTPUT = 1 << 20


class JudgeError(Exception):
    """The tests do not pass unchanged, or not with a number that is no change's."""


@dataclass(frozen=True)
class Cost:
    """What the tests of one program take, in seconds: by the clock, and of the processor."""

    wall: float
    processor: float


@dataclass(frozen=True)
class Limits:
    """When a run of one program has hung: `wall` seconds are over, and the processor was not only busy elsewhere."""

    wall: float
    processor: float

    @staticmethod
    def after(cost: Cost, least: float) -> "Limits":
        return Limits(max(TIMES * cost.wall, least), max(TIMES * cost.processor, least))

    def hung(self, wall: float, processor: float, idle: float) -> bool:
        return wall > self.wall and (processor > self.processor or idle > _IDLE or wall > 3 * self.wall)


@dataclass(frozen=True)
class Judge:
    room: Room
    # Where tests of the package run.
    folder: Path
    least: float = LEAST

    def unchanged(self, programs: Programs, costs: dict[Step, Cost]) -> dict[Step, Limits]:
        """What each step may take with a change, from a run without one; `costs` has those that have run."""
        for step in self.room.steps:
            if step not in costs:
                status, costs[step] = self._run(programs, step, None, Limits(_UNCHANGED_LIMIT, _UNCHANGED_LIMIT))
                if status != 0:
                    raise JudgeError(f"the tests of {self.room.name} do not pass unchanged: {programs[step.target]}")
        return {step: Limits.after(costs[step], self.least) for step in self.room.steps}

    def changed(self, programs: Programs, number: int | None, limits: dict[Step, Limits]) -> str:
        """How the tests end with the change behind switch `number`, or with that which `programs` were built with."""
        for step in self.room.steps:
            status, _ = self._run(programs, step, number, limits[step])
            if status is None:
                return TIMEOUT
            if status != 0:
                return CAUGHT
        return MISSED

    def _run(
        self, programs: Programs, step: Step, number: int | None, limits: Limits
    ) -> tuple[int | None, Cost]:
        """The exit status, none if it hung."""
        settings = {
            "CARGO_MANIFEST_DIR": str(self.folder),
            # A failure is not to be kept for the runs of other changes.
            "PROPTEST_DISABLE_FAILURE_PERSISTENCE": "true",
        }
        if number is not None:
            settings["MUTANT"] = str(number)
        output = tempfile.TemporaryFile()
        began = time.monotonic()
        process = subprocess.Popen(
            ["nice", "-n", "10", programs[step.target], *step.filters],
            cwd=self.folder,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return self._wait(process, output, began, limits)
        finally:
            # With all that it has started.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            output.close()

    def _wait(
        self, process: subprocess.Popen, output: BinaryIO, began: float, limits: Limits
    ) -> tuple[int | None, Cost]:
        busy, last = 0.0, began
        while True:
            try:
                process.wait(timeout=0.2)
                if process.returncode in (-signal.SIGKILL, -signal.SIGTERM):
                    raise JudgeError(f"a run of {self.room.name} was killed from outside; run this again")
                return process.returncode, Cost(time.monotonic() - began, busy)
            except subprocess.TimeoutExpired:
                now, used = time.monotonic(), _processor(process.pid)
            if used > busy:
                busy, last = used, now
            # One test that fails is enough, whatever the others take.
            if _FAILED.search(os.pread(output.fileno(), _OUTPUT, 0)):
                return 1, Cost(now - began, busy)
            if limits.hung(now - began, busy, now - last):
                return None, Cost(now - began, busy)


def _processor(pid: int) -> float:
    """Seconds of the processor that a process has used; 0 where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    fields = text.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
