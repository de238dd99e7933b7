"""A model over NumPy: what reads its input, then recurrent stacks and layers without memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import stored
from ..architecture import ModelArchitecture, below
from ..engine.packing import checked_lengths
from ..errors import DataError, ShapeError
from .assembling import chain_of
from .chain import Chain, Part
from .stack import State

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

    def __init__(self, parts: Sequence[Part], embedding: Array | None = None, dtype: Any = np.float32) -> None:
        self.chain, self.embedding, self.dtype = Chain(parts), embedding, np.dtype(dtype)
        self._at_every_step = self.chain.at_every_step()

    @property
    def parts(self) -> list[Part]:
        """The parts, in the order in which each reads the one before."""
        return self.chain.parts

    @property
    def output_size(self) -> int:
        """O, the features of y."""
        return self.chain.output_size

    def no_output(self) -> Array:
        """Return zeros of the shape [O] and the type of one step's output."""
        return np.zeros(self.output_size, self.dtype)

    @classmethod
    def of(cls, architecture: ModelArchitecture, weights: Mapping[str, Array]) -> Model:
        """Return the model of an architecture. weights: by the names of its `weight_shapes`."""
        parts = chain_of(architecture.parts, below("parts", weights)).parts
        return cls(parts, weights.get("embedding.weight"))

    # ---- running

    def initial_state(self, batch: int = 1) -> State:
        """Return the state before the first step of B sequences: one named tuple for each recurrent layer."""
        return self.chain.initial_state(batch)

    def run(
        self, x: Any, lengths: Any = None, state: Sequence[Any] | None = None, every_step: bool = False
    ) -> tuple[Array, State]:
        """Run over whole sequences.

        x: [T, B, D], or symbols [T, B]. lengths: B whole numbers, the steps of each sequence; None means all T. state:
        what an earlier call returned, to go on from there; None starts anew. every_step: where the model answers once
        a sequence, after its last step, let it answer after each.

        Returns y [T, B, O], zero beyond each length (or y [B, O], one answer a sequence), and the state after each
        sequence's last step.

        Raises ShapeError when x, lengths or state have other shapes, DataError for a number that no symbol has.
        """
        x = self._read(x, "T B", 2)
        lengths = checked_lengths("Model.run", lengths, *x.shape[:2])
        chain = self._at_every_step if every_step else self.chain
        y, after = chain.sequence(x, self._state(state, x.shape[1]), lengths)
        return y[0] if chain.reduces else y, after

    def step(self, x: Any, state: Sequence[Any] | None = None) -> tuple[Array, State]:
        """Run one step of B sequences over x [B, D], or symbols [B]; return y [B, O] and the state after it.

        Raises OptionError for a model that reads sequences from the end, ShapeError and DataError as `run` does.
        """
        self.check_streams()
        x = self._read(x, "B", 1)
        before, after = self._state(state, len(x)), self.chain.empty_state(len(x))
        return self.chain.advance(x, before, after), after

    def advance(self, x: Any, before: Sequence[Any], after: Sequence[Any], places: Array | None = None) -> Array:
        """Run one step from one state into another, whose arrays are there already, or into the same.

        x: [B, D], or symbols [B]. before, after: states such as `initial_state` returns. places: None, or B whole
        numbers, int64, no two the same: row b of x moves row places[b] of each array.

        Returns y [B, O]. Raises ShapeError and DataError as `run` does, before a state has moved.
        """
        return self.chain.advance(self._read(x, "B", 1), before, after, places)

    def empty_state(self, batch: int = 1) -> State:
        """Return a state for `advance` to write."""
        return self.chain.empty_state(batch)

    def _state(self, state: Sequence[Any] | None, batch: int) -> Sequence[Any]:
        if state is None:
            return self.initial_state(batch)
        if len(state) != self.chain.layer_count:
            raise ShapeError(
                f"a state of {self.chain.layer_count} layers was expected, not of {len(state)}.",
                "give the state that an earlier call returned.",
            )
        return state

    def _read(self, x: Any, letters: str, axes: int) -> Array:
        """Return an input as numbers [letters, D], those of the embedding where x is symbols [letters]."""
        if self.embedding is None:
            numbers: Array = np.asarray(x, self.dtype, order="C")
            if numbers.ndim != axes + 1:
                raise ShapeError(f"the model expected x [{letters} D], got an array of shape {list(numbers.shape)}.")
            return numbers
        given = np.asarray(x)
        if given.ndim != axes:
            raise ShapeError(f"the model expected symbols [{letters}], got an array of shape {list(given.shape)}.")
        if given.dtype.kind not in "iu":
            raise DataError(f"symbols are whole numbers, not {given.dtype}.", "encode the text first.")
        # One symbol, as in a stream, is looked at without the machinery of arrays.
        low, high = (given.item(),) * 2 if given.size == 1 else _extremes(given)
        if not 0 <= low <= high < len(self.embedding):
            raise DataError(f"symbols are numbers from 0 to {len(self.embedding) - 1}; {low} to {high} came.")
        return stored.take(self.embedding, given)

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
        self.chain.check_streams()

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over all that decides what the model computes; what a snapshot is bound to."""
        digest = hashlib.sha256(self.dtype.str.encode())
        digest.update(self.chain.text.encode())
        embedding = {} if self.embedding is None else {"embedding": self.embedding}
        for name, weight in sorted((self.chain.weights | embedding).items()):
            digest.update(f"\0{name}\0{weight.shape}\0".encode())
            digest.update(weight.tobytes())
        return digest.digest()


def _extremes(symbols: Array) -> tuple[int, int]:
    """Return the least and the largest of some symbols; 0 of none."""
    return (symbols.min(), symbols.max()) if symbols.size else (0, 0)
