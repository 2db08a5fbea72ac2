"""Runs changes of the rooms of one package: all that can be switched from one build, the others one by one."""

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Callable

from build import Builder
from changes import Change
from judge import UNVIABLE, Cost, Judge, Limits
from rooms import Room, Step

# Tells how a change of a room ended.
Ended = Callable[[Room, Change, str], None]


@dataclass(frozen=True)
class Package:
    builder: Builder
    # How many changes are tried at a time.
    jobs: int
    # How many seconds tests may take at least, however quick they are unchanged.
    least: float

    def run(self, wanted: dict[Room, list[Change]], ended: Ended) -> None:
        numbered = list(enumerate(((room, change) for room, changes in wanted.items() for change in changes), 1))
        targets = tuple(sorted({target for room in wanted for target in room.targets}))
        built = self.builder.switched({number: change for number, (_, change) in numbered}, targets)
        for number, (room, change) in numbered:
            if number in built.unviable:
                ended(room, change, UNVIABLE)
        judges = {room: self._judge(room) for room in wanted}
        costs: dict[Step, Cost] = {}
        limits = {room: judge.unchanged(built.programs, costs) for room, judge in judges.items()}
        with ThreadPoolExecutor(self.jobs) as pool:
            runs = {
                pool.submit(judges[room].changed, built.programs, number, limits[room]): (room, change)
                for number, (room, change) in numbered
                if number not in built.apart
            }
            try:
                for run in as_completed(runs):
                    ended(*runs[run], run.result())
            except BaseException:
                # What is under way ends by its limit; nothing else is to begin.
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        for number, (room, change) in numbered:
            if number in built.apart - built.unviable:
                ended(room, change, self._alone(judges[room], change, limits[room]))

    def _judge(self, room: Room) -> Judge:
        return Judge(room, self.builder.tree / self.builder.folder, self.least)

    def _alone(self, judge: Judge, change: Change, limits: dict[Step, Limits]) -> str:
        programs = self.builder.alone(change, judge.room.targets)
        return UNVIABLE if programs is None else judge.changed(programs, None, limits)
