"""How long a model takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..runtime import SymbolRuntime

ROUNDS, STEPS = 30, 20


def step_seconds(models: Sequence[SymbolRuntime]) -> list[float]:
    """Return the seconds that each model takes for one symbol of a stream: medians of rounds that take turns."""
    streams = [model.stream() for model in models]
    for stream in streams:
        stream.extend([0] * STEPS)
        stream.push(0)
    rounds: list[list[float]] = [[] for _ in models]
    for _ in range(ROUNDS):
        for stream, seconds in zip(streams, rounds, strict=True):
            began = time.perf_counter()
            for _ in range(STEPS):
                stream.push(0)
            seconds.append((time.perf_counter() - began) / STEPS)
    return [statistics.median(seconds) for seconds in rounds]
