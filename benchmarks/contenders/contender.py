"""What a contender is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..problem import Array, Problem


class Refused(Exception):
    """A contender cannot take part at a point; the text says why."""


class Run(NamedTuple):
    """A problem made ready.

    call: what is timed: a whole call from Python that returns when its results are there.
    arrays: one untimed run, as arrays by name: ``y`` [T, B, O], zero beyond a sequence's length; where gradients
    are taken ``d_x`` and ``d_<weight>``; after a step ``state_<k>`` [B, width] for each state.
    """

    call: Callable[[], Any]
    arrays: Callable[[], dict[str, Array]]


class Contender:
    """Base of the contenders. threads: how many it may use."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def prepare(self, problem: Problem) -> Run:
        """Make a problem ready: everything that a program does once.

        Raises Refused when the contender cannot run it.
        """
        raise NotImplementedError
