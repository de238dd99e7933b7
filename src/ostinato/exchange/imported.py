"""What every importer makes: a chain of parts, built layer by layer, and a list of what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..architecture import EmbeddingArchitecture, ModelArchitecture, Part
from ..errors import DataError, OstinatoError

Array = NDArray[Any]


class Imported(NamedTuple):
    """A model read from a foreign file, its weights in float32, and what its user should know of it."""

    architecture: ModelArchitecture
    weights: dict[str, Array]
    notes: tuple[str, ...]


class Chain:
    """Parts as they are read, each with its weights.

    A layer that cannot be read is refused by name and reason; reading goes on, so that all of them are told at once.
    """

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.weights: dict[str, Array] = {}
        self.notes: list[str] = []
        self._embedding: EmbeddingArchitecture | None = None
        self._refusals: list[str] = []

    @property
    def size(self) -> int | None:
        """The features that come to the next part; None at the beginning."""
        if self.parts:
            return self.parts[-1].output_size
        return None if self._embedding is None else self._embedding.size

    def embed(self, weight: Array) -> None:
        """Begin with an embedding [V, E]."""
        self._embedding = EmbeddingArchitecture(*map(int, weight.shape))
        self.weights["embedding.weight"] = _float32(weight)

    def add(self, part: Part, weights: Mapping[str, Array] | None = None) -> None:
        """Append a part, with weights by the names of its `weight_shapes`."""
        prefix = f"parts.{len(self.parts)}."
        self.parts.append(part)
        self.weights |= {prefix + name: _float32(weight) for name, weight in (weights or {}).items()}

    def note(self, text: str) -> None:
        """Add something that the user should know, such as what acts in training alone and is left out."""
        self.notes.append(text)

    def refuse(self, layer: str, reason: str) -> None:
        """Remember that a layer, named with its kind, cannot be imported, and why."""
        self._refusals.append(f"{layer}: {reason}")

    def finish(self) -> Imported:
        """Return what was read. Raises DataError naming every layer that could not be, with its reason."""
        if self._refusals:
            count = len(self._refusals)
            what = "a layer" if count == 1 else f"{count} layers"
            raise DataError("\n  ".join([f"{what} cannot be imported.", *self._refusals]))
        if not self.parts:
            raise DataError("there is nothing to import: a model has at least one layer beside its embedding.")
        size = self.parts[0].input_size if self._embedding is None else self._embedding.size
        try:
            architecture = ModelArchitecture(size, self.parts, self._embedding)
        except OstinatoError as error:
            raise DataError(f"the layers do not fit together: {error.message}") from None
        return Imported(architecture, _checked(architecture, self.weights), tuple(self.notes))


def _float32(weight: Array) -> Array:
    return np.ascontiguousarray(weight, np.float32)


def _checked(architecture: ModelArchitecture, weights: dict[str, Array]) -> dict[str, Array]:
    for name, shape in architecture.weight_shapes().items():
        if name not in weights or weights[name].shape != shape:
            came = list(weights[name].shape) if name in weights else "nothing"
            raise DataError(f"the weight {name} should be {list(shape)}, but {came} came.")
        if not np.isfinite(weights[name]).all():
            raise DataError(f"the weight {name} holds values that are not finite.")
    return weights
