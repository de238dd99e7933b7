"""Parts in a row, and rows of parts side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .feedforward import Feedforward
from .memoryless import Memoryless
from .softmax import Softmax
from .stack import Stack, State

Array = NDArray[Any]


class Last(Memoryless):
    """Of each sequence its last step alone; `reverse`: its first."""

    reduces = True
    weights: Mapping[str, Array] = {}

    def __init__(self, size: int, reverse: bool = False) -> None:
        self.output_size, self.reverse = size, reverse
        self.text = "first step" if reverse else "last step"

    def sequence(self, x: Array, state: Any = (), lengths: Any = None) -> tuple[Array, tuple[()]]:
        """Return y [1, B, D] of x [T, B, D]; zeros for a sequence without a step."""
        steps, batch, _ = x.shape
        if not steps:
            return np.zeros((1, *x.shape[1:]), x.dtype), ()
        known = np.full(batch, steps) if lengths is None else np.asarray(lengths)
        at = np.zeros(batch, np.int64) if self.reverse else np.maximum(known - 1, 0)
        # Beyond each length x is zero already.
        return x[at, np.arange(batch)][None], ()

    def advance(self, x: Array, before: Any = (), after: Any = (), places: Array | None = None) -> Array:
        """Return x [B, D]: it is the last so far."""
        return x


class Parallel:
    """Chains that read the same, and what they put out as one. merge: as `ParallelArchitecture` names it."""

    def __init__(self, branches: Sequence[Chain], merge: str) -> None:
        self.branches, self.merge = list(branches), merge
        self.layer_count: int = sum(branch.layer_count for branch in branches)
        sizes = [branch.output_size for branch in branches]
        self.output_size: int = sum(sizes) if merge == "concat" else sizes[0]
        self.reduces: bool = self.branches[0].reduces
        self._spans = spans(branches)

    @property
    def text(self) -> str:
        """What decides, beside the weights, what comes out."""
        return "\n".join([f"parallel {self.merge}", *(branch.text for branch in self.branches)])

    @property
    def weights(self) -> dict[str, Array]:
        """The weights of all branches, each with the branch's number before its name."""
        return {f"{i}.{name}": w for i, branch in enumerate(self.branches) for name, w in branch.weights.items()}

    def initial_state(self, batch: int) -> State:
        """Return the state before the first step of B sequences: the layers of all branches, one after the other."""
        return tuple(layer for branch in self.branches for layer in branch.initial_state(batch))

    def check_streams(self) -> None:
        """Raise OptionError where a branch cannot stream."""
        for branch in self.branches:
            branch.check_streams()

    def empty_state(self, batch: int) -> State:
        """Return a state of B sequences whose values are whatever they are."""
        return tuple(layer for branch in self.branches for layer in branch.empty_state(batch))

    def sequence(self, x: Array, state: Sequence[Any], lengths: Any = None) -> tuple[Array, State]:
        """Return y [T, B, O] of x [T, B, D], and the state after it."""
        spanned = zip(self.branches, self._spans, strict=True)
        outputs, after = zip(*(branch.sequence(x, state[span], lengths) for branch, span in spanned), strict=True)
        return self._merged(outputs), tuple(layer for final in after for layer in final)

    def advance(self, x: Array, before: Sequence[Any], after: Sequence[Any], places: Array | None = None) -> Array:
        """Return y [B, O] of x [B, D], from one state into another; places: as `Stack.advance` says."""
        spanned = zip(self.branches, self._spans, strict=True)
        return self._merged([branch.advance(x, before[span], after[span], places) for branch, span in spanned])

    def _merged(self, outputs: Sequence[Array]) -> Array:
        if self.merge == "concat":
            return np.concatenate(outputs, axis=-1)
        total: Array = reduce(np.multiply if self.merge == "mul" else np.add, outputs)
        return total / total.dtype.type(len(outputs)) if self.merge == "ave" else total


Part = Stack | Feedforward | Softmax | Last | Parallel


class Chain:
    """Parts, each of which reads what the one before puts out.

    size: the features that come to it, which a chain without parts gives as they are.
    """

    def __init__(self, parts: Sequence[Part], size: int = 0) -> None:
        self.parts = list(parts)
        self.layer_count: int = sum(part.layer_count for part in parts)
        self._spanned = list(zip(parts, spans(parts), strict=True))
        self.output_size: int = self.parts[-1].output_size if parts else size
        self.reduces: bool = any(part.reduces for part in parts)

    @property
    def text(self) -> str:
        """What decides, beside the weights, what comes out."""
        return "\n".join(part.text for part in self.parts)

    @property
    def weights(self) -> dict[str, Array]:
        """The weights of all parts, each with the part's number before its name."""
        return {f"{i}.{name}": weight for i, part in enumerate(self.parts) for name, weight in part.weights.items()}

    def initial_state(self, batch: int) -> State:
        """Return the state before the first step of B sequences: one named tuple for each recurrent layer."""
        return tuple(layer for part in self.parts for layer in part.initial_state(batch))

    def empty_state(self, batch: int) -> State:
        """Return a state of B sequences whose values are whatever they are."""
        return tuple(layer for part in self.parts for layer in part.empty_state(batch))

    def check_streams(self) -> None:
        """Raise OptionError where a part reads sequences from their end, so that no step can be taken by itself."""
        for part in self.parts:
            part.check_streams()

    def sequence(self, x: Array, state: Sequence[Any], lengths: Any = None) -> tuple[Array, State]:
        """Return y of x [T, B, D] and the state after it: [T, B, O], or [1, B, O] where the chain `reduces`."""
        after: list[Any] = []
        for part, span in self._spanned:
            x, final = part.sequence(x, state[span], lengths)
            after.extend(final)
            lengths = None if part.reduces else lengths
        return x, tuple(after)

    def advance(self, x: Array, before: Sequence[Any], after: Sequence[Any], places: Array | None = None) -> Array:
        """Return y [B, O] of x [B, D], from one state into another; places: as `Stack.advance` says."""
        for part, span in self._spanned:
            x = part.advance(x, before[span], after[span], places)
        return x

    def at_every_step(self) -> Chain:
        """Return the same chain, except that each step counts as the last one so far."""
        kept: list[Part] = []
        for part in self.parts:
            if isinstance(part, Parallel):
                kept.append(Parallel([branch.at_every_step() for branch in part.branches], part.merge))
            elif not isinstance(part, Last):
                kept.append(part)
        return Chain(kept, self.output_size)


def spans(parts: Sequence[Chain] | Sequence[Part]) -> list[slice]:
    """Return where in a state the layers of each of the parts lie."""
    ends = accumulate((part.layer_count for part in parts), initial=0)
    return [slice(begin, end) for begin, end in pairwise(ends)]
