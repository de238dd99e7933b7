"""A model over NumPy: what reads its input, then recurrent stacks and layers without memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..architecture import LinearArchitecture, ModelArchitecture, NormArchitecture, RecurrentArchitecture, below
from ..errors import DataError, ShapeError
from .feedforward import Feedforward
from .stack import Stack, State

if TYPE_CHECKING:
    from .pool import Pool
    from .stream import Stream

Array = NDArray[Any]


class Model:
    """A chain of parts, run by the compiled core or NumPy; no torch.

    parts: recurrent stacks and layers without memory, each reading the output of the one before. embedding [V, E]: a
    vector for each symbol, where x is symbols and not numbers; or None. dtype: that of all weights, outputs and states.

    Where the core runs, equal bits come out whole, in chunks or step by step, alone or in any batch:

        y, state = model.run(x)                 # x [T, B, D], or symbols [T, B]
        y, state = model.step(x, state)         # x [B, D], or symbols [B]
        stream = model.stream(); y = stream.push(x)     # x [D], or a symbol
        pool = model.streams(10_000)            # many streams, advanced together
    """

    def __init__(
        self, parts: Sequence[Stack | Feedforward], embedding: Array | None = None, dtype: Any = np.float32
    ) -> None:
        self.parts, self.embedding, self.dtype = list(parts), embedding, np.dtype(dtype)

    @property
    def output_size(self) -> int:
        """O, the features of y."""
        return self.parts[-1].output_size

    def no_output(self) -> Array:
        """Return zeros of the shape [O] and the type of one step's output."""
        return np.zeros(self.output_size, self.dtype)

    @classmethod
    def of(cls, architecture: ModelArchitecture, weights: Mapping[str, Array]) -> Model:
        """Return the model of an architecture. weights: by the names of its `weight_shapes`."""
        parts: list[Stack | Feedforward] = []
        for index, part in enumerate(architecture.parts):
            own = below(f"parts.{index}", weights)
            if isinstance(part, RecurrentArchitecture):
                parts.append(Stack(part, own))
            elif isinstance(part, LinearArchitecture):
                parts.append(Feedforward.linear(own["weight"], own.get("bias")))
            elif isinstance(part, NormArchitecture):
                parts.append(Feedforward.norm(own["scale"], own["shift"], part.epsilon))
            else:
                parts.append(Feedforward.activation(part.function, part.input_size))
        return cls(parts, weights.get("embedding.weight"))

    # ---- running

    def initial_state(self, batch: int = 1) -> State:
        """Return the state before the first step of B sequences: one named tuple for each recurrent layer."""
        return tuple(layer for part in self.parts for layer in part.initial_state(batch))

    def run(self, x: Any, lengths: Any = None, state: Sequence[Any] | None = None) -> tuple[Array, State]:
        """Run over whole sequences.

        x: [T, B, D], or symbols [T, B]. lengths: B whole numbers, the steps of each sequence; None means all T. state:
        what an earlier call returned, to go on from there; None starts anew.

        Returns y [T, B, O], zero beyond each length, and the state after each sequence's last step.

        Raises ShapeError when x, lengths or state have other shapes, DataError for a number that no symbol has.
        """
        x = self._read(x, "T B")
        runs = [partial(part.sequence, lengths=lengths) for part in self.parts]
        return self._through(runs, x, x.shape[1], state)

    def step(self, x: Any, state: Sequence[Any] | None = None) -> tuple[Array, State]:
        """Run one step of B sequences over x [B, D], or symbols [B]; return y [B, O] and the state after it.

        Raises OptionError for a bidirectional model, ShapeError and DataError as `run` does.
        """
        x = self._read(x, "B")
        return self._through([part.step for part in self.parts], x, len(x), state)

    def _through(self, runs: Sequence[Any], x: Array, batch: int, state: Sequence[Any] | None) -> tuple[Array, State]:
        state = self.initial_state(batch) if state is None else state
        ends = list(accumulate((part.layer_count for part in self.parts), initial=0))
        if len(state) != ends[-1]:
            raise ShapeError(
                f"a state of {ends[-1]} layers was expected, not of {len(state)}.",
                "give the state that an earlier call returned.",
            )
        after: list[Any] = []
        for run, (begin, end) in zip(runs, pairwise(ends), strict=True):
            x, final = run(x, state[begin:end])
            after.extend(final)
        return x, tuple(after)

    def _read(self, x: Any, letters: str) -> Array:
        """Return an input as numbers [letters, D], those of the embedding where x is symbols [letters]."""
        axes = len(letters.split())
        given = np.asarray(x)
        if given.ndim != axes + (self.embedding is None):
            expected = f"symbols [{letters}]" if self.embedding is not None else f"x [{letters} D]"
            raise ShapeError(f"the model expected {expected}, got an array of shape {list(given.shape)}.")
        if self.embedding is None:
            return np.ascontiguousarray(given, self.dtype)
        if given.dtype.kind not in "iu":
            raise DataError(f"symbols are whole numbers, not {given.dtype}.", "encode the text first.")
        if given.size and not 0 <= given.min() <= given.max() < len(self.embedding):
            raise DataError(
                f"symbols are numbers from 0 to {len(self.embedding) - 1}; {given.min()} to {given.max()} came."
            )
        vectors: Array = self.embedding[given]
        return vectors

    # ---- streams

    def stream(self) -> Stream:
        """Return a new stream: one sequence that goes on for ever. Raises OptionError for a bidirectional model."""
        from .stream import Stream

        return Stream(self)

    def streams(self, capacity: int) -> Pool:
        """Return room for so many streams that are advanced together. Raises OptionError for a bidirectional model."""
        from .pool import Pool

        return Pool(self, capacity)

    def check_streams(self) -> None:
        """Raise OptionError where a part reads sequences from their end, so that no step can be taken by itself."""
        for part in self.parts:
            part.check_streams()

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over all that decides what the model computes; what a snapshot is bound to."""
        digest = hashlib.sha256(self.dtype.str.encode())
        parts = [("embedding", {"weight": self.embedding})] if self.embedding is not None else []
        parts += [(part.text, part.weights) for part in self.parts]
        for text, weights in parts:
            digest.update(text.encode())
            for name, weight in sorted(weights.items()):
                digest.update(f"\0{name}\0{weight.shape}\0".encode())
                digest.update(np.ascontiguousarray(weight).tobytes())
        return digest.digest()
