"""States that live: pushes that go on from call to call, and text that is written symbol by symbol."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np

from ..grid import VOCABULARY
from ..problem import Array, Problem
from .contender import Run

Push = Callable[[Any], Any]
"""Takes the input of a step and returns what comes out, both in a library's own arrays, and keeps the state.

In the groups "push" and "pool" that is x [B, D] and y [B, H]; in the group "generation" a symbol [B] and the likeliest
one after it.
"""
Given = Callable[[Array], Any]
"""Turns an input into a library's own array."""


def live_run(problem: Problem, begin: Callable[[], Push], given: Given = np.ascontiguousarray) -> Run:
    """Return the run of a live group.

    begin: return the push of a new stream. given: makes the inputs ready, before the clock starts.

    A call is one push, and the state goes on to the next call; what is checked is a new stream over all inputs, so
    that a state which is lost is seen. Where text is written, a call writes all of it from the first symbol on.
    """
    return _writing(problem, begin, given) if problem.point.group == "generation" else _pushing(problem, begin, given)


def _pushing(problem: Problem, begin: Callable[[], Push], given: Given) -> Run:
    inputs = [given(x) for x in problem.x]
    push, coming = begin(), cycle(inputs)

    def arrays() -> dict[str, Array]:
        fresh = begin()
        # A copy of each at once: a library may write the next output into the same memory.
        return {"y": np.stack([_rows(problem, np.asarray(fresh(x)).copy()) for x in inputs])}

    return Run(lambda: push(next(coming)), arrays)


def _writing(problem: Problem, begin: Callable[[], Push], given: Given) -> Run:
    start = given(problem.x[0])

    def call() -> list[Any]:
        push, symbol, symbols = begin(), start, []
        for _ in range(problem.point.steps):
            symbol = push(symbol)
            symbols.append(symbol)
        return symbols

    return Run(call, lambda: written(np.stack([_rows(problem, np.asarray(symbol))[:, 0] for symbol in call()])))


def written(symbols: Array) -> dict[str, Array]:
    """Return symbols [T, B] as y [T, B, V], 1 at each symbol: any other symbol is as wrong as the next."""
    return {"y": np.eye(VOCABULARY)[symbols]}


def _rows(problem: Problem, values: Array) -> Array:
    return values.reshape(problem.point.batch, -1)
