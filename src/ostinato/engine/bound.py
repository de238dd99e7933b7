"""A compiled step with sizes and weights: it runs over time on arrays given by address.

What is here knows neither NumPy nor torch. An `Arrays` says how to make an array of the caller's kind
and where its elements lie; everything that comes in is contiguous and of one type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..stored import StoredMatrix
from .compiled import CompiledStep, core
from .sized import Sized, Sizes

Array = Any


@dataclass(frozen=True)
class Arrays:
    """What the core needs of an array library: new arrays of a shape, a copy of one, and an array's address.

    scratch: so many numbers, [count], in memory that the core uses again.
    """

    empty: Callable[[tuple[int, ...]], Array]
    zeros: Callable[[tuple[int, ...]], Array]
    copy: Callable[[Array], Array]
    scratch: Callable[[int], Array]
    address: Callable[[Array], int]
    itemsize: int


@dataclass(frozen=True)
class Inputs:
    """What a run is given: x [T·B, D], a state [B, width] each, streams [T·B, width] each, and how rows lie.

    rows: the core's description of the packing. ragged: whether some sequence is shorter than T.
    positions: T·B, the rows of x and y. batch: B.
    """

    x: Array
    state: Sequence[Array]
    streams: Sequence[Array]
    rows: Any
    ragged: bool
    positions: int
    batch: int


@dataclass(frozen=True)
class Kept:
    """What a forward run keeps for the way back, all of it in `memory`.

    segments: the steps that are gone back through at a time. starts: the state before each of them.
    panels: values of every row; None where there are several segments, which are run again.
    """

    segments: list[tuple[int, int]]
    starts: list[Sequence[Array]]
    panels: Panels | None
    memory: Array


@dataclass(frozen=True)
class Forward:
    """What a forward run returns: y [T·B, O], the state after it, and what it kept."""

    y: Array
    state: list[Array]
    kept: Kept | None


class Panels:
    """Arrays over all rows of a run in the core's layout, [width / 16][rows][16], in one piece of memory.

    starts: the first element of each array if there were one row, and the size of all.
    """

    def __init__(self, arrays: Arrays, starts: Sequence[int], rows: int, memory: Array | None = None) -> None:
        self.memory = arrays.scratch(starts[-1] * rows) if memory is None else memory
        first, size = arrays.address(self.memory), arrays.itemsize * rows
        self.addresses = [first + size * start for start in starts[:-1]]


class Bound:
    """A compiled step with sizes and weights of one type, for a call or for many."""

    def __init__(
        self, step: CompiledStep, sizes: Sizes, weights: Mapping[str, Array], arrays: Arrays, threads: int
    ) -> None:
        self.sized: Sized = step.sized(sizes, tuple(weights))
        self.weights, self.arrays, self.threads = weights, arrays, threads
        self.addresses = [arrays.address(_elements(weight)) for weight in weights.values()]
        is_whole = not any(isinstance(weight, StoredMatrix) for weight in weights.values())
        self.stored = [] if is_whole else [self._stored(weight) for weight in weights.values()]

    @cached_property
    def packed(self) -> Any:
        """The weights in the core's own layout."""
        return self.pack(self.sized.forward_recipe)

    def pack(self, recipe: Any) -> Any:
        """Pack the weights by a recipe."""
        kind = core().PackedFloat if self.arrays.itemsize == 4 else core().PackedDouble
        return kind(recipe, self.addresses, self.threads, self.stored)

    def _stored(self, weight: Any) -> tuple[int, int]:
        """Return the number of the form in which a weight is stored, and where its scales lie."""
        if not isinstance(weight, StoredMatrix):
            return 0, 0
        return weight.code, 0 if weight.scales is None else self.arrays.address(weight.scales)

    def forward(self, inputs: Inputs, checkpoint_steps: int | None = None, keep: bool = False) -> Forward:
        """Run over all steps.

        keep: keep what `backward` needs; with `checkpoint_steps` only the states every so many steps.
        """
        make = self.arrays.zeros if inputs.ragged else self.arrays.empty
        y = make((inputs.positions, self.sized.output_width))
        # Copies: a sequence without a step keeps its state.
        state = [self.arrays.copy(part) for part in inputs.state]
        kept = self.kept(inputs, checkpoint_steps) if keep else None
        if kept is None or kept.panels:
            panels = kept.panels if kept else None
            self._run(inputs, (0, inputs.rows.steps), inputs.state, state, y, panels)
            return Forward(y, state, kept)
        for segment, start in zip(kept.segments, kept.starts, strict=True):
            for part, value in zip(start, state, strict=True):
                part[:] = value
            self._run(inputs, segment, start, state, y, None)
        return Forward(y, state, kept)

    def run_again(self, inputs: Inputs, segment: tuple[int, int], start: Sequence[Array]) -> Panels:
        """Run some steps once more, from the state before them, and return what the way back needs of them."""
        rows = inputs.rows.start(segment[1]) - inputs.rows.start(segment[0])
        panels = Panels(self.arrays, self.sized.kept_starts, rows)
        self._run(inputs, segment, start, None, None, panels)
        return panels

    def kept(self, inputs: Inputs, checkpoint_steps: int | None, memory: Array | None = None) -> Kept:
        """Return the place for what a forward run keeps; `memory` is that of an earlier `Kept`."""
        segments = _segments(inputs.rows.steps, checkpoint_steps)
        if len(segments) == 1:
            panels = Panels(self.arrays, self.sized.kept_starts, inputs.rows.total, memory)
            return Kept(segments, [inputs.state], panels, panels.memory)
        widths = self.sized.state_widths
        if memory is None:
            memory = self.arrays.empty((len(segments) * inputs.batch * sum(widths),))
        starts: list[Sequence[Array]] = []
        at = 0
        for _ in segments:
            parts: list[Array] = []
            for width in widths:
                parts.append(memory[at : at + inputs.batch * width].reshape(inputs.batch, width))
                at += inputs.batch * width
            starts.append(parts)
        return Kept(segments, starts, None, memory)

    def _run(
        self,
        inputs: Inputs,
        segment: tuple[int, int],
        before: Sequence[Array],
        after: Sequence[Array] | None,
        y: Array | None,
        panels: Panels | None,
    ) -> None:
        address = self.arrays.address
        kept = [] if panels is None else panels.addresses
        core().run(
            self.sized.forward_layout if panels is None else self.sized.keeping_layout,
            self.packed,
            inputs.rows,
            *segment,
            False,
            address(inputs.x),
            [address(stream) for stream in inputs.streams],
            self.sized.stream_widths,
            kept,
            [0] * len(kept),
            [address(part) for part in before],
            [0] * len(before) if after is None else [address(part) for part in after],
            0 if y is None else address(y),
            self.threads,
        )


def _elements(weight: Any) -> Array:
    return weight.values if isinstance(weight, StoredMatrix) else weight


def _segments(steps: int, every: int | None) -> list[tuple[int, int]]:
    every = every or steps
    return [(begin, min(begin + every, steps)) for begin in range(0, steps, every)]
