"""The run: for each point, who is right is timed, in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from .contenders import OURS, REFERENCE, Entry, Refused
from .grid import Point
from .parity import fault
from .problem import Array, live_rows, operations
from .report import Row, Settings
from .timing import Timed, Timing, in_turns
from .worker import Failed, Worker

PEAK = "peak"
"""The machine's place among those that take turns."""
LSTM = "lstm"
"""The place of Ostinato's LSTM, where other cells are compared with it."""
Tell = Callable[[str], None]
"""Takes a line on how far the run is."""


class Field:
    """The contenders' processes, each begun when first needed and begun anew when it has failed."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._workers: dict[Entry, Worker] = {}

    def worker(self, entry: Entry) -> Worker:
        """Return a contender's process."""
        if entry not in self._workers:
            self._workers[entry] = Worker(entry, self.threads)
        return self._workers[entry]

    def dismiss(self, name: str) -> None:
        """End the processes of that name, if there are any."""
        for entry in [entry for entry in self._workers if entry.name == name]:
            self._workers.pop(entry).close()

    def close(self) -> None:
        """End them all."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()


@contextmanager
def field_of(threads: int) -> Iterator[Field]:
    """Give a field, and end its processes afterwards."""
    field = Field(threads)
    try:
        yield field
    finally:
        field.close()


def run_point(
    field: Field, point: Point, entries: Sequence[Entry], settings: Settings, meter: Timed, tell: Tell
) -> Row:
    """Check every contender at a point, and time those that are right, and the machine's peak beside them."""
    expected = field.worker(REFERENCE).prepare(point)
    ready, left_out = {}, {}
    for entry in entries:
        if entry.missing or not entry.takes(point):
            continue
        reason = _prepare(field, entry, point, expected)
        if reason is None:
            ready[entry.name] = field.worker(entry)
        else:
            left_out[entry.name] = reason
            tell(f"  {entry.name} is not timed: {reason}")
    beside = _beside(field, point, entries) if OURS in ready else {}
    timings: dict[str, Timing] = {}
    while ready and not timings:
        try:
            timings = in_turns({PEAK: meter, **beside, **ready}, settings.rounds, settings.seconds, settings.pause)
        except Failed as error:
            name = error.contender
            (ready if name in ready else beside).pop(name)
            left_out[name] = f"failed: {error}"
            field.dismiss(name)
            tell(f"  {name} is not timed: {left_out[name]}")
    peak = 1e3 / timings.pop(PEAK).median if timings else None
    lstm = timings.pop(LSTM, None)
    cost = _cost(point, timings[OURS], lstm) if lstm and OURS in timings else None
    return Row(point, live_rows(point), operations(point), timings, left_out, peak, cost)


def _beside(field: Field, point: Point, entries: Sequence[Entry]) -> dict[str, Timed]:
    """Return who takes turns with a cell: the LSTM of the same size, which has a point of its own."""
    if point.group != "cells":
        return {}
    ours = next(entry for entry in entries if entry.name == OURS)
    worker = field.worker(ours._replace(name=LSTM))
    try:
        worker.prepare(replace(point, cell=LSTM))
    except Failed:
        field.dismiss(LSTM)
        return {}
    return {LSTM: worker}


def _cost(point: Point, ours: Timing, lstm: Timing) -> float | None:
    """Return the time a multiply-add as a multiple of the LSTM's."""
    own, other = operations(point), operations(replace(point, cell=LSTM))
    return ours.median / own / (lstm.median / other) if own and other else None


def _prepare(field: Field, entry: Entry, point: Point, expected: dict[str, Array]) -> str | None:
    """Make a contender ready; return why it is not timed, or None."""
    try:
        wrong = fault(field.worker(entry).prepare(point), expected, entry.tolerance)
        return None if wrong is None else f"wrong: {wrong}"
    except Refused as reason:
        return f"refused: {reason}"
    except Failed as error:
        field.dismiss(entry.name)
        return f"failed: {error}"
