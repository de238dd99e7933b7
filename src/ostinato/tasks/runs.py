"""What every fitted model can do with its network: run it over sequences, step by step, and as live streams."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .. import stored
from ..architecture import ModelArchitecture
from ..runtime import Model, Pool, Stream
from ..runtime.stack import Array, State

if TYPE_CHECKING:
    from ..exchange.to_onnx.writer import Exported


Self = TypeVar("Self", bound="Runs")


class Runs:
    """The faces of `ostinato.runtime.Model`, for a class that has one as `runtime`. task: the kind of its files."""

    task: ClassVar[str]
    weights_: dict[str, Any]

    @property
    def runtime(self) -> Model:
        """What runs the weights."""
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, atomically."""
        raise NotImplementedError

    def as_chain(self) -> tuple[ModelArchitecture, dict[str, Array]]:
        """Return what the network is made of, and its weights by the names of `ModelArchitecture.weight_shapes`."""
        raise NotImplementedError

    def stored_as(self: Self, kind: str) -> Self:
        """Return the same model with its matrices in fewer bytes, which is how it then runs and is saved.

        kind: ``"bfloat16"``, half the bytes: each number keeps its first 8 bits; or ``"int8"``, a quarter: each is one
        of 255 multiples of its row's scale, and what a matrix multiplies is rounded so, too, a row at a time. Both keep
        equal bits step by step, in chunks and in any company.

        Raises OptionError for another kind, and for a model that is stored so already.
        """
        _ = self.runtime
        smaller = copy(self)
        smaller.__dict__.pop("runtime", None)
        smaller.__dict__.pop("_runtime", None)
        smaller.weights_ = stored.stored_as(kind, self.weights_)
        return smaller

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

    # ---- for other tools

    def metadata(self) -> Mapping[str, str]:
        """Return what a file for other tools says beside the network, as text by name."""
        return {}

    def export_onnx(self, path: str | os.PathLike[str]) -> Exported:
        """Write the network to an ONNX file, once ONNX Runtime has computed what it does; tell what was written.

        Of matrices in fewer bytes the file holds the floats that they stand for.

        Raises what `ostinato.exchange.to_onnx.writer.export` does, and writes nothing then.
        """
        from ..exchange.to_onnx.writer import export

        architecture, weights = self.as_chain()
        return export(path, architecture, stored.unpacked(weights), self.metadata())
