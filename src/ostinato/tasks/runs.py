"""What every fitted model can do with its network: run it over sequences, step by step, and as live streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ..architecture import ModelArchitecture
from ..runtime import Model, Pool, Stream
from ..runtime.stack import Array, State


class Runs:
    """The faces of `ostinato.runtime.Model`, for a class that has one as `runtime`. task: the kind of its files."""

    task: ClassVar[str]

    @property
    def runtime(self) -> Model:
        """What runs the weights."""
        raise NotImplementedError

    def as_chain(self) -> tuple[ModelArchitecture, dict[str, Array]]:
        """Return what the network is made of, and its weights by the names of `ModelArchitecture.weight_shapes`."""
        raise NotImplementedError

    def run(
        self, x: Any, lengths: Any = None, state: Sequence[Any] | None = None, every_step: bool = False
    ) -> tuple[Array, State]:
        """Run over whole sequences, as `Model.run` says."""
        return self.runtime.run(x, lengths, state, every_step)

    def step(self, x: Any, state: Sequence[Any] | None = None) -> tuple[Array, State]:
        """Run one step, as `Model.step` says."""
        return self.runtime.step(x, state)

    def stream(self) -> Stream:
        """Return a new stream: one sequence that goes on for ever."""
        return self.runtime.stream()

    def streams(self, capacity: int) -> Pool:
        """Return room for so many streams that are advanced together."""
        return self.runtime.streams(capacity)
