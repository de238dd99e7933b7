"""What came of a run, as plain data."""

from __future__ import annotations

import msgspec

from .contenders import OURS, STORED, is_ours
from .grid import Group, Point
from .machine import Machine
from .timing import Timing


class Row(msgspec.Struct):
    """A point: who was timed, and of the others why not.

    operations: floating-point operations of one call (`problem.operations`). rows: live rows N, one for each step
    of each sequence. peak: GFLOP/s of the machine's multiply-adds, measured in turns with the contenders. cost: in the
    group "cells" the time a multiply-add as a multiple of the LSTM's, which takes its turn in every round.
    """

    point: Point
    rows: int
    operations: int | None
    timings: dict[str, Timing]
    left_out: dict[str, str]
    peak: float | None = None
    cost: float | None = None

    @property
    def ours(self) -> Timing | None:
        """Ostinato's timing, if it has one."""
        return self.timings.get(OURS)

    @property
    def peers(self) -> dict[str, float]:
        """The others' median milliseconds."""
        return {name: timing.median for name, timing in self.timings.items() if not is_ours(name)}

    @property
    def stored(self) -> dict[str, float]:
        """The time with matrices in fewer bytes, as a part of that with float32."""
        own = self.ours
        return {name: self.timings[name].median / own.median for name in STORED if own and name in self.timings}

    @property
    def best_peer(self) -> str | None:
        """The quickest of the others."""
        return min(self.peers, key=self.peers.__getitem__, default=None)

    def ratio(self, *names: str) -> float | None:
        """Return how many times Ostinato's speed is that of the quickest of some peers (none named: of all)."""
        times = [time for name, time in self.peers.items() if not names or name in names]
        return min(times) / self.ours.median if self.ours and times else None

    def gflops(self, name: str) -> float | None:
        """Return the GFLOP/s of a contender that was timed."""
        return self.operations * 1e-6 / self.timings[name].median if self.operations else None

    def share(self, name: str) -> float | None:
        """Return the share of the machine's peak that a contender reached."""
        rate = self.gflops(name)
        return rate / self.peak if rate and self.peak else None


class Settings(msgspec.Struct):
    """How it was measured: threads, rounds, seconds of each measured stretch and of the pause before it."""

    threads: int
    rounds: int
    seconds: float
    pause: float
    quick: bool


class Report(msgspec.Struct):
    """A run. missing: contenders whose libraries are not installed, with those."""

    date: str
    machine: Machine
    settings: Settings
    missing: dict[str, list[str]]
    rows: list[Row]

    def of(self, *groups: Group) -> list[Row]:
        """Return the rows of some groups."""
        return [row for row in self.rows if row.point.group in groups]
