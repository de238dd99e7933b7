"""Contenders timed in turns, so that a machine that slows down slows down everybody."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class Timing(msgspec.Struct):
    """Milliseconds of one call: the median of all rounds, and the quarters below and above it."""

    median: float
    low: float
    high: float
    rounds: int


class Timed(Protocol):
    """What can be asked for the seconds of a call, measured over a stretch of at least `seconds`."""

    def time(self, seconds: float) -> float:
        """Return the seconds of a call."""
        ...


def in_turns(contenders: Mapping[str, Timed], rounds: int, seconds: float, pause: float) -> dict[str, Timing]:
    """Time contenders A B C A B C …, with a pause before each so that the threads of the one before fall asleep."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            time.sleep(pause)
            taken[name].append(contender.time(seconds))
    return {name: summarise(values) for name, values in taken.items()}


def summarise(seconds: Sequence[float]) -> Timing:
    """Return the median and quartiles of some seconds, in milliseconds."""
    values = [1e3 * value for value in seconds]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return Timing(median, low, high, len(values))
