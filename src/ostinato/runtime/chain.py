"""Parts in a row, and rows of parts side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .feedforward import Feedforward
from .softmax import Softmax
from .stack import Stack, State

Array = NDArray[Any]


class Last:
    """Of each sequence its last step alone; `reverse`: its first."""

    layer_count = 0
    reduces = True
    weights: Mapping[str, Array] = {}

    def __init__(self, size: int, reverse: bool = False) -> None:
        self.output_size, self.reverse = size, reverse
        self.text = "first step" if reverse else "last step"

    def initial_state(self, batch: int) -> tuple[()]:
        """Return the state of no layer."""
        return ()

    def check_streams(self) -> None:
        """What reads from the end is a stack; this alone streams."""

    def sequence(self, x: Array, state: Any = (), lengths: Any = None) -> tuple[Array, tuple[()]]:
        """Return y [1, B, D] of x [T, B, D]; zeros for a sequence without a step."""
        steps, batch, _ = x.shape
        if not steps:
            return np.zeros((1, *x.shape[1:]), x.dtype), ()
        known = np.full(batch, steps) if lengths is None else np.asarray(lengths)
        at = np.zeros(batch, np.int64) if self.reverse else np.maximum(known - 1, 0)
        # Beyond each length x is zero already.
        return x[at, np.arange(batch)][None], ()

    def step(self, x: Array, state: Any = ()) -> tuple[Array, tuple[()]]:
        """Return x [B, D]: it is the last so far."""
        return x, ()

    def step_at(self, places: Array, x: Array, state: Any = ()) -> Array:
        """Return x [B, D], whatever the places: no state moves."""
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

    def sequence(self, x: Array, state: Sequence[Any], lengths: Any = None) -> tuple[Array, State]:
        """Return y [T, B, O] of x [T, B, D], and the state after it."""
        return self._each(state, lambda branch, own: branch.sequence(x, own, lengths))

    def step(self, x: Array, state: Sequence[Any]) -> tuple[Array, State]:
        """Return y [B, O] of x [B, D], and the state after it."""
        return self._each(state, lambda branch, own: branch.step(x, own))

    def step_at(self, places: Array, x: Array, state: Sequence[Any]) -> Array:
        """Return y [B, O] of x [B, D], of which row b moves row places[b] of every state, [N, width], in place."""
        spanned = zip(self.branches, self._spans, strict=True)
        return self._merged([branch.step_at(places, x, state[span]) for branch, span in spanned])

    def _each(
        self, state: Sequence[Any], run: Callable[[Chain, Sequence[Any]], tuple[Array, State]]
    ) -> tuple[Array, State]:
        parts = zip(self.branches, self._spans, strict=True)
        outputs, after = zip(*(run(branch, state[span]) for branch, span in parts), strict=True)
        return self._merged(outputs), tuple(layer for final in after for layer in final)

    def _merged(self, outputs: Sequence[Array]) -> Array:
        if self.merge == "concat":
            return np.concatenate(outputs, axis=-1)
        total: Array = reduce(np.multiply if self.merge == "mul" else np.add, outputs)
        return total / total.dtype.type(len(outputs)) if self.merge == "ave" else total


Part = Stack | Feedforward | Softmax | Last | Parallel


class Chain:
    """Parts, each of which reads what the one before puts out."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = list(parts)
        self.layer_count: int = sum(part.layer_count for part in parts)
        self._spans = spans(parts)
        self.output_size: int = self.parts[-1].output_size
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

    def check_streams(self) -> None:
        """Raise OptionError where a part reads sequences from their end, so that no step can be taken by itself."""
        for part in self.parts:
            part.check_streams()

    def sequence(self, x: Array, state: Sequence[Any], lengths: Any = None) -> tuple[Array, State]:
        """Return y of x [T, B, D] and the state after it: [T, B, O], or [1, B, O] where the chain `reduces`."""
        after: list[Any] = []
        for part, span in zip(self.parts, self._spans, strict=True):
            x, final = part.sequence(x, state[span], lengths)
            after.extend(final)
            lengths = None if part.reduces else lengths
        return x, tuple(after)

    def step(self, x: Array, state: Sequence[Any]) -> tuple[Array, State]:
        """Return y [B, O] of x [B, D], and the state after it."""
        after: list[Any] = []
        for part, span in zip(self.parts, self._spans, strict=True):
            x, final = part.step(x, state[span])
            after.extend(final)
        return x, tuple(after)

    def step_at(self, places: Array, x: Array, state: Sequence[Any]) -> Array:
        """Return y [B, O] of x [B, D], of which row b moves row places[b] of every state, [N, width], in place."""
        for part, span in zip(self.parts, self._spans, strict=True):
            x = part.step_at(places, x, state[span])
        return x

    def at_every_step(self) -> Chain:
        """Return the same chain, except that each step counts as the last one so far."""
        kept: list[Part] = []
        for part in self.parts:
            if isinstance(part, Parallel):
                kept.append(Parallel([branch.at_every_step() for branch in part.branches], part.merge))
            elif not isinstance(part, Last):
                kept.append(part)
        return Chain(kept)


def spans(parts: Sequence[Chain] | Sequence[Part]) -> list[slice]:
    """Return where in a state the layers of each of the parts lie."""
    ends = accumulate((part.layer_count for part in parts), initial=0)
    return [slice(begin, end) for begin, end in pairwise(ends)]
